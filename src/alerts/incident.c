/* Incidents: which alerts belong together, their time lines, and what happens when a cause is
 * over. */
#include "alert_reply.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "command/runner.h"
#include "io/json.h"
#include "store/config_table.h"
#include "store/ops.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX    8
#define CHILDREN_MAX 256
#define ORPHAN_US    USEC_PER_MIN        /* until an alert whose cause is over is sent by itself */
#define BEFORE_US    (30 * USEC_PER_MIN) /* what was changed so long before is noted */
#define CHANGES_MAX  40
#define CHANGED_MAX  4
#define BATCH        16

bool incident_has(const struct alert *alert)
{
    return alert->status != ALERT_REJECTED && !alert_is_finding(alert);
}

int incident_root(struct alerts *alerts, const struct alert *alert, struct alert *ret,
                  struct err *err)
{
    int64_t first = alert->id;
    *ret = *alert;
    for (int depth = 0; ret->cause[0] != '\0' && depth < DEPTH_MAX; depth++) {
        char cause[ALERT_FINGERPRINT_SIZE];
        (void)str_copy(str_c(ret->cause), cause, sizeof(cause));
        int rc = alert_table_find(alerts->o.store, cause, ret, err);
        if (rc < 0) {
            return rc;
        }
        first = ret->id < first ? ret->id : first;
        if (ret->id == alert->id) { /* they cause each other: the oldest counts */
            rc = first == alert->id ? 0 : alert_table_get(alerts->o.store, first, ret, err);
            return rc < 0 ? rc : first != alert->id;
        }
    }
    return ret->id == alert->id ? 0 : 1;
}

static struct alert *new_alert(void)
{
    struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    return alert;
}

static int add_event(struct alerts *alerts, int64_t incident_id, enum incident_kind kind,
                     int64_t alert_id, const char *text, struct err *err)
{
    struct incident_event event = {.incident_id = incident_id,
                                   .at_us = clock_wall_us(alerts->o.clock),
                                   .kind = kind,
                                   .alert_id = alert_id};
    str_cut(str_c(text), event.text, sizeof(event.text));
    return incident_table_add(alerts->o.store, &event, err);
}

int incident_event(struct alerts *alerts, const struct alert *alert,
                   const struct incident_event *event, struct err *err)
{
    AUTO_FREE struct alert *root = new_alert();
    struct incident incident;
    struct incident_event copy = *event;
    int rc = incident_root(alerts, alert, root, err);
    if (rc < 0) {
        return rc;
    }
    copy.incident_id = rc > 0 ? root->id : alert->id;
    copy.at_us = clock_wall_us(alerts->o.clock);
    copy.alert_id = alert->id;
    rc = incident_table_get(alerts->o.store, copy.incident_id, &incident, err);
    if (rc == -ERR_STORE_NOT_FOUND) { /* raised by an earlier version, or a finding */
        err_clear(err);
        return 0;
    }
    return rc < 0 ? rc : incident_table_add(alerts->o.store, &copy, err);
}

/* ---------------------------------------------------------------- what was changed before */

/* The values of {"service":"demo"}; only of steps that lock something, which no secret does. */
static void add_values(struct buf *out, const char *args)
{
    AUTO_JSON struct json_object *object = NULL;
    if (json_parse(str_c(args), &JSON_LIMITS_DEFAULT, &object, NULL) < 0 ||
        !json_is_object(object)) {
        return;
    }
    json_object_object_foreach(object, key, value)
    {
        (void)key;
        if (json_is_text(value) && json_object_get_string(value)[0] != '\0') {
            buf_addf(out, " %s", json_object_get_string(value));
        }
    }
}

static int add_runs(struct alerts *alerts, const struct alert *alert, int64_t since_us,
                    struct err *err)
{
    struct incident_change *changes = calloc(CHANGES_MAX, sizeof(*changes));
    AUTO_FREE struct incident_change *memory = changes;
    ASSERT(changes != NULL);
    int64_t last = 0;
    int n = incident_table_changes(alerts->o.store, since_us, changes, CHANGES_MAX, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0, shown = 0; rc >= 0 && i < n && shown < CHANGED_MAX; i++) {
        const struct incident_change *c = &changes[i];
        const struct action *action = action_find(alerts->actions, c->action);
        if (action == NULL || action->effect == ACTION_READS || c->run_id == last ||
            c->run_id == alert->run_id || str_starts(str_c(c->action), "alert.")) {
            continue;
        }
        struct incident_event event = {.incident_id = alert->id,
                                       .at_us = c->at_us,
                                       .kind = INCIDENT_CHANGED,
                                       .run_id = c->run_id};
        AUTO_BUF struct buf text = BUF_INIT(sizeof(event.text) - 1);
        buf_addf(&text, "/%s", c->command);
        if (action->locks != NULL) {
            add_values(&text, c->args);
        }
        buf_addf(&text, " by %s (run %lld): %s", c->user, (long long)c->run_id, c->state);
        str_cut(buf_str(&text), event.text, sizeof(event.text));
        last = c->run_id;
        shown++;
        rc = incident_table_add(alerts->o.store, &event, err);
    }
    return rc;
}

