#include "health_rig.h"
#include "store/incident_table.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void an_alert_is_raised_at_the_threshold_and_resolved(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    AUTO_BUF struct buf line = BUF_INIT(64);
    AUTO_JSON struct json_object *data = json_object_new_object();
    health_status(&line, data, rig->health);
    assert_string_equal(line.data, "Services 0/1 up (1 unknown)");
    buf_clear(&line);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    health_status(&line, data, rig->health);
    assert_string_equal(line.data, "Services 1/1 up");
    rig->status = 503;
    UNTIL(rig, health_rig_first(rig)->failures >= 2);
    if (health_rig_first(rig)->failures == 2) {
        assert_int_equal(health_rig_alert(rig, "service:demo"), -1);
    }
    UNTIL(rig, health_rig_first(rig)->failures >= 5);
    struct alert *alert = calloc(1, sizeof(*alert));
    assert_int_equal(alert_table_find(rig->store, "service:demo", alert, NULL), 0);
    assert_int_equal(alert->status, ALERT_OPEN);
    assert_int_equal(alert->count, 1);
    assert_int_equal(alert->type, ALERT_SERVICE);
    assert_int_equal(alert->severity, SEVERITY_HIGH);
    assert_non_null(strstr(alert->description, "3 consecutive checks failed: HTTP 503"));
    free(alert);
    rig->status = 200;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    UNTIL(rig, health_rig_alert(rig, "service:demo") == ALERT_FIXED);
    struct sample_stats stats = {0};
    health_free(rig->health); /* stores the last samples */
    rig->health = NULL;
    assert_int_equal(sample_table_stats(rig->store, "demo", 0, &stats, NULL), 0);
    assert_true(stats.count >= 7 && stats.up >= 2 && stats.up <= stats.count - 5);
}

static void fewer_failures_raise_no_alert(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    for (int i = 0; i < 3; i++) {
        rig->status = 500;
        UNTIL(rig, health_rig_first(rig)->failures == 1);
        rig->status = 200;
        UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    }
    assert_int_equal(health_rig_alert(rig, "service:demo"), -1);
}

static void any_2xx_is_healthy_unless_expect_status_is_set(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = health_rig_add(rig, "demo");
    demo->url = rig->url;
    rig->status = 204;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    rig->status = 304;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_DOWN);
    assert_string_equal(health_rig_first(rig)->detail, "HTTP 304, expected 200 to 299");
    rig->status = 299;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    health_rig_first(rig)->checks[0]->config.expect_status = 204;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_DOWN);
    assert_string_equal(health_rig_first(rig)->detail, "HTTP 299, expected 204");
    rig->status = 204;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
}

static void a_program_that_does_not_exist_is_the_reason(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = health_rig_add(rig, "demo");
    health_rig_command(rig, demo, "/nowhere/nothing", NULL, NULL);
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->checked_us > 0 && !health_rig_first(rig)->checking);
    assert_string_equal(health_rig_first(rig)->detail,
                        "the program does not exist: /nowhere/nothing");
}

static void a_refused_connection_is_down(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    web_stop(rig->web);
    rig->web = NULL;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_DOWN);
    assert_string_equal(health_rig_first(rig)->detail, err_info(ERR_HTTP_CONNECT)->message);
}

static void failures_after_a_start_are_not_counted(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    rig->status = 503;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->checked_us > 0);
    assert_int_equal(health_rig_first(rig)->state, SERVICE_UNKNOWN);
    assert_int_equal(health_rig_first(rig)->failures, 0);
    health_rig_first(rig)->grace_mono_us = 0;
    loop_timer_in(health_rig_first(rig)->due, 0);
    UNTIL(rig, health_rig_alert(rig, "service:demo") == ALERT_OPEN);
}

static void an_alert_of_an_earlier_process_is_resolved(void **state)
{
    struct rig *rig = *state;
    struct alert_spec spec = {.type = ALERT_SERVICE,
                              .severity = SEVERITY_HIGH,
                              .source = "health",
                              .fingerprint = "service:demo",
                              .title = "demo is down",
                              .status = ALERT_OPEN};
    int64_t id = 0;
    assert_int_equal(alerts_raise(rig->alerts, &spec, &id, NULL), 0);
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    assert_int_equal(health_rig_alert(rig, "service:demo"), ALERT_FIXED);
}

