#include "auditor/auditor.h"

#include "alerts/alerts.h"
#include "answer.h"
#include "audit_alerts.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "broken.h"
#include "config/config.h"
#include "finding.h"
#include "ground.h"
#include "io/loop.h"
#include "io/pool.h"
#include "judge.h"
#include "llm_prompt.h"
#include "show.h"
#include "store/audit_table.h"
#include "store/ops.h"
#include "store/trading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOURS_USUAL INT64_C(24)
#define LAST_NAME   "audit_last_us"
#define NO_VERDICT  "auditor:no-verdict"
#define UNPROVEN    "auditor:unproven"
#define OVERDUE     "auditor:overdue"
#define SYNC_MAX_US (20 * USEC_PER_MIN)
#define JITTER      0.05 /* of a delay, either way */

/* One audit under way. */
struct run {
    struct auditor_request request;
    const char *trigger; /* "schedule" "operator" "cli" */
    int64_t started_us;  /* wall */
    int64_t started_mono_us;
    struct json_object *report; /* of `read`; NULL until it is read */
    struct report *read;
    struct pool_job *job; /* that reads it; NULL: none */
    struct finding_list *findings;
    struct audit_outcome outcome;
    bool asked;
    const struct llm_client *llm_client; /* that was asked */
    void *llm_request;                   /* handle of the pending request to the model */
    struct action_call *call;            /* waits for the reply; NULL: none */
    struct reply *reply;                 /* filled at the end; NULL: the call's, or none */
    struct err failed;                   /* ERR_NONE, or why there is no report */
    bool held;                           /* the caller of run_begin frees it */
    bool ended;
};

struct auditor {
    struct auditor_options options;
    struct llm_prompt *prompt; /* NULL: prompt_err says why */
    struct err prompt_err;
    struct loop_source *next;
    struct loop_source *watch;
    struct rng jitter;
    struct pool_job
        *late; /* the reading of an audit that was given up and still hangs; NULL: none */
    int64_t late_mono_us; /* when it began */
    int64_t made_mono_us;
    int64_t wall_minus_mono_us;
    int64_t start_mono_us;    /* auditor_start */
    int64_t finished_mono_us; /* end of the last audit; at first: the start */
    int64_t last_mono_us;     /* monotonic time of last_us; 0: in another process */
    int64_t last_us;          /* wall time of the last audit; 0: none yet */
    int last_findings;
    char last_verdict[32]; /* as in the table */
    struct run *run;       /* NULL: none under way */
};

static int64_t mono_us(const struct auditor *auditor)
{
    return clock_mono_us(auditor->options.clock);
}

/* Installations that were started together do not ask at the same second. */
static void next_in(struct auditor *auditor, int64_t delay_us)
{
    double part = auditor->options.jitter_seed == 0 ? 0 : 2 * rng_double(&auditor->jitter) - 1;
    loop_timer_in(auditor->next, delay_us + (int64_t)((double)delay_us * JITTER * part));
}

/* ------------------------------------------------------------------ alerts */

static void raise_no_verdict(struct auditor *auditor, const struct err *why)
{
    const struct err_info *info = err_info(why->id);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "%s: %s. %s Only the local rules ran; the model checked nothing.", info->code,
             info->message, info->cause);
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
static void raise_unproven(struct auditor *auditor, const struct run *run)
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

static void add_record(struct auditor *auditor, const struct run *run)
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
                : ops_store_write_i64(auditor->options.store, LAST_NAME, record.finished_us, &err);
    if (rc < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store the audit");
    }
}

static void update_alerts(struct auditor *auditor, const struct run *run)
{
    struct alerts *alerts = auditor->options.alerts;
    bool answered = run->asked && run->outcome.no_verdict.id == ERR_NONE;
    audit_alerts_update(&(struct audit_alerts){.alerts = alerts,
                                               .store = auditor->options.store,
                                               .report = run->report,
                                               .findings = run->findings,
                                               .started_us = run->started_us,
                                               .answered = answered});
    broken_resolve(run->report, run->findings, auditor->options.store, alerts);
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
    audit_alerts_resolve(alerts, OVERDUE, "an audit has finished");
}

