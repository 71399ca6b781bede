/* The pace of alerts, by the count of the fake, with ten thousand of them queued. */
#include "channels.h"
#include "chat/telegram.h"
#include "command/reply_json.h"
#include "fakes/fake_telegram.h"
#include "unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define ALERTS 10000
#define CHATS  200

struct limit_rig {
    struct channels channels;
    struct fake_telegram *tg;
    struct telegram *telegram;
    int64_t waited_id;
};

static void wake(void *userdata)
{
    struct limit_rig *rig = userdata;
    telegram_wake(rig->telegram);
}

static int setup(void **state)
{
    struct limit_rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    char url[64];
    assert_non_null(rig);
    assert_int_equal(fake_telegram_start(&rig->tg), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_telegram_port(rig->tg));
    channels_open(&rig->channels, url, "");
    struct channels *d = &rig->channels;
    assert_int_equal(telegram_new(&(struct telegram_options){.loop = d->loop,
                                                             .clock = clock_real(),
                                                             .config = d->config,
                                                             .store = d->store,
                                                             .access = d->access,
                                                             .runner = d->runner,
                                                             .manifests = d->manifests,
                                                             .alerts = d->alerts},
                                  &rig->telegram, &err),
                     0);
    d->outbox_changed = wake;
    d->userdata = rig;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct limit_rig *rig = *state;
    telegram_stop(rig->telegram);
    telegram_free(rig->telegram);
    channels_close(&rig->channels);
    assert_string_equal(fake_telegram_violations(rig->tg), "");
    fake_telegram_stop(rig->tg);
    free(rig);
    return 0;
}

/* Ten thousand alerts; chat(i) is that of the i-th. */
static void queue(struct limit_rig *rig, int64_t (*chat)(int i))
{
    struct ops_store *store = rig->channels.store;
    AUTO_REPLY struct reply *r = reply_new();
    AUTO_BUF struct buf text = BUF_INIT(OUTBOX_PAYLOAD_MAX);
    reply_title(r, TONE_BAD, "an alert");
    reply_json_message(r, &text);
    assert_int_equal(ops_store_begin(store, NULL), 0);
    for (int i = 0; i < ALERTS; i++) {
        int64_t id = 0;
        assert_int_equal(outbox_table_add(store,
                                          &(struct outbox_new){.channel = "telegram",
                                                               .chat_id = chat(i),
                                                               .kind = OUTBOX_SEND,
                                                               .priority = OUTBOX_HIGH,
                                                               .payload = text.data},
                                          clock_wall_us(clock_real()), &id, NULL),
                         0);
    }
    assert_int_equal(ops_store_commit(store, NULL), 0);
    telegram_start(rig->telegram);
}

static int64_t one_chat(int i)
{
    (void)i;
    return ALICE;
}

static int64_t a_group(int i)
{
    (void)i;
    return -77;
}

static int64_t many_chats(int i)
{
    return 5000 + i % CHATS;
}

static bool has_begun(void *userdata)
{
    struct limit_rig *rig = userdata;
    return fake_telegram_sent_count(rig->tg) > 0;
}

/* The messages in each second from the first one on. */
static void count(struct limit_rig *rig, int seconds, size_t per_second)
{
    assert_true(channels_until(&rig->channels, has_begun, rig));
    size_t before = fake_telegram_sent_count(rig->tg) - 1;
    for (int i = 0; i < seconds; i++) {
        channels_run_for(&rig->channels, USEC_PER_SEC - 20 * USEC_PER_MSEC);
        size_t now = fake_telegram_sent_count(rig->tg);
        if (now - before > per_second) {
            fail_msg("second %d: %zu messages", i, now - before);
        }
        assert_true(now > before);
        before = now;
        channels_run_for(&rig->channels, 20 * USEC_PER_MSEC);
    }
}

static void a_chat_gets_one_alert_a_second(void **state)
{
    queue(*state, one_chat);
    count(*state, 4, 2); /* a second may hold both ends of an interval */
}

static void a_group_gets_no_more_than_twenty_a_minute(void **state)
{
    struct limit_rig *rig = *state;
    queue(rig, a_group);
    assert_true(channels_until(&rig->channels, has_begun, rig));
    channels_run_for(&rig->channels, 8 * USEC_PER_SEC);
    assert_true(fake_telegram_sent_count(rig->tg) <= 5 + 2); /* a burst of 5, then one in 4 s */
}

static void all_chats_get_no_more_than_thirty_a_second(void **state)
{
    queue(*state, many_chats);
    count(*state, 3, 30);
}

static bool has_answered(void *userdata)
{
    struct limit_rig *rig = userdata;
    struct fake_telegram_sent sent;
    for (size_t i = fake_telegram_sent_count(rig->tg); i > 0; i--) {
        fake_telegram_get_sent(rig->tg, i - 1, &sent);
        if (sent.chat == BOB && strstr(sent.text, "pong") != NULL) {
            return true;
        }
    }
    return false;
}

/* The alerts wait for a group; a command in another chat does not wait for them. */
static void a_reply_does_not_wait_for_queued_alerts(void **state)
{
    struct limit_rig *rig = *state;
    queue(rig, a_group);
    assert_true(channels_until(&rig->channels, has_begun, rig));
    channels_run_for(&rig->channels, USEC_PER_SEC);
    int64_t from_us = clock_mono_us(clock_real());
    (void)fake_telegram_user_sends(
        rig->tg, &(struct fake_telegram_message){.from = BOB, .chat = BOB, .text = "/ping"});
    assert_true(channels_until(&rig->channels, has_answered, rig));
    assert_true(clock_mono_us(clock_real()) - from_us < USEC_PER_SEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_GROUP(telegram_limits, TEST(a_chat_gets_one_alert_a_second),
           TEST(a_group_gets_no_more_than_twenty_a_minute),
           TEST(all_chats_get_no_more_than_thirty_a_second),
           TEST(a_reply_does_not_wait_for_queued_alerts))
