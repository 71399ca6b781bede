/* Incidents as replies: the living message, the list, the time line. */
#include "alert_reply.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "io/json_out.h"

#include <stdio.h>
#include <string.h>

#define AFFECTED_SHOWN 6
#define DONE_SHOWN     4
#define BEFORE_SHOWN   3
#define LIST_MAX       20
#define LINES_MAX      60

/* ---------------------------------------------------------------- the living message */

/* The service of the alert, if it can be restarted; NULL: it has none. */
static const char *service_of(const struct alerts *alerts, const struct alert *alert)
{
    char name[ALERT_SERVICE_SIZE];
    if (!alert_service(alert->fingerprint, name)) {
        return NULL;
    }
    const struct config_service *s = config_service(alerts->o.config, str_c(name));
    return s != NULL && (s->unit[0] != '\0' || s->command.count > 0) ? s->name : NULL;
}

void incident_add_affected(struct alerts *alerts, const struct alert *alert, struct reply *r)
{
    struct incident_event events[AFFECTED_SHOWN];
    AUTO_FREE struct alert *child = calloc(1, sizeof(*child));
    ASSERT(child != NULL);
    int64_t total = 0;
    int n = incident_table_events(alerts->o.store, alert->id, UINT32_C(1) << INCIDENT_CHILD, events,
                                  AFFECTED_SHOWN, &total, NULL);
    for (int i = 0; i < n; i++) {
        bool over = alert_table_get(alerts->o.store, events[i].alert_id, child, NULL) < 0 ||
                    (child->status != ALERT_OPEN && child->status != ALERT_ACKNOWLEDGED);
        if (i == 0) {
            reply_para(r, "Affected: {}", cell_text(events[i].text));
        } else {
            reply_more(r, ", {}", cell_text(events[i].text));
        }
        reply_more(r, "{}", cell_text(over ? " (over)" : ""));
    }
    if (total > n && n > 0) {
        reply_more(r, " and {} more", cell_count(total - n));
    }
}

/* Of each run only what became of it. */
static bool is_superseded(const struct incident_event *events, int count, int at)
{
    for (int i = at + 1; events[at].run_id != 0 && i < count; i++) {
        if (events[i].run_id == events[at].run_id) {
            return true;
        }
    }
    return false;
}

static void add_lines(struct alerts *alerts, const struct alert *alert, uint32_t kinds, int shown,
                      const char *heading, struct reply *r)
{
    struct incident_event events[2 * DONE_SHOWN];
    int64_t total = 0, now_us = clock_wall_us(alerts->o.clock);
    int n = incident_table_events(alerts->o.store, alert->id, kinds, events, COUNT_OF(events),
                                  &total, NULL);
    int left = 0;
    for (int i = 0; i < n; i++) {
        if (!is_superseded(events, n, i)) {
            events[left++] = events[i];
        }
    }
    for (int i = left > shown ? left - shown : 0, first = 1; i < left; i++, first = 0) {
        if (first) {
            reply_line(r, "%s", heading);
        }
        reply_item(r, "{} {}", cell_time(events[i].at_us, now_us), cell_text(events[i].text));
    }
}

struct reply *incident_reply(struct alerts *alerts, const struct alert *alert)
{
    struct reply *r = alert_reply(alert, service_of(alerts, alert), clock_wall_us(alerts->o.clock));
    AUTO_FREE struct alert *root = calloc(1, sizeof(*root));
    ASSERT(root != NULL);
    if (!incident_has(alert)) {
        return r;
    }
    if (incident_root(alerts, alert, root, NULL) > 0) {
        reply_para(r, "Caused by: {} (incident {}). This message changes no more.",
                   cell_text(root->title), cell_count(root->id));
        return r;
    }
    incident_add_affected(alerts, alert, r);
    add_lines(alerts, alert, UINT32_C(1) << INCIDENT_CHANGED, BEFORE_SHOWN, "Shortly before:", r);
    add_lines(alerts, alert,
              UINT32_C(1) << INCIDENT_RUN | UINT32_C(1) << INCIDENT_NOTE |
                  UINT32_C(1) << INCIDENT_ESCALATED,
              DONE_SHOWN, "Done about it:", r);
    return r;
}

