#include "alerts/alerts.h"
#include "audit_alerts.h"
#include "auditor_internal.h"
#include "base/auto.h"
#include "base/log.h"
#include "broken.h"
#include "config/config.h"
#include "finding.h"
#include "io/loop.h"
#include "io/pool.h"
#include "show.h"
#include "store/audit_table.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define NO_VERDICT "auditor:no-verdict"
#define UNPROVEN   "auditor:unproven"

/* ------------------------------------------------------------------ alerts */

static void raise_no_verdict(struct auditor *auditor, const struct err *why)
{
    const struct err_info *info = err_info(why->id);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "%s: %s. %s Only the invariants were checked; the model checked nothing.",
             info->code, info->message, info->cause);
    if (why->context[0] != '\0') {
        buf_addf(&text, " (%s)", why->context);
    }
    audit_alerts_raise(auditor->options.alerts,
                       &(struct alert_spec){.type = info->type == ERR_TYPE_DATA ||
                                                            why->id == ERR_AUDIT_ANSWER ||
                                                            why->id == ERR_CLAUDE_TRUNCATED
                                                        ? ALERT_DATA
                                                        : ALERT_BUG,
                                            .severity = SEVERITY_MEDIUM,
                                            .source = "auditor",
                                            .fingerprint = NO_VERDICT,
                                            .title = "the audit has no verdict from the model",
                                            .description = text.data,
                                            .recommendation = info->remediation,
                                            .status = ALERT_OPEN});
}

/* The model answered, but none of its findings is proven: it may have seen something, and it may as
 * well be confused. */
static void raise_unproven(struct auditor *auditor, const struct audit_run *run)
{
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "%d of %d findings of %s state figures that are not in the report",
             show_count(run->findings, true), run->outcome.counts.claimed, run->outcome.model);
    for (int i = 0; i < run->findings->count; i++) {
        if (run->findings->items[i].rejected) {
            buf_addf(&text, ", the first: %s", run->findings->items[i].reason);
            break;
        }
    }
    buf_add_c(&text, ".");
    audit_alerts_raise(
        auditor->options.alerts,
        &(struct alert_spec){.type = ALERT_DATA,
                             .severity = SEVERITY_MEDIUM,
                             .source = "auditor",
                             .fingerprint = UNPROVEN,
                             .title = "no finding of the model could be verified",
                             .description = text.data,
                             .recommendation =
                                 "Look at /findings rejected. If this goes on, use another model "
                                 "(claude.model).",
                             .status = ALERT_OPEN});
}

/* ------------------------------------------------------------------ the end of a run */

/* A rule cites what it has read itself, so this is the model's error. */
static int rejected_of_model(const struct finding_list *list)
{
    int count = 0;
    for (int i = 0; i < list->count; i++) {
        count += list->items[i].rule == NULL && list->items[i].rejected ? 1 : 0;
    }
    return count;
}

static void add_record(struct auditor *auditor, const struct audit_run *run)
{
    const struct audit_outcome *o = &run->outcome;
    struct audit_record record = {.started_us = run->started_us,
                                  .finished_us = clock_wall_us(auditor->options.clock),
                                  .tokens_in = o->tokens_in,
                                  .tokens_out = o->tokens_out,
                                  .claimed = o->counts.claimed,
                                  .rejected = rejected_of_model(run->findings),
                                  .dropped = o->counts.dropped,
                                  .cut = o->counts.cut};
    /* 1e-8 dollars to 1e-6. */
    record.cost_microusd = dec_is_valid(o->cost_usd) ? o->cost_usd.e8 / 100 : 0;
    for (int i = 0; i < run->findings->count; i++) {
        const struct finding *finding = &run->findings->items[i];
        record.findings_by_severity[finding->severity] += finding->rejected ? 0 : 1;
    }
    AUTO_BUF struct buf note = BUF_INIT(sizeof(record.note) - 1);
    show_model(o, &note);
    AUTO_BUF struct buf report = BUF_INIT(REPORT_MAX_BYTES * 2);
    json_add_text(&report, run->report);
    (void)str_copy(str_c(show_verdict(o)), record.verdict, sizeof(record.verdict));
    (void)str_copy(str_c(run->trigger), record.trigger, sizeof(record.trigger));
    (void)str_copy(str_c(o->model), record.model, sizeof(record.model));
    (void)str_copy(str_c(o->request_id), record.request_id, sizeof(record.request_id));
    (void)str_copy(buf_str(&note), record.note, sizeof(record.note));
    record.report_json = report.data;
    struct err err = {0};
    int64_t id = 0;
    int rc = audit_table_add(auditor->options.store, &record, &id, &err);
    rc = rc < 0 ? rc
                : ops_store_write_i64(auditor->options.store, AUDITOR_LAST_NAME, record.finished_us,
                                      &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store the audit");
    }
}

