/*
 * account.h: the private side of a real venue, as tables: which requests place, cancel and list
 * orders, how they are signed, and how the answers are read.
 *
 *     const struct account_api *api = account_api_find("binance");
 *     api->add_order(&ask, &request);                          // method, path, body
 *     rc = api->sign(&key, &moment, &request, err);            // headers, time, signature
 *     verdict = api->judge(ACCOUNT_PLACE, &response, err);     // what became of it
 *     rc = api->read_order(root, &state, fills, &count, err);
 *
 * Always true: nothing here sends, waits or keeps state; a function that reads accepts the whole
 * answer or refuses it (ERR_VENUE_DATA, see field.h); members that are not known are passed over,
 * since venues add some. Adding a venue is adding a file with such a table. What a venue does not
 * have is NULL.
 * Amounts are as the venue means them; prices are in the quote currency of the market.
 * Facts: the documents named in each venue's file. Thread: any (constant tables, plain values).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "model/order.h"
#include "model/venue_status.h"
#include "venue/exchange.h"
#include "venue/venue.h"

#include <stdint.h>

/* An order's ids as the venue has them: of ours, and its own. */
#define ACCOUNT_ID_SIZE 48
/* Rows of one answer; longer ones are refused. */
#define ACCOUNT_ROWS_MAX    1000
#define ACCOUNT_CURSOR_SIZE 128

/* ---------------------------------------------------------------- requests */

enum account_method { ACCOUNT_GET, ACCOUNT_POST, ACCOUNT_PUT, ACCOUNT_PATCH, ACCOUNT_DELETE };

struct account_request {
    enum account_method method;
    int weight;               /* of the budget of requests */
    int order_weight;         /* of the budget of orders; 0: it counts there not at all */
    struct buf path;          /* begins with a slash; with its query, encoded */
    struct buf body;          /* empty: none */
    const char *content_type; /* of the body; static */
    struct buf headers;       /* of the signature: lines "Name: value\n" */
    bool is_public;           /* it is sent without a signature */
};

/* What a signature needs. Both are read from a struct secret for the time of the call. */
struct account_key {
    struct str id;     /* sent with each request */
    struct str secret; /* never sent, printed or kept */
};

struct account_moment {
    int64_t wall_us;  /* by the venue's clock */
    uint64_t nonce;   /* above every one before, of all runs with this key */
    const char *host; /* of the URL that the request goes to, such as "api.coinbase.com" */
};

/* ---------------------------------------------------------------- outcomes */

enum account_call {
    ACCOUNT_CHECK, /* what the key may do */
    ACCOUNT_RULES, /* of the symbols */
    ACCOUNT_COINS, /* balances */
    ACCOUNT_POSITIONS,
    ACCOUNT_PLACE,
    ACCOUNT_QUERY,
    ACCOUNT_CANCEL,
    ACCOUNT_AMEND, /* the price of an order that rests */
    ACCOUNT_OPEN,  /* open orders */
    ACCOUNT_FILLS,
    ACCOUNT_FUNDING,
    ACCOUNT_SETTINGS, /* leverage, margin mode */
    ACCOUNT_STREAM,   /* a key for the stream of the account */
    ACCOUNT_GUARD,    /* dead man's switch */
    ACCOUNT_HOURS     /* whether markets with hours are open, and their calendar */
};

/* What became of a request. *err says why, in the venue's words, unless it is FINE. */
enum account_verdict {
    ACCOUNT_FINE,
    ACCOUNT_REFUSED,   /* it was not done, and the same request is refused again */
    ACCOUNT_NOT_FOUND, /* there is no such order, now */
    ACCOUNT_DUPLICATE, /* an order with this client id exists: an earlier attempt arrived */
    ACCOUNT_UNKNOWN,   /* it may have been done: ask */
    ACCOUNT_LATER,     /* it was not done: the same request may be done later */
    ACCOUNT_LIMITED,   /* too many requests: it was not done; pause */
    ACCOUNT_BANNED,    /* too many requests: send none */
    ACCOUNT_CLOCK,     /* not done: the time or nonce of the request is outside the window */
    ACCOUNT_KEY,       /* not done: the key is unknown, wrong, or may not do this */
    ACCOUNT_CLOSED     /* not done: the market or venue does not trade now */
};

