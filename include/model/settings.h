/*
 * settings.h: what the engine may be told, as one plain value, mailed from ops between two steps.
 *
 * Built by config/ from the options table; ranges are checked there and asserted here.
 * Percentages are per cent (2.0 is 2 %). Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

struct settings {
    /* market */
    int symbol_count;
    struct symbol symbols[SYMBOLS_MAX];
    uint64_t seed;        /* of the simulated market; 0 takes one from the clock */
    int64_t market_speed; /* market seconds a real second; 1 is real time */
    /* decisions */
    double threshold; /* |score| from which an entry is wanted */
    /* risk */
    double risk_per_trade_pct; /* of equity lost when the stop is hit */
    double max_position_pct;   /* notional of one position, of equity */
    int64_t max_positions;
    double stop_pct;
    double target_pct;
    double max_daily_loss_pct;
    double max_drawdown_pct;        /* from the equity peak: trips the breaker */
    int64_t max_consecutive_losses; /* in one market day: trips the breaker until next day */
    int64_t cooldown_us;            /* after a trade in the same symbol, market time */
    /* paper venue */
    struct dec initial_cash;
    double spread_bps; /* full spread, 1/100 of a per cent */
    double fee_bps;
};
