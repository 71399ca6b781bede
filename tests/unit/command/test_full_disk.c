/* ops.db cannot be written: what goes on, and what is said about it. */
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

static int fail_writes(const char *what, void *userdata)
{
    (void)what;
    return *(bool *)userdata ? -ERR_DB_FULL : 0;
}

static void a_full_disk_only_delays_the_reply(void **state)
{
    struct runner_rig *rig = *state;
    bool full = false;
    ops_store_set_fault(rig->store, fail_writes, &full);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "restart demo", true), 0);
    assert_int_equal(runner_rig_send(rig, "hang"), 0);
    full = true;
    runner_rig_finish(rig, ERR_NONE); /* ends hang; no reply before that is stored */
    loop_advance(rig->loop, 11 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(rig), 0);
    assert_int_equal(runner_active(rig->runner), 2);
    full = false;
    loop_advance(rig->loop, 5 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "hang: done");
    assert_int_equal(runner_rig_state(rig, 2), RUN_DONE);
    assert_int_equal(runner_active(rig->runner), 1);
    assert_int_equal(rig->runs, 2);

    assert_int_equal(runner_rig_call(rig, &rig->alice, "slow", false), 0);
    full = true;
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(rig->replies, 1);          /* a waiting client gets its reply at once */
    assert_int_equal(rig->reply_err, ERR_NONE); /* done, but not recorded yet */
    assert_has(rig->reply_text, "Not recorded yet");
    assert_has(rig->reply_text, "DB_FULL");
    full = false;
    loop_advance(rig->loop, 6 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 3), RUN_DONE);
    assert_int_equal(rig->replies, 1);
    ops_store_set_fault(rig->store, NULL, NULL);
}

/* Its second step ends while nothing can be stored: a waiting client gets the result at once. */
static void a_full_disk_is_reported_in_any_step(void **state)
{
    struct runner_rig *rig = *state;
    bool full = false;
    ops_store_set_fault(rig->store, fail_writes, &full);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "restart demo", true), 0);
    full = true;
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(rig->replies, 1);
    assert_has(rig->reply_text, "Not recorded yet");
    full = false;
    loop_advance(rig->loop, 5 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    ops_store_set_fault(rig->store, NULL, NULL);
}

static void a_preview_can_refuse_on_a_full_disk(void **state)
{
    struct runner_rig *rig = *state;
    bool full = true;
    runner_rig_add(rig, "halt",
                   "role: operator\nconfirm: true\nsteps: [{run: test.pause}]\nexamples: [halt]\n");
    ops_store_set_fault(rig->store, fail_writes, &full);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "halt", false), 0);
    assert_int_equal(rig->reply_err, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply_text, "DB_FULL");
    rig->failures = 1;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "halt", false), 0);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_HTTP_CONNECT);
    assert_lacks(rig->reply_text, "y:");
    ops_store_set_fault(rig->store, NULL, NULL);
}

static void add_halt(struct runner_rig *rig)
{
    runner_rig_add(rig, "halt",
                   "role: operator\nconfirm: true\nsteps: [{run: test.pause}]\nexamples: [halt]\n");
}

/* "confirm CODE" of the prompt that a waiting client got. */
static void read_answer(const struct runner_rig *rig, char ret[32])
{
    const char *at = strstr(rig->reply_text, "/confirm ");
    assert_non_null(at);
    (void)snprintf(ret, 32, "%.14s", at + 1);
}

/* Without a code, the newest open prompt of the same person is meant. */
static void cancel_finds_the_own_prompt_in_memory(void **state)
{
    struct runner_rig *rig = *state;
    bool full = true;
    char by_alice[32];
    add_halt(rig);
    ops_store_set_fault(rig->store, fail_writes, &full);
    assert_int_equal(runner_rig_call(rig, &rig->adam, "halt", false), 0);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "halt", false), 0);
    read_answer(rig, by_alice);
    assert_int_equal(runner_rig_call(rig, &rig->adam, "cancel", false), 0);
    assert_has(rig->reply_text, "Cancelled: halt");
    assert_int_equal(runner_rig_call(rig, &rig->adam, "cancel", false), 0);
    assert_int_equal(rig->reply_err, ERR_CONFIRM_UNKNOWN);
    assert_has(rig->reply_text, "nothing waits for your answer here");
    assert_int_equal(runner_rig_call(rig, &rig->alice, by_alice, false), 0);
    assert_int_equal(rig->reply_err, ERR_NONE);
    assert_int_equal(rig->runs, 1);
    ops_store_set_fault(rig->store, NULL, NULL);
}

/* There is room for sixteen; then the one that expires first makes room. */
static void the_oldest_prompt_in_memory_makes_room(void **state)
{
    struct runner_rig *rig = *state;
    bool full = true;
    char answers[18][32];
    add_halt(rig);
    ops_store_set_fault(rig->store, fail_writes, &full);
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        assert_int_equal(runner_rig_call(rig, &rig->alice, "halt", false), 0);
        read_answer(rig, answers[i]);
        clock_fake_advance(&rig->clock, USEC_PER_SEC);
    }
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        assert_int_equal(runner_rig_call(rig, &rig->alice, answers[i], false), 0);
        assert_int_equal(rig->reply_err, i < 2 ? ERR_DB_FULL : ERR_NONE);
    }
    assert_int_equal(rig->runs, 16);
    ops_store_set_fault(rig->store, NULL, NULL);
}

/* A prompt that is stored waits although its answer cannot be: that is what the answer says. */
static void an_answer_that_cannot_be_stored_says_so(void **state)
{
    struct runner_rig *rig = *state;
    bool full = false;
    ops_store_set_fault(rig->store, fail_writes, &full);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "sell BTC-USD", false), 0);
    full = true;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "cancel", false), 0);
    assert_int_equal(rig->reply_err, ERR_DB_FULL);
    full = false;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "cancel", false), 0);
    assert_has(rig->reply_text, "Cancelled: sell BTC-USD");
    ops_store_set_fault(rig->store, NULL, NULL);
}

/* However short it is. */
static void what_a_step_remembers_is_recorded_later(void **state)
{
    struct runner_rig *rig = *state;
    bool full = true;
    runner_rig_add(rig, "rest",
                   "role: operator\nsteps: [{run: test.rest, timeout: 60s}]\nexamples: [rest]\n");
    rig->note = "7";
    ops_store_set_fault(rig->store, fail_writes, &full);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "rest", false), 0);
    assert_int_equal(rig->runs, 1);
    full = false;
    loop_advance(rig->loop, 3 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    rig->happened = true;
    runner_rig_crash(rig);
    assert_string_equal(rig->remembered, "7");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(full_disk, RIG_TEST(a_full_disk_only_delays_the_reply),
           RIG_TEST(a_full_disk_is_reported_in_any_step),
           RIG_TEST(a_preview_can_refuse_on_a_full_disk),
           RIG_TEST(cancel_finds_the_own_prompt_in_memory),
           RIG_TEST(the_oldest_prompt_in_memory_makes_room),
           RIG_TEST(an_answer_that_cannot_be_stored_says_so),
           RIG_TEST(what_a_step_remembers_is_recorded_later))
