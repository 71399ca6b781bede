#include "rate_limiter.h"

#include "base/clock.h"

/* `burst` messages at once, then one per interval: at most burst + w / interval in a window w. */
struct rate {
    int64_t interval_us;
    int64_t burst;
};
static const struct rate overall = {USEC_PER_SEC / 15, 15}; /* 30 in any second */
static const struct rate chat_rate = {USEC_PER_SEC, 3};
static const struct rate group_rate = {4 * USEC_PER_SEC, 5}; /* 20 in any minute */

void rate_limiter_init(struct rate_limiter *rate_limiter)
{
    *rate_limiter = (struct rate_limiter){0};
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t rate_ready(const struct rate *rate, int64_t next_us)
{
    return next_us - (rate->burst - 1) * rate->interval_us;
}

static int64_t rate_spend(const struct rate *rate, int64_t next_us, int64_t now_us)
{
    return later(next_us, now_us) + rate->interval_us;
}

static const struct rate_limiter_chat *find(const struct rate_limiter *rate_limiter,
                                            int64_t chat_id)
{
    for (size_t i = 0; i < RATE_LIMITER_CHATS; i++) {
        if (rate_limiter->chats[i].chat_id == chat_id) {
            return &rate_limiter->chats[i];
        }
    }
    return NULL;
}

static int64_t chat_ready(const struct rate_limiter_chat *chat)
{
    int64_t ready = later(rate_ready(&chat_rate, chat->next_mono_us), chat->blocked_mono_us);
    if (chat->chat_id < 0) {
        ready = later(ready, rate_ready(&group_rate, chat->next_group_mono_us));
    }
    return ready;
}

static struct rate_limiter_chat *claim(struct rate_limiter *rate_limiter, int64_t chat_id)
{
    struct rate_limiter_chat *oldest = NULL;
    for (size_t i = 0; i < RATE_LIMITER_CHATS; i++) {
        struct rate_limiter_chat *chat = &rate_limiter->chats[i];
        if (chat->chat_id == chat_id) {
            return chat;
        }
        if (oldest == NULL || chat_ready(chat) < chat_ready(oldest)) {
            oldest = chat;
        }
    }
    *oldest = (struct rate_limiter_chat){.chat_id = chat_id};
    return oldest;
}

int64_t rate_limiter_ready_mono_us(const struct rate_limiter *rate_limiter, int64_t chat_id,
                                   int64_t now_mono_us)
{
    int64_t ready = later(rate_ready(&overall, rate_limiter->next_mono_us), now_mono_us);
    const struct rate_limiter_chat *chat = find(rate_limiter, chat_id);
    return chat == NULL ? ready : later(ready, chat_ready(chat));
}

int64_t rate_limiter_steady_mono_us(const struct rate_limiter *rate_limiter, int64_t chat_id,
                                    int64_t now_mono_us)
{
    int64_t ready = rate_limiter_ready_mono_us(rate_limiter, chat_id, now_mono_us);
    const struct rate_limiter_chat *chat = find(rate_limiter, chat_id);
    return chat == NULL ? ready : later(ready, chat->next_mono_us);
}

void rate_limiter_spend(struct rate_limiter *rate_limiter, int64_t chat_id, int64_t now_mono_us)
{
    struct rate_limiter_chat *chat = claim(rate_limiter, chat_id);
    chat->next_mono_us = rate_spend(&chat_rate, chat->next_mono_us, now_mono_us);
    chat->next_group_mono_us = rate_spend(&group_rate, chat->next_group_mono_us, now_mono_us);
    rate_limiter->next_mono_us = rate_spend(&overall, rate_limiter->next_mono_us, now_mono_us);
}

void rate_limiter_block(struct rate_limiter *rate_limiter, int64_t chat_id, int64_t until_mono_us)
{
    struct rate_limiter_chat *chat = claim(rate_limiter, chat_id);
    chat->blocked_mono_us = later(chat->blocked_mono_us, until_mono_us);
}

size_t rate_limiter_waiting(const struct rate_limiter *rate_limiter, int64_t now_mono_us,
                            int64_t *ret_chats, size_t max, int64_t *ret_until_mono_us)
{
    size_t count = 0;
    *ret_until_mono_us = INT64_MAX;
    for (size_t i = 0; i < RATE_LIMITER_CHATS; i++) {
        const struct rate_limiter_chat *chat = &rate_limiter->chats[i];
        if (chat->chat_id == 0 || chat_ready(chat) <= now_mono_us) {
            continue;
        }
        if (chat_ready(chat) < *ret_until_mono_us) {
            *ret_until_mono_us = chat_ready(chat);
        }
        if (count < max) {
            ret_chats[count++] = chat->chat_id;
        }
    }
    return count;
}
