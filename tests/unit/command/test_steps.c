/* The steps of a run: conditions, outputs, retries, parallel groups, always, cancel. */
#include "base/check.h"
#include "io/embed.h"
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

static enum run_step_state step_state(struct runner_rig *rig, int64_t run, int index)
{
    struct run_step steps[24];
    int n = run_table_steps(rig->store, run, steps, COUNT_OF(steps), NULL);
    for (int i = 0; i < n; i++) {
        if (steps[i].index == index) {
            return steps[i].state;
        }
    }
    fail_msg("run %lld has no row of step %d", (long long)run, index);
    return RUN_STEP_UNKNOWN;
}

/* ---- outputs and conditions ---- */

static const char flow[] = "role: operator\n"
                           "args: [{name: force, type: text, required: false, help: f}]\n"
                           "steps:\n"
                           "  - {id: look, run: test.read}\n"
                           "  - {run: test.note, with: {text: \"saw $look.count in "
                           "$look.service.\", number: $look.count}}\n"
                           "  - {run: test.note, when: \"$look.count > 5 or $force == yes\", "
                           "with: {text: many}}\n"
                           "  - {run: test.note, when: not ($look.count > 5), with: {text: few}}\n"
                           "examples: [flow]\n";

static void later_steps_use_the_outputs_of_earlier_ones(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "flow", flow);
    assert_int_equal(runner_rig_send(rig, "flow"), 0);
    assert_string_equal(rig->notes, "[saw 3 in demo. 3][few -1]");
    assert_int_equal(step_state(rig, 1, 2), RUN_STEP_SKIPPED);
    struct run_step rows[4];
    assert_int_equal(run_table_steps(rig->store, 1, rows, 4, NULL), 4);
    assert_int_equal(rows[2].started_us, rig->clock.now_wall_us); /* when it was passed over */
    assert_has(runner_rig_last(rig), "skipped, not $look.count > 5 or $force == yes");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    rig->notes[0] = '\0';
    rig->count = 7;
    assert_int_equal(runner_rig_send(rig, "flow"), 0);
    assert_string_equal(rig->notes, "[saw 7 in demo. 7][many -1]");
    rig->notes[0] = '\0';
    rig->count = 1;
    assert_int_equal(runner_rig_send(rig, "flow yes"), 0);
    assert_string_equal(rig->notes, "[saw 1 in demo. 1][many -1][few -1]");
}

/* A decimal of the command line is compared exactly, however it was written. */
static void a_condition_compares_a_decimal_argument(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(
        rig, "above",
        "role: operator\nargs: [{name: limit, type: decimal, minimum: 0, maximum: 9999, "
        "required: true, help: h}]\nsteps:\n  - {id: look, run: test.read}\n"
        "  - {run: test.note, when: $look.count > $limit, with: {text: above}}\n"
        "  - {run: test.note, when: $look.count == $limit, with: {text: \"at $limit\"}}\n"
        "examples: [above 2.5]\n");
    rig->count = 1234;
    assert_int_equal(runner_rig_send(rig, "above 1,233.99999999"), 0);
    assert_int_equal(runner_rig_send(rig, "above 1234.00"), 0);
    assert_string_equal(rig->notes, "[above -1][at 1234 -1]");
    assert_int_equal(runner_rig_send(rig, "above 1,5"), 0);
    assert_has(runner_rig_last(rig), "ambiguous");
    assert_int_equal(runner_rig_send(rig, "above 10000"), 0);
    assert_has(runner_rig_last(rig), "is not in 0 to 9999");
}

