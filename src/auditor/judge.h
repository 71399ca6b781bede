/*
 * judge.h: reads the answer of a model and verifies its findings, which takes a while for a full
 * answer, so it can be done on a helper.
 *
 *     struct judgement *j = judgement_new(TAKE(report), TAKE(findings), answer->text);
 *     judgement_make(j);                                  // the work: it uses nothing but j
 *     report = TAKE(j->report); findings = TAKE(j->findings); judgement_free(j);
 *
 * Ownership: a judgement owns what it judges, so that it can outlive the audit that asked for it.
 * Thread: judgement_make any; one at a time for each.
 */
#pragma once

#include "answer.h"
#include "finding.h"
#include "report/report.h"

struct judgement {
    struct report *report;
    struct finding_list *findings; /* those of the model are added */
    char *answer;
    struct answer_counts counts;
    struct err no_verdict; /* ERR_NONE, or why the answer cannot be used */
};

struct judgement *judgement_new(struct report *report, struct finding_list *findings,
                                const char *answer);
void judgement_make(struct judgement *judgement);
void judgement_free(struct judgement *judgement);
