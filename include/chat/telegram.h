/*
 * telegram.h: the Telegram channel: receives updates by long poll and delivers the outbox.
 *
 *     struct telegram *telegram;
 *     rc = telegram_new(&(struct telegram_options){.loop = loop, .clock = clock, ...}, &telegram,
 *                       err);
 *     telegram_start(telegram);              // returns at once; everything happens on the loop
 *     telegram_wake(telegram);               // a row was added to the outbox
 *     telegram_stop(telegram), telegram_free(telegram);
 *
 * Always true: an update is stored, together with its run, before its offset is confirmed to
 * Telegram, so after a crash Telegram sends it again and the runner drops the duplicate; an
 * unauthorised user is never answered; a user is identified by the sender (`from.id`), never by the
 * chat; an edited message runs nothing; a button press is always answered. Every outbox row ends as
 * sent, coalesced into a newer edit, dead (with an alert that does not go through Telegram) or
 * uncertain (marked as such). Only a completed getUpdates counts as a sign of life. A slow or
 * broken Telegram server never blocks the loop. Without a token in the configuration the state
 * stays TELEGRAM_OFF and every call does nothing.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/json.h"
#include "model/shared.h"

#include <stdbool.h>
#include <stdint.h>

struct access;
struct alerts;
struct config;
struct loop;
struct manifest_list;
struct ops_store;
struct pool;
struct reply;
struct runner;
struct runner_stream;
struct telegram;
struct telemetry;

struct telegram_options {
    struct loop *loop;    /* a real one, not the fake clock's */
    struct pool *helpers; /* parse large answers; NULL: they are parsed on the loop */
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct access *access;
    struct runner *runner;
    const struct manifest_list *manifests; /* for the menus of commands */
    struct alerts *alerts;
    const char *attachments;     /* the folder of attachment.h */
    struct telemetry *telemetry; /* NULL: nothing is measured */
    /* For tests; 0 means the default given here. */
    int64_t backoff_first_us; /* 1 s, doubled at each failure */
    int64_t backoff_max_us;   /* 60 s */
    int64_t poll_gap_us;      /* 250 ms: minimum time between two polls without updates */
};

enum telegram_state {
    TELEGRAM_OFF,      /* no token is configured */
    TELEGRAM_STARTING, /* getMe has not been answered yet */
    TELEGRAM_POLLING,
    TELEGRAM_BACKING_OFF, /* the last call failed; the next is scheduled */
    TELEGRAM_REFUSED,     /* the token is refused: nothing is sent until it is accepted again */
    TELEGRAM_STOPPED
};
const char *telegram_state_name(enum telegram_state state); /* "off" "starting" … */

struct telegram_status {
    enum telegram_state state;
    bool poll_stalled;         /* no completed getUpdates for three poll periods */
    char username[33];         /* of the bot, without '@'; "" until getMe is answered */
    int64_t last_poll_wall_us; /* last completed getUpdates; 0: none yet */
    uint64_t polls;            /* completed getUpdates */
    uint64_t updates;          /* received, of any kind */
    uint64_t sent;             /* messages, edits and documents that Telegram accepted */
    uint64_t failures;         /* calls that failed, of any method */
    int64_t waiting;           /* outbox rows that are not delivered yet */
    struct err last_err;       /* ERR_NONE when the last call succeeded */
};

/* Fails if telegram.api_url is invalid or ops.db cannot be read. */
int telegram_new(const struct telegram_options *options, struct telegram **ret, struct err *err);
void telegram_free(struct telegram *telegram);
/* A new configuration, which replaces the one before from now on. A new poll_timeout applies to the
 * next poll. */
void telegram_apply(struct telegram *telegram, const struct config *config);
/* The commands, or the people and their roles, have changed: sets the menus that differ from what
 * Telegram shows. */
void telegram_menus(struct telegram *telegram);

/* A new token for the running channel: checked with getMe, and with getUpdates, before it takes the
 * place of the one in use, which is kept if either fails. Nothing that waits is lost: what was
 * refused with the old token is sent with the new one. */
struct telegram_rotation {
    const char *token;
    bool other_bot; /* it may be that of another bot */
    /* err NULL: the new token is in use, and a poll with it has completed. username: of the bot. */
    void (*done)(const struct err *err, const char *username, void *userdata);
    void *userdata;
};
/* Fails at once if the channel is off or a rotation is under way; else done runs later, once. */
int telegram_rotate(struct telegram *telegram, const struct telegram_rotation *rotation,
                    struct err *err);
/* done does not run; the token in use is kept. Does nothing without a rotation. */
void telegram_rotate_cancel(struct telegram *telegram);

void telegram_start(struct telegram *telegram);
/* Cancels the poll and every call in flight. A message without an answer stays in the outbox as
 * `sending`; the next start decides whether to repeat it. */
void telegram_stop(struct telegram *telegram);
/* The outbox has changed. Cheap; several calls in one loop iteration count as one. */
void telegram_wake(struct telegram *telegram);
struct telegram_unstored {
    int64_t chat_id;
    int64_t thread_id;       /* the topic of a forum; 0: none */
    int64_t edit_message_id; /* the reply replaces this message; 0: it is a new one */
    const struct reply *reply;
};
/* Sends a reply that is not in the outbox; used when ops.db cannot be written. It is kept in memory
 * and retried until it is delivered, refused or the process ends. False: not connected, or too many
 * are waiting. */
bool telegram_send_unstored(struct telegram *telegram, const struct telegram_unstored *unstored);
/* Shows an answer that is being written as a draft. False: not in this chat, or the server knows no
 * drafts. */
bool telegram_stream(struct telegram *telegram, const struct runner_stream *stream);
/* New connections to Telegram, to addresses that are resolved again; what waits is tried at once. A
 * message without an answer for telegram.stuck_after counts as lost on the way; the poll under way
 * ends on its own. */
int telegram_reconnect(struct telegram *telegram, struct err *err);
/* The message to set aside: it has waited for telegram.stuck_after and only it fails. 0: there is
 * none. */
int64_t telegram_stuck_message(const struct telegram *telegram);
/* Keeps it as undelivered, also while it is being sent, and raises the alert about that. */
int telegram_set_aside(struct telegram *telegram, int64_t outbox_id, struct err *err);
/* Puts it back into the queue. */
int telegram_put_back(struct telegram *telegram, int64_t outbox_id, struct err *err);
void telegram_status(struct telegram *telegram, struct telegram_status *ret);
/* "" until getMe is answered. */
const char *telegram_bot_name(const struct telegram *telegram);
/* Whether the channel reaches people; *ret_since_us: the start of the outage (wall), or 0. Cheap.
 */
enum chat_state telegram_reach(const struct telegram *telegram, int64_t *ret_since_us);
/* A desk_status_fn; userdata is the struct telegram. Adds a line only during an outage. */
void telegram_status_line(struct buf *out, struct json_object *data, void *telegram);
