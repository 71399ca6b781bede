/*
 * execution.h: the prices of the stop and the target of an entry.
 *
 *     struct bracket bracket = execution_bracket(&settings, SIDE_LONG, price);
 *
 * The stop is stop_pct away from the price on the losing side, the target target_pct on the winning
 * side (2 % and 4 % by default). An invalid price gives an invalid bracket. Thread: any (pure).
 */
#pragma once

#include "model/order.h"
#include "model/settings.h"

struct bracket {
    struct dec stop;
    struct dec target;
};

struct bracket execution_bracket(const struct settings *settings, enum side side, struct dec price);
