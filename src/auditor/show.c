#include "show.h"

#include "base/clock.h"

#include <string.h>

static const char *icon(enum severity severity)
{
    switch (severity) {
    case SEVERITY_CRITICAL:
        return "🔴";
    case SEVERITY_HIGH:
        return "🟠";
    case SEVERITY_MEDIUM:
        return "🟡";
    case SEVERITY_LOW:
        return "🔵";
    case SEVERITY_INFO:
        return "⚪";
    }
    return "";
}

int show_count(const struct finding_list *list, bool rejected)
{
    int count = 0;
    for (int i = 0; i < list->count; i++) {
        count += list->items[i].rejected == rejected ? 1 : 0;
    }
    return count;
}

enum severity show_worst(const struct finding_list *list)
{
    enum severity worst = SEVERITY_INFO;
    for (int i = 0; i < list->count; i++) {
        if (!list->items[i].rejected && list->items[i].severity > worst) {
            worst = list->items[i].severity;
        }
    }
    return worst;
}

void show_model(const struct audit_outcome *outcome, struct buf *out)
{
    if (outcome->not_asked != NULL) {
        buf_addf(out, "Claude was not asked: %s.", outcome->not_asked);
        return;
    }
    if (outcome->no_verdict.id != ERR_NONE) {
        const struct err_info *info = err_info(outcome->no_verdict.id);
        buf_addf(out, "No verdict from Claude: %s (%s).", info->message, info->code);
    } else {
        buf_addf(out, "%s read the report.", outcome->model);
    }
    if (outcome->tokens_in + outcome->tokens_out > 0) {
        buf_addf(out, " %lld tokens in, %lld out", (long long)outcome->tokens_in,
                 (long long)outcome->tokens_out);
        if (dec_is_valid(outcome->cost_usd)) {
            buf_add_c(out, ", $");
            dec_add_amount(out, outcome->cost_usd, 4);
        }
        buf_add_char(out, '.');
    }
}

static void show_finding(const struct finding *finding, struct reply *reply)
{
    reply_gap(reply);
    reply_line(reply, "%s %s · %s", icon(finding->severity), severity_name(finding->severity),
               finding->title);
    reply_line(reply, "%s", finding->description);
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct evidence *evidence = &finding->evidence[i];
        reply_line(reply, "%s %s = %s%s%s%s", evidence->verified ? "✔" : "✘", evidence->pointer,
                   evidence->cited.text, evidence->note[0] != '\0' ? " (" : "", evidence->note,
                   evidence->note[0] != '\0' ? ")" : "");
    }
    if (finding->capped) {
        reply_line(reply, "Ranked medium at most, because it is based on few samples.");
    }
    reply_line(reply, "→ %s", finding->recommendation);
}

static struct json_object *finding_data(const struct finding *finding)
{
    struct json_object *data = json_object_new_object();
    char fingerprint[FINDING_FINGERPRINT_SIZE];
    finding_fingerprint(finding, fingerprint);
    json_object_object_add(data, "type", json_object_new_string(alert_type_name(finding->type)));
    json_object_object_add(data, "severity",
                           json_object_new_string(severity_name(finding->severity)));
    json_object_object_add(data, "title", json_object_new_string(finding->title));
    json_object_object_add(data, "description", json_object_new_string(finding->description));
    json_object_object_add(data, "recommendation", json_object_new_string(finding->recommendation));
    json_object_object_add(data, "source",
                           json_object_new_string(finding->rule != NULL ? "rule" : "model"));
    json_object_object_add(data, "rejected", json_object_new_boolean(finding->rejected));
    json_object_object_add(data, "fingerprint", json_object_new_string(fingerprint));
    AUTO_BUF struct buf text = BUF_INIT(16 * 1024);
    finding_evidence_write(finding, &text);
    struct json_object *evidence = NULL;
    if (json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &evidence, NULL) == 0) {
        json_object_object_add(data, "evidence", evidence);
    }
    return data;
}

static void show_data(const struct audit_outcome *outcome, struct reply *reply)
{
    struct json_object *data = reply_data(reply);
    struct json_object *findings = json_object_new_array();
    for (int i = 0; i < outcome->findings->count; i++) {
        json_object_array_add(findings, finding_data(&outcome->findings->items[i]));
    }
    AUTO_BUF struct buf model = BUF_INIT(1024);
    show_model(outcome, &model);
    json_object_object_add(data, "hours", json_object_new_int64(outcome->hours));
    json_object_object_add(data, "dry_run", json_object_new_boolean(outcome->dry_run));
    json_object_object_add(data, "findings", findings);
    json_object_object_add(data, "verdict",
                           json_object_new_string(outcome->no_verdict.id != ERR_NONE ? "no_verdict"
                                                  : show_count(outcome->findings, false) > 0
                                                      ? "findings"
                                                      : "clear"));
    json_object_object_add(
        data, "model_took_part",
        json_object_new_boolean(outcome->not_asked == NULL && outcome->no_verdict.id == ERR_NONE));
    json_object_object_add(data, "model_note", json_object_new_string(model.data));
    json_object_object_add(data, "tokens_in", json_object_new_int64(outcome->tokens_in));
    json_object_object_add(data, "tokens_out", json_object_new_int64(outcome->tokens_out));
    json_object_object_add(data, "request_id", json_object_new_string(outcome->request_id));
    if (outcome->with_report) {
        json_object_object_add(data, "report", json_object_get(outcome->report));
    }
}

void show_audit(const struct audit_outcome *outcome, struct reply *reply)
{
    int accepted = show_count(outcome->findings, false);
    int rejected = show_count(outcome->findings, true);
    enum severity worst = show_worst(outcome->findings);
    enum tone tone = worst >= SEVERITY_HIGH               ? TONE_BAD
                     : worst == SEVERITY_MEDIUM           ? TONE_WARN
                     : outcome->no_verdict.id != ERR_NONE ? TONE_WARN
                                                          : TONE_GOOD;
    reply_title(reply, tone, "Audit of the last %lld h: %d finding%s", (long long)outcome->hours,
                accepted, accepted == 1 ? "" : "s");
    AUTO_BUF struct buf line = BUF_INIT(1024);
    show_model(outcome, &line);
    reply_line(reply, "%s", line.data);
    if (outcome->dry_run) {
        reply_line(reply, "Dry run: nothing was stored and no alert was raised.");
    }
    for (int i = 0; i < outcome->findings->count; i++) {
        if (!outcome->findings->items[i].rejected) {
            show_finding(&outcome->findings->items[i], reply);
        }
    }
    if (rejected > 0) {
        reply_gap(reply);
        reply_line(reply, "%d more rejected: none of the cited figures match the report.",
                   rejected);
    }
    if (accepted > 0 && !outcome->dry_run) {
        reply_button(reply, "Alerts", "/alerts", BUTTON_PLAIN);
    }
    show_data(outcome, reply);
}
