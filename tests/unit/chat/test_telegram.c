#include "base/check.h"
#include "base/log.h"
#include "channels.h"
#include "chat/telegram.h"
#include "fakes/fake_telegram.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

struct chat_rig {
    struct channels channels;
    struct fake_telegram *tg;
    struct telegram *telegram;
    char url[64];
    int64_t poll_gap_us;
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
    struct chat_rig *rig = userdata;
    telegram_wake(rig->telegram);
}

static void open_channel(struct chat_rig *rig)
{
    struct err err = {0};
    struct channels *d = &rig->channels;
    int rc = telegram_new(&(struct telegram_options){.loop = d->loop,
                                                     .clock = clock_real(),
                                                     .config = d->config,
                                                     .store = d->store,
                                                     .access = d->access,
                                                     .runner = d->runner,
                                                     .manifests = d->manifests,
                                                     .alerts = d->alerts,
                                                     .backoff_first_us = 20 * USEC_PER_MSEC,
                                                     .backoff_max_us = 100 * USEC_PER_MSEC,
                                                     .poll_gap_us = rig->poll_gap_us},
                          &rig->telegram, &err);
    assert_int_equal(rc, 0);
    d->outbox_changed = wake;
    d->userdata = rig;
    telegram_start(rig->telegram);
}

