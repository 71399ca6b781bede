#include "base/check.h"
#include "base/dec.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <math.h>

__extension__ typedef __int128 wide;

static struct dec d(const char *text)
{
    struct dec value;
    if (!dec_parse(str_c(text), &value)) {
        fail_msg("%s does not parse", text);
    }
    return value;
}

static void assert_dec(struct dec a, const char *text)
{
    char got[DEC_TEXT_SIZE];
    assert_string_equal(dec_text(a, got), text);
}

static const struct dec largest = {INT64_MAX}, smallest = {-INT64_MAX};

static void parses_plain_decimals_only(void **state)
{
    (void)state;
    assert_int_equal(d("-12.5").e8, -1250000000);
    assert_int_equal(d("0.00000001").e8, 1);
    assert_int_equal(d("-0").e8, 0);
    assert_true(d("92233720368.54775807").e8 == INT64_MAX);
    assert_true(d("-92233720368.54775807").e8 == -INT64_MAX);
    const char *const bad[] = {"",
                               "-",
                               "+1",
                               ".5",
                               "5.",
                               " 1",
                               "1 ",
                               "1e5",
                               "1,000",
                               "0.123456789",
                               "1.2.3",
                               "--1",
                               "92233720368.54775808",
                               "-92233720368.54775808",
                               "92233720369",
                               "99999999999999999999",
                               "nan",
                               "1-"};
    struct dec untouched = {42};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(dec_parse(str_c(bad[i]), &untouched));
        assert_int_equal(untouched.e8, 42);
    }
}

static void overflow_is_invalid_and_sticky(void **state)
{
    (void)state;
    assert_false(dec_is_valid(dec_add(largest, (struct dec){1})));
    assert_false(dec_is_valid(dec_sub(smallest, (struct dec){1})));
    assert_false(dec_is_valid(dec_mul(largest, d("1.00000001"))));
    assert_false(dec_is_valid(dec_div(d("1"), DEC_ZERO)));
    assert_false(dec_is_valid(dec_div(largest, d("0.5"))));
    assert_false(dec_is_valid(dec_mul_div(d("1"), d("1"), DEC_ZERO)));
    assert_false(dec_is_valid(dec_from_int(INT64_MAX)));
    assert_false(dec_is_valid(dec_ceil_to(largest, d("1"))));
    assert_false(dec_is_valid(dec_floor_to(d("1"), DEC_ZERO)));
    assert_false(dec_is_valid(dec_round_to(d("1"), dec_neg(d("1")))));

    struct dec x = DEC_INVALID, one = d("1");
    const struct dec results[] = {dec_add(x, one),
                                  dec_add(one, x),
                                  dec_sub(x, one),
                                  dec_sub(one, x),
                                  dec_neg(x),
                                  dec_abs(x),
                                  dec_mul(x, one),
                                  dec_mul(one, x),
                                  dec_mul(x, DEC_ZERO),
                                  dec_div(x, one),
                                  dec_div(one, x),
                                  dec_mul_div(x, one, one),
                                  dec_mul_div(one, x, one),
                                  dec_mul_div(one, one, x),
                                  dec_floor_to(x, one),
                                  dec_ceil_to(x, one),
                                  dec_round_to(x, one),
                                  dec_floor_to(one, x),
                                  dec_min(x, one),
                                  dec_max(one, x)};
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        assert_false(dec_is_valid(results[i]));
    }
    assert_true(isnan(dec_to_double(x)));
    assert_dec(x, "invalid");
}

static void extremes_stay_exact(void **state)
{
    (void)state;
    assert_int_equal(dec_add(largest, smallest).e8, 0);
    assert_true(dec_neg(largest).e8 == smallest.e8);
    assert_true(dec_mul(largest, d("-1")).e8 == smallest.e8);
    assert_true(dec_div(smallest, d("1")).e8 == smallest.e8);
    assert_true(dec_mul_div(largest, largest, largest).e8 == largest.e8);
    assert_true(dec_mul_div(smallest, smallest, smallest).e8 == smallest.e8);
    assert_true(dec_abs(smallest).e8 == largest.e8);
    assert_dec(largest, "92233720368.54775807");
}

static void rounds_half_away_from_zero(void **state)
{
    (void)state;
    assert_dec(dec_mul(d("0.00000001"), d("0.5")), "0.00000001");
    assert_dec(dec_mul(d("-0.00000001"), d("0.5")), "-0.00000001");
    assert_dec(dec_mul(d("0.00000001"), d("0.49999999")), "0");
    assert_dec(dec_div(d("1"), d("3")), "0.33333333");
    assert_dec(dec_div(d("-2"), d("3")), "-0.66666667");
    assert_dec(dec_div(d("2"), d("-3")), "-0.66666667");
    /* Rounded once: computing 1/3 first would give 2.99999997. */
    assert_dec(dec_mul_div(d("1"), d("9"), d("3")), "3");
    assert_dec(dec_mul_div(d("1"), d("1"), d("3")), "0.33333333");
}

