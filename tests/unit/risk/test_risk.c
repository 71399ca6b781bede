#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "risk/risk.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

static struct settings settings;

static void prepare(struct risk_account *a, struct order *o)
{
    settings = (struct settings){
        .risk_per_trade_pct = 2,
        .max_position_pct = 25,
        .max_positions = 3,
        .stop_pct = 2,
        .target_pct = 4,
        .max_daily_loss_pct = 5,
        .max_drawdown_pct = 15,
        .max_consecutive_losses = 4,
        .max_exposure_pct = 75,
        .max_leverage = 3,
        .max_correlation = 0.7,
        .maintenance_margin_pct = 0.5,
        .min_liquidation_distance_pct = 5,
        .max_orders_per_minute = 10,
    };
    for (int t = 0; t < TIERS; t++) {
        settings.tiers[t] = (struct tier){.max_position_pct = 25, .max_exposure_pct = 50};
    }
    *a = (struct risk_account){.settings = &settings,
                               .state = TRADING_ACTIVE,
                               .equity = dec_from_int(10000),
                               .equity_peak = dec_from_int(10000),
                               .day_start_equity = dec_from_int(10000),
                               .price_updated_us = USEC_PER_HOUR,
                               .now_us = USEC_PER_HOUR};
    *o = (struct order){.symbol = {"BTC-USD"},
                        .kind = ORDER_ENTRY,
                        .side = SIDE_LONG,
                        .qty = dec_from_int(10),
                        .reference_price = dec_from_int(100),
                        .stop = dec_from_int(98),
                        .target = dec_from_int(104)};
}

static void expect(const struct risk_account *a, const struct order *o, const char *code,
                   const char *text, struct dec max_qty)
{
    struct risk_result v;
    assert_false(risk_check(a, o, &v));
    assert_false(v.pass);
    assert_string_equal(v.code, code);
    assert_string_equal(v.text, text);
    assert_int_equal(v.max_qty.e8, max_qty.e8);

    /* A reducing order passes in every case. */
    struct order close = *o;
    close.kind = ORDER_CLOSE;
    assert_true(risk_check(a, &close, &v));
    assert_string_equal(v.code, "");
    assert_int_equal(v.max_qty.e8, o->qty.e8);
}

static void a_valid_order_passes(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
    prepare(&a, &o);
    memset(&v, 'x', sizeof(v));
    assert_true(risk_check(&a, &o, &v));
    assert_true(v.pass);
    assert_string_equal(v.code, "");
    assert_string_equal(v.text, "");
    assert_int_equal(v.max_qty.e8, o.qty.e8);
}

static void each_rule_refuses(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
#define REFUSED(change, code, text) \
    prepare(&a, &o);                \
    change;                         \
    expect(&a, &o, code, text, DEC_ZERO)
    REFUSED(a.halted = true, "RISK_HALT", "trading is halted");
    REFUSED(a.venue = "down", "RISK_VENUE", "the venue is down");
    REFUSED(a.state = TRADING_EMERGENCY, "RISK_HALT", "emergency stop is active");
    REFUSED(a.state = TRADING_STARTING, "RISK_STARTING", "not reconciled with the venue yet");
    REFUSED(a.state = TRADING_PAUSED, "RISK_PAUSED", "trading is paused");
    REFUSED(a.state = TRADING_BREAKER, "RISK_BREAKER", "circuit breaker has tripped");
    REFUSED(a.state = TRADING_MAINTENANCE, "RISK_MAINTENANCE", "maintenance is under way");
    REFUSED(a.foreign = true, "RISK_FOREIGN", "the venue holds BTC-USD that the bot did not open");
    REFUSED(a.price_suspect = true, "RISK_STALE_PRICE", "the newest candle was refused");
    REFUSED(a.now_us += RISK_STALE_AFTER_US + USEC_PER_SEC, "RISK_STALE_PRICE",
            "price is 181 s old, at most 180 s");
    REFUSED(a.price_updated_us = 1, "RISK_STALE_PRICE", "price is 3599 s old, at most 180 s");
    REFUSED(a.price_updated_us = 0, "RISK_STALE_PRICE", "no price yet");
    REFUSED((a.price_updated_us = 0, a.now_us = 1), "RISK_STALE_PRICE", "no price yet");
    REFUSED(o.stop = DEC_ZERO, "RISK_STOP_MANDATORY", "long at 100 has its stop at none");
    REFUSED(o.stop = dec_from_int(101), "RISK_STOP_MANDATORY", "long at 100 has its stop at 101");
    REFUSED(o.target = DEC_ZERO, "RISK_STOP_MANDATORY", "long at 100 has its stop at none");
    REFUSED(o.target.e8 = 1, "RISK_STOP_MANDATORY", "long at 100 has its stop at 98");
    REFUSED(o.side = SIDE_SHORT, "RISK_STOP_MANDATORY", "short at 100 has its stop at 98");
    REFUSED(o.target = dec_from_int(100), "RISK_STOP_MANDATORY", "long at 100 has its stop at 98");
    REFUSED(o.stop = dec_from_int(100), "RISK_STOP_MANDATORY", "long at 100 has its stop at 100");
    REFUSED((o.side = SIDE_SHORT, o.stop = dec_from_int(102), o.target = dec_from_int(100)),
            "RISK_STOP_MANDATORY", "short at 100 has its stop at 102");
    REFUSED(a.cooldown_until_us = a.now_us + USEC_PER_MIN, "RISK_COOLDOWN",
            "1 min of cooldown left");
    REFUSED(a.cooldown_until_us = a.now_us + USEC_PER_MIN + 1, "RISK_COOLDOWN",
            "2 min of cooldown left");
    REFUSED(a.cooldown_until_us = a.now_us + 1, "RISK_COOLDOWN", "1 min of cooldown left");
    REFUSED(a.symbol_busy = true, "RISK_SYMBOL_BUSY", "BTC-USD has a position or an order");
    REFUSED(a.positions_open = 3, "RISK_MAX_POSITIONS", "3 of 3 positions open");
    REFUSED(a.orders_lately = 10, "RISK_ORDER_RATE", "10 entries in the last minute of 10");
    REFUSED((a.correlation = 0.71, a.correlated_with = (struct symbol){"ETH-USD"}),
            "RISK_CORRELATION", "moves with ETH-USD by 0.71, at most 0.70");
    REFUSED(a.correlation = (double)NAN, "RISK_CORRELATION", "moves with  by nan, at most 0.70");
    REFUSED(a.exposure = DEC_INVALID, "RISK_POSITION_SIZE",
            "size 10, at most 0 (25.00 % of equity)");
    REFUSED(o.reference_price = DEC_INVALID, "RISK_STOP_MANDATORY",
            "long at ? has its stop at none");
    REFUSED(a.equity = dec_from_int(9500), "RISK_DAILY_LOSS", "daily loss 5.00 % of 5.00 %");
    REFUSED((a.equity_peak = dec_from_int(12000), a.day_start_equity = a.equity), "RISK_DRAWDOWN",
            "drawdown 16.67 % of 15.00 %");
    REFUSED(a.losses_in_a_row = 4, "RISK_LOSSES_IN_A_ROW", "4 losses in a row of 4");
#undef REFUSED
    prepare(&a, &o);
    o.qty = dec_from_int(-1);
    expect(&a, &o, "RISK_POSITION_SIZE", "size -1 is not above zero", dec_from_int(25));
    o.qty = DEC_ZERO;
    expect(&a, &o, "RISK_POSITION_SIZE", "size 0 is not above zero", dec_from_int(25));
    o.qty = (struct dec){1};
    expect(&a, &o, "RISK_POSITION_SIZE", "size 0.00000001 is less than one lot of 0.01",
           dec_from_int(25));
}

