/* What is sent in another form than intended, and what Telegram has not sent before. */
#include "base/check.h"
#include "channels.h"
#include "chat/telegram.h"
#include "command/reply_json.h"
#include "fakes/fake_telegram.h"
#include "store/attachment.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <unistd.h>

struct form_rig {
    struct channels channels;
    struct fake_telegram *tg;
    struct telegram *telegram;
    char url[64];
    char folder[64];
    const char *text;
};

static void wake(void *userdata)
{
    struct form_rig *rig = userdata;
    telegram_wake(rig->telegram);
}

static int setup(void **state)
{
    struct form_rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    assert_non_null(rig);
    struct channels *d = &rig->channels;
    assert_int_equal(fake_telegram_start(&rig->tg), 0);
    (void)snprintf(rig->url, sizeof(rig->url), "http://127.0.0.1:%u", fake_telegram_port(rig->tg));
    (void)snprintf(rig->folder, sizeof(rig->folder), "/dev/shm/nightdesk-forms-%d", (int)getpid());
    channels_open(d, rig->url, "");
    assert_int_equal(telegram_new(&(struct telegram_options){.loop = d->loop,
                                                             .clock = clock_real(),
                                                             .config = d->config,
                                                             .store = d->store,
                                                             .access = d->access,
                                                             .runner = d->runner,
                                                             .manifests = d->manifests,
                                                             .alerts = d->alerts,
                                                             .attachments = rig->folder},
                                  &rig->telegram, &err),
                     0);
    d->outbox_changed = wake;
    d->userdata = rig;
    telegram_start(rig->telegram);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct form_rig *rig = *state;
    assert_string_equal(fake_telegram_violations(rig->tg), "");
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    channels_close(&rig->channels);
    fake_telegram_stop(rig->tg);
    (void)rmdir(rig->folder);
    free(rig);
    return 0;
}

/* The newest message that was accepted and has this text; false: none. */
static bool find(struct form_rig *rig, const char *text, struct fake_telegram_sent *ret)
{
    for (size_t i = fake_telegram_sent_count(rig->tg); i-- > 0;) {
        fake_telegram_get_sent(rig->tg, i, ret);
        if (ret->accepted && strstr(ret->text, text) != NULL) {
            return true;
        }
    }
    return false;
}

static bool has_sent(void *userdata)
{
    struct form_rig *rig = userdata;
    struct fake_telegram_sent s;
    return find(rig, rig->text, &s);
}

static struct fake_telegram_sent until_sent(struct form_rig *rig, const char *text)
{
    struct fake_telegram_sent s = {0};
    rig->text = text;
    if (!channels_until(&rig->channels, has_sent, rig)) {
        fail_msg("not sent: %s", text);
    }
    assert_true(find(rig, text, &s));
    return s;
}

static void say(struct form_rig *rig, const char *text)
{
    (void)fake_telegram_user_sends(rig->tg,
                                   &(struct fake_telegram_message){.from = ALICE, .text = text});
}

/* Anybody may send a message whose JSON nests deeply. An answer that cannot be read would come
 * again and again, and no command would ever arrive. */
static void a_message_that_nests_deeply_keeps_nothing_from_arriving(void **state)
{
    struct form_rig *rig = *state;
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
    say(rig, "/ping");
    (void)until_sent(rig, "pong");
}

static void a_server_that_does_not_know_styles_gets_buttons_without(void **state)
{
    struct form_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "sendMessage",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: can't parse inline keyboard "
                                                   "button: field \"style\" is unknown"});
    say(rig, "/ping");
    assert_string_equal(until_sent(rig, "pong").buttons, "[Again||/ping]");
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 2);
    say(rig, "/touch"); /* it is not asked again */
    assert_has(until_sent(rig, "Confirm: touch").buttons, "[Confirm||y:");
    assert_int_equal(fake_telegram_calls(rig->tg, "sendMessage"), 3);
}

static bool press(void *userdata)
{
    struct form_rig *rig = userdata;
    return fake_telegram_press(rig->tg, ALICE, ALICE, rig->text);
}

static void answer(struct form_rig *rig, const char *label)
{
    say(rig, "/touch");
    rig->text = label;
    assert_true(channels_until(&rig->channels, press, rig));
}

static void used_buttons_show_the_choice_that_was_made(void **state)
{
    struct form_rig *rig = *state;
    answer(rig, "Confirm");
    assert_string_equal(until_sent(rig, "touched").buttons, "[✓ Confirmed||(disabled)]");
    assert_false(fake_telegram_press(rig->tg, ALICE, ALICE, "✓ Confirmed"));
    answer(rig, "Cancel");
    assert_string_equal(until_sent(rig, "Cancelled: touch").buttons, "[✗ Cancelled||(disabled)]");
}

static void a_server_that_does_not_know_disabled_buttons_gets_none(void **state)
{
    struct form_rig *rig = *state;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){
                                    .method = "editMessageText",
                                    .fault = FAKE_TELEGRAM_ERROR,
                                    .status = 400,
                                    .description = "Bad Request: can't parse inline keyboard "
                                                   "button: Text buttons are unallowed in the "
                                                   "inline keyboard"});
    answer(rig, "Cancel");
    struct fake_telegram_sent s = until_sent(rig, "Cancelled: touch");
    assert_string_equal(s.buttons, "");
    assert_true(s.html);
    assert_int_equal(fake_telegram_calls(rig->tg, "editMessageText"), 2);
    answer(rig, "Confirm"); /* it is not asked again */
    assert_string_equal(until_sent(rig, "touched").buttons, "");
}

static void all_messages_of_a_protected_command_are_protected(void **state)
{
    struct form_rig *rig = *state;
    say(rig, "/ping");
    assert_false(until_sent(rig, "pong").is_protected);
    say(rig, "/touch");
    assert_true(until_sent(rig, "Confirm: touch").is_protected); /* the result edits it */
    assert_true(fake_telegram_press(rig->tg, ALICE, ALICE, "Confirm"));
    (void)until_sent(rig, "touched");
}

/* It was small enough when the reply was made; Telegram is not asked; the chat gets an error. */
static void a_file_that_has_become_too_large_is_answered_with_an_error(void **state)
{
    struct form_rig *rig = *state;
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
    wake(rig);
    struct fake_telegram_sent s = until_sent(rig, "ATTACHMENT_TOO_LARGE");
    assert_int_equal(s.chat, ALICE);
    assert_true(s.is_protected);
    assert_has(s.text, "50 MB");
    assert_has(s.text, "trades.csv: 50000001 bytes");
    channels_run_for(&rig->channels, 50 * USEC_PER_MSEC);
    assert_int_equal(channels_state(&rig->channels, id), OUTBOX_DELIVERED);
    assert_int_equal(fake_telegram_calls(rig->tg, "sendDocument"), 0);
    assert_int_equal(unlink(path.data), 0); /* it is still there */
}

#define FORM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
UNIT_GROUP(chat_telegram_forms, FORM_TEST(a_message_that_nests_deeply_keeps_nothing_from_arriving),
           FORM_TEST(a_server_that_does_not_know_styles_gets_buttons_without),
           FORM_TEST(used_buttons_show_the_choice_that_was_made),
           FORM_TEST(a_server_that_does_not_know_disabled_buttons_gets_none),
           FORM_TEST(all_messages_of_a_protected_command_are_protected),
           FORM_TEST(a_file_that_has_become_too_large_is_answered_with_an_error))
