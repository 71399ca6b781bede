/*
 * show.h: an audit that has ended, as a reply value.
 *
 *     show_audit(&outcome, reply);
 *
 * Thread: ops.
 */
#pragma once

#include "base/dec.h"
#include "command/reply.h"
#include "finding.h"

/* What one audit came to, apart from its findings. */
struct audit_outcome {
    int64_t hours;
    const struct finding_list *findings;
    struct json_object *report;
    bool dry_run;
    bool with_report;      /* the report stands in the reply's data */
    struct err no_verdict; /* ERR_NONE unless the model was asked and gave none */
    const char *not_asked; /* why the model was not asked; NULL: it was */
    char model[64];        /* that was asked, "" none */
    char request_id[64];
    int64_t tokens_in;
    int64_t tokens_out;
    struct dec cost_usd; /* DEC_INVALID: not known */
    int64_t elapsed_us;
};

void show_audit(const struct audit_outcome *outcome, struct reply *reply);
/* "Claude …": what the model did or why it did nothing, one sentence. */
void show_model(const struct audit_outcome *outcome, struct buf *out);
int show_count(const struct finding_list *list, bool rejected);
/* Of the findings that stand; SEVERITY_INFO when there is none. */
enum severity show_worst(const struct finding_list *list);
