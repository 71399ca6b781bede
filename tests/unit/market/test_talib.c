/*
 * The streaming indicators against the definitions, computed naively over whole arrays in long
 * double: windows are summed from scratch each time, recursions run over the whole series. Seeding,
 * lookbacks and the values of degenerate windows are those that TA-Lib documents.
 */
#include "base/check.h"
#include "base/rng.h"
#include "market/indicators.h"
#include "unit/unit.h"

#include <float.h>
#include <math.h>

#define LENGTH 3000
#define NONE   ((long double)NAN)

#define real   long double

static struct bar bars[LENGTH];
static real expected[INDICATOR_COUNT][LENGTH];
static real cci_grain[LENGTH]; /* the rounding error of the mean price, in units of the CCI */

/* ---------------------------------------------------------------- the reference */

static real close_at(int i)
{
    return bars[i].close;
}

static real typical_at(int i)
{
    return ((real)bars[i].high + bars[i].low + bars[i].close) / 3;
}

static real true_range_at(int i)
{
    real range = (real)bars[i].high - bars[i].low;
    range = fmaxl(range, fabsl((real)bars[i].high - bars[i - 1].close));
    return fmaxl(range, fabsl((real)bars[i].low - bars[i - 1].close));
}

static real mean(real (*at)(int), int last, int period)
{
    real sum = 0;
    for (int i = last - period + 1; i <= last; i++) {
        sum += at(i);
    }
    return sum / period;
}

static real highest(int last, int period)
{
    real best = bars[last].high;
    for (int i = last - period + 1; i <= last; i++) {
        best = fmaxl(best, bars[i].high);
    }
    return best;
}

static real lowest(int last, int period)
{
    real best = bars[last].low;
    for (int i = last - period + 1; i <= last; i++) {
        best = fminl(best, bars[i].low);
    }
    return best;
}

static void averages(enum indicator id, int period)
{
    for (int i = period - 1; i < LENGTH; i++) {
        expected[id][i] = mean(close_at, i, period);
    }
}

/* Seeded with the mean of the period that ends at `seed`. */
static void exponential(real *out, real (*at)(int), int period, int seed)
{
    out[seed] = mean(at, seed, period);
    real k = (real)2 / (period + 1);
    for (int i = seed + 1; i < LENGTH; i++) {
        out[i] = out[i - 1] + (at(i) - out[i - 1]) * k;
    }
}

static real macd_line[LENGTH];

static real macd_at(int i)
{
    return macd_line[i];
}

static void convergence(void)
{
    static real fast[LENGTH], slow[LENGTH], signal[LENGTH];
    exponential(fast, close_at, 12, 25);
    exponential(slow, close_at, 26, 25);
    for (int i = 25; i < LENGTH; i++) {
        macd_line[i] = fast[i] - slow[i];
    }
    exponential(signal, macd_at, 9, 33);
    for (int i = 33; i < LENGTH; i++) {
        expected[INDICATOR_MACD][i] = macd_line[i];
        expected[INDICATOR_MACD_SIGNAL][i] = signal[i];
        expected[INDICATOR_MACD_HIST][i] = macd_line[i] - signal[i];
    }
}

static void strength(enum indicator id, int period)
{
    real gain = 0, loss = 0;
    for (int i = 1; i < LENGTH; i++) {
        real change = close_at(i) - close_at(i - 1);
        real up = change > 0 ? change : 0;
        real down = change < 0 ? -change : 0;
        if (i <= period) {
            gain += up / period;
            loss += down / period;
        } else {
            gain = (gain * (period - 1) + up) / period;
            loss = (loss * (period - 1) + down) / period;
        }
        if (i >= period) {
            expected[id][i] = gain + loss > 0 ? 100 * gain / (gain + loss) : 0;
        }
    }
}

static void bands(void)
{
    for (int i = 19; i < LENGTH; i++) {
        real middle = mean(close_at, i, 20);
        real squares = 0;
        for (int j = i - 19; j <= i; j++) {
            squares += (close_at(j) - middle) * (close_at(j) - middle);
        }
        real deviation = sqrtl(squares / 20);
        expected[INDICATOR_STDDEV20][i] = deviation;
        expected[INDICATOR_BB_MIDDLE][i] = middle;
        expected[INDICATOR_BB_UPPER][i] = middle + 2 * deviation;
        expected[INDICATOR_BB_LOWER][i] = middle - 2 * deviation;
    }
}