/* Stores an audit in one commit, so that the loop waits for the disk only once. If the
 * transaction cannot be started, each part is stored on its own and logs its failure. */
static void store_all(struct auditor *auditor, const struct run *run)
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

static void run_free(struct run *run)
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
static void read_error_rate(const struct auditor *auditor, struct run *run)
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

static void run_finish(struct auditor *auditor)
{
    struct run *run = auditor->run;
    run->outcome.hours = run->request.hours;
    run->outcome.findings = run->findings;
    run->outcome.report = run->report;
    run->outcome.dry_run = run->request.dry_run;
    run->outcome.with_report = strcmp(run->trigger, "cli") == 0;
    run->outcome.elapsed_us = mono_us(auditor) - run->started_mono_us;
    read_error_rate(auditor, run);
    if (!run->request.dry_run) {
        store_all(auditor, run);
        auditor->last_us = clock_wall_us(auditor->options.clock);
        auditor->last_findings = show_count(run->findings, false);
        (void)str_copy(str_c(show_verdict(&run->outcome)), auditor->last_verdict,
                       sizeof(auditor->last_verdict));
        auditor->finished_mono_us = mono_us(auditor);
        auditor->last_mono_us = auditor->finished_mono_us;
        /* A clock jump is reported once: the next audit measures from here. */
        auditor->wall_minus_mono_us = auditor->last_us - auditor->finished_mono_us;
        if (loop_timer_armed(auditor->next)) {
            next_in(auditor, auditor->options.config->monitoring_audit_interval_us);
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
        run_free(run);
    }
}

/* ------------------------------------------------------------------ a run */

static void take_judgement(struct auditor *auditor, struct judgement *judgement)
{
    struct run *run = auditor->run;
    run->read = TAKE(judgement->report);
    run->report = report_document(run->read);
    run->findings = TAKE(judgement->findings);
    run->outcome.counts = judgement->counts;
    run->outcome.no_verdict = judgement->no_verdict;
    run_finish(auditor);
}

static void judging_work(void *data)
{
    judgement_make(data);
}

static void judging_done(void *data, void *userdata)
{
    struct auditor *auditor = userdata;
    if (auditor->late != NULL) { /* of an audit that was given up: no other can have begun */
        auditor->late = NULL;
        return;
    }
    auditor->run->job = NULL;
    take_judgement(auditor, data);
}

static void judging_drop(void *data)
{
    judgement_free(data);
}

/* On a helper, or here. */
static void judge(struct auditor *auditor, struct judgement *judgement)
{
    struct err busy = {0};
    if (auditor->options.helpers != NULL) {
        auditor->run->job = pool_start(auditor->options.helpers,
                                       &(struct pool_work){.work = judging_work,
                                                           .done = judging_done,
                                                           .drop = judging_drop,
                                                           .data = judgement,
                                                           .userdata = auditor},
                                       &busy);
    }
    if (auditor->run->job == NULL) {
        judgement_make(judgement);
        take_judgement(auditor, judgement);
        judgement_free(judgement);
    }
}

static void on_answer(const struct llm_answer *answer, void *userdata)
{
    struct auditor *auditor = userdata;
    struct run *run = auditor->run;
    struct audit_outcome *o = &run->outcome;
    run->llm_request = NULL;
    (void)str_copy(str_c(answer->model), o->model, sizeof(o->model));
    (void)str_copy(str_c(answer->request_id), o->request_id, sizeof(o->request_id));
    o->tokens_in = answer->input_tokens;
    o->tokens_out = answer->output_tokens;
    o->tokens_cache_read = answer->cache_read_tokens;
    o->tokens_cache_write = answer->cache_write_tokens;
    o->cost_usd = answer->cost_usd;
    if (answer->err.id != ERR_NONE) {
        o->no_verdict = answer->err;
        run_finish(auditor);
        return;
    }
    run->report = NULL;
    judge(auditor, judgement_new(TAKE(run->read), TAKE(run->findings), answer->text));
}

/* Which invariants looked at this report: the model is not to repeat these, and only these. */
static void add_invariants(const struct run *run, struct buf *out)
{
    static const char *const states[][2] = {
        {"kept", "Invariants that hold in this report"},
        {"broken", "Invariants that are broken, reported already"},
        {"unknown", "Invariants that could not be evaluated: nobody checked these"}};
    for (size_t s = 0; s < COUNT_OF(states); s++) {
        const char *names[BROKEN_NAMES_MAX];
        int count = broken_names(run->report, states[s][0], names);
        for (int i = 0; i < count; i++) {
            buf_addf(out, "%s%s%s", i == 0 ? states[s][1] : "", i == 0 ? ": " : ", ", names[i]);
        }
        buf_add_c(out, count > 0 ? ".\n" : "");
    }
}

/* Compact JSON with '<' and '>' escaped, so that the content cannot close the tag around it. */
static void add_report(struct json_object *report, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(REPORT_MAX_BYTES);
    json_add_text(&text, report);
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        if (byte == '<' || byte == '>') {
            buf_addf(out, "\\u%04x", (unsigned)byte);
        } else {
            buf_add_char(out, byte);
        }
    }
}

