/*
 * stochastic.h: where the close lies in the range of the last bars, streaming: the slow stochastic
 * oscillator and Williams %R.
 *
 *     struct stochastic stoch;
 *     stochastic_init(&stoch, 5, 3, 3);
 *     stochastic_push(&stoch, &bar);
 *     if (stochastic_ready(&stoch)) use(stochastic_k(&stoch), stochastic_d(&stoch));
 *
 * %K is the simple mean of the raw value, %D that of %K; both are defined from %D's first value on,
 * as in TA-Lib. The raw value of a window whose high equals its low is 0.
 * Williams %R is the same position measured from the top: -100 at the lowest low, 0 at the highest
 * high. Invariants: plain values; O(1) a push on average; no allocation. Thread: one at a time per
 * value.
 */
#pragma once

#include "market/bar.h"
#include "market/extreme.h"
#include "market/moments.h"

struct stochastic {
    struct extreme high;
    struct extreme low;
    struct moments k;
    struct moments d;
};

void stochastic_init(struct stochastic *s, int period, int k, int d);
void stochastic_push(struct stochastic *s, const struct bar *bar);
bool stochastic_ready(const struct stochastic *s);
double stochastic_k(const struct stochastic *s); /* 0..100; 0 before it is ready */
double stochastic_d(const struct stochastic *s);

/* The position of a close between the lowest low and the highest high; 0 when these are equal. */
double stochastic_raw(double close, double lowest, double highest);
double stochastic_williams(double close, double lowest, double highest);
