/*
 * quote.h: the top of a venue's order book at one moment.
 *
 * Units: prices in quote currency, quantities in base; at_us is market time. Invariant of a
 * valid quote: 0 < bid <= ask, quantities > 0.
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdint.h>

struct quote {
    struct symbol symbol;
    struct dec bid;
    struct dec ask;
    struct dec bid_qty; /* quantity that can be sold within one level of the bid */
    struct dec ask_qty; /* quantity that can be bought within one level of the ask */
    int64_t at_us;
};
