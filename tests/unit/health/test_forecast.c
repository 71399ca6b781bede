/* Forecasts of a week: what they claim, and how often that holds over many seeds. */
#include "../../../src/health/forecast.h"
#include "base/check.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <math.h>

#define TODAY  20789 /* a Wednesday */
#define ROUNDS 60    /* seeds */

enum shape { NOISE, REMEMBERS, SAWTOOTH, DAILY, WEEKLY, WALK };

struct series {
    enum shape shape;
    double per_day; /* trend */
    int days;       /* with those that are forecast */
    int gap;        /* hours without a value at the end of each day */
};

static struct metric_point points[80 * 24];

/* Hours until the end of the day TODAY - 1 + FORECAST_AHEAD. */
static size_t make(const struct series *s, uint64_t seed)
{
    struct rng rng;
    double level = 0;
    size_t n = 0;
    rng_init(&rng, seed);
    double phase = rng_double(&rng) * 60;
    int64_t first = TODAY + FORECAST_AHEAD - s->days;
    for (int h = 0; h < s->days * 24; h++) {
        double at = h / 24.0, fresh = rng_normal(&rng), more = 0;
        int weekday = forecast_weekday(first + h / 24);
        level = s->shape == REMEMBERS ? 0.97 * level + 0.25 * fresh
                : s->shape == WALK    ? level + 0.1 * fresh
                                      : fresh;
        more = s->shape == SAWTOOTH ? fmod(h + phase, 60) / 10
               : s->shape == DAILY  ? 8 * sin(at * 2 * acos(-1))
               : s->shape == WEEKLY ? (weekday == 0) * 6
                                    : 0;
        if (h % 24 < 24 - s->gap) {
            points[n++] = (struct metric_point){.at_s = (first * 24 + h) * INT64_C(3600),
                                                .mean = 50 + s->per_day * at + level + more,
                                                .count = 120};
        }
    }
    return n;
}

/* The share of forecasts that hold, in percent, and how many say that it grows. */
static double held(const struct series *s, double *ret_grows)
{
    struct forecast_day days[FORECAST_DAYS_MAX], all[80];
    int hits = 0, grows = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct forecast f;
        size_t n = make(s, seed);
        size_t known = forecast_days(points, n, TODAY, days, FORECAST_DAYS_MAX);
        size_t later = forecast_days(points, n, TODAY + FORECAST_AHEAD, all, 80);
        forecast_growth(days, known, TODAY, &f);
        assert_int_equal(f.state, FORECAST_MADE);
        assert_true(f.low <= f.mid && f.mid <= f.high);
        double actual = forecast_actual_growth(all, later, f.due_day);
        hits += actual >= f.low && actual <= f.high;
        grows += f.grows;
    }
    *ret_grows = 100.0 * grows / ROUNDS;
    return 100.0 * hits / ROUNDS;
}

static void forecasts_hold_as_often_as_they_claim(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct series series;
        double grows_most, grows_least;
    } cases[] = {{"noise", {NOISE, 0, 42, 0}, 0, 0},
                 {"noise, few days", {NOISE, 0, 19, 0}, 2, 0},
                 {"correlated", {REMEMBERS, 0, 63, 0}, 2, 0},
                 {"correlated, few days", {REMEMBERS, 0, 21, 0}, 2, 0},
                 {"sawtooth", {SAWTOOTH, 0, 63, 0}, 0, 0},
                 {"daily", {DAILY, 0, 42, 6}, 2, 0},
                 {"daily, rising", {DAILY, 0.5, 42, 0}, 100, 99},
                 {"weekly", {WEEKLY, 0, 63, 0}, 2, 0},
                 {"rising", {NOISE, 0.5, 42, 0}, 100, 99},
                 {"random walk", {WALK, 0, 63, 0}, 5, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        double grows, share = held(&cases[i].series, &grows);
        print_message("%s: %.1f %% hold, %.1f %% grow\n", cases[i].name, share, grows);
        assert_true(share >= FORECAST_COVERS_PCT - 8); /* what so few seeds may be off by */
        assert_true(grows <= cases[i].grows_most && grows >= cases[i].grows_least);
    }
}

static struct forecast of(const struct series *s, uint64_t seed)
{
    struct forecast_day days[FORECAST_DAYS_MAX];
    struct forecast f;
    size_t n = make(s, seed);
    forecast_growth(days, forecast_days(points, n, TODAY, days, FORECAST_DAYS_MAX), TODAY, &f);
    return f;
}

static void a_line_is_continued(void **state)
{
    (void)state;
    struct forecast f = of(&(struct series){.shape = DAILY, .per_day = 0.5, .days = 42}, 3);
    assert_int_equal(f.due_day, TODAY + 6);
    assert_int_equal(f.days, 35);
    assert_true(f.grows && fabs(f.slope_day - 0.5) < 0.05);
    double line = f.mid - FORECAST_AHEAD * f.slope_day;
    double days = forecast_reaches_days(&f, f.slope_day, line + 10);
    assert_true(fabs(days - 10 / f.slope_day) < 1e-6);
    assert_true(forecast_reaches_days(&f, f.slope_day, line - 1) <= 0);
    assert_true(isinf(forecast_reaches_days(&f, -0.1, line + 10)));
}

