#include "sim/personality.h"

#include "base/check.h"
#include "venue/account.h"

#include <stdio.h>

#define OPEN_US (2 * USEC_PER_HOUR)

#define TERMS                                                                                    \
    .spread_bps = 4, .depth = {70 * DEC_ONE}, .level_bps = 1, .latency_us = 200 * USEC_PER_MSEC, \
    .reject_pct = 3

static const struct personality personalities[] = {
    {.name = "binance",
     .venue = "binance",
     .symbols = {"BTC-USDT", "ETH-USDT", "SOL-USDT"},
     .terms = {TERMS, .fee_bps = 10, .maker_fee_bps = 10, .min_notional = {5 * DEC_ONE},
               .tick_digits = 7, .lot = {DEC_ONE / 100000}, .fee_in_coins = true},
     .min_qty = {DEC_ONE / 100000}},
    {.name = "binance_futures",
     .venue = "binance_futures",
     .symbols = {"BTC-USDT", "ETH-USDT", "SOL-USDT"},
     .terms = {TERMS, .fee_bps = 5, .maker_fee_bps = 2, .min_notional = {20 * DEC_ONE},
               .tick_digits = 6, .lot = {DEC_ONE / 1000}, .funding_bps = 10},
     .min_qty = {DEC_ONE / 1000}},
    {.name = "kraken",
     .venue = "kraken",
     .symbols = {"BTC-USD", "ETH-USD", "SOL-USD"},
     .terms = {TERMS, .fee_bps = 40, .maker_fee_bps = 25, .min_notional = {DEC_ONE / 2},
               .tick_digits = 6},
     .min_qty = {DEC_ONE / 20000}},
    {.name = "coinbase",
     .venue = "coinbase",
     .symbols = {"BTC-USD", "ETH-USD", "SOL-USD"},
     .terms = {TERMS, .fee_bps = 60, .maker_fee_bps = 40, .min_notional = {DEC_ONE},
               .tick_digits = 7}},
    {.name = "alpaca",
     .venue = "alpaca",
     .symbols = {"ACME-USD", "GLOBEX-USD", "INITECH-USD"},
     .terms = {TERMS, .min_notional = {DEC_ONE}, .tick_digits = 6, .lot = {DEC_ONE}},
     .min_qty = {DEC_ONE},
     .hours = true},
};

const struct personality *personality_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(personalities); i++) {
        if (strcmp(personalities[i].name, name) == 0) {
            return &personalities[i];
        }
    }
    return NULL;
}

const struct personality *personality_at(int index)
{
    return index < (int)COUNT_OF(personalities) ? &personalities[index] : NULL;
}

void personality_names(char *ret, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < COUNT_OF(personalities) && used < size; i++) {
        int len =
            snprintf(&ret[used], size - used, "%s%s", i == 0 ? "" : ", ", personalities[i].name);
        used += (size_t)len;
    }
}

struct venue_capabilities personality_can(const struct personality *p)
{
    const struct account_api *api = account_api_find(p->venue);
    ASSERT(api != NULL);
    struct venue_capabilities can = api->can;
    can.dust = !api->positions;
    return can;
}

bool personality_holds_coins(const struct personality *p)
{
    return !account_api_find(p->venue)->positions;
}

bool personality_is_closed(const struct personality *p, int64_t market_us)
{
    return p->hours && market_us % (3 * USEC_PER_HOUR) >= OPEN_US;
}

static struct dec sellable(struct dec least)
{
    return dec_mul_div(least, dec_from_int(3), dec_from_int(2));
}

void personality_rules(const struct personality *p, struct instrument *rules)
{
    rules->min_qty = p->min_qty;
    if (personality_holds_coins(p)) {
        rules->min_qty = sellable(rules->min_qty);
        rules->min_notional = sellable(rules->min_notional);
    }
}

void personality_symbols(const struct personality *p, struct settings *s)
{
    ASSERT(s->symbol_count == PERSONALITY_SYMBOLS);
    for (int i = 0; i < PERSONALITY_SYMBOLS; i++) {
        ASSERT(symbol_parse(str_c(p->symbols[i]), &s->symbols[i]));
    }
}
