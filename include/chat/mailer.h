/*
 * mailer.h: the mail channel: delivers the outbox rows of "mail" to the recipients in mail.to.
 *
 *     struct mailer *mailer = mailer_new(&(struct mailer_options){.loop = loop, .http = http,
 * ...}); mailer_start(mailer); mailer_wake(mailer);              // a row was added to the outbox
 *     mailer_free(mailer);
 *
 * Always true: one mail at a time; what a server refuses for good is dead, everything else is tried
 * again with a growing pause, for a day; a mail whose answer was lost is sent again with the same
 * Message-ID. Failures raise the alert "mail:undelivered". Without mail.server nothing happens.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"

#include <stdbool.h>

struct alerts;
struct config;
struct http;
struct loop;
struct ops_store;
struct outbox_row;
struct reply;
struct mailer;

struct mailer_options {
    struct loop *loop;
    struct http *http;
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    int64_t backoff_first_us; /* for tests; 0: 5 s */
    int64_t timeout_ms;       /* for tests; 0: 30 s */
};

struct mailer *mailer_new(const struct mailer_options *options); /* never NULL */
void mailer_free(struct mailer *mailer);
void mailer_start(struct mailer *mailer);
/* Cancels the mail under way; its row stays `sending`, and the next start sends it again. */
void mailer_stop(struct mailer *mailer);
void mailer_apply(struct mailer *mailer, const struct config *config);
void mailer_wake(struct mailer *mailer);

/* The mail of a row, RFC 5322 with MIME. */
void mailer_text(const struct config *config, const struct outbox_row *row,
                 const struct reply *reply, bool repeated, int64_t now_us, struct buf *out);
