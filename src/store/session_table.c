#include "store/session_table.h"

#include "base/check.h"
#include "row.h"

#include <stdlib.h>

static const char *const event_names[] = {[SESSION_OPENED] = "opened",
                                          [SESSION_JOINED] = "joined",
                                          [SESSION_RAN] = "ran",
                                          [SESSION_CLOSED] = "closed"};

const char *session_event_name(enum session_event_kind kind)
{
    return event_names[kind];
}

bool session_event_parse(struct str text, enum session_event_kind *ret)
{
    for (size_t i = 0; i < COUNT_OF(event_names); i++) {
        if (str_equal_c(text, event_names[i])) {
            *ret = (enum session_event_kind)i;
            return true;
        }
    }
    return false;
}

void session_release(struct session *session)
{
    free(session->summary);
    *session = (struct session){0};
}

/* ------------------------------------------------------------------ sessions */

static int add_member(struct ops_store *store, int64_t id, int64_t index,
                      const struct session_member *m, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO session_members(session_id, idx, channel, user_id, user, role,"
                  " chat_id, thread_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_I64(id), DB_I64(index), DB_TEXT_C(m->channel), DB_I64(m->user_id),
                            DB_TEXT_C(m->user), DB_TEXT_C(m->role), DB_I64(m->chat_id),
                            DB_I64(m->thread_id)),
                  err);
}

