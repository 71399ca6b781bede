#include "base/check.h"
#include "rigs/runner_rig.h"
#include "store/read_table.h"

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

static void a_read_only_command_answers_at_once(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "/look"), 0);
    assert_int_equal(runner_rig_messages(rig), 1);
    assert_has(runner_rig_last(rig), "all is well");
    assert_has(runner_rig_last(rig), "⏸ paused by test");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_SEND);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_true(rig->outbox_wakes > 0);
    assert_int_equal(runner_active(rig->runner), 0);
    assert_int_equal(runner_rig_audited(rig, "command.received"), 0); /* read-only: only counted */
    assert_int_equal(runner_rig_audited(rig, "step.started"), 0);
    assert_int_equal(runner_rig_audited(rig, "step.done"), 0);
    assert_int_equal(runner_rig_audited(rig, "command.finished"), 0);
    int64_t reads = 0;
    assert_int_equal(read_table_sum(rig->store, 0, &reads, NULL), 0);
    assert_int_equal(reads, 1);
}

static void command_names_ignore_case_slash_and_bot_name(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "/Look@nightdesk_bot"), 0);
    assert_int_equal(runner_rig_send(rig, "  LOOK  "), 0);
    assert_int_equal(rig->reads, 2);
}

static void an_action_may_finish_before_it_returns(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "inside"), 0);
    assert_has(runner_rig_last(rig), "finished inside");
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

static void arguments_reach_the_action(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "change demo \"two words\""), 0);
    assert_string_equal(rig->seen, "demo|for demo: two words|90000000");
    assert_int_equal(runner_rig_send(rig, "change demo “phone quotes”"), 0);
    assert_string_equal(rig->seen, "demo|for demo: phone quotes|90000000");
    assert_int_equal(runner_rig_send(rig, "change note=x service=prediction"), 0);
    assert_string_equal(rig->seen, "prediction|for prediction: x|90000000");
    assert_int_equal(runner_rig_send(rig, "opt demo"), 0);
    assert_string_equal(rig->seen, "demo|-|-1");
    assert_int_equal(rig->runs, 4);
}

static void bad_arguments_show_usage(void **state)
{
    struct runner_rig *rig = *state;
    static const struct {
        const char *line;
        const char *code;
        const char *words;
    } cases[] = {
        {"change", "COMMAND_ARG_MISSING", "Usage: /change <service> [note]"},
        {"change demo a b", "COMMAND_ARG_EXTRA", "Example: /change demo"},
        {"change demmo", "COMMAND_ARG_INVALID", "did you mean demo?"},
        {"change nothing", "COMMAND_ARG_INVALID", "configured: demo, prediction"},
        {"change \"demo", "COMMAND_QUOTES", "opened at byte 8"},
        {"lok", "COMMAND_UNKNOWN", "did you mean /look?"},
        {"chnage", "COMMAND_UNKNOWN", "chnage; /help lists the commands"}, /* /change changes */
        {"xyzzy", "COMMAND_UNKNOWN", "xyzzy"},
        {"", "COMMAND_EMPTY", ""},
        {"  / ", "COMMAND_EMPTY", ""},
        {"\xff\xfe", "BAD_UTF8", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(runner_rig_send(rig, cases[i].line), 0);
        assert_int_equal(runner_rig_messages(rig), (int64_t)i + 1);
        assert_has(runner_rig_last(rig), cases[i].code);
        assert_has(runner_rig_last(rig), cases[i].words);
    }
    char line[4200];
    memset(line, 'a', sizeof(line));
    line[4096] = '\0';
    assert_int_equal(runner_rig_send(rig, line), 0);
    assert_has(runner_rig_last(rig), "COMMAND_TOO_LONG");
    assert_int_equal(rig->runs + rig->reads, 0);
    assert_int_equal(runner_rig_audited(rig, "command.refused"), (int)COUNT_OF(cases) + 1);
}

static void roles_are_enforced(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_submit(rig, &rig->rita, "change demo"), 0);
    assert_has(runner_rig_last(rig), "ACCESS_DENIED");
    assert_has(runner_rig_last(rig), "needs operator, rita is read_only");
    assert_int_equal(runner_rig_submit(rig, &rig->alice, "stop"), 0);
    assert_has(runner_rig_last(rig), "emergency grant");
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_audited(rig, "command.denied"), 2);
    assert_int_equal(runner_rig_submit(rig, &rig->adam, "stop"), 0);
    assert_int_equal(rig->runs, 1);
}