static int setup(void **state)
{
    struct chat_rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    assert_int_equal(fake_telegram_start(&rig->tg), 0);
    (void)snprintf(rig->url, sizeof(rig->url), "http://127.0.0.1:%u", fake_telegram_port(rig->tg));
    channels_open(&rig->channels, rig->url, "");
    open_channel(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct chat_rig *rig = *state;
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    channels_close(&rig->channels);
    fake_telegram_stop(rig->tg);
    free(rig);
    return 0;
}

/* ---- conditions ---- */

static bool has_sent(void *userdata)
{
    struct chat_rig *rig = userdata;
    for (size_t i = 0; i < fake_telegram_sent_count(rig->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(rig->tg, i, &s);
        if (s.accepted && strstr(s.text, rig->text) != NULL) {
            return true;
        }
    }
    return false;
}

static int count_with(struct chat_rig *rig, const char *text)
{
    int count = 0;
    for (size_t i = 0; i < fake_telegram_sent_count(rig->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(rig->tg, i, &s);
        count += s.accepted && strstr(s.text, text) != NULL ? 1 : 0;
    }
    return count;
}

static bool has_sent_enough(void *userdata)
{
    struct chat_rig *rig = userdata;
    return (size_t)count_with(rig, rig->text) >= rig->wanted;
}

static bool has_enough_calls(void *userdata)
{
    struct chat_rig *rig = userdata;
    return fake_telegram_calls(rig->tg, rig->method) >= rig->wanted;
}

static bool in_state(void *userdata)
{
    struct chat_rig *rig = userdata;
    return channels_state(&rig->channels, rig->id) == rig->state;
}

static bool is_confirmed(void *userdata)
{
    struct chat_rig *rig = userdata;
    return fake_telegram_pending(rig->tg) == 0;
}

static bool channel_in_state(void *userdata)
{
    struct chat_rig *rig = userdata;
    struct telegram_status status;
    telegram_status(rig->telegram, &status);
    return status.state == rig->telegram_state;
}

static bool has_alert(void *userdata)
{
    struct chat_rig *rig = userdata;
    return channels_has_alert(&rig->channels, rig->text);
}

static bool has_no_alert(void *userdata)
{
    return !has_alert(userdata);
}

static void until_sent(struct chat_rig *rig, const char *text)
{
    rig->text = text;
    if (!channels_until(&rig->channels, has_sent, rig)) {
        fail_msg("not sent: %s", text);
    }
}

static void until_state(struct chat_rig *rig, int64_t id, enum outbox_state state)
{
    rig->id = id;
    rig->state = state;
    assert_true(channels_until(&rig->channels, in_state, rig));
}

static void until_calls(struct chat_rig *rig, const char *method, size_t count)
{
    rig->method = method;
    rig->wanted = count;
    assert_true(channels_until(&rig->channels, has_enough_calls, rig));
}

static void until_alert(struct chat_rig *rig, const char *fingerprint)
{
    rig->text = fingerprint;
    assert_true(channels_until(&rig->channels, has_alert, rig));
}

static void send_text(struct chat_rig *rig, int64_t from, const char *text)
{
    (void)fake_telegram_user_sends(rig->tg,
                                   &(struct fake_telegram_message){.from = from, .text = text});
}

static int64_t post(struct chat_rig *rig, enum outbox_priority priority, const char *title)
{
    return channels_post(&rig->channels, "telegram", ALICE, priority, title, 0);
}

static void assert_no_violations(struct chat_rig *rig)
{
    assert_string_equal(fake_telegram_violations(rig->tg), "");
}

/* ---- updates ---- */

static void a_command_is_answered_and_its_update_confirmed(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_true(channels_until(&rig->channels, is_confirmed, rig));
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_int_equal(s.chat, ALICE);
    assert_true(s.html);
    assert_string_equal(s.buttons, "[Again|primary|/ping]");
    until_calls(rig, "setMyCommands", 1);
    until_calls(rig, "getWebhookInfo", 1);
    assert_no_violations(rig);
}

static void an_unauthorised_user_gets_no_answer(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, EVE, "/ping");
    fake_telegram_press_data(rig->tg, EVE, EVE, "/ping");
    (void)fake_telegram_push(rig->tg, "{\"inline_query\":{\"id\":\"1\",\"from\":{\"id\":6666},"
                                      "\"query\":\"x\",\"offset\":\"\"}}");
    /* Eve presses a button in Alice's chat: only the sender counts. */
    fake_telegram_press_data(rig->tg, EVE, ALICE, "/ping");
    assert_true(channels_until(&rig->channels, is_confirmed, rig));
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_int_equal(fake_telegram_sent_count(rig->tg), 1);
    assert_int_equal(fake_telegram_calls(rig->tg, "answerCallbackQuery"), 0);
    assert_no_violations(rig);
}

static void updates_that_run_nothing_are_confirmed(void **state)
{
    struct chat_rig *rig = *state;
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
    assert_true(channels_until(&rig->channels, is_confirmed, rig));
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_int_equal(fake_telegram_sent_count(rig->tg), 1);
    assert_no_violations(rig);
}

static void in_a_group_only_commands_to_this_bot_run(void **state)
{
    struct chat_rig *rig = *state;
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
    until_sent(rig, "2 lines");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_int_equal(s.chat, -77);
    assert_int_equal(fake_telegram_sent_count(rig->tg), 2);
    assert_no_violations(rig);
}

static void a_nul_in_a_message_is_reported_as_an_error(void **state)
{
    struct chat_rig *rig = *state;
    (void)fake_telegram_push(rig->tg,
                             "{\"message\":{\"message_id\":5,\"date\":4000000000,"
                             "\"from\":{\"id\":1001},\"chat\":{\"id\":1001,\"type\":\"private\"},"
                             "\"text\":\"/ping\\u0000/touch\"}}");
    until_sent(rig, "CHAT_LINE");
    assert_no_violations(rig);
}

static void a_confirmation_runs_once_and_its_buttons_are_removed(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, ALICE, "/touch");
    until_sent(rig, "Confirm: touch");
    assert_false(fake_telegram_press(rig->tg, ALICE, ALICE, "No such button"));
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    until_sent(rig, "touched");
    until_calls(rig, "answerCallbackQuery", 2);
    assert_int_equal(rig->channels.touched, 1);
    assert_false(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm")); /* edited away */
    assert_no_violations(rig);
}

static void only_the_requester_can_confirm(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, ALICE, "/touch");
    until_sent(rig, "Confirm: touch");
    assert_true(fake_telegram_press(rig->tg, BOB, ALICE, "Confirm"));
    assert_true(fake_telegram_press(rig->tg, EVE, ALICE, "Confirm"));
    until_calls(rig, "answerCallbackQuery", 1);
    assert_true(channels_until(&rig->channels, is_confirmed, rig));
    assert_int_equal(rig->channels.touched, 0);
    assert_no_violations(rig);
}

/* Simulates a process that ended this many seconds ago. */
static void close_for(struct chat_rig *rig, int64_t seconds)
{
    static const char *const names[] = {"telegram.heard_us", "telegram.heard_date_us"};
    struct err err = {0};
    int64_t then_us = clock_wall_us(clock_real()) - seconds * USEC_PER_SEC;
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(ops_store_write_i64(rig->channels.store, names[i], then_us, &err), 0);
    }
}

