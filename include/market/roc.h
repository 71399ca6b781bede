/*
 * roc.h: rate of change in per cent against the value `period` pushes ago, streaming.
 *
 *     struct roc roc;
 *     roc_init(&roc, 10);
 *     roc_push(&roc, close);
 *     if (roc_ready(&roc)) use(roc_value(&roc));
 *
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include <stdbool.h>

#define ROC_MAX 32

struct roc {
    int period;
    int count; /* values seen, up to period + 1 */
    int head;  /* where the next one is written, over the oldest */
    double value;
    double values[ROC_MAX];
};

void roc_init(struct roc *roc, int period); /* period 1..ROC_MAX */
void roc_push(struct roc *roc, double x);   /* x > 0 */
bool roc_ready(const struct roc *roc);
double roc_value(const struct roc *roc); /* 0 before it is ready */
