/*
 * hostile.h: a seeded network and feed with every fault that the interfaces permit.
 *
 *     hostile_init(&h, &rng, inner_store, &clock);
 *     options.wrap_venue = hostile_venue; options.wrap_source = hostile_source;
 *     options.userdata = &h;
 *
 * Between engine and venue: calls that never arrive, arrive late, or arrive without an answer;
 * reports that are late, duplicated, reordered or lost; listings in pages; fill ids without an
 * order; rejections; orders that exist and are "not found" for seconds; a venue that cannot measure
 * a bracket from the fills, or executes none; a connection that is lost and comes back; a time in
 * which all requests are refused, or few are left; symbols that are halted or closing only;
 * positions and fills that lag seconds behind the orders; halts, in which the venue neither trades
 * nor answers; transfers, margin calls, and positions that the venue closes by itself. Between
 * market and engine: missing, impossible, old or future minutes, and prices that jump from one
 * minute to the next. On the account: positions and orders of someone else. The guarantees of the
 * venue interface are kept: after a final state nothing fills, and every call is eventually
 * answered, if only by VENUE_NO_ANSWER. It also checks the engine's calls: an order must be on disk
 * as PREPARED before it is sent, and be sent once; an entry must respect the limits and have a
 * stop, and none is made while the venue is known to be down; an amendment must be on disk and keep
 * a stop; during an emergency stop no other part closes positions. Thread: the simulator's.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "engine/driver.h"
#include "engine/reserve.h"
#include "market/source.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "sim/events.h"
#include "sim/personality.h"
#include "store/trading.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define HOSTILE_REPORTS_MAX 128
#define HOSTILE_CALLS_MAX   64
#define HOSTILE_SENT_MAX    8192
#define HOSTILE_CLOSED_MAX  256
#define HOSTILE_AMENDS_MAX  256
#define HOSTILE_HIDDEN_MAX  16
#define HOSTILE_LEGS_MAX    256
#define HOSTILE_STOPS_MAX   256
/* For how long an order that exists may be answered "not found". */
#define HOSTILE_NOT_FOUND_US (6 * USEC_PER_SEC)
/* How far positions may lag behind orders. */
#define HOSTILE_LAG_US (3 * USEC_PER_SEC)

struct hostile {
    struct venue venue;
    struct source source;
    struct venue *inner;
    struct source *inner_source;
    struct trading_store *store;
    struct reserve *reserve; /* may hold an intent too; set by the owner */
    struct rng *rng;
    const struct clock_fake *clock;
    double fault_scale; /* 0: a perfect network; 1: the usual faults */
    bool trace;         /* print what passes between engine and venue */
    bool dead;          /* the process has crashed: it sends nothing more */
    bool prices;        /* it takes a bracket as prices and does not measure it from the fills */
    bool entries_forbidden;
    bool refuses_entries;   /* the newest connection report that was read is not READY */
    int64_t banned_mono_us; /* the same for its request limit */
    int64_t held_mono_us;   /* most of it is used, as the newest report says, until then */
    int refused_count;      /* symbols that trade no entries, by the newest reports read */
    struct symbol refused[CAPACITY_MIN];
    struct venue_capabilities can;
    const struct personality *who; /* NULL: the paper venue as it is */
    struct rng trait_rng;          /* for what personalities have beside the usual faults */
    int64_t market_us;             /* newest minute of the market, also those that are not sent */
    bool told_closed;              /* by the newest reports about hours */
    struct symbol delisted;        /* until it is listed again; none: empty */
    int64_t delisted_mono_us;
    bool no_dust; /* a fee has taken it */
    int hidden_next;
    struct hostile_hidden {
        int64_t until_us;
        char client_id[CLIENT_ID_SIZE];
    } hidden[HOSTILE_HIDDEN_MAX];
    const struct settings *settings;      /* with the limits */
    const struct driver *driver;          /* the sender of the orders */
    struct snapshot *snapshot;            /* of the step whose entry is checked */
    int64_t entries_us[HOSTILE_SENT_MAX]; /* when entries were made, market time */
    int entry_count;

    int64_t halted_mono_us;       /* the venue is halted until then */
    struct dec gap[CAPACITY_MIN]; /* factor on the prices of a symbol */

    /* Foreign positions as the venue knows them; they survive our crashes. */
    int foreign_count;
    struct venue_holding foreign[CAPACITY_MIN];
    bool foreign_order;        /* order "hand-1" is resting */
    struct dec foreign_profit; /* our profit from closing foreign positions, after fees */
    int closed_count;
    struct venue_report closed[HOSTILE_CLOSED_MAX]; /* our orders that closed them */

    struct events events; /* of the account; they survive our crashes */
    int event_orders;     /* made so far */

    bool has_listing;
    int64_t listed_mono_us;      /* when the venue took it */
    struct venue_report listing; /* the newest correct one */

