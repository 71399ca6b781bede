#include "base/check.h"
#include "base/log.h"
#include "health_internal.h"
#include "io/json_out.h"
#include "logs.h"

#include <string.h>

/* ------------------------------------------------------------------ list */

static enum tone tone_of(enum service_state state)
{
    switch (state) {
    case SERVICE_UP:
        return TONE_GOOD;
    case SERVICE_DOWN:
        return TONE_BAD;
    case SERVICE_UNKNOWN:
    case SERVICE_FLAPPING:
        return TONE_WARN;
    }
    return TONE_PLAIN;
}

static void add_service(struct json_out *data, const struct service *s)
{
    json_out_object(data, NULL);
    json_out_text(data, "name", s->config->name);
    json_out_text(data, "kind", service_kind(s));
    json_out_text(data, "state", service_state_name(s->state));
    json_out_time(data, "since", s->since_us);
    json_out_time(data, "checked_at", s->checked_us);
    json_out_i64(data, "latency_us", s->latency_us);
    json_out_i64(data, "failures", s->failures);
    json_out_i64(data, "restarts", s->child.restarts);
    json_out_i64(data, "pid", s->child.process != NULL ? process_pid(s->child.process) : 0);
    json_out_text(data, "detail", s->detail);
    json_out_end(data);
}

static int list_services(struct action_call *call, struct err *err)
{
    (void)err;
    struct health *health = action_userdata(call);
    struct reply *reply = action_reply(call);
    int64_t now_mono_us = clock_mono_us(loop_clock(health->options.loop));
    size_t up = health_up(health);
    enum tone tone = TONE_GOOD;
    for (size_t i = 0; i < health->count; i++) {
        enum tone one = tone_of(health->services[i]->state);
        tone = one > tone ? one : tone;
    }
    reply_title(reply, tone, "Services %zu/%zu up", up, health->count);
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "services");
    if (health->count > 0) {
        reply_columns(reply, "name", "kind", "state", "for", "checked ago", "latency");
    }
    for (size_t i = 0; i < health->count; i++) {
        const struct service *s = health->services[i];
        reply_cells(reply, cell_text(s->config->name), cell_text(service_kind(s)),
                    cell_state(service_state_name(s->state), tone_of(s->state)),
                    s->since_us == 0 ? cell_none() : cell_duration(now_mono_us - s->since_mono_us),
                    s->checked_us == 0 ? cell_none()
                                       : cell_duration(now_mono_us - s->checked_mono_us),
                    s->state == SERVICE_UP ? cell_ms((double)s->latency_us / 1e3) : cell_none());
        add_service(&data, s);
    }
    json_out_end(&data);
    for (size_t i = 0; i < health->count; i++) {
        const struct service *s = health->services[i];
        if (s->state != SERVICE_UP) {
            reply_item(reply, "{}: {}", cell_text(s->config->name), cell_text(s->detail));
        }
    }
    return ACTION_DONE;
}

