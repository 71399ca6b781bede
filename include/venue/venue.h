/*
 * venue.h: where orders go. One interface; the paper venue is one implementation of it.
 *
 *     venue_send(venue, &order);                    // the intent is on disk already
 *     while (venue_poll(venue, &report)) inputs[n++] = report;
 *
 * Everything is asynchronous by report: no call returns an answer. A report about an order is
 * *self-contained*: it carries the order's state at the venue and its newest fills, those of its
 * bracket included; with VENUE_FILLS_MAX or fewer that is every one of them. So a report that
 * comes twice, late, or before an older one does no harm: fills merge by venue_fill_id. Of an
 * order with more, `fills_after` says where the report begins; who has not heard of what is before
 * asks with the last id that it knows, and gets the ones that follow, page by page (`more`).
 * Invariants every implementation keeps:
 * - the fill ids of one order rise, and a report carries a run of them without a hole: all above
 *   fills_after, unless `more` says that it was cut;
 * - client_id is the idempotency key: sending one again never makes a second order, it answers
 *   with the state of the first;
 * - a close order only ever reduces;
 * - what an order's final state says is the end of it: filled_qty rises no more, however late the
 *   fills are told. A venue that acknowledges a cancellation, or does not find an order, before its
 *   matching engine has decided is asked again by its implementation until it has;
 * - a listing may be some seconds behind the orders;
 * - NO_ANSWER means just that: the call may or may not have taken effect;
 * - NOT_KNOWN means that no order of that client_id exists, nor will exist.
 * Thread: the engine's.
 */
#pragma once

#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

/* Fills of one order that one report can carry. */
#define VENUE_FILLS_MAX 8
/* Open orders that a listing can carry; more are cut and the listing says so (complete false). */
#define VENUE_OPEN_MAX 32

enum venue_report_kind {
    VENUE_ORDER,     /* the state of an order; after send, cancel, query, or of itself */
    VENUE_NOT_KNOWN, /* answer to query or cancel: no such order */
    VENUE_NO_ANSWER, /* to the call `asked`; it may have arrived */
    VENUE_LISTING,   /* answer to list */
    VENUE_FUNDING,   /* of itself: a funding payment was booked; and with each listing, those after
                      * the one that the list call named. Payments form a chain: each names the one
                      * before, so a lost one is noticed and a repeated one counts once */
    VENUE_REFUSED    /* answer to amend: not done, `reason` says why; stop and target are the ones
                      * that were asked for */
};
enum venue_call {
    VENUE_CALL_SEND,
    VENUE_CALL_CANCEL,
    VENUE_CALL_QUERY,
    VENUE_CALL_LIST,
    VENUE_CALL_AMEND
};

struct venue_holding {
    struct symbol symbol;
    enum side side;
    struct dec qty;
    struct dec entry_price;
};

struct venue_report {
    enum venue_report_kind kind;
    enum venue_call asked;          /* NO_ANSWER: to what */
    char client_id[CLIENT_ID_SIZE]; /* empty for a listing */

    /* ORDER */
    enum order_state state;
    struct dec filled_qty; /* of the order itself, its bracket not counted */
    char reason[48];       /* of a rejection, cancellation or refusal */
    int64_t fills_after;   /* every fill of the order up to this id is left out; 0: none is */
    bool more;             /* younger fills were cut: ask on from the last one here */
    int fill_count;
    struct fill fills[VENUE_FILLS_MAX]; /* oldest first; stop and target under the entry's id */
    struct dec stop;                    /* of the bracket as the venue has it; zero: none */
    struct dec target;

    /* REFUSED: the bracket that stands; zero: none, or it is not known */
    struct dec standing_stop;
    struct dec standing_target;

    /* FUNDING; a listing: funding_id is the newest payment that was booked, 0 before the first */
    int64_t funding_id;      /* > 0, rising, unique per venue */
    int64_t prev_funding_id; /* of the payment before this one; 0: this is the first */
    struct symbol symbol;
    struct dec payment; /* quote currency, positive is paid by us */
    int64_t at_us;

    /* LISTING */
    int64_t ask_id; /* of the list call: an answer that comes late is told from a fresh one */
    bool complete;
    int holding_count;
    struct venue_holding holdings[POSITIONS_MAX];
    int open_count;
    char open[VENUE_OPEN_MAX][CLIENT_ID_SIZE]; /* client ids of orders that can still fill */
};

struct venue {
    const struct venue_ops *ops;
};

struct venue_ops {
    const char *name;
    void (*send)(struct venue *venue, const struct order *order);
    void (*cancel)(struct venue *venue, const char *client_id);
    void (*query)(struct venue *venue, const char *client_id, int64_t after_fill_id);
    void (*list)(struct venue *venue, int64_t ask_id, int64_t after_funding_id);
    void (*amend)(struct venue *venue, const char *client_id, struct dec stop, struct dec target);
    bool (*quote)(const struct venue *venue, struct symbol symbol, struct quote *ret);
    bool (*poll)(struct venue *venue, struct venue_report *ret);
};

/* Takes a copy of what it needs of the order. */
static inline void venue_send(struct venue *venue, const struct order *order)
{
    venue->ops->send(venue, order);
}

/* Cancels what is not filled yet; a position that came of the order keeps its bracket. */
static inline void venue_cancel(struct venue *venue, const char *client_id)
{
    venue->ops->cancel(venue, client_id);
}

/* The state of an order, and the oldest of its fills after the one that is named; 0: of all. */
static inline void venue_query(struct venue *venue, const char *client_id, int64_t after_fill_id)
{
    venue->ops->query(venue, client_id, after_fill_id);
}

/* Asks for all positions and open orders of the account, also those that are not ours; and for the
 * funding payments after the one that is named (0: all), oldest first, some at a time. */
static inline void venue_list(struct venue *venue, int64_t ask_id, int64_t after_funding_id)
{
    venue->ops->list(venue, ask_id, after_funding_id);
}

/* New stop and target, both above zero, of the bracket of an entry, or of the position that came
 * of it; answered by VENUE_ORDER with what stands then, or by VENUE_REFUSED. */
static inline void venue_amend(struct venue *venue, const char *client_id, struct dec stop,
                               struct dec target)
{
    venue->ops->amend(venue, client_id, stop, target);
}

/* The newest top of the book that the venue has shown; false when it has shown none. No call over
 * a network: what is known here. */
static inline bool venue_quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    return venue->ops->quote(venue, symbol, ret);
}

/* The next report that is waiting; false when there is none. */
static inline bool venue_poll(struct venue *venue, struct venue_report *ret)
{
    return venue->ops->poll(venue, ret);
}
