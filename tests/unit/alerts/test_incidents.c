/* Alerts that belong together have one message and one time line. */
#include "../../../src/store/row.h"
#include "alerts_rig.h"
#include "command/reply_json.h"
#include "io/embed.h"
#include "rigs/reply_text.h"
#include "store/incident_table.h"
#include "store/mute_table.h"
#include "store/outbox_table.h"

#include <string.h>

#define FILE_OF(name, text)                                                      \
    {                                                                            \
        .path = "commands/" name ".yaml", .data = text, .size = sizeof(text) - 1 \
    }
#define HEAD(name) "command: " name "\ngroup: see\nsummary: s\nrole: read_only\n"
static const struct embedded_file files[] = {
    FILE_OF("incidents", HEAD("incidents") "args: [{name: what, default: open, help: h}]\n"
                                           "steps: [{run: incident.list, with: {what: $what}}]\n"
                                           "examples: [incidents]\n"),
    FILE_OF("incident", HEAD("incident") "args: [{name: id, type: int, required: true, help: h}]\n"
                                         "steps: [{run: incident.show, with: {id: $id}}]\n"
                                         "examples: [\"incident 3\"]\n"),
    FILE_OF("ack", "command: ack\ngroup: see\nsummary: s\nrole: operator\n"
                   "args: [{name: id, type: int, required: true, help: h}]\n"
                   "steps: [{run: alert.ack, with: {id: $id}}]\nexamples: [\"ack 3\"]\n"),
    FILE_OF("fixed", "command: fixed\ngroup: see\nsummary: s\nrole: operator\n"
                     "args: [{name: id, type: int, required: true, help: h}]\n"
                     "steps: [{run: alert.fixed, with: {id: $id}}]\nexamples: [\"fixed 3\"]\n"),
    FILE_OF("try", HEAD("try") "args: [{name: what, type: text, required: true, help: h},"
                               " {name: id, type: int, required: true, help: h}]\n"
                               "steps: [{run: alert.show, with: {id: $id}}]\n"
                               "on_failure: [{run: alert.raise, with: {severity: high,"
                               " title: \"restart of $what failed\", about: \"service:$what\"}}]\n"
                               "examples: [\"try a 3\"]\n"),
    {0}};

static int setup(void **state)
{
    struct alerts_rig *s = alerts_rig_new();
    s->config.telegram_bot_token = "1:x";
    s->config.telegram_chat_id = 42;
    static struct config_service service = {.name = "db", .unit = "db.service"};
    s->config.service_count = 1;
    s->config.services = &service;
    alerts_rig_open(s, files);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    alerts_rig_free(*state);
    return 0;
}

static int64_t down_as(struct alerts_rig *s, const char *name, const char *cause,
                       enum severity severity)
{
    char title[64], fingerprint[64], parent[64];
    (void)snprintf(title, sizeof(title), "%s is down", name);
    (void)snprintf(fingerprint, sizeof(fingerprint), "service:%s", name);
    (void)snprintf(parent, sizeof(parent), "service:%s", cause == NULL ? "" : cause);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = severity,
                                    .source = "health",
                                    .fingerprint = fingerprint,
                                    .title = title,
                                    .cause = cause == NULL ? NULL : parent};
    int64_t id = 0;
    struct err err = {0};
    assert_int_equal(alerts_raise(s->alerts, &spec, &id, &err), 0);
    return id;
}

static int64_t down(struct alerts_rig *s, const char *name, const char *cause)
{
    return down_as(s, name, cause, SEVERITY_HIGH);
}

static void up(struct alerts_rig *s, const char *name)
{
    char fingerprint[64];
    (void)snprintf(fingerprint, sizeof(fingerprint), "service:%s", name);
    assert_int_equal(alerts_resolve(s->alerts, fingerprint, "healthy again", NULL), 0);
}

/* Delivers what is queued. *ret_last: the text of the last message; returns how many were new
 * messages, and adds the edits to *ret_edits. */
