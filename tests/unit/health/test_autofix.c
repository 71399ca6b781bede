/* Auto-fix with a real runner: what an alert triggers, what holds it back, and the result. */
#include "alerts/alerts.h"
#include "health/autofix.h"
#include "io/db.h"
#include "rigs/runner_rig.h"
#include "store/alert_table.h"
#include "store/maintenance_table.h"

#include <stdlib.h>
#include <string.h>

#define ALERT             "service:demo"
#define EVIDENCE_OF(name) "[{\"pointer\":\"/services/" name "/fault\",\"value\":\"crashed\"}]"
#define EVIDENCE          EVIDENCE_OF("demo")
#define PLAYBOOK                                                                                 \
    "role: operator\nchannels: []\n"                                                             \
    "trigger: {alert: \"service:*\", when: $fault == crashed, after: 5s, times: 2, within: 1h, " \
    "verify: 60s}\n"                                                                             \
    "args:\n  - {name: service, type: service, required: true, help: which}\n"                   \
    "steps:\n  - {run: test.change, with: {service: $service}}\nexamples: [\"mend demo\"]\n"

struct rig {
    struct runner_rig runner;
    struct config *config; /* of the alerts */
    struct alerts *alerts;
    struct autofix *autofix;
    bool busy; /* it is not quiet */
};

static bool is_quiet(void *userdata)
{
    return !((const struct rig *)userdata)->busy;
}

/* Also after a restart. */
static void start(struct rig *rig)
{
    struct err err = {0};
    autofix_free(rig->autofix);
    alerts_free(rig->alerts);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = &rig->runner.clock.clock,
                                                         .config = rig->config,
                                                         .store = rig->runner.store,
                                                         .headless = true},
                                &rig->alerts, &err),
                     0);
    rig->autofix = autofix_new(&(struct autofix_options){.clock = &rig->runner.clock.clock,
                                                         .store = rig->runner.store,
                                                         .access = rig->runner.access,
                                                         .alerts = rig->alerts,
                                                         .quiet = is_quiet,
                                                         .userdata = rig});
    autofix_start(rig->autofix, rig->runner.manifests, rig->runner.runner);
}

/* As alert.state, whose alerts a restart of the rig would replace. */
static int read_alert(struct action_call *call, struct err *err)
{
    const struct rig *rig = action_userdata(call);
    struct alert *alert = calloc(1, sizeof(*alert));
    int rc = alert_table_find(rig->runner.store, ALERT, alert, err);
    action_output(call, "open", "%s", rc == 0 && alert->status == ALERT_OPEN ? "yes" : "no");
    free(alert);
    return rc;
}

static const struct action own_actions[] = {{.name = "test.alert",
                                             .summary = "Whether the alert is open",
                                             .effect = ACTION_READS,
                                             .lowest = ROLE_READ_ONLY,
                                             .outputs = "open",
                                             .run = read_alert},
                                            {0}};

static int set_up_with(void **state, const char *playbook)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    runner_rig_open(&rig->runner);
    assert_int_equal(
        config_load(&(struct config_options){.no_file = true}, &rig->config, NULL, NULL), 0);
    action_table_add(rig->runner.actions, own_actions, rig);
    runner_rig_add(&rig->runner, "mend", playbook);
    start(rig);
    *state = rig;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, PLAYBOOK);
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    autofix_free(rig->autofix);
    alerts_free(rig->alerts);
    runner_rig_close(&rig->runner);
    config_free(rig->config);
    free(rig);
    return 0;
}

static int64_t raise_for(struct rig *rig, const char *service, const char *evidence)
{
    struct err err = {0};
    int64_t id = 0;
    char fingerprint[64], title[64];
    (void)snprintf(fingerprint, sizeof(fingerprint), "service:%s", service);
    (void)snprintf(title, sizeof(title), "%s is down", service);
    const struct alert_spec spec = {.type = ALERT_SERVICE,
                                    .severity = SEVERITY_HIGH,
                                    .source = "health",
                                    .fingerprint = fingerprint,
                                    .title = title,
                                    .evidence_json = evidence,
                                    .reopens = true};
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, &err), 0);
    return id;
}

static void raise_with(struct rig *rig, const char *evidence)
{
    (void)raise_for(rig, "demo", evidence);
}

