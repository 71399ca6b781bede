/*
 * units.h: systemd's units over D-Bus (sd-bus): look at one, start, stop, restart it.
 *
 *     struct units *units = units_new(loop, err);         // UNITS_UNAVAILABLE without systemd
 *     units_job(units, UNITS_RESTART, "prediction.service", 30000, on_done, self, err);
 *
 * Always true: nothing waits; each call ends within its deadline; its callback runs exactly once,
 * from the loop, and not after units_free, which no callback may call. No interactive
 * authorisation is asked for: without a polkit rule a job ends in UNITS_DENIED. When the bus goes
 * away every call under way ends in UNITS_UNAVAILABLE and the next call connects anew.
 * A job that passes its deadline ends in UNITS_TIMEOUT; systemd continues it.
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
    char result[24]; /* of a service: success, exit-code, signal, …; else empty */
    char description[128];
    int32_t main_pid;      /* 0: none */
    uint32_t restarts;     /* automatic ones */
    int64_t since_wall_us; /* last change of state; 0: none known */
};

enum units_verb { UNITS_START, UNITS_STOP, UNITS_RESTART };

/* state is NULL when it failed. */
typedef void (*units_state_fn)(const struct units_state *state, const struct err *err,
                               void *userdata);
/* err->id is ERR_NONE when the job was done. */
typedef void (*units_job_fn)(const struct err *err, void *userdata);

/* Was this machine booted with systemd? Says nothing about rights. */
bool units_available(void);
/* A unit name that systemd would take: 1..255 bytes of [A-Za-z0-9:_.\@-] with a known suffix. */
bool units_name_valid(const char *name);

struct units *units_new(struct loop *loop, struct err *err);
void units_free(struct units *units);

/* A negative return means that the callback will not run. At most 64 calls at once. */
int units_get(struct units *units, const char *unit, int64_t timeout_ms, units_state_fn fn,
              void *userdata, struct err *err);
int units_job(struct units *units, enum units_verb verb, const char *unit, int64_t timeout_ms,
              units_job_fn fn, void *userdata, struct err *err);
