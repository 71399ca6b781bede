/*
 * ops_watch.h: looks at the engine and at the clocks, and raises and resolves the alerts that come
 * of it. Private to this room.
 *
 *     ops_watch_init(&watch, &(struct ops_watch_options){.alerts = alerts, ...});
 *     ops_watch_event(&watch, &event);          // for each event of the bus
 *     ops_watch_tick(&watch, desk_snapshot(desk));      // every second
 *     if (ops_watch_alive(&watch)) notify_watchdog();  // at half the manager's period
 *
 * Alerts: "trading:breaker" (risk, high) while the breaker is tripped; "engine:stale" (service,
 * critical) while the engine's heartbeat has stopped; "command:emergency stop is not verified",
 * which the command raises, is resolved here once the venue lists nothing; "engine:<CODE>" for what
 * the engine reports, resolved when it was not reported again for ten minutes; "clock:jump" (data,
 * medium); "ops:away" (service, medium) when the ops loop served nobody for OPS_AWAY_ALERT_US,
 * resolved likewise. Each absence above LOOP_AWAY_US is counted in struct shared, and logged at
 * most once a minute. Always true: a trouble that is reported in every round is raised at most once
 * a minute. When an alert cannot be stored it is logged, at most once a minute, and tried again at
 * the next tick. Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "model/event.h"
#include "model/shared.h"
#include "model/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct alerts;
struct ops_store;

/* Raised by commands/emergency_stop.yaml. */
#define OPS_STOP_ALERT       "command:emergency stop is not verified"
#define OPS_FAULTS_MAX       16
#define OPS_FAULT_REPEAT_US  USEC_PER_MIN
#define OPS_FAULT_QUIET_US   (10 * USEC_PER_MIN)
#define OPS_CLOCK_JUMP_US    (2 * USEC_PER_SEC)
#define OPS_CLOCK_TRUSTED_US USEC_PER_DAY
#define OPS_AWAY_ALERT_US    (500 * USEC_PER_MSEC)
#define OPS_AWAY_QUIET_US    (10 * USEC_PER_MIN)

struct ops_watch_options {
    const struct clock *clock;
    struct shared *shared;
    struct alerts *alerts;
    struct ops_store *store; /* what the last process left open is watched on */
};

/* Whether an alert's condition holds, and whether the store knows. */
enum ops_watch_notified { OPS_NOTIFIED_NOTHING, OPS_NOTIFIED_RAISED, OPS_NOTIFIED_RESOLVED };

struct ops_fault {
    int err_id; /* 0: a free place */
    int64_t seen_mono_us;
    int64_t raised_mono_us; /* 0: not yet */
    uint64_t count;
};

struct ops_watch {
    struct ops_watch_options options;
    enum ops_watch_notified breaker;
    enum ops_watch_notified stale;
    bool stop_verified; /* no emergency stop waits for its verification, and the store knows */
    struct ops_fault faults[OPS_FAULTS_MAX];
    int64_t drift_us; /* wall minus monotonic, as of the last tick */
    bool jump_waits;  /* a jump was noticed and its alert is not stored yet */
    int64_t jump_us;
    enum ops_watch_notified away;
    int64_t away_us; /* the longest absence that no alert told yet, and whose it was; 0: none */
    const char *away_source;
    int64_t away_seen_mono_us;
    int64_t away_logged_mono_us;
    uint64_t away_unlogged;   /* absences since then */
    int64_t distrust_mono_us; /* until then the wall clock may be far ahead by mistake */
    int64_t logged_mono_us;   /* of the last complaint that an alert could not be stored */
};

void ops_watch_init(struct ops_watch *watch, const struct ops_watch_options *options);
void ops_watch_event(struct ops_watch *watch, const struct event *event);
/* The ops loop served nobody for so long; a loop_absence_fn (io/loop.h). userdata is the watch. */
void ops_watch_absence(int64_t away_us, const char *source, void *userdata);
/* Also writes the heartbeat of ops. */
void ops_watch_tick(struct ops_watch *watch, const struct snapshot *snapshot);
/* False for a day after the clock went forward by a day or more: nothing is deleted for its age
 * before somebody could have set it right. */
bool ops_watch_trusts_clock(const struct ops_watch *watch);
/* Were both heartbeats fresh at this moment? */
bool ops_watch_alive(const struct ops_watch *watch);
