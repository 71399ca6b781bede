#include "rigs/market_rig.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/rng.h"
#include "store/candle_table.h"
#include "store/decision_table.h"
#include "store/trade_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_US      (INT64_C(1767225600) * USEC_PER_SEC) /* 2026-01-01 00:00, a Thursday */
#define BETWEEN_US    (40 * USEC_PER_MIN)
#define FIRST_WEEKDAY 3
#define HELD_US       (25 * USEC_PER_MIN)
#define PLANTED_WINS  0.2
#define OTHERS_WIN    0.55
#define FEES_PCT      0.1

static const char *const symbols[] = {"BTC-USD", "ETH-USD", "SOL-USD"};

static struct symbol symbol_at(size_t i)
{
    struct symbol symbol;
    ASSERT(symbol_parse(str_c(symbols[i]), &symbol));
    return symbol;
}

/* Which hour, symbol and side are planted differs by seed. */
const char *market_planted(const struct market *m)
{
    static char text[CONDITION_TEXT_SIZE];
    switch (m->plant) {
    case PLANTED_HOUR:
        (void)snprintf(text, sizeof(text), "hour == %d", (int)(m->seed % 24));
        break;
    case PLANTED_SYMBOL_SIDE:
        (void)snprintf(text, sizeof(text), "symbol == %s and side == %s",
                       symbols[m->seed % COUNT_OF(symbols)], m->seed % 2 == 0 ? "long" : "short");
        break;
    case PLANTED_ZONE:
        (void)snprintf(text, sizeof(text), "%s", m->seed % 2 == 0 ? "rsi14 >= 70" : "rsi14 < 30");
        break;
    case PLANTED_SIDE:
        (void)snprintf(text, sizeof(text), "side == %s", m->seed % 2 == 0 ? "long" : "short");
        break;
    case PLANTED_COUNT:
        break;
    }
    return text;
}

static double chance_of(const struct market *m, const struct study_case *c, bool before_won,
                        bool hour_wins, size_t at)
{
    if (m->planted) {
        struct condition program;
        struct condition_values values;
        ASSERT(condition_compile(str_c(market_planted(m)), &program, NULL) == 0);
        study_values(c, &values);
        bool still = m->ends_after == 0 || at < m->ends_after;
        return still && condition_holds(&program, &values) ? PLANTED_WINS : OTHERS_WIN;
    }
    switch (m->kind) {
    case MARKET_EVEN:
    case MARKET_NOISE:
        return 0.5;
    case MARKET_RARE:
        return 0.3;
    case MARKET_STREAKS:
        return before_won ? 0.8 : 0.2;
    case MARKET_TOGETHER:
        return hour_wins ? 0.85 : 0.15;
    case MARKET_DRIFT:
        return 0.5 + 0.2 * sin((double)at / 150);
    }
    return 0.5;
}

void market_cases(const struct market *m, struct study_case *ret, size_t count)
{
    struct rng rng;
    rng_init(&rng, m->seed * 1000 + (uint64_t)m->kind);
    bool won = false;
    bool hour_wins = false;
    int64_t hour_before = -1;
    for (size_t i = 0; i < count; i++) {
        struct study_case *c = &ret[i];
        /* Several trades an hour, as several symbols make them. */
        int64_t at_us = FIRST_US + (int64_t)(i / 2) * BETWEEN_US;
        int64_t hour = at_us / USEC_PER_HOUR;
        if (hour != hour_before) {
            hour_wins = rng_chance(&rng, 0.5);
            hour_before = hour;
        }
        double rsi = fmin(99, fmax(1, 50 + 14 * rng_normal(&rng)));
        double macd = rng_normal(&rng);
        *c = (struct study_case){.trade_id = (int64_t)i + 1,
                                 .symbol = symbol_at(rng_below(&rng, COUNT_OF(symbols))),
                                 .side = rng_chance(&rng, 0.5) ? SIDE_LONG : SIDE_SHORT,
                                 .regime = (enum regime)rng_below(&rng, 3),
                                 .hour = (int)(hour % 24),
                                 .weekday =
                                     (int)((at_us - FIRST_US) / USEC_PER_DAY + FIRST_WEEKDAY) % 7,
                                 .price = 100,
                                 .rsi14 = rsi,
                                 .macd = macd,
                                 .macd_signal = macd + rng_normal(&rng),
                                 .bb_width_1h = 0.5 + 4 * rng_double(&rng)};
        c->score = (0.25 + 0.7 * rng_double(&rng)) * (c->side == SIDE_LONG ? 1 : -1);
        won = rng_chance(&rng, chance_of(m, c, won, hour_wins, i));
        c->won = won;
        double size = m->kind == MARKET_RARE && won ? 2.3 : 1;
        c->return_pct = (won ? size : -size) - FEES_PCT;
    }
}

