/*
 * bench_engine.c: the cost of a step, and of publishing and recording it.
 *
 * "step" is one market minute of three symbols through the engine with a venue that fills at once;
 * "candle to intent" are the steps that made an order. A sample is one step, timed alone, including
 * ~25 ns of the clock. "record" is the cost that the run journal adds to a step: inputs and
 * checksums of the outputs, packed and written to the page cache by one write(2). Only "commit a
 * step with an order intent" includes the disk: everything that an order waits for (itself, its
 * decision, candles, the market's state, the books) in one transaction with synchronous=FULL. Its
 * peer is one INSERT of an order with plain SQLite in the same mode, alternating on the same disk.
 */
#include "../../src/engine/journal.h"
#include "base/check.h"
#include "base/mailbox.h"
#include "bench/bench.h"
#include "engine/engine.h"
#include "engine/engine_buffers.h"
#include "engine/recorder.h"
#include "fakes/instant_venue.h"
#include "market/simulated.h"
#include "risk/risk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MINUTES 100000
#define BATCHES 1000

static double quiet_ns[MINUTES], decided_ns[MINUTES], intent_ns[MINUTES], batch_ns[BATCHES];

static void settings_init(struct settings *s)
{
    *s = (struct settings){
        .symbol_count = 3,
        .market_speed = 60,
        .threshold = 0.25,
        .risk_per_trade_pct = 2,
        .max_position_pct = 25,
        .max_positions = 3,
        .stop_pct = 2,
        .target_pct = 4,
        .max_daily_loss_pct = 100,
        .max_drawdown_pct = 100,
        .max_consecutive_losses = 100000,
        .max_exposure_pct = 75,
        .max_leverage = 3,
        .max_correlation = 1,
        .maintenance_margin_pct = 0.5,
        .min_liquidation_distance_pct = 5,
        .max_orders_per_minute = 10,
        .initial_cash = dec_from_int(1000000),
    };
    for (int t = 0; t < TIERS; t++) {
        s->tiers[t] = (struct tier){.max_position_pct = 25, .max_exposure_pct = 50};
    }
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &s->symbols[0]) &&
           symbol_parse(STR_LIT("ETH-USD"), &s->symbols[1]) &&
           symbol_parse(STR_LIT("SOL-USD"), &s->symbols[2]));
}

static void bench_steps(void)
{
    struct settings settings;
    settings_init(&settings);
    struct simulated market;
    simulated_init(&market, 1, settings.symbols, 3, 0);
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    engine_inputs_init(in, 3);
    struct engine_outputs *out = calloc(1, sizeof(*out));
    engine_outputs_init(out, 3);
    ASSERT(in != NULL && out != NULL);
    struct engine_now now = {0};
    engine_begin(engine, &now);
    int64_t fill_id = 1;
    size_t quiet = 0, decided = 0, intents = 0;
    for (int minute = 0; minute < MINUTES; minute++) {
        instant_venue_answer(engine, out, in, &fill_id);
        in->bar_count = source_next(&market.source, in->bars);
        instant_venue_quote(in);
        now.market_us = (minute + 1) * USEC_PER_MIN;
        now.mono_us += USEC_PER_SEC;
        int64_t start = bench_now_ns();
        engine_step(engine, &now, in, out);
        double ns = (double)(bench_now_ns() - start);
        if (out->decision_count == 0) {
            quiet_ns[quiet++] = ns;
        } else {
            decided_ns[decided++] = ns;
        }
        if (out->send_count > 0) {
            intent_ns[intents++] = ns;
        }
    }
    ASSERT(intents > 100);
    bench_table_row("step, one minute of 3 symbols", quiet_ns, quiet, "ns", NULL);
    bench_table_row("step with 3 decisions of all agents", decided_ns, decided, "ns", NULL);
    bench_table_row("candle to order intent (target p99 10 us)", intent_ns, intents, "ns", NULL);

    struct snapshot *snapshot = snapshot_new(3);
    struct mailbox *mailbox = mailbox_new(snapshot_size(3));
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < 100; i++) {
            engine_snapshot(engine, &now, snapshot);
            bench_use(snapshot);
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / 100;
    }
    bench_table_row("fill the snapshot", batch_ns, BATCHES, "ns", NULL);
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < 100; i++) {
            snapshot->version++;
            snapshot_copy(mailbox_draft(mailbox), 3, snapshot);
            mailbox_publish(mailbox);
            if (i % 8 == 0) {
                bench_use(mailbox_latest(mailbox, NULL));
            }
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / 100;
    }
    bench_table_row("publish the full snapshot (target 2 us)", batch_ns, BATCHES, "ns", NULL);
    mailbox_free(mailbox);
    free(snapshot);
    engine_inputs_release(in);
    free(in);
    engine_outputs_release(out);
    free(out);
    engine_free(engine);
}

