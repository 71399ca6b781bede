#include "show.h"

#include "base/clock.h"
#include "base/log.h"
#include "model/model_json.h"
#include "model/plain_text.h"
#include "report/invariant.h"

#include <string.h>

#define NAMES_SHOWN    6

#define REJECTED_SHOWN 5

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

bool show_is_unproven(const struct audit_outcome *outcome)
{
    bool any = false;
    for (int i = 0; i < outcome->findings->count; i++) {
        const struct finding *finding = &outcome->findings->items[i];
        any |= finding->rule == NULL && finding->rejected;
        if (finding->rule == NULL && !finding->rejected) {
            return false;
        }
    }
    return any && outcome->no_verdict.id == ERR_NONE;
}

const char *show_verdict(const struct audit_outcome *outcome)
{
    return outcome->no_verdict.id != ERR_NONE         ? "no_verdict"
           : show_is_unproven(outcome)                ? "unproven"
           : show_count(outcome->findings, false) > 0 ? "findings"
                                                      : "clear";
}

void show_model(const struct audit_outcome *outcome, struct buf *out)
{
    if (outcome->not_asked != NULL) {
        buf_addf(out, "Claude was not asked: %s.", outcome->not_asked);
        return;
    }
    if (outcome->no_verdict.id != ERR_NONE) {
        const struct err_info *info = err_info(outcome->no_verdict.id);
        buf_addf(out, "No verdict from Claude: %s (%s)", info->message, info->code);
        if (outcome->no_verdict.id == ERR_CLAUDE_BUDGET ||
            outcome->no_verdict.id == ERR_CLAUDE_PAUSED) {
            buf_addf(out, ": %s", outcome->no_verdict.context);
        }
        buf_add_c(out, ".");
    } else {
        buf_addf(out, "%s read the report%s.", outcome->model,
                 show_is_unproven(outcome) ? ", but none of its findings could be verified" : "");
    }
}

static void add_model(const struct audit_outcome *outcome, struct reply *reply)
{
    AUTO_BUF struct buf words = BUF_INIT(1024);
    show_model(outcome, &words);
    reply_para(reply, "{}", cell_text(words.data));
    if (outcome->not_asked == NULL && outcome->tokens_in + outcome->tokens_out > 0) {
        reply_more(reply, " {} tokens in, {} out", cell_count(outcome->tokens_in),
                   cell_count(outcome->tokens_out));
        if (outcome->tokens_cache_read > 0) {
            reply_more(reply, ", {} of them from the cache",
                       cell_count(outcome->tokens_cache_read));
        }
        if (dec_is_valid(outcome->cost_usd)) {
            reply_more(reply, ", {}", cell_cost(outcome->cost_usd));
        } else {
            reply_more(reply, "{}",
                       cell_text(", at an unknown cost, which the daily budget does not count"));
        }
        reply_more(reply, "{}", cell_text("."));
    }
}

static void show_finding(const struct finding *finding, struct reply *reply)
{
    reply_gap(reply);
    reply_line(reply, "%s %s · %s", icon(finding->severity), severity_name(finding->severity),
               finding->title);
    reply_line(reply, "%s", finding->description);
    for (int i = 0; i < finding->evidence_count; i++) {
        const struct finding_evidence *evidence = &finding->evidence[i];
        char pointer[FINDING_POINTER_SIZE];
        char value[2 * FINDING_VALUE_SIZE];
        plain_strip(str_c(evidence->pointer), PLAIN_LINE, pointer, sizeof(pointer));
        plain_text(str_c(evidence->cited.text), PLAIN_LINE, value, sizeof(value));
        reply_para(reply, "{} {} = {}", cell_text(evidence->verified ? "✔" : "✘"),
                   cell_code(pointer), cell_text(value));
        if (evidence->note[0] != '\0') {
            reply_more(reply, " ({})", cell_text(evidence->note));
        }
    }
    if (finding->capped) {
        reply_line(reply, "Ranked medium at most, because it is based on few samples.");
    }
    reply_line(reply, "→ %s", finding->recommendation);
}

/* Why, but not what: a wrong figure is shown only where it is refuted. */
static void show_rejected(const struct finding_list *list, struct reply *reply)
{
    int shown = 0;
    for (int i = 0; i < list->count && shown < REJECTED_SHOWN; i++) {
        if (list->items[i].rejected) {
            char reason[2 * FINDING_REASON_SIZE];
            plain_text(str_c(list->items[i].reason), PLAIN_LINE, reason, sizeof(reason));
            reply_item(reply, "{}", cell_text(reason));
            shown++;
        }
    }
}

/* What this audit did not look at or left out, and how often its model is wrong. */
static void show_limits(const struct audit_outcome *outcome, struct reply *reply)
{
    const struct answer_counts *counts = &outcome->counts;
    if (counts->dropped > 0) {
        reply_para(reply, "{} dropped of {} in the answer: {}.", cell_count(counts->dropped),
                   cell_count(counts->claimed),
                   cell_text(counts->reason[0] != '\0' ? counts->reason : "said twice"));
    }
    if (counts->cut > 0) {
        reply_para(reply, "{} shortened.", cell_count(counts->cut));
    }
    if (outcome->errors.claimed > 0) {
        reply_para(reply, "The model's error rate: {} of {} findings rejected in {} audits.",
                   cell_count(outcome->errors.rejected), cell_count(outcome->errors.claimed),
                   cell_count(outcome->errors.audits));
    }
    if (outcome->not_evaluated_count > 0) {
        AUTO_BUF struct buf names = BUF_INIT(4096);
        for (int i = 0; i < outcome->not_evaluated_count && i < NAMES_SHOWN; i++) {
            buf_addf(&names, "%s%s", i > 0 ? ", " : "", outcome->not_evaluated[i]);
        }
        buf_add_c(&names, outcome->not_evaluated_count > NAMES_SHOWN ? " and others." : ".");
        reply_para(reply,
                   "{} of {} invariants were not evaluated, for want of figures or samples: {}",
                   cell_count(outcome->not_evaluated_count), cell_count(invariant_count()),
                   cell_text(names.data));
    }
}

