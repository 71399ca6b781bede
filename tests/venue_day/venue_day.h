/*
 * venue_day.h: the parts of a day of trading at the fake of a venue. venue_day.c begins and ends
 * it; trader.c is the process that trades, killer.c the one that kills it, mishaps.c what goes
 * wrong at the venue, judge.c compares the books with the fake's. faults.c lets each mishap of the
 * table happen once, and judges after each.
 *
 *     pid = fork(); if (pid == 0) trader_trade(&day, last);
 *     good = killer_live_through(&day) && killer_settle(&day);      // or faults_each(&day) first
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

enum { BINANCE = 1, BINANCE_FUTURES = 2, KRAKEN = 4, COINBASE = 8, ALPACA = 16 };

struct day_venue {
    unsigned which;
    const char *name;        /* also of the fake */
    const char *stream_path; /* after the address of the fake's streams */
    const char *symbols[DAY_SYMBOLS];
    bool margined; /* positions instead of coins */
    /* Told to the fake before each life: a day passes in seconds here, so its limits are far too
     * low, and a clock that is read again is behind the last nonce. NULL: nothing. */
    const char *before_life;
    int fills;      /* fewer prove nothing */
    int64_t limits; /* see faster_begin */
};

/* So many requests may be under way when the venue's clock jumps, or when it asks for a pause. */
#define UNDER_WAY_MAX    4
#define MISHAP_NAME_SIZE 160

/* What goes wrong at the venue: commands of its fake. */
struct mishap {
    const char *begin; /* one a line; %s is the first symbol */
    const char *end;   /* what ends it; NULL: it ends by itself */
    int64_t for_us;    /* by the venue's clock, until its end */
    const char *met;   /* the name by which the fake counts that it has taken effect */
    unsigned venues;   /* where it means something; 0: everywhere */
    bool refuses;      /* a stop: its position has to be closed, with an alert */
    bool halts;        /* the first symbol: afterwards it has to be traded again */
    bool slow;         /* where the clocks are those of the machine */
    int64_t limits;    /* requests that may be sent before it is known that none may be */
    int64_t jumps;     /* requests that may have a wrong time or nonce */
};

/* What the process that trades tells the one that kills it. */
struct day_told {
    _Atomic int64_t minutes; /* since the day began */
    _Atomic int64_t ready;   /* lives that could trade */
    _Atomic int64_t fills;   /* in the books */
    _Atomic int64_t moved;   /* stops, by a person */
    _Atomic int64_t refused; /* alerts that a stop was refused */
    _Atomic bool settled;    /* everything is answered during this pause */
    /* The other way round. */
    _Atomic bool pause; /* no new positions, and the market is slow */
};

struct day {
    const struct day_venue *venue;
    uint64_t seed;
    struct rng rng;
    int64_t minutes, kills, faults, speed;
    bool each;        /* fault once, by its name */
    const char *only; /* faults whose names have this in them; NULL: all */
    int64_t times;    /* see faster.h */
    int64_t since_s;  /* the same */
    char folder[64];
    char log[96];
    char stream_url[96];
    struct fake_venue *fake;
    struct day_told *told;
    pid_t trader;
    int lives;
    int64_t fault_count, next_fault;
    int64_t jumps_met;            /* requests that may have a wrong time */
    int late_left;                /* more of them, which the machine has held up */
    int64_t limits_met;           /* mishaps after which no request may be sent for a while */
    const struct mishap *mishap;  /* NULL: none is under way */
    int64_t mishap_us;            /* since when */
    int64_t off[DAY_SYMBOLS + 1]; /* between books and account, of each symbol and the cash, told */
    int told_count;               /* of what is wrong: it stays so, and counts once */
    char *told_texts[64];
    int failures;
    int checks;
};

/* Counts and prints what is wrong; returns `good`. */
__attribute__((format(printf, 3, 4))) bool day_check(struct day *d, bool good, const char *format,
                                                     ...);

void day_result(struct day *d, int failures_before, const char *name);

/* ---- trader.c ---- */
/* Ends by a kill, or, the last time, when everything is settled: status 0, or 3 if it is not. */
_Noreturn void trader_trade(struct day *d, bool last);

/* ---- killer.c ---- */
void killer_start(struct day *d, bool last);
/* False: it has ended by itself, which counts as wrong. */
bool killer_is_alive(struct day *d);
void killer_pause(int64_t us);
bool killer_live_through(struct day *d);
/* One more life, in which trading is paused, until everything is answered. */
bool killer_settle(struct day *d);
void killer_end(struct day *d);

/* ---- mishaps.c ---- */
int mishaps_count(void);
const struct mishap *mishaps_at(int i);
bool mishap_is_for(const struct mishap *m, const struct day_venue *venue);
void mishap_name(const struct day *d, const struct mishap *m, char ret[MISHAP_NAME_SIZE]);
void mishap_begin(struct day *d, const struct mishap *m);
void mishap_end(struct day *d, const struct mishap *m);
void mishap_tell(struct day *d, const char *lines);

/* ---- faults.c ---- */
/* Each mishap that means something at the venue, in a life of its own if it comes with a kill. */
void faults_each(struct day *d);

/* ---- judge.c ---- */
void judge_compare(struct day *d);
/* At the end: how much has happened. */
void judge_sum_up(struct day *d);
/* After a stop was refused: its position is closed. */
void judge_refused(struct day *d);