static void bench_recorder(void)
{
    enum { RECORDED = 20000 };
    char folder[] = "/var/tmp/nightdesk-bench-XXXXXX";
    char path[128];
    struct settings settings;
    settings_init(&settings);
    struct simulated market;
    simulated_init(&market, 1, settings.symbols, 3, 0);
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    engine_inputs_init(in, 3);
    struct engine_outputs *out = calloc(1, sizeof(*out));
    engine_outputs_init(out, 3);
    struct recorder *recorder = NULL;
    struct recorder_start start = {0};
    ASSERT(in != NULL && out != NULL && mkdtemp(folder) != NULL);
    engine_begin(engine, &start.now);
    ASSERT(recorder_open(folder, &start, engine, &recorder, NULL) >= 0);
    int64_t head_bytes = recorder_size(recorder);
    struct engine_now now = {0};
    int64_t fill_id = 1;
    size_t quiet = 0, decided = 0;
    for (int minute = 0; minute < RECORDED; minute++) {
        instant_venue_answer(engine, out, in, &fill_id);
        in->bar_count = source_next(&market.source, in->bars);
        instant_venue_quote(in);
        now.market_us = (minute + 1) * USEC_PER_MIN;
        now.mono_us += USEC_PER_SEC;
        engine_step(engine, &now, in, out);
        int64_t before = bench_now_ns();
        ASSERT(recorder_step(recorder, engine, &now, in, out, NULL) >= 0);
        double ns = (double)(bench_now_ns() - before);
        if (out->decision_count == 0) {
            quiet_ns[quiet++] = ns;
        } else {
            decided_ns[decided++] = ns;
        }
    }
    bench_table_row("record a step, one minute of 3 symbols", quiet_ns, quiet, "ns", NULL);
    bench_table_row("record a step with 3 decisions", decided_ns, decided, "ns", NULL);
    printf("journal: %.0f bytes per market minute, %.2f MB per market day; header %lld bytes\n",
           (double)(recorder_size(recorder) - head_bytes) / RECORDED,
           (double)(recorder_size(recorder) - head_bytes) / RECORDED * 1440 / 1e6,
           (long long)head_bytes);
    (void)unlink(recorder_path(recorder));
    recorder_free(recorder);
    (void)snprintf(path, sizeof(path), "%s/" RECORDER_FOLDER, folder);
    (void)rmdir(path);
    (void)rmdir(folder);
    engine_inputs_release(in);
    free(in);
    engine_outputs_release(out);
    free(out);
    engine_free(engine);
}

