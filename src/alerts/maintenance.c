/* Maintenance: while it lasts, alerts are held back. Begun by people, or by a window of the
 * configuration. */
#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "io/json_out.h"
#include "store/held_table.h"
#include "store/ops.h"

#include <stdio.h>
#include <string.h>

#define HELD_MAX   64
#define HELD_SHOWN 12

/* One that is on now, of either kind. */
struct active {
    const char *service; /* "": the whole desk; of a window: "demo,web" */
    int64_t until_us;
    const char *reason;
    const char *by;
};

/* ---------------------------------------------------------------- what is on */

int alert_maintenance_load(struct alerts *alerts, struct err *err)
{
    struct maintenance *rows = calloc(MAINTENANCE_MAX, sizeof(*rows));
    ASSERT(rows != NULL);
    int n = maintenance_table_list(alerts->o.store, rows, MAINTENANCE_MAX, err);
    free(alerts->maintenance);
    alerts->maintenance_count = n < 0 ? 0 : (size_t)n;
    alerts->maintenance = rows;
    alerts->lifts_pauses = true;
    if (n <= 0) { /* the rule; without it the program needs no memory for them */
        free(TAKE(alerts->maintenance));
    }
    return n < 0 ? n : 0;
}

static void free_windows(struct alerts *alerts)
{
    for (size_t i = 0; i < alerts->window_count; i++) {
        zone_free(alerts->windows[i].zone);
    }
    free(TAKE(alerts->windows));
    alerts->window_count = 0;
}

void alert_maintenance_release(struct alerts *alerts)
{
    free_windows(alerts);
    free(TAKE(alerts->maintenance));
}

void alert_maintenance_apply(struct alerts *alerts, const struct config *config)
{
    struct err err = {0};
    int count = config->alerts_maintenance.count;
    free_windows(alerts);
    alerts->holds_maintained = true; /* what a window held back that is gone now */
    if (count == 0) {
        return;
    }
    alerts->windows = calloc((size_t)count, sizeof(*alerts->windows));
    ASSERT(alerts->windows != NULL);
    for (int i = 0; i < count; i++) {
        struct alert_window *w = &alerts->windows[alerts->window_count];
        if (!config_window_parse(config->alerts_maintenance.items[i], &w->window)) {
            continue;
        }
        alerts->window_count++;
        if (w->window.zone[0] != '\0' && zone_load(w->window.zone, &w->zone, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "a window of maintenance is in alerts.timezone");
        }
    }
}

/* When the window ends; 0: it is not on. */
static int64_t window_until_us(const struct alerts *alerts, const struct alert_window *w)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    const struct zone *zone = w->zone != NULL ? w->zone : alerts->zone;
    int64_t left = config_window_left(&w->window, zone_local(zone, now_us));
    return left == 0 ? 0 : now_us - now_us % USEC_PER_MIN + left * USEC_PER_MIN;
}

bool alerts_in_maintenance(const struct alerts *alerts, const char *service)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    for (size_t i = 0; i < alerts->maintenance_count; i++) {
        const struct maintenance *m = &alerts->maintenance[i];
        bool covers =
            m->service[0] == '\0' || (service != NULL && strcmp(m->service, service) == 0);
        if (covers && m->until_us > now_us) {
            return true;
        }
    }
    for (size_t i = 0; i < alerts->window_count; i++) {
        const struct alert_window *w = &alerts->windows[i];
        if (config_window_covers(&w->window, service) && window_until_us(alerts, w) > 0) {
            return true;
        }
    }
    return false;
}

bool alert_is_maintained(const struct alerts *alerts, const struct alert *alert)
{
    char service[ALERT_SERVICE_SIZE];
    bool has_service = alert_service(alert->fingerprint, service);
    return (has_service || alert->severity < SEVERITY_CRITICAL) &&
           alerts_in_maintenance(alerts, has_service ? service : NULL);
}

