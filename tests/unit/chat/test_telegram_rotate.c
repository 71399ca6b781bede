/* A new token for the running channel. */
#include "base/check.h"
#include "telegram_rig.h"

#include <string.h>

#define NEWER "123456789:FAKE-newer_0123456789abcdefghijk"
#define OTHER "987654321:FAKE-other_0123456789abcdefghijk"

struct ending {
    bool done;
    struct err err;
    char username[33];
};

static void on_done(const struct err *err, const char *username, void *userdata)
{
    struct ending *o = userdata;
    assert_false(o->done);
    o->done = true;
    o->err = err != NULL ? *err : (struct err){0};
    (void)str_copy(str_c(username), o->username, sizeof(o->username));
}

static int begin(struct telegram_rig *rig, const char *token, bool other_bot, struct ending *o)
{
    struct err err = {0};
    *o = (struct ending){0};
    const struct telegram_rotation rotation = {
        .token = token, .other_bot = other_bot, .done = on_done, .userdata = o};
    return telegram_rotate(rig->telegram, &rotation, &err);
}

static void rotate(struct telegram_rig *rig, const char *token, bool other_bot, struct ending *o)
{
    assert_int_equal(begin(rig, token, other_bot, o), 0);
    for (int i = 0; i < 200 && !o->done; i++) {
        channels_run_for(&rig->channels, 20 * USEC_PER_MSEC);
    }
    assert_true(o->done);
}

static void answers(struct telegram_rig *rig, int pongs)
{
    telegram_rig_say(rig, ALICE, "/ping");
    telegram_rig_until_count(rig, "pong", pongs);
}

/* The channel was closed, and nobody could reach the bot. */
static void what_waited_is_sent_with_the_new_token(void **state)
{
    struct telegram_rig *rig = *state;
    struct ending o;
    answers(rig, 1);
    fake_telegram_revoke(rig->tg, NEWER);
    telegram_rig_until_state(rig, TELEGRAM_REFUSED);
    int64_t id = telegram_rig_post(rig, OUTBOX_NORMAL, "waited");
    rotate(rig, NEWER, false, &o);
    assert_int_equal(o.err.id, ERR_NONE);
    assert_string_equal(o.username, FAKE_TELEGRAM_USERNAME);
    (void)telegram_rig_until_sent(rig, "waited");
    telegram_rig_until_row(rig, id, OUTBOX_DELIVERED);
    telegram_rig_until_alert(rig, "telegram:token", false);
    answers(rig, 2);
}

static void a_token_that_is_refused_changes_nothing(void **state)
{
    struct telegram_rig *rig = *state;
    struct ending o;
    answers(rig, 1);
    telegram_rig_refuse(rig, "getMe", 401, "Unauthorized", 1);
    rotate(rig, FAKE_TELEGRAM_TOKEN, false, &o);
    assert_int_equal(o.err.id, ERR_TELEGRAM_TOKEN_REFUSED);
    answers(rig, 2);
    assert_false(channels_has_alert(&rig->channels, "telegram:token"));
}

/* getMe succeeds, a poll does not: the polls with the old token go on. */
static void a_token_that_cannot_poll_is_not_used(void **state)
{
    struct telegram_rig *rig = *state;
    struct ending o;
    answers(rig, 1);
    telegram_rig_until_confirmed(rig); /* the next poll with the old token is under way */
    telegram_rig_refuse(rig, "getUpdates", 403, "Forbidden: no", 1);
    rotate(rig, FAKE_TELEGRAM_TOKEN, false, &o);
    assert_int_equal(o.err.id, ERR_TELEGRAM_REFUSED);
    answers(rig, 2);
}

static void another_bot_is_used_only_if_that_is_wanted(void **state)
{
    struct telegram_rig *rig = *state;
    struct ending o;
    answers(rig, 1);
    fake_telegram_revoke(rig->tg, OTHER);
    rotate(rig, OTHER, false, &o);
    assert_int_equal(o.err.id, ERR_TELEGRAM_OTHER_BOT);
    assert_has(o.err.context, "987654321");
    assert_has(o.err.context, "123456789");
    assert_lacks(o.err.context, "FAKE-other");
    rotate(rig, OTHER, true, &o);
    assert_int_equal(o.err.id, ERR_NONE);
    answers(rig, 2);
}

static void one_at_a_time_and_it_can_be_given_up(void **state)
{
    struct telegram_rig *rig = *state;
    struct ending first, second;
    fake_telegram_fail(rig->tg, &(struct fake_telegram_failure){.method = "getMe",
                                                                .fault = FAKE_TELEGRAM_SLOW,
                                                                .delay_ms = 300});
    assert_int_equal(begin(rig, FAKE_TELEGRAM_TOKEN, false, &first), 0);
    assert_int_equal(begin(rig, FAKE_TELEGRAM_TOKEN, false, &second), -ERR_COMMAND_LOCKED);
    telegram_rotate_cancel(rig->telegram);
    channels_run_for(&rig->channels, 400 * USEC_PER_MSEC);
    assert_false(first.done || second.done);
    answers(rig, 1);
    rotate(rig, FAKE_TELEGRAM_TOKEN, false, &first); /* the next one may begin */
    assert_int_equal(first.err.id, ERR_NONE);
    answers(rig, 2);
}

UNIT_GROUP(telegram_rotate, TELEGRAM_RIG_TEST(what_waited_is_sent_with_the_new_token),
           TELEGRAM_RIG_TEST(a_token_that_is_refused_changes_nothing),
           TELEGRAM_RIG_TEST(a_token_that_cannot_poll_is_not_used),
           TELEGRAM_RIG_TEST(another_bot_is_used_only_if_that_is_wanted),
           TELEGRAM_RIG_TEST(one_at_a_time_and_it_can_be_given_up))
