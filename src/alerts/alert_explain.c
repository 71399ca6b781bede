/* What a finding's figures mean, and what the report of the newest audit says about them now. */
#include "alert_reply.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/json.h"
#include "model/plain_text.h"
#include "store/audit_table.h"
#include "store/ops.h"

#include <string.h>

#define FIGURES_SHOWN 12
#define NAME_MAX_LEN  256
#define RULE_PREFIX   "auditor:rule:"

int alert_report_load(struct ops_store *store, struct alert_report *ret, struct err *err)
{
    *ret = (struct alert_report){0};
    AUTO_AUDIT_RECORD struct audit_record last = {0};
    int rc = audit_table_last(store, &last, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    ret->at_us = last.finished_us;
    /* A damaged report explains nothing; the finding is shown without it. */
    (void)json_parse(str_c(last.report_json), &JSON_LIMITS_DEFAULT, &ret->document, NULL);
    return 0;
}

void alert_report_release(struct alert_report *report)
{
    (void)json_object_put(report->document);
    report->document = NULL;
}

/* The longest name of the glossary that the pointer begins with: "win_loss.cooldown" for
 * /win_loss/cooldown/trades. */
static const char *meaning_of(struct json_object *glossary, const char *pointer)
{
    char name[NAME_MAX_LEN];
    const char *last = strrchr(pointer, '/');
    static const char *const parts[] = {"/k", "/n", "/pct", "/low_pct", "/high_pct"};
    for (size_t i = 0; last != NULL && i < COUNT_OF(parts); i++) {
        if (strcmp(last, parts[i]) == 0) {
            return json_text(glossary, "rate");
        }
    }
    if (pointer[0] != '/' || !str_copy(str_c(pointer + 1), name, sizeof(name))) {
        return "";
    }
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '/' ? '.' : *c;
    }
    for (char *end = name + strlen(name); end != NULL; end = strrchr(name, '.')) {
        *end = '\0';
        const char *meaning = json_text(glossary, name);
        if (meaning[0] != '\0') {
            return meaning;
        }
    }
    return "";
}

static void plain_value(struct json_object *value, char *ret, size_t size)
{
    AUTO_BUF struct buf text = BUF_INIT(ALERT_EVIDENCE_SIZE);
    if (json_is_text(value)) {
        buf_add_c(&text, json_object_get_string(value));
    } else {
        json_add_text(&text, value);
    }
    plain_text(buf_str(&text), PLAIN_LINE, ret, size);
}

static void add_now(struct reply *r, const struct alert_report *report, const char *pointer,
                    const char *then)
{
    char now[ALERT_EVIDENCE_SIZE];
    struct json_object *value = NULL;
    if (report->document == NULL) {
        return;
    }
    if (!json_pointer(report->document, str_c(pointer), &value)) {
        reply_more(r, "\n  now: {}", cell_text("no longer in the report"));
        return;
    }
    plain_value(value, now, sizeof(now));
    reply_more(r, "\n  now: {}", cell_text(strcmp(now, then) == 0 ? "the same" : now));
}

/* Texts may come from outside, or be written by a model. */
static void add_figure(struct reply *r, const struct alert_report *report,
                       struct json_object *figure, const char **meant)
{
    char pointer[NAME_MAX_LEN], value[ALERT_EVIDENCE_SIZE], note[ALERT_EVIDENCE_SIZE];
    if (!json_is_object(figure) || !json_is_text(json_get(figure, "pointer"))) {
        plain_value(figure, value, sizeof(value));
        reply_item(r, "{}", cell_text(value));
        return;
    }
    plain_strip(json_str(figure, "pointer"), PLAIN_LINE, pointer, sizeof(pointer));
    plain_value(json_get(figure, "value"), value, sizeof(value));
    plain_text(json_str(figure, "note"), PLAIN_LINE, note, sizeof(note));
    reply_item(r, "{} {} = {}", cell_text(json_truth(figure, "verified", false) ? "✔" : "✘"),
               cell_code(pointer), cell_text(value));
    if (note[0] != '\0') {
        reply_more(r, " ({})", cell_text(note));
    }
    const char *meaning = meaning_of(json_get(report->document, "glossary"), pointer);
    if (meaning[0] != '\0' && meaning != *meant) {
        reply_more(r, "\n  {}", cell_text(meaning));
        *meant = meaning;
    }
    add_now(r, report, pointer, value);
}

static void add_evidence(struct reply *r, const struct alert *alert,
                         const struct alert_report *report)
{
    AUTO_JSON struct json_object *evidence = NULL;
    const char *meant = NULL;
    if (json_parse(str_c(alert->evidence), &JSON_LIMITS_DEFAULT, &evidence, NULL) < 0 ||
        json_len(evidence) == 0) {
        return;
    }
    reply_line(r, "Evidence:");
    for (size_t i = 0; i < json_len(evidence) && i < FIGURES_SHOWN; i++) {
        add_figure(r, report, json_item(evidence, i), &meant);
    }
    if (json_len(evidence) > FIGURES_SHOWN) {
        reply_para(r, "… and {} more", cell_count((int64_t)json_len(evidence) - FIGURES_SHOWN));
    }
}

/* An invariant is its own check; the id is what follows "auditor:rule:". */
static void add_invariant(struct reply *r, const char *fingerprint,
                          const struct alert_report *report)
{
    struct str rest = str_c(fingerprint + sizeof(RULE_PREFIX) - 1), id;
    char pointer[NAME_MAX_LEN], name[64];
    struct json_object *state = NULL;
    if (!str_split(&rest, ':', &id) || !str_copy(id, name, sizeof(name))) {
        return;
    }
    reply_para(r, "Check: the invariant {} at each audit", cell_code(name));
    (void)snprintf(pointer, sizeof(pointer), "/invariants/%s/state", name);
    if (json_pointer(report->document, str_c(pointer), &state)) {
        reply_more(r, "; now it is {}", cell_text(json_object_get_string(state)));
    }
}

static void add_check(struct reply *r, const struct alert *alert, const struct alert_report *report)
{
    AUTO_JSON struct json_object *check = NULL;
    char pointer[NAME_MAX_LEN], value[ALERT_EVIDENCE_SIZE];
    if (str_starts(str_c(alert->fingerprint), RULE_PREFIX)) {
        add_invariant(r, alert->fingerprint, report);
        return;
    }
    if (alert->check_json[0] == '\0' ||
        json_parse(str_c(alert->check_json), &JSON_LIMITS_DEFAULT, &check, NULL) < 0) {
        reply_line(r, "Check: none; it is over once the model does not find it again.");
        return;
    }
    plain_strip(json_str(check, "pointer"), PLAIN_LINE, pointer, sizeof(pointer));
    plain_value(json_get(check, "value"), value, sizeof(value));
    reply_para(r, "Check: it is over when this is no longer true: {} {} {}", cell_code(pointer),
               cell_text(json_text(check, "op")), cell_text(value));
    add_now(r, report, pointer, "");
}

void alert_reply_explain(const struct alert *alert, const struct alert_report *report,
                         int64_t now_us, struct reply *r)
{
    add_evidence(r, alert, report);
    if (!alert_is_finding(alert)) {
        return;
    }
    add_check(r, alert, report);
    if (report->document != NULL) {
        reply_para(r, "“Now” is the report of the audit of {}.", cell_time(report->at_us, now_us));
    }
}
