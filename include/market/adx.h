/*
 * adx.h: directional movement: +DI, -DI and the average directional index, streaming.
 *
 *     struct adx adx;
 *     adx_init(&adx, 14);
 *     adx_push(&adx, &bar);
 *     if (adx_ready(&adx)) trending = adx_value(&adx) > 25;
 *
 * Wilder's sums with TA-Lib's seeding: the first period - 1 movements are added up; each later one
 * replaces 1/period of the sum. The DIs are defined from index `period`. The ADX is seeded with the
 * mean of the first `period` DX values and defined from index 2 * period - 1. While the smoothed
 * movements are zero, the DX is undefined and the ADX keeps its value.
 * Source: J. Welles Wilder, New Concepts in Technical Trading Systems, 1978.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

struct adx {
    int period;
    int count;      /* bars seen, up to 2 * period */
    double inverse; /* 1 / period */
    double high;    /* of the previous bar */
    double low;
    double close;
    double plus; /* smoothed sums of movement and true range */
    double minus;
    double range;
    double value; /* the running sum of DX until ready */
};

void adx_init(struct adx *adx, int period); /* period >= 2 */
void adx_push(struct adx *adx, const struct bar *bar);
bool adx_di_ready(const struct adx *adx);
double adx_plus_di(const struct adx *adx); /* 0..100; 0 before adx_di_ready */
double adx_minus_di(const struct adx *adx);
bool adx_ready(const struct adx *adx);
double adx_value(const struct adx *adx); /* 0..100; 0 before adx_ready */
