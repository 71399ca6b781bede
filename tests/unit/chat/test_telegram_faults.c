/* A server that is slow, down, or not Telegram. */
#include "base/check.h"
#include "store/alert_table.h"
#include "store/ops.h"
#include "telegram_rig.h"

#include <string.h>

static void polling_recovers_from_every_fault(void **state)
{
    struct telegram_rig *rig = *state;
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
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_true(fake_telegram_calls(rig->tg, "getUpdates") > COUNT_OF(failures));
    assert_int_equal(telegram_rig_count(rig, "pong"), 1);
}

static void instant_empty_answers_do_not_spin_the_loop(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = 1000,
                                                                .fault = FAKE_TELEGRAM_AT_ONCE});
    channels_run_for(&rig->channels, 2 * USEC_PER_SEC);
    assert_true(fake_telegram_calls(rig->tg, "getUpdates") <= 8);
}

/* With the poll timeout of one second; three seconds without an answer would count as stalled. */
static void a_server_without_long_polls_is_asked_once_in_a_poll_timeout(void **state)
{
    struct telegram_rig *rig = *state;
    static struct alert alert; /* large */
    telegram_rig_close(rig);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = 1000,
                                                                .fault = FAKE_TELEGRAM_AT_ONCE});
    rig->poll_gap_us = 4 * USEC_PER_SEC; /* what the pauses grow to */
    telegram_rig_open(rig);
    size_t before = fake_telegram_calls(rig->tg, "getUpdates");
    telegram_rig_until_calls(rig, "getUpdates", before + 6);
    assert_int_equal(alert_table_find(rig->channels.store, "telegram:poll-stalled", &alert, NULL),
                     -ERR_STORE_NOT_FOUND);
}

static void a_refused_token_stops_the_channel_until_it_is_accepted(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    telegram_rig_refuse(rig, "getUpdates", 401, "Unauthorized", 1);
    telegram_rig_refuse(rig, "getMe", 401, "Unauthorized", 3);
    telegram_rig_until_state(rig, TELEGRAM_REFUSED);
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
    int64_t id = telegram_rig_post(rig, OUTBOX_CRITICAL, "not now");
    telegram_rig_until_calls(rig, "getMe", 4); /* the first one, and three that are refused */
    assert_int_equal(fake_telegram_calls(rig->tg, "getUpdates"), polls);
    assert_int_equal(channels_state(&rig->channels, id), OUTBOX_QUEUED);
    assert_true(channels_has_alert(&rig->channels, "telegram:token"));

    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED); /* without a restart */
    telegram_rig_until_alert(rig, "telegram:token", false);
    telegram_rig_say(rig, ALICE, "/lines 2");
    (void)telegram_rig_until_sent(rig, "2 lines");
    assert_int_equal(telegram_reach(rig->telegram, &since_us), CHAT_UP);
}

static void an_unstored_reply_survives_a_refused_token(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_calls(rig, "getUpdates", 1);
    telegram_rig_refuse(rig, "sendMessage", 401, "Unauthorized", 1);
    telegram_rig_refuse(rig, "getMe", 401, "Unauthorized", 1);
    AUTO_REPLY struct reply *reply = reply_new();
    reply_title(reply, TONE_PLAIN, "kept in memory");
    assert_true(telegram_send_unstored(
        rig->telegram, &(struct telegram_unstored){.chat_id = ALICE, .reply = reply}));
    telegram_rig_until_state(rig, TELEGRAM_REFUSED);
    assert_int_equal(telegram_rig_count(rig, "kept in memory"), 0);
    (void)telegram_rig_until_sent(rig, "kept in memory");
    assert_int_equal(telegram_rig_count(rig, "kept in memory"), 1);
}

/* A malformed token or a wrong URL: messages of that time are not lost. */
static void an_unknown_token_is_refused_too(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_calls(rig, "getUpdates", 1);
    telegram_rig_refuse(rig, "sendMessage", 404, "Not Found", 1);
    telegram_rig_refuse(rig, "getMe", 404, "Not Found", 1);
    int64_t id = telegram_rig_post(rig, OUTBOX_CRITICAL, "kept");
    telegram_rig_until_state(rig, TELEGRAM_REFUSED);
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(telegram_rig_count(rig, "kept"), 1);
}

