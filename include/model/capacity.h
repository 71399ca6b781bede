/*
 * capacity.h: how many symbols, positions and orders there can be, from which memory is sized at
 * start.
 *
 *     struct position *positions = calloc((size_t)capacity_positions(symbol_count), ...);
 *
 * The number of symbols is that of market.symbols, and of those no longer configured but still
 * held. The books hold one position per symbol. Small numbers have a common minimum, so that a run
 * of up to CAPACITY_MIN symbols has the same capacities whatever its number of symbols.
 * Thread: any (constants).
 */
#pragma once

#define SYMBOLS_LIMIT   300 /* of market.symbols, and of one engine */
#define POSITIONS_LIMIT 100 /* of risk.max_positions, and of one account */
#define CAPACITY_MIN    8   /* positions, with fewer symbols: others may hold more on the account */

/* Of the rows with one per symbol in a step: a faulty feed may repeat a bar. */
static inline int capacity_symbols(int symbols)
{
    return symbols < CAPACITY_MIN ? CAPACITY_MIN : symbols;
}

static inline int capacity_positions(int symbols)
{
    return symbols < CAPACITY_MIN      ? CAPACITY_MIN
           : symbols < POSITIONS_LIMIT ? symbols
                                       : POSITIONS_LIMIT;
}

/* Orders that are alive or whose position is open: for each position its entry, and room for its
 * closes and for entries under way. */
#define CAPACITY_ORDERS(positions) (32 + 4 * (positions))
#define ORDERS_LIMIT               CAPACITY_ORDERS(POSITIONS_LIMIT)

static inline int capacity_orders(int symbols)
{
    return CAPACITY_ORDERS(capacity_positions(symbols));
}
