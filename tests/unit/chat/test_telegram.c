#include "base/check.h"
#include "base/log.h"
#include "channels.h"
#include "chat/telegram.h"
#include "fakes/fake_telegram.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

struct desk {
    struct channels channels;
    struct fake_telegram *tg;
    struct telegram *telegram;
    char url[64];
    /* for conditions */
    size_t wanted;
    const char *text;
    const char *method;
    int64_t id;
    enum outbox_state state;
    enum telegram_state telegram_state;
};

static void wake(void *userdata)
{
    struct desk *desk = userdata;
    telegram_wake(desk->telegram);
}

static void open_channel(struct desk *desk)
{
    struct err err = {0};
    struct channels *d = &desk->channels;
    int rc = telegram_new(&(struct telegram_options){.loop = d->loop,
                                                     .clock = clock_real(),
                                                     .config = d->config,
                                                     .store = d->store,
                                                     .access = d->access,
                                                     .runner = d->runner,
                                                     .manifests = d->manifests,
                                                     .alerts = d->alerts,
                                                     .backoff_first_us = 20 * USEC_PER_MSEC,
                                                     .backoff_max_us = 100 * USEC_PER_MSEC},
                          &desk->telegram, &err);
    assert_int_equal(rc, 0);
    d->outbox_changed = wake;
    d->userdata = desk;
    telegram_start(desk->telegram);
}

static int setup(void **state)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    assert_non_null(desk);
    assert_int_equal(fake_telegram_start(&desk->tg), 0);
    (void)snprintf(desk->url, sizeof(desk->url), "http://127.0.0.1:%u",
                   fake_telegram_port(desk->tg));
    channels_open(&desk->channels, desk->url, "");
    open_channel(desk);
    *state = desk;
    return 0;
}

static int teardown(void **state)
{
    struct desk *desk = *state;
    telegram_stop(desk->telegram);
    telegram_free(desk->telegram);
    channels_close(&desk->channels);
    fake_telegram_stop(desk->tg);
    free(desk);
    return 0;
}

/* ---- conditions ---- */

