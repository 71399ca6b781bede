/*
 * fake_telegram.h: a strict fake of the Telegram Bot API on 127.0.0.1, for tests.
 *
 *     struct fake_telegram *tg = NULL;
 *     assert_int_equal(fake_telegram_start(&tg), 0);
 *     fake_telegram_user_sends(tg, &(struct fake_telegram_message){.from = 7, .chat = 7, .text =
 * "/status"});
 *     ... point telegram.api_url at http://127.0.0.1:PORT, let the program answer ...
 *     assert_string_equal(fake_telegram_violations(tg), "");
 *     fake_telegram_stop(tg);
 *
 * What it checks of every request: path and token, method known, JSON (multipart for sendDocument),
 * fields known, present and of their type, texts of 1 to 4096 UTF-16 units, HTML that Telegram
 * would parse, keyboards (one action a button, callback_data of 1 to 64 bytes), no call before the
 * end of a retry_after, no spinning poll, edits of messages that exist. With
 * NIGHTDESK_TELEGRAM_SPEC naming a machine-readable Bot API specification, fields are checked
 * against that too. It keeps updates until a higher offset confirms them, holds long polls open,
 * ends the older of two polls with 409, and knows the text of every message that it took. Thread:
 * start, stop and the rest from the test's; answers are given on threads of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_TELEGRAM_TOKEN    "123456789:FAKE-token_0123456789abcdefghijk"
#define FAKE_TELEGRAM_USERNAME "nightdesk_fake_bot"

struct fake_telegram;

int fake_telegram_start(struct fake_telegram **ret); /* negative when it cannot listen */
void fake_telegram_stop(struct fake_telegram *fake); /* takes NULL */
uint16_t fake_telegram_port(const struct fake_telegram *fake);

/* ---- what people do ---- */

struct fake_telegram_message {
    int64_t from;
    int64_t chat; /* 0: the private chat with `from`; below 0: a group */
    const char *text;
    int64_t age_s; /* sent so long ago */
};
/* Returns the message id. */
int64_t fake_telegram_user_sends(struct fake_telegram *fake,
                                 const struct fake_telegram_message *message);
/* Presses the newest button with this label in the chat. False when there is none (now). */
bool fake_telegram_press(struct fake_telegram *fake, int64_t from, int64_t chat, const char *label);
/* Messages that stand are of so many seconds earlier. */
void fake_telegram_age_messages(struct fake_telegram *fake, int64_t seconds);
/* A press with data of somebody's own making, under message 1, which is of 2023. */
void fake_telegram_press_data(struct fake_telegram *fake, int64_t from, int64_t chat,
                              const char *data);
/* Any update: a JSON object without update_id. Returns the update id. */
int64_t fake_telegram_push(struct fake_telegram *fake, const char *update_json);
/* Updates that are not confirmed. */
size_t fake_telegram_pending(struct fake_telegram *fake);

/* ---- what goes wrong ---- */

enum fake_telegram_fault {
    FAKE_TELEGRAM_ERROR,   /* a Bot API error: status, description, retry_after_s, migrate_to */
    FAKE_TELEGRAM_BODY,    /* status and this body, as text/html */
    FAKE_TELEGRAM_CUT,     /* the right answer, cut in the middle of its JSON; it has happened */
    FAKE_TELEGRAM_CLOSE,   /* it has happened, and the connection ends without an answer */
    FAKE_TELEGRAM_AT_ONCE, /* getUpdates: an empty list without waiting */
    FAKE_TELEGRAM_LARGE,   /* an answer of 20 MB */
    FAKE_TELEGRAM_SLOW     /* the right answer after delay_ms */
};

struct fake_telegram_failure {
    const char *method;
    int skip;  /* so many calls go well before */
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
/* Failures are tried in the order in which they were given. */
void fake_telegram_fail(struct fake_telegram *fake, const struct fake_telegram_failure *failure);
/* getWebhookInfo answers with this URL. */
void fake_telegram_set_webhook(struct fake_telegram *fake, const char *url);

/* ---- what came ---- */

struct fake_telegram_sent {
    char method[32]; /* sendMessage, editMessageText, sendDocument */
    int64_t chat;
    int64_t message_id; /* 0 when it was refused */
    bool accepted;
    bool html;
    bool is_protected;
    const char *text;    /* as sent; of a document: its content */
    const char *buttons; /* "[Confirm|danger|c:abc] [Cancel||x:abc]", or "" */
};

size_t fake_telegram_sent_count(struct fake_telegram *fake);
/* Number index from 0; the texts live as long as the fake. */
void fake_telegram_get_sent(struct fake_telegram *fake, size_t index,
                            struct fake_telegram_sent *ret);
size_t fake_telegram_calls(struct fake_telegram *fake, const char *method);
/* What a person sees now in this message; NULL when there is none. */
const char *fake_telegram_text(struct fake_telegram *fake, int64_t chat, int64_t message_id);
/* One line each; "" when there is none. Never holds the token. Valid until the next call. */
const char *fake_telegram_violations(struct fake_telegram *fake);
