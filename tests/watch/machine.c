#include "watch/machine.h"

#include "../../src/health/health_internal.h"
#include "base/check.h"
#include "health/health.h"
#include "io/loop.h"
#include "io/pool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUS_US     (2 * USEC_PER_MSEC) /* until systemd has answered */
#define CALLS      256
#define WATCHES    64
#define FIRST_PID  1000
#define BRIEFLY_US (USEC_PER_SEC / 2) /* the life of a start that fails */

/* A question to systemd. */
struct bus_call {
    struct units *machine;
    struct loop_source *timer; /* NULL: free */
    struct sim *sim;
    units_state_fn fn;
    void *userdata;
};

struct units_watch {
    struct units *machine;
    struct loop_source *timer; /* NULL: free */
    char unit[48];
    units_watch_fn fn;
    void *userdata;
};

struct units {
    struct loop *loop;
    struct sim sims[MACHINE_SERVICES];
    size_t count;
    int32_t last_pid;
    struct bus_call calls[CALLS];
    struct units_watch watches[WATCHES];
    void (*on_restart)(struct sim *sim, void *userdata);
    void *on_restart_userdata;
};

static struct units *the_machine; /* a check knows no machine */

static int64_t mono_us(const struct units *machine)
{
    return clock_mono_us(loop_clock(machine->loop));
}

struct units *machine_new(struct loop *loop)
{
    struct units *machine = calloc(1, sizeof(*machine));
    ASSERT(machine != NULL);
    machine->loop = loop;
    machine->last_pid = FIRST_PID;
    the_machine = machine;
    return machine;
}

void machine_free(struct units *machine)
{
    for (size_t i = 0; i < CALLS; i++) {
        loop_source_free(machine->calls[i].timer);
    }
    for (size_t i = 0; i < WATCHES; i++) {
        loop_source_free(machine->watches[i].timer);
    }
    free(machine);
}

struct sim *machine_add(struct units *machine, const char *name)
{
    ASSERT(machine->count < MACHINE_SERVICES);
    struct sim *sim = &machine->sims[machine->count++];
    *sim = (struct sim){.machine = machine,
                        .start_us = USEC_PER_SEC,
                        .stop_us = USEC_PER_SEC / 4,
                        .latency_us = 20 * USEC_PER_MSEC,
                        .pid = ++machine->last_pid};
    (void)snprintf(sim->name, sizeof(sim->name), "%s", name);
    (void)snprintf(sim->unit, sizeof(sim->unit), "%s.service", name);
    return sim;
}

void machine_on_restart(struct units *machine, void (*fn)(struct sim *sim, void *userdata),
                        void *userdata)
{
    machine->on_restart = fn;
    machine->on_restart_userdata = userdata;
}

/* ------------------------------------------------------------------ the life of a service */

bool sim_is_sound(const struct sim *sim)
{
    return sim->process == SIM_RUNNING && !sim->hung && !sim->wrong && !sim->broken &&
           !sim->refuses && sim->stalled_mono_us <= mono_us(sim->machine);
}

bool sim_is_well(const struct sim *sim)
{
    return sim_is_sound(sim) && !sim->sick;
}

static void changed(const struct sim *sim)
{
    for (size_t i = 0; i < WATCHES; i++) {
        const struct units_watch *watch = &sim->machine->watches[i];
        if (watch->timer != NULL && strcmp(watch->unit, sim->unit) == 0) {
            loop_timer_in(watch->timer, BUS_US);
        }
    }
}

static void end_job(struct sim *sim, enum err_id id)
{
    units_job_fn fn = sim->job;
    struct err err = {0};
    sim->job = NULL;
    if (fn != NULL) {
        if (id != ERR_NONE) {
            (void)err_set(&err, id, "%s", sim->unit);
        }
        fn(&err, sim->job_userdata);
    }
}

