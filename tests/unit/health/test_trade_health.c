#include "../../../src/health/trade_health.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <math.h>

static struct trade_health *t;

static int set_up(void **state)
{
    t = calloc(1, sizeof(*t));
    *state = t;
    return t == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void add(int64_t opened_us, int64_t closed_us, double result_pct)
{
    const struct trade trade = {.qty = dec_from_int(2),
                                .entry_price = dec_from_int(50),
                                .pnl = {.e8 = (int64_t)llround(result_pct * 1e8)},
                                .opened_us = opened_us,
                                .closed_us = closed_us};
    trade_health_trade(t, &trade);
}

static void a_trade_belongs_to_the_worst_it_met(void **state)
{
    (void)state;
    trade_health_fault(t, FAULT_DOWN, 100, 200);
    trade_health_fault(t, FAULT_DOWN, 150, 250);
    trade_health_fault(t, FAULT_DOWN, 400, 500);
    trade_health_fault(t, FAULT_SLOW, 50, 600);
    assert_int_equal(t->count[FAULT_DOWN], 2);
    add(0, 50, 1);      /* before all */
    add(10, 60, 1);     /* slow */
    add(60, 101, -1);   /* down */
    add(250, 400, 1);   /* between two outages, slow */
    add(300, 9000, -1); /* down */
    add(600, 700, 1);   /* after all */
    assert_int_equal(t->groups[FAULT_NONE].trades, 2);
    assert_int_equal(t->groups[FAULT_SLOW].trades, 2);
    assert_int_equal(t->groups[FAULT_DOWN].trades, 2);
    assert_int_equal(t->groups[FAULT_DOWN].wins, 0);
    assert_true(fabs(t->groups[FAULT_DOWN].mean_pct + 1) < 1e-9);
}

static void few_trades_are_not_compared(void **state)
{
    (void)state;
    struct trade_difference d;
    trade_health_fault(t, FAULT_DOWN, 100, 200);
    for (int i = 0; i < 100; i++) {
        add(0, 50, 1);
    }
    for (int i = 0; i < TRADES_MIN - 1; i++) {
        add(150, 160, -5);
    }
    trade_health_compare(t, FAULT_DOWN, &d);
    assert_false(d.enough);
    add(150, 160, -5);
    trade_health_compare(t, FAULT_DOWN, &d);
    assert_true(d.enough && fabs(d.points + 6) < 1e-9);
}

/* Welch by hand: {1, 2, …, 10} against {2, 4, …, 20}: t(13.2) = 2.157, sqrt(0.9167 + 3.6667). */
static void the_interval_is_welch_s(void **state)
{
    (void)state;
    struct trade_difference d;
    trade_health_fault(t, FAULT_DOWN, 100, 200);
    for (int i = 1; i <= 10; i++) {
        add(0, 50, i);
        add(150, 160, 2 * i);
    }
    trade_health_compare(t, FAULT_DOWN, &d);
    assert_true(fabs(d.points - 5.5) < 1e-9);
    assert_true(fabs(d.upper - (5.5 + 2.157 * 2.1409)) < 0.01);
    assert_true(fabs(d.lower - (5.5 - 2.157 * 2.1409)) < 0.01);
}

/* The interval has the true difference 95 times of a hundred, also with different spreads. */
static void the_interval_covers(void **state)
{
    (void)state;
    int covered = 0;
    for (int seed = 0; seed < 400; seed++) {
        struct rng rng;
        struct trade_difference d;
        rng_init(&rng, (uint64_t)seed);
        memset(t, 0, sizeof(*t));
        trade_health_fault(t, FAULT_DOWN, 100, 200);
        for (int i = 0; i < 40; i++) {
            add(0, 50, rng_normal(&rng));
            if (i < 12) {
                add(150, 160, 0.5 + 3 * rng_normal(&rng));
            }
        }
        trade_health_compare(t, FAULT_DOWN, &d);
        covered += d.lower <= 0.5 && 0.5 <= d.upper;
    }
    assert_in_range((unsigned)covered, 368, 394);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

UNIT_GROUP(trade_health, WITH(a_trade_belongs_to_the_worst_it_met),
           WITH(few_trades_are_not_compared), WITH(the_interval_is_welch_s),
           WITH(the_interval_covers))