static void rounds_to_steps(void **state)
{
    (void)state;
    assert_dec(dec_floor_to(d("1.2379"), d("0.01")), "1.23");
    assert_dec(dec_floor_to(d("-1.2379"), d("0.01")), "-1.23");
    assert_dec(dec_ceil_to(d("1.2301"), d("0.01")), "1.24");
    assert_dec(dec_ceil_to(d("-1.2301"), d("0.01")), "-1.24");
    assert_dec(dec_ceil_to(d("1.23"), d("0.01")), "1.23");
    assert_dec(dec_round_to(d("1.235"), d("0.01")), "1.24");
    assert_dec(dec_round_to(d("-1.235"), d("0.01")), "-1.24");
    assert_dec(dec_round_to(d("1.2349"), d("0.01")), "1.23");
    assert_dec(dec_round_to(d("7"), d("2.5")), "7.5");
}

static void compares(void **state)
{
    (void)state;
    assert_int_equal(dec_cmp(d("-1"), d("1")), -1);
    assert_int_equal(dec_cmp(d("1"), d("1")), 0);
    assert_int_equal(dec_cmp(d("2"), d("1")), 1);
    assert_dec(dec_min(d("-1"), d("1")), "-1");
    assert_dec(dec_max(d("-1"), d("1")), "1");
}

static void assert_grouped(const char *value, int decimals, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(64);
    dec_add_grouped(&out, d(value), decimals);
    assert_string_equal(out.data, text);
}

static void writes_for_people(void **state)
{
    (void)state;
    assert_grouped("64120.5", 2, "64,120.50");
    assert_grouped("-1234567.895", 2, "-1,234,567.90");
    assert_grouped("999.995", 2, "1,000.00");
    assert_grouped("-0.004", 2, "0.00");
    assert_grouped("0.5", 0, "1");
    assert_grouped("123", 0, "123");
    assert_grouped("92233720368.54775807", 8, "92,233,720,368.54775807");
    assert_grouped("92233720368.54775807", 0, "92,233,720,369");
}

static void converts_doubles_to_the_nearest_value(void **state)
{
    (void)state;
    assert_dec(dec_from_double(0.1), "0.1");
    assert_dec(dec_from_double(-64120.55), "-64120.55");
    assert_dec(dec_from_double(0), "0");
    assert_dec(dec_from_double(1e-300), "0");
    assert_dec(dec_from_double(0.5e-8), "0.00000001");
    assert_dec(dec_from_double(4294967296.0), "4294967296");
    assert_false(dec_is_valid(dec_from_double(1e11)));
    assert_false(dec_is_valid(dec_from_double(-1e300)));
    assert_false(dec_is_valid(dec_from_double(INFINITY)));
    assert_false(dec_is_valid(dec_from_double(NAN)));
    assert_true(dec_to_double(d("-2.5")) == -2.5);
}

/* Random values of every magnitude, including the extremes. */
/* The same by the C library's exact functions, with sixteen digits more than a double has. */
static struct dec from_double_by_library(double value)
{
    int exponent = 0;
    double fraction = frexp(value, &exponent);
    wide scaled = (wide)(int64_t)ldexp(fraction, 53) * 100000000;
    exponent -= 53;
    if (!isfinite(value) || (exponent > 40 && scaled != 0)) {
        return DEC_INVALID;
    }
    wide size = scaled < 0 ? -scaled : scaled;
    for (; exponent > 0; exponent--) {
        size *= 2;
    }
    if (exponent < -120) {
        size = 0;
    } else if (exponent < 0) {
        size = (size + ((wide)1 << (-exponent - 1))) >> -exponent;
    }
    return size > INT64_MAX ? DEC_INVALID
                            : (struct dec){scaled < 0 ? -(int64_t)size : (int64_t)size};
}

static void reads_the_bits_of_any_double(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 5);
    for (int turn = 0; turn < 400000; turn++) {
        uint64_t bits = rng_u64(&rng);
        if (turn % 2 == 0) { /* of prices and volumes, not of any size */
            bits = (bits & ~(UINT64_C(0x7FF) << 52)) | (uint64_t)(985 + turn / 2 % 85) << 52;
        }
        double value;
        memcpy(&value, &bits, sizeof(value));
        struct dec is = dec_from_double(value), wanted = from_double_by_library(value);
        assert_int_equal(is.e8, wanted.e8);
    }
}