static const char *last_audited(struct runner_rig *rig)
{
    static struct audit_row row;
    assert_int_equal(audit_chain_list(rig->store, 0, &row, 1, NULL), 1);
    return row.detail;
}

static void refusals_are_audited_with_their_arguments(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "change nothing"), 0);
    assert_has(last_audited(rig), "change nothing: service: ");
    const struct invocation in = {.line = "change",
                                  .args_json = "{\"service\":5}",
                                  .who = &rig->alice,
                                  .chat_id = rig->chat_id};
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_has(last_audited(rig), "change {\"service\":5}: ");
}

/* A command that needs an argument is named, but has no button. One that changes something is not
 * even named. */
static void a_misspelt_command_has_a_button_if_it_can_run(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "lok"), 0);
    assert_has(runner_rig_last(rig), "\"command\":\"/look\"");
    assert_int_equal(runner_rig_send(rig, "chang"), 0);
    assert_has(runner_rig_last(rig), "chang; /help lists the commands");
    assert_lacks(runner_rig_last(rig), "/change");
    runner_rig_add(
        rig, "inspect",
        "role: operator\nargs: [{name: within, type: duration, required: true, help: w}]\n"
        "steps: [{run: test.slow_read, with: {within: $within}}]\n"
        "examples: [\"inspect 5s\"]\n");
    assert_int_equal(runner_rig_send(rig, "inspct"), 0);
    assert_has(runner_rig_last(rig), "did you mean /inspect?");
    assert_lacks(runner_rig_last(rig), "\"command\":\"/inspect\"");
}

static int send_with_age(struct runner_rig *rig, const char *line, int64_t age_us)
{
    const struct invocation in = {.line = line,
                                  .who = &rig->alice,
                                  .chat_id = rig->chat_id,
                                  .sent_us = rig->clock.now_wall_us - age_us};
    return runner_submit(rig->runner, &in, NULL);
}

static void stale_changes_run_only_when_their_person_says_so(void **state)
{
    struct runner_rig *rig = *state;
    char press[40];
    assert_int_equal(send_with_age(rig, "change demo", 14 * USEC_PER_MIN), 0);
    assert_int_equal(rig->runs, 0);
    assert_has(runner_rig_last(rig), "Run now? change demo");
    assert_has(runner_rig_last(rig), "Sent 14 min");
    assert_has(runner_rig_last(rig), "\"text\":\"Run now\"");
    assert_has(runner_rig_last(rig), "\"text\":\"Drop\"");
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    runner_rig_crash(rig);
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_send(rig, press), 0); /* once */
    assert_int_equal(rig->runs, 1);
    assert_int_equal(send_with_age(rig, "look", 14 * USEC_PER_MIN), 0);
    assert_int_equal(rig->reads, 1);
    assert_int_equal(send_with_age(rig, "change demo", 119 * USEC_PER_SEC), 0);
    assert_int_equal(rig->runs, 2);
}

static void a_repeated_update_has_no_effect(void **state)
{
    struct runner_rig *rig = *state;
    const struct invocation in = {
        .line = "change demo", .who = &rig->alice, .chat_id = rig->chat_id, .update_id = 55};
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    runner_rig_crash(rig);
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_messages(rig), 1);
}

/* Also one that was dropped by the limit: it does not run when it is delivered again later. */
static void a_dropped_update_has_no_effect_later(void **state)
{
    struct runner_rig *rig = *state;
    struct invocation in = {.line = "look", .who = &rig->alice, .chat_id = rig->chat_id};
    rig->config.commands_rate = 1;
    runner_rig_crash(rig);
    for (in.update_id = 1; in.update_id <= 3; in.update_id++) {
        assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    }
    assert_int_equal(rig->reads, 1);
    clock_fake_advance(&rig->clock, 2 * USEC_PER_MIN);
    in.update_id = 3;
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_int_equal(rig->reads, 1);
}

static int fail_commit(const char *what, void *userdata)
{
    (void)userdata;
    return strcmp(what, "COMMIT") == 0 ? -ERR_DB_FULL : 0;
}