static void a_proxy_401_is_not_a_refused_token(void **state)
{
    struct telegram_rig *rig = *state;
    static const char *const methods[] = {"getUpdates", "sendMessage"};
    telegram_rig_until_calls(rig, "getUpdates", 1);
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                        .method = methods[i],
                                        .times = 2,
                                        .fault = FAKE_TELEGRAM_BODY,
                                        .status = 401,
                                        .body = "<html>401 Authorization Required</html>"});
    }
    int64_t id = telegram_rig_post(rig, OUTBOX_NORMAL, "through");
    telegram_rig_until_row(
        rig, id, OUTBOX_DELIVERED); /* it certainly had not arrived, so it is not uncertain */
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_int_equal(telegram_rig_count(rig, "through"), 1);
    assert_int_equal(fake_telegram_calls(rig->tg, "getMe"),
                     1); /* the token was not checked again */
    assert_false(channels_has_alert(&rig->channels, "telegram:token"));
}

static void a_second_poller_raises_a_security_alert(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_calls(rig, "getUpdates", 1);
    fake_telegram_fail(rig->tg,
                       &(struct fake_telegram_failure){
                           .method = "getUpdates",
                           .fault = FAKE_TELEGRAM_ERROR,
                           .status = 409,
                           .description = "Conflict: terminated by other getUpdates request; make "
                                          "sure that only one bot instance is running"});
    telegram_rig_until_alert(rig, "telegram:conflict", true);
    telegram_rig_say(rig, ALICE, "/ping"); /* polling goes on after a pause */
    (void)telegram_rig_until_sent(rig, "pong");
}

static void a_webhook_raises_a_security_alert(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_close(rig);
    fake_telegram_set_webhook(rig->tg, "https://evil.example/secret-path");
    telegram_rig_open(rig);
    telegram_rig_until_alert(rig, "telegram:conflict", true);
}

static void a_stalled_poll_raises_an_alert_until_it_recovers(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_calls(rig, "getUpdates", 1);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 5000});
    telegram_rig_until_alert(rig, "telegram:poll-stalled", true);
    struct telegram_status status;
    telegram_status(rig->telegram, &status);
    assert_true(status.poll_stalled);
    telegram_rig_until_alert(rig, "telegram:poll-stalled", false);
    telegram_status(rig->telegram, &status);
    assert_false(status.poll_stalled);
}

/* ---- slow, in pieces, twice ---- */

static void a_slow_send_is_waited_for_and_holds_back_no_other_chat(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 5000,
                                                                .chat = ALICE});
    int64_t slow = telegram_rig_post(rig, OUTBOX_NORMAL, "the slow one");
    telegram_rig_until_calls(rig, "sendMessage", 1);
    int64_t behind = telegram_rig_post(rig, OUTBOX_NORMAL, "the one behind it");
    telegram_rig_say(rig, BOB, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_int_equal(channels_state(&rig->channels, slow), OUTBOX_SENDING);
    assert_int_equal(channels_state(&rig->channels, behind), OUTBOX_QUEUED); /* in order */
    telegram_rig_until_row(rig, behind, OUTBOX_DELIVERED);
    assert_int_equal(channels_state(&rig->channels, slow), OUTBOX_DELIVERED);
    assert_int_equal(telegram_rig_count(rig, "the slow one"), 1);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 3);
}

static void a_poll_that_arrives_in_pieces_is_read_whole(void **state)
{
    struct telegram_rig *rig = *state;
    static struct alert alert; /* large */
    telegram_rig_close(rig);
    telegram_rig_say(rig, ALICE, "/ping");
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_TRICKLE,
                                                                .delay_ms = 1500});
    telegram_rig_open(rig);
    (void)telegram_rig_until_sent(rig, "pong");
    telegram_rig_until_confirmed(rig);
    assert_int_equal(telegram_rig_count(rig, "pong"), 1);
    assert_int_equal(alert_table_find(rig->channels.store, "telegram:poll-stalled", &alert, NULL),
                     -ERR_STORE_NOT_FOUND);
}

static void repeat_updates(struct telegram_rig *rig, int times)
{
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .times = times,
                                                                .fault = FAKE_TELEGRAM_AGAIN});
}

/* A press that came again would be answered with "already used". */
static void an_update_that_comes_again_does_nothing(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/touch");
    telegram_rig_press(rig, "Confirm");
    (void)telegram_rig_until_sent(rig, "touched");
    telegram_rig_until_confirmed(rig);
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC);
    size_t sent = fake_telegram_sent_count(rig->tg);
    repeat_updates(rig, 2);
    telegram_rig_until_calls(rig, "getUpdates", fake_telegram_calls(rig->tg, "getUpdates") + 3);
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC);
    assert_int_equal(fake_telegram_sent_count(rig->tg), sent);

    telegram_rig_close(rig); /* the next process knows no offset, but which updates it has stored */
    repeat_updates(rig, 1);
    telegram_rig_open(rig);
    telegram_rig_until_calls(rig, "getUpdates", fake_telegram_calls(rig->tg, "getUpdates") + 2);
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_int_equal(fake_telegram_sent_count(rig->tg), sent + 1);
    assert_int_equal(rig->channels.touched, 1);
}

