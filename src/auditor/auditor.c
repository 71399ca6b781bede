#include "alerts/alerts.h"
#include "audit_alerts.h"
#include "auditor_internal.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/pool.h"
#include "report/llm_prompt.h"
#include "show.h"
#include "store/audit_table.h"
#include "store/ops.h"

#include <stdlib.h>
#include <string.h>

#define SYNC_MAX_US (20 * USEC_PER_MIN)
#define JITTER      0.05 /* of a delay, either way */

/* Installations that were started together do not ask at the same second. */
void auditor_next_in(struct auditor *auditor, int64_t delay_us)
{
    double part = auditor->options.jitter_seed == 0 ? 0 : 2 * rng_double(&auditor->jitter) - 1;
    loop_timer_in(auditor->next, delay_us + (int64_t)((double)delay_us * JITTER * part));
}

/* ------------------------------------------------------------------ schedule */

static void on_next(void *userdata)
{
    struct auditor *auditor = userdata;
    auditor_next_in(auditor, auditor->options.config->monitoring_audit_interval_us);
    struct err err = {0};
    struct auditor_request request = {.hours = AUDITOR_HOURS_USUAL};
    /* Skipped if a user's audit is under way. */
    if (auditor->run == NULL &&
        audit_run_begin(auditor, &request, "schedule", NULL, NULL, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not run the audit");
    }
}

static void on_watch(void *userdata)
{
    struct auditor *auditor = userdata;
    int64_t period_us = auditor->options.config->monitoring_audit_interval_us;
    int64_t now_us = auditor_mono_us(auditor);
    if (auditor->run != NULL && now_us - auditor->run->started_mono_us > period_us) {
        audit_run_give_up(auditor);
    }
    if (now_us - auditor->finished_mono_us <= 2 * period_us || auditor->options.alerts == NULL) {
        return;
    }
    audit_alerts_raise(
        auditor->options.alerts,
        &(struct alert_spec){.type = ALERT_BUG,
                             .severity = SEVERITY_HIGH,
                             .source = "auditor",
                             .fingerprint = AUDITOR_OVERDUE,
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
        delay_us = config->monitoring_audit_first_after_us -
                   (auditor_mono_us(auditor) - auditor->start_mono_us);
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
    auditor_next_in(auditor, until_next_us(auditor));
    loop_timer_every(auditor->watch, auditor->options.config->monitoring_audit_interval_us / 2);
}

void auditor_start(struct auditor *auditor)
{
    auditor->start_mono_us = auditor_mono_us(auditor);
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
    struct audit_run *run = NULL;
    int rc = audit_run_begin(auditor, &request, "operator", action_reply(call), &run, err);
    if (rc < 0) {
        return rc;
    }
    if (run->ended) {
        audit_run_free(run);
        return ACTION_DONE;
    }
    run->held = false;
    run->reply = NULL;
    run->call = call;
    audit_run_show_progress(run);
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
     .data = "hours dry_run findings claimed rejected dropped cut wrapped model_errors "
             "not_evaluated verdict model_took_part model_note tokens_in tokens_out "
             "tokens_cache_read tokens_cache_write request_id report",
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
                             ? auditor_mono_us(auditor) - auditor->last_mono_us
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
    int64_t begun_us = auditor_mono_us(auditor);
    struct audit_run *run = NULL;
    int rc = audit_run_begin(auditor, request, "cli", reply, &run, err);
    if (rc < 0) {
        return rc;
    }
    while (!run->ended) {
        (void)loop_iterate(auditor->options.loop, USEC_PER_SEC / 2);
        if (!run->ended && auditor_mono_us(auditor) - begun_us > SYNC_MAX_US) {
            audit_run_give_up(auditor);
        }
    }
    if (run->failed.id != ERR_NONE) {
        *err = run->failed;
        audit_run_free(run);
        return -(int)err->id;
    }
    enum severity worst = show_worst(run->findings);
    *ret_exit = worst == SEVERITY_CRITICAL ? AUDITOR_EXIT_CRITICAL
                : worst == SEVERITY_HIGH   ? AUDITOR_EXIT_HIGH
                : run->outcome.no_verdict.id != ERR_NONE || show_is_unproven(&run->outcome)
                    ? AUDITOR_EXIT_NO_VERDICT
                    : AUDITOR_EXIT_CLEAR;
    audit_run_free(run);
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
    auditor->made_mono_us = auditor_mono_us(auditor);
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
    rc = ops_store_get_i64(options->store, AUDITOR_LAST_NAME, 0, &auditor->last_us, err);
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
    struct audit_run *run = auditor->run;
    if (run != NULL && run->llm_request != NULL) {
        run->llm_client->cancel(run->llm_client->self, run->llm_request);
    }
    audit_run_free(run);
    pool_cancel(auditor->late);
    loop_source_free(auditor->next);
    loop_source_free(auditor->watch);
    llm_prompt_free(auditor->prompt);
    free(auditor);
}