static void seasons_are_found_and_not_made_up(void **state)
{
    (void)state;
    struct forecast f = of(&(struct series){.shape = DAILY, .days = 42}, 1);
    assert_in_range(f.top_hour, 5, 7); /* the top of the sine */
    assert_false(f.weekly);
    f = of(&(struct series){.shape = WEEKLY, .days = 63}, 1);
    assert_true(f.weekly);
    assert_int_equal(f.top_weekday, 0);
    assert_int_equal(forecast_weekday(TODAY), 2);
    f = of(&(struct series){.shape = WEEKLY, .days = 33}, 1); /* not four of each weekday */
    assert_false(f.weekly);
    int weekly = 0, hourly = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        f = of(&(struct series){.shape = NOISE, .days = 63}, seed);
        weekly += f.weekly;
        hourly += f.top_hour >= 0;
    }
    assert_true(weekly <= ROUNDS * 4 / 100);
    assert_int_equal(hourly, 0);
}

static void too_little_data_is_said(void **state)
{
    (void)state;
    struct forecast_day days[FORECAST_DAYS_MAX];
    struct forecast f = of(&(struct series){.shape = NOISE, .days = 18}, 1);
    assert_int_equal(f.state, FORECAST_TOO_LITTLE);
    assert_int_equal(f.days, 11);
    f = of(&(struct series){.shape = NOISE, .days = 42, .gap = 13}, 1); /* 11 hours a day */
    assert_int_equal(f.days, 0);
    size_t n = make(&(struct series){.shape = NOISE, .days = 42}, 1);
    size_t count = forecast_days(points, n - 11 * 24, TODAY, days, FORECAST_DAYS_MAX);
    forecast_growth(days, count, TODAY, &f);
    assert_int_equal(f.state, FORECAST_STALE);
    forecast_budget(days, count, TODAY, 99.5, &f);
    assert_int_equal(f.state, FORECAST_STALE);
    assert_true(isnan(forecast_actual_growth(days, count, TODAY)));
    assert_true(isnan(forecast_actual_budget(days, count, TODAY, 99.5)));
}

/* Checks that fail now and then; in bursts, a failing hour is followed by another. */
static size_t failures(double chance, double again, uint64_t seed)
{
    struct rng rng;
    bool failing = false;
    size_t n = 0;
    rng_init(&rng, seed);
    for (int h = 0; h < (56 + FORECAST_AHEAD) * 24; h++) {
        failing = rng_chance(&rng, failing ? again : chance);
        points[n++] = (struct metric_point){.at_s = ((TODAY - 56) * INT64_C(24) + h) * 3600,
                                            .mean = failing ? 20 : 0,
                                            .count = 120};
    }
    return n;
}

static void budgets_hold_as_often_as_they_claim(void **state)
{
    (void)state;
    static const double cases[][2] = {{0.001, 0.001}, {0.02, 0.02}, {0.01, 0.8}, {0, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forecast_day days[FORECAST_DAYS_MAX];
        int hits = 0;
        for (uint64_t seed = 0; seed < ROUNDS; seed++) {
            struct forecast f;
            size_t n = failures(cases[i][0], cases[i][1], seed);
            size_t count = forecast_days(points, n, TODAY, days, FORECAST_DAYS_MAX);
            forecast_budget(days, count, TODAY, 99.5, &f);
            assert_int_equal(f.state, FORECAST_MADE);
            assert_true(f.low <= f.mid && f.mid <= f.high);
            count = forecast_days(points, n, TODAY + FORECAST_AHEAD, days, FORECAST_DAYS_MAX);
            double actual = forecast_actual_budget(days, count, f.due_day, 99.5);
            hits += actual >= f.low - 1e-9 && actual <= f.high + 1e-9;
        }
        double share = 100.0 * hits / ROUNDS;
        print_message("failures of %g an hour, then %g: %.1f %% hold\n", cases[i][0], cases[i][1],
                      share);
        assert_true(share >= FORECAST_COVERS_PCT - 8);
    }
}

static void a_budget_is_counted(void **state)
{
    (void)state;
    struct forecast_day days[FORECAST_DAYS_MAX];
    struct forecast f;
    size_t n = failures(0, 0, 1);
    size_t count = forecast_days(points, n, TODAY, days, FORECAST_DAYS_MAX);
    forecast_budget(days, count, TODAY, 99.5, &f);
    assert_true(f.low <= 0 && f.last <= 0 && f.high > 0 && f.high < 100);
    for (size_t i = 0; i < count; i++) { /* each day one check of a hundred: twice as many */
        days[i].mean = 1;
    }
    forecast_budget(days, count, TODAY, 99.5, &f);
    assert_true(fabs(f.last - 200) < 1e-6 && fabs(f.low - 200) < 1e-6 && f.high < 400);
}

UNIT_GROUP(forecast, cmocka_unit_test(forecasts_hold_as_often_as_they_claim),
           cmocka_unit_test(a_line_is_continued),
           cmocka_unit_test(seasons_are_found_and_not_made_up),
           cmocka_unit_test(too_little_data_is_said),
           cmocka_unit_test(budgets_hold_as_often_as_they_claim),
           cmocka_unit_test(a_budget_is_counted))
