#include "fakes/telegram_rate.h"

#include "base/check.h"
#include "base/clock.h"

#define CHAT_MOST  62
#define GROUP_MOST 20
#define ALL_MOST   30

/* The messages later than this; to any chat if chat is 0. */
static size_t count_since(const struct telegram_rate *rate, int64_t after_us, int64_t chat)
{
    size_t count = 0;
    for (size_t i = rate->count; i > 0 && rate->count - i < TELEGRAM_RATE_KEPT; i--) {
        size_t at = (i - 1) % TELEGRAM_RATE_KEPT;
        if (rate->kept[at].at_us <= after_us) {
            break;
        }
        count += chat == 0 || rate->kept[at].chat == chat ? 1 : 0;
    }
    return count;
}

const char *telegram_rate_count(struct telegram_rate *rate, int64_t chat, int64_t now_us,
                                int64_t slack_us)
{
    size_t at = rate->count++ % TELEGRAM_RATE_KEPT;
    rate->kept[at].chat = chat;
    rate->kept[at].at_us = now_us;
    if (count_since(rate, now_us - USEC_PER_SEC + slack_us, 0) > ALL_MOST) {
        return "in all chats in a second";
    }
    size_t in_chat = count_since(rate, now_us - USEC_PER_MIN + slack_us, chat);
    if (chat < 0) {
        return in_chat > GROUP_MOST ? "in a group in a minute" : NULL;
    }
    return in_chat > CHAT_MOST ? "in a chat in a minute" : NULL;
}
