#include "service.h"

#include "base/check.h"
#include "base/log.h"
#include "health_internal.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX_BYTES ((size_t)64 * 1024)
#define LOG_MAX_BYTES  ((size_t)256 * 1024)
#define BACKOFF_US     USEC_PER_SEC
#define BACKOFF_MAX_US USEC_PER_MIN
#define STABLE_US      USEC_PER_MIN /* the back-off of a child that ran this long is reset */
#define STOP_GRACE_MS  5000
#define GRACE_US       (10 * USEC_PER_SEC)
#define GRACE_EVERY_US USEC_PER_SEC
#define WAIT_EVERY_US  (USEC_PER_SEC / 2)
#define UNIT_JOB_MS    60000

static void spawn(struct service *service, struct err *err);

const char *service_state_name(enum service_state state)
{
    switch (state) {
    case SERVICE_UNKNOWN:
        return "unknown";
    case SERVICE_UP:
        return "up";
    case SERVICE_DOWN:
        return "down";
    }
    return "";
}

const char *service_kind(const struct service *service)
{
    return service->config->unit[0] != '\0'     ? "unit"
           : service->config->command.count > 0 ? "child"
                                                : "url";
}

static struct loop *loop_of(const struct service *service)
{
    return service->health->options.loop;
}

static int64_t mono_us(const struct service *service)
{
    return clock_mono_us(loop_clock(loop_of(service)));
}

/* ------------------------------------------------------------------ waiting calls */

static bool has_waiters(const struct service *service)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        if (service->waiters[i].call != NULL) {
            return true;
        }
    }
    return false;
}

static void notify_waiters(struct service *service, bool up)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        struct service_waiter *waiter = &service->waiters[i];
        struct action_call *call = waiter->call;
        if (call == NULL) {
            continue;
        }
        int64_t waited_us = mono_us(service) - waiter->begun_mono_us;
        /* A check that began before the command says nothing about what the command has done. */
        const char *why = up ? "not checked since" : service->detail;
        if (up && service->check_mono_us >= waiter->begun_mono_us) {
            waiter->call = NULL;
            reply_title(action_reply(call), TONE_GOOD, "%s is healthy", service->config->name);
            reply_para(action_reply(call), "Its checks succeeded after {}.",
                       cell_duration(waited_us));
            action_finish(call, NULL);
        } else if (mono_us(service) >= waiter->deadline_mono_us) {
            struct err err = {0};
            (void)err_set(&err, ERR_SERVICE_UNHEALTHY, "%s: %s", service->config->name, why);
            waiter->call = NULL;
            action_finish(call, &err);
        } else {
            action_progress(call, "waiting for %s: %s, %lld s", service->config->name, why,
                            (long long)(waited_us / USEC_PER_SEC));
        }
    }
}