static bool has_sent(void *userdata)
{
    struct desk *desk = userdata;
    for (size_t i = 0; i < fake_telegram_sent_count(desk->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(desk->tg, i, &s);
        if (s.accepted && strstr(s.text, desk->text) != NULL) {
            return true;
        }
    }
    return false;
}

static int count_with(struct desk *desk, const char *text)
{
    int count = 0;
    for (size_t i = 0; i < fake_telegram_sent_count(desk->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(desk->tg, i, &s);
        count += s.accepted && strstr(s.text, text) != NULL ? 1 : 0;
    }
    return count;
}

static bool has_sent_enough(void *userdata)
{
    struct desk *desk = userdata;
    return (size_t)count_with(desk, desk->text) >= desk->wanted;
}

static bool has_enough_calls(void *userdata)
{
    struct desk *desk = userdata;
    return fake_telegram_calls(desk->tg, desk->method) >= desk->wanted;
}

static bool in_state(void *userdata)
{
    struct desk *desk = userdata;
    return channels_state(&desk->channels, desk->id) == desk->state;
}

static bool is_confirmed(void *userdata)
{
    struct desk *desk = userdata;
    return fake_telegram_pending(desk->tg) == 0;
}

static bool channel_in_state(void *userdata)
{
    struct desk *desk = userdata;
    struct telegram_status status;
    telegram_status(desk->telegram, &status);
    return status.state == desk->telegram_state;
}

static bool has_alert(void *userdata)
{
    struct desk *desk = userdata;
    return channels_has_alert(&desk->channels, desk->text);
}

static bool has_no_alert(void *userdata)
{
    return !has_alert(userdata);
}

static void until_sent(struct desk *desk, const char *text)
{
    desk->text = text;
    if (!channels_until(&desk->channels, has_sent, desk)) {
        fail_msg("not sent: %s", text);
    }
}

static void until_state(struct desk *desk, int64_t id, enum outbox_state state)
{
    desk->id = id;
    desk->state = state;
    assert_true(channels_until(&desk->channels, in_state, desk));
}

static void until_calls(struct desk *desk, const char *method, size_t count)
{
    desk->method = method;
    desk->wanted = count;
    assert_true(channels_until(&desk->channels, has_enough_calls, desk));
}

static void until_alert(struct desk *desk, const char *fingerprint)
{
    desk->text = fingerprint;
    assert_true(channels_until(&desk->channels, has_alert, desk));
}

static void send_text(struct desk *desk, int64_t from, const char *text)
{
    (void)fake_telegram_user_sends(desk->tg,
                                   &(struct fake_telegram_message){.from = from, .text = text});
}

static int64_t post(struct desk *desk, enum outbox_priority priority, const char *title)
{
    return channels_post(&desk->channels, "telegram", ALICE, priority, title, 0);
}

static void assert_no_violations(struct desk *desk)
{
    assert_string_equal(fake_telegram_violations(desk->tg), "");
}

/* ---- updates ---- */

static void a_command_is_answered_and_its_update_confirmed(void **state)
{
    struct desk *desk = *state;
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    assert_true(channels_until(&desk->channels, is_confirmed, desk));
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, 0, &s);
    assert_int_equal(s.chat, ALICE);
    assert_true(s.html);
    assert_string_equal(s.buttons, "[Again|primary|/ping]");
    until_calls(desk, "setMyCommands", 1);
    until_calls(desk, "getWebhookInfo", 1);
    assert_no_violations(desk);
}

static void an_unauthorised_user_gets_no_answer(void **state)
{
    struct desk *desk = *state;
    send_text(desk, EVE, "/ping");
    fake_telegram_press_data(desk->tg, EVE, EVE, "/ping");
    (void)fake_telegram_push(desk->tg, "{\"inline_query\":{\"id\":\"1\",\"from\":{\"id\":6666},"
                                       "\"query\":\"x\",\"offset\":\"\"}}");
    /* Eve presses a button in Alice's chat: only the sender counts. */
    fake_telegram_press_data(desk->tg, EVE, ALICE, "/ping");
    assert_true(channels_until(&desk->channels, is_confirmed, desk));
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    assert_int_equal(fake_telegram_sent_count(desk->tg), 1);
    assert_int_equal(fake_telegram_calls(desk->tg, "answerCallbackQuery"), 0);
    assert_no_violations(desk);
}

static void updates_that_run_nothing_are_confirmed(void **state)
{
    struct desk *desk = *state;
    static const char *const updates[] = {
        "{\"edited_message\":{\"message_id\":5,\"date\":1,\"from\":{\"id\":1001},"
        "\"chat\":{\"id\":1001,\"type\":\"private\"},\"text\":\"/ping\"}}",
        "{\"message\":{\"message_id\":6,\"date\":1,\"from\":{\"id\":1001},\"forward_origin\":{},"
        "\"chat\":{\"id\":1001,\"type\":\"private\"},\"text\":\"/ping\"}}",
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
        (void)fake_telegram_push(desk->tg, updates[i]);
    }
    assert_true(channels_until(&desk->channels, is_confirmed, desk));
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    assert_int_equal(fake_telegram_sent_count(desk->tg), 1);
    assert_no_violations(desk);
}

static void in_a_group_only_commands_to_this_bot_run(void **state)
{
    struct desk *desk = *state;
    static const char *const not_ours[] = {"ping", "hello everybody", "/ping@another_bot"};
    for (size_t i = 0; i < COUNT_OF(not_ours); i++) {
        (void)fake_telegram_user_sends(
            desk->tg,
            &(struct fake_telegram_message){.from = ALICE, .chat = -77, .text = not_ours[i]});
    }
    (void)fake_telegram_user_sends(
        desk->tg, &(struct fake_telegram_message){
                      .from = ALICE, .chat = -77, .text = "/Ping@Nightdesk_fake_bot  "});
    (void)fake_telegram_user_sends(
        desk->tg, &(struct fake_telegram_message){
                      .from = ALICE, .chat = -77, .text = "/lines@nightdesk_fake_bot 2"});
    until_sent(desk, "2 lines");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, 0, &s);
    assert_int_equal(s.chat, -77);
    assert_int_equal(fake_telegram_sent_count(desk->tg), 2);
    assert_no_violations(desk);
}

static void a_nul_in_a_message_is_reported_as_an_error(void **state)
{
    struct desk *desk = *state;
    (void)fake_telegram_push(desk->tg,
                             "{\"message\":{\"message_id\":5,\"date\":4000000000,"
                             "\"from\":{\"id\":1001},\"chat\":{\"id\":1001,\"type\":\"private\"},"
                             "\"text\":\"/ping\\u0000/touch\"}}");
    until_sent(desk, "CHAT_LINE");
    assert_no_violations(desk);
}

