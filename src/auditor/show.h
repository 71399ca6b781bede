/*
 * show.h: a finished audit as a reply value.
 *
 *     show_audit(&outcome, reply);
 *
 * Thread: ops.
 */
#pragma once

#include "answer.h"
#include "base/dec.h"
#include "broken.h"
#include "command/reply.h"
#include "finding.h"
#include "store/audit_table.h"

/* The result of one audit. */
struct audit_outcome {
    int64_t hours;
    const struct finding_list *findings;
    struct json_object *report;
    bool dry_run;
    bool with_report;      /* include the report in the reply's data */
    struct err no_verdict; /* ERR_NONE unless the model was asked and gave no verdict */
    const char *not_asked; /* why the model was not asked; NULL: it was asked */
    char model[64];        /* the model that was asked; "": none */
    char request_id[64];
    struct answer_counts counts; /* of the model's answer */
    struct audit_errors errors;  /* of the model, over the last audits and this one */
    const char *not_evaluated[BROKEN_NAMES_MAX]; /* invariants whose figures are missing */
    int not_evaluated_count;
    int64_t tokens_in; /* all of them, with those of the cache */
    int64_t tokens_out;
    int64_t tokens_cache_read;
    int64_t tokens_cache_write;
    struct dec cost_usd; /* DEC_INVALID: unknown */
    int64_t elapsed_us;
};

void show_audit(const struct audit_outcome *outcome, struct reply *reply);
/* Logs how many findings there are of each severity, in one line, then each from high to low. */
void show_log(const struct audit_outcome *outcome, const char *trigger);
/* Whether the model was asked and with what result, in one sentence, with tokens and cost. */
void show_model(const struct audit_outcome *outcome, struct buf *out);
/* "no_verdict", "unproven", "findings" or "clear": the first that applies. */
const char *show_verdict(const struct audit_outcome *outcome);
/* Whether the model has findings, and none of them could be verified. */
bool show_is_unproven(const struct audit_outcome *outcome);
/* The number of rejected findings, or of the others. */
int show_count(const struct finding_list *list, bool rejected);
/* The highest severity of the findings that are not rejected; SEVERITY_INFO if there are none. */
enum severity show_worst(const struct finding_list *list);