static int show_state(struct action_call *call, struct err *err)
{
    const struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    struct reply *reply = action_reply(call);
    reply_title(reply, tone_of(s->state), "%s is %s", s->config->name,
                service_state_name(s->state));
    if (s->detail[0] != '\0') {
        reply_line(reply, "%s", s->detail);
    }
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    json_out_array(&data, "services");
    add_service(&data, s);
    json_out_end(&data);
    action_output(call, "state", "%s", service_state_name(s->state));
    action_output(call, "failures", "%d", s->failures);
    action_output(call, "latency_ms", "%lld", (long long)(s->latency_us / USEC_PER_MSEC));
    action_output(call, "pid", "%d",
                  s->child.process != NULL ? (int)process_pid(s->child.process) : 0);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------ restart, wait */

static int restart_service(struct action_call *call, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    return s == NULL ? -ERR_SERVICE_UNKNOWN : service_restart(s, call, err);
}

/* What else is affected while the service is away. */
static void show_dependents(const struct service *s, struct reply *reply)
{
    const struct config *config = s->health->options.config;
    AUTO_BUF struct buf names = BUF_INIT(2048);
    for (int i = 0; i < config->service_count; i++) {
        for (int k = 0; k < config->services[i].depends_on.count; k++) {
            if (strcmp(config->services[i].depends_on.items[k], s->config->name) == 0) {
                buf_addf(&names, "%s%s", names.len == 0 ? "" : ", ", config->services[i].name);
            }
        }
    }
    if (names.len > 0) {
        reply_line(reply, "Depends on it: %s", names.data);
    }
}

/* Describes the restart for the prompt; refuses a service that cannot be restarted. */
static int preview_restart(struct action_call *call, struct err *err)
{
    const struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    struct reply *reply = action_reply(call);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    AUTO_BUF struct buf how = BUF_INIT(256);
    if (s->config->unit[0] != '\0') {
        buf_addf(&how, "systemd restarts %s", s->config->unit);
    } else if (s->child.process != NULL) {
        buf_addf(&how, "process %d is stopped and started again",
                 (int)process_pid(s->child.process));
    } else if (s->config->command.count > 0) {
        buf_add_c(&how, "not running; it will be started");
    } else {
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s", s->config->name);
    }
    action_depends(call, s->config->name, "%s", s->config->unit);
    show_dependents(s, reply);
    reply_para(reply, "{}: {}. Now {}", cell_text(s->config->name), cell_text(how.data),
               cell_text(service_state_name(s->state)));
    if (s->since_us != 0) {
        int64_t now_mono_us = clock_mono_us(loop_clock(s->health->options.loop));
        reply_more(reply, " for {}", cell_duration(now_mono_us - s->since_mono_us));
    }
    reply_more(reply, "{}", cell_text("."));
    return 0;
}

static int recover_restart(struct action_call *call, bool *ret_happened, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    return s == NULL ? -ERR_SERVICE_UNKNOWN : service_recover(s, call, ret_happened, err);
}

static int wait_healthy(struct action_call *call, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    return service_wait(s, call, action_duration_us(call, "within"), err);
}

static void cancel_call(struct action_call *call)
{
    struct health *health = action_userdata(call);
    for (size_t i = 0; i < health->count; i++) {
        service_forget(health->services[i], call);
    }
}

/* ------------------------------------------------------------------ the table */

#define PARAM_OF_SERVICE                                                                    \
    {                                                                                       \
        .name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service" \
    }

static const struct action actions[] = {
    {.name = "service.list",
     .summary = "Services with their state and the result of the last check",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = list_services},
    {.name = "service.state",
     .summary = "State of one service, for steps that depend on it",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "state failures latency_ms pid",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = show_state},
    {.name = "service.restart",
     .summary = "Restart a service",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = restart_service,
     .cancel = cancel_call,
     .recover = recover_restart,
     .preview = preview_restart},
    {.name = "service.wait_healthy",
     .summary = "Wait until the service is healthy",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, {.name = "within",
                                                .type = PARAM_DURATION,
                                                .waits = true,
                                                .default_text = "60s",
                                                .minimum = "1s",
                                                .maximum = "10m",
                                                .help = "how long to wait"}),
     .waits_us = 60 * USEC_PER_SEC,
     .run = wait_healthy,
     .cancel = cancel_call},
    {0},
};

static void list_names(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    const struct health *health = userdata;
    for (size_t i = 0; i < health->count; i++) {
        emit(health->services[i]->config->name, emit_userdata);
    }
}

static const struct value_domain services = {.type = PARAM_SERVICE,
                                             .before = "no service ",
                                             .after = "",
                                             .listed = "configured",
                                             .edits = 2,
                                             .list = list_names};

void health_actions(struct health *health, struct action_table *table)
{
    action_table_add(table, actions, health);
    action_table_add(table, logs_actions, health);
    if (health != NULL) { /* else the actions are only described */
        action_table_add_domain(table, &services, health);
    }
}