static void a_confirmation_runs_once_and_its_buttons_are_removed(void **state)
{
    struct desk *desk = *state;
    send_text(desk, ALICE, "/touch");
    until_sent(desk, "Confirm: touch");
    assert_false(fake_telegram_press(desk->tg, ALICE, ALICE, "No such button"));
    assert_true(fake_telegram_press(desk->tg, ALICE, ALICE, "Confirm"));
    assert_true(fake_telegram_press(desk->tg, ALICE, ALICE, "Confirm"));
    until_sent(desk, "touched");
    until_calls(desk, "answerCallbackQuery", 2);
    assert_int_equal(desk->channels.touched, 1);
    assert_false(fake_telegram_press(desk->tg, ALICE, ALICE, "Confirm")); /* edited away */
    assert_no_violations(desk);
}

static void only_the_requester_can_confirm(void **state)
{
    struct desk *desk = *state;
    send_text(desk, ALICE, "/touch");
    until_sent(desk, "Confirm: touch");
    assert_true(fake_telegram_press(desk->tg, BOB, ALICE, "Confirm"));
    assert_true(fake_telegram_press(desk->tg, EVE, ALICE, "Confirm"));
    until_calls(desk, "answerCallbackQuery", 1);
    assert_true(channels_until(&desk->channels, is_confirmed, desk));
    assert_int_equal(desk->channels.touched, 0);
    assert_no_violations(desk);
}

/* Simulates a process that ended this many seconds ago. */
static void close_for(struct desk *desk, int64_t seconds)
{
    static const char *const names[] = {"telegram.heard_us", "telegram.heard_date_us"};
    struct err err = {0};
    int64_t then_us = clock_wall_us(clock_real()) - seconds * USEC_PER_SEC;
    telegram_stop(desk->telegram);
    telegram_free(desk->telegram);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(ops_store_write_i64(desk->channels.store, names[i], then_us, &err), 0);
    }
}

/* Telegram does not date a press: one that was queued may be as old as the outage. */
static void a_press_made_during_an_outage_is_stale(void **state)
{
    struct desk *desk = *state;
    close_for(desk, 300);
    fake_telegram_press_data(desk->tg, ALICE, ALICE, "/touch");
    open_channel(desk);
    until_sent(desk, "COMMAND_STALE");
    channels_run_for(&desk->channels, 50 * USEC_PER_MSEC); /* a poll is waiting */
    fake_telegram_press_data(desk->tg, ALICE, ALICE, "/touch");
    until_sent(desk, "Confirm: touch");
    assert_no_violations(desk);
}

/* The press may have been queued before the failed attempts to connect. */
static void an_old_press_is_stale_even_if_the_first_poll_is_slow(void **state)
{
    struct desk *desk = *state;
    close_for(desk, 300);
    fake_telegram_press_data(desk->tg, ALICE, ALICE, "/touch");
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .fault = FAKE_TELEGRAM_BODY,
                                                                 .status = 502,
                                                                 .body = "<html>Bad gateway"});
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .fault = FAKE_TELEGRAM_ERROR,
                                                                 .status = 409,
                                                                 .description = "Conflict: x"});
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .fault = FAKE_TELEGRAM_SLOW,
                                                                 .delay_ms = 1500});
    open_channel(desk);
    until_sent(desk, "COMMAND_STALE");
    until_sent(desk, "pressed up to 5 min");
    assert_int_equal(count_with(desk, "Confirm: touch"), 0);
    assert_no_violations(desk);
}

/* After a full answer the rest of the queued updates come with the next one. */
static void presses_after_a_full_answer_are_stale_too(void **state)
{
    struct desk *desk = *state;
    close_for(desk, 300);
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .fault = FAKE_TELEGRAM_LARGE});
    fake_telegram_press_data(desk->tg, ALICE, ALICE, "/touch");
    fake_telegram_press_data(desk->tg, ALICE, ALICE, "/touch");
    open_channel(desk);
    desk->text = "COMMAND_STALE";
    desk->wanted = 2;
    assert_true(channels_until(&desk->channels, has_sent_enough, desk));
    assert_int_equal(count_with(desk, "Confirm: touch"), 0);
    assert_no_violations(desk);
}

/* A server that is always slow is not an outage. */
static void presses_through_a_slow_server_are_accepted(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .times = 3,
                                                                 .fault = FAKE_TELEGRAM_SLOW,
                                                                 .delay_ms = 1500});
    until_calls(desk, "getUpdates", 2);
    fake_telegram_press_data(desk->tg, ALICE, ALICE, "/touch");
    until_sent(desk, "Confirm: touch");
    assert_no_violations(desk);
}