static void range(void)
{
    real atr = 0;
    for (int i = 1; i < LENGTH; i++) {
        atr = i <= 14 ? atr + true_range_at(i) / 14 : (atr * 13 + true_range_at(i)) / 14;
        if (i >= 14) {
            expected[INDICATOR_ATR14][i] = atr;
        }
    }
}

static void direction(void)
{
    real plus = 0, minus = 0, tr = 0, adx = 0;
    for (int i = 1; i < LENGTH; i++) {
        real up = (real)bars[i].high - bars[i - 1].high;
        real down = (real)bars[i - 1].low - bars[i].low;
        if (i >= 14) {
            plus -= plus / 14;
            minus -= minus / 14;
            tr -= tr / 14;
        }
        plus += up > down && up > 0 ? up : 0;
        minus += down > up && down > 0 ? down : 0;
        tr += true_range_at(i);
        if (i < 14) {
            continue;
        }
        real plus_di = tr > 0 ? 100 * plus / tr : 0;
        real minus_di = tr > 0 ? 100 * minus / tr : 0;
        expected[INDICATOR_PLUS_DI14][i] = plus_di;
        expected[INDICATOR_MINUS_DI14][i] = minus_di;
        bool moved = plus_di + minus_di > 0;
        real dx = moved ? 100 * fabsl(plus_di - minus_di) / (plus_di + minus_di) : 0;
        if (i <= 27) {
            adx += dx / 14;
        } else if (moved) {
            adx = (adx * 13 + dx) / 14;
        }
        if (i >= 27) {
            expected[INDICATOR_ADX14][i] = adx;
        }
    }
}

static real raw_k(int i)
{
    real high = highest(i, 5), low = lowest(i, 5);
    return high > low ? 100 * (close_at(i) - low) / (high - low) : 0;
}

static real slow_k(int i)
{
    return mean(raw_k, i, 3);
}

static void oscillators(void)
{
    for (int i = 8; i < LENGTH; i++) {
        expected[INDICATOR_STOCH_K][i] = slow_k(i);
        expected[INDICATOR_STOCH_D][i] = mean(slow_k, i, 3);
    }
    for (int i = 13; i < LENGTH; i++) {
        real high = highest(i, 14), low = lowest(i, 14);
        expected[INDICATOR_WILLR14][i] =
            high > low ? -100 * (high - close_at(i)) / (high - low) : 0;
    }
    for (int i = 10; i < LENGTH; i++) {
        expected[INDICATOR_ROC10][i] = (close_at(i) / close_at(i - 10) - 1) * 100;
    }
    for (int i = 19; i < LENGTH; i++) {
        real middle = mean(typical_at, i, 20);
        real distance = 0;
        for (int j = i - 19; j <= i; j++) {
            distance += fabsl(typical_at(j) - middle) / 20;
        }
        /* A long double rounds the thirds of a typical price, too. */
        bool flat = distance < 1e-14L * middle;
        cci_grain[i] = flat ? 0 : DBL_EPSILON * middle / (0.015L * distance);
        expected[INDICATOR_CCI20][i] = flat ? 0 : (typical_at(i) - middle) / (0.015L * distance);
    }
}

static void volumes(void)
{
    real obv = bars[0].volume;
    for (int i = 0; i < LENGTH; i++) {
        if (i > 0 && bars[i].close != bars[i - 1].close) {
            obv += bars[i].close > bars[i - 1].close ? (real)bars[i].volume : -(real)bars[i].volume;
        }
        expected[INDICATOR_OBV][i] = obv;
    }
    for (int i = 19; i < LENGTH; i++) {
        real paid = 0, traded = 0;
        for (int j = i - 19; j <= i; j++) {
            paid += typical_at(j) * bars[j].volume;
            traded += bars[j].volume;
        }
        expected[INDICATOR_VWAP20][i] = traded > 0 ? paid / traded : NONE;
        expected[INDICATOR_DONCHIAN_HIGH20][i] = highest(i, 20);
        expected[INDICATOR_DONCHIAN_LOW20][i] = lowest(i, 20);
    }
}

static void compute_expected(void)
{
    for (int id = 0; id < INDICATOR_COUNT; id++) {
        for (int i = 0; i < LENGTH; i++) {
            expected[id][i] = NONE;
        }
    }
    averages(INDICATOR_SMA20, 20);
    averages(INDICATOR_SMA50, 50);
    exponential(expected[INDICATOR_EMA12], close_at, 12, 11);
    exponential(expected[INDICATOR_EMA20], close_at, 20, 19);
    strength(INDICATOR_RSI14, 14);
    strength(INDICATOR_RSI7, 7);
    convergence();
    bands();
    range();
    direction();
    oscillators();
    volumes();
}

