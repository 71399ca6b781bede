#include "../../../src/chat/pace.h"
#include "base/clock.h"
#include "chat/telegram.h"
#include "unit/unit.h"

#define START (100 * USEC_PER_SEC)

/* How many messages leave within `span` when as many as allowed are sent. */
static int sent_within(struct pace *pace, int64_t chat, int64_t span_us)
{
    int count = 0;
    for (int64_t now = START; now < START + span_us;) {
        int64_t ready = pace_ready_mono_us(pace, chat, now);
        if (ready > now) {
            now = ready;
            continue;
        }
        pace_spend(pace, chat, now);
        count++;
    }
    return count;
}

static void a_chat_gets_about_one_a_second(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    assert_int_equal(sent_within(&pace, 42, 10 * USEC_PER_SEC), 12); /* a burst of 3, then 1/s */
}

static void a_group_never_gets_more_than_twenty_a_minute(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    int first = sent_within(&pace, -42, USEC_PER_MIN);
    assert_true(first > 15 && first <= 20);
}

static void all_chats_share_thirty_a_second(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    int count = 0;
    for (int64_t chat = 1; chat <= 100; chat++) {
        if (pace_ready_mono_us(&pace, chat, START) <= START) {
            pace_spend(&pace, chat, START);
            count++;
        }
    }
    assert_int_equal(count, 15);
    int64_t now = START + USEC_PER_SEC;
    for (int64_t chat = 201; chat <= 300; chat++) {
        if (pace_ready_mono_us(&pace, chat, now) <= now) {
            pace_spend(&pace, chat, now);
            count++;
        }
    }
    assert_int_equal(count, 30);
}

static void a_blocked_chat_waits_and_others_do_not(void **state)
{
    (void)state;
    struct pace pace;
    int64_t chats[8], until = 0;
    pace_init(&pace);
    pace_block(&pace, 7, START + 60 * USEC_PER_SEC);
    assert_int_equal(pace_ready_mono_us(&pace, 7, START), START + 60 * USEC_PER_SEC);
    assert_true(pace_ready_mono_us(&pace, 8, START) <= START);
    assert_int_equal(pace_waiting(&pace, START, chats, 8, &until), 1);
    assert_int_equal(chats[0], 7);
    assert_int_equal(until, START + 60 * USEC_PER_SEC);
    assert_int_equal(pace_waiting(&pace, until, chats, 8, &until), 0);
    assert_int_equal(until, INT64_MAX);
}

static void many_chats_do_not_push_a_blocked_one_out(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    pace_block(&pace, 7, START + 60 * USEC_PER_SEC);
    for (int64_t chat = 1000; chat < 1000 + 3 * PACE_CHATS; chat++) {
        pace_spend(&pace, chat, START);
    }
    assert_int_equal(pace_ready_mono_us(&pace, 7, START) >= START + 60 * USEC_PER_SEC, 1);
}

UNIT_GROUP(chat_pace, cmocka_unit_test(a_chat_gets_about_one_a_second),
           cmocka_unit_test(a_group_never_gets_more_than_twenty_a_minute),
           cmocka_unit_test(all_chats_share_thirty_a_second),
           cmocka_unit_test(a_blocked_chat_waits_and_others_do_not),
           cmocka_unit_test(many_chats_do_not_push_a_blocked_one_out))
