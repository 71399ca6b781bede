/*
 * venue.h: the interface to a venue, which executes orders. The paper venue is one implementation.
 *
 *     venue_send(venue, &order);                    // the intent is on disk already
 *     while (venue_poll(venue, &report)) inputs[n++] = report;
 *
 * All calls are asynchronous: none returns an answer, the answers are reports. A report about an
 * order is *self-contained*: it has the order's state at the venue and its newest fills, with those
 * of its bracket; if there are VENUE_FILLS_MAX or fewer, all of them. A report that arrives twice,
 * late, or before an older one therefore does no harm: fills are merged by venue_fill_id, which is
 * a text without an order. For an order with more fills, `fills_after` names the fill after which
 * the report begins; to get earlier ones, query with the last known id, which returns the fills
 * that follow, page by page (`more`). Invariants of every implementation:
 * - the fills of one order have one sequence, whichever call asks for it, and new ones are
 * appended; a report has all of them from the one after fills_after on, unless `more` says that it
 * was truncated;
 * - client_id is the idempotency key: sending it again never creates a second order; the answer is
 *   the state of the first;
 * - an order is executed as its type, time in force, post_only and reduce_only say, or rejected;
 * the engine sends only what the capabilities contain. With reduce_only a close only reduces;
 * - the quantity of a fill is what the account got: where a fee is taken from the bought coins, it
 *   is smaller by the fee. It is zero where nothing remains of a fill but its cost, which is its
 * fee
 * - after a final state filled_qty no longer increases, even if fills are reported later. If a
 *   venue acknowledges a cancellation before its matching engine has decided, its implementation
 *   asks again until it has;
 * - a listing may be some seconds behind the orders. Its pages show one moment, carry the ask_id of
 *   the call, and may arrive in any order; a listing without all its pages is not used;
 * - NO_ANSWER: the call may or may not have taken effect;
 * - NOT_FOUND: the venue finds no order with that client_id *now*. The call that sent it may still
 * be under way, and a venue may not find an order that it has, for up to
 *   venue_capabilities.not_found_us. The engine judges by repeated answers;
 * - CONNECTION, LIMIT, INSTRUMENT and ACCOUNT reports each replace the one before. With the
 *   capability, the state READY is reported when orders can be sent and their reports arrive; the
 *   rules of each symbol are reported before READY or soon after it, and when they change; the
 *   account is reported after each listing, with the same ask_id.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "market/source.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/snapshot.h"
#include "model/venue_settings.h"
#include "model/venue_status.h"
#include "store/trading.h"

#include <stdbool.h>
#include <stdint.h>

/* The most fills of one order in one report. */
#define VENUE_FILLS_MAX 8
/* The most positions and open orders in one page of a listing. */
#define VENUE_PAGE_HOLDINGS 16
#define VENUE_PAGE_OPEN     32
/* The most pages of one listing. */
#define VENUE_PAGES_MAX 64

enum venue_report_kind {
    VENUE_ORDER,      /* the state of an order: answer to send, cancel or query, or unsolicited */
    VENUE_NOT_FOUND,  /* answer to query or cancel: no such order now */
    VENUE_NO_ANSWER,  /* the call `asked` was not answered; it may have arrived */
    VENUE_LISTING,    /* one page of the answer to list */
    VENUE_FUNDING,    /* a funding payment or another event of the account: unsolicited; and after
                       * each listing, those after the one that the list call named. They form a
                       * chain: each names the one before, so a lost one is noticed and a repeated
                       * one counts once */
    VENUE_REFUSED,    /* answer to amend: not done, for `reason`; stop and target are the requested
                       * ones. It is final: a leg is replaced then */
    VENUE_CONNECTION, /* the state of the connection, and the reason */
    VENUE_LIMIT,      /* how much of the request limit is used */
    VENUE_INSTRUMENT, /* the rules of one symbol */
    VENUE_ACCOUNT     /* balances and margin; ask_id and funding_id as in a listing */
};
/* What happened to the account without an order of ours. */
enum venue_event {
    VENUE_EVENT_FUNDING,      /* `payment` was paid for holding `symbol` */
    VENUE_EVENT_TRANSFER,     /* `payment` left the account; negative: it arrived */
    VENUE_EVENT_MARGIN_CALL,  /* the margin is nearly used up */
    VENUE_EVENT_LIQUIDATION,  /* `qty` of our position was closed at `price` for lack of margin */
    VENUE_EVENT_DELEVERAGING, /* the same, to cover the loss of somebody else */
    VENUE_EVENT_FORCED_CLOSE, /* the same, for another reason, such as a delisting */
    VENUE_EVENT_FEE           /* `payment` was charged, and belongs to no fill */
};
enum venue_call {
    VENUE_CALL_SEND,
    VENUE_CALL_CANCEL,
    VENUE_CALL_QUERY,
    VENUE_CALL_LIST,
    VENUE_CALL_AMEND
};