/* ---------------------------------------------------------------- comparing */

/*
 * The absolute tolerance of a column near zero. Columns that are differences of prices cross zero,
 * where their error is that of the prices; the same holds for percentages. All other columns keep a
 * relative error of 1e-9 down to zero.
 */
static double near_zero(enum indicator id, int i, double top)
{
    switch (id) {
    case INDICATOR_MACD:
    case INDICATOR_MACD_SIGNAL:
    case INDICATOR_MACD_HIST:
    case INDICATOR_BB_LOWER:
        return 1e-13 * top;
    case INDICATOR_STOCH_K:
    case INDICATOR_STOCH_D:
    case INDICATOR_WILLR14:
    case INDICATOR_ROC10:
    case INDICATOR_PLUS_DI14:
    case INDICATOR_MINUS_DI14:
    case INDICATOR_RSI14:
    case INDICATOR_RSI7:
        return 1e-11;
    case INDICATOR_CCI20: /* TA-Lib computes this mean in double too */
        return 4 * (double)cci_grain[i];
    case INDICATOR_OBV:
    case INDICATOR_SMA20:
    case INDICATOR_SMA50:
    case INDICATOR_EMA12:
    case INDICATOR_EMA20:
    case INDICATOR_BB_UPPER:
    case INDICATOR_BB_MIDDLE:
    case INDICATOR_ATR14:
    case INDICATOR_ADX14:
    case INDICATOR_STDDEV20:
    case INDICATOR_VWAP20:
    case INDICATOR_DONCHIAN_HIGH20:
    case INDICATOR_DONCHIAN_LOW20:
    case INDICATOR_COUNT:
        return 0;
    }
    UNREACHABLE();
}

static void compare(void)
{
    compute_expected();
    struct indicators all;
    double top = 0;
    indicators_init(&all);
    for (int i = 0; i < LENGTH; i++) {
        double values[INDICATOR_COUNT];
        top = fmax(top, bars[i].close);
        indicators_push(&all, &bars[i]);
        indicators_values(&all, values);
        for (int id = 0; id < INDICATOR_COUNT; id++) {
            real want = expected[id][i];
            bool same = isnan(want)
                            ? isnan(values[id])
                            : fabsl(values[id] - want) <=
                                  1e-9L * fabsl(want) + near_zero((enum indicator)id, i, top);
            if (!same) {
                print_error("%s at %d: %.17g, expected %.17Lg\n",
                            indicator_name((enum indicator)id), i, values[id], want);
            }
            assert_true(same);
        }
    }
}

/* ---------------------------------------------------------------- series */

static void set_bar(int i, double open, double high, double low, double close, double volume)
{
    bars[i] = (struct bar){.open_us = i * USEC_PER_MIN,
                           .open = open,
                           .high = high,
                           .low = low,
                           .close = close,
                           .volume = volume};
}

static void walk(uint64_t seed, double price, double noise)
{
    struct rng rng;
    rng_init(&rng, seed);
    for (int i = 0; i < LENGTH; i++) {
        double open = price;
        price *= 1 + noise * fmax(-3, fmin(3, rng_normal(&rng)));
        double high = fmax(open, price) * (1 + noise * rng_double(&rng));
        double low = fmin(open, price) * (1 - noise * rng_double(&rng));
        set_bar(i, open, high, low, price, rng_chance(&rng, 0.1) ? 0 : 1e4 * rng_double(&rng));
    }
}

static void a_random_walk_at_any_price(void **state)
{
    (void)state;
    static const double prices[] = {100, 46319.123456789, 1.2e-5, 3e8};
    for (size_t p = 0; p < COUNT_OF(prices); p++) {
        walk(p + 1, prices[p], 0.01);
        compare();
        walk(p + 11, prices[p], 1e-4);
        compare();
    }
}

static void a_quiet_market_at_a_high_price(void **state)
{
    (void)state;
    walk(21, 46319.1, 1e-6);
    compare();
}

static void a_constant_series(void **state)
{
    (void)state;
    static const double prices[] = {100, 100.1, 46319.3, 0.1 + 0.2};
    for (size_t p = 0; p < COUNT_OF(prices); p++) {
        for (int i = 0; i < LENGTH; i++) {
            set_bar(i, prices[p], prices[p], prices[p], prices[p], i % 7);
        }
        compare();
    }
}

static void a_series_without_volume(void **state)
{
    (void)state;
    walk(31, 1.1, 0.001);
    for (int i = 0; i < LENGTH; i++) {
        bars[i].volume = i / 50 % 2 == 0 ? 0 : 1.5;
    }
    compare();
}