static void add_child(struct rig *rig, const char *script)
{
    struct config_service *service = health_rig_add(rig, "demo");
    health_rig_command(rig, service, "/bin/sh", "-c", script);
}

static void a_killed_child_is_started_again(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    rig->config.monitoring_check_interval_us = 2 * USEC_PER_SEC; /* after it is started again */
    rig->config.monitoring_confirm_interval_us = 2 * USEC_PER_SEC;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    pid_t before = process_pid(health_rig_first(rig)->child.process);
    assert_true(before > 0);
    assert_int_equal(kill(before, SIGKILL), 0);
    UNTIL(rig, health_rig_first(rig)->child.process == NULL);
    assert_int_equal(health_rig_first(rig)->child.exit_code, -SIGKILL);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_DOWN);
    UNTIL(rig, health_rig_first(rig)->child.process != NULL);
    pid_t after = process_pid(health_rig_first(rig)->child.process);
    assert_true(after != before);
    assert_int_equal(health_rig_first(rig)->child.restarts, 1);
    assert_int_equal(health_rig_first(rig)->child.backoff_us, 2 * USEC_PER_SEC);
    assert_int_equal(health_rig_alert(rig, "service:demo"), -1); /* it healed at once */
    health_rig_first(rig)->child.died_mono_us = 0;               /* some seconds later */
    service_check_soon(health_rig_first(rig));
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    health_free(rig->health);
    rig->health = NULL;
    UNTIL(rig, kill(after, 0) == -1 || waitpid(after, NULL, WNOHANG) == after);
}

/* Events of the incident of the first alert. */
static int64_t noted_restarts(struct rig *rig)
{
    struct incident_event last;
    int64_t total = 0;
    (void)incident_table_events(rig->store, 1, UINT32_C(1) << INCIDENT_NOTE, &last, 1, &total,
                                NULL);
    return total;
}

static void a_child_that_keeps_ending_is_down(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exit 3");
    health_rig_start(rig);
    health_rig_first(rig)->grace_mono_us = 0;
    UNTIL(rig, health_rig_first(rig)->failures >= 3);
    assert_int_equal(health_rig_first(rig)->child.exit_code, 3);
    UNTIL(rig, health_rig_alert(rig, "service:demo") == ALERT_OPEN); /* with the end of its log */
    UNTIL(rig, noted_restarts(rig) > 0);
    assert_int_equal(health_up(rig->health), 0);
}

static void a_restart_starts_a_new_child_at_once(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    pid_t before = process_pid(health_rig_first(rig)->child.process);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.restart", "demo", NULL, reply, &f);
    assert_int_equal(call.action->preview(&call, NULL), 0);
    assert_non_null(strstr(reply_text(reply, 0), "is stopped and started again. Now up for"));
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    struct finished g = {0};
    struct action_call again = health_rig_call(rig, "service.restart", "demo", NULL, reply, &g);
    assert_int_equal(again.action->run(&again, NULL), -ERR_SERVICE_BUSY);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_true(process_pid(health_rig_first(rig)->child.process) != before);
    assert_int_equal(kill(before, 0), -1);
    assert_int_equal(health_rig_first(rig)->child.restarts, 0);
    struct action_call wait =
        health_rig_call(rig, "service.wait_healthy", "demo", "10s", reply, &g);
    assert_int_equal(wait.action->run(&wait, NULL), ACTION_PENDING);
    UNTIL(rig, g.times == 1);
    assert_int_equal(g.err_id, ERR_NONE);
    assert_string_equal(reply_get_title(reply), "demo is healthy");
}

static bool file_holds(const char *path, const char *text)
{
    AUTO_BUF struct buf content = BUF_INIT((size_t)1 << 20);
    return file_read(path, &content, NULL) == 0 && strstr(content.data, text) != NULL;
}