int service_wait(struct service *service, struct action_call *call, int64_t within_us,
                 struct err *err)
{
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        struct service_waiter *waiter = &service->waiters[i];
        if (waiter->call == NULL) {
            *waiter = (struct service_waiter){.call = call,
                                              .begun_mono_us = mono_us(service),
                                              .deadline_mono_us = mono_us(service) + within_us};
            if (!service->checking) {
                loop_timer_in(service->due, 0);
            }
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

/* ------------------------------------------------------------------ checks */

__attribute__((format(printf, 2, 3))) static void fail(struct service *service, const char *format,
                                                       ...)
{
    if (service->failed) {
        return; /* only the first failure is reported */
    }
    service->failed = true;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(service->failure, sizeof(service->failure), format, args);
    va_end(args);
}

static void conclude(struct service *service)
{
    if (service->open_parts > 0) {
        return;
    }
    service->checking = false;
    bool up = !service->failed;
    int64_t now_us = mono_us(service);
    bool grace = now_us < service->grace_mono_us;
    if (up) {
        service->latency_us = now_us - service->check_mono_us;
        service->grace_mono_us = 0;
    }
    (void)str_copy(str_c(up ? "ok" : service->failure), service->detail, sizeof(service->detail));
    health_checked(service, up, up || !grace);
    notify_waiters(service, up);
    int64_t every_us = service->health->options.config->monitoring_check_interval_us;
    every_us = has_waiters(service) ? WAIT_EVERY_US : grace && !up ? GRACE_EVERY_US : every_us;
    loop_timer_at(service->due, service->check_mono_us + every_us);
}

static bool is_expected(const struct service *service, int status)
{
    int64_t wanted = service->config->expect_status;
    return wanted != 0 ? status == wanted : status >= 200 && status <= 299;
}

static void on_http(const struct http_response *response, void *userdata)
{
    struct service *service = userdata;
    service->http = NULL;
    service->open_parts--;
    bool answered = response->outcome == HTTP_OK || response->outcome == HTTP_TOO_LARGE;
    if (!answered) {
        fail(service, "%s", err_info(response->err.id)->message);
    } else if (!is_expected(service, response->status)) {
        char wanted[24] = "200 to 299";
        if (service->config->expect_status != 0) {
            (void)snprintf(wanted, sizeof(wanted), "%lld",
                           (long long)service->config->expect_status);
        }
        fail(service, "HTTP %d, expected %s", response->status, wanted);
    }
    conclude(service);
}

static void on_unit(const struct units_state *state, const struct err *err, void *userdata)
{
    struct service *service = userdata;
    service->unit_calls--;
    if (service->retired) {
        return;
    }
    service->open_parts--;
    service->main_pid = state != NULL ? state->main_pid : 0;
    if (state == NULL) {
        fail(service, "%s", err_info(err->id)->message);
    } else if (strcmp(state->load, "loaded") != 0) {
        fail(service, "unit is %s", state->load);
    } else if (strcmp(state->active, "active") != 0) {
        fail(service, "unit is %s (%s)", state->active, state->sub);
    }
    conclude(service);
}

static void check_http(struct service *service)
{
    const struct config_service *config = service->config;
    struct str base = str_c(config->url);
    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    const char *path = config->health_endpoint;
    AUTO_BUF struct buf url = BUF_INIT(2048);
    buf_addf(&url, "%.*s%s%s", STR_ARG(base), path[0] == '/' || path[0] == '\0' ? "" : "/", path);
    struct err err = {0};
    service->http =
        http_send(service->health->options.http,
                  &(struct http_request){.url = url.data,
                                         .timeout_ms = config->timeout_us / USEC_PER_MSEC,
                                         .max_body_bytes = BODY_MAX_BYTES},
                  on_http, service, &err);
    if (service->http == NULL) {
        fail(service, "%s", err_info(err.id)->message);
    } else {
        service->open_parts++;
    }
}

static void check_child(struct service *service)
{
    if (service->child == NULL && service->spawn_err.id != ERR_NONE) {
        fail(service, "%s: %s", err_info(service->spawn_err.id)->message,
             service->spawn_err.context);
    } else if (service->child == NULL) {
        fail(service, "child is not running (last exit code %d)", service->exit_code);
    } else if (service->ends > 0) {
        fail(service, "child ended %d times since the last check (last exit code %d)",
             service->ends, service->exit_code);
    }
    service->ends = 0;
}

void service_check_now(struct service *service)
{
    if (service->checking) {
        return;
    }
    const struct config_service *config = service->config;
    service->checking = true;
    service->failed = false;
    service->open_parts = 1; /* this function, until all parts are started */
    service->check_mono_us = mono_us(service);
    if (config->command.count > 0) {
        check_child(service);
    }
    if (config->unit[0] != '\0') {
        struct err err = {0};
        struct units *units = service->health->options.units;
        if (units == NULL) {
            fail(service, "%s", err_info(ERR_UNITS_UNAVAILABLE)->message);
        } else if (units_get(units, config->unit, config->timeout_us / USEC_PER_MSEC, on_unit,
                             service, &err) < 0) {
            fail(service, "%s", err_info(err.id)->message);
        } else {
            service->unit_calls++;
            service->open_parts++;
        }
    }
    if (config->url[0] != '\0') {
        check_http(service);
    }
    service->open_parts--;
    conclude(service);
}

static void on_due(void *userdata)
{
    service_check_now(userdata);
}

/* ------------------------------------------------------------------ the child */

static void finish_restart(struct service *service, const struct err *err)
{
    struct action_call *call = service->restarting;
    service->restarting = NULL;
    service->restart_open = false;
    if (call == NULL) {
        return;
    }
    if (err == NULL || err->id == ERR_NONE) {
        reply_title(action_reply(call), TONE_GOOD, "%s restarted", service->config->name);
    }
    action_finish(call, err);
}

static void respawn_later(struct service *service)
{
    loop_timer_in(service->respawn, service->backoff_us);
    service->backoff_us =
        service->backoff_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : service->backoff_us * 2;
}

static void on_exit_child(struct process *process, int exit_code, void *userdata)
{
    struct service *service = userdata;
    int64_t lived_us = mono_us(service) - process_started_mono_us(process);
    process_free(process);
    service->child = NULL;
    service->exit_code = exit_code;
    if (service->config->command.count == 0) { /* a reload has removed the command */
        return;
    }
    if (service->restart_open) {
        struct err err = {0};
        service->backoff_us = BACKOFF_US;
        spawn(service, &err);
        finish_restart(service, &err);
        return;
    }
    service->ends++;
    service->restarts++;
    if (lived_us >= STABLE_US) {
        service->backoff_us = BACKOFF_US;
    }
    LOG(WARNING, "service %s: child ended (exit code %d), starting it again in %lld s",
        service->config->name, exit_code, (long long)(service->backoff_us / USEC_PER_SEC));
    respawn_later(service);
}

static void spawn(struct service *service, struct err *err)
{
    ASSERT(service->child == NULL);
    loop_timer_stop(service->respawn);
    int rc = process_spawn(loop_of(service),
                           &(struct process_options){.argv = service->config->command.items,
                                                     .log_path = service->log_path,
                                                     .log_max_bytes = LOG_MAX_BYTES,
                                                     .fn = on_exit_child,
                                                     .userdata = service},
                           &service->child, err);
    err_clear(&service->spawn_err);
    if (rc < 0) {
        service->spawn_err = *err;
        service->child = NULL;
        log_err(LOG_LEVEL_WARNING, err, service->config->name);
        respawn_later(service);
    }
}

static void on_respawn(void *userdata)
{
    struct service *service = userdata;
    struct err err = {0};
    if (service->child == NULL) {
        spawn(service, &err);
    }
}

static void on_job(const struct err *err, void *userdata)
{
    struct service *service = userdata;
    service->unit_calls--;
    finish_restart(service, err);
}

int service_restart(struct service *service, struct action_call *call, struct err *err)
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
        struct units *units = service->health->options.units;
        if (units == NULL) {
            return err_set(err, ERR_UNITS_UNAVAILABLE, "%s", config->unit);
        }
        int rc = units_job(units, UNITS_RESTART, config->unit, UNIT_JOB_MS, on_job, service, err);
        if (rc < 0) {
            return rc;
        }
        service->unit_calls++;
    }
    service->grace_mono_us = mono_us(service) + GRACE_US;
    service->restart_open = true;
    if (by_unit || service->child != NULL) {
        service->restarting = call;
        if (!by_unit) {
            process_stop(service->child, STOP_GRACE_MS);
        }
        action_progress(call, "restarting %s", config->name);
        return ACTION_PENDING;
    }
    struct err why = {0};
    service->backoff_us = BACKOFF_US;
    spawn(service, &why);
    service->restart_open = false;
    if (why.id != ERR_NONE) {
        if (err != NULL) {
            *err = why;
        }
        return -why.id;
    }
    reply_title(action_reply(call), TONE_GOOD, "%s started", config->name);
    return ACTION_DONE;
}

