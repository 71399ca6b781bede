#include "store/outbox_table.h"

#include "base/check.h"
#include "row.h"

#include <string.h>

static const char *const kind_words[] = {
    [OUTBOX_SEND] = "send",   [OUTBOX_EDIT] = "edit",         [OUTBOX_ANSWER] = "answer",
    [OUTBOX_PHOTO] = "photo", [OUTBOX_DOCUMENT] = "document", [OUTBOX_DELETE] = "delete",
    [OUTBOX_PIN] = "pin",     [OUTBOX_ACTION] = "action",     [OUTBOX_REFRESH] = "refresh",
    [OUTBOX_UNPIN] = "unpin"};
static const char *const state_words[OUTBOX_STATE_COUNT] = {
    [OUTBOX_QUEUED] = "queued",       [OUTBOX_SENDING] = "sending",
    [OUTBOX_DELIVERED] = "delivered", [OUTBOX_UNCERTAIN] = "uncertain",
    [OUTBOX_DEAD] = "dead",
};

const char *outbox_table_state_name(enum outbox_state state)
{
    ASSERT((unsigned)state < OUTBOX_STATE_COUNT);
    return state_words[state];
}

static bool kind_parse(struct str s, enum outbox_kind *ret)
{
    for (unsigned i = 0; i < COUNT_OF(kind_words); i++) {
        if (str_equal_c(s, kind_words[i])) {
            *ret = (enum outbox_kind)i;
            return true;
        }
    }
    return false;
}

static bool state_parse(struct str s, enum outbox_state *ret)
{
    for (unsigned i = 0; i < OUTBOX_STATE_COUNT; i++) {
        if (str_equal_c(s, state_words[i])) {
            *ret = (enum outbox_state)i;
            return true;
        }
    }
    return false;
}

void outbox_row_release(struct outbox_row *row)
{
    if (row != NULL) {
        free(row->payload);
        row->payload = NULL;
    }
}

/* Replaces the payload of a queued edit of the same message. *ret_id is 0 if there is none. */
static int replace_queued_edit(struct ops_store *store, const struct outbox_new *m, int64_t *ret_id,
                               struct err *err)
{
    int rc = db_get_i64(
        store->db,
        "SELECT id FROM outbox WHERE channel = ? AND state = 'queued'"
        " AND kind = ? AND edit_of = ?",
        DB_VALUES(DB_TEXT_C(m->channel), DB_TEXT_C(kind_words[m->kind]), DB_I64(m->edit_of)), 0,
        ret_id, err);
    if (rc < 0 || *ret_id == 0) {
        return rc;
    }
    return db_run(store->db,
                  "UPDATE outbox SET payload = ?, priority = min(priority, ?) WHERE id = ?",
                  DB_VALUES(DB_TEXT_C(m->payload), DB_I64(m->priority), DB_I64(*ret_id)), err);
}

int outbox_table_add(struct ops_store *store, const struct outbox_new *m, int64_t now_us,
                     int64_t *ret_id, struct err *err)
{
    ASSERT(m->channel != NULL && m->payload != NULL && (unsigned)m->kind < COUNT_OF(kind_words));
    bool refers = m->kind == OUTBOX_EDIT || m->kind == OUTBOX_REFRESH || m->kind == OUTBOX_DELETE ||
                  m->kind == OUTBOX_PIN || m->kind == OUTBOX_UNPIN;
    ASSERT(refers == (m->edit_of != 0));
    if (strlen(m->payload) > OUTBOX_PAYLOAD_MAX) {
        return err_set(err, ERR_STORE_TOO_LONG, "message of %zu bytes", strlen(m->payload));
    }
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t id = 0;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0 && (m->kind == OUTBOX_EDIT || m->kind == OUTBOX_REFRESH)) {
        rc = replace_queued_edit(store, m, &id, err);
    }
    if (rc == 0 && id == 0) {
        rc = db_run(store->db,
                    "INSERT INTO outbox(channel, chat_id, kind, priority, payload, run_id,"
                    " created_at_us, not_before_us, edit_of, thread_id)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(nullif(?, 0),"
                    " (SELECT thread_id FROM outbox WHERE id = ?),"
                    " (SELECT thread_id FROM outbox WHERE run_id = ? AND run_id > 0"
                    "  AND chat_id = ? ORDER BY id LIMIT 1), 0))",
                    DB_VALUES(DB_TEXT_C(m->channel), DB_I64(m->chat_id),
                              DB_TEXT_C(kind_words[m->kind]), DB_I64(m->priority),
                              DB_TEXT_C(m->payload), DB_I64(m->run_id), DB_I64(now_us),
                              DB_I64(m->not_before_us), DB_I64(m->edit_of), DB_I64(m->thread_id),
                              DB_I64(m->edit_of), DB_I64(m->run_id), DB_I64(m->chat_id)),
                    err);
        id = db_last_rowid(store->db);
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_id = id;
    return 0;
}

