/* The ladder of alerts.escalate: a critical alert that nobody acknowledges goes to one recipient
 * after the other. Each step is taken once, also over a restart. */
#include "alerts_internal.h"
#include "base/check.h"
#include "base/log.h"
#include "store/ops.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MAX 50

struct climb {
    struct config_step step;
    int64_t number; /* from 1 */
    int64_t waited_us;
};

/* Since when the alert has been as bad as it is. */
static int64_t since_us(struct alerts *alerts, const struct alert *alert)
{
    struct incident_event last;
    int64_t total = 0;
    int n = incident_table_events(alerts->o.store, alert->id,
                                  UINT32_C(1) << INCIDENT_RAISED | UINT32_C(1) << INCIDENT_WORSE,
                                  &last, 1, &total, NULL);
    return n > 0 ? last.at_us : alert->created_us;
}

static int post_to(struct alerts *alerts, const struct alert *alert, const struct climb *climb,
                   const struct alert_target *targets, size_t count, struct err *err)
{
    AUTO_REPLY struct reply *reply = incident_reply(alerts, alert);
    reply_para(reply, "Nobody has acknowledged it for {}. This is step {} of alerts.escalate.",
               cell_duration(climb->waited_us), cell_count(climb->number));
    int rc = 0;
    for (size_t i = 0; i < count && rc >= 0; i++) {
        struct alert_message message = {.alert_id = alert->id, .chat_id = targets[i].chat_id};
        message.form =
            alert_is_second_channel(targets[i].channel) ? ALERT_MESSAGE_PART : ALERT_MESSAGE_OWN;
        (void)str_copy(str_c(targets[i].channel), message.channel, sizeof(message.channel));
        rc = alert_post(alerts, &targets[i], reply, OUTBOX_CRITICAL, 0, &message.outbox_id, err);
        rc = rc < 0 ? rc : alert_message_table_write(alerts->o.store, &message, err);
    }
    return rc;
}

static int climb_body(struct alert_change *change, struct err *err)
{
    struct alerts *alerts = change->alerts;
    const struct climb *climb = change->userdata;
    struct alert_target targets[ALERT_TARGETS_MAX];
    struct incident_event event = {.kind = INCIDENT_ESCALATED};
    size_t count = alert_step_targets(alerts, &climb->step, targets);
    AUTO_BUF struct buf text = BUF_INIT(sizeof(event.text) - 1);
    if (climb->step.to[0] != '\0') {
        buf_addf(&text, "to %s", climb->step.to);
    } else {
        buf_addf(&text, "to chat %lld", (long long)climb->step.chat_id);
    }
    buf_add_c(&text, ": not acknowledged for ");
    clock_add_duration(&text, climb->waited_us);
    buf_add_c(&text, count == 0 ? "; there is no such recipient" : "");
    str_cut(buf_str(&text), event.text, sizeof(event.text));
    int rc = incident_event(alerts, change->alert, &event, err);
    if (rc < 0 ||
        (rc = incident_table_set_escalated(alerts->o.store, change->alert->id, climb->number,
                                           err)) < 0 ||
        (rc = alert_changed(alerts, change->alert, err)) < 0) {
        return rc;
    }
    return post_to(alerts, change->alert, climb, targets, count, err);
}

/* One step at a time, so that each is seen for what it is. */
static int climb(struct alerts *alerts, struct alert *alert, struct err *err)
{
    const struct config *config = alerts->o.config;
    struct incident incident;
    int rc = incident_table_get(alerts->o.store, alert->id, &incident, err);
    if (rc == -ERR_STORE_NOT_FOUND) { /* a finding */
        err_clear(err);
        return 0;
    }
    if (rc < 0 || incident.escalated >= config->alerts_escalate.count) {
        return rc;
    }
    struct climb next = {.number = incident.escalated + 1,
                         .waited_us = clock_wall_us(alerts->o.clock) - since_us(alerts, alert)};
    if (!config_step_parse(config->alerts_escalate.items[incident.escalated], &next.step) ||
        next.waited_us < next.step.after_us) {
        return 0;
    }
    struct alert_change change = {
        .alerts = alerts, .body = climb_body, .alert = alert, .userdata = &next};
    return alert_run(&change, err);
}

void alert_escalate_tick(struct alerts *alerts)
{
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN,
                                      .min_severity = SEVERITY_CRITICAL};
    int64_t counts[SEVERITY_CRITICAL + 1] = {0};
    struct err err = {0};
    if (alerts->o.config->alerts_escalate.count == 0 ||
        (alert_table_counts(alerts->o.store, counts, NULL) == 0 &&
         counts[SEVERITY_CRITICAL] == 0)) {
        return;
    }
    struct alert *rows = calloc(LOOK_MAX, sizeof(*rows));
    AUTO_FREE struct alert *memory = rows;
    ASSERT(rows != NULL);
    int n = alert_table_list(alerts->o.store, &query, rows, LOOK_MAX, &err);
    int rc = n < 0 ? n : 0;
    for (int i = 0; i < n && rc >= 0; i++) {
        if (rows[i].cause[0] == '\0' && !alert_is_maintained(alerts, &rows[i]) &&
            !alert_is_muted(alerts, NOTICE_CRITICAL, &rows[i], NULL)) {
            rc = climb(alerts, &rows[i], &err);
        }
    }
    if (rc < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not escalate an alert");
    }
}
