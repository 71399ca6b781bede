#include "health_rig.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_request(struct web_request *request, void *userdata)
{
    struct rig *rig = userdata;
    rig->asked++;
    if (str_equal_c(web_path(request), "/moved")) {
        const char *const headers[] = {"Location: healthz", NULL};
        web_answer(request, &(struct web_answer){.status = 302, .headers = headers});
        return;
    }
    web_answer_c(request, str_equal_c(web_path(request), "/healthz") ? rig->status : 404,
                 rig->body);
}

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

int health_rig_set_up(void **state)
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
    rig->body = "ok";
    rig->config.services = rig->services;
    rig->config.telegram_bot_token = "";
    rig->config.monitoring_check_interval_us = INTERVAL_US;
    rig->config.monitoring_alert_threshold = 3;
    rig->config.monitoring_metrics_interval_us = USEC_PER_MIN;
    rig->config.monitoring_confirm_interval_us = INTERVAL_US;
    rig->config.monitoring_start_grace_us = 10 * USEC_PER_SEC;
    rig->config.monitoring_flapping_window_us = 10 * USEC_PER_MIN;
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

int health_rig_tear_down(void **state)
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
    (void)snprintf(path, sizeof(path), "%s/attachments", rig->folder);
    assert_int_equal(file_remove_tree(path, NULL), 0);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig);
    return 0;
}

struct config_service *health_rig_add(struct rig *rig, const char *name)
{
    struct config_service *service = &rig->config.services[rig->config.service_count++];
    *service = (struct config_service){
        .unit = "", .url = "", .health_endpoint = "/healthz", .timeout_us = USEC_PER_SEC};
    (void)str_copy(str_c(name), service->name, sizeof(service->name));
    return service;
}

struct config_check *health_rig_check(struct rig *rig, const char *name)
{
    struct config_service *service = &rig->services[0];
    struct config_check *check = &rig->checks[service->check_count++];
    *check = (struct config_check){.unit = "",
                                   .url = "",
                                   .path = "",
                                   .tcp = "",
                                   .file = "",
                                   .process = "",
                                   .body_has = "",
                                   .body_matches = "",
                                   .json_pointer = "",
                                   .json_value = "",
                                   .ca_file = ""};
    (void)str_copy(str_c(name), check->name, sizeof(check->name));
    service->checks = rig->checks;
    return check;
}

void health_rig_command(struct rig *rig, struct config_service *service, const char *arg0,
                        const char *arg1, const char *arg2)
{
    const char *argv[] = {arg0, arg1, arg2, NULL};
    memcpy(rig->argv, argv, sizeof(argv));
    service->command = (struct config_texts){.count = 0, .items = rig->argv};
    while (argv[service->command.count] != NULL) {
        service->command.count++;
    }
}

void health_rig_make(struct rig *rig)
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

void health_rig_start(struct rig *rig)
{
    health_rig_make(rig);
    health_start(rig->health);
}

struct service *health_rig_first(struct rig *rig)
{
    return rig->health->services[0];
}

int health_rig_alert(struct rig *rig, const char *fingerprint)
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
struct arg_value *health_rig_values(const struct action *action, const char *arg0, const char *arg1)
{
    static struct arg_value pool[10][8];
    static size_t next = 0;
    static const struct value_context none = {.now_us = 0};
    struct arg_value *values = pool[next++ % COUNT_OF(pool)];
    const char *const texts[8] = {arg0, arg1};
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

struct action_call health_rig_call(struct rig *rig, const char *action, const char *arg0,
                                   const char *arg1, struct reply *reply, struct finished *f)
{
    static const struct principal who = {.channel = CHANNEL_TELEGRAM, .name = "al"};
    const struct action *found = action_find(rig->table, action);
    assert_non_null(found);
    return (struct action_call){.action = found,
                                .who = &who,
                                .userdata = rig->health,
                                .reply = reply,
                                .args = health_rig_values(found, arg0, arg1),
                                .progress = on_progress,
                                .finish = on_finish,
                                .owner = f};
}

/* A copy of the configuration, as a reload makes one. */
struct config *health_rig_next(const struct rig *rig)
{
    struct config *next = calloc(1, sizeof(*next));
    *next = rig->config;
    next->services = calloc(COUNT_OF(rig->services), sizeof(*next->services));
    memcpy(next->services, rig->services, sizeof(rig->services));
    return next;
}

void health_rig_free_config(struct config *config)
{
    free(config->services);
    free(config);
}