/* Sends the request to the model. Negative: it could not be sent. */
static int ask(struct auditor *auditor, struct err *err)
{
    struct run *run = auditor->run;
    if (auditor->prompt == NULL) {
        *err = auditor->prompt_err;
        return -err->id;
    }
    /* Escaping makes one byte at most six; the tags and the first lines are short. */
    AUTO_BUF struct buf user = BUF_INIT(REPORT_MAX_BYTES * 6 + 8192);
    add_invariants(run, &user);
    buf_addf(&user, "The report of the last %lld hours:\n<untrusted_data>",
             (long long)run->request.hours);
    add_report(run->report, &user);
    buf_add_c(&user, "</untrusted_data>\n");
    const struct llm_client *llm_client = auditor->options.llm_client;
    struct llm_request llm_request = {.system = auditor->prompt->text,
                                      .user = user.data,
                                      .schema = auditor->prompt->schema,
                                      .model = auditor->prompt->model};
    run->asked = true;
    run->llm_client = llm_client;
    (void)str_copy(str_c(llm_request.model != NULL ? llm_request.model
                                                   : auditor->options.config->claude_model),
                   run->outcome.model, sizeof(run->outcome.model));
    return llm_client->ask(llm_client->self, &llm_request, on_answer, auditor, &run->llm_request,
                           err);
}

static void show_progress(const struct run *run)
{
    if (run->call != NULL && run->asked) {
        action_progress(run->call, "the invariants found %d; %s is reading the report",
                        show_count(run->findings, false), run->outcome.model);
    } else if (run->call != NULL) {
        action_progress(run->call, "reading the figures of the last %lld h",
                        (long long)run->request.hours);
    }
}

/* The report is read: what breaks an invariant, then the model. */
static void run_go_on(struct auditor *auditor)
{
    struct run *run = auditor->run;
    run->report = report_document(run->read);
    broken_findings(run->report, run->findings);
    run->outcome.not_evaluated_count =
        broken_names(run->report, "unknown", run->outcome.not_evaluated);
    ground_findings(run->report, run->findings, 0);
    if (run->request.offline) {
        run->outcome.not_asked = "the audit is offline";
    } else if (auditor->options.llm_client == NULL) {
        run->outcome.not_asked = "no key is configured (claude.api_key)";
    }
    struct err why = {0};
    if (run->outcome.not_asked == NULL) {
        if (ask(auditor, &why) == 0) {
            show_progress(run);
            return;
        }
        run->outcome.no_verdict = why;
    }
    run_finish(auditor);
}

/* An audit without a report is none: nothing was checked, and nothing is resolved. */
static void run_fail(struct auditor *auditor, const struct err *why)
{
    struct run *run = auditor->run;
    auditor->run = NULL;
    log_err(LOG_LEVEL_ERROR, why, "could not run the audit");
    run->failed = *why;
    run->ended = true;
    if (run->call != NULL) {
        action_finish(run->call, why);
    }
    if (!run->held) {
        run_free(run);
    }
}

