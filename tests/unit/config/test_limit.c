/* The limits of risk: what they allow, and the bounds of risk.hard_limits. */
#include "../../../src/config/option.h"
#include "config/config.h"
#include "config/limit.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

static struct config *load(const char *yaml)
{
    struct config *config = NULL;
    struct err err = {0};
    if (config_parse(str_c(yaml), "n.yaml", &config, NULL, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return config;
}

static void refused(const char *yaml, enum err_id id, const char *context)
{
    struct config *config = NULL;
    struct err err = {0};
    assert_int_equal(config_parse(str_c(yaml), "n.yaml", &config, NULL, &err), -(int)id);
    assert_string_equal(err.context, context);
}

/* A new option of risk or tiers is no limit by oversight. */
static void every_number_of_risk_says_where_it_allows_more(void **state)
{
    (void)state;
    int limits = 0;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        bool of_risk = strcmp(o->group, "risk") == 0 || strcmp(o->group, "tiers") == 0;
        bool number = o->type == OPTION_INT || o->type == OPTION_FLOAT ||
                      o->type == OPTION_PERCENT || o->type == OPTION_DURATION;
        bool limit = (o->flags & (CONFIG_MORE_ABOVE | CONFIG_MORE_BELOW)) != 0;
        if (limit != (of_risk && number)) {
            fail_msg("%s", o->path);
        }
        assert_true(config_limit_is(str_c(o->path)) == limit);
        limits += limit ? 1 : 0;
    }
    assert_int_equal(limits, 21);
}

static enum config_limit_effect effect(const struct config *config, const char *name,
                                       const char *value)
{
    struct config_limit limit;
    struct err err = {0};
    if (config_limit_read(config, str_c(name), str_c(value), &limit, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return limit.effect;
}

static void a_change_is_tighter_or_looser(void **state)
{
    (void)state;
    AUTO_CONFIG struct config *config = load("");
    assert_int_equal(effect(config, "max_drawdown", "14.9%"), CONFIG_LIMIT_TIGHTER);
    assert_int_equal(effect(config, "max_drawdown", "15.1%"), CONFIG_LIMIT_LOOSER);
    assert_int_equal(effect(config, "max_drawdown", "15"), CONFIG_LIMIT_SAME);
    assert_int_equal(effect(config, "risk.cooldown", "29m"), CONFIG_LIMIT_LOOSER);
    assert_int_equal(effect(config, "risk.cooldown", "31m"), CONFIG_LIMIT_TIGHTER);
    assert_int_equal(effect(config, "cooldown", "1800s"), CONFIG_LIMIT_SAME);
    assert_int_equal(effect(config, "min_liquidation_distance", "4%"), CONFIG_LIMIT_LOOSER);
    assert_int_equal(effect(config, "target", "5%"), CONFIG_LIMIT_LOOSER); /* it depends */
    assert_int_equal(effect(config, "target", "3%"), CONFIG_LIMIT_LOOSER);
    assert_int_equal(effect(config, "max_leverage", "2.5"), CONFIG_LIMIT_TIGHTER);
}

static void a_file_beyond_a_hard_limit_is_refused(void **state)
{
    (void)state;
    refused("risk:\n  max_drawdown: 25%\n  hard_limits: [\"risk.max_drawdown <= 20%\"]\n",
            ERR_CONFIG_RANGE,
            "n.yaml:2:17: risk.max_drawdown: 25% is above 20%, its hard limit (risk.hard_limits)");
    refused("risk:\n  hard_limits: [\"risk.cooldown >= 1h\"]\n", ERR_CONFIG_RANGE,
            "risk.cooldown: 30m is below 1h, its hard limit (risk.hard_limits)");
    AUTO_CONFIG struct config *config =
        load("risk: {max_drawdown: 20%, hard_limits: ['risk.max_drawdown <= 20%', "
             "'risk.max_drawdown >= 20%', 'tiers.tier1_max_exposure <= 6%']}");
    assert_int_equal(config->risk_hard_limits.count, 3);
}

static void a_malformed_hard_limit_is_refused_with_its_place(void **state)
{
    (void)state;
#define EXPECTED "expected a limit, <= or >=, and a value, such as \"risk.max_drawdown <= 20%\""
    static const char *const items[] = {"risk.max_drawdown < 20%", "max_drawdown <= 20%",
                                        "risk.max_drawdown",       "",
                                        "market.speed <= 2",       "<= 20%"};
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        char yaml[128], context[256];
        (void)snprintf(yaml, sizeof(yaml), "risk:\n  hard_limits: ['%s']\n", items[i]);
        (void)snprintf(context, sizeof(context), "n.yaml:2:17: risk.hard_limits: %s: %s", items[i],
                       EXPECTED);
        refused(yaml, ERR_CONFIG_TYPE, context);
    }
    refused("risk:\n  hard_limits: ['risk.stop <= 80%']\n", ERR_CONFIG_TYPE,
            "n.yaml:2:17: risk.hard_limits: risk.stop <= 80%: expected 0.1% to 50%");
    refused("risk:\n  hard_limits: ['risk.stop <= soon']\n", ERR_CONFIG_TYPE,
            "n.yaml:2:17: risk.hard_limits: risk.stop <= soon: expected a percentage such as 2% or "
            "0.5%");
}

UNIT_GROUP(config_limit, cmocka_unit_test(every_number_of_risk_says_where_it_allows_more),
           cmocka_unit_test(a_change_is_tighter_or_looser),
           cmocka_unit_test(a_file_beyond_a_hard_limit_is_refused),
           cmocka_unit_test(a_malformed_hard_limit_is_refused_with_its_place))
