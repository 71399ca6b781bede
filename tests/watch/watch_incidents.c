/*
 * Two hundred scripted incidents on a simulated machine: what nightdesk tells people about them,
 * and what it fixes alone. Checks, alerts, runner and auto-fix are the real ones, in virtual time
 * and at the default configuration, but that wrong answers may be cured by a restart; systemd and
 * the services are machine.h.
 *
 *     watch_incidents [--quick | --only N]
 *
 * An incident is a machine of its own with several services, of which one has a fault (or none that
 * is worth a message), while others have blips. What counts is the truth of the script, which
 * nightdesk does not know:
 *   real     a message says that a service is down while it is, and people should know
 *   once     a fault that people should know is reported in one message; a rise is another
 *   fixed    what a restart can cure is well within five minutes, without a person
 *   worse    nightdesk restarted what was sound or starting, or what it had to leave alone
 * Prints TAP for misses and a table; fails beyond the limits. The number of an incident is its
 * seed: --only N plays it again and prints each message.
 */
#include "access/access.h"
#include "alerts/alerts.h"
#include "base/auto.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "command/builtin.h"
#include "command/manifest.h"
#include "command/runner.h"
#include "config/config.h"
#include "health/autofix.h"
#include "health/health.h"
#include "io/db.h"
#include "io/embed.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/secret.h"
#include "store/maintenance_table.h"
#include "store/ops.h"
#include "watch/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INCIDENTS   200
#define START_US    (INT64_C(1796000000) * USEC_PER_SEC)
#define STEP_US     (USEC_PER_SEC / 4)
#define CALM_US     (4 * USEC_PER_MIN) /* before the fault */
#define WATCHED_US  (30 * USEC_PER_MIN)
#define REPAIR_US   (14 * USEC_PER_MIN) /* a person repairs it outside nightdesk */
#define FIX_US      (5 * USEC_PER_MIN)
#define FLAPS_US    (10 * USEC_PER_MIN)
#define WINDOW_US   (8 * USEC_PER_MIN) /* of maintenance, from the fault on */
#define LATE_US     (2 * USEC_PER_SEC) /* a message may cross with the end of the fault */
#define PERSON_US   (10 * USEC_PER_MIN)
#define ALERTS_CHAT 100

enum fault {
    CRASH,
    CRASH_TWICE,
    CRASH_LOOP,
    GONE,
    HANG,
    WRONG_BODY,
    WRONG_FOR_GOOD,
    BLIP,
    STALL,
    LONG_STALL,
    HEALED,
    FLAP,
    FLAP_UNIT,
    SLOW_START,
    SLOW_ADMIN,
    PARENT_CRASH,
    PARENT_HANG,
    MAINTENANCE,
    MAINTENANCE_OVER,
    PERSON,
    FAULTS
};

struct kind {
    const char *name;
    int share; /* of INCIDENTS */
    bool told;
    bool fixable;  /* a restart cures it */
    bool repaired; /* by a person, if nothing else does */
};

static const struct kind kinds[FAULTS] = {
    [CRASH] = {"a unit crashes", 18, true, true, false},
    [CRASH_TWICE] = {"crashes, and its first restart fails", 8, true, true, false},
    [CRASH_LOOP] = {"crashes at each start, systemd restarts it", 10, true, false, true},
    [GONE] = {"crashes, and no restart helps", 10, true, false, true},
    [HANG] = {"hangs", 22, true, true, false},
    [WRONG_BODY] = {"answers wrongly, until it is restarted", 8, true, true, true},
    [WRONG_FOR_GOOD] = {"answers wrongly, and no restart helps", 4, true, false, true},
    [BLIP] = {"one or two failed checks", 24, false, false, false},
    [STALL] = {"does not answer for 2 to 7 s", 12, false, false, false},
    [LONG_STALL] = {"hangs for 45 to 90 s, and recovers", 6, true, false, false},
    [HEALED] = {"a crash that systemd heals", 12, false, false, false},
    [FLAP] = {"20 s up, 20 s down", 10, true, false, false},
    [FLAP_UNIT] = {"systemd restarts it every 25 s", 6, true, false, false},
    [SLOW_START] = {"slow start after /restart", 14, false, false, false},
    [SLOW_ADMIN] = {"slow start after systemctl restart", 8, false, false, false},
    [PARENT_CRASH] = {"what others need crashes", 10, true, true, false},
    [PARENT_HANG] = {"what others need hangs", 8, true, true, false},
    [MAINTENANCE] = {"down within maintenance", 3, false, false, true},
    [MAINTENANCE_OVER] = {"down beyond maintenance", 2, true, false, true},
    [PERSON] = {"crashes while a person works on it", 5, true, false, false},
};