/* Telegram does not date a press: one that was queued may be as old as the outage. */
static void a_press_made_during_an_outage_is_stale(void **state)
{
    struct chat_rig *rig = *state;
    close_for(rig, 300);
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    open_channel(rig);
    until_sent(rig, "Run now? touch");
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC); /* a poll is waiting */
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    until_sent(rig, "Confirm: touch");
    assert_no_violations(rig);
}

/* The press may have been queued before the failed attempts to connect. */
static void an_old_press_is_stale_even_if_the_first_poll_is_slow(void **state)
{
    struct chat_rig *rig = *state;
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
    open_channel(rig);
    until_sent(rig, "Run now? touch");
    until_sent(rig, "Pressed up to 5 min");
    assert_int_equal(count_with(rig, "Confirm: touch"), 0);
    assert_no_violations(rig);
}

/* After a full answer the rest of the queued updates come with the next one. */
static void presses_after_a_full_answer_are_stale_too(void **state)
{
    struct chat_rig *rig = *state;
    close_for(rig, 300);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_LARGE});
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    open_channel(rig);
    rig->text = "Run now? touch";
    rig->wanted = 2;
    assert_true(channels_until(&rig->channels, has_sent_enough, rig));
    assert_int_equal(count_with(rig, "Confirm: touch"), 0);
    assert_no_violations(rig);
}

/* A server that is always slow is not an outage. */
static void presses_through_a_slow_server_are_accepted(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = 3,
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 1500});
    until_calls(rig, "getUpdates", 2);
    fake_telegram_press_data(rig->tg, ALICE, ALICE, "/touch");
    until_sent(rig, "Confirm: touch");
    assert_no_violations(rig);
}

static void a_stale_confirmation_can_be_given_again(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, ALICE, "/touch");
    until_sent(rig, "Confirm: touch");
    until_state(rig, 1, OUTBOX_DELIVERED);
    close_for(rig, 300);
    fake_telegram_age_messages(rig->tg, 400);
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    open_channel(rig);
    until_sent(rig, "Not confirmed: pressed up to");
    assert_int_equal(rig->channels.touched, 0);
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC);
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    until_sent(rig, "touched");
    assert_int_equal(rig->channels.touched, 1);
    assert_no_violations(rig);
}

/* ---- server faults ---- */

static void polling_recovers_from_every_fault(void **state)
{
    struct chat_rig *rig = *state;
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
        fake_telegram_fail(rig->tg, &f);
    }
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_true(fake_telegram_calls(rig->tg, "getUpdates") > COUNT_OF(failures));
    assert_int_equal(count_with(rig, "pong"), 1);
    assert_no_violations(rig);
}

static void instant_empty_answers_do_not_spin_the_loop(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = 1000,
                                                                .fault = FAKE_TELEGRAM_AT_ONCE});
    channels_run_for(&rig->channels, 2 * USEC_PER_SEC);
    assert_true(fake_telegram_calls(rig->tg, "getUpdates") <= 8);
    assert_no_violations(rig);
}