static int deliver(struct alerts_rig *s, int *ret_edits, char *ret_last, size_t size)
{
    struct outbox_row row;
    int sent = 0;
    *ret_edits = 0;
    while (outbox_table_due(s->store, "telegram", clock_wall_us(&s->clock.clock), &row, NULL) > 0) {
        AUTO_REPLY struct reply *reply = NULL;
        assert_int_equal(reply_json_read(row.payload, strlen(row.payload), &reply, NULL), 0);
        reply_text_all(reply, ret_last, size);
        sent += row.kind == OUTBOX_SEND ? 1 : 0;
        *ret_edits += row.kind == OUTBOX_EDIT ? 1 : 0;
        assert_int_equal(outbox_table_sending(s->store, row.id, false, NULL), 0);
        assert_int_equal(outbox_table_delivered(s->store, row.id, 900 + row.id, NULL), 0);
        outbox_row_release(&row);
    }
    return sent;
}

static char text[65536];

static void assert_messages(struct alerts_rig *s, int sent, int edits)
{
    int edited = 0;
    text[0] = '\0';
    assert_int_equal(deliver(s, &edited, text, sizeof(text)), sent);
    assert_int_equal(edited, edits);
}

static void a_child_is_folded_into_the_message_of_its_cause(void **state)
{
    struct alerts_rig *s = *state;
    int64_t id = down(s, "db", NULL);
    assert_messages(s, 1, 0);
    assert_has(text, "\"/restart db\"");
    assert_has(text, "\"/logs db\"");
    int64_t child = down(s, "web", "db");
    assert_messages(s, 0, 1);
    assert_has(text, "Affected: web is down");
    assert_true(child != id);
    (void)down(s, "web", "db"); /* again: nothing new */
    assert_messages(s, 0, 0);
    up(s, "web");
    assert_messages(s, 0, 1);
    assert_has(text, "web is down (over)");
    up(s, "db");
    assert_messages(s, 1, 1);
    alerts_rig_command(s, "incident 1");
    assert_has(s->answer, "raised: db is down");
    assert_has(s->answer, "caused: web is down");
    assert_has(s->answer, "over: web is down: healthy again");
    assert_has(s->answer, "resolved: healthy again");
    alerts_rig_command(s, "incidents");
    assert_has(s->answer, "No open incidents");
    alerts_rig_command(s, "incidents all");
    assert_has(s->answer, "db is down");
}

static void a_child_that_was_first_is_folded_when_its_cause_arrives(void **state)
{
    struct alerts_rig *s = *state;
    int64_t child = down(s, "web", "db");
    assert_messages(s, 1, 0);
    (void)down(s, "db", NULL);
    int edits = 0;
    /* The child's own message says where it continues; the cause's message shows the child. */
    assert_int_equal(deliver(s, &edits, text, sizeof(text)), 1);
    assert_int_equal(edits, 1);
    struct incident incident;
    assert_int_equal(incident_table_get(s->store, child, &incident, NULL), 0);
    assert_int_equal(incident.merged_into, 2);
    alerts_rig_command(s, "incident 1");
    assert_has(s->answer, "Incident 2");
    assert_has(s->answer, "raised: web is down");
    alerts_rig_command(s, "incidents");
    assert_has(s->answer, "1 open incident");
}

static void a_child_that_stays_down_gets_its_own_message(void **state)
{
    struct alerts_rig *s = *state;
    (void)down(s, "db", NULL);
    (void)down(s, "web", "db");
    (void)down(s, "news", "db");
    up(s, "db");
    assert_messages(s, 2, 1); /* it is down; it is up again */
    alerts_tick(s->alerts, false);
    assert_messages(s, 0, 0);
    up(s, "news");
    clock_fake_advance(&s->clock, 61 * USEC_PER_SEC);
    alerts_rig_reopen(s); /* also over a restart */
    alerts_tick(s->alerts, false);
    assert_messages(s, 1, 0);
    assert_has(text, "web is down");
    alerts_rig_command(s, "incident 2");
    assert_has(s->answer, "Incident 2");
    alerts_tick(s->alerts, false);
    assert_messages(s, 0, 0);
}