/* ------------------------------------------------------------------ reading off the loop */

/* What a helper reads, with connections of its own. */
struct reading {
    struct report *report;
    char *state_dir;
    bool has_trading;
    int rc;
    struct err err;
};

static void reading_work(void *data)
{
    struct reading *reading = data;
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    AUTO_OPS_STORE struct ops_store *ops = NULL;
    struct err *err = &reading->err;
    reading->rc = ops_store_open(reading->state_dir, OPS_STORE_READ, &ops, err);
    if (reading->rc == 0 && reading->has_trading) {
        reading->rc = trading_store_open(reading->state_dir, TRADING_STORE_READ, &trading, err);
    }
    if (reading->rc == 0) {
        reading->rc = report_read(reading->report, trading, ops, err);
    }
}

static void reading_done(void *data, void *userdata)
{
    struct reading *reading = data;
    struct auditor *auditor = userdata;
    if (auditor->late != NULL) { /* of an audit that was given up: no other can have begun */
        auditor->late = NULL;
        return;
    }
    auditor->run->job = NULL;
    auditor->run->read = TAKE(reading->report);
    if (reading->rc < 0) {
        run_fail(auditor, &reading->err);
    } else {
        run_go_on(auditor);
    }
}

static void reading_drop(void *data)
{
    struct reading *reading = data;
    report_free(reading->report);
    free(reading->state_dir);
    free(reading);
}

/* Reads the report on a helper, or here. *ret_later: reading_done will go on. */
static int run_read(struct auditor *auditor, struct report *report, bool *ret_later,
                    struct err *err)
{
    const struct auditor_options *o = &auditor->options;
    *ret_later = false;
    if (o->helpers == NULL) {
        auditor->run->read = report;
        return report_read(report, o->trading, o->store, err);
    }
    struct reading *reading = calloc(1, sizeof(*reading));
    NEED_MEMORY(reading != NULL);
    *reading = (struct reading){
        .report = report, .state_dir = strdup(o->state_dir), .has_trading = o->trading != NULL};
    NEED_MEMORY(reading->state_dir != NULL);
    auditor->run->job = pool_start(o->helpers,
                                   &(struct pool_work){.work = reading_work,
                                                       .done = reading_done,
                                                       .drop = reading_drop,
                                                       .data = reading,
                                                       .userdata = auditor},
                                   err);
    if (auditor->run->job == NULL) {
        reading_drop(reading);
        return -(int)err->id;
    }
    *ret_later = true;
    return 0;
}

/* Begins an audit, which may have ended on return. ret_run NULL: it is freed when it ends; else the
 * caller must free it. */
static int run_begin(struct auditor *auditor, const struct auditor_request *request,
                     const char *trigger, struct reply *reply, struct run **ret_run,
                     struct err *err)
{
    const struct auditor_options *o = &auditor->options;
    if (auditor->run != NULL) {
        return err_set(
            err, ERR_AUDIT_BUSY, "it began %lld s ago (%s)",
            (long long)((mono_us(auditor) - auditor->run->started_mono_us) / USEC_PER_SEC),
            auditor->run->trigger);
    }
    if (auditor->late != NULL) { /* else each audit would leave another helper hanging */
        return err_set(err, ERR_AUDIT_LATE, "the databases have been read for %lld s",
                       (long long)((mono_us(auditor) - auditor->late_mono_us) / USEC_PER_SEC));
    }
    struct run *run = calloc(1, sizeof(*run));
    NEED_MEMORY(run != NULL);
    run->request = *request;
    run->request.hours = request->hours > 0 ? request->hours : HOURS_USUAL;
    run->request.dry_run |= o->alerts == NULL;
    run->trigger = trigger;
    run->started_us = clock_wall_us(o->clock);
    run->started_mono_us = mono_us(auditor);
    run->findings = finding_list_new();
    run->reply = reply;
    run->held = true;
    auditor->run = run;
    const struct report_sources sources = {
        .clock = o->clock,
        .config = o->config,
        .snapshot = o->snapshot != NULL ? o->snapshot(o->snapshot_userdata) : NULL,
        .shared = o->shared,
        .state_dir = o->state_dir,
        .daemon = o->snapshot != NULL,
        .started_mono_us = auditor->made_mono_us,
        .wall_minus_mono_us = auditor->wall_minus_mono_us};
    bool later = false;
    int rc = run_read(auditor, report_new(&sources, run->request.hours), &later, err);
    if (rc < 0) {
        auditor->run = NULL;
        run_free(run);
        return rc;
    }
    if (!later) {
        run_go_on(auditor);
    }
    if (ret_run != NULL) {
        *ret_run = run;
    } else if (run->ended) {
        run_free(run);
    } else {
        run->held = false;
    }
    return 0;
}

