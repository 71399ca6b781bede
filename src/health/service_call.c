#include "base/auto.h"
#include "base/check.h"
#include "health_internal.h"
#include "service.h"

#include <signal.h>

#define UNIT_JOB_MS 60000

static int64_t mono_us(const struct service *service)
{
    return clock_mono_us(loop_clock(service->health->options.loop));
}

/* ------------------------------------------------------------------ waiting calls */

bool service_has_waiters(const struct service *service)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        if (service->waiters[i].call != NULL) {
            return true;
        }
    }
    return false;
}

void service_break_steady(struct service *service)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        service->waiters[i].since_mono_us = 0;
    }
}

static void finish_wait(const struct service *service, const struct service_waiter *waiter,
                        struct action_call *call)
{
    struct reply *reply = action_reply(call);
    reply_title(reply, TONE_GOOD, "%s is healthy", service->label);
    reply_para(reply, "Its checks succeeded after {}",
               cell_duration(waiter->since_mono_us - waiter->begun_mono_us));
    if (waiter->steady_us > 0) {
        reply_more(reply, " and for {} from then on", cell_duration(waiter->steady_us));
    }
    reply_more(reply, "{}", cell_text("."));
    action_finish(call, NULL);
}

void service_notify_waiters(struct service *service, bool up)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        struct service_waiter *waiter = &service->waiters[i];
        struct action_call *call = waiter->call;
        if (call == NULL) {
            continue;
        }
        int64_t waited_us = mono_us(service) - waiter->begun_mono_us;
        /* A check that began before the command says nothing about what the command has done. */
        bool counts = service->check_mono_us >= waiter->begun_mono_us;
        const char *why = !up      ? service->detail
                          : counts ? "its process does not keep running"
                                   : "not checked since";
        if (!up || !counts) {
            waiter->since_mono_us = 0;
        } else if (waiter->since_mono_us == 0 &&
                   service->check_mono_us < waiter->deadline_mono_us) {
            waiter->since_mono_us = service->check_mono_us;
        }
        int64_t steady_us = service->check_mono_us - waiter->since_mono_us;
        if (waiter->since_mono_us != 0 && steady_us >= waiter->steady_us) {
            waiter->call = NULL;
            finish_wait(service, waiter, call);
        } else if (waiter->since_mono_us != 0) {
            action_progress(call, "%s is healthy; it has to stay so for %lld s, now %lld s",
                            service->label, (long long)(waiter->steady_us / USEC_PER_SEC),
                            (long long)(steady_us / USEC_PER_SEC));
        } else if (mono_us(service) >= waiter->deadline_mono_us) {
            struct err err = {0};
            (void)err_set(&err, ERR_SERVICE_UNHEALTHY, "%s: %s", service->label, why);
            waiter->call = NULL;
            action_finish(call, &err);
        } else {
            action_progress(call, "waiting for %s: %s, %lld s", service->label, why,
                            (long long)(waited_us / USEC_PER_SEC));
        }
    }
}

int service_wait(struct service *service, struct action_call *call, int64_t within_us,
                 int64_t steady_us, struct err *err)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        struct service_waiter *waiter = &service->waiters[i];
        if (waiter->call == NULL) {
            *waiter = (struct service_waiter){.call = call,
                                              .begun_mono_us = mono_us(service),
                                              .deadline_mono_us = mono_us(service) + within_us,
                                              .steady_us = steady_us};
            /* As long as the command waits for it, it is starting. */
            if (mono_us(service) < service->grace_mono_us &&
                service->grace_mono_us < waiter->deadline_mono_us) {
                service->grace_mono_us = waiter->deadline_mono_us;
            }
            service_check_soon(service);
            return ACTION_PENDING;
        }
    }
    return err_set(err, ERR_SERVICE_BUSY, "%d commands are already waiting for %s",
                   SERVICE_WAITERS_MAX, service->config->name);
}

void service_forget(struct service *service, const struct action_call *call)
{
    if (service->restarting == call) {
        service->restarting = NULL;
    }
    if (service->recovering == call) {
        service->recovering = NULL;
    }
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        if (service->waiters[i].call == call) {
            service->waiters[i].call = NULL;
        }
    }
}

/* ------------------------------------------------------------------ restart */

void service_finish_restart(struct service *service, const struct err *err)
{
    struct action_call *call = service->restarting;
    service->restarting = NULL;
    service->restart_open = false;
    service_begin_grace(service, false);
    if (call == NULL) {
        return;
    }
    if (err == NULL || err->id == ERR_NONE) {
        reply_title(action_reply(call), TONE_GOOD, "%s %s", service->config->name,
                    service->reloads ? "reloaded" : "restarted");
    }
    action_finish(call, err);
}

static void on_job(const struct err *err, void *userdata)
{
    struct service *service = userdata;
    service_finish_restart(service, err);
    service_check_soon(service);
}

static int restart_unit(struct service *service, bool force, struct err *err)
{
    const char *unit = service->unit;
    struct units *units = service->health->options.units;
    if (units == NULL) {
        return err_set(err, ERR_UNITS_UNAVAILABLE, "%s", unit);
    }
    if (!service_runs_unit(service)) {
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s: no release of it is live", service->label);
    }
    return force ? units_kill(units, unit, UNIT_JOB_MS, service_killed, service, err)
                 : units_job(units, UNITS_RESTART, unit, UNIT_JOB_MS, on_job, service, err);
}

/* The processes are killed, there were none, or only some could be killed: in any case it has to be
 * started again. Whatever systemd does by itself now, the job is merged with it. */