static void outputs_survive_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "long",
                   "role: operator\nsteps:\n  - {id: look, run: test.read}\n"
                   "  - {run: test.known}\n"
                   "  - {run: test.note, with: {number: $look.count}}\n"
                   "examples: [long]\n");
    assert_int_equal(runner_rig_send(rig, "long"), 0);
    rig->count = 99;
    rig->happened = true;
    runner_rig_crash(rig);
    assert_string_equal(rig->notes, "[- 3]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

/* What the steps before a crash took is in the reply after it. */
static void durations_survive_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "twice",
                   "role: operator\nsteps:\n  - {run: test.known, timeout: 20s}\n"
                   "  - {run: test.slow_read, timeout: 20s}\nexamples: [twice]\n");
    assert_int_equal(runner_rig_send(rig, "twice"), 0);
    clock_fake_advance(&rig->clock, 3 * USEC_PER_SEC);
    runner_rig_finish(rig, ERR_NONE);
    clock_fake_advance(&rig->clock, USEC_PER_SEC);
    runner_rig_crash(rig);
    runner_rig_finish(rig, ERR_NONE);
    assert_has(runner_rig_last(rig), "✅ Change slowly, can be looked up  3.0 s");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

static void an_output_that_is_missing_fails_the_step(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "gap",
                   "role: operator\nsteps:\n"
                   "  - {id: look, run: test.read, when: a == b}\n"
                   "  - {run: test.note, when: $look.count < 5}\n"
                   "  - {run: test.note, with: {number: $look.count}}\n"
                   "  - {run: test.change, with: {service: demo, note: $look.count}}\n"
                   "examples: [gap]\n");
    assert_int_equal(runner_rig_send(rig, "gap"), 0);
    assert_string_equal(rig->notes, "[- -1]");
    assert_string_equal(rig->seen, "demo|-|-1");
    runner_rig_add(rig, "words",
                   "role: operator\nargs: [{name: n, type: text, required: true, "
                   "help: n}]\nsteps: [{run: test.note, when: $n > 5}]\n"
                   "examples: [words x]\n");
    assert_int_equal(runner_rig_send(rig, "words many"), 0);
    assert_has(runner_rig_last(rig), "when: many is not a number");
}

static void bad_workflows_are_refused_with_their_place(void **state)
{
    struct runner_rig *rig = *state;
    static const struct {
        const char *steps;
        const char *complaint;
    } cases[] = {
        {"  - {run: test.note, with: {number: $look.count}}\n",
         "7:37: no earlier step has the id look"},
        {"  - {id: a, run: test.read}\n  - {run: test.note, with: {number: $a.size}}\n",
         "8:37: test.read gives no output size; it gives: count service"},
        {"  - {id: a, run: test.read}\n  - {id: a, run: test.read}\n", "already the name"},
        {"  - {id: A, run: test.read}\n", "7:10: id A does not match"},
        {"  - {run: test.read, when: $x == 1}\n", "7:28: when: $x is not an argument"},
        {"  - {run: test.read, when: a == 1 b}\n", "7:35: when: expected and, or"},
        {"  - {run: test.read, when: \"a == 'b\"}\n", "the quotation mark is not closed"},
        {"  - {run: test.read, wen: a}\n", "7:22: unknown key wen; did you mean when?"},
        {"  - {id: a, run: test.read}\n  - {run: test.change, with: {service: $a.service}}\n",
         "service decides what the command locks"},
        {"  - {parallel: [{run: test.read}]}\n", "7:16: parallel must be a list of at least 2"},
        {"  - {parallel: [{id: a, run: test.read}, {run: test.note, with: {number: $a.count}}]}\n",
         "no earlier step has the id a"},
        {"  - {run: test.flaky, backoff: {initial: 1s}}\n", "backoff needs retries"},
        {"  - {run: test.flaky, retries: 1, backoff: {factor: 0.5}}\n", "factor must be a number"},
        {"  - {run: test.flaky, retries: 1, backoff: {start: 1s}}\n", "unknown key start"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];
        struct err err = {0};
        struct manifest_list *list = NULL;
        int n = snprintf(text, sizeof(text),
                         "command: x\ngroup: see\nsummary: s\nrole: operator\nexamples: [x]\n"
                         "steps:\n%s",
                         cases[i].steps);
        const struct embedded_file files[] = {
            {.path = "commands/x.yaml", .data = text, .size = (size_t)n}, {0}};
        assert_int_equal(manifest_list_read(rig->actions, files, &list, &err),
                         -ERR_MANIFEST_FORMAT);
        if (strstr(err.context, cases[i].complaint) == NULL) {
            fail_msg("'%s' lacks '%s'", err.context, cases[i].complaint);
        }
    }
}

