#include "../../../src/store/row.h"
#include "alerts_rig.h"
#include "base/check.h"
#include "command/reply_json.h"
#include "io/embed.h"
#include "rigs/reply_text.h"
#include "store/outbox_table.h"

#include <string.h>

#define FILE_OF(name, role, args, step)                                                            \
    {                                                                                              \
        .path = "commands/" name ".yaml",                                                          \
        .data = "command: " name "\ngroup: see\nsummary: s\nrole: " role "\n" args "steps: [" step \
                "]\nexamples: [\"" name " 3\"]\n",                                                 \
        .size = sizeof("command: " name "\ngroup: see\nsummary: s\nrole: " role "\n" args          \
                       "steps: [" step "]\nexamples: [\"" name " 3\"]\n") -                        \
                1                                                                                  \
    }
static const struct embedded_file files[] = {
    FILE_OF("alerts", "read_only", "args: [{name: id, type: int, help: h}]\n",
            "{run: alert.list, with: {id: $id}}"),
    FILE_OF("ack", "operator", "args: [{name: id, type: int, required: true, help: h}]\n",
            "{run: alert.ack, with: {id: $id}}"),
    FILE_OF("acks", "operator",
            "args: [{name: ids, type: list, of: int, required: true, help: h}]\n",
            "{run: alert.ack, with: {id: $ids}}"),
    FILE_OF("fail", "read_only", "args: [{name: what, type: text, required: true, help: h}]\n",
            "{run: alert.raise, with: {severity: high, title: \"restart of $what failed\"}}"),
    {0}};

static int setup(void **state)
{
    struct alerts_rig *s = alerts_rig_new();
    s->config.telegram_bot_token = "1:x";
    s->config.telegram_chat_id = 42;
    alerts_rig_open(s, files);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    alerts_rig_free(*state);
    return 0;
}

static struct alert_spec down(enum severity severity)
{
    return (struct alert_spec){.type = ALERT_SERVICE,
                               .severity = severity,
                               .source = "health",
                               .fingerprint = "service:prediction",
                               .title = "prediction is down",
                               .description = "3 checks in a row failed",
                               .evidence_json = "[{\"pointer\":\"/a\",\"value\":1}]",
                               .recommendation = "restart it"};
}

static int64_t raise_down(struct alerts_rig *s, enum severity severity)
{
    struct alert_spec spec = down(severity);
    int64_t id = 0;
    struct err err = {0};
    assert_int_equal(alerts_raise(s->alerts, &spec, &id, &err), 0);
    return id;
}

static int64_t messages(struct alerts_rig *s)
{
    int64_t count = 0;
    struct outbox_row row;
    while (outbox_table_get(s->store, count + 1, &row, NULL) == 0) {
        outbox_row_release(&row);
        count++;
    }
    return count;
}

static struct outbox_row message(struct alerts_rig *s, int64_t id)
{
    static char payload[65536];
    struct outbox_row row;
    assert_int_equal(outbox_table_get(s->store, id, &row, NULL), 0);
    AUTO_REPLY struct reply *reply = NULL;
    assert_int_equal(reply_json_read(row.payload, strlen(row.payload), &reply, NULL), 0);
    reply_text_all(reply, payload, sizeof(payload));
    outbox_row_release(&row);
    row.payload = payload;
    return row;
}

/* Delivers all queued messages, so that the next edit is a row of its own. */
static void deliver(struct alerts_rig *s)
{
    struct outbox_row row;
    int64_t now_us = clock_wall_us(&s->clock.clock);
    while (outbox_table_due(s->store, "telegram", now_us, &row, NULL) > 0) {
        assert_int_equal(outbox_table_sending(s->store, row.id, false, NULL), 0);
        assert_int_equal(outbox_table_delivered(s->store, row.id, 900 + row.id, NULL), 0);
        outbox_row_release(&row);
    }
}

static void a_new_alert_is_stored_and_sent(void **state)
{
    struct alerts_rig *s = *state;
    int64_t id = raise_down(s, SEVERITY_CRITICAL);
    assert_int_equal(messages(s), 1);
    assert_int_equal(s->wakes, 1);
    struct outbox_row m = message(s, 1);
    assert_int_equal(m.chat_id, 42);
    assert_string_equal(m.channel, "telegram");
    assert_int_equal(m.priority, OUTBOX_CRITICAL);
    assert_int_equal(m.kind, OUTBOX_SEND);
    assert_non_null(strstr(m.payload, "critical · prediction is down"));
    assert_non_null(strstr(m.payload, "To do: restart it"));
    assert_non_null(strstr(m.payload, "\"/ack 1\""));
    assert_non_null(strstr(m.payload, "\"/alerts 1\""));
    static struct alert alert;
    assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
    assert_true(alert.notified);
}

