/*
 * recorder_rig.h: a driver with a state folder, which records its runs and keeps the state file.
 * Its market and venue can be made unreliable, by seed.
 *
 *     struct recorder_rig f;
 *     recorder_rig_open(&f, &settings, seed);      // NULL: the defaults; seed 0: nothing fails
 *     recorder_rig_run(&f, 600);                   // rounds of a market minute
 *     recorder_rig_restart(&f);                    // as after kill -9
 *     recorder_rig_close(&f);
 *
 * Thread: the test's.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "engine/driver.h"
#include "store/trading.h"

struct recorder_rig {
    char folder[64];
    struct clock_fake clock;
    struct shared shared;
    struct trading_store *store;
    struct settings settings;
    struct driver *driver;
    struct rng rng;
    bool faulty;
    struct source source;
    struct source *inner_source;
    struct venue venue;
    struct venue *inner_venue;
    bool holds;
    struct venue_report held; /* a report that is repeated later */
    int64_t next_request;
};

void recorder_rig_open(struct recorder_rig *f, const struct settings *settings, uint64_t seed);
/* Call before the first driver starts: creates the folder and the store, starts nothing. */
void recorder_rig_prepare(struct recorder_rig *f, const struct settings *settings, uint64_t seed);
void recorder_rig_start(struct recorder_rig *f);
void recorder_rig_round(struct recorder_rig *f, int64_t advance_us);
void recorder_rig_run(struct recorder_rig *f, int64_t minutes);
void recorder_rig_restart(struct recorder_rig *f);
void recorder_rig_ask(struct recorder_rig *f, const struct request *request); /* sets its id */
void recorder_rig_close(struct recorder_rig *f);
/* Writes "<folder>/<name>" to dst; returns dst. */
const char *recorder_rig_path(const struct recorder_rig *f, const char *name, char dst[256]);
