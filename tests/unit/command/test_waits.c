/* Steps that wait until a condition holds. */
#include "base/check.h"
#include "rigs/runner_rig.h"

#include <string.h>

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    runner_rig_add(
        &rig, "await",
        "role: operator\nsteps:\n"
        "  - {id: look, run: test.read, until: $look.count == 7, every: 5s, within: 60s}\n"
        "  - {run: test.note, with: {number: $look.count}}\n"
        "on_failure: [{run: test.note, with: {text: \"gave up at $look.count\"}}]\n"
        "examples: [await]\n");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

static void it_reads_again_until_the_condition_holds(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "await"), 0);
    assert_int_equal(rig->reads, 1);
    loop_advance(rig->loop, 14 * USEC_PER_SEC);
    assert_int_equal(rig->reads, 3);
    assert_has(runner_rig_last(rig), "until $look.count == 7, 10 s of 1 min; now count 3");
    assert_string_equal(rig->notes, "");
    rig->count = 7;
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_string_equal(rig->notes, "[- 7]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

static void a_condition_that_holds_at_once_costs_one_reading(void **state)
{
    struct runner_rig *rig = *state;
    rig->count = 7;
    assert_int_equal(runner_rig_send(rig, "await"), 0);
    assert_int_equal(rig->reads, 1);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

static void it_fails_in_the_end_and_says_what_it_last_saw(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "await"), 0);
    loop_advance(rig->loop, 59 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_has(runner_rig_last(rig), "STEP_NOT_MET");
    assert_has(runner_rig_last(rig), "within 1 min; last seen: count 3, service demo");
    assert_string_equal(rig->notes, "[gave up at 3 -1]");
    assert_int_equal(rig->reads, 13); /* at 0, 5, …, 60 s */
}

static void it_is_cancelled_between_two_readings(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "await"), 0);
    loop_advance(rig->loop, 7 * USEC_PER_SEC);
    assert_int_equal(runner_rig_send(rig, "cancel 1"), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    rig->count = 7;
    loop_advance(rig->loop, 60 * USEC_PER_SEC);
    assert_int_equal(rig->reads, 2);
    assert_string_equal(rig->notes, "");
}

/* The time before the crash counts. */
static void it_goes_on_after_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "await"), 0);
    loop_advance(rig->loop, 40 * USEC_PER_SEC);
    rig->reads = 0;
    runner_rig_crash(rig);
    assert_int_equal(rig->reads, 1);
    loop_advance(rig->loop, 18 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
}

/* However long it was down: it looks once more before it gives up. */
static void it_reads_once_more_after_a_long_stop(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "await"), 0);
    clock_fake_advance(&rig->clock, USEC_PER_DAY);
    rig->count = 7;
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

/* A reading that fails is retried as that of any other step, and then fails the step. */
static void a_reading_that_hangs_ends_with_the_wait(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "hanging",
                   "role: operator\nsteps:\n"
                   "  - {run: test.slow_read, until: never == true, within: 20s, timeout: 50s}\n"
                   "examples: [hanging]\n");
    assert_int_equal(runner_rig_send(rig, "hanging"), 0);
    loop_advance(rig->loop, 19 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_has(runner_rig_last(rig), "STEP_NOT_MET");
    assert_int_equal(rig->cancels, 1);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(waits, RIG_TEST(it_reads_again_until_the_condition_holds),
           RIG_TEST(a_condition_that_holds_at_once_costs_one_reading),
           RIG_TEST(it_fails_in_the_end_and_says_what_it_last_saw),
           RIG_TEST(it_is_cancelled_between_two_readings), RIG_TEST(it_goes_on_after_a_crash),
           RIG_TEST(it_reads_once_more_after_a_long_stop),
           RIG_TEST(a_reading_that_hangs_ends_with_the_wait))
