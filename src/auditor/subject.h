/*
 * subject.h: what a finding is about, by its stable name in the report: "trade-17", "order-<client
 * id>", a symbol, "rule-3", "service:demo", or "bot" for the whole.
 *
 *     subject_complete(&finding);                          // if the answer did not say it
 *     if (!subject_is_cited(report, &finding)) …;          // unknown, or its evidence is elsewhere
 *
 * Thread: any.
 */
#pragma once

#include "finding.h"

/* Fills an empty subject from the pointers: the row that all of them are in, else "bot". */
void subject_complete(struct finding *finding);
/* Whether the report has the subject outside its untrusted texts, and a cited figure is about it.
 */
bool subject_is_cited(struct json_object *report, const struct finding *finding);
/* Without "service:" and the like in front. */
struct str subject_name(const struct finding *finding);