static void a_stale_confirmation_can_be_given_again(void **state)
{
    struct desk *desk = *state;
    send_text(desk, ALICE, "/touch");
    until_sent(desk, "Confirm: touch");
    until_state(desk, 1, OUTBOX_DELIVERED);
    close_for(desk, 300);
    fake_telegram_age_messages(desk->tg, 400);
    assert_true(fake_telegram_press(desk->tg, ALICE, ALICE, "Confirm"));
    open_channel(desk);
    until_sent(desk, "Not confirmed: pressed up to");
    assert_int_equal(desk->channels.touched, 0);
    channels_run_for(&desk->channels, 50 * USEC_PER_MSEC);
    assert_true(fake_telegram_press(desk->tg, ALICE, ALICE, "Confirm"));
    until_sent(desk, "touched");
    assert_int_equal(desk->channels.touched, 1);
    assert_no_violations(desk);
}

/* ---- server faults ---- */

static void polling_recovers_from_every_fault(void **state)
{
    struct desk *desk = *state;
    static const struct fake_telegram_failure failures[] = {
        {.fault = FAKE_TELEGRAM_ERROR, .status = 500, .description = "Internal Server Error"},
        {.fault = FAKE_TELEGRAM_BODY, .status = 500, .body = "oops"},
        {.fault = FAKE_TELEGRAM_BODY, .status = 200, .body = "<html>Log in to the hotel</html>"},
        {.fault = FAKE_TELEGRAM_BODY, .status = 200, .body = "{\"result\":[]}"},
        {.fault = FAKE_TELEGRAM_BODY, .status = 200, .body = "{\"ok\":true,\"result\":5}"},
        {.fault = FAKE_TELEGRAM_BODY, .status = 200, .body = ""},
        {.fault = FAKE_TELEGRAM_BODY, .status = 302, .body = "moved"},
        {.fault = FAKE_TELEGRAM_CLOSE},
        {.fault = FAKE_TELEGRAM_LARGE},
        {.fault = FAKE_TELEGRAM_ERROR,
         .status = 429,
         .description = "Too Many Requests",
         .retry_after_s = 1},
    };
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        struct fake_telegram_failure f = failures[i];
        f.method = "getUpdates";
        fake_telegram_fail(desk->tg, &f);
    }
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    assert_true(fake_telegram_calls(desk->tg, "getUpdates") > COUNT_OF(failures));
    assert_int_equal(count_with(desk, "pong"), 1);
    assert_no_violations(desk);
}

static void instant_empty_answers_do_not_spin_the_loop(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .times = 1000,
                                                                 .fault = FAKE_TELEGRAM_AT_ONCE});
    channels_run_for(&desk->channels, 2 * USEC_PER_SEC);
    assert_true(fake_telegram_calls(desk->tg, "getUpdates") <= 8);
    assert_no_violations(desk);
}

static void refuse(struct desk *desk, const char *method, int status, const char *text, int times)
{
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = method,
                                                                 .times = times,
                                                                 .fault = FAKE_TELEGRAM_ERROR,
                                                                 .status = status,
                                                                 .description = text});
}

static void a_refused_token_stops_the_channel_until_it_is_accepted(void **state)
{
    struct desk *desk = *state;
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    refuse(desk, "getUpdates", 401, "Unauthorized", 1);
    refuse(desk, "getMe", 401, "Unauthorized", 3);
    desk->telegram_state = TELEGRAM_REFUSED;
    assert_true(channels_until(&desk->channels, channel_in_state, desk));
    assert_true(channels_has_alert(&desk->channels, "telegram:token"));
    int64_t since_us = 0;
    assert_int_equal(telegram_reach(desk->telegram, &since_us), CHAT_REFUSED);
    assert_true(since_us > 0);
    AUTO_BUF struct buf line = BUF_INIT(512);
    AUTO_JSON struct json_object *data = json_object_new_object();
    telegram_status_line(&line, data, desk->telegram);
    assert_non_null(strstr(line.data, "Telegram off since "));
    assert_non_null(strstr(line.data, "TELEGRAM_TOKEN_REFUSED"));

    size_t polls = fake_telegram_calls(desk->tg, "getUpdates");
    int64_t id = post(desk, OUTBOX_CRITICAL, "not now");
    until_calls(desk, "getMe", 4); /* the first one, and three that are refused */
    assert_int_equal(fake_telegram_calls(desk->tg, "getUpdates"), polls);
    assert_int_equal(channels_state(&desk->channels, id), OUTBOX_QUEUED);
    assert_true(channels_has_alert(&desk->channels, "telegram:token"));

    until_state(desk, id, OUTBOX_DELIVERED); /* without a restart */
    desk->text = "telegram:token";
    assert_true(channels_until(&desk->channels, has_no_alert, desk));
    send_text(desk, ALICE, "/lines 2");
    until_sent(desk, "2 lines");
    assert_int_equal(telegram_reach(desk->telegram, &since_us), CHAT_UP);
    assert_no_violations(desk);
}

