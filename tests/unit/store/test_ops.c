#include "base/check.h"
#include "base/clock.h"
#include "folder.h"
#include "io/db.h"
#include "same.h"
#include "store/alert_table.h"
#include "store/audit_chain.h"
#include "store/audit_table.h"
#include "store/confirmation_table.h"
#include "store/outbox_table.h"
#include "store/run_table.h"
#include "store/sample_table.h"
#include "store/update_table.h"
#include "unit/unit.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0 (INT64_C(1795228800) * USEC_PER_SEC) /* 2026-11-21T00:00:00Z */

static struct ops_store *open_store(const char *folder)
{
    struct err err = {0};
    struct ops_store *store = NULL;
    if (ops_store_open(folder, OPS_STORE_WRITE, &store, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    return store;
}

static struct db *open_raw(const char *folder)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/ops.db", folder);
    struct db *db = NULL;
    assert_int_equal(db_open(&(struct db_options){.path = path.data}, &db, NULL), 0);
    return db;
}

static void tamper(const char *folder, const char *sql)
{
    struct db *db = open_raw(folder);
    assert_int_equal(db_exec(db, sql, NULL), 0);
    db_free(db);
}

/* ------------------------------------------------------------------ alerts */

static void alerts_have_the_published_columns(void **state)
{
    ops_store_free(open_store(*state));
    static const char *const names[] = {
        "id",          "alert_type",      "severity",       "title",
        "description", "evidence",        "recommendation", "status",
        "created_at",  "acknowledged_at", "fixed_at"};
    struct db *db = open_raw(*state);
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    assert_int_equal(db_query(db, "SELECT name FROM pragma_table_info('monitoring_alerts')",
                              DB_NO_VALUES, &rows, NULL),
                     0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(db_next(rows, NULL), 1);
        assert_true(str_equal_c(db_text(rows, 0), names[i]));
    }
    db_rows_free(TAKE(rows));
    db_free(db);
}

static const struct alert_new demo_down = {.type = ALERT_SERVICE,
                                           .severity = SEVERITY_MEDIUM,
                                           .title = "demo is down",
                                           .description = "three checks failed",
                                           .evidence = "[{\"pointer\":\"/a\"}]",
                                           .recommendation = "restart demo",
                                           .fingerprint = "health/demo",
                                           .source = "health",
                                           .check_json = "{\"pointer\":\"/a\"}"};

static void raising_an_alert_again_counts_it(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    struct alert_raised raised;
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    assert_int_equal(raised.how, ALERT_RAISED_NEW);
    assert_int_equal(raised.count, 1);
    int64_t first = raised.id;
    static struct alert a;
    assert_int_equal(alert_table_get(store, first, &a, NULL), 0);
    assert_int_equal(a.type, ALERT_SERVICE);
    assert_int_equal(a.severity, SEVERITY_MEDIUM);
    assert_string_equal(a.title, "demo is down");
    assert_string_equal(a.description, "three checks failed");
    assert_string_equal(a.evidence, "[{\"pointer\":\"/a\"}]");
    assert_string_equal(a.recommendation, "restart demo");
    assert_string_equal(a.check_json, "{\"pointer\":\"/a\"}");
    assert_string_equal(a.source, "health");
    assert_int_equal(a.status, ALERT_OPEN);
    assert_int_equal(a.created_us, T0);
    assert_int_equal(a.acknowledged_us, 0);
    assert_false(a.notified);

    struct alert_new worse = demo_down;
    worse.severity = SEVERITY_HIGH;
    worse.title = "demo is still down";
    assert_int_equal(alert_table_raise(store, &worse, T0 + USEC_PER_MIN, &raised, NULL), 0);
    assert_int_equal(raised.how, ALERT_RAISED_AGAIN);
    assert_int_equal(raised.id, first);
    assert_int_equal(raised.count, 2);
    assert_true(raised.worse);
    assert_int_equal(alert_table_raise(store, &demo_down, T0 + USEC_PER_MIN, &raised, NULL), 0);
    assert_false(raised.worse);
    assert_int_equal(alert_table_get(store, first, &a, NULL), 0);
    assert_int_equal(a.severity, SEVERITY_HIGH);  /* the highest is kept */
    assert_string_equal(a.title, "demo is down"); /* the newest title is kept */
    assert_int_equal(a.count, 3);
    assert_int_equal(a.last_seen_us, T0 + USEC_PER_MIN);
    assert_int_equal(a.created_us, T0);

    /* acknowledged: the same row */
    assert_int_equal(alert_table_set_status(store, first, ALERT_ACKNOWLEDGED, "alice", T0, NULL),
                     0);
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    assert_int_equal(raised.id, first);
    assert_int_equal(alert_table_get(store, first, &a, NULL), 0);
    assert_int_equal(a.status, ALERT_ACKNOWLEDGED);
    assert_string_equal(a.acked_by, "alice");
    assert_int_equal(a.acknowledged_us, T0);

    /* fixed: a new row */
    assert_int_equal(
        alert_table_set_status(store, first, ALERT_FIXED, NULL, T0 + 5 * USEC_PER_SEC, NULL), 0);
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    assert_int_equal(raised.how, ALERT_RAISED_NEW);
    assert_int_not_equal(raised.id, first);
    assert_int_equal(alert_table_get(store, first, &a, NULL), 0);
    assert_int_equal(a.fixed_us, T0 + 5 * USEC_PER_SEC);
    assert_int_equal(alert_table_find(store, "health/demo", &a, NULL), 0);
    assert_int_equal(a.id, raised.id);

    /* the old one cannot be reopened while the new one is open */
    assert_int_equal(alert_table_reopen(store, first, T0, NULL), -ERR_STORE_DUPLICATE);
    assert_int_equal(alert_table_set_status(store, first, ALERT_OPEN, NULL, T0, NULL),
                     -ERR_STORE_DUPLICATE);

    /* wontfix: counted silently */
    assert_int_equal(alert_table_set_status(store, raised.id, ALERT_WONTFIX, "bob", T0, NULL), 0);
    assert_int_equal(alert_table_raise(store, &worse, T0, &raised, NULL), 0);
    assert_int_equal(raised.how, ALERT_RAISED_SILENTLY);
    assert_false(raised.worse);
    assert_int_equal(alert_table_get(store, 99, &a, NULL), -ERR_STORE_NOT_FOUND);
    assert_int_equal(alert_table_set_status(store, 99, ALERT_FIXED, NULL, T0, NULL),
                     -ERR_STORE_NOT_FOUND);
}

static void a_fixed_alert_reopens_with_its_count(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    struct alert_raised raised;
    static struct alert a;
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    assert_int_equal(alert_table_set_notified(store, raised.id, NULL), 0);
    assert_int_equal(alert_table_reopen(store, raised.id, T0, NULL), -ERR_STORE_CONFLICT);
    assert_int_equal(alert_table_set_status(store, raised.id, ALERT_FIXED, NULL, T0, NULL), 0);
    assert_int_equal(alert_table_reopen(store, raised.id, T0 + USEC_PER_SEC, NULL), 0);
    assert_int_equal(alert_table_get(store, raised.id, &a, NULL), 0);
    assert_int_equal(a.status, ALERT_OPEN);
    assert_int_equal(a.reopened, 1);
    assert_int_equal(a.count, 1); /* only raising it changes the count */
    assert_int_equal(a.fixed_us, 0);
    assert_false(a.notified);
    assert_int_equal(a.last_seen_us, T0 + USEC_PER_SEC);
}

static void rejected_findings_have_their_own_rows(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    struct alert_new rejected = demo_down;
    rejected.rejected = true;
    struct alert_raised raised;
    assert_int_equal(alert_table_raise(store, &rejected, T0, &raised, NULL), 0);
    int64_t first = raised.id;
    assert_int_equal(alert_table_raise(store, &rejected, T0, &raised, NULL), 0);
    assert_int_equal(raised.id, first);
    assert_int_equal(raised.how, ALERT_RAISED_SILENTLY);
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    assert_int_equal(raised.how, ALERT_RAISED_NEW);
    int64_t counts[SEVERITY_CRITICAL + 1];
    assert_int_equal(alert_table_counts(store, counts, NULL), 0);
    assert_int_equal(counts[SEVERITY_MEDIUM], 1);
    assert_int_equal(counts[SEVERITY_HIGH], 0);
}

static int64_t raise_one(struct ops_store *store, const char *fingerprint, enum severity severity,
                         int64_t now_us)
{
    struct alert_new a = demo_down;
    a.fingerprint = fingerprint;
    a.severity = severity;
    a.check_json = NULL;
    a.source = "audit";
    struct alert_raised raised;
    assert_int_equal(alert_table_raise(store, &a, now_us, &raised, NULL), 0);
    return raised.id;
}

static void alerts_are_listed_by_severity_and_filtered(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    struct alert_raised raised;
    int64_t low = raise_one(store, "a", SEVERITY_LOW, T0);
    int64_t critical = raise_one(store, "b", SEVERITY_CRITICAL, T0);
    int64_t late = raise_one(store, "c", SEVERITY_LOW, T0 + USEC_PER_HOUR);
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    AUTO_FREE struct alert *list = calloc(8, sizeof(*list));
    assert_int_equal(alert_table_list(store, &(struct alert_query){0}, list, 8, NULL), 4);
    assert_int_equal(list[0].id, critical);
    assert_int_equal(list[1].id, raised.id);
    assert_int_equal(list[2].id, late);
    assert_int_equal(list[3].id, low);
    struct alert_query query = {.min_severity = SEVERITY_MEDIUM};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 2);
    query = (struct alert_query){.source = "health"};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 1);
    query = (struct alert_query){.with_check_only = true};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 1);
    query = (struct alert_query){.since_us = T0 + 1};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 4); /* whole seconds */
    query = (struct alert_query){.since_us = T0 + USEC_PER_SEC};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 1);
    assert_int_equal(alert_table_set_notified(store, low, NULL), 0);
    query = (struct alert_query){.unnotified_only = true, .offset = 1};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 2);
    assert_int_equal(alert_table_set_status(store, low, ALERT_ACKNOWLEDGED, "x", T0, NULL), 0);
    assert_int_equal(alert_table_set_status(store, critical, ALERT_FIXED, "x", T0, NULL), 0);
    query = (struct alert_query){.statuses = 1U << ALERT_ACKNOWLEDGED | 1U << ALERT_FIXED};
    assert_int_equal(alert_table_list(store, &query, list, 8, NULL), 2);
    assert_int_equal(list[0].id, critical);
    assert_int_equal(list[1].id, low);
}

