/*
 * bar.h: a candle in binary floating point, for statistics.
 *
 *     struct bar bar = bar_of(&candle);
 *     atr_push(&atr, &bar);
 *
 * Indicators are ratios and roots, so they work on doubles; money never does (base/dec.h).
 * Invariants of a valid bar: finite; low <= open, close <= high; low > 0; volume >= 0.
 * Thread: any (plain values).
 */
#pragma once

#include "model/candle.h"

struct bar {
    int64_t open_us;
    double open;
    double high;
    double low;
    double close;
    double volume;
};

static inline struct bar bar_of(const struct candle *c)
{
    return (struct bar){.open_us = c->open_us,
                        .open = dec_to_double(c->open),
                        .high = dec_to_double(c->high),
                        .low = dec_to_double(c->low),
                        .close = dec_to_double(c->close),
                        .volume = dec_to_double(c->volume)};
}

static inline double bar_typical(const struct bar *bar)
{
    return (bar->high + bar->low + bar->close) / 3;
}

/* The largest of high - low, |high - previous close| and |low - previous close|. Source: J. Welles
 * Wilder, New Concepts in Technical Trading Systems, 1978. */
static inline double bar_true_range(const struct bar *bar, double previous_close)
{
    double top = bar->high > previous_close ? bar->high : previous_close;
    double bottom = bar->low < previous_close ? bar->low : previous_close;
    return top - bottom;
}
