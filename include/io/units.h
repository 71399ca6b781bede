/*
 * units.h: queries, watches, starts, stops and restarts systemd units over D-Bus (sd-bus).
 *
 *     struct units *units = units_new(loop, err);         // UNITS_UNAVAILABLE without systemd
 *     struct units_watch *watch = units_watch(units, "prediction.service", on_change, self);
 *     units_job(units, UNITS_RESTART, "prediction.service", 30000, on_done, self, err);
 *
 * Always true: no function blocks; each call ends within its timeout; its callback runs exactly
 * once, from the loop, and neither after units_forget nor after units_free, which no callback may
 * call. A watch hears each change of its unit as it happens; after a lost connection it is called
 * once, since changes may have been missed, and again from the next connection on. Interactive
 * authorisation is never requested: without a polkit rule a job fails with UNITS_DENIED. If the bus
 * connection is lost, every pending call fails with UNITS_UNAVAILABLE, and the next call
 * reconnects. A job that times out fails with UNITS_TIMEOUT; systemd continues it.
 * Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct units;

struct units_state {
    char name[256];
    char load[24];   /* loaded, not-found, masked, … */
    char active[24]; /* active, inactive, failed, activating, … */
    char sub[24];    /* running, dead, auto-restart, … */
    char group[256]; /* services: the control group, "/system.slice/demo.service"; "": none */
    char result[24]; /* services: success, exit-code, signal, …; other units: "" */
    char description[128];
    int32_t main_pid;      /* 0: none */
    int32_t exit_code;     /* of the last main process: CLD_EXITED, CLD_KILLED …; 0: none ended */
    int32_t exit_status;   /* its exit status, or the signal that ended it */
    bool has_job;          /* systemd is about to start or stop it */
    uint32_t restarts;     /* automatic restarts by systemd */
    int64_t since_wall_us; /* last change of state; 0: unknown */
};

#define UNITS_CALLS_MAX 1024

enum units_verb { UNITS_START, UNITS_STOP, UNITS_RESTART, UNITS_RELOAD };

/* state is NULL on failure. */
typedef void (*units_state_fn)(const struct units_state *state, const struct err *err,
                               void *userdata);
/* err->id is ERR_NONE if the job succeeded. */
typedef void (*units_job_fn)(const struct err *err, void *userdata);

/* True if this machine was booted with systemd. Does not check permissions. */
bool units_available(void);
/* True for a name that systemd accepts: 1..255 bytes of [A-Za-z0-9:_.\@-] and a known suffix. */
bool units_name_valid(const char *name);

struct units *units_new(struct loop *loop, struct err *err);
void units_free(struct units *units);

/* If the return value is negative, the callback does not run. At most UNITS_CALLS_MAX at a time. */
int units_get(struct units *units, const char *unit, int64_t timeout_ms, units_state_fn fn,
              void *userdata, struct err *err);
/* The callbacks of calls with this userdata will not run. Accepts NULL for units. */
void units_forget(struct units *units, const void *userdata);

struct units_watch;
typedef void (*units_watch_fn)(void *userdata);
/* fn runs from the loop after each change of the state of the unit; unit is copied. */
struct units_watch *units_watch(struct units *units, const char *unit, units_watch_fn fn,
                                void *userdata);
void units_unwatch(struct units_watch *watch); /* accepts NULL */

int units_job(struct units *units, enum units_verb verb, const char *unit, int64_t timeout_ms,
              units_job_fn fn, void *userdata, struct err *err);
/* Sends SIGKILL to all processes of the unit. fn: the signal was sent; the processes may still be
 * about to end, and systemd may start the unit again. */
int units_kill(struct units *units, const char *unit, int64_t timeout_ms, units_job_fn fn,
               void *userdata, struct err *err);
