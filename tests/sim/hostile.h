/*
 * hostile.h: a network and a feed that do everything they can get away with, seeded.
 *
 *     hostile_init(&h, &rng, inner_store);
 *     options.wrap_venue = hostile_venue; options.wrap_source = hostile_source;
 *     options.userdata = &h;
 *
 * Between engine and venue: calls that never arrive, arrive late, or arrive and are not answered;
 * reports that come late, twice, in another order, or not at all; rejections; a venue that cannot
 * measure a bracket from the fills; positions and fills that are seconds behind the orders; halts,
 * in which the venue neither trades nor answers. Between market and engine: minutes that are
 * missing, impossible, old, or from the future, and prices that jump from one minute to the next.
 * On the account: positions and orders of somebody else, who comes and goes. What the interface
 * promises is kept: after NOT_KNOWN an order does not appear, after a final state nothing fills,
 * and every call is sooner or later heard of, if only by silence. It also watches: an order must be
 * on disk as PREPARED before it gets here, and come once; an entry has to keep to the limits and to
 * carry a stop; an amendment must be on disk, and leave a stop; during an emergency stop nothing
 * else closes. Thread: the simulator's.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "engine/driver.h"
#include "engine/reserve.h"
#include "market/source.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "store/trading.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define HOSTILE_REPORTS_MAX 128
#define HOSTILE_CALLS_MAX   64
#define HOSTILE_SENT_MAX    8192
#define HOSTILE_CLOSED_MAX  256
#define HOSTILE_AMENDS_MAX  256
/* How far positions may be behind orders. */
#define HOSTILE_LAG_US (3 * USEC_PER_SEC)
/* Ids of fills that only exist here: of what somebody else's positions fetched. */
#define HOSTILE_FILL_ID INT64_C(1000000000000)

struct hostile {
    struct venue venue;
    struct source source;
    struct venue *inner;
    struct source *inner_source;
    struct trading_store *store;
    struct reserve *reserve; /* an intent may stand here as well; set by the owner */
    struct rng *rng;
    const struct clock_fake *clock;
    double evil; /* 0: a perfect network; 1: the usual faults */
    bool dead;   /* the process has crashed: nothing leaves it any more */
    bool prices; /* it takes a bracket as prices, and does not measure it from the fills */
    bool entries_forbidden;
    const struct settings *settings;      /* the limits */
    const struct driver *driver;          /* whose orders these are */
    struct snapshot snapshot;             /* of the step whose entry is looked at */
    int64_t entries_us[HOSTILE_SENT_MAX]; /* when the entries were made, market time */
    int entry_count;

    int64_t halted_mono_us;      /* the venue is halted until then */
    struct dec gap[SYMBOLS_MAX]; /* what the prices of a symbol are multiplied by */

    /* Somebody else's, as the venue knows them; they outlive a crash of ours. */
    int foreign_count;
    struct venue_holding foreign[SYMBOLS_MAX];
    bool foreign_order;        /* "hand-1" rests */
    struct dec foreign_profit; /* what closing such positions brought us, after fees */
    int closed_count;
    struct venue_report closed[HOSTILE_CLOSED_MAX]; /* our orders that closed them */

    bool has_listing;
    int64_t listed_mono_us;      /* when the venue looked for it */
    struct venue_report listing; /* the newest true one */

    int report_count;
    struct hostile_report {
        int64_t due_us;
        struct venue_report report;
    } reports[HOSTILE_REPORTS_MAX];
    int call_count;
    struct hostile_call {
        int64_t due_us;
        bool amends; /* only client_id, stop and target of the order count */
        struct order order;
    } calls[HOSTILE_CALLS_MAX]; /* sends and amendments on their way */

    int sent_count;
    char sent[HOSTILE_SENT_MAX][CLIENT_ID_SIZE];
    struct hostile_amend { /* what was asked for, also by a process that died: a ring */
        char client_id[CLIENT_ID_SIZE];
        struct dec stop;
        struct dec target;
    } amends[HOSTILE_AMENDS_MAX];

    char complaint[160]; /* the first invariant that broke; empty: none */

    int64_t amendments; /* what happened, for the totals */
    int64_t halts;
    int64_t gaps;
    int64_t foreigners;
    int64_t foreign_closed;
    int64_t partials;
    int64_t laggards; /* listings and reports that were behind the venue */
};

void hostile_init(struct hostile *h, struct rng *rng, struct trading_store *store,
                  const struct clock_fake *clock);
/* The process is gone: what it had not read is lost, what it had sent may still arrive. */
void hostile_crash(struct hostile *h);
/* Somebody else opens or closes a position in this symbol, which is at this price. Nothing when we
 * have something there. */
void hostile_meddle(struct hostile *h, struct symbol symbol, struct dec price, bool ours);
void hostile_halt(struct hostile *h, int64_t for_us);
bool hostile_is_halted(const struct hostile *h);
/* This bracket was asked for, lately: it may stand for a while before a newer one does. */
bool hostile_was_asked(const struct hostile *h, const char *client_id, struct dec stop,
                       struct dec target);
/* Nothing is under way in either direction. */
bool hostile_quiet(const struct hostile *h);

struct venue *hostile_venue(struct venue *inner, void *hostile);
struct source *hostile_source(struct source *inner, void *hostile);