/* The maintenance at this place, first that of people; false past the end. */
static bool active_at(const struct alerts *alerts, size_t *at, struct active *ret)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    for (size_t i; (i = (*at)++) < alerts->maintenance_count + alerts->window_count;) {
        if (i < alerts->maintenance_count) {
            const struct maintenance *m = &alerts->maintenance[i];
            *ret = (struct active){m->service, m->until_us, m->reason, m->user};
        } else {
            const struct alert_window *w = &alerts->windows[i - alerts->maintenance_count];
            *ret = (struct active){w->window.services, window_until_us(alerts, w),
                                   "alerts.maintenance", ""};
        }
        if (ret->until_us > now_us) {
            return true;
        }
    }
    return false;
}

/* "of demo until 14:30:00 UTC: kernel update" */
static void add_words(const struct alerts *alerts, const struct active *a, struct buf *out)
{
    buf_addf(out, "%s%s until ", a->service[0] == '\0' ? "" : " of ", a->service);
    clock_add_when(out, a->until_us, clock_wall_us(alerts->o.clock));
    buf_addf(out, " UTC%s%s", a->reason[0] == '\0' ? "" : ": ", a->reason);
}

void alerts_maintenance_line(struct buf *out, struct json_object *data, void *userdata)
{
    const struct alerts *alerts = userdata;
    struct json_out members = JSON_OUT_TREE(data);
    struct active a;
    bool any = false;
    json_out_array(&members, "maintenance");
    for (size_t at = 0; active_at(alerts, &at, &a); any = true) {
        buf_add_c(out, any ? "; " : "🔧 Maintenance");
        add_words(alerts, &a, out);
        json_out_object(&members, NULL);
        json_out_text(&members, "service", a.service);
        json_out_time(&members, "until", a.until_us);
        json_out_text(&members, "reason", a.reason);
        json_out_text(&members, "by", a.by);
        json_out_end(&members);
    }
    json_out_end(&members);
}

void alerts_decorate(struct reply *reply, void *userdata)
{
    const struct alerts *alerts = userdata;
    struct active a;
    size_t at = 0;
    if (!active_at(alerts, &at, &a)) {
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "%s%s🔧 alerts quiet", reply_get_footer(reply),
             reply_get_footer(reply)[0] == '\0' ? "" : " · ");
    add_words(alerts, &a, &text);
    if (active_at(alerts, &at, &a)) {
        buf_add_c(&text, ", and others");
    }
    reply_footer(reply, "%s", text.data);
}

/* ---------------------------------------------------------------- the end */

static int notify(struct alerts *alerts, const struct reply *reply, int64_t except_chat_id,
                  struct err *err)
{
    const struct alert_notice notice = {
        .kind = NOTICE_PAUSE, .reply = reply, .except_chat_id = except_chat_id};
    return alerts_notify(alerts, &notice, err);
}

/* Sends what is still wrong as alerts, and lists the rest. Returns how many it told. */
static int add_held(struct alerts *alerts, const char *because, struct reply *r, int64_t *ret_left,
                    struct err *err)
{
    struct held_notice *held = calloc(HELD_MAX, sizeof(*held));
    AUTO_FREE struct held_notice *memory = held;
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(held != NULL && alert != NULL);
    int64_t now_us = clock_wall_us(alerts->o.clock), open = 0, shown = 0;
    int n = held_table_take(alerts->o.store, because, held, HELD_MAX, ret_left, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc >= 0 && i < n; i++) {
        bool known = held[i].alert_id != 0 &&
                     alert_table_get(alerts->o.store, held[i].alert_id, alert, NULL) == 0;
        if (known && (alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED)) {
            open += alert->cause[0] == '\0' ? 1 : 0;
            rc = alert_send_new(alerts, alert, err);
        } else if (shown++ < HELD_SHOWN) {
            reply_item(r, "{} {}{}", cell_time(held[i].at_us, now_us), cell_text(held[i].title),
                       cell_text(known ? " (over)" : ""));
        }
    }
    if (rc >= 0 && shown > HELD_SHOWN) {
        reply_para(r, "and {} more", cell_count(shown - HELD_SHOWN));
    }
    if (rc >= 0 && open > 0) {
        reply_para(r, "Still open: {}, sent by {}.", cell_count(open),
                   cell_text(open == 1 ? "itself" : "themselves"));
    }
    if (rc >= 0 && *ret_left > 0) {
        reply_para(r, "Another {} follow.", cell_count(*ret_left));
    }
    return rc < 0 ? rc : n;
}

