#include "base/clock.h"
#include "engine/performance.h"
#include "unit/unit.h"

#include <math.h>

#define START INT64_C(1640995200000000) /* 2022-01-01T00:00Z */

static struct dec money(double value)
{
    return dec_from_double(value);
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected)))) {
        fail_msg("%.12g is not %.12g", value, expected);
    }
}

static struct trade trade_of(double pnl, int64_t opened_us, int64_t closed_us, const char *reason)
{
    struct trade t = {.side = SIDE_LONG,
                      .qty = dec_from_int(1),
                      .pnl = money(pnl),
                      .fees = money(1.5),
                      .opened_us = opened_us,
                      .closed_us = closed_us};
    (void)symbol_parse(STR_LIT("BTC-USD"), &t.symbol);
    (void)str_copy(str_c(reason), t.exit_reason, sizeof(t.exit_reason));
    return t;
}

static void an_empty_run_has_no_figures(void **state)
{
    (void)state;
    struct performance p;
    struct performance_summary s;
    performance_init(&p, dec_from_int(10000), START);
    performance_summary(&p, &s);
    near(s.return_pct, 0);
    near(s.max_drawdown_pct, 0);
    assert_true(isnan(s.sharpe) && isnan(s.sortino) && isnan(s.profit_factor));
    assert_true(isnan(s.win_rate_pct) && isnan(s.expectancy) && isnan(s.exposure_pct));
    assert_int_equal(s.mean_held_us, 0);
}

/* Equity at the ends of five hours: 100, 110, 99, 99, 108.9, after 100 at the start. Returns 0, .1,
 * -.1, 0, .1: mean .02; squared distances .0004 + .0064 + .0144 + .0004 + .0064 = .028, so the
 * deviation is sqrt(.028 / 4); only -.1 is below zero: sqrt(.01 / 5). */
static void ratios_match_the_manual_calculation(void **state)
{
    (void)state;
    struct performance p;
    struct performance_summary s;
    performance_init(&p, dec_from_int(100), START);
    const double equity[] = {100, 110, 99, 99, 108.9};
    for (int hour = 0; hour < 5; hour++) {
        for (int quarter = 1; quarter <= 4; quarter++) {
            /* Marks within the hour affect only the drawdown. */
            double value = quarter == 4 ? equity[hour] : 100;
            performance_mark(&p, START + hour * USEC_PER_HOUR + quarter * 15 * USEC_PER_MIN,
                             money(value), hour == 2);
        }
    }
    performance_summary(&p, &s);
    assert_false(s.daily);
    assert_int_equal(s.periods, 5);
    near(s.sharpe, .02 / sqrt(.028 / 4) * sqrt(24 * 365));
    near(s.sortino, .02 / sqrt(.01 / 5) * sqrt(24 * 365));
    near(s.return_pct, 8.9);
    /* 110 at the end of hour 1, 99 at the end of hour 2. */
    near(s.max_drawdown_pct, 10);
    assert_int_equal(p.drawdown_from_us, START + 2 * USEC_PER_HOUR);
    assert_int_equal(p.drawdown_low_us, START + 3 * USEC_PER_HOUR);
    /* Never back at 110: lasts to the end. */
    assert_int_equal(s.max_drawdown_us, 3 * USEC_PER_HOUR);
    /* Exposed from the first mark of hour 2 until the first of hour 3: one hour of five. */
    near(s.exposure_pct, 20);
}

static void the_longest_time_below_a_peak_counts(void **state)
{
    (void)state;
    struct performance p;
    struct performance_summary s;
    performance_init(&p, dec_from_int(100), START);
    /* Below 100 from minute 2 to 6, at a new peak of 120 from 7, below from 8 to the end at 10. */
    const double equity[] = {100, 90, 95, 99, 80, 99, 120, 119, 118, 119};
    for (int i = 0; i < 10; i++) {
        performance_mark(&p, START + (i + 1) * USEC_PER_MIN, money(equity[i]), false);
    }
    performance_summary(&p, &s);
    near(s.max_drawdown_pct, 20);
    assert_int_equal(s.max_drawdown_us, 6 * USEC_PER_MIN); /* last at 100 in minute 1 */
    assert_int_equal(p.drawdown_low_us, START + 5 * USEC_PER_MIN);
}

