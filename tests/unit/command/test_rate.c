/* The limit of commands a minute. */
#include "../../../src/command/rate.h"
#include "base/clock.h"
#include "unit/unit.h"

static const struct principal alice = {.channel = CHANNEL_TELEGRAM, .id = 7};

static int passes(struct rate *rate, const struct principal *who, int64_t now_us, int tries)
{
    int passed = 0;
    for (int i = 0; i < tries; i++) {
        passed += rate_accept(rate, who, now_us) == RATE_PASS ? 1 : 0;
    }
    return passed;
}

static void a_minute_holds_its_number_and_refills_evenly(void **state)
{
    (void)state;
    static struct rate rate;
    rate = (struct rate){.per_minute = 5};
    int64_t now_us = USEC_PER_HOUR;
    assert_int_equal(passes(&rate, &alice, now_us, 5), 5);
    assert_int_equal(rate_accept(&rate, &alice, now_us), RATE_NOTIFY);
    assert_int_equal(rate_accept(&rate, &alice, now_us), RATE_DROP);
    now_us += USEC_PER_MIN / 5 - 1;
    assert_int_equal(rate_accept(&rate, &alice, now_us), RATE_DROP);
    assert_int_equal(rate_accept(&rate, &alice, now_us + 1), RATE_PASS);
    assert_int_equal(rate_accept(&rate, &alice, now_us + 1), RATE_DROP);
    now_us += 10 * USEC_PER_MIN; /* no more than a minute is saved up */
    assert_int_equal(passes(&rate, &alice, now_us, 7), 5);
    rate.per_minute = 0; /* no limit */
    assert_int_equal(passes(&rate, &alice, now_us, 100), 100);
}

/* Told once for each flood; it has ended when half a minute is saved up. */
static void a_flood_is_reported_once(void **state)
{
    (void)state;
    static struct rate rate;
    rate = (struct rate){.per_minute = 4};
    int64_t now_us = 1;
    assert_int_equal(passes(&rate, &alice, now_us, 4), 4);
    assert_int_equal(rate_accept(&rate, &alice, now_us), RATE_NOTIFY);
    now_us += 3 * USEC_PER_MIN / 4 - 1; /* after one command just less than half a minute is left */
    assert_int_equal(passes(&rate, &alice, now_us, 2), 2);
    assert_int_equal(rate_accept(&rate, &alice, now_us), RATE_DROP);
    now_us += 3 * USEC_PER_MIN / 4;
    assert_int_equal(passes(&rate, &alice, now_us, 3), 3);
    assert_int_equal(rate_accept(&rate, &alice, now_us), RATE_NOTIFY);
}

static void people_are_limited_apart(void **state)
{
    (void)state;
    static struct rate rate;
    rate = (struct rate){.per_minute = 2};
    const struct principal at_socket = {.channel = CHANNEL_SOCKET, .id = 7};
    const struct principal rita = {.channel = CHANNEL_TELEGRAM, .id = 8};
    assert_int_equal(passes(&rate, &alice, 1, 3), 2);
    assert_int_equal(passes(&rate, &at_socket, 1, 3), 2);
    assert_int_equal(passes(&rate, &rita, 1, 3), 2);
    assert_int_equal(passes(&rate, &alice, 1, 3), 0);
}

/* 64 people are remembered; the next takes the place of the one that was silent longest. */
static void the_person_silent_longest_is_forgotten(void **state)
{
    (void)state;
    static struct rate rate;
    rate = (struct rate){.per_minute = 1};
    for (int64_t i = 0; i < RATE_PEOPLE_MAX; i++) {
        const struct principal who = {.channel = CHANNEL_TELEGRAM, .id = 100 + i};
        assert_int_equal(passes(&rate, &who, 1000 + i, 2), 1);
    }
    const struct principal first = {.channel = CHANNEL_TELEGRAM, .id = 100};
    const struct principal second = {.channel = CHANNEL_TELEGRAM, .id = 101};
    assert_int_equal(passes(&rate, &first, 2000, 1), 0); /* heard again */
    assert_int_equal(passes(&rate, &alice, 2001, 2), 1);
    for (int64_t i = 0; i < RATE_PEOPLE_MAX; i++) {
        const struct principal who = {.channel = CHANNEL_TELEGRAM, .id = 100 + i};
        assert_int_equal(passes(&rate, &who, 2002, 1), who.id == second.id ? 1 : 0);
        if (who.id == second.id) {
            break; /* from now on others are replaced */
        }
    }
    for (int64_t i = 3; i < RATE_PEOPLE_MAX; i++) {
        const struct principal who = {.channel = CHANNEL_TELEGRAM, .id = 100 + i};
        assert_int_equal(passes(&rate, &who, 2003, 1), 0);
    }
}

UNIT_GROUP(rate, cmocka_unit_test(a_minute_holds_its_number_and_refills_evenly),
           cmocka_unit_test(a_flood_is_reported_once), cmocka_unit_test(people_are_limited_apart),
           cmocka_unit_test(the_person_silent_longest_is_forgotten))
