/*
 * courier.h: delivers the outbox rows of a channel that only sends, one at a time. Private to this
 * module: mail.c and webhook.c.
 *
 *     courier_init(&mail->courier, &(struct courier_options){.channel = "mail", .send = send,
 * ...}); static void send(const struct courier_message *message, void *mail);   // begins
 *     courier_done(&mail->courier, COURIER_LATER, &err);                     // later, once
 *
 * Always true: a row is `sending` on disk before its message leaves, and ends as delivered, dead or
 * uncertain; after a crash a row that was being sent is sent again, marked as possibly repeated.
 * While the server fails, one message is tried at a time, with a growing pause. An alert says that
 * the channel fails, with the fingerprint "CHANNEL:undelivered".
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "command/reply.h"
#include "store/outbox_table.h"

#include <stdbool.h>

struct alerts;
struct loop;
struct loop_source;
struct ops_store;

struct courier_message {
    const struct outbox_row *row;
    const struct reply *reply;
    bool repeated; /* it may have arrived already */
};

enum courier_outcome {
    COURIER_DELIVERED,
    COURIER_LATER,   /* try again */
    COURIER_REFUSED, /* trying again does not help */
    COURIER_LOST     /* it may have arrived */
};

struct courier_options {
    const char *channel; /* in the outbox, and the source of its alert */
    struct loop *loop;
    const struct clock *clock;
    struct ops_store *store;
    struct alerts *alerts;
    int64_t backoff_first_us; /* 0: 5 s; doubled at each failure */
    int64_t backoff_max_us;   /* 0: 10 min */
    void (*send)(const struct courier_message *message, void *userdata);
    void *userdata;
};

struct courier {
    struct courier_options o;
    struct loop_source *deferred;
    struct loop_source *timer;
    bool open;
    bool busy;
    struct outbox_row row; /* being sent */
    struct reply *reply;
    unsigned failures;       /* in a row */
    int64_t failing_mono_us; /* since when; 0: it does not fail */
    int64_t held_mono_us;
    bool raised;
    bool resolved;
};

void courier_init(struct courier *courier, const struct courier_options *options);
void courier_release(struct courier *courier);
/* Begins; what the last process was sending is sent again. */
void courier_open(struct courier *courier);
/* No message is begun any more. Whatever waits is dead: the channel was switched off. */
void courier_off(struct courier *courier);
/* The configuration of the server has changed: no pause any more. */
void courier_again(struct courier *courier);
void courier_wake(struct courier *courier);
/* The end of the message that was given to send. err: not for COURIER_DELIVERED; its context must
 * not contain a secret. */
void courier_done(struct courier *courier, enum courier_outcome outcome, const struct err *err);
