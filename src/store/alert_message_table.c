#include "store/alert_message_table.h"

#include "row.h"

static const char *const form_words[] = {
    [ALERT_MESSAGE_OWN] = "own", [ALERT_MESSAGE_STORM] = "storm", [ALERT_MESSAGE_PART] = "part"};

int alert_message_table_write(struct ops_store *store, const struct alert_message *m,
                              struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO alert_messages(alert_id, channel, chat_id, outbox_id,"
                  " form) VALUES (?, ?, ?, ?, ?)",
                  DB_VALUES(DB_I64(m->alert_id), DB_TEXT_C(m->channel), DB_I64(m->chat_id),
                            DB_I64(m->outbox_id), DB_TEXT_C(form_words[m->form])),
                  err);
}

int alert_message_table_list(struct ops_store *store, int64_t alert_id, struct alert_message *ret,
                             size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT alert_id, channel, chat_id, outbox_id, form FROM alert_messages"
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
        struct str form = row_str(&row);
        m->form = str_equal_c(form, "storm")  ? ALERT_MESSAGE_STORM
                  : str_equal_c(form, "part") ? ALERT_MESSAGE_PART
                                              : ALERT_MESSAGE_OWN;
        rc = row_check(&row, "alert_messages", alert_id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int alert_message_table_alerts(struct ops_store *store, int64_t outbox_id, int64_t *ret_ids,
                               size_t max, int64_t *ret_total, int64_t *ret_open, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    size_t n = 0;
    int rc = db_get_i64(store->db, "SELECT count(*) FROM alert_messages WHERE outbox_id = ?",
                        DB_VALUES(DB_I64(outbox_id)), 0, ret_total, err);
    if (rc >= 0) {
        rc = db_get_i64(store->db,
                        "SELECT count(*) FROM alert_messages m JOIN monitoring_alerts a"
                        " ON a.id = m.alert_id WHERE m.outbox_id = ?"
                        " AND a.status IN ('open', 'acknowledged')",
                        DB_VALUES(DB_I64(outbox_id)), 0, ret_open, err);
    }
    if (rc >= 0) {
        rc = db_query(store->db,
                      "SELECT alert_id FROM alert_messages WHERE outbox_id = ?"
                      " ORDER BY alert_id DESC LIMIT ?",
                      DB_VALUES(DB_I64(outbox_id), DB_I64((int64_t)max)), &rows, err);
    }
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret_ids[n++] = db_i64(rows, 0);
    }
    return rc < 0 ? rc : (int)n;
}

int alert_message_table_storm(struct ops_store *store, const char *channel, int64_t chat_id,
                              int64_t since_us, int64_t *ret_outbox_id, struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT m.outbox_id FROM alert_messages m JOIN outbox o ON o.id = m.outbox_id"
                      " WHERE m.form = 'storm' AND m.channel = ? AND m.chat_id = ?"
                      " AND o.created_at_us > ? ORDER BY m.outbox_id DESC LIMIT 1",
                      DB_VALUES(DB_TEXT_C(channel), DB_I64(chat_id), DB_I64(since_us)), 0,
                      ret_outbox_id, err);
}