static void limits_are_exact(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
    prepare(&a, &o);
    a.now_us += RISK_STALE_AFTER_US;
    a.cooldown_until_us = a.now_us;
    a.positions_open = 2;
    a.losses_in_a_row = 3;
    a.orders_lately = 9;
    a.correlation = 0.7;
    o.qty = dec_from_int(25); /* 25 % to the last unit */
    assert_true(risk_check(&a, &o, &v));
    a.now_us = 1;
    a.price_updated_us = 1;
    a.cooldown_until_us = 1;
    assert_true(risk_check(&a, &o, &v));
    a.equity = (struct dec){dec_from_int(9500).e8 + 1000};
    o.qty = dec_from_int(1);
    assert_true(risk_check(&a, &o, &v));
}

static void a_refused_size_names_the_largest_that_passes(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    prepare(&a, &o);
    o.qty = dec_from_double(25.01);
    expect(&a, &o, "RISK_POSITION_SIZE", "size 25.01, at most 25 (25.00 % of equity)",
           dec_from_int(25));
    struct risk_result v;
    o.qty = dec_from_int(25);
    assert_true(risk_check(&a, &o, &v));
    o.qty = (struct dec){dec_from_int(25).e8 + 1};
    assert_false(risk_check(&a, &o, &v));
    /* At the limit of the size, but not at that of the risk. */
    o.qty = dec_from_int(25);
    o.stop = dec_from_int(90);
    expect(&a, &o, "RISK_POSITION_SIZE", "its stop would lose 2.50 % of equity, at most 2.00 %",
           dec_from_int(20));
    o.stop = dec_from_int(98);
    /* When another rule refuses too, no size would pass. */
    o.qty.e8++;
    a.symbol_busy = true;
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.code, "RISK_SYMBOL_BUSY");
    assert_int_equal(v.max_qty.e8, 0);
    o.qty = dec_from_int(1000000000);
    a.symbol_busy = false;
    assert_false(risk_check(&a, &o, &v));
    assert_int_equal(v.max_qty.e8, dec_from_int(25).e8);
}

