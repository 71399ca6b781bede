/*
 * claim.h: whether each figure in a finding's title, description and recommendation is proven by
 * its evidence.
 *
 *     struct claim_verdict verdict = {0};
 *     if (!claim_check(report, &names, &finding, &verdict)) reject(verdict.reason);
 *
 * A figure is proven if it is
 * - a value of the evidence, or a part of the same rate, by the rules of quantity.h: its unit must
 *   fit, a minus must be said (by a sign, or a word such as "lost" beside it), a named count must
 * be that count ("3 losses" is not /trades/wins), "4 of 7" needs two values, and a sentence about
 *   one row of a table ("BTC-USD") cannot state a figure of another row only;
 * - the result of arithmetic on the evidence: written out ("3 losses (7 - 4)", "12.5 / 50 = 25 %"),
 *   or with a word that says which ("in total", "more than", "25 % of", "3 times", "per hour",
 *   "doubled") and with its operands in the same sentence, or at most three figures in the
 * evidence;
 * - a time, or a text's figure, that the evidence cites;
 * - harmless: the period of the report, a setting in the report beside a word of its name, "95 %"
 * of an interval, "30 samples", the number of a list's item, a name or pointer that the report has,
 *   a quotation that the report has word for word, "trade 17" if that is the subject or in a
 * pointer, "one" for the subject, and as a word the number of the rows of one table that are cited
 * ("the two codes"). Nothing else is: a text that says more figures than can be read is refused as
 * well. Thread: any.
 */
#pragma once

#include "finding.h"

struct claim_verdict {
    char reason[FINDING_REASON_SIZE]; /* "16 %" in the title is not among the evidence */
    bool few;                         /* a figure is a share of fewer than RATE_FEW_SAMPLES */
};

struct proof_names;
bool claim_check(struct json_object *report, const struct proof_names *names,
                 const struct finding *finding, struct claim_verdict *ret);
