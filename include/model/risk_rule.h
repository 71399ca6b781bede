/*
 * risk_rule.h: the names of the risk manager's rules, for risk checks and for displays.
 *
 *     const struct risk_rule_info *info = risk_rule(RISK_RULE_LEVERAGE);   // info->code
 *     for (int i = 0; (info = risk_rule(i)) != NULL; i++) show(info);
 *
 * Invariants: codes are stable, unique, begin with RISK_ and are rows of errors.def.
 * Thread: any (constants).
 */
#pragma once

/* Distance to liquidation, in per cent of the price, at which a position causes an alert, is halved
 * or is closed (risk/risk.h). */
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
    const char *option; /* "risk.max_leverage"; "" if no option controls the rule */
    const char *help;   /* one sentence */
};

/* Rules in the order in which they are checked, from 0; NULL after the last. */
const struct risk_rule_info *risk_rule(int index);