/* Stops waiting for the model and ends the audit without its verdict. */
static void run_give_up(struct auditor *auditor)
{
    struct run *run = auditor->run;
    if (run->report == NULL) { /* a helper has it: the disk hangs, or the machine is too slow */
        struct err late = {0};
        (void)err_set(&late, ERR_AUDIT_LATE, "its figures are still being read or verified");
        auditor->late = TAKE(run->job);
        auditor->late_mono_us = run->started_mono_us;
        run_fail(auditor, &late);
        return;
    }
    if (run->llm_request != NULL) {
        run->llm_client->cancel(run->llm_client->self, run->llm_request);
        run->llm_request = NULL;
    }
    (void)err_set(&run->outcome.no_verdict, ERR_AUDIT_LATE, "%s was asked %lld s ago",
                  run->outcome.model,
                  (long long)((mono_us(auditor) - run->started_mono_us) / USEC_PER_SEC));
    run_finish(auditor);
}

/* ------------------------------------------------------------------ schedule */

static void on_next(void *userdata)
{
    struct auditor *auditor = userdata;
    next_in(auditor, auditor->options.config->monitoring_audit_interval_us);
    struct err err = {0};
    struct auditor_request request = {.hours = HOURS_USUAL};
    /* Skipped if a user's audit is under way. */
    if (auditor->run == NULL && run_begin(auditor, &request, "schedule", NULL, NULL, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not run the audit");
    }
}

static void on_watch(void *userdata)
{
    struct auditor *auditor = userdata;
    int64_t period_us = auditor->options.config->monitoring_audit_interval_us;
    int64_t now_us = mono_us(auditor);
    if (auditor->run != NULL && now_us - auditor->run->started_mono_us > period_us) {
        run_give_up(auditor);
    }
    if (now_us - auditor->finished_mono_us <= 2 * period_us || auditor->options.alerts == NULL) {
        return;
    }
    audit_alerts_raise(
        auditor->options.alerts,
        &(struct alert_spec){.type = ALERT_BUG,
                             .severity = SEVERITY_HIGH,
                             .source = "auditor",
                             .fingerprint = OVERDUE,
                             .title = "no audit has finished for two intervals",
                             .description =
                                 "Audits do not start or do not finish, so the figures are "
                                 "not being checked.",
                             .recommendation = "Look at the logs of nightdesk, then send /audit.",
                             .status = ALERT_OPEN});
}

/* Time until the next audit: an interval after the last one, also if another process made it, but
 * not before monitoring.audit_first_after. */
static int64_t until_next_us(const struct auditor *auditor)
{
    const struct config *config = auditor->options.config;
    int64_t delay_us = 0;
    if (auditor->last_mono_us == 0) {
        delay_us =
            config->monitoring_audit_first_after_us - (mono_us(auditor) - auditor->start_mono_us);
    }
    int64_t since_us = clock_wall_us(auditor->options.clock) - auditor->last_us;
    int64_t rest_us = config->monitoring_audit_interval_us - since_us;
    /* A time in the future means that the clock was set back; it is ignored. */
    if (auditor->last_us > 0 && since_us >= 0 && rest_us > delay_us) {
        delay_us = rest_us;
    }
    return delay_us;
}

static void schedule(struct auditor *auditor)
{
    next_in(auditor, until_next_us(auditor));
    loop_timer_every(auditor->watch, auditor->options.config->monitoring_audit_interval_us / 2);
}

void auditor_start(struct auditor *auditor)
{
    auditor->start_mono_us = mono_us(auditor);
    auditor->finished_mono_us = auditor->start_mono_us;
    schedule(auditor);
}

void auditor_apply(struct auditor *auditor, const struct config *config,
                   const struct llm_client *llm_client)
{
    bool rescheduled = config->monitoring_audit_interval_us !=
                       auditor->options.config->monitoring_audit_interval_us;
    auditor->options.config = config;
    auditor->options.llm_client = llm_client;
    if (rescheduled && loop_timer_armed(auditor->next)) {
        schedule(auditor);
    }
}

/* ------------------------------------------------------------------ actions */

static int run_action(struct action_call *call, struct err *err)
{
    struct auditor *auditor = action_userdata(call);
    /* Without a model the audit ends at once, and a call must not be finished inside run(). So the
     * run gets the call only if there is something to wait for. */
    struct auditor_request request = {.hours = action_int(call, "hours")};
    struct run *run = NULL;
    int rc = run_begin(auditor, &request, "operator", action_reply(call), &run, err);
    if (rc < 0) {
        return rc;
    }
    if (run->ended) {
        run_free(run);
        return ACTION_DONE;
    }
    run->held = false;
    run->reply = NULL;
    run->call = call;
    show_progress(run);
    return ACTION_PENDING;
}

/* The audit goes on without the call; its findings are raised as alerts. */
static void cancel_action(struct action_call *call)
{
    struct auditor *auditor = action_userdata(call);
    if (auditor->run != NULL && auditor->run->call == call) {
        auditor->run->call = NULL;
    }
}

/* An audit writes its record last, so a record newer than the call means that it finished. */
static int recover_action(struct action_call *call, bool *ret_happened, struct err *err)
{
    const struct auditor *auditor = action_userdata(call);
    AUTO_AUDIT_RECORD struct audit_record last = {0};
    int rc = audit_table_last(auditor->options.store, &last, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        *ret_happened = false;
        return 0;
    }
    *ret_happened = rc == 0 && last.started_us >= action_begun_us(call);
    if (*ret_happened) {
        reply_title(action_reply(call), TONE_PLAIN, "Audit: %s", last.verdict);
        reply_line(action_reply(call),
                   "nightdesk was restarted in the meantime; the findings are in /alerts.");
    }
    return rc;
}

static const struct action actions[] = {
    {.name = "audit.run",
     .summary = "Collect figures, check the rules, ask Claude, verify the figures that it cites",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "hours",
                              .type = PARAM_INT,
                              .default_text = "24",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(AUDITOR_HOURS_MAX),
                              .help = "how many hours back"}),
     .run = run_action,
     .cancel = cancel_action,
     .recover = recover_action},
    {0},
};

