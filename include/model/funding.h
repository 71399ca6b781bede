/*
 * funding.h: a payment between longs and shorts, or a fee of the account that belongs to no fill,
 * as the venue booked it.
 *
 * id is > 0 and increases with each payment of a venue; a payment reported twice is booked once.
 * payment is positive if the account pays, negative if it receives. at_us is market time.
 * Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

struct funding {
    int64_t id;
    struct symbol symbol;
    struct dec payment;
    int64_t at_us;
    bool charge; /* a fee; the symbol may be empty */
};