static void a_change_that_cannot_be_stored_does_not_run(void **state)
{
    struct runner_rig *rig = *state;
    struct err err = {0};
    const struct invocation in = {
        .line = "change demo", .who = &rig->alice, .chat_id = rig->chat_id, .update_id = 56};
    ops_store_set_fault(rig->store, fail_commit, NULL);
    assert_true(runner_submit(rig->runner, &in, &err) < 0);
    assert_int_equal(rig->runs, 0);
    ops_store_set_fault(rig->store, NULL, NULL);
    assert_int_equal(runner_submit(rig->runner, &in, &err), 0); /* the channel repeats it */
    assert_int_equal(rig->runs, 1);
}

/* Answers that fit no open prompt are limited; the correct answer is not. */
static void codes_cannot_be_guessed(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    char press[32], code[16];
    (void)snprintf(code, sizeof(code), "%s", runner_rig_code(rig));
    (void)snprintf(press, sizeof(press), "y:%s", code);
    for (int i = 0; i < 200; i++) {
        static const char *const starts[] = {"/confirm AAAAA", "/cancel BBBBB", "y:CCCCC",
                                             "n:DDDDD", "/confirm a b "};
        char line[32];
        (void)snprintf(line, sizeof(line), "%s%d", starts[i % 5], i % 10);
        assert_int_equal(runner_rig_send(rig, line), 0);
    }
    assert_has(runner_rig_last(rig), "ACCESS_RATE_LIMITED");
    assert_int_equal(runner_rig_audited(rig, "confirm.refused"), 10);
    assert_int_equal(runner_rig_audited(rig, "command.limited"), 1);
    assert_int_equal(runner_rig_messages(rig), 12);
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_int_equal(rig->runs, 1);
    clock_fake_advance(&rig->clock, USEC_PER_MIN);
    assert_int_equal(runner_rig_send(rig, "/confirm AAAAAA"), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_UNKNOWN");
}

/* Values cannot hide or forge text in prompts, replies and the audit log. */
static void hidden_characters_in_values_are_refused(void **state)
{
    struct runner_rig *rig = *state;
    static const char *const values[] = {"\x1b[2Jdemo", "de\xe2\x80\xaemo", "de\xc2\x9bmo",
                                         "de\xe2\x80\x8bmo", "demo\x7f"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "change %s", values[i]);
        assert_int_equal(runner_rig_send(rig, line), 0);
        assert_has(runner_rig_last(rig), "contains a control character or an invisible one");
    }
    const struct invocation in = {.line = "change",
                                  .args_json = "{\"service\":\"demo\\u0000x\"}",
                                  .who = &rig->alice,
                                  .chat_id = rig->chat_id};
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_has(runner_rig_last(rig), "contains a control character");
    assert_int_equal(rig->runs, 0);
}

/* ---- confirmations ---- */

static void a_prompt_shows_what_will_happen(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    assert_int_equal(rig->runs, 0);
    assert_has(runner_rig_last(rig), "Confirm: sell BTC-USD");
    assert_has(runner_rig_last(rig), "closes 0.5 BTC at the market\n\nExpires in 2 min");
    assert_has(runner_rig_last(rig), "\"command\":\"y:");
    assert_has(runner_rig_last(rig), "\"command\":\"n:");
    assert_int_equal(runner_rig_state(rig, 1), RUN_CONFIRMING);
    assert_int_equal(runner_rig_audited(rig, "confirm.asked"), 1);

    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT); /* the result replaces the prompt */
    assert_has(runner_rig_last(rig), "closed");
    assert_lacks(runner_rig_last(rig), "\"y:");
    assert_int_equal(runner_rig_audited(rig, "confirm.given"), 1);

    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_USED");
    assert_int_equal(rig->runs, 1);
}

static void a_prompt_shows_the_values(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    assert_has(runner_rig_last(rig), "1. Move money (symbol: BTC-USD)");
}

/* Old answers are limited, too. */
static void stale_answers_are_limited(void **state)
{
    struct runner_rig *rig = *state;
    char press[32];
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    rig->config.telegram_stale_after_us = USEC_PER_SEC;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(send_with_age(rig, press, 2 * USEC_PER_SEC), 0);
        assert_int_equal(strstr(runner_rig_last(rig), "sell BTC-USD") != NULL, i < 10);
    }
    assert_int_equal(runner_rig_audited(rig, "confirm.stale"), 10);
    assert_int_equal(runner_rig_audited(rig, "command.limited"), 1);
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_send(rig, press), 0); /* a new answer counts */
    assert_int_equal(rig->runs, 1);
}