/* Orders that protect a position and rest at the venue: a stop, and a limit at the target. The
 * engine places them after the entry, and keeps stop and target itself while none rests. */
enum venue_legs {
    VENUE_LEGS_NONE,
    VENUE_LEGS_STOP, /* the stop only: two orders cannot sell the same coins */
    VENUE_LEGS_BOTH, /* each for itself: when one has filled, the engine cancels the other */
    VENUE_LEGS_PAIR  /* a fill of one ends the other. They are sent one after the other, the stop
                      * first, with the same stop and target, and are placed together or not */
};

/* What the total of a balance contains while a position is open. */
enum venue_balances {
    VENUE_BALANCES_UNKNOWN, /* or unrealised profit, which depends on the venue's mark price */
    VENUE_BALANCES_CASH,    /* a position is paid for in full: the price of a long is gone */
    VENUE_BALANCES_WALLET   /* a position is margined: only fees and realised profit change it */
};

/* A set of enum order_type or enum time_in_force. */
#define VENUE_SET(value) (1u << (value))

/* What a venue can do and what it reports. The engine decides by it; constant for each venue. */
struct venue_capabilities {
    unsigned order_types;    /* VENUE_SET of each; at least market or limit */
    unsigned times_in_force; /* VENUE_SET of each; at least GTC, DAY or IOC */
    bool post_only;          /* if not, an entry that should be is a plain limit */
    bool reduce_only;        /* if not, the engine closes only what it knows to be there */
    bool amend;              /* the prices of a bracket, or of a leg that is none of a pair, can be
                              * changed; if not, legs are cancelled and placed again */
    bool shorts;             /* if not, the engine opens long only */
    bool leverage;           /* if not, positions are worth no more than the account */
    bool brackets; /* entries carry a stop and a target, which the venue executes. If not, the
                    * engine closes the position itself when the price passes them */
    enum venue_legs legs; /* without brackets: what rests at the venue as orders of its own */
    bool prices_in_ticks; /* stops, targets and limits must be multiples of the symbol's tick */
    bool connection;      /* its connection is reported: nothing is opened before READY */
    bool instruments; /* the rules of each symbol are reported: nothing is opened without them */
    bool dust; /* a holding may be larger than our position, by less than the smallest order: what
                * fees in coins and rounding have left */
    enum venue_balances balances; /* of account reports */
    int64_t not_found_us; /* an order that it has may be answered NOT_FOUND for this long; 0: its
                           * answer is final, because it decides as it answers */
};

/* What nearly every venue can do, for an initialiser of struct venue_capabilities. */
#define VENUE_USUAL                                                                 \
    .order_types = VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT),      \
    .times_in_force = VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC) | VENUE_SET(TIF_FOK), \
    .post_only = true, .reduce_only = true, .amend = true, .shorts = true, .leverage = true

/* Whether a position can always be closed. */
static inline bool venue_can_close(const struct venue_capabilities *can)
{
    return (can->order_types & (VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT))) != 0 &&
           (can->times_in_force & (VENUE_SET(TIF_GTC) | VENUE_SET(TIF_DAY) | VENUE_SET(TIF_IOC))) !=
               0;
}

