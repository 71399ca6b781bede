#include "io/zone.h"
#include "unit/unit.h"

static void a_time_of_the_week_is_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",          "mon",        "08:00",      "mon08:00",
                                        "mon 24:00", "mon 08:60",  "Mon 08:00",  "mon  08:00",
                                        "day 08:00", "mon 08:00 ", "monday 8:00"};
    struct zone_week week = {0};
    assert_true(zone_parse_week("mon 08:00", &week));
    assert_int_equal(week.weekday, 0);
    assert_int_equal(week.minute_of_day, 480);
    assert_true(zone_parse_week("sun 23:59", &week));
    assert_int_equal(week.weekday, 6);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (zone_parse_week(wrong[i], &week)) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
    }
}

static void the_day_of_the_week_is_the_newest_whose_time_has_come(void **state)
{
    (void)state;
    const int64_t monday = zone_day(2026, 11, 16);
    const struct zone_week at = {.weekday = 0, .minute_of_day = 480};
    struct zone_time now = {.day = monday, .minute_of_day = 479};
    assert_int_equal(zone_week_day(now, at), monday - 7);
    now.minute_of_day = 480;
    for (int day = 0; day < 7; day++) {
        now.day = monday + day;
        assert_int_equal(zone_week_day(now, at), monday);
    }
    now.day = zone_day(1969, 12, 30); /* a Tuesday */
    assert_int_equal(zone_week_day(now, at), now.day - 1);
}

UNIT_GROUP(zone, cmocka_unit_test(a_time_of_the_week_is_read),
           cmocka_unit_test(the_day_of_the_week_is_the_newest_whose_time_has_come))
