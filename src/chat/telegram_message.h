/*
 * telegram_message.h: makes the Bot API calls for one outbox row. Private to this module.
 *
 *     d->call = NULL;
 *     telegram_message_send(d, on_sent);     // the part d->part; on_sent runs later, on the loop
 *
 * Always true: a file is read while it is sent, never as a whole; no call has more than one effect.
 * Thread: ops.
 */
#pragma once

#include "chat/render.h"
#include "command/reply.h"
#include "store/outbox_table.h"
#include "telegram_internal.h"

#include <stdbool.h>

#define TELEGRAM_REPEATED_HTML "<i>(possibly repeated)</i>\n"
#define TELEGRAM_REPEATED_TEXT "(possibly repeated)\n"

enum form {
    FORM_HTML,
    FORM_PLAIN, /* after "can't parse entities": the same text without markup and buttons */
};

/* An outbox row that is being sent, or an unstored reply (row.id is 0). */
struct delivery {
    struct telegram_send *send;
    struct telegram_api *send_api;
    const char *attachments; /* the folder */
    struct delivery *next_unstored;
    struct outbox_row row;
    int64_t chat_id;   /* after migrations */
    int64_t thread_id; /* the topic of a forum; 0: none, or it takes no message any more */
    struct reply *reply;
    struct render_parts parts;
    size_t part;        /* the part being sent; == parts.count: the document */
    bool document;      /* follows the parts */
    bool plain_file;    /* an image that Telegram did not take as a photo: as a document */
    enum form form;     /* of the part being sent */
    bool edit;          /* part 0 replaces the message row.edit_message_id */
    bool repeated;      /* may have arrived already */
    bool aside;         /* has failed: the other messages of its chat do not wait for it */
    bool plain_times;   /* without <tg-time> */
    bool plain_buttons; /* without styles */
    bool no_disabled;   /* without the choice that was made at former buttons */
    int64_t message_id; /* of part 0, after it was delivered */
    int migrations;
    struct telegram_call *call;
    struct loop_source *timer; /* for a later part; the first part waits in the outbox */
};

/* Negative if the row cannot be sent at all (its file is gone, or there is no message to pin);
 * then on_sent does not run. */
int telegram_message_send(struct delivery *d, telegram_api_fn on_sent, struct err *err);
/* Sends the whole reply as a file, with its title as the caption. */
void telegram_message_become_document(struct delivery *d);
/* Sends the error instead of a file that cannot be sent. */
void telegram_message_become_error(struct delivery *d, const struct err *why);
/* Whether its keyboard has the choice that was made at former buttons. */
bool telegram_message_shows_choice(const struct delivery *d);
/* Whether the row is a text: it has parts. */
bool telegram_message_is_text(const struct delivery *d);
/* Whether its payload is a reply. */
bool telegram_message_has_reply(const struct delivery *d);
