#include "store/update_table.h"

#include "row.h"

int update_table_has(struct ops_store *store, const char *channel, int64_t update_id, bool *ret,
                     struct err *err)
{
    int64_t count = 0;
    int rc =
        db_get_i64(store->db, "SELECT count(*) FROM updates WHERE channel = ? AND update_id = ?",
                   DB_VALUES(DB_TEXT_C(channel), DB_I64(update_id)), 0, &count, err);
    *ret = count > 0;
    return rc;
}

int update_table_add(struct ops_store *store, const char *channel, int64_t update_id,
                     int64_t now_us, bool *ret_fresh, struct err *err)
{
    int rc = db_run(store->db,
                    "INSERT INTO updates(channel, update_id, received_us) VALUES (?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    DB_VALUES(DB_TEXT_C(channel), DB_I64(update_id), DB_I64(now_us)), err);
    if (rc == 0) {
        *ret_fresh = db_changes(store->db) > 0;
    }
    return rc;
}
