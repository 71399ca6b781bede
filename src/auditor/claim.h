/*
 * claim.h: whether each figure in a finding's words is proven by its evidence.
 *
 *     struct claim_verdict verdict = {0};
 *     if (!claim_check(report, &names, &finding, &verdict)) reject(verdict.reason);
 *
 * A figure in title, description or recommendation is proven if it is
 * - a value of the evidence, or a part of the same rate, by the rules of quantity.h. Its unit must
 *   fit; a minus must be said, by a sign or a word such as "lost"; a named count must be that count
 *   ("3 losses" is not /trades/wins); "4 of 7" needs two values; a sentence about one row of a
 *   table ("BTC-USD") cannot state a figure of another row;
 * - arithmetic on the evidence, written out: "3 losses (7 - 4)", "12.5 / 50 = 25 %";
 * - arithmetic that a word names: "in total", "more than", "25 % of", "3 times", "per hour",
 *   "doubled"; its operands are in the same sentence, or the evidence has at most three figures;
 * - a time, or a figure in a text, that the evidence cites;
 * - harmless: the period of the report; a setting beside a word of its name; "95 %" of an interval;
 *   "30 samples"; the number of a list's item; a name, pointer or quotation that the report has;
 *   "trade 17" if it is the subject or in a pointer; as a word, "one" for the subject, and the
 *   number of cited rows of one table ("the two codes").
 * "All", "every" and "always" need a share of all or nothing, a zero, or a count that is there
 * twice. In a recommendation, "never" and "always" are advice and claim nothing.
 * Words must fit the figures: "6 % is above 8 %", "rose from 40 to 30", "above its limit" while it
 * is not, "twice as many stops as targets" of the reverse, and "the veto rate is 65 %" where that
 * is the win rate are refused (compare.h, match.h). A text with more figures than can be read, in
 * other letters than Latin, or in another language than English is refused. Thread: any.
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
