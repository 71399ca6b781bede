/*
 * telegram.h: the Telegram door: takes updates in by long poll, delivers the outbox, nothing else.
 *
 *     struct telegram *telegram;
 *     rc = telegram_new(&(struct telegram_options){.loop = loop, .clock = clock, ...}, &telegram,
 *                       err);
 *     telegram_start(telegram);              // returns at once; everything happens on the loop
 *     telegram_wake(telegram);               // a row was added to the outbox: from outbox_changed
 *     telegram_stop(telegram), telegram_free(telegram);
 *
 * Promises: an update is stored, together with its run, before its offset is confirmed to Telegram,
 * so a crash repeats it and the runner drops the repetition; a stranger is never answered; who is
 * asking is the sender (`from.id`), never the chat; an edited message runs nothing; a button press
 * is always answered. Every outbox row ends as sent, coalesced into a newer edit, dead (with an
 * alert that does not go through Telegram) or uncertain (marked as such); none is forgotten.
 * Alive means a completed getUpdates, nothing else. Nothing that Telegram does blocks the loop.
 * No token in the configuration: the door stays shut (TELEGRAM_OFF) and all calls are harmless.
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
struct telegram;

struct telegram_options {
    struct loop *loop;    /* a real one */
    struct pool *helpers; /* parse large answers; NULL: the loop does */
    const struct clock *clock;
    const struct config *config; /* telegram.* is read at telegram_new */
    struct ops_store *store;
    struct access *access;
    struct runner *runner;
    const struct manifest_list *manifests; /* Telegram's command menu */
    struct alerts *alerts;
    /* Tests only; 0 takes the default named. */
    int64_t backoff_first_us; /* 1 s, doubled at each failure */
    int64_t backoff_max_us;   /* 60 s */
    int64_t poll_gap_us;      /* 250 ms: the least time between two polls that brought nothing */
};

enum telegram_state {
    TELEGRAM_OFF,      /* no token is configured */
    TELEGRAM_STARTING, /* getMe has not been answered yet */
    TELEGRAM_POLLING,
    TELEGRAM_BACKING_OFF, /* the last call failed; the next is scheduled */
    TELEGRAM_REFUSED,     /* the token was refused: nothing is sent until it is accepted */
    TELEGRAM_STOPPED
};
const char *telegram_state_name(enum telegram_state state); /* "off" "starting" … */

struct telegram_status {
    enum telegram_state state;
    bool poll_stalled;         /* no completed getUpdates for three poll periods */
    char username[33];         /* of the bot, without '@'; "" until getMe was answered */
    int64_t last_poll_wall_us; /* last completed getUpdates; 0: none yet */
    uint64_t polls;            /* completed getUpdates */
    uint64_t updates;          /* taken in, of any kind */
    uint64_t sent;             /* messages, edits and documents that Telegram accepted */
    uint64_t failures;         /* calls that failed, of any method */
    int64_t waiting;           /* outbox rows that are not delivered yet */
    struct err last_err;       /* ERR_NONE when the last call went well */
};

/* Fails only on a configuration that cannot work (telegram.api_url). */
int telegram_new(const struct telegram_options *options, struct telegram **ret, struct err *err);
void telegram_free(struct telegram *telegram);

void telegram_start(struct telegram *telegram);
/* Ends the poll and what is under way. A message whose answer is not there yet stays in the outbox
 * as `sending` and is looked at again by the next start. */
void telegram_stop(struct telegram *telegram);
/* The outbox has changed. Cheap; any number of calls before the loop turns count as one. */
void telegram_wake(struct telegram *telegram);
/* Sends a reply that is not in the outbox, for when ops.db cannot be written: in place of the
 * message edit_message_id, or as a new one (0). Kept in memory and tried again until it is
 * delivered, refused or the process ends. False: not connected, or too many wait already. */
bool telegram_send_unstored(struct telegram *telegram, int64_t chat_id, int64_t edit_message_id,
                            const struct reply *reply);
void telegram_status(struct telegram *telegram, struct telegram_status *ret);
/* Whether people are reached by it; *ret_since_us: since when they are not (wall), or 0. Cheap. */
enum chat_state telegram_reach(const struct telegram *telegram, int64_t *ret_since_us);
/* A desk_status_fn; userdata is the telegram. Says something only when nobody is reached. */
void telegram_status_line(struct buf *out, struct json_object *data, void *telegram);
