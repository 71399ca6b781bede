/*
 * Databases with known faults, and clean twins: what the invariants of the report find in them.
 *
 *     audit_faults [--quick]
 *
 * The engine makes each trading.db, from a seed, in so many days of a simulated market. Each fault
 * of faults.def is planted in each, looked for, and taken back. --quick: one database, for
 * `make test`. Prints TAP, then recall, false alarms of the clean databases, wrong subjects and the
 * time of a report. Fails below a recall of 95 % or above one false alarm in ten databases.
 */
#include "base/auto.h"
#include "base/check.h"
#include "config/config.h"
#include "io/db.h"
#include "io/secret.h"
#include "report/invariant.h"
#include "report/report.h"
#include "rigs/driver_rig.h"
#include "store/audit_chain.h"
#include "store/ops.h"
#include "store/sample_table.h"
#include "store/stop_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SERVICE "demo"

/* ------------------------------------------------------------------ a database and its moment */

struct base {
    uint64_t seed;
    int64_t hours; /* of the report; the database is twice as long */
    struct driver_rig rig;
    struct ops_store *ops;
    struct config *config;
    char folder[64];
    char newest_entry[64];
};

/* What only the process knows, for one report. */
struct moment_rig {
    struct report_sources sources;
    struct snapshot *snapshot;
    bool silent;
    bool stop;
    const char *newest_entry;
};

enum database { TRADING, OPS, MOMENT };

static bool full_disk; /* what statvfs says */

/* In place of libc's. */
int statvfs(const char *restrict path, struct statvfs *restrict ret)
{
    (void)path;
    *ret = (struct statvfs){
        .f_frsize = 4096, .f_blocks = 1000000, .f_bavail = full_disk ? 5000 : 500000};
    return 0;
}

static void ask_text(struct db *db, const char *sql, char *dst, size_t size)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    ASSERT(db_query(db, sql, DB_NO_VALUES, &rows, NULL) == 0 && db_next(rows, NULL) == 1);
    ASSERT(str_copy(db_text(rows, 0), dst, size));
}

static void fill_ops(struct base *base)
{
    int64_t now_us = clock_wall_us(&base->rig.clock.clock);
    int64_t minutes = 2 * base->hours * 60;
    char sql[1024];
    for (int64_t i = minutes; i >= 0; i -= 5) {
        const struct service_sample sample = {.service = SERVICE,
                                              .at_us = now_us - i * USEC_PER_MIN,
                                              .up = true,
                                              .latency_us = 900 + i % 7 * 20};
        ASSERT(sample_table_add(base->ops, &sample, NULL) == 0);
    }
    for (int i = 0; i < 20; i++) {
        int64_t id = 0;
        const struct audit_entry entry = {.at_us = now_us - (20 - i) * USEC_PER_MIN,
                                          .user = "alice",
                                          .channel = "telegram",
                                          .action = "command.received",
                                          .detail = "status",
                                          .result = "ok"};
        ASSERT(audit_chain_append(base->ops, &entry, &id, NULL) == 0);
    }
    (void)snprintf(sql, sizeof(sql),
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)"
                   " INSERT INTO command_runs(id, command, args, user_id, user_name, role, channel,"
                   " chat_id, state, step, created_us, updated_us, result, error_code)"
                   " SELECT i, 'status', '{}', 1, 'alice', 'admin', 'telegram', 1, 'done', 0,"
                   " %lld - i * 60000000, %lld - i * 60000000 + 5000, '', '' FROM n;",
                   (long long)now_us, (long long)now_us);
    ASSERT(db_exec(ops_store_db(base->ops), sql, NULL) == 0);
    (void)snprintf(
        sql, sizeof(sql),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)"
        " INSERT INTO outbox(channel, chat_id, kind, priority, payload, run_id,"
        " created_at_us, not_before_us, state, edit_of) SELECT 'telegram', 1, 'send', 1,"
        " '{}', 0, %lld - i * 3600000000, 0, 'delivered', 0 FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
        " INSERT INTO audits(started_us, finished_us, verdict, cause, model, request_id,"
        " tokens_in, tokens_out, cost_microusd, info, low, medium, high, critical,"
        " rejected, note, report) SELECT %lld - (13 - i) * 3600000000, %lld - (13 - i) *"
        " 3600000000 + 9000000, 'clear', 'schedule', 'claude', '', 1, 1, 1, 0, 0, 0, 0, 0,"
        " 0, '', '{}' FROM n;",
        (long long)now_us, (long long)now_us, (long long)now_us);
    ASSERT(db_exec(ops_store_db(base->ops), sql, NULL) == 0);
}

