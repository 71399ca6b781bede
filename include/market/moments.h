/*
 * moments.h: mean and population standard deviation of the last values, streaming: the simple
 * moving average, STDDEV, and with them Bollinger bands (mean ± 2 deviations).
 *
 *     struct moments bands;
 *     moments_init(&bands, 20);
 *     moments_push(&bands, close);
 *     if (moments_ready(&bands)) upper = moments_mean(&bands) + 2 * moments_deviation(&bands);
 *
 * The sums are of distances from a pivot near the window, not of prices: the plain formula
 * E[x²] - E[x]² loses eight digits of a variance of 25 at a price of 46,000. The sums are
 * recomputed from the values every few periods, and at once when a subtraction has lost digits, so
 * rounding errors do not accumulate: the relative error stays within 1e-11 after any outlier and
 * any number of pushes.
 * Invariants: a plain value; O(1) a push on average, O(period) at worst; no allocation.
 * Thread: one at a time per value.
 */
#pragma once

#include <stdbool.h>

#define MOMENTS_MAX 64

struct moments {
    int period;
    int count;      /* values held, up to period */
    int head;       /* where the next one is written, over the oldest */
    int turns;      /* how often the ring wrapped since the sums were recomputed */
    double inverse; /* 1 / period */
    double pivot;
    double sum;     /* of distances from the pivot */
    double squares; /* of the same */
    double values[MOMENTS_MAX];
};

void moments_init(struct moments *m, int period); /* period 1..MOMENTS_MAX */
void moments_push(struct moments *m, double x);
bool moments_ready(const struct moments *m);
/* 0 before it is ready. */
double moments_mean(const struct moments *m);
double moments_deviation(const struct moments *m);