/* With the poll timeout of one second; three seconds without an answer would count as stalled. */
static void a_server_without_long_polls_is_asked_once_in_a_poll_timeout(void **state)
{
    struct chat_rig *rig = *state;
    static struct alert alert; /* large */
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = 1000,
                                                                .fault = FAKE_TELEGRAM_AT_ONCE});
    rig->poll_gap_us = 4 * USEC_PER_SEC; /* what the pauses grow to */
    open_channel(rig);
    size_t before = fake_telegram_calls(rig->tg, "getUpdates");
    until_calls(rig, "getUpdates", before + 6);
    assert_int_equal(alert_table_find(rig->channels.store, "telegram:poll-stalled", &alert, NULL),
                     -ERR_STORE_NOT_FOUND);
    assert_no_violations(rig);
}

static void refuse(struct chat_rig *rig, const char *method, int status, const char *text,
                   int times)
{
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = method,
                                                                .times = times,
                                                                .fault = FAKE_TELEGRAM_ERROR,
                                                                .status = status,
                                                                .description = text});
}

static void a_refused_token_stops_the_channel_until_it_is_accepted(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    refuse(rig, "getUpdates", 401, "Unauthorized", 1);
    refuse(rig, "getMe", 401, "Unauthorized", 3);
    rig->telegram_state = TELEGRAM_REFUSED;
    assert_true(channels_until(&rig->channels, channel_in_state, rig));
    assert_true(channels_has_alert(&rig->channels, "telegram:token"));
    int64_t since_us = 0;
    assert_int_equal(telegram_reach(rig->telegram, &since_us), CHAT_REFUSED);
    assert_true(since_us > 0);
    AUTO_BUF struct buf line = BUF_INIT(512);
    AUTO_JSON struct json_object *data = json_object_new_object();
    telegram_status_line(&line, data, rig->telegram);
    assert_non_null(strstr(line.data, "Telegram off since "));
    assert_non_null(strstr(line.data, "TELEGRAM_TOKEN_REFUSED"));

    size_t polls = fake_telegram_calls(rig->tg, "getUpdates");
    int64_t id = post(rig, OUTBOX_CRITICAL, "not now");
    until_calls(rig, "getMe", 4); /* the first one, and three that are refused */
    assert_int_equal(fake_telegram_calls(rig->tg, "getUpdates"), polls);
    assert_int_equal(channels_state(&rig->channels, id), OUTBOX_QUEUED);
    assert_true(channels_has_alert(&rig->channels, "telegram:token"));

    until_state(rig, id, OUTBOX_DELIVERED); /* without a restart */
    rig->text = "telegram:token";
    assert_true(channels_until(&rig->channels, has_no_alert, rig));
    send_text(rig, ALICE, "/lines 2");
    until_sent(rig, "2 lines");
    assert_int_equal(telegram_reach(rig->telegram, &since_us), CHAT_UP);
    assert_no_violations(rig);
}

static void an_unstored_reply_survives_a_refused_token(void **state)
{
    struct chat_rig *rig = *state;
    until_calls(rig, "getUpdates", 1);
    refuse(rig, "sendMessage", 401, "Unauthorized", 1);
    refuse(rig, "getMe", 401, "Unauthorized", 1);
    AUTO_REPLY struct reply *reply = reply_new();
    reply_title(reply, TONE_PLAIN, "kept in memory");
    assert_true(telegram_send_unstored(
        rig->telegram, &(struct telegram_unstored){.chat_id = ALICE, .reply = reply}));
    rig->telegram_state = TELEGRAM_REFUSED;
    assert_true(channels_until(&rig->channels, channel_in_state, rig));
    assert_int_equal(count_with(rig, "kept in memory"), 0);
    until_sent(rig, "kept in memory");
    assert_int_equal(count_with(rig, "kept in memory"), 1);
    assert_no_violations(rig);
}