static void a_repeat_edits_and_a_higher_severity_sends_again(void **state)
{
    struct alerts_rig *s = *state;
    int64_t id = raise_down(s, SEVERITY_MEDIUM);
    deliver(s);
    clock_fake_advance(&s->clock, 5 * USEC_PER_MIN);
    assert_int_equal(raise_down(s, SEVERITY_MEDIUM), id);
    assert_int_equal(messages(s), 2);
    struct outbox_row m = message(s, 2);
    assert_int_equal(m.kind, OUTBOX_EDIT);
    assert_int_equal(m.edit_of, 1);
    assert_non_null(strstr(m.payload, "seen 2 times"));
    deliver(s);

    assert_int_equal(raise_down(s, SEVERITY_HIGH), id);
    assert_int_equal(messages(s), 3);
    assert_int_equal(message(s, 3).kind, OUTBOX_SEND);
    assert_int_equal(message(s, 3).priority, OUTBOX_HIGH);
    deliver(s);
    assert_int_equal(raise_down(s, SEVERITY_LOW), id); /* a milder repeat only edits */
    assert_int_equal(messages(s), 4);
    assert_int_equal(message(s, 4).kind, OUTBOX_EDIT);
    assert_int_equal(message(s, 4).edit_of, 3); /* the newest message is edited */
}

static void low_and_rejected_alerts_are_not_sent(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    int64_t id = raise_down(s, SEVERITY_LOW);
    assert_int_equal(messages(s), 0);
    struct alert_spec spec = down(SEVERITY_CRITICAL);
    spec.status = ALERT_REJECTED;
    spec.fingerprint = "audit:x";
    int64_t rejected = 0;
    assert_int_equal(alerts_raise(s->alerts, &spec, &rejected, NULL), 0);
    assert_int_equal(messages(s), 0);
    assert_int_equal(alert_table_get(s->store, rejected, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_REJECTED);
    assert_int_equal(raise_down(s, SEVERITY_HIGH), id); /* the severity rose: sent now */
    assert_int_equal(messages(s), 1);
}

static void resolving_edits_and_sends_a_message(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    int64_t id = raise_down(s, SEVERITY_HIGH);
    deliver(s);
    clock_fake_advance(&s->clock, 42 * USEC_PER_SEC);
    assert_int_equal(alerts_resolve(s->alerts, "service:prediction", "healthy again", NULL), 0);
    assert_int_equal(messages(s), 3);
    assert_int_equal(message(s, 2).kind, OUTBOX_EDIT);
    assert_non_null(strstr(message(s, 2).payload, "Resolved after 42 s"));
    assert_int_equal(message(s, 3).kind, OUTBOX_SEND);
    assert_non_null(strstr(message(s, 3).payload, "healthy again"));
    assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_FIXED);
    assert_int_equal(alerts_resolve(s->alerts, "service:prediction", "again", NULL), 0);
    assert_int_equal(alerts_resolve(s->alerts, "service:none", "nothing", NULL), 0);
    assert_int_equal(messages(s), 3);
    assert_true(raise_down(s, SEVERITY_HIGH) != id); /* raised again: a new row, a new message */
    assert_int_equal(message(s, 4).kind, OUTBOX_SEND);
}

static void without_a_group_chat_every_admin_is_notified(void **state)
{
    struct alerts_rig *s = *state;
    s->config.telegram_chat_id = 0;
    s->config.console_enabled = true;
    s->config.users[s->config.user_count++] =
        (struct config_user){.id = 9, .name = "adam", .role = "admin"};
    s->config.users[s->config.user_count++] =
        (struct config_user){.id = 7, .name = "alice", .role = "operator"};
    s->config.users[s->config.user_count++] =
        (struct config_user){.id = 10, .name = "eve", .role = "admin"};
    alerts_rig_reopen(s);
    (void)raise_down(s, SEVERITY_HIGH);
    assert_int_equal(messages(s), 3);
    assert_int_equal(message(s, 1).chat_id, 9);
    assert_int_equal(message(s, 2).chat_id, 10);
    assert_string_equal(message(s, 3).channel, "console");
    s->config.telegram_bot_token = ""; /* Telegram is off: nothing would ever be delivered */
    s->config.console_enabled = false;
    alerts_rig_reopen(s);
    struct alert_spec spec = down(SEVERITY_HIGH);
    spec.fingerprint = "other";
    assert_int_equal(alerts_raise(s->alerts, &spec, NULL, NULL), 0);
    assert_int_equal(messages(s), 3);
}