/* The venue's smallest and largest order, and its step. */
static void the_rules_of_the_venue_are_kept(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
    prepare(&a, &o);
    struct instrument rules = {.step = dec_from_double(0.3),
                               .min_qty = dec_from_int(2),
                               .max_qty = dec_from_int(20),
                               .min_notional = dec_from_int(500)};
    a.instrument = &rules;
    assert_true(risk_check(&a, &o, &v));
    struct dec size = risk_size(&a, &o, 1); /* 25 by equity */
    assert_int_equal(size.e8, dec_from_double(19.8).e8);
    o.qty = dec_from_double(20.1);
    expect(&a, &o, "RISK_ORDER_SIZE", "size 20.1, the venue takes at most 20",
           dec_from_double(19.8));
    o.qty = dec_from_double(4.9);
    expect(&a, &o, "RISK_ORDER_SIZE", "size 4.9, the venue takes at least 2 and a value of 500",
           dec_from_double(19.8));
    o.qty = dec_from_int(5); /* a value of 500 */
    assert_true(risk_check(&a, &o, &v));
    rules.min_qty = o.qty;
    assert_true(risk_check(&a, &o, &v));
    rules.min_qty = (struct dec){o.qty.e8 + 1};
    assert_false(risk_check(&a, &o, &v));
    rules.min_qty = dec_from_int(2);
    o.qty = dec_from_double(4.9);
    /* Below the minimum, and no larger size is allowed either. */
    a.exposure = dec_from_int(7100);
    expect(&a, &o, "RISK_TOTAL_EXPOSURE", "exposure would be 75.90 % of equity, at most 75.00 %",
           DEC_ZERO);
    prepare(&a, &o);
    a.max_leverage = 1;
    a.exposure = dec_from_int(7450);
    o.qty = dec_from_int(10);
    assert_true(risk_check(&a, &o, &v) || strcmp(v.code, "RISK_LEVERAGE") != 0);
    settings.max_exposure_pct = 300;
    a.exposure = dec_from_int(9500);
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.code, "RISK_LEVERAGE");
    assert_string_equal(v.text, "leverage would be 1.05, at most 1.00");
}

static void a_long_reason_is_cut(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
    prepare(&a, &o);
    const struct instrument rules = {.min_qty = {INT64_MAX}, .min_notional = {INT64_MAX}};
    a.instrument = &rules;
    o.qty = dec_from_double(10.12345678);
    assert_false(risk_check(&a, &o, &v));
    assert_non_null(memchr(v.text, '\0', sizeof(v.text)));
    assert_string_equal(v.text, "size 10.12345678, the venue takes at least 92233720368.54775807"
                                " and a value of 92233720368.5477");
}

