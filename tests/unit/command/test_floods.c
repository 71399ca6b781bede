/* Messages above the limit: one message counts them. */
#include "base/check.h"
#include "rigs/runner_rig.h"

#include <string.h>

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

static void floods_are_answered_once(void **state)
{
    struct runner_rig *rig = *state;
    rig->config.commands_rate = 5;
    runner_rig_crash(rig);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(runner_rig_send(rig, "look"), 0);
    }
    assert_int_equal(rig->reads, 5);
    assert_int_equal(runner_rig_messages(rig), 6);
    assert_has(runner_rig_last(rig), "ACCESS_RATE_LIMITED");
    assert_int_equal(runner_rig_audited(rig, "command.limited"), 1);
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(rig), 7); /* the same message, edited */
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
    assert_has(runner_rig_last(rig), "7 messages; more than 5");
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "9 messages; more than 5");
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(rig), 7);
    rig->alice.emergency = true;
    assert_int_equal(runner_rig_send(rig, "stop"), 0); /* emergency commands are not limited */
    assert_int_equal(rig->runs, 1);
    clock_fake_advance(&rig->clock, USEC_PER_MIN / 5);
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    assert_int_equal(rig->reads, 6);
}

static void each_person_has_an_own_count(void **state)
{
    struct runner_rig *rig = *state;
    rig->config.commands_rate = 1;
    runner_rig_crash(rig);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(runner_rig_send(rig, "look"), 0);
        assert_int_equal(runner_rig_submit(rig, &rig->adam, "look"), 0);
    }
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_true(runner_rig_sent(rig, "4 messages; more than 1")); /* alice */
    assert_true(runner_rig_sent(rig, "3 messages; more than 1")); /* adam */
}

static int count_commits(const char *what, void *userdata)
{
    *(int *)userdata += strcmp(what, "COMMIT") == 0 ? 1 : 0;
    return 0;
}

/* The chat is notified at once, and not again while nothing more is refused. */
static void a_count_is_sent_once(void **state)
{
    struct runner_rig *rig = *state;
    int commits = 0;
    rig->config.commands_rate = 2;
    runner_rig_crash(rig);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(runner_rig_send(rig, "look"), 0);
    }
    ops_store_set_fault(rig->store, count_commits, &commits);
    int wakes = rig->outbox_wakes;
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_int_equal(commits, 1);
    assert_true(rig->outbox_wakes > wakes);
    loop_advance(rig->loop, USEC_PER_MIN);
    assert_int_equal(commits, 1);
    ops_store_set_fault(rig->store, NULL, NULL);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(floods, RIG_TEST(floods_are_answered_once), RIG_TEST(each_person_has_an_own_count),
           RIG_TEST(a_count_is_sent_once))
