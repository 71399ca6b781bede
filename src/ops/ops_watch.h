/*
 * ops_watch.h: watches the engine and the clocks, and raises and resolves their alerts. Private to
 * this module.
 *
 *     ops_watch_init(&watch, &(struct ops_watch_options){.alerts = alerts, ...});
 *     ops_watch_event(&watch, &event);          // for each event of the bus
 *     ops_watch_tick(&watch, desk_snapshot(desk));      // every second
 *     if (ops_watch_alive(&watch)) notify_watchdog();  // at half systemd's watchdog period
 *
 * Alerts: "trading:breaker" (risk, high) while the breaker is tripped; "engine:stale" (service,
 * critical) while the engine's heartbeat is stale; "command:emergency stop is not verified", which
 * the command raises, is resolved here when the venue lists no position and no order; "feed:stale"
 * (data, high) while candles have stopped although the market goes on;
 * "engine:<CODE>" for a fault that the engine reports, resolved after ten minutes without it;
 * "clock:jump" (data, medium); "ops:away" (service, medium) when the ops loop was blocked for
 * OPS_AWAY_ALERT_US, resolved after ten minutes without it. Each absence of the loop above
 * LOOP_AWAY_US is counted in struct shared and logged at most once a minute.
 * Always true: a fault that is reported in every step is raised at most once a minute. An alert
 * that cannot be stored is logged at most once a minute and retried at the next tick. Thread: ops.
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
    struct ops_store *store; /* engine alerts that the last process left open are adopted from it */
};

/* The state of an alert as this process last stored it. */
enum ops_stored_alert { OPS_STORED_NOTHING, OPS_STORED_RAISED, OPS_STORED_RESOLVED };

struct ops_fault {
    int err_id; /* 0: a free slot */
    int64_t seen_mono_us;
    int64_t raised_mono_us; /* 0: not raised yet */
    uint64_t count;
};

struct ops_watch {
    struct ops_watch_options options;
    enum ops_stored_alert breaker;
    enum ops_stored_alert stale;
    enum ops_stored_alert feed;
    bool stop_verified; /* no emergency stop awaits verification, and its alert is resolved */
    struct ops_fault faults[OPS_FAULTS_MAX];
    int64_t drift_us;  /* wall minus monotonic clock at the last tick */
    bool jump_pending; /* a jump was detected and its alert is not stored yet */
    int64_t jump_us;
    enum ops_stored_alert away;
    int64_t away_us;         /* the longest absence without an alert yet; 0: none */
    const char *away_source; /* the event source that caused it */
    int64_t away_seen_mono_us;
    int64_t away_logged_mono_us;
    uint64_t away_unlogged;   /* absences since away_logged_mono_us */
    int64_t distrust_mono_us; /* until then the wall clock may be wrongly far ahead */
    int64_t logged_mono_us;   /* when "could not store an alert" was last logged */
};

void ops_watch_init(struct ops_watch *watch, const struct ops_watch_options *options);
void ops_watch_event(struct ops_watch *watch, const struct event *event);
/* The ops loop was blocked for away_us; a loop_absence_fn (io/loop.h). userdata is the watch. */
void ops_watch_absence(int64_t away_us, const char *source, void *userdata);
/* Checks all conditions and updates the heartbeat of ops. */
void ops_watch_tick(struct ops_watch *watch, const struct snapshot *snapshot);
/* False for a day after the clock jumped forward by a day or more. Nothing is deleted by age during
 * that time, so that the operator can correct the clock. */
bool ops_watch_trusts_clock(const struct ops_watch *watch);
/* Whether the heartbeats of all threads that run are fresh now. */
bool ops_watch_alive(const struct ops_watch *watch);