/* A child that ignores SIGTERM is killed at once, not after the grace of a restart. */
static void a_forced_restart_kills_what_hangs(void **state)
{
    struct rig *rig = *state;
    char ready[128];
    (void)snprintf(ready, sizeof(ready), "%s/demo.log", rig->folder);
    add_child(rig, "trap '' TERM; echo ready; while :; do sleep 1000; done");
    health_rig_start(rig);
    UNTIL(rig, file_holds(ready, "ready"));
    pid_t before = process_pid(health_rig_first(rig)->child.process);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call =
        health_rig_call(rig, "service.force_restart", "demo", NULL, reply, &f);
    assert_int_equal(call.action->preview(&call, NULL), 0);
    assert_has(reply_text(reply, 0), "gets SIGKILL and is started again");
    int64_t begun_us = clock_mono_us(loop_clock(rig->loop));
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_true(clock_mono_us(loop_clock(rig->loop)) - begun_us < 2 * USEC_PER_SEC);
    assert_true(process_pid(health_rig_first(rig)->child.process) != before);
    assert_int_equal(kill(before, 0), -1);
}

/* Every service is checked after the command, the worst comes first. */
static void a_check_of_everything_explains_the_worst_first(void **state)
{
    struct rig *rig = *state;
    rig->config.monitoring_check_interval_us = USEC_PER_HOUR; /* only the command checks again */
    health_rig_add(rig, "well")->url = rig->url;
    struct config_service *bad = health_rig_add(rig, "broken");
    bad->url = rig->url;
    bad->health_endpoint = "/nothing";
    health_rig_start(rig);
    UNTIL(rig,
          rig->health->services[0]->checked_us > 0 && rig->health->services[1]->checked_us > 0);
    int before = rig->asked;
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "health.check", NULL, NULL, reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_true(rig->asked >= before + 2);
    assert_string_equal(reply_get_title(reply), "Checked now: 1/2 services up");
    assert_has(reply_text(reply, 0), "broken");
    assert_has(reply_text(reply, 0), "HTTP 404");
    assert_has(reply_text(reply, reply_block_count(reply) - 1), "Up: well");
    struct action_call cancelled = health_rig_call(rig, "health.check", NULL, NULL, reply, &f);
    assert_int_equal(cancelled.action->run(&cancelled, NULL), ACTION_PENDING);
    cancelled.action->cancel(&cancelled);
}

static void a_restart_interrupted_by_a_crash_is_looked_up(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    health_rig_add(rig, "pred")->unit = "pred.service";
    health_rig_start(rig);
    struct finished f = {0};
    struct err err = {0};
    bool happened = false;
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.restart", "demo", NULL, reply, &f);
    assert_int_equal(call.action->recover(&call, &happened, &err), 0);
    assert_true(happened); /* children restart with nightdesk */

    call.args =
        health_rig_values(call.action, "pred", NULL); /* without systemd the outcome is unknown */
    assert_int_equal(call.action->recover(&call, &happened, &err), -ERR_COMMAND_LOST);
    assert_non_null(strstr(err.context, "systemd is not available"));

    struct service *pred = rig->health->services[1];
    struct units_state unit = {.active = "active", .sub = "running", .since_wall_us = 5000000};
    call.begun_us = 4000000;
    pred->recovering = &call;
    service_looked_up(&unit, NULL, pred);
    assert_int_equal(f.times, 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_non_null(
        strstr(reply_text(reply, 1), "pred.service has been active (running) since 00:00:05"));
    call.begun_us = 6000000;
    pred->recovering = &call;
    service_looked_up(&unit, NULL, pred);
    assert_int_equal(f.err_id, ERR_COMMAND_NOT_DONE);
    pred->recovering = &call;
    (void)err_set(&err, ERR_UNITS_TIMEOUT, "pred.service");
    service_looked_up(NULL, &err, pred);
    assert_int_equal(f.err_id, ERR_COMMAND_LOST);
    assert_int_equal(f.times, 3);
    pred->recovering = &call;
    call.action->cancel(&call); /* the step timed out and was reported */
    service_looked_up(&unit, NULL, pred);
    assert_int_equal(f.times, 3);
}

/* Here the restart itself fails, because there is no systemd. */
static void a_forced_restart_goes_on_if_not_each_process_was_killed(void **state)
{
    struct rig *rig = *state;
    static const struct {
        enum err_id killed;
        enum err_id end;
    } cases[] = {{ERR_NONE, ERR_UNITS_UNAVAILABLE},
                 {ERR_UNITS_FAILED, ERR_UNITS_UNAVAILABLE},
                 {ERR_UNITS_UNKNOWN, ERR_UNITS_UNAVAILABLE},
                 {ERR_UNITS_DENIED, ERR_UNITS_DENIED}};
    health_rig_add(rig, "pred")->unit = "pred.service";
    health_rig_start(rig);
    struct service *pred = health_rig_first(rig);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct finished f = {0};
        struct err err = {0};
        AUTO_REPLY struct reply *reply = reply_new();
        struct action_call call =
            health_rig_call(rig, "service.force_restart", "pred", NULL, reply, &f);
        if (cases[i].killed != ERR_NONE) {
            (void)err_set(&err, cases[i].killed, "pred.service");
        }
        pred->restarting = &call;
        pred->restart_open = true;
        service_killed(&err, pred);
        assert_int_equal(f.times, 1);
        assert_int_equal(f.err_id, cases[i].end);
        assert_false(pred->restart_open);
    }
}