static void base_open(struct base *base, uint64_t seed, int64_t hours)
{
    struct settings settings;
    struct err err = {0};
    char sql[96];
    driver_rig_settings(&settings);
    settings.seed = seed;
    *base = (struct base){.seed = seed, .hours = hours};
    driver_rig_open(&base->rig, &settings);
    driver_rig_run(&base->rig, 2 * hours * 60);
    driver_rig_run_until_open(&base->rig);
    ASSERT(config_load(&(struct config_options){.no_file = true}, &base->config, NULL, &err) >= 0);
    ASSERT(ops_store_open(":memory:", OPS_STORE_WRITE, &base->ops, &err) == 0);
    (void)str_copy(STR_LIT("/tmp/nightdesk-faults-XXXXXX"), base->folder, sizeof(base->folder));
    ASSERT(mkdtemp(base->folder) != NULL);
    fill_ops(base);
    (void)snprintf(sql, sizeof(sql),
                   "CREATE TEMP TABLE base(hours); INSERT INTO temp.base VALUES (%lld)",
                   (long long)hours);
    ASSERT(db_exec(trading_store_db(base->rig.store), sql, NULL) == 0);
    ASSERT(db_exec(ops_store_db(base->ops), sql, NULL) == 0);
    ask_text(trading_store_db(base->rig.store),
             "SELECT 'order-' || client_id FROM orders WHERE kind = 'entry' ORDER BY rowid DESC"
             " LIMIT 1",
             base->newest_entry, sizeof(base->newest_entry));
}

static void base_close(struct base *base)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/emergency.stop", base->folder);
    (void)unlink(path);
    (void)rmdir(base->folder);
    ops_store_free(base->ops);
    config_free(base->config);
    driver_rig_close(&base->rig);
}

/* ------------------------------------------------------------------ a fault */

struct fault {
    const char *invariant;
    enum database database;
    const char *subject; /* SQL: a query; MOMENT: NULL */
    const char *plant;
    const char *(*change)(struct moment_rig *m); /* MOMENT: plants it, and returns the subject */
};

#define NEAR_MISS(invariant, database, plant)
#define NEAR_MOMENT(invariant, ...)                           \
    static const char *near_##invariant(struct moment_rig *m) \
    {                                                         \
        __VA_ARGS__;                                          \
        return "";                                            \
    }
#define SQL_FAULT(invariant, database, subject, plant)
#define MOMENT_FAULT(invariant, subject, ...)                  \
    static const char *plant_##invariant(struct moment_rig *m) \
    {                                                          \
        const char *name = subject;                            \
        (void)m;                                               \
        __VA_ARGS__;                                           \
        return name;                                           \
    }
#include "faults.def"
#undef SQL_FAULT
#undef MOMENT_FAULT
#undef NEAR_MOMENT

static const struct fault faults[] = {
#define NEAR_MOMENT(name, ...)
#define SQL_FAULT(name, database, subject, plant) {#name, database, subject, plant, NULL},
#define MOMENT_FAULT(name, subject, ...)          {#name, MOMENT, NULL, NULL, plant_##name},
#include "faults.def"
#undef SQL_FAULT
#undef MOMENT_FAULT
#undef NEAR_MISS
#undef NEAR_MOMENT
};

static const struct fault near_misses[] = {
#define SQL_FAULT(invariant, database, subject, plant)
#define MOMENT_FAULT(invariant, subject, ...)
#define NEAR_MISS(name, database, plant) {#name, database, NULL, plant, NULL},
#define NEAR_MOMENT(name, ...)           {#name, MOMENT, NULL, NULL, near_##name},
#include "faults.def"
};

