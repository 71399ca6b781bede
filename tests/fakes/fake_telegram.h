/*
 * fake_telegram.h: a strict fake of the Telegram Bot API on 127.0.0.1, for tests.
 *
 *     struct fake_telegram *tg = NULL;
 *     assert_int_equal(fake_telegram_start(&tg), 0);
 *     fake_telegram_user_sends(tg, &(struct fake_telegram_message){.from = 7, .chat = 7, .text =
 * "/status"});
 *     ... set telegram.api_url to http://127.0.0.1:PORT, let the program answer ...
 *     assert_string_equal(fake_telegram_violations(tg), "");
 *     fake_telegram_stop(tg);
 *
 * It checks of every request: path and token, JSON (multipart for files), method, fields and the
 * objects in them by the published description of the Bot API (bot_api.h), texts of 1 to 4096
 * UTF-16 units, HTML that Telegram would parse, keyboards (one action per button, callback_data of
 * 1 to 64 bytes), no call before the end of a retry_after, the rate of messages and edits (of all:
 * 30 in a second; in a chat 62, in a group 20 in a minute), no poll in a busy loop, edits only of
 * existing messages. It keeps updates until a higher offset confirms them, holds long polls open,
 * ends the older of two polls with 409, and keeps the text of every accepted message. Thread: all
 * functions on the test's thread; answers are sent on threads of its own.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_TELEGRAM_TOKEN    "123456789:FAKE-token_0123456789abcdefghijk"
#define FAKE_TELEGRAM_USERNAME "nightdesk_fake_bot"

struct fake_telegram;

int fake_telegram_start(struct fake_telegram **ret); /* negative if it cannot listen */
void fake_telegram_stop(struct fake_telegram *fake); /* accepts NULL */
uint16_t fake_telegram_port(const struct fake_telegram *fake);

/* ---- people's actions ---- */

struct fake_telegram_message {
    int64_t from;
    int64_t chat;   /* 0: the private chat with `from`; below 0: a group */
    int64_t thread; /* the topic of a forum, which exists from then on; 0: none */
    const char *text;
    int64_t age_s;    /* sent this long ago */
    int64_t reply_to; /* the message of the bot that it answers; 0: none */
};
/* Returns the message id. */
int64_t fake_telegram_user_sends(struct fake_telegram *fake,
                                 const struct fake_telegram_message *message);
/* Presses the newest button with this label in the chat. False if there is none at the moment that
 * can be pressed. */
bool fake_telegram_press(struct fake_telegram *fake, int64_t from, int64_t chat, const char *label);
/* What becomes of a topic: messages to it are refused from now on. */
void fake_telegram_end_topic(struct fake_telegram *fake, int64_t chat, int64_t thread,
                             bool deleted);
/* Makes existing messages this many seconds older. */
void fake_telegram_age_messages(struct fake_telegram *fake, int64_t seconds);
/* A press with forged data, under message 1, which is of 2023. */
void fake_telegram_press_data(struct fake_telegram *fake, int64_t from, int64_t chat,
                              const char *data);
/* Any update: a JSON object without update_id. Returns the update id. */
int64_t fake_telegram_push(struct fake_telegram *fake, const char *update_json);
/* The number of unconfirmed updates. */
size_t fake_telegram_pending(struct fake_telegram *fake);

/* ---- faults ---- */

enum fake_telegram_fault {
    FAKE_TELEGRAM_ERROR,   /* a Bot API error: status, description, retry_after_s, migrate_to */
    FAKE_TELEGRAM_BODY,    /* status and this body, as text/html */
    FAKE_TELEGRAM_CUT,     /* the right answer, truncated within its JSON; the call took effect */
    FAKE_TELEGRAM_CLOSE,   /* the call took effect; the connection is closed without an answer */
    FAKE_TELEGRAM_AT_ONCE, /* getUpdates: an empty list without waiting */
    FAKE_TELEGRAM_LARGE,   /* an answer of 20 MB */
    FAKE_TELEGRAM_SLOW,    /* the right answer after delay_ms */
    FAKE_TELEGRAM_TRICKLE, /* the right answer in small pieces, the last after delay_ms */
    FAKE_TELEGRAM_AGAIN    /* getUpdates: first the updates that were confirmed last, once more */
};

struct fake_telegram_failure {
    const char *method;
    int skip;  /* this many calls succeed first */
    int times; /* 0: 1 */
    enum fake_telegram_fault fault;
    int status;
    const char *description;
    int64_t retry_after_s;
    int64_t migrate_to;
    const char *body;
    int64_t delay_ms;
    int64_t chat; /* only calls for this chat; 0: any */
};
/* Faults apply in the order in which they were added. */
void fake_telegram_fail(struct fake_telegram *fake, const struct fake_telegram_failure *failure);
/* getWebhookInfo answers with this URL. */
void fake_telegram_set_webhook(struct fake_telegram *fake, const char *url);
/* BotFather gives the bot another token: from now on the one before is answered with 401, which is
 * no violation. A token that begins with another number is that of another bot. A poll that waits
 * ends with 401 too, as at Telegram. */
void fake_telegram_revoke(struct fake_telegram *fake, const char *token);

/* ---- received calls ---- */

struct fake_telegram_sent {
    char method[32]; /* sendMessage, editMessageText, sendDocument, sendPhoto, deleteMessage, … */
    int64_t chat;
    int64_t thread;     /* 0: none */
    int64_t message_id; /* 0 if it was refused */
    bool accepted;
    bool html;
    bool is_protected;
    const char *text;    /* as sent; of a document: its content; of a photo: its caption; of a
                            delete or a pin: the text of that message */
    const char *buttons; /* "[Confirm|danger|c:abc] [✓ Done||(disabled)]", or "" */
};

size_t fake_telegram_sent_count(struct fake_telegram *fake);
/* Waits until more than so many were sent, without taking time from anybody else; false: not within
 * the limit, in whole seconds. */
bool fake_telegram_wait_sent(struct fake_telegram *fake, size_t count, int64_t limit_ms);
/* index counts from 0; the texts are valid until the fake is stopped. */
void fake_telegram_get_sent(struct fake_telegram *fake, size_t index,
                            struct fake_telegram_sent *ret);
size_t fake_telegram_calls(struct fake_telegram *fake, const char *method);
/* Appends the commands that a user sees in the menu of a chat: "help status". */
void fake_telegram_menu(struct fake_telegram *fake, int64_t chat, int64_t user, struct buf *out);
/* The text that a person sees in this message now; NULL if there is none. */
const char *fake_telegram_text(struct fake_telegram *fake, int64_t chat, int64_t message_id);
/* One line per violation; "" if there is none. Never contains the token. Valid until the next call.
 */
const char *fake_telegram_violations(struct fake_telegram *fake);