/* because: "maintenance" or "maintenance:demo"; *userdata: how many rows remain, for the next tick:
 * the ops thread must not send hundreds at once. */
static int release_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const char *service = strchr(change->words, ':');
    AUTO_REPLY struct reply *r = reply_new();
    int told = add_held(alerts, change->words, r, change->userdata, err);
    if (told <= 0) {
        return told;
    }
    reply_title(r, TONE_PLAIN, "After maintenance%s%s: %d message%s held back",
                service == NULL ? "" : " of ", service == NULL ? "" : service + 1, told,
                told == 1 ? " was" : "s were");
    reply_button(r, "Alerts", "/alerts", BUTTON_PLAIN);
    return notify(alerts, r, 0, err);
}

static int release_held(struct alerts *alerts, struct err *err)
{
    char because[48] = "", next[48];
    bool waiting = false;
    int rc = 0;
    while ((rc = held_table_next(alerts->o.store, because, next, sizeof(next), err)) >= 0 &&
           next[0] != '\0') {
        (void)str_copy(str_c(next), because, sizeof(because));
        const char *service = strchr(because, ':');
        if (alerts_in_maintenance(alerts, service == NULL ? NULL : service + 1)) {
            waiting = true;
            continue;
        }
        int64_t left = 0;
        struct alert_change change = {
            .alerts = alerts, .body = release_body, .words = because, .userdata = &left};
        if ((rc = alert_run(&change, err)) < 0) {
            break;
        }
        waiting = waiting || left > 0;
    }
    alerts->holds_maintained = rc < 0 || waiting;
    return rc;
}

/* Of those that are on, without this one. */
static bool wants_pause(const struct alerts *alerts, const struct maintenance *except)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    for (size_t i = 0; i < alerts->maintenance_count; i++) {
        const struct maintenance *m = &alerts->maintenance[i];
        if (m != except && m->run_id != 0 && m->until_us > now_us) {
            return true;
        }
    }
    return false;
}

struct ending {
    const struct maintenance *m;
    const char *by; /* NULL: its time is over */
    int64_t chat_id;
};

static int end_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct ending *e = change->userdata;
    int64_t now_us = clock_wall_us(alerts->o.clock);
    AUTO_REPLY struct reply *r = reply_new();
    reply_title(r, TONE_PLAIN, "🔧 Maintenance%s%s is over", e->m->service[0] == '\0' ? "" : " of ",
                e->m->service);
    reply_para(r, "It lasted {}", cell_duration(now_us - e->m->begun_us));
    if (e->by != NULL) {
        reply_more(r, "; {} ended it", cell_text(e->by));
    }
    if (e->m->run_id != 0) {
        reply_line(r, wants_pause(alerts, e->m)
                          ? "New positions stay paused: other maintenance is on."
                          : "Its pause of new positions ends with it.");
    }
    int rc = maintenance_table_end(alerts->o.store, e->m->id, now_us, err);
    return rc < 0 ? rc : notify(alerts, r, e->chat_id, err);
}

static int end(struct alerts *alerts, const struct ending *e, struct err *err)
{
    struct alert_change change = {
        .alerts = alerts, .body = end_body, .userdata = (void *)(uintptr_t)e};
    return alert_run(&change, err);
}

/* Once no maintenance wants a pause, lifts those of all its runs: the engine's pause is of one of
 * them, and it does nothing for the others. Each is forgotten on its answer. */