static void resolve(struct rig *rig)
{
    struct err err = {0};
    assert_int_equal(alerts_resolve(rig->alerts, ALERT, "healthy again", &err), 0);
}

/* So many seconds, a tick each. */
static void pass(struct rig *rig, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        loop_advance(rig->runner.loop, USEC_PER_SEC);
        autofix_tick(rig->autofix);
    }
}

static enum severity severity_now(struct rig *rig)
{
    struct alert *alert = calloc(1, sizeof(*alert));
    assert_int_equal(alert_table_find(rig->runner.store, ALERT, alert, NULL), 0);
    enum severity severity = alert->severity;
    free(alert);
    return severity;
}

static void an_alert_that_fits_is_fixed_once(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 4);
    assert_int_equal(rig->runner.runs, 0); /* it may pass by itself */
    pass(rig, 4);
    assert_int_equal(rig->runner.runs, 1);
    assert_non_null(strstr(rig->runner.seen, "demo"));
    resolve(rig);
    pass(rig, 300);
    assert_int_equal(rig->runner.runs, 1);
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
}

static void another_cause_is_left_alone(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, "[{\"pointer\":\"/services/demo/fault\",\"value\":\"unwell\"}]");
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 0);
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
}

static void what_does_not_help_is_tried_twice_and_escalated_once(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 30);
    assert_int_equal(rig->runner.runs, 1); /* its effect is awaited */
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 2);
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
    int64_t messages = runner_rig_messages(&rig->runner);
    pass(rig, 120);
    assert_int_equal(rig->runner.runs, 2);
    assert_int_equal(severity_now(rig), SEVERITY_CRITICAL);
    pass(rig, 600);
    assert_int_equal(rig->runner.runs, 2);
    assert_int_equal(runner_rig_messages(&rig->runner), messages); /* there is no chat */
}

/* Its parent is down; then it is back, and the child gets a minute to recover. */
static void what_was_caused_gets_time_to_recover(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    int64_t id = 0;
    const struct alert_spec parent = {.type = ALERT_SERVICE,
                                      .severity = SEVERITY_HIGH,
                                      .source = "health",
                                      .fingerprint = "service:db",
                                      .title = "db is down"};
    const struct alert_spec child = {.type = ALERT_SERVICE,
                                     .severity = SEVERITY_HIGH,
                                     .source = "health",
                                     .fingerprint = ALERT,
                                     .title = "demo is down",
                                     .evidence_json = EVIDENCE,
                                     .cause = "service:db"};
    assert_int_equal(alerts_raise(rig->alerts, &parent, &id, &err), 0);
    assert_int_equal(alerts_raise(rig->alerts, &child, &id, &err), 0);
    pass(rig, 120);
    assert_int_equal(rig->runner.runs, 0);
    assert_int_equal(alerts_resolve(rig->alerts, "service:db", "healthy again", &err), 0);
    pass(rig, 50);
    assert_int_equal(rig->runner.runs, 0);
    for (int i = 0; i < 20; i++) {
        pass(rig, 1);
        alerts_tick(rig->alerts, false);
    }
    pass(rig, 4);
    assert_int_equal(rig->runner.runs, 1);
}

static void attempts_count_over_a_restart(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 1);
    runner_rig_crash(&rig->runner);
    start(rig);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 2);
    runner_rig_crash(&rig->runner);
    start(rig);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 2);
    assert_int_equal(severity_now(rig), SEVERITY_CRITICAL);
    /* An hour later there are attempts again, for an alert that opens then. */
    resolve(rig);
    pass(rig, 3700);
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 3);
}

static void nothing_runs_while_it_is_off(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    assert_int_equal(ops_store_write_i64(rig->runner.store, "autofix.off", 1, &err), 0);
    start(rig);
    raise_with(rig, EVIDENCE);
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 0);
}

static void nothing_runs_during_maintenance(void **state)
{
    struct rig *rig = *state;
    struct maintenance m = {.service = "demo",
                            .until_us = rig->runner.clock.now_wall_us + 30 * USEC_PER_MIN};
    assert_int_equal(
        maintenance_table_begin(rig->runner.store, &m, rig->runner.clock.now_wall_us, NULL), 0);
    start(rig);
    raise_with(rig, EVIDENCE);
    pass(rig, 1700);
    assert_int_equal(rig->runner.runs, 0);
    pass(rig, 130);
    assert_int_equal(rig->runner.runs, 1);
}

