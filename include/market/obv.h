/*
 * obv.h: on-balance volume, streaming: the sum of volumes, each with the sign of its bar's change.
 *
 *     struct obv obv = {0};
 *     obv_push(&obv, &bar);
 *     use(obv_value(&obv));
 *
 * It starts with the first bar's volume, as in TA-Lib, and is defined from there.
 * Source: J. Granville, Granville's New Key to Stock Market Profits, 1963.
 * Invariants: a plain value, empty when all zero; O(1) a push; no allocation; the sum is
 * compensated (Neumaier), so that small volumes count beside a large total.
 * Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

struct obv {
    bool has_previous;
    double previous_close;
    double sum;
    double rest; /* what rounding has left out of sum */
};

void obv_push(struct obv *obv, const struct bar *bar);
double obv_value(const struct obv *obv); /* 0 before the first bar */
