#include "alerts_rig.h"
#include "base/str.h"
#include "command/reply_json.h"
#include "io/embed.h"
#include "rigs/reply_text.h"
#include "store/alert_table.h"
#include "store/maintenance_table.h"
#include "store/outbox_table.h"

#include <stdio.h>
#include <string.h>

#define TEXT                                                                            \
    "command: maintenance\ngroup: see\nsummary: s\nrole: operator\n"                    \
    "args: [{name: what, default: status, help: h}, {name: for, default: 1h, help: h}," \
    " {name: reason, help: h}, {name: service, help: h}, {name: entries, help: h,"      \
    " default: continue}]\n"                                                            \
    "steps: [{run: alert.maintenance, with: {what: $what, for: $for, reason: $reason,"  \
    " service: $service, entries: $entries}}]\nexamples: [maintenance]\n"
static const struct embedded_file files[] = {
    {.path = "commands/maintenance.yaml", .data = TEXT, .size = sizeof(TEXT) - 1}, {0}};

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

static void begin(struct alerts_rig *s, const char *service, int64_t for_us)
{
    int64_t now_us = clock_wall_us(&s->clock.clock);
    struct maintenance m = {.until_us = now_us + for_us, .reason = "update", .user = "alice"};
    (void)str_copy(str_c(service), m.service, sizeof(m.service));
    assert_int_equal(maintenance_table_begin(s->store, &m, now_us, NULL), 0);
    alerts_rig_reopen(s);
}

static void maintenance_of_a_service_ends_by_itself(void **state)
{
    struct alerts_rig *s = *state;
    assert_false(alerts_in_maintenance(s->alerts, "demo"));
    begin(s, "demo", USEC_PER_HOUR);
    assert_true(alerts_in_maintenance(s->alerts, "demo"));
    assert_false(alerts_in_maintenance(s->alerts, "other"));
    assert_false(alerts_in_maintenance(s->alerts, NULL));
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_false(alerts_in_maintenance(s->alerts, "demo"));
}

static void maintenance_of_the_desk_covers_each_service(void **state)
{
    struct alerts_rig *s = *state;
    begin(s, "", USEC_PER_HOUR);
    assert_true(alerts_in_maintenance(s->alerts, "demo"));
    assert_true(alerts_in_maintenance(s->alerts, NULL));
}

static void beginning_again_changes_the_end(void **state)
{
    struct alerts_rig *s = *state;
    struct maintenance rows[2];
    begin(s, "", USEC_PER_HOUR);
    begin(s, "", 2 * USEC_PER_HOUR);
    assert_int_equal(maintenance_table_list(s->store, rows, 2, NULL), 1);
    assert_int_equal(rows[0].until_us, clock_wall_us(&s->clock.clock) + 2 * USEC_PER_HOUR);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_true(alerts_in_maintenance(s->alerts, NULL));
}

static void down(struct alerts_rig *s, const char *fingerprint, enum severity severity)
{
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = severity,
                                    .source = "health",
                                    .fingerprint = fingerprint,
                                    .title = fingerprint};
    struct err err = {0};
    assert_int_equal(alerts_raise(s->alerts, &spec, NULL, &err), 0);
}

/* The titles of the new messages, which are then delivered. */
static const char *sent(struct alerts_rig *s)
{
    static char titles[65536];
    AUTO_BUF struct buf out = BUF_INIT(sizeof(titles) - 1);
    struct outbox_row row;
    while (outbox_table_due(s->store, "telegram", clock_wall_us(&s->clock.clock), &row, NULL) > 0) {
        AUTO_REPLY struct reply *reply = NULL;
        char text[4096];
        assert_int_equal(reply_json_read(row.payload, strlen(row.payload), &reply, NULL), 0);
        reply_text_all(reply, text, sizeof(text));
        buf_addf(&out, "%s[%s]", row.kind == OUTBOX_EDIT ? "edit" : "", text);
        assert_int_equal(outbox_table_sending(s->store, row.id, false, NULL), 0);
        assert_int_equal(outbox_table_delivered(s->store, row.id, 900 + row.id, NULL), 0);
        outbox_row_release(&row);
    }
    (void)str_copy(buf_str(&out), titles, sizeof(titles));
    return titles;
}