/* ---------------------------------------------------------------- /incidents, /incident */

void alerts_write_incident(struct json_out *out, const struct incident *incident,
                           const struct alert *alert)
{
    json_out_i64(out, "id", incident->id);
    json_out_text(out, "title", alert->title);
    json_out_text(out, "severity", severity_name(alert->severity));
    json_out_text(out, "status", alert_status_name(alert->status));
    json_out_time(out, "opened_at", incident->opened_us);
    json_out_time(out, "closed_at", incident->closed_us);
    json_out_i64(out, "merged_into", incident->merged_into);
    json_out_text(out, "acknowledged_by", alert->acked_by);
}

static int64_t lasted_us(const struct incident *incident, int64_t now_us)
{
    int64_t until_us = incident->closed_us != 0 ? incident->closed_us : now_us;
    return until_us > incident->opened_us ? until_us - incident->opened_us : 0;
}

static int list_incidents(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    struct incident rows[LIST_MAX + 1];
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int64_t now_us = clock_wall_us(alerts->o.clock);
    bool open = strcmp(action_text(call, "what"), "open") == 0;
    int n = incident_table_list(alerts->o.store, open, 0, rows, LIST_MAX + 1, err);
    if (n < 0) {
        return n;
    }
    bool more = n > LIST_MAX;
    n = more ? LIST_MAX : n;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "incidents");
    reply_title(r, n == 0 ? TONE_GOOD : TONE_PLAIN, "%s%d%s %sincident%s", n == 0 ? "No " : "", n,
                more ? "+" : "", open ? "open " : "", n == 1 ? "" : "s");
    if (n == 0) {
        reply_title(r, TONE_GOOD, open ? "No open incidents" : "No incidents");
    } else {
        reply_columns(r, "#", "severity", "title", "began", "lasted", "");
    }
    for (int i = 0; i < n; i++) {
        if (alert_table_get(alerts->o.store, rows[i].id, alert, NULL) < 0) {
            continue;
        }
        json_out_object(&data, NULL);
        alerts_write_incident(&data, &rows[i], alert);
        json_out_end(&data);
        reply_cells(r, cell_count(rows[i].id), cell_text(severity_name(alert->severity)),
                    cell_text(alert->title), cell_time(rows[i].opened_us, now_us),
                    cell_duration(lasted_us(&rows[i], now_us)),
                    cell_text(rows[i].closed_us != 0                ? "over"
                              : alert->status == ALERT_ACKNOWLEDGED ? "ack"
                                                                    : "open"));
    }
    json_out_end(&data);
    if (n > 0) {
        reply_para(r, "{} shows its time line.", cell_code("/incident <number>"));
    }
    return ACTION_DONE;
}

static const char *words_of(enum incident_kind kind)
{
    static const char *const words[] = {[INCIDENT_RAISED] = "raised: ",
                                        [INCIDENT_CHANGED] = "before it: ",
                                        [INCIDENT_WORSE] = "now ",
                                        [INCIDENT_CHILD] = "caused: ",
                                        [INCIDENT_CHILD_OVER] = "over: ",
                                        [INCIDENT_ACKNOWLEDGED] = "acknowledged ",
                                        [INCIDENT_ESCALATED] = "escalated ",
                                        [INCIDENT_RUN] = "",
                                        [INCIDENT_NOTE] = "",
                                        [INCIDENT_RESOLVED] = "resolved: "};
    return words[kind];
}