static void long_texts_are_cut_and_long_json_refused(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    AUTO_BUF struct buf text = BUF_INIT(10000);
    for (int i = 0; i < 4000; i++) {
        buf_add_c(&text, "ä");
    }
    struct alert_new a = demo_down;
    a.title = text.data;
    a.description = text.data;
    struct alert_raised raised;
    static struct alert out;
    assert_int_equal(alert_table_raise(store, &a, T0, &raised, NULL), 0);
    assert_int_equal(alert_table_get(store, raised.id, &out, NULL), 0);
    assert_int_equal(strlen(out.title), ALERT_TITLE_SIZE - 2); /* not in the middle of an ä */
    assert_true(str_is_utf8(str_c(out.title)));
    assert_true(str_is_utf8(str_c(out.description)));
    a = demo_down;
    a.evidence = text.data;
    assert_int_equal(alert_table_raise(store, &a, T0, &raised, NULL), -ERR_STORE_TOO_LONG);
}

/* ------------------------------------------------------------------ outbox */

static int64_t send(struct ops_store *store, enum outbox_priority priority, const char *payload)
{
    int64_t id = 0;
    struct outbox_new m = {.channel = "telegram",
                           .chat_id = -5,
                           .kind = OUTBOX_SEND,
                           .priority = priority,
                           .payload = payload,
                           .run_id = 3};
    assert_int_equal(outbox_table_add(store, &m, T0, &id, NULL), 0);
    return id;
}

