/*
 * settings.h: the settings of the engine as one plain value, given to it at start.
 *
 * Built by config/ from the options table; ranges are checked there and asserted here.
 * Percentages are per cent (2.0 is 2 %).
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/capacity.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIERS = 3 };

/* The source of candles. */
enum market_source { MARKET_SIMULATED, MARKET_CSV, MARKET_LIVE };

/* The order that an entry is sent as. */
enum entry_order {
    ENTRY_MARKET,   /* fills at any price */
    ENTRY_LIMIT,    /* not worse than the price of the decision */
    ENTRY_POST_ONLY /* the same, and only as a maker */
};

#define MARKET_PATH_MAX 255
#define MARKET_UNIT_MAX 1000000000

/* A candle file and its symbol. */
struct market_file {
    struct symbol symbol;
    const char *path; /* owned by the configuration */
    int unit;         /* coins per unit of its candles: 1, 10, 100 … */
};

/* Limits of one tier of symbols. */
struct tier {
    int symbol_count;
    struct symbol symbols[SYMBOLS_LIMIT];
    double max_position_pct; /* notional of one position, of equity */
    double max_exposure_pct; /* notional of all positions of the tier, of equity */
};

struct settings {
    /* market */
    int symbol_count;
    struct symbol symbols[SYMBOLS_LIMIT];
    enum market_source market_source;
    int market_file_count; /* of MARKET_CSV: one for each symbol */
    struct market_file market_files[SYMBOLS_LIMIT];
    double market_max_dropped_pct; /* of the rows of a file */
    uint64_t seed;                 /* of the simulated market; 0 derives one from the clock */
    int64_t market_speed;          /* market seconds a real second; 1 is real time */
    /* decisions */
    double threshold; /* |score| from which the agents want an entry */
    enum entry_order entry_order;
    char model[MARKET_PATH_MAX + 1]; /* path of the predict agent's model; empty: none */
    /* risk */
    double risk_per_trade_pct; /* of equity, lost if the stop is hit */
    double max_position_pct;   /* notional of one position, of equity */
    int64_t max_positions;
    double stop_pct;
    double target_pct;
    double max_daily_loss_pct;
    double max_drawdown_pct;        /* from the equity peak: trips the breaker */
    int64_t max_consecutive_losses; /* in one market day: trips the breaker until next day */
    int64_t cooldown_us;            /* after a trade in the same symbol, market time */
    double max_exposure_pct;        /* notional of all positions, of equity */
    double max_leverage;            /* the same as a multiple; also used to compute margin */
    double max_correlation;         /* 0..1, of hourly returns, with any open position */
    double maintenance_margin_pct;  /* of the notional; below it the venue liquidates */
    double min_liquidation_distance_pct;
    int64_t max_orders_per_minute;
    struct tier tiers[TIERS]; /* a symbol that no tier lists belongs to the last tier */
    struct dec initial_cash;  /* of the books at the first start */
};
