/*
 * rsi.h: relative strength index, streaming.
 *
 *     struct rsi rsi;
 *     rsi_init(&rsi, 14);
 *     rsi_push(&rsi, close);
 *     if (rsi_ready(&rsi)) use(rsi_value(&rsi));
 *
 * Wilder's smoothing: the first value is the plain mean over `period` changes, each later one
 * (previous * (period - 1) + change) / period. The value of a series that never moved is 0, as in
 * TA-Lib. Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include <stdbool.h>

struct rsi {
    int period;
    int count; /* changes seen, up to period */
    bool has_previous;
    double inverse; /* 1 / period */
    double previous;
    double gain; /* smoothed; the running sum until ready */
    double loss;
};

void rsi_init(struct rsi *rsi, int period); /* period >= 1 */
void rsi_push(struct rsi *rsi, double close);
bool rsi_ready(const struct rsi *rsi);
double rsi_value(const struct rsi *rsi); /* 0..100; 0 before it is ready */
