#include "alert_reply.h"

#include "base/clock.h"
#include "model/model_json.h"

#include <stdio.h>
#include <string.h>

static enum tone tone_of(enum severity severity)
{
    switch (severity) {
    case SEVERITY_CRITICAL:
    case SEVERITY_HIGH:
        return TONE_BAD;
    case SEVERITY_MEDIUM:
        return TONE_WARN;
    case SEVERITY_LOW:
    case SEVERITY_INFO:
        return TONE_PLAIN;
    }
    return TONE_PLAIN;
}

static void add_times(struct reply *r, const struct alert *alert, int64_t now_us)
{
    int64_t age_us = now_us > alert->created_us ? now_us - alert->created_us : 0;
    reply_para(r, "Since {} ({} ago)", cell_time(alert->created_us, now_us), cell_duration(age_us));
    if (alert->count > 1) {
        reply_more(r, ", seen {} times, last {}", cell_count(alert->count),
                   cell_time(alert->last_seen_us, now_us));
    }
}

static void add_status(struct reply *r, const struct alert *alert)
{
    switch (alert->status) {
    case ALERT_OPEN:
        break;
    case ALERT_ACKNOWLEDGED:
        reply_line(r, "Acknowledged by %s", alert->acked_by);
        break;
    case ALERT_FIXED:
        reply_para(r, "Resolved after {}", cell_duration(alert->fixed_us - alert->created_us));
        if (alert->closed_by[0] != '\0') {
            reply_more(r, ", by {}", cell_text(alert->closed_by));
        }
        break;
    case ALERT_WONTFIX:
        reply_line(r, "Marked as won't fix by %s", alert->acked_by);
        break;
    case ALERT_REJECTED:
        reply_line(r, "Rejected: not every figure could be verified");
        break;
    }
}

bool alert_is_finding(const struct alert *alert)
{
    static const char *const others[] = {"auditor:no-verdict", "auditor:unproven",
                                         "auditor:overdue"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (strcmp(alert->fingerprint, others[i]) == 0) {
            return false;
        }
    }
    return strcmp(alert->source, "auditor") == 0;
}

/* "/mute", its number, and what follows. */
static void add_button(struct reply *r, const struct alert *alert, const char *text,
                       const char *command, const char *more)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "%s %lld%s", command, (long long)alert->id, more);
    reply_button(r, text, line, strcmp(command, "/ack") == 0 ? BUTTON_PRIMARY : BUTTON_PLAIN);
}

void alert_reply_close_buttons(const struct alert *alert, struct reply *r)
{
    bool undecided = alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED;
    if (alert->status != ALERT_FIXED && alert->status != ALERT_REJECTED) {
        add_button(r, alert, "Fixed", "/fixed", "");
    }
    if (alert->status == ALERT_OPEN) {
        add_button(r, alert, "Mute 1 h", "/mute", " 1h");
    }
    if (undecided && alert_is_finding(alert)) {
        add_button(r, alert, "Won't fix", "/findings", " ask=wontfix");
    }
}

static void add_service_buttons(struct reply *r, const struct alert *alert, const char *service)
{
    char line[96];
    (void)snprintf(line, sizeof(line), "/restart %s", service);
    reply_button(r, "Restart", line, BUTTON_PLAIN);
    reply_button_row(r);
    (void)snprintf(line, sizeof(line), "/logs %s", service);
    reply_button(r, "Logs", line, BUTTON_PLAIN);
    if (alert->status == ALERT_OPEN) {
        add_button(r, alert, "Mute 1 h", "/mute", " 1h");
    }
    add_button(r, alert, "Details", "/incident", "");
}