static int64_t due(struct ops_store *store, int64_t now_us)
{
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    int rc = outbox_table_due(store, "telegram", now_us, &row, NULL);
    assert_true(rc >= 0);
    return rc == 0 ? 0 : row.id;
}

static void critical_messages_are_first_and_retries_wait(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    assert_int_equal(due(store, T0), 0);
    int64_t next = 0;
    assert_int_equal(outbox_table_next_due_us(store, "telegram", &next, NULL), 0);
    assert_true(next == INT64_MAX);
    int64_t info = send(store, OUTBOX_INFO, "{\"a\":1}");
    int64_t normal1 = send(store, OUTBOX_NORMAL, "{}");
    int64_t normal2 = send(store, OUTBOX_NORMAL, "{}");
    int64_t critical = send(store, OUTBOX_CRITICAL, "{}");
    assert_int_equal(due(store, T0), critical);
    assert_int_equal(outbox_table_sending(store, critical, false, NULL), 0);
    assert_int_equal(due(store, T0), normal1);
    assert_int_equal(outbox_table_retry(store, critical, T0 + 100, "429", NULL), 0);
    assert_int_equal(due(store, T0), normal1); /* other messages do not wait */
    assert_int_equal(due(store, T0 + 100), critical);
    assert_int_equal(outbox_table_delivered(store, critical, 77, NULL), 0);
    assert_int_equal(outbox_table_dead(store, normal1, "400", NULL), 0);
    assert_int_equal(outbox_table_sending(store, normal2, false, NULL), 0);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_due(store, "telegram", T0, &row, NULL), 1);
    assert_int_equal(row.id, info);
    assert_string_equal(row.payload, "{\"a\":1}");
    assert_string_equal(row.channel, "telegram");
    assert_int_equal(row.chat_id, -5);
    assert_int_equal(row.run_id, 3);
    assert_int_equal(row.created_us, T0);
    assert_int_equal(row.priority, OUTBOX_INFO);
    outbox_row_release(&row);
    assert_int_equal(outbox_table_due(store, "console", T0, &row, NULL), 0);
    assert_int_equal(outbox_table_get(store, critical, &row, NULL), 0);
    assert_int_equal(row.state, OUTBOX_DELIVERED);
    assert_int_equal(row.message_id, 77);
    assert_int_equal(row.attempts, 1);

    int64_t recovered = 0;
    assert_int_equal(outbox_table_recover(store, &recovered, NULL), 0);
    assert_int_equal(recovered, 1);
    int64_t counts[OUTBOX_STATE_COUNT];
    assert_int_equal(outbox_table_counts(store, NULL, counts, NULL), 0);
    assert_int_equal(counts[OUTBOX_QUEUED], 1);
    assert_int_equal(counts[OUTBOX_SENDING], 0);
    assert_int_equal(counts[OUTBOX_DELIVERED], 1);
    assert_int_equal(counts[OUTBOX_UNCERTAIN], 1);
    assert_int_equal(counts[OUTBOX_DEAD], 1);
    assert_int_equal(outbox_table_counts(store, "console", counts, NULL), 0);
    assert_int_equal(counts[OUTBOX_QUEUED], 0);
    assert_int_equal(outbox_table_dead(store, 99, "x", NULL), -ERR_STORE_NOT_FOUND);
}

static int64_t edit(struct ops_store *store, int64_t of, const char *payload)
{
    int64_t id = 0;
    struct outbox_new m = {.channel = "telegram",
                           .kind = OUTBOX_EDIT,
                           .priority = OUTBOX_NORMAL,
                           .payload = payload,
                           .edit_of = of};
    assert_int_equal(outbox_table_add(store, &m, T0, &id, NULL), 0);
    return id;
}

