#include "store/login_table.h"

#include "row.h"

int login_table_list(struct ops_store *store, struct login_row *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT hash, channel, user_id, created_us, expires_us, used FROM logins"
                      " ORDER BY created_us DESC, hash",
                      DB_NO_VALUES, &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct login_row *l = &ret[n++];
        row_text(&row, l->hash, sizeof(l->hash));
        row_text(&row, l->channel, sizeof(l->channel));
        l->user_id = row_i64(&row);
        l->created_us = row_i64(&row);
        l->expires_us = row_i64(&row);
        l->used = row_bool(&row);
        rc = row_check(&row, "logins", l->user_id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int login_table_add(struct ops_store *store, const struct login_row *l, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO logins(hash, channel, user_id, created_us, expires_us, used)"
                  " VALUES (?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(l->hash), DB_TEXT_C(l->channel), DB_I64(l->user_id),
                            DB_I64(l->created_us), DB_I64(l->expires_us), DB_I64(l->used ? 1 : 0)),
                  err);
}

int login_table_use(struct ops_store *store, const char *hash, struct err *err)
{
    return row_update(store->db, "UPDATE logins SET used = 1 WHERE hash = ? AND used = 0",
                      DB_VALUES(DB_TEXT_C(hash)), ERR_LOGIN_LINK, "logins", 0, err);
}

int login_table_drop(struct ops_store *store, const char *channel, int64_t user_id, struct err *err)
{
    return db_run(store->db, "DELETE FROM logins WHERE channel = ? AND user_id = ? AND used = 0",
                  DB_VALUES(DB_TEXT_C(channel), DB_I64(user_id)), err);
}

int login_table_tidy(struct ops_store *store, int64_t now_us, struct err *err)
{
    return db_run(store->db, "DELETE FROM logins WHERE expires_us <= ?", DB_VALUES(DB_I64(now_us)),
                  err);
}