/* A step that divides our lot changes nothing; otherwise a lot is the next multiple of the step. */
static void a_lot_is_a_multiple_of_the_venues_step(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
    static const struct {
        int64_t step, lot;
    } cases[] = {{0, DEC_ONE / 100},
                 {1, DEC_ONE / 100},
                 {DEC_ONE / 200, DEC_ONE / 100},
                 {DEC_ONE / 100, DEC_ONE / 100},
                 {DEC_ONE / 100 - 1, DEC_ONE / 50 - 2},
                 {DEC_ONE / 100 + 1, DEC_ONE / 100 + 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        prepare(&a, &o);
        struct instrument rules = {.step = {cases[i].step}};
        a.instrument = &rules;
        o.qty = (struct dec){cases[i].lot};
        assert_true(risk_check(&a, &o, &v));
        o.qty.e8--;
        assert_false(risk_check(&a, &o, &v));
        assert_int_equal(risk_size(&a, &o, 1).e8,
                         dec_from_int(25).e8 / cases[i].lot * cases[i].lot);
    }
}

/* Each limit passes its last lot, and refuses one lot more with this text. */
static void each_limit_is_exact(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
#define LIMIT(change, code, most, words)                 \
    prepare(&a, &o);                                     \
    settings.max_position_pct = 5000;                    \
    settings.risk_per_trade_pct = 50;                    \
    settings.max_exposure_pct = 5000;                    \
    for (int t = 0; t < TIERS; t++) {                    \
        settings.tiers[t].max_position_pct = 5000;       \
        settings.tiers[t].max_exposure_pct = 5000;       \
    }                                                    \
    change;                                              \
    o.qty = dec_from_double(most);                       \
    assert_true(risk_check(&a, &o, &v));                 \
    o.qty = dec_add(o.qty, risk_lot(o.reference_price)); \
    expect(&a, &o, code, words, dec_from_double(most))
    LIMIT(settings.max_position_pct = 25, "RISK_POSITION_SIZE", 25,
          "size 25.01, at most 25 (25.00 % of equity)");
    LIMIT(settings.risk_per_trade_pct = 2, "RISK_POSITION_SIZE", 100,
          "its stop would lose 2.00 % of equity, at most 2.00 %");
    LIMIT((settings.risk_per_trade_pct = 2, o.stop = dec_from_int(80)), "RISK_POSITION_SIZE", 10,
          "its stop would lose 2.00 % of equity, at most 2.00 %");
    LIMIT((settings.tiers[1].max_position_pct = 30, a.tier = 1), "RISK_SYMBOL_EXPOSURE", 30,
          "BTC-USD would be 30.01 % of equity, at most 30.00 % in tier 2");
    LIMIT((settings.tiers[0].max_position_pct = 30, a.symbol_exposure = dec_from_int(1000)),
          "RISK_SYMBOL_EXPOSURE", 20,
          "BTC-USD would be 30.01 % of equity, at most 30.00 % in tier 1");
    LIMIT(
        (settings.tiers[2].max_exposure_pct = 50, a.tier = 2, a.tier_exposure = dec_from_int(2000)),
        "RISK_TIER_EXPOSURE", 30, "tier 3 would be 50.01 % of equity, at most 50.00 %");
    LIMIT((settings.max_exposure_pct = 75, a.exposure = dec_from_int(5000)), "RISK_TOTAL_EXPOSURE",
          25, "exposure would be 75.01 % of equity, at most 75.00 %");
    LIMIT(a.exposure = dec_from_int(25000), "RISK_LEVERAGE", 50,
          "leverage would be 3.00, at most 3.00");
    /* Nothing held, maintenance 0.5 %: n / 3 + n / 200 <= 10,000. */
    LIMIT((void)0, "RISK_MARGIN", 295.56, "initial margin is 98.52 % of equity, free are 98.52 %");
    /* The venue requires more than is configured: n / 3 + n / 5 <= 10,000. */
    LIMIT(a.maintenance_pct = 20, "RISK_MARGIN", 187.5,
          "initial margin is 62.50 % of equity, free are 62.50 %");
    /* A long: (10,000 - n / 200) / (n * .995) >= .05. */
    LIMIT(settings.max_leverage = 100, "RISK_LIQUIDATION", 1826.48,
          "liquidation would be 5.00 % away, at least 5.00 %");
    /* A wide spread: the size is valued at the fill price; the loss at the stop stays the same. */
    LIMIT((settings.max_exposure_pct = 75, a.exposure = dec_from_int(5000),
           a.fill_price = dec_from_int(125)),
          "RISK_TOTAL_EXPOSURE", 20, "exposure would be 75.01 % of equity, at most 75.00 %");
    LIMIT((settings.risk_per_trade_pct = 2, a.fill_price = dec_from_int(200)), "RISK_POSITION_SIZE",
          100, "its stop would lose 2.00 % of equity, at most 2.00 %");
    LIMIT((settings.max_exposure_pct = 75, a.exposure = dec_from_int(5000),
           a.fill_price = dec_from_int(80)),
          "RISK_TOTAL_EXPOSURE", 25, "exposure would be 75.01 % of equity, at most 75.00 %");
#undef LIMIT
}

static void exceeded_limits_are_detected(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
#define BEYOND(field, most)                      \
    prepare(&a, &o);                             \
    a.field = dec_from_int(most);                \
    assert_false(risk_limits_exceeded(&a));      \
    a.field = dec_add(a.field, (struct dec){1}); \
    assert_true(risk_limits_exceeded(&a));       \
    a.field = DEC_INVALID;                       \
    assert_true(risk_limits_exceeded(&a))
    BEYOND(symbol_exposure, 2500);
    BEYOND(tier_exposure, 5000);
    BEYOND(exposure, 7500);
#undef BEYOND
    prepare(&a, &o);
    settings.max_exposure_pct = 5000;
    a.exposure = dec_from_int(30000); /* three times equity */
    assert_false(risk_limits_exceeded(&a));
    a.exposure = dec_add(a.exposure, (struct dec){1});
    assert_true(risk_limits_exceeded(&a));
    a.equity = DEC_INVALID;
    assert_true(risk_limits_exceeded(&a));
}

static void sizes_by_risk_and_confidence(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    prepare(&a, &o);
    o.reference_price = dec_from_int(64000);
    o.stop = dec_from_int(62720); /* 2 % */
    o.target = dec_from_int(66560);
    /* 0.1 % of 10,000 is 10; a stop 2 % away loses 1,280 a unit: .0078125, rounded down to a lot.
     */
    settings.risk_per_trade_pct = 0.1;
    assert_int_equal(risk_lot(o.reference_price).e8, DEC_ONE / 10000);
    assert_int_equal(risk_size(&a, &o, 1.0).e8, 78 * DEC_ONE / 10000);
    assert_int_equal(risk_size(&a, &o, 2.0).e8, 78 * DEC_ONE / 10000);
    assert_int_equal(risk_size(&a, &o, 0.5).e8, 39 * DEC_ONE / 10000);
    /* The position limit: 2,500 / 64,000 = .0390625. */
    settings.risk_per_trade_pct = 20;
    assert_int_equal(risk_size(&a, &o, 1.0).e8, 390 * DEC_ONE / 10000);
    settings.tiers[0].max_position_pct = 10;
    assert_int_equal(risk_size(&a, &o, 1.0).e8, 156 * DEC_ONE / 10000);
    settings.tiers[0].max_position_pct = 25;
    /* Confidence also scales a size that is limited by max_position. */
    assert_int_equal(risk_size(&a, &o, 0.5).e8, 195 * DEC_ONE / 10000);
    assert_int_equal(risk_size(&a, &o, 0.25).e8, 97 * DEC_ONE / 10000);
    /* Other limits allow less: used if it is at least half of what was wanted, otherwise refused.
     */
    struct risk_result v;
    a.exposure = dec_from_int(6000);
    o.qty = risk_size(&a, &o, 1.0);
    assert_int_equal(o.qty.e8, 234 * DEC_ONE / 10000);
    assert_true(risk_check(&a, &o, &v));
    a.exposure = dec_from_int(6250); /* exactly half */
    assert_int_equal(risk_size(&a, &o, 1.0).e8, 195 * DEC_ONE / 10000);
    a.exposure = dec_from_int(6300);
    o.qty = risk_size(&a, &o, 1.0);
    assert_int_equal(o.qty.e8, 390 * DEC_ONE / 10000);
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.code, "RISK_TOTAL_EXPOSURE");
    assert_int_equal(v.max_qty.e8, 187 * DEC_ONE / 10000);
    a.exposure = DEC_ZERO;

    assert_int_equal(risk_size(&a, &o, 0).e8, 0);
    assert_int_equal(risk_size(&a, &o, (double)NAN).e8, 0);
    a.equity = DEC_ZERO;
    assert_int_equal(risk_size(&a, &o, 1).e8, 0);
    a.equity = DEC_INVALID;
    assert_int_equal(risk_size(&a, &o, 1).e8, 0);
    a.equity = dec_from_int(1); /* under one lot */
    assert_int_equal(risk_size(&a, &o, 1).e8, 0);
    a.equity = dec_from_int(10000);
    o.stop = o.reference_price;
    assert_int_equal(risk_size(&a, &o, 1).e8, 0);
    o.reference_price = DEC_INVALID;
    assert_int_equal(risk_size(&a, &o, 1).e8, 0);
    assert_int_equal(risk_lot(dec_from_int(3)).e8, DEC_ONE);
    assert_int_equal(risk_lot(dec_from_int(150)).e8, DEC_ONE / 100);
    assert_int_equal(risk_lot(dec_from_int(3000)).e8, DEC_ONE / 1000);
    assert_int_equal(risk_lot((struct dec){INT64_MAX}).e8, 1);
}

