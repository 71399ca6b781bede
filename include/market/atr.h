/*
 * atr.h: average true range, streaming.
 *
 *     struct atr atr;
 *     atr_init(&atr, 14);
 *     atr_push(&atr, &bar);
 *     if (atr_ready(&atr)) stop = close - 2 * atr_value(&atr);
 *
 * Wilder's smoothing, seeded with the plain mean of the first `period` true ranges. The first bar
 * has no true range, so the first value is at index `period`, as in TA-Lib.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

struct atr {
    int period;
    int count; /* true ranges seen, up to period */
    bool has_previous;
    double inverse; /* 1 / period */
    double previous_close;
    double value; /* the running sum until ready */
};

void atr_init(struct atr *atr, int period); /* period >= 1 */
void atr_push(struct atr *atr, const struct bar *bar);
bool atr_ready(const struct atr *atr);
double atr_value(const struct atr *atr); /* 0 before it is ready */