static void alerts_wait_for_the_end_of_maintenance(void **state)
{
    struct alerts_rig *s = *state;
    alerts_rig_command(s, "maintenance on 2h \"kernel update\"");
    assert_has(s->answer, "for 2 h, by alice");
    assert_has(sent(s), "kernel update"); /* the others learn of it */
    down(s, "service:demo", SEVERITY_CRITICAL);
    down(s, "service:web", SEVERITY_HIGH);
    down(s, "disk:slow", SEVERITY_MEDIUM);
    assert_string_equal(sent(s), "");
    down(s, "engine:liquidation", SEVERITY_CRITICAL); /* not about a service */
    assert_has(sent(s), "engine:liquidation");
    assert_int_equal(alerts_resolve(s->alerts, "service:web", "up", NULL), 0);
    assert_string_equal(sent(s), "");
    alerts_rig_reopen(s); /* over a restart */
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    assert_string_equal(sent(s), "");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    const char *text = sent(s);
    assert_has(text, "Maintenance is over");
    assert_has(text, "service:web (over)");
    assert_has(text, "critical · service:demo");
    assert_has(text, "medium · disk:slow");
    assert_has(text, "Still open: ");
    alerts_tick(s->alerts, false);
    assert_string_equal(sent(s), "");
}

static void nothing_that_was_held_is_lost(void **state)
{
    struct alerts_rig *s = *state;
    int64_t undelivered = 0;
    alerts_rig_command(s, "maintenance on 1h");
    (void)sent(s);
    for (int i = 0; i < 150; i++) {
        char fingerprint[32];
        (void)snprintf(fingerprint, sizeof(fingerprint), "disk:%d", i);
        down(s, fingerprint, SEVERITY_MEDIUM);
        clock_fake_advance(&s->clock, USEC_PER_SEC);
    }
    alerts_rig_command(s, "maintenance off");
    for (int i = 0; i < 3; i++) {
        alerts_tick(s->alerts, false);
        assert_has(sent(s), i == 0 ? "Another 86 follow" : "held back");
    }
    alerts_tick(s->alerts, false);
    assert_string_equal(sent(s), "");
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    for (int64_t id = 1; id <= 150; id++) {
        assert_int_equal(alert_table_get(s->store, id, alert, NULL), 0);
        undelivered += alert->notified ? 0 : 1;
    }
    assert_int_equal(undelivered, 0);
}

static void maintenance_of_a_service_holds_only_its_alerts(void **state)
{
    struct alerts_rig *s = *state;
    alerts_rig_command(s, "maintenance on 1h service=demo");
    (void)sent(s);
    down(s, "service:demo", SEVERITY_HIGH);
    down(s, "metric:demo:memory", SEVERITY_CRITICAL);
    down(s, "metric:demo/api:latency", SEVERITY_HIGH);
    assert_string_equal(sent(s), "");
    down(s, "service:web", SEVERITY_HIGH);
    assert_has(sent(s), "service:web");
    AUTO_REPLY struct reply *reply = reply_new();
    reply_footer(reply, "paused by bob");
    alerts_decorate(reply, s->alerts);
    assert_has(reply_get_footer(reply), "paused by bob · 🔧 alerts quiet of demo until ");
    alerts_rig_command(s, "maintenance off service=web");
    assert_int_equal(s->answer_err, ERR_MAINTENANCE_NONE);
    alerts_rig_command(s, "maintenance off");
    assert_has(s->answer, "Maintenance is over");
    alerts_tick(s->alerts, false);
    const char *text = sent(s);
    assert_has(text, "high · service:demo");
    assert_has(text, "critical · metric:demo:memory");
    assert_has(text, "After maintenance of demo: 3 messages");
}