static void write_decision(const struct study_case *c, struct trading_store *store)
{
    int64_t at_us = FIRST_US + (c->trade_id - 1) / 2 * BETWEEN_US;
    struct decision d = {.id = c->trade_id,
                         .symbol = c->symbol,
                         .at_us = at_us,
                         .price = dec_from_double(c->price),
                         .regime = c->regime,
                         .vote_count = 2,
                         .score = c->score,
                         .threshold = 0.25,
                         .direction = c->side == SIDE_LONG ? DIRECTION_LONG : DIRECTION_SHORT,
                         .outcome = OUTCOME_ORDER};
    d.votes[0] = (struct vote){
        .agent = "quant_analyst",
        .direction = d.direction,
        .confidence = 0.5,
        .reason_count = 3,
        .reasons = {{.indicator = "rsi14", .value = c->rsi14},
                    {.indicator = "macd", .value = c->macd, .threshold = c->macd_signal},
                    {.indicator = "width_1h_pct", .value = c->bb_width_1h}}};
    d.votes[1] = (struct vote){.direction = d.direction, .confidence = 0.5, .weight = 0.5};
    (void)str_copy(str_c(c->side == SIDE_LONG ? "bull" : "bear"), d.votes[1].agent,
                   sizeof(d.votes[1].agent));
    (void)snprintf(d.client_id, sizeof(d.client_id), "nd-1-%lld", (long long)c->trade_id);
    ASSERT(decision_table_add(store, &d, NULL) == 0);
}

static void write_trade(const struct study_case *c, struct trading_store *store)
{
    int64_t at_us = FIRST_US + (c->trade_id - 1) / 2 * BETWEEN_US;
    double gross = (c->return_pct + FEES_PCT) / 100;
    double exit = c->price * (1 + (c->side == SIDE_LONG ? gross : -gross));
    struct trade t = {.id = c->trade_id,
                      .symbol = c->symbol,
                      .side = c->side,
                      .qty = dec_from_int(1),
                      .entry_price = dec_from_double(c->price),
                      .exit_price = dec_from_double(exit),
                      .pnl = dec_from_double(c->price * c->return_pct / 100),
                      .fees = dec_from_double(c->price * FEES_PCT / 100),
                      .opened_us = at_us,
                      .closed_us = at_us + HELD_US,
                      .decision_id = c->trade_id};
    (void)str_copy(str_c(c->won ? "target" : "stop"), t.exit_reason, sizeof(t.exit_reason));
    (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%lld", (long long)c->trade_id);
    ASSERT(trade_table_add(store, &t, NULL) == 0);
}

/* The five candles of the time in which it was open: up to 2 % above and 1.5 % below the price. */
static void write_candles(const struct study_case *c, struct trading_store *store)
{
    int64_t at_us = FIRST_US + (c->trade_id - 1) / 2 * BETWEEN_US;
    for (int i = 0; i < HELD_US / timeframe_us(TF_5M); i++) {
        const struct candle candle = {.open_us = at_us + i * timeframe_us(TF_5M),
                                      .open = dec_from_double(c->price),
                                      .high = dec_from_double(c->price * (i == 2 ? 1.02 : 1.001)),
                                      .low = dec_from_double(c->price * (i == 3 ? 0.985 : 0.999)),
                                      .close = dec_from_double(c->price),
                                      .volume = dec_from_int(1)};
        ASSERT(candle_table_add(store, c->symbol, &candle, NULL) == 0);
    }
}

void market_write(const struct market *m, struct trading_store *store, size_t from, size_t to)
{
    AUTO_FREE struct study_case *cases = calloc(to, sizeof(*cases));
    ASSERT(cases != NULL);
    market_cases(m, cases, to);
    ASSERT(trading_store_begin(store, NULL) == 0);
    for (size_t i = from; i < to; i++) {
        write_decision(&cases[i], store);
        write_trade(&cases[i], store);
        if (i + 50 > to) { /* only recent ones are kept in life too */
            write_candles(&cases[i], store);
        }
    }
    ASSERT(trading_store_commit(store, NULL) == 0);
}