static void update_alerts(struct auditor *auditor, const struct audit_run *run)
{
    struct alerts *alerts = auditor->options.alerts;
    bool answered = run->asked && run->outcome.no_verdict.id == ERR_NONE;
    audit_alerts_update(&(struct audit_alerts){.alerts = alerts,
                                               .store = auditor->options.store,
                                               .report = run->report,
                                               .findings = run->findings,
                                               .started_us = run->started_us,
                                               .answered = answered});
    if (run->outcome.no_verdict.id != ERR_NONE) {
        raise_no_verdict(auditor, &run->outcome.no_verdict);
    } else if (run->asked) {
        audit_alerts_resolve(alerts, NO_VERDICT, "the model answered again");
    }
    if (show_is_unproven(&run->outcome)) {
        raise_unproven(auditor, run);
    } else if (answered) {
        audit_alerts_resolve(alerts, UNPROVEN, "the model's next answer was sound");
    }
    audit_alerts_resolve(alerts, AUDITOR_OVERDUE, "an audit has finished");
}

void audit_run_raise_broken(struct auditor *auditor)
{
    const struct audit_run *run = auditor->run;
    struct ops_store *store = auditor->options.store;
    struct err err = {0};
    struct ops_store_change all;
    bool together = ops_store_change_begin(store, &all, &err) == 0;
    audit_alerts_of_rules(&(struct audit_alerts){.alerts = auditor->options.alerts,
                                                 .store = store,
                                                 .report = run->report,
                                                 .findings = run->findings,
                                                 .started_us = run->started_us});
    broken_resolve(run->report, run->findings, store, auditor->options.alerts);
    if (together && ops_store_change_commit(&all, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store what the audit found");
    }
}

/* Stores an audit in one commit, so that the loop waits for the disk only once. If the
 * transaction cannot be started, each part is stored on its own and logs its failure. */
static void store_all(struct auditor *auditor, const struct audit_run *run)
{
    struct err err = {0};
    struct ops_store_change all;
    bool together = ops_store_change_begin(auditor->options.store, &all, &err) == 0;
    update_alerts(auditor, run);
    add_record(auditor, run);
    if (together && ops_store_change_commit(&all, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store the audit");
    }
}

void audit_run_free(struct audit_run *run)
{
    if (run == NULL) {
        return;
    }
    pool_cancel(run->job);
    report_free(run->read);
    finding_list_free(run->findings);
    free(run);
}

/* Over the audits before this one, and this one. */
static void read_error_rate(const struct auditor *auditor, struct audit_run *run)
{
    struct err err = {0};
    struct audit_errors *errors = &run->outcome.errors;
    if (audit_table_errors(auditor->options.store, AUDIT_ERRORS_USUAL - 1, errors, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the error rate of former audits");
        *errors = (struct audit_errors){0};
    }
    if (run->asked && run->outcome.no_verdict.id == ERR_NONE) {
        errors->audits++;
        errors->claimed += run->outcome.counts.claimed;
        errors->rejected += rejected_of_model(run->findings);
    }
}

void audit_run_finish(struct auditor *auditor)
{
    struct audit_run *run = auditor->run;
    run->outcome.hours = run->request.hours;
    run->outcome.findings = run->findings;
    run->outcome.report = run->report;
    run->outcome.dry_run = run->request.dry_run;
    run->outcome.with_report = strcmp(run->trigger, "cli") == 0;
    run->outcome.elapsed_us = auditor_mono_us(auditor) - run->started_mono_us;
    read_error_rate(auditor, run);
    if (!run->request.dry_run) {
        store_all(auditor, run);
        auditor->last_us = clock_wall_us(auditor->options.clock);
        auditor->last_findings = show_count(run->findings, false);
        (void)str_copy(str_c(show_verdict(&run->outcome)), auditor->last_verdict,
                       sizeof(auditor->last_verdict));
        auditor->finished_mono_us = auditor_mono_us(auditor);
        auditor->last_mono_us = auditor->finished_mono_us;
        /* A clock jump is reported once: the next audit measures from here. */
        auditor->wall_minus_mono_us = auditor->last_us - auditor->finished_mono_us;
        if (loop_timer_armed(auditor->next)) {
            auditor_next_in(auditor, auditor->options.config->monitoring_audit_interval_us);
        }
    }
    show_log(&run->outcome, run->trigger);
    auditor->run = NULL;
    run->ended = true;
    struct reply *reply = run->call != NULL ? action_reply(run->call) : run->reply;
    if (reply != NULL) {
        show_audit(&run->outcome, reply);
    }
    if (run->call != NULL) {
        action_finish(run->call, NULL);
    }
    if (!run->held) {
        audit_run_free(run);
    }
}
