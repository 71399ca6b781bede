#include "model/snapshot.h"

#include "names.h"

static const char *const state_words[] = {
    [TRADING_STARTING] = "starting",   [TRADING_ACTIVE] = "active",
    [TRADING_PAUSED] = "paused",       [TRADING_BREAKER] = "breaker",
    [TRADING_EMERGENCY] = "emergency", [TRADING_MAINTENANCE] = "maintenance",
};

static const char *const risk_words[] = {
    [RISK_ACTIVE] = "active", [RISK_REDUCING] = "reducing", [RISK_HALTED] = "halted"};

static const char *const disk_words[] = {
    [DISK_OK] = "ok", [DISK_SLOW] = "slow", [DISK_FAILED] = "failed"};

NAMES_PRINT(disk_state, enum disk_state, disk_words)
NAMES_PRINT(risk_state, enum risk_state, risk_words)
NAMES_PRINT(trading_state, enum trading_state, state_words)
NAMES_PARSE(trading_state, enum trading_state, state_words)
