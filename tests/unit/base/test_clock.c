#include "base/clock.h"
#include "base/rng.h"
#include "unit/unit.h"

static void fake_moves_only_when_advanced(void **state)
{
    (void)state;
    struct clock_fake fake;
    clock_fake_init(&fake, 5 * USEC_PER_SEC);
    int64_t mono_us = clock_mono_us(&fake.clock);
    assert_int_equal(clock_wall_us(&fake.clock), 5 * USEC_PER_SEC);
    assert_int_not_equal(mono_us, 5 * USEC_PER_SEC);
    clock_fake_advance(&fake, 10);
    assert_int_equal(clock_wall_us(&fake.clock), 5 * USEC_PER_SEC + 10);
    assert_int_equal(clock_mono_us(&fake.clock), mono_us + 10);
    clock_fake_jump_wall(&fake, -USEC_PER_SEC);
    assert_int_equal(clock_wall_us(&fake.clock), 4 * USEC_PER_SEC + 10);
    assert_int_equal(clock_mono_us(&fake.clock), mono_us + 10);
}

static void real_clock_advances(void **state)
{
    (void)state;
    struct clock *clock = clock_real();
    int64_t wall_us = clock_wall_us(clock), seconds = (int64_t)time(NULL);
    assert_true(wall_us / USEC_PER_SEC - seconds <= 1 && seconds - wall_us / USEC_PER_SEC <= 1);
    int64_t before_us = clock_mono_us(clock);
    assert_true(clock_mono_us(clock) >= before_us);
}

static void assert_iso(int64_t wall_us, bool micro, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(64);
    clock_add_iso(&out, wall_us, micro);
    assert_string_equal(out.data, text);
}

static void writes_iso(void **state)
{
    (void)state;
    assert_iso(0, false, "1970-01-01T00:00:00Z");
    assert_iso(INT64_C(1795228618123456), false, "2026-11-21T02:36:58Z");
    assert_iso(INT64_C(1795228618123456), true, "2026-11-21T02:36:58.123456Z");
    assert_iso(-1, true, "1969-12-31T23:59:59.999999Z");
    assert_iso(INT64_C(951782400) * USEC_PER_SEC, false, "2000-02-29T00:00:00Z");
}

static int64_t parse(const char *text)
{
    int64_t us = -1;
    if (!clock_parse_iso(str_c(text), &us)) {
        fail_msg("%s does not parse", text);
    }
    return us;
}

static void parses_iso(void **state)
{
    (void)state;
    int64_t second_us = INT64_C(1795228618) * USEC_PER_SEC;
    assert_true(parse("2026-11-21T02:36:58Z") == second_us);
    assert_true(parse("2026-11-21 02:36:58") == second_us);
    assert_true(parse("2026-11-21T02:36:58.5Z") == second_us + 500000);
    assert_true(parse("2026-11-21T02:36:58.123456789Z") == second_us + 123456);
    assert_true(parse("2026-11-21T02:36") == second_us - 58 * USEC_PER_SEC);
    assert_true(parse("1970-01-02") == USEC_PER_DAY);
    assert_true(parse("2024-02-29") - parse("2024-02-28") == USEC_PER_DAY);
    const char *const bad[] = {"",
                               "2026",
                               "2026-13-01",
                               "2026-00-10",
                               "2026-02-29",
                               "2026-04-31",
                               "2026-11-21T",
                               "2026-11-21T24:00:00Z",
                               "2026-11-21T02:60",
                               "2026-11-21T02:36:60Z",
                               "2026-11-21T02:36:58.Z",
                               "2026-11-21Z",
                               "2026-11-21T02:36:58Zx",
                               "2026-11-21T02:36:58.1234567890Z",
                               "26-11-21",
                               "2026-11-21T02:36:58+01:00",
                               " 2026-11-21",
                               "1900-02-29"};
    int64_t us = 42;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(clock_parse_iso(str_c(bad[i]), &us));
        assert_int_equal(us, 42);
    }
}