static struct dec random_dec(struct rng *rng)
{
    if (rng_chance(rng, 0.05)) {
        return rng_chance(rng, 0.5) ? largest : smallest;
    }
    int64_t size = (int64_t)(rng_u64(rng) >> (1 + rng_below(rng, 63)));
    return (struct dec){rng_chance(rng, 0.5) ? size : -size};
}

/* Whether q = n / m rounded half away from zero: |2 (n - q m)| <= |m|, with ties away from zero. */
static bool is_rounded_quotient(wide n, wide m, wide q)
{
    wide rest = n - q * m;
    wide size = rest < 0 ? -rest : rest, half = m < 0 ? -m : m;
    if (2 * size != half) {
        return 2 * size < half;
    }
    return (rest < 0) != ((n < 0));
}

static void arithmetic_is_exact_or_invalid(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 8);
    size_t valid = 0;
    for (int turn = 0; turn < 200000; turn++) {
        struct dec a = random_dec(&rng), b = random_dec(&rng), c = random_dec(&rng);
        wide sum = (wide)a.e8 + b.e8;
        bool fits = sum <= INT64_MAX && sum >= -(wide)INT64_MAX;
        struct dec got = dec_add(a, b);
        assert_int_equal(dec_is_valid(got), fits);
        assert_true(!fits || got.e8 == (int64_t)sum);

        wide product = (wide)a.e8 * b.e8;
        got = dec_mul(a, b);
        assert_true(!dec_is_valid(got) || is_rounded_quotient(product, DEC_ONE, got.e8));
        wide limit = ((wide)INT64_MAX * 2 + 1) * (DEC_ONE / 2);
        assert_int_equal(dec_is_valid(got), product < limit && product > -limit);
        valid += dec_is_valid(got);

        if (c.e8 != 0) {
            got = dec_mul_div(a, b, c);
            assert_true(!dec_is_valid(got) || is_rounded_quotient(product, c.e8, got.e8));
            got = dec_div(a, c);
            assert_true(!dec_is_valid(got) ||
                        is_rounded_quotient((wide)a.e8 * DEC_ONE, c.e8, got.e8));
        }
    }
    assert_true(valid > 1000);
}

static void small_amounts_have_two_significant_digits(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int decimals;
        const char *text;
    } cases[] = {
        {"0.00012", 2, "0.00012"},
        {"0.000129", 2, "0.00013"},
        {"0.00000001", 2, "0.00000001"},
        {"-0.0012", 2, "-0.0012"},
        {"0.005", 2, "0.01"},
        {"0", 2, "0.00"},
        {"1234.5", 2, "1,234.50"},
        {"0.00000012", 4, "0.00000012"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT(64);
        dec_add_amount(&out, d(cases[i].value), cases[i].decimals);
        assert_string_equal(out.data, cases[i].text);
    }
}

static void digit_step_is_the_last_significant_place(void **state)
{
    (void)state;
    assert_int_equal(dec_digit_step(d("64120.5"), 6).e8, d("0.1").e8);
    assert_int_equal(dec_digit_step(d("0.0312"), 6).e8, d("0.0000001").e8);
    assert_int_equal(dec_digit_step(d("0.00000012"), 6).e8, 1);
    assert_int_equal(dec_digit_step(d("1234567"), 6).e8, d("10").e8);
    assert_false(dec_is_valid(dec_digit_step(d("1"), 0)));
}

static void text_round_trips(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 9);
    AUTO_BUF struct buf out = BUF_INIT(64);
    for (int turn = 0; turn < 50000; turn++) {
        struct dec a = random_dec(&rng), back;
        buf_clear(&out);
        dec_add_text(&out, a);
        assert_true(dec_parse(buf_str(&out), &back));
        assert_true(back.e8 == a.e8);
        if (llabs(a.e8) < INT64_C(1) << 50) {
            assert_true(dec_from_double(dec_to_double(a)).e8 == a.e8);
        }
    }
}

UNIT_GROUP(dec, cmocka_unit_test(parses_plain_decimals_only),
           cmocka_unit_test(overflow_is_invalid_and_sticky), cmocka_unit_test(extremes_stay_exact),
           cmocka_unit_test(rounds_half_away_from_zero), cmocka_unit_test(rounds_to_steps),
           cmocka_unit_test(compares), cmocka_unit_test(writes_for_people),
           cmocka_unit_test(converts_doubles_to_the_nearest_value),
           cmocka_unit_test(reads_the_bits_of_any_double),
           cmocka_unit_test(arithmetic_is_exact_or_invalid),
           cmocka_unit_test(small_amounts_have_two_significant_digits),
           cmocka_unit_test(digit_step_is_the_last_significant_place),
           cmocka_unit_test(text_round_trips))