static void add_buttons(struct reply *r, const struct alert *alert, const char *service)
{
    bool undecided = alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED;
    if (alert->status == ALERT_OPEN) {
        add_button(r, alert, "Ack", "/ack", "");
    }
    if (alert->status == ALERT_ACKNOWLEDGED) {
        reply_choice(r, "✓ Acked by %s", alert->acked_by);
    }
    if (undecided && service != NULL) {
        add_service_buttons(r, alert, service);
        return;
    }
    if (undecided && alert_is_finding(alert)) {
        add_button(r, alert, "Explain", "/findings", "");
        alert_reply_close_buttons(alert, r);
        return;
    }
    if (alert->status == ALERT_OPEN) {
        add_button(r, alert, "Mute 1 h", "/mute", " 1h");
    }
    if (undecided) {
        add_button(r, alert, "Explain", "/alerts", "");
    }
}

static void add_head(struct reply *r, const struct alert *alert, int64_t now_us)
{
    bool fixed = alert->status == ALERT_FIXED;
    reply_title(r, fixed ? TONE_GOOD : tone_of(alert->severity), "%s · %s",
                fixed ? "resolved" : severity_name(alert->severity), alert->title);
    if (alert->description[0] != '\0') {
        reply_line(r, "%s", alert->description);
    }
    add_times(r, alert, now_us);
    add_status(r, alert);
    if (alert->note[0] != '\0') {
        reply_quote(r, str_c(alert->note));
    }
    if (alert->recommendation[0] != '\0' && !fixed) {
        reply_line(r, "To do: %s", alert->recommendation);
    }
}

static void set_data(struct reply *r, const struct alert *alert)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "alert");
    model_json_alert(&data, alert);
    json_out_end(&data);
}

struct reply *alert_reply(const struct alert *alert, const char *service, int64_t now_us)
{
    struct reply *r = reply_new();
    add_head(r, alert, now_us);
    add_buttons(r, alert, service);
    set_data(r, alert);
    return r;
}

struct reply *alert_reply_resolved(const struct alert *alert, const char *why)
{
    struct reply *r = reply_new();
    reply_title(r, TONE_GOOD, "resolved · %s", alert->title);
    if (why != NULL && why[0] != '\0') {
        reply_line(r, "%s", why);
    }
    set_data(r, alert);
    return r;
}

void alert_reply_full(const struct alert *alert, const struct alert_report *report, int64_t now_us,
                      struct reply *r)
{
    add_head(r, alert, now_us);
    reply_para(r, "Alert {}, type {}, raised by {}", cell_count(alert->id),
               cell_text(alert_type_name(alert->type)), cell_text(alert->source));
    if (alert->reopened > 0) {
        reply_para(r, "Reopened {} time{}", cell_count(alert->reopened),
                   cell_text(alert->reopened == 1 ? "" : "s"));
    }
    if (alert->cause[0] != '\0') {
        reply_para(r, "Part of the incident of {}", cell_code(alert->cause));
    }
    alert_reply_explain(alert, report, now_us, r);
    if (alert->status == ALERT_OPEN) {
        add_button(r, alert, "Ack", "/ack", "");
    }
    set_data(r, alert);
}

void alert_reply_list(const struct alert *alerts, int count, bool more, int64_t now_us,
                      struct reply *r)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "alerts");
    for (int i = 0; i < count; i++) {
        json_out_object(&data, NULL);
        model_json_alert(&data, &alerts[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    if (count == 0) {
        reply_title(r, TONE_GOOD, "No open alerts");
        return;
    }
    reply_title(r, tone_of(alerts[0].severity), "%d%s open alert%s", count, more ? "+" : "",
                count == 1 ? "" : "s");
    reply_columns(r, "#", "severity", "title", "since", "seen", "");
    for (int i = 0; i < count; i++) {
        const struct alert *alert = &alerts[i];
        int64_t age_us = now_us > alert->created_us ? now_us - alert->created_us : 0;
        reply_cells(r, cell_count(alert->id), cell_text(severity_name(alert->severity)),
                    cell_text(alert->title), cell_duration(age_us), cell_count(alert->count),
                    cell_text(alert->status == ALERT_ACKNOWLEDGED ? "ack"
                              : alert->cause[0] != '\0'           ? alert->cause
                                                                  : ""));
    }
    reply_para(r, "{} shows details, {} acknowledges.", cell_code("/alerts <number>"),
               cell_code("/ack <number>"));
}
