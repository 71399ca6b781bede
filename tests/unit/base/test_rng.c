#include "base/rng.h"
#include "unit/unit.h"

#include <math.h>

/* The first values of the authors' reference code for the state 1, 2, 3, 4. */
static void equals_the_reference(void **state)
{
    (void)state;
    struct rng rng = {.s = {1, 2, 3, 4}};
    const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (size_t i = 0; i < 4; i++) {
        assert_true(rng_u64(&rng) == expected[i]);
    }
    rng_init(&rng, 0); /* the first value of splitmix64 for the seed 0 */
    assert_true(rng.s[0] == UINT64_C(0xE220A8397B1DCDAF));
    assert_true(rng_u64(&rng) == UINT64_C(0x99EC5F36CB75F2B4));
}

static void a_copy_continues_the_same_stream(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init(&a, 77);
    (void)rng_normal(&a);
    b = a;
    for (int i = 0; i < 100; i++) {
        double x = rng_normal(&a), y = rng_normal(&b);
        assert_memory_equal(&x, &y, sizeof(x));
    }
}

static void below_is_uniform_and_in_range(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    int counts[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t v = rng_below(&rng, 7);
        assert_true(v < 7);
        counts[v]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9500, 10500); /* five standard deviations */
    }
    assert_int_equal(rng_below(&rng, 1), 0);
    /* With modulo bias two thirds of these would be below the middle. */
    uint64_t bound = UINT64_C(3) << 62;
    int low = 0;
    for (int i = 0; i < 10000; i++) {
        low += rng_below(&rng, bound) < bound / 3;
    }
    assert_in_range(low, 3100, 3570);
}

static void doubles_fill_the_unit_interval(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2);
    double sum = 0, least = 1, most = 0;
    for (int i = 0; i < 100000; i++) {
        double x = rng_double(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
        least = x < least ? x : least;
        most = x > most ? x : most;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005 && least < 0.001 && most > 0.999);
    assert_false(rng_chance(&rng, 0));
    assert_true(rng_chance(&rng, 1));
}

static void normal_has_the_right_moments_and_tails(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 3);
    const int n = 200000;
    double sum = 0, squares = 0, fourths = 0;
    int beyond_two = 0;
    for (int i = 0; i < n; i++) {
        double x = rng_normal(&rng);
        sum += x;
        squares += x * x;
        fourths += x * x * x * x;
        beyond_two += fabs(x) > 2;
    }
    assert_true(fabs(sum / n) < 0.012);
    assert_true(fabs(squares / n - 1) < 0.016);
    assert_true(fabs(fourths / n - 3) < 0.12);
    assert_in_range(beyond_two, 8630, 9570); /* 4.55 % */
}

/* The polar method with libm gives the same values except for the last bits. */
static void normal_uses_a_correct_logarithm(void **state)
{
    (void)state;
    struct rng rng, twin;
    rng_init(&rng, 4);
    twin = rng;
    for (int i = 0; i < 10000; i++) {
        double u, v, square;
        do {
            u = 2 * rng_double(&twin) - 1;
            v = 2 * rng_double(&twin) - 1;
            square = u * u + v * v;
        } while (!(square > 0 && square < 1));
        double expected = u * sqrt(-2 * log(square) / square);
        assert_true(fabs(rng_normal(&rng) - expected) < 1e-13);
    }
}

UNIT_GROUP(rng, cmocka_unit_test(equals_the_reference),
           cmocka_unit_test(a_copy_continues_the_same_stream),
           cmocka_unit_test(below_is_uniform_and_in_range),
           cmocka_unit_test(doubles_fill_the_unit_interval),
           cmocka_unit_test(normal_has_the_right_moments_and_tails),
           cmocka_unit_test(normal_uses_a_correct_logarithm))