static int lift_pauses(struct alerts *alerts, struct err *err)
{
    int64_t run_id = 0;
    int rc = 0;
    if (!alerts->lifts_pauses || alerts->o.resume == NULL || wants_pause(alerts, NULL)) {
        return 0;
    }
    while ((rc = maintenance_table_pause(alerts->o.store, &run_id, err)) >= 0 && run_id != 0) {
        if (!alerts->o.resume(run_id, alerts->o.userdata)) {
            return 0;
        }
        if ((rc = maintenance_table_lifted(alerts->o.store, run_id, err)) < 0) {
            break;
        }
    }
    alerts->lifts_pauses = rc < 0;
    return rc;
}

void alert_maintenance_tick(struct alerts *alerts)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    struct err err = {0};
    bool ended = false;
    int rc = 0;
    for (size_t i = 0; i < alerts->maintenance_count && rc >= 0; i++) {
        const struct ending e = {.m = &alerts->maintenance[i]};
        if (e.m->until_us <= now_us) {
            rc = end(alerts, &e, &err);
            ended = true;
        }
    }
    if (ended) {
        rc = rc < 0 ? rc : alert_maintenance_load(alerts, &err);
    }
    rc = rc < 0 ? rc : lift_pauses(alerts, &err);
    if (rc >= 0 && alerts->holds_maintained) {
        rc = release_held(alerts, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not end maintenance; trying again");
    }
}

/* ---------------------------------------------------------------- the command */

static int show_status(struct action_call *call)
{
    const struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t now_us = clock_wall_us(alerts->o.clock);
    struct active a;
    bool any = false;
    AUTO_BUF struct buf unused = BUF_INIT(4096);
    alerts_maintenance_line(&unused, reply_data(r), action_userdata(call));
    for (size_t at = 0; active_at(alerts, &at, &a); any = true) {
        reply_item(r, "{} until {} ({} left){}{}",
                   cell_text(a.service[0] == '\0' ? "everything" : a.service),
                   cell_time(a.until_us, now_us), cell_duration(a.until_us - now_us),
                   cell_text(a.reason[0] == '\0' ? "" : ": "), cell_text(a.reason));
    }
    reply_title(r, any ? TONE_WARN : TONE_GOOD, any ? "🔧 Maintenance is on" : "No maintenance");
    if (any) {
        reply_line(r, "Alerts are held back, and nothing is repaired automatically.");
        reply_button(r, "End", "/maintenance off", BUTTON_PLAIN);
        return ACTION_DONE;
    }
    reply_line(r, "Alerts are sent, and new positions are opened as always.");
    reply_button(r, "Quiet for 1 h", "/maintenance on 1h", BUTTON_PLAIN);
    reply_button(r, "and pause entries", "/maintenance on 1h entries=pause", BUTTON_PLAIN);
    return ACTION_DONE;
}

static int begin(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t now_us = clock_wall_us(alerts->o.clock);
    bool pauses = strcmp(action_text(call, "entries"), "pause") == 0;
    struct maintenance m = {.until_us = now_us + action_duration_us(call, "for"),
                            .run_id = pauses ? action_run_id(call) : 0};
    str_cut(str_c(action_text(call, "service")), m.service, sizeof(m.service));
    str_cut(str_c(action_text(call, "reason")), m.reason, sizeof(m.reason));
    str_cut(str_c(action_who(call)->name), m.user, sizeof(m.user));
    int rc = maintenance_table_begin(alerts->o.store, &m, now_us, err);
    if (rc < 0 || (rc = alert_maintenance_load(alerts, err)) < 0) {
        return rc;
    }
    reply_title(r, TONE_WARN, "🔧 Maintenance%s%s", m.service[0] == '\0' ? "" : " of ", m.service);
    reply_para(r, "Until {}, for {}, by {}.", cell_time(m.until_us, now_us),
               cell_duration(m.until_us - now_us), cell_text(m.user));
    if (m.reason[0] != '\0') {
        reply_quote(r, str_c(m.reason));
    }
    reply_line(r, "Alerts are held back until then, and nothing is repaired automatically.%s",
               m.service[0] == '\0' ? " Critical alerts that are not about a service are sent."
                                    : "");
    if (pauses) {
        reply_line(r, "No new positions are opened until then, or until /resume.");
    }
    reply_button(r, "End", "/maintenance off", BUTTON_PLAIN);
    return notify(alerts, r, action_chat_id(call), err);
}