static void monotone_series(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTH; i++) {
        double price = 100 + 0.1 * i;
        set_bar(i, price, price + 0.2, price - 0.1, price + 0.1, 1 + i);
    }
    compare();
    for (int i = 0; i < LENGTH; i++) {
        double price = 1000 * exp(-0.002 * i);
        set_bar(i, price * 1.001, price * 1.002, price * 0.999, price, 1e6 / (1 + i));
    }
    compare();
}

/* One bar at ten thousand times the price must have no effect once it has left the window. */
static void a_spiky_series(void **state)
{
    (void)state;
    walk(41, 30, 0.002);
    for (int i = 100; i < LENGTH; i += 307) {
        bars[i].high *= 1e4;
        bars[i].close = bars[i].high;
        bars[i].volume *= 1e6;
        bars[i + 101].low /= 1e4;
        bars[i + 101].close = bars[i + 101].low;
    }
    compare();
}

static void jumps_between_flat_stretches(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTH; i++) {
        double price = i / 37 % 3 == 0 ? 10.3 : i / 37 % 3 == 1 ? 1999.7 : 0.7;
        set_bar(i, price, price, price, price, 3.3);
    }
    compare();
}

/* The first index of each column, from TA-Lib's lookback functions. */
static void each_column_begins_where_talib_begins(void **state)
{
    (void)state;
    static const int first[INDICATOR_COUNT] = {
        [INDICATOR_SMA20] = 19,
        [INDICATOR_SMA50] = 49,
        [INDICATOR_EMA12] = 11,
        [INDICATOR_EMA20] = 19,
        [INDICATOR_RSI14] = 14,
        [INDICATOR_RSI7] = 7,
        [INDICATOR_MACD] = 33,
        [INDICATOR_MACD_SIGNAL] = 33,
        [INDICATOR_MACD_HIST] = 33,
        [INDICATOR_BB_UPPER] = 19,
        [INDICATOR_BB_MIDDLE] = 19,
        [INDICATOR_BB_LOWER] = 19,
        [INDICATOR_ATR14] = 14,
        [INDICATOR_ADX14] = 27,
        [INDICATOR_PLUS_DI14] = 14,
        [INDICATOR_MINUS_DI14] = 14,
        [INDICATOR_STOCH_K] = 8,
        [INDICATOR_STOCH_D] = 8,
        [INDICATOR_CCI20] = 19,
        [INDICATOR_OBV] = 0,
        [INDICATOR_WILLR14] = 13,
        [INDICATOR_ROC10] = 10,
        [INDICATOR_STDDEV20] = 19,
        [INDICATOR_VWAP20] = 19,
        [INDICATOR_DONCHIAN_HIGH20] = 19,
        [INDICATOR_DONCHIAN_LOW20] = 19,
    };
    walk(51, 100, 0.01);
    struct indicators all;
    indicators_init(&all);
    for (int i = 0; i < 60; i++) {
        double values[INDICATOR_COUNT];
        indicators_push(&all, &bars[i]);
        indicators_values(&all, values);
        for (int id = 0; id < INDICATOR_COUNT; id++) {
            assert_int_equal(!isnan(values[id]), i >= first[id]);
        }
    }
}

/* The sums must be as accurate after millions of values as after the first. */
static void moments_do_not_drift(void **state)
{
    (void)state;
    struct moments m;
    struct rng rng;
    double last[20];
    moments_init(&m, 20);
    rng_init(&rng, 61);
    double price = 46319.1;
    for (int i = 0; i < 2000000; i++) {
        price *= 1 + 1e-5 * rng_normal(&rng);
        last[i % 20] = price;
        moments_push(&m, price);
    }
    real sum = 0, squares = 0;
    for (int i = 0; i < 20; i++) {
        sum += last[i];
    }
    for (int i = 0; i < 20; i++) {
        squares += (last[i] - sum / 20) * (last[i] - sum / 20);
    }
    real deviation = sqrtl(squares / 20);
    assert_true(fabsl(moments_deviation(&m) - deviation) <= 1e-11L * deviation);
}

UNIT_GROUP(talib, cmocka_unit_test(a_random_walk_at_any_price),
           cmocka_unit_test(a_quiet_market_at_a_high_price), cmocka_unit_test(a_constant_series),
           cmocka_unit_test(a_series_without_volume), cmocka_unit_test(monotone_series),
           cmocka_unit_test(a_spiky_series), cmocka_unit_test(jumps_between_flat_stretches),
           cmocka_unit_test(each_column_begins_where_talib_begins),
           cmocka_unit_test(moments_do_not_drift))
