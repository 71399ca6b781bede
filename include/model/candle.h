/*
 * candle.h: one bar of a market, and the timeframes that nightdesk builds.
 *
 * Units: open_us is the wall time at which the bar starts (UTC, a multiple of the timeframe);
 * the bar covers [open_us, open_us + timeframe). Prices in quote currency, volume in base.
 * Invariants of a valid candle: low <= open, close <= high; low > 0; volume >= 0.
 * Thread: any (plain values).
 */
#pragma once

#include "base/clock.h"
#include "base/dec.h"

#include <stdbool.h>

enum timeframe { TF_1M, TF_5M, TF_15M, TF_1H, TF_COUNT };

int64_t timeframe_us(enum timeframe tf);
const char *timeframe_name(enum timeframe tf); /* "1m" "5m" "15m" "1h" */
bool timeframe_parse(struct str s, enum timeframe *ret);

struct candle {
    int64_t open_us;
    struct dec open;
    struct dec high;
    struct dec low;
    struct dec close;
    struct dec volume;
};

bool candle_is_valid(const struct candle *c);