/* A malformed token or a wrong URL: messages of that time are not lost. */
static void an_unknown_token_is_refused_too(void **state)
{
    struct chat_rig *rig = *state;
    until_calls(rig, "getUpdates", 1);
    refuse(rig, "sendMessage", 404, "Not Found", 1);
    refuse(rig, "getMe", 404, "Not Found", 1);
    int64_t id = post(rig, OUTBOX_CRITICAL, "kept");
    rig->telegram_state = TELEGRAM_REFUSED;
    assert_true(channels_until(&rig->channels, channel_in_state, rig));
    until_state(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(count_with(rig, "kept"), 1);
    assert_no_violations(rig);
}

static void a_proxy_401_is_not_a_refused_token(void **state)
{
    struct chat_rig *rig = *state;
    static const char *const methods[] = {"getUpdates", "sendMessage"};
    until_calls(rig, "getUpdates", 1);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                        .method = methods[i],
                                        .times = 2,
                                        .fault = FAKE_TELEGRAM_BODY,
                                        .status = 401,
                                        .body = "<html>401 Authorization Required</html>"});
    }
    int64_t id = post(rig, OUTBOX_NORMAL, "through");
    until_state(rig, id,
                OUTBOX_DELIVERED); /* it certainly had not arrived, so it is not uncertain */
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_int_equal(count_with(rig, "through"), 1);
    assert_int_equal(fake_telegram_calls(rig->tg, "getMe"),
                     1); /* the token was not checked again */
    assert_false(channels_has_alert(&rig->channels, "telegram:token"));
    assert_no_violations(rig);
}

static void a_second_poller_raises_a_security_alert(void **state)
{
    struct chat_rig *rig = *state;
    until_calls(rig, "getUpdates", 1);
    fake_telegram_fail(rig->tg,
                       &(struct fake_telegram_failure){
                           .method = "getUpdates",
                           .fault = FAKE_TELEGRAM_ERROR,
                           .status = 409,
                           .description = "Conflict: terminated by other getUpdates request; make "
                                          "sure that only one bot instance is running"});
    until_alert(rig, "telegram:conflict");
    send_text(rig, ALICE, "/ping"); /* polling goes on after a pause */
    until_sent(rig, "pong");
    assert_no_violations(rig);
}

static void a_webhook_raises_a_security_alert(void **state)
{
    struct chat_rig *rig = *state;
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    fake_telegram_set_webhook(rig->tg, "https://evil.example/secret-path");
    open_channel(rig);
    until_alert(rig, "telegram:conflict");
    assert_no_violations(rig);
}

static void a_stalled_poll_raises_an_alert_until_it_recovers(void **state)
{
    struct chat_rig *rig = *state;
    until_calls(rig, "getUpdates", 1);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 5000});
    until_alert(rig, "telegram:poll-stalled");
    struct telegram_status status;
    telegram_status(rig->telegram, &status);
    assert_true(status.poll_stalled);
    rig->text = "telegram:poll-stalled";
    assert_true(channels_until(&rig->channels, has_no_alert, rig));
    telegram_status(rig->telegram, &status);
    assert_false(status.poll_stalled);
    assert_no_violations(rig);
}

/* ---- delivery ---- */

static void a_429_delays_only_its_chat(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(
        rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                 .fault = FAKE_TELEGRAM_ERROR,
                                                 .status = 429,
                                                 .description = "Too Many Requests: retry after 2",
                                                 .retry_after_s = 2,
                                                 .chat = ALICE});
    int64_t slow = post(rig, OUTBOX_NORMAL, "for alice");
    until_calls(rig, "sendMessage", 1);
    int64_t other = channels_post(&rig->channels, "telegram", BOB, OUTBOX_INFO, "for bob", 0);
    until_state(rig, other, OUTBOX_DELIVERED);
    assert_int_not_equal(channels_state(&rig->channels, slow), OUTBOX_DELIVERED);
    until_state(rig, slow, OUTBOX_DELIVERED);
    assert_no_violations(rig);
}

