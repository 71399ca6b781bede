#include "store/confirmation_table.h"

#include "row.h"

#define COLUMNS "nonce, run_id, user_id, channel, chat_id, outbox_id, expires_us, used, stage"

int confirmation_table_add(struct ops_store *store, const struct confirmation *c, struct err *err)
{
    /* The run may have had one before: whether to run it although it was old. */
    int rc = db_run(store->db, "DELETE FROM confirmations WHERE run_id = ? AND used = 1",
                    DB_VALUES(DB_I64(c->run_id)), err);
    if (rc < 0) {
        return rc;
    }
    return db_run(
        store->db, "INSERT INTO confirmations(" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        DB_VALUES(DB_TEXT_C(c->nonce), DB_I64(c->run_id), DB_I64(c->user_id), DB_TEXT_C(c->channel),
                  DB_I64(c->chat_id), DB_I64(c->outbox_id), DB_I64(c->expires_us), DB_I64(c->used),
                  DB_TEXT_C(c->stage[0] == '\0' ? "confirm" : c->stage)),
        err);
}

static int read_confirmation(struct db_rows *rows, struct confirmation *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct confirmation){0};
    row_text(&row, ret->nonce, sizeof(ret->nonce));
    ret->run_id = row_i64(&row);
    ret->user_id = row_i64(&row);
    row_text(&row, ret->channel, sizeof(ret->channel));
    ret->chat_id = row_i64(&row);
    ret->outbox_id = row_i64(&row);
    ret->expires_us = row_i64(&row);
    ret->used = row_bool(&row);
    row_text(&row, ret->stage, sizeof(ret->stage));
    return row_check(&row, "confirmations, run", ret->run_id, err);
}

static int get_one(struct ops_store *store, const char *sql, struct db_value value,
                   struct confirmation *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, &value, 1, &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "confirmation");
    }
    return rc < 0 ? rc : read_confirmation(row.rows, ret, err);
}

int confirmation_table_get(struct ops_store *store, const char *nonce, struct confirmation *ret,
                           struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM confirmations WHERE nonce = ?", DB_TEXT_C(nonce),
                   ret, err);
}

int confirmation_table_of_run(struct ops_store *store, int64_t run_id, struct confirmation *ret,
                              struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM confirmations WHERE run_id = ?", DB_I64(run_id),
                   ret, err);
}

int confirmation_table_set_outbox(struct ops_store *store, const char *nonce, int64_t outbox_id,
                                  struct err *err)
{
    return row_update(store->db, "UPDATE confirmations SET outbox_id = ? WHERE nonce = ?",
                      DB_VALUES(DB_I64(outbox_id), DB_TEXT_C(nonce)), ERR_STORE_NOT_FOUND,
                      "confirmation with message", outbox_id, err);
}

int confirmation_table_set_basis(struct ops_store *store, const char *nonce, struct str basis,
                                 struct err *err)
{
    return db_run(store->db, "UPDATE confirmations SET basis = ? WHERE nonce = ?",
                  DB_VALUES(DB_TEXT(basis), DB_TEXT_C(nonce)), err);
}

/* The text that a query gives; nothing without a row. */
static int get_text(struct ops_store *store, const char *sql, struct db_value key, struct buf *ret,
                    struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, &key, 1, &row, err);
    if (rc > 0) {
        buf_add_str(ret, row_str(&row));
    }
    return rc < 0 ? rc : 0;
}

int confirmation_table_get_basis(struct ops_store *store, const char *nonce, struct buf *ret,
                                 struct err *err)
{
    return get_text(store, "SELECT basis FROM confirmations WHERE nonce = ?", DB_TEXT_C(nonce), ret,
                    err);
}

int confirmation_table_set_prepared(struct ops_store *store, const char *nonce, struct str reply,
                                    struct err *err)
{
    return db_run(store->db, "UPDATE confirmations SET prepared = ? WHERE nonce = ?",
                  DB_VALUES(DB_TEXT(reply), DB_TEXT_C(nonce)), err);
}

int confirmation_table_get_prepared(struct ops_store *store, int64_t run_id, struct buf *ret,
                                    struct err *err)
{
    return get_text(store, "SELECT prepared FROM confirmations WHERE run_id = ?", DB_I64(run_id),
                    ret, err);
}

int confirmation_table_move(struct ops_store *store, const char *nonce,
                            const struct confirmation *next, bool *ret_won, struct err *err)
{
    int rc = db_run(store->db,
                    "UPDATE confirmations SET nonce = ?, stage = ?, expires_us = ?"
                    " WHERE nonce = ? AND used = 0",
                    DB_VALUES(DB_TEXT_C(next->nonce), DB_TEXT_C(next->stage),
                              DB_I64(next->expires_us), DB_TEXT_C(nonce)),
                    err);
    if (rc == 0) {
        *ret_won = db_changes(store->db) > 0;
    }
    return rc;
}

int confirmation_table_use(struct ops_store *store, const char *nonce, bool *ret_won,
                           struct err *err)
{
    int rc = db_run(store->db, "UPDATE confirmations SET used = 1 WHERE nonce = ? AND used = 0",
                    DB_VALUES(DB_TEXT_C(nonce)), err);
    if (rc == 0) {
        *ret_won = db_changes(store->db) > 0;
    }
    return rc;
}

int confirmation_table_expired(struct ops_store *store, int64_t now_us, struct confirmation *ret,
                               size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " COLUMNS " FROM confirmations WHERE used = 0 AND expires_us <= ?"
                      " ORDER BY expires_us LIMIT ?",
                      DB_VALUES(DB_I64(now_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_confirmation(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int confirmation_table_newest(struct ops_store *store, const struct confirmation *like,
                              struct confirmation *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT " COLUMNS " FROM confirmations WHERE used = 0 AND user_id = ?1"
                           " AND channel = ?2 AND chat_id = ?3 AND (?4 = '' OR stage = ?4)"
                           " ORDER BY expires_us DESC, run_id DESC LIMIT 1",
                           DB_VALUES(DB_I64(like->user_id), DB_TEXT_C(like->channel),
                                     DB_I64(like->chat_id), DB_TEXT_C(like->stage)),
                           &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "confirmation");
    }
    return rc < 0 ? rc : read_confirmation(row.rows, ret, err);
}

int confirmation_table_set_aside(struct ops_store *store, struct err *err)
{
    int rc = db_run(store->db,
                    "UPDATE confirmations SET used = 1 WHERE used = 0 AND (nonce IS NULL OR"
                    " length(nonce) NOT BETWEEN 1 AND 31 OR length(channel) > 31 OR"
                    " length(stage) > 15 OR"
                    " typeof(expires_us) <> 'integer' OR typeof(user_id) <> 'integer' OR"
                    " run_id NOT IN (SELECT id FROM command_runs WHERE state = 'confirming'))",
                    DB_NO_VALUES, err);
    return rc < 0 ? rc : (int)db_changes(store->db);
}
