/* confirm_after: steps that read run first, and the prompt shows what they replied. */
#include "base/check.h"
#include "rigs/runner_rig.h"
#include "store/outbox_table.h"

#include <string.h>

#define SHIP                                                                 \
    "role: operator\nconfirm: true\nconfirm_after: look\nsteps:\n"           \
    "  - {id: first, run: test.read}\n  - {id: look, run: test.slow_read}\n" \
    "  - {run: test.change, with: {service: demo}}\n"                        \
    "  - {run: test.note, with: {text: \"counted $first.count\"}}\n"         \
    "on_failure: [{run: test.note, with: {text: undone}}]\nundo: true\n"     \
    "always: [{run: test.note, with: {text: end}}]\nexamples: [ship]\n"

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    runner_rig_add(&rig, "ship", SHIP);
    rig.count = 41;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

static void begin(struct runner_rig *rig)
{
    assert_int_equal(runner_rig_send(rig, "ship"), 0);
    assert_int_equal(rig->reads, 2);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    assert_int_equal(runner_rig_audited(rig, "confirm.asked"), 0);
}

static int answer(struct runner_rig *rig, bool yes)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "%s:%s", yes ? "y" : "n", runner_rig_code(rig));
    return runner_rig_send(rig, line);
}

static void the_prompt_shows_what_was_read_before_it(void **state)
{
    struct runner_rig *rig = *state;
    begin(rig);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CONFIRMING);
    assert_int_equal(rig->runs, 0);
    const char *prompt = runner_rig_last(rig);
    assert_has(prompt, "Confirm: ship");
    assert_has(prompt, "all is well");
    assert_has(prompt, "Change something");
    assert_has(prompt, "Expires in 10 min");
    assert_null(strstr(prompt, "Read slowly"));
    rig->count = 99; /* the outputs are those that were read then */
    assert_int_equal(answer(rig, true), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_string_equal(rig->notes, "[counted 41 -1][end -1]");
    assert_int_equal(rig->reads, 2);
    assert_has(runner_rig_last(rig), "all is well"); /* what was shown is still there */
    assert_int_equal(runner_rig_audited(rig, "confirm.given"), 1);
}

static void nothing_is_undone_of_what_was_not_confirmed(void **state)
{
    struct runner_rig *rig = *state;
    begin(rig);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(answer(rig, false), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    assert_has(runner_rig_last(rig), "Nothing was done");
    assert_int_equal(runner_rig_send(rig, "ship"), 0);
    assert_int_equal(runner_rig_send(rig, "cancel 2"), 0); /* while it reads */
    assert_int_equal(runner_rig_state(rig, 2), RUN_CANCELLED);
    assert_true(runner_rig_sent(rig, "Nothing was done"));
    assert_int_equal(runner_rig_send(rig, "ship"), 0);
    runner_rig_finish(rig, ERR_FILE_MISSING);
    assert_int_equal(runner_rig_state(rig, 3), RUN_FAILED);
    assert_string_equal(rig->notes, "");
    assert_int_equal(rig->runs, 0);
}

static void it_expires_like_any_prompt(void **state)
{
    struct runner_rig *rig = *state;
    begin(rig);
    runner_rig_finish(rig, ERR_NONE);
    loop_advance(rig->loop, 9 * USEC_PER_MIN);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CONFIRMING);
    loop_advance(rig->loop, 2 * USEC_PER_MIN);
    assert_int_equal(runner_rig_state(rig, 1), RUN_EXPIRED);
    assert_string_equal(rig->notes, "");
}

static void a_crash_while_it_reads_reads_again_and_asks(void **state)
{
    struct runner_rig *rig = *state;
    begin(rig);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CONFIRMING);
    assert_int_equal(rig->runs, 0);
    rig->count = 99;
    runner_rig_crash(rig); /* the prompt and what it shows survive, too */
    assert_int_equal(answer(rig, true), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_has(rig->notes, "[counted 41 -1][end -1]");
}

static void nothing_is_locked_before_it_is_confirmed(void **state)
{
    struct runner_rig *rig = *state;
    begin(rig);
    assert_int_equal(runner_rig_send(rig, "ship"), 0);
    assert_int_equal(runner_rig_state(rig, 2), RUN_RUNNING);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_send(rig, "ship"), 0);
    assert_int_equal(runner_rig_state(rig, 3), RUN_RUNNING);
}

static void who_confirms_at_once_is_not_asked(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "ship", true), 0);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_int_equal(rig->reply_err, ERR_NONE);
    assert_has(rig->reply_text, "all is well");
}

static void a_channel_that_waits_gets_the_prompt(void **state)
{
    struct runner_rig *rig = *state;
    struct principal api = rig->adam;
    api.channel = CHANNEL_HTTP;
    assert_int_equal(runner_rig_call(rig, &api, "ship", false), 0);
    assert_int_equal(rig->replies, 0);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply_text, "all is well");
}

/* "Run now?" comes first, and only then is anything read. */
static void an_old_message_is_asked_about_before_and_after(void **state)
{
    struct runner_rig *rig = *state;
    const struct invocation in = {.line = "ship",
                                  .who = &rig->alice,
                                  .chat_id = rig->chat_id,
                                  .sent_us = clock_wall_us(&rig->clock.clock) - USEC_PER_HOUR};
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_int_equal(rig->reads, 0);
    assert_has(runner_rig_last(rig), "Run now? ship");
    assert_int_equal(answer(rig, true), 0);
    assert_int_equal(rig->reads, 2);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CONFIRMING);
    assert_int_equal(rig->runs, 0);
    assert_has(runner_rig_last(rig), "Confirm: ship");
    assert_int_equal(answer(rig, true), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_GROUP(prepare, RIG_TEST(the_prompt_shows_what_was_read_before_it),
           RIG_TEST(nothing_is_undone_of_what_was_not_confirmed),
           RIG_TEST(it_expires_like_any_prompt),
           RIG_TEST(a_crash_while_it_reads_reads_again_and_asks),
           RIG_TEST(nothing_is_locked_before_it_is_confirmed),
           RIG_TEST(who_confirms_at_once_is_not_asked),
           RIG_TEST(a_channel_that_waits_gets_the_prompt),
           RIG_TEST(an_old_message_is_asked_about_before_and_after))
