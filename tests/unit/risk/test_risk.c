#include "base/clock.h"
#include "base/err.h"
#include "risk/risk.h"
#include "unit/unit.h"

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
    };
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
    struct risk_verdict v;
    assert_false(risk_check(a, o, &v));
    assert_false(v.pass);
    assert_string_equal(v.code, code);
    assert_string_equal(v.text, text);
    assert_int_equal(v.max_qty.e8, max_qty.e8);

    /* Whatever is wrong, reducing passes. */
    struct order close = *o;
    close.kind = ORDER_CLOSE;
    assert_true(risk_check(a, &close, &v));
    assert_string_equal(v.code, "");
    assert_int_equal(v.max_qty.e8, o->qty.e8);
}

static void passes_what_is_in_order(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_verdict v;
    prepare(&a, &o);
    assert_true(risk_check(&a, &o, &v));
    assert_true(v.pass);
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
    REFUSED(a.state = TRADING_EMERGENCY, "RISK_HALT", "emergency stop is active");
    REFUSED(a.state = TRADING_STARTING, "RISK_STARTING", "not reconciled with the venue yet");
    REFUSED(a.state = TRADING_PAUSED, "RISK_PAUSED", "trading is paused");
    REFUSED(a.state = TRADING_BREAKER, "RISK_BREAKER", "circuit breaker has tripped");
    REFUSED(a.now_us += RISK_STALE_AFTER_US + USEC_PER_SEC, "RISK_STALE_PRICE",
            "price is 181 s old, at most 180 s");
    REFUSED(a.price_updated_us = 0, "RISK_STALE_PRICE", "no price yet");
    REFUSED(o.stop = DEC_ZERO, "RISK_STOP_MANDATORY", "long at 100 has its stop at none");
    REFUSED(o.stop = dec_from_int(101), "RISK_STOP_MANDATORY", "long at 100 has its stop at 101");
    REFUSED(o.target = DEC_ZERO, "RISK_STOP_MANDATORY", "long at 100 has its stop at none");
    REFUSED(o.side = SIDE_SHORT, "RISK_STOP_MANDATORY", "short at 100 has its stop at 98");
    REFUSED(a.cooldown_until_us = a.now_us + 1, "RISK_COOLDOWN", "1 min of cooldown left");
    REFUSED(a.symbol_busy = true, "RISK_SYMBOL_BUSY", "BTC-USD has a position or an order");
    REFUSED(a.positions_open = 3, "RISK_MAX_POSITIONS", "3 of 3 positions open");
    REFUSED(a.equity = dec_from_int(9500), "RISK_DAILY_LOSS", "daily loss 5.00 % of 5.00 %");
    REFUSED((a.equity_peak = dec_from_int(12000), a.day_start_equity = a.equity), "RISK_DRAWDOWN",
            "drawdown 16.67 % of 15.00 %");
    REFUSED(a.losses_in_a_row = 4, "RISK_LOSSES_IN_A_ROW", "4 losses in a row of 4");
#undef REFUSED
    prepare(&a, &o);
    o.qty = dec_from_int(-1);
    expect(&a, &o, "RISK_POSITION_SIZE", "size -1 is not above zero", dec_from_int(25));
}

static void limits_are_exact(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    struct risk_verdict v;
    prepare(&a, &o);
    a.now_us += RISK_STALE_AFTER_US;
    a.cooldown_until_us = a.now_us;
    a.positions_open = 2;
    a.losses_in_a_row = 3;
    o.qty = dec_from_int(25); /* 25 % to the last unit */
    assert_true(risk_check(&a, &o, &v));
    a.equity = (struct dec){dec_from_int(9500).e8 + 1000};
    o.qty = dec_from_int(1);
    assert_true(risk_check(&a, &o, &v));
}

static void a_size_refused_names_the_one_that_passes(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    prepare(&a, &o);
    o.qty = dec_from_double(25.01);
    expect(&a, &o, "RISK_POSITION_SIZE", "size 25.01, at most 25 (25.00 % of equity)",
           dec_from_int(25));
    struct risk_verdict v;
    o.qty = dec_from_int(25);
    assert_true(risk_check(&a, &o, &v));
    o.qty = (struct dec){dec_from_int(25).e8 + 1};
    assert_false(risk_check(&a, &o, &v));
    /* With another rule against it no size would pass. */
    a.symbol_busy = true;
    assert_false(risk_check(&a, &o, &v));
    assert_string_equal(v.code, "RISK_SYMBOL_BUSY");
    assert_int_equal(v.max_qty.e8, 0);
    o.qty = dec_from_int(1000000000);
    a.symbol_busy = false;
    assert_false(risk_check(&a, &o, &v));
    assert_int_equal(v.max_qty.e8, dec_from_int(25).e8);
}

static void sizes_by_risk_and_confidence(void **state)
{
    (void)state;
    struct risk_account a;
    struct order o;
    prepare(&a, &o);
    struct dec equity = dec_from_int(10000);
    struct dec price = dec_from_int(64000);
    /* 0.1 % of 10,000 is 10; a stop 2 % away loses 1,280 a unit: .0078125, down to a lot. */
    settings.risk_per_trade_pct = 0.1;
    assert_int_equal(risk_lot(price).e8, DEC_ONE / 10000);
    assert_int_equal(risk_size(&settings, equity, price, 1.0).e8, 78 * DEC_ONE / 10000);
    assert_int_equal(risk_size(&settings, equity, price, 0.5).e8, 39 * DEC_ONE / 10000);
    /* The position limit: 2,500 / 64,000 = .0390625. */
    settings.risk_per_trade_pct = 20;
    assert_int_equal(risk_size(&settings, equity, price, 1.0).e8, 390 * DEC_ONE / 10000);
    assert_int_equal(risk_size(&settings, equity, price, 0).e8, 0);
    assert_int_equal(risk_size(&settings, DEC_ZERO, price, 1).e8, 0);
    assert_int_equal(risk_size(&settings, equity, DEC_INVALID, 1).e8, 0);
    assert_int_equal(risk_size(&settings, dec_from_int(1), price, 1).e8, 0); /* under one lot */
    assert_int_equal(risk_lot(dec_from_int(3)).e8, DEC_ONE);
    assert_int_equal(risk_lot(dec_from_int(150)).e8, DEC_ONE / 100);
    assert_int_equal(risk_lot(dec_from_int(3000)).e8, DEC_ONE / 1000);
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
}

/* A code that a person sees can be looked up. */
static void each_code_is_in_the_catalogue(void **state)
{
    (void)state;
    int count = 0;
    for (const struct risk_rule_info *r; (r = risk_rule(count)) != NULL; count++) {
        assert_true(err_by_code(r->code) != ERR_NONE);
        assert_true(strncmp(r->code, "RISK_", 5) == 0 && strlen(r->help) > 10);
    }
    assert_int_equal(count, 13);
    assert_null(risk_rule(-1));
}

UNIT_GROUP(risk, cmocka_unit_test(passes_what_is_in_order), cmocka_unit_test(each_rule_refuses),
           cmocka_unit_test(limits_are_exact),
           cmocka_unit_test(a_size_refused_names_the_one_that_passes),
           cmocka_unit_test(sizes_by_risk_and_confidence),
           cmocka_unit_test(the_breaker_gives_its_reason),
           cmocka_unit_test(each_code_is_in_the_catalogue))
