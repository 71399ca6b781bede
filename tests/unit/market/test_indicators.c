#include "base/rng.h"
#include "market/ema.h"
#include "market/rsi.h"
#include "unit/unit.h"

#include <math.h>

#define COUNT 400

static void walk(double *closes, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    closes[0] = 100;
    for (int i = 1; i < COUNT; i++) {
        closes[i] = closes[i - 1] * (1 + 0.01 * rng_normal(&rng));
    }
}

/* From the definition, computed from the beginning each time. */
static double naive_rsi(const double *closes, int last, int period)
{
    double gain = 0;
    double loss = 0;
    for (int i = 1; i <= last; i++) {
        double change = closes[i] - closes[i - 1];
        double up = change > 0 ? change : 0;
        double down = change < 0 ? -change : 0;
        if (i <= period) {
            gain += up / period;
            loss += down / period;
        } else {
            gain = (gain * (period - 1) + up) / period;
            loss = (loss * (period - 1) + down) / period;
        }
    }
    return gain + loss > 0 ? 100 - 100 / (1 + gain / loss) : 0;
}

static double naive_ema(const double *closes, int last, int period)
{
    double value = 0;
    for (int i = 0; i < period; i++) {
        value += closes[i] / period;
    }
    double k = 2.0 / (period + 1);
    for (int i = period; i <= last; i++) {
        value = closes[i] * k + value * (1 - k);
    }
    return value;
}

static void assert_close(double a, double b)
{
    assert_true(fabs(a - b) <= 1e-9 * fmax(1, fabs(b)));
}

static void rsi_equals_the_batch_value(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        double closes[COUNT];
        walk(closes, seed);
        struct rsi rsi;
        rsi_init(&rsi, 14);
        for (int i = 0; i < COUNT; i++) {
            rsi_push(&rsi, closes[i]);
            assert_int_equal(rsi_ready(&rsi), i >= 14);
            if (rsi_ready(&rsi)) {
                assert_close(rsi_value(&rsi), naive_rsi(closes, i, 14));
            }
        }
    }
}

/* J. Welles Wilder's own worked example, as given in most textbooks: 70.53 after 15 closes. */
static void rsi_matches_the_textbook_example(void **state)
{
    (void)state;
    static const double closes[] = {44.3389, 44.0902, 44.1497, 43.6124, 44.3278,
                                    44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
                                    45.8931, 46.0328, 45.6140, 46.2820, 46.2820};
    struct rsi rsi;
    rsi_init(&rsi, 14);
    for (size_t i = 0; i < sizeof(closes) / sizeof(closes[0]); i++) {
        rsi_push(&rsi, closes[i]);
    }
    assert_true(fabs(rsi_value(&rsi) - 70.53) < 0.01);
}

static void rsi_at_its_limits(void **state)
{
    (void)state;
    struct rsi flat, up, down;
    rsi_init(&flat, 14);
    rsi_init(&up, 14);
    rsi_init(&down, 14);
    for (int i = 0; i < 50; i++) {
        rsi_push(&flat, 5);
        rsi_push(&up, 100 + i);
        rsi_push(&down, 100 - i);
    }
    assert_close(rsi_value(&flat), 0); /* TA-Lib's convention */
    assert_close(rsi_value(&up), 100);
    assert_close(rsi_value(&down), 0);
}

static void ema_equals_the_batch_value(void **state)
{
    (void)state;
    static const int periods[] = {1, 12, 26, 50};
    double closes[COUNT];
    walk(closes, 9);
    for (size_t p = 0; p < sizeof(periods) / sizeof(periods[0]); p++) {
        struct ema ema;
        ema_init(&ema, periods[p]);
        for (int i = 0; i < COUNT; i++) {
            ema_push(&ema, closes[i]);
            assert_int_equal(ema_ready(&ema), i + 1 >= periods[p]);
            if (ema_ready(&ema)) {
                assert_close(ema_value(&ema), naive_ema(closes, i, periods[p]));
            } else {
                assert_close(ema_value(&ema), 0);
            }
        }
    }
}

UNIT_GROUP(indicators, cmocka_unit_test(rsi_equals_the_batch_value),
           cmocka_unit_test(rsi_matches_the_textbook_example), cmocka_unit_test(rsi_at_its_limits),
           cmocka_unit_test(ema_equals_the_batch_value))