struct account_response {
    int status;
    const struct json_object *root; /* NULL: the body is no JSON text */
    struct str body;                /* as it came, for venues that say it in words */
};

/* ---------------------------------------------------------------- values */

struct account_permissions {
    bool reads;
    bool trades;
    bool withdraws;         /* or moves money between accounts */
    bool withdraws_unknown; /* the venue does not tell */
    bool bound;             /* to addresses of the network */
};

struct account_policy { /* what the operator accepts */
    bool accept_withdrawal;
    bool accept_unknown_withdrawal;
};

/* ERR_VENUE_PERMISSION: this key is not used. */
int account_judge_permissions(const struct account_permissions *permissions,
                              const struct account_policy *policy, const char *venue,
                              struct err *err);

/* Why the venue has closed a position by an order of its own. */
enum account_forced {
    ACCOUNT_FORCED_NOT, /* it has not */
    ACCOUNT_FORCED_MARGIN,
    ACCOUNT_FORCED_DELEVERAGING, /* to cover the loss of somebody else */
    ACCOUNT_FORCED_OTHER         /* a delisting, for one */
};

/* An order as the venue reports it. Some answers to placing or cancelling only acknowledge: then
 * qty is zero, and the order must be asked for. */
struct account_order {
    char client_id[ACCOUNT_ID_SIZE]; /* "" if it was placed without one */
    char id[ACCOUNT_ID_SIZE];        /* the venue's */
    char market[EXCHANGE_NAME_SIZE]; /* see is_market */
    enum order_state state;          /* ACKED, PARTIAL, FILLED, CANCELLED or REJECTED */
    /* STOP if it has a price at which it triggers, though that may be a target's. */
    enum order_type type;
    bool buys;
    struct dec qty;
    struct dec filled_qty;
    struct dec price;           /* of a limit; zero: none */
    struct dec stop_price;      /* of a stop; zero: none */
    bool changing;              /* an amendment of it is under way: its price may be another soon */
    enum account_forced forced; /* the venue has placed it */
    char before[ACCOUNT_ID_SIZE]; /* its id, which has been replaced by `id`; "": its id stays */
    char reason[48];              /* of a rejection, or of a cancellation that we did not ask for */
    int64_t at_us;                /* of its newest change; 0: not reported */
};

struct account_fill {
    char id[FILL_ID_SIZE]; /* the venue's, unique in its market */
    char order_id[ACCOUNT_ID_SIZE];
    char client_id[ACCOUNT_ID_SIZE]; /* "" if the answer does not have it */
    char market[EXCHANGE_NAME_SIZE];
    bool buys;
    struct dec qty;
    struct dec price;
    struct dec cost; /* price * qty as the venue rounds it; zero: it does not */
    struct dec fee;  /* negative: a rebate */
    char fee_currency[CURRENCY_SIZE];
    int64_t at_us;
};

struct account_coin {
    char currency[CURRENCY_SIZE]; /* our name: "BTC", never "XXBT" */
    struct dec total;             /* never below zero, except where the venue lends */
    struct dec available;
    struct dec accrued; /* fees of today, which it charges later; total may be without them */
};

struct account_position {
    char market[EXCHANGE_NAME_SIZE];
    enum side side;
    struct dec qty;
    struct dec entry_price;
    double leverage; /* 0: not known */
    bool hedged;     /* one of two sides that the venue holds at once */
};

struct account_margin {
    struct dec used;
    struct dec maintenance;
};

struct account_hours {
    bool open;
    int64_t changes_us; /* when it opens or closes next */
    int64_t ahead_us;   /* local time of the exchange, minus UTC */
};

/* A day on which markets that have hours are open, by the calendar of their exchange. */
struct account_day {
    char date[11]; /* "2026-11-27" */
    char open[6];  /* "09:30", local time of the exchange */
    char close[6];
    bool closes_early;
    /* Local time of the exchange: trading begins, regular hours, trading ends. */
    int64_t begins_us;
    int64_t opens_us;
    int64_t closes_us;
    int64_t ends_us;
};
#define ACCOUNT_DAYS_MAX 64

