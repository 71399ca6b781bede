/*
 * driver.h: one round of the engine with everything around it: database, venue, market, crossing.
 *
 *     struct driver *driver = driver_new(&options, crossing);
 *     while (running) wait_us(driver_round(driver));
 *     driver_finish(driver);
 *     driver_free(driver);
 *
 * The engine thread is this in a loop; the simulator is this on a fake clock with a hostile venue.
 * Order of a round, which is what makes a crash at any moment harmless: the venue sees the minute
 * and writes its own book; the step; its inputs to the flight recorder; its outputs committed in
 * one transaction; only then orders to the venue, then events, the snapshot and the state file. The
 * state file is not worth stopping for.
 * When one of these writes fails, the same outputs are tried again for a second, unless they close
 * something or an emergency stop is active. Then the rounds go on, behind their disk:
 * - outputs wait in memory (backlog.h) and are committed together, in order, once the disk takes
 *   them; the recorder and the paper venue keep theirs the same way, and are written before them;
 * - entries do not leave and none is made. Orders that close leave once their intent is in the
 *   reserve (reserve.h), which needs no new room; cancellations and questions leave as they are;
 * - the trading state and the requests that pause, close or stop go to the reserve as well, and are
 *   answered then; a request whose effect has to be in trading.db is refused;
 * - after ten seconds trading is paused, until a person resumes it.
 * A crash meanwhile starts from trading.db and the reserve, and asks the venue for the rest.
 * A disk that takes seconds for a commit is spared: what nobody waits for is committed with a later
 * step, so that at most a fifth of the time goes into commits.
 * On the very first start a .trading_state.json in the state folder is imported (state_file.h); one
 * that is damaged keeps trading from starting, for it may hold positions.
 * Thread: one at a time per driver.
 */
#pragma once

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/reserve.h"
#include "market/source.h"
#include "model/shared.h"
#include "store/trading.h"
#include "venue/paper.h"

/* Rounds are at most this far apart. */
#define DRIVER_ROUND_US (250 * USEC_PER_MSEC)
/* Minutes of market history before the first start: 200 hourly bars, as many as a window holds. */
#define DRIVER_WARM_UP_MIN 12000

struct driver_options {
    /* Copied. Of trading.db unless store is given, the journals and the state file; NULL (only with
     * a store): neither is kept. */
    const char *state_dir;
    struct settings settings;
    struct clock *clock;
    /* For the simulator; NULL: the driver's own. They outlive the driver. */
    struct trading_store *store;
    struct reserve *reserve;
    struct source *(*wrap_source)(struct source *own, void *userdata);
    struct venue *(*wrap_venue)(struct venue *own, void *userdata);
    void *userdata;
};

struct driver;

/* Whether the market that is configured can be opened, and the step of its candles, while there is
 * still somebody at a terminal to tell: the driver itself only says so and tries again. */
int driver_check_market(const struct settings *settings, int64_t *ret_step_us, struct err *err);

/* Never NULL. Opens nothing yet: the first round does. */
struct driver *driver_new(const struct driver_options *options, struct shared *shared);
/* Ends what is put off: an orderly end before driver_free, which is as a crash is. */
void driver_finish(struct driver *driver);
void driver_free(struct driver *driver);

/* One round; returns how long may be waited before the next, 0..DRIVER_ROUND_US. */
int64_t driver_round(struct driver *driver);

/* For tests: the last published snapshot; NULL engine: not open yet. */
const struct snapshot *driver_snapshot(const struct driver *driver);
const struct engine *driver_engine(const struct driver *driver);
const struct paper *driver_paper(const struct driver *driver);
