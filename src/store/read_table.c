#include "store/read_table.h"

#include "base/clock.h"
#include "row.h"

static int64_t hour_of(int64_t at_us)
{
    return at_us - at_us % USEC_PER_HOUR;
}

int read_table_add(struct ops_store *store, const struct read_count *what, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO command_reads(hour_us, user, channel, command, count, failed)"
                  " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(hour_us, user, channel, command)"
                  " DO UPDATE SET count = count + excluded.count,"
                  " failed = failed + excluded.failed",
                  DB_VALUES(DB_I64(hour_of(what->at_us)), DB_TEXT_C(what->user),
                            DB_TEXT_C(what->channel), DB_TEXT_C(what->command), DB_I64(what->count),
                            DB_I64(what->failed)),
                  err);
}

static int read_rows(struct db_rows *rows, struct read_count *ret, size_t max, struct err *err)
{
    size_t n = 0;
    int rc = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct read_count *out = &ret[n++];
        out->at_us = row_i64(&row);
        row_text(&row, out->user, sizeof(out->user));
        row_text(&row, out->channel, sizeof(out->channel));
        row_text(&row, out->command, sizeof(out->command));
        out->count = row_i64(&row);
        out->failed = row_i64(&row);
        rc = row_check(&row, "command_reads", out->at_us, err);
    }
    return rc < 0 ? rc : (int)n;
}

int read_table_list(struct ops_store *store, int64_t since_us, size_t offset,
                    struct read_count *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db,
        "SELECT hour_us, user, channel, command, count, failed FROM command_reads"
        " WHERE hour_us >= ? ORDER BY hour_us DESC, user, channel, command"
        " LIMIT ? OFFSET ?",
        DB_VALUES(DB_I64(hour_of(since_us)), DB_I64((int64_t)max), DB_I64((int64_t)offset)), &rows,
        err);
    return rc < 0 ? rc : read_rows(rows, ret, max, err);
}

int read_table_next_hour(struct ops_store *store, const char *channel, int64_t since_us,
                         int64_t before_us, int64_t *ret_us, struct err *err)
{
    int rc = db_get_i64(store->db,
                        "SELECT min(hour_us) FROM command_reads WHERE hour_us >= ? AND hour_us < ?"
                        " AND channel = ?",
                        DB_VALUES(DB_I64(since_us), DB_I64(before_us), DB_TEXT_C(channel)), -1,
                        ret_us, err);
    return rc < 0 ? rc : *ret_us >= 0;
}

int read_table_hour(struct ops_store *store, const char *channel, int64_t hour_us, size_t offset,
                    struct read_count *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT hour_us, user, channel, command, count, failed FROM command_reads"
                      " WHERE hour_us = ? AND channel = ? ORDER BY user, command LIMIT ? OFFSET ?",
                      DB_VALUES(DB_I64(hour_us), DB_TEXT_C(channel), DB_I64((int64_t)max),
                                DB_I64((int64_t)offset)),
                      &rows, err);
    return rc < 0 ? rc : read_rows(rows, ret, max, err);
}

int read_table_sum(struct ops_store *store, int64_t since_us, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT sum(count) FROM command_reads WHERE hour_us >= ?",
                      DB_VALUES(DB_I64(hour_of(since_us))), 0, ret, err);
}
