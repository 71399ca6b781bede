#include "../../../src/command/call.h"
#include "../../../src/health/health_internal.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "health/health.h"
#include "io/file.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/secret.h"
#include "io/web.h"
#include "rigs/reply_text.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "store/sample_table.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_US (20 * USEC_PER_MSEC)

struct finished {
    int times;
    int err_id;
    char context[256];
};

struct rig {
    struct loop *loop;
    struct http *http;
    struct pool *helpers;
    struct config config;
    char folder[64];
    char url[64];
    struct ops_store *store;
    struct alerts *alerts;
    struct health *health;
    struct action_table *table;
    struct web *web;
    _Atomic int status; /* the HTTP status that the service returns */
    _Atomic int asked;
};

static void on_request(struct web_request *request, void *userdata)
{
    struct rig *rig = userdata;
    rig->asked++;
    web_answer_c(request, str_equal_c(web_path(request), "/healthz") ? rig->status : 404, "ok");
}

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_int_equal(secret_init(&err), 0);
    log_set_sink(swallow, NULL);
    rig->loop = loop_new(&err);
    rig->http = http_new(rig->loop, &err);
    rig->helpers =
        pool_new(rig->loop,
                 &(struct pool_options){.name = "helper", .threads_max = 1, .queue_max = 4}, &err);
    rig->status = 200;
    rig->config.telegram_bot_token = "";
    rig->config.monitoring_check_interval_us = INTERVAL_US;
    rig->config.monitoring_alert_threshold = 3;
    rig->config.monitoring_metrics_interval_us = USEC_PER_MIN;
    (void)snprintf(rig->folder, sizeof(rig->folder), "/var/tmp/nightdesk-health-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    assert_int_equal(ops_store_open(":memory:", OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = loop_clock(rig->loop),
                                                         .config = &rig->config,
                                                         .store = rig->store},
                                &rig->alerts, &err),
                     0);
    assert_int_equal(
        web_start(&(struct web_options){.handler = on_request, .userdata = rig}, &rig->web, &err),
        0);
    (void)snprintf(rig->url, sizeof(rig->url), "http://127.0.0.1:%u", web_port(rig->web));
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    action_table_free(rig->table);
    health_free(rig->health);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    http_free(rig->http);
    pool_free(rig->helpers);
    loop_free(rig->loop);
    web_stop(rig->web);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/demo.log.1", rig->folder);
    (void)unlink(path);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig);
    return 0;
}

static struct config_service *add_service(struct rig *rig, const char *name)
{
    struct config_service *service = &rig->config.services[rig->config.service_count++];
    *service = (struct config_service){
        .unit = "", .url = "", .health_endpoint = "/healthz", .timeout_us = USEC_PER_SEC};
    (void)str_copy(str_c(name), service->name, sizeof(service->name));
    return service;
}

static void make_health(struct rig *rig)
{
    assert_int_equal(health_new(&(struct health_options){.loop = rig->loop,
                                                         .config = &rig->config,
                                                         .store = rig->store,
                                                         .alerts = rig->alerts,
                                                         .http = rig->http,
                                                         .helpers = rig->helpers,
                                                         .state_dir = rig->folder},
                                &rig->health, NULL),
                     0);
    rig->table = action_table_new();
    health_actions(rig->health, rig->table);
}

static void start(struct rig *rig)
{
    make_health(rig);
    health_start(rig->health);
}

/* Runs the loop until the condition is true, for at most ten seconds. */
#define UNTIL(rig, condition)                                                         \
    do {                                                                              \
        int64_t end_us_ = clock_mono_us(loop_clock((rig)->loop)) + 10 * USEC_PER_SEC; \
        while (!(condition) && clock_mono_us(loop_clock((rig)->loop)) < end_us_) {    \
            (void)loop_iterate((rig)->loop, 20000);                                   \
        }                                                                             \
        assert_true(condition);                                                       \
    } while (0)

static struct service *first(struct rig *rig)
{
    return rig->health->services[0];
}

