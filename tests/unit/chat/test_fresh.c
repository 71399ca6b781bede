#include "../../../src/chat/fresh.h"
#include "unit/unit.h"

#define WALL (INT64_C(1790000000) * USEC_PER_SEC)
#define MONO (5000 * USEC_PER_SEC)
#define DATE (WALL + 3 * USEC_PER_SEC) /* Telegram's clock is slightly ahead of ours */

static const struct fresh now = {.wall_us = WALL, .mono_us = MONO, .date_us = DATE};

static int64_t s(int64_t us)
{
    return us == FRESH_UNKNOWN_US ? -1 : us / USEC_PER_SEC;
}

/* Age of a press if the queue was empty this many seconds ago by each clock; 0: unknown. */
static int64_t press(int64_t wall_s, int64_t mono_s, int64_t date_s, int64_t message_s)
{
    const struct fresh empty = {
        .wall_us = wall_s == 0 ? 0 : WALL - wall_s * USEC_PER_SEC,
        .mono_us = mono_s == 0 ? 0 : MONO - mono_s * USEC_PER_SEC,
        .date_us = date_s == 0 ? 0 : DATE - date_s * USEC_PER_SEC,
    };
    return s(fresh_press_age_us(&empty, &now, DATE - message_s * USEC_PER_SEC));
}

static void a_press_may_be_as_old_as_the_last_empty_queue(void **state)
{
    (void)state;
    assert_int_equal(press(20, 20, 20, 9000), 20);
    assert_int_equal(press(600, 600, 600, 9000), 600);
    assert_int_equal(press(600, 0, 600, 9000), 600); /* after a restart */
    assert_int_equal(press(600, 0, 0, 9000), 600);   /* without Telegram's date too */
}

static void setting_a_clock_makes_no_press_younger(void **state)
{
    (void)state;
    assert_int_equal(press(20, 600, 20, 9000), 600); /* set back by ten minutes */
    assert_int_equal(press(600, 20, 20, 9000),
                     600); /* the machine slept, or the clock was set forward */
    assert_int_equal(press(-600, 0, 600, 9000), 600); /* set back before a restart */
    assert_int_equal(press(20, 0, 600, 9000), 600);   /* set back by less than the outage */
    assert_int_equal(press(-600, 600, 0, 9000), 600); /* set back within one process */
    assert_int_equal(press(-600, 0, 0, 9000), 9000);  /* unknown: the message's age is the bound */
    assert_int_equal(press(-600, 0, 0, 99000), 99000);
}

static void a_press_is_no_older_than_its_message(void **state)
{
    (void)state;
    assert_int_equal(press(600, 600, 600, 40), 40);
    assert_int_equal(press(0, 0, 0, 40), 40); /* the very first start */
    assert_int_equal(press(0, 0, 0, -5), 0);  /* whole seconds, and clocks differ slightly */
    assert_int_equal(press(600, 600, 600, -300), 600); /* a date in the future is no bound */
    assert_int_equal(press(0, 0, 0, -300), -1);
    const struct fresh empty = {0};
    assert_int_equal(s(fresh_press_age_us(&empty, &now, 0)), -1); /* a message without a date */
}

static void a_message_has_the_age_of_its_date(void **state)
{
    (void)state;
    const struct fresh behind = {
        .wall_us = WALL - 3600 * USEC_PER_SEC, .mono_us = MONO, .date_us = DATE};
    assert_int_equal(s(fresh_message_age_us(DATE - 30 * USEC_PER_SEC, &now)), 30);
    assert_int_equal(s(fresh_message_age_us(DATE - 900 * USEC_PER_SEC, &behind)), 900);
    assert_int_equal(s(fresh_message_age_us(DATE + 2 * USEC_PER_SEC, &now)), 0);
    assert_int_equal(s(fresh_message_age_us(0, &now)), -1);
}

UNIT_GROUP(fresh, cmocka_unit_test(a_press_may_be_as_old_as_the_last_empty_queue),
           cmocka_unit_test(setting_a_clock_makes_no_press_younger),
           cmocka_unit_test(a_press_is_no_older_than_its_message),
           cmocka_unit_test(a_message_has_the_age_of_its_date))
