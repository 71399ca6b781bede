/* The step `approve`: in the middle of a run, another person has to say yes. */
#include "base/check.h"
#include "command/approval_open.h"
#include "io/embed.h"
#include "rigs/runner_rig.h"

#include <string.h>

#define ADAM 9

static int setup(void **state)
{
    static struct runner_rig rig;
    runner_rig_open(&rig);
    static const char *const names[] = {"alice", "rita", "adam", "otto"};
    static const char *const roles[] = {"operator", "read_only", "admin", "operator"};
    for (int i = 0; i < 4; i++) {
        struct config_user *u = &rig.config.users[rig.config.user_count++];
        *u = (struct config_user){.id = 7 + i, .name = names[i], .role = roles[i], .totp = ""};
    }
    runner_rig_add(&rig, "move",
                   "role: operator\nsteps:\n  - {run: test.note, with: {text: before}}\n"
                   "  - {id: ok, approve: {role: admin, within: 5m, text: \"Move it?\"}}\n"
                   "  - {run: test.note, with: {text: \"after $ok.by\"}}\n"
                   "on_failure: [{run: test.note, with: {text: undone}}]\n"
                   "always: [{run: test.note, with: {text: end}}]\nexamples: [move]\n");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    runner_rig_close(*state);
    return 0;
}

/* The code of the open prompt of a run, from the note of its step. */
static const char *code_of(struct runner_rig *rig, int64_t run)
{
    static struct run_step rows[24];
    int n = run_table_steps(rig->store, run, rows, COUNT_OF(rows), NULL);
    assert_in_range(n, 2, 3);
    rows[1].result[6] = '\0';
    return rows[1].result;
}

static int answer(struct runner_rig *rig, const struct principal *who, int64_t chat_id, bool yes)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "%s:%.6s", yes ? "y" : "n", code_of(rig, 1));
    const struct invocation in = {.line = line, .who = who, .chat_id = chat_id};
    return runner_submit(rig->runner, &in, NULL);
}

