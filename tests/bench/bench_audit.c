/*
 * bench_audit.c: how long the report of an audit takes, with its invariants, and what it costs the
 * engine.
 *
 * "report, one day" reads a database that the engine made in two days of a simulated market.
 * "report, a million trades" reads one of 600 MB with a million trades of the last 30 days, each
 * with its order, two fills and a decision; the peer is the time in which SQLite itself sums their
 * profits. Its memory is what the process needs at most while it reads. "engine step beside a
 * report" is a step of the engine while another thread makes one report after the other; the peer
 * is the same step without it, interleaved.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "config/config.h"
#include "io/db.h"
#include "io/secret.h"
#include "report/report.h"
#include "rigs/driver_rig.h"
#include "store/ops.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define RUNS      60
#define BIG_RUNS  5
#define STEP_RUNS 400
#define TRADES    1000000
#define HOURS_BIG 720

static double day_ms[RUNS], big_ms[BIG_RUNS], sum_ms[BIG_RUNS];
static double alone_us[STEP_RUNS], beside_us[STEP_RUNS];

static struct driver_rig rig;
static struct config *config;
static struct ops_store *ops;

static double read_ms(struct trading_store *trading, const struct clock *clock, int64_t hours,
                      const struct snapshot *snapshot)
{
    int64_t begun_ns = bench_now_ns();
    const struct report_sources sources = {.clock = clock,
                                           .config = config,
                                           .snapshot = snapshot,
                                           .shared = snapshot != NULL ? &rig.shared : NULL,
                                           .state_dir = "/tmp"};
    struct report *report = report_new(&sources, hours);
    struct err err = {0};
    if (report_read(report, trading, ops, &err) < 0) {
        printf("%s %s\n", err_info(err.id)->code, err.context);
        exit(1);
    }
    report_free(report);
    return (double)(bench_now_ns() - begun_ns) / 1e6;
}

/* ------------------------------------------------------------------ a million trades */

