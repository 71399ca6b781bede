/*
 * collect.h: the report: what the three collectors (trade patterns, account health, system metrics)
 * read, as one bounded JSON object in which every figure has a JSON Pointer.
 *
 *     rc = collect_report(&in, &report, err);                     // frozen from here on
 *     collect_text(report, &text);                                // what the model gets to read
 *
 * Top members: meta, trades, decisions, orders, counters, account, system, untrusted. What could
 * not be read stands in /meta/gaps with its error code and is missing elsewhere. Texts that come
 * from outside (or that a model wrote) stand under untrusted and nowhere else. Secrets are hidden.
 * Trading times and "hours" are market time (a simulated market runs faster than ours).
 * Thread: the auditor's.
 */
#pragma once

#include "auditor/auditor.h"

struct collect_input {
    const struct auditor_options *sources;
    int64_t hours;
    int64_t started_mono_us;    /* of the auditor, for the uptime */
    int64_t wall_minus_mono_us; /* of the two clocks at the last audit, or at the start */
};

int collect_report(const struct collect_input *in, struct json_object **ret, struct err *err);
/* Without blanks, '<' and '>' escaped, so that nothing inside can end the mark around it. */
void collect_text(struct json_object *report, struct buf *out);
