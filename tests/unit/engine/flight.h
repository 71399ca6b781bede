/*
 * flight.h: a driver with a state folder, which records its runs and keeps the state file. Its
 * market and venue can be made unreliable, by seed.
 *
 *     struct flight f;
 *     flight_open(&f, &settings, seed);      // NULL: the defaults; seed 0: nothing fails
 *     flight_run(&f, 600);                   // rounds of a market minute
 *     flight_restart(&f);                    // as after kill -9
 *     flight_close(&f);
 *
 * Thread: the test's.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "engine/driver.h"
#include "store/trading.h"

struct flight {
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

void flight_open(struct flight *f, const struct settings *settings, uint64_t seed);
/* Call before the first driver starts: creates the folder and the store, starts nothing. */
void flight_prepare(struct flight *f, const struct settings *settings, uint64_t seed);
void flight_start(struct flight *f);
void flight_round(struct flight *f, int64_t advance_us);
void flight_run(struct flight *f, int64_t minutes);
void flight_restart(struct flight *f);
void flight_ask(struct flight *f, const struct request *request); /* sets its id */
void flight_close(struct flight *f);
/* Writes "<folder>/<name>" to dst; returns dst. */
const char *flight_path(const struct flight *f, const char *name, char dst[256]);
