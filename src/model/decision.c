#include "model/decision.h"

#include "names.h"

static const char *const direction_words[] = {
    [DIRECTION_NONE] = "none",
    [DIRECTION_LONG] = "long",
    [DIRECTION_SHORT] = "short",
};
static const char *const regime_words[] = {
    [REGIME_NEUTRAL] = "neutral",
    [REGIME_TRENDING] = "trending",
    [REGIME_CHOPPY] = "choppy",
};
static const char *const outcome_words[] = {
    [OUTCOME_HOLD] = "hold",
    [OUTCOME_VETOED] = "vetoed",
    [OUTCOME_ORDER] = "order",
};

NAMES_PRINT(direction, enum direction, direction_words)
NAMES_PARSE(direction, enum direction, direction_words)
NAMES_PRINT(regime, enum regime, regime_words)
NAMES_PARSE(regime, enum regime, regime_words)
NAMES_PRINT(outcome, enum outcome, outcome_words)
NAMES_PARSE(outcome, enum outcome, outcome_words)
