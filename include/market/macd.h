/*
 * macd.h: moving average convergence/divergence, streaming.
 *
 *     struct macd macd;
 *     macd_init(&macd, 12, 26, 9);
 *     macd_push(&macd, close);
 *     if (macd_ready(&macd)) use(macd_value(&macd), macd_signal(&macd), macd_histogram(&macd));
 *
 * As in TA-Lib, the seeds of the fast and the slow average end at the same value, and all three
 * lines are defined from the signal's first value on (index slow + signal - 2).
 * Source: G. Appel, Technical Analysis: Power Tools for Active Investors, 2005.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include "market/ema.h"

struct macd {
    int skip; /* values until the fast average starts */
    struct ema fast;
    struct ema slow;
    struct ema signal;
};

void macd_init(struct macd *macd, int fast, int slow, int signal); /* 1 <= fast <= slow */
void macd_push(struct macd *macd, double close);
bool macd_ready(const struct macd *macd);
/* 0 before it is ready. */
double macd_value(const struct macd *macd);
double macd_signal(const struct macd *macd);
double macd_histogram(const struct macd *macd); /* value - signal */
