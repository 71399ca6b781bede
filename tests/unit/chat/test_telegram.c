#include "base/check.h"
#include "store/ops.h"
#include "telegram_rig.h"

#include <string.h>

static void a_command_is_answered_and_its_update_confirmed(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    telegram_rig_until_confirmed(rig);
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_int_equal(s.chat, ALICE);
    assert_true(s.html);
    assert_string_equal(s.buttons, "[Again|primary|/ping]");
    telegram_rig_until_calls(rig, "setMyCommands", 1);
    telegram_rig_until_calls(rig, "getWebhookInfo", 1);
}

static void an_unauthorised_user_gets_no_answer(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, EVE, "/ping");
    fake_telegram_press_data(rig->tg, EVE, EVE, "/ping");
    (void)fake_telegram_push(rig->tg, "{\"inline_query\":{\"id\":\"1\",\"from\":{\"id\":6666},"
                                      "\"query\":\"x\",\"offset\":\"\"}}");
    /* Eve presses a button in Alice's chat: only the sender counts. */
    fake_telegram_press_data(rig->tg, EVE, ALICE, "/ping");
    telegram_rig_until_confirmed(rig);
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_int_equal(fake_telegram_sent_count(rig->tg), 1);
    assert_int_equal(fake_telegram_calls(rig->tg, "answerCallbackQuery"), 0);
}

static void updates_that_run_nothing_are_confirmed(void **state)
{
    struct telegram_rig *rig = *state;
    static const char *const updates[] = {
        "{\"message\":{\"message_id\":6,\"date\":1,\"from\":{\"id\":1001},\"forward_date\":1,"
        "\"chat\":{\"id\":1001,\"type\":\"private\"},\"text\":\"ping\"}}",
        "{\"message\":{\"message_id\":7,\"date\":1,\"from\":{\"id\":1001},"
        "\"chat\":{\"id\":1001,\"type\":\"private\"},\"photo\":[]}}",
        "{\"channel_post\":{\"message_id\":8,\"date\":1,\"chat\":{\"id\":-5,\"type\":\"channel\"},"
        "\"text\":\"/ping\"}}",
        "{\"something_of_2031\":{\"from\":{\"id\":1001},\"text\":\"/ping\"}}",
        "{\"poll\":{\"id\":\"1\"}}",
        "{\"message\":\"not an object\"}",
        "{\"message\":{\"from\":{\"id\":\"1001\"},\"chat\":{\"id\":[]},\"text\":5}}",
        "{\"callback_query\":{\"id\":\"x\",\"from\":{\"id\":1001},\"data\":\"/ping\"}}",
        "{}",
    };
    for (size_t i = 0; i < COUNT_OF(updates); i++) {
        (void)fake_telegram_push(rig->tg, updates[i]);
    }
    telegram_rig_until_confirmed(rig);
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_int_equal(fake_telegram_sent_count(rig->tg), 1);
}

static void in_a_group_only_commands_to_this_bot_run(void **state)
{
    struct telegram_rig *rig = *state;
    static const char *const not_ours[] = {"ping", "hello everybody", "/ping@another_bot"};
    for (size_t i = 0; i < COUNT_OF(not_ours); i++) {
        (void)fake_telegram_user_sends(
            rig->tg,
            &(struct fake_telegram_message){.from = ALICE, .chat = -77, .text = not_ours[i]});
    }
    (void)fake_telegram_user_sends(
        rig->tg, &(struct fake_telegram_message){
                     .from = ALICE, .chat = -77, .text = "/Ping@Nightdesk_fake_bot  "});
    (void)fake_telegram_user_sends(
        rig->tg, &(struct fake_telegram_message){
                     .from = ALICE, .chat = -77, .text = "/lines@nightdesk_fake_bot 2"});
    (void)telegram_rig_until_sent(rig, "2 lines");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_int_equal(s.chat, -77);
    assert_int_equal(fake_telegram_sent_count(rig->tg), 2);
}

static void a_nul_in_a_message_is_reported_as_an_error(void **state)
{
    struct telegram_rig *rig = *state;
    (void)fake_telegram_push(rig->tg,
                             "{\"message\":{\"message_id\":5,\"date\":4000000000,"
                             "\"from\":{\"id\":1001},\"chat\":{\"id\":1001,\"type\":\"private\"},"
                             "\"text\":\"/ping\\u0000/touch\"}}");
    (void)telegram_rig_until_sent(rig, "CHAT_LINE");
}