static int add_config(struct alerts *alerts, const struct alert *alert, int64_t since_us,
                      struct err *err)
{
    AUTO_CONFIG_VERSION struct config_version version = {0};
    int rc = config_table_last(alerts->o.store, &version, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    if (rc < 0 || version.at_us < since_us) {
        return rc;
    }
    struct incident_event event = {
        .incident_id = alert->id, .at_us = version.at_us, .kind = INCIDENT_CHANGED};
    (void)snprintf(event.text, sizeof(event.text), "configuration %lld by %s: %.120s",
                   (long long)version.id, version.user, version.why);
    return incident_table_add(alerts->o.store, &event, err);
}

static int add_before(struct alerts *alerts, const struct alert *alert, struct err *err)
{
    int64_t since_us = clock_wall_us(alerts->o.clock) - BEFORE_US;
    int rc = add_config(alerts, alert, since_us, err);
    if (rc >= 0 && alerts->actions != NULL) {
        rc = add_runs(alerts, alert, since_us, err);
    }
    AUTO_BUF struct buf context = BUF_INIT(sizeof(((struct incident_event *)0)->text) - 1);
    if (rc >= 0 && alerts->o.context != NULL) {
        alerts->o.context(alert->fingerprint, &context, alerts->o.userdata);
    }
    return rc < 0 || context.len == 0
               ? rc
               : add_event(alerts, alert->id, INCIDENT_CHANGED, 0, context.data, err);
}

/* ---------------------------------------------------------------- raised */

/* The alert becomes part of the incident of root. *ret_news: it was not before. */
static int fold(struct alerts *alerts, const struct alert *alert, const struct alert *root,
                bool *ret_news, struct err *err)
{
    struct incident own;
    int rc = incident_table_get(alerts->o.store, alert->id, &own, err);
    bool had = rc == 0 && own.closed_us == 0;
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        rc = 0;
    }
    if (rc == 0 && had) {
        rc = incident_table_merge(alerts->o.store, alert->id, root->id,
                                  clock_wall_us(alerts->o.clock), err);
    }
    bool is_new = false;
    if (rc == 0) {
        rc = incident_table_add_child(alerts->o.store, root->id, alert->id, alert->title,
                                      clock_wall_us(alerts->o.clock), &is_new, err);
    }
    if (rc == 0) {
        rc = alert_table_set_due(alerts->o.store, alert->id, 0, err);
    }
    if (rc == 0 && had && alert->notified) {
        rc = alert_changed(alerts, alert, err); /* its message says where it continues */
    }
    *ret_news = is_new;
    return rc;
}

/* The alerts that were raised before their cause was. */
static int adopt(struct alerts *alerts, const struct alert *root, struct err *err)
{
    int64_t ids[CHILDREN_MAX];
    AUTO_FREE struct alert *child = new_alert();
    AUTO_FREE struct alert *of = new_alert();
    int n = alert_table_caused_by(alerts->o.store, root->fingerprint, ids, CHILDREN_MAX, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc >= 0 && i < n; i++) {
        bool news;
        if ((rc = alert_table_get(alerts->o.store, ids[i], child, err)) < 0 ||
            (rc = incident_root(alerts, child, of, err)) <= 0 || of->id != root->id) {
            continue;
        }
        rc = fold(alerts, child, root, &news, err);
    }
    return rc < 0 ? rc : 0;
}

static int begin(struct alerts *alerts, const struct alert *alert, struct err *err)
{
    int64_t now_us = clock_wall_us(alerts->o.clock);
    int rc = incident_table_open(alerts->o.store, alert->id, now_us, err);
    if (rc < 0 || (rc = alert_table_set_due(alerts->o.store, alert->id, 0, err)) < 0 ||
        (rc = add_before(alerts, alert, err)) < 0 ||
        (rc = add_event(alerts, alert->id, INCIDENT_RAISED, alert->id, alert->title, err)) < 0) {
        return rc;
    }
    return adopt(alerts, alert, err);
}

