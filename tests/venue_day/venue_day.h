/*
 * venue_day.h: the parts of a day of trading at the fake of a venue. venue_day.c begins and ends
 * it; trader.c is the process that trades, killer.c the one that kills it and lets the venue
 * misbehave, judge.c compares the books with the fake's.
 *
 *     pid = fork(); if (pid == 0) trader_trade(&day, last);
 *     good = killer_live_through(&day) && killer_settle(&day);
 *     judge_compare(&day);
 *
 * struct day is in both processes; only `told` is shared. Thread: main, of each.
 */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "fakes/fake_venue.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DAY_SYMBOLS 2

struct day_venue {
    const char *name;        /* also of the fake */
    const char *stream_path; /* after the address of the fake's streams */
    const char *symbols[DAY_SYMBOLS];
    bool margined; /* positions instead of coins */
    /* Told to the fake before each life: a day passes in seconds here, so its limits are far too
     * low, and a clock that is read again is behind the last nonce. NULL: nothing. */
    const char *before_life;
    int fills; /* fewer prove nothing */
};

struct mishap;

/* What the process that trades tells the one that kills it. */
struct day_told {
    _Atomic int64_t minutes; /* since the day began */
    _Atomic int64_t ready;   /* lives that could trade */
    _Atomic int64_t fills;   /* in the books */
    _Atomic int64_t moved;   /* stops, by a person */
};

struct day {
    const struct day_venue *venue;
    uint64_t seed;
    struct rng rng;
    int64_t minutes, kills, faults, speed;
    char folder[64];
    char log[96];
    char stream_url[96];
    struct fake_venue *fake;
    struct day_told *told;
    pid_t trader;
    int lives;
    int64_t fault_count, next_fault;
    int64_t jumps_met;           /* requests that may have a wrong time */
    int64_t limits_met;          /* mishaps after which no request may be sent for a while */
    const struct mishap *mishap; /* NULL: none is under way */
    int64_t mishap_us;           /* since when */
    int failures;
    int checks;
};

/* Counts and prints what is wrong; returns `good`. */
__attribute__((format(printf, 3, 4))) bool day_check(struct day *d, bool good, const char *format,
                                                     ...);

/* ---- trader.c ---- */
/* Ends by a kill, or, the last time, when everything is settled: status 0, or 3 if it is not. */
_Noreturn void trader_trade(struct day *d, bool last);

/* ---- killer.c ---- */
bool killer_live_through(struct day *d);
/* One more life, in which trading is paused, until everything is answered. */
bool killer_settle(struct day *d);
void killer_end(struct day *d);

/* ---- judge.c ---- */
void judge_compare(struct day *d);
