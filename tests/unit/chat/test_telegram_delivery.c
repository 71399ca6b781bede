/* What becomes of a message in the outbox. */
#include "base/check.h"
#include "telegram_rig.h"

#include <string.h>

static void a_429_delays_only_its_chat(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(
        rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                 .fault = FAKE_TELEGRAM_ERROR,
                                                 .status = 429,
                                                 .description = "Too Many Requests: retry after 2",
                                                 .retry_after_s = 2,
                                                 .chat = ALICE});
    int64_t slow = telegram_rig_post(rig, OUTBOX_NORMAL, "for alice");
    telegram_rig_until_calls(rig, "sendMessage", 1);
    int64_t other = channels_post(&rig->channels, "telegram", BOB, OUTBOX_INFO, "for bob", 0);
    telegram_rig_until_row(rig, other, OUTBOX_DELIVERED);
    assert_int_not_equal(channels_state(&rig->channels, slow), OUTBOX_DELIVERED);
    telegram_rig_until_row(rig, slow, OUTBOX_DELIVERED);
}

static void rejected_markup_is_sent_as_plain_text(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "sendMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: can't parse entities: Unsupported "
                                                   "start tag \"x\" at byte offset 0"});
    int64_t id = telegram_rig_post(rig, OUTBOX_NORMAL, "a < b & c");
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    struct fake_telegram_sent s = telegram_rig_last(rig);
    assert_false(s.html);
    assert_string_equal(s.text, "a < b & c");
}

static void long_replies_arrive_complete(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/lines 150"); /* about 8 KB */
    (void)telegram_rig_until_sent(rig, "line 149 ");
    assert_true(telegram_rig_count(rig, "line ") >= 2);
    telegram_rig_say(rig, BOB, "/lines 800"); /* a file */
    (void)telegram_rig_until_sent(rig, "line 799 of <many> & some");
    struct fake_telegram_sent s = telegram_rig_last(rig);
    assert_string_equal(s.method, "sendDocument");
    assert_non_null(strstr(s.text, "line 0 of <many>"));
}

static void protected_replies_are_sent_as_protected(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, BOB, "/secret");
    (void)telegram_rig_until_sent(rig, "a balance");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_true(s.is_protected);
}

static void a_server_error_is_retried(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 3,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 502,
                                                                .body = "<html>Bad gateway"});
    int64_t id = telegram_rig_post(rig, OUTBOX_NORMAL, "in the end");
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(telegram_rig_count(rig, "in the end"), 1);
    assert_int_equal(telegram_rig_count(rig, "repeated"), 0);
}

/* Only the answer to a command that changes nothing is repeated without a word about it. */
static void messages_whose_answer_is_lost_are_repeated(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 1,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 200,
                                                                .body = "<html>Hotel Wi-Fi"});
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_int_equal(telegram_rig_count(rig, "repeated"), 0);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 1,
                                                                .fault = FAKE_TELEGRAM_CUT});
    int64_t reply = telegram_rig_post(rig, OUTBOX_NORMAL, "a reply");
    telegram_rig_until_row(rig, reply, OUTBOX_DELIVERED);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendMessage",
                                                                .times = 1,
                                                                .fault = FAKE_TELEGRAM_CUT});
    int64_t alert = telegram_rig_post(rig, OUTBOX_HIGH, "an alert");
    telegram_rig_until_row(rig, alert, OUTBOX_DELIVERED);
    assert_int_equal(telegram_rig_count(rig, "a reply"), 2);
    assert_int_equal(telegram_rig_count(rig, "an alert"), 2);
    assert_int_equal(telegram_rig_count(rig, "(possibly repeated)"), 2);
}

static void messages_in_flight_at_a_crash_are_recovered(void **state)
{
    struct telegram_rig *rig = *state;
    struct err err = {0};
    int64_t count = 0;
    telegram_rig_close(rig);
    rig->telegram = NULL;
    rig->channels.outbox_changed = NULL;
    int64_t alert = telegram_rig_post(rig, OUTBOX_CRITICAL, "an alert");
    int64_t reply = telegram_rig_post(rig, OUTBOX_NORMAL, "a reply");
    int64_t waiting = telegram_rig_post(rig, OUTBOX_NORMAL, "not begun");
    assert_int_equal(outbox_table_sending(rig->channels.store, alert, false, &err), 0);
    assert_int_equal(outbox_table_sending(rig->channels.store, reply, false, &err), 0);
    assert_int_equal(outbox_table_recover(rig->channels.store, &count, &err), 0);
    assert_int_equal(count, 2);
    telegram_rig_open(rig);
    telegram_rig_until_row(rig, alert, OUTBOX_DELIVERED);
    telegram_rig_until_row(rig, waiting, OUTBOX_DELIVERED);
    assert_int_equal(channels_state(&rig->channels, reply), OUTBOX_UNCERTAIN);
    assert_int_equal(telegram_rig_count(rig, "(possibly repeated)"), 1);
}