static void a_confirmation_runs_once_and_its_buttons_are_removed(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/touch");
    (void)telegram_rig_until_sent(rig, "Confirm: touch");
    assert_false(fake_telegram_press(rig->tg, ALICE, ALICE, "No such button"));
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    (void)telegram_rig_until_sent(rig, "touched");
    telegram_rig_until_calls(rig, "answerCallbackQuery", 2);
    assert_int_equal(rig->channels.touched, 1);
    assert_false(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm")); /* edited away */
}

static void only_the_requester_can_confirm(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/touch");
    (void)telegram_rig_until_sent(rig, "Confirm: touch");
    assert_true(fake_telegram_press(rig->tg, BOB, ALICE, "Confirm"));
    assert_true(fake_telegram_press(rig->tg, EVE, ALICE, "Confirm"));
    telegram_rig_until_calls(rig, "answerCallbackQuery", 1);
    telegram_rig_until_confirmed(rig);
    assert_int_equal(rig->channels.touched, 0);
}

/* Simulates a process that ended this many seconds ago. */
static void close_for(struct telegram_rig *rig, int64_t seconds)
{
    static const char *const names[] = {"telegram.heard_us", "telegram.heard_date_us"};
    struct err err = {0};
    int64_t then_us = clock_wall_us(clock_real()) - seconds * USEC_PER_SEC;
    telegram_rig_close(rig);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(ops_store_write_i64(rig->channels.store, names[i], then_us, &err), 0);
    }
}

/* Telegram does not date a press: one that was queued may be as old as the outage. */
static void a_press_made_during_an_outage_is_stale(void **state)
{
    struct telegram_rig *rig = *state;
    close_for(rig, 300);
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    telegram_rig_open(rig);
    (void)telegram_rig_until_sent(rig, "Run now? touch");
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC); /* a poll is waiting */
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    (void)telegram_rig_until_sent(rig, "Confirm: touch");
}

/* The press may have been queued before the failed attempts to connect. */
static void an_old_press_is_stale_even_if_the_first_poll_is_slow(void **state)
{
    struct telegram_rig *rig = *state;
    close_for(rig, 300);
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 502,
                                                                .body = "<html>Bad gateway"});
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_ERROR,
                                                                .status = 409,
                                                                .description = "Conflict: x"});
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 1500});
    telegram_rig_open(rig);
    (void)telegram_rig_until_sent(rig, "Run now? touch");
    (void)telegram_rig_until_sent(rig, "Pressed up to 5 min");
    assert_int_equal(telegram_rig_count(rig, "Confirm: touch"), 0);
}

/* After a full answer the rest of the queued updates come with the next one. */
static void presses_after_a_full_answer_are_stale_too(void **state)
{
    struct telegram_rig *rig = *state;
    close_for(rig, 300);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_LARGE});
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    telegram_rig_open(rig);
    telegram_rig_until_count(rig, "Run now? touch", 2);
    assert_int_equal(telegram_rig_count(rig, "Confirm: touch"), 0);
}

/* A server that is always slow is not an outage. */
static void presses_through_a_slow_server_are_accepted(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = 3,
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 1500});
    telegram_rig_until_calls(rig, "getUpdates", 2);
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    (void)telegram_rig_until_sent(rig, "Confirm: touch");
}

static void a_stale_confirmation_can_be_given_again(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/touch");
    (void)telegram_rig_until_sent(rig, "Confirm: touch");
    telegram_rig_until_row(rig, 1, OUTBOX_DELIVERED);
    close_for(rig, 300);
    fake_telegram_age_messages(rig->tg, 400);
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    telegram_rig_open(rig);
    (void)telegram_rig_until_sent(rig, "Not confirmed: pressed up to");
    assert_int_equal(rig->channels.touched, 0);
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC);
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    (void)telegram_rig_until_sent(rig, "touched");
    assert_int_equal(rig->channels.touched, 1);
}

static void without_a_token_the_channel_is_off(void **state)
{
    (void)state;
    struct telegram_rig rig = {0};
    struct telegram_status status;
    channels_open(&rig.channels, "", "");
    telegram_rig_open(&rig);
    telegram_wake(rig.telegram);
    telegram_status(rig.telegram, &status);
    assert_int_equal(status.state, TELEGRAM_OFF);
    telegram_rig_close(&rig);
    channels_close(&rig.channels);
}

UNIT_GROUP(chat_telegram, TELEGRAM_RIG_TEST(a_command_is_answered_and_its_update_confirmed),
           TELEGRAM_RIG_TEST(an_unauthorised_user_gets_no_answer),
           TELEGRAM_RIG_TEST(updates_that_run_nothing_are_confirmed),
           TELEGRAM_RIG_TEST(in_a_group_only_commands_to_this_bot_run),
           TELEGRAM_RIG_TEST(a_nul_in_a_message_is_reported_as_an_error),
           TELEGRAM_RIG_TEST(a_confirmation_runs_once_and_its_buttons_are_removed),
           TELEGRAM_RIG_TEST(only_the_requester_can_confirm),
           TELEGRAM_RIG_TEST(a_press_made_during_an_outage_is_stale),
           TELEGRAM_RIG_TEST(an_old_press_is_stale_even_if_the_first_poll_is_slow),
           TELEGRAM_RIG_TEST(presses_after_a_full_answer_are_stale_too),
           TELEGRAM_RIG_TEST(presses_through_a_slow_server_are_accepted),
           TELEGRAM_RIG_TEST(a_stale_confirmation_can_be_given_again),
           cmocka_unit_test(without_a_token_the_channel_is_off))
