/*
 * calls.h: signed requests to a venue: in order of urgency, within its limits, repeated only where
 * that is safe.
 *
 *     struct account_request *request = calls_begin(calls);
 *     api->add_query(&find, request);
 *     calls_send(calls, ACCOUNT_QUERY, deadline_mono_us, on_answer, self);
 *
 * Always true:
 * - an order (ACCOUNT_PLACE), or a change of one (ACCOUNT_AMEND), whose outcome is not known is
 *   never sent again: the answer is ACCOUNT_UNKNOWN. One that was certainly not done is repeated
 * until its deadline, with the same client id. Everything else may be repeated, since doing it
 * twice does no harm;
 * - the deadline bounds the whole call; each function runs exactly once, from the loop, except
 *   after calls_free;
 * - requests with a nonce are sent one after another; others at most CALLS_AT_ONCE at a time;
 * - secrets are read from their struct secret for the time of a signature, and appear in no error;
 *   a signature that is made ahead of its order (account_api.order_path) is used once, and wiped.
 * The venue's clock is asked for before the first request, when it refuses a time, and every
 * CALLS_CLOCK_US. In between our monotonic clock counts, so that it does not matter if the
 * machine's time of day is set. Nonces rise even if it is set back.
 * Thread: the loop's.
 */
#pragma once

#include "io/http.h"
#include "io/secret.h"
#include "model/venue_status.h"
#include "venue/account.h"

#define CALLS_AT_ONCE  8
#define CALLS_LINES    2   /* connections for orders; more at once share those of all requests */
#define CALLS_MAX      512 /* waiting; more are answered ACCOUNT_LIMITED */
#define CALLS_CLOCK_US (10 * USEC_PER_MIN)

struct calls;

struct calls_options {
    struct loop *loop;
    struct http *http;
    const struct account_api *api;
    const struct exchange *exchange; /* of the same venue: its clock */
    const char *url;                 /* without a slash at the end; not copied */
    const char *ca_file;             /* NULL: those of the system */
    const struct secret *key_id;     /* all three are not copied */
    const struct secret *key_secret;
    bool lines;        /* connections are kept open for orders, their changes and their ends */
    int64_t banned_us; /* for so long from now on nothing may be sent */
};

struct calls_answer {
    enum account_verdict verdict;
    struct json_object *root; /* borrowed; NULL unless FINE */
    const struct err *err;    /* NULL with FINE */
};

typedef void (*calls_fn)(const struct calls_answer *answer, void *userdata);

struct calls *calls_new(const struct calls_options *options); /* never NULL */
void calls_free(struct calls *calls); /* accepts NULL; ends all calls without their functions */

/* An empty request to fill, valid until calls_send or calls_drop, one of which must follow. */
struct account_request *calls_begin(struct calls *calls);
void calls_drop(struct calls *calls);
void calls_send(struct calls *calls, enum account_call call, int64_t deadline_mono_us, calls_fn fn,
                void *userdata);
/* Sends at once what may be sent, where the next turn of the loop would: not from a calls_fn. */
void calls_flush(struct calls *calls);
/* An order is about to come, and this is one like it: all is done with it but the sending, so that
 * the next one finds what it needs in the processor's caches, and its connection open. It is
 * dropped. */
void calls_rehearse(struct calls *calls);
/* Not before the delay is over. */
void calls_send_later(struct calls *calls, enum account_call call, int64_t delay_us,
                      int64_t deadline_mono_us, calls_fn fn, void *userdata);

/* The state of the budget that is nearest to its end. */
void calls_limit(struct calls *calls, struct venue_limit *ret);
/* The venue's clock now; our own before it was asked. */
int64_t calls_wall_us(const struct calls *calls);
bool calls_has_clock(const struct calls *calls);
/* The venue's clock is ahead of ours by so much. */
int64_t calls_clock_offset_us(const struct calls *calls);
/* What was signed outside of a request was refused for its time: the clock is asked for again. */
void calls_doubt_clock(struct calls *calls);
/* For what is signed outside of a request (streams). */
void calls_moment(struct calls *calls, struct account_moment *ret);