/* The unit was restarted if systemd reports a change of its state after the command began. */
void service_looked_up(const struct units_state *state, const struct err *err, void *userdata)
{
    struct service *service = userdata;
    struct action_call *call = service->recovering;
    const char *unit = service->config->unit;
    service->unit_calls--;
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
                       config->unit);
    }
    if (service->recovering != NULL) {
        return err_set(err, ERR_COMMAND_LOST, "restart of %s: another recovery of it is under way",
                       config->unit);
    }
    if (units_get(units, config->unit, config->timeout_us / USEC_PER_MSEC, service_looked_up,
                  service, &why) < 0) {
        return err_set(err, ERR_COMMAND_LOST, "restart of %s: systemd gave no answer: %s",
                       config->unit, err_info(why.id)->message);
    }
    service->unit_calls++;
    service->recovering = call;
    return ACTION_PENDING;
}

/* ------------------------------------------------------------------ life cycle */

void service_init(struct service *service, struct health *health,
                  const struct config_service *config)
{
    *service = (struct service){.health = health,
                                .config = config,
                                .backoff_us = BACKOFF_US,
                                .alerted = true,
                                /* A recovered command may wait for this service before
                                 * service_start. */
                                .grace_mono_us =
                                    clock_mono_us(loop_clock(health->options.loop)) + GRACE_US,
                                .detail = "not checked yet"};
    (void)snprintf(service->log_path, sizeof(service->log_path), "%s/%s.log",
                   health->options.state_dir, config->name);
    service->due = loop_add_timer(health->options.loop, on_due, service);
    service->respawn = loop_add_timer(health->options.loop, on_respawn, service);
    loop_source_name(service->due, "service check");
    loop_source_name(service->respawn, "service respawn");
}