/* ---- always, on_failure ---- */

static const char tidy[] = "role: operator\nsteps:\n  - {run: test.note, with: {text: one}}\n"
                           "  - {run: test.known, timeout: 20s}\n"
                           "  - {run: test.note, with: {text: two}}\n"
                           "on_failure: [{run: test.note, with: {text: failed}}]\n"
                           "always: [{run: test.note, with: {text: last}}]\n"
                           "examples: [tidy]\n";

static void always_runs_however_the_run_ends(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "tidy", tidy);
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    runner_rig_finish(rig, ERR_NONE);
    assert_string_equal(rig->notes, "[one -1][two -1][last -1]");
    rig->notes[0] = '\0';
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    runner_rig_finish(rig, ERR_HTTP_TLS);
    assert_string_equal(rig->notes, "[one -1][failed -1][last -1]");
    assert_int_equal(runner_rig_state(rig, 2), RUN_FAILED);
    rig->notes[0] = '\0';
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    loop_advance(rig->loop, 21 * USEC_PER_SEC);
    assert_string_equal(rig->notes, "[one -1][failed -1][last -1]");
    assert_has(runner_rig_last(rig), "STEP_TIMEOUT");
    rig->notes[0] = '\0';
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    assert_int_equal(runner_rig_send(rig, "cancel 4"), 0);
    assert_string_equal(rig->notes, "[one -1][last -1]");
    assert_true(runner_rig_sent(rig, "The steps that always run are run now."));
    assert_int_equal(runner_rig_state(rig, 4), RUN_CANCELLED);

    rig->notes[0] = '\0'; /* a crash in a step that had no effect */
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    runner_rig_crash(rig);
    assert_string_equal(rig->notes, "[one -1][last -1]");
    assert_int_equal(runner_rig_state(rig, 5), RUN_FAILED);
    assert_has(runner_rig_last(rig), "COMMAND_NOT_DONE");
}

/* The action found out that the interrupted call had failed: that is as if there had been no crash.
 */
static void a_failure_found_after_a_crash_runs_on_failure(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "tidy", tidy);
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    rig->must_ask = true;
    runner_rig_crash(rig);
    runner_rig_finish(rig, ERR_HTTP_TLS);
    assert_string_equal(rig->notes, "[one -1][failed -1][last -1]");
    assert_has(runner_rig_last(rig), "tidy: failed after");
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
}

/* on_failure that undoes: also after a cancel, a crash, and a cancel while it runs. */
static void an_undo_runs_however_the_run_is_stopped(void **state)
{
    struct runner_rig *rig = *state;
    AUTO_BUF struct buf text = BUF_INIT(2048);
    buf_addf(&text, "undo: true\n%s", tidy);
    runner_rig_add(rig, "tidy", text.data);
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    assert_int_equal(runner_rig_send(rig, "cancel 1"), 0);
    assert_string_equal(rig->notes, "[one -1][failed -1][last -1]");
    assert_true(runner_rig_sent(rig, "What it has done is undone now."));
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    rig->notes[0] = '\0'; /* a crash in a step that had no effect */
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    runner_rig_crash(rig);
    assert_string_equal(rig->notes, "[one -1][failed -1][last -1]");
    assert_has(runner_rig_last(rig), "COMMAND_NOT_DONE");
    rig->notes[0] = '\0'; /* nothing failed: nothing is undone */
    assert_int_equal(runner_rig_send(rig, "tidy"), 0);
    runner_rig_finish(rig, ERR_NONE);
    assert_string_equal(rig->notes, "[one -1][two -1][last -1]");
}

static void an_undo_is_neither_cancelled_nor_given_up(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "mend",
                   "role: operator\nundo: true\nsteps: [{run: test.known, timeout: 20s}]\n"
                   "on_failure:\n  - {run: test.known, retries: 2, timeout: 60s}\n"
                   "  - {run: test.note, with: {text: undone}}\nexamples: [mend]\n");
    assert_int_equal(runner_rig_send(rig, "mend"), 0);
    runner_rig_finish(rig, ERR_HTTP_TLS);
    assert_int_equal(runner_rig_send(rig, "cancel 1"), 0);
    runner_rig_finish(rig, ERR_POOL_BUSY);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    runner_rig_finish(rig, ERR_NONE);
    assert_string_equal(rig->notes, "[undone -1]");
}

