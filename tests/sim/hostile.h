/*
 * hostile.h: a network and a feed that do everything they can get away with, seeded.
 *
 *     hostile_init(&h, &rng, inner_store);
 *     options.wrap_venue = hostile_venue; options.wrap_source = hostile_source;
 *     options.userdata = &h;
 *
 * Between engine and venue: calls that never arrive, arrive late, or arrive and are not answered;
 * reports that come late, twice, in another order, or not at all; rejections. Between market and
 * engine: minutes that are missing, impossible, old, or from the future. What the interface
 * promises is kept: after NOT_KNOWN an order does not appear, and every call is sooner or later
 * heard of, if only by silence.
 * It also watches: an order must be on disk as PREPARED before it gets here, and come once; an
 * entry has to keep to the limits and to carry a stop. Thread: the simulator's.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "market/source.h"
#include "store/state_table.h"
#include "store/trading.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define HOSTILE_REPORTS_MAX 128
#define HOSTILE_CALLS_MAX   64
#define HOSTILE_SENT_MAX    8192

struct hostile {
    struct venue venue;
    struct source source;
    struct venue *inner;
    struct source *inner_source;
    struct trading_store *store;
    struct rng *rng;
    const struct clock_fake *clock;
    double evil; /* 0: a perfect network; 1: the usual faults */
    bool dead;   /* the process has crashed: nothing leaves it any more */
    bool entries_forbidden;
    double equity;       /* as last published: for the size limit */
    double max_notional; /* per cent of it */
    int cooldown_count;  /* as they stood before the round */
    struct engine_cooldown cooldowns[SYMBOLS_MAX];

    int report_count;
    struct hostile_report {
        int64_t due_us;
        struct venue_report report;
    } reports[HOSTILE_REPORTS_MAX];
    int call_count;
    struct hostile_call {
        int64_t due_us;
        struct order order;
    } calls[HOSTILE_CALLS_MAX]; /* sends on their way */

    int sent_count;
    char sent[HOSTILE_SENT_MAX][CLIENT_ID_SIZE];
    char complaint[160]; /* the first invariant that broke; empty: none */
};

void hostile_init(struct hostile *h, struct rng *rng, struct trading_store *store,
                  const struct clock_fake *clock);
/* The process is gone: what it had not read is lost, what it had sent may still arrive. */
void hostile_crash(struct hostile *h);
/* Nothing is under way in either direction. */
bool hostile_quiet(const struct hostile *h);

struct venue *hostile_venue(struct venue *inner, void *hostile);
struct source *hostile_source(struct source *inner, void *hostile);