/* Telegram does not say when a button was pressed. */
static void a_press_at_an_unknown_time_is_asked_for_again(void **state)
{
    struct runner_rig *rig = *state;
    char press[32];
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    const struct invocation in = {.line = press,
                                  .who = &rig->alice,
                                  .chat_id = rig->chat_id,
                                  .sent_us = rig->clock.now_wall_us - 3 * USEC_PER_DAY,
                                  .undated = true};
    assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
    assert_has(runner_rig_last(rig), "Not confirmed: pressed at an unknown time");
    assert_int_equal(rig->runs, 0);
}

static void each_prompt_expires_at_its_own_time(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    loop_advance(rig->loop, USEC_PER_MIN);
    assert_int_equal(runner_rig_send(rig, "sell btc-usd"), 0);
    loop_advance(rig->loop, 61 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 1), RUN_EXPIRED);
    assert_int_equal(runner_rig_state(rig, 2), RUN_CONFIRMING);
    loop_advance(rig->loop, 60 * USEC_PER_SEC);
    assert_int_equal(runner_rig_state(rig, 2), RUN_EXPIRED);
}

static void a_preview_can_refuse(void **state)
{
    struct runner_rig *rig = *state;
    rig->failures = 1;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    assert_has(runner_rig_last(rig), "HTTP_CONNECT");
    assert_lacks(runner_rig_last(rig), "\"y:");
    assert_int_equal(runner_rig_state(rig, 1), RUN_REFUSED);
    assert_int_equal(runner_rig_send(rig, "/cancel"), 0); /* nothing is left to be answered */
    assert_has(runner_rig_last(rig), "CONFIRM_UNKNOWN");
}

static void only_the_same_user_and_chat_may_confirm(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    char typed[32];
    (void)snprintf(typed, sizeof(typed), "/confirm %s", runner_rig_code(rig));
    assert_int_equal(runner_rig_submit(rig, &rig->adam, typed), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_FOREIGN");
    rig->chat_id = 200;
    assert_int_equal(runner_rig_send(rig, typed), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_FOREIGN");
    assert_int_equal(runner_rig_audited(rig, "confirm.foreign"), 2);
    rig->chat_id = 100;
    assert_int_equal(rig->runs, 0);
    for (char *c = typed; *c != '\0'; c++) { /* in lower case, as typed on a phone */
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    }
    assert_int_equal(runner_rig_send(rig, typed), 0);
    assert_int_equal(rig->runs, 1);
}

static void permission_is_checked_again_at_confirmation(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    rig->alice.role = ROLE_READ_ONLY;
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "ACCESS_DENIED");
    assert_int_equal(rig->runs, 0);
}

static void cancelling_closes_the_prompt(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    assert_int_equal(runner_rig_send(rig, "/cancel"), 0);
    assert_has(runner_rig_last(rig), "Cancelled: sell BTC-USD");
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
    assert_int_equal(runner_rig_state(rig, 1), RUN_CANCELLED);
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_USED");
    assert_int_equal(runner_rig_send(rig, "/cancel"), 0);
    assert_has(runner_rig_last(rig), "nothing waits for your answer here");
    assert_int_equal(runner_rig_send(rig, "/confirm"), 0);
    assert_has(runner_rig_last(rig), "COMMAND_ARG_MISSING");
    assert_int_equal(rig->runs, 0);
}

static void an_expired_prompt_is_edited(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    loop_advance(rig->loop, 119 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(rig), 1);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_int_equal(runner_rig_messages(rig), 2);
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");
    assert_int_equal(runner_rig_state(rig, 1), RUN_EXPIRED);
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");
    assert_int_equal(rig->runs, 0);
    assert_int_equal(runner_rig_audited(rig, "confirm.expired"), 1);
}

static void a_late_press_before_the_timer_is_refused(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    clock_fake_jump_wall(&rig->clock, USEC_PER_HOUR); /* the timer runs on the monotonic clock */
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");
    assert_int_equal(rig->runs, 0);
}

static void prompts_survive_a_restart(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_int_equal(rig->runs, 1);

    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    clock_fake_advance(&rig->clock, 3 * USEC_PER_MIN);
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_state(rig, 2), RUN_EXPIRED);
    assert_int_equal(runner_rig_state(rig, 3), RUN_EXPIRED);
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");

    assert_int_equal(runner_rig_send(rig, "sell BTC-USD"), 0);
    runner_rig_crash(rig);
    loop_advance(rig->loop, 3 * USEC_PER_MIN); /* the timer is set again */
    assert_has(runner_rig_last(rig), "CONFIRM_EXPIRED");
    assert_int_equal(rig->runs, 1);
}

