/*
 * ema.h: exponential moving average, streaming.
 *
 *     struct ema ema;
 *     ema_init(&ema, 26);
 *     ema_push(&ema, close);
 *     if (ema_ready(&ema)) use(ema_value(&ema));
 *
 * Seeded with the plain mean of the first `period` values, then
 * value += (x - value) * 2 / (period + 1): TA-Lib's convention.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include <stdbool.h>

struct ema {
    int period;
    int count;    /* values seen, up to period */
    double value; /* the running sum until ready */
};

void ema_init(struct ema *ema, int period); /* period >= 1 */
void ema_push(struct ema *ema, double x);
bool ema_ready(const struct ema *ema);
double ema_value(const struct ema *ema); /* 0 before it is ready */
