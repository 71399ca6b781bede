/*
 * rate_limiter.h: Telegram's rate limits for a bot: overall, per chat and per group.
 *
 *     int64_t ready_us = rate_limiter_ready_mono_us(&limiter, chat, now);
 *     if (ready_us <= now) { rate_limiter_spend(&limiter, chat, now); send(); }
 *     else wait_until(ready_us);
 *     rate_limiter_block(&limiter, chat, now + retry_after_us);      // on a 429
 *
 * Limits (core.telegram.org/bots/faq, "My bot is hitting limits"): about one message a second in a
 * chat, 20 a minute in a group, 30 a second overall. Telegram does not guarantee these numbers; a
 * 429 overrides them. Replies may use a burst of three in a chat, so at most 62 in any minute: the
 * FAQ tolerates short bursts there. Each limit is a token bucket kept
 * as a theoretical arrival time (GCRA, ITU-T I.371).
 * Always true: at most RATE_LIMITER_CHATS chats are remembered; the one that was idle longest is
 * evicted, never a blocked one. Thread: one at a time per rate limiter.
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
/* The earliest time at which the next message may be sent to this chat; a past time means now. */
int64_t rate_limiter_ready_mono_us(const struct rate_limiter *rate_limiter, int64_t chat_id,
                                   int64_t now_mono_us);
/* The same without the short burst that a chat is allowed: for messages that nobody waits for. */
int64_t rate_limiter_steady_mono_us(const struct rate_limiter *rate_limiter, int64_t chat_id,
                                    int64_t now_mono_us);
void rate_limiter_spend(struct rate_limiter *rate_limiter, int64_t chat_id, int64_t now_mono_us);
void rate_limiter_block(struct rate_limiter *rate_limiter, int64_t chat_id, int64_t until_mono_us);
/* Writes the chats that have to wait, at most max, and returns their number; *ret_until_mono_us is
 * when the first of them is ready (INT64_MAX: none waits). */
size_t rate_limiter_waiting(const struct rate_limiter *rate_limiter, int64_t now_mono_us,
                            int64_t *ret_chats, size_t max, int64_t *ret_until_mono_us);