/* More than a month is measured in days: returns alternate between .01 and -.005. */
static void long_runs_are_measured_in_days(void **state)
{
    (void)state;
    struct performance p;
    struct performance_summary s;
    double equity = 10000;
    double sum = 0, squares = 0, downside = 0;
    performance_init(&p, dec_from_int(10000), START);
    for (int day = 0; day < 40; day++) {
        performance_mark(&p, START + day * USEC_PER_DAY + USEC_PER_HOUR, p.equity, false);
        double before = dec_to_double(p.equity);
        equity *= day % 2 == 0 ? 1.01 : 0.995;
        struct dec exact = money(equity);
        performance_mark(&p, START + (day + 1) * USEC_PER_DAY, exact, false);
        double r = dec_to_double(exact) / before - 1;
        sum += r;
        squares += r * r;
        downside += r < 0 ? r * r : 0;
    }
    performance_summary(&p, &s);
    assert_true(s.daily);
    assert_int_equal(s.periods, 40);
    double mean = sum / 40;
    double deviation = sqrt((squares - 40 * mean * mean) / 39);
    assert_true(fabs(s.sharpe - mean / deviation * sqrt(365)) < 1e-6);
    assert_true(fabs(s.sortino - mean / sqrt(downside / 40) * sqrt(365)) < 1e-6);
}

/* From an evening to a morning, with 31 whole days in between: the partial days do not count. */
static void only_whole_days_and_hours_are_returns(void **state)
{
    (void)state;
    struct performance p;
    struct performance_summary s;
    const int64_t start = START + 22 * USEC_PER_HOUR + 30 * USEC_PER_MIN;
    performance_init(&p, dec_from_int(10000), start);
    performance_mark(&p, start + 20 * USEC_PER_MIN, dec_from_int(9000), false);
    performance_mark(&p, START + USEC_PER_DAY, dec_from_int(8000), false);
    assert_int_equal(p.days.count, 0);
    assert_int_equal(p.hours.count, 1); /* from 23 to 24, started at 9000 */
    near(p.hours.mean, 8000.0 / 9000 - 1);
    for (int day = 2; day <= 32; day++) {
        performance_mark(&p, START + day * USEC_PER_DAY - USEC_PER_HOUR, p.equity, false);
        performance_mark(&p, START + day * USEC_PER_DAY, dec_add(p.equity, dec_from_int(80)),
                         false);
    }
    performance_mark(&p, START + 32 * USEC_PER_DAY + 5 * USEC_PER_HOUR, dec_from_int(1), false);
    performance_summary(&p, &s);
    assert_true(s.daily);
    assert_int_equal(s.periods, 31);
    assert_true(s.sharpe > 0); /* without the losses of the evening and the morning */
}

static void hours_without_a_candle_do_not_count(void **state)
{
    (void)state;
    struct performance p;
    performance_init(&p, dec_from_int(100), START);
    performance_mark(&p, START + 30 * USEC_PER_MIN, dec_from_int(101), false);
    performance_mark(&p, START + 10 * USEC_PER_HOUR + USEC_PER_MIN, dec_from_int(102), false);
    assert_int_equal(p.hours.count, 1); /* the hour that ended in between, at 101 */
    near(p.hours.mean, .01);
    performance_mark(&p, START + 11 * USEC_PER_HOUR, dec_from_int(103), false);
    assert_int_equal(p.hours.count, 2);
    near(p.hours.mean, (.01 + (103.0 / 101 - 1)) / 2);
}

static struct decision decision_of(int64_t id, enum regime regime)
{
    struct decision d = {
        .id = id, .regime = regime, .direction = DIRECTION_LONG, .outcome = OUTCOME_ORDER};
    (void)symbol_parse(STR_LIT("BTC-USD"), &d.symbol);
    d.vote_count = 3;
    (void)str_copy(STR_LIT("bull"), d.votes[0].agent, sizeof(d.votes[0].agent));
    d.votes[0].direction = DIRECTION_LONG;
    (void)str_copy(STR_LIT("bear"), d.votes[1].agent, sizeof(d.votes[1].agent));
    d.votes[1].direction = DIRECTION_NONE;
    (void)str_copy(STR_LIT("predict"), d.votes[2].agent, sizeof(d.votes[2].agent));
    d.votes[2].direction = id % 2 == 0 ? DIRECTION_LONG : DIRECTION_SHORT;
    return d;
}

static const struct performance_group *group(const struct performance_group *groups, int max,
                                             const char *name)
{
    int i = 0;
    while (i < max - 1 && strcmp(groups[i].name, name) != 0) {
        i++;
    }
    assert_string_equal(groups[i].name, name);
    return &groups[i];
}