static void bare_run(sqlite3 *db, const char *sql)
{
    ASSERT(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static sqlite3 *bare_open(const char *folder)
{
    char path[128];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/bare.db", folder);
    ASSERT(sqlite3_open(path, &db) == SQLITE_OK);
    bare_run(db, "PRAGMA journal_mode = WAL");
    bare_run(db, "PRAGMA synchronous = FULL");
    bare_run(db, "CREATE TABLE orders(client_id TEXT PRIMARY KEY, symbol TEXT NOT NULL, kind TEXT"
                 " NOT NULL, side TEXT NOT NULL, state TEXT NOT NULL, qty INTEGER, reference_price"
                 " INTEGER, stop INTEGER, target INTEGER, reason TEXT NOT NULL)");
    return db;
}

static void bare_insert(sqlite3_stmt *insert, const struct order *o)
{
    const char *const texts[] = {o->client_id, o->symbol.name, order_kind_name(o->kind),
                                 side_name(o->side), order_state_name(o->state)};
    const int64_t numbers[] = {o->qty.e8, o->reference_price.e8, o->stop.e8, o->target.e8};
    for (int i = 0; i < 5; i++) {
        (void)sqlite3_bind_text(insert, i + 1, texts[i], -1, SQLITE_STATIC);
    }
    for (int i = 0; i < 4; i++) {
        (void)sqlite3_bind_int64(insert, i + 6, numbers[i]);
    }
    (void)sqlite3_bind_text(insert, 10, o->reason, -1, SQLITE_STATIC);
    ASSERT(sqlite3_step(insert) == SQLITE_DONE);
    (void)sqlite3_reset(insert);
}

static void remove_all(const char *folder)
{
    static const char *const names[] = {"bare.db",    "bare.db-wal",    "bare.db-shm",
                                        "trading.db", "trading.db-wal", "trading.db-shm"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void bench_intents(void)
{
    enum { INTENTS = 400 };
    static double ours_us[INTENTS], bare_us[INTENTS];
    char folder[] = "/var/tmp/nightdesk-bench-XXXXXX";
    ASSERT(mkdtemp(folder) != NULL);
    struct trading_store *store = NULL;
    ASSERT(trading_store_open(folder, TRADING_STORE_WRITE, &store, NULL) >= 0);
    sqlite3 *bare = bare_open(folder);
    sqlite3_stmt *insert = NULL;
    ASSERT(sqlite3_prepare_v2(bare, "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", -1,
                              &insert, NULL) == SQLITE_OK);
    struct settings settings;
    settings_init(&settings);
    struct simulated market;
    simulated_init(&market, 1, settings.symbols, 3, 0);
    struct engine *engine = engine_new(&settings, settings.symbols, 3);
    struct engine_inputs *in = calloc(1, sizeof(*in));
    engine_inputs_init(in, 3);
    struct engine_outputs *out = calloc(1, sizeof(*out));
    engine_outputs_init(out, 3);
    ASSERT(in != NULL && out != NULL);
    struct engine_now now = {0};
    engine_begin(engine, &now);
    int64_t fill_id = 1;
    for (int minute = 0, n = 0; n < INTENTS; minute++) {
        ASSERT(minute < 10 * MINUTES);
        instant_venue_answer(engine, out, in, &fill_id);
        in->bar_count = source_next(&market.source, in->bars);
        instant_venue_quote(in);
        now.market_us = (minute + 1) * USEC_PER_MIN;
        now.mono_us += USEC_PER_SEC;
        engine_step(engine, &now, in, out);
        if (out->send_count == 0) {
            continue; /* only steps with an order are measured */
        }
        int64_t start = bench_now_ns();
        bare_insert(insert, &out->orders[out->sends[0]]);
        int64_t between = bench_now_ns();
        ASSERT(journal_commit(store, engine, &market.source, out, NULL) >= 0);
        ours_us[n] = (double)(bench_now_ns() - between) / 1e3;
        bare_us[n++] = (double)(between - start) / 1e3;
    }
    double ours = bench_percentile(ours_us, INTENTS, 0.5);
    double peer = bench_percentile(bare_us, INTENTS, 0.5);
    char text[96];
    (void)snprintf(text, sizeof(text), "plain SQLite insert %.0f us, p99 %.0f: %.2f times", peer,
                   bench_percentile(bare_us, INTENTS, 0.99), ours / peer);
    bench_table_row("commit a step with an order intent", ours_us, INTENTS, "us", text);
    (void)sqlite3_finalize(insert);
    (void)sqlite3_close(bare);
    trading_store_free(store);
    remove_all(folder);
    engine_inputs_release(in);
    free(in);
    engine_outputs_release(out);
    free(out);
    engine_free(engine);
}

static void bench_market(void)
{
    struct settings settings;
    settings_init(&settings);
    struct simulated market;
    simulated_init(&market, 1, settings.symbols, 3, 0);
    struct source_bar bars[SYMBOLS_LIMIT];
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < 100; i++) {
            bench_use(bars + source_next(&market.source, bars));
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / 100;
    }
    bench_table_row("simulated market, one minute of 3 symbols", batch_ns, BATCHES, "ns", NULL);
}

static void bench_risk(void)
{
    struct settings settings;
    settings_init(&settings);
    struct risk_account account = {.settings = &settings,
                                   .state = TRADING_ACTIVE,
                                   .equity = dec_from_int(10000),
                                   .equity_peak = dec_from_int(10100),
                                   .day_start_equity = dec_from_int(10050),
                                   .losses_in_a_row = 1,
                                   .positions_open = 2,
                                   .orders_lately = 1,
                                   .price_updated_us = USEC_PER_HOUR,
                                   .now_us = USEC_PER_HOUR,
                                   .exposure = dec_from_int(4000),
                                   .tier_exposure = dec_from_int(2000),
                                   .long_notional = dec_from_int(2000),
                                   .short_notional = dec_from_int(2000),
                                   .correlation = 0.3};
    struct order order = {.kind = ORDER_ENTRY,
                          .qty = dec_from_int(10),
                          .reference_price = dec_from_int(100),
                          .stop = dec_from_int(98),
                          .target = dec_from_int(104)};
    struct risk_result result;
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < 1000; i++) {
            ASSERT(risk_check(&account, &order, &result));
            bench_use(&result);
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / 1000;
    }
    bench_table_row("risk check, every rule", batch_ns, BATCHES, "ns", NULL);
}

int main(void)
{
    bench_table_head();
    bench_steps();
    bench_recorder();
    bench_intents();
    bench_market();
    bench_risk();
    return 0;
}
