/*
 * ground.h: verifies the cited figures of a finding against the frozen report.
 *
 *     ground_finding(report, &finding);          // evidence[].verified, severity, rejected
 *     if (ground_check(report, &check) == GROUND_FALSE) resolve();
 *
 * Rules: a cited number is verified if it is the report's value by the rules of quantity.h; it may
 * be a text with its unit ("57.14 %"). A cited text must be identical, or its beginning if it was
 * cut. true and false are cited as the texts "true" and "false". Objects, arrays and null cannot be
 * cited. A finding of the model is rejected, with the reason, unless each cited figure is verified,
 * one of them is about its subject, and each figure in its words is proven (claim.h). A finding of
 * a rule needs one verified figure. Few samples cap the severity at medium: a rate over fewer than
 * 30, however it is cited; for the model also a count in the object of such a rate, an average
 * beside its small count, and a share that is computed from small counts. Thread: any.
 */
#pragma once

#include "finding.h"
#include "io/json.h"
#include "proof/quantity.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether the cited figure matches the report's value of this unit. */
bool ground_matches(struct json_object *value, struct unit unit,
                    const struct finding_figure *cited);
void ground_finding(struct json_object *report, struct finding *finding);
/* All from index `first` on; in one go, since the report's names are collected once. */
void ground_findings(struct json_object *report, struct finding_list *list, int first);

enum ground_state { GROUND_TRUE, GROUND_FALSE, GROUND_UNKNOWN };
/* UNKNOWN: the pointer is not in this report, or an order comparison of texts. */
enum ground_state ground_check(struct json_object *report, const struct finding_check *check);
