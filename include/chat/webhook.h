/*
 * webhook.h: the webhook channel: delivers the outbox rows of "webhook" as signed JSON documents.
 *
 *     struct webhook *webhook = webhook_new(&(struct webhook_options){.loop = loop, ...});
 *     webhook_start(webhook);
 *     webhook_wake(webhook);              // a row was added to the outbox
 *     webhook_free(webhook);
 *
 * The document: {"schema": "nightdesk.message/1", "id", "created_at", "severity", "title", "text",
 * "possibly_repeated", and "alert" as in docs/json.md if it is about one}. The headers:
 * X-Nightdesk-Timestamp (seconds since 1970), X-Nightdesk-Delivery (the same for a repetition), and
 * X-Nightdesk-Signature: "v1=" and the HMAC-SHA256, in hex, of TIMESTAMP.BODY.
 * Always true: one document at a time; a status of 200 to 299 is a delivery; 300 to 499 (but not
 * 408, 425 and 429) is a refusal for good; everything else is tried again. Failures raise the alert
 * "webhook:undelivered". Neither the URL nor the key appears in a text. Without webhook.url nothing
 * happens. Thread: ops.
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
struct webhook;

struct webhook_options {
    struct loop *loop;
    struct http *http;
    const struct clock *clock;
    const struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    int64_t backoff_first_us; /* for tests; 0: 5 s */
    int64_t timeout_ms;       /* for tests; 0: 15 s */
};

struct webhook *webhook_new(const struct webhook_options *options); /* never NULL */
void webhook_free(struct webhook *webhook);
void webhook_start(struct webhook *webhook);
/* Cancels the call under way; its row stays `sending`, and the next start sends it again. */
void webhook_stop(struct webhook *webhook);
void webhook_apply(struct webhook *webhook, const struct config *config);
void webhook_wake(struct webhook *webhook);