static int end_all(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    const char *service = action_text(call, "service");
    int64_t now_us = clock_wall_us(alerts->o.clock);
    int rc = 0, ended = 0;
    for (size_t i = 0; i < alerts->maintenance_count; i++) {
        struct maintenance *m = &alerts->maintenance[i];
        if (service == NULL || strcmp(service, m->service) == 0) {
            m->until_us = now_us; /* if it cannot be stored now, the next tick ends it */
        }
    }
    for (size_t i = 0; i < alerts->maintenance_count && rc >= 0; i++) {
        const struct ending e = {.m = &alerts->maintenance[i],
                                 .by = action_who(call)->name,
                                 .chat_id = action_chat_id(call)};
        if (e.m->until_us <= now_us) {
            rc = end(alerts, &e, err);
            ended++;
        }
    }
    if (rc < 0 || (rc = alert_maintenance_load(alerts, err)) < 0 ||
        (rc = lift_pauses(alerts, err)) < 0) {
        return rc;
    }
    if (ended == 0) {
        return err_set(err, ERR_MAINTENANCE_NONE, "%s", service == NULL ? "no service" : service);
    }
    reply_title(r, TONE_GOOD, "🔧 Maintenance is over");
    reply_line(r, "What was held back is sent now.");
    struct active a;
    size_t at = 0;
    if (active_at(alerts, &at, &a)) {
        reply_para(r, "Other maintenance goes on until {}.",
                   cell_time(a.until_us, clock_wall_us(alerts->o.clock)));
    }
    return ACTION_DONE;
}

static int maintain(struct action_call *call, struct err *err)
{
    const char *what = action_text(call, "what");
    return strcmp(what, "on") == 0    ? begin(call, err)
           : strcmp(what, "off") == 0 ? end_all(call, err)
                                      : show_status(call);
}

static int recover_maintain(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct alerts *alerts = action_userdata(call);
    const char *service = action_text(call, "service");
    bool on = strcmp(action_text(call, "what"), "on") == 0, any = false;
    (void)err;
    for (size_t i = 0; i < alerts->maintenance_count; i++) {
        const struct maintenance *m = &alerts->maintenance[i];
        any = any || strcmp(m->service, service == NULL ? "" : service) == 0;
    }
    *ret_happened = on == any;
    return 0;
}

static const struct action actions[] = {
    {.name = "alert.maintenance",
     .summary =
         "Hold alerts back and repair nothing automatically for a while, end that, or show it",
     .data = "maintenance",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS(
         {.name = "what",
          .type = PARAM_CHOICE,
          .choices = "status|on|off",
          .default_text = "status",
          .help = "begin it, end it, or show what is on"},
         {.name = "for",
          .type = PARAM_DURATION,
          .default_text = "1h",
          .minimum = "1m",
          .maximum = "7d",
          .help = "how long; it ends by itself"},
         {.name = "reason", .type = PARAM_TEXT, .help = "in quotes: what is done"},
         {.name = "service", .type = PARAM_SERVICE, .help = "only this service"},
         {.name = "entries",
          .type = PARAM_CHOICE,
          .choices = "continue|pause",
          .default_text = "continue",
          .help = "pause: the run also pauses trading, and the end of maintenance lifts it"}),
     .run = maintain,
     .recover = recover_maintain},
    {0},
};

void alert_maintenance_actions(struct alerts *alerts, struct action_table *table)
{
    action_table_add(table, actions, alerts);
}