static int alert_status(struct rig *rig, const char *fingerprint)
{
    struct alert *alert = calloc(1, sizeof(*alert));
    int rc = alert_table_find(rig->store, fingerprint, alert, NULL);
    int status = rc < 0 ? -1 : (int)alert->status;
    free(alert);
    return status;
}

static void on_finish(struct action_call *call, const struct err *err)
{
    struct finished *f = call->owner;
    f->times++;
    f->err_id = err != NULL ? err->id : ERR_NONE;
    (void)str_copy(str_c(err != NULL ? err->context : ""), f->context, sizeof(f->context));
}

static void on_progress(struct action_call *call, const char *text)
{
    (void)call;
    assert_true(text[0] != '\0');
}

/* The values of a call live until the tenth call after it. */
static struct arg_value *values_of(const struct action *action, const char *arg0, const char *arg1)
{
    static struct arg_value pool[10][2];
    static size_t next = 0;
    static const struct value_context none = {.now_us = 0};
    struct arg_value *values = pool[next++ % COUNT_OF(pool)];
    const char *const texts[] = {arg0, arg1};
    for (int p = 0; p < action_param_count(action); p++) {
        const struct action_param *param = &action->params[p];
        const char *text = texts[p] == NULL ? param->default_text : texts[p];
        value_release(&values[p]);
        if (text != NULL) {
            assert_int_equal(value_from_text(param, str_c(text), &none, &values[p], NULL), 0);
        }
    }
    return values;
}

static struct action_call call_of(struct rig *rig, const char *action, const char *arg0,
                                  const char *arg1, struct reply *reply, struct finished *f)
{
    const struct action *found = action_find(rig->table, action);
    assert_non_null(found);
    return (struct action_call){.action = found,
                                .userdata = rig->health,
                                .reply = reply,
                                .args = values_of(found, arg0, arg1),
                                .progress = on_progress,
                                .finish = on_finish,
                                .owner = f};
}

static void an_alert_is_raised_at_the_threshold_and_resolved(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    AUTO_BUF struct buf line = BUF_INIT(64);
    AUTO_JSON struct json_object *data = json_object_new_object();
    health_status(&line, data, rig->health);
    assert_string_equal(line.data, "Services 0/1 up (1 unknown)");
    buf_clear(&line);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    health_status(&line, data, rig->health);
    assert_string_equal(line.data, "Services 1/1 up");
    rig->status = 503;
    UNTIL(rig, first(rig)->failures >= 2);
    if (first(rig)->failures == 2) {
        assert_int_equal(alert_status(rig, "service:demo"), -1);
    }
    UNTIL(rig, first(rig)->failures >= 5);
    struct alert *alert = calloc(1, sizeof(*alert));
    assert_int_equal(alert_table_find(rig->store, "service:demo", alert, NULL), 0);
    assert_int_equal(alert->status, ALERT_OPEN);
    assert_int_equal(alert->count, 1);
    assert_int_equal(alert->type, ALERT_SERVICE);
    assert_int_equal(alert->severity, SEVERITY_HIGH);
    assert_non_null(strstr(alert->description, "3 consecutive checks failed: HTTP 503"));
    free(alert);
    rig->status = 200;
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    assert_int_equal(alert_status(rig, "service:demo"), ALERT_FIXED);
    struct sample_stats stats = {0};
    assert_int_equal(sample_table_stats(rig->store, "demo", 0, &stats, NULL), 0);
    assert_true(stats.count >= 7 && stats.up >= 2 && stats.up <= stats.count - 5);
}

static void fewer_failures_raise_no_alert(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    for (int i = 0; i < 3; i++) {
        rig->status = 500;
        UNTIL(rig, first(rig)->failures == 1);
        rig->status = 200;
        UNTIL(rig, first(rig)->state == SERVICE_UP);
    }
    assert_int_equal(alert_status(rig, "service:demo"), -1);
}

static void any_2xx_is_healthy_unless_expect_status_is_set(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = add_service(rig, "demo");
    demo->url = rig->url;
    rig->status = 204;
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    rig->status = 304;
    UNTIL(rig, first(rig)->state == SERVICE_DOWN);
    assert_string_equal(first(rig)->detail, "HTTP 304, expected 200 to 299");
    rig->status = 299;
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    demo->expect_status = 204;
    UNTIL(rig, first(rig)->state == SERVICE_DOWN);
    assert_string_equal(first(rig)->detail, "HTTP 299, expected 204");
    rig->status = 204;
    UNTIL(rig, first(rig)->state == SERVICE_UP);
}

