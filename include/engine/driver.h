/*
 * driver.h: one round of the engine and everything around it: database, venue, market, shared
 * state.
 *
 *     struct driver *driver = driver_new(&options, shared);
 *     while (running) {
 *         int64_t wait_us = driver_round(driver);  // wait at most this long, then the next round
 *     }
 *     driver_finish(driver);
 *     driver_free(driver);
 *
 * The engine thread runs this in a loop; the simulator runs it on a fake clock with a hostile
 * venue. A round runs in this order, so that a crash at any moment is harmless: the venue receives
 * the minute and writes its own book; the step; its inputs to the flight recorder; its outputs
 * committed in one transaction; only then orders to the venue, then the snapshot, events, and the
 * state file. A failed write of the state file stops nothing. When one of the other writes fails,
 * the same outputs are retried for one second, unless they close something or an emergency stop is
 * active. After that the driver is "behind" and rounds continue:
 * - Outputs wait in memory (backlog.h) and are committed together, in order, once the disk accepts
 *   writes. The recorder and the venue buffer their data too and write it first.
 * - No entry is made or sent. An order that closes is sent once its intent is in the reserve
 *   (reserve.h), which needs no new disk space. Cancellations and queries are sent as usual.
 * - The trading state and requests that pause, close or stop are written to the reserve too, and
 *   answered then. A request whose effect must be in trading.db is refused.
 * - After ten seconds trading is paused until a person resumes it.
 * After a crash in this time, a start reads trading.db and the reserve and asks the venue for the
 * rest. On a disk that takes seconds for a commit, outputs that nobody waits for are committed with
 * a later step, so that commits take at most a fifth of the time.
 * The very first start imports a .trading_state.json from the state folder (state_file.h). A
 * damaged one prevents trading from starting, since it may hold positions.
 * Thread: one at a time per driver.
 */
#pragma once

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/reserve.h"
#include "market/source.h"
#include "model/shared.h"
#include "model/venue_settings.h"
#include "store/trading.h"
#include "venue/live_market.h"
#include "venue/venue.h"

/* Longest time between two rounds. */
#define DRIVER_ROUND_US (250 * USEC_PER_MSEC)
/* Minutes of market history before the first start: 200 hourly bars, the capacity of a window. */
#define DRIVER_WARM_UP_MIN 12000

struct driver_options {
    /* Copied. Holds the journals, the state file and, unless store is given, trading.db. NULL (only
     * with a store): no journals and no state file. */
    const char *state_dir;
    struct settings settings;
    struct venue_settings venue;
    struct clock *clock;
    /* Of MARKET_LIVE: its feed runs, and outlives the driver. */
    struct live_market *market;
    /* For the simulator; NULL: the driver makes its own. They must outlive the driver. */
    struct trading_store *store;
    struct reserve *reserve;
    struct source *(*wrap_source)(struct source *own, void *userdata);
    struct venue *(*wrap_venue)(struct venue *own, void *userdata);
    void *userdata;
};

struct driver;

/* Checks that the configured market can be opened, and returns the step of its candles. For
 * start-up, while an operator still sees the error: the driver itself only reports it and retries.
 */
int driver_check_market(const struct settings *settings, int64_t *ret_step_us, struct err *err);

/* Never NULL. Opens nothing; the first round does. */
struct driver *driver_new(const struct driver_options *options, struct shared *shared);
/* An orderly end: writes everything that was deferred. driver_free alone acts like a crash. */
void driver_finish(struct driver *driver);
void driver_free(struct driver *driver);

/* Runs one round; returns how long the caller may wait before the next, 0..DRIVER_ROUND_US, unless
 * driver_fd becomes readable. */
int64_t driver_round(struct driver *driver);
/* The venue's descriptor; -1: none. */
int driver_fd(const struct driver *driver);

/* For tests: the newest published snapshot, and the engine; NULL engine: not open yet. */
const struct snapshot *driver_snapshot(const struct driver *driver);
const struct engine *driver_engine(const struct driver *driver);
struct venue *driver_venue(const struct driver *driver); /* not wrapped; NULL: none yet */
