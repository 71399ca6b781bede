/*
 * collect.h: the report of an audit: one bounded JSON object with trade patterns, account health
 * and system metrics, in which each figure has a JSON Pointer.
 *
 *     rc = collect_report(&in, &report, err);                     // frozen from here on
 *     collect_text(report, &text);                                // the text for the model
 *
 * Top members: meta, trades, decisions, orders, counters, books, account, system, untrusted. A part
 * that could not be read is missing, and /meta/gaps has the reason. Text from outside, or
 * written by a model, is only under untrusted. Secrets are redacted. Trading times and "hours" are
 * market time, which in a simulation runs faster than real time.
 * Thread: the auditor's.
 */
#pragma once

#include "auditor/auditor.h"

struct collect_input {
    const struct auditor_options *sources;
    int64_t hours;
    int64_t started_mono_us;    /* when the auditor was created, for the uptime */
    int64_t wall_minus_mono_us; /* the clocks' difference at the last audit, or at the start */
};

int collect_report(const struct collect_input *in, struct json_object **ret, struct err *err);
/* Compact JSON with '<' and '>' escaped, so that the content cannot close the tag around it. */
void collect_text(struct json_object *report, struct buf *out);