static void show_data(const struct audit_outcome *outcome, struct reply *reply)
{
    struct json_out data = JSON_OUT_TREE(reply_data(reply));
    AUTO_BUF struct buf model = BUF_INIT(1024);
    show_model(outcome, &model);
    json_out_i64(&data, "hours", outcome->hours);
    json_out_bool(&data, "dry_run", outcome->dry_run);
    json_out_array(&data, "findings");
    for (int i = 0; i < outcome->findings->count; i++) {
        char fingerprint[FINDING_FINGERPRINT_SIZE];
        const struct finding *finding = &outcome->findings->items[i];
        finding_fingerprint(finding, fingerprint);
        json_out_object(&data, NULL);
        model_json_finding(&data, finding, fingerprint);
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_i64(&data, "claimed", outcome->counts.claimed);
    json_out_i64(&data, "rejected", show_count(outcome->findings, true));
    json_out_i64(&data, "dropped", outcome->counts.dropped);
    json_out_i64(&data, "cut", outcome->counts.cut);
    json_out_bool(&data, "wrapped", outcome->counts.wrapped);
    json_out_object(&data, "model_errors");
    json_out_i64(&data, "audits", outcome->errors.audits);
    json_out_i64(&data, "claimed", outcome->errors.claimed);
    json_out_i64(&data, "rejected", outcome->errors.rejected);
    json_out_end(&data);
    json_out_array(&data, "not_evaluated");
    for (int i = 0; i < outcome->not_evaluated_count; i++) {
        json_out_text(&data, NULL, outcome->not_evaluated[i]);
    }
    json_out_end(&data);
    json_out_text(&data, "verdict", show_verdict(outcome));
    json_out_bool(&data, "model_took_part",
                  outcome->not_asked == NULL && outcome->no_verdict.id == ERR_NONE);
    json_out_text(&data, "model_note", model.data);
    json_out_i64(&data, "tokens_in", outcome->tokens_in);
    json_out_i64(&data, "tokens_out", outcome->tokens_out);
    json_out_i64(&data, "tokens_cache_read", outcome->tokens_cache_read);
    json_out_i64(&data, "tokens_cache_write", outcome->tokens_cache_write);
    json_out_text(&data, "request_id", outcome->request_id);
    if (outcome->with_report) {
        json_out_value(&data, "report", outcome->report);
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
                     : show_is_unproven(outcome)          ? TONE_WARN
                                                          : TONE_GOOD;
    reply_title(reply, tone, "Audit of the last %lld h: %d finding%s", (long long)outcome->hours,
                accepted, accepted == 1 ? "" : "s");
    add_model(outcome, reply);
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
        reply_para(reply, "{} more rejected, since not every figure is proven by the report:",
                   cell_count(rejected));
        show_rejected(outcome->findings, reply);
    }
    show_limits(outcome, reply);
    if (accepted > 0 && !outcome->dry_run) {
        reply_button(reply, "Alerts", "/alerts", BUTTON_PLAIN);
    }
    show_data(outcome, reply);
}

static enum log_level log_level_of(enum severity severity)
{
    return severity >= SEVERITY_HIGH ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
}

void show_log(const struct audit_outcome *outcome, const char *trigger)
{
    const struct finding_list *list = outcome->findings;
    int counts[SEVERITY_CRITICAL + 1] = {0};
    for (int i = 0; i < list->count; i++) {
        counts[list->items[i].severity] += list->items[i].rejected ? 0 : 1;
    }
    log_write(log_level_of(show_worst(list)), __FILE_NAME__, __LINE__, NULL, 0,
              "audit (%s): critical %d, high %d, medium %d, low %d, info %d, rejected %d, "
              "not evaluated %d; %s",
              trigger, counts[SEVERITY_CRITICAL], counts[SEVERITY_HIGH], counts[SEVERITY_MEDIUM],
              counts[SEVERITY_LOW], counts[SEVERITY_INFO], show_count(list, true),
              outcome->not_evaluated_count,
              outcome->not_asked != NULL           ? "the model was not asked"
              : outcome->no_verdict.id != ERR_NONE ? err_info(outcome->no_verdict.id)->code
                                                   : "the model answered");
    for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_INFO; severity--) {
        for (int i = 0; i < list->count; i++) {
            const struct finding *finding = &list->items[i];
            if ((int)finding->severity != severity || finding->rejected) {
                continue;
            }
            log_write(log_level_of(finding->severity), __FILE_NAME__, __LINE__, NULL, 0,
                      "audit finding: %s %s, %s: %s", severity_name(finding->severity),
                      alert_type_name(finding->type), finding->subject, finding->title);
        }
    }
}