static void the_end_lifts_the_pause_of_its_run(void **state)
{
    struct alerts_rig *s = *state;
    alerts_rig_command(s, "maintenance on 1h entries=pause");
    assert_has(s->answer, "until /resume");
    s->engine_busy = true;
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    assert_has(sent(s), "Its pause of new positions ends with it");
    assert_int_equal(s->resumed_run, 0);
    alerts_rig_reopen(s); /* the engine has not answered yet */
    alerts_tick(s->alerts, false);
    assert_int_equal(s->resumed_run, 0);
    s->engine_busy = false;
    alerts_tick(s->alerts, false);
    assert_int_equal(s->resumed_run, 1);
    s->resumed_run = 0;
    alerts_tick(s->alerts, false);
    assert_int_equal(s->resumed_run, 0);
    alerts_rig_command(s, "maintenance on 1h");
    alerts_rig_command(s, "maintenance off");
    assert_int_equal(s->resumed_run, 0);
}

static void an_extended_pause_is_lifted_by_the_run_that_began_it(void **state)
{
    struct alerts_rig *s = *state;
    alerts_rig_command(s, "maintenance on 2h entries=pause");
    alerts_rig_command(s, "maintenance on 3h entries=pause");
    alerts_rig_command(s, "maintenance off");
    assert_has(s->answer, "Maintenance is over");
    assert_string_equal(s->resumed, " 1 2"); /* the engine does nothing for the second */
}

static void the_last_maintenance_that_wants_the_pause_lifts_it(void **state)
{
    struct alerts_rig *s = *state;
    alerts_rig_command(s, "maintenance on 1h service=demo entries=pause");
    alerts_rig_command(s, "maintenance on 2h service=web entries=pause");
    alerts_rig_command(s, "maintenance on 3h");
    (void)sent(s);
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    assert_has(sent(s), "New positions stay paused");
    assert_string_equal(s->resumed, "");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    alerts_tick(s->alerts, false);
    assert_has(sent(s), "Its pause of new positions ends with it");
    assert_string_equal(s->resumed, " 1 2");
}

static void runs_that_pause_are_limited(void **state)
{
    struct alerts_rig *s = *state;
    struct maintenance m = {.user = "alice"};
    struct err err = {0};
    for (m.run_id = 1; m.run_id <= MAINTENANCE_PAUSES_MAX; m.run_id++) {
        assert_int_equal(maintenance_table_begin(s->store, &m, 0, NULL), 0);
    }
    assert_true(maintenance_table_begin(s->store, &m, 0, &err) < 0);
    assert_int_equal(err.id, ERR_MAINTENANCE_MANY);
}

static void a_window_of_the_configuration_is_maintenance(void **state)
{
    struct alerts_rig *s = *state; /* it is a Wednesday, 11:06 UTC */
    static const char *windows[] = {"wed 11:00-12:00 demo in UTC"};
    s->config.alerts_maintenance.items = windows;
    s->config.alerts_maintenance.count = 1;
    alerts_apply(s->alerts, &s->config);
    assert_true(alerts_in_maintenance(s->alerts, "demo"));
    assert_false(alerts_in_maintenance(s->alerts, "web"));
    alerts_rig_command(s, "maintenance");
    assert_has(s->answer, "demo until 12:00:00");
    down(s, "service:demo", SEVERITY_HIGH);
    assert_string_equal(sent(s), "");
    clock_fake_advance(&s->clock, USEC_PER_HOUR);
    assert_false(alerts_in_maintenance(s->alerts, "demo"));
    alerts_tick(s->alerts, false);
    assert_has(sent(s), "high · service:demo");
    s->config.alerts_maintenance.count = 0;
    alerts_apply(s->alerts, &s->config);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(maintenance, SCENE_TEST(maintenance_of_a_service_ends_by_itself),
           SCENE_TEST(maintenance_of_the_desk_covers_each_service),
           SCENE_TEST(beginning_again_changes_the_end),
           SCENE_TEST(alerts_wait_for_the_end_of_maintenance),
           SCENE_TEST(nothing_that_was_held_is_lost),
           SCENE_TEST(maintenance_of_a_service_holds_only_its_alerts),
           SCENE_TEST(the_end_lifts_the_pause_of_its_run),
           SCENE_TEST(an_extended_pause_is_lifted_by_the_run_that_began_it),
           SCENE_TEST(the_last_maintenance_that_wants_the_pause_lifts_it),
           SCENE_TEST(runs_that_pause_are_limited),
           SCENE_TEST(a_window_of_the_configuration_is_maintenance))
