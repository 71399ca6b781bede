/*
 * auditor_internal.h: an audit under way, shared by the parts of auditor.c.
 *
 * auditor.c has the schedule, the actions and the life cycle; audit_run.c takes an audit from its
 * report to the model's answer; audit_end.c stores and shows what it found.
 * Thread: the auditor's.
 */
#pragma once

#include "auditor/auditor.h"
#include "base/rng.h"
#include "finding.h"
#include "io/pool.h"
#include "report/llm_prompt.h"
#include "show.h"

#define AUDITOR_LAST_NAME   "audit_last_us"
#define AUDITOR_OVERDUE     "auditor:overdue"
#define AUDITOR_HOURS_USUAL INT64_C(24)

/* One audit under way. */
struct audit_run {
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
    struct audit_run *run; /* NULL: none under way */
};

static inline int64_t auditor_mono_us(const struct auditor *auditor)
{
    return clock_mono_us(auditor->options.clock);
}

/* Arms the next audit of the schedule in about this time. */
void auditor_next_in(struct auditor *auditor, int64_t delay_us);

/* Begins an audit, which may have ended on return. ret_run NULL: it is freed when it ends; else the
 * caller must free it. */
int audit_run_begin(struct auditor *auditor, const struct auditor_request *request,
                    const char *trigger, struct reply *reply, struct audit_run **ret_run,
                    struct err *err);
/* Stops waiting for the model or a helper, and ends the audit without a verdict. */
void audit_run_give_up(struct auditor *auditor);
/* Tells the waiting call how far it is. */
void audit_run_show_progress(const struct audit_run *run);
/* Raises what breaks invariants and resolves what no longer does, in one commit: before the model
 * is asked, whose answer may take minutes. */
void audit_run_raise_broken(struct auditor *auditor);
/* Stores, raises and shows what the model found, and ends the audit. */
void audit_run_finish(struct auditor *auditor);
void audit_run_free(struct audit_run *run);