static void waiting_channels_confirm_in_two_calls_or_one(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "sell BTC-USD", false), 0);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_CONFIRM_NEEDED);
    assert_has(rig->reply_text, "\"expires_in_s\":120,");
    assert_int_equal(rig->runs, 0);
    char typed[32];
    (void)snprintf(typed, sizeof(typed), "confirm %.6s",
                   strstr(rig->reply_text, "/confirm ") + strlen("/confirm "));
    assert_int_equal(runner_rig_call(rig, &rig->alice, typed, false), 0);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_NONE);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_call(rig, &rig->alice, "sell BTC-USD", true), 0);
    assert_int_equal(rig->runs, 2);
    assert_int_equal(runner_rig_messages(rig), 0); /* no reply goes through the outbox */
}

/* ---- steps ---- */

static void progress_is_one_edited_message(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "restart demo"), 0);
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_int_equal(rig->runs, 1);
    assert_non_null(rig->pending);
    loop_advance(rig->loop, 1400 * USEC_PER_MSEC); /* a chat takes about one edit a second */
    assert_lacks(runner_rig_last(rig), "looking");
    loop_advance(rig->loop, 1600 * USEC_PER_MSEC);
    assert_has(runner_rig_last(rig), "✅ Change something");
    assert_has(runner_rig_last(rig), "⏳ Read slowly: looking");
    assert_lacks(runner_rig_last(rig), "\"y:");
    runner_rig_finish(rig, ERR_NONE);
    assert_has(runner_rig_last(rig), "✅ Read slowly  3.0 s");
    assert_has(runner_rig_last(rig), "restart demo: done in 3.0 s");
    assert_int_equal(runner_rig_messages(rig), 2); /* the prompt, and one edit that was updated */
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_int_equal(runner_active(rig->runner), 0);
}

static void a_slow_read_shows_progress(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "slow"), 0);
    assert_int_equal(runner_rig_messages(rig), 0);
    loop_advance(rig->loop, 600 * USEC_PER_MSEC);
    assert_int_equal(runner_rig_messages(rig), 1);
    assert_has(runner_rig_last(rig), "⏳");
    reply_line(action_reply(rig->pending), "here it is");
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT);
    assert_has(runner_rig_last(rig), "here it is");
}

static void a_step_that_times_out_is_cancelled(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "hang"), 0);
    loop_advance(rig->loop, 19 * USEC_PER_SEC);
    assert_int_equal(rig->cancels, 0);
    loop_advance(rig->loop, 2 * USEC_PER_SEC);
    assert_int_equal(rig->cancels, 1);
    assert_has(runner_rig_last(rig), "STEP_TIMEOUT");
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_int_equal(rig->runs, 1);
}

static void on_failure_steps_run(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "restart demo", true), 0);
    assert_int_equal(rig->replies, 0); /* the second step is pending */
    runner_rig_finish(rig, ERR_HTTP_TIMEOUT);
    assert_int_equal(rig->replies, 1);
    assert_int_equal(rig->reply_err, ERR_HTTP_TIMEOUT);
    assert_has(rig->reply_text, "❌ Read slowly");
    assert_has(rig->reply_text, "✅ Read something");
    assert_has(rig->reply_text, "HTTP_TIMEOUT");
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_int_equal(runner_rig_audited(rig, "step.failed"), 1);
}