/* ---------------------------------------------------------------- random inputs */

static struct dec some(struct rng *rng, double most)
{
    return dec_from_double(rng_double(rng) * most);
}

static void shuffle(struct rng *rng, struct risk_account *a, struct order *o)
{
    prepare(a, o);
    settings.risk_per_trade_pct = 0.01 + 20 * rng_double(rng);
    settings.max_position_pct = 0.1 + 300 * rng_double(rng);
    settings.max_exposure_pct = 0.1 + 1000 * rng_double(rng);
    settings.max_leverage = 1 + 124 * rng_double(rng) * rng_double(rng);
    settings.maintenance_margin_pct = rng_chance(rng, 0.2) ? 0 : 20 * rng_double(rng);
    settings.min_liquidation_distance_pct = rng_chance(rng, 0.2) ? 0 : 50 * rng_double(rng);
    a->tier = (int)rng_below(rng, TIERS);
    settings.tiers[a->tier].max_position_pct = 400 * rng_double(rng);
    settings.tiers[a->tier].max_exposure_pct = 2000 * rng_double(rng);
    double equity = exp(rng_double(rng) * 20);
    a->equity = dec_from_double(equity);
    a->equity_peak = a->equity;
    a->day_start_equity = a->equity;
    a->symbol_exposure = rng_chance(rng, 0.7) ? DEC_ZERO : some(rng, equity);
    a->tier_exposure = dec_add(a->symbol_exposure, some(rng, equity));
    a->exposure = dec_add(a->tier_exposure, some(rng, equity));
    a->long_notional = some(rng, dec_to_double(a->exposure));
    a->short_notional = dec_sub(a->exposure, a->long_notional);
    a->symbol_busy = rng_chance(rng, 0.02);

    bool is_long = rng_chance(rng, 0.5);
    double price = exp(rng_double(rng) * 15 - 3);
    double stop = 0.001 + 0.4 * rng_double(rng);
    o->side = is_long ? SIDE_LONG : SIDE_SHORT;
    o->reference_price = dec_from_double(price);
    o->stop = dec_from_double(is_long ? price * (1 - stop) : price * (1 + stop));
    o->target = dec_from_double(is_long ? price * 1.1 : price * 0.9);
    o->qty = dec_from_double(equity / price * exp(rng_double(rng) * 8 - 5));
}

/* The same limits computed independently: the account after the entry, in long double. */
static bool within(const struct risk_account *a, const struct order *o, long double slack)
{
    const struct settings *s = a->settings;
    long double equity = (long double)a->equity.e8 * slack / 1e8L;
    long double n = (long double)o->qty.e8 / 1e8L * (long double)o->reference_price.e8 / 1e8L;
    long double total = n + (long double)a->exposure.e8 / 1e8L;
    long double m = (long double)s->maintenance_margin_pct / 100;
    long double loss = fabsl((long double)(o->reference_price.e8 - o->stop.e8) / 1e8L) *
                       (long double)o->qty.e8 / 1e8L;
    long double heaviest = n * (o->side == SIDE_LONG ? 1 - m : 1 + m);
    heaviest = fmaxl(heaviest, (long double)a->long_notional.e8 / 1e8L * (1 - m));
    heaviest = fmaxl(heaviest, (long double)a->short_notional.e8 / 1e8L * (1 + m));
    return n <= equity * (long double)s->max_position_pct / 100 &&
           loss <= equity * (long double)s->risk_per_trade_pct / 100 &&
           n + (long double)a->symbol_exposure.e8 / 1e8L <=
               equity * (long double)s->tiers[a->tier].max_position_pct / 100 &&
           n + (long double)a->tier_exposure.e8 / 1e8L <=
               equity * (long double)s->tiers[a->tier].max_exposure_pct / 100 &&
           total <= equity * (long double)s->max_exposure_pct / 100 &&
           total <= equity * (long double)s->max_leverage &&
           n / (long double)s->max_leverage <= equity - m * total &&
           (equity - m * total) / heaviest * 100 >= (long double)s->min_liquidation_distance_pct;
}

