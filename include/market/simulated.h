/*
 * simulated.h: a market of seeded noise, for paper trading and tests.
 *
 *     struct simulated market;
 *     simulated_init(&market, seed, symbols, count, start_us);
 *     n = source_next(&market.source, bars);
 *
 * The whole market is in one climate at a time (trend up or down, chop around an anchor, crash),
 * which changes at random; symbols share part of each move. A candle's open, high, low and close
 * are points of one simulated path, so they are consistent. The next candle opens near the last
 * close, with a small random gap.
 * Invariants: a plain value (no pointers but the interface's); the same seed, symbols and start
 * always give the same candles; prices stay between 1/50 and 50 times their base.
 * Thread: one at a time per market.
 */
#pragma once

#include "base/rng.h"
#include "market/source.h"

#include <stdbool.h>
#include <stdint.h>

enum climate { CLIMATE_UP, CLIMATE_DOWN, CLIMATE_CHOP, CLIMATE_CRASH };

const char *simulated_climate_name(enum climate climate);

/* The state that save writes and load reads. */
struct simulated_state {
    uint64_t magic;
    struct rng rng;
    int64_t next_open_us;
    int64_t minutes_left; /* until the climate changes */
    int32_t climate;
    int32_t symbol_count;
    struct simulated_symbol {
        struct symbol symbol;
        double base;
        double volatility; /* the size of its moves relative to the market's */
        double price;
        double anchor; /* the price around which chop swings */
        double tick;
    } symbols[SYMBOLS_LIMIT]; /* the saved state ends with the last one in use */
};

struct simulated {
    struct source source;
    struct simulated_state state;
    bool pinned; /* the climate does not change (for tests) */
};

/* count 1..SYMBOLS_LIMIT; start_us is rounded down to a whole minute. */
void simulated_init(struct simulated *market, uint64_t seed, const struct symbol *symbols,
                    int count, int64_t start_us);

/* Enters a climate and keeps it. */
void simulated_pin(struct simulated *market, enum climate climate);
