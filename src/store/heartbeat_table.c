#include "store/heartbeat_table.h"

#include "row.h"

int heartbeat_table_get(struct ops_store *store, const char *service, const char *check,
                        struct heartbeat *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT first_us, last_us, started_us, failed_us FROM heartbeats"
                           " WHERE service = ? AND name = ?",
                           DB_VALUES(DB_TEXT_C(service), DB_TEXT_C(check)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "heartbeat %s/%s", service, check);
    }
    if (rc < 0) {
        return rc;
    }
    ret->first_us = row_i64(&row);
    ret->last_us = row_i64(&row);
    ret->started_us = row_i64(&row);
    ret->failed_us = row_i64(&row);
    return row_check(&row, "heartbeats", 0, err);
}

int heartbeat_table_write(struct ops_store *store, const char *service, const char *check,
                          const struct heartbeat *h, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO heartbeats(service, name, first_us, last_us, started_us, failed_us)"
                  " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(service, name) DO UPDATE SET"
                  " first_us = excluded.first_us, last_us = excluded.last_us,"
                  " started_us = excluded.started_us, failed_us = excluded.failed_us",
                  DB_VALUES(DB_TEXT_C(service), DB_TEXT_C(check), DB_I64(h->first_us),
                            DB_I64(h->last_us), DB_I64(h->started_us), DB_I64(h->failed_us)),
                  err);
}

int heartbeat_table_remove(struct ops_store *store, const char *service, const char *check,
                           struct err *err)
{
    return db_run(store->db, "DELETE FROM heartbeats WHERE service = ? AND name = ?",
                  DB_VALUES(DB_TEXT_C(service), DB_TEXT_C(check)), err);
}
