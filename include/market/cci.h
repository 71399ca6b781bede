/*
 * cci.h: commodity channel index, streaming.
 *
 *     struct cci cci;
 *     cci_init(&cci, 20);
 *     cci_push(&cci, &bar);
 *     if (cci_ready(&cci)) use(cci_value(&cci));
 *
 * (typical price - its mean) / (0.015 * mean distance from that mean); 0 when all prices of the
 * window are equal. The mean distance has no running form, so cci_value is O(period).
 * Source: D. Lambert, Commodity Channel Index, Commodities magazine, October 1980.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

#define CCI_MAX 32

struct cci {
    int period;
    int count; /* values held, up to period */
    int head;  /* where the next one is written, over the oldest */
    double newest;
    double typical[CCI_MAX];
};

void cci_init(struct cci *cci, int period); /* period 1..CCI_MAX */
void cci_push(struct cci *cci, const struct bar *bar);
bool cci_ready(const struct cci *cci);
double cci_value(const struct cci *cci); /* 0 before it is ready */