/* It was given up, has healed, and opens again when there are attempts again. */
static void an_alert_that_opens_again_is_fixed_again(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 200);
    assert_int_equal(rig->runner.runs, 2);
    assert_int_equal(severity_now(rig), SEVERITY_CRITICAL);
    resolve(rig);
    pass(rig, 3700);
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 3);
}

/* Its parent is down: to restart it would not help. */
static void what_another_alert_causes_is_left_alone(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    int64_t id = 0;
    struct alert_spec spec = {.type = ALERT_SERVICE,
                              .severity = SEVERITY_HIGH,
                              .source = "health",
                              .fingerprint = "service:parent",
                              .title = "parent is down"};
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, &err), 0);
    spec.cause = "service:parent";
    spec.fingerprint = ALERT;
    spec.evidence_json = EVIDENCE;
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, &err), 0);
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 0);
}

static void an_acknowledged_alert_belongs_to_its_person(void **state)
{
    struct rig *rig = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    raise_with(rig, EVIDENCE);
    assert_int_equal(alert_table_find(rig->runner.store, ALERT, alert, NULL), 0);
    assert_int_equal(alert_table_set_status(rig->runner.store, alert->id, ALERT_ACKNOWLEDGED,
                                            "alice", RIG_WALL_US, NULL),
                     0);
    free(alert);
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 0);
}

static void a_person_who_works_on_it_is_not_disturbed(void **state)
{
    struct rig *rig = *state;
    runner_rig_add(&rig->runner, "turn",
                   "role: operator\n"
                   "args:\n  - {name: service, type: service, required: true, help: which}\n"
                   "steps:\n  - {run: test.change, with: {service: $service}}\n"
                   "examples: [\"turn demo\"]\n");
    start(rig);
    assert_int_equal(runner_rig_send(&rig->runner, "turn demo"), 0);
    assert_int_equal(rig->runner.runs, 1);
    raise_with(rig, EVIDENCE);
    pass(rig, 590);
    assert_int_equal(rig->runner.runs, 1);
    pass(rig, 20);
    assert_int_equal(rig->runner.runs, 2);
}

static void a_lock_puts_it_off_and_is_no_attempt(void **state)
{
    struct rig *rig = *state;
    runner_rig_add(&rig->runner, "hold",
                   "role: operator\nsteps:\n  - {run: test.sweep, timeout: 1h}\n"
                   "examples: [hold]\n");
    start(rig);
    assert_int_equal(runner_rig_send(&rig->runner, "hold"), 0);
    raise_with(rig, EVIDENCE);
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 1); /* that of the person */
    runner_rig_finish(&rig->runner, ERR_NONE);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 2);
    resolve(rig);
}

/* Such as a service that is not configured: it would be refused again and again. */
static void what_is_refused_is_escalated_at_once(void **state)
{
    struct rig *rig = *state;
    struct alert *alert = calloc(1, sizeof(*alert));
    int64_t id = raise_for(rig, "nobody", EVIDENCE_OF("nobody"));
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 0);
    assert_int_equal(alert_table_get(rig->runner.store, id, alert, NULL), 0);
    assert_int_equal(alert->severity, SEVERITY_CRITICAL);
    assert_non_null(strstr(alert->description, "nightdesk cannot run mend by itself"));
    free(alert);
}

/* While the effect of one fix is awaited, another item is fixed. */
static void an_effect_that_is_awaited_holds_up_nothing_else(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 1);
    (void)raise_for(rig, "prediction", EVIDENCE_OF("prediction"));
    pass(rig, 10);
    assert_int_equal(rig->runner.runs, 2);
    assert_non_null(strstr(rig->runner.seen, "prediction"));
}

