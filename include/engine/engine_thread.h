/*
 * engine_thread.h: the driver of live and paper trading: a thread around engine_step.
 *
 *     struct engine_options options = {.state_dir = "var", .settings = settings,
 *                                      .clock = clock_real()};
 *     struct engine_thread *thread;
 *     rc = engine_thread_start(&options, crossing, &thread, err);
 *     ...
 *     engine_thread_stop(thread);      // ends it, joins it, frees it
 *
 * What it does, each round, at most 250 ms apart: beats, takes requests and settings, takes due
 * candles and the venue's reports, steps, commits the journal in one transaction, and only then
 * sends orders, publishes events and the snapshot.
 * Start-up is recovery: one path, whether the last stop was clean or kill -9. What goes wrong
 * (a database that is locked, full or damaged, a venue that does not answer) is told as
 * TOPIC_FAULT and in the snapshot; the thread keeps serving and tries again; nothing is opened
 * meanwhile.
 * Ownership: the crossing outlives the thread. trading.db and paper.db in state_dir are its own.
 * Thread: start and stop from main.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "model/settings.h"
#include "model/shared.h"

struct engine_options {
    const char *state_dir; /* exists; copied */
    struct settings settings;
    struct clock *clock; /* NULL is clock_real() */
};

struct engine_thread;

/* Fails only when no thread can be made (ERR_ENGINE_THREAD). */
int engine_thread_start(const struct engine_options *options, struct shared *shared,
                        struct engine_thread **ret, struct err *err);
/* Finishes the round that is under way, then ends. NULL is fine. */
void engine_thread_stop(struct engine_thread *thread);
