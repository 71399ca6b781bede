/*
 * efficiency.h: how directly a price went where it is: net move over the way walked.
 *
 *     efficiency_push(&e, close);
 *     regime = efficiency_value(&e) > 0.4 ? REGIME_TRENDING : ...
 *
 * Kaufman's efficiency ratio over EFFICIENCY_PERIOD changes: 1 is a straight line, 0 is all noise.
 * Source: P. Kaufman, Smarter Trading, 1995.
 * Invariants: a plain value; O(1) a push, in integers, so no error builds up; no allocation.
 * Thread: one at a time per value.
 */
#pragma once

#include "base/dec.h"

#include <stdbool.h>
#include <stdint.h>

#define EFFICIENCY_PERIOD 24

struct efficiency {
    int64_t closes_e8[EFFICIENCY_PERIOD + 1];
    int head;  /* where the next one goes, over the oldest */
    int count; /* closes held */
    int64_t walked_e8;
};

void efficiency_init(struct efficiency *e);
void efficiency_push(struct efficiency *e, struct dec close);
bool efficiency_ready(const struct efficiency *e);
/* -1..1, signed by where the price went; 0 before it is ready or when nothing moved. */
double efficiency_value(const struct efficiency *e);