static void a_reload_changes_who_is_notified(void **state)
{
    struct alerts_rig *s = *state;
    static struct config next;
    s->config.telegram_chat_id = 0;
    s->config.users[s->config.user_count++] =
        (struct config_user){.id = 9, .name = "adam", .role = "admin"};
    s->config.users[s->config.user_count++] =
        (struct config_user){.id = 10, .name = "eve", .role = "admin"};
    alerts_rig_reopen(s);
    (void)raise_down(s, SEVERITY_HIGH);
    assert_int_equal(messages(s), 2);
    deliver(s);
    next = s->config;
    next.user_count = 1; /* eve is gone; adam may look, and is not notified any more */
    next.users[0].role = "read_only";
    next.telegram_chat_id = -3;
    alerts_apply(s->alerts, &next);
    assert_int_equal(alerts_resolve(s->alerts, "service:prediction", "healthy again", NULL), 0);
    assert_int_equal(messages(s), 4); /* the edit and the notice go to adam only */
    assert_int_equal(message(s, 3).chat_id, 9);
    assert_int_equal(message(s, 4).chat_id, 9);
    (void)raise_down(s, SEVERITY_HIGH);
    assert_int_equal(messages(s), 5);
    assert_int_equal(message(s, 5).chat_id, -3);
}

struct countdown {
    int left;
};

static int die_at(const char *what, void *userdata)
{
    struct countdown *c = userdata;
    (void)what;
    return c->left-- <= 0 ? -ERR_DB_FAILED : 0;
}

static void alert_and_message_are_one_transaction(void **state)
{
    struct alerts_rig *s = *state;
    bool whole = false;
    for (int n = 0; !whole && n < 100; n++) {
        struct countdown c = {.left = n};
        struct alert_spec spec = down(SEVERITY_HIGH);
        ops_store_set_fault(s->store, die_at, &c);
        int rc = alerts_raise(s->alerts, &spec, NULL, NULL);
        ops_store_set_fault(s->store, NULL, NULL);
        whole = rc == 0;
        static struct alert alert;
        int found = alert_table_find(s->store, spec.fingerprint, &alert, NULL);
        assert_int_equal(found == 0, whole);
        assert_int_equal(messages(s), whole ? 1 : 0);
    }
    assert_true(whole);
}

static void reopening_is_one_transaction(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    struct alert_spec spec = down(SEVERITY_HIGH);
    spec.reopens = true;
    int64_t id = raise_down(s, SEVERITY_HIGH);
    assert_int_equal(alerts_resolve(s->alerts, spec.fingerprint, "", NULL), 0);
    deliver(s);
    int64_t before = messages(s);
    bool whole = false;
    for (int n = 0; !whole && n < 100; n++) {
        struct countdown c = {.left = n};
        ops_store_set_fault(s->store, die_at, &c);
        whole = alerts_raise(s->alerts, &spec, NULL, NULL) == 0;
        ops_store_set_fault(s->store, NULL, NULL);
        assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
        assert_int_equal(alert.status, whole ? ALERT_OPEN : ALERT_FIXED);
        assert_int_equal(messages(s), before + (whole ? 1 : 0));
    }
    assert_true(whole);
    assert_int_equal(alert.reopened, 1);
    assert_int_equal(alert.count, 2);
    assert_int_equal(message(s, before + 1).kind, OUTBOX_SEND);

    /* Without `reopens` the same problem gets a new row. */
    spec.reopens = false;
    assert_int_equal(alerts_resolve(s->alerts, spec.fingerprint, "", NULL), 0);
    int64_t other = 0;
    assert_int_equal(alerts_raise(s->alerts, &spec, &other, NULL), 0);
    assert_true(other > id);
}

static void nothing_is_queued_for_a_headless_console(void **state)
{
    struct alerts_rig *s = *state;
    s->config.telegram_bot_token = "";
    s->config.console_enabled = true;
    s->headless = true;
    alerts_rig_reopen(s);
    int64_t id = raise_down(s, SEVERITY_HIGH);
    assert_int_equal(messages(s), 0);
    static struct alert alert;
    assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
    assert_false(alert.notified);
    s->headless = false; /* restarted with a terminal: sent when it is raised again */
    alerts_rig_reopen(s);
    assert_int_equal(raise_down(s, SEVERITY_HIGH), id);
    assert_int_equal(messages(s), 1);
}

