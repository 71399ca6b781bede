/* The rate of alerts, by the count of the fake, with ten thousand of them queued. */
#include "command/reply_json.h"
#include "telegram_rig.h"

#include <string.h>

#define ALERTS 10000
#define CHATS  200

/* Ten thousand alerts; chat(i) is that of the i-th. */
static void queue(struct telegram_rig *rig, int64_t (*chat)(int i))
{
    telegram_rig_close(rig);
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
    telegram_rig_open(rig);
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
    struct telegram_rig *rig = userdata;
    return fake_telegram_sent_count(rig->tg) > 0;
}

/* The messages in each second from the first one on. A slow machine may send none in one of them.
 */
static void count(struct telegram_rig *rig, int seconds, size_t per_second)
{
    assert_true(channels_until(&rig->channels, has_begun, rig));
    size_t before = fake_telegram_sent_count(rig->tg) - 1, first = before;
    for (int i = 0; i < seconds; i++) {
        channels_run_for(&rig->channels, USEC_PER_SEC - 20 * USEC_PER_MSEC);
        size_t now = fake_telegram_sent_count(rig->tg);
        if (now - before > per_second) {
            fail_msg("second %d: %zu messages", i, now - before);
        }
        before = now;
        channels_run_for(&rig->channels, 20 * USEC_PER_MSEC);
    }
    assert_true(before > first + 1);
}

static void a_chat_gets_one_alert_a_second(void **state)
{
    queue(*state, one_chat);
    count(*state, 4, 2); /* a second may hold both ends of an interval */
}

static void a_group_gets_no_more_than_twenty_a_minute(void **state)
{
    struct telegram_rig *rig = *state;
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
    struct telegram_rig *rig = userdata;
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
    struct telegram_rig *rig = *state;
    queue(rig, a_group);
    assert_true(channels_until(&rig->channels, has_begun, rig));
    channels_run_for(&rig->channels, USEC_PER_SEC);
    int64_t from_us = clock_mono_us(clock_real());
    (void)fake_telegram_user_sends(
        rig->tg, &(struct fake_telegram_message){.from = BOB, .chat = BOB, .text = "/ping"});
    assert_true(channels_until(&rig->channels, has_answered, rig));
    assert_true(clock_mono_us(clock_real()) - from_us < USEC_PER_SEC);
}

UNIT_GROUP(telegram_limits, TELEGRAM_RIG_TEST(a_chat_gets_one_alert_a_second),
           TELEGRAM_RIG_TEST(a_group_gets_no_more_than_twenty_a_minute),
           TELEGRAM_RIG_TEST(all_chats_get_no_more_than_thirty_a_second),
           TELEGRAM_RIG_TEST(a_reply_does_not_wait_for_queued_alerts))