/* ---- cancel ---- */

static void a_running_run_is_cancelled(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    assert_int_equal(runner_rig_send(rig, press), 0);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "\"command\":\"/cancel 1\"");
    assert_int_equal(runner_rig_submit(rig, &rig->rita, "/cancel 1"), 0);
    assert_has(runner_rig_last(rig), "ACCESS_DENIED");
    assert_int_equal(runner_active(rig->runner), 1);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "/cancel 1"), 0);
    assert_int_equal(rig->cancels, 1);
    assert_int_equal(runner_active(rig->runner), 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    assert_int_equal(step_state(rig, 1, 1), RUN_STEP_CANCELLED);
    assert_int_equal(runner_rig_audited(rig, "command.cancelled"), 1);
    assert_int_equal(runner_rig_audited(rig, "step.failed"), 0);
    assert_has(runner_rig_audit_detail(rig, "command.finished"), "restart demo: cancelled");
    assert_false(runner_rig_sent(rig, "cannot be cancelled any more")); /* the first step is done */
    int reads = rig->reads;                                             /* on_failure did not run */
    assert_int_equal(reads, 1);
    const char *edited = runner_rig_message(rig, 2); /* the run's own message */
    assert_has(edited, "restart demo: cancelled by adam after 2.0 s");
    assert_has(edited, "COMMAND_CANCELLED");
    assert_int_equal(runner_rig_send(rig, "/cancel 1"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_NOT_RUNNING");
    assert_int_equal(runner_rig_send(rig, "/cancel 77"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_NOT_RUNNING");
    assert_int_equal(runner_rig_call(rig, &rig->alice, "restart demo", true), 0); /* unlocked */
    assert_int_equal(rig->runs, 2);
}

static void a_cancelled_change_is_recorded_with_its_person(void **state)
{
    struct runner_rig *rig = *state;
    struct run_step row;
    assert_int_equal(runner_rig_send(rig, "hang"), 0);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "/cancel 1"), 0);
    assert_int_equal(run_table_steps(rig->store, 1, &row, 1, NULL), 1);
    assert_string_equal(row.result, "by adam");
    assert_int_equal(runner_rig_audited(rig, "step.cancelled"), 1);
    assert_int_equal(runner_rig_audited(rig, "step.done"), 0);
    assert_int_equal(runner_rig_send(rig, "change demo"), 0);
    assert_int_equal(runner_rig_audited(rig, "step.cancelled"), 1);
    assert_int_equal(runner_rig_audited(rig, "step.done"), 1);
}

static void a_waiting_client_learns_of_the_cancel(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "hang", false), 0);
    assert_int_equal(rig->replies, 0);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "/cancel 1"), 0);
    assert_has(runner_rig_last(rig), "may have taken effect");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_SEND);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_COMMAND_CANCELLED);
    assert_has(rig->reply_text, "cancelled; it may have taken effect");
}

static void cancel_without_a_number_still_answers_the_prompt(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "hang"), 0);
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    assert_int_equal(runner_rig_send(rig, "/cancel"), 0);
    assert_has(runner_rig_last(rig), "Cancelled: sell BTC-USD");
    assert_int_equal(runner_active(rig->runner), 1);
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "/cancel 3"), 0); /* not his prompt */
    assert_has(runner_rig_last(rig), "CONFIRM_FOREIGN");
    assert_int_equal(runner_rig_send(rig, "/cancel 3"), 0); /* the run of a prompt */
    assert_int_equal(runner_rig_state(rig, 3), RUN_CANCELLED);
}