static void only_temporary_failures_are_retried(void **state)
{
    struct runner_rig *rig = *state;
    rig->failures = 2;
    assert_int_equal(runner_rig_send(rig, "flaky"), 0);
    assert_int_equal(rig->runs, 1);
    loop_advance(rig->loop, 10 * USEC_PER_SEC);
    assert_int_equal(rig->runs, 3);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);

    rig->failures = 9; /* more than the retries */
    assert_int_equal(runner_rig_send(rig, "flaky"), 0);
    loop_advance(rig->loop, 10 * USEC_PER_SEC);
    assert_int_equal(rig->runs, 6);
    assert_int_equal(runner_rig_state(rig, 2), RUN_FAILED);

    rig->failures = 9;
    rig->fail_with = ERR_HTTP_TIMEOUT; /* a timeout: it may have taken effect */
    assert_int_equal(runner_rig_send(rig, "flaky"), 0);
    loop_advance(rig->loop, 10 * USEC_PER_SEC);
    assert_int_equal(rig->runs, 7);
    assert_int_equal(runner_rig_state(rig, 3), RUN_FAILED);
}

static void a_disconnected_client_is_not_called(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_call(rig, &rig->alice, "slow", false), 0);
    runner_forget(rig->runner, rig);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(rig->replies, 0);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
}

static int typing_rows(struct runner_rig *rig)
{
    int count = 0;
    struct outbox_row row = {0};
    for (int64_t id = 1; outbox_table_get(rig->store, id, &row, NULL) == 0; id++) {
        count += row.kind == OUTBOX_ACTION ? 1 : 0;
        outbox_row_release(&row);
    }
    return count;
}

/* Telegram shows it for five seconds. */
static void a_long_command_is_typing_until_its_end(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    loop_advance(rig->loop, 900 * USEC_PER_MSEC);
    assert_int_equal(typing_rows(rig), 0);
    loop_advance(rig->loop, 200 * USEC_PER_MSEC);
    assert_int_equal(typing_rows(rig), 1);
    for (int i = 2; i <= 4; i++) {
        loop_advance(rig->loop, 4500 * USEC_PER_MSEC);
        assert_true(typing_rows(rig) >= i);
        assert_true(typing_rows(rig) <= i + 1);
    }
    int typing = typing_rows(rig);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    loop_advance(rig->loop, USEC_PER_MIN);
    assert_int_equal(typing_rows(rig), typing);
}

/* ---- crashes ---- */

static void a_reading_step_is_resumed_after_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "slow"), 0);
    loop_advance(rig->loop, USEC_PER_SEC); /* a progress message was sent */
    assert_int_equal(runner_rig_messages(rig), 1);
    runner_rig_crash(rig);
    assert_int_equal(rig->reads, 2);
    reply_line(action_reply(rig->pending), "late answer");
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_int_equal(runner_rig_last_kind(rig), OUTBOX_EDIT); /* edits the progress message */
    assert_has(runner_rig_last(rig), "late answer");
}

static void a_change_without_recover_ends_unknown(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "hang"), 0);
    runner_rig_crash(rig);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(runner_rig_state(rig, 1), RUN_UNKNOWN);
    assert_has(runner_rig_last(rig), "COMMAND_LOST");
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_messages(rig), 1); /* reported once */
}

static void a_change_is_looked_up_after_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    rig->happened = true;
    runner_rig_crash(rig);
    assert_int_equal(rig->runs, 1);
    assert_int_equal(rig->recovers, 1);
    assert_string_equal(rig->remembered, "id 77");
    assert_int_equal(rig->reads, 1); /* and goes on with the next step */
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    struct run_step steps[4];
    assert_int_equal(run_table_steps(rig->store, 1, steps, 4, NULL), 2);
    assert_int_equal(steps[0].state, RUN_STEP_DONE);

    assert_int_equal(runner_rig_send(rig, "known"), 0);
    rig->happened = false;
    runner_rig_crash(rig);
    assert_int_equal(rig->runs, 2);
    assert_int_equal(rig->reads, 1);
    assert_int_equal(runner_rig_state(rig, 2), RUN_FAILED);
    assert_has(runner_rig_last(rig), "COMMAND_NOT_DONE");
}