static void a_child_that_is_raised_again_alone_is_sent_once(void **state)
{
    struct alerts_rig *s = *state;
    (void)down(s, "db", NULL);
    (void)down(s, "web", "db");
    up(s, "db");
    assert_messages(s, 2, 1);
    (void)down(s, "web", NULL); /* its service looked again, and now counts by itself */
    assert_messages(s, 1, 0);
    clock_fake_advance(&s->clock, 61 * USEC_PER_SEC);
    alerts_tick(s->alerts, false);
    assert_messages(s, 0, 0);
}

static void a_folded_alert_is_not_sent_when_a_mute_ends(void **state)
{
    struct alerts_rig *s = *state;
    int64_t now_us = clock_wall_us(&s->clock.clock);
    const struct mute mute = {
        .kind = MUTE_NOTICE, .value = "exit", .until_us = now_us + USEC_PER_HOUR, .user = "alice"};
    (void)down(s, "db", NULL);
    (void)down(s, "web", "db");
    assert_messages(s, 1, 1);
    assert_int_equal(mute_table_write(s->store, &mute, now_us, NULL), 0);
    alerts_rig_reopen(s);
    alerts_tick(s->alerts, false);
    clock_fake_advance(&s->clock, 2 * USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    assert_messages(s, 0, 0);
}

static void an_incident_is_as_bad_as_the_worst_in_it(void **state)
{
    struct alerts_rig *s = *state;
    (void)down(s, "db", NULL);
    assert_messages(s, 1, 0);
    (void)down_as(s, "web", "db", SEVERITY_CRITICAL);
    assert_messages(s, 1, 0);
    assert_has(text, "critical · db is down");
    assert_has(text, "Affected: web is down");
}

static void chains_and_loops_have_one_root(void **state)
{
    struct alerts_rig *s = *state;
    (void)down(s, "db", NULL);
    (void)down(s, "web", "db");
    (void)down(s, "shop", "web");
    assert_messages(s, 1, 1); /* the edits are one */
    assert_has(text, "web is down, shop is down");
    (void)down(s, "db", "shop"); /* a loop: the oldest stays the cause */
    assert_messages(s, 0, 1);
    assert_has(text, "high · db is down");
    assert_null(strstr(text, "Caused by"));
}

static void time_lines_tell_what_was_done(void **state)
{
    struct alerts_rig *s = *state;
    (void)down(s, "db", NULL);
    alerts_rig_command(s, "ack 1");
    assert_int_equal(alerts_note(s->alerts, "service:db", "restarted it, attempt 1", NULL), 0);
    assert_int_equal(alerts_note(s->alerts, "service:other", "nothing", NULL), 0);
    const char *locks[] = {"trading", "service:db"};
    struct runner_note note = {.run_id = 7,
                               .line = "restart db",
                               .who = "alice",
                               .begins = true,
                               .locks = locks,
                               .lock_count = 2};
    alerts_note_run(&note, s->alerts);
    int edits = 0;
    (void)deliver(s, &edits, text, sizeof(text));
    assert_has(text, "/restart db by alice (run 7)");
    assert_has(text, "restarted it, attempt 1");
    up(s, "db");
    note.begins = false;
    note.took_us = 3 * USEC_PER_SEC;
    alerts_note_run(&note, s->alerts);
    (void)deliver(s, &edits, text, sizeof(text));
    alerts_rig_command(s, "incident 1");
    assert_has(s->answer, "acknowledged by alice");
    assert_has(s->answer, "(run 7)\n");
    assert_has(s->answer, "(run 7): done after 3 s");
    assert_null(strstr(s->answer, "nothing"));
}

static void add_context(const char *subject, struct buf *out, void *userdata)
{
    (void)userdata;
    buf_addf(out, "new in the log of %s: no space left", subject);
}

static void the_context_of_an_incident_is_noted(void **state)
{
    struct alerts_rig *s = *state;
    s->context = add_context;
    alerts_rig_reopen(s);
    (void)down(s, "db", NULL);
    assert_messages(s, 1, 0);
    assert_has(text, "Shortly before:");
    assert_has(text, "new in the log of service:db: no space left");
}

static void success_closes_what_the_command_raised(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    alerts_rig_command(s, "try a 1"); /* there is no alert 1 */
    assert_int_equal(alert_table_get(s->store, 1, &alert, NULL), 0);
    assert_string_equal(alert.title, "restart of a failed");
    assert_int_equal(alert.status, ALERT_OPEN);
    alerts_rig_command(s, "try b 7");
    assert_int_equal(alert_table_get(s->store, 2, &alert, NULL), 0);
    alerts_rig_command(s, "try b 1"); /* other arguments */
    assert_int_equal(alert_table_get(s->store, 1, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_OPEN);
    alerts_rig_command(s, "try a 1");
    assert_int_equal(alert_table_get(s->store, 1, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_FIXED);
    assert_int_equal(alert_table_get(s->store, 2, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_OPEN);
}

static void what_a_command_raised_is_over_with_its_cause(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    (void)down(s, "db", NULL);
    alerts_rig_command(s, "try db 9");
    assert_int_equal(alert_table_get(s->store, 2, &alert, NULL), 0);
    assert_string_equal(alert.cause, "service:db");
    assert_int_equal(alert.status, ALERT_OPEN);
    assert_messages(s, 1, 1);
    up(s, "db");
    assert_int_equal(alert_table_get(s->store, 2, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_FIXED);
    assert_messages(s, 1, 1);
}

static void people_close_any_alert(void **state)
{
    struct alerts_rig *s = *state;
    struct incident incident;
    (void)down(s, "db", NULL);
    alerts_rig_command(s, "fixed 1");
    assert_has(s->answer, "Alert 1 is marked as fixed");
    assert_int_equal(incident_table_get(s->store, 1, &incident, NULL), 0);
    assert_true(incident.closed_us != 0);
    alerts_rig_command(s, "incident 1");
    assert_has(s->answer, "resolved: by alice");
}

static void each_change_is_logged_once(void **state)
{
    struct alerts_rig *s = *state;
    int64_t before = s->log_lines;
    (void)down(s, "db", NULL);
    assert_int_equal(s->log_lines, before + 1);
    assert_has(s->log, "<3> alert 1 raised: high: db is down");
    assert_has(s->log, "ALERT_FINGERPRINT=service:db");
    (void)down(s, "db", NULL);
    assert_int_equal(s->log_lines, before + 1);
    (void)down_as(s, "db", NULL, SEVERITY_CRITICAL);
    assert_has(s->log, "<3> alert 1 worse: critical: db is down");
    up(s, "db");
    assert_has(s->log, "<5> alert 1 resolved: critical: db is down: healthy again");
    assert_int_equal(s->log_lines, before + 3);
}

static void a_ladder_is_climbed_until_somebody_acknowledges(void **state)
{
    struct alerts_rig *s = *state;
    static const char *steps[] = {"5m mail", "10m alice", "20m role:admin", "30m -777"};
    s->config.alerts_escalate.items = steps;
    s->config.alerts_escalate.count = 4;
    s->config.user_count = 1;
    s->config.users[0].id = 7;
    s->config.users[0].name = "alice";
    s->config.users[0].role = "admin";
    alerts_apply(s->alerts, &s->config);
    (void)down_as(s, "db", NULL, SEVERITY_HIGH);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    (void)down_as(s, "db", NULL, SEVERITY_CRITICAL); /* the time counts from here */
    assert_messages(s, 2, 0);
    clock_fake_advance(&s->clock, 4 * USEC_PER_MIN);
    alerts_tick(s->alerts, false);
    assert_messages(s, 0, 0);
    clock_fake_advance(&s->clock, USEC_PER_MIN);
    alerts_tick(s->alerts, false); /* mail is off: the message says so */
    assert_messages(s, 0, 1);
    assert_has(text, "to mail: not acknowledged for 5 min; there is no such recipient");
    alerts_rig_reopen(s);
    alerts_tick(s->alerts, false); /* a step is taken once, also over a restart */
    assert_messages(s, 0, 0);
    clock_fake_advance(&s->clock, 5 * USEC_PER_MIN);
    alerts_tick(s->alerts, false);
    assert_messages(s, 1, 1);
    assert_has(text, "Nobody has acknowledged it for 10 min");
    alerts_rig_command(s, "ack 1");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    assert_messages(s, 0, 2); /* the acknowledgement, in both chats */
    alerts_rig_command(s, "incident 1");
    assert_has(s->answer, "escalated to alice: not acknowledged for 10 min");
    s->config.alerts_escalate.count = 0;
}

static void open_alerts_are_bounded(void **state)
{
    struct alerts_rig *s = *state;
    static struct alert alert;
    (void)down(s, "db", NULL);
    for (int i = 0; i < 500; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "s%d", i);
        (void)down_as(s, name, NULL, SEVERITY_LOW);
    }
    int64_t open = 0;
    assert_int_equal(db_get_i64(s->store->db,
                                "SELECT count(*) FROM monitoring_alerts WHERE status = 'open'",
                                DB_NO_VALUES, 0, &open, NULL),
                     0);
    assert_int_equal(open, 501); /* 500, and the one that says so */
    assert_int_equal(alert_table_get(s->store, 1, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_OPEN); /* of higher severity */
    assert_int_equal(alert_table_get(s->store, 2, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_FIXED);
    assert_string_equal(alert.note, "closed to make room for new alerts");
    assert_int_equal(alert_table_find(s->store, "alerts:full", &alert, NULL), 0);
    assert_int_equal(alert.count, 1);
    int64_t id = down_as(s, "least", NULL, SEVERITY_INFO);
    assert_int_equal(alert_table_get(s->store, id, &alert, NULL), 0);
    assert_int_equal(alert.status, ALERT_OPEN); /* it was just raised */
}

static void a_time_line_is_bounded(void **state)
{
    struct alerts_rig *s = *state;
    (void)down(s, "db", NULL);
    for (int i = 0; i < INCIDENT_EVENTS_MAX + 50; i++) {
        char note[32];
        (void)snprintf(note, sizeof(note), "attempt %d", i);
        assert_int_equal(alerts_note(s->alerts, "service:db", note, NULL), 0);
    }
    int64_t rows = 0;
    assert_int_equal(db_get_i64(s->store->db, "SELECT count(*) FROM incident_events", DB_NO_VALUES,
                                0, &rows, NULL),
                     0);
    assert_int_equal(rows, INCIDENT_EVENTS_MAX);
    struct incident_event first;
    int64_t total = 0;
    assert_int_equal(
        incident_table_events(s->store, 1, UINT32_C(1) << INCIDENT_RAISED, &first, 1, &total, NULL),
        1);
}

/* ---------------------------------------------------------------- a failure at any write */

static int die_at(const char *what, void *userdata)
{
    (void)what;
    return (*(int *)userdata)-- <= 0 ? -ERR_DB_FAILED : 0;
}

/* What a process finds that is started after a crash. */
static void read_state(struct alerts_rig *s, char *ret, size_t size)
{
    static const char *const counts[] = {
        "SELECT count(*) FROM outbox",
        "SELECT count(*) FROM incident_events",
        "SELECT coalesce(sum(incident_id), 0) FROM incident_events",
        "SELECT count(*) FROM incidents WHERE closed_us = 0",
        "SELECT coalesce(sum(merged_into * 10 + escalated), 0) FROM incidents",
        "SELECT count(*) FROM monitoring_alerts WHERE status = 'open'",
        "SELECT count(*) FROM monitoring_alerts WHERE due_us > 0",
        "SELECT count(*) FROM held_notices",
        "SELECT count(*) FROM maintenance WHERE ended_us = 0"};
    AUTO_BUF struct buf out = BUF_INIT(size - 1);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        int64_t count = 0;
        assert_int_equal(db_get_i64(s->store->db, counts[i], DB_NO_VALUES, 0, &count, NULL), 0);
        buf_addf(&out, "%lld ", (long long)count);
    }
    (void)str_copy(buf_str(&out), ret, size);
}

/* Tries with a failure at the first write, then at the second …, until nothing fails. Before that,
 * nothing may have changed, nor be logged as over. Returns how many tries failed. */
static int all_or_nothing(struct alerts_rig *s, void (*change)(struct alerts_rig *s))
{
    char before[256], after[256];
    read_state(s, before, sizeof(before));
    for (int n = 0; n < 200; n++) {
        int left = n;
        s->log[0] = '\0';
        ops_store_set_fault(s->store, die_at, &left);
        change(s);
        ops_store_set_fault(s->store, NULL, NULL);
        read_state(s, after, sizeof(after));
        if (strcmp(before, after) != 0) {
            if (left < 0) {
                fail_msg("a failure at write %d left %s", n, after);
            }
            return n;
        }
        assert_null(strstr(s->log, " resolved: ")); /* neither the alert nor what it caused */
    }
    fail_msg("it never succeeded: %s", before);
    return 0;
}

static void raise_cause(struct alerts_rig *s)
{
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_CRITICAL,
                                    .source = "health",
                                    .fingerprint = "service:db",
                                    .title = "db is down"};
    (void)alerts_raise(s->alerts, &spec, NULL, NULL);
}

static void resolve_cause(struct alerts_rig *s)
{
    (void)alerts_resolve(s->alerts, "service:db", "up", NULL);
}

static void tick(struct alerts_rig *s)
{
    alerts_tick(s->alerts, false);
}

static void each_change_is_whole_or_nothing(void **state)
{
    struct alerts_rig *s = *state;
    static const char *steps[] = {"10m alice"};
    s->config.alerts_escalate.items = steps;
    s->config.alerts_escalate.count = 1;
    alerts_apply(s->alerts, &s->config);
    (void)down(s, "web", "db");
    alerts_rig_command(s, "try db 9"); /* an alert of a command, about the cause */
    assert_true(all_or_nothing(s, raise_cause) >= 10);
    tick(s); /* nothing is due */
    clock_fake_advance(&s->clock, 10 * USEC_PER_MIN);
    assert_true(all_or_nothing(s, tick) >= 3); /* the ladder */
    assert_true(all_or_nothing(s, resolve_cause) >= 8);
    clock_fake_advance(&s->clock, 2 * USEC_PER_MIN);
    assert_true(all_or_nothing(s, tick) >= 5); /* web counts by itself */
    char end[256];
    read_state(s, end, sizeof(end));
    tick(s);
    char again[256];
    read_state(s, again, sizeof(again));
    assert_string_equal(end, again);
    s->config.alerts_escalate.count = 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(incidents, SCENE_TEST(a_child_is_folded_into_the_message_of_its_cause),
           SCENE_TEST(a_child_that_was_first_is_folded_when_its_cause_arrives),
           SCENE_TEST(a_child_that_stays_down_gets_its_own_message),
           SCENE_TEST(a_child_that_is_raised_again_alone_is_sent_once),
           SCENE_TEST(a_folded_alert_is_not_sent_when_a_mute_ends),
           SCENE_TEST(an_incident_is_as_bad_as_the_worst_in_it),
           SCENE_TEST(chains_and_loops_have_one_root), SCENE_TEST(time_lines_tell_what_was_done),
           SCENE_TEST(the_context_of_an_incident_is_noted),
           SCENE_TEST(success_closes_what_the_command_raised),
           SCENE_TEST(what_a_command_raised_is_over_with_its_cause),
           SCENE_TEST(people_close_any_alert), SCENE_TEST(each_change_is_logged_once),
           SCENE_TEST(a_time_line_is_bounded),
           SCENE_TEST(a_ladder_is_climbed_until_somebody_acknowledges),
           SCENE_TEST(open_alerts_are_bounded), SCENE_TEST(each_change_is_whole_or_nothing))
