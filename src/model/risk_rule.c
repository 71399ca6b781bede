#include "model/risk_rule.h"

#include <stddef.h>

static const struct risk_rule_info rules[] = {
#define RULE(code, option, help) {"RISK_" #code, option, help},
#include "model/risk_rules.def"
#undef RULE
};

const struct risk_rule_info *risk_rule(int index)
{
    return index >= 0 && index < RISK_RULE_COUNT ? &rules[index] : NULL;
}
