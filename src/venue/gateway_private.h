/*
 * gateway_private.h: the parts of the gateway: orders (gateway_place.c, gateway_amend.c,
 * gateway.c), listings (gateway_list.c), the connection (gateway_session.c), the hours of markets
 * (gateway_hours.c), the dead man's switch
 * (gateway_guard.c). Thread: the loop's.
 */
#pragma once

#include "gateway.h"
#include "order_memory.h"

#define GATEWAY_ORDER_US (5 * USEC_PER_SEC) /* for placing an order */
/* For what the engine asks. At the venue with the fewest requests, one in three seconds, a question
 * about one order takes three. */
#define GATEWAY_ANSWER_US (30 * USEC_PER_SEC)
#define GATEWAY_START_US  (30 * USEC_PER_SEC) /* for a step of connecting */

/* What the venue was asked for. */
struct gateway_guard {
    bool asked; /* by this process; before, one of an earlier process may run */
    bool armed;
};

struct gateway_market {
    struct exchange_market market;
    struct instrument rules;
    bool known;
    bool reported;
    bool halted;      /* by its exchange, as the prices say */
    struct dec price; /* newest known; zero: none */
    bool has_stop;    /* the first of a pair, which waits for the second */
    struct order stop;
    int foreign;                /* open orders of others, in the newest listing */
    double leverage_odd;        /* of its position, for which it was set in vain; 0: none */
    struct gateway_guard guard; /* the venue's dead man's switch, where each market has one */
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
struct gateway_hours;

struct gateway {
    struct gateway_options options;
    struct calls *calls;
    struct order_memory *orders;
    int market_count;
    struct gateway_market *markets;

    enum gateway_phase phase;
    int step;             /* of the phase, or of settings that are made again */
    bool setting;         /* settings are being made */
    bool setting_again;   /* and then once more: they have changed meanwhile */
    double leverage;      /* the lowest that the venue has named for a market; 0: none yet */
    double leverage_seen; /* of the settings under way */
    bool setting_refused; /* one of them: the others are made */
    enum venue_state state;
    char reason[48];
    struct loop_source *retry;
    int failures;          /* in a row */
    int64_t rules_mono_us; /* when the rules were read */
    int64_t rules_weight;  /* what that has cost */
    bool rules_wanted;
    int rules_from;                 /* the first market of the request under way */
    bool rules_apart;               /* a market is unknown: they are asked for one by one */
    struct loop_source *again;      /* reads them */
    struct loop_source *guard;      /* NULL: the venue has no dead man's switch */
    struct gateway_guard all_guard; /* of the whole account */
    bool guard_failed;              /* a request, since the last renewal */
    bool guard_logged;              /* that it fails, until a renewal finds no failure */
    int64_t guard_mono_us;          /* when it was renewed */
    int foreign_elsewhere;          /* open orders of others in symbols that are not watched */
    struct gateway_hours *hours;    /* NULL: all markets are open around the clock */