static void another_person_lets_the_run_go_on(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    assert_string_equal(rig->notes, "[before -1]");
    assert_true(runner_rig_sent(rig, "Approve: move"));
    assert_true(runner_rig_sent(rig, "Move it?"));
    assert_true(runner_rig_sent(rig, "Run 1 of alice waits at step 2 of 3."));
    assert_true(runner_rig_sent(rig, "Another person has to approve it: adam."));
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    assert_int_equal(answer(rig, &rig->adam, ADAM, true), 0);
    loop_advance(rig->loop, 1);
    assert_string_equal(rig->notes, "[before -1][after adam -1][end -1]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_true(runner_rig_sent(rig, "Approved by adam: move of alice"));
    assert_int_equal(runner_rig_audited(rig, "confirm.asked"), 1);
    assert_has(runner_rig_audit_detail(rig, "confirm.approved"), "run 1 of alice, step 2: move");
}

static void neither_the_one_who_asked_nor_a_lower_role_may(void **state)
{
    struct runner_rig *rig = *state;
    static const struct principal otto = {CHANNEL_TELEGRAM, 10, "otto", ROLE_OPERATOR, false, ""};
    static const struct principal api = {CHANNEL_HTTP, 0, "token", ROLE_ADMIN, false, ""};
    static const struct principal second = {CHANNEL_SOCKET, 1000, "alice", ROLE_ADMIN, false, ""};
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    assert_int_equal(answer(rig, &rig->alice, rig->chat_id, true), 0);
    assert_has(runner_rig_last(rig), "FOUR_EYES_SELF");
    assert_int_equal(answer(rig, &second, 0, true), 0); /* the same person elsewhere */
    assert_int_equal(answer(rig, &otto, 10, true), 0);
    assert_has(runner_rig_last(rig), "ACCESS_DENIED");
    assert_int_equal(answer(rig, &rig->rita, 8, false), 0);
    assert_has(runner_rig_last(rig), "ACCESS_DENIED");
    assert_int_equal(answer(rig, &api, 0, true), 0);
    loop_advance(rig->loop, 1);
    assert_string_equal(rig->notes, "[before -1]");
    assert_int_equal(runner_rig_audited(rig, "confirm.foreign"), 3);
    assert_int_equal(runner_rig_audited(rig, "command.denied"), 2);
    assert_int_equal(answer(rig, &rig->adam, ADAM, true), 0);
    loop_advance(rig->loop, 1);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

static void a_refusal_fails_the_run(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    char line[32];
    (void)snprintf(line, sizeof(line), "y:%.6s", code_of(rig, 1));
    assert_int_equal(answer(rig, &rig->adam, ADAM, false), 0);
    loop_advance(rig->loop, 1);
    assert_string_equal(rig->notes, "[before -1][undone -1][end -1]");
    assert_true(runner_rig_sent(rig, "APPROVAL_REFUSED"));
    assert_true(runner_rig_sent(rig, "Refused by adam: move of alice"));
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_int_equal(runner_rig_audited(rig, "confirm.denied"), 1);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, line), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_UNKNOWN");
}

static void it_expires(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    loop_advance(rig->loop, 5 * USEC_PER_MIN - USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_string_equal(rig->notes, "[before -1][undone -1][end -1]");
    assert_true(runner_rig_sent(rig, "APPROVAL_EXPIRED"));
    assert_true(runner_rig_sent(rig, "nobody approved in time: move of alice"));
    assert_int_equal(runner_rig_audited(rig, "confirm.expired"), 1);
}

static void the_run_can_be_cancelled_meanwhile(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    char code[8];
    (void)snprintf(code, sizeof(code), "%.6s", code_of(rig, 1));
    assert_int_equal(runner_rig_send(rig, "cancel 1"), 0);
    loop_advance(rig->loop, USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    assert_string_equal(rig->notes, "[before -1][end -1]");
    assert_true(runner_rig_sent(rig, "Cancelled by alice: move of alice"));
    char line[32];
    (void)snprintf(line, sizeof(line), "y:%s", code);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, line), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_UNKNOWN");
}

/* The prompt, its code and its time are the same after a restart. */
static void it_survives_a_restart(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    int64_t messages = runner_rig_messages(rig);
    loop_advance(rig->loop, 2 * USEC_PER_MIN);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_state(rig, 1), RUN_RUNNING);
    assert_true(runner_rig_messages(rig) <= messages + 1); /* nobody is asked twice */
    assert_int_equal(answer(rig, &rig->adam, ADAM, true), 0);
    loop_advance(rig->loop, 1);
    assert_string_equal(rig->notes, "[before -1][after adam -1][end -1]");
}

/* What a page reads from the rows, also after a restart; and what later steps can use. */
static void its_row_says_what_is_asked(void **state)
{
    struct runner_rig *rig = *state;
    struct approval_open open;
    runner_rig_add(
        rig, "carry",
        "role: operator\nargs:\n  - {name: what, type: text, required: true, help: h}\nsteps:\n"
        "  - {run: test.note, with: {text: before}}\n"
        "  - {id: ok, approve: {within: 5m, text: \"Carry $what?\"}}\n"
        "  - {run: test.note, with: {text: \"$ok.asked $ok.by\"}}\n"
        "examples: [carry it]\n");
    assert_int_equal(runner_rig_send(rig, "carry eggs"), 0);
    for (int i = 0; i < 2; i++) {
        struct run_step rows[4];
        assert_int_equal(run_table_steps(rig->store, 1, rows, COUNT_OF(rows), NULL), 2);
        assert_false(approval_open_read(&rows[0], &open));
        assert_true(approval_open_read(&rows[1], &open));
        assert_string_equal(open.asked, "Carry eggs?");
        assert_string_equal(open.code, code_of(rig, 1));
        assert_int_equal(open.expires_us, RIG_WALL_US + 5 * USEC_PER_MIN);
        runner_rig_crash(rig);
    }
    assert_int_equal(answer(rig, &rig->adam, ADAM, true), 0);
    loop_advance(rig->loop, 1);
    assert_string_equal(rig->notes, "[before -1][Carry eggs? adam -1]");
    struct run_step rows[4];
    assert_int_equal(run_table_steps(rig->store, 1, rows, COUNT_OF(rows), NULL), 3);
    assert_false(approval_open_read(&rows[1], &open));
}

static void its_time_goes_on_while_nightdesk_is_down(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "move"), 0);
    clock_fake_advance(&rig->clock, USEC_PER_HOUR);
    runner_rig_crash(rig);
    loop_advance(rig->loop, USEC_PER_SEC);
    assert_string_equal(rig->notes, "[before -1][undone -1][end -1]");
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
}

