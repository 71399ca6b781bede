/*
 * ground.h: is it true? Looks up every cited figure in the frozen report.
 *
 *     ground_finding(report, &finding);          // evidence[].verified, severity, rejected
 *     if (ground_check(report, &check) == GROUND_GONE) close_it();
 *
 * Rules: a number is verified when it equals the report's to 1e-9 of its size, or is the report's
 * rounded to the digits cited (but a cited zero must be one); a text when it is the same text; true
 * and false may be cited as such words. Objects, arrays and null are no figures.
 * Thread: any.
 */
#pragma once

#include "finding.h"
#include "io/json.h"

#include <stdbool.h>
#include <stdint.h>

#define GROUND_FEW_SAMPLES 30

/* Is the figure what stands there? */
bool ground_matches(struct json_object *value, const struct figure *cited);
void ground_finding(struct json_object *report, struct finding *finding);

enum ground_state { GROUND_HOLDS, GROUND_GONE, GROUND_UNKNOWN };
/* UNKNOWN: the pointer names nothing in this report, or texts are compared by size. */
enum ground_state ground_check(struct json_object *report, const struct check *check);

/* 95 % Wilson score interval of k out of n, n > 0 (Wilson 1927), as fractions. */
void ground_wilson(int64_t k, int64_t n, double *ret_low, double *ret_high);
/* {"k","n","pct","low_pct","high_pct"}; the percentages are left out when n is 0. */
struct json_object *ground_rate(int64_t k, int64_t n);
