#include "alert_reply.h"
#include "alerts_internal.h"
#include "base/check.h"
#include "store/alert_table.h"

#include <stdio.h>
#include <string.h>

int alert_find(struct alerts *alerts, int64_t id, struct alert *ret, struct err *err)
{
    int rc = alert_table_get(alerts->o.store, id, ret, err);
    return rc == -ERR_STORE_NOT_FOUND ? err_set(err, ERR_ALERT_UNKNOWN, "%lld", (long long)id) : rc;
}

static int show_alert(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    AUTO_ALERT_REPORT struct alert_report report = {0};
    int rc = alert_find(alerts, action_int(call, "id"), alert, err);
    if (rc == 0 && alert_is_finding(alert)) {
        rc = alert_report_load(alerts->o.store, &report, err);
    }
    if (rc == 0) {
        alert_reply_full(alert, &report, clock_wall_us(alerts->o.clock), action_reply(call));
    }
    return rc;
}

#define LIST_MAX 20

static int list_alerts(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    if (action_value(call, "id") != NULL) {
        return show_alert(call, err);
    }
    AUTO_FREE struct alert *rows = calloc(LIST_MAX + 1, sizeof(*rows));
    ASSERT(rows != NULL);
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED};
    int n = alert_table_list(alerts->o.store, &query, rows, LIST_MAX + 1, err);
    if (n < 0) {
        return n;
    }
    alert_reply_list(rows, n > LIST_MAX ? LIST_MAX : n, n > LIST_MAX,
                     clock_wall_us(alerts->o.clock), action_reply(call));
    alert_mute_list(alerts, action_reply(call));
    return ACTION_DONE;
}

static int ack_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    struct alert *alert = change->alert;
    if (alert->status != ALERT_OPEN) {
        return err_set(err, ERR_ALERT_CLOSED, "%lld is %s%s%s", (long long)alert->id,
                       alert_status_name(alert->status), alert->acked_by[0] == '\0' ? "" : " by ",
                       alert->acked_by);
    }
    struct incident_event event = {.kind = INCIDENT_ACKNOWLEDGED};
    (void)snprintf(event.text, sizeof(event.text), "by %s", change->words);
    int rc = alert_table_set_status(alerts->o.store, alert->id, ALERT_ACKNOWLEDGED, change->words,
                                    clock_wall_us(alerts->o.clock), err);
    if (rc < 0 || (rc = incident_event(alerts, alert, &event, err)) < 0 ||
        (rc = alert_table_get(alerts->o.store, alert->id, alert, err)) < 0) {
        return rc;
    }
    return alert_changed(alerts, alert, err);
}

static int ack_one(struct action_call *call, int64_t id, struct alert *alert, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    int rc = alert_find(alerts, id, alert, err);
    struct alert_change change = {
        .alerts = alerts, .body = ack_body, .words = action_who(call)->name, .alert = alert};
    return rc < 0 ? rc : alert_run(&change, err);
}

/* Acknowledges the alerts in turn. The first that cannot be ends it; those before it stay
 * acknowledged, and the reply lists them. */
static int ack_alerts(struct action_call *call, struct err *err)
{
    const struct arg_value *ids = action_value(call, "id");
    struct reply *r = action_reply(call);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    bool single = ids->list.count == 1;
    for (size_t i = 0; i < ids->list.count; i++) {
        int rc = ack_one(call, ids->list.items[i].number, alert, err);
        if (rc < 0) {
            return rc;
        }
        if (single) {
            reply_line(r, "%s", alert->title);
        } else {
            reply_line(r, "%lld: %s", (long long)alert->id, alert->title);
        }
    }
    if (single) {
        reply_title(r, TONE_GOOD, "Alert %lld acknowledged", (long long)alert->id);
    } else {
        reply_title(r, TONE_GOOD, "%zu alerts acknowledged", ids->list.count);
    }
    return ACTION_DONE;
}