static int add_time_line(struct alerts *alerts, const struct incident *incident, struct reply *r,
                         struct json_out *data, struct err *err)
{
    struct incident_event *events = calloc(LINES_MAX, sizeof(*events));
    AUTO_FREE struct incident_event *memory = events;
    ASSERT(events != NULL);
    int64_t total = 0, now_us = clock_wall_us(alerts->o.clock);
    int n = incident_table_events(alerts->o.store, incident->id, INCIDENT_ALL, events, LINES_MAX,
                                  &total, err);
    if (n < 0) {
        return n;
    }
    if (total > n) {
        reply_para(r, "The newest {} of {} events:", cell_count(n), cell_count(total));
    }
    json_out_array(data, "events");
    for (int i = 0; i < n; i++) {
        const struct incident_event *e = &events[i];
        bool bare = e->kind == INCIDENT_RESOLVED && e->text[0] == '\0';
        reply_item(r, "{} {}{}", cell_time(e->at_us, now_us),
                   cell_text(bare ? "resolved" : words_of(e->kind)), cell_text(e->text));
        json_out_object(data, NULL);
        json_out_time(data, "at", e->at_us);
        json_out_text(data, "kind", incident_kind_name(e->kind));
        json_out_text(data, "text", e->text);
        json_out_i64(data, "alert_id", e->alert_id);
        json_out_i64(data, "run_id", e->run_id);
        json_out_end(data);
    }
    json_out_end(data);
    return 0;
}

static int show_incident(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    struct reply *r = action_reply(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    AUTO_FREE struct alert *root = calloc(1, sizeof(*root));
    ASSERT(alert != NULL && root != NULL);
    struct incident incident;
    int64_t now_us = clock_wall_us(alerts->o.clock);
    int rc = alert_find(alerts, action_int(call, "id"), alert, err);
    if (rc < 0 || (rc = incident_root(alerts, alert, root, err)) < 0) {
        return rc;
    }
    int64_t id = rc > 0 ? root->id : alert->id;
    if ((rc = incident_table_get(alerts->o.store, id, &incident, err)) == 0 &&
        incident.merged_into != 0) {
        rc = incident_table_get(alerts->o.store, incident.merged_into, &incident, err);
    }
    if (rc == -ERR_STORE_NOT_FOUND) {
        return err_set(err, ERR_INCIDENT_UNKNOWN, "%lld", (long long)id);
    }
    if (rc < 0 || (rc = alert_table_get(alerts->o.store, incident.id, alert, err)) < 0) {
        return rc;
    }
    AUTO_REPLY struct reply *card = incident_reply(alerts, alert);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_title(r, reply_get_tone(card), "Incident %lld · %s · %s", (long long)incident.id,
                incident.closed_us != 0 ? "over" : severity_name(alert->severity), alert->title);
    reply_para(r, "{} since {}", cell_duration(lasted_us(&incident, now_us)),
               cell_time(incident.opened_us, now_us));
    if (alert->acked_by[0] != '\0') {
        reply_more(r, ", acknowledged by {}", cell_text(alert->acked_by));
    }
    json_out_object(&data, "incident");
    alerts_write_incident(&data, &incident, alert);
    json_out_end(&data);
    if ((rc = add_time_line(alerts, &incident, r, &data, err)) < 0) {
        return rc;
    }
    for (size_t row = 0; row < reply_button_rows(card); row++) {
        for (size_t i = 0; i < reply_button_count(card, row); i++) {
            struct reply_button b = reply_get_button(card, row, i);
            if (strncmp(b.command, "/incident", 9) != 0) {
                reply_button(r, b.text, b.command, b.style);
            }
        }
    }
    return ACTION_DONE;
}

static const struct action actions[] = {
    {.name = "incident.list",
     .summary = "Incidents, newest first",
     .data = "incidents",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_CHOICE,
                              .choices = "open|all",
                              .default_text = "open",
                              .help = "the open ones, or also those that are over"}),
     .run = list_incidents},
    {.name = "incident.show",
     .summary = "One incident with its time line",
     .data = "incident events",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the incident, or of an alert of it"}),
     .run = show_incident},
    {0},
};

void incident_actions(struct alerts *alerts, struct action_table *table)
{
    action_table_add(table, actions, alerts);
}