#define SELECT_ROW                                                                        \
    "SELECT o.id, o.channel, o.chat_id, o.kind, o.priority, o.payload, o.run_id,"         \
    " o.created_at_us, o.not_before_us, o.attempts, o.state, o.last_error, o.message_id," \
    " o.edit_of, coalesce(t.message_id, 0), o.thread_id FROM outbox o LEFT JOIN outbox t" \
    " ON t.id = o.edit_of"
/* An edit, a delete or a pin waits until its message is in a final state. */
#define EDIT_IS_READY \
    "(o.edit_of = 0 OR t.id IS NULL OR t.state IN ('delivered', 'uncertain', 'dead'))"

static int read_row(struct db_rows *rows, struct outbox_row *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct outbox_row){0};
    ret->id = row_i64(&row);
    row_text(&row, ret->channel, sizeof(ret->channel));
    ret->chat_id = row_i64(&row);
    row.damaged = !kind_parse(row_str(&row), &ret->kind) || row.damaged;
    int64_t priority = row_i64(&row);
    row.damaged = priority < OUTBOX_CRITICAL || priority > OUTBOX_INFO || row.damaged;
    ret->priority = (enum outbox_priority)(priority & 3);
    ret->payload = row_heap(&row);
    ret->run_id = row_i64(&row);
    ret->created_us = row_i64(&row);
    ret->not_before_us = row_i64(&row);
    ret->attempts = row_i64(&row);
    row.damaged = !state_parse(row_str(&row), &ret->state) || row.damaged;
    row_text(&row, ret->last_error, sizeof(ret->last_error));
    ret->message_id = row_i64(&row);
    ret->edit_of = row_i64(&row);
    ret->edit_message_id = row_i64(&row);
    ret->thread_id = row_i64(&row);
    int rc = row_check(&row, "outbox", ret->id, err);
    if (rc < 0) {
        outbox_row_release(ret);
    }
    return rc;
}

/* Marks an unreadable row as dead; else it would be the next one for ever. */
static int read_or_mark_dead(struct ops_store *store, struct db_rows *rows, struct outbox_row *ret,
                             struct err *err)
{
    int rc = read_row(rows, ret, err);
    if (rc == -ERR_STORE_DAMAGED) {
        struct err failed = {0};
        int dead = outbox_table_dead(store, ret->id, "STORE_DAMAGED", &failed);
        if (dead < 0) { /* return this error, since the next call would find the same row */
            if (err != NULL) {
                *err = failed;
            }
            return dead;
        }
    }
    return rc < 0 ? rc : 1;
}

int outbox_table_due(struct ops_store *store, const char *channel, int64_t now_us,
                     struct outbox_row *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           SELECT_ROW " WHERE o.channel = ? AND o.state = 'queued'"
                                      " AND o.not_before_us <= ? AND " EDIT_IS_READY
                                      " ORDER BY o.priority, o.id LIMIT 1",
                           DB_VALUES(DB_TEXT_C(channel), DB_I64(now_us)), &row, err);
    return rc <= 0 ? rc : read_or_mark_dead(store, row.rows, ret, err);
}

/* The chat after after_id that has a message queued; 1, 0 (there is none) or negative. */
static int next_chat(struct ops_store *store, const char *channel, int64_t after_id,
                     int64_t *ret_id, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT chat_id FROM outbox INDEXED BY outbox_chats"
                           " WHERE channel = ? AND state = 'queued'"
                           " AND chat_id > ? ORDER BY chat_id LIMIT 1",
                           DB_VALUES(DB_TEXT_C(channel), DB_I64(after_id)), &row, err);
    if (rc <= 0) {
        return rc;
    }
    *ret_id = row_i64(&row);
    return *ret_id > after_id ? 1 : -ERR_STORE_DAMAGED; /* a text is above each number, read as 0 */
}

/* The chat's first message that is due. Left to itself SQLite goes through those of all chats in
 * the order of priority. */
