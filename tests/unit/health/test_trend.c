#include "../../../src/health/trend.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <math.h>

#define STEP_S 900.0
#define ROUNDS 120 /* seeds; of 4,000: white 0.0 %, correlated 0.2 %, sawtooth 0.0 % */

static void fill(struct trend_point *points, size_t count, double slope_per_step)
{
    for (size_t i = 0; i < count; i++) {
        points[i] = (struct trend_point){.at_s = (double)i * STEP_S,
                                         .value = 50 + slope_per_step * (double)i};
    }
}

static void a_line_is_found_exactly(void **state)
{
    (void)state;
    struct trend_point p[96];
    struct trend t;
    fill(p, 96, 0.1);
    assert_true(trend_of(p, 96, TREND_SURE, &t));
    assert_true(fabs(t.slope * STEP_S - 0.1) < 1e-9);
    assert_true(fabs(t.lower * STEP_S - 0.1) < 1e-9);
    assert_true(fabs(t.value - 59.5) < 1e-9);
    assert_true(fabs(trend_reaches_s(&t, 100) - 405 * STEP_S) < 1e-3);
    assert_true(trend_reaches_s(&t, 59) <= 0);
    fill(p, 96, -0.1);
    assert_true(trend_of(p, 96, TREND_SURE, &t));
    assert_true(t.upper < 0 && isinf(trend_reaches_s(&t, 100)));
}

/* Sen's published example is not needed to see the interval work: 20 points, known by hand. */
static void a_flat_line_has_no_slope(void **state)
{
    (void)state;
    struct trend_point p[96];
    struct trend t;
    fill(p, 20, 0);
    assert_true(trend_of(p, 20, TREND_SURE, &t));
    assert_true(fabs(t.slope) <= 0 && !(t.lower > 0) && !(t.upper < 0));
    assert_false(trend_of(p, TREND_POINTS_MIN - 1, TREND_SURE, &t));
    for (size_t i = 0; i < 20; i++) {
        p[i].at_s = 7;
    }
    assert_false(trend_of(p, 20, TREND_SURE, &t));
}

/* A quarter of the values is anything: an ordinary regression would be far off. */
static void outliers_do_not_move_it(void **state)
{
    (void)state;
    struct trend_point p[96];
    struct trend t;
    struct rng rng;
    rng_init(&rng, 4);
    fill(p, 96, 0.1);
    for (size_t i = 0; i < 96; i++) {
        p[i].value += rng_normal(&rng) * 0.05 + (i % 4 == 1 ? rng_double(&rng) * 1000 : 0);
    }
    assert_true(trend_of(p, 96, TREND_SURE, &t));
    assert_true(fabs(t.slope * STEP_S - 0.1) < 0.02);
    assert_true(t.lower > 0);
}

enum noise { WHITE, CORRELATED, SAWTOOTH };

static void add_noise(struct trend_point *p, size_t count, enum noise kind, struct rng *rng)
{
    double before = rng_normal(rng);
    double phase = rng_double(rng) * 12;
    for (size_t i = 0; i < count; i++) {
        double fresh = rng_normal(rng);
        before = kind == CORRELATED ? 0.7 * before + fresh : fresh;
        p[i].value += before + (kind == SAWTOOTH ? fmod((double)i + phase, 12) : 0);
    }
}

/* How often a rise or a fall is reported where there is none, and missed where there is one. */
static double share(enum noise kind, double slope_per_step, double z, bool rising)
{
    const int rounds = ROUNDS;
    int found = 0;
    for (int seed = 0; seed < rounds; seed++) {
        struct trend_point p[96];
        struct trend t;
        struct rng rng;
        rng_init(&rng, (uint64_t)seed);
        fill(p, 96, slope_per_step);
        add_noise(p, 96, kind, &rng);
        assert_true(trend_of(p, 96, z, &t));
        assert_true(t.lower <= t.slope && t.slope <= t.upper);
        found += t.lower > 0 || (!rising && t.upper < 0);
    }
    return (double)found / rounds;
}

static void chance_is_no_trend(void **state)
{
    (void)state;
    /* At one standard deviation many, at 95 % at most five of a hundred, at 99.9 % nearly none. */
    assert_true(share(WHITE, 0, 1, false) > 0.1);
    assert_true(share(WHITE, 0, 1.96, false) < 0.06);
    double sure = share(WHITE, 0, TREND_SURE, false);
    double correlated = share(CORRELATED, 0, TREND_SURE, false);
    double sawtooth = share(SAWTOOTH, 0, TREND_SURE, false);
    double less_sure = share(CORRELATED, 0, 2.576, false); /* 99 % */
    print_message("false alarms at 99.9 %%: white %.1f %%, correlated %.1f %%, sawtooth %.1f %%\n",
                  100 * sure, 100 * correlated, 100 * sawtooth);
    print_message("at 99 %%, correlated: %.1f %%\n", 100 * less_sure);
    assert_true(less_sure < 0.03);
    assert_true(sure < 0.005);
    assert_true(correlated < 0.03);
    assert_true(sawtooth < 0.005);
}

static void a_real_rise_is_found(void **state)
{
    (void)state;
    assert_true(share(WHITE, 0.05, TREND_SURE, true) > 0.99);
    assert_true(share(CORRELATED, 0.15, TREND_SURE, true) > 0.95);
    assert_true(share(SAWTOOTH, 0.15, TREND_SURE, true) > 0.95);
    assert_true(share(WHITE, -0.05, TREND_SURE, true) <= 0);
}

UNIT_GROUP(trend, cmocka_unit_test(a_line_is_found_exactly),
           cmocka_unit_test(a_flat_line_has_no_slope), cmocka_unit_test(outliers_do_not_move_it),
           cmocka_unit_test(chance_is_no_trend), cmocka_unit_test(a_real_rise_is_found))
