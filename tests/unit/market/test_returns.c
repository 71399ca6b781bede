#include "base/check.h"
#include "base/rng.h"
#include "market/returns.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>

#define HOUR0    497000
#define HOURS    400
#define CAPACITY 11

static const struct symbol a = {"BTC-USD"}, b = {"ETH-USD"}, c = {"SOL-USD"};

static void rows_are_sane(const struct returns *returns)
{
    for (int i = 0; i < returns->count; i++) {
        assert_true(returns_row_is_sane(&returns->rows[i]));
    }
}

static struct dec price(double x)
{
    return dec_from_double(x);
}

/* Straight from the definition, over closes; NAN where there is none. */
static bool direct(const double *x, const double *y, int newest, double *ret)
{
    double xs[RETURNS_WINDOW], ys[RETURNS_WINDOW];
    int n = 0;
    for (int h = newest - RETURNS_WINDOW + 1; h <= newest; h++) {
        if (h < 1 || isnan(x[h]) || isnan(x[h - 1]) || isnan(y[h]) || isnan(y[h - 1])) {
            continue;
        }
        xs[n] = x[h] / x[h - 1] - 1;
        ys[n] = y[h] / y[h - 1] - 1;
        n++;
    }
    if (n < RETURNS_MIN) {
        return false;
    }
    long double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (int i = 0; i < n; i++) {
        sx += xs[i];
        sy += ys[i];
    }
    for (int i = 0; i < n; i++) {
        sxx += (xs[i] - sx / n) * (xs[i] - sx / n);
        syy += (ys[i] - sy / n) * (ys[i] - sy / n);
        sxy += (xs[i] - sx / n) * (ys[i] - sy / n);
    }
    *ret = (double)(sxy / sqrtl(sxx * syy));
    return true;
}

/* Two walks that share part of their moves, each with missing hours of its own, compared with the
 * definition at every hour. */
static void equals_the_definition(void **state)
{
    (void)state;
    static double x[HOURS], y[HOURS];
    struct rng rng;
    int defined = 0, undefined = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct returns r;
        returns_init(&r, 2);
        double shared_part = (double)seed / 6 - 1; /* negative: they move in opposite directions */
        double px = 60000, py = 3000;
        rng_init(&rng, seed);
        for (int h = 0; h < HOURS; h++) {
            double shared = rng_normal(&rng);
            px *= 1 + 0.01 * shared;
            py *= 1 + 0.01 * (shared_part * shared + 0.4 * rng_normal(&rng));
            px = dec_to_double(price(px));
            py = dec_to_double(price(py));
            double missing = seed % 3 == 0 ? 0.25 : seed % 3 == 1 ? 0.02 : 0;
            x[h] = rng_chance(&rng, missing) ? (double)NAN : px;
            y[h] = rng_chance(&rng, missing) ? (double)NAN : py;
            if (h > 200 && h < 200 + 5 * (int)seed) {
                x[h] = (double)NAN; /* a gap of one hour up to more than the window */
            }
            if (!isnan(x[h])) {
                returns_push(&r, a, HOUR0 + h, price(x[h]));
            }
            if (!isnan(y[h])) {
                returns_push(&r, b, HOUR0 + h, price(y[h]));
            }
            int newest = h;
            while (newest > 0 && isnan(x[newest]) && isnan(y[newest])) {
                newest--;
            }
            double want = 0, got = 7, turned = 7;
            bool is = direct(x, y, newest, &want);
            assert_int_equal(returns_correlation(&r, a, b, &got), is);
            assert_int_equal(returns_correlation(&r, b, a, &turned), is);
            assert_true(got == turned);
            assert_true(is ? fabs(got - want) < 1e-12 : got == 0);
            defined += is;
            undefined += !is;
        }
        rows_are_sane(&r);
        returns_release(&r);
    }
    assert_true(defined > 1000 && undefined > 300);
}

