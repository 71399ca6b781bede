/* A dry run: what a command would do, and nothing is done. */
#include "base/check.h"
#include "rigs/runner_rig.h"

#include <string.h>

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    runner_rig_add(&rig, "plan",
                   "role: read_only\n"
                   "args: [{name: line, type: text, rest: true, required: true, help: l}]\n"
                   "steps: [{run: command.plan, with: {line: $line}}]\nexamples: [plan look]\n");
    runner_rig_add(&rig, "flow",
                   "role: operator\nconfirm: true\n"
                   "args: [{name: text, type: text, required: true, help: t},\n"
                   "       {name: more, type: text, help: m}]\nsteps:\n"
                   "  - {id: look, run: test.read}\n"
                   "  - {run: test.note, when: $look.count > 5, with: {text: many}}\n"
                   "  - {run: test.known, when: $look.count == 3, timeout: 20s, retries: 2}\n"
                   "  - {id: later, run: test.slow_read, until: $look.count == 3, within: 40s}\n"
                   "  - {run: test.note, with: {text: \"$text $look.count\"}}\n"
                   "on_failure: [{run: test.note, with: {text: undo}}]\nexamples: [flow x]\n");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

static const char *plan(struct runner_rig *rig, const char *line)
{
    assert_int_equal(runner_rig_call(rig, &rig->alice, line, false), 0);
    return rig->reply_text;
}

static void it_says_what_would_happen_and_does_nothing(void **state)
{
    struct runner_rig *rig = *state;
    const char *text = plan(rig, "plan flow \"two words\" more=x");
    assert_has(text, "Plan: flow \\\"two words\\\" x");
    assert_has(text, "a confirmation");
    assert_has(text, "known"); /* the lock */
    assert_has(text, "skipped now: not $look.count > 5");
    assert_has(text, "at most 20 s, 2 retries");
    assert_has(text, "until $look.count == 3 within 40 s");
    assert_has(text, "5. Note something (text: two words 3)");
    assert_has(text, "6. Note something (text: undo)");
    assert_has(text, "\"will\":\"skip\"");
    loop_advance(rig->loop, USEC_PER_MIN);
    assert_int_equal(rig->runs, 0);
    assert_string_equal(rig->notes, "");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE); /* that of plan itself */
    struct run_row rows[2] = {0};
    assert_int_equal(run_table_list(rig->store, &(struct run_query){0}, rows, 2, NULL), 1);
    run_row_release(&rows[0]);
    assert_int_equal(runner_rig_messages(rig), 0);
}

/* A condition on what a step gives that changes something is not guessed. */
static void what_only_the_run_can_know_is_said_so(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "asks",
                   "role: operator\nsteps:\n  - {id: ok, approve: {text: \"Go on?\", within: 2h}}\n"
                   "  - {run: test.note, when: $ok.by == adam, with: {text: \"by $ok.by\"}}\n"
                   "examples: [asks]\n");
    const char *text = plan(rig, "plan asks");
    assert_has(text, "at most 2 h");
    assert_has(text, "only if $ok.by == adam");
    assert_has(text, "2. Note something (text: by $ok.by)");
    assert_has(text, "\"will\":\"depends\"");
}

static void it_needs_the_permission_of_the_command(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_call(rig, &rig->rita, "plan flow x", false), 0);
    assert_int_equal(rig->reply_err, ERR_ACCESS_DENIED);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "plan flow", false), 0);
    assert_int_equal(rig->reply_err, ERR_COMMAND_ARG_MISSING);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "plan nothing", false), 0);
    assert_int_equal(rig->reply_err, ERR_COMMAND_UNKNOWN);
}

static void it_says_that_a_lock_is_held(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    assert_has(plan(rig, "plan flow x"), "Refused now: COMMAND_LOCKED");
}

/* A line as one quoted word, and a plan of a plan. */
static void the_rest_of_the_line_is_one_argument(void **state)
{
    struct runner_rig *rig = *state;
    assert_has(plan(rig, "plan \"flow a b\""), "Plan: flow a b");
    assert_has(plan(rig, "plan line=\"flow a b\""), "Plan: flow a b");
    assert_has(plan(rig, "plan flow text=\"a b\""), "Plan: flow \\\"a b\\\"");
    assert_has(plan(rig, "plan flow \"more=x\""), "Plan: flow \\\"more=x\\\"");
    assert_has(plan(rig, "plan plan flow x"), "Plan: plan \\\"flow x\\\"");
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(plans, RIG_TEST(it_says_what_would_happen_and_does_nothing),
           RIG_TEST(what_only_the_run_can_know_is_said_so),
           RIG_TEST(it_needs_the_permission_of_the_command), RIG_TEST(it_says_that_a_lock_is_held),
           RIG_TEST(the_rest_of_the_line_is_one_argument))