static void a_program_that_does_not_exist_is_the_reason(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = add_service(rig, "demo");
    demo->command = (struct config_texts){.count = 1, .items = {"/nowhere/nothing"}};
    start(rig);
    UNTIL(rig, first(rig)->checked_us > 0 && !first(rig)->checking);
    assert_string_equal(first(rig)->detail, "the program does not exist: /nowhere/nothing");
}

static void a_refused_connection_is_down(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    web_stop(rig->web);
    rig->web = NULL;
    UNTIL(rig, first(rig)->state == SERVICE_DOWN);
    assert_string_equal(first(rig)->detail, err_info(ERR_HTTP_CONNECT)->message);
}

static void failures_after_a_start_are_not_counted(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    rig->status = 503;
    start(rig);
    UNTIL(rig, first(rig)->checked_us > 0);
    assert_int_equal(first(rig)->state, SERVICE_UNKNOWN);
    assert_int_equal(first(rig)->failures, 0);
    first(rig)->grace_mono_us = 0;
    loop_timer_in(first(rig)->due, 0);
    UNTIL(rig, alert_status(rig, "service:demo") == ALERT_OPEN);
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
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    assert_int_equal(alert_status(rig, "service:demo"), ALERT_FIXED);
}

static void add_child(struct rig *rig, const char *script)
{
    struct config_service *service = add_service(rig, "demo");
    service->command.items[0] = "/bin/sh";
    service->command.items[1] = "-c";
    service->command.items[2] = script;
    service->command.count = 3;
}

static void a_killed_child_is_started_again(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    pid_t before = process_pid(first(rig)->child);
    assert_true(before > 0);
    assert_int_equal(kill(before, SIGKILL), 0);
    UNTIL(rig, first(rig)->child == NULL);
    assert_int_equal(first(rig)->exit_code, -SIGKILL);
    UNTIL(rig, first(rig)->state == SERVICE_DOWN);
    UNTIL(rig, first(rig)->child != NULL);
    pid_t after = process_pid(first(rig)->child);
    assert_true(after != before);
    assert_int_equal(first(rig)->restarts, 1);
    assert_int_equal(first(rig)->backoff_us, 2 * USEC_PER_SEC);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    health_free(rig->health);
    rig->health = NULL;
    assert_int_equal(kill(after, 0), -1);
}

static void a_child_that_keeps_ending_is_down(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exit 3");
    start(rig);
    first(rig)->grace_mono_us = 0;
    UNTIL(rig, first(rig)->failures >= 3);
    assert_int_equal(first(rig)->exit_code, 3);
    assert_int_equal(alert_status(rig, "service:demo"), ALERT_OPEN);
    assert_int_equal(health_up(rig->health), 0);
}

static void a_restart_starts_a_new_child_at_once(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    pid_t before = process_pid(first(rig)->child);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.restart", "demo", NULL, reply, &f);
    assert_int_equal(call.action->preview(&call, NULL), 0);
    assert_non_null(strstr(reply_text(reply, 0), "is stopped and started again. Now up for"));
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    struct finished g = {0};
    struct action_call again = call_of(rig, "service.restart", "demo", NULL, reply, &g);
    assert_int_equal(again.action->run(&again, NULL), -ERR_SERVICE_BUSY);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_true(process_pid(first(rig)->child) != before);
    assert_int_equal(kill(before, 0), -1);
    assert_int_equal(first(rig)->restarts, 0);
    struct action_call wait = call_of(rig, "service.wait_healthy", "demo", "10s", reply, &g);
    assert_int_equal(wait.action->run(&wait, NULL), ACTION_PENDING);
    UNTIL(rig, g.times == 1);
    assert_int_equal(g.err_id, ERR_NONE);
    assert_string_equal(reply_get_title(reply), "demo is healthy");
}

