#include "store/held_table.h"

#include "base/check.h"
#include "row.h"

#include <string.h>

int held_table_add(struct ops_store *store, const struct held_notice *held, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO held_notices(kind, at_us, title, alert_id, because)"
                  " SELECT ?1, ?2, ?3, ?4, ?5"
                  " WHERE ?4 = 0 OR NOT EXISTS (SELECT 1 FROM held_notices WHERE alert_id = ?4)",
                  DB_VALUES(DB_TEXT_C(notice_kind_name(held->kind)), DB_I64(held->at_us),
                            DB_TEXT_C(held->title), DB_I64(held->alert_id),
                            DB_TEXT_C(held->because)),
                  err);
}

#define SELECT_OF                                                        \
    "SELECT id, kind, at_us, title, alert_id, because FROM held_notices" \
    " WHERE because = ? ORDER BY id"

static bool read_held(struct db_rows *rows, struct held_notice *ret)
{
    struct row row = {.rows = rows};
    *ret = (struct held_notice){.id = row_i64(&row)};
    ROW_WORD(&row, notice_kind, &ret->kind);
    ret->at_us = row_i64(&row);
    row_text(&row, ret->title, sizeof(ret->title));
    ret->alert_id = row_i64(&row);
    row_text(&row, ret->because, sizeof(ret->because));
    return row_check(&row, "held_notices", ret->id, NULL) == 0;
}

int held_table_list(struct ops_store *store, const char *because, uint32_t kinds,
                    struct held_notice *ret, size_t max, int64_t *ret_total, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    *ret_total = 0;
    int rc = db_query(store->db, SELECT_OF, DB_VALUES(DB_TEXT_C(because)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct held_notice held;
        if (!read_held(rows, &held) || (kinds & UINT32_C(1) << held.kind) == 0) {
            continue;
        }
        if (n == max) { /* the newest ones are worth more */
            memmove(ret, ret + 1, (max - 1) * sizeof(*ret));
            n--;
        }
        ret[n++] = held;
        (*ret_total)++;
    }
    return rc < 0 ? rc : (int)n;
}

/* The rows before them are invalid, and go too. */
static int delete_to(struct ops_store *store, const char *because, int64_t id, int64_t *ret_left,
                     struct err *err)
{
    int rc = db_run(store->db, "DELETE FROM held_notices WHERE because = ? AND id <= ?",
                    DB_VALUES(DB_TEXT_C(because), DB_I64(id)), err);
    return rc < 0 ? rc
                  : db_get_i64(store->db, "SELECT count(*) FROM held_notices WHERE because = ?",
                               DB_VALUES(DB_TEXT_C(because)), 0, ret_left, err);
}

int held_table_take(struct ops_store *store, const char *because, struct held_notice *ret,
                    size_t max, int64_t *ret_left, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    int64_t last = 0;
    int rc = db_query(store->db, SELECT_OF, DB_VALUES(DB_TEXT_C(because)), &rows, err);
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        last = db_i64(rows, 0);
        n += read_held(rows, &ret[n]) ? 1 : 0;
    }
    rc = rc < 0 ? rc : delete_to(store, because, last, ret_left, err);
    return rc < 0 ? rc : (int)n;
}

int held_table_next(struct ops_store *store, const char *after, char *ret, size_t size,
                    struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT because FROM held_notices WHERE because > ? ORDER BY because"
                           " LIMIT 1",
                           DB_VALUES(DB_TEXT_C(after)), &row, err);
    ret[0] = '\0';
    if (rc > 0) {
        row_text(&row, ret, size);
    }
    return rc < 0 ? rc : 0;
}

int held_table_clear(struct ops_store *store, const char *because, struct err *err)
{
    return db_run(store->db, "DELETE FROM held_notices WHERE because = ?",
                  DB_VALUES(DB_TEXT_C(because)), err);
}

int held_table_any(struct ops_store *store, const char *because, bool *ret, struct err *err)
{
    int64_t id = 0;
    int rc = db_get_i64(store->db, "SELECT min(id) FROM held_notices WHERE because = ?",
                        DB_VALUES(DB_TEXT_C(because)), 0, &id, err);
    *ret = id != 0;
    return rc;
}