/* ------------------------------------------------------------------ a report */

static void set_stop(const struct base *base, bool stop)
{
    const struct stop_mark mark = {.at_us = 1, .by = "alice"};
    struct stop_file *file = NULL;
    ASSERT(stop_file_open(base->folder, &file, NULL) == 0);
    ASSERT((stop ? stop_file_set(file, &mark, NULL) : stop_file_clear(file, NULL)) == 0);
    stop_file_free(file);
}

/* With the fault of the moment, if any, whose subject it returns; the caller frees the report. */
static struct report *make_report(struct base *base, const struct fault *fault,
                                  char ret_subject[64])
{
    const struct snapshot *now = driver_rig_snapshot(&base->rig);
    struct clock *clock = &base->rig.clock.clock;
    AUTO_FREE struct snapshot *copy = snapshot_new(CAPACITY_MIN);
    struct err err = {0};
    snapshot_copy(copy, CAPACITY_MIN, now);
    copy->published_wall_us = clock_wall_us(clock);
    copy->published_mono_us = clock_mono_us(clock);
    struct moment_rig m = {
        .snapshot = copy,
        .newest_entry = base->newest_entry,
        .sources = {.clock = clock,
                    .config = base->config,
                    .snapshot = copy,
                    .shared = &base->rig.shared,
                    .state_dir = base->folder,
                    .daemon = true,
                    .started_mono_us = clock_mono_us(clock) - 5 * USEC_PER_HOUR,
                    .wall_minus_mono_us = clock_wall_us(clock) - clock_mono_us(clock)}};
    atomic_store(&base->rig.shared.telegram, CHAT_UP);
    if (fault != NULL && fault->change != NULL) {
        (void)str_copy(str_c(fault->change(&m)), ret_subject, 64);
    }
    atomic_store(&base->rig.shared.engine_beat_mono_us,
                 clock_mono_us(clock) - (m.silent ? USEC_PER_HOUR : 0));
    set_stop(base, m.stop);
    struct report *report = report_new(&m.sources, base->hours);
    if (report_read(report, base->rig.store, base->ops, &err) < 0) {
        printf("# %s: %s\n", err_info(err.id)->code, err.context);
        report_free(report);
        return NULL;
    }
    return report;
}

struct totals {
    int faults, found, wrong_subjects;
    int databases, near_misses, false_alarms;
    int64_t report_us;
    int reports;
};

static struct json_object *outcome_of(const struct report *report, const char *invariant)
{
    return json_get(json_at(report_document(report), "/invariants"), invariant);
}

static void look_at_clean(struct base *base, struct totals *totals, int *number)
{
    int64_t begun_us = clock_mono_us(clock_real());
    AUTO_REPORT struct report *report = make_report(base, NULL, NULL);
    totals->report_us += clock_mono_us(clock_real()) - begun_us;
    totals->reports++;
    totals->databases++;
    int alarms = 0;
    for (int i = 0; report != NULL && i < invariant_count(); i++) {
        struct json_object *outcome = outcome_of(report, invariant_at(i)->id);
        if (strcmp(json_text(outcome, "state"), "broken") == 0) {
            alarms++;
            printf("# %s: %s\n", invariant_at(i)->id, json_object_to_json_string(outcome));
        }
    }
    totals->false_alarms += alarms;
    printf("%s %d - faults: nothing is found in a clean database (seed %llu, %lld h)\n",
           report != NULL && alarms == 0 ? "ok" : "not ok", ++*number,
           (unsigned long long)base->seed, (long long)base->hours);
}

/* Plants the fault in a transaction, reads the report and takes it back; NULL if it failed. */
static struct report *report_with(struct base *base, const struct fault *fault, char expected[64])
{
    struct db *db =
        fault->database == OPS ? ops_store_db(base->ops) : trading_store_db(base->rig.store);
    struct err err = {0};
    struct report *report = NULL;
    ASSERT(db_begin(db, NULL) == 0);
    if (fault->subject != NULL) {
        ask_text(db, fault->subject, expected, 64);
    }
    if (fault->plant != NULL && db_exec(db, fault->plant, &err) < 0) {
        printf("# %s\n", err.context);
    } else {
        report = make_report(base, fault, expected);
    }
    db_rollback(db);
    full_disk = false;
    return report;
}