/* Random times of the years 0001..9999 parse back, and agree with libc's calendar. */
static void iso_round_trips(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 4);
    AUTO_BUF struct buf out = BUF_INIT(64);
    const int64_t first_s = INT64_C(-62135596800), last_s = INT64_C(253402300799);
    for (int turn = 0; turn < 50000; turn++) {
        time_t s = (time_t)(first_s + (int64_t)rng_below(&rng, (uint64_t)(last_s - first_s)));
        int64_t us = (int64_t)s * USEC_PER_SEC + (int64_t)rng_below(&rng, 1000000), back;
        buf_clear(&out);
        clock_add_iso(&out, us, true);
        assert_true(clock_parse_iso(buf_str(&out), &back));
        assert_true(back == us);
        struct tm utc;
        char expected[64];
        assert_non_null(gmtime_r(&s, &utc));
        (void)strftime(expected, sizeof(expected), "-%m-%dT%H:%M:%S", &utc);
        assert_memory_equal(out.data + 4, expected, strlen(expected));
    }
}

static void writes_when_for_people(void **state)
{
    (void)state;
    int64_t at_us = 0;
    assert_true(clock_parse_iso(STR_LIT("2026-11-21T04:15:21Z"), &at_us));
    AUTO_BUF struct buf out = BUF_INIT(64);
    clock_add_when(&out, at_us, at_us + USEC_PER_HOUR);
    assert_string_equal(out.data, "04:15:21");
    buf_clear(&out);
    clock_add_when(&out, at_us, at_us + 20 * USEC_PER_HOUR);
    assert_string_equal(out.data, "2026-11-21 04:15");
    buf_clear(&out);
    clock_add_when(&out, -1, 0); /* the last second of 1969 */
    assert_string_equal(out.data, "1969-12-31 23:59");
}

static void parses_the_http_date(void **state)
{
    (void)state;
    int64_t at_us = 0, iso_us = 0;
    assert_true(clock_parse_iso(STR_LIT("2026-11-21T02:36:58Z"), &iso_us));
    assert_true(clock_parse_http(STR_LIT("Sat, 21 Nov 2026 02:36:58 GMT"), &at_us));
    assert_int_equal(at_us, iso_us);
    static const char *const bad[] = {
        "",
        "Sat, 21 Nov 2026 02:36:58 UTC",
        "Sat, 21 Nox 2026 02:36:58 GMT",
        "Sat, 31 Feb 2026 02:36:58 GMT",
        "Sat, 00 Nov 2026 02:36:58 GMT",
        "Sat, 21 Nov 2026 24:36:58 GMT",
        "Saturday, 21-Nov-26 02:36:58 GMT",
        "Sat, 21 Nov 2026 02:36:58 GMT ",
        "2026-11-21T02:36:58Z",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(clock_parse_http(str_c(bad[i]), &at_us));
    }
    assert_int_equal(at_us, iso_us);
}

static void assert_duration(int64_t us, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(64);
    clock_add_duration(&out, us);
    assert_string_equal(out.data, text);
}

static void writes_durations(void **state)
{
    (void)state;
    assert_duration(0, "0 s");
    assert_duration(250, "250 µs");
    assert_duration(850 * USEC_PER_MSEC, "850 ms");
    assert_duration(12 * USEC_PER_SEC + 900 * USEC_PER_MSEC, "12 s");
    assert_duration(4 * USEC_PER_MIN + 2 * USEC_PER_SEC, "4 min 2 s");
    assert_duration(4 * USEC_PER_MIN, "4 min");
    assert_duration(3 * USEC_PER_HOUR + 5 * USEC_PER_MIN + 9 * USEC_PER_SEC, "3 h 5 min");
    assert_duration(2 * USEC_PER_DAY + 4 * USEC_PER_HOUR, "2 d 4 h");
    assert_duration(2 * USEC_PER_DAY + 4 * USEC_PER_MIN, "2 d");
    assert_duration(-90 * USEC_PER_SEC, "-1 min 30 s");
}

UNIT_GROUP(clock, cmocka_unit_test(fake_moves_only_when_advanced),
           cmocka_unit_test(real_clock_advances), cmocka_unit_test(writes_iso),
           cmocka_unit_test(parses_iso), cmocka_unit_test(iso_round_trips),
           cmocka_unit_test(writes_when_for_people), cmocka_unit_test(parses_the_http_date),
           cmocka_unit_test(writes_durations))
