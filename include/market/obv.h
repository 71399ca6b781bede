/*
 * obv.h: on-balance volume, streaming: the sum of volumes, each with the sign of its bar's change.
 *
 *     struct obv obv = {0};
 *     obv_push(&obv, &bar);
 *     use(obv_value(&obv));
 *
 * It starts with the first bar's volume and is defined from there, as in TA-Lib.
 * Source: J. Granville, Granville's New Key to Stock Market Profits, 1963.
 * Invariants: a plain value, empty when all zero; O(1) a push; no allocation; the sum is
 * compensated (Neumaier), so small volumes are not lost beside a large total.
 * Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

struct obv {
    bool has_previous;
    double previous_close;
    double sum;
    double rest; /* the rounding error of sum, to be added to it */
};

void obv_push(struct obv *obv, const struct bar *bar);
double obv_value(const struct obv *obv); /* 0 before the first bar */
