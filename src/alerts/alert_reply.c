#include "alert_reply.h"

#include "base/clock.h"
#include "io/json.h"
#include "model/model_json.h"

#define EVIDENCE_SHOWN 12

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
    AUTO_BUF struct buf since = BUF_INIT(64);
    AUTO_BUF struct buf age = BUF_INIT(64);
    clock_add_when(&since, alert->created_us, now_us);
    clock_add_duration(&age, now_us > alert->created_us ? now_us - alert->created_us : 0);
    if (alert->count > 1) {
        AUTO_BUF struct buf last = BUF_INIT(64);
        clock_add_when(&last, alert->last_seen_us, now_us);
        reply_line(r, "Since %s UTC (%s ago), seen %lld times, last %s", since.data, age.data,
                   (long long)alert->count, last.data);
    } else {
        reply_line(r, "Since %s UTC (%s ago)", since.data, age.data);
    }
}

static void add_status(struct reply *r, const struct alert *alert)
{
    AUTO_BUF struct buf took = BUF_INIT(64);
    switch (alert->status) {
    case ALERT_OPEN:
        break;
    case ALERT_ACKNOWLEDGED:
        reply_line(r, "Acknowledged by %s", alert->acked_by);
        break;
    case ALERT_FIXED:
        clock_add_duration(&took, alert->fixed_us - alert->created_us);
        reply_line(r, "Resolved after %s", took.data);
        break;
    case ALERT_WONTFIX:
        reply_line(r, "Marked as won't fix by %s", alert->acked_by);
        break;
    case ALERT_REJECTED:
        reply_line(r, "Rejected: none of its figures could be verified");
        break;
    }
}

static void add_buttons(struct reply *r, const struct alert *alert)
{
    AUTO_BUF struct buf command = BUF_INIT(64);
    if (alert->status == ALERT_OPEN) {
        buf_addf(&command, "/ack %lld", (long long)alert->id);
        reply_button(r, "Ack", command.data, BUTTON_PRIMARY);
        buf_clear(&command);
    }
    if (alert->status == ALERT_OPEN || alert->status == ALERT_ACKNOWLEDGED) {
        buf_addf(&command, "/alerts %lld", (long long)alert->id);
        reply_button(r, "Explain", command.data, BUTTON_PLAIN);
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

struct reply *alert_reply(const struct alert *alert, int64_t now_us)
{
    struct reply *r = reply_new();
    add_head(r, alert, now_us);
    add_buttons(r, alert);
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

static void add_evidence(struct reply *r, const struct alert *alert)
{
    AUTO_JSON struct json_object *evidence = NULL;
    if (json_parse(str_c(alert->evidence), &JSON_LIMITS_DEFAULT, &evidence, NULL) < 0 ||
        json_len(evidence) == 0) {
        return;
    }
    reply_line(r, "Evidence:");
    for (size_t i = 0; i < json_len(evidence) && i < EVIDENCE_SHOWN; i++) {
        AUTO_BUF struct buf text = BUF_INIT(ALERT_EVIDENCE_SIZE);
        json_add_text(&text, json_item(evidence, i));
        reply_line(r, "• %s", text.data);
    }
    if (json_len(evidence) > EVIDENCE_SHOWN) {
        reply_line(r, "… and %zu more", json_len(evidence) - EVIDENCE_SHOWN);
    }
}

void alert_reply_full(const struct alert *alert, int64_t now_us, struct reply *r)
{
    add_head(r, alert, now_us);
    reply_line(r, "Alert %lld, type %s, raised by %s", (long long)alert->id,
               alert_type_name(alert->type), alert->source);
    if (alert->reopened > 0) {
        reply_line(r, "Reopened %lld time%s", (long long)alert->reopened,
                   alert->reopened == 1 ? "" : "s");
    }
    add_evidence(r, alert);
    if (alert->status == ALERT_OPEN) {
        AUTO_BUF struct buf command = BUF_INIT(64);
        buf_addf(&command, "/ack %lld", (long long)alert->id);
        reply_button(r, "Ack", command.data, BUTTON_PRIMARY);
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
    reply_table(r, 5, (const char *const[]){"#", "severity", "title", "since", "seen"});
    for (int i = 0; i < count; i++) {
        const struct alert *alert = &alerts[i];
        AUTO_BUF struct buf id = BUF_INIT(32);
        AUTO_BUF struct buf age = BUF_INIT(64);
        AUTO_BUF struct buf seen = BUF_INIT(64);
        buf_addf(&id, "%lld", (long long)alert->id);
        clock_add_duration(&age, now_us > alert->created_us ? now_us - alert->created_us : 0);
        buf_addf(&seen, "%lld×%s", (long long)alert->count,
                 alert->status == ALERT_ACKNOWLEDGED ? " ack" : "");
        reply_row(r, (const char *const[]){id.data, severity_name(alert->severity), alert->title,
                                           age.data, seen.data});
    }
    reply_line(r, "/alerts <number> shows details, /ack <number> acknowledges.");
}