static void trades_are_grouped_by_their_origin(void **state)
{
    (void)state;
    struct performance p;
    struct performance_summary s;
    performance_init(&p, dec_from_int(10000), START);
    const struct {
        double pnl;
        enum regime regime;
        const char *reason;
        int hour;
    } rows[] = {{30, REGIME_TRENDING, "target", 3},
                {-10, REGIME_TRENDING, "stop", 3},
                {-20, REGIME_CHOPPY, "stop", 4},
                {0, REGIME_CHOPPY, "signal", 23}};
    for (int i = 0; i < 4; i++) {
        struct decision d = decision_of(i + 1, rows[i].regime);
        performance_entry(&p, &d);
        int64_t opened_us = START + i * USEC_PER_DAY + rows[i].hour * USEC_PER_HOUR;
        struct trade t =
            trade_of(rows[i].pnl, opened_us, opened_us + (i + 1) * USEC_PER_HOUR, rows[i].reason);
        t.decision_id = d.id;
        performance_trade(&p, &t);
    }
    performance_summary(&p, &s);
    assert_int_equal(p.all.trades, 4);
    assert_int_equal(p.all.wins, 1);
    near(s.win_rate_pct, 25);
    near(s.profit_factor, 1);
    near(s.expectancy, 0);
    near(dec_to_double(p.fees), 6);
    near(dec_to_double(p.best), 30);
    near(dec_to_double(p.worst), -20);
    assert_int_equal(s.mean_held_us, 150 * USEC_PER_MIN);
    near(dec_to_double(p.regimes[REGIME_TRENDING].pnl), 20);
    near(dec_to_double(p.regimes[REGIME_CHOPPY].pnl), -20);
    assert_int_equal(p.regimes[REGIME_NEUTRAL].trades, 0);
    assert_int_equal(p.hours_of_entry[3].trades, 2);
    assert_int_equal(p.hours_of_entry[23].trades, 1);
    assert_int_equal(group(p.reasons, PERFORMANCE_REASONS_MAX, "stop")->trades, 2);
    near(dec_to_double(group(p.reasons, PERFORMANCE_REASONS_MAX, "target")->pnl), 30);
    /* Bull voted for each, predict for the second and the fourth, bear for none. */
    assert_int_equal(group(p.agents, VOTES_MAX, "bull")->trades, 4);
    assert_int_equal(group(p.agents, VOTES_MAX, "predict")->trades, 2);
    near(dec_to_double(group(p.agents, VOTES_MAX, "predict")->pnl), -10);
    near(performance_win_rate_pct(group(p.agents, VOTES_MAX, "predict")), 0);
    for (int i = 0; i < VOTES_MAX; i++) {
        assert_string_not_equal(p.agents[i].name, "bear");
    }
}

static void a_trade_that_no_decision_opened_has_no_agent(void **state)
{
    (void)state;
    struct performance p;
    performance_init(&p, dec_from_int(10000), START);
    struct decision d = decision_of(1, REGIME_CHOPPY);
    performance_entry(&p, &d);
    struct trade t = trade_of(5, START, START + 1, "operator");
    t.decision_id = 7;
    performance_trade(&p, &t);
    assert_int_equal(p.all.trades, 1);
    assert_int_equal(p.regimes[REGIME_CHOPPY].trades, 0);
    assert_int_equal(p.agents[0].trades, 0);
}

static void excess_exit_reasons_share_the_last_group(void **state)
{
    (void)state;
    struct performance p;
    performance_init(&p, dec_from_int(10000), START);
    for (int i = 0; i < PERFORMANCE_REASONS_MAX + 9; i++) {
        char reason[8] = {'r', (char)('a' + i), '\0'};
        struct trade t = trade_of(1, START, START + 1, reason);
        performance_trade(&p, &t);
    }
    assert_string_equal(p.reasons[PERFORMANCE_REASONS_MAX - 1].name, "other");
    assert_int_equal(p.reasons[PERFORMANCE_REASONS_MAX - 1].trades, 10);
    assert_int_equal(p.reasons[0].trades, 1);
}

UNIT_GROUP(performance, cmocka_unit_test(an_empty_run_has_no_figures),
           cmocka_unit_test(ratios_match_the_manual_calculation),
           cmocka_unit_test(the_longest_time_below_a_peak_counts),
           cmocka_unit_test(long_runs_are_measured_in_days),
           cmocka_unit_test(only_whole_days_and_hours_are_returns),
           cmocka_unit_test(hours_without_a_candle_do_not_count),
           cmocka_unit_test(trades_are_grouped_by_their_origin),
           cmocka_unit_test(a_trade_that_no_decision_opened_has_no_agent),
           cmocka_unit_test(excess_exit_reasons_share_the_last_group))