static void edits_wait_for_their_message_and_replace_each_other(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    int64_t message = send(store, OUTBOX_NORMAL, "{}");
    int64_t first = edit(store, message, "1");
    assert_int_equal(edit(store, message, "2"), first);
    assert_int_equal(due(store, T0), message);
    assert_int_equal(outbox_table_sending(store, message, false, NULL), 0);
    assert_int_equal(due(store, T0), 0);
    int64_t next = 0;
    assert_int_equal(outbox_table_next_due_us(store, "telegram", &next, NULL), 0);
    assert_true(next == INT64_MAX); /* due when the message is delivered, not at a time */
    assert_int_equal(outbox_table_delivered(store, message, 1234, NULL), 0);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_due(store, "telegram", T0, &row, NULL), 1);
    assert_int_equal(row.id, first);
    assert_string_equal(row.payload, "2");
    assert_int_equal(row.edit_of, message);
    assert_int_equal(row.edit_message_id, 1234);
    assert_int_equal(outbox_table_sending(store, first, false, NULL), 0);
    assert_int_not_equal(edit(store, message, "3"), first); /* the first one is being sent */
}

static void channels_skip_waiting_chats_and_find_uncertain_messages(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    int64_t ids[3];
    for (int i = 0; i < 3; i++) {
        struct outbox_new m = {.channel = "telegram",
                               .chat_id = 10 + i,
                               .kind = OUTBOX_SEND,
                               .priority = OUTBOX_NORMAL,
                               .payload = "{}",
                               .run_id = i == 0 ? 0 : 8};
        assert_int_equal(outbox_table_add(store, &m, T0, &ids[i], NULL), 0);
    }
    static const int64_t waiting[] = {10, 11};
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_due_except(store, "telegram", T0, waiting, 2, &row, NULL), 1);
    assert_int_equal(row.id, ids[2]);
    outbox_row_release(&row);
    assert_int_equal(outbox_table_due_except(store, "telegram", T0, waiting, 0, &row, NULL), 1);
    assert_int_equal(row.id, ids[0]);
    outbox_row_release(&row);
    int64_t first = -1;
    assert_int_equal(outbox_table_of_run(store, 8, &first, NULL), 0);
    assert_int_equal(first, ids[1]);
    assert_int_equal(outbox_table_of_run(store, 9, &first, NULL), 0);
    assert_int_equal(first, 0);
    assert_int_equal(outbox_table_next_uncertain(store, "telegram", 0, &row, NULL), 0);
    assert_int_equal(outbox_table_uncertain(store, ids[0], "lost", NULL), 0);
    assert_int_equal(outbox_table_uncertain(store, ids[2], "lost", NULL), 0);
    assert_int_equal(outbox_table_next_uncertain(store, "telegram", ids[0], &row, NULL), 1);
    assert_int_equal(row.id, ids[2]);
    assert_string_equal(row.last_error, "lost");
}

static void a_damaged_chat_is_dead_and_the_next_one_is_found(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    int64_t bad = send(store, OUTBOX_CRITICAL, "{}"), good = send(store, OUTBOX_INFO, "{}");
    struct db *db = open_raw(*state);
    assert_int_equal(
        db_run(db, "UPDATE outbox SET chat_id = 'x' WHERE id = ?", DB_VALUES(DB_I64(bad)), NULL),
        0);
    db_free(db);
    assert_int_equal(outbox_table_due_except(store, "telegram", T0, NULL, 0, &row, NULL),
                     -ERR_STORE_DAMAGED);
    assert_int_equal(outbox_table_due_except(store, "telegram", T0, NULL, 0, &row, NULL), 1);
    assert_int_equal(row.id, good);
}

/* ------------------------------------------------------------------ runs */

static const struct run_new restart_demo = {.command = "restart",
                                            .args_json = "{\"service\":\"demo\"}",
                                            .user_id = 12,
                                            .user_name = "alice",
                                            .role = "operator",
                                            .channel = "telegram",
                                            .chat_id = 34,
                                            .state = RUN_CONFIRMING};