static void an_unstored_reply_survives_a_refused_token(void **state)
{
    struct desk *desk = *state;
    until_calls(desk, "getUpdates", 1);
    refuse(desk, "sendMessage", 401, "Unauthorized", 1);
    refuse(desk, "getMe", 401, "Unauthorized", 1);
    AUTO_REPLY struct reply *reply = reply_new();
    reply_title(reply, TONE_PLAIN, "kept in memory");
    assert_true(telegram_send_unstored(desk->telegram, ALICE, 0, reply));
    desk->telegram_state = TELEGRAM_REFUSED;
    assert_true(channels_until(&desk->channels, channel_in_state, desk));
    assert_int_equal(count_with(desk, "kept in memory"), 0);
    until_sent(desk, "kept in memory");
    assert_int_equal(count_with(desk, "kept in memory"), 1);
    assert_no_violations(desk);
}

/* A malformed token or a wrong URL: messages of that time are not lost. */
static void an_unknown_token_is_refused_too(void **state)
{
    struct desk *desk = *state;
    until_calls(desk, "getUpdates", 1);
    refuse(desk, "sendMessage", 404, "Not Found", 1);
    refuse(desk, "getMe", 404, "Not Found", 1);
    int64_t id = post(desk, OUTBOX_CRITICAL, "kept");
    desk->telegram_state = TELEGRAM_REFUSED;
    assert_true(channels_until(&desk->channels, channel_in_state, desk));
    until_state(desk, id, OUTBOX_DELIVERED);
    assert_int_equal(count_with(desk, "kept"), 1);
    assert_no_violations(desk);
}

static void a_proxy_401_is_not_a_refused_token(void **state)
{
    struct desk *desk = *state;
    static const char *const methods[] = {"getUpdates", "sendMessage"};
    until_calls(desk, "getUpdates", 1);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){
                                         .method = methods[i],
                                         .times = 2,
                                         .fault = FAKE_TELEGRAM_BODY,
                                         .status = 401,
                                         .body = "<html>401 Authorization Required</html>"});
    }
    int64_t id = post(desk, OUTBOX_NORMAL, "through");
    until_state(desk, id,
                OUTBOX_DELIVERED); /* it certainly had not arrived, so it is not uncertain */
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    assert_int_equal(count_with(desk, "through"), 1);
    assert_int_equal(fake_telegram_calls(desk->tg, "getMe"),
                     1); /* the token was not checked again */
    assert_false(channels_has_alert(&desk->channels, "telegram:token"));
    assert_no_violations(desk);
}

static void a_second_poller_raises_a_security_alert(void **state)
{
    struct desk *desk = *state;
    until_calls(desk, "getUpdates", 1);
    fake_telegram_fail(desk->tg,
                       &(struct fake_telegram_failure){
                           .method = "getUpdates",
                           .fault = FAKE_TELEGRAM_ERROR,
                           .status = 409,
                           .description = "Conflict: terminated by other getUpdates request; make "
                                          "sure that only one bot instance is running"});
    until_alert(desk, "telegram:conflict");
    send_text(desk, ALICE, "/ping"); /* polling goes on after a pause */
    until_sent(desk, "pong");
    assert_no_violations(desk);
}

static void a_webhook_raises_a_security_alert(void **state)
{
    struct desk *desk = *state;
    telegram_stop(desk->telegram);
    telegram_free(desk->telegram);
    fake_telegram_set_webhook(desk->tg, "https://evil.example/secret-path");
    open_channel(desk);
    until_alert(desk, "telegram:conflict");
    assert_no_violations(desk);
}

static void a_stalled_poll_raises_an_alert_until_it_recovers(void **state)
{
    struct desk *desk = *state;
    until_calls(desk, "getUpdates", 1);
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                 .fault = FAKE_TELEGRAM_SLOW,
                                                                 .delay_ms = 5000});
    until_alert(desk, "telegram:poll-stalled");
    struct telegram_status status;
    telegram_status(desk->telegram, &status);
    assert_true(status.poll_stalled);
    desk->text = "telegram:poll-stalled";
    assert_true(channels_until(&desk->channels, has_no_alert, desk));
    telegram_status(desk->telegram, &status);
    assert_false(status.poll_stalled);
    assert_no_violations(desk);
}