struct venue_holding {
    struct symbol symbol;
    enum side side;
    struct dec qty;
    struct dec entry_price;
};

struct venue_report {
    enum venue_report_kind kind;
    enum venue_call asked;          /* NO_ANSWER: the call */
    char client_id[CLIENT_ID_SIZE]; /* empty for a listing */

    /* ORDER */
    enum order_state state;
    struct dec filled_qty; /* of the order itself, without its bracket */
    char reason[48];       /* of a rejection, cancellation, refusal or state of the connection */
    char fills_after[FILL_ID_SIZE]; /* the fills up to this one are left out; empty: none are */
    bool more;                      /* newer fills were cut: query again, after the last one here */
    int fill_count;
    struct fill fills[VENUE_FILLS_MAX]; /* oldest first; those of stop and target have the entry's
                                         * client_id */
    struct dec stop;                    /* of the bracket at the venue; of a leg: the one of both
                                         * that it is. Zero: none, or not reported */
    struct dec target;

    /* REFUSED: the current bracket; zero: none, or unknown */
    struct dec current_stop;
    struct dec current_target;

    /* FUNDING; in a listing, funding_id is the newest payment booked, 0 before the first */
    int64_t funding_id;      /* > 0, increasing, unique per venue */
    int64_t prev_funding_id; /* of the payment before this one; 0: this is the first */
    struct symbol symbol;
    enum venue_event event;
    enum side side;                   /* of the position that was closed */
    struct dec qty;                   /* of it */
    struct dec price;                 /* at which it was closed */
    struct dec payment;               /* quote currency; > 0: paid by us. Of a close: its fee, */
    char fee_currency[CURRENCY_SIZE]; /* in this; empty: the quote currency */
    int64_t at_us;

    /* CONNECTION, LIMIT, INSTRUMENT, ACCOUNT */
    enum venue_state venue_state;
    struct venue_limit limit;
    struct instrument instrument;
    struct venue_account account;

    /* LISTING */
    int64_t ask_id; /* of the list call that it answers */
    int page;       /* 0..VENUE_PAGES_MAX-1 */
    bool last;      /* no page has a higher number */
    int holding_count;
    struct venue_holding holdings[VENUE_PAGE_HOLDINGS];
    int open_count;
    char open[VENUE_PAGE_OPEN][CLIENT_ID_SIZE]; /* client ids of orders that can still fill */
};

/* About an order of ours, of which the venue may have no memory after a restart of this program. */
struct venue_question {
    char client_id[CLIENT_ID_SIZE];
    char after_fill_id[FILL_ID_SIZE]; /* fills up to this one are booked; empty: none is */
    struct symbol symbol;
    enum order_kind kind;
    enum side side;
};

struct venue {
    const struct venue_ops *ops;
};

/* How an account is imported into a venue that keeps its own in the store. All within one
 * transaction that the caller begins and commits; the venue must not be open. */
struct venue_import {
    /* The number of positions that the account holds. */
    int (*held)(struct trading_store *store, struct err *err);
    /* 1: the account had an order with this client id; 0: it had not. */
    int (*knows)(struct trading_store *store, const char *client_id, struct err *err);
    /* Cancels the open orders, for this reason. */
    int (*clear)(struct trading_store *store, const char *reason, struct err *err);
    /* Adds a filled entry and its only fill, and sets the fill's venue_fill_id. */
    int (*add)(struct trading_store *store, const struct order *entry, struct fill *fill,
               struct err *err);
    /* Replaces the positions and the cash. */
    int (*replace)(struct trading_store *store, const struct position *positions, int count,
                   struct dec cash, struct err *err);
};

