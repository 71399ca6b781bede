#include "base/check.h"
#include "base/log.h"
#include "check_all.h"
#include "forecast_show.h"
#include "health_internal.h"
#include "logs.h"
#include "service_list.h"

#include <string.h>

/* ------------------------------------------------------------------ restart, wait */

static int restart_service(struct action_call *call, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    return s == NULL ? -ERR_SERVICE_UNKNOWN : service_restart(s, call, err);
}

static int reload_service(struct action_call *call, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    return s == NULL ? -ERR_SERVICE_UNKNOWN : service_reload(s, call, err);
}

/* A second reload does no harm, so one that a crash interrupted is repeated. */
static int recover_reload(struct action_call *call, bool *ret_happened, struct err *err)
{
    int rc = reload_service(call, err);
    *ret_happened = rc == ACTION_DONE;
    return rc;
}

static int force_restart(struct action_call *call, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    return s == NULL ? -ERR_SERVICE_UNKNOWN : service_force_restart(s, call, err);
}

/* What else is affected while the service is away. */
static void show_dependents(const struct service *s, struct reply *reply)
{
    AUTO_BUF struct buf names = BUF_INIT(2048);
    health_add_dependents(s, &names);
    if (names.len > 0) {
        reply_line(reply, "Depends on it: %s", names.data);
    }
}

/* Describes the restart for the prompt; refuses a service that cannot be restarted. */
static int describe_restart(struct action_call *call, bool force, struct err *err)
{
    const struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    struct reply *reply = action_reply(call);
    if (s == NULL) {
        return -ERR_SERVICE_UNKNOWN;
    }
    AUTO_BUF struct buf how = BUF_INIT(256);
    if (s->config->unit[0] != '\0') {
        buf_addf(&how,
                 force ? "SIGKILL to all processes of %s, then systemd starts it again"
                       : "systemd restarts %s",
                 s->unit);
    } else if (s->child.process != NULL) {
        buf_addf(&how,
                 force ? "process %d gets SIGKILL and is started again"
                       : "process %d is stopped and started again",
                 (int)process_pid(s->child.process));
    } else if (s->config->command.count > 0) {
        buf_add_c(&how, "not running; it will be started");
    } else {
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s", s->config->name);
    }
    action_depends(call, s->config->name, "%s", s->unit);
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

static int preview_restart(struct action_call *call, struct err *err)
{
    return describe_restart(call, false, err);
}

static int preview_force_restart(struct action_call *call, struct err *err)
{
    return describe_restart(call, true, err);
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
    return service_wait(s, call, action_duration_us(call, "within"),
                        action_duration_us(call, "steady"), err);
}

static void cancel_call(struct action_call *call)
{
    struct health *health = action_userdata(call);
    for (size_t i = 0; i < health->count; i++) {
        service_forget(health->services[i], call);
    }
}

/* ------------------------------------------------------------------ the table */

static const struct action actions[] = {
    {.name = "service.list",
     .summary = "Services with their state and the result of the last check, or one with all its "
                "checks",
     .data = "services",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "service", .type = PARAM_SERVICE, .help = "only this one"}),
     .run = service_list},
    {.name = "service.state",
     .summary = "State of one service, for steps that depend on it",
     .data = "services",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "state failures latency_ms pid",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = service_show_state},
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
    {.name = "service.reload",
     .summary = "Reload a service, without a stop",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = reload_service,
     .cancel = cancel_call,
     .recover = recover_reload},
    {.name = "service.force_restart",
     .summary = "Kill the processes of a service and start it again",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = force_restart,
     .cancel = cancel_call,
     .recover = recover_restart,
     .preview = preview_force_restart},
    {.name = "service.wait_healthy",
     .summary = "Wait until the service is healthy, and stays so",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAMS_OF_WAIT),
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
    action_table_add(table, check_all_actions, health);
    action_table_add(table, service_colour_actions, health);
    action_table_add(table, forecast_actions, health);
    if (health != NULL) { /* else the actions are only described */
        action_table_add_domain(table, &services, health);
    }
}