static void begin_start(struct sim *sim)
{
    int64_t now_us = mono_us(sim->machine);
    sim->process = SIM_STARTING;
    sim->pid = ++sim->machine->last_pid;
    sim->hung = sim->wrong = false;
    sim->stalled_mono_us = 0;
    sim->until_mono_us = now_us + sim->start_us;
    sim->dies_mono_us = sim->life_us > 0 ? now_us + sim->life_us : 0;
    if (sim->doomed_starts > 0) {
        sim->doomed_starts--;
        sim->dies_mono_us = now_us + BRIEFLY_US;
        sim->until_mono_us = now_us + 2 * BRIEFLY_US;
    }
    changed(sim);
    if (!sim->notifies) {
        end_job(sim, ERR_NONE);
    }
}

static void die(struct sim *sim)
{
    sim->dies_mono_us = 0;
    sim->process = sim->restart_us > 0 ? SIM_WAITING : SIM_FAILED;
    sim->until_mono_us = mono_us(sim->machine) + sim->restart_us;
    changed(sim);
    end_job(sim, ERR_UNITS_FAILED);
}

void machine_crash(struct sim *sim)
{
    if (sim->process == SIM_RUNNING || sim->process == SIM_STARTING) {
        die(sim);
    }
}

void machine_restart(struct sim *sim)
{
    sim->process = SIM_STOPPING;
    sim->until_mono_us = mono_us(sim->machine) + sim->stop_us;
    sim->dies_mono_us = 0;
    changed(sim);
}

static void feel_what_it_needs(struct sim *sim, int64_t now_us)
{
    bool lacks = !sim_is_well(sim->needs);
    if (lacks == sim->sick) {
        sim->turns_mono_us = 0;
    } else if (sim->turns_mono_us == 0) {
        sim->turns_mono_us = now_us + sim->needs_us;
    } else if (now_us >= sim->turns_mono_us) {
        sim->sick = lacks;
        sim->turns_mono_us = 0;
    }
}

static void be_killed(struct sim *sim, int64_t now_us)
{
    sim->killed = false;
    sim->dies_mono_us = 0;
    sim->process = sim->restart_us > 0 ? SIM_WAITING : SIM_FAILED;
    sim->until_mono_us = now_us + sim->restart_us;
    changed(sim);
    end_job(sim, ERR_NONE);
}

static void step(struct sim *sim, int64_t now_us)
{
    if (sim->killed) {
        be_killed(sim, now_us);
    } else if (sim->dies_mono_us != 0 && now_us >= sim->dies_mono_us) {
        die(sim);
    } else if (sim->process == SIM_STOPPING && now_us >= sim->until_mono_us) {
        begin_start(sim);
    } else if (sim->process == SIM_WAITING && now_us >= sim->until_mono_us) {
        sim->restarts++;
        begin_start(sim);
    } else if (sim->process == SIM_STARTING && now_us >= sim->until_mono_us) {
        sim->process = SIM_RUNNING;
        changed(sim);
        end_job(sim, ERR_NONE);
    }
    if (sim->needs != NULL) {
        feel_what_it_needs(sim, now_us);
    }
}

void machine_step(struct units *machine)
{
    for (size_t i = 0; i < machine->count; i++) {
        step(&machine->sims[i], mono_us(machine));
    }
}

/* ------------------------------------------------------------------ systemd: units.h */

static struct sim *by_unit(struct units *machine, const char *unit)
{
    for (size_t i = 0; i < machine->count; i++) {
        if (strcmp(machine->sims[i].unit, unit) == 0) {
            return &machine->sims[i];
        }
    }
    return NULL;
}

