/*
 * desk.h: a driver on a fake clock with a database in memory, for the engine's tests.
 *
 *     struct desk desk;
 *     desk_open(&desk, NULL);
 *     desk_run(&desk, 600);                 // market minutes
 *     desk_restart(&desk);                  // as after kill -9
 *     desk_close(&desk);
 *
 * Thread: the test's.
 */
#pragma once

#include "base/clock.h"
#include "engine/driver.h"
#include "market/simulated.h"
#include "store/trading.h"

struct desk {
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
void desk_settings(struct settings *settings);
/* settings NULL: the defaults. */
void desk_open(struct desk *desk, const struct settings *settings);
void desk_pin(struct desk *desk, enum climate climate); /* from now on, also after restarts */
void desk_round(struct desk *desk, int64_t advance_us);
/* Runs rounds until this many market minutes have passed. */
void desk_run(struct desk *desk, int64_t minutes);
void desk_run_until_open(struct desk *desk); /* until there is a position */
void desk_restart(struct desk *desk);
void desk_close(struct desk *desk);

/* Sends a request and runs until it is answered; returns the err id of the answer. */
int desk_ask(struct desk *desk, enum request_kind kind, const char *symbol);
int desk_ask_again(struct desk *desk, const struct request *request);

static inline const struct snapshot *desk_snapshot(const struct desk *desk)
{
    return driver_snapshot(desk->driver);
}
