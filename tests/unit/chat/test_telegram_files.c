#include "base/check.h"
#include "command/reply_json.h"
#include "store/attachment.h"
#include "telegram_rig.h"

#include <stdlib.h>
#include <string.h>

#define PNG "\x89PNG\r\n\x1a\n not a real picture, but it begins like one"

/* Adds a row without waking the channel. */
static int64_t add_row(struct telegram_rig *rig, enum outbox_kind kind, const char *payload,
                       int64_t edit_of)
{
    int64_t id = 0;
    const struct outbox_new row = {.channel = "telegram",
                                   .chat_id = ALICE,
                                   .kind = kind,
                                   .priority = OUTBOX_NORMAL,
                                   .payload = payload,
                                   .edit_of = edit_of};
    assert_int_equal(
        outbox_table_add(rig->channels.store, &row, clock_wall_us(clock_real()), &id, NULL), 0);
    return id;
}

static int64_t post_file(struct telegram_rig *rig, bool image, const char *bytes, bool is_protected)
{
    struct attachment file;
    const char *name = image ? "equity.png" : "trades.csv";
    const char *type = image ? "image/png" : "text/csv";
    assert_int_equal(
        attachment_add(rig->folder,
                       &(struct attachment_new){
                           .name = name, .media_type = type, .image = image, .bytes = str_c(bytes)},
                       &file, NULL),
        0);
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    (image ? reply_image : reply_document)(r, &(struct reply_file){.id = file.id,
                                                                   .name = name,
                                                                   .media_type = type,
                                                                   .size_bytes = file.size_bytes,
                                                                   .caption = "Equity <24 h>"});
    if (is_protected) {
        reply_protect(r);
    }
    reply_json_text(r, &payload);
    int64_t id = add_row(rig, image ? OUTBOX_PHOTO : OUTBOX_DOCUMENT, payload.data, 0);
    telegram_wake(rig->telegram);
    return id;
}

static void an_image_is_sent_as_a_photo(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_row(rig, post_file(rig, true, PNG, true), OUTBOX_DELIVERED);
    struct fake_telegram_sent s = telegram_rig_last(rig);
    assert_string_equal(s.method, "sendPhoto");
    assert_string_equal(s.text, "Equity <24 h>");
    assert_true(s.is_protected);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendPhoto"), 1);
}

static void an_image_that_telegram_refuses_is_sent_as_a_document(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_row(rig, post_file(rig, true, "no picture", false), OUTBOX_DELIVERED);
    assert_string_equal(telegram_rig_last(rig).method, "sendDocument");
    assert_string_equal(telegram_rig_last(rig).text, "no picture");
}

static void a_document_arrives_with_its_bytes(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_until_row(rig, post_file(rig, false, "id,symbol\n1,BTC-USD\n", false),
                           OUTBOX_DELIVERED);
    assert_string_equal(telegram_rig_last(rig).method, "sendDocument");
    assert_string_equal(telegram_rig_last(rig).text, "id,symbol\n1,BTC-USD\n");
    assert_false(telegram_rig_last(rig).is_protected);
}

/* The server fails at each call of a method. The next attempt is so long after the first that a
 * message in between has not waited for it. */
static void fail_all(struct telegram_rig *rig, const char *method, int64_t chat, int64_t backoff_us)
{
    telegram_rig_close(rig);
    rig->backoff_first_us = backoff_us;
    rig->backoff_max_us = USEC_PER_MIN;
    telegram_rig_open(rig);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = method,
                                                                .times = 1000,
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 503,
                                                                .body = "<html>down",
                                                                .chat = chat});
}

static void a_file_that_fails_keeps_no_message_of_its_chat_waiting(void **state)
{
    struct telegram_rig *rig = *state;
    fail_all(rig, "sendDocument", 0, 5 * USEC_PER_SEC);
    int64_t file = post_file(rig, false, "id\n", false);
    telegram_rig_until_calls(rig, "sendDocument", 1);
    telegram_rig_until_row(
        rig, channels_post(&rig->channels, "telegram", ALICE, OUTBOX_HIGH, "alert", 0),
        OUTBOX_DELIVERED);
    telegram_rig_until_row(
        rig, channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "reply", 0),
        OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendDocument"), 1);
    assert_int_equal(channels_state(&rig->channels, file), OUTBOX_QUEUED);
}