struct world {
    int number;
    enum fault fault;
    bool loud;
    struct rng rng;
    struct clock_fake clock;
    struct loop *loop;
    struct config *config;
    struct ops_store *store;
    struct units *machine;
    struct sim *sims[MACHINE_SERVICES];
    size_t count;
    struct sim *target;
    struct access *access;
    struct alerts *alerts;
    struct health *health;
    struct autofix *autofix;
    struct action_table *actions;
    struct builtin builtin;
    struct manifest_list *manifests;
    struct runner *runner;
    /* times since the start */
    int64_t now_us, fault_us;
    int64_t noise_us[MACHINE_SERVICES];
    bool begun, prepared, repaired;
    bool person_runs;
    int64_t person_us; /* begin of the last command of a person; 0: none */
    /* the outcome */
    int64_t unwell_us; /* the last time after the fault that the target was not well */
    int restarts, worse;
};

static const struct world *shown; /* its log is printed */

struct totals {
    int incidents, sent, real, due, once, fixable, fixed, worse, open;
};

/* ------------------------------------------------------------------ the world */

static void swallow(const struct log_line *line, void *userdata)
{
    (void)userdata;
    if (shown != NULL && line->level <= LOG_LEVEL_NOTICE) {
        printf("# %7.2f s: %s\n", (double)(shown->now_us - shown->fault_us) / USEC_PER_SEC,
               line->message);
    }
}

static int64_t between(struct world *w, int64_t low_us, int64_t high_us)
{
    return low_us + (int64_t)rng_below(&w->rng, (uint64_t)(high_us - low_us) + 1);
}

static void add_services(struct world *w)
{
    w->count = 4 + rng_below(&w->rng, 6);
    for (size_t i = 0; i < w->count; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "s%zu", i);
        struct sim *sim = w->sims[i] = machine_add(w->machine, name);
        sim->notifies = rng_chance(&w->rng, 0.4);
        sim->start_us = between(w, USEC_PER_SEC / 2, 9 * USEC_PER_SEC);
        sim->stop_us = between(w, USEC_PER_SEC / 10, 5 * USEC_PER_SEC);
        sim->latency_us = between(w, USEC_PER_MSEC, 250 * USEC_PER_MSEC);
        if (i > 0 && i < 4 && w->count > 4) { /* s0 is what several need */
            sim->needs = rng_chance(&w->rng, 0.7) ? w->sims[0] : w->sims[i - 1];
            sim->needs_us = between(w, USEC_PER_SEC / 2, 8 * USEC_PER_SEC);
            sim->needs_hangs = rng_chance(&w->rng, 0.4);
        }
        if (rng_chance(&w->rng, 0.5)) {
            w->noise_us[i] = between(w, CALM_US / 2, CALM_US + WATCHED_US / 2);
        }
    }
}

static void add_yaml(const struct world *w, struct buf *yaml)
{
    buf_addf(yaml,
             "telegram:\n  bot_token: \"123456789:FAKE-token_0123456789abcdefghijk\"\n"
             "  chat_id: %d\n  users: [{id: 7, name: alice, role: operator}]\nservices:\n",
             ALERTS_CHAT);
    for (size_t i = 0; i < w->count; i++) {
        const struct sim *sim = w->sims[i];
        buf_addf(yaml, "  %s: {unit: %s, url: 'http://h', restart_wrong: true", sim->name,
                 sim->unit);
        if (sim->needs != NULL) {
            buf_addf(yaml, ", depends_on: [%s]", sim->needs->name);
        }
        buf_add_c(yaml, "}\n");
    }
}