static int raised_alone(struct alerts *alerts, const struct alert *alert,
                        const struct alert_raised *raised, struct err *err)
{
    struct incident own;
    if (raised->how == ALERT_RAISED_NEW) {
        return begin(alerts, alert, err);
    }
    int rc = incident_table_get(alerts->o.store, alert->id, &own, err);
    if (rc == -ERR_STORE_NOT_FOUND || (rc == 0 && own.closed_us != 0)) {
        err_clear(err);
        return begin(alerts, alert, err);
    }
    return rc < 0 || !raised->worse ? rc
                                    : add_event(alerts, alert->id, INCIDENT_WORSE, alert->id,
                                                severity_name(alert->severity), err);
}

/* Tells in the message of root that it caused another alert. An incident is as bad as the worst
 * alert in it, and a rise is a new message. */
static int root_changed(struct alerts *alerts, struct alert *root, enum severity severity,
                        struct err *err)
{
    if (severity <= root->severity) {
        return alert_changed(alerts, root, err);
    }
    int rc = alert_table_set_severity(alerts->o.store, root->id, severity, err);
    root->severity = severity;
    rc = rc < 0
             ? rc
             : add_event(alerts, root->id, INCIDENT_WORSE, root->id, severity_name(severity), err);
    return rc < 0 ? rc : alert_send_new(alerts, root, err);
}

int incident_raised(struct alerts *alerts, const struct alert *alert,
                    const struct alert_raised *raised, bool *ret_folded, struct err *err)
{
    *ret_folded = false;
    if (!incident_has(alert)) {
        return 0;
    }
    AUTO_FREE struct alert *root = new_alert();
    int rc = incident_root(alerts, alert, root, err);
    if (rc <= 0) {
        return rc < 0 ? rc : raised_alone(alerts, alert, raised, err);
    }
    bool news = false;
    *ret_folded = true;
    rc = fold(alerts, alert, root, &news, err);
    return rc < 0 || (!news && alert->severity <= root->severity)
               ? rc
               : root_changed(alerts, root, alert->severity, err);
}

/* ---------------------------------------------------------------- resolved */

/* What a command raised about its subject is over with it. The others are given a moment to
 * recover before they are sent by themselves. */
static int release(struct alerts *alerts, const struct alert *root, struct err *err)
{
    int64_t ids[CHILDREN_MAX];
    AUTO_FREE struct alert *child = new_alert();
    int n = alert_table_caused_by(alerts->o.store, root->fingerprint, ids, CHILDREN_MAX, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc >= 0 && i < n; i++) {
        if ((rc = alert_table_get(alerts->o.store, ids[i], child, err)) < 0) {
            break;
        }
        rc = strcmp(child->source, "command") == 0
                 ? alerts_resolve(alerts, child->fingerprint, "its cause is over", err)
                 : alert_table_set_due(alerts->o.store, ids[i],
                                       clock_wall_us(alerts->o.clock) + ORPHAN_US, err);
    }
    return rc;
}

int incident_resolved(struct alerts *alerts, const struct alert *alert, const char *why,
                      struct err *err)
{
    AUTO_FREE struct alert *root = new_alert();
    struct incident own;
    int rc = alert_table_set_due(alerts->o.store, alert->id, 0, err);
    if (rc < 0 || (rc = incident_root(alerts, alert, root, err)) < 0) {
        return rc;
    }
    if (rc > 0) {
        AUTO_BUF struct buf text = BUF_INIT(sizeof(((struct incident_event *)0)->text) - 1);
        buf_addf(&text, "%s%s%s", alert->title, why[0] == '\0' ? "" : ": ", why);
        rc = add_event(alerts, root->id, INCIDENT_CHILD_OVER, alert->id, text.data, err);
        return rc < 0 ? rc : alert_changed(alerts, root, err);
    }
    rc = incident_table_get(alerts->o.store, alert->id, &own, err);
    if (rc == 0 && own.closed_us == 0) {
        rc = incident_table_close(alerts->o.store, alert->id, clock_wall_us(alerts->o.clock), err);
        rc = rc < 0 ? rc : add_event(alerts, alert->id, INCIDENT_RESOLVED, alert->id, why, err);
    } else if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        rc = 0;
    }
    return rc < 0 ? rc : release(alerts, alert, err);
}

/* ---------------------------------------------------------------- later */

/* Its cause was resolved, and it was not: it continues as an incident of its own. */
static int due_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    struct alert *alert = change->alert;
    bool open = alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED;
    int rc = alert_table_set_due(alerts->o.store, alert->id, 0, err);
    if (rc < 0 || !open || alert->cause[0] != '\0') {
        return rc;
    }
    rc = begin(alerts, alert, err);
    return rc < 0 ? rc : alert_send_new(alerts, alert, err);
}

