/*
 * ground.h: verifies the cited figures of a finding against the frozen report.
 *
 *     ground_finding(report, &finding);          // evidence[].verified, severity, rejected
 *     if (ground_check(report, &check) == GROUND_FALSE) resolve();
 *
 * Rules: a cited number is verified if it equals the report's value to a relative error of 1e-9, or
 * is that value rounded to the cited digits (but a cited zero matches only zero). A cited text must
 * be identical. true and false are cited as the texts "true" and "false". Objects, arrays and null
 * cannot be cited.
 * Thread: any.
 */
#pragma once

#include "finding.h"
#include "io/json.h"
#include "io/json_out.h"

#include <stdbool.h>
#include <stdint.h>

#define GROUND_FEW_SAMPLES 30

/* Whether the cited figure matches the value in the report. */
bool ground_matches(struct json_object *value, const struct finding_figure *cited);
void ground_finding(struct json_object *report, struct finding *finding);

enum ground_state { GROUND_TRUE, GROUND_FALSE, GROUND_UNKNOWN };
/* UNKNOWN: the pointer is not in this report, or an order comparison of texts. */
enum ground_state ground_check(struct json_object *report, const struct finding_check *check);

/* 95 % Wilson score interval of k out of n, n > 0 (Wilson 1927), as fractions. */
void ground_wilson(int64_t k, int64_t n, double *ret_low, double *ret_high);
/* {"k","n","pct","low_pct","high_pct"}; without the percentages if n is 0. */
void ground_rate(struct json_out *out, const char *key, int64_t k, int64_t n);
