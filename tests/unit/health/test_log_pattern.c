/* Patterns of log lines: what is masked, counted and new. */
#include "../../../src/health/log_pattern.h"
#include "base/check.h"
#include "base/clock.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

static void what_changes_each_time_is_masked(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"order 12 rejected after 3.25 ms", "order # rejected after # ms"},
        {"took 12ms (23.5%)", "took #ms (#%)"},
        {"connect 10.0.0.1:8080: refused", "connect #:#: refused"},
        {"order nd-17-3 of BTC-USD", "order nd-#-# of BTC-USD"},
        {"id 3fb0c7e2-0c1d-4e55-9d3b-6a4c0d1e2f3a gone", "id <id> gone"},
        {"at 0x7ffd12ab, commit deadbeefcafe12", "at <id>, commit <id>"},
        {"user \"bob smith\" said 'no'", "user \"…\" said \"…\""},
        {"the client's request isn't valid", "the client's request isn't valid"},
        {"next at 12:05:06, then 2026-11-29T12:05:06Z.", "next at <time>, then <time>."},
        {"an unclosed \"quote", "an unclosed \"quote"},
        {"feedface is a word of letters only", "feedface is a word of letters only"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[LOG_PATTERN_SIZE];
        log_pattern_mask(str_c(cases[i][0]), text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void lines_are_counted_by_their_pattern(void **state)
{
    (void)state;
    struct log_patterns *p = log_patterns_new(1000);
    for (int i = 0; i < 10; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "order %d rejected", i);
        log_patterns_add(p, str_c(line), 100 * i + 500);
    }
    log_patterns_add(p, str_c("disk full"), 900);
    log_patterns_add(p, str_c("feed lost"), 1001);
    log_patterns_add(p, str_c("feed lost"), 1002);
    log_patterns_sort(p, false);
    assert_int_equal(log_patterns_count(p), 3);
    const struct log_pattern *first = log_patterns_at(p, 0);
    assert_string_equal(first->text, "order # rejected");
    assert_string_equal(first->example, "order 9 rejected");
    assert_int_equal(first->count, 10);
    assert_int_equal(first->recent, 5);
    assert_int_equal(first->first_us, 500);
    assert_int_equal(first->last_us, 1400);
    log_patterns_sort(p, true);
    assert_int_equal(log_patterns_count(p), 1);
    assert_string_equal(log_patterns_at(p, 0)->text, "feed lost");
    assert_int_equal(log_patterns_at(p, 0)->count, 2);
    log_patterns_free(p);
}

static void the_number_of_patterns_is_bounded(void **state)
{
    (void)state;
    struct log_patterns *p = log_patterns_new(0);
    for (int i = 0; i < LOG_PATTERNS_MAX + 50; i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "word%c%c%c", 'a' + i % 26, 'a' + i / 26 % 26,
                       'a' + i / 676);
        log_patterns_add(p, str_c(line), 1);
        log_patterns_add(p, str_c(line), 2);
    }
    assert_int_equal(log_patterns_count(p), LOG_PATTERNS_MAX);
    assert_int_equal(log_patterns_other(p), 100);
    log_patterns_sort(p, false);
    assert_int_equal(log_patterns_at(p, LOG_PATTERNS_MAX - 1)->count, 2);
    log_patterns_free(p);
}

static void a_long_line_is_cut_between_characters(void **state)
{
    (void)state;
    char line[2000] = "", text[LOG_PATTERN_SIZE];
    for (size_t i = 0; i + 3 < sizeof(line); i += 3) {
        memcpy(line + i, "€", 3);
    }
    log_pattern_mask(str_c(line), text);
    assert_true(str_is_utf8(str_c(text)));
    assert_in_range(strlen(text), LOG_PATTERN_SIZE - 4, LOG_PATTERN_SIZE - 1);
}

UNIT_GROUP(log_patterns, cmocka_unit_test(what_changes_each_time_is_masked),
           cmocka_unit_test(lines_are_counted_by_their_pattern),
           cmocka_unit_test(the_number_of_patterns_is_bounded),
           cmocka_unit_test(a_long_line_is_cut_between_characters))
