#include "auditor_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "broken.h"
#include "config/config.h"
#include "finding.h"
#include "ground.h"
#include "io/pool.h"
#include "judge.h"
#include "show.h"
#include "store/ops.h"
#include "store/trading.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ a run */

static void take_judgement(struct auditor *auditor, struct judgement *judgement)
{
    struct audit_run *run = auditor->run;
    run->read = TAKE(judgement->report);
    run->report = report_document(run->read);
    run->findings = TAKE(judgement->findings);
    run->outcome.counts = judgement->counts;
    run->outcome.no_verdict = judgement->no_verdict;
    audit_run_finish(auditor);
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
    struct audit_run *run = auditor->run;
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
        audit_run_finish(auditor);
        return;
    }
    run->report = NULL;
    judge(auditor, judgement_new(TAKE(run->read), TAKE(run->findings), answer->text));
}

/* Which invariants looked at this report: the model is not to repeat these, and only these. */
static void add_invariants(const struct audit_run *run, struct buf *out)
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

/* Sends the request to the model. Negative: it could not be sent. */
static int ask(struct auditor *auditor, struct err *err)
{
    struct audit_run *run = auditor->run;
    if (auditor->prompt == NULL) {
        *err = auditor->prompt_err;
        return -err->id;
    }
    /* Escaping makes one byte at most six; the tags and the first lines are short. */
    AUTO_BUF struct buf user = BUF_INIT(REPORT_MAX_BYTES * 6 + 8192);
    add_invariants(run, &user);
    buf_addf(&user, "The report of the last %lld hours:\n", (long long)run->request.hours);
    llm_add_untrusted(run->report, &user);
    buf_add_char(&user, '\n');
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

void audit_run_show_progress(const struct audit_run *run)
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
    struct audit_run *run = auditor->run;
    run->report = report_document(run->read);
    broken_findings(run->report, run->findings);
    run->outcome.not_evaluated_count =
        broken_names(run->report, "unknown", run->outcome.not_evaluated);
    ground_findings(run->report, run->findings, 0);
    if (!run->request.dry_run) {
        audit_run_raise_broken(auditor);
    }
    if (run->request.offline) {
        run->outcome.not_asked = "the audit is offline";
    } else if (auditor->options.llm_client == NULL) {
        run->outcome.not_asked = "no key is configured (claude.api_key)";
    }
    struct err why = {0};
    if (run->outcome.not_asked == NULL) {
        if (ask(auditor, &why) == 0) {
            audit_run_show_progress(run);
            return;
        }
        run->outcome.no_verdict = why;
    }
    audit_run_finish(auditor);
}

/* An audit without a report is none: nothing was checked, and nothing is resolved. */
static void run_fail(struct auditor *auditor, const struct err *why)
{
    struct audit_run *run = auditor->run;
    auditor->run = NULL;
    log_err(LOG_LEVEL_ERROR, why, "could not run the audit");
    run->failed = *why;
    run->ended = true;
    if (run->call != NULL) {
        action_finish(run->call, why);
    }
    if (!run->held) {
        audit_run_free(run);
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

int audit_run_begin(struct auditor *auditor, const struct auditor_request *request,
                    const char *trigger, struct reply *reply, struct audit_run **ret_run,
                    struct err *err)
{
    const struct auditor_options *o = &auditor->options;
    if (auditor->run != NULL) {
        return err_set(
            err, ERR_AUDIT_BUSY, "it began %lld s ago (%s)",
            (long long)((auditor_mono_us(auditor) - auditor->run->started_mono_us) / USEC_PER_SEC),
            auditor->run->trigger);
    }
    if (auditor->late != NULL) { /* else each audit would leave another helper hanging */
        return err_set(
            err, ERR_AUDIT_LATE, "the databases have been read for %lld s",
            (long long)((auditor_mono_us(auditor) - auditor->late_mono_us) / USEC_PER_SEC));
    }
    struct audit_run *run = calloc(1, sizeof(*run));
    NEED_MEMORY(run != NULL);
    run->request = *request;
    run->request.hours = request->hours > 0 ? request->hours : AUDITOR_HOURS_USUAL;
    run->request.dry_run |= o->alerts == NULL;
    run->trigger = trigger;
    run->started_us = clock_wall_us(o->clock);
    run->started_mono_us = auditor_mono_us(auditor);
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
        audit_run_free(run);
        return rc;
    }
    if (!later) {
        run_go_on(auditor);
    }
    if (ret_run != NULL) {
        *ret_run = run;
    } else if (run->ended) {
        audit_run_free(run);
    } else {
        run->held = false;
    }
    return 0;
}

void audit_run_give_up(struct auditor *auditor)
{
    struct audit_run *run = auditor->run;
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
                  (long long)((auditor_mono_us(auditor) - run->started_mono_us) / USEC_PER_SEC));
    audit_run_finish(auditor);
}
