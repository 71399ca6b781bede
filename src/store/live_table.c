#include "store/live_table.h"

#include "row.h"

int live_table_set(struct ops_store *store, const struct live_message *m, struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO live_messages(channel, chat_id, thread_id, outbox_id,"
                  " user, since_us, ended) VALUES (?, ?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(m->channel), DB_I64(m->chat_id), DB_I64(m->thread_id),
                            DB_I64(m->outbox_id), DB_TEXT_C(m->by), DB_I64(m->since_us),
                            DB_TEXT_C(m->ended)),
                  err);
}

int live_table_remove(struct ops_store *store, const char *channel, int64_t chat_id,
                      struct err *err)
{
    return db_run(store->db, "DELETE FROM live_messages WHERE channel = ? AND chat_id = ?",
                  DB_VALUES(DB_TEXT_C(channel), DB_I64(chat_id)), err);
}

int live_table_end(struct ops_store *store, const char *channel, int64_t chat_id, const char *why,
                   struct err *err)
{
    return db_run(store->db, "UPDATE live_messages SET ended = ? WHERE channel = ? AND chat_id = ?",
                  DB_VALUES(DB_TEXT_C(why), DB_TEXT_C(channel), DB_I64(chat_id)), err);
}

int live_table_list(struct ops_store *store, struct live_message *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT channel, chat_id, thread_id, outbox_id, user, since_us, ended"
                      " FROM live_messages ORDER BY since_us, chat_id LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct live_message *m = &ret[n++];
        *m = (struct live_message){0};
        row_text(&row, m->channel, sizeof(m->channel));
        m->chat_id = row_i64(&row);
        m->thread_id = row_i64(&row);
        m->outbox_id = row_i64(&row);
        row_text(&row, m->by, sizeof(m->by));
        m->since_us = row_i64(&row);
        row_text(&row, m->ended, sizeof(m->ended));
        if (row.damaged) { /* the others are still kept up to date */
            n--;
        }
    }
    return rc < 0 ? rc : (int)n;
}