static void look_for(struct base *base, const struct fault *fault, struct totals *totals,
                     int *number)
{
    char expected[64] = "";
    AUTO_REPORT struct report *report = report_with(base, fault, expected);
    struct json_object *outcome = report != NULL ? outcome_of(report, fault->invariant) : NULL;
    bool broken = strcmp(json_text(outcome, "state"), "broken") == 0;
    bool found = broken && json_get(json_get(outcome, "subjects"), expected) != NULL;
    totals->faults++;
    totals->found += found;
    totals->wrong_subjects += broken && !found;
    printf("%s %d - faults: %s is found in %s (seed %llu, %lld h)\n", found ? "ok" : "not ok",
           ++*number, fault->invariant, expected, (unsigned long long)base->seed,
           (long long)base->hours);
    if (!found) {
        printf("# %s\n", outcome != NULL ? json_object_to_json_string(outcome) : "no report");
    }
}

static void look_at_near_miss(struct base *base, const struct fault *fault, struct totals *totals,
                              int *number)
{
    char unused[64] = "";
    AUTO_REPORT struct report *report = report_with(base, fault, unused);
    struct json_object *outcome = report != NULL ? outcome_of(report, fault->invariant) : NULL;
    bool broken = report == NULL || strcmp(json_text(outcome, "state"), "broken") == 0;
    totals->near_misses++;
    totals->false_alarms += broken;
    printf("%s %d - faults: %s is not found in what only looks like it (seed %llu, %lld h)\n",
           broken ? "not ok" : "ok", ++*number, fault->invariant, (unsigned long long)base->seed,
           (long long)base->hours);
    if (broken) {
        printf("# %s\n", outcome != NULL ? json_object_to_json_string(outcome) : "no report");
    }
}

static bool has_fault(const char *invariant)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        if (strcmp(faults[i].invariant, invariant) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    static const uint64_t seeds[] = {7, 19, 41};
    static const int64_t hours[] = {48, 72, 96};
    struct totals totals = {0};
    int number = 0;
    ASSERT(secret_init(NULL) == 0);
    for (size_t i = 0; i < (quick ? 1 : COUNT_OF(seeds)); i++) {
        for (size_t k = 0; k < (quick ? 1 : COUNT_OF(hours)); k++) {
            AUTO_FREE struct base *base = calloc(1, sizeof(*base));
            NEED_MEMORY(base != NULL);
            base_open(base, seeds[i], hours[k]);
            look_at_clean(base, &totals, &number);
            for (size_t f = 0; f < COUNT_OF(faults); f++) {
                look_for(base, &faults[f], &totals, &number);
            }
            for (size_t n = 0; n < COUNT_OF(near_misses); n++) {
                look_at_near_miss(base, &near_misses[n], &totals, &number);
            }
            base_close(base);
        }
    }
    int without = 0;
    for (int i = 0; i < invariant_count(); i++) {
        if (!has_fault(invariant_at(i)->id)) {
            without++;
            printf("# %s has no fault in faults.def\n", invariant_at(i)->id);
        }
    }
    printf("%s %d - faults: each invariant has a fault\n", without == 0 ? "ok" : "not ok",
           ++number);
    printf("1..%d\n", number);
    double recall = 100.0 * totals.found / totals.faults;
    printf("# %zu kinds of faults in %d databases: found %d of %d (%.1f %%), wrong subjects %d, "
           "false alarms %d in %d clean databases and %d near misses, %.1f ms a report\n",
           COUNT_OF(faults), totals.databases, totals.found, totals.faults, recall,
           totals.wrong_subjects, totals.false_alarms, totals.databases, totals.near_misses,
           (double)totals.report_us / 1e3 / totals.reports);
    bool good = recall >= (quick ? 100 : 95) && 10 * totals.false_alarms <= totals.databases &&
                without == 0;
    return good ? 0 : 1;
}