/* The message that said so has arrived, so it does not go back to the outbox. */
static void a_file_that_follows_its_message_keeps_none_waiting_either(void **state)
{
    struct telegram_rig *rig = *state;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    int64_t first = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "first", 0);
    telegram_rig_until_row(rig, first, OUTBOX_DELIVERED);
    fail_all(rig, "sendDocument", 0, 5 * USEC_PER_SEC);
    for (int i = 0; i < 800; i++) {
        reply_line(r, "line %d, which has some words that fill it up", i);
    }
    reply_json_text(r, &payload);
    int64_t edit = add_row(rig, OUTBOX_EDIT, payload.data, first);
    telegram_wake(rig->telegram);
    telegram_rig_until_calls(rig, "sendDocument", 1);
    telegram_rig_until_row(
        rig, channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "reply", 0),
        OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendDocument"), 1);
    assert_int_equal(channels_state(&rig->channels, edit), OUTBOX_SENDING);
}

/* At its second failure it is the message, not the server. */
static void a_text_that_fails_again_keeps_no_other_message_waiting(void **state)
{
    struct telegram_rig *rig = *state;
    fail_all(rig, "sendMessage", BOB, 2 * USEC_PER_SEC);
    int64_t bad = channels_post(&rig->channels, "telegram", BOB, OUTBOX_HIGH, "bad", 0);
    telegram_rig_until_calls(rig, "sendMessage", 2);
    telegram_rig_until_row(rig, bad, OUTBOX_QUEUED); /* its failure is known */
    telegram_rig_until_row(
        rig, channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "later", 0),
        OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 3);
}

/* As if it had failed 19 times before. */
static int64_t post_tried(struct telegram_rig *rig)
{
    rig->channels.outbox_changed = NULL;
    int64_t id = post_file(rig, false, "id\n", false);
    for (int i = 0; i < 19; i++) {
        assert_int_equal(outbox_table_sending(rig->channels.store, id, false, NULL), 0);
        assert_int_equal(outbox_table_retry(rig->channels.store, id, 0, "failed", NULL), 0);
    }
    return id;
}

static void a_file_is_given_up_only_while_polls_complete(void **state)
{
    struct telegram_rig *rig = *state;
    fail_all(rig, "sendDocument", 0, 5 * USEC_PER_SEC);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getUpdates",
                                                                .fault = FAKE_TELEGRAM_BODY,
                                                                .status = 503,
                                                                .body = "<html>down"});
    telegram_rig_until_state(rig, TELEGRAM_BACKING_OFF);
    int64_t kept = post_tried(rig);
    telegram_rig_until_calls(rig, "sendDocument", 1);
    telegram_rig_until_row(rig, kept, OUTBOX_QUEUED);
    telegram_rig_until_state(rig, TELEGRAM_POLLING);
    int64_t dead = post_tried(rig);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, dead, OUTBOX_DEAD);
    assert_true(channels_has_alert(&rig->channels, "telegram:undelivered"));
}

/* A 429 is obeyed and the file sent once. */
static void a_photo_waits_for_a_429(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendPhoto",
                                                                .fault = FAKE_TELEGRAM_ERROR,
                                                                .status = 429,
                                                                .description = "Too Many Requests",
                                                                .retry_after_s = 1});
    telegram_rig_until_row(rig, post_file(rig, true, PNG, false), OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendPhoto"), 2);
}

/* It may have arrived, so it is not sent again: not now, and not by the next process. */
static void a_photo_whose_answer_is_lost_is_uncertain(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "sendPhoto",
                                                                .fault = FAKE_TELEGRAM_CLOSE});
    int64_t id = post_file(rig, true, PNG, false);
    telegram_rig_until_row(rig, id, OUTBOX_UNCERTAIN);
    int64_t killed = post_file(rig, true, PNG, false);
    telegram_rig_until_row(rig, killed, OUTBOX_DELIVERED);
    telegram_rig_close(rig);
    assert_int_equal(outbox_table_sending(rig->channels.store, killed, false, NULL),
                     0); /* as if killed */
    int64_t count = 0;
    assert_int_equal(outbox_table_recover(rig->channels.store, &count, NULL), 0);
    assert_int_equal(count, 1);
    telegram_rig_open(rig);
    telegram_rig_until_row(
        rig, channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "later", 0),
        OUTBOX_DELIVERED);
    assert_int_equal(channels_state(&rig->channels, killed), OUTBOX_UNCERTAIN);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendPhoto"), 2);
}