static void edits_change_the_message_or_send_a_new_one(void **state)
{
    struct telegram_rig *rig = *state;
    int64_t first = telegram_rig_post(rig, OUTBOX_NORMAL, "step 1");
    telegram_rig_until_row(rig, first, OUTBOX_DELIVERED);
    int64_t same = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 1", first);
    telegram_rig_until_row(rig, same, OUTBOX_DELIVERED); /* not modified */
    int64_t edit = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "step 2", first);
    telegram_rig_until_row(rig, edit, OUTBOX_DELIVERED);
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
    telegram_rig_until_row(rig, missing, OUTBOX_DELIVERED);
    s = telegram_rig_last(rig);
    assert_string_equal(s.method, "sendMessage");
    assert_non_null(strstr(s.text, "step 3"));
}

static void pending_edits_are_coalesced(void **state)
{
    struct telegram_rig *rig = *state;
    int64_t first = telegram_rig_post(rig, OUTBOX_NORMAL, "step 0");
    int64_t last = 0;
    for (int i = 1; i <= 20; i++) {
        char title[32];
        (void)snprintf(title, sizeof(title), "step %d", i);
        last = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, title, first);
    }
    telegram_rig_until_row(rig, last, OUTBOX_DELIVERED);
    (void)telegram_rig_until_sent(rig, "step 20");
    assert_int_equal(fake_telegram_calls(rig->tg, "editMessageText"), 1);
}

static void a_chat_migration_is_followed_and_remembered(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(
        rig->tg, &(struct fake_telegram_failure){
                     .method = "sendMessage",
                     .fault = FAKE_TELEGRAM_ERROR,
                     .status = 400,
                     .description = "Bad Request: group chat was upgraded to a supergroup chat",
                     .migrate_to = -1001234567890,
                     .chat = -77});
    int64_t one = channels_post(&rig->channels, "telegram", -77, OUTBOX_NORMAL, "one", 0);
    telegram_rig_until_row(rig, one, OUTBOX_DELIVERED);
    int64_t two = channels_post(&rig->channels, "telegram", -77, OUTBOX_NORMAL, "two", 0);
    telegram_rig_until_row(rig, two, OUTBOX_DELIVERED);
    for (size_t i = 0; i < fake_telegram_sent_count(rig->tg); i++) {
        struct fake_telegram_sent s;
        fake_telegram_get_sent(rig->tg, i, &s);
        assert_true(s.chat == -1001234567890);
    }
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 3);
}

static void a_dead_chat_raises_one_alert_and_recovers(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "sendMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 403,
                                    .description = "Forbidden: bot was blocked by the user"});
    int64_t one = telegram_rig_post(rig, OUTBOX_CRITICAL, "one");
    telegram_rig_until_row(rig, one, OUTBOX_DEAD);
    char name[64];
    (void)snprintf(name, sizeof(name), "telegram:chat:%d", ALICE);
    assert_true(channels_has_alert(&rig->channels, name));
    int64_t two = telegram_rig_post(rig, OUTBOX_CRITICAL, "two");
    telegram_rig_until_row(rig, two, OUTBOX_DEAD); /* without asking Telegram again */
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 1);
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
    assert_false(channels_has_alert(&rig->channels, name));
}

static void a_permanently_refused_message_is_dead_with_an_alert(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg,
                       &(struct fake_telegram_failure){.method = "sendMessage",
                                                       .times = 2,
                                                       .fault = FAKE_TELEGRAM_ERROR,
                                                       .status = 400,
                                                       .description = "Bad Request: no idea"});
    int64_t id = telegram_rig_post(rig, OUTBOX_NORMAL, "refused");
    telegram_rig_until_row(rig, id, OUTBOX_DEAD);
    telegram_rig_until_alert(rig, "telegram:undelivered", true);
}

static void urgent_messages_are_sent_first(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_calls(rig, "getUpdates", 1);
    rig->channels.outbox_changed = NULL; /* queue all of them first */
    for (int i = 0; i < 3; i++) {
        (void)telegram_rig_post(rig, OUTBOX_INFO, "info");
    }
    (void)telegram_rig_post(rig, OUTBOX_CRITICAL, "critical");
    telegram_wake(rig->telegram);
    (void)telegram_rig_until_sent(rig, "critical");
    struct fake_telegram_sent s;
    fake_telegram_get_sent(rig->tg, 0, &s);
    assert_string_equal(s.text, "<b>critical</b>");
}

UNIT_GROUP(chat_telegram_delivery, TELEGRAM_RIG_TEST(a_429_delays_only_its_chat),
           TELEGRAM_RIG_TEST(rejected_markup_is_sent_as_plain_text),
           TELEGRAM_RIG_TEST(long_replies_arrive_complete),
           TELEGRAM_RIG_TEST(protected_replies_are_sent_as_protected),
           TELEGRAM_RIG_TEST(a_server_error_is_retried),
           TELEGRAM_RIG_TEST(messages_whose_answer_is_lost_are_repeated),
           TELEGRAM_RIG_TEST(messages_in_flight_at_a_crash_are_recovered),
           TELEGRAM_RIG_TEST(edits_change_the_message_or_send_a_new_one),
           TELEGRAM_RIG_TEST(pending_edits_are_coalesced),
           TELEGRAM_RIG_TEST(a_chat_migration_is_followed_and_remembered),
           TELEGRAM_RIG_TEST(a_dead_chat_raises_one_alert_and_recovers),
           TELEGRAM_RIG_TEST(a_permanently_refused_message_is_dead_with_an_alert),
           TELEGRAM_RIG_TEST(urgent_messages_are_sent_first))
