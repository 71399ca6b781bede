/*
 * courier.h: the channels that only send, mail and webhook: each delivers its rows of the outbox.
 *
 *     struct courier *mail = courier_new(COURIER_MAIL, &options);
 *     courier_start(mail);
 *     courier_wake(mail);              // a row was added to the outbox
 *     courier_free(mail);
 *
 * Mail goes to the recipients in mail.to; a mail whose answer was lost is sent again with the same
 * Message-ID. A webhook gets signed JSON documents: {"schema": "nightdesk.message/1", "id",
 * "created_at", "severity", "title", "text", "possibly_repeated", and "alert" as in docs/json.md if
 * it is about one}. Its headers: X-Nightdesk-Timestamp (seconds since 1970), X-Nightdesk-Delivery
 * (the same for a repetition), and X-Nightdesk-Signature: "v1=" and the HMAC-SHA256, in hex, of
 * TIMESTAMP.BODY. A status of 200 to 299 is a delivery; 300 to 499 (but not 408, 425 and 429) is a
 * refusal for good.
 * Always true: one message at a time; what a server refuses for good is dead, everything else is
 * tried again with a growing pause, for a day; a row is `sending` on disk before its message
 * leaves, and ends as delivered, dead or uncertain; after a crash a row that was being sent is sent
 * again, marked as possibly repeated. An alert says that the channel fails, with the fingerprint
 * "mail:undelivered" or "webhook:undelivered". Neither the URL of the webhook nor its key appears
 * in a text. Without mail.server or webhook.url nothing happens.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"

struct alerts;
struct config;
struct courier;
struct http;
struct loop;
struct ops_store;

enum courier_kind { COURIER_MAIL, COURIER_WEBHOOK };

struct courier_options {
    struct loop *loop;
    struct http *http;
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    int64_t backoff_first_us; /* for tests; 0: 5 s, doubled at each failure, up to 10 min */
    int64_t timeout_ms;       /* for tests; 0: 30 s for a mail, 15 s for a webhook */
};

struct courier *courier_new(enum courier_kind kind, const struct courier_options *options);
void courier_free(struct courier *courier); /* accepts NULL */
void courier_start(struct courier *courier);
/* Cancels the message under way; its row stays `sending`, and the next start sends it again. */
void courier_stop(struct courier *courier);
/* A new configuration. If it switches the channel off, whatever waits is dead. */
void courier_apply(struct courier *courier, const struct config *config);
void courier_wake(struct courier *courier); /* accepts NULL */
