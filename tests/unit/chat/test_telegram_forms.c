/* What is sent in another form than intended, and what Telegram has not sent before. */
#include "base/check.h"
#include "command/reply_json.h"
#include "store/attachment.h"
#include "telegram_rig.h"

#include <unistd.h>

/* Anybody may send a message whose JSON nests deeply. An answer that cannot be read would come
 * again and again, and no command would ever arrive. */
static void a_message_that_nests_deeply_keeps_nothing_from_arriving(void **state)
{
    struct telegram_rig *rig = *state;
    AUTO_BUF struct buf update = BUF_INIT((size_t)16 << 10);
    buf_add_c(&update, "{\"message\":{\"message_id\":5,\"date\":4000000000,\"from\":{\"id\":6666},"
                       "\"chat\":{\"id\":6666,\"type\":\"private\"},\"rich_message\":");
    for (int i = 0; i < 150; i++) {
        buf_add_c(&update, "{\"blocks\":[");
    }
    for (int i = 0; i < 150; i++) {
        buf_add_c(&update, "]}");
    }
    buf_add_c(&update, "}}");
    (void)fake_telegram_push(rig->tg, update.data);
    telegram_rig_say(rig, ALICE, "/ping");
    (void)telegram_rig_until_sent(rig, "pong");
}

static void a_server_that_does_not_know_styles_gets_buttons_without(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "sendMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: can't parse inline keyboard "
                                                   "button: field \"style\" is unknown"});
    telegram_rig_say(rig, ALICE, "/ping");
    assert_string_equal(telegram_rig_until_sent(rig, "pong").buttons, "[Again||/ping]");
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 2);
    telegram_rig_say(rig, ALICE, "/touch"); /* it is not asked again */
    assert_has(telegram_rig_until_sent(rig, "Confirm: touch").buttons, "[Confirm||y:");
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 3);
}

static void answer(struct telegram_rig *rig, const char *label)
{
    telegram_rig_say(rig, ALICE, "/touch");
    telegram_rig_press(rig, label);
}

static void used_buttons_show_the_choice_that_was_made(void **state)
{
    struct telegram_rig *rig = *state;
    answer(rig, "Confirm");
    assert_string_equal(telegram_rig_until_sent(rig, "touched").buttons,
                        "[✓ Confirmed||(disabled)]");
    assert_false(fake_telegram_press(rig->tg, ALICE, ALICE, "✓ Confirmed"));
    answer(rig, "Cancel");
    assert_string_equal(telegram_rig_until_sent(rig, "Cancelled: touch").buttons,
                        "[✗ Cancelled||(disabled)]");
}

static void a_server_that_does_not_know_disabled_buttons_gets_none(void **state)
{
    struct telegram_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "editMessageText",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: can't parse inline keyboard "
                                                   "button: Text buttons are unallowed in the "
                                                   "inline keyboard"});
    answer(rig, "Cancel");
    struct fake_telegram_sent s = telegram_rig_until_sent(rig, "Cancelled: touch");
    assert_string_equal(s.buttons, "");
    assert_true(s.html);
    assert_int_equal(fake_telegram_calls(rig->tg, "editMessageText"), 2);
    answer(rig, "Confirm"); /* it is not asked again */
    assert_string_equal(telegram_rig_until_sent(rig, "touched").buttons, "");
}

static void all_messages_of_a_protected_command_are_protected(void **state)
{
    struct telegram_rig *rig = *state;
    telegram_rig_say(rig, ALICE, "/ping");
    assert_false(telegram_rig_until_sent(rig, "pong").is_protected);
    telegram_rig_say(rig, ALICE, "/touch");
    assert_true(
        telegram_rig_until_sent(rig, "Confirm: touch").is_protected); /* the result edits it */
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    (void)telegram_rig_until_sent(rig, "touched");
}

/* It was small enough when the reply was made; Telegram is not asked; the chat gets an error. */
static void a_file_that_has_become_too_large_is_answered_with_an_error(void **state)
{
    struct telegram_rig *rig = *state;
    struct attachment file;
    struct attachment_new add = {
        .name = "trades.csv", .media_type = "text/csv", .bytes = STR_LIT("id\n")};
    AUTO_BUF struct buf path = BUF_INIT(4096), payload = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    AUTO_REPLY struct reply *r = reply_new();
    int64_t id = 0;
    assert_int_equal(attachment_add(rig->folder, &add, &file, NULL), 0);
    assert_int_equal(attachment_path(rig->folder, file.id, &path, NULL, NULL), 0);
    assert_int_equal(truncate(path.data, ATTACHMENT_DOCUMENT_MAX + 1), 0);
    reply_document(
        r, &(struct reply_file){.id = file.id, .name = "trades.csv", .media_type = "text/csv"});
    reply_protect(r);
    reply_json_text(r, &payload);
    const struct outbox_new row = {.channel = "telegram",
                                   .chat_id = ALICE,
                                   .kind = OUTBOX_DOCUMENT,
                                   .priority = OUTBOX_NORMAL,
                                   .payload = payload.data};
    assert_int_equal(
        outbox_table_add(rig->channels.store, &row, clock_wall_us(clock_real()), &id, NULL), 0);
    telegram_wake(rig->telegram);
    struct fake_telegram_sent s = telegram_rig_until_sent(rig, "ATTACHMENT_TOO_LARGE");
    assert_int_equal(s.chat, ALICE);
    assert_true(s.is_protected);
    assert_has(s.text, "50 MB");
    assert_has(s.text, "trades.csv: 50000001 bytes");
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC);
    assert_int_equal(channels_state(&rig->channels, id), OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendDocument"), 0);
    assert_int_equal(unlink(path.data), 0); /* it is still there */
}

UNIT_GROUP(chat_telegram_forms,
           TELEGRAM_RIG_TEST(a_message_that_nests_deeply_keeps_nothing_from_arriving),
           TELEGRAM_RIG_TEST(a_server_that_does_not_know_styles_gets_buttons_without),
           TELEGRAM_RIG_TEST(used_buttons_show_the_choice_that_was_made),
           TELEGRAM_RIG_TEST(a_server_that_does_not_know_disabled_buttons_gets_none),
           TELEGRAM_RIG_TEST(all_messages_of_a_protected_command_are_protected),
           TELEGRAM_RIG_TEST(a_file_that_has_become_too_large_is_answered_with_an_error))