/* More alerts than are looked at in one tick. */
static void an_alert_below_many_others_is_fixed(void **state)
{
    struct rig *rig = *state;
    struct err err = {0};
    int64_t id = 0;
    for (int i = 0; i < 40; i++) {
        char fingerprint[32];
        (void)snprintf(fingerprint, sizeof(fingerprint), "other:%d", i);
        const struct alert_spec spec = {.type = ALERT_BUG,
                                        .severity = SEVERITY_CRITICAL,
                                        .source = "auditor",
                                        .fingerprint = fingerprint,
                                        .title = "something else"};
        assert_int_equal(alerts_raise(rig->alerts, &spec, &id, &err), 0);
    }
    raise_with(rig, EVIDENCE);
    pass(rig, 20);
    assert_int_equal(rig->runner.runs, 1);
}

static int set_up_slow(void **state)
{
    return set_up_with(state,
                       "role: operator\nchannels: []\n"
                       "trigger: {alert: \"service:*\", times: 2}\n"
                       "args:\n  - {name: service, type: service, required: true, help: which}\n"
                       "steps:\n  - {run: test.hang, timeout: 1h}\nexamples: [\"mend demo\"]\n");
}

static void a_fix_that_somebody_cancels_is_theirs(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 4);
    assert_non_null(rig->runner.pending);
    assert_int_equal(runner_rig_submit(&rig->runner, &rig->runner.adam, "cancel 1"), 0);
    pass(rig, 600);
    int64_t count = 0;
    assert_int_equal(run_table_count_of(rig->runner.store, "mend", "autofix", "", 0, &count, NULL),
                     0);
    assert_int_equal(count, 0); /* it is no attempt, and there was no other */
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
}

/* The service is busy with something that takes no lock. */
static void a_busy_service_is_no_attempt(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 4);
    runner_rig_finish(&rig->runner, ERR_SERVICE_BUSY);
    pass(rig, 10);
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
    for (int i = 0; i < 2; i++) {
        pass(rig, 25);
        runner_rig_finish(&rig->runner, ERR_SERVICE_BUSY);
    }
    pass(rig, 10);
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
}

static int set_up_quiet(void **state)
{
    return set_up_with(state,
                       "role: operator\nchannels: []\n"
                       "trigger: {alert: \"service:*\", when: $quiet}\n"
                       "args:\n  - {name: service, type: service, required: true, help: which}\n"
                       "steps:\n  - {run: test.change, with: {service: $service}}\n"
                       "examples: [\"mend demo\"]\n");
}

static void it_waits_for_a_quiet_moment(void **state)
{
    struct rig *rig = *state;
    rig->busy = true;
    raise_with(rig, EVIDENCE);
    pass(rig, 60);
    assert_int_equal(rig->runner.runs, 0);
    rig->busy = false;
    pass(rig, 4);
    assert_int_equal(rig->runner.runs, 1);
}

/* A playbook that waits for its alert and undoes what it changed. */
static int set_up_undo(void **state)
{
    int rc = set_up_with(state,
                         "role: operator\nchannels: []\n"
                         "trigger: {alert: \"service:*\", times: 1}\n"
                         "args:\n  - {name: service, type: service, required: true, help: which}\n"
                         "steps:\n  - {id: done, run: test.read}\n"
                         "  - {run: test.note, with: {text: changed}}\n"
                         "  - {id: now, run: test.alert, "
                         "until: not $now.open, every: 1s, within: 20s}\n"
                         "undo: true\non_failure:\n"
                         "  - {run: test.note, with: {text: back}, when: $done.count > 0}\n"
                         "  - {run: test.flaky, when: $done.count > 1}\n"
                         "examples: [\"mend demo\"]\n");
    ((struct rig *)*state)->runner.count = 1;
    return rc;
}

/* The newest note in the time line of the incident. */
static bool was_noted(struct rig *rig, const char *words)
{
    int64_t count = 0;
    char like[256];
    (void)snprintf(like, sizeof(like), "%%%s%%", words);
    assert_int_equal(db_get_i64(ops_store_db(rig->runner.store),
                                "SELECT count(*) FROM incident_events WHERE text LIKE ?",
                                DB_VALUES(DB_TEXT_C(like)), 0, &count, NULL),
                     0);
    return count > 0;
}

/* How the last run ended, as it is stored for /autofix. */
static bool ended_as(struct rig *rig, const char *outcome)
{
    AUTO_BUF struct buf text = BUF_INIT(256);
    assert_int_equal(ops_store_get_text(rig->runner.store, "autofix.last.mend", &text, NULL), 0);
    const char *blank = strchr(text.data, ' ');
    return blank != NULL && strcmp(blank + 1, outcome) == 0;
}