static void a_file_that_is_gone_is_dead(void **state)
{
    struct telegram_rig *rig = *state;
    static const char *const ids[] = {"00112233445566778899aabb.png", "../../etc/passwd"};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        AUTO_BUF struct buf payload = BUF_INIT(4096);
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        buf_addf(
            &payload,
            "{\"version\":2,\"tone\":\"plain\",\"blocks\":[{\"type\":\"document\",\"id\":\"%s\","
            "\"name\":\"x\",\"media_type\":\"text/csv\",\"size_bytes\":1}]}",
            ids[i]);
        int64_t id = add_row(rig, OUTBOX_DOCUMENT, payload.data, 0);
        telegram_wake(rig->telegram);
        telegram_rig_until_row(rig, id, OUTBOX_DEAD);
        assert_int_equal(outbox_table_get(rig->channels.store, id, &row, NULL), 0);
        assert_has(row.last_error, "ATTACHMENT_GONE");
    }
    assert_int_equal(fake_telegram_calls(rig->tg, "sendDocument"), 0);
}

static void a_message_is_pinned_quietly_and_deleted(void **state)
{
    struct telegram_rig *rig = *state;
    int64_t text = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "pin me", 0);
    int64_t pin = add_row(rig, OUTBOX_PIN, "{}", text);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, pin, OUTBOX_DELIVERED);
    assert_string_equal(telegram_rig_last(rig).method, "pinChatMessage");
    assert_has(telegram_rig_last(rig).text, "pin me");
    int64_t gone = add_row(rig, OUTBOX_DELETE, "{}", text);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, gone, OUTBOX_DELIVERED);
    assert_string_equal(telegram_rig_last(rig).method, "deleteMessage");
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_get(rig->channels.store, text, &row, NULL), 0);
    assert_null(fake_telegram_text(rig->tg, ALICE, row.message_id));
    /* Already deleted: that is what was wanted. */
    int64_t again = add_row(rig, OUTBOX_DELETE, "{}", text);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, again, OUTBOX_DELIVERED);
    /* It cannot be pinned any more, and nobody has to be woken for that. */
    int64_t late = add_row(rig, OUTBOX_PIN, "{}", text);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, late, OUTBOX_DEAD);
    assert_false(channels_has_alert(&rig->channels, "telegram:undelivered"));
}

static struct outbox_row refresh(struct telegram_rig *rig, const char *title, int64_t of,
                                 enum outbox_state wanted)
{
    AUTO_BUF struct buf payload = BUF_INIT(64 * 1024);
    struct outbox_row row = {0};
    buf_addf(&payload, "{\"version\":2,\"tone\":\"plain\",\"title\":\"%s\",\"blocks\":[]}", title);
    int64_t id = add_row(rig, OUTBOX_REFRESH, payload.data, of);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, id, wanted);
    assert_int_equal(outbox_table_newest_about(rig->channels.store, of, OUTBOX_REFRESH, &row, NULL),
                     1);
    assert_int_equal(row.id, id);
    outbox_row_release(&row); /* the caller reads only its error */
    return row;
}

