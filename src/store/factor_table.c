#include "store/factor_table.h"

#include "base/check.h"
#include "row.h"

int factor_table_get(struct ops_store *store, const char *user, struct factor *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    *ret = (struct factor){0};
    int rc = row_query_one(store->db,
                           "SELECT last_step, failures, window_us, locked_until_us"
                           " FROM second_factors WHERE user = ?",
                           DB_VALUES(DB_TEXT_C(user)), &row, err);
    if (rc <= 0) {
        return rc;
    }
    ret->last_step = row_i64(&row);
    ret->failures = row_i64(&row);
    ret->window_us = row_i64(&row);
    ret->locked_until_us = row_i64(&row);
    return row_check(&row, "second_factors", 0, err);
}

int factor_table_save(struct ops_store *store, const char *user, const struct factor *f,
                      struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO second_factors(user, last_step, failures, window_us,"
                  " locked_until_us) VALUES (?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(user), DB_I64(f->last_step), DB_I64(f->failures),
                            DB_I64(f->window_us), DB_I64(f->locked_until_us)),
                  err);
}

/* ------------------------------------------------------------------------------- secrets ---- */

static void seal_key(const struct ops_store *store, struct secret_key *ret)
{
    secret_derive(&store->audit_key, "nightdesk second factors", ret);
}

int factor_secret_list(struct ops_store *store, struct factor_secret *ret, size_t max,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct secret_key key;
    int rc = db_query(store->db,
                      "SELECT user, sealed, active, created_us FROM factor_secrets ORDER BY user",
                      DB_NO_VALUES, &rows, err);
    size_t n = 0;
    seal_key(store, &key);
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct factor_secret *f = &ret[n++];
        AUTO_BUF struct buf plain = BUF_INIT(sizeof(f->secret));
        *f = (struct factor_secret){0};
        row_text(&row, f->user, sizeof(f->user));
        if (secret_unbox(&key, row_str(&row), &plain)) {
            (void)str_copy(buf_str(&plain), f->secret, sizeof(f->secret));
            secret_wipe(plain.data, plain.len);
        }
        f->active = row_bool(&row);
        f->created_us = row_i64(&row);
        rc = row_check(&row, "factor_secrets", (int64_t)n, err);
    }
    secret_wipe(&key, sizeof(key));
    return rc < 0 ? rc : (int)n;
}

int factor_secret_save(struct ops_store *store, const struct factor_secret *f, struct err *err)
{
    AUTO_BUF struct buf sealed = BUF_INIT(1024);
    struct secret_key key;
    seal_key(store, &key);
    secret_box(&key, str_c(f->secret), &sealed);
    secret_wipe(&key, sizeof(key));
    return db_run(store->db,
                  "INSERT OR REPLACE INTO factor_secrets(user, sealed, active, created_us)"
                  " VALUES (?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(f->user), DB_TEXT(buf_str(&sealed)), DB_I64(f->active),
                            DB_I64(f->created_us)),
                  err);
}

int factor_secret_remove(struct ops_store *store, const char *user, struct err *err)
{
    static const char *const deletes[] = {"DELETE FROM factor_secrets WHERE user = ?",
                                          "DELETE FROM recovery_codes WHERE user = ?",
                                          "DELETE FROM second_factors WHERE user = ?"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < COUNT_OF(deletes); i++) {
        rc = db_run(store->db, deletes[i], DB_VALUES(DB_TEXT_C(user)), err);
    }
    return rc;
}

/* ------------------------------------------------------------------------ recovery codes ---- */

static void hash_code(const struct ops_store *store, const char *user, const char *code,
                      char ret_hex[SECRET_HASH_HEX_SIZE])
{
    AUTO_BUF struct buf text = BUF_INIT(128);
    buf_addf(&text, "recovery:%s:%s", user, code);
    ops_store_fingerprint(store, buf_str(&text), ret_hex);
    secret_wipe(text.data, text.len);
}

int recovery_code_replace(struct ops_store *store, const char *user, const char *const *codes,
                          size_t count, struct err *err)
{
    int rc = db_run(store->db, "DELETE FROM recovery_codes WHERE user = ?",
                    DB_VALUES(DB_TEXT_C(user)), err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        char hash[SECRET_HASH_HEX_SIZE];
        hash_code(store, user, codes[i], hash);
        rc = db_run(store->db, "INSERT INTO recovery_codes(user, hash) VALUES (?, ?)",
                    DB_VALUES(DB_TEXT_C(user), DB_TEXT_C(hash)), err);
    }
    return rc;
}

int recovery_code_use(struct ops_store *store, const char *user, const char *code, int64_t now_us,
                      bool *ret, struct err *err)
{
    char hash[SECRET_HASH_HEX_SIZE];
    hash_code(store, user, code, hash);
    int rc = db_run(store->db,
                    "UPDATE recovery_codes SET used_us = ? WHERE user = ? AND hash = ?"
                    " AND used_us = 0",
                    DB_VALUES(DB_I64(now_us), DB_TEXT_C(user), DB_TEXT_C(hash)), err);
    *ret = rc == 0 && db_changes(store->db) > 0;
    return rc;
}

int recovery_code_left(struct ops_store *store, const char *user, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT count(*) FROM recovery_codes WHERE user = ? AND used_us = 0",
                      DB_VALUES(DB_TEXT_C(user)), 0, ret, err);
}