    int report_count;
    struct hostile_report {
        int64_t due_us;
        struct venue_report report;
    } reports[HOSTILE_REPORTS_MAX];
    int call_count;
    struct hostile_call {
        int64_t due_us;
        bool amends; /* of `order`, only client_id, stop and target are used */
        bool paired; /* it has two orders */
        struct order order;
        struct order other;
    } calls[HOSTILE_CALLS_MAX]; /* sends and amendments under way */

    /* Stops and targets as orders of their own, as the venue knows them. */
    struct order half; /* the first order of a pair, whose second one is still to come */
    int leg_count;
    struct hostile_leg {
        struct order order;
        bool fired; /* it is a close at the paper venue now */
        bool again; /* and has to be sent there again */
    } legs[HOSTILE_LEGS_MAX];
    struct {
        struct symbol symbol;
        struct dec price;
    } stops[HOSTILE_STOPS_MAX]; /* a ring of the prices at which stops have ever rested */
    int64_t stop_count;

    int sent_count;
    char sent[HOSTILE_SENT_MAX][CLIENT_ID_SIZE];
    struct hostile_amend { /* a ring of requested amendments, also of processes that died */
        char client_id[CLIENT_ID_SIZE];
        struct dec stop;
        struct dec target;
    } amends[HOSTILE_AMENDS_MAX];

    char violation[160]; /* the first violated invariant; empty: none */

    int64_t amendments; /* counters for the totals */
    int64_t halts;
    int64_t gaps;
    int64_t foreigners;
    int64_t foreign_closed;
    int64_t partials;
    int64_t outdated;    /* outdated listings and reports */
    int64_t paged;       /* listings in more than one page */
    int64_t found_later; /* answers that an order does not exist, although it does */
    int64_t bans;
    int64_t holds;    /* times in which the request limit was nearly used up */
    int64_t closings; /* times in which a symbol was halted, or closing only */
    int64_t refusals; /* orders that a personality refused: hours, quantity, what is not there */
    int64_t ended;    /* orders that the venue ended, with a part filled or none */
    int64_t shortages;
    int64_t legs_placed;
    int64_t legs_moved;
    int64_t legs_fired;
    int64_t legs_refused;
    int64_t delistings;
    int64_t left; /* positions that were too small to be sold */
    int64_t maintenances;
};

/* who: NULL, or the personality. */
void hostile_init(struct hostile *h, const struct personality *who, struct rng *rng,
                  struct trading_store *store, const struct clock_fake *clock);
/* The process died: unread reports are lost, calls under way may still arrive. */
void hostile_crash(struct hostile *h);
/* Someone else opens or closes a position in this symbol at this price. Does nothing if we have a
 * position or an order there. */
void hostile_trade_foreign(struct hostile *h, struct symbol symbol, struct dec price, bool ours);
void hostile_halt(struct hostile *h, int64_t for_us);
/* The venue moves money, warns, or closes a position of ours. Returns whether it happened. */
bool hostile_happen(struct hostile *h, enum venue_event event, struct rng *rng);
/* Halted, as the venue has announced. */
void hostile_maintain(struct hostile *h, int64_t for_us);
/* The venue ends a resting order. False: there is none. */
bool hostile_end_order(struct hostile *h);
/* A fee that no report has is taken from a position of ours. False: there is none. */
bool hostile_take(struct hostile *h);
/* The venue lists the symbol no more, for a time: it refuses its orders, and ends those that rest.
 */
void hostile_delist(struct hostile *h, struct symbol symbol, int64_t for_us);
/* There is such a symbol. */
bool hostile_has_delisted(const struct hostile *h);
/* Orders of hostile_legs.c that rest. */
int hostile_legs_resting(const struct hostile *h);
/* A stop rests at this price; or has ever rested there. */
bool hostile_legs_has_stop(const struct hostile *h, struct symbol symbol, struct dec price);
bool hostile_legs_had_stop(const struct hostile *h, struct symbol symbol, struct dec price);
/* Nothing can be closed: halted, or outside its hours. */
bool hostile_is_closed(const struct hostile *h);
bool hostile_is_halted(const struct hostile *h);
void hostile_ban(struct hostile *h, int64_t for_us);
/* Most of the request limit is used, for a time. */
void hostile_hold(struct hostile *h, int64_t for_us);
/* A symbol is halted, or positions in it can only be reduced, for a time; its rules are those of
 * the paper venue. */
void hostile_close_symbol(struct hostile *h, const struct instrument *rules, int64_t for_us);
/* Whether this bracket was requested recently: it may be in effect before a newer one is. */
bool hostile_was_asked(const struct hostile *h, const char *client_id, struct dec stop,
                       struct dec target);
/* Nothing is under way in either direction. */
bool hostile_quiet(const struct hostile *h);

struct venue *hostile_venue(struct venue *inner, void *hostile);
struct source *hostile_source(struct source *inner, void *hostile);
