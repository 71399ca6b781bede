#include "../../../src/chat/rate_limiter.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/rng.h"
#include "chat/telegram.h"
#include "fakes/telegram_rate.h"
#include "unit/unit.h"

#define START (100 * USEC_PER_SEC)

/* The number of messages sent within `span` if each is sent as soon as it is allowed. */
static int sent_within(struct rate_limiter *rate_limiter, int64_t chat, int64_t span_us)
{
    int count = 0;
    for (int64_t now = START; now < START + span_us;) {
        int64_t ready = rate_limiter_ready_mono_us(rate_limiter, chat, now);
        if (ready > now) {
            now = ready;
            continue;
        }
        rate_limiter_spend(rate_limiter, chat, now);
        count++;
    }
    return count;
}

static void a_chat_gets_about_one_a_second(void **state)
{
    (void)state;
    struct rate_limiter rate_limiter;
    rate_limiter_init(&rate_limiter);
    assert_int_equal(sent_within(&rate_limiter, 42, 10 * USEC_PER_SEC),
                     12); /* a burst of 3, then 1/s */
}

/* What nobody waits for comes at exactly one a second, also after a burst of replies. */
static void without_a_burst_a_chat_gets_one_a_second(void **state)
{
    (void)state;
    struct rate_limiter rate_limiter;
    rate_limiter_init(&rate_limiter);
    assert_int_equal(sent_within(&rate_limiter, 42, USEC_PER_MSEC), 3);
    int64_t now = START;
    for (int i = 0; i < 5; i++) {
        int64_t at = rate_limiter_steady_mono_us(&rate_limiter, 42, now);
        assert_true(at - now >= USEC_PER_SEC - USEC_PER_MSEC);
        rate_limiter_spend(&rate_limiter, 42, at);
        now = at;
    }
}

static void a_group_never_gets_more_than_twenty_a_minute(void **state)
{
    (void)state;
    struct rate_limiter rate_limiter;
    rate_limiter_init(&rate_limiter);
    int first = sent_within(&rate_limiter, -42, USEC_PER_MIN);
    assert_true(first > 15 && first <= 20);
}

static void all_chats_share_thirty_a_second(void **state)
{
    (void)state;
    struct rate_limiter rate_limiter;
    rate_limiter_init(&rate_limiter);
    int count = 0;
    for (int64_t chat = 1; chat <= 100; chat++) {
        if (rate_limiter_ready_mono_us(&rate_limiter, chat, START) <= START) {
            rate_limiter_spend(&rate_limiter, chat, START);
            count++;
        }
    }
    assert_int_equal(count, 15);
    int64_t now = START + USEC_PER_SEC;
    for (int64_t chat = 201; chat <= 300; chat++) {
        if (rate_limiter_ready_mono_us(&rate_limiter, chat, now) <= now) {
            rate_limiter_spend(&rate_limiter, chat, now);
            count++;
        }
    }
    assert_int_equal(count, 30);
}

/* Sends whatever is allowed, for half an hour with pauses, and counts as the fake of the Bot API
 * does: in no second or minute are there more than Telegram says. */
static void no_minute_and_no_second_has_more_than_is_allowed(void **state)
{
    (void)state;
    static const int64_t chats[] = {42, 43, -77, -78};
    static struct telegram_rate rate; /* large */
    struct rate_limiter rate_limiter;
    struct rng rng;
    size_t sent[COUNT_OF(chats)] = {0};
    int64_t now = START;
    rate_limiter_init(&rate_limiter);
    rng_init(&rng, 7);
    while (now < START + 30 * USEC_PER_MIN) {
        bool crowd = rng_below(&rng, 50) == 0; /* twenty more share the limit of all */
        for (int64_t chat = 1000; crowd && chat < 1020; chat++) {
            if (rate_limiter_ready_mono_us(&rate_limiter, chat, now) <= now) {
                rate_limiter_spend(&rate_limiter, chat, now);
                assert_null(telegram_rate_count(&rate, chat, now, 0));
            }
        }
        for (size_t i = 0; i < COUNT_OF(chats); i++) {
            if (rate_limiter_ready_mono_us(&rate_limiter, chats[i], now) <= now) {
                rate_limiter_spend(&rate_limiter, chats[i], now);
                assert_null(telegram_rate_count(&rate, chats[i], now, 0));
                sent[i]++;
            }
        }
        now += (int64_t)rng_below(&rng, rng_below(&rng, 3000) == 0 ? 90 * USEC_PER_SEC
                                                                   : 100 * USEC_PER_MSEC);
    }
    assert_true(sent[0] > 900 && sent[2] > 200); /* most of what is allowed */
}

static void a_blocked_chat_waits_and_others_do_not(void **state)
{
    (void)state;
    struct rate_limiter rate_limiter;
    int64_t chats[8], until = 0;
    rate_limiter_init(&rate_limiter);
    rate_limiter_block(&rate_limiter, 7, START + 60 * USEC_PER_SEC);
    assert_int_equal(rate_limiter_ready_mono_us(&rate_limiter, 7, START),
                     START + 60 * USEC_PER_SEC);
    assert_true(rate_limiter_ready_mono_us(&rate_limiter, 8, START) <= START);
    assert_int_equal(rate_limiter_waiting(&rate_limiter, START, chats, 8, &until), 1);
    assert_int_equal(chats[0], 7);
    assert_int_equal(until, START + 60 * USEC_PER_SEC);
    assert_int_equal(rate_limiter_waiting(&rate_limiter, until, chats, 8, &until), 0);
    assert_int_equal(until, INT64_MAX);
}

static void a_blocked_chat_is_never_evicted(void **state)
{
    (void)state;
    struct rate_limiter rate_limiter;
    rate_limiter_init(&rate_limiter);
    rate_limiter_block(&rate_limiter, 7, START + 60 * USEC_PER_SEC);
    for (int64_t chat = 1000; chat < 1000 + 3 * RATE_LIMITER_CHATS; chat++) {
        rate_limiter_spend(&rate_limiter, chat, START);
    }
    assert_int_equal(
        rate_limiter_ready_mono_us(&rate_limiter, 7, START) >= START + 60 * USEC_PER_SEC, 1);
}

UNIT_GROUP(chat_rate_limiter, cmocka_unit_test(a_chat_gets_about_one_a_second),
           cmocka_unit_test(without_a_burst_a_chat_gets_one_a_second),
           cmocka_unit_test(a_group_never_gets_more_than_twenty_a_minute),
           cmocka_unit_test(all_chats_share_thirty_a_second),
           cmocka_unit_test(no_minute_and_no_second_has_more_than_is_allowed),
           cmocka_unit_test(a_blocked_chat_waits_and_others_do_not),
           cmocka_unit_test(a_blocked_chat_is_never_evicted))