static int first_of_chat(struct ops_store *store, const char *channel, int64_t now_us,
                         int64_t chat_id, int64_t *ret_id, int64_t *ret_priority, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db,
        "SELECT o.id, o.priority FROM outbox o INDEXED BY outbox_chats"
        " LEFT JOIN outbox t ON t.id = o.edit_of"
        " WHERE o.channel = ? AND o.state = 'queued' AND o.chat_id = ?"
        " AND o.not_before_us <= ? AND " EDIT_IS_READY " ORDER BY o.priority, o.id LIMIT 1",
        DB_VALUES(DB_TEXT_C(channel), DB_I64(chat_id), DB_I64(now_us)), &row, err);
    if (rc > 0) {
        *ret_id = row_i64(&row);
        *ret_priority = row_i64(&row);
    }
    return rc;
}

static int drop_damaged_chats(struct ops_store *store, const char *channel, struct err *err)
{
    return db_run(store->db,
                  "UPDATE outbox SET state = 'dead', last_error = 'STORE_DAMAGED' WHERE channel = ?"
                  " AND state = 'queued' AND typeof(chat_id) <> 'integer'",
                  DB_VALUES(DB_TEXT_C(channel)), err);
}

static bool contains(const int64_t *chats, size_t count, int64_t chat_id)
{
    for (size_t i = 0; i < count; i++) {
        if (chats[i] == chat_id) {
            return true;
        }
    }
    return false;
}

/* Goes from chat to chat in an index: however many messages wait for one chat, those of another are
 * found at once. One statement with a recursive part would need temporary tables, which cost more
 * than all that is looked up. */
int outbox_table_due_except(struct ops_store *store, const char *channel, int64_t now_us,
                            const int64_t *chats, size_t chat_count, struct outbox_row *ret,
                            struct err *err)
{
    int64_t chat_id = INT64_MIN, best_id = 0, best_priority = INT64_MAX;
    int rc;
    while ((rc = next_chat(store, channel, chat_id, &chat_id, err)) > 0) {
        int64_t id = 0, priority = 0;
        if (contains(chats, chat_count, chat_id)) {
            continue;
        }
        rc = first_of_chat(store, channel, now_us, chat_id, &id, &priority, err);
        if (rc < 0) {
            return rc;
        }
        if (rc > 0 && (best_id == 0 || priority < best_priority ||
                       (priority == best_priority && id < best_id))) {
            best_id = id;
            best_priority = priority;
        }
    }
    if (rc == -ERR_STORE_DAMAGED) {
        rc = drop_damaged_chats(store, channel, err);
        return rc < 0 ? rc : err_set(err, ERR_STORE_DAMAGED, "outbox: a chat that is no number");
    }
    if (rc < 0 || best_id == 0) {
        return rc;
    }
    AUTO_ROW struct row row = {0};
    rc = row_query_one(store->db, SELECT_ROW " WHERE o.id = ?", DB_VALUES(DB_I64(best_id)), &row,
                       err);
    return rc <= 0 ? rc : read_or_mark_dead(store, row.rows, ret, err);
}

int outbox_table_next_uncertain(struct ops_store *store, const char *channel, int64_t after_id,
                                struct outbox_row *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           SELECT_ROW " WHERE o.channel = ? AND o.state = 'uncertain' AND o.id > ?"
                                      " ORDER BY o.id LIMIT 1",
                           DB_VALUES(DB_TEXT_C(channel), DB_I64(after_id)), &row, err);
    return rc <= 0 ? rc : read_or_mark_dead(store, row.rows, ret, err);
}

int outbox_table_next_due_us(struct ops_store *store, const char *channel, int64_t *ret,
                             struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT o.not_before_us FROM outbox o LEFT JOIN outbox t"
                      " ON t.id = o.edit_of WHERE o.channel = ? AND o.state = 'queued'"
                      " AND " EDIT_IS_READY " ORDER BY o.not_before_us LIMIT 1",
                      DB_VALUES(DB_TEXT_C(channel)), INT64_MAX, ret, err);
}