/* The message of the prompt says so from the answer to the result, also across a crash. */
static void a_result_shows_how_its_prompt_was_answered(void **state)
{
    struct runner_rig *rig = *state;
    runner_rig_add(rig, "asked",
                   "role: operator\nconfirm: true\nsteps: [{run: test.known, timeout: 20s}]\n"
                   "examples: [asked]\n");
    assert_int_equal(runner_rig_send(rig, "asked"), 0);
    assert_lacks(runner_rig_last(rig), "\"choice\"");
    char press[32];
    (void)snprintf(press, sizeof(press), "y:%s", runner_rig_code(rig));
    assert_int_equal(runner_rig_send(rig, press), 0);
    assert_has(runner_rig_last(rig), "\"choice\":\"✓ Confirmed\"");
    assert_has(runner_rig_last(rig), "\"tone\":\"busy\"");
    rig->happened = true;
    runner_rig_crash(rig);
    assert_int_equal(runner_rig_state(rig, 1), RUN_DONE);
    assert_has(runner_rig_last(rig), "\"choice\":\"✓ Confirmed\"");
    assert_lacks(runner_rig_last(rig), "\"tone\":\"busy\"");
}

static void recover_may_answer_later(void **state)
{
    struct runner_rig *rig = *state;
    static const struct {
        enum err_id id;
        enum run_state state;
        const char *text;
    } ends[] = {{ERR_NONE, RUN_DONE, "all is well"},
                {ERR_COMMAND_NOT_DONE, RUN_FAILED, "known: command was not carried out"},
                {ERR_COMMAND_LOST, RUN_UNKNOWN, "known: command was interrupted"}};
    rig->must_ask = true;
    for (int i = 0; i < 3; i++) {
        int64_t begun_us = clock_wall_us(&rig->clock.clock);
        rig->reads = 0;
        assert_int_equal(runner_rig_send(rig, "known"), 0);
        loop_advance(rig->loop, USEC_PER_SEC);
        runner_rig_crash(rig);
        assert_non_null(rig->pending);
        assert_int_equal(rig->begun_us, begun_us);
        assert_int_equal(runner_rig_state(rig, i + 1), RUN_RUNNING);
        runner_rig_finish(rig, ends[i].id);
        assert_int_equal(runner_rig_state(rig, i + 1), ends[i].state);
        assert_has(runner_rig_last(rig), ends[i].text);
        assert_int_equal(rig->reads, i == 0 ? 1 : 0);
        assert_int_equal(rig->runs, i + 1);
    }
    assert_int_equal(runner_rig_send(rig, "known"), 0);
    runner_rig_crash(rig);
    loop_advance(rig->loop, 21 * USEC_PER_SEC); /* no answer comes */
    assert_int_equal(rig->cancels, 1);
    assert_int_equal(runner_rig_state(rig, 4), RUN_FAILED);
    assert_has(runner_rig_last(rig), "STEP_TIMEOUT");
    assert_int_equal(rig->runs, 4);
}

static void an_on_failure_step_that_did_not_happen_runs_after_a_crash(void **state)
{
    struct runner_rig *rig = *state;
    rig->failures = 1;
    rig->fail_with = ERR_HTTP_TIMEOUT;
    assert_int_equal(runner_rig_send(rig, "owed"), 0);
    assert_int_equal(rig->runs, 2);
    runner_rig_crash(rig); /* in the on_failure step, which had not taken effect */
    assert_int_equal(rig->recovers, 1);
    assert_int_equal(rig->runs, 3);
    runner_rig_finish(rig, ERR_NONE);
    assert_int_equal(runner_rig_state(rig, 1), RUN_FAILED);
    assert_has(runner_rig_last(rig), "HTTP_TIMEOUT");
}

static int count_commits(const char *what, void *userdata)
{
    *(int *)userdata += strcmp(what, "COMMIT") == 0 ? 1 : 0;
    return 0;
}

static void reading_costs_one_commit(void **state)
{
    struct runner_rig *rig = *state;
    int commits = 0;
    ops_store_set_fault(rig->store, count_commits, &commits);
    assert_int_equal(runner_rig_send(rig, "look"), 0);
    assert_int_equal(commits, 1);
    assert_int_equal(runner_rig_messages(rig), 1);
    commits = 0;
    assert_int_equal(runner_rig_send(rig, "change demo"), 0);
    assert_int_equal(commits, 2); /* one before it runs, one after */
    ops_store_set_fault(rig->store, NULL, NULL);
}

/* The process dies at the n-th write. For every n the change runs at most once. After the next
 * start every run has ended with a reply, or the command was not accepted at all. */
struct countdown {
    int left;
};