static void what_did_not_help_is_undone(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    assert_string_equal(rig->runner.notes, "[changed -1]");
    pass(rig, 30);
    assert_string_equal(rig->runner.notes, "[changed -1][back -1]");
    assert_true(was_noted(rig, "nightdesk ran mend demo by itself, and it did not help: undone"));
    assert_true(ended_as(rig, "undone demo"));
    pass(rig, 10);
    assert_int_equal(severity_now(rig), SEVERITY_CRITICAL);
    struct alert *alert = calloc(1, sizeof(*alert));
    assert_int_equal(alert_table_find(rig->runner.store, ALERT, alert, NULL), 0);
    assert_non_null(strstr(alert->description, "The last run: did not help, undone."));
    free(alert);
}

static void what_helped_is_not_undone(void **state)
{
    struct rig *rig = *state;
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    resolve(rig);
    pass(rig, 60);
    assert_string_equal(rig->runner.notes, "[changed -1]");
    assert_int_equal(severity_now(rig), SEVERITY_HIGH);
}

static void nothing_to_undo_is_said(void **state)
{
    struct rig *rig = *state;
    rig->runner.count = 0; /* so the steps of undo are stepped over */
    raise_with(rig, EVIDENCE);
    pass(rig, 40);
    assert_string_equal(rig->runner.notes, "[changed -1]");
    assert_true(was_noted(rig, "it did not help; nothing to undo"));
}

static void what_cannot_be_undone_is_said(void **state)
{
    struct rig *rig = *state;
    rig->runner.count = 2;
    rig->runner.failures = 100;
    rig->runner.fail_with = ERR_INTERNAL;
    raise_with(rig, EVIDENCE);
    pass(rig, 60);
    assert_true(was_noted(rig, "it did not help, and it could not be undone"));
}

static void the_last_outcome_is_kept(void **state)
{
    struct rig *rig = *state;
    assert_false(ended_as(rig, "fixed demo"));
    raise_with(rig, EVIDENCE);
    pass(rig, 10);
    resolve(rig);
    pass(rig, 3);
    assert_true(ended_as(rig, "fixed demo"));
    pass(rig, 3700);
    raise_with(rig, EVIDENCE);
    pass(rig, 80);
    assert_true(ended_as(rig, "no_help demo"));
}

#define RIGGED(f, up) cmocka_unit_test_setup_teardown(f, up, tear_down)

UNIT_GROUP(autofix, RIGGED(an_alert_that_fits_is_fixed_once, set_up),
           RIGGED(another_cause_is_left_alone, set_up),
           RIGGED(what_does_not_help_is_tried_twice_and_escalated_once, set_up),
           RIGGED(an_alert_that_opens_again_is_fixed_again, set_up),
           RIGGED(what_another_alert_causes_is_left_alone, set_up),
           RIGGED(attempts_count_over_a_restart, set_up),
           RIGGED(nothing_runs_while_it_is_off, set_up),
           RIGGED(nothing_runs_during_maintenance, set_up),
           RIGGED(what_was_caused_gets_time_to_recover, set_up),
           RIGGED(an_acknowledged_alert_belongs_to_its_person, set_up),
           RIGGED(a_person_who_works_on_it_is_not_disturbed, set_up),
           RIGGED(a_lock_puts_it_off_and_is_no_attempt, set_up),
           RIGGED(what_is_refused_is_escalated_at_once, set_up),
           RIGGED(an_effect_that_is_awaited_holds_up_nothing_else, set_up),
           RIGGED(an_alert_below_many_others_is_fixed, set_up),
           RIGGED(a_fix_that_somebody_cancels_is_theirs, set_up_slow),
           RIGGED(a_busy_service_is_no_attempt, set_up_slow),
           RIGGED(it_waits_for_a_quiet_moment, set_up_quiet),
           RIGGED(what_did_not_help_is_undone, set_up_undo),
           RIGGED(what_helped_is_not_undone, set_up_undo),
           RIGGED(nothing_to_undo_is_said, set_up_undo),
           RIGGED(what_cannot_be_undone_is_said, set_up_undo),
           RIGGED(the_last_outcome_is_kept, set_up))