/* A crash right after the cancel: the run does not continue, and always runs. */
static void a_cancelled_run_stays_cancelled_after_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "slowly",
                   "role: operator\nsteps: [{run: test.slow_read}, {run: test.note}]\n"
                   "always: [{run: test.slow_read}, "
                   "{run: test.note, with: {text: last}}]\nexamples: [slowly]\n");
    assert_int_equal(runner_rig_send(rig, "slowly"), 0);
    assert_int_equal(runner_rig_send(rig, "/cancel 1"), 0);
    assert_int_equal(runner_active(rig->runner), 1); /* in always */
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "⏳ Read slowly: looking");
    assert_lacks(runner_rig_last(rig), "\"/cancel 1\""); /* it cannot be cancelled twice */
    runner_rig_crash(rig);
    runner_rig_finish(rig, ERR_NONE);
    assert_string_equal(rig->notes, "[last -1]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
}

/* ---- parallel ---- */

static const char both[] = "role: operator\nsteps:\n  - parallel:\n"
                           "      - {run: test.slow_read, timeout: 60s}\n"
                           "      - {run: test.known, timeout: 60s}\n"
                           "  - {run: test.note, with: {text: after}}\n"
                           "on_failure: [{run: test.note, with: {text: failed}}]\n"
                           "examples: [both]\n";

static void a_group_ends_when_all_its_steps_have(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "both", both);
    assert_int_equal(runner_rig_send(rig, "both"), 0);
    assert_non_null(rig->calls[1]);
    reply_line(action_reply(rig->calls[0]), "from the second");
    reply_line(action_reply(rig->calls[1]), "from the first");
    runner_rig_finish_call(rig, 0, ERR_NONE);
    assert_string_equal(rig->notes, "");
    assert_int_equal(step_state(rig, 1, 1), RUN_STEP_DONE); /* stored at once */
    assert_int_equal(step_state(rig, 1, 0), RUN_STEP_RUNNING);
    runner_rig_finish_call(rig, 1, ERR_NONE);
    assert_string_equal(rig->notes, "[after -1]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    const char *text = runner_rig_last(rig); /* each part is headed by its step */
    assert_non_null(strstr(strstr(text, "\"Read slowly\""), "from the first"));
    assert_non_null(strstr(strstr(text, "\"Change slowly, can be looked up\""), "from the second"));
}

static void a_failure_in_a_group_lets_the_others_finish(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "both", both);
    assert_int_equal(runner_rig_send(rig, "both"), 0);
    runner_rig_finish_call(rig, 1, ERR_HTTP_TLS);
    assert_int_equal(rig->cancels, 0);
    assert_string_equal(rig->notes, "");
    runner_rig_finish_call(rig, 0, ERR_NONE);
    assert_string_equal(rig->notes, "[failed -1]");
    assert_int_equal(step_state(rig, 1, 1), RUN_STEP_DONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
}

static void a_group_is_recovered_step_by_step(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "both", both);
    assert_int_equal(runner_rig_send(rig, "both"), 0);
    rig->must_ask = true;
    runner_rig_crash(rig); /* both were running: one is read again, one is looked up */
    assert_int_equal(rig->reads, 2);
    assert_int_equal(rig->recovers, 1);
    assert_int_equal(rig->runs, 1);
    runner_rig_finish_call(rig, 1, ERR_NONE);
    assert_int_equal(runner_active(rig->runner), 1);
    runner_rig_finish_call(rig, 0, ERR_NONE);
    assert_string_equal(rig->notes, "[after -1]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

/* ---- retries ---- */

static void retries_wait_longer_each_time(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "again",
                   "role: operator\nsteps: [{run: test.flaky, retries: 4, backoff: "
                   "{initial: 10s, factor: 3, max: 60s}}]\nexamples: [again]\n");
    rig->failures = 9;
    assert_int_equal(runner_rig_send(rig, "again"), 0);
    static const int64_t longest_s[] = {10, 30, 60, 60};
    for (int i = 0; i < 4; i++) {
        int64_t waited_us = 0;
        for (; rig->runs == i + 1 && waited_us <= USEC_PER_MIN; waited_us += 100 * USEC_PER_MSEC) {
            loop_advance(rig->loop, 100 * USEC_PER_MSEC);
        }
        assert_in_range(waited_us, longest_s[i] * USEC_PER_SEC * 4 / 5,
                        longest_s[i] * USEC_PER_SEC);
    }
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
}