    struct gateway_stream *stream;   /* NULL: none yet */
    struct ask *asks;                /* under way */
    struct gateway_listing *listing; /* under way; NULL: none */
    bool forced_due;                 /* the next listing reads what the venue closed by itself */
    int64_t forced_mono_us;        /* when that was read last for a difference; 0: there is none */
    int forced_failures;           /* listings in a row in which it could not be read */
    int64_t forced_failed_mono_us; /* the newest of them */
    int64_t limit_mono_us;         /* when the limit was reported */
    int64_t limit_used;
    struct buf sent; /* for the log, one a line: it is written when they are on their way */
};

/* The answer to this call is awaited. All of them are in a list, since calls that are ended do not
 * run their function. */
struct ask {
    struct gateway *g;
    struct ask *next;
    char client_id[CLIENT_ID_SIZE];
    char other_id[CLIENT_ID_SIZE]; /* of the second order of a pair */
    char after_fill_id[FILL_ID_SIZE];
    struct dec stop, target; /* of an amendment */
    enum venue_call asked;
    bool newest;
    int step;                         /* of a query */
    char id[ACCOUNT_ID_SIZE];         /* under which the order was asked for */
    char cursor[ACCOUNT_CURSOR_SIZE]; /* of the pages of fills, or of the history */
};

struct ask *gateway_ask_new(struct gateway *g, const char *client_id, enum venue_call asked);
void gateway_ask_end(struct ask *ask); /* accepts NULL */
/* The engine repeats what is not answered. A venue with few requests answers later than that, and
 * would be asked ever more often, and never answer one. */
bool gateway_is_asked(const struct gateway *g, const char *client_id, enum venue_call asked);
/* Asks for the state of an order, and reports it. Takes the ask. */
void gateway_query(struct gateway *g, struct known_order *o, struct ask *ask);
/* Reports the order, once its fills are whole. Takes the ask; NULL: nobody asked. */
void gateway_settle(struct gateway *g, struct known_order *o, struct ask *ask);
/* Takes what an answer says about an order into the memory. 0: it only acknowledges. */
int gateway_take_order(struct gateway *g, enum account_call call, struct known_order *o,
                       const struct json_object *root, struct err *err);
void gateway_no_answer(struct gateway *g, enum venue_call asked, const char *client_id);
void gateway_report_order(struct gateway *g, const struct known_order *o, const char *after_fill_id,
                          bool newest);
/* The venue's form of a client id of the engine. */
void gateway_name_theirs(const struct gateway *g, const char *client_id, char ret[ACCOUNT_ID_SIZE]);
/* Places an order, in gateway_place.c. */
void gateway_place(struct gateway *g, const struct order *order);
/* An order of the market will follow. */
void gateway_rehearse(struct gateway *g, int market);
/* Moves a leg, in gateway_amend.c. */
void gateway_amend(struct gateway *g, const char *client_id, struct dec stop, struct dec target);
/* The state of the order is known: has its amendment been done? */
void gateway_amend_look(struct gateway *g, struct known_order *o);
/* Logs what is sent, without its signature: at the next gateway_flush, since an order does not wait
 * for a log. What a dry run does not send is logged at once. */
void gateway_log_request(struct gateway *g, const char *what,
                         const struct account_request *request);

/* Fees may be taken from the coins that are bought in it. */
bool gateway_takes_coins(const struct gateway *g, const struct gateway_market *m);
int64_t gateway_now(const struct gateway *g);
int gateway_find_symbol(const struct gateway *g, struct symbol symbol); /* -1: none */
int gateway_find_market(const struct gateway *g, const char *name);     /* -1: none */
void gateway_report(struct gateway *g, const struct venue_report *report);
/* After each answer: the venue's limits. */
void gateway_note_limit(struct gateway *g);
/* The engine's id of an order at the venue: its own, or "#" and the venue's id of a foreign one. */
void gateway_name_order(const struct gateway *g, const struct account_order *order,
                        char ret[CLIENT_ID_SIZE]);
/* A fill by which the venue has closed a position. ask_id: of the listing; 0: it was heard on the
 * stream. It has the same id both times. */
void gateway_report_forced(struct gateway *g, enum account_forced forced,
                           const struct account_fill *fill, int64_t ask_id);
/* A state or a fill from the stream. */
void gateway_take_event(struct gateway *g, const struct account_event *event);
/* After an outage of the stream: the orders that are alive are asked for. */
void gateway_ask_all(struct gateway *g);
void gateway_list(struct gateway *g, const struct gateway_call *call);
void gateway_list_free(struct gateway *g);
void gateway_session_start(struct gateway *g);
/* Its exchange has halted it, or not any more; -1: none. */
void gateway_session_halt(struct gateway *g, int market, bool halted);
bool gateway_has_hours(const struct gateway *g, const struct gateway_market *m);
/* Of a market; ret_changes_us: 0 if it has no hours. */
enum account_session gateway_hours_session(const struct gateway *g, const struct gateway_market *m,
                                           int64_t *ret_changes_us);
void gateway_hours_start(struct gateway *g);
void gateway_hours_ask(struct gateway *g);
void gateway_hours_free(struct gateway *g);
/* From them: the rules of the markets that have hours are reported again. */
void gateway_session_hours(struct gateway *g);
/* They are known, or why not. False: nothing waited for them. */
bool gateway_session_hours_known(struct gateway *g, const struct err *why);
/* Makes the settings again if the leverage has changed. */
void gateway_session_leverage(struct gateway *g, double leverage);
/* That of a position; 0: not known. One that was not set here, by the venue or by a person there,
 * is set again; until then a lower one is the account's. */
void gateway_session_leverage_is(struct gateway *g, struct gateway_market *m, double leverage);
/* These are all positions: where one with another leverage is over, it is set once more. */
void gateway_session_leverage_gone(struct gateway *g, const struct account_position *rows,
                                   int count);
void gateway_guard_start(struct gateway *g);
/* When an order rests for the first time: the switch does not wait for its next turn. */
void gateway_guard_look(struct gateway *g);
void gateway_session_free(struct gateway *g);
void gateway_refresh_rules(struct gateway *g);
void gateway_set_state(struct gateway *g, enum venue_state state, const char *reason);
