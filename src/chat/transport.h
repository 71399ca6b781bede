/*
 * transport.h: how a channel that only sends puts one message on its way: mailer.c and webhook.c.
 * Private to this module; courier.c does the rest.
 *
 *     static void *begin(const struct transport_message *message) { ... }
 *     courier_done(message->courier, TRANSPORT_LATER, &err);        // the end, later, once
 *
 * Thread: ops.
 */
#pragma once

#include "chat/courier.h"
#include "command/reply.h"
#include "store/outbox_table.h"

#include <stdbool.h>

struct transport_message {
    struct courier *courier;
    const struct courier_options *o;
    const struct outbox_row *row;
    const struct reply *reply;
    bool repeated; /* it may have arrived already */
};

enum transport_outcome {
    TRANSPORT_DELIVERED,
    TRANSPORT_LATER,   /* try again */
    TRANSPORT_REFUSED, /* trying again does not help */
    TRANSPORT_LOST     /* it may have arrived */
};

struct transport {
    const char *channel; /* in the outbox, and the source of its alert */
    bool (*is_on)(const struct config *config);
    /* Returns what cancel takes, or NULL after courier_done. */
    void *(*begin)(const struct transport_message *message);
    void (*cancel)(void *call);
};

extern const struct transport mailer_transport;
extern const struct transport webhook_transport;

/* The end of the message that was begun. err: not for TRANSPORT_DELIVERED; its context must not
 * contain a secret. */
void courier_done(struct courier *courier, enum transport_outcome outcome, const struct err *err);
