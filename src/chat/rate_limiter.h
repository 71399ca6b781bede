/*
 * rate_limiter.h: how fast a bot may speak: Telegram's limits overall, per chat and per group.
 *
 *     if (rate_limiter_ready_mono_us(&rate_limiter, chat, now) <= now) {
 * rate_limiter_spend(&rate_limiter, chat, now); send(); } else
 * wait_until(rate_limiter_ready_mono_us(...)); on 429: rate_limiter_block(&rate_limiter, chat, now
 * + retry_after);
 *
 * Limits (core.telegram.org/bots/faq, "My bot is hitting limits"): about one message a second in a
 * chat, 20 a minute in a group, 30 a second overall; numbers are not contractual, a 429 is the last
 * word. Each is a token bucket kept as a theoretical arrival time (GCRA, ITU-T I.371).
 * Always true: at most RATE_LIMITER_CHATS chats are remembered; the one that was idle longest makes
 * room, never one that is blocked. Thread: one at a time per pace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_LIMITER_CHATS 128

struct rate_limiter_chat {
    int64_t chat_id; /* 0: free */
    int64_t next_mono_us;
    int64_t next_group_mono_us;
    int64_t blocked_mono_us;
};

struct rate_limiter {
    int64_t next_mono_us;
    struct rate_limiter_chat chats[RATE_LIMITER_CHATS];
};

void rate_limiter_init(struct rate_limiter *rate_limiter);
/* The earliest time at which one more message may go to this chat; in the past: now. */
int64_t rate_limiter_ready_mono_us(const struct rate_limiter *rate_limiter, int64_t chat_id,
                                   int64_t now_mono_us);
void rate_limiter_spend(struct rate_limiter *rate_limiter, int64_t chat_id, int64_t now_mono_us);
void rate_limiter_block(struct rate_limiter *rate_limiter, int64_t chat_id, int64_t until_mono_us);
/* Chats that have to wait, at most max of them; *ret_until is when the first of them may go on
 * (INT64_MAX when there is none). */
size_t rate_limiter_waiting(const struct rate_limiter *rate_limiter, int64_t now_mono_us,
                            int64_t *ret_chats, size_t max, int64_t *ret_until_mono_us);
