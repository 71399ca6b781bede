/* Blue/green: a service whose unit is a template is its live colour. A deploy starts the other one
 * beside it, looks at it with the same checks, and stops the one that has lost. */
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "drain.h"
#include "health_internal.h"
#include "service.h"

#include <stdio.h>
#include <stdlib.h>

#define START_MS  60000
#define STOP_MS   100000 /* systemd sends SIGKILL after 90 s, unless the unit says otherwise */
#define TEXTS_MAX 512    /* of all checks of a service: 16 commands of 16 words, at most */

/* ------------------------------------------------------------------ units and texts */

void service_set_unit(struct service *service)
{
    config_unit_of(service->config, service->colour, service->unit);
}

static void keep_text(struct service *service, void *text)
{
    size_t count = 0;
    ASSERT(text != NULL);
    if (service->texts == NULL) {
        service->texts = calloc(TEXTS_MAX + 1, sizeof(*service->texts));
        ASSERT(service->texts != NULL);
    }
    while (service->texts[count] != NULL) {
        count++;
    }
    ASSERT(count < TEXTS_MAX);
    service->texts[count] = text;
}

void service_drop_texts(void **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        free(texts[i]);
    }
    free(texts);
}

static const char *coloured(struct service *service, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(4096);
    if (strstr(text, "%i") == NULL || service->colour[0] == '\0') {
        return text;
    }
    config_add_coloured(text, service->colour, &out);
    char *copy = strdup(out.data);
    keep_text(service, copy);
    return copy;
}

static bool has_colour(const struct config_texts *list)
{
    for (int i = 0; i < list->count; i++) {
        if (strstr(list->items[i], "%i") != NULL) {
            return true;
        }
    }
    return false;
}

struct config_check service_coloured(struct service *service, const struct config_check *check)
{
    struct config_check c = *check;
    if (!config_has_colours(service->config)) {
        return c;
    }
    if (c.unit == service->unit) { /* the text changes with the colour; that of a check must not */
        char *copy = strdup(service->unit);
        keep_text(service, copy);
        c.unit = copy;
    }
    c.url = coloured(service, c.url);
    c.path = coloured(service, c.path);
    c.tcp = coloured(service, c.tcp);
    c.file = coloured(service, c.file);
    c.process = coloured(service, c.process);
    if (has_colour(&c.command)) {
        const char **items = calloc((size_t)c.command.count + 1, sizeof(*items));
        keep_text(service, items);
        for (int i = 0; i < c.command.count; i++) {
            items[i] = coloured(service, c.command.items[i]);
        }
        c.command.items = items;
    }
    return c;
}

/* ------------------------------------------------------------------ which is live */

void service_drop_idle(struct service *service)
{
    struct service *idle = TAKE(service->idle);
    struct err err = {0};
    if (idle != NULL) {
        (void)err_set(&err, ERR_RELEASE_COLOUR, "%s: another colour is live now", idle->label);
        service_fail_calls(idle, &err);
        service_release(idle);
        free(idle);
    }
}

void service_forget_colour(struct service *service)
{
    service->colour[0] = '\0';
    service->colour_known = false;
    drain_free(TAKE(service->drain));
}

void service_set_colour(struct service *service, const char *colour, int64_t since_us)
{
    bool same = service->colour_known && strcmp(service->colour, colour) == 0;
    if (!config_has_colours(service->config) || same) {
        return;
    }
    LOG(NOTICE, "service %s: %s", service->config->name,
        colour[0] == '\0' ? "no colour is live" : colour);
    service->colour_known = true;
    (void)str_copy(str_c(colour), service->colour, sizeof(service->colour));
    service_drop_idle(service);
    service_set_unit(service);
    service_begin_grace(service, true);
    service_renew_checks(service);
    drain_free(TAKE(service->drain));
    if (colour[0] != '\0') {
        service->drain = drain_new(service, since_us);
    }
}

void health_live(struct health *health, const char *service, const char *colour, int64_t since_us)
{
    struct service *s = health_find(health, service, NULL);
    if (s != NULL) {
        service_set_colour(s, colour, since_us);
    }
}

/* ------------------------------------------------------------------ the other one */

static struct service *make_idle(struct service *service)
{
    const struct config_service *config = service->config;
    struct service *idle = calloc(1, sizeof(*idle));
    ASSERT(idle != NULL);
    service_init(idle, service->health, config);
    idle->is_idle = idle->colour_known = true;
    (void)str_copy(str_c(config_idle_colour(config, service->colour)), idle->colour,
                   sizeof(idle->colour));
    (void)snprintf(idle->label, sizeof(idle->label), "%s (%s)", config->name, idle->colour);
    service_set_unit(idle);
    service_make_checks(idle);
    return idle;
}

