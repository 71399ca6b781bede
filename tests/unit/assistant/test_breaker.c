#include "../../../src/assistant/breaker.h"
#include "unit/unit.h"

static const int64_t start_us = USEC_PER_HOUR;

static void fail_once(struct breaker *breaker, int64_t now_us)
{
    bool trial = false;
    assert_int_equal(breaker_enter(breaker, now_us, &trial, NULL), 0);
    breaker_leave(breaker, trial, BREAKER_FAILED, now_us);
}

static void trip(struct breaker *breaker)
{
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        fail_once(breaker, start_us);
    }
}

static int enter(struct breaker *breaker, int64_t now_us)
{
    bool trial = false;
    return breaker_enter(breaker, now_us, &trial, NULL);
}

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    for (int i = 0; i < BREAKER_FAILURES - 1; i++) {
        fail_once(&breaker, start_us);
    }
    breaker_leave(&breaker, false, BREAKER_ANSWERED, start_us); /* no longer in a row */
    for (int i = 0; i < BREAKER_FAILURES - 1; i++) {
        fail_once(&breaker, start_us);
    }
    assert_int_equal(enter(&breaker, start_us), 0);
    breaker_leave(&breaker, false, BREAKER_NOTHING, start_us); /* says nothing */
    fail_once(&breaker, start_us);
    assert_int_equal(enter(&breaker, start_us), -ERR_CLAUDE_PAUSED);
    assert_int_equal(enter(&breaker, start_us + BREAKER_PAUSE_US - 1), -ERR_CLAUDE_PAUSED);
    assert_int_equal(enter(&breaker, start_us + BREAKER_PAUSE_US), 0);
}

static void one_request_is_tried_after_the_pause(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    bool trial = false;
    trip(&breaker);
    int64_t now_us = start_us + BREAKER_PAUSE_US;
    assert_int_equal(breaker_enter(&breaker, now_us, &trial, NULL), 0);
    assert_true(trial);
    assert_int_equal(enter(&breaker, now_us), -ERR_CLAUDE_PAUSED);
    /* Cancelled: the next one is tried instead. */
    breaker_leave(&breaker, trial, BREAKER_NOTHING, now_us);
    assert_int_equal(breaker_enter(&breaker, now_us, &trial, NULL), 0);
    breaker_leave(&breaker, trial, BREAKER_ANSWERED, now_us);
    assert_int_equal(breaker_enter(&breaker, now_us, &trial, NULL), 0);
    assert_false(trial);
    assert_int_equal(enter(&breaker, now_us), 0);
}

static void the_pause_doubles_up_to_its_maximum(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    trip(&breaker);
    int64_t now_us = start_us;
    static const int64_t pauses_min[] = {15, 30, 60, 120, 120, 120};
    for (size_t i = 0; i < sizeof(pauses_min) / sizeof(pauses_min[0]); i++) {
        int64_t end_us = now_us + pauses_min[i] * USEC_PER_MIN;
        assert_int_equal(enter(&breaker, end_us - 1), -ERR_CLAUDE_PAUSED);
        fail_once(&breaker, end_us);
        now_us = end_us;
    }
}

static void a_late_failure_does_not_lengthen_the_pause(void **state)
{
    (void)state;
    struct breaker breaker = {0};
    trip(&breaker);
    breaker_leave(&breaker, false, BREAKER_FAILED, start_us + USEC_PER_MIN);
    assert_int_equal(enter(&breaker, start_us + BREAKER_PAUSE_US), 0);
}

UNIT_GROUP(breaker, cmocka_unit_test(failures_in_a_row_open_it),
           cmocka_unit_test(one_request_is_tried_after_the_pause),
           cmocka_unit_test(the_pause_doubles_up_to_its_maximum),
           cmocka_unit_test(a_late_failure_does_not_lengthen_the_pause))