/* What a step said about itself does not outlive its attempt. */
static void a_retry_begins_without_progress(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "again",
                   "role: operator\nsteps: [{run: test.hang, timeout: 60s, retries: 1, backoff: "
                   "{initial: 5s}}]\nexamples: [again]\n");
    assert_int_equal(runner_rig_send(rig, "again"), 0);
    runner_rig_finish(rig, ERR_HTTP_CONNECT);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "without recover: ");
    assert_has(runner_rig_last(rig), "; retrying");
    loop_advance(rig->loop, 6 * USEC_PER_SEC);
    assert_int_equal(rig->runs, 2);
    assert_has(runner_rig_last(rig), "⏳ Change slowly, without recover");
    assert_lacks(runner_rig_last(rig), "without recover: ");
}

/* A step of on_failure that a crash kept from happening is a new call, with its retries. */
static void a_follow_up_that_runs_after_a_crash_is_retried(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "mend",
                   "role: operator\nsteps: [{run: test.flaky}]\n"
                   "on_failure: [{run: test.known, timeout: 60s, retries: 1}]\nexamples: [mend]\n");
    rig->failures = 1;
    assert_int_equal(runner_rig_send(rig, "mend"), 0);
    assert_int_equal(rig->runs, 2);
    rig->must_ask = true;
    runner_rig_crash(rig);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "⏳ Change slowly, can be looked up: asking");
    runner_rig_finish(rig, ERR_COMMAND_NOT_DONE);
    assert_int_equal(rig->runs, 3);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_has(runner_rig_last(rig), "⏳ Change slowly, can be looked up");
    assert_lacks(runner_rig_last(rig), "looked up: ");
    runner_rig_finish(rig, ERR_HTTP_CONNECT);
    loop_advance(rig->loop, 10 * USEC_PER_SEC);
    assert_int_equal(rig->runs, 4);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_has(runner_rig_last(rig), "❌ Fail for a while"); /* before the crash */
    assert_has(runner_rig_last(rig), "✅ Change slowly, can be looked up");
}

/* ---- the list of runs ---- */

static void the_list_shows_runs_as_they_were_typed(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "mark",
                   "role: operator\nargs: [{name: text, help: h}, {name: ids, help: h}]\n"
                   "steps: [{run: test.note, with: {text: $text, ids: $ids}}]\n"
                   "on_failure: [{run: test.read}]\nalways: [{run: test.read}]\n"
                   "examples: [mark]\n");
    assert_int_equal(runner_rig_send(rig, "mark 'two words' 3,4"), 0);
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0); /* waits for its confirmation */
    assert_int_equal(runner_rig_call(rig, &rig->alice, "runs", false), 0);
    assert_has(rig->reply_text, "mark \"two words\" 3,4");
    assert_has(rig->reply_text, "always");
    assert_has(rig->reply_text, "0/2"); /* of restart, without its step for failures */
    assert_lacks(rig->reply_text, "/3");
    assert_int_equal(runner_rig_send(rig, "owed"), 0);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "runs", false), 0);
    assert_has(rig->reply_text, "1/1");
    assert_lacks(rig->reply_text, "1/2");
}

/* ---- timeouts ---- */

/* The manifest cannot know how long an argument makes the action wait. */
static void a_timeout_grows_with_the_argument_that_is_waited_for(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "wait",
                   "role: operator\nargs: [{name: within, type: duration, help: h}]\n"
                   "steps: [{run: test.slow_read, with: {within: $within}, timeout: 20s}]\n"
                   "examples: [wait 5m]\n");
    assert_int_equal(runner_rig_send(rig, "wait 5m"), 0);
    assert_int_equal(runner_rig_send(rig, "wait 5s"), 0);
    loop_advance(rig->loop, 21 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    assert_int_equal(runner_rig_state(rig, 2), RUN_FAILED);
    assert_has(runner_rig_last(rig), "after 20 s");
    loop_advance(rig->loop, 280 * USEC_PER_SEC); /* the action itself gives up after 300 s */
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    loop_advance(rig->loop, 10 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_has(runner_rig_last(rig), "after 5 min 10 s");
}

/* ---- scheduled commands ---- */

/* Nobody sees the reply of a scheduled command, so the hook learns of each refusal. */
static void a_scheduled_command_that_is_refused_is_reported(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "known"), 0); /* holds its lock */
    assert_int_equal(runner_rig_schedule(rig, "known", 1), 0);
    assert_int_equal(rig->scheduled, 1);
    assert_int_equal(rig->scheduled_err, ERR_COMMAND_LOCKED);
    assert_false(rig->scheduled_ran);
    assert_int_equal(runner_rig_audited(rig, "command.refused"), 1);
    assert_int_equal(runner_rig_schedule(rig, "known", 1), 0); /* the same slot, once */
    assert_int_equal(rig->scheduled, 1);
    assert_int_equal(rig->runs, 1);
}

