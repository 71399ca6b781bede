/*
 * gateway.h: the order gateway: carries out the engine's calls at a real venue, and reports what
 * became of them.
 *
 *     struct gateway *g = gateway_new(&options);
 *     gateway_start(g);                         // connects; goes on for ever
 *     gateway_do(g, &call);                     // answered by options.report, always later
 *     gateway_free(g);
 *
 * Always true:
 * - an order is sent under one client id, once: an outcome that is not known is reported as
 *   VENUE_NO_ANSWER, and the engine asks; an answer that names the id as taken is followed by a
 *   question, not by a rejection;
 * - a fill is reported once the sum of the fills is what the venue says is filled; until then the
 *   fills are asked for by REST, which judges what the stream says;
 * - a listing that could not be read whole is answered by VENUE_NO_ANSWER, never by a part of it;
 * - the state is READY only while the rules are known, the key may trade and may not withdraw, and
 *   the stream of the account is open, if the venue has one.
 * Thread: the loop's.
 */
#pragma once

#include "calls.h"
#include "model/venue_settings.h"
#include "venue/venue.h"

/* What the venue is asked to do. */
struct gateway_call {
    enum {
        GATEWAY_SEND,
        GATEWAY_CANCEL,
        GATEWAY_AMEND, /* of `question.client_id`, a leg */
        GATEWAY_QUERY,
        GATEWAY_LIST,
        GATEWAY_LEVERAGE,
        GATEWAY_PRICE,  /* of `question.symbol`, the newest known */
        GATEWAY_EXPECT, /* an order of `question.symbol`, within moments */
        GATEWAY_HALT    /* the same: whether its exchange has halted it */
    } kind;
    struct order order;             /* SEND */
    struct venue_question question; /* CANCEL: its client_id only */
    struct dec stop, target;        /* AMEND: the leg takes the one of both that it is */
    int64_t ask_id;
    int64_t after_funding_id;
    int64_t payments_since_us; /* LIST: older ones are known */
    int64_t forced_since_us;   /* LIST: what the venue closed before is not the books' */
    bool doubts;               /* LIST: the books differ from the listing before */
    double leverage;
    struct dec price;
    bool halted;
};

struct gateway;

/* Runs from the loop; the report is copied. */
typedef void (*gateway_report_fn)(const struct venue_report *report, void *userdata);

#define GATEWAY_TAG_SIZE 5

struct gateway_options {
    struct loop *loop;
    struct http *http;
    const struct account_api *api;
    const struct exchange *exchange;
    const char *url; /* of these, none is copied */
    const char *stream_url;
    const char *ca_file;
    const struct secret *key_id;
    const struct secret *key_secret;
    bool sandbox;
    bool dry_run; /* orders and cancellations are logged, not sent */
    struct account_policy policy;
    char tag[GATEWAY_TAG_SIZE];   /* in the client ids: of the database, so that a new one does not
                                     repeat those of an old one */
    const struct symbol *symbols; /* copied */
    int symbol_count;
    double leverage;
    bool extended_hours; /* markets that have hours are traded before and after them too */
    int64_t banned_us;   /* the ban that a process before this one met, from now on; 0: none */
    const struct reserved_coin *reserved; /* not copied; coins that are no position */
    int reserved_count;
    gateway_report_fn report;
    void *userdata;
};

struct gateway *gateway_new(const struct gateway_options *options); /* never NULL */
void gateway_free(struct gateway *g);                               /* accepts NULL */
void gateway_start(struct gateway *g);
void gateway_do(struct gateway *g, const struct gateway_call *call);
/* After the last of several calls: their requests go out now, not with the next turn of the loop.
 */
void gateway_flush(struct gateway *g);
