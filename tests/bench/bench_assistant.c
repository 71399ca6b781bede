/*
 * bench_assistant.c: how long an answer without a model takes, from the question to the reply, with
 * a database of two years of trades. It opens the database as the program does for each answer. The
 * peer is SQLite alone: the sum over the trades of the same period, on a connection that is open.
 */
#include "assistant/grammar.h"
#include "assistant/measure.h"
#include "base/check.h"
#include "base/clock.h"
#include "bench/bench.h"
#include "io/db.h"
#include "rigs/action_rig.h"
#include "store/trading.h"

#include <stdio.h>
#include <string.h>

#define NOW_US INT64_C(1795262400000000)
#define RUNS   600

static const char *const questions[] = {
    "how did BTC do yesterday?",        "win rate of ETH this month",
    "best coin in the last 30 days",    "what was prediction accuracy last week?",
    "max drawdown in the last 30 days", "why did we lose on SOL last week"};

static double answer_ms[RUNS], read_us[RUNS], sql_ms[RUNS];
static struct config *config;

/* 10,000 trades in two years, each with the votes of its decision. */
static const char rows_sql[] =
    "PRAGMA synchronous = OFF;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
    " INSERT INTO trades(id, symbol, side, qty, entry_price, exit_price, pnl, fees, opened_us,"
    " closed_us, decision_id, exit_reason, client_id)"
    " SELECT i, CASE i % 3 WHEN 0 THEN 'BTC-USD' WHEN 1 THEN 'ETH-USD' ELSE 'SOL-USD' END,"
    " iif(i % 2, 'short', 'long'), 100000000, 10000000000, 10000000000 + i % 7 - 3,"
    " iif(i * 7919 % 100 < 55, 90000000, -110000000), 10000000,"
    " 1795262400000000 - (10000 - i) * 6307200000 - 600000000,"
    " 1795262400000000 - (10000 - i) * 6307200000, i, iif(i % 2, 'stop', 'target'), 'nd-1-' || i"
    " FROM n;"
    "INSERT INTO decisions(id, symbol, at_us, price, regime, votes, score, threshold, direction,"
    " outcome, veto_code, veto_text, client_id) SELECT id, symbol, opened_us, entry_price,"
    " 'trending', '[{\"agent\":\"predict\",\"direction\":\"long\",\"confidence\":0.6,"
    "\"weight\":0.2,\"reasons\":[]},{\"agent\":\"bull\",\"direction\":\"long\",\"confidence\":0.5,"
    "\"weight\":0.2,\"reasons\":[]}]', 0.3, 0.25, 'long', 'order', '', '', client_id FROM trades;"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 17520)"
    " INSERT INTO equity(at_us, equity, cash, realised) SELECT 1795262400000000 - i * 3600000000,"
    " 1000000000000 + i * 7919 % 100000000, 0, 0 FROM n;";

static const struct config *config_of(void *userdata)
{
    (void)userdata;
    return config;
}

static void fill(struct grammar_context *c)
{
    static const char *const symbols[] = {"BTC-USD", "ETH-USD", "SOL-USD"};
    *c = (struct grammar_context){.wall_us = NOW_US, .market_us = NOW_US, .zone_name = "UTC"};
    for (size_t i = 0; i < COUNT_OF(symbols); i++) {
        ASSERT(symbol_parse(str_c(symbols[i]), &c->symbols[c->symbol_count++]));
    }
}

static double ms_since(int64_t begun_ns)
{
    return (double)(bench_now_ns() - begun_ns) / 1e6;
}

static void measure(struct action_table *table, struct db *db)
{
    struct grammar_reading *reading = grammar_reading_new();
    struct grammar_context context;
    fill(&context);
    for (int i = 0; i < RUNS; i++) {
        const char *question = questions[(size_t)i % COUNT_OF(questions)];
        struct err err = {0};
        int64_t sum = 0, begun_ns = bench_now_ns();
        enum grammar_kind kind = grammar_read(&context, str_c(question), reading);
        read_us[i] = 1e3 * ms_since(begun_ns);
        ASSERT(kind == GRAMMAR_ANSWER);
        struct reply *reply = action_rig_run(table, "trading.measure", reading->args, NOW_US, &err);
        answer_ms[i] = ms_since(begun_ns);
        ASSERT(reply != NULL);
        reply_free(reply);
        begun_ns = bench_now_ns();
        ASSERT(db_get_i64(db,
                          "SELECT sum(pnl) + count(*) + sum(pnl > 0) + sum(fees) FROM trades"
                          " WHERE closed_us >= ?",
                          DB_VALUES(DB_I64(NOW_US - 30 * USEC_PER_DAY)), 0, &sum, &err) == 0);
        sql_ms[i] = ms_since(begun_ns);
        bench_use(&sum);
    }
    grammar_reading_free(reading);
}

int main(void)
{
    char folder[] = "/tmp/nightdesk-bench-XXXXXX";
    char path[96], peer[96];
    struct trading_store *store = NULL;
    struct err err = {0};
    ASSERT(mkdtemp(folder) != NULL);
    ASSERT(config_load(&(struct config_options){.no_file = true}, &config, NULL, &err) >= 0);
    ASSERT(trading_store_open(folder, TRADING_STORE_WRITE, &store, &err) == 0);
    if (db_exec(trading_store_db(store), rows_sql, &err) < 0) {
        printf("%s\n", err.context);
        return 1;
    }
    struct measures measures = {.state_dir = folder, .config = config_of};
    struct action_table *table = action_table_new();
    measure_actions(&measures, table);
    measure(table, trading_store_db(store));
    bench_table_head();
    (void)snprintf(peer, sizeof(peer), "SQLite alone: %.2f ms, p99 %.2f ms",
                   bench_percentile(sql_ms, RUNS, 0.5), bench_percentile(sql_ms, RUNS, 0.99));
    bench_table_row("an answer without a model", answer_ms, RUNS, "ms", peer);
    bench_table_row("reading the question", read_us, RUNS, "us", NULL);
    action_table_free(table);
    trading_store_free(store);
    config_free(config);
    static const char *const files[] = {"trading.db", "trading.db-wal", "trading.db-shm"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    return 0;
}