void auditor_actions(struct auditor *auditor, struct action_table *table)
{
    action_table_add(table, actions, auditor);
}

void auditor_status(struct buf *out, struct json_object *data, void *userdata)
{
    const struct auditor *auditor = userdata;
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "audit");
    if (auditor->last_us == 0) {
        buf_add_c(out, "No audit yet");
    } else {
        int64_t ago_us = auditor->last_mono_us != 0
                             ? mono_us(auditor) - auditor->last_mono_us
                             : clock_wall_us(auditor->options.clock) - auditor->last_us;
        buf_add_c(out, "Last audit ");
        clock_add_duration(out, ago_us > 0 ? ago_us : 0);
        buf_addf(out, " ago: %d finding%s", auditor->last_findings,
                 auditor->last_findings == 1 ? "" : "s");
        bool none = strcmp(auditor->last_verdict, "no_verdict") == 0;
        if (none || strcmp(auditor->last_verdict, "unproven") == 0) {
            buf_add_c(out, none ? ", no verdict of the model" : ", the model's are unproven");
        }
        json_out_text(&members, "verdict", auditor->last_verdict);
        json_out_time(&members, "last_at", auditor->last_us);
        json_out_i64(&members, "findings", auditor->last_findings);
    }
    json_out_bool(&members, "running", auditor->run != NULL);
    json_out_end(&members);
}

