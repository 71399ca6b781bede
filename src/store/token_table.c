#include "store/token_table.h"

#include "row.h"

int token_table_list(struct ops_store *store, struct token_row *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, name, hash, role, commands, networks, created_us, created_by,"
                      " expires_us, revoked_us, revoked_by, used_us, used_from, holder_channel, "
                      "holder_id FROM api_tokens"
                      " ORDER BY id",
                      DB_NO_VALUES, &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct token_row *t = &ret[n++];
        t->id = row_i64(&row);
        row_text(&row, t->name, sizeof(t->name));
        row_text(&row, t->hash, sizeof(t->hash));
        row_text(&row, t->role, sizeof(t->role));
        row_text(&row, t->commands, sizeof(t->commands));
        row_text(&row, t->networks, sizeof(t->networks));
        t->created_us = row_i64(&row);
        row_text(&row, t->created_by, sizeof(t->created_by));
        t->expires_us = row_i64(&row);
        t->revoked_us = row_i64(&row);
        row_text(&row, t->revoked_by, sizeof(t->revoked_by));
        t->used_us = row_i64(&row);
        row_text(&row, t->used_from, sizeof(t->used_from));
        row_text(&row, t->holder_channel, sizeof(t->holder_channel));
        t->holder_id = row_i64(&row);
        rc = row_check(&row, "api_tokens", t->id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int token_table_add(struct ops_store *store, struct token_row *t, struct err *err)
{
    int rc = db_run(store->db,
                    "INSERT INTO api_tokens(name, hash, role, commands, networks, created_us,"
                    " created_by, expires_us, holder_channel, holder_id)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_TEXT_C(t->name), DB_TEXT_C(t->hash), DB_TEXT_C(t->role),
                              DB_TEXT_C(t->commands), DB_TEXT_C(t->networks), DB_I64(t->created_us),
                              DB_TEXT_C(t->created_by), DB_I64(t->expires_us),
                              DB_TEXT_C(t->holder_channel), DB_I64(t->holder_id)),
                    err);
    t->id = rc < 0 ? 0 : db_last_rowid(store->db);
    return rc;
}

int token_table_revoke(struct ops_store *store, int64_t id, int64_t at_us, const char *by,
                       struct err *err)
{
    return row_update(store->db,
                      "UPDATE api_tokens SET revoked_us = ?, revoked_by = ?"
                      " WHERE id = ? AND revoked_us = 0",
                      DB_VALUES(DB_I64(at_us), DB_TEXT_C(by), DB_I64(id)), ERR_TOKEN_UNKNOWN,
                      "api_tokens", id, err);
}

int token_table_used(struct ops_store *store, int64_t id, int64_t at_us, const char *from,
                     struct err *err)
{
    return db_run(store->db, "UPDATE api_tokens SET used_us = ?, used_from = ? WHERE id = ?",
                  DB_VALUES(DB_I64(at_us), DB_TEXT_C(from), DB_I64(id)), err);
}

int token_table_remove(struct ops_store *store, int64_t id, struct err *err)
{
    return db_run(store->db, "DELETE FROM api_tokens WHERE id = ?", DB_VALUES(DB_I64(id)), err);
}