static void a_cancelled_scheduled_command_has_not_succeeded(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_schedule(rig, "known", 1), 0);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "/cancel 1"), 0);
    loop_advance(rig->loop, USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    assert_int_equal(rig->scheduled, 1);
    assert_int_equal(rig->scheduled_err, ERR_COMMAND_CANCELLED);
    assert_int_equal(runner_rig_schedule(rig, "look", 2), 0);
    assert_int_equal(rig->scheduled, 2);
    assert_int_equal(rig->scheduled_err, ERR_NONE);
    assert_true(rig->scheduled_ran);
}

/* ---- reading ---- */

/* The leading reads have run before the transaction begins. */
static void reading_runs_outside_the_transaction(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "mixed",
                   "role: operator\nsteps: [{run: test.read}, {run: test.note}]\n"
                   "examples: [mixed]\n");
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    assert_int_equal(runner_rig_send(rig, "mixed"), 0);
    assert_int_equal(rig->reads, 2);
    assert_int_equal(rig->reads_in_transaction, 0);
}

/* One person's slow commands do not keep another from running one. */
static void the_limit_is_for_each_person(void **state)
{
    struct runner_rig *rig = *state;
    for (int i = 0; i < 64; i++) {
        assert_int_equal(runner_rig_send(rig, "slow"), 0);
    }
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_BUSY");
    assert_int_equal(runner_rig_submit(rig, &rig->rita, "look"), 0);
    assert_has(runner_rig_last(rig), "all is well");
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(steps, RIG_TEST(later_steps_use_the_outputs_of_earlier_ones),
           RIG_TEST(a_condition_compares_a_decimal_argument), RIG_TEST(outputs_survive_a_crash),
           RIG_TEST(durations_survive_a_crash), RIG_TEST(an_output_that_is_missing_fails_the_step),
           RIG_TEST(bad_workflows_are_refused_with_their_place),
           RIG_TEST(always_runs_however_the_run_ends),
           RIG_TEST(an_undo_runs_however_the_run_is_stopped),
           RIG_TEST(an_undo_is_neither_cancelled_nor_given_up),
           RIG_TEST(a_failure_found_after_a_crash_runs_on_failure),
           RIG_TEST(a_cancelled_change_is_recorded_with_its_person),
           RIG_TEST(a_retry_begins_without_progress),
           RIG_TEST(a_follow_up_that_runs_after_a_crash_is_retried),
           RIG_TEST(a_running_run_is_cancelled), RIG_TEST(a_waiting_client_learns_of_the_cancel),
           RIG_TEST(cancel_without_a_number_still_answers_the_prompt),
           RIG_TEST(a_cancelled_run_stays_cancelled_after_a_crash),
           RIG_TEST(a_group_ends_when_all_its_steps_have),
           RIG_TEST(a_failure_in_a_group_lets_the_others_finish),
           RIG_TEST(a_group_is_recovered_step_by_step), RIG_TEST(retries_wait_longer_each_time),
           RIG_TEST(the_list_shows_runs_as_they_were_typed),
           RIG_TEST(a_timeout_grows_with_the_argument_that_is_waited_for),
           RIG_TEST(a_scheduled_command_that_is_refused_is_reported),
           RIG_TEST(a_cancelled_scheduled_command_has_not_succeeded),
           RIG_TEST(reading_runs_outside_the_transaction), RIG_TEST(the_limit_is_for_each_person))