static void a_step_is_stored_as_running_before_it_ends(void **state)
{
    struct ops_store *store = open_store(*state);
    int64_t id = 0;
    assert_int_equal(run_table_add(store, &restart_demo, T0, &id, NULL), 0);
    assert_int_equal(run_table_step_begin(store, id, 0, "service.restart", T0, NULL),
                     -ERR_STORE_CONFLICT); /* not confirmed */
    assert_int_equal(run_table_start(store, id, T0 + 1, NULL), 0);
    assert_int_equal(run_table_start(store, id, T0 + 1, NULL), -ERR_STORE_CONFLICT);
    assert_int_equal(run_table_step_begin(store, id, 0, "service.restart", T0 + 2, NULL), 0);
    ops_store_free(store); /* as a crash in the step */

    store = open_store(*state);
    struct run_row rows[4] = {{0}};
    assert_int_equal(
        run_table_list(store, &(struct run_query){.states = 1U << RUN_RUNNING}, rows, 4, NULL), 1);
    assert_int_equal(rows[0].id, id);
    assert_string_equal(rows[0].command, "restart");
    assert_string_equal(rows[0].args_json, "{\"service\":\"demo\"}");
    assert_int_equal(rows[0].user_id, 12);
    assert_string_equal(rows[0].user_name, "alice");
    assert_string_equal(rows[0].role, "operator");
    assert_string_equal(rows[0].channel, "telegram");
    assert_int_equal(rows[0].chat_id, 34);
    assert_int_equal(rows[0].step, 0);
    assert_int_equal(rows[0].created_us, T0);
    assert_int_equal(rows[0].updated_us, T0 + 2);
    run_row_release(&rows[0]);
    struct run_step steps[4];
    assert_int_equal(run_table_steps(store, id, steps, 4, NULL), 1);
    assert_int_equal(steps[0].state, RUN_STEP_RUNNING);
    assert_string_equal(steps[0].action, "service.restart");
    assert_int_equal(run_table_step_note(store, id, 0, "asked at 5", NULL), 0);
    assert_int_equal(run_table_steps(store, id, steps, 4, NULL), 1);
    assert_string_equal(steps[0].result, "asked at 5");
    assert_int_equal(run_table_step_end(store, id, 0, RUN_STEP_DONE, "ok", T0 + 3, NULL), 0);
    assert_int_equal(run_table_step_note(store, id, 0, "late", NULL), -ERR_STORE_CONFLICT);
    assert_int_equal(run_table_step_end(store, id, 0, RUN_STEP_DONE, "ok", T0 + 3, NULL),
                     -ERR_STORE_CONFLICT);
    assert_int_equal(run_table_step_begin(store, id, 1, "service.wait_healthy", T0 + 4, NULL), 0);
    assert_int_equal(run_table_steps(store, id, steps, 4, NULL), 2);
    assert_int_equal(steps[0].state, RUN_STEP_DONE);
    assert_int_equal(steps[0].started_us, T0 + 2);
    assert_int_equal(steps[0].ended_us, T0 + 3);
    assert_string_equal(steps[0].result, "ok");

    assert_int_equal(
        run_table_finish(store, id, RUN_FAILED, -ERR_STORE_CONFLICT, "{}", T0 + 5, NULL), 0);
    assert_int_equal(run_table_finish(store, id, RUN_DONE, ERR_NONE, NULL, T0 + 6, NULL),
                     -ERR_STORE_CONFLICT); /* a finished run does not change */
    AUTO_RUN_ROW struct run_row row = {0};
    assert_int_equal(run_table_get(store, id, &row, NULL), 0);
    assert_int_equal(row.state, RUN_FAILED);
    assert_int_equal(row.err_id, ERR_STORE_CONFLICT);
    assert_string_equal(row.result_json, "{}");
    assert_int_equal(run_table_list(store, &(struct run_query){0}, rows, 4, NULL), 1);
    run_row_release(&rows[0]);
    assert_int_equal(
        run_table_list(store, &(struct run_query){.states = 1U << RUN_RUNNING}, rows, 4, NULL), 0);
    ops_store_free(store);
}

static void a_confirmation_is_used_once(void **state)
{
    struct ops_store *store = open_store(*state);
    int64_t run = 0;
    assert_int_equal(run_table_add(store, &restart_demo, T0, &run, NULL), 0);
    struct confirmation c = {.nonce = "N1",
                             .run_id = run,
                             .user_id = 12,
                             .channel = "telegram",
                             .chat_id = 34,
                             .expires_us = T0 + 120};
    assert_int_equal(confirmation_table_add(store, &c, NULL), 0);
    assert_int_equal(confirmation_table_set_outbox(store, "N1", 9, NULL), 0);
    struct confirmation back;
    assert_int_equal(confirmation_table_get(store, "N1", &back, NULL), 0);
    c.outbox_id = 9;
    static const struct same_field fields[] = {
        SAME(struct confirmation, nonce),      SAME(struct confirmation, run_id),
        SAME(struct confirmation, user_id),    SAME(struct confirmation, channel),
        SAME(struct confirmation, chat_id),    SAME(struct confirmation, outbox_id),
        SAME(struct confirmation, expires_us), SAME(struct confirmation, used)};
    assert_same(&back, &c, fields, COUNT_OF(fields));
    assert_int_equal(confirmation_table_of_run(store, run, &back, NULL), 0);
    assert_int_equal(confirmation_table_expired(store, T0 + 119, &back, 1, NULL), 0);
    assert_int_equal(confirmation_table_expired(store, T0 + 120, &back, 1, NULL), 1);
    bool won = false;
    assert_int_equal(confirmation_table_use(store, "N1", &won, NULL), 0);
    assert_true(won);
    ops_store_free(store);
    store = open_store(*state);
    assert_int_equal(confirmation_table_use(store, "N1", &won, NULL), 0);
    assert_false(won);
    assert_int_equal(confirmation_table_expired(store, T0 + 120, &back, 1, NULL), 0);
    assert_int_equal(confirmation_table_use(store, "none", &won, NULL), 0);
    assert_false(won);
    assert_int_equal(confirmation_table_get(store, "none", &back, NULL), -ERR_STORE_NOT_FOUND);
    c.run_id = 99; /* no such run */
    assert_true(confirmation_table_add(store, &c, NULL) < 0);
    ops_store_free(store);
}

static int fail_now(const char *what, void *userdata)
{
    (void)userdata;
    return strcmp(what, "COMMIT") == 0 ? -ERR_DB_FAILED : 0;
}