static void rejected_markup_is_sent_as_plain_text(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "sendMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: can't parse entities: Unsupported "
                                                   "start tag \"x\" at byte offset 0"});
    int64_t id = post(rig, OUTBOX_NORMAL, "a < b & c");
    until_state(rig, id, OUTBOX_DELIVERED);
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, fake_telegram_sent_count(rig->tg) - 1, &s);
    assert_false(s.html);
    assert_string_equal(s.text, "a < b & c");
    assert_no_violations(rig);
}

static void long_replies_arrive_complete(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, ALICE, "/lines 150"); /* about 8 KB */
    until_sent(rig, "line 149 ");
    assert_true(count_with(rig, "line ") >= 2);
    send_text(rig, BOB, "/lines 800"); /* a file */
    until_sent(rig, "line 799 of <many> & some");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, fake_telegram_sent_count(rig->tg) - 1, &s);
    assert_string_equal(s.method, "sendDocument");
    assert_non_null(strstr(s.text, "line 0 of <many>"));
    assert_no_violations(rig);
}

static void protected_replies_are_sent_as_protected(void **state)
{
    struct chat_rig *rig = *state;
    send_text(rig, BOB, "/secret");
    until_sent(rig, "a balance");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_true(s.is_protected);
    assert_no_violations(rig);
}

static void a_server_error_is_retried(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 3,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 502,
                                                                .body = "<html>Bad gateway"});
    int64_t id = post(rig, OUTBOX_NORMAL, "in the end");
    until_state(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(count_with(rig, "in the end"), 1);
    assert_int_equal(count_with(rig, "repeated"), 0);
    assert_no_violations(rig);
}

/* Only the answer to a command that changes nothing is repeated without a word about it. */
static void messages_whose_answer_is_lost_are_repeated(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 1,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 200,
                                                                .body = "<html>Hotel Wi-Fi"});
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_int_equal(count_with(rig, "repeated"), 0);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 1,
                                                                .fault = FAKE_TELEGRAM_CUT});
    int64_t reply = post(rig, OUTBOX_NORMAL, "a reply");
    until_state(rig, reply, OUTBOX_DELIVERED);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 1,
                                                                .fault = FAKE_TELEGRAM_CUT});
    int64_t alert = post(rig, OUTBOX_HIGH, "an alert");
    until_state(rig, alert, OUTBOX_DELIVERED);
    assert_int_equal(count_with(rig, "a reply"), 2);
    assert_int_equal(count_with(rig, "an alert"), 2);
    assert_int_equal(count_with(rig, "(possibly repeated)"), 2);
    assert_no_violations(rig);
}

static void messages_in_flight_at_a_crash_are_recovered(void **state)
{
    struct chat_rig *rig = *state;
    struct err err = {0};
    int64_t count = 0;
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    rig->telegram = NULL;
    rig->channels.outbox_changed = NULL;
    int64_t alert = post(rig, OUTBOX_CRITICAL, "an alert");
    int64_t reply = post(rig, OUTBOX_NORMAL, "a reply");
    int64_t waiting = post(rig, OUTBOX_NORMAL, "not begun");
    assert_int_equal(outbox_table_sending(rig->channels.store, alert, false, &err), 0);
    assert_int_equal(outbox_table_sending(rig->channels.store, reply, false, &err), 0);
    assert_int_equal(outbox_table_recover(rig->channels.store, &count, &err), 0);
    assert_int_equal(count, 2);
    open_channel(rig);
    until_state(rig, alert, OUTBOX_DELIVERED);
    until_state(rig, waiting, OUTBOX_DELIVERED);
    assert_int_equal(channels_state(&rig->channels, reply), OUTBOX_UNCERTAIN);
    assert_int_equal(count_with(rig, "(possibly repeated)"), 1);
    assert_no_violations(rig);
}

