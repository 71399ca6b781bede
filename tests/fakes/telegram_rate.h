/*
 * telegram_rate.h: counts messages and edits, and says when there are more than Telegram allows:
 * 30 in a second in all chats, 20 in a minute in a group, one a second in a chat with a short burst
 * (core.telegram.org/bots/faq, "My bot is hitting limits"), which is 62 in a minute.
 *
 *     why = telegram_rate_count(&rate, chat_id, now_us, 0);
 *     if (why != NULL) printf("too many messages %s\n", why);
 *
 * Thread: one at a time per rate.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TELEGRAM_RATE_KEPT 2048 /* more than 30 a second in a minute */

struct telegram_rate {
    struct {
        int64_t chat;
        int64_t at_us;
    } kept[TELEGRAM_RATE_KEPT]; /* the last ones, a ring */
    size_t count;
};

/* A message to this chat, below 0 a group. NULL: it is allowed. slack_us: the windows are so much
 * shorter, for a clock that is not the sender's. */
const char *telegram_rate_count(struct telegram_rate *rate, int64_t chat, int64_t now_us,
                                int64_t slack_us);
