/*
 * exact.h: Fisher's exact test, one-sided: whether a group of trades won less (or more) often than
 * chance explains.
 *
 *     double p = exact_p(&(struct exact){.k = 3, .n = 40, .all_k = 120, .all_n = 240}, EXACT_LESS);
 *
 * Of all_n trades all_k won. If the n of the group were drawn from them at random, p is the
 * probability that at most (EXACT_MORE: at least) k of them are wins (Fisher 1935, "The logic of
 * inductive inference"). It is exact for few trades too, where approximations are not.
 * Private to this module. Thread: any (pure).
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
/* Holm's step-down correction (Holm 1979, "A simple sequentially rejective multiple test
 * procedure"): p-values in ascending order, replaced by corrected ones. `tried` of them were
 * tested; count <= tried are given, the smallest. Whatever depends on what, the probability that
 * any corrected value of a true null hypothesis is at most `level` is at most `level`. */
void exact_holm(double *p, int count, int64_t tried);
