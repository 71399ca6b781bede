#include "../../../src/venue/ban_memory.h"
#include "base/check.h"
#include "base/clock.h"
#include "unit/unit.h"

/* A ban that a process before this one has met. */

#define WALL_US  (INT64_C(1796000000) * USEC_PER_SEC)
#define BOOT_US  USEC_PER_HOUR
#define MINUTE   USEC_PER_MIN
#define YEARS_US (3650 * USEC_PER_DAY)

static void a_ban_lasts_as_long_as_it_was(void **state)
{
    static const struct {
        const char *boot;
        int64_t wall_us, boot_us; /* that passed, by these clocks */
        int64_t left_us;          /* of ten minutes */
    } cases[] = {
        /* The same boot: its time counts, and the clock says nothing. */
        {"b1", 4 * MINUTE, 4 * MINUTE, 6 * MINUTE},
        {"b1", 4 * MINUTE + 20 * USEC_PER_SEC, 4 * MINUTE, 6 * MINUTE}, /* set forward */
        {"b1", YEARS_US, 4 * MINUTE, 6 * MINUTE},
        {"b1", -YEARS_US, 4 * MINUTE, 6 * MINUTE}, /* set back */
        {"b1", 0, 10 * MINUTE, 0},
        {"b1", 0, 90 * MINUTE, 0},
        /* Another one: only the clock is left. */
        {"b2", 4 * MINUTE, MINUTE, 6 * MINUTE + BAN_SPARE_US},
        {"b2", 10 * MINUTE, MINUTE, BAN_SPARE_US}, /* it may be ahead by seconds */
        {"b2", 11 * MINUTE, MINUTE, 0},
        {"b2", -YEARS_US, MINUTE, 10 * MINUTE},
        {"b2", YEARS_US, MINUTE, 0},
        {"", 4 * MINUTE, 4 * MINUTE, 6 * MINUTE + BAN_SPARE_US},
    };
    (void)state;
    char text[BAN_TEXT_SIZE];
    const struct ban_now then = {.wall_us = WALL_US, .boot_us = BOOT_US, .boot = "b1"};
    ban_print(&then, 10 * MINUTE, text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ban_now now = {.wall_us = WALL_US + cases[i].wall_us,
                              .boot_us = BOOT_US + cases[i].boot_us};
        (void)str_copy(str_c(cases[i].boot), now.boot, sizeof(now.boot));
        int64_t left_us = -1;
        assert_int_equal(ban_left(text, &now, &left_us), 0);
        if (left_us != cases[i].left_us) {
            fail_msg("case %zu: %lld, not %lld", i, (long long)left_us,
                     (long long)cases[i].left_us);
        }
    }
}

static void no_ban_lasts_for_years(void **state)
{
    (void)state;
    char text[BAN_TEXT_SIZE];
    int64_t left_us = 0;
    struct ban_now now;
    ban_read_now(&now);
    assert_true(now.wall_us > WALL_US / 2 && now.boot_us > 0);
    ban_print(&now, YEARS_US, text);
    assert_int_equal(ban_left(text, &now, &left_us), 0);
    assert_int_equal(left_us, BAN_MAX_US);
}

static void other_texts_are_refused(void **state)
{
    static const char *const texts[] = {"",      "x",        "1",        "1 2",
                                        "1 2 x", "-1 2 3 b", "1 -2 3 b", "1 2 -3 b"};
    (void)state;
    const struct ban_now now = {.wall_us = WALL_US, .boot_us = BOOT_US, .boot = "b1"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int64_t left_us = 0;
        assert_int_equal(ban_left(texts[i], &now, &left_us), -1);
    }
}

UNIT_GROUP(ban, cmocka_unit_test(a_ban_lasts_as_long_as_it_was),
           cmocka_unit_test(no_ban_lasts_for_years), cmocka_unit_test(other_texts_are_refused))
