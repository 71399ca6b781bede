/*
 * execution.h: where the stop and the target of an entry go.
 *
 *     struct bracket bracket = execution_bracket(&settings, SIDE_LONG, price);
 *
 * stop_pct against the entry, target_pct with it (2 % and 4 % at the defaults). A price that is
 * not valid gives a bracket that is not valid. Thread: any (pure).
 */
#pragma once

#include "model/order.h"
#include "model/settings.h"

struct bracket {
    struct dec stop;
    struct dec target;
};

struct bracket execution_bracket(const struct settings *settings, enum side side, struct dec price);
