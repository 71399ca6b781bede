#include "store/alert_message_table.h"

#include "row.h"

int alert_message_table_write(struct ops_store *store, const struct alert_message *m,
                              struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO alert_messages(alert_id, channel, chat_id, outbox_id)"
                  " VALUES (?, ?, ?, ?)",
                  DB_VALUES(DB_I64(m->alert_id), DB_TEXT_C(m->channel), DB_I64(m->chat_id),
                            DB_I64(m->outbox_id)),
                  err);
}

int alert_message_table_list(struct ops_store *store, int64_t alert_id, struct alert_message *ret,
                             size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT alert_id, channel, chat_id, outbox_id FROM alert_messages"
                      " WHERE alert_id = ? ORDER BY channel, chat_id LIMIT ?",
                      DB_VALUES(DB_I64(alert_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct alert_message *m = &ret[n++];
        m->alert_id = row_i64(&row);
        row_text(&row, m->channel, sizeof(m->channel));
        m->chat_id = row_i64(&row);
        m->outbox_id = row_i64(&row);
        rc = row_check(&row, "alert_messages", alert_id, err);
    }
    return rc < 0 ? rc : (int)n;
}
