/* Cooldowns that a person sets and lifts. */
#include "base/check.h"
#include "base/clock.h"
#include "report_rig.h"
#include "unit/unit.h"

static int64_t until_us(struct report_rig *l, struct symbol symbol)
{
    engine_snapshot(l->engine, &l->now, l->snapshot);
    for (int i = 0; i < l->snapshot->risk.symbol_count; i++) {
        if (symbol_equal(l->snapshot->risk.symbols[i].symbol, symbol)) {
            return l->snapshot->risk.symbols[i].cooldown_until_us;
        }
    }
    return -1;
}

static int ask(struct report_rig *l, struct symbol symbol, int64_t number)
{
    return report_rig_ask(
        l, (struct request){.kind = REQUEST_COOLDOWN, .symbol = symbol, .number = number});
}

static void a_person_sets_and_lifts_a_cooldown(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    assert_int_equal(until_us(&l, report_rig_btc), 0);
    assert_int_equal(ask(&l, report_rig_btc, USEC_PER_HOUR), ERR_NONE);
    int64_t end_us = l.now.market_us + USEC_PER_HOUR;
    assert_int_equal(until_us(&l, report_rig_btc), end_us);
    assert_int_equal(until_us(&l, report_rig_eth), 0);
    assert_true(l.out->write);

    assert_int_equal(ask(&l, report_rig_btc, USEC_PER_MIN), ERR_NONE); /* no shorter */
    assert_int_equal(until_us(&l, report_rig_btc), end_us);
    assert_int_equal(ask(&l, report_rig_btc, 2 * USEC_PER_HOUR), ERR_NONE);
    assert_int_equal(until_us(&l, report_rig_btc), l.now.market_us + 2 * USEC_PER_HOUR);

    assert_int_equal(ask(&l, report_rig_eth, 0), ERR_ENGINE_NO_COOLDOWN);
    assert_int_equal(ask(&l, report_rig_btc, 0), ERR_NONE);
    assert_int_equal(until_us(&l, report_rig_btc), 0);
    assert_int_equal(ask(&l, report_rig_btc, 0), ERR_ENGINE_NO_COOLDOWN);

    const struct symbol all = {0};
    assert_int_equal(ask(&l, report_rig_btc, USEC_PER_HOUR), ERR_NONE);
    assert_int_equal(ask(&l, report_rig_eth, USEC_PER_HOUR), ERR_NONE);
    assert_int_equal(ask(&l, all, 0), ERR_NONE);
    assert_int_equal(until_us(&l, report_rig_btc), 0);
    assert_int_equal(until_us(&l, report_rig_eth), 0);
    report_rig_close(&l);
}

static void an_impossible_cooldown_is_refused(void **state)
{
    (void)state;
    struct report_rig l;
    struct symbol other;
    const struct symbol all = {0};
    assert_true(symbol_parse(STR_LIT("XRP-USD"), &other));
    report_rig_open(&l);
    assert_int_equal(ask(&l, other, USEC_PER_HOUR), ERR_ENGINE_REFUSED);
    assert_int_equal(ask(&l, all, USEC_PER_HOUR), ERR_ENGINE_REFUSED);
    assert_int_equal(ask(&l, report_rig_btc, -1), ERR_ENGINE_REFUSED);
    assert_int_equal(ask(&l, report_rig_btc, REQUEST_COOLDOWN_MAX_US + 1), ERR_ENGINE_REFUSED);
    assert_int_equal(ask(&l, report_rig_btc, REQUEST_COOLDOWN_MAX_US), ERR_NONE);
    report_rig_close(&l);
}

/* The position may close meanwhile: its own cooldown is shorter. */
static void a_trade_does_not_shorten_it(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_filled(&l);
    l.settings.cooldown_us = 30 * USEC_PER_MIN;
    assert_int_equal(ask(&l, report_rig_btc, 6 * USEC_PER_HOUR), ERR_NONE);
    int64_t end_us = l.now.market_us + 6 * USEC_PER_HOUR;
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    report_rig_add_fill(r, 2, ORDER_STOP, 10, 90);
    report_rig_step(&l);
    assert_int_equal(l.out->trade_count, 1);
    assert_int_equal(until_us(&l, report_rig_btc), end_us);
    report_rig_close(&l);
}

UNIT_GROUP(cooldown, cmocka_unit_test(a_person_sets_and_lifts_a_cooldown),
           cmocka_unit_test(an_impossible_cooldown_is_refused),
           cmocka_unit_test(a_trade_does_not_shorten_it))