/* Asked for at the socket: the prompts are in the private chats, and all of them are replaced. */
static void it_is_asked_for_in_telegram(void **state)
{
    struct runner_rig *rig = *state;
    struct principal olga = {CHANNEL_SOCKET, 1000, "olga", ROLE_OPERATOR, false, ""};
    rig->config.locals[rig->config.local_count++] =
        (struct config_local){.uid = 1000, .name = "olga", .role = "operator", .totp = ""};
    assert_int_equal(runner_rig_call(rig, &olga, "move", false), 0);
    assert_int_equal(runner_rig_messages(rig), 1);
    assert_has(runner_rig_message(rig, 1), "Approve: move");
    runner_rig_crash(rig);
    assert_int_equal(answer(rig, &rig->adam, ADAM, true), 0);
    loop_advance(rig->loop, 1);
    assert_string_equal(rig->notes, "[before -1][after adam -1][end -1]");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
    assert_has(runner_rig_last(rig), "Approved by adam: move of olga");
}

struct countdown {
    int left;
};

static int die_at(const char *what, void *userdata)
{
    struct countdown *c = userdata;
    (void)what;
    return c->left-- <= 0 ? -ERR_DB_FAILED : 0;
}

/* The process dies at the n-th write while the answer arrives: the run goes on once, or the prompt
 * is still open and can be answered. */
static void a_crash_at_any_write_of_the_answer_loses_nothing(void **state)
{
    struct runner_rig *rig = *state;
    bool whole = false;
    for (int n = 0; !whole && n < 80; n++) {
        struct countdown c = {.left = n};
        rig->notes[0] = '\0';
        assert_int_equal(runner_rig_send(rig, "move"), 0);
        char line[32];
        (void)snprintf(line, sizeof(line), "y:%.6s", code_of(rig, n + 1));
        const struct invocation in = {
            .line = line, .who = &rig->adam, .chat_id = ADAM, .update_id = 1000 + n};
        ops_store_set_fault(rig->store, die_at, &c);
        (void)runner_submit(rig->runner, &in, NULL);
        loop_advance(rig->loop, 1);
        whole = c.left >= 0;
        runner_rig_crash(rig);
        assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
        loop_advance(rig->loop, 1);
        const char *after = strstr(rig->notes, "[after adam -1]");
        assert_true(after == NULL || strstr(after + 1, "[after adam") == NULL);
        assert_in_set(runner_rig_state(rig, n + 1), ((uintmax_t[]){RUN_DONE, RUN_UNKNOWN}), 2);
    }
    assert_true(whole);
}

static void it_stands_alone_under_steps(void **state)
{
    (void)state;
    static const struct {
        const char *steps;
        const char *words;
    } cases[] = {
        {"steps: [{approve: {text: x}}]\nalways: [{approve: {text: x}}]\n", "6:20: approve is"},
        {"steps: [{parallel: [{run: test.note}, {approve: {text: x}}]}]\n", "approve is a step"},
        {"steps: [{approve: {within: 2d, text: x}}]\n", "5:28: within: 2d is not in 10s to 1d"},
        {"steps: [{approve: {}}]\n", "5:9: action command.approve needs the parameter text"},
        {"steps: [{approve: {text: x}, retries: 2}]\n", "5:30: unknown key retries"},
        {"steps: [{approve: soon}]\n", "5:19: approve must be a mapping"},
        {"steps: [{run: command.approve, with: {text: x}}]\n", "write this step as approve:"},
    };
    struct runner_rig rig = {0};
    runner_rig_actions(&rig);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];
        struct manifest_list *list = NULL;
        struct err err = {0};
        (void)snprintf(text, sizeof(text),
                       "command: x\ngroup: see\nsummary: s\nrole: operator\n%sexamples: [x]\n",
                       cases[i].steps);
        const struct embedded_file files[] = {
            {.path = "commands/x.yaml", .data = text, .size = strlen(text)}, {0}};
        assert_true(manifest_list_read(rig.actions, files, &list, &err) < 0);
        assert_has(err.context, cases[i].words);
    }
    action_table_free(rig.actions);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(approvals, RIG_TEST(another_person_lets_the_run_go_on),
           RIG_TEST(neither_the_one_who_asked_nor_a_lower_role_may),
           RIG_TEST(a_refusal_fails_the_run), RIG_TEST(it_expires),
           RIG_TEST(the_run_can_be_cancelled_meanwhile), RIG_TEST(it_survives_a_restart),
           RIG_TEST(its_row_says_what_is_asked), RIG_TEST(its_time_goes_on_while_nightdesk_is_down),
           RIG_TEST(it_is_asked_for_in_telegram),
           RIG_TEST(a_crash_at_any_write_of_the_answer_loses_nothing),
           cmocka_unit_test(it_stands_alone_under_steps))