void service_release(struct service *service)
{
    if (service->http != NULL) {
        http_cancel(service->http);
    }
    loop_source_free(service->due);
    loop_source_free(service->respawn);
    process_free(service->child);
    service->child = NULL;
}

/* ------------------------------------------------------------------ a new configuration */

static bool same_texts(const struct config_texts *a, const struct config_texts *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++) {
        same = strcmp(a->items[i], b->items[i]) == 0;
    }
    return same;
}

/* It is another program or unit now: what is known of it is of no use. */
static void begin_again(struct service *service)
{
    service->state = SERVICE_UNKNOWN;
    service->since_us = service->checked_us = 0;
    service->failures = service->restarts = service->ends = 0;
    service->alerted = true; /* an alert of the one before may be open */
    service->backoff_us = BACKOFF_US;
    service->grace_mono_us = mono_us(service) + GRACE_US;
    (void)str_copy(str_c("not checked yet"), service->detail, sizeof(service->detail));
    loop_timer_stop(service->respawn);
    bool command = service->config->command.count > 0;
    struct err err = {0};
    if (service->restart_open && (service->child == NULL || !command)) {
        (void)err_set(&err, ERR_SERVICE_UNKNOWN, "the unit or command of %s was changed",
                      service->config->name);
        finish_restart(service, &err);
    }
    if (service->child != NULL) {
        service->restart_open = command; /* on_exit_child starts the new command */
        process_stop(service->child, STOP_GRACE_MS);
    } else if (command) {
        spawn(service, &err);
    }
    if (!service->checking) {
        loop_timer_in(service->due, GRACE_EVERY_US);
    }
}

void service_apply(struct service *service, const struct config_service *config)
{
    const struct config_service *before = service->config;
    bool same =
        strcmp(before->unit, config->unit) == 0 && same_texts(&before->command, &config->command);
    bool same_check = strcmp(before->url, config->url) == 0 &&
                      strcmp(before->health_endpoint, config->health_endpoint) == 0 &&
                      before->expect_status == config->expect_status;
    service->config = config;
    if (!service->health->started) {
        return;
    }
    if (!same) {
        LOG(NOTICE, "service %s has a new unit or command", config->name);
        begin_again(service);
    } else if (!same_check && !service->checking) {
        loop_timer_in(service->due, 0);
    }
}

void service_reschedule(struct service *service)
{
    int64_t every_us = service->health->options.config->monitoring_check_interval_us;
    if (!service->checking && loop_timer_armed(service->due) && !has_waiters(service) &&
        mono_us(service) >= service->grace_mono_us) {
        loop_timer_at(service->due, service->check_mono_us + every_us);
    }
}

void service_retire(struct service *service)
{
    struct err err = {0};
    service->retired = true;
    service->gone = (struct config_service){.unit = "", .url = "", .health_endpoint = ""};
    memcpy(service->gone.name, service->config->name, sizeof(service->gone.name));
    service->config = &service->gone;
    loop_timer_stop(service->due);
    loop_timer_stop(service->respawn);
    if (service->http != NULL) {
        http_cancel(service->http);
        service->http = NULL;
    }
    (void)err_set(&err, ERR_SERVICE_UNKNOWN, "%s was removed from the configuration",
                  service->config->name);
    finish_restart(service, &err);
    if (service->recovering != NULL) {
        action_finish(service->recovering, &err);
        service->recovering = NULL;
    }
    for (int i = 0; i < SERVICE_WAITERS_MAX; i++) {
        struct action_call *call = service->waiters[i].call;
        service->waiters[i].call = NULL;
        if (call != NULL) {
            action_finish(call, &err);
        }
    }
    if (service->child != NULL) {
        process_stop(service->child, STOP_GRACE_MS);
    }
}

bool service_is_over(const struct service *service)
{
    return service->unit_calls == 0 && service->child == NULL;
}

void service_start(struct service *service, int64_t first_check_us)
{
    struct err err = {0};
    service->grace_mono_us = mono_us(service) + GRACE_US;
    if (service->config->command.count > 0) {
        spawn(service, &err);
    }
    loop_timer_in(service->due, first_check_us);
}
