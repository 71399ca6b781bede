/*
 * gateway_private.h: the parts of the gateway: orders (gateway.c), listings (gateway_list.c), the
 * connection (gateway_session.c), the dead man's switch (gateway_guard.c). Thread: the loop's.
 */
#pragma once

#include "gateway.h"
#include "order_memory.h"

#define GATEWAY_ORDER_US (5 * USEC_PER_SEC) /* for placing an order */
/* For what the engine asks. At the venue with the fewest requests, one in three seconds, a question
 * about one order takes three. */
#define GATEWAY_ANSWER_US (30 * USEC_PER_SEC)
#define GATEWAY_START_US  (30 * USEC_PER_SEC) /* for a step of connecting */

struct gateway_market {
    struct exchange_market market;
    struct instrument rules;
    bool known;
    bool reported;
    struct dec price; /* newest known; zero: none */
    int foreign;      /* open orders of others, in the newest listing */
    bool guarded;     /* by the venue's dead man's switch */
};

enum gateway_phase {
    GATEWAY_RULES,
    GATEWAY_CHECK,
    GATEWAY_SETTINGS,
    GATEWAY_STREAM,
    GATEWAY_CONNECTED
};

struct gateway_listing;
struct ask;
struct gateway_stream;

struct gateway {
    struct gateway_options options;
    struct calls *calls;
    struct order_memory *orders;
    int market_count;
    struct gateway_market *markets;

    enum gateway_phase phase;
    int step; /* of the phase */
    enum venue_state state;
    char reason[48];
    struct loop_source *retry;
    int failures;          /* in a row */
    int64_t rules_mono_us; /* when the rules were read */
    bool rules_wanted;
    int rules_from;   /* the first market of the request under way */
    bool rules_apart; /* a market is unknown: they are asked for one by one */
    struct loop_source *daily;
    struct loop_source *guard; /* NULL: the venue has no dead man's switch */
    bool guarded;              /* the whole account */
    bool guard_failed;
    int foreign_elsewhere; /* open orders of others in symbols that are not watched */
    bool hours_open;       /* of the markets that have hours; closed until it is known */
    struct loop_source *hours;

    struct gateway_stream *stream;   /* NULL: none yet */
    struct ask *asks;                /* under way */
    struct gateway_listing *listing; /* under way; NULL: none */
    int64_t limit_mono_us;           /* when the limit was reported */
    int64_t limit_used;
};

int64_t gateway_now(const struct gateway *g);
int gateway_find_symbol(const struct gateway *g, struct symbol symbol); /* -1: none */
int gateway_find_market(const struct gateway *g, const char *name);     /* -1: none */
void gateway_report(struct gateway *g, const struct venue_report *report);
/* After each answer: the venue's limits. */
void gateway_note_limit(struct gateway *g);
/* The engine's id of an order at the venue: its own, or "#" and the venue's id of a foreign one. */
void gateway_name_order(const struct gateway *g, const struct account_order *order,
                        char ret[CLIENT_ID_SIZE]);
/* A state or a fill from the stream. */
void gateway_take_event(struct gateway *g, const struct account_event *event);
/* After an outage of the stream: the orders that are alive are asked for. */
void gateway_ask_all(struct gateway *g);
void gateway_list(struct gateway *g, int64_t ask_id, int64_t after_funding_id);
void gateway_list_free(struct gateway *g);
void gateway_session_start(struct gateway *g);
void gateway_guard_start(struct gateway *g);
/* When an order rests for the first time: the switch does not wait for its next turn. */
void gateway_guard_look(struct gateway *g);
void gateway_session_free(struct gateway *g);
void gateway_refresh_rules(struct gateway *g);
void gateway_set_state(struct gateway *g, enum venue_state state, const char *reason);