/* ---- delivery ---- */

static void a_429_delays_only_its_chat(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(
        desk->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                  .fault = FAKE_TELEGRAM_ERROR,
                                                  .status = 429,
                                                  .description = "Too Many Requests: retry after 2",
                                                  .retry_after_s = 2,
                                                  .chat = ALICE});
    int64_t slow = post(desk, OUTBOX_NORMAL, "for alice");
    until_calls(desk, "sendMessage", 1);
    int64_t other = channels_post(&desk->channels, "telegram", BOB, OUTBOX_INFO, "for bob", 0);
    until_state(desk, other, OUTBOX_DELIVERED);
    assert_int_not_equal(channels_state(&desk->channels, slow), OUTBOX_DELIVERED);
    until_state(desk, slow, OUTBOX_DELIVERED);
    assert_no_violations(desk);
}

static void rejected_markup_is_sent_as_plain_text(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg,
                       &(struct fake_telegram_failure){
                           .method = "sendMessage",
                           .fault = FAKE_TELEGRAM_ERROR,
                           .status = 400,
                           .description = "Bad Request: can't parse entities: Unsupported "
                                          "start tag \"x\" at byte offset 0"});
    int64_t id = post(desk, OUTBOX_NORMAL, "a < b & c");
    until_state(desk, id, OUTBOX_DELIVERED);
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, fake_telegram_sent_count(desk->tg) - 1, &s);
    assert_false(s.html);
    assert_string_equal(s.text, "a < b & c");
    assert_no_violations(desk);
}

static void long_replies_arrive_complete(void **state)
{
    struct desk *desk = *state;
    send_text(desk, ALICE, "/lines 150"); /* about 8 KB */
    until_sent(desk, "line 149 ");
    assert_true(count_with(desk, "line ") >= 2);
    send_text(desk, BOB, "/lines 800"); /* a file */
    until_sent(desk, "line 799 of <many> & some");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, fake_telegram_sent_count(desk->tg) - 1, &s);
    assert_string_equal(s.method, "sendDocument");
    assert_non_null(strstr(s.text, "line 0 of <many>"));
    assert_no_violations(desk);
}

static void protected_replies_are_sent_as_protected(void **state)
{
    struct desk *desk = *state;
    send_text(desk, BOB, "/secret");
    until_sent(desk, "a balance");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, 0, &s);
    assert_true(s.is_protected);
    assert_no_violations(desk);
}

static void a_server_error_is_retried(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                 .times = 3,
                                                                 .fault = FAKE_TELEGRAM_BODY,
                                                                 .status = 502,
                                                                 .body = "<html>Bad gateway"});
    int64_t id = post(desk, OUTBOX_NORMAL, "in the end");
    until_state(desk, id, OUTBOX_DELIVERED);
    assert_int_equal(count_with(desk, "in the end"), 1);
    assert_int_equal(count_with(desk, "repeated"), 0);
    assert_no_violations(desk);
}

static void after_a_lost_answer_only_alerts_are_repeated(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                 .times = 1,
                                                                 .fault = FAKE_TELEGRAM_CUT});
    int64_t reply = post(desk, OUTBOX_NORMAL, "a reply");
    until_state(desk, reply, OUTBOX_UNCERTAIN);
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                 .times = 1,
                                                                 .fault = FAKE_TELEGRAM_CUT});
    int64_t alert = post(desk, OUTBOX_HIGH, "an alert");
    until_state(desk, alert, OUTBOX_DELIVERED);
    assert_int_equal(count_with(desk, "a reply"), 1);
    assert_int_equal(count_with(desk, "an alert"), 2);
    assert_int_equal(count_with(desk, "(possibly repeated)"), 1);
    assert_no_violations(desk);
}