static void is_undefined_below_the_minimum_of_common_hours(void **state)
{
    (void)state;
    struct returns r;
    returns_init(&r, CAPACITY);
    double got;
    assert_false(returns_correlation(&r, a, b, &got));
    for (int h = 0; h <= RETURNS_MIN; h++) {
        assert_false(returns_correlation(&r, a, b, &got));
        returns_push(&r, a, HOUR0 + h, dec_from_int(100 + h % 3));
        returns_push(&r, b, HOUR0 + h, dec_from_int(200 - h % 3));
    }
    assert_true(returns_correlation(&r, a, b, &got));
    assert_true(got < -0.9);
    assert_true(returns_correlation(&r, a, a, &got));
    assert_true(fabs(got - 1) < 1e-15);
    assert_false(returns_correlation(&r, a, c, &got)); /* never seen */
    assert_true(got == 0);
    /* A symbol that never moved has no correlation. */
    for (int h = 0; h <= RETURNS_MIN; h++) {
        returns_push(&r, c, HOUR0 + h, dec_from_int(5));
    }
    assert_false(returns_correlation(&r, a, c, &got));
    /* Two days after its last hour, none of its hours is in the window. */
    returns_push(&r, b, HOUR0 + RETURNS_MIN + RETURNS_WINDOW, dec_from_int(200));
    assert_false(returns_correlation(&r, a, b, &got));
    returns_release(&r);
}

static void ignores_invalid_input(void **state)
{
    (void)state;
    struct returns r;
    returns_init(&r, CAPACITY);
    returns_push(&r, a, HOUR0, dec_from_int(100));
    returns_push(&r, a, HOUR0 + 1, dec_from_int(101));
    assert_int_equal(r.count, 1);
    struct returns_row before = r.rows[0];
    returns_push(&r, a, HOUR0 + 1, dec_from_int(500)); /* again */
    returns_push(&r, a, HOUR0, dec_from_int(500));     /* back */
    returns_push(&r, a, -5, dec_from_int(500));
    returns_push(&r, a, HOUR0 + 2, DEC_ZERO);
    returns_push(&r, a, HOUR0 + 2, DEC_INVALID);
    assert_memory_equal(&r.rows[0], &before, sizeof(before));
    assert_int_equal(r.count, 1);
    for (int i = 0; i < CAPACITY + 3; i++) {
        struct symbol symbol = {"AAA"};
        symbol.name[0] = (char)('A' + i);
        returns_push(&r, symbol, HOUR0, dec_from_int(1));
    }
    assert_int_equal(r.count, CAPACITY);
    rows_are_sane(&r);
    returns_release(&r);
}

static void damaged_bytes_are_not_sane(void **state)
{
    (void)state;
    const struct returns_row good = {.symbol = {"BTC-USD"}, .hour = HOUR0, .close = 100};
    assert_true(returns_row_is_sane(&good));
    struct returns_row bad[] = {good, good, good, good, good, good, good};
    size_t n = 0;
    bad[n++] = (struct returns_row){0};
    bad[n++].hour = -1;
    bad[n++].hour = INT64_MAX;
    bad[n++].known = UINT64_C(1) << RETURNS_WINDOW;
    bad[n++].close = 0;
    bad[n++].values[3] = (double)NAN;
    memset(bad[n++].symbol.name, 'A', SYMBOL_SIZE);
    assert_int_equal(n, COUNT_OF(bad));
    for (size_t i = 0; i < n; i++) {
        assert_false(returns_row_is_sane(&bad[i]));
    }
}

/* A row replaces the one of its symbol; a symbol beyond the capacity is ignored. */
static void restores_rows(void **state)
{
    (void)state;
    struct returns r;
    returns_init(&r, 2);
    returns_push(&r, a, HOUR0, dec_from_int(100));
    struct returns_row row = r.rows[0];
    row.hour = HOUR0 + 5;
    returns_restore(&r, &row);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.rows[0].hour, HOUR0 + 5);
    row.symbol = b;
    returns_restore(&r, &row);
    row.symbol = c;
    returns_restore(&r, &row);
    assert_int_equal(r.count, 2);
    assert_int_equal(returns_find(&r, b), 1);
    assert_int_equal(returns_find(&r, c), -1);
    returns_release(&r);
}

UNIT_GROUP(returns, cmocka_unit_test(equals_the_definition),
           cmocka_unit_test(is_undefined_below_the_minimum_of_common_hours),
           cmocka_unit_test(ignores_invalid_input), cmocka_unit_test(damaged_bytes_are_not_sane),
           cmocka_unit_test(restores_rows))