int session_table_open(struct ops_store *store, const char *title,
                       const struct session_member *member, int64_t now_us, int64_t *ret_id,
                       struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    struct session given;
    int rc = row_begin(store->db, &own, err);
    rc = rc < 0 ? rc
                : db_run(store->db,
                         "INSERT INTO sessions(title, opened_us, active_us) VALUES (?, ?, ?)",
                         DB_VALUES(DB_TEXT(row_cut(title, sizeof(given.title))), DB_I64(now_us),
                                   DB_I64(now_us)),
                         err);
    if (rc < 0) {
        return rc;
    }
    int64_t id = db_last_rowid(store->db);
    if ((rc = add_member(store, id, 0, member, err)) < 0 ||
        (rc = db_run(store->db,
                     "DELETE FROM sessions WHERE closed_us <> 0 AND id NOT IN (SELECT id FROM"
                     " sessions WHERE closed_us <> 0 ORDER BY id DESC LIMIT ?)",
                     DB_VALUES(DB_I64(SESSIONS_KEPT)), err)) < 0 ||
        (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_id = id;
    return 0;
}

#define COLUMNS "id, title, opened_us, active_us, closed_us, closed_by, summary_to, commands"

static int read_session(struct row *row, struct session *ret, struct err *err)
{
    ret->id = row_i64(row);
    row_text(row, ret->title, sizeof(ret->title));
    ret->opened_us = row_i64(row);
    ret->active_us = row_i64(row);
    ret->closed_us = row_i64(row);
    row_text(row, ret->closed_by, sizeof(ret->closed_by));
    ret->summary_to = row_i64(row);
    row_text(row, ret->commands, sizeof(ret->commands));
    ret->open = ret->closed_us == 0;
    return row_check(row, "sessions", ret->id, err);
}

int session_table_get(struct ops_store *store, int64_t id, struct session *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT " COLUMNS ", summary FROM sessions WHERE id = ?",
                           DB_VALUES(DB_I64(id)), &row, err);
    if (rc <= 0) {
        return rc < 0 ? rc : err_set(err, ERR_STORE_NOT_FOUND, "session %lld", (long long)id);
    }
    rc = read_session(&row, ret, err);
    ret->summary = row_heap(&row);
    return rc;
}

int session_table_idlest(struct ops_store *store, int64_t *ret_us, struct err *err)
{
    return db_get_i64(
        store->db, "SELECT active_us FROM sessions WHERE closed_us = 0 ORDER BY active_us LIMIT 1",
        DB_NO_VALUES, 0, ret_us, err);
}

int session_table_idle(struct ops_store *store, int64_t until_us, int64_t *ret_ids, size_t max,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id FROM sessions WHERE closed_us = 0 AND active_us <= ?"
                      " ORDER BY active_us LIMIT ?",
                      DB_VALUES(DB_I64(until_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        ret_ids[n++] = row_i64(&row);
    }
    return rc < 0 ? rc : (int)n;
}

int session_table_list(struct ops_store *store, struct session *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT " COLUMNS " FROM sessions ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        ret[n] = (struct session){0};
        rc = read_session(&row, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int session_table_touch(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return db_run(store->db, "UPDATE sessions SET active_us = ? WHERE id = ?",
                  DB_VALUES(DB_I64(now_us), DB_I64(id)), err);
}

int session_table_set_commands(struct ops_store *store, int64_t id, const char *commands,
                               struct err *err)
{
    struct session given;
    return db_run(store->db, "UPDATE sessions SET commands = ? WHERE id = ?",
                  DB_VALUES(DB_TEXT(row_cut(commands, sizeof(given.commands))), DB_I64(id)), err);
}

int session_table_set_summary(struct ops_store *store, int64_t id, const char *summary,
                              int64_t summary_to, struct err *err)
{
    return db_run(
        store->db, "UPDATE sessions SET summary = ?, summary_to = ? WHERE id = ?",
        DB_VALUES(DB_TEXT(row_cut(summary, SESSION_SUMMARY_MAX)), DB_I64(summary_to), DB_I64(id)),
        err);
}

int session_table_close(struct ops_store *store, int64_t id, const char *by, int64_t now_us,
                        struct err *err)
{
    return row_update(store->db,
                      "UPDATE sessions SET closed_us = ?, closed_by = ? WHERE id = ?"
                      " AND closed_us = 0",
                      DB_VALUES(DB_I64(now_us), DB_TEXT_C(by), DB_I64(id)), ERR_STORE_CONFLICT,
                      "sessions", id, err);
}

int session_table_reopen(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return row_update(store->db,
                      "UPDATE sessions SET closed_us = 0, closed_by = '', opened_us = ?1,"
                      " active_us = ?1 WHERE id = ?2 AND closed_us <> 0",
                      DB_VALUES(DB_I64(now_us), DB_I64(id)), ERR_STORE_CONFLICT, "sessions", id,
                      err);
}

int session_table_sums(struct ops_store *store, int64_t id, struct session_sums *ret,
                       struct err *err)
{
    AUTO_ROW struct row row = {0};
    *ret = (struct session_sums){0};
    int rc = row_query_one(
        store->db,
        "SELECT count(*), (SELECT count(*) FROM question_steps s JOIN questions q"
        " ON q.id = s.question_id WHERE q.session_id = ?1), coalesce(sum(tokens), 0),"
        " coalesce(sum(cost_usd), 0), coalesce(sum(found), 0), coalesce(sum(derived), 0),"
        " coalesce(sum(unverified), 0) FROM questions WHERE session_id = ?1",
        DB_VALUES(DB_I64(id)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->questions = row_i64(&row);
    ret->calls = row_i64(&row);
    ret->tokens = row_i64(&row);
    ret->cost_usd = row_dec(&row);
    ret->found = row_i64(&row);
    ret->derived = row_i64(&row);
    ret->unverified = row_i64(&row);
    return row_check(&row, "questions", id, err);
}

/* ------------------------------------------------------------------ people and chats */

int session_table_members(struct ops_store *store, int64_t id,
                          struct session_member ret[SESSION_MEMBERS_MAX], struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT idx, channel, user_id, user, role, chat_id, thread_id FROM"
                      " session_members WHERE session_id = ? ORDER BY idx LIMIT ?",
                      DB_VALUES(DB_I64(id), DB_I64(SESSION_MEMBERS_MAX)), &rows, err);
    int n = 0;
    while (rc >= 0 && n < SESSION_MEMBERS_MAX && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct session_member *m = &ret[n++];
        m->index = row_i64(&row);
        row_text(&row, m->channel, sizeof(m->channel));
        m->user_id = row_i64(&row);
        row_text(&row, m->user, sizeof(m->user));
        row_text(&row, m->role, sizeof(m->role));
        m->chat_id = row_i64(&row);
        m->thread_id = row_i64(&row);
        rc = row_check(&row, "session_members", id, err);
    }
    return rc < 0 ? rc : n;
}

int session_table_of_chat(struct ops_store *store, const struct session_member *who,
                          int64_t *ret_id, struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT s.id FROM sessions s JOIN session_members m ON m.session_id = s.id"
                      " WHERE s.closed_us = 0 AND m.channel = ? AND m.user_id = ? AND m.user = ?"
                      " AND m.chat_id = ? ORDER BY s.id DESC LIMIT 1",
                      DB_VALUES(DB_TEXT_C(who->channel), DB_I64(who->user_id), DB_TEXT_C(who->user),
                                DB_I64(who->chat_id)),
                      0, ret_id, err);
}

int session_table_of_message(struct ops_store *store, const char *channel, int64_t chat_id,
                             int64_t message_id, int64_t *ret_id, struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT q.session_id FROM outbox o JOIN questions q ON q.run_id = o.run_id"
                      " WHERE o.chat_id = ? AND o.message_id = ? AND o.message_id <> 0"
                      " AND o.run_id <> 0 AND o.channel = ? AND q.session_id IS NOT NULL LIMIT 1",
                      DB_VALUES(DB_I64(chat_id), DB_I64(message_id), DB_TEXT_C(channel)), 0, ret_id,
                      err);
}

int session_table_join(struct ops_store *store, int64_t id, const struct session_member *m,
                       bool *ret_new, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t count = 0;
    int rc = row_begin(store->db, &own, err);
    rc = rc < 0 ? rc
                : db_run(store->db,
                         "UPDATE session_members SET role = ?, thread_id = ? WHERE session_id = ?"
                         " AND channel = ? AND user_id = ? AND user = ? AND chat_id = ?",
                         DB_VALUES(DB_TEXT_C(m->role), DB_I64(m->thread_id), DB_I64(id),
                                   DB_TEXT_C(m->channel), DB_I64(m->user_id), DB_TEXT_C(m->user),
                                   DB_I64(m->chat_id)),
                         err);
    *ret_new = rc >= 0 && db_changes(store->db) == 0;
    if (*ret_new) {
        rc = db_get_i64(store->db, "SELECT count(*) FROM session_members WHERE session_id = ?",
                        DB_VALUES(DB_I64(id)), 0, &count, err);
        rc = rc < 0 ? rc
             : count >= SESSION_MEMBERS_MAX
                 ? err_set(err, ERR_SESSION_FULL, "session %lld", (long long)id)
                 : add_member(store, id, count, m, err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

/* ------------------------------------------------------------------ events */

int session_table_add_event(struct ops_store *store, int64_t id, const struct session_event *event,
                            struct err *err)
{
    int rc = db_run(store->db,
                    "INSERT INTO session_events(session_id, at_us, kind, user, text)"
                    " VALUES (?, ?, ?, ?, ?)",
                    DB_VALUES(DB_I64(id), DB_I64(event->at_us),
                              DB_TEXT_C(session_event_name(event->kind)), DB_TEXT_C(event->user),
                              DB_TEXT_C(event->text)),
                    err);
    return rc < 0 ? rc
                  : db_run(store->db,
                           "DELETE FROM session_events WHERE session_id = ?1 AND id NOT IN (SELECT"
                           " id FROM session_events WHERE session_id = ?1 ORDER BY id DESC"
                           " LIMIT ?2)",
                           DB_VALUES(DB_I64(id), DB_I64(SESSION_EVENTS_MAX)), err);
}

int session_table_events(struct ops_store *store, int64_t id, int64_t since_us,
                         struct session_event *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT at_us, kind, user, text FROM session_events WHERE session_id = ?"
                      " AND at_us >= ? ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(id), DB_I64(since_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct session_event *event = &ret[n++];
        event->at_us = row_i64(&row);
        ROW_WORD(&row, session_event, &event->kind);
        row_text(&row, event->user, sizeof(event->user));
        row_text(&row, event->text, sizeof(event->text));
        rc = row_check(&row, "session_events", id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int session_table_note(struct ops_store *store, const struct session_event *event, struct err *err)
{
    int64_t ids[16];
    int count = 0;
    {
        AUTO_DB_ROWS struct db_rows *rows = NULL;
        int rc = db_query(store->db,
                          "SELECT DISTINCT s.id FROM sessions s JOIN session_members m"
                          " ON m.session_id = s.id WHERE s.closed_us = 0 AND m.user = ? LIMIT 16",
                          DB_VALUES(DB_TEXT_C(event->user)), &rows, err);
        while (rc >= 0 && count < (int)COUNT_OF(ids) && (rc = db_next(rows, err)) > 0) {
            struct row row = {.rows = rows};
            ids[count++] = row_i64(&row);
        }
        if (rc < 0) {
            return rc;
        }
    }
    for (int i = 0; i < count; i++) {
        int rc = session_table_add_event(store, ids[i], event, err);
        if (rc < 0) {
            return rc;
        }
    }
    return count;
}