static void the_largest_size_passes_and_one_lot_more_does_not(void **state)
{
    (void)state;
    int refused = 0;
    int some_pass = 0;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct rng rng;
        struct risk_account a;
        struct order o;
        struct risk_result v;
        rng_init(&rng, seed);
        shuffle(&rng, &a, &o);
        struct dec lot = risk_lot(o.reference_price);
        if (risk_check(&a, &o, &v)) {
            assert_int_equal(v.max_qty.e8, o.qty.e8);
            assert_true(within(&a, &o, 1 + 1e-12L));
            continue;
        }
        refused++;
        bool sized = strcmp(v.code, "RISK_SYMBOL_BUSY") != 0;
        assert_true(!sized || o.qty.e8 < lot.e8 || !within(&a, &o, 1 - 1e-12L));
        o.qty = v.max_qty;
        if (o.qty.e8 > 0) {
            struct risk_result again;
            some_pass++;
            assert_int_equal(o.qty.e8 % lot.e8, 0);
            assert_true(risk_check(&a, &o, &again));
        }
        o.qty = dec_add(o.qty, lot);
        assert_false(risk_check(&a, &o, &v));
    }
    assert_true(refused > 5000 && some_pass > 2000);
}

/* At the limit to the last bit of a double, rounding neither adds nor loses a lot. */
static void rounding_never_changes_the_number_of_lots(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct rng rng;
        struct risk_account a;
        struct order o;
        struct risk_result v;
        rng_init(&rng, seed);
        prepare(&a, &o);
        settings.min_liquidation_distance_pct = 0;
        settings.max_leverage = 125;
        settings.risk_per_trade_pct = 20;
        double price = exp(rng_double(&rng) * 8);
        o.reference_price = dec_from_double(price);
        o.stop = dec_from_double(price * 0.9);
        o.target = dec_from_double(price * 1.1);
        struct dec lot = risk_lot(o.reference_price);
        double lots = 1e8 / dec_to_double(lot) / price * (1 + 50 * rng_double(&rng));
        struct dec qty = {(int64_t)lots * lot.e8};
        double equity = 4 * (double)qty.e8 * (double)o.reference_price.e8 / 1e8;
        for (uint64_t ulps = rng_below(&rng, 4); ulps > 0; ulps--) {
            equity = nextafter(equity, rng_chance(&rng, 0.5) ? 0 : 1e300);
        }
        a.equity = (struct dec){(int64_t)equity};
        a.equity_peak = a.equity;
        a.day_start_equity = a.equity;
        o.qty = (struct dec){2 * qty.e8};
        assert_false(risk_check(&a, &o, &v));
        assert_string_equal(v.code, "RISK_POSITION_SIZE");
        assert_true(v.max_qty.e8 == qty.e8 || v.max_qty.e8 == qty.e8 - lot.e8);
        o.qty = v.max_qty;
        struct risk_result again;
        assert_true(risk_check(&a, &o, &again));
        o.qty = dec_add(o.qty, lot);
        assert_false(risk_check(&a, &o, &again));
    }
}

static void figures_out_of_range_are_refused(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
#define REFUSED(change, refused)          \
    prepare(&a, &o);                      \
    change;                               \
    assert_false(risk_check(&a, &o, &v)); \
    assert_string_equal(v.code, refused); \
    assert_int_equal(v.max_qty.e8, DEC_ZERO.e8)
    REFUSED(a.tier_exposure = DEC_INVALID, "RISK_POSITION_SIZE");
    REFUSED(a.symbol_exposure = DEC_INVALID, "RISK_POSITION_SIZE");
    REFUSED(a.equity = DEC_INVALID, "RISK_DAILY_LOSS");
    REFUSED(a.day_start_equity = DEC_INVALID, "RISK_DAILY_LOSS");
    REFUSED((a.equity = DEC_ZERO, a.equity_peak = DEC_ZERO, a.day_start_equity = DEC_ZERO),
            "RISK_POSITION_SIZE");
    REFUSED(o.target = DEC_INVALID, "RISK_STOP_MANDATORY");
    REFUSED(o.target = dec_from_int(-1), "RISK_STOP_MANDATORY");
    REFUSED(o.reference_price = DEC_ZERO, "RISK_STOP_MANDATORY");
    REFUSED((o.side = SIDE_SHORT, o.stop = dec_from_int(104), o.target = dec_from_int(-98)),
            "RISK_STOP_MANDATORY");
    REFUSED((o.side = SIDE_SHORT, o.stop = dec_from_int(104), o.target = DEC_ZERO),
            "RISK_STOP_MANDATORY");
    REFUSED((o.side = SIDE_SHORT, o.stop = dec_from_int(104), o.target = dec_from_int(101)),
            "RISK_STOP_MANDATORY");
    REFUSED((o.side = SIDE_SHORT, o.stop = dec_from_int(99), o.target = dec_from_int(98)),
            "RISK_STOP_MANDATORY");
    REFUSED((o.side = SIDE_SHORT, o.stop = dec_from_int(100), o.target = dec_from_int(98)),
            "RISK_STOP_MANDATORY");
#undef REFUSED
    prepare(&a, &o);
    assert_true(risk_drawdown_pct(&a) == 0);
    a.equity = dec_from_int(12000);
    assert_true(risk_drawdown_pct(&a) == 0); /* above the recorded peak */
    a.equity_peak = DEC_ZERO;
    assert_true(risk_drawdown_pct(&a) == 0);
    a.equity_peak = dec_from_int(16000);
    assert_true(risk_drawdown_pct(&a) == 25);
    a.day_start_equity = dec_from_int(12500);
    assert_true(risk_daily_loss_pct(&a) == 4);
    a.day_start_equity = DEC_ZERO;
    assert_true(risk_daily_loss_pct(&a) == 0);
    a.day_start_equity = (struct dec){1};
    a.equity = DEC_ZERO;
    assert_true(risk_daily_loss_pct(&a) == 100);
    a.equity = dec_from_int(15920);
    assert_true(risk_drawdown_pct(&a) == 0.5);
    /* The cheapest coin: up to the largest quantity that a dec can hold. */
    prepare(&a, &o);
    settings.risk_per_trade_pct = 20;
    a.equity = dec_from_int(90000000000);
    a.equity_peak = a.equity;
    a.day_start_equity = a.equity;
    o.reference_price = (struct dec){20};
    o.stop = (struct dec){19};
    o.target = (struct dec){21};
    o.qty = (struct dec){INT64_MAX};
    settings.max_exposure_pct = 0.00001;
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.code, "RISK_TOTAL_EXPOSURE");
    settings.max_exposure_pct = 75;
    o.qty = DEC_ZERO;
    assert_false(risk_check(&a, &o, &v));
    assert_int_equal(v.max_qty.e8, INT64_C(9200000000000000000));
    o.qty = v.max_qty;
    assert_true(risk_check(&a, &o, &v));
    /* The largest step: four of them fit, a fifth would be out of range. */
    struct instrument rules = {.step = {INT64_C(2200000000000000000)}};
    a.instrument = &rules;
    o.qty = DEC_ZERO;
    assert_false(risk_check(&a, &o, &v));
    assert_int_equal(v.max_qty.e8, 4 * rules.step.e8);
}

