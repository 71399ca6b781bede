/*
 * telegram_internal.h: what the halves of the Telegram door share: telegram.c (life, status,
 * trouble), telegram_poll.c (updates in), telegram_send.c (outbox out).
 *
 *     delay_us = telegram_fault(t, &poll->fault, &answer->err, "poll");
 *     ... on success: telegram_fault_over(t, &poll->fault, "poll");
 *
 * Always true: trouble is logged when it begins, when its kind changes and when it ends, not at
 * each repetition. Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "chat/telegram.h"
#include "model/alert.h"
#include "telegram_api.h"

#include <stdbool.h>
#include <stdint.h>

#define TELEGRAM_CHANNEL "telegram" /* in the outbox and in the table of updates */

struct telegram_poll;
struct telegram_send;

struct telegram_fault {
    struct err err;    /* ERR_NONE: none */
    unsigned failures; /* in a row */
};

struct telegram {
    struct telegram_options options;
    struct telegram_api *api;
    struct telegram_poll *poll;
    struct telegram_send *send;
    struct rng rng;
    enum telegram_state state;
    bool poll_stalled;
    char username[33];
    int64_t last_poll_wall_us;
    int64_t started_wall_us;
    int64_t refused_wall_us; /* since when the token is refused; 0: it is not */
    uint64_t polls;
    uint64_t updates;
    uint64_t sent;
    uint64_t failures;
    struct err last_err;
};

/* telegram.c */
/* Notes one more failure; how long to wait before the next attempt (doubling, with jitter). */
int64_t telegram_fault(struct telegram *t, struct telegram_fault *fault, const struct err *err,
                       const char *what);
void telegram_fault_over(struct telegram *t, struct telegram_fault *fault, const char *what);
/* The Bot API refuses the token: nothing is polled and nothing sent until it answers to getMe,
 * which is asked now and then. */
void telegram_refuse_token(struct telegram *t, const struct err *err);
/* The alert says what the catalogue row of err says. Logs; never fails. */
void telegram_alert(struct telegram *t, enum alert_type type, enum severity severity,
                    const char *fingerprint, const struct err *err);
void telegram_alert_over(struct telegram *t, const char *fingerprint, const char *why);

/* telegram_poll.c */
int telegram_poll_new(struct telegram *t, struct err *err);
void telegram_poll_free(struct telegram_poll *poll);
void telegram_poll_start(struct telegram_poll *poll); /* getMe first */
void telegram_poll_stop(struct telegram_poll *poll);
void telegram_poll_refused(struct telegram_poll *poll); /* stops, and asks getMe slowly */

/* telegram_send.c */
int telegram_send_new(struct telegram *t, struct err *err);
void telegram_send_free(struct telegram_send *send);
void telegram_send_open(struct telegram_send *send); /* the token was accepted */
/* Nothing new is sent; what is under way ends, and waits in the outbox when it is refused. */
void telegram_send_close(struct telegram_send *send);
void telegram_send_stop(struct telegram_send *send);
void telegram_send_wake(struct telegram_send *send);
void telegram_send_chat_alive(struct telegram_send *send, int64_t chat_id);
void telegram_send_chat_dead(struct telegram_send *send, int64_t chat_id, const char *why);
/* Past the outbox; see telegram_send_unstored. */
bool telegram_send_post_unstored(struct telegram_send *send, int64_t chat_id,
                                 int64_t edit_message_id, const struct reply *reply);
/* A catalogue error as a message of its own, past the outbox when that cannot be written. */
int telegram_send_error(struct telegram_send *send, int64_t chat_id, const struct err *why,
                        struct err *err);
