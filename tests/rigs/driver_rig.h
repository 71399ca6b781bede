/*
 * driver_rig.h: a driver on a fake clock with a database in memory, for the engine's tests.
 *
 *     struct driver_rig rig;
 *     driver_rig_open(&rig, NULL);
 *     driver_rig_run(&rig, 600);                 // market minutes
 *     driver_rig_restart(&rig);                  // as after kill -9
 *     driver_rig_close(&rig);
 *
 * Thread: the test's.
 */
#pragma once

#include "base/clock.h"
#include "engine/driver.h"
#include "market/simulated.h"
#include "store/trading.h"

struct driver_rig {
    struct clock_fake clock;
    struct shared shared;
    struct trading_store *store;
    struct reserve *reserve;
    struct settings settings;
    struct driver *driver;
    struct simulated *market; /* owned by the driver */
    bool pinned;
    enum climate climate;
    struct bus_reader events;
    int64_t next_request;
};

/* The default settings with seed 7. */
void driver_rig_settings(struct settings *settings);
/* Of the drivers and back-tests that begin; driver_rig_settings sets it to the defaults. */
extern struct venue_settings driver_rig_venue;
/* settings NULL: the defaults. */
void driver_rig_open(struct driver_rig *rig, const struct settings *settings);
void driver_rig_pin(struct driver_rig *rig,
                    enum climate climate); /* from now on, also after restarts */
void driver_rig_round(struct driver_rig *rig, int64_t advance_us);
/* Runs rounds until this many market minutes have passed. */
void driver_rig_run(struct driver_rig *rig, int64_t minutes);
void driver_rig_run_until_open(struct driver_rig *rig); /* until there is a position */
void driver_rig_restart(struct driver_rig *rig);
void driver_rig_close(struct driver_rig *rig);

/* Sends a request and runs until it is answered; returns the err id of the answer. */
int driver_rig_ask(struct driver_rig *rig, enum request_kind kind, const char *symbol);
int driver_rig_ask_again(struct driver_rig *rig, const struct request *request);

static inline const struct snapshot *driver_rig_snapshot(const struct driver_rig *rig)
{
    return driver_snapshot(rig->driver);
}