static void a_size_passes_or_is_refused_with_less_than_half_of_it(void **state)
{
    (void)state;
    int passed = 0;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct rng rng;
        struct risk_account a;
        struct order o;
        struct risk_result v;
        rng_init(&rng, seed);
        shuffle(&rng, &a, &o);
        o.qty = risk_size(&a, &o, rng_double(&rng));
        if (o.qty.e8 > 0 && risk_check(&a, &o, &v)) {
            passed++;
        } else if (o.qty.e8 > 0 && !a.symbol_busy) {
            assert_true(2 * v.max_qty.e8 <= o.qty.e8 + risk_lot(o.reference_price).e8);
        }
    }
    assert_true(passed > 2000);
}

/* ---------------------------------------------------------------- margin and liquidation */

static void the_distance_ends_where_equity_equals_maintenance(void **state)
{
    (void)state;
    prepare(&(struct risk_account){0}, &(struct order){0});
    settings.maintenance_margin_pct = 1;
    struct dec equity = dec_from_int(1000);
    struct dec notional = dec_from_int(5000);
    /* A long of 50 at 100, cash -4,000: at 100 * (1 - d) equity is 1,000 - 5,000 d and the
     * maintenance margin 50 - 50 d; they are equal at d = 950 / 4,950. */
    double d = risk_liquidation_distance_pct(settings.maintenance_margin_pct, equity, notional,
                                             SIDE_LONG, notional);
    assert_true(fabs(d - 100 * 950.0 / 4950) < 1e-12);
    d = risk_liquidation_distance_pct(settings.maintenance_margin_pct, equity, notional, SIDE_SHORT,
                                      notional);
    assert_true(fabs(d - 100 * 950.0 / 5050) < 1e-12);
    /* Another position of 3,000 shortens the distance. */
    d = risk_liquidation_distance_pct(settings.maintenance_margin_pct, equity, dec_from_int(8000),
                                      SIDE_LONG, notional);
    assert_true(fabs(d - 100 * 920.0 / 4950) < 1e-12);
    assert_true(risk_liquidation_distance_pct(settings.maintenance_margin_pct, dec_from_int(50),
                                              notional, SIDE_LONG, notional) == 0);
    assert_true(risk_liquidation_distance_pct(settings.maintenance_margin_pct, equity, notional,
                                              SIDE_LONG, DEC_ZERO) == 0);
    assert_true(risk_liquidation_distance_pct(settings.maintenance_margin_pct, equity, notional,
                                              SIDE_LONG, (struct dec){1}) > 0);

    assert_int_equal(risk_liquidation_guard(10), RISK_LIQUIDATION_GUARD_NONE);
    assert_int_equal(risk_liquidation_guard(9.99), RISK_LIQUIDATION_GUARD_WARN);
    assert_int_equal(risk_liquidation_guard(5), RISK_LIQUIDATION_GUARD_WARN);
    assert_int_equal(risk_liquidation_guard(4.99), RISK_LIQUIDATION_GUARD_HALVE);
    assert_int_equal(risk_liquidation_guard(3), RISK_LIQUIDATION_GUARD_HALVE);
    assert_int_equal(risk_liquidation_guard(2.99), RISK_LIQUIDATION_GUARD_CLOSE);
    assert_int_equal(risk_liquidation_guard((double)NAN), RISK_LIQUIDATION_GUARD_CLOSE);
}