int auditor_run_sync(struct auditor *auditor, const struct auditor_request *request,
                     struct reply *reply, enum auditor_exit *ret_exit, struct err *err)
{
    int64_t begun_us = mono_us(auditor);
    struct run *run = NULL;
    int rc = run_begin(auditor, request, "cli", reply, &run, err);
    if (rc < 0) {
        return rc;
    }
    while (!run->ended) {
        (void)loop_iterate(auditor->options.loop, USEC_PER_SEC / 2);
        if (!run->ended && mono_us(auditor) - begun_us > SYNC_MAX_US) {
            run_give_up(auditor);
        }
    }
    if (run->failed.id != ERR_NONE) {
        *err = run->failed;
        run_free(run);
        return -(int)err->id;
    }
    enum severity worst = show_worst(run->findings);
    *ret_exit = worst == SEVERITY_CRITICAL ? AUDITOR_EXIT_CRITICAL
                : worst == SEVERITY_HIGH   ? AUDITOR_EXIT_HIGH
                : run->outcome.no_verdict.id != ERR_NONE || show_is_unproven(&run->outcome)
                    ? AUDITOR_EXIT_NO_VERDICT
                    : AUDITOR_EXIT_CLEAR;
    run_free(run);
    return 0;
}

/* ------------------------------------------------------------------ life cycle */

int auditor_new(const struct auditor_options *options, struct auditor **ret, struct err *err)
{
    ASSERT(options->snapshot == NULL || options->shared != NULL);
    struct auditor *auditor = calloc(1, sizeof(*auditor));
    ASSERT(auditor != NULL);
    auditor->options = *options;
    rng_init(&auditor->jitter, options->jitter_seed);
    auditor->made_mono_us = mono_us(auditor);
    auditor->wall_minus_mono_us = clock_wall_us(options->clock) - auditor->made_mono_us;
    auditor->finished_mono_us = auditor->made_mono_us;
    auditor->next = loop_add_timer(options->loop, on_next, auditor);
    auditor->watch = loop_add_timer(options->loop, on_watch, auditor);
    loop_source_name(auditor->next, "audit");
    loop_source_name(auditor->watch, "audit watch");
    if (llm_prompt_load("auditor", &auditor->prompt, &auditor->prompt_err) < 0) {
        log_err(LOG_LEVEL_ERROR, &auditor->prompt_err, "the model will not be asked");
    }
    AUTO_AUDIT_RECORD struct audit_record last = {0};
    int rc = audit_table_last(options->store, &last, err);
    if (rc == -ERR_STORE_DAMAGED) { /* tolerated: its findings are only displayed */
        log_err(LOG_LEVEL_ERROR, err, "the last audit cannot be read");
    } else if (rc < 0 && rc != -ERR_STORE_NOT_FOUND) {
        auditor_free(auditor);
        return rc;
    }
    (void)str_copy(str_c(last.verdict), auditor->last_verdict, sizeof(auditor->last_verdict));
    for (size_t i = 0; rc == 0 && i < COUNT_OF(last.findings_by_severity); i++) {
        auditor->last_findings += (int)last.findings_by_severity[i];
    }
    rc = ops_store_get_i64(options->store, LAST_NAME, 0, &auditor->last_us, err);
    if (rc < 0) {
        auditor_free(auditor);
        return rc;
    }
    err_clear(err);
    *ret = auditor;
    return 0;
}

void auditor_free(struct auditor *auditor)
{
    if (auditor == NULL) {
        return;
    }
    struct run *run = auditor->run;
    if (run != NULL && run->llm_request != NULL) {
        run->llm_client->cancel(run->llm_client->self, run->llm_request);
    }
    run_free(run);
    pool_cancel(auditor->late);
    loop_source_free(auditor->next);
    loop_source_free(auditor->watch);
    llm_prompt_free(auditor->prompt);
    free(auditor);
}