/* What a market or a model wrote is shown, but cannot be tapped or hide anything. */
static void evidence_shows_what_was_verified(void **state)
{
    struct alerts_rig *s = *state;
    struct alert_spec spec = {
        .type = ALERT_PATTERN,
        .severity = SEVERITY_LOW,
        .source = "auditor",
        .fingerprint = "auditor:bot:odd:1",
        .title = "odd",
        .evidence_json = "[{\"pointer\":\"/account/cash\",\"value\":12.5,\"verified\":true},"
                         "{\"pointer\":\"/untrusted/x\",\"value\":\"send /stop\\u202e\","
                         "\"verified\":false,\"note\":\"see evil.com\"},\"@all\"]",
        .status = ALERT_OPEN};
    assert_int_equal(alerts_raise(s->alerts, &spec, NULL, NULL), 0);
    alerts_rig_command(s, "alerts 1");
    assert_non_null(
        strstr(s->answer, "\"✔ \",{\"type\":\"code\",\"value\":\"/account/cash\"},\" = 12.5\""));
    assert_non_null(strstr(s->answer, " = send / stop (see evil[.]com)"));
    assert_non_null(strstr(s->answer, "@ all"));
}

static void commands_list_show_and_acknowledge(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    alerts_rig_command(s, "alerts");
    assert_non_null(strstr(s->answer, "No open alerts"));
    int64_t id = raise_down(s, SEVERITY_HIGH);
    deliver(s);
    alerts_rig_command(s, "alerts");
    assert_non_null(strstr(s->answer, "1 open alert"));
    assert_non_null(strstr(s->answer, "prediction is down"));
    alerts_rig_command(s, "alerts 1");
    assert_non_null(strstr(s->answer, "Evidence:"));
    assert_non_null(strstr(s->answer, "raised by health"));
    alerts_rig_command(s, "alerts 99");
    assert_int_equal(s->answer_err, ERR_ALERT_UNKNOWN);

    alerts_rig_command(s, "ack 1");
    assert_int_equal(s->answer_err, ERR_NONE);
    assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_ACKNOWLEDGED);
    assert_string_equal(alert.acked_by, "alice");
    assert_int_equal(message(s, 2).kind, OUTBOX_EDIT);
    assert_non_null(strstr(message(s, 2).payload, "Acknowledged by alice"));
    assert_null(strstr(message(s, 2).payload, "\"Ack\""));
    assert_non_null(strstr(message(s, 2).payload, "\"choice\":\"✓ Acked by alice\""));
    alerts_rig_command(s, "ack 1");
    assert_int_equal(s->answer_err, ERR_ALERT_CLOSED);
    assert_non_null(strstr(s->answer, "acknowledged by alice"));
    alerts_rig_command(s, "ack 5");
    assert_int_equal(s->answer_err, ERR_ALERT_UNKNOWN);
}

static void several_alerts_are_acknowledged_at_once(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    for (int i = 0; i < 3; i++) {
        struct alert_spec spec = down(SEVERITY_HIGH);
        char fingerprint[32];
        int64_t id = 0;
        (void)snprintf(fingerprint, sizeof(fingerprint), "service:%d", i);
        spec.fingerprint = fingerprint;
        assert_int_equal(alerts_raise(s->alerts, &spec, &id, NULL), 0);
    }
    alerts_rig_command(s, "acks 1,2");
    assert_int_equal(s->answer_err, ERR_NONE);
    assert_non_null(strstr(s->answer, "2 alerts acknowledged"));
    assert_non_null(strstr(s->answer, "2: prediction is down"));
    alerts_rig_command(s, "acks 3,2");
    assert_int_equal(s->answer_err, ERR_ALERT_CLOSED);
    assert_non_null(
        strstr(s->answer, "3: prediction is down")); /* acknowledged before the failure */
    for (int64_t id = 1; id <= 3; id++) {
        assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
        assert_int_equal(alert.status, ALERT_ACKNOWLEDGED);
    }
    alerts_rig_command(s, "acks 0");
    assert_non_null(strstr(s->answer, "ids: 0 is below 1"));
}

static void commands_raise(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    alerts_rig_command(s, "fail demo");
    assert_int_equal(s->answer_err, ERR_NONE);
    assert_int_equal(alert_table_get(s->store, 1, &alert, NULL), 0);
    assert_string_equal(alert.title, "restart of demo failed");
    assert_int_equal(alert.severity, SEVERITY_HIGH);
    alerts_rig_command(s, "fail demo");
    assert_int_equal(alert_table_get(s->store, 1, &alert, NULL), 0);
    assert_int_equal(alert.count, 2);
}

