#include "model/snapshot.h"

#include "names.h"

static const char *const state_words[] = {
    [TRADING_STARTING] = "starting", [TRADING_ACTIVE] = "active",       [TRADING_PAUSED] = "paused",
    [TRADING_BREAKER] = "breaker",   [TRADING_EMERGENCY] = "emergency",
};

NAMES_PRINT(trading_state, enum trading_state, state_words)
NAMES_PARSE(trading_state, enum trading_state, state_words)