static bool is_quiet(void *userdata)
{
    (void)userdata;
    return true;
}

/* A restart over systemd, by a command: of a person, or of auto-fix. */
static void on_restart(struct sim *sim, void *userdata)
{
    struct world *w = userdata;
    bool sound = sim_is_sound(sim) || sim->process == SIM_STARTING;
    bool theirs = w->person_us != 0 && sim == w->target && w->now_us - w->person_us < PERSON_US;
    bool quiet = (w->fault == MAINTENANCE || w->fault == MAINTENANCE_OVER) && sim == w->target &&
                 w->now_us < w->fault_us + WINDOW_US;
    if (w->person_runs) {
        return;
    }
    w->restarts++;
    if (sound || theirs || quiet) {
        w->worse++;
    }
    if (w->loud) {
        printf("# %7.2f s: nightdesk restarts %s (of %s)%s\n",
               (double)(w->now_us - w->fault_us) / USEC_PER_SEC, sim->name, w->target->name,
               sound || theirs || quiet ? ", which makes it worse" : "");
    }
}

static void on_changed(void *userdata)
{
    (void)userdata;
}

static void load_manifests(struct world *w)
{
    static const char *const names[] = {"commands/restart.yaml", "commands/fix_crashed.yaml",
                                        "commands/fix_hung.yaml", "commands/fix_wrong.yaml"};
    struct embedded_file files[COUNT_OF(names) + 1] = {0};
    size_t n = 0;
    for (const struct embedded_file *file = embedded_files; file->path != NULL; file++) {
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            if (strcmp(file->path, names[i]) == 0) {
                files[n++] = *file;
            }
        }
    }
    ASSERT(n == COUNT_OF(names));
    ASSERT(manifest_list_read(w->actions, files, &w->manifests, NULL) == 0);
}

static void must(int rc, const struct err *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "%s: %s\n", err_info(err->id)->code, err->context);
        abort();
    }
}

static void open_commands(struct world *w)
{
    struct err err = {0};
    w->builtin = (struct builtin){.store = w->store, .clock = &w->clock.clock, .access = w->access};
    w->actions = action_table_new();
    builtin_actions(&w->builtin, w->actions);
    alerts_actions(w->alerts, w->actions);
    health_actions(w->health, w->actions);
    w->autofix = autofix_new(&(struct autofix_options){.clock = &w->clock.clock,
                                                       .store = w->store,
                                                       .access = w->access,
                                                       .alerts = w->alerts,
                                                       .quiet = is_quiet});
    autofix_actions(w->autofix, w->actions);
    load_manifests(w);
    w->builtin.manifests = w->manifests;
    must(runner_new(&(struct runner_options){.loop = w->loop,
                                             .clock = &w->clock.clock,
                                             .config = w->config,
                                             .store = w->store,
                                             .access = w->access,
                                             .actions = w->actions,
                                             .manifests = w->manifests,
                                             .outbox_changed = on_changed,
                                             .noted = alerts_note_run,
                                             .noted_userdata = w->alerts},
                    &w->runner, &err),
         &err);
    must(runner_recover(w->runner, &err), &err);
    autofix_start(w->autofix, w->manifests, w->runner);
}

static void begin_maintenance(struct world *w)
{
    struct maintenance m = {.until_us = START_US + w->fault_us + WINDOW_US, .user = "alice"};
    struct err err = {0};
    (void)snprintf(m.service, sizeof(m.service), "%s", w->target->name);
    must(maintenance_table_begin(w->store, &m, START_US, &err), &err);
}