static void a_restart_interrupted_by_a_crash_is_looked_up(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    add_service(rig, "pred")->unit = "pred.service";
    start(rig);
    struct finished f = {0};
    struct err err = {0};
    bool happened = false;
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.restart", "demo", NULL, reply, &f);
    assert_int_equal(call.action->recover(&call, &happened, &err), 0);
    assert_true(happened); /* children restart with nightdesk */

    call.args = values_of(call.action, "pred", NULL); /* without systemd the outcome is unknown */
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

static void waiting_before_the_start_is_not_a_failure(void **state)
{
    struct rig *rig = *state;
    add_child(rig, "exec sleep 1000");
    make_health(rig);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.wait_healthy", "demo", NULL, reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, first(rig)->checked_us > 0); /* the child has not started yet */
    assert_int_equal(first(rig)->failures, 0);
    assert_int_equal(first(rig)->state, SERVICE_UNKNOWN);
    health_start(rig->health);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
}

static void waiting_times_out(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    rig->status = 500;
    start(rig);
    struct finished f = {0};
    struct finished g = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.wait_healthy", "demo", "1s", reply, &f);
    struct action_call cancelled = call_of(rig, "service.wait_healthy", "demo", "1s", reply, &g);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    assert_int_equal(cancelled.action->run(&cancelled, NULL), ACTION_PENDING);
    cancelled.action->cancel(&cancelled);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNHEALTHY);
    assert_int_equal(g.times, 0);
}

/* While a check runs, the reason of a service that is down is that of the check before. */
static void the_reason_is_that_of_the_last_check_that_ended(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    rig->status = 500;
    start(rig);
    struct service *demo = first(rig);
    UNTIL(rig, demo->checked_us > 0 && !demo->checking);
    UNTIL(rig, demo->checking);
    demo->failed = true; /* a part of the running check has failed already */
    (void)str_copy(str_c("another part"), demo->failure, sizeof(demo->failure));
    assert_string_equal(demo->detail, "HTTP 500, expected 200 to 299");
    UNTIL(rig, !demo->checking);
    assert_string_equal(demo->detail, "another part");
}

/* A check that began before the command is no answer to it, not even "ok". */
static void an_older_check_is_not_the_reason_of_a_wait(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    UNTIL(rig, first(rig)->checking);
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.wait_healthy", "demo", "1s", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    first(rig)->waiters[0].deadline_mono_us = 0; /* the time is over when that check ends */
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNHEALTHY);
    assert_has(f.context, "demo: not checked since");
}

