#include "store/mute_table.h"

#include "base/check.h"
#include "row.h"

static const char *const kind_words[] = {[MUTE_ALERT] = "alert",
                                         [MUTE_SOURCE] = "source",
                                         [MUTE_SYMBOL] = "symbol",
                                         [MUTE_NOTICE] = "kind",
                                         [MUTE_ALL] = "all"};

const char *mute_kind_name(enum mute_kind kind)
{
    ASSERT((unsigned)kind < COUNT_OF(kind_words));
    return kind_words[kind];
}

static bool mute_kind_parse(struct str s, enum mute_kind *ret)
{
    for (unsigned i = 0; i < COUNT_OF(kind_words); i++) {
        if (str_equal_c(s, kind_words[i])) {
            *ret = (enum mute_kind)i;
            return true;
        }
    }
    return false;
}

int mute_table_write(struct ops_store *store, const struct mute *mute, int64_t now_us,
                     struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t others = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db, "DELETE FROM mutes WHERE until_us <= ?", DB_VALUES(DB_I64(now_us)),
                    err);
    }
    if (rc >= 0) {
        rc = db_get_i64(store->db, "SELECT count(*) FROM mutes WHERE NOT (kind = ? AND value = ?)",
                        DB_VALUES(DB_TEXT_C(mute_kind_name(mute->kind)), DB_TEXT_C(mute->value)), 0,
                        &others, err);
    }
    if (rc >= 0 && others >= MUTES_MAX) {
        return err_set(err, ERR_ALERT_MUTE_MANY, "%lld", (long long)others);
    }
    if (rc >= 0) {
        rc = db_run(store->db,
                    "INSERT INTO mutes(kind, value, until_us, user, created_us)"
                    " VALUES (?, ?, ?, ?, ?) ON CONFLICT(kind, value) DO UPDATE SET"
                    " until_us = excluded.until_us, user = excluded.user",
                    DB_VALUES(DB_TEXT_C(mute_kind_name(mute->kind)), DB_TEXT_C(mute->value),
                              DB_I64(mute->until_us), DB_TEXT_C(mute->user), DB_I64(now_us)),
                    err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int mute_table_remove(struct ops_store *store, enum mute_kind kind, const char *value,
                      bool *ret_was_there, struct err *err)
{
    int rc = db_run(store->db, "DELETE FROM mutes WHERE kind = ? AND value = ?",
                    DB_VALUES(DB_TEXT_C(mute_kind_name(kind)), DB_TEXT_C(value)), err);
    *ret_was_there = rc >= 0 && db_changes(store->db) > 0;
    return rc < 0 ? rc : 0;
}

int mute_table_list(struct ops_store *store, int64_t now_us, struct mute *ret, size_t max,
                    struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, kind, value, until_us, user FROM mutes WHERE until_us > ?"
                      " ORDER BY until_us, id LIMIT ?",
                      DB_VALUES(DB_I64(now_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct mute *mute = &ret[n];
        int64_t id = row_i64(&row);
        ROW_WORD(&row, mute_kind, &mute->kind);
        row_text(&row, mute->value, sizeof(mute->value));
        mute->until_us = row_i64(&row);
        row_text(&row, mute->user, sizeof(mute->user));
        n += row_check(&row, "mutes", id, NULL) == 0 ? 1 : 0; /* an unreadable one mutes nothing */
    }
    return rc < 0 ? rc : (int)n;
}