static void another_unit_ends_what_was_asked_of_the_old_one(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "pred")->unit = "pred.service";
    health_rig_start(rig);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.restart", "pred", NULL, reply, &f);
    struct service *pred = health_rig_first(rig);
    struct units_state unit = {.active = "active", .sub = "running", .since_wall_us = 5000000};
    pred->recovering = &call;
    struct config *next = health_rig_next(rig);
    next->services[0].unit = "other.service";
    health_apply(rig->health, next, NULL);
    assert_int_equal(f.times, 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNKNOWN);
    assert_has(f.context, "the unit or command of pred was changed");
    service_looked_up(&unit, NULL, pred); /* a late answer says nothing */
    assert_int_equal(f.times, 1);
    health_free(TAKE(rig->health));
    health_rig_free_config(next);
}

static void waiting_before_the_start_is_not_a_failure(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    health_rig_make(rig);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.wait_healthy", "demo", NULL, reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, health_rig_first(rig)->checked_us > 0); /* the child has not started yet */
    assert_int_equal(health_rig_first(rig)->failures, 0);
    assert_int_equal(health_rig_first(rig)->state, SERVICE_UNKNOWN);
    health_start(rig->health);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
}

static void waiting_times_out(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    rig->status = 500;
    health_rig_start(rig);
    struct finished f = {0};
    struct finished g = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.wait_healthy", "demo", "1s", reply, &f);
    struct action_call cancelled =
        health_rig_call(rig, "service.wait_healthy", "demo", "1s", reply, &g);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    assert_int_equal(cancelled.action->run(&cancelled, NULL), ACTION_PENDING);
    cancelled.action->cancel(&cancelled);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNHEALTHY);
    assert_int_equal(g.times, 0);
}

/* A process that answers at first and then ends is not healthy, however short its absence. */
static void healthy_is_what_stays_so(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 0.3");
    health_rig_start(rig);
    struct service *demo = health_rig_first(rig);
    demo->child.backoff_us = USEC_PER_MSEC; /* no check sees that it was away */
    struct finished f = {0}, g = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.wait_healthy", "demo", "1s", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    struct action_call brief =
        health_rig_call(rig, "service.wait_healthy", "demo", "1s", reply, &g);
    assert_int_equal(brief.action->run(&brief, NULL), ACTION_PENDING);
    demo->waiters[1].steady_us = 0;
    UNTIL(rig, g.times == 1);
    assert_int_equal(g.err_id, ERR_NONE);
    while (f.times == 0) {
        (void)loop_iterate(rig->loop, 1000);
        demo->child.backoff_us = USEC_PER_MSEC;
        demo->child.died_mono_us = 0;
    }
    assert_int_equal(f.err_id, ERR_SERVICE_UNHEALTHY);
}

/* While a check runs, the reason of a service that is down is that of the check before. */
static void the_reason_is_that_of_the_last_check_that_ended(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    rig->status = 500;
    health_rig_start(rig);
    struct service *demo = health_rig_first(rig);
    UNTIL(rig, demo->checked_us > 0 && !demo->checking);
    UNTIL(rig, demo->checking);
    rig->status = 404; /* the check under way may still get the 500 */
    assert_string_equal(demo->detail, "HTTP 500, expected 200 to 299");
    UNTIL(rig, strcmp(demo->detail, "HTTP 404, expected 200 to 299") == 0);
}