void service_killed(const struct err *err, void *userdata)
{
    struct service *service = userdata;
    struct err why = *err;
    if (why.id == ERR_UNITS_DENIED || restart_unit(service, false, &why) < 0) {
        on_job(&why, service);
    }
}

static int restart(struct service *service, struct action_call *call, bool force, struct err *err)
{
    const struct config_service *config = service->config;
    if (service->restart_open) {
        return err_set(err, ERR_SERVICE_BUSY, "%s", config->name);
    }
    bool by_unit = config->unit[0] != '\0';
    if (!by_unit && config->command.count == 0) {
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s", config->name);
    }
    if (by_unit) {
        int rc = restart_unit(service, force, err);
        if (rc < 0) {
            return rc;
        }
    }
    service->restart_open = true;
    service->reloads = false;
    if (by_unit || service->child.process != NULL) {
        service->restarting = call;
        if (!by_unit) {
            (force ? child_replace_by_force : child_replace)(&service->child);
        }
        action_progress(call, "restarting %s", config->name);
        return ACTION_PENDING;
    }
    struct err why = {0};
    child_reset(&service->child);
    int rc = child_start(&service->child, &why);
    service->restart_open = false;
    service_begin_grace(service, false);
    if (rc < 0) {
        if (err != NULL) {
            *err = why;
        }
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "%s started", config->name);
    return ACTION_DONE;
}

int service_reload(struct service *service, struct action_call *call, struct err *err)
{
    const struct config_service *config = service->config;
    struct units *units = service->health->options.units;
    if (service->restart_open) {
        return err_set(err, ERR_SERVICE_BUSY, "%s", config->name);
    }
    if (config->unit[0] == '\0') {
        struct process *process = service->child.process;
        if (process == NULL || kill(process_pid(process), SIGHUP) < 0) {
            return err_set(err, ERR_SERVICE_UNMANAGED, "%s: no process is running", config->name);
        }
        reply_title(action_reply(call), TONE_GOOD, "%s reloaded", config->name);
        return ACTION_DONE;
    }
    if (units == NULL) {
        return err_set(err, ERR_UNITS_UNAVAILABLE, "%s", service->unit);
    }
    if (!service_runs_unit(service)) {
        return err_set(err, ERR_SERVICE_UNMANAGED, "%s: no release of it is live", config->name);
    }
    int rc = units_job(units, UNITS_RELOAD, service->unit, UNIT_JOB_MS, on_job, service, err);
    if (rc < 0) {
        return rc;
    }
    service->restart_open = service->reloads = true;
    service->restarting = call;
    action_progress(call, "reloading %s", config->name);
    return ACTION_PENDING;
}

int service_restart(struct service *service, struct action_call *call, struct err *err)
{
    return restart(service, call, false, err);
}

int service_force_restart(struct service *service, struct action_call *call, struct err *err)
{
    return restart(service, call, true, err);
}

/* The unit was restarted if systemd reports a change of its state after the command began. */
void service_looked_up(const struct units_state *state, const struct err *err, void *userdata)
{
    struct service *service = userdata;
    struct action_call *call = service->recovering;
    const char *unit = service->unit;
    service->recovering = NULL;
    if (call == NULL) {
        return;
    }
    struct err why = {0};
    AUTO_BUF struct buf since = BUF_INIT(64);
    if (state == NULL) {
        (void)err_set(&why, ERR_COMMAND_LOST, "restart of %s: systemd gave no answer: %s", unit,
                      err_info(err->id)->message);
        action_finish(call, &why);
        return;
    }
    clock_add_iso(&since, state->since_wall_us, false);
    if (state->since_wall_us < action_begun_us(call)) {
        (void)err_set(&why, ERR_COMMAND_NOT_DONE, "restart of %s: it has been %s (%s) since %s",
                      unit, state->active, state->sub, since.data);
        action_finish(call, &why);
        return;
    }
    reply_para(action_reply(call),
               "nightdesk was restarted in the meantime. {} has been {} ({}) since {}.",
               cell_text(unit), cell_text(state->active), cell_text(state->sub),
               cell_time(state->since_wall_us, 0));
    action_finish(call, NULL);
}

int service_recover(struct service *service, struct action_call *call, bool *ret_happened,
                    struct err *err)
{
    const struct config_service *config = service->config;
    if (config->unit[0] == '\0') { /* children stop and start with nightdesk */
        *ret_happened = config->command.count > 0;
        if (*ret_happened) {
            reply_line(action_reply(call),
                       "nightdesk was restarted in the meantime, and %s with it.", config->name);
        }
        return 0;
    }
    struct units *units = service->health->options.units;
    struct err why = {0};
    if (units == NULL) {
        return err_set(err, ERR_COMMAND_LOST, "restart of %s: systemd is not available",
                       service->unit);
    }
    if (service->recovering != NULL) {
        return err_set(err, ERR_COMMAND_LOST, "restart of %s: another recovery of it is under way",
                       service->unit);
    }
    if (units_get(units, service->unit, config->timeout_us / USEC_PER_MSEC, service_looked_up,
                  service, &why) < 0) {
        return err_set(err, ERR_COMMAND_LOST, "restart of %s: systemd gave no answer: %s",
                       service->unit, err_info(why.id)->message);
    }
    service->recovering = call;
    return ACTION_PENDING;
}

void service_fail_calls(struct service *service, const struct err *err)
{
    service_finish_restart(service, err);
    if (service->recovering != NULL) {
        action_finish(TAKE(service->recovering), err);
    }
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        if (service->waiters[i].call != NULL) {
            action_finish(TAKE(service->waiters[i].call), err);
        }
    }
}