enum account_session {
    ACCOUNT_CLOSED_SESSION,
    ACCOUNT_EXTENDED_SESSION, /* before or after regular hours */
    ACCOUNT_REGULAR_SESSION
};

/* What is open now, and when that changes. Without days there are regular hours only. */
enum account_session account_session(const struct account_hours *hours,
                                     const struct account_day *days, int count, int64_t now_us,
                                     int64_t *ret_changes_us);

struct account_payment {             /* for holding a position, or a fee that no fill has */
    char market[EXCHANGE_NAME_SIZE]; /* of a fee it may be empty */
    char id[FILL_ID_SIZE];
    struct dec payment; /* above zero: paid by us */
    int64_t at_us;
};

/* ---------------------------------------------------------------- asks */

struct account_order_ask {
    const struct exchange_market *market;
    const struct instrument *rules; /* quantities and prices are multiples of its steps already */
    const char *client_id;          /* the venue's form of it */
    bool buys;
    enum order_type type;
    enum time_in_force time_in_force;
    bool post_only;
    bool reduce_only;
    bool extended; /* a limit, outside regular hours */
    struct dec qty;
    struct dec price; /* of a limit, or at which a stop triggers */
    int64_t until_us; /* the venue refuses it after this time, where it can; 0: no limit */
};

/* A stop and a limit at the target for the same coins, of which only one can fill. */
struct account_pair_ask {
    const struct exchange_market *market;
    const struct instrument *rules;
    const char *stop_id; /* client ids, in the venue's form */
    const char *target_id;
    bool buys;
    struct dec qty;
    struct dec stop;
    struct dec target;
};

/* A new price for an order that rests. */
struct account_amend_ask {
    const struct exchange_market *market;
    const char *client_id;
    /* Its client id afterwards, where it becomes a new order: never used before. */
    const char *next_id;
    const char *id; /* "": not known */
    enum order_type type;
    struct dec price; /* as in struct account_order_ask */
    int64_t until_us; /* the same */
};

struct account_find {
    const struct exchange_market *market;
    const char *client_id; /* one of both may be "" */
    const char *id;
    enum order_type type; /* as in struct account_order_ask: some venues keep stops apart */
};

struct account_page {
    const struct exchange_market *market; /* NULL: of all markets */
    const char *order_id;                 /* fills of this order only; "": of all */
    int64_t since_us;                     /* not older; 0: any */
    int64_t until_us;                     /* now, by the venue's clock: pages end there */
    const char *cursor;                   /* from the answer before; "": the first page */
};

/* ---------------------------------------------------------------- the stream of the account */

enum account_event_kind {
    ACCOUNT_EVENT_NONE,    /* an answer, a heartbeat, or nothing that concerns us */
    ACCOUNT_EVENT_READY,   /* the stream is open: events come from now on */
    ACCOUNT_EVENT_ORDER,   /* the order's state; with qty zero: only that its id is another now, see
                            * `before` */
    ACCOUNT_EVENT_FILL,    /* a fill, and the order's state after it */
    ACCOUNT_EVENT_CHANGED, /* balances or positions: list them */
    ACCOUNT_EVENT_MARGIN,  /* the margin is nearly used up: `market`, `at_us` */
    ACCOUNT_EVENT_OVER,    /* the stream must be opened again, with a new key */
    ACCOUNT_EVENT_REFUSED  /* the log-in was refused; err says why */
};

struct account_event {
    enum account_event_kind kind;
    char market[EXCHANGE_NAME_SIZE];
    int64_t at_us;
    bool has_order;
    struct account_order order;
    struct account_fill fill;
    int64_t sequence; /* of the message, where the venue counts them; 0: it does not */
};

/* Events of one message; it is a fault of the venue if there are more. */
#define ACCOUNT_EVENTS_MAX 256

/* ---------------------------------------------------------------- the table */

