/*
 * funding.h: a payment between longs and shorts, as the venue booked it.
 *
 * id > 0 rises with each payment of a venue; a payment seen twice counts once. Positive is paid by
 * the account, negative received. at_us is market time. Thread: any (plain values).
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdint.h>

struct funding {
    int64_t id;
    struct symbol symbol;
    struct dec payment;
    int64_t at_us;
};
