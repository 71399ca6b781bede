/*
 * machine.h: a simulated machine with systemd and services that crash, hang and start slowly, in
 * place of io/units.h and of the answers of their URLs. Helper threads have no capacity here.
 *
 *     struct units *machine = machine_new(loop);
 *     struct sim *web = machine_add(machine, "web");
 *     machine_watch(machine, health);                // after health_new, before health_start
 *     loop_advance(loop, step); machine_step(machine);
 *     machine_crash(web);
 *     machine_free(machine);                         // after health_free
 *
 * Thread: one.
 */
#pragma once

#include "base/clock.h"
#include "io/units.h"

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_SERVICES 12

struct health;
struct loop;

enum sim_process { SIM_RUNNING, SIM_STARTING, SIM_STOPPING, SIM_WAITING, SIM_FAILED };

struct sim {
    struct units *machine;
    char name[32];
    char unit[48];
    /* what it is */
    bool notifies;      /* Type=notify: systemd waits until it is ready */
    int64_t start_us;   /* from its start until it is ready */
    int64_t stop_us;    /* until it has ended */
    int64_t latency_us; /* of an answer */
    int64_t restart_us; /* systemd starts it again so long after it has died; 0: does not */
    struct sim *needs;  /* NULL: nothing */
    int64_t needs_us;   /* it is affected so long after what it needs */
    bool needs_hangs;   /* it does not answer then; otherwise it answers HTTP 500 */
    /* what is wrong with it */
    bool hung;
    bool wrong;              /* answers what it should not, until it is restarted */
    bool broken;             /* the same, and a restart does not help */
    bool refuses;            /* does not accept connections, though it runs */
    int failing_checks;      /* so many of the next checks fail */
    int64_t stalled_mono_us; /* it answers only after this time */
    int doomed_starts;       /* so many of its next starts fail */
    int64_t life_us;         /* it dies so long after each start; 0: it lives */
    /* how it is */
    enum sim_process process;
    int32_t pid;
    uint32_t restarts;     /* by systemd */
    int64_t until_mono_us; /* of starting, stopping, waiting */
    int64_t dies_mono_us;  /* 0: it lives */
    bool sick;             /* for want of what it needs */
    int64_t turns_mono_us; /* when sick changes; 0: it does not */
    /* the job under way */
    bool killed; /* about to be */
    bool forced; /* the restart that follows is part of it */
    units_job_fn job;
    void *job_userdata;
};

struct units *machine_new(struct loop *loop);
void machine_free(struct units *machine);
struct sim *machine_add(struct units *machine, const char *name);
/* Called when a unit is to be restarted over units.h, before it is. */
void machine_on_restart(struct units *machine, void (*fn)(struct sim *sim, void *userdata),
                        void *userdata);
/* Lets the machine answer the URLs of the services. */
void machine_watch(struct units *machine, struct health *health);
/* What follows from the time that has passed. */
void machine_step(struct units *machine);

void machine_crash(struct sim *sim);
/* As an administrator does, without nightdesk. */
void machine_restart(struct sim *sim);
/* It runs, and does what it should, apart from what it needs. */
bool sim_is_sound(const struct sim *sim);
bool sim_is_well(const struct sim *sim); /* also what it needs */