/* A check that began before the command is no answer to it, not even "ok". */
static void an_older_check_is_not_the_reason_of_a_wait(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    UNTIL(rig, health_rig_first(rig)->checking);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.wait_healthy", "demo", "1s", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    health_rig_first(rig)->waiters[0].deadline_mono_us =
        0; /* the time is over when that check ends */
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNHEALTHY);
    assert_has(f.context, "demo: not checked since");
}

static size_t file_size(const char *path)
{
    AUTO_BUF struct buf content = BUF_INIT((size_t)1 << 20);
    return file_read(path, &content, NULL) == 0 ? content.len : 0;
}

static void logs_are_bounded_clean_and_redacted(void **state)
{
    struct rig *rig = *state;
    assert_true(log_hide("token-abc-987"));
    add_child(rig, "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done;"
                   "echo key token-abc-987; printf 'bad \\377\\033[31m\\n'; exec sleep 1000");
    health_rig_start(rig);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    UNTIL(rig, file_holds(path, "bad "));
    AUTO_REPLY struct reply *reply = reply_new();
    struct finished f = {0};
    struct action_call call = health_rig_call(rig, "service.logs", "demo", "5", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    assert_int_equal(f.times, 0);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_true(reply_is_protected(reply));
    assert_int_equal(reply_block_count(reply), 1);
    const char *shown = reply_text(reply, 0);
    assert_string_equal(shown, "line 97\nline 98\nline 99\nkey ***\nbad ??[31m");
    struct action_call cancelled = health_rig_call(rig, "service.logs", "demo", "5", reply, &f);
    assert_int_equal(cancelled.action->run(&cancelled, NULL), ACTION_PENDING);
    cancelled.action->cancel(&cancelled);
}

/* The text after a NUL is shown and redacted; a bidirectional override is replaced. */
static void a_nul_hides_no_part_of_a_log(void **state)
{
    struct rig *rig = *state;
    assert_true(log_hide("token-abc-987"));
    add_child(rig, "printf 'one\\0two\\nkey token-abc-987\\n"
                   "rm \\342\\200\\256cba \\302\\233 end\\n'; exec sleep 1000");
    health_rig_start(rig);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    UNTIL(rig, file_size(path) >= 40);
    AUTO_REPLY struct reply *reply = reply_new();
    struct finished f = {0};
    struct action_call call = health_rig_call(rig, "service.logs", "demo", "5", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_string_equal(reply_text(reply, 0), "one?two\nkey ***\nrm ?cba ? end");
}

static void an_unknown_service_name_is_refused(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "prediction")->url = rig->url;
    health_rig_start(rig);
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call =
        health_rig_call(rig, "service.restart", "predicton", NULL, reply, NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_SERVICE_UNKNOWN);
    assert_non_null(strstr(err.context, "did you mean prediction?"));
    call.args = health_rig_values(call.action, "prediction", NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_SERVICE_UNMANAGED);
    assert_int_equal(call.action->preview(&call, &err), -ERR_SERVICE_UNMANAGED);
    call = health_rig_call(rig, "service.logs", "prediction", NULL, reply, NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_SERVICE_UNMANAGED);
}

static void a_unit_without_systemd_is_down(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->unit = "demo.service";
    health_rig_start(rig);
    health_rig_first(rig)->grace_mono_us = 0;
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_DOWN);
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = health_rig_call(rig, "service.restart", "demo", NULL, reply, NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_UNITS_UNAVAILABLE);
    struct action_call list = health_rig_call(rig, "service.list", NULL, NULL, reply, NULL);
    assert_int_equal(list.action->run(&list, &err), ACTION_DONE);
    assert_string_equal(reply_get_title(reply), "Services 0/1 up");
    assert_int_equal(reply_get_tone(reply), TONE_BAD);
    assert_string_equal(reply_text_cell(reply, 0, 0, 0), "demo");
    assert_string_equal(reply_text_cell(reply, 0, 0, 1), "unit");
    assert_string_equal(reply_text_cell(reply, 0, 0, 2), "🔴 down");
}