static void status_counts_by_severity(void **state)
{
    struct alerts_rig *s = *state;
    AUTO_BUF struct buf line = BUF_INIT(256);
    AUTO_JSON struct json_object *data = json_object_new_object();
    alerts_status_line(&line, data, s->alerts);
    assert_string_equal(line.data, "Alerts none");
    (void)raise_down(s, SEVERITY_HIGH);
    struct alert_spec spec = down(SEVERITY_CRITICAL);
    spec.fingerprint = "x";
    assert_int_equal(alerts_raise(s->alerts, &spec, NULL, NULL), 0);
    buf_clear(&line);
    alerts_status_line(&line, data, s->alerts);
    assert_string_equal(line.data, "Alerts 1 critical, 1 high");
    assert_int_equal(json_i64(json_get(data, "alert_counts"), "high", -1), 1);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void run_sql(struct alerts_rig *s, const char *sql)
{
    assert_int_equal(db_exec(s->store->db, sql, NULL), 0);
}

static void a_damaged_row_hides_no_other_alert(void **state)
{
    struct alerts_rig *s = *state;
    static const char *const odd[] = {
        "UPDATE monitoring_alerts SET alert_type = 'weird' WHERE fingerprint LIKE 'odd:%'",
        "UPDATE monitoring_alerts SET severity = 'worse' WHERE fingerprint LIKE 'odd:%'",
        "UPDATE monitoring_alerts SET created_at = 'then' WHERE fingerprint LIKE 'odd:%'",
        "UPDATE monitoring_alerts SET title = printf('%.999c', 'x') WHERE fingerprint LIKE 'odd:%'",
    };
    static struct alert rows[20];
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        run_sql(s, "DELETE FROM monitoring_alerts");
        (void)raise_down(s, SEVERITY_LOW);
        for (int n = 0; n < 25; n++) { /* more than a page, and all sorted before the good one */
            char fingerprint[16];
            (void)snprintf(fingerprint, sizeof(fingerprint), "odd:%d", n);
            struct alert_spec spec = down(SEVERITY_HIGH);
            spec.fingerprint = fingerprint;
            assert_int_equal(alerts_raise(s->alerts, &spec, NULL, NULL), 0);
        }
        run_sql(s, odd[i]);
        const struct alert_query open = {.statuses = 1U << ALERT_OPEN};
        assert_int_equal(alert_table_list(s->store, &open, rows, 20, NULL), 1);
        assert_string_equal(rows[0].fingerprint, "service:prediction");
        alerts_rig_command(s, "alerts");
        assert_int_equal(s->answer_err, ERR_NONE);
        assert_non_null(strstr(s->answer, "prediction is down"));
        AUTO_BUF struct buf line = BUF_INIT(256);
        AUTO_JSON struct json_object *data = json_object_new_object();
        alerts_status_line(&line, data, s->alerts);
        assert_null(strstr(line.data, "unknown"));

        /* It does not prevent the same alert from being raised again either. */
        struct alert_spec again = down(SEVERITY_CRITICAL);
        again.fingerprint = "odd:3";
        again.reopens = true;
        int64_t id = 0;
        assert_int_equal(alerts_raise(s->alerts, &again, &id, NULL), 0);
        assert_int_equal(alert_table_get(s->store, id, &rows[0], NULL), 0);
        assert_int_equal(rows[0].status, ALERT_OPEN);
        assert_int_equal(rows[0].count, 1);
        assert_int_equal(alerts_resolve(s->alerts, "odd:3", "", NULL), 0);
        assert_int_equal(alerts_resolve(s->alerts, "odd:4", "", NULL), 0);
    }
}

UNIT_GROUP(alerts, SCENE_TEST(a_new_alert_is_stored_and_sent),
           SCENE_TEST(a_reload_changes_who_is_notified),
           SCENE_TEST(a_repeat_edits_and_a_higher_severity_sends_again),
           SCENE_TEST(low_and_rejected_alerts_are_not_sent),
           SCENE_TEST(resolving_edits_and_sends_a_message),
           SCENE_TEST(without_a_group_chat_every_admin_is_notified),
           SCENE_TEST(alert_and_message_are_one_transaction),
           SCENE_TEST(reopening_is_one_transaction),
           SCENE_TEST(nothing_is_queued_for_a_headless_console),
           SCENE_TEST(evidence_shows_what_was_verified),
           SCENE_TEST(commands_list_show_and_acknowledge),
           SCENE_TEST(several_alerts_are_acknowledged_at_once), SCENE_TEST(commands_raise),
           SCENE_TEST(status_counts_by_severity), SCENE_TEST(a_damaged_row_hides_no_other_alert))