static void open_world(struct world *w)
{
    struct err err = {0};
    AUTO_BUF struct buf yaml = BUF_INIT(8192);
    rng_init(&w->rng, (uint64_t)w->number);
    clock_fake_init(&w->clock, START_US);
    w->loop = loop_new_fake(&w->clock, &err);
    w->machine = machine_new(w->loop);
    add_services(w);
    bool parent = w->fault == PARENT_CRASH || w->fault == PARENT_HANG;
    w->target = w->sims[parent ? 0 : rng_below(&w->rng, w->count)];
    w->fault_us = between(w, CALM_US, CALM_US + USEC_PER_MIN);
    add_yaml(w, &yaml);
    must(config_parse(buf_str(&yaml), "incident", &w->config, NULL, &err), &err);
    must(ops_store_open(":memory:", OPS_STORE_WRITE, &w->store, &err), &err);
    if (w->fault == MAINTENANCE || w->fault == MAINTENANCE_OVER) {
        begin_maintenance(w);
    }
    must(access_new(w->config, w->store, &w->clock.clock, &w->access, &err), &err);
    must(alerts_new(&(struct alerts_options){.clock = &w->clock.clock,
                                             .config = w->config,
                                             .access = w->access,
                                             .store = w->store,
                                             .headless = true},
                    &w->alerts, &err),
         &err);
    must(health_new(&(struct health_options){.loop = w->loop,
                                             .config = w->config,
                                             .store = w->store,
                                             .alerts = w->alerts,
                                             .units = w->machine,
                                             .state_dir = "/nowhere"},
                    &w->health, &err),
         &err);
    open_commands(w);
    machine_on_restart(w->machine, on_restart, w);
    machine_watch(w->machine, w->health);
    health_start(w->health);
}

static void close_world(struct world *w)
{
    runner_free(w->runner);
    autofix_free(w->autofix);
    action_table_free(w->actions);
    manifest_list_free(w->manifests);
    health_free(w->health);
    machine_free(w->machine);
    alerts_free(w->alerts);
    access_free(w->access);
    ops_store_free(w->store);
    config_free(w->config);
    loop_free(w->loop);
}

/* ------------------------------------------------------------------ the script */

static void on_person_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct world *w = userdata;
    (void)reply;
    w->person_runs = false;
    if (w->loud) {
        printf("# %7.2f s: the command of the person ended: %s\n",
               (double)(w->now_us - w->fault_us) / USEC_PER_SEC,
               err == NULL ? "ok" : err_info(err->id)->message);
    }
}

static void person_restarts(struct world *w)
{
    static const struct principal alice = {CHANNEL_SOCKET, 7, "alice", ROLE_OPERATOR, false, ""};
    char line[64];
    struct err err = {0};
    (void)snprintf(line, sizeof(line), "restart %s", w->target->name);
    w->person_runs = true;
    w->person_us = w->now_us;
    must(runner_submit(w->runner,
                       &(struct invocation){.line = line,
                                            .who = &alice,
                                            .confirmed = true,
                                            .on_reply = on_person_reply,
                                            .userdata = w},
                       &err),
         &err);
}

/* What comes before the fault. */
static void prepare(struct world *w)
{
    struct sim *s = w->target;
    switch (w->fault) {
    case PERSON:
        person_restarts(w);
        break;
    case CRASH_TWICE:
        s->doomed_starts = 1;
        break;
    case GONE:
        s->doomed_starts = 1000;
        break;
    case CRASH_LOOP:
        s->restart_us = between(w, USEC_PER_SEC / 10, 5 * USEC_PER_SEC);
        s->life_us = between(w, 2 * USEC_PER_SEC, 6 * USEC_PER_SEC);
        break;
    case HEALED:
        s->restart_us = between(w, USEC_PER_SEC / 10, 2 * USEC_PER_SEC);
        s->start_us = between(w, USEC_PER_SEC / 10, 5 * USEC_PER_SEC);
        break;
    case FLAP_UNIT:
        s->restart_us = between(w, USEC_PER_SEC / 10, 3 * USEC_PER_SEC);
        s->start_us = between(w, USEC_PER_SEC / 10, 3 * USEC_PER_SEC);
        s->life_us = 25 * USEC_PER_SEC;
        break;
    case SLOW_START:
        s->start_us = between(w, 10 * USEC_PER_SEC, 50 * USEC_PER_SEC);
        break;
    case SLOW_ADMIN:
        s->start_us = between(w, 5 * USEC_PER_SEC, 25 * USEC_PER_SEC);
        break;
    case CRASH:
    case HANG:
    case WRONG_BODY:
    case WRONG_FOR_GOOD:
    case BLIP:
    case STALL:
    case LONG_STALL:
    case FLAP:
    case PARENT_CRASH:
    case PARENT_HANG:
    case MAINTENANCE:
    case MAINTENANCE_OVER:
    case FAULTS:
        break;
    }
}