static void edits_change_the_message_or_send_a_new_one(void **state)
{
    struct chat_rig *rig = *state;
    int64_t first = post(rig, OUTBOX_NORMAL, "step 1");
    until_state(rig, first, OUTBOX_DELIVERED);
    int64_t same = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 1", first);
    until_state(rig, same, OUTBOX_DELIVERED); /* not modified */
    int64_t edit = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 2", first);
    until_state(rig, edit, OUTBOX_DELIVERED);
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_string_equal(fake_telegram_text(rig->tg, ALICE, s.message_id), "step 2");
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "editMessageText",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: message to edit not found"});
    int64_t missing =
        channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 3", first);
    until_state(rig, missing, OUTBOX_DELIVERED);
    fake_telegram_get_sent(rig->tg, fake_telegram_sent_count(rig->tg) - 1, &s);
    assert_string_equal(s.method, "sendMessage");
    assert_non_null(strstr(s.text, "step 3"));
    assert_no_violations(rig);
}

static void pending_edits_are_coalesced(void **state)
{
    struct chat_rig *rig = *state;
    int64_t first = post(rig, OUTBOX_NORMAL, "step 0");
    int64_t last = 0;
    for (int i = 1; i <= 20; i++) {
        char title[32];
        (void)snprintf(title, sizeof(title), "step %d", i);
        last = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, title, first);
    }
    until_state(rig, last, OUTBOX_DELIVERED);
    until_sent(rig, "step 20");
    assert_int_equal(fake_telegram_calls(rig->tg, "editMessageText"), 1);
    assert_no_violations(rig);
}

static void a_chat_migration_is_followed_and_remembered(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(
        rig->tg, &(struct fake_telegram_failure){
                     .method = "sendMessage",
                     .fault = FAKE_TELEGRAM_ERROR,
                     .status = 400,
                     .description = "Bad Request: group chat was upgraded to a supergroup chat",
                     .migrate_to = -1001234567890,
                     .chat = -77});
    int64_t one = channels_post(&rig->channels, "telegram", -77, OUTBOX_NORMAL, "one", 0);
    until_state(rig, one, OUTBOX_DELIVERED);
    int64_t two = channels_post(&rig->channels, "telegram", -77, OUTBOX_NORMAL, "two", 0);
    until_state(rig, two, OUTBOX_DELIVERED);
    for (size_t i = 0; i < fake_telegram_sent_count(rig->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(rig->tg, i, &s);
        assert_true(s.chat == -1001234567890);
    }
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 3);
    assert_no_violations(rig);
}

static void a_dead_chat_raises_one_alert_and_recovers(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "sendMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 403,
                                    .description = "Forbidden: bot was blocked by the user"});
    int64_t one = post(rig, OUTBOX_CRITICAL, "one");
    until_state(rig, one, OUTBOX_DEAD);
    char name[64];
    (void)snprintf(name, sizeof(name), "telegram:chat:%d", ALICE);
    assert_true(channels_has_alert(&rig->channels, name));
    int64_t two = post(rig, OUTBOX_CRITICAL, "two");
    until_state(rig, two, OUTBOX_DEAD); /* without asking Telegram again */
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 1);
    send_text(rig, ALICE, "/ping");
    until_sent(rig, "pong");
    assert_false(channels_has_alert(&rig->channels, name));
    assert_no_violations(rig);
}

static void a_permanently_refused_message_is_dead_with_an_alert(void **state)
{
    struct chat_rig *rig = *state;
    fake_telegram_fail(rig->tg,
                       &(struct fake_telegram_failure){.method = "sendMessage",
                                                       .times = 2,
                                                       .fault = FAKE_TELEGRAM_ERROR,
                                                       .status = 400,
                                                       .description = "Bad Request: no idea"});
    int64_t id = post(rig, OUTBOX_NORMAL, "refused");
    until_state(rig, id, OUTBOX_DEAD);
    until_alert(rig, "telegram:undelivered");
    assert_no_violations(rig);
}

