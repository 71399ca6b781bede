#include "store/idempotency_table.h"

#include "row.h"

int idempotency_table_get(struct ops_store *store, const struct idempotency_key *key,
                          struct idempotency_row *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    *ret = (struct idempotency_row){0};
    int rc = row_query_one(store->db,
                           "SELECT hash, run_id, status, answer FROM idempotency_keys"
                           " WHERE caller = ? AND key = ?",
                           DB_VALUES(DB_TEXT_C(key->caller), DB_TEXT_C(key->key)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "an idempotency key");
    }
    if (rc < 0) {
        return rc;
    }
    row_text(&row, ret->hash, sizeof(ret->hash));
    ret->run_id = row_i64(&row);
    ret->status = row_i64(&row);
    ret->answer = row_heap(&row);
    return row_check(&row, "idempotency_keys", ret->run_id, err);
}

int idempotency_table_add(struct ops_store *store, const struct idempotency_key *key,
                          int64_t run_id, int64_t now_us, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO idempotency_keys(caller, key, hash, run_id, created_us)"
                  " VALUES (?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(key->caller), DB_TEXT_C(key->key), DB_TEXT_C(key->hash),
                            DB_I64(run_id), DB_I64(now_us)),
                  err);
}

int idempotency_table_answer(struct ops_store *store, const struct idempotency_key *key, int status,
                             struct str answer, struct err *err)
{
    return db_run(
        store->db,
        "UPDATE idempotency_keys SET status = ?, answer = ? WHERE caller = ? AND key = ?",
        DB_VALUES(DB_I64(status), DB_TEXT(answer), DB_TEXT_C(key->caller), DB_TEXT_C(key->key)),
        err);
}
