/*
 * sim.h: what the simulation of sim.c and its checks share.
 *
 * sim.c starts, crashes and feeds one seed after the other; sim_check.c looks after each round,
 * each restart and at the end whether what must always be true is true. Thread: main.
 */
#pragma once

#include "engine/driver.h"
#include "sim/hostile.h"
#include "venue/paper.h"

#define CLEARS_MAX 1024

/* The engine's state that must survive a crash. */
struct sim_memory {
    bool valid; /* and all of it is on disk */
    struct engine_state state;
    int position_count;
    struct position positions[POSITIONS_LIMIT];
};

struct sim {
    uint64_t seed;
    struct rng rng;
    struct clock_fake clock;
    struct shared shared;
    struct trading_store *store;
    struct settings settings;
    struct hostile hostile;
    struct driver *driver;
    struct bus_reader reader;
    struct venue_settings venue;
    struct instrument price_rules; /* of the venue */

    struct rng disk_rng;  /* for the disk faults */
    struct rng rule_rng;  /* for limits of requests and rules of symbols */
    struct rng event_rng; /* for events of the account */
    bool has_events;      /* half of the seeds */
    struct reserve *reserve;
    int64_t outage_mono_us;   /* all writes fail until then */
    bool outage_all;          /* and those of the reserve */
    int64_t answered_stop_id; /* the newest answered one */
    int64_t stop_id;          /* the newest requested one */
    int clear_count;
    int64_t clear_ids[CLEARS_MAX];
    bool stop_reported; /* an emergency stop was reported as active */
    double write_fails; /* probability that a write fails; it is retried */
    double write_kills; /* probability that the process dies at a write */
    int64_t next_request;
    struct request last_request;
    struct snapshot *before; /* published before the round */
    struct sim_memory known; /* the engine's state at that time */
    int64_t stopped_mono_us; /* start of an emergency stop that is not verified flat yet */
    int64_t differ_mono_us;  /* since when a bracket differs from the venue's */
    int64_t beyond_mono_us;  /* since when an entry is alive while the exposure exceeds a limit */
    int ignored_halts;       /* consecutive rounds */
    int crashes;
    char what[256];
};

/* Totals over all seeds: a simulation in which nothing happens proves nothing. */
struct sim_totals {
    int64_t trades;
    int64_t crashes;
    int64_t outages;
    int64_t outage_crashes;
    int64_t outage_trades;
    int64_t stops;
    int64_t unknown;
    int64_t refused;
    int64_t partials;
    int64_t outdated;
    int64_t payments;
    int64_t amendments;
    int64_t amended; /* brackets changed by the venue */
    int64_t halts;
    int64_t gaps;
    int64_t foreigners;
    int64_t foreign_closed;
    int64_t paged;
    int64_t found_later;
    int64_t bans;
    int64_t holds;
    int64_t closings;
    int64_t refusals;
    int64_t ended;
    int64_t legs_placed;
    int64_t legs_moved;
    int64_t legs_fired;
    int64_t legs_refused;
    int64_t delistings;
    int64_t shortages;
    int64_t left;
    int64_t maintenances;
    int64_t bare; /* venues without brackets */
    int64_t transfers;
    int64_t margin_calls;
    int64_t liquidations;
    int64_t closed; /* by the venue for another reason */
};
extern struct sim_totals sim_totals;

/* Notes the first failure of a seed; always returns false. */
__attribute__((format(printf, 2, 3))) bool sim_fail(struct sim *sim, const char *format, ...);
/* Starts the driver from what is on disk. */
void sim_start(struct sim *sim);
const struct paper *sim_paper(const struct sim *sim);

/* ---- sim_check.c ---- */
void sim_save_memory(const struct sim *sim, struct sim_memory *ret);
bool sim_check_restart(struct sim *sim, const struct sim_memory *died);
void sim_receive(struct sim *sim);
bool sim_check_round(struct sim *sim, bool halted);
bool sim_check_end(struct sim *sim);
