/*
 * telegram_internal.h: shared by the parts of the Telegram channel: telegram.c (life cycle, status,
 * faults), telegram_poll.c (polls), telegram_update.c (updates in), telegram_send.c (outbox out)
 * with telegram_delivery.c (one message), telegram_draft.c (answers that are being written),
 * telegram_chats.c (dead and moved chats), telegram_rotate.c (a new token), telegram_menu.c (menus
 * of commands).
 *
 *     delay_us = telegram_fault(t, &poll->fault, &answer->err, "poll");
 *     ... on success: telegram_fault_over(t, &poll->fault, "poll");
 *
 * Always true: a fault is logged when it begins, when its error changes and when it ends, not at
 * each retry. Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "chat/telegram.h"
#include "model/alert.h"
#include "telegram_api.h"

#include <stdbool.h>
#include <stdint.h>

#define TELEGRAM_CHANNEL        "telegram" /* in the outbox and updates tables */
#define TELEGRAM_MIGRATIONS_MAX 4          /* of one chat */

struct rotation;
struct telegram_draft;
struct telegram_menu;
struct telegram_poll;
struct telegram_send;

struct telegram_fault {
    struct err err;    /* ERR_NONE: no fault */
    unsigned failures; /* consecutive */
};

struct telegram {
    struct telegram_options options;
    struct telegram_api *api;
    struct telegram_poll *poll;
    struct telegram_send *send;
    struct telegram_menu *menu;
    struct telegram_draft *draft;
    struct rotation *rotation; /* of the token, under way; NULL: none */
    struct rng rng;
    enum telegram_state state;
    bool poll_stalled;
    bool plain_times;   /* the server does not know <tg-time> */
    bool plain_buttons; /* nor the style of a button */
    bool no_disabled;   /* nor a button that cannot be pressed */
    char username[33];
    int64_t last_poll_wall_us;
    int64_t started_wall_us;
    int64_t refused_wall_us; /* when the token was first refused; 0: it is not refused */
    uint64_t polls;
    uint64_t updates;
    uint64_t sent;
    uint64_t failures;
    struct err last_err;
};

/* telegram.c */
/* Counts a failure and returns the delay before the next attempt (doubling, with jitter). */
int64_t telegram_fault(struct telegram *t, struct telegram_fault *fault, const struct err *err,
                       const char *what);
/* The delay after so many failures in a row. */
int64_t telegram_backoff_us(struct telegram *t, unsigned failures);
void telegram_fault_over(struct telegram *t, struct telegram_fault *fault, const char *what);
/* The Bot API refuses the token: polling and sending stop until getMe succeeds, which is retried
 * slowly. */
void telegram_refuse_token(struct telegram *t, const struct err *err);
/* Raises an alert with the catalogue texts of err. A failure is logged. */
void telegram_alert(struct telegram *t, enum alert_type type, enum severity severity,
                    const char *fingerprint, const struct err *err);
void telegram_alert_over(struct telegram *t, const char *fingerprint, const char *why);

/* Logs a failure to store the new state of a message; its row stays as it was, and the next start
 * handles it. */
void telegram_log_store(int rc, const struct err *err);

/* telegram_chats.c: what ops.db remembers of a chat. */
/* After its migrations. */
int64_t telegram_chats_moved_to(struct telegram *t, int64_t chat_id);
void telegram_chats_moved(struct telegram *t, int64_t chat_id, int64_t to_chat_id);
/* It took no message in the last hour, and none came from it. */
bool telegram_chats_is_dead(struct telegram *t, int64_t chat_id);
void telegram_chats_alive(struct telegram *t, int64_t chat_id);
void telegram_chats_dead(struct telegram *t, int64_t chat_id, const char *why);

/* telegram_poll.c */
int telegram_poll_new(struct telegram *t, struct err *err);
void telegram_poll_free(struct telegram_poll *poll);
void telegram_poll_start(struct telegram_poll *poll); /* begins with getMe */
/* The offset that confirms what is stored; 0: nothing. */
int64_t telegram_poll_offset(const struct telegram_poll *poll);
/* For another bot, whose updates have other ids. */
void telegram_poll_forget(struct telegram_poll *poll);
void telegram_poll_stop(struct telegram_poll *poll);
void telegram_poll_answer(struct telegram_poll *poll, const char *id); /* to a button press */
void telegram_poll_refused(struct telegram_poll *poll); /* stops polling and retries getMe slowly */

/* telegram_send.c */
int telegram_send_new(struct telegram *t, struct err *err);
void telegram_send_free(struct telegram_send *send);
void telegram_send_open(struct telegram_send *send); /* the token was accepted */
/* Starts no new delivery. Deliveries under way finish; a refused one goes back to the outbox. */
void telegram_send_close(struct telegram_send *send);
void telegram_send_stop(struct telegram_send *send);
void telegram_send_wake(struct telegram_send *send);
/* Bypasses the outbox; see telegram_send_unstored. */
bool telegram_send_post_unstored(struct telegram_send *send,
                                 const struct telegram_unstored *unstored);
/* Sends a catalogue error as a new message; bypasses the outbox if that cannot be written. */
int telegram_send_error(struct telegram_send *send, int64_t chat_id, int64_t thread_id,
                        const struct err *why, struct err *err);
