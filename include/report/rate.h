/*
 * rate.h: a rate with its sample size and its 95 % interval.
 *
 *     rate_add(out, "win_rate", wins, trades);   // {"k","n","pct","low_pct","high_pct"}
 *
 * Thread: any.
 */
#pragma once

#include "io/json_out.h"

#include <stdint.h>

/* Below this, a rate proves little. */
#define RATE_FEW_SAMPLES 30

/* 95 % Wilson score interval of k out of n, n > 0 (Wilson 1927), as fractions. */
void rate_wilson(int64_t k, int64_t n, double *ret_low, double *ret_high);
/* Without the percentages if n is 0. */
void rate_add(struct json_out *out, const char *key, int64_t k, int64_t n);
/* Two-sided p-value of the difference between k of n and other_k of other_n: a test of two
 * proportions with a pooled variance (Fleiss 1981, 2.3) and continuity correction. 1 if a group
 * has fewer than RATE_FEW_SAMPLES. */
double rate_p(int64_t k, int64_t n, int64_t other_k, int64_t other_n);