static void fill(const struct sim *sim, struct units_state *ret)
{
    static const struct {
        const char *active, *sub;
    } words[] = {[SIM_RUNNING] = {"active", "running"},
                 [SIM_STARTING] = {"active", "running"},
                 [SIM_STOPPING] = {"deactivating", "stop-sigterm"},
                 [SIM_WAITING] = {"activating", "auto-restart"},
                 [SIM_FAILED] = {"failed", "failed"}};
    bool notified = sim->process == SIM_STARTING && sim->notifies;
    bool gone = sim->process == SIM_WAITING || sim->process == SIM_FAILED;
    *ret = (struct units_state){.load = "loaded",
                                .main_pid = gone ? 0 : sim->pid,
                                .exit_code = gone ? CLD_EXITED : 0,
                                .exit_status = gone ? 1 : 0,
                                .has_job = sim->process == SIM_STOPPING || notified,
                                .restarts = sim->restarts};
    (void)snprintf(ret->name, sizeof(ret->name), "%s", sim->unit);
    (void)snprintf(ret->active, sizeof(ret->active), "%s",
                   notified ? "activating" : words[sim->process].active);
    (void)snprintf(ret->sub, sizeof(ret->sub), "%s", notified ? "start" : words[sim->process].sub);
    (void)snprintf(ret->result, sizeof(ret->result), "%s", gone ? "exit-code" : "success");
}

static void answer_bus(void *userdata)
{
    struct bus_call *call = userdata;
    struct units_state state;
    struct err err = {0};
    units_state_fn fn = call->fn;
    fill(call->sim, &state);
    loop_source_free(call->timer);
    call->timer = NULL;
    fn(&state, &err, call->userdata);
}

int units_get(struct units *units, const char *unit, int64_t timeout_ms, units_state_fn fn,
              void *userdata, struct err *err)
{
    (void)timeout_ms, (void)err;
    for (size_t i = 0; i < CALLS; i++) {
        struct bus_call *call = &units->calls[i];
        if (call->timer == NULL) {
            *call = (struct bus_call){.machine = units,
                                      .timer = loop_add_timer(units->loop, answer_bus, call),
                                      .sim = by_unit(units, unit),
                                      .fn = fn,
                                      .userdata = userdata};
            ASSERT(call->sim != NULL);
            loop_timer_in(call->timer, BUS_US);
            return 0;
        }
    }
    ASSERT(false);
    return -ERR_UNITS_UNAVAILABLE;
}

void units_forget(struct units *units, const void *userdata)
{
    for (size_t i = 0; units != NULL && i < CALLS; i++) {
        if (units->calls[i].userdata == userdata) {
            loop_source_free(units->calls[i].timer);
            units->calls[i].timer = NULL;
        }
    }
    for (size_t i = 0; units != NULL && i < units->count; i++) {
        if (units->sims[i].job_userdata == userdata) {
            units->sims[i].job = NULL;
        }
    }
}

static void tell_watch(void *userdata)
{
    const struct units_watch *watch = userdata;
    watch->fn(watch->userdata);
}

struct units_watch *units_watch(struct units *units, const char *unit, units_watch_fn fn,
                                void *userdata)
{
    for (size_t i = 0; i < WATCHES; i++) {
        struct units_watch *watch = &units->watches[i];
        if (watch->timer == NULL) {
            *watch = (struct units_watch){.machine = units,
                                          .timer = loop_add_timer(units->loop, tell_watch, watch),
                                          .fn = fn,
                                          .userdata = userdata};
            (void)snprintf(watch->unit, sizeof(watch->unit), "%s", unit);
            return watch;
        }
    }
    ASSERT(false);
    return NULL;
}

void units_unwatch(struct units_watch *watch)
{
    if (watch != NULL) {
        loop_source_free(watch->timer);
        watch->timer = NULL;
    }
}

int units_job(struct units *units, enum units_verb verb, const char *unit, int64_t timeout_ms,
              units_job_fn fn, void *userdata, struct err *err)
{
    struct sim *sim = by_unit(units, unit);
    (void)timeout_ms, (void)err;
    ASSERT(sim != NULL && verb == UNITS_RESTART);
    if (sim->process != SIM_FAILED || !sim->forced) {
        units->on_restart(sim, units->on_restart_userdata);
    }
    sim->forced = false;
    sim->job = fn;
    sim->job_userdata = userdata;
    machine_restart(sim);
    return 0;
}

