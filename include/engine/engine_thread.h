/*
 * engine_thread.h: the driver of live and paper trading: a thread around engine_step.
 *
 *     struct engine_options options = {.state_dir = "var", .settings = settings,
 *                                      .clock = clock_real()};
 *     struct engine_thread *thread;
 *     rc = engine_thread_start(&options, shared, &thread, err);
 *     ...
 *     engine_thread_stop(thread);      // stops, joins and frees it
 *
 * Each round, at most 250 ms apart: updates the heartbeat, accepts requests and settings, reads due
 * candles and the venue's reports, steps, commits the journal in one transaction, and only then
 * sends orders and publishes the snapshot and the events.
 * Every start is a recovery, whether the last stop was clean or a kill -9. A failure (a database
 * that is locked, full or damaged, a venue that does not answer) is reported as TOPIC_FAULT and in
 * the snapshot; the thread keeps running and retries, and nothing is opened meanwhile.
 * Ownership: `shared` must outlive the thread. The thread opens trading.db in state_dir itself; the
 * venue may keep its own book there.
 * Thread: start and stop from main.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "model/settings.h"
#include "model/shared.h"
#include "model/venue_settings.h"

struct engine_options {
    const char *state_dir; /* must exist; copied */
    struct settings settings;
    struct venue_settings venue;
    struct live_plan live; /* of MARKET_LIVE */
    struct clock *clock;   /* NULL: clock_real() */
};

struct engine_thread;

/* Fails only if no thread can be created (ERR_ENGINE_THREAD). */
int engine_thread_start(const struct engine_options *options, struct shared *shared,
                        struct engine_thread **ret, struct err *err);
/* Finishes the current round, then stops. NULL is allowed. */
void engine_thread_stop(struct engine_thread *thread);
