#include "row.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <string.h>

int64_t row_i64(struct row *row)
{
    return db_i64(row->rows, row->column++);
}

bool row_bool(struct row *row)
{
    return row_i64(row) != 0;
}

double row_double(struct row *row)
{
    return db_double(row->rows, row->column++);
}

struct dec row_dec(struct row *row)
{
    return db_dec(row->rows, row->column++);
}

struct str row_str(struct row *row)
{
    return db_text(row->rows, row->column++);
}

void row_text(struct row *row, char *dst, size_t dst_size)
{
    if (!str_copy(row_str(row), dst, dst_size)) {
        row->damaged = true;
    }
}

char *row_heap(struct row *row)
{
    struct str text = row_str(row);
    char *copy = strndup(text.ptr, text.len);
    ASSERT(copy != NULL);
    return copy;
}

struct symbol row_symbol(struct row *row)
{
    struct symbol symbol = {{0}};
    struct str text = row_str(row);
    if (text.len > 0 && !symbol_parse(text, &symbol)) {
        row->damaged = true;
    }
    return symbol;
}

int64_t row_iso(struct row *row)
{
    struct str text = row_str(row);
    int64_t us = 0;
    if (text.len > 0 && !clock_parse_iso(text, &us)) {
        row->damaged = true;
    }
    return us;
}

int row_check(const struct row *row, const char *table, int64_t id, struct err *err)
{
    if (!row->damaged) {
        return 0;
    }
    return err_set(err, ERR_STORE_DAMAGED, "%s, row %lld", table, (long long)id);
}

int row_query_one(struct db *db, const char *sql, const struct db_value *values, size_t count,
                  struct row *ret, struct err *err)
{
    *ret = (struct row){0};
    int rc = db_query(db, sql, values, count, &ret->rows, err);
    return rc < 0 ? rc : db_next(ret->rows, err);
}

int row_begin(struct db *db, struct db **ret_own, struct err *err)
{
    if (db_in_transaction(db)) {
        return 0;
    }
    int rc = db_begin(db, err);
    if (rc == 0) {
        *ret_own = db;
    }
    return rc;
}

int row_commit(struct db **own, struct err *err)
{
    return *own == NULL ? 0 : db_commit(TAKE(*own), err);
}

int row_update(struct db *db, const char *sql, const struct db_value *values, size_t count,
               enum err_id otherwise, const char *table, int64_t id, struct err *err)
{
    int rc = db_run(db, sql, values, count, err);
    if (rc == 0 && db_changes(db) == 0) {
        return err_set(err, otherwise, "%s %lld", table, (long long)id);
    }
    return rc;
}

struct str row_cut(const char *text, size_t size)
{
    struct str s = str_c(text);
    if (s.len >= size) {
        s.len = size - 1;
        while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xc0) == 0x80) {
            s.len--;
        }
    }
    return s;
}

void row_log_work(struct db *db, const char *name, const char *when)
{
    struct db_work work = db_work(db);
    LOG(DEBUG, "work: %s %s: scanned %lld, sorted %lld, steps %lld", name, when,
        (long long)work.scanned, (long long)work.sorted, (long long)work.steps);
}