static void urgent_messages_are_sent_first(void **state)
{
    struct chat_rig *rig = *state;
    until_calls(rig, "getUpdates", 1);
    rig->channels.outbox_changed = NULL; /* queue all of them first */
    for (int i = 0; i < 3; i++) {
        (void)post(rig, OUTBOX_INFO, "info");
    }
    (void)post(rig, OUTBOX_CRITICAL, "critical");
    telegram_wake(rig->telegram);
    until_sent(rig, "critical");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_string_equal(s.text, "<b>critical</b>");
    assert_no_violations(rig);
}

static void without_a_token_the_channel_is_off(void **state)
{
    (void)state;
    struct chat_rig rig = {0};
    channels_open(&rig.channels, "", "");
    open_channel(&rig);
    struct telegram_status status;
    telegram_wake(rig.telegram);
    telegram_status(rig.telegram, &status);
    assert_int_equal(status.state, TELEGRAM_OFF);
    telegram_stop(rig.telegram);
    telegram_free(rig.telegram);
    channels_close(&rig.channels);
}

#define CHAT_RIG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
UNIT_GROUP(chat_telegram, CHAT_RIG_TEST(a_command_is_answered_and_its_update_confirmed),
           CHAT_RIG_TEST(an_unauthorised_user_gets_no_answer),
           CHAT_RIG_TEST(updates_that_run_nothing_are_confirmed),
           CHAT_RIG_TEST(in_a_group_only_commands_to_this_bot_run),
           CHAT_RIG_TEST(a_nul_in_a_message_is_reported_as_an_error),
           CHAT_RIG_TEST(a_confirmation_runs_once_and_its_buttons_are_removed),
           CHAT_RIG_TEST(only_the_requester_can_confirm),
           CHAT_RIG_TEST(a_press_made_during_an_outage_is_stale),
           CHAT_RIG_TEST(an_old_press_is_stale_even_if_the_first_poll_is_slow),
           CHAT_RIG_TEST(presses_after_a_full_answer_are_stale_too),
           CHAT_RIG_TEST(presses_through_a_slow_server_are_accepted),
           CHAT_RIG_TEST(a_stale_confirmation_can_be_given_again),
           CHAT_RIG_TEST(polling_recovers_from_every_fault),
           CHAT_RIG_TEST(instant_empty_answers_do_not_spin_the_loop),
           CHAT_RIG_TEST(a_server_without_long_polls_is_asked_once_in_a_poll_timeout),
           CHAT_RIG_TEST(a_refused_token_stops_the_channel_until_it_is_accepted),
           CHAT_RIG_TEST(an_unstored_reply_survives_a_refused_token),
           CHAT_RIG_TEST(an_unknown_token_is_refused_too),
           CHAT_RIG_TEST(a_proxy_401_is_not_a_refused_token),
           CHAT_RIG_TEST(a_second_poller_raises_a_security_alert),
           CHAT_RIG_TEST(a_webhook_raises_a_security_alert),
           CHAT_RIG_TEST(a_stalled_poll_raises_an_alert_until_it_recovers),
           CHAT_RIG_TEST(a_429_delays_only_its_chat),
           CHAT_RIG_TEST(rejected_markup_is_sent_as_plain_text),
           CHAT_RIG_TEST(long_replies_arrive_complete),
           CHAT_RIG_TEST(protected_replies_are_sent_as_protected),
           CHAT_RIG_TEST(a_server_error_is_retried),
           CHAT_RIG_TEST(messages_whose_answer_is_lost_are_repeated),
           CHAT_RIG_TEST(messages_in_flight_at_a_crash_are_recovered),
           CHAT_RIG_TEST(edits_change_the_message_or_send_a_new_one),
           CHAT_RIG_TEST(pending_edits_are_coalesced),
           CHAT_RIG_TEST(a_chat_migration_is_followed_and_remembered),
           CHAT_RIG_TEST(a_dead_chat_raises_one_alert_and_recovers),
           CHAT_RIG_TEST(a_permanently_refused_message_is_dead_with_an_alert),
           CHAT_RIG_TEST(urgent_messages_are_sent_first),
           cmocka_unit_test(without_a_token_the_channel_is_off))