/* After a start; red would look like an outage. */
static void a_service_that_was_not_checked_yet_is_no_outage(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call list = health_rig_call(rig, "service.list", NULL, NULL, reply, NULL);
    assert_int_equal(list.action->run(&list, &err), ACTION_DONE);
    assert_string_equal(reply_text_cell(reply, 0, 0, 2), "🟡 unknown");
    assert_int_equal(reply_get_tone(reply), TONE_WARN);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    AUTO_REPLY struct reply *later = reply_new();
    list.reply = later;
    assert_int_equal(list.action->run(&list, &err), ACTION_DONE);
    assert_int_equal(reply_get_tone(later), TONE_GOOD);
}

static void a_bad_unit_name_is_refused(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "demo")->unit = "../../etc/passwd";
    struct health *health = NULL;
    struct health_options options = {.loop = rig->loop, .config = &rig->config};
    assert_int_equal(health_new(&options, &health, NULL), -ERR_UNITS_UNKNOWN);
    assert_null(health);
}

static void a_reload_keeps_the_state_of_what_stays(void **state)
{
    struct rig *rig = *state;
    health_rig_add(rig, "old")->url = rig->url;
    health_rig_add(rig, "demo")->url = rig->url;
    health_rig_start(rig);
    UNTIL(rig, rig->health->services[0]->state == SERVICE_UP &&
                   rig->health->services[1]->state == SERVICE_UP);
    struct service *demo = rig->health->services[1];
    struct config *next = health_rig_next(rig);
    next->services[0] = rig->config.services[1]; /* old is gone, more is new */
    next->services[1] = rig->config.services[1];
    (void)str_copy(STR_LIT("more"), next->services[1].name, sizeof(next->services[1].name));
    next->services[0].timeout_us = 2 * USEC_PER_SEC;
    health_apply(rig->health, next, NULL);
    memset(rig->services, 0xff, sizeof(rig->services)); /* not read any more */
    assert_int_equal(rig->health->count, 2);
    assert_ptr_equal(rig->health->services[0], demo);
    assert_int_equal(demo->state, SERVICE_UP);
    assert_int_equal(demo->config->timeout_us, 2 * USEC_PER_SEC);
    UNTIL(rig, rig->health->services[1]->state == SERVICE_UP);
    assert_null(health_find(rig->health, "old", NULL));
    UNTIL(rig, rig->health->retired == NULL);
    health_free(rig->health);
    rig->health = NULL;
    health_rig_free_config(next);
}

static void a_removed_service_fails_its_calls_and_resolves_its_alert(void **state)
{
    struct rig *rig = *state;
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    health_rig_add(rig, "demo")->url = rig->url;
    rig->status = 500;
    health_rig_start(rig);
    struct service *demo = health_rig_first(rig);
    demo->grace_mono_us = 0;
    UNTIL(rig, health_rig_alert(rig, "service:demo") == ALERT_OPEN);
    struct action_call call = health_rig_call(rig, "service.wait_healthy", "demo", NULL, reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    struct config *next = health_rig_next(rig);
    next->service_count = 0;
    health_apply(rig->health, next, NULL);
    assert_int_equal(f.times, 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNKNOWN);
    assert_int_equal(health_rig_alert(rig, "service:demo"), ALERT_FIXED);
    UNTIL(rig, rig->health->retired == NULL);
    health_free(rig->health);
    rig->health = NULL;
    health_rig_free_config(next);
}

static void another_command_replaces_the_child(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = health_rig_add(rig, "demo");
    health_rig_command(rig, demo, "sleep", "1000", NULL);
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->child.process != NULL);
    pid_t pid = process_pid(health_rig_first(rig)->child.process);
    struct config *next = health_rig_next(rig);
    next->services[0].timeout_us = 3 * USEC_PER_SEC;
    health_apply(rig->health, next, NULL);
    assert_int_equal(process_pid(health_rig_first(rig)->child.process),
                     pid); /* the same command goes on */
    struct config *other = health_rig_next(rig);
    const char *longer[] = {"sleep", "2000", NULL};
    other->services[0].command.items = longer;
    health_apply(rig->health, other, NULL);
    health_rig_free_config(next);
    UNTIL(rig, health_rig_first(rig)->child.process != NULL &&
                   process_pid(health_rig_first(rig)->child.process) != pid &&
                   process_pid(health_rig_first(rig)->child.process) != 0);
    assert_int_equal(health_rig_first(rig)->child.restarts, 0); /* it did not fail */
    struct config *none = health_rig_next(rig);
    none->services[0].command.count = 0;
    none->services[0].url = rig->url;
    health_apply(rig->health, none, NULL);
    health_rig_free_config(other);
    UNTIL(rig, health_rig_first(rig)->child.process == NULL);
    UNTIL(rig, health_rig_first(rig)->state == SERVICE_UP);
    health_free(rig->health);
    rig->health = NULL;
    health_rig_free_config(none);
}