int units_kill(struct units *units, const char *unit, int64_t timeout_ms, units_job_fn fn,
               void *userdata, struct err *err)
{
    struct sim *sim = by_unit(units, unit);
    (void)timeout_ms, (void)err;
    ASSERT(sim != NULL);
    units->on_restart(sim, units->on_restart_userdata);
    sim->killed = sim->forced = true;
    sim->job = fn;
    sim->job_userdata = userdata;
    return 0;
}

bool units_name_valid(const char *name)
{
    return name[0] != '\0';
}

bool units_available(void)
{
    return true;
}

/* ------------------------------------------------------------------ helper threads: pool.h */

struct pool_job *pool_start(struct pool *pool, const struct pool_work *work, struct err *err)
{
    (void)pool, (void)work;
    (void)err_set(err, ERR_POOL_BUSY, "simulated");
    return NULL;
}

void pool_cancel(struct pool_job *job)
{
    ASSERT(job == NULL);
}

struct pool *pool_new(struct loop *loop, const struct pool_options *options, struct err *err)
{
    (void)loop, (void)options;
    (void)err_set(err, ERR_POOL_BUSY, "simulated");
    return NULL;
}

void pool_free(struct pool *pool)
{
    ASSERT(pool == NULL);
}

/* ------------------------------------------------------------------ answers of the URLs */

struct request {
    struct loop_source *timer;
    const char *failure; /* NULL: it is well */
    bool timed_out;
};

static void answer(void *userdata)
{
    struct check *check = userdata;
    const struct request *request = check->own;
    if (request->failure == NULL) {
        check_pass(check);
        return;
    }
    check->fault = request->timed_out ? CHECK_HUNG : check->fault;
    check_fail(check, "%s", request->failure);
}

static struct sim *sim_of(const struct check *check)
{
    for (size_t i = 0; i < the_machine->count; i++) {
        if (strcmp(the_machine->sims[i].name, check->service->config->name) == 0) {
            return &the_machine->sims[i];
        }
    }
    return NULL;
}

static void begin(struct check *check)
{
    struct sim *sim = sim_of(check);
    struct request *request = check->own;
    ASSERT(sim != NULL);
    if (request == NULL) {
        check->own = request = calloc(1, sizeof(*request));
        ASSERT(request != NULL);
        request->timer = loop_add_timer(the_machine->loop, answer, check);
    }
    int64_t limit_us = check_timeout_us(check);
    int64_t stalled_us = sim->stalled_mono_us - mono_us(the_machine);
    int64_t takes_us = sim->latency_us + (stalled_us > 0 ? stalled_us : 0);
    bool hangs = sim->hung || (sim->sick && sim->needs_hangs);
    request->failure = NULL;
    request->timed_out = false;
    if (sim->process != SIM_RUNNING || sim->refuses) {
        request->failure = "could not connect";
        takes_us = USEC_PER_MSEC;
    } else if (hangs || takes_us >= limit_us) {
        request->failure = "no answer in time";
        request->timed_out = true;
        takes_us = limit_us;
    } else if (sim->wrong || sim->broken) {
        request->failure = "the answer does not have \"ok\"";
        check->fault = CHECK_WRONG;
    } else if (sim->sick || sim->failing_checks > 0) {
        request->failure = "HTTP 500, expected 200 to 299";
        check->fault = CHECK_WRONG;
    }
    sim->failing_checks -= sim->failing_checks > 0 ? 1 : 0;
    loop_timer_in(request->timer, takes_us);
}

static void cancel(struct check *check)
{
    loop_timer_stop(((struct request *)check->own)->timer);
}

static void release(struct check *check)
{
    struct request *request = TAKE(check->own);
    if (request != NULL) {
        loop_source_free(request->timer);
        free(request);
    }
}

static const struct check_kind simulated = {
    .name = "url", .begin = begin, .cancel = cancel, .release = release};

void machine_watch(struct units *machine, struct health *health)
{
    (void)machine;
    for (size_t i = 0; i < health->count; i++) {
        for (size_t c = 0; c < health->services[i]->check_count; c++) {
            struct check *check = health->services[i]->checks[c];
            if (check->kind == &check_url) {
                check->kind = &simulated;
            }
        }
    }
}