static void begin_fault(struct world *w)
{
    struct sim *s = w->target;
    switch (w->fault) {
    case CRASH:
    case CRASH_TWICE:
    case CRASH_LOOP:
    case GONE:
    case HEALED:
    case FLAP_UNIT:
    case PARENT_CRASH:
    case MAINTENANCE:
    case MAINTENANCE_OVER:
    case PERSON:
        machine_crash(s);
        break;
    case HANG:
    case PARENT_HANG:
        s->hung = true;
        break;
    case WRONG_BODY:
        s->wrong = true;
        break;
    case WRONG_FOR_GOOD:
        s->broken = true;
        break;
    case BLIP:
        s->failing_checks = 1 + (int)rng_below(&w->rng, 2);
        break;
    case LONG_STALL:
        s->stalled_mono_us =
            clock_mono_us(&w->clock.clock) + between(w, 45 * USEC_PER_SEC, 90 * USEC_PER_SEC);
        break;
    case STALL:
        s->stalled_mono_us =
            clock_mono_us(&w->clock.clock) + between(w, 2 * USEC_PER_SEC, 7 * USEC_PER_SEC);
        break;
    case SLOW_START:
        person_restarts(w);
        break;
    case SLOW_ADMIN:
        machine_restart(s);
        break;
    case FLAP:
    case FAULTS:
        break;
    }
}

/* A person mends it, outside nightdesk. */
static void repair(struct sim *s)
{
    s->doomed_starts = 0;
    s->broken = false;
    s->life_us = s->dies_mono_us = 0;
    if (s->process == SIM_FAILED || s->process == SIM_WAITING || s->wrong || s->hung) {
        machine_restart(s);
    }
}

static void play(struct world *w)
{
    int64_t since_us = w->now_us - w->fault_us;
    struct sim *s = w->target;
    if (!w->prepared && since_us >= -USEC_PER_MIN) {
        w->prepared = true;
        prepare(w);
    }
    if (!w->begun && since_us >= 0) {
        w->begun = true;
        begin_fault(w);
    }
    if (w->fault == FLAP && w->begun) {
        s->refuses = since_us < FLAPS_US && since_us % (40 * USEC_PER_SEC) < 20 * USEC_PER_SEC;
    }
    if (w->fault == FLAP_UNIT && since_us >= FLAPS_US) {
        s->life_us = s->dies_mono_us = 0;
    }
    int64_t repair_us = w->fault == MAINTENANCE ? WINDOW_US / 2 : REPAIR_US;
    if (kinds[w->fault].repaired && !w->repaired && since_us >= repair_us) {
        w->repaired = true;
        if (!sim_is_sound(s) || s->life_us > 0) {
            repair(s);
        }
    }
    for (size_t i = 0; i < w->count; i++) {
        if (w->noise_us[i] > 0 && w->now_us >= w->noise_us[i]) {
            w->noise_us[i] = 0;
            w->sims[i]->failing_checks += w->sims[i] != s && sim_is_well(w->sims[i]) ? 1 : 0;
        }
    }
    if (w->begun && !sim_is_well(s)) {
        w->unwell_us = w->now_us;
    }
}