static void messages_in_flight_at_a_crash_are_recovered(void **state)
{
    struct desk *desk = *state;
    struct err err = {0};
    int64_t count = 0;
    telegram_stop(desk->telegram);
    telegram_free(desk->telegram);
    desk->telegram = NULL;
    desk->channels.outbox_changed = NULL;
    int64_t alert = post(desk, OUTBOX_CRITICAL, "an alert");
    int64_t reply = post(desk, OUTBOX_NORMAL, "a reply");
    int64_t waiting = post(desk, OUTBOX_NORMAL, "not begun");
    assert_int_equal(outbox_table_sending(desk->channels.store, alert, &err), 0);
    assert_int_equal(outbox_table_sending(desk->channels.store, reply, &err), 0);
    assert_int_equal(outbox_table_recover(desk->channels.store, &count, &err), 0);
    assert_int_equal(count, 2);
    open_channel(desk);
    until_state(desk, alert, OUTBOX_DELIVERED);
    until_state(desk, waiting, OUTBOX_DELIVERED);
    assert_int_equal(channels_state(&desk->channels, reply), OUTBOX_UNCERTAIN);
    assert_int_equal(count_with(desk, "(possibly repeated)"), 1);
    assert_no_violations(desk);
}

static void edits_change_the_message_or_send_a_new_one(void **state)
{
    struct desk *desk = *state;
    int64_t first = post(desk, OUTBOX_NORMAL, "step 1");
    until_state(desk, first, OUTBOX_DELIVERED);
    int64_t same =
        channels_post(&desk->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 1", first);
    until_state(desk, same, OUTBOX_DELIVERED); /* not modified */
    int64_t edit =
        channels_post(&desk->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 2", first);
    until_state(desk, edit, OUTBOX_DELIVERED);
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, 0, &s);
    assert_string_equal(fake_telegram_text(desk->tg, ALICE, s.message_id), "step 2");
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){
                                     .method = "editMessageText",
                                     .fault = FAKE_TELEGRAM_ERROR,
                                     .status = 400,
                                     .description = "Bad Request: message to edit not found"});
    int64_t missing =
        channels_post(&desk->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 3", first);
    until_state(desk, missing, OUTBOX_DELIVERED);
    fake_telegram_get_sent(desk->tg, fake_telegram_sent_count(desk->tg) - 1, &s);
    assert_string_equal(s.method, "sendMessage");
    assert_non_null(strstr(s.text, "step 3"));
    assert_no_violations(desk);
}

static void pending_edits_are_coalesced(void **state)
{
    struct desk *desk = *state;
    int64_t first = post(desk, OUTBOX_NORMAL, "step 0");
    int64_t last = 0;
    for (int i = 1; i <= 20; i++) {
        char title[32];
        (void)snprintf(title, sizeof(title), "step %d", i);
        last = channels_post(&desk->channels, "telegram", ALICE, OUTBOX_NORMAL, title, first);
    }
    until_state(desk, last, OUTBOX_DELIVERED);
    until_sent(desk, "step 20");
    assert_int_equal(fake_telegram_calls(desk->tg, "editMessageText"), 1);
    assert_no_violations(desk);
}

static void a_chat_migration_is_followed_and_remembered(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(
        desk->tg, &(struct fake_telegram_failure){
                      .method = "sendMessage",
                      .fault = FAKE_TELEGRAM_ERROR,
                      .status = 400,
                      .description = "Bad Request: group chat was upgraded to a supergroup chat",
                      .migrate_to = -1001234567890,
                      .chat = -77});
    int64_t one = channels_post(&desk->channels, "telegram", -77, OUTBOX_NORMAL, "one", 0);
    until_state(desk, one, OUTBOX_DELIVERED);
    int64_t two = channels_post(&desk->channels, "telegram", -77, OUTBOX_NORMAL, "two", 0);
    until_state(desk, two, OUTBOX_DELIVERED);
    for (size_t i = 0; i < fake_telegram_sent_count(desk->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(desk->tg, i, &s);
        assert_true(s.chat == -1001234567890);
    }
    assert_int_equal(fake_telegram_calls(desk->tg, "sendMessage"), 3);
    assert_no_violations(desk);
}

static void a_dead_chat_raises_one_alert_and_recovers(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg, &(struct fake_telegram_failure){
                                     .method = "sendMessage",
                                     .fault = FAKE_TELEGRAM_ERROR,
                                     .status = 403,
                                     .description = "Forbidden: bot was blocked by the user"});
    int64_t one = post(desk, OUTBOX_CRITICAL, "one");
    until_state(desk, one, OUTBOX_DEAD);
    char name[64];
    (void)snprintf(name, sizeof(name), "telegram:chat:%d", ALICE);
    assert_true(channels_has_alert(&desk->channels, name));
    int64_t two = post(desk, OUTBOX_CRITICAL, "two");
    until_state(desk, two, OUTBOX_DEAD); /* without asking Telegram again */
    assert_int_equal(fake_telegram_calls(desk->tg, "sendMessage"), 1);
    send_text(desk, ALICE, "/ping");
    until_sent(desk, "pong");
    assert_false(channels_has_alert(&desk->channels, name));
    assert_no_violations(desk);
}

