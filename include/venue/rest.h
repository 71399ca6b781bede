/*
 * rest.h: readings from a venue over HTTP: within its limits, repeated when that is safe.
 *
 *     struct rest *rest = rest_new(loop, &(struct rest_options){.exchange = exchange}, err);
 *     rest_get(rest, exchange->time_path, exchange->time_weight, on_time, self);
 *
 * Always true: requests are GET, so repeating one does no harm. A call waits for the budget, obeys
 * Retry-After, and is repeated after no answer, a 5xx, HTML or a truncated body, at most
 * REST_ATTEMPTS times in all, with growing pauses. A ban, or a pause of more than
 * REST_PAUSE_MAX_US, ends it at once. One call at a time; its function runs once, from the loop.
 * Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/secret.h"
#include "venue/exchange.h"

#define REST_ATTEMPTS     5
#define REST_PAUSE_MAX_US (120 * USEC_PER_SEC)

struct rest;

struct rest_options {
    const struct exchange *exchange;
    const char *url; /* NULL: the real venue's; without a path or with one, without a slash at the
                        end; not copied */
    const char *ca_file; /* as in struct http_request; not copied */
    /* Of exchange->key_of, for its prices; borrowed. NULL: none. */
    const struct secret *key_id, *key_secret;
};

struct rest_answer {
    struct json_object *root; /* borrowed; NULL with an error */
    int64_t elapsed_us;       /* of the request that was answered */
    const struct err *err;    /* NULL: none */
};

typedef void (*rest_fn)(const struct rest_answer *answer, void *userdata);

struct rest *rest_new(struct loop *loop, const struct rest_options *options, struct err *err);
void rest_free(struct rest *rest); /* accepts NULL; ends the call without its function */
/* path is copied; it begins with a slash and is encoded. */
void rest_get(struct rest *rest, const char *path, int weight, rest_fn fn, void *userdata);
int64_t rest_sent(const struct rest *rest); /* requests so far, repetitions included */