static int recover_ack(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct arg_value *ids = action_value(call, "id");
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    *ret_happened = true;
    for (size_t i = 0; i < ids->list.count; i++) {
        int rc = alert_find(action_userdata(call), ids->list.items[i].number, alert, err);
        *ret_happened = *ret_happened && rc == 0 && alert->status == ALERT_ACKNOWLEDGED;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Alerts that commands raise are the same if their titles are. */
static void fingerprint_of(const struct action_call *call, struct buf *out)
{
    buf_addf(out, "command:%.100s", action_text(call, "title"));
}

static int raise_alert(struct action_call *call, struct err *err)
{
    struct alerts *alerts = action_userdata(call);
    AUTO_BUF struct buf fingerprint = BUF_INIT(ALERT_FINGERPRINT_SIZE - 1);
    AUTO_BUF struct buf description = BUF_INIT(256);
    struct alert_spec spec = {.type = ALERT_SERVICE,
                              .source = "command",
                              .title = action_text(call, "title"),
                              .recommendation = "See /auditlog for the run, and /logs."};
    int64_t id = 0;
    fingerprint_of(call, &fingerprint);
    buf_addf(&description, "Raised by run %lld of %s.", (long long)action_run_id(call),
             action_who(call)->name);
    spec.fingerprint = fingerprint.data;
    spec.description = description.data;
    spec.run_id = action_run_id(call);
    spec.cause = action_text(call, "about");
    (void)severity_parse(str_c(action_text(call, "severity")), &spec.severity);
    int rc = alerts_raise(alerts, &spec, &id, err);
    if (rc == 0) {
        reply_para(action_reply(call), "Alert {} ({}): {}", cell_count(id),
                   cell_text(severity_name(spec.severity)), cell_text(spec.title));
    }
    return rc;
}

static int recover_raise(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct alerts *alerts = action_userdata(call);
    AUTO_BUF struct buf fingerprint = BUF_INIT(ALERT_FINGERPRINT_SIZE - 1);
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    fingerprint_of(call, &fingerprint);
    int rc = alert_table_find(alerts->o.store, fingerprint.data, alert, err);
    *ret_happened = rc == 0 && alert->status == ALERT_OPEN;
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc;
}

static int show_state(struct action_call *call, struct err *err)
{
    const struct alerts *alerts = action_userdata(call);
    const char *fingerprint = action_text(call, "alert");
    AUTO_FREE struct alert *alert = calloc(1, sizeof(*alert));
    ASSERT(alert != NULL);
    int rc = alert_table_find(alerts->o.store, fingerprint, alert, err);
    if (rc < 0 && rc != -ERR_STORE_NOT_FOUND) {
        return rc;
    }
    err_clear(err);
    bool open = rc == 0 && (alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED);
    const char *status = rc == 0 ? alert_status_name(alert->status) : "none";
    reply_line(action_reply(call), "Alert %s: %s", fingerprint, status);
    action_output(call, "open", "%s", open ? "yes" : "no");
    action_output(call, "status", "%s", status);
    action_output(call, "severity", "%s", open ? severity_name(alert->severity) : "");
    return ACTION_DONE;
}

static const struct action actions[] = {
    {.name = "alert.list",
     .summary = "Open and acknowledged alerts, worst first, or one alert in full",
     .data = "alerts alert",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "id", .type = PARAM_INT, .minimum = "1", .help = "number of an alert"}),
     .run = list_alerts},
    {.name = "alert.show",
     .summary = "One alert in full, with its evidence",
     .data = "alert",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the alert"}),
     .run = show_alert},
    {.name = "alert.state",
     .summary = "Whether an alert is open, for steps that depend on it",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "open status severity",
     .params = ACTION_PARAMS({.name = "alert",
                              .type = PARAM_TEXT,
                              .required = true,
                              .help = "its fingerprint, such as service:NAME"}),
     .run = show_state},
    {.name = "alert.ack",
     .summary = "Acknowledge alerts",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "id",
                              .type = PARAM_LIST,
                              .element = PARAM_INT,
                              .required = true,
                              .minimum = "1",
                              .help = "number of the alert, or several"}),
     .run = ack_alerts,
     .recover = recover_ack},
    {.name = "alert.raise",
     .summary = "Raise an alert",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY, /* a read_only command must be able to report its failure */
     .params = ACTION_PARAMS(
         {.name = "severity",
          .type = PARAM_CHOICE,
          .required = true,
          .choices = "info|low|medium|high|critical",
          .help = "how bad it is"},
         {.name = "title", .type = PARAM_TEXT, .required = true, .help = "what happened"},
         {.name = "about",
          .type = PARAM_TEXT,
          .help = "part of the incident of this alert while it is open: service:NAME"}),
     .run = raise_alert,
     .recover = recover_raise},
    {0},
};

void alerts_actions(struct alerts *alerts, struct action_table *table)
{
    if (alerts != NULL) { /* it is NULL where actions are only described */
        alerts->actions = table;
    }
    action_table_add(table, actions, alerts);
    incident_actions(alerts, table);
    alert_maintenance_actions(alerts, table);
    alert_mute_actions(alerts, table);
    alert_test_actions(alerts, table);
    alert_findings_actions(alerts, table);
}
