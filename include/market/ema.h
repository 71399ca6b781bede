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
    int count;     /* values seen, up to period */
    double weight; /* 2 / (period + 1) */
    double value;  /* the running sum until ready */
};

void ema_init(struct ema *ema, int period); /* period >= 1 */

/* Inline, since other indicators push several a bar and a call costs as much as the work. */
static inline void ema_push(struct ema *ema, double x)
{
    if (ema->count == ema->period) {
        ema->value += (x - ema->value) * ema->weight;
        return;
    }
    ema->value += x;
    ema->count++;
    if (ema->count == ema->period) {
        ema->value /= ema->period;
    }
}

static inline bool ema_ready(const struct ema *ema)
{
    return ema->count == ema->period;
}

/* 0 before it is ready. */
static inline double ema_value(const struct ema *ema)
{
    return ema_ready(ema) ? ema->value : 0;
}