struct account_api {
    const char *name; /* "binance", as in exchange.h and in the configuration */
    struct venue_capabilities can;
    const char *url;         /* of the real venue */
    const char *sandbox_url; /* NULL: it has none */
    const char *stream_url;  /* wss, of the account's stream */
    const char *sandbox_stream_url;
    int64_t limit, falls_per_s;             /* of the budget of requests (budget.h) */
    int64_t order_limit, order_falls_per_s; /* of orders */
    const char *used_header; /* in which it reports the used budget, lower case; NULL: none */
    int64_t window_us;       /* in which a request must arrive; 0: requests carry no time */
    bool nonce;              /* its requests carry one, and must arrive in its order */
    bool positions;          /* it has positions; if not, coins that are held (spot) */
    /* With positions: a fee is taken from the coins that are bought, as in spot. NULL: never. */
    bool (*takes_coins)(const struct exchange_market *market);
    bool late_fees; /* its payments are fees, which it posts at the end of the day */
    bool needs_id;  /* it cancels an order by its own id only */
    int rules_max;  /* symbols of one request for rules; 0: any number */

    /* Checks the form of a key: a PEM or base 64 text where the venue wants one. ERR_VENUE_KEY. */
    int (*check_key)(const struct account_key *key, struct err *err);
    int (*sign)(const struct account_key *key, const struct account_moment *moment,
                struct account_request *request, struct err *err);
    /* The path of a POST with an order, where sign() reads nothing of a request but method and path
     * and what it adds is good for a while: then it is made before the order. NULL: it is not. */
    const char *order_path;
    int64_t order_signature_us; /* for so long */
    enum account_verdict (*judge)(enum account_call call, const struct account_response *response,
                                  struct err *err);

    /* NULL: there is none. A sandbox may have another one, which does not tell about withdrawals.
     */
    void (*add_check)(bool sandbox, struct account_request *request);
    const char *check_url; /* of the real venue, where the check is not at `url`; NULL: it is */
    int (*read_check)(const struct json_object *root, struct account_permissions *ret,
                      struct err *err);

    /* Whether a market's name in an order, fill or position is this one, for venues that have
     * several names of one market. NULL: it is market->name. */
    bool (*is_market)(const struct exchange_market *market, const char *name);

    /* The rules of these markets. The answer may have others too. */
    void (*add_rules)(const struct symbol *symbols, int count, struct account_request *request);
    /* Names and rules of one of them. ERR_VENUE_SYMBOL: the answer has no such market. */
    int (*read_rules)(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err);

    /* Whether the markets that have hours are open; NULL: all trade around the clock. */
    bool (*has_hours)(const struct exchange_market *market);
    void (*add_hours)(struct account_request *request);
    int (*read_hours)(const struct json_object *root, struct account_hours *ret, struct err *err);
    /* The days of the next month, in order. NULL with add_hours NULL. */
    void (*add_calendar)(int64_t now_us, struct account_request *request);
    int (*read_calendar)(const struct json_object *root, struct account_day *ret, int *ret_count,
                         struct err *err);

