/*
 * answer.h: the findings in a model's answer: what is right is kept, the rest is cut or dropped and
 * counted.
 *
 *     struct answer_counts counts;
 *     rc = answer_read(str_c(answer->text), list, &counts, err);
 *     …  counts.claimed, counts.dropped, counts.cut
 *
 * Rules:
 * - The answer is one JSON object with the member "findings", or the list alone; it may stand in a
 *   code fence or between other words, if nothing else in the answer looks like JSON. Anything else
 *   is no verdict: ERR_AUDIT_ANSWER says why, and the list is unchanged.
 * - Cut: a text that is too long (at a word), the figures after the eighth, a quote that is too
 *   long, a member that the schema does not have, a check that is not valid.
 * - Dropped: a finding without a valid type, severity, title or evidence; and beyond
 *   FINDING_MODEL_MAX the least severe ones. If all of them are dropped as invalid, there is no
 *   verdict.
 * Always true: texts of the list are plain text (model/plain_text.h), not yet defused.
 * Thread: any, one at a time per list.
 */
#pragma once

#include "finding.h"

struct answer_counts {
    int claimed;      /* findings in the answer */
    int dropped;      /* of these, invalid or too many */
    int cut;          /* of the others, shortened */
    bool wrapped;     /* the JSON was inside a fence or other text */
    char reason[120]; /* why the first one was dropped; "": none was */
};

int answer_read(struct str answer, struct finding_list *list, struct answer_counts *ret,
                struct err *err);