/* NULL: ERR_SERVICE_UNKNOWN, ERR_RELEASE_COLOUR, ERR_RELEASE_UNREAD. */
static struct service *find_idle(struct action_call *call, struct err *err)
{
    struct service *s = health_find(action_userdata(call), action_text(call, "service"), err);
    if (s == NULL) {
        return NULL;
    }
    if (!config_has_colours(s->config)) {
        (void)err_set(err, ERR_RELEASE_COLOUR, "%s: its unit is no template", s->config->name);
        return NULL;
    }
    if (!s->colour_known) {
        (void)err_set(err, ERR_RELEASE_UNREAD, "%s", s->config->name);
        return NULL;
    }
    s->idle = s->idle == NULL ? make_idle(s) : s->idle;
    return s->idle;
}

static bool has_colours(const struct action_call *call)
{
    const struct service *s =
        health_find(action_userdata(call), action_text(call, "service"), NULL);
    return s == NULL || config_has_colours(s->config);
}

static int idle_failed(const struct err *err)
{
    return err != NULL && err->id != ERR_NONE ? -err->id : -ERR_INTERNAL;
}

static int send_job(struct action_call *call, enum units_verb verb, int64_t timeout_ms,
                    units_job_fn fn, struct err *err)
{
    struct service *idle = find_idle(call, err);
    if (idle == NULL) {
        return idle_failed(err);
    }
    struct units *units = idle->health->options.units;
    if (units == NULL) {
        return err_set(err, ERR_UNITS_UNAVAILABLE, "%s", idle->unit);
    }
    if (idle->restart_open && idle->restarting != NULL) {
        return err_set(err, ERR_SERVICE_BUSY, "%s", idle->label);
    }
    /* A start that was cancelled may still be under way in systemd: this job replaces it there. */
    units_forget(units, idle);
    idle->restart_open = false;
    int rc = units_job(units, verb, idle->unit, timeout_ms, fn, idle, err);
    if (rc < 0) {
        return rc;
    }
    idle->restart_open = true;
    idle->restarting = call;
    action_progress(call, "%s %s", verb == UNITS_START ? "starting" : "stopping", idle->label);
    return ACTION_PENDING;
}

static void on_started(const struct err *err, void *userdata)
{
    struct service *idle = userdata;
    struct action_call *call = TAKE(idle->restarting);
    struct err why = {0};
    idle->restart_open = false;
    service_begin_grace(idle, false);
    if (call != NULL && err->id != ERR_NONE) {
        action_finish(call, err);
    } else if (call != NULL && service_wait(idle, call, action_duration_us(call, "within"),
                                            action_duration_us(call, "steady"), &why) < 0) {
        action_finish(call, &why);
    }
}

static int start_idle(struct action_call *call, struct err *err)
{
    return send_job(call, UNITS_START, START_MS, on_started, err);
}

/* What runs already is not started again, so that a step which a crash has cut off is repeated. */
static int recover_start(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return start_idle(call, err);
}

static void on_stopped(const struct err *err, void *userdata)
{
    struct service *idle = userdata;
    struct action_call *call = TAKE(idle->restarting);
    idle->restart_open = false;
    if (call != NULL && err->id == ERR_NONE) {
        reply_line(action_reply(call), "%s is stopped.", idle->label);
    }
    if (call != NULL) {
        action_finish(call, err->id == ERR_NONE ? NULL : err);
    }
}

static int stop_idle(struct action_call *call, struct err *err)
{
    return send_job(call, UNITS_STOP, STOP_MS, on_stopped, err);
}

static int recover_stop(struct action_call *call, bool *ret_happened, struct err *err)
{
    *ret_happened = false;
    return stop_idle(call, err);
}

static void cancel(struct action_call *call)
{
    struct health *health = action_userdata(call);
    for (size_t i = 0; i < health->count; i++) {
        if (health->services[i]->idle != NULL) {
            service_forget(health->services[i]->idle, call);
        }
    }
}

/* ------------------------------------------------------------------ the table */

const struct action service_colour_actions[] = {
    {.name = "service.start_idle",
     .summary = "Start the colour that is not live beside it, and wait until it is healthy",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE, PARAMS_OF_WAIT),
     .waits_us = 60 * USEC_PER_SEC,
     .run = start_idle,
     .applies = has_colours,
     .cancel = cancel,
     .recover = recover_start},
    {.name = "service.stop_idle",
     .summary = "Stop the colour that is not live",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(PARAM_OF_SERVICE),
     .run = stop_idle,
     .applies = has_colours,
     .cancel = cancel,
     .recover = recover_stop},
    {0},
};