    void (*add_coins)(const char *cursor, struct account_request *request);
    /* Coins of which nothing is held may be left out. */
    int (*read_coins)(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
    void (*add_positions)(struct account_request *request); /* NULL with !positions */
    int (*read_positions)(const struct json_object *root, struct account_position *ret,
                          int *ret_count, struct account_margin *ret_margin, struct err *err);

    void (*add_order)(const struct account_order_ask *ask, struct account_request *request);
    /* Both or none; its answer is not read, but both orders are asked for. Needed with
     * VENUE_LEGS_PAIR only. */
    void (*add_pair)(const struct account_pair_ask *ask, struct account_request *request);
    /* Of an order that was placed, asked for, cancelled or amended. The fills that the answer has:
     * none if the venue gives them by ACCOUNT_FILLS only. The client id is the order's, never that
     * of the cancellation. */
    int (*read_order)(enum account_call call, const struct json_object *root,
                      struct account_order *ret, struct account_fill *ret_fills,
                      int *ret_fill_count, struct err *err);
    /* The step-th request that may find the order, step 0, 1, …; false: there are no more. It is
     * not found when the answers to all steps say NOT_FOUND. An order for which there is no step at
     * all (its venue finds no client ids, and its own id is not known) is looked for in the pages
     * of add_history. */
    bool (*add_query)(const struct account_find *find, int step, struct account_request *request);
    void (*add_cancel)(const struct account_find *find, struct account_request *request);
    /* NULL: with can.amend false only. False: this order cannot be amended. */
    bool (*add_amend)(const struct account_amend_ask *ask, struct account_request *request);
    bool amends_in_place; /* it keeps its ids, and a FINE answer is final; if not, a FINE answer
                           * says nothing, and the order is asked for */

    void (*add_open)(const struct account_page *page, struct account_request *request);
    /* page: of the request, here and below. */
    int (*read_open)(const struct account_page *page, const struct json_object *root,
                     struct account_order *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                     struct err *err);
    /* Orders of any state that were placed since page->since_us; read by read_open. NULL: add_query
     * finds all. */
    void (*add_history)(const struct account_page *page, struct account_request *request);
    bool fills_by_market; /* add_fills needs a market */
    void (*add_fills)(const struct account_page *page, struct account_request *request);
    /* In any order. */
    int (*read_fills)(const struct account_page *page, const struct json_object *root,
                      struct account_fill *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                      struct err *err);
    void (*add_funding)(const struct account_page *page, struct account_request *request);
    int (*read_funding)(const struct account_page *page, const struct json_object *root,
                        struct account_payment *ret, int *ret_count,
                        char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);

    /* The orders by which it closed positions by itself since page->since_us, if it still lists
     * them. With a market: of one that does not trade, which may have been settled. Other orders in
     * the answer have ACCOUNT_FORCED_NOT. NULL: it closes none, or does not list them. */
    void (*add_forced)(const struct account_page *page, struct account_request *request);
    int (*read_forced)(const struct account_page *page, const struct json_object *root,
                       struct account_order *ret, int *ret_count,
                       char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);

    /* What must hold for the whole account before the first order, step 0, 1, … as below. NULL:
     * nothing. */
    bool (*add_account_setting)(int step, struct account_request *request);
    /* The settings that must hold before the first order in a market: one-way mode, the margin mode
     * and the leverage. step 0, 1, …: false when there is no such step. judge says FINE too if a
     * setting is so already. NULL: nothing to set. */
    bool (*add_setting)(int step, const struct exchange_market *market, int leverage,
                        struct account_request *request);
    /* The leverage that the answer to a setting names; 0: it names none. NULL: none ever does. */
    int (*read_leverage)(const struct json_object *root, int *ret, struct err *err);

    /* Cancels our orders unless it is called again within timeout_ms (0: switches it off). market:
     * NULL where one call guards the whole account. NULL: the venue has none. */
    bool guard_by_market;
    void (*add_guard)(const struct exchange_market *market, int64_t timeout_ms,
                      struct account_request *request);

    /* The key of a stream; NULL: it needs none. keep: the same, before it expires. */
    void (*add_stream_key)(const char *keep, struct account_request *request);
    int (*read_stream_key)(const struct json_object *root, struct buf *ret_key, struct err *err);
    int64_t stream_key_us; /* for so long; 0: it is asked for before each connection only */
    /* Path and query, after stream_url, of the connection; NULL: none. */
    void (*add_stream_path)(const char *stream_key, struct buf *path);
    /* The n-th message that logs in and subscribes, n = 0, 1, …; 0: there is no n-th, 1: it was
     * added; < 0: an error. NULL: there is none, and no event says READY: the connection does. */
    int (*add_stream_login)(int n, const struct account_key *key,
                            const struct account_moment *moment, const char *stream_key,
                            struct buf *message, struct err *err);
    /* Sent so often to keep the stream open; NULL: only its own pings. */
    const char *stream_ping;
    int64_t stream_ping_us;
    int64_t stream_silence_us; /* a stream that is silent for so long is dead */
    int64_t stream_age_us;     /* the venue ends it at this age; 0: it does not say */
    /* One message, whole. binary frames too where a venue sends JSON in them. */
    int (*read_stream)(const struct json_object *root, struct account_event *ret, int *ret_count,
                       struct err *err);
};

/* The limit of a stop, at venues that have no stop at the market: far enough beyond it to fill in
 * all but a crash. */
struct dec account_stop_limit(const struct account_order_ask *ask);
const struct account_api *account_api_find(const char *name); /* NULL: there is none */
void account_request_init(struct account_request *request);
void account_request_release(struct account_request *request);
/* Empty again, for the next request. */
void account_request_clear(struct account_request *request);