static void run(struct world *w)
{
    for (; w->now_us < w->fault_us + WATCHED_US; w->now_us += STEP_US) {
        play(w);
        loop_advance(w->loop, STEP_US);
        machine_step(w->machine);
        if (w->now_us % USEC_PER_SEC == 0) {
            alerts_tick(w->alerts, false);
            autofix_tick(w->autofix);
        }
    }
}

/* ------------------------------------------------------------------ the judgement */

/* Until when people should hear of it. */
static int64_t real_until_us(const struct world *w)
{
    int64_t flapping_us =
        w->fault == FLAP || w->fault == FLAP_UNIT || w->fault == CRASH_LOOP ? USEC_PER_MIN : 0;
    return w->unwell_us + flapping_us + LATE_US;
}

static void judge_message(const struct world *w, int64_t at_us, const char *title,
                          struct totals *totals, int *raised)
{
    char down[64], flapping[64];
    int64_t since_us = at_us - w->fault_us;
    if (w->loud) {
        printf("# %7.2f s: %s\n", (double)since_us / USEC_PER_SEC, title);
    }
    if (strncmp(title, "high · ", 8) != 0 && strncmp(title, "critical · ", 12) != 0) {
        return; /* resolved, or the end of maintenance */
    }
    (void)snprintf(down, sizeof(down), "· %s is down", w->target->name);
    (void)snprintf(flapping, sizeof(flapping), "· %s is flapping", w->target->name);
    bool about = strstr(title, down) != NULL || strstr(title, flapping) != NULL;
    int64_t from_us = w->fault == MAINTENANCE_OVER ? WINDOW_US : 0;
    bool real = kinds[w->fault].told && about && since_us >= from_us && at_us <= real_until_us(w);
    totals->sent++;
    totals->real += real ? 1 : 0;
    *raised += real && strncmp(title, "critical", 8) != 0 ? 1 : 0;
    if (!real) {
        printf("# incident %d (%s): false: %.1f s after its begin: %s\n", w->number,
               kinds[w->fault].name, (double)since_us / USEC_PER_SEC, title);
    }
}

static int judge_messages(const struct world *w, struct totals *totals)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct err err = {0};
    int raised = 0;
    int rc = db_query(ops_store_db(w->store),
                      "SELECT created_at_us, payload FROM outbox WHERE chat_id = ? AND kind = "
                      "'send' ORDER BY id",
                      DB_VALUES(DB_I64(ALERTS_CHAT)), &rows, &err);
    must(rc, &err);
    while (db_next(rows, &err) > 0) {
        AUTO_JSON struct json_object *payload = NULL;
        must(json_parse(db_text(rows, 1), &JSON_LIMITS_DEFAULT, &payload, &err), &err);
        judge_message(w, db_i64(rows, 0) - START_US, json_text(payload, "title"), totals, &raised);
    }
    return raised;
}

static void judge(const struct world *w, struct totals *totals)
{
    const struct kind *kind = &kinds[w->fault];
    int64_t open = 0;
    totals->incidents++;
    int raised = judge_messages(w, totals);
    if (kind->told) {
        totals->due++;
        totals->once += raised == 1 ? 1 : 0;
        if (raised != 1) {
            printf("# incident %d (%s): told %d times\n", w->number, kind->name, raised);
        }
    }
    if (kind->fixable) {
        bool fixed = !w->repaired || w->unwell_us < w->fault_us + REPAIR_US;
        fixed = fixed && w->unwell_us - w->fault_us <= FIX_US;
        totals->fixable++;
        totals->fixed += fixed ? 1 : 0;
        if (!fixed) {
            printf("# incident %d (%s): not fixed alone\n", w->number, kind->name);
        }
    }
    totals->worse += w->worse > 0 ? 1 : 0;
    if (w->worse > 0) {
        printf("# incident %d (%s): made worse\n", w->number, kind->name);
    }
    must(db_get_i64(ops_store_db(w->store),
                    "SELECT count(*) FROM monitoring_alerts WHERE status IN ('open', "
                    "'acknowledged')",
                    NULL, 0, 0, &open, NULL),
         NULL);
    totals->open += open > 0 ? 1 : 0;
    if (open > 0) {
        printf("# incident %d (%s): %lld alerts are open at its end\n", w->number, kind->name,
               (long long)open);
    }
}