int outbox_table_get(struct ops_store *store, int64_t id, struct outbox_row *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc =
        row_query_one(store->db, SELECT_ROW " WHERE o.id = ?", DB_VALUES(DB_I64(id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "message %lld", (long long)id);
    }
    return rc < 0 ? rc : read_row(row.rows, ret, err);
}

int outbox_table_newest_about(struct ops_store *store, int64_t edit_of, enum outbox_kind kind,
                              struct outbox_row *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      SELECT_ROW " WHERE o.edit_of = ? AND o.edit_of > 0 AND o.kind = ?"
                                 " ORDER BY o.id DESC LIMIT 1",
                      DB_VALUES(DB_I64(edit_of), DB_TEXT_C(kind_words[kind])), &rows, err);
    rc = rc < 0 ? rc : db_next(rows, err);
    if (rc <= 0) {
        return rc;
    }
    rc = read_row(rows, ret, err);
    return rc < 0 ? rc : 1;
}

int outbox_table_drop_about(struct ops_store *store, int64_t edit_of, enum outbox_kind kind,
                            struct err *err)
{
    return db_run(store->db,
                  "DELETE FROM outbox WHERE edit_of = ? AND edit_of > 0 AND kind = ?"
                  " AND state IN ('delivered', 'dead', 'uncertain')",
                  DB_VALUES(DB_I64(edit_of), DB_TEXT_C(kind_words[kind])), err);
}

int outbox_table_of_run(struct ops_store *store, int64_t run_id, int64_t *ret_id, struct err *err)
{
    return db_get_i64(
        store->db, "SELECT min(id) FROM outbox WHERE run_id = ? AND run_id > 0 AND kind = 'send'",
        DB_VALUES(DB_I64(run_id)), 0, ret_id, err);
}

int outbox_table_copies(struct ops_store *store, const char *channel, int64_t run_id,
                        int64_t prompt_id, struct outbox_copy *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db,
        "SELECT id, chat_id FROM outbox WHERE run_id = ? AND run_id > 0 AND kind = 'send'"
        " AND channel = ? AND id <> ? ORDER BY id LIMIT ?",
        DB_VALUES(DB_I64(run_id), DB_TEXT_C(channel), DB_I64(prompt_id), DB_I64((int64_t)max)),
        &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret[n++] = (struct outbox_copy){.id = db_i64(rows, 0), .chat_id = db_i64(rows, 1)};
    }
    return rc < 0 ? rc : (int)n;
}

static int change_unsynced(struct ops_store *store, const char *sql, const struct db_value *values,
                           size_t count, int64_t id, struct err *err)
{
    int rc = db_run_unsynced(store->db, sql, values, count, err);
    if (rc == 0 && db_changes(store->db) == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "message %lld", (long long)id);
    }
    return rc;
}

int outbox_table_sending(struct ops_store *store, int64_t id, bool may_repeat, struct err *err)
{
    static const char sql[] =
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = ?";
    return may_repeat ? change_unsynced(store, sql, DB_VALUES(DB_I64(id)), id, err)
                      : row_update(store->db, sql, DB_VALUES(DB_I64(id)), ERR_STORE_NOT_FOUND,
                                   "message", id, err);
}

int outbox_table_delivered(struct ops_store *store, int64_t id, int64_t message_id, struct err *err)
{
    return change_unsynced(store,
                           "UPDATE outbox SET state = 'delivered', message_id = ?, last_error = ''"
                           " WHERE id = ?",
                           DB_VALUES(DB_I64(message_id), DB_I64(id)), id, err);
}

int outbox_table_retry(struct ops_store *store, int64_t id, int64_t not_before_us,
                       const char *error, struct err *err)
{
    return row_update(store->db,
                      "UPDATE outbox SET state = 'queued', not_before_us = ?, last_error = ?"
                      " WHERE id = ?",
                      DB_VALUES(DB_I64(not_before_us), DB_TEXT(row_cut(error, 128)), DB_I64(id)),
                      ERR_STORE_NOT_FOUND, "message", id, err);
}

int outbox_table_retry_now(struct ops_store *store, const char *channel, int64_t now_us,
                           struct err *err)
{
    return db_run(store->db,
                  "UPDATE outbox SET not_before_us = ?1 WHERE channel = ?2 AND state = 'queued'"
                  " AND attempts > 0 AND not_before_us > ?1",
                  DB_VALUES(DB_I64(now_us), DB_TEXT_C(channel)), err);
}

int outbox_table_uncertain(struct ops_store *store, int64_t id, const char *error, struct err *err)
{
    return row_update(store->db,
                      "UPDATE outbox SET state = 'uncertain', last_error = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT(row_cut(error, 128)), DB_I64(id)), ERR_STORE_NOT_FOUND,
                      "message", id, err);
}