void incident_tick(struct alerts *alerts)
{
    int64_t ids[BATCH];
    struct err err = {0};
    int n = alert_table_due(alerts->o.store, clock_wall_us(alerts->o.clock), ids, BATCH, &err);
    int rc = n < 0 ? n : 0;
    AUTO_FREE struct alert *alert = n > 0 ? new_alert() : NULL;
    for (int i = 0; rc >= 0 && i < n; i++) {
        struct alert_change change = {.alerts = alerts, .body = due_body, .alert = alert};
        rc = alert_table_get(alerts->o.store, ids[i], alert, &err);
        rc = rc < 0 ? rc : alert_run(&change, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not send an alert whose cause is over");
    }
}

/* ---------------------------------------------------------------- what is done about it */

static int note_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    AUTO_FREE struct alert *root = new_alert();
    int rc = incident_event(alerts, change->alert, change->userdata, err);
    rc = rc < 0 ? rc : incident_root(alerts, change->alert, root, err);
    return rc < 0 ? rc : alert_changed(alerts, rc > 0 ? root : change->alert, err);
}

static int add_note(struct alerts *alerts, struct alert *alert, struct incident_event *event,
                    struct err *err)
{
    struct alert_change change = {
        .alerts = alerts, .body = note_body, .alert = alert, .userdata = event};
    return alert_run(&change, err);
}

/* The open alert of a fingerprint: 1, 0 if there is none, or negative. */
static int find_open(struct alerts *alerts, const char *fingerprint, struct alert *ret,
                     struct err *err)
{
    int rc = alert_table_find(alerts->o.store, fingerprint, ret, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc < 0 ? rc : ret->status == ALERT_OPEN || ret->status == ALERT_ACKNOWLEDGED;
}

int alerts_note(struct alerts *alerts, const char *fingerprint, const char *text, struct err *err)
{
    AUTO_FREE struct alert *alert = new_alert();
    struct incident_event event = {.kind = INCIDENT_NOTE};
    str_cut(str_c(text), event.text, sizeof(event.text));
    int rc = find_open(alerts, fingerprint, alert, err);
    return rc <= 0 ? rc : add_note(alerts, alert, &event, err);
}

/* The incident in which the run was noted when it began may be over when it ends. */
static int find_subject(struct alerts *alerts, const struct runner_note *note, struct alert *ret,
                        struct err *err)
{
    int64_t id = 0;
    int rc = note->begins ? 0 : incident_table_of_run(alerts->o.store, note->run_id, &id, err);
    if (rc >= 0 && id != 0) {
        rc = alert_table_get(alerts->o.store, id, ret, err);
        return rc < 0 ? rc : 1;
    }
    for (size_t i = 0; rc == 0 && i < note->lock_count; i++) {
        rc = find_open(alerts, note->locks[i], ret, err);
    }
    return rc;
}

static void describe(const struct runner_note *note, struct incident_event *event)
{
    AUTO_BUF struct buf text = BUF_INIT(sizeof(event->text) - 1);
    buf_addf(&text, "/%s by %s (run %lld)", note->line, note->who, (long long)note->run_id);
    if (!note->begins) {
        buf_add_c(&text, note->failure == NULL ? ": done after " : ": failed after ");
        clock_add_duration(&text, note->took_us);
    }
    if (note->failure != NULL) {
        buf_addf(&text, ": %s", err_info(note->failure->id)->message);
    }
    str_cut(buf_str(&text), event->text, sizeof(event->text));
}

static int resolve_raised_by(struct alerts *alerts, int64_t run_id, struct alert *alert,
                             struct err *err)
{
    int64_t ids[BATCH];
    char why[64];
    (void)snprintf(why, sizeof(why), "run %lld of the same command succeeded", (long long)run_id);
    int n = alert_table_of_command(alerts->o.store, run_id, ids, BATCH, err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc >= 0 && i < n; i++) {
        rc = alert_table_get(alerts->o.store, ids[i], alert, err);
        rc = rc < 0 ? rc : alerts_resolve(alerts, alert->fingerprint, why, err);
    }
    return rc;
}

void alerts_note_run(const struct runner_note *note, void *userdata)
{
    struct alerts *alerts = userdata;
    AUTO_FREE struct alert *alert = new_alert();
    struct incident_event event = {.kind = INCIDENT_RUN, .run_id = note->run_id};
    struct err err = {0};
    int rc = find_subject(alerts, note, alert, &err);
    if (rc > 0) {
        describe(note, &event);
        rc = add_note(alerts, alert, &event, &err);
    }
    if (rc >= 0 && !note->begins && note->failure == NULL) {
        rc = resolve_raised_by(alerts, note->run_id, alert, &err);
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not note a run in its incident");
    }
}