static void a_refresh_edits_its_message_or_nothing(void **state)
{
    struct telegram_rig *rig = *state;
    int64_t text = channels_post(&rig->channels, "telegram", ALICE, OUTBOX_NORMAL, "at first", 0);
    (void)refresh(rig, "and then", text, OUTBOX_DELIVERED);
    assert_string_equal(telegram_rig_last(rig).method, "editMessageText");
    assert_has(telegram_rig_last(rig).text, "and then");
    size_t messages = fake_telegram_calls(rig->tg, "sendMessage");
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "editMessageText",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .times = 1,
                                    .status = 400,
                                    .description = "Bad Request: message to edit not found"});
    struct outbox_row gone = refresh(rig, "once more", text, OUTBOX_DEAD);
    assert_true(str_starts(str_c(gone.last_error), "TELEGRAM_MESSAGE_GONE"));
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), messages);
    assert_false(channels_has_alert(&rig->channels, "telegram:undelivered"));
    /* Only the newest one is kept. */
    assert_int_equal(outbox_table_drop_about(rig->channels.store, text, OUTBOX_REFRESH, NULL), 0);
    struct outbox_row none = {0};
    assert_int_equal(
        outbox_table_newest_about(rig->channels.store, text, OUTBOX_REFRESH, &none, NULL), 0);
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "pinChatMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .times = 1,
                                    .status = 400,
                                    .description = "Bad Request: not enough rights to manage "
                                                   "pinned messages in the chat"});
    int64_t pin = add_row(rig, OUTBOX_PIN, "{}", text);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, pin, OUTBOX_DEAD);
    AUTO_OUTBOX_ROW struct outbox_row row = {0};
    assert_int_equal(outbox_table_get(rig->channels.store, pin, &row, NULL), 0);
    assert_true(str_starts(str_c(row.last_error), "TELEGRAM_NO_PIN"));
    int64_t unpin = add_row(rig, OUTBOX_UNPIN, "{}", text);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, unpin, OUTBOX_DELIVERED);
    assert_string_equal(telegram_rig_last(rig).method, "unpinChatMessage");
}

static void a_chat_action_is_shown_only_while_it_is_new(void **state)
{
    struct telegram_rig *rig = *state;
    int64_t id = add_row(rig, OUTBOX_ACTION, "{}", 0);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendChatAction"), 1);
    const struct outbox_new old = {.channel = "telegram",
                                   .chat_id = ALICE,
                                   .kind = OUTBOX_ACTION,
                                   .priority = OUTBOX_NORMAL,
                                   .payload = "{}"};
    assert_int_equal(outbox_table_add(rig->channels.store, &old,
                                      clock_wall_us(clock_real()) - 6 * USEC_PER_SEC, &id, NULL),
                     0);
    telegram_wake(rig->telegram);
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendChatAction"), 1);
}

static void a_file_beyond_the_limit_is_refused_before_it_is_sent(void **state)
{
    struct telegram_rig *rig = *state;
    struct attachment file;
    struct err err = {0};
    char *large = calloc(1, (size_t)ATTACHMENT_DOCUMENT_MAX + 1);
    assert_non_null(large);
    struct attachment_new add = {.name = "a.png",
                                 .media_type = "image/png",
                                 .image = true,
                                 .bytes = str_n(large, (size_t)ATTACHMENT_IMAGE_MAX + 1)};
    assert_int_equal(attachment_add(rig->folder, &add, &file, &err), -ERR_ATTACHMENT_TOO_LARGE);
    assert_has(err.context, "10000001 bytes, at most 10000000");
    add = (struct attachment_new){.name = "a.csv",
                                  .media_type = "text/csv",
                                  .bytes = str_n(large, (size_t)ATTACHMENT_DOCUMENT_MAX + 1)};
    assert_int_equal(attachment_add(rig->folder, &add, &file, &err), -ERR_ATTACHMENT_TOO_LARGE);
    free(large);
}

UNIT_GROUP(chat_telegram_files, TELEGRAM_RIG_TEST(an_image_is_sent_as_a_photo),
           TELEGRAM_RIG_TEST(an_image_that_telegram_refuses_is_sent_as_a_document),
           TELEGRAM_RIG_TEST(a_document_arrives_with_its_bytes),
           TELEGRAM_RIG_TEST(a_photo_waits_for_a_429),
           TELEGRAM_RIG_TEST(a_file_that_fails_keeps_no_message_of_its_chat_waiting),
           TELEGRAM_RIG_TEST(a_file_that_follows_its_message_keeps_none_waiting_either),
           TELEGRAM_RIG_TEST(a_text_that_fails_again_keeps_no_other_message_waiting),
           TELEGRAM_RIG_TEST(a_file_is_given_up_only_while_polls_complete),
           TELEGRAM_RIG_TEST(a_photo_whose_answer_is_lost_is_uncertain),
           TELEGRAM_RIG_TEST(a_file_that_is_gone_is_dead),
           TELEGRAM_RIG_TEST(a_message_is_pinned_quietly_and_deleted),
           TELEGRAM_RIG_TEST(a_refresh_edits_its_message_or_nothing),
           TELEGRAM_RIG_TEST(a_chat_action_is_shown_only_while_it_is_new),
           TELEGRAM_RIG_TEST(a_file_beyond_the_limit_is_refused_before_it_is_sent))
