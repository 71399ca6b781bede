#include "config/route.h"
#include "config/window.h"
#include "unit/unit.h"

#include <string.h>

/* Minutes left at a local time; 2026-11-30 is a Monday. */
static int64_t left(const char *window, int64_t year, int month, int day, int minute)
{
    struct config_window w;
    if (!config_window_parse(window, &w)) {
        fail_msg("cannot be read: %s", window);
    }
    return config_window_left(
        &w, (struct zone_time){.day = zone_day(year, month, day), .minute_of_day = minute});
}

static void windows_come_back_on_their_days(void **state)
{
    (void)state;
    assert_int_equal(left("mon 02:00-04:00", 2026, 11, 30, 119), 0);
    assert_int_equal(left("mon 02:00-04:00", 2026, 11, 30, 120), 120);
    assert_int_equal(left("mon 02:00-04:00", 2026, 11, 30, 239), 1);
    assert_int_equal(left("mon 02:00-04:00", 2026, 11, 30, 240), 0);
    assert_int_equal(left("mon 02:00-04:00", 2026, 12, 1, 120), 0);
    assert_int_equal(left("mon 02:00-04:00", 2026, 12, 7, 120), 120);
    assert_int_equal(left("02:00-04:00", 2026, 12, 1, 120), 120);
    assert_int_equal(left("sat-mon 02:00-04:00", 2026, 11, 29, 120), 120);
    assert_int_equal(left("sat-mon 02:00-04:00", 2026, 11, 30, 120), 120);
    assert_int_equal(left("sat-mon 02:00-04:00", 2026, 12, 1, 120), 0);
    assert_int_equal(left("sat,sun 02:00-04:00", 2026, 11, 28, 120), 120);
}

static void windows_end_on_the_next_day(void **state)
{
    (void)state;
    assert_int_equal(left("mon 23:00-01:00", 2026, 11, 30, 23 * 60), 120);
    assert_int_equal(left("mon 23:00-01:00", 2026, 12, 1, 30), 30);
    assert_int_equal(left("mon 23:00-01:00", 2026, 12, 1, 60), 0);
    assert_int_equal(left("mon 23:00-01:00", 2026, 11, 30, 30), 0); /* it began on no Sunday */
    assert_int_equal(left("sun 23:00-01:00", 2026, 11, 30, 30), 30);
}

static void a_window_with_a_date_is_once(void **state)
{
    (void)state;
    assert_int_equal(left("2026-12-24 22:00-23:00", 2026, 12, 24, 22 * 60), 60);
    assert_int_equal(left("2026-12-24 22:00-23:00", 2026, 12, 31, 22 * 60), 0);
    assert_int_equal(left("2026-12-24 22:00-06:00", 2026, 12, 25, 5 * 60), 60);
    assert_int_equal(left("2026-12-24 22:00 to 2026-12-26 06:00", 2026, 12, 25, 0), 30 * 60);
    assert_int_equal(left("2026-12-24 22:00 to 2026-12-26 06:00", 2026, 12, 24, 0), 0);
    assert_int_equal(left("2026-12-24 22:00 to 2026-12-26 06:00", 2026, 12, 26, 360), 0);
}

static void windows_name_services_and_a_zone(void **state)
{
    struct config_window w;
    (void)state;
    assert_true(config_window_parse("sun 02:00-04:00 demo,web in Europe/Berlin", &w));
    assert_true(config_window_covers(&w, "demo"));
    assert_true(config_window_covers(&w, "web"));
    assert_false(config_window_covers(&w, "we"));
    assert_false(config_window_covers(&w, NULL));
    assert_string_equal(w.zone, "Europe/Berlin");
    assert_true(config_window_parse("02:00-04:00", &w));
    assert_true(config_window_covers(&w, "demo"));
    assert_true(config_window_covers(&w, NULL));
}

static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "sun",
                                      "02:00",
                                      "02:00-02:00",
                                      "02:00-25:00",
                                      "moon 02:00-03:00",
                                      "mon- 02:00-03:00x",
                                      "2026-02-30 02:00-03:00",
                                      "2026-12-24",
                                      "2026-12-24 22:00 to 2026-12-24 21:00",
                                      "2026-12-24 22:00 until 2026-12-25 21:00",
                                      "02:00-03:00 web more",
                                      "02:00-03:00 in",
                                      "02:00-03:00 in A B"};
    struct config_window w;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (config_window_parse(bad[i], &w)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void steps_of_the_ladder(void **state)
{
    struct config_step step;
    (void)state;
    assert_true(config_step_parse("15m mail", &step));
    assert_int_equal(step.after_us, INT64_C(900000000));
    assert_string_equal(step.to, "mail");
    assert_true(config_step_parse("1h role:admin", &step));
    assert_true(config_step_parse("2h -100123", &step));
    assert_int_equal(step.chat_id, -100123);
    assert_false(config_step_parse("mail", &step));
    assert_false(config_step_parse("15m", &step));
    assert_false(config_step_parse("0s mail", &step));
    assert_false(config_step_parse("15m role:king", &step));
    assert_false(config_step_parse("15m alice bob", &step));
}

UNIT_GROUP(window, cmocka_unit_test(windows_come_back_on_their_days),
           cmocka_unit_test(windows_end_on_the_next_day),
           cmocka_unit_test(a_window_with_a_date_is_once),
           cmocka_unit_test(windows_name_services_and_a_zone),
           cmocka_unit_test(other_texts_are_refused), cmocka_unit_test(steps_of_the_ladder))