static bool file_holds(const char *path, const char *text)
{
    AUTO_BUF struct buf content = BUF_INIT((size_t)1 << 20);
    return file_read(path, &content, NULL) == 0 && strstr(content.data, text) != NULL;
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
    start(rig);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    UNTIL(rig, file_holds(path, "bad "));
    AUTO_REPLY struct reply *reply = reply_new();
    struct finished f = {0};
    struct action_call call = call_of(rig, "service.logs", "demo", "5", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    assert_int_equal(f.times, 0);
    UNTIL(rig, f.times == 1);
    assert_int_equal(f.err_id, ERR_NONE);
    assert_true(reply_is_protected(reply));
    assert_int_equal(reply_block_count(reply), 1);
    const char *shown = reply_text(reply, 0);
    assert_string_equal(shown, "line 97\nline 98\nline 99\nkey ***\nbad ??[31m");
    struct action_call cancelled = call_of(rig, "service.logs", "demo", "5", reply, &f);
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
    start(rig);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/demo.log", rig->folder);
    UNTIL(rig, file_size(path) >= 40);
    AUTO_REPLY struct reply *reply = reply_new();
    struct finished f = {0};
    struct action_call call = call_of(rig, "service.logs", "demo", "5", reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    UNTIL(rig, f.times == 1);
    assert_string_equal(reply_text(reply, 0), "one?two\nkey ***\nrm ?cba ? end");
}

static void an_unknown_service_name_is_refused(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "prediction")->url = rig->url;
    start(rig);
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.restart", "predicton", NULL, reply, NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_SERVICE_UNKNOWN);
    assert_non_null(strstr(err.context, "did you mean prediction?"));
    call.args = values_of(call.action, "prediction", NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_SERVICE_UNMANAGED);
    assert_int_equal(call.action->preview(&call, &err), -ERR_SERVICE_UNMANAGED);
    call = call_of(rig, "service.logs", "prediction", NULL, reply, NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_SERVICE_UNMANAGED);
}

static void a_unit_without_systemd_is_down(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->unit = "demo.service";
    start(rig);
    first(rig)->grace_mono_us = 0;
    UNTIL(rig, first(rig)->state == SERVICE_DOWN);
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call call = call_of(rig, "service.restart", "demo", NULL, reply, NULL);
    assert_int_equal(call.action->run(&call, &err), -ERR_UNITS_UNAVAILABLE);
    struct action_call list = call_of(rig, "service.list", NULL, NULL, reply, NULL);
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
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    struct err err = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    struct action_call list = call_of(rig, "service.list", NULL, NULL, reply, NULL);
    assert_int_equal(list.action->run(&list, &err), ACTION_DONE);
    assert_string_equal(reply_text_cell(reply, 0, 0, 2), "🟡 unknown");
    assert_int_equal(reply_get_tone(reply), TONE_WARN);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    AUTO_REPLY struct reply *later = reply_new();
    list.reply = later;
    assert_int_equal(list.action->run(&list, &err), ACTION_DONE);
    assert_int_equal(reply_get_tone(later), TONE_GOOD);
}

static void a_bad_unit_name_is_refused(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "demo")->unit = "../../etc/passwd";
    struct health *health = NULL;
    struct health_options options = {.loop = rig->loop, .config = &rig->config};
    assert_int_equal(health_new(&options, &health, NULL), -ERR_UNITS_UNKNOWN);
    assert_null(health);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* A copy of the configuration, as a reload makes one. */
static struct config *next_config(const struct rig *rig)
{
    struct config *next = calloc(1, sizeof(*next));
    *next = rig->config;
    return next;
}

static void a_reload_keeps_the_state_of_what_stays(void **state)
{
    struct rig *rig = *state;
    add_service(rig, "old")->url = rig->url;
    add_service(rig, "demo")->url = rig->url;
    start(rig);
    UNTIL(rig, rig->health->services[0]->state == SERVICE_UP &&
                   rig->health->services[1]->state == SERVICE_UP);
    struct service *demo = rig->health->services[1];
    struct config *next = next_config(rig);
    next->services[0] = rig->config.services[1]; /* old is gone, more is new */
    next->services[1] = rig->config.services[1];
    (void)str_copy(STR_LIT("more"), next->services[1].name, sizeof(next->services[1].name));
    next->services[0].timeout_us = 2 * USEC_PER_SEC;
    health_apply(rig->health, next, NULL);
    memset(rig->config.services, 0xff, sizeof(rig->config.services)); /* not read any more */
    assert_int_equal(rig->health->count, 2);
    assert_ptr_equal(rig->health->services[0], demo);
    assert_int_equal(demo->state, SERVICE_UP);
    assert_int_equal(demo->config->timeout_us, 2 * USEC_PER_SEC);
    UNTIL(rig, rig->health->services[1]->state == SERVICE_UP);
    assert_null(health_find(rig->health, "old", NULL));
    UNTIL(rig, rig->health->retired == NULL);
    health_free(rig->health);
    rig->health = NULL;
    free(next);
}

static void a_removed_service_fails_its_calls_and_resolves_its_alert(void **state)
{
    struct rig *rig = *state;
    struct finished f = {0};
    AUTO_REPLY struct reply *reply = reply_new();
    add_service(rig, "demo")->url = rig->url;
    rig->status = 500;
    start(rig);
    struct service *demo = first(rig);
    demo->grace_mono_us = 0;
    UNTIL(rig, alert_status(rig, "service:demo") == ALERT_OPEN);
    struct action_call call = call_of(rig, "service.wait_healthy", "demo", NULL, reply, &f);
    assert_int_equal(call.action->run(&call, NULL), ACTION_PENDING);
    struct config *next = next_config(rig);
    next->service_count = 0;
    health_apply(rig->health, next, NULL);
    assert_int_equal(f.times, 1);
    assert_int_equal(f.err_id, ERR_SERVICE_UNKNOWN);
    assert_int_equal(alert_status(rig, "service:demo"), ALERT_FIXED);
    UNTIL(rig, rig->health->retired == NULL);
    health_free(rig->health);
    rig->health = NULL;
    free(next);
}

static void another_command_replaces_the_child(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = add_service(rig, "demo");
    demo->command = (struct config_texts){.count = 2, .items = {"sleep", "1000"}};
    start(rig);
    UNTIL(rig, first(rig)->child != NULL);
    pid_t pid = process_pid(first(rig)->child);
    struct config *next = next_config(rig);
    next->services[0].timeout_us = 3 * USEC_PER_SEC;
    health_apply(rig->health, next, NULL);
    assert_int_equal(process_pid(first(rig)->child), pid); /* the same command goes on */
    struct config *other = next_config(rig);
    other->services[0].command.items[1] = "2000";
    health_apply(rig->health, other, NULL);
    free(next);
    UNTIL(rig, first(rig)->child != NULL && process_pid(first(rig)->child) != pid &&
                   process_pid(first(rig)->child) != 0);
    assert_int_equal(first(rig)->restarts, 0); /* it did not fail */
    struct config *none = next_config(rig);
    none->services[0].command.count = 0;
    none->services[0].url = rig->url;
    health_apply(rig->health, none, NULL);
    free(other);
    UNTIL(rig, first(rig)->child == NULL);
    UNTIL(rig, first(rig)->state == SERVICE_UP);
    health_free(rig->health);
    rig->health = NULL;
    free(none);
}

/* The child of a removed service is stopped, and is no failure that anybody counts. */
static void a_removed_child_is_stopped(void **state)
{
    struct rig *rig = *state;
    struct config_service *demo = add_service(rig, "demo");
    demo->command = (struct config_texts){.count = 2, .items = {"sleep", "1000"}};
    start(rig);
    UNTIL(rig, first(rig)->child != NULL);
    pid_t pid = process_pid(first(rig)->child);
    struct config *next = next_config(rig);
    next->service_count = 0;
    health_apply(rig->health, next, NULL);
    assert_int_equal(health_count(rig->health), 0);
    UNTIL(rig, rig->health->retired == NULL);
    assert_int_equal(kill(pid, 0), -1);
    health_free(rig->health);
    rig->health = NULL;
    free(next);
}

UNIT_GROUP(
    health, RIGGED(an_alert_is_raised_at_the_threshold_and_resolved),
    RIGGED(fewer_failures_raise_no_alert), RIGGED(a_program_that_does_not_exist_is_the_reason),
    RIGGED(a_refused_connection_is_down), RIGGED(any_2xx_is_healthy_unless_expect_status_is_set),
    RIGGED(failures_after_a_start_are_not_counted),
    RIGGED(an_alert_of_an_earlier_process_is_resolved), RIGGED(a_killed_child_is_started_again),
    RIGGED(a_child_that_keeps_ending_is_down), RIGGED(a_restart_starts_a_new_child_at_once),
    RIGGED(a_restart_interrupted_by_a_crash_is_looked_up),
    RIGGED(waiting_before_the_start_is_not_a_failure), RIGGED(waiting_times_out),
    RIGGED(the_reason_is_that_of_the_last_check_that_ended),
    RIGGED(an_older_check_is_not_the_reason_of_a_wait), RIGGED(logs_are_bounded_clean_and_redacted),
    RIGGED(a_nul_hides_no_part_of_a_log), RIGGED(an_unknown_service_name_is_refused),
    RIGGED(a_unit_without_systemd_is_down), RIGGED(a_service_that_was_not_checked_yet_is_no_outage),
    RIGGED(a_bad_unit_name_is_refused), RIGGED(a_reload_keeps_the_state_of_what_stays),
    RIGGED(a_removed_service_fails_its_calls_and_resolves_its_alert),
    RIGGED(another_command_replaces_the_child), RIGGED(a_removed_child_is_stopped))