int outbox_table_dead(struct ops_store *store, int64_t id, const char *error, struct err *err)
{
    return row_update(store->db, "UPDATE outbox SET state = 'dead', last_error = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT(row_cut(error, 128)), DB_I64(id)), ERR_STORE_NOT_FOUND,
                      "message", id, err);
}

int outbox_table_drop_chat(struct ops_store *store, const char *channel, int64_t chat_id,
                           const char *error, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = db_run(store->db,
                    "UPDATE outbox SET state = 'dead', last_error = ?"
                    " WHERE channel = ? AND state = 'queued' AND chat_id = ?",
                    DB_VALUES(DB_TEXT(row_cut(error, 128)), DB_TEXT_C(channel), DB_I64(chat_id)),
                    err);
    }
    if (rc == 0) {
        rc = db_run(store->db, "DELETE FROM live_messages WHERE channel = ? AND chat_id = ?",
                    DB_VALUES(DB_TEXT_C(channel), DB_I64(chat_id)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int outbox_table_recover(struct ops_store *store, int64_t *ret_count, struct err *err)
{
    int rc = db_run(store->db,
                    "UPDATE outbox SET state = 'uncertain',"
                    " last_error = 'nightdesk ended while it was being sent'"
                    " WHERE state = 'sending'",
                    DB_NO_VALUES, err);
    if (rc == 0) {
        *ret_count = db_changes(store->db);
    }
    return rc;
}

/* Reads the rows of a query into ret; unreadable ones are skipped, and dead from now on. */
static int read_rows(struct ops_store *store, struct db_rows *rows, struct outbox_row *ret,
                     size_t max, size_t *count, struct err *err)
{
    int rc = 0;
    while (*count < max && (rc = db_next(rows, err)) > 0) {
        rc = read_or_mark_dead(store, rows, &ret[*count], err);
        if (rc < 0 && rc != -ERR_STORE_DAMAGED) {
            return rc;
        }
        *count += rc > 0 ? 1 : 0;
    }
    return rc < 0 && rc != -ERR_STORE_DAMAGED ? rc : 0;
}

int outbox_table_uncopied(struct ops_store *store, const char *channel, int64_t late_us,
                          int64_t since_us, struct outbox_row *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *dead = NULL;
    AUTO_DB_ROWS struct db_rows *late = NULL;
    size_t count = 0;
    int rc =
        db_query(store->db,
                 SELECT_ROW " WHERE o.copied_us = 0 AND o.kind = 'send' AND o.priority <= 1"
                            " AND o.state = 'dead' AND o.created_at_us > ? AND o.channel = ?"
                            " ORDER BY o.created_at_us LIMIT ?",
                 DB_VALUES(DB_I64(since_us), DB_TEXT_C(channel), DB_I64((int64_t)max)), &dead, err);
    if (rc >= 0) {
        rc = read_rows(store, dead, ret, max, &count, err);
    }
    if (rc >= 0) {
        rc = db_query(store->db,
                      SELECT_ROW " WHERE o.channel = ? AND o.copied_us = 0 AND o.kind = 'send'"
                                 " AND o.priority <= 1 AND o.state <> 'delivered'"
                                 " AND o.state <> 'dead' AND o.created_at_us > ?"
                                 " AND o.created_at_us <= ? ORDER BY o.created_at_us LIMIT ?",
                      DB_VALUES(DB_TEXT_C(channel), DB_I64(since_us), DB_I64(late_us),
                                DB_I64((int64_t)(max - count))),
                      &late, err);
    }
    if (rc >= 0 && count < max) {
        rc = read_rows(store, late, ret, max, &count, err);
    }
    if (rc < 0) {
        for (size_t i = 0; i < count; i++) {
            outbox_row_release(&ret[i]);
        }
        return rc;
    }
    return (int)count;
}

int outbox_table_copied(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return row_update(store->db, "UPDATE outbox SET copied_us = ? WHERE id = ?",
                      DB_VALUES(DB_I64(now_us), DB_I64(id)), ERR_STORE_NOT_FOUND, "message", id,
                      err);
}

int outbox_table_expire(struct ops_store *store, const char *channel, int64_t before_us,
                        const char *error, int64_t *ret_count, struct err *err)
{
    int rc =
        db_run(store->db,
               "UPDATE outbox SET state = 'dead', last_error = ? WHERE channel = ?"
               " AND state = 'queued' AND created_at_us < ?",
               DB_VALUES(DB_TEXT(row_cut(error, 128)), DB_TEXT_C(channel), DB_I64(before_us)), err);
    *ret_count = rc < 0 ? 0 : db_changes(store->db);
    return rc;
}

int outbox_table_newest(struct ops_store *store, int64_t *ret_id, struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT id FROM outbox WHERE kind = 'send' ORDER BY id DESC LIMIT 1",
                      DB_NO_VALUES, 0, ret_id, err);
}

int outbox_table_fault(struct ops_store *store, const char *channel, char *ret, size_t size,
                       struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT last_error FROM outbox WHERE channel = ? AND state = 'queued'"
                           " AND last_error <> '' ORDER BY priority, id LIMIT 1",
                           DB_VALUES(DB_TEXT_C(channel)), &row, err);
    ret[0] = '\0';
    if (rc > 0) {
        row_text(&row, ret, size);
    }
    return rc < 0 ? rc : 0;
}

/* The states are constants: a bound one that chooses an index is planned at each call. */
#define IS_MESSAGE " AND kind IN ('send', 'answer', 'photo', 'document')"

int outbox_table_undelivered(struct ops_store *store, int64_t since_us, int64_t late_us,
                             struct outbox_undelivered *ret, struct err *err)
{
    *ret = (struct outbox_undelivered){0};
    int rc = db_get_i64(store->db,
                        "SELECT count(*) FROM outbox WHERE state IN ('dead', 'uncertain')"
                        " AND state = 'dead' AND created_at_us > ?" IS_MESSAGE,
                        DB_VALUES(DB_I64(since_us)), 0, &ret->dead, err);
    if (rc >= 0) {
        rc = db_get_i64(store->db,
                        "SELECT count(*) FROM outbox WHERE state IN ('dead', 'uncertain')"
                        " AND state = 'uncertain' AND created_at_us > ?" IS_MESSAGE,
                        DB_VALUES(DB_I64(since_us)), 0, &ret->uncertain, err);
    }
    if (rc >= 0) {
        rc = db_get_i64(store->db,
                        "SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')"
                        " AND created_at_us <= ?" IS_MESSAGE,
                        DB_VALUES(DB_I64(late_us)), 0, &ret->waiting, err);
    }
    return rc < 0 ? rc : 0;
}

int outbox_table_heads(struct ops_store *store, const char *channel, int64_t now_us,
                       struct outbox_head *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    /* SQLite takes the other columns from the row of the minimum. */
    int rc =
        db_query(store->db,
                 "SELECT min(id), chat_id, attempts, last_error FROM outbox"
                 " INDEXED BY outbox_waiting WHERE state IN ('queued', 'sending')"
                 " AND channel = ? AND (not_before_us <= ? OR attempts > 0)" IS_MESSAGE
                 " GROUP BY chat_id LIMIT ?",
                 DB_VALUES(DB_TEXT_C(channel), DB_I64(now_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret[n].id = db_i64(rows, 0);
        ret[n].chat_id = db_i64(rows, 1);
        ret[n].attempts = db_i64(rows, 2);
        str_cut(db_text(rows, 3), ret[n].last_error, sizeof(ret[n].last_error));
        n++;
    }
    return rc < 0 ? rc : (int)n;
}

int outbox_table_counts(struct ops_store *store, const char *channel,
                        int64_t ret_by_state[OUTBOX_STATE_COUNT], struct err *err)
{
    memset(ret_by_state, 0, sizeof(int64_t) * OUTBOX_STATE_COUNT);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT state, count(*) FROM outbox WHERE ?1 IS NULL OR channel = ?1"
                      " GROUP BY state",
                      DB_VALUES(DB_TEXT_OR_NULL(channel)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        enum outbox_state state = OUTBOX_QUEUED;
        bool known = state_parse(row_str(&row), &state);
        int64_t count = row_i64(&row);
        ret_by_state[known ? state : OUTBOX_DEAD] +=
            count; /* no channel handles an unknown state */
    }
    return rc < 0 ? rc : 0;
}

int outbox_table_waiting(struct ops_store *store, struct outbox_waiting *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT count(*), coalesce(min(created_at_us), 0) FROM outbox"
                           " WHERE state IN ('queued', 'sending')",
                           NULL, 0, &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->count = row_i64(&row);
    ret->oldest_us = row_i64(&row);
    return row_check(&row, "outbox", 0, err);
}