/* An entry must not bring an open position below the minimum distance. */
static void an_entry_keeps_the_distance_of_other_positions(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_result v;
    prepare(&a, &o);
    settings.max_exposure_pct = 5000;
    settings.max_leverage = 100;
    settings.maintenance_margin_pct = 1;
    a.exposure = dec_from_int(160000);
    a.long_notional = a.exposure; /* (10,000 - 1,600) / (160,000 * .99) = 5.303 % */
    o.qty = dec_from_int(25);
    assert_true(risk_check(&a, &o, &v));
    a.exposure = dec_from_int(168000);
    a.long_notional = a.exposure;
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.code, "RISK_LIQUIDATION");
    assert_string_equal(v.text, "liquidation would be 4.99 % away, at least 5.00 %");
    assert_true(v.max_qty.e8 > 0);
    o.qty = v.max_qty;
    assert_true(risk_check(&a, &o, &v));
    a.long_notional = DEC_ZERO;
    a.short_notional = dec_from_int(170000);
    o.qty = dec_from_int(25); /* (10,000 - 1,680 - 25) / (170,000 * 1.01) = 4.831 % */
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.text, "liquidation would be 4.83 % away, at least 5.00 %");
    assert_int_equal(v.max_qty.e8, 0); /* it is below the minimum already */
    settings.maintenance_margin_pct = 0;
    a.short_notional = dec_from_int(200000);
    assert_true(risk_check(&a, &o, &v)); /* 5 %, which the entry does not change */
}

static void states_and_tiers(void **state)
{
    (void)state;
    assert_int_equal(risk_state_of(TRADING_ACTIVE, true), RISK_ACTIVE);
    assert_int_equal(risk_state_of(TRADING_ACTIVE, false), RISK_HALTED);
    assert_int_equal(risk_state_of(TRADING_EMERGENCY, true), RISK_HALTED);
    assert_int_equal(risk_state_of(TRADING_STARTING, true), RISK_REDUCING);
    assert_int_equal(risk_state_of(TRADING_PAUSED, true), RISK_REDUCING);
    assert_int_equal(risk_state_of(TRADING_BREAKER, true), RISK_REDUCING);
    assert_int_equal(risk_state_of(TRADING_MAINTENANCE, true), RISK_REDUCING);

    prepare(&(struct risk_account){0}, &(struct order){0});
    struct symbol btc = {"BTC-USD"};
    struct symbol eth = {"ETH-USD"};
    settings.tiers[0].symbol_count = 1;
    settings.tiers[0].symbols[0] = btc;
    settings.tiers[1].symbol_count = 2;
    settings.tiers[1].symbols[0] = btc; /* the first tier that lists it counts */
    settings.tiers[1].symbols[1] = eth;
    assert_int_equal(risk_tier(&settings, btc), 0);
    assert_int_equal(risk_tier(&settings, eth), 1);
    struct symbol sol = {"SOL-USD"};
    settings.tiers[1].symbols[2] = sol; /* beyond the count */
    assert_int_equal(risk_tier(&settings, sol), 2);
}

static void the_breaker_gives_its_reason(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    char reason[64];
    prepare(&a, &o);
    assert_false(risk_breaker(&a, reason, sizeof(reason)));
    a.losses_in_a_row = 4;
    assert_true(risk_breaker(&a, reason, sizeof(reason)));
    assert_string_equal(reason, "4 losses in a row of 4");
    a.equity = dec_from_int(9000);
    assert_true(risk_breaker(&a, reason, sizeof(reason)));
    assert_string_equal(reason, "daily loss 10.00 % of 5.00 %");
    a.equity_peak = dec_from_int(12000); /* the first of the three counts */
    assert_true(risk_breaker(&a, reason, sizeof(reason)));
    assert_string_equal(reason, "drawdown 25.00 % of 15.00 %");
    char brief[11];
    assert_true(risk_breaker(&a, brief, sizeof(brief)));
    assert_string_equal(brief, "drawdown 2");
}

/* Every code that a user sees can be looked up. */
static void each_code_is_in_the_catalogue(void **state)
{
    (void)state;
    int count = 0;
    for (const struct risk_rule_info *r; (r = risk_rule(count)) != NULL; count++) {
        assert_true(err_by_code(r->code) != ERR_NONE);
        assert_true(strncmp(r->code, "RISK_", 5) == 0 && strlen(r->help) > 10);
    }
    assert_int_equal(count, RISK_RULE_COUNT);
    assert_null(risk_rule(-1));
}

UNIT_GROUP(risk, cmocka_unit_test(a_valid_order_passes), cmocka_unit_test(each_rule_refuses),
           cmocka_unit_test(limits_are_exact), cmocka_unit_test(each_limit_is_exact),
           cmocka_unit_test(the_rules_of_the_venue_are_kept),
           cmocka_unit_test(a_lot_is_a_multiple_of_the_venues_step),
           cmocka_unit_test(a_long_reason_is_cut), cmocka_unit_test(exceeded_limits_are_detected),
           cmocka_unit_test(a_refused_size_names_the_largest_that_passes),
           cmocka_unit_test(sizes_by_risk_and_confidence),
           cmocka_unit_test(the_largest_size_passes_and_one_lot_more_does_not),
           cmocka_unit_test(rounding_never_changes_the_number_of_lots),
           cmocka_unit_test(figures_out_of_range_are_refused),
           cmocka_unit_test(a_size_passes_or_is_refused_with_less_than_half_of_it),
           cmocka_unit_test(the_distance_ends_where_equity_equals_maintenance),
           cmocka_unit_test(an_entry_keeps_the_distance_of_other_positions),
           cmocka_unit_test(states_and_tiers), cmocka_unit_test(the_breaker_gives_its_reason),
           cmocka_unit_test(each_code_is_in_the_catalogue))