struct venue_ops {
    const char *name;
    const struct venue_import *import; /* NULL: its account is elsewhere, and is what it is */
    const struct venue_capabilities *(*capabilities)(const struct venue *venue);
    void (*send)(struct venue *venue, const struct order *order);
    void (*cancel)(struct venue *venue, const char *client_id);
    void (*query)(struct venue *venue, const struct venue_question *question);
    void (*list)(struct venue *venue, int64_t ask_id, int64_t after_funding_id);
    void (*doubt)(struct venue *venue); /* NULL: it always lists all that it has */
    void (*amend)(struct venue *venue, const char *client_id, struct dec stop, struct dec target);
    bool (*quote)(const struct venue *venue, struct symbol symbol, struct quote *ret);
    bool (*poll)(struct venue *venue, struct venue_report *ret);
    int (*fd)(const struct venue *venue);
    int64_t (*due_us)(const struct venue *venue);
    void (*set_leverage)(struct venue *venue, double leverage);

    /* For the driver, see the functions below. */
    int (*open)(struct venue *venue, struct trading_store *store, struct err *err);
    void (*watch)(struct venue *venue, struct symbol symbol, struct dec price);
    int (*bars)(struct venue *venue, const struct source_bar *bars, int count, struct err *err);
    void (*expect)(struct venue *venue, struct symbol symbol); /* NULL: it needs no time */
    int (*flush)(struct venue *venue, struct err *err);
    bool (*is_behind)(const struct venue *venue);
    int (*allow)(struct venue *venue, struct err *err); /* NULL: there is nothing to allow */
    /* NULL: the account is all of its cash */
    int (*set_capital)(struct venue *venue, struct dec capital, struct dec surplus,
                       struct err *err);
    void (*free)(struct venue *venue);
};

/* Valid as long as the venue. */
static inline const struct venue_capabilities *venue_capabilities(const struct venue *venue)
{
    return venue->ops->capabilities(venue);
}

/* The order is copied. */
static inline void venue_send(struct venue *venue, const struct order *order)
{
    venue->ops->send(venue, order);
}

/* Cancels the unfilled part of an order; its position keeps its bracket. */
static inline void venue_cancel(struct venue *venue, const char *client_id)
{
    venue->ops->cancel(venue, client_id);
}

/* Requests the state of an order and its oldest fills after the given one; empty: from the first.
 */
static inline void venue_query(struct venue *venue, const struct venue_question *question)
{
    venue->ops->query(venue, question);
}

/* Requests all positions and open orders of the account, including foreign ones, and the funding
 * payments after the given one (0: all), oldest first; a limited number at a time. */
static inline void venue_list(struct venue *venue, int64_t ask_id, int64_t after_funding_id)
{
    venue->ops->list(venue, ask_id, after_funding_id);
}

/* The books differ from the newest listing: the next call of venue_list looks also for what costs
 * many requests, such as what the venue has closed by itself and we have not heard. */
static inline void venue_doubt(struct venue *venue)
{
    if (venue->ops->doubt != NULL) {
        venue->ops->doubt(venue);
    }
}

/* Requests a new stop and target, both above zero, for an entry or its position; answered by
 * VENUE_ORDER with the current bracket, or by VENUE_REFUSED. */
/* Requests these prices for the bracket of an entry or its position, or for a leg, which takes the
 * one of both that it is. Repeating it does no harm. */
static inline void venue_amend(struct venue *venue, const char *client_id, struct dec stop,
                               struct dec target)
{
    venue->ops->amend(venue, client_id, stop, target);
}

/* The last known best bid and ask; false when there is none. It makes no network call. */
static inline bool venue_quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    return venue->ops->quote(venue, symbol, ret);
}

/* Returns the next waiting report; false when there is none. */
static inline bool venue_poll(struct venue *venue, struct venue_report *ret)
{
    return venue->ops->poll(venue, ret);
}

/* A descriptor that becomes readable when a report waits or the venue has other work, which
 * venue_poll does; -1: none. It may change between two calls of venue_poll. */
static inline int venue_fd(const struct venue *venue)
{
    return venue->ops->fd(venue);
}

/* When venue_poll should be called at the latest, on the monotonic clock: 0 if a report waits;
 * INT64_MAX if only a call or the descriptor can bring one. */
