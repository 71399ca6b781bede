#include "../../../src/api/api_limit.h"
#include "base/check.h"
#include "base/clock.h"
#include "unit/unit.h"

#define T0 (1000 * USEC_PER_SEC)

static struct address at(const char *text)
{
    struct address a;
    assert_true(address_parse(str_c(text), &a));
    return a;
}

/* Fails so often at one moment; returns the last block. */
static int64_t guess(struct api_limits *l, const char *from, int times, int64_t now_us)
{
    struct address a = at(from);
    int64_t blocked_s = 0;
    for (int i = 0; i < times; i++) {
        blocked_s = api_limit_fail(l, &a, now_us);
    }
    return blocked_s;
}

static int64_t blocked(const struct api_limits *l, const char *from, int64_t now_us)
{
    struct address a = at(from);
    return api_limit_blocked_s(l, &a, now_us);
}

static void the_time_doubles_up_to_an_hour(void **state)
{
    (void)state;
    struct api_limits *l = api_limits_new();
    assert_false(api_limit_any(l));
    assert_int_equal(guess(l, "10.0.0.1", API_LIMIT_TRIES_FREE, T0), 0);
    assert_true(api_limit_any(l));
    assert_int_equal(blocked(l, "10.0.0.1", T0), 0);
    static const int64_t blocks[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600};
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        assert_int_equal(guess(l, "10.0.0.1", 1, T0), blocks[i]);
        assert_int_equal(blocked(l, "10.0.0.1", T0), blocks[i]);
    }
    assert_int_equal(blocked(l, "10.0.0.1", T0 + 3599 * USEC_PER_SEC), 1);
    assert_int_equal(blocked(l, "10.0.0.1", T0 + 3600 * USEC_PER_SEC), 0);
    api_limits_free(l);
}

static void another_address_is_not_shut_out(void **state)
{
    (void)state;
    struct api_limits *l = api_limits_new();
    (void)guess(l, "10.0.0.1", 20, T0);
    (void)guess(l, "2001:db8::1", 20, T0);
    assert_int_equal(blocked(l, "10.0.0.2", T0), 0);
    assert_true(blocked(l, "2001:db8::ffff", T0) > 0); /* the same /64 */
    assert_int_equal(blocked(l, "2001:db8:0:1::1", T0), 0);
    api_limits_free(l);
}

static void an_hour_of_quiet_is_a_new_beginning(void **state)
{
    (void)state;
    struct api_limits *l = api_limits_new();
    assert_int_equal(guess(l, "10.0.0.1", API_LIMIT_TRIES_FREE + 3, T0), 4);
    assert_int_equal(guess(l, "10.0.0.1", 1, T0 + 59 * USEC_PER_MIN), 8);
    assert_int_equal(guess(l, "10.0.0.1", 1, T0 + 3 * USEC_PER_HOUR), 0);
    /* The block counts, too: a long one does not shorten the memory of it. */
    assert_int_equal(guess(l, "10.0.0.2", 30, T0), 3600);
    assert_int_equal(guess(l, "10.0.0.2", 1, T0 + 100 * USEC_PER_MIN), 3600);
    api_limits_free(l);
}

/* Thousands of addresses take no more room; the last ones are known. */
static void the_table_is_bounded(void **state)
{
    (void)state;
    struct api_limits *l = api_limits_new();
    char text[32];
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof(text), "10.1.%d.%d", i / 250, i % 250);
        (void)guess(l, text, API_LIMIT_TRIES_FREE + 1, T0 + i);
    }
    assert_true(blocked(l, text, T0 + 5000) > 0);
    assert_int_equal(blocked(l, "10.1.0.0", T0 + 5000), 0);
    api_limits_free(l);
}

static void a_minute_of_requests_begins_with_the_first(void **state)
{
    (void)state;
    struct api_limits *l = api_limits_new();
    for (int i = 0; i < 10; i++) {
        const struct api_quota q = api_limit_take(l, 2, 7, 10, T0 + i * USEC_PER_SEC);
        assert_int_equal(q.left, 9 - i);
        assert_int_equal(q.reset_s, 60 - i);
    }
    assert_int_equal(api_limit_take(l, 2, 7, 10, T0 + 59 * USEC_PER_SEC).left, -1);
    assert_int_equal(api_limit_take(l, 2, 7, 10, T0 + 59 * USEC_PER_SEC).reset_s, 1);
    assert_int_equal(api_limit_take(l, 2, 7, 10, T0 + 60 * USEC_PER_SEC).left, 9);
    assert_int_equal(api_limit_take(l, 2, 8, 10, T0 + 60 * USEC_PER_SEC).left, 9); /* another */
    assert_int_equal(api_limit_take(l, 3, 7, 10, T0 + 60 * USEC_PER_SEC).left, 9);
    assert_int_equal(api_limit_take(l, 3, 7, 0, T0 + 60 * USEC_PER_SEC).left, -1);
    api_limits_free(l);
}

UNIT_GROUP(api_limit, cmocka_unit_test(the_time_doubles_up_to_an_hour),
           cmocka_unit_test(another_address_is_not_shut_out),
           cmocka_unit_test(an_hour_of_quiet_is_a_new_beginning),
           cmocka_unit_test(the_table_is_bounded),
           cmocka_unit_test(a_minute_of_requests_begins_with_the_first))