static int die_at(const char *what, void *userdata)
{
    struct countdown *c = userdata;
    (void)what;
    return c->left-- <= 0 ? -ERR_DB_FAILED : 0;
}

static void a_crash_at_any_write_never_runs_twice(void **state)
{
    struct runner_rig *rig = *state;
    int64_t update = 1000;
    bool whole = false;
    for (int n = 0; !whole && n < 200; n++) {
        struct countdown c = {.left = n};
        rig->runs = 0;
        update++;
        const struct invocation in = {.line = "change demo",
                                      .who = &rig->alice,
                                      .chat_id = rig->chat_id,
                                      .update_id = update};
        int64_t before = runner_rig_messages(rig);
        ops_store_set_fault(rig->store, die_at, &c);
        int rc = runner_submit(rig->runner, &in, NULL);
        whole = c.left >= 0;
        runner_rig_crash(rig);
        if (rc < 0) { /* not accepted: the channel receives it again */
            assert_int_equal(rig->runs, 0);
            assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
        } else { /* accepted: a repetition has no effect */
            assert_int_equal(runner_submit(rig->runner, &in, NULL), 0);
        }
        assert_int_equal(rig->runs, 1);
        assert_true(runner_rig_messages(rig) > before);
        struct run_row row;
        assert_int_equal(run_table_list(rig->store,
                                        &(struct run_query){.states = 1U << RUN_RUNNING}, &row, 1,
                                        NULL),
                         0);
    }
    assert_true(whole);
    struct audit_chain_result chain;
    assert_int_equal(audit_chain_verify(rig->store, 1, &chain, NULL), 0);
    assert_true(chain.ok);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(
    runner, RIG_TEST(a_read_only_command_answers_at_once),
    RIG_TEST(command_names_ignore_case_slash_and_bot_name),
    RIG_TEST(an_action_may_finish_before_it_returns), RIG_TEST(arguments_reach_the_action),
    RIG_TEST(bad_arguments_show_usage), RIG_TEST(roles_are_enforced),
    RIG_TEST(stale_changes_run_only_when_their_person_says_so),
    RIG_TEST(a_repeated_update_has_no_effect),
    RIG_TEST(a_change_that_cannot_be_stored_does_not_run), RIG_TEST(codes_cannot_be_guessed),
    RIG_TEST(hidden_characters_in_values_are_refused), RIG_TEST(a_prompt_shows_what_will_happen),
    RIG_TEST(a_preview_can_refuse), RIG_TEST(only_the_same_user_and_chat_may_confirm),
    RIG_TEST(permission_is_checked_again_at_confirmation), RIG_TEST(cancelling_closes_the_prompt),
    RIG_TEST(an_expired_prompt_is_edited), RIG_TEST(a_late_press_before_the_timer_is_refused),
    RIG_TEST(prompts_survive_a_restart), RIG_TEST(waiting_channels_confirm_in_two_calls_or_one),
    RIG_TEST(progress_is_one_edited_message), RIG_TEST(a_slow_read_shows_progress),
    RIG_TEST(a_step_that_times_out_is_cancelled), RIG_TEST(on_failure_steps_run),
    RIG_TEST(only_temporary_failures_are_retried), RIG_TEST(a_disconnected_client_is_not_called),
    RIG_TEST(a_reading_step_is_resumed_after_a_crash),
    RIG_TEST(a_change_without_recover_ends_unknown), RIG_TEST(a_change_is_looked_up_after_a_crash),
    RIG_TEST(a_long_command_is_typing_until_its_end),
    RIG_TEST(a_result_shows_how_its_prompt_was_answered), RIG_TEST(recover_may_answer_later),
    RIG_TEST(an_on_failure_step_that_did_not_happen_runs_after_a_crash),
    RIG_TEST(reading_costs_one_commit), RIG_TEST(a_crash_at_any_write_never_runs_twice),
    RIG_TEST(refusals_are_audited_with_their_arguments),
    RIG_TEST(a_misspelt_command_has_a_button_if_it_can_run),
    RIG_TEST(a_dropped_update_has_no_effect_later), RIG_TEST(a_prompt_shows_the_values),
    RIG_TEST(stale_answers_are_limited), RIG_TEST(a_press_at_an_unknown_time_is_asked_for_again),
    RIG_TEST(each_prompt_expires_at_its_own_time))