static void an_update_and_its_run_are_stored_together(void **state)
{
    struct ops_store *store = open_store(*state);
    bool fresh = false;
    int64_t run = 0;
    ops_store_set_fault(store, fail_now, NULL);
    assert_int_equal(ops_store_begin(store, NULL), 0);
    assert_int_equal(update_table_add(store, "telegram", 100, T0, &fresh, NULL), 0);
    assert_true(fresh);
    assert_int_equal(run_table_add(store, &restart_demo, T0, &run, NULL), 0);
    assert_int_equal(ops_store_commit(store, NULL), -ERR_DB_FAILED);
    ops_store_free(store);

    store = open_store(*state);
    struct run_row row;
    assert_int_equal(run_table_list(store, &(struct run_query){0}, &row, 1, NULL), 0);
    assert_int_equal(update_table_add(store, "telegram", 100, T0, &fresh, NULL), 0);
    assert_true(fresh);
    assert_int_equal(update_table_add(store, "telegram", 100, T0, &fresh, NULL), 0);
    assert_false(fresh);
    assert_int_equal(update_table_add(store, "console", 100, T0, &fresh, NULL), 0);
    assert_true(fresh); /* ids are per channel */
    ops_store_free(store);
}

static void request_ids_are_unique(void **state)
{
    struct ops_store *store = open_store(*state);
    int64_t a = 0;
    int64_t b = 0;
    assert_int_equal(ops_store_next_request_id(store, T0, &a, NULL), 0);
    assert_true(a == T0); /* a new ops.db does not start at 1 */
    assert_int_equal(ops_store_next_request_id(store, T0 - USEC_PER_DAY, &b, NULL), 0);
    assert_true(b == a + 1); /* also after the clock was set back */
    ops_store_free(store);
    store = open_store(*state);
    assert_int_equal(ops_store_next_request_id(store, T0, &a, NULL), 0);
    assert_true(a == b + 1);
    ops_store_free(store);
}