static bool has_stuck(void *userdata)
{
    const struct telegram_rig *rig = userdata;
    return telegram_stuck_message(rig->telegram) != 0;
}

/* Only it fails: it can be set aside, which ends the alert, and put back. */
static void a_message_that_never_goes_is_set_aside_and_put_back(void **state)
{
    struct telegram_rig *rig = *state;
    struct err err = {0};
    rig->channels.config->telegram_stuck_after_us = USEC_PER_SEC;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .chat = BOB,
                                                                .times = 1000,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 500,
                                                                .body = "oops"});
    int64_t id = telegram_rig_post_to(rig, BOB, OUTBOX_NORMAL, "poison");
    channels_run_for(&rig->channels, USEC_PER_SEC);
    assert_int_equal(telegram_stuck_message(rig->telegram), 0);
    (void)telegram_rig_post(rig, OUTBOX_NORMAL, "another");
    (void)telegram_rig_until_sent(rig, "another");
    telegram_rig_until_alert(rig, "telegram:stuck", true);
    assert_true(channels_until(&rig->channels, has_stuck, rig));
    assert_int_equal(telegram_stuck_message(rig->telegram), id);
    assert_int_equal(telegram_set_aside(rig->telegram, id, &err), 0);
    assert_int_equal(channels_state(&rig->channels, id), OUTBOX_DEAD);
    assert_int_equal(telegram_stuck_message(rig->telegram), 0);
    telegram_rig_until_alert(rig, "telegram:undelivered", true);
    telegram_rig_until_alert(rig, "telegram:stuck", false);
    assert_int_equal(telegram_put_back(rig->telegram, id, &err), 0);
    assert_int_not_equal(channels_state(&rig->channels, id), OUTBOX_DEAD);
}

/* Telegram takes no message at all: none is to blame, and a new connection sends what hangs again.
 */
static void what_hangs_is_sent_again_over_a_new_connection(void **state)
{
    struct telegram_rig *rig = *state;
    struct err err = {0};
    rig->channels.config->telegram_stuck_after_us = USEC_PER_SEC;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .chat = BOB,
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 30000});
    int64_t id = telegram_rig_post_to(rig, BOB, OUTBOX_HIGH, "hangs");
    telegram_rig_until_alert(rig, "telegram:stuck", true);
    assert_int_equal(telegram_stuck_message(rig->telegram), 0);
    assert_int_equal(channels_state(&rig->channels, id), OUTBOX_SENDING);
    assert_int_equal(telegram_reconnect(rig->telegram, &err), 0);
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    telegram_rig_until_alert(rig, "telegram:stuck", false);
}

UNIT_GROUP(chat_telegram_faults, TELEGRAM_RIG_TEST(polling_recovers_from_every_fault),
           TELEGRAM_RIG_TEST(instant_empty_answers_do_not_spin_the_loop),
           TELEGRAM_RIG_TEST(a_server_without_long_polls_is_asked_once_in_a_poll_timeout),
           TELEGRAM_RIG_TEST(a_refused_token_stops_the_channel_until_it_is_accepted),
           TELEGRAM_RIG_TEST(an_unstored_reply_survives_a_refused_token),
           TELEGRAM_RIG_TEST(an_unknown_token_is_refused_too),
           TELEGRAM_RIG_TEST(a_proxy_401_is_not_a_refused_token),
           TELEGRAM_RIG_TEST(a_second_poller_raises_a_security_alert),
           TELEGRAM_RIG_TEST(a_webhook_raises_a_security_alert),
           TELEGRAM_RIG_TEST(a_stalled_poll_raises_an_alert_until_it_recovers),
           TELEGRAM_RIG_TEST(a_slow_send_is_waited_for_and_holds_back_no_other_chat),
           TELEGRAM_RIG_TEST(a_poll_that_arrives_in_pieces_is_read_whole),
           TELEGRAM_RIG_TEST(an_update_that_comes_again_does_nothing),
           TELEGRAM_RIG_TEST(a_message_that_never_goes_is_set_aside_and_put_back),
           TELEGRAM_RIG_TEST(what_hangs_is_sent_again_over_a_new_connection))