static const char big_sql[] =
    "PRAGMA synchronous = OFF;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    " INSERT INTO trades(id, symbol, side, qty, entry_price, exit_price, pnl, fees, opened_us,"
    " closed_us, decision_id, exit_reason, client_id)"
    " SELECT i, 'SYM' || (i % 50) || '-USD', iif(i % 2, 'short', 'long'),"
    " 100000000, 10000000000, 10000000000, iif(i * 7919 % 100 < 55, 90000000, -110000000),"
    " 10000000, 1790000000000000 - (1000000 - i) * 2500000 - 60000000,"
    " 1790000000000000 - (1000000 - i) * 2500000, i,"
    " CASE i % 3 WHEN 0 THEN 'stop' WHEN 1 THEN 'target' ELSE 'signal' END, 'nd-1-' || i FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    " INSERT INTO orders(client_id, symbol, kind, side, state, qty, reference_price, stop, target,"
    " filled_qty, average_price, decision_id, created_us, updated_us, reason) SELECT 'nd-1-' || i,"
    " 'SYM' || (i % 50) || '-USD', 'entry', iif(i % 2, 'short', 'long'), 'filled', 100000000,"
    " 10000000000, 9800000000, 10400000000, 100000000, 10000000000, i,"
    " 1790000000000000 - (1000000 - i) * 2500000 - 60000000,"
    " 1790000000000000 - (1000000 - i) * 2500000 - 60000000, 'signal' FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000)"
    " INSERT INTO fills(id, client_id, venue_fill_id, symbol, kind, side, qty, price, fee, at_us)"
    " SELECT i, 'nd-1-' || ((i + 1) / 2), i, 'SYM' || ((i + 1) / 2 % 50) || '-USD',"
    " iif(i % 2, 'entry', 'stop'), iif((i + 1) / 2 % 2, 'short', 'long'), 100000000, 10000000000,"
    " 5000000, 1790000000000000 - (1000000 - (i + 1) / 2) * 2500000 - 60000000 * (i % 2) FROM n;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    " INSERT INTO decisions(id, symbol, at_us, price, regime, votes, score, threshold, direction,"
    " outcome, veto_code, veto_text, client_id, stop) SELECT i, 'SYM' || (i % 50) || '-USD',"
    " 1790000000000000 - (1000000 - i) * 2500000 - 60000000, 10000000000, 'trending', '[]',"
    " 0.3 + (i % 7) * 0.01, 0.25, iif(i % 2, 'short', 'long'), 'order', '', '', 'nd-1-' || i,"
    " 9800000000 FROM n;"
    "INSERT INTO engine_state(id, state, state_reason, state_since_wall_us, market_us, "
    "initial_cash,"
    " cash, realised, fees, equity_peak, day_start_equity, day, consecutive_losses, run, "
    "next_order,"
    " next_decision_id, next_trade_id, candles, decisions, orders, fills, trades, wins, vetoes,"
    " refused_candles) SELECT 1, 'active', '', 1790000000000000, 1790000000000000, 1000000000000,"
    " 1000000000000 + sum(pnl), sum(pnl), 10000000000000, 0, 0, 1790000000000000 / 86400000000, 0, "
    "1,"
    " 1, 1, 1, 1, 1, 1000000, 2000000, 1000000, 1, 0, 0 FROM trades;";

static void big_make(const char *folder)
{
    struct trading_store *store = NULL;
    struct err err = {0};
    ASSERT(trading_store_open(folder, TRADING_STORE_WRITE, &store, &err) == 0);
    if (db_exec(trading_store_db(store), big_sql, &err) < 0) {
        printf("%s\n", err.context);
        exit(1);
    }
    trading_store_free(store);
}

/* In a process of its own, for its memory. Returns MiB. */
static double big_read(const char *folder)
{
    int ends[2];
    ASSERT(pipe(ends) == 0);
    pid_t parent = getpid();
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        bench_die_with_parent(parent);
        struct trading_store *store = NULL;
        struct rusage usage;
        ASSERT(trading_store_open(folder, TRADING_STORE_READ, &store, NULL) == 0);
        for (int i = 0; i < BIG_RUNS; i++) {
            int64_t sum = 0;
            int64_t begun_ns = bench_now_ns();
            ASSERT(db_get_i64(trading_store_db(store), "SELECT sum(pnl) FROM trades", DB_NO_VALUES,
                              0, &sum, NULL) == 0);
            sum_ms[i] = (double)(bench_now_ns() - begun_ns) / 1e6;
            big_ms[i] = read_ms(store, clock_real(), HOURS_BIG, NULL);
        }
        (void)getrusage(RUSAGE_SELF, &usage);
        double mib = (double)usage.ru_maxrss / 1024;
        ASSERT(write(ends[1], big_ms, sizeof(big_ms)) == sizeof(big_ms));
        ASSERT(write(ends[1], sum_ms, sizeof(sum_ms)) == sizeof(sum_ms));
        ASSERT(write(ends[1], &mib, sizeof(mib)) == sizeof(mib));
        _exit(0);
    }
    double mib = 0;
    ASSERT(read(ends[0], big_ms, sizeof(big_ms)) == sizeof(big_ms));
    ASSERT(read(ends[0], sum_ms, sizeof(sum_ms)) == sizeof(sum_ms));
    ASSERT(read(ends[0], &mib, sizeof(mib)) == sizeof(mib));
    (void)waitpid(child, NULL, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return mib;
}

/* ------------------------------------------------------------------ beside the engine */

static _Atomic bool stop;
static _Atomic bool pause_reports;
static const char *beside_folder;

static void *read_on_and_on(void *unused)
{
    struct trading_store *store = NULL;
    (void)unused;
    ASSERT(trading_store_open(beside_folder, TRADING_STORE_READ, &store, NULL) == 0);
    while (!atomic_load(&stop)) {
        if (!atomic_load(&pause_reports)) {
            (void)read_ms(store, clock_real(), 24, NULL);
        }
    }
    trading_store_free(store);
    return NULL;
}

static void measure_steps(void)
{
    pthread_t thread;
    atomic_store(&pause_reports, true);
    ASSERT(pthread_create(&thread, NULL, read_on_and_on, NULL) == 0);
    for (int i = 0; i < STEP_RUNS; i++) {
        for (int beside = 0; beside < 2; beside++) {
            atomic_store(&pause_reports, beside == 0);
            int64_t begun_ns = bench_now_ns();
            driver_rig_run(&rig, 5);
            double us = (double)(bench_now_ns() - begun_ns) / 5e3;
            *(beside == 1 ? &beside_us[i] : &alone_us[i]) = us;
        }
    }
    atomic_store(&stop, true);
    (void)pthread_join(thread, NULL);
}

int main(void)
{
    char folder[] = "/tmp/nightdesk-bench-XXXXXX";
    char peer[96], path[96];
    struct err err = {0};
    ASSERT(mkdtemp(folder) != NULL && secret_init(&err) == 0);
    ASSERT(config_load(&(struct config_options){.no_file = true}, &config, NULL, &err) >= 0);
    ASSERT(ops_store_open(":memory:", OPS_STORE_WRITE, &ops, &err) == 0);
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 2 * 1440);
    for (int i = 0; i < RUNS; i++) {
        day_ms[i] = read_ms(rig.store, &rig.clock.clock, 24, driver_rig_snapshot(&rig));
    }
    (void)snprintf(path, sizeof(path), "%s/trading.db", folder);
    ASSERT(db_backup(trading_store_db(rig.store), path, &err) == 0);
    beside_folder = folder;
    measure_steps();
    (void)unlink(path);
    big_make(folder);
    double mib[1] = {big_read(folder)};
    bench_table_head();
    bench_table_row("report, one day", day_ms, RUNS, "ms", NULL);
    (void)snprintf(peer, sizeof(peer), "SELECT sum(pnl): %.0f ms",
                   bench_percentile(sum_ms, BIG_RUNS, 0.5));
    bench_table_row("report, a million trades", big_ms, BIG_RUNS, "ms", peer);
    bench_table_row("memory of that", mib, 1, "MiB", NULL);
    (void)snprintf(peer, sizeof(peer), "alone: %.1f us, p99 %.1f us",
                   bench_percentile(alone_us, STEP_RUNS, 0.5),
                   bench_percentile(alone_us, STEP_RUNS, 0.99));
    bench_table_row("engine step beside a report", beside_us, STEP_RUNS, "us", peer);
    static const char *const files[] = {"trading.db", "trading.db-wal", "trading.db-shm"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    ops_store_free(ops);
    config_free(config);
    driver_rig_close(&rig);
    return 0;
}