static void a_permanently_refused_message_is_dead_with_an_alert(void **state)
{
    struct desk *desk = *state;
    fake_telegram_fail(desk->tg,
                       &(struct fake_telegram_failure){.method = "sendMessage",
                                                       .times = 2,
                                                       .fault = FAKE_TELEGRAM_ERROR,
                                                       .status = 400,
                                                       .description = "Bad Request: no idea"});
    int64_t id = post(desk, OUTBOX_NORMAL, "refused");
    until_state(desk, id, OUTBOX_DEAD);
    until_alert(desk, "telegram:undelivered");
    assert_no_violations(desk);
}

static void urgent_messages_are_sent_first(void **state)
{
    struct desk *desk = *state;
    until_calls(desk, "getUpdates", 1);
    desk->channels.outbox_changed = NULL; /* queue all of them first */
    for (int i = 0; i < 3; i++) {
        (void)post(desk, OUTBOX_INFO, "info");
    }
    (void)post(desk, OUTBOX_CRITICAL, "critical");
    telegram_wake(desk->telegram);
    until_sent(desk, "critical");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(desk->tg, 0, &s);
    assert_string_equal(s.text, "<b>critical</b>");
    assert_no_violations(desk);
}

static void without_a_token_the_channel_is_off(void **state)
{
    (void)state;
    struct desk desk = {0};
    channels_open(&desk.channels, "", "");
    open_channel(&desk);
    struct telegram_status status;
    telegram_wake(desk.telegram);
    telegram_status(desk.telegram, &status);
    assert_int_equal(status.state, TELEGRAM_OFF);
    telegram_stop(desk.telegram);
    telegram_free(desk.telegram);
    channels_close(&desk.channels);
}

#define DESK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
UNIT_GROUP(
    chat_telegram, DESK_TEST(a_command_is_answered_and_its_update_confirmed),
    DESK_TEST(an_unauthorised_user_gets_no_answer),
    DESK_TEST(updates_that_run_nothing_are_confirmed),
    DESK_TEST(in_a_group_only_commands_to_this_bot_run),
    DESK_TEST(a_nul_in_a_message_is_reported_as_an_error),
    DESK_TEST(a_confirmation_runs_once_and_its_buttons_are_removed),
    DESK_TEST(only_the_requester_can_confirm), DESK_TEST(a_press_made_during_an_outage_is_stale),
    DESK_TEST(an_old_press_is_stale_even_if_the_first_poll_is_slow),
    DESK_TEST(presses_after_a_full_answer_are_stale_too),
    DESK_TEST(presses_through_a_slow_server_are_accepted),
    DESK_TEST(a_stale_confirmation_can_be_given_again),
    DESK_TEST(polling_recovers_from_every_fault),
    DESK_TEST(instant_empty_answers_do_not_spin_the_loop),
    DESK_TEST(a_refused_token_stops_the_channel_until_it_is_accepted),
    DESK_TEST(an_unstored_reply_survives_a_refused_token),
    DESK_TEST(an_unknown_token_is_refused_too), DESK_TEST(a_proxy_401_is_not_a_refused_token),
    DESK_TEST(a_second_poller_raises_a_security_alert),
    DESK_TEST(a_webhook_raises_a_security_alert),
    DESK_TEST(a_stalled_poll_raises_an_alert_until_it_recovers),
    DESK_TEST(a_429_delays_only_its_chat), DESK_TEST(rejected_markup_is_sent_as_plain_text),
    DESK_TEST(long_replies_arrive_complete), DESK_TEST(protected_replies_are_sent_as_protected),
    DESK_TEST(a_server_error_is_retried), DESK_TEST(after_a_lost_answer_only_alerts_are_repeated),
    DESK_TEST(messages_in_flight_at_a_crash_are_recovered),
    DESK_TEST(edits_change_the_message_or_send_a_new_one), DESK_TEST(pending_edits_are_coalesced),
    DESK_TEST(a_chat_migration_is_followed_and_remembered),
    DESK_TEST(a_dead_chat_raises_one_alert_and_recovers),
    DESK_TEST(a_permanently_refused_message_is_dead_with_an_alert),
    DESK_TEST(urgent_messages_are_sent_first), cmocka_unit_test(without_a_token_the_channel_is_off))
