#include "config_read.h"

#include <string.h>

static bool is_traded(const struct config *config, const char *currency)
{
    for (int i = 0; i < config->market_symbols.count; i++) {
        if (str_equal_c(symbol_base(&config->market_symbols.items[i]), currency)) {
            return true;
        }
    }
    return false;
}

static bool is_named_before(const struct config *config, int at, const char *currency)
{
    struct reserved_coin other;
    for (int i = 0; i < at; i++) {
        if (config_reserved_coin(config->venue_reserved.items[i], &other) &&
            strcmp(other.currency, currency) == 0) {
            return true;
        }
    }
    return false;
}

/* A misspelt coin would be sold by an emergency stop. */
void config_check_venue(struct load *load, const struct yaml_node *root)
{
    const struct config *config = load->config;
    const struct yaml_node *list = yaml_get(yaml_get(root, "venue"), "reserved");
    for (int i = 0; i < config->venue_reserved.count; i++) {
        const struct yaml_node *node = yaml_at(list, (size_t)i);
        struct reserved_coin coin;
        if (!config_reserved_coin(config->venue_reserved.items[i], &coin)) {
            detail_problem(load, ERR_CONFIG_TYPE, node,
                           "venue.reserved: expected COIN=amount, such as BTC=0.5, with the amount "
                           "above zero");
        } else if (!is_traded(config, coin.currency)) {
            detail_problem(load, ERR_CONFIG_MISSING, node,
                           "venue.reserved: no symbol of market.symbols trades %s", coin.currency);
        } else if (is_named_before(config, i, coin.currency)) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node, "venue.reserved: %s is there twice",
                           coin.currency);
        }
    }
}