static inline int64_t venue_due_us(const struct venue *venue)
{
    return venue->ops->due_us(venue);
}

/* Requests the highest leverage that the account may use; the next account report has the venue's.
 */
static inline void venue_set_leverage(struct venue *venue, double leverage)
{
    venue->ops->set_leverage(venue, leverage);
}

/* ---- for the driver ---- */

struct feed;
struct live_market;

struct venue_setup {
    struct feed *feed; /* of a real venue: its thread, not started yet; outlives the venue */
    struct live_market *market; /* the same: its prices */
    const struct venue_settings *settings;
    struct dec cash; /* of the account, if the venue makes a new one */
    double leverage;
    int64_t step_us; /* length of the bars that venue_bars gets */
    int symbols;     /* that are traded or held */
};

/* Whether the settings of a real venue fit together: its key has the right form, and it has a test
 * system. ERR_VENUE_KEY, ERR_VENUE_MODE. */
int venue_check_settings(const struct venue_settings *settings, struct err *err);
/* The venue has connections of its own, and needs a feed. */
bool venue_is_real(const struct venue_settings *settings);

/* The venue that the settings name; NULL: there is none of that name. It must be opened. */
struct venue *venue_new(const struct venue_setup *setup);
/* How an account is imported into the venue that the settings name; NULL: it cannot be. */
const struct venue_import *venue_importer(const struct venue_settings *settings);
static inline void venue_free(struct venue *venue)
{
    if (venue != NULL) {
        venue->ops->free(venue);
    }
}

/* Connects, or reads the account from the store, which must outlive the venue or its next open.
 * Waiting reports are dropped. NULL: nothing is kept on disk (a back-test). */
static inline int venue_open(struct venue *venue, struct trading_store *store, struct err *err)
{
    return venue->ops->open(venue, store, err);
}

/* Names a symbol that is traded or held, and its last price, before its first bar. */
static inline void venue_watch(struct venue *venue, struct symbol symbol, struct dec price)
{
    venue->ops->watch(venue, symbol, price);
}

/* The bars of one time, for a venue that trades on them. A failure changes nothing: pass the same
 * bars again later. */
static inline int venue_bars(struct venue *venue, const struct source_bar *bars, int count,
                             struct err *err)
{
    return venue->ops->bars(venue, bars, count, err);
}

/* An order of this symbol is sent as soon as it is on disk: time to make ready what it needs. */
static inline void venue_expect(struct venue *venue, struct symbol symbol)
{
    if (venue->ops->expect != NULL) {
        venue->ops->expect(venue, symbol);
    }
}

/* Writes what the venue keeps itself and is not on disk yet; must succeed before the books are
 * written. */
static inline int venue_flush(struct venue *venue, struct err *err)
{
    return venue->ops->flush(venue, err);
}

/* A person allows orders with real money, once for these books: until then the venue is not ready.
 * ERR_VENUE_ALLOWED: nothing waits for it. */
static inline int venue_allow(struct venue *venue, struct err *err)
{
    return venue->ops->allow == NULL ? err_set(err, ERR_VENUE_ALLOWED, "%s", venue->ops->name)
                                     : venue->ops->allow(venue, err);
}

/* From now on the books have this capital: what the account has beyond their cash is not ours.
 * surplus: how much more than their cash the account has by its newest report; it was paid in, or
 * below zero withdrawn, since. If the program dies before the books are written, they keep the
 * capital that they had. ERR_VENUE_FUNDS: the account has less, ERR_VENUE_CAPITAL: it is not known
 * what it has, or all of it is ours; nothing changed. */
static inline int venue_set_capital(struct venue *venue, struct dec capital, struct dec surplus,
                                    struct err *err)
{
    return venue->ops->set_capital == NULL ? err_set(err, ERR_VENUE_CAPITAL, "%s", venue->ops->name)
                                           : venue->ops->set_capital(venue, capital, surplus, err);
}

/* Whether venue_flush has anything to write. */
static inline bool venue_is_behind(const struct venue *venue)
{
    return venue->ops->is_behind(venue);
}
