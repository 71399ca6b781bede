/*
 * exact.h: exact one-sided tests of counts: Fisher's (whether a group of trades won less, or more,
 * often than chance explains), the binomial, and Poisson's; and Holm's correction for many tests.
 *
 *     double p = exact_p(&(struct exact){.k = 3, .n = 40, .all_k = 120, .all_n = 240}, EXACT_LESS);
 *
 * Of all_n trades all_k won. If the n of the group were drawn from them at random, p is the
 * probability that at most (EXACT_MORE: at least) k of them are wins (Fisher 1935, "The logic of
 * inductive inference"). It is exact for few trades too, where approximations are not.
 * Thread: any (pure).
 */
#pragma once

#include <stdint.h>

enum exact_side { EXACT_LESS, EXACT_MORE };

/* 0 <= k <= n <= all_n, k <= all_k <= all_n, n - k <= all_n - all_k (ASSERT). */
struct exact {
    int64_t k;
    int64_t n;
    int64_t all_k;
    int64_t all_n;
};

/* 0 to 1; 1 for an empty group. */
double exact_p(const struct exact *e, enum exact_side side);
/* The probability of at most (EXACT_MORE: at least) k of n, if each comes with probability `rate`
 * (Clopper and Pearson 1934). 0 < rate < 1, 0 <= k <= n (ASSERT). */
double exact_binomial(int64_t k, int64_t n, double rate, enum exact_side side);
/* The probability of at least k, if `expected` > 0 are expected (ASSERT). */
double exact_poisson(int64_t k, double expected);
/* The 95 % interval of the expected number, after k were counted: Byar's approximation (Breslow and
 * Day 1987, 2.3), which is within 1 % of the exact one from 5 on. */
void exact_poisson_interval(int64_t k, double *ret_low, double *ret_high);
/* Holm's step-down correction (Holm 1979, "A simple sequentially rejective multiple test
 * procedure"): p-values in ascending order, replaced by corrected ones. `tried` of them were
 * tested; count <= tried are given, the smallest. Whatever depends on what, the probability that
 * any corrected value of a true null hypothesis is at most `level` is at most `level`. */
void exact_holm(double *p, int count, int64_t tried);