static void play_incident(int number, enum fault fault, bool loud, struct totals *of_all,
                          struct totals *of_kind)
{
    AUTO_FREE struct world *w = calloc(1, sizeof(*w));
    struct totals t = {0};
    NEED_MEMORY(w != NULL);
    *w = (struct world){.number = number, .fault = fault, .loud = loud};
    shown = loud ? w : NULL;
    open_world(w);
    run(w);
    shown = NULL;
    judge(w, &t);
    close_world(w);
    int *const to[] = {(int *)of_all, (int *)of_kind};
    for (size_t k = 0; k < COUNT_OF(to); k++) {
        for (size_t i = 0; i < sizeof(t) / sizeof(int); i++) {
            to[k][i] += ((const int *)&t)[i];
        }
    }
}

/* The kinds take turns by their shares, so that any range of numbers is a mix. */
static enum fault fault_of(int number)
{
    int position = (int)((int64_t)number * 77 % INCIDENTS); /* 77 and 200 have no common factor */
    int at = 0;
    for (int k = 0; k < FAULTS; k++) {
        at += kinds[k].share;
        if (position < at) {
            return (enum fault)k;
        }
    }
    ASSERT(false);
    return CRASH;
}

static double percent(int part, int whole)
{
    return whole == 0 ? 100 : 100.0 * part / whole;
}

static void print_row(const char *name, const struct totals *t)
{
    printf("%-44s | %9d | %4d/%-4d | %4d/%-4d | %4d/%-4d | %5d\n", name, t->incidents, t->real,
           t->sent, t->once, t->due, t->fixed, t->fixable, t->worse);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    int only = argc > 2 && strcmp(argv[1], "--only") == 0 ? (int)strtol(argv[2], NULL, 10) : -1;
    struct totals all = {0}, by_kind[FAULTS] = {0};
    ASSERT(secret_init(NULL) == 0);
    log_set_sink(swallow, NULL);
    int first = only >= 0 ? only : 0;
    int end = only >= 0 ? only + 1 : quick ? INCIDENTS / 5 : INCIDENTS;
    for (int number = first; number < end; number++) {
        enum fault fault = fault_of(number);
        if (only >= 0) {
            printf("# incident %d: %s\n", number, kinds[fault].name);
        }
        play_incident(number, fault, only >= 0, &all, &by_kind[fault]);
    }
    printf("%-44s | %9s | %9s | %9s | %9s | %5s\n", "incident", "how often", "real", "told once",
           "fixed", "worse");
    for (int k = 0; k < FAULTS; k++) {
        if (by_kind[k].incidents > 0) {
            print_row(kinds[k].name, &by_kind[k]);
        }
    }
    print_row("all", &all);
    const struct {
        const char *what;
        double is, limit;
    } limits[] = {
        {"of the messages are real", percent(all.real, all.sent), 95},
        {"of the real faults are reported once", percent(all.once, all.due), 98},
        {"of the fixable are fixed alone within 5 min", percent(all.fixed, all.fixable), 70},
        {"of the incidents are not made worse", percent(all.incidents - all.worse, all.incidents),
         100},
        {"of the incidents leave no alert open at their end",
         percent(all.incidents - all.open, all.incidents), 100}};
    bool good = true;
    printf("1..%zu\n", COUNT_OF(limits));
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        bool holds = limits[i].is >= limits[i].limit;
        printf("%s %zu - incidents: %.1f %% %s (limit %.0f %%)\n", holds ? "ok" : "not ok", i + 1,
               limits[i].is, limits[i].what, limits[i].limit);
        good = good && holds;
    }
    return good ? 0 : 1;
}
