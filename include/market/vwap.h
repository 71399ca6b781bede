/*
 * vwap.h: volume-weighted average price of the last bars, streaming.
 *
 *     struct vwap vwap;
 *     vwap_init(&vwap, 20);
 *     vwap_push(&vwap, &bar);
 *     if (vwap_ready(&vwap)) use(vwap_value(&vwap));
 *
 * The mean of the typical prices, each weighted with its bar's volume. It is undefined, and so not
 * ready, while the volume of the whole window is zero. vwap_value is O(period), since a running sum
 * would keep the rounding error of the busiest bar for ever.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include "market/bar.h"

#define VWAP_MAX 32

struct vwap {
    int period;
    int count; /* bars held, up to period */
    int head;  /* where the next one is written, over the oldest */
    double typical[VWAP_MAX];
    double volume[VWAP_MAX];
};

void vwap_init(struct vwap *vwap, int period); /* period 1..VWAP_MAX */
void vwap_push(struct vwap *vwap, const struct bar *bar);
bool vwap_ready(const struct vwap *vwap);
double vwap_value(const struct vwap *vwap); /* 0 before it is ready */