/* The child of a removed service is stopped, and is no failure that anybody counts. */
static void a_removed_child_is_stopped(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = health_rig_add(rig, "demo");
    health_rig_command(rig, demo, "sleep", "1000", NULL);
    health_rig_start(rig);
    UNTIL(rig, health_rig_first(rig)->child.process != NULL);
    pid_t pid = process_pid(health_rig_first(rig)->child.process);
    struct config *next = health_rig_next(rig);
    next->service_count = 0;
    health_apply(rig->health, next, NULL);
    assert_int_equal(health_count(rig->health), 0);
    UNTIL(rig, rig->health->retired == NULL);
    assert_int_equal(kill(pid, 0), -1);
    health_free(rig->health);
    rig->health = NULL;
    health_rig_free_config(next);
}

/* A command that was cut off by a crash goes on before the services are started. */
static void a_restart_before_the_start_is_the_start(void **state)
{
    struct rig *rig = *state;
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    add_child(rig, "exec sleep 1000");
    health_rig_make(rig);
    struct action_call call = health_rig_call(rig, "service.restart", "demo", NULL, reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_DONE);
    health_start(rig->health);
    UNTIL(rig, health_up(rig->health) == 1);
}

UNIT_GROUP(
    health, RIGGED(an_alert_is_raised_at_the_threshold_and_resolved),
    RIGGED(fewer_failures_raise_no_alert), RIGGED(a_program_that_does_not_exist_is_the_reason),
    RIGGED(a_refused_connection_is_down), RIGGED(any_2xx_is_healthy_unless_expect_status_is_set),
    RIGGED(failures_after_a_start_are_not_counted),
    RIGGED(an_alert_of_an_earlier_process_is_resolved), RIGGED(a_killed_child_is_started_again),
    RIGGED(a_child_that_keeps_ending_is_down), RIGGED(a_restart_starts_a_new_child_at_once),
    RIGGED(a_restart_interrupted_by_a_crash_is_looked_up),
    RIGGED(a_restart_before_the_start_is_the_start),
    RIGGED(a_forced_restart_goes_on_if_not_each_process_was_killed),
    RIGGED(another_unit_ends_what_was_asked_of_the_old_one),
    RIGGED(a_forced_restart_kills_what_hangs),
    RIGGED(a_check_of_everything_explains_the_worst_first),
    RIGGED(waiting_before_the_start_is_not_a_failure), RIGGED(waiting_times_out),
    RIGGED(healthy_is_what_stays_so), RIGGED(the_reason_is_that_of_the_last_check_that_ended),
    RIGGED(an_older_check_is_not_the_reason_of_a_wait), RIGGED(logs_are_bounded_clean_and_redacted),
    RIGGED(a_nul_hides_no_part_of_a_log), RIGGED(an_unknown_service_name_is_refused),
    RIGGED(a_unit_without_systemd_is_down), RIGGED(a_service_that_was_not_checked_yet_is_no_outage),
    RIGGED(a_bad_unit_name_is_refused), RIGGED(a_reload_keeps_the_state_of_what_stays),
    RIGGED(a_removed_service_fails_its_calls_and_resolves_its_alert),
    RIGGED(another_command_replaces_the_child), RIGGED(a_removed_child_is_stopped))