static void named_values_are_stored(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    int64_t value = 0;
    AUTO_BUF struct buf text = BUF_INIT(100);
    assert_int_equal(ops_store_get_i64(store, "mute", 5, &value, NULL), 0);
    assert_int_equal(value, 5);
    assert_int_equal(ops_store_write_i64(store, "mute", INT64_MIN, NULL), 0);
    assert_int_equal(ops_store_get_i64(store, "mute", 5, &value, NULL), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(ops_store_get_text(store, "text", &text, NULL), 0);
    assert_int_equal(text.len, 0);
    assert_int_equal(ops_store_write_text(store, "text", STR_LIT("a'b"), NULL), 0);
    assert_int_equal(ops_store_get_text(store, "text", &text, NULL), 0);
    assert_string_equal(text.data, "a'b");
    assert_int_equal(ops_store_check(store, NULL), 0);
}

/* ------------------------------------------------------------------ the audit log */

static void append_some(struct ops_store *store, int count)
{
    for (int i = 0; i < count; i++) {
        int64_t id = 0;
        struct audit_entry e = {.at_us = T0 + i,
                                .user = "alice",
                                .channel = "telegram",
                                .action = "command",
                                .detail = "restart demo",
                                .result = i % 2 == 0 ? "allowed" : "denied"};
        assert_int_equal(audit_chain_append(store, &e, &id, NULL), 0);
    }
}

static struct audit_chain_result verified(const char *folder, int64_t from_id)
{
    struct err err = {0};
    struct audit_chain_result result;
    struct ops_store *store = NULL;
    assert_int_equal(ops_store_open(folder, OPS_STORE_READ, &store, &err), 0);
    if (audit_chain_verify(store, from_id, &result, &err) < 0) {
        fail_msg("%s: %s", err_info(err.id)->code, err.context);
    }
    ops_store_free(store);
    return result;
}

static void an_unchanged_log_verifies(void **state)
{
    struct ops_store *store = open_store(*state);
    struct audit_chain_result v;
    assert_int_equal(audit_chain_verify(store, 1, &v, NULL), 0);
    assert_true(v.ok); /* an empty log */
    assert_int_equal(v.rows, 0);
    append_some(store, 5);
    struct audit_row rows[8];
    assert_int_equal(audit_chain_list(store, 0, rows, 8, NULL), 5);
    assert_int_equal(rows[0].id, 5);
    assert_string_equal(rows[0].user, "alice");
    assert_string_equal(rows[0].channel, "telegram");
    assert_string_equal(rows[0].action, "command");
    assert_string_equal(rows[0].detail, "restart demo");
    assert_string_equal(rows[1].result, "denied");
    assert_int_equal(rows[1].at_us, T0 + 3);
    ops_store_free(store);
    v = verified(*state, 1);
    assert_true(v.ok);
    assert_int_equal(v.rows, 5);
    assert_int_equal(v.bad_id, 0);
    assert_string_equal(v.last_hash, rows[0].hash);
    v = verified(*state, 4);
    assert_true(v.ok);
    assert_int_equal(v.rows, 2);
    v = verified(*state, 6);
    assert_true(v.ok);
    struct stat st;
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/audit.key", (char *)*state);
    assert_int_equal(stat(path.data, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void every_kind_of_tampering_is_found_and_named(void **state)
{
    static const struct {
        const char *sql;
        int64_t bad_id;
    } cases[] = {
        {"UPDATE audit_log SET result = 'allowee' WHERE id = 3", 3}, /* one byte */
        {"UPDATE audit_log SET at_us = at_us + 1 WHERE id = 5", 5},
        {"UPDATE audit_log SET user = 'alic', channel = 'etelegram' WHERE id = 2",
         2}, /* bytes moved between fields */
        {"UPDATE audit_log SET hash = (SELECT hash FROM audit_log WHERE id = 1) WHERE id = 4", 4},
        {"UPDATE audit_log SET prev_hash = '' WHERE id = 4", 4},
        {"DELETE FROM audit_log WHERE id = 1", 1},
        {"DELETE FROM audit_log WHERE id = 3", 3},
        {"DELETE FROM audit_log WHERE id = 5", 5}, /* the last row */
        {"DELETE FROM audit_log WHERE id > 2", 3},
        {"DELETE FROM audit_log", 1},
        {"DELETE FROM audit_log WHERE id = 3; UPDATE audit_log SET id = id - 1 WHERE id > 3", 3},
        {"DELETE FROM audit_log WHERE id = 5; UPDATE kv SET value = replace(value, '5 ', '4 ')"
         " WHERE name = 'audit_head'",
         4},
        {"DELETE FROM kv WHERE name = 'audit_head'", 5},
        {"INSERT INTO audit_log SELECT 6, at_us, user, channel, action, detail, result, hash, hash"
         " FROM audit_log WHERE id = 5",
         6},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        void *folder = NULL;
        assert_int_equal(folder_make(&folder), 0);
        struct ops_store *store = open_store(folder);
        append_some(store, 5);
        ops_store_free(store);
        assert_true(verified(folder, 1).ok);
        tamper(folder, cases[i].sql);
        struct audit_chain_result v = verified(folder, 1);
        if (v.ok || v.bad_id != cases[i].bad_id || v.why[0] == '\0') {
            fail_msg("%s: ok %d, row %lld: %s", cases[i].sql, v.ok, (long long)v.bad_id, v.why);
        }
        /* The log continues, and the break is still found where it is. */
        store = open_store(folder);
        append_some(store, 2);
        ops_store_free(store);
        v = verified(folder, 1);
        assert_false(v.ok);
        assert_true(v.bad_id <= cases[i].bad_id + 1);
        assert_int_equal(folder_remove(&folder), 0);
    }
    (void)state;
}

static void another_key_does_not_verify(void **state)
{
    struct ops_store *store = open_store(*state);
    append_some(store, 2);
    ops_store_free(store);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    buf_addf(&path, "%s/audit.key", (char *)*state);
    assert_int_equal(unlink(path.data), 0);
    AUTO_OPS_STORE struct ops_store *reader = NULL;
    struct audit_chain_result v;
    assert_int_equal(ops_store_open(*state, OPS_STORE_READ, &reader, NULL), 0);
    assert_int_equal(audit_chain_verify(reader, 1, &v, NULL), -ERR_SECRET_KEY);
    assert_int_not_equal(access(path.data, F_OK), 0); /* a reader does not create one */
    ops_store_free(open_store(*state));
    v = verified(*state, 1);
    assert_false(v.ok);
    assert_int_equal(v.bad_id, 1);
    assert_non_null(strstr(v.why, "audit.key is not the one"));
    AUTO_OPS_STORE struct ops_store *again = open_store(*state);
    append_some(again, 2); /* the log continues, and verify still reports it */
    assert_int_equal(audit_chain_verify(again, 1, &v, NULL), 0);
    assert_non_null(strstr(v.why, "audit.key is not the one"));
    assert_int_equal(audit_chain_verify(again, 4, &v, NULL), 0);
    assert_false(v.ok);
}

/* ------------------------------------------------------------------ audits, samples, retention */

static void audits_round_trip(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    struct audit_record in = {.started_us = T0,
                              .finished_us = T0 + 1,
                              .verdict = "findings",
                              .trigger = "schedule",
                              .model = "m",
                              .request_id = "req_1",
                              .tokens_in = 1,
                              .tokens_out = 2,
                              .cost_microusd = 3,
                              .findings_by_severity = {1, 2, 3, 4, 5},
                              .rejected = 6,
                              .note = "n",
                              .report_json = (char[]){"{\"a\":1}"}};
    AUTO_AUDIT_RECORD struct audit_record out = {0};
    assert_int_equal(audit_table_last(store, &out, NULL), -ERR_STORE_NOT_FOUND);
    int64_t id = 0;
    assert_int_equal(audit_table_add(store, &in, &id, NULL), 0);
    assert_int_equal(audit_table_last(store, &out, NULL), 0);
    assert_string_equal(out.report_json, "{\"a\":1}");
    struct audit_record list[2];
    assert_int_equal(audit_table_list(store, 0, list, 2, NULL), 1);
    assert_null(list[0].report_json);
    in.id = id;
    in.report_json = NULL;
    assert_memory_equal(&list[0], &in, sizeof(in));
}

static void sample_statistics_are_correct(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    struct sample_stats stats;
    assert_int_equal(sample_table_stats(store, "demo", 0, &stats, NULL), 0);
    assert_int_equal(stats.count, 0);
    assert_int_equal(stats.last_change_us, 0);
    static const bool ups[] = {true, true, false, false, true, true};
    for (int i = 0; i < 6; i++) {
        struct service_sample s = {.service = "demo",
                                   .at_us = 10 + i,
                                   .up = ups[i],
                                   .latency_us = ups[i] ? 100 * (i + 1) : 0,
                                   .detail = "x"};
        assert_int_equal(sample_table_add(store, &s, NULL), 0);
    }
    assert_int_equal(sample_table_stats(store, "demo", 12, &stats, NULL), 0);
    assert_int_equal(stats.count, 4);
    assert_int_equal(stats.up, 2);
    assert_int_equal(stats.average_latency_us, 550);
    assert_int_equal(stats.max_latency_us, 600);
    assert_int_equal(stats.last_change_us, 14);
    struct service_sample list[8];
    assert_int_equal(sample_table_list(store, "demo", 1, list, 8, NULL), 5);
    assert_int_equal(list[0].at_us, 14);
    assert_true(list[0].up);
    assert_string_equal(list[0].detail, "x");
    assert_int_equal(sample_table_list(store, "other", 0, list, 8, NULL), 0);
}

static void only_finished_rows_are_pruned(void **state)
{
    AUTO_OPS_STORE struct ops_store *store = open_store(*state);
    int64_t id = 0;
    int64_t open_run = 0;
    bool fresh = false;
    struct alert_raised raised;
    append_some(store, 1);
    int64_t waiting = send(store, OUTBOX_INFO, "{}");
    int64_t said = send(store, OUTBOX_INFO, "{}");
    assert_int_equal(outbox_table_delivered(store, said, 1, NULL), 0);
    assert_int_equal(run_table_add(store, &restart_demo, T0, &open_run, NULL), 0);
    assert_int_equal(run_table_add(store, &restart_demo, T0, &id, NULL), 0);
    struct confirmation c = {.nonce = "N", .run_id = id};
    assert_int_equal(confirmation_table_add(store, &c, NULL), 0);
    assert_int_equal(run_table_finish(store, id, RUN_EXPIRED, ERR_NONE, NULL, T0, NULL), 0);
    assert_int_equal(update_table_add(store, "telegram", 1, T0, &fresh, NULL), 0);
    for (int i = 0; i < 5; i++) {
        struct service_sample s = {.service = "demo", .at_us = T0};
        assert_int_equal(sample_table_add(store, &s, NULL), 0);
    }
    assert_int_equal(alert_table_raise(store, &demo_down, T0, &raised, NULL), 0);
    int64_t fixed = raise_one(store, "old", SEVERITY_LOW, T0);
    assert_int_equal(alert_table_set_status(store, fixed, ALERT_FIXED, "x", T0, NULL), 0);
    struct audit_record audit = {.finished_us = T0, .report_json = (char[]){"{}"}};
    assert_int_equal(audit_table_add(store, &audit, &id, NULL), 0);

    int64_t deleted = 0;
    assert_int_equal(ops_store_prune(store, T0, 100, &deleted, NULL), 0);
    assert_int_equal(deleted, 0); /* not older than the limit */
    assert_int_equal(ops_store_prune(store, T0 + USEC_PER_SEC, 3, &deleted, NULL), 0);
    assert_int_equal(deleted, 1 + 1 + 1 + 1 + 3 + 1);
    assert_int_equal(ops_store_prune(store, T0 + USEC_PER_SEC, 3, &deleted, NULL), 0);
    assert_int_equal(deleted, 2);
    assert_int_equal(ops_store_prune(store, T0 + USEC_PER_SEC, 3, &deleted, NULL), 0);
    assert_int_equal(deleted, 0);
    assert_int_equal(due(store, T0), waiting);
    AUTO_RUN_ROW struct run_row row = {0};
    assert_int_equal(run_table_get(store, open_run, &row, NULL), 0);
    assert_int_equal(confirmation_table_get(store, "N", &c, NULL), -ERR_STORE_NOT_FOUND);
    static struct alert a;
    assert_int_equal(alert_table_get(store, raised.id, &a, NULL), 0);
    assert_int_equal(alert_table_get(store, fixed, &a, NULL), -ERR_STORE_NOT_FOUND);
    struct audit_chain_result v;
    assert_int_equal(audit_chain_verify(store, 1, &v, NULL), 0);
    assert_true(v.ok);
    assert_int_equal(v.rows, 1);
}

static void ops_files_of_a_newer_version_are_refused(void **state)
{
    struct ops_store *store = NULL;
    assert_true(ops_store_open(*state, OPS_STORE_READ, &store, NULL) < 0);
    ops_store_free(open_store(*state));
    tamper(*state, "PRAGMA user_version = 99");
    assert_int_equal(ops_store_open(*state, OPS_STORE_WRITE, &store, NULL), -ERR_DB_FUTURE);
    assert_null(store);
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &store, NULL), 0);
    append_some(store, 1); /* ":memory:" needs no folder */
    ops_store_free(store);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_make, folder_remove)
UNIT_GROUP(ops_store, TEST(alerts_have_the_published_columns),
           TEST(raising_an_alert_again_counts_it), TEST(a_fixed_alert_reopens_with_its_count),
           TEST(rejected_findings_have_their_own_rows),
           TEST(alerts_are_listed_by_severity_and_filtered),
           TEST(long_texts_are_cut_and_long_json_refused),
           TEST(critical_messages_are_first_and_retries_wait),
           TEST(edits_wait_for_their_message_and_replace_each_other),
           TEST(a_damaged_chat_is_dead_and_the_next_one_is_found),
           TEST(channels_skip_waiting_chats_and_find_uncertain_messages),
           TEST(a_step_is_stored_as_running_before_it_ends), TEST(a_confirmation_is_used_once),
           TEST(an_update_and_its_run_are_stored_together), TEST(request_ids_are_unique),
           TEST(named_values_are_stored), TEST(an_unchanged_log_verifies),
           TEST(every_kind_of_tampering_is_found_and_named), TEST(another_key_does_not_verify),
           TEST(audits_round_trip), TEST(sample_statistics_are_correct),
           TEST(only_finished_rows_are_pruned), TEST(ops_files_of_a_newer_version_are_refused))
