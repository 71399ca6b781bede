/*
 * risk_rule.h: the names of the risk manager's rules, for whoever refuses and whoever shows.
 *
 *     const struct risk_rule_info *info = risk_rule(RISK_RULE_LEVERAGE);   // info->code
 *     for (int i = 0; (info = risk_rule(i)) != NULL; i++) show(info);
 *
 * Invariants: codes are stable, unique, begin with RISK_ and are rows of errors.def.
 * Thread: any (constants).
 */
#pragma once

/* What is done about a position so near to liquidation, per cent of its price (risk/risk.h). */
#define RISK_WARN_PCT  10.0
#define RISK_HALVE_PCT 5.0
#define RISK_CLOSE_PCT 3.0

enum risk_rule_id {
#define RULE(code, option, help) RISK_RULE_##code,
#include "model/risk_rules.def"
#undef RULE
    RISK_RULE_COUNT
};

struct risk_rule_info {
    const char *code;   /* "RISK_LEVERAGE" */
    const char *option; /* "risk.max_leverage"; "" when nothing can be turned */
    const char *help;   /* one sentence */
};

/* In the order of checking, from 0; NULL after the last. */
const struct risk_rule_info *risk_rule(int index);
