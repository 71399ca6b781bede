/*
 * The engine and its market: a CSV market traded on paper, restarts in the middle of it, restored
 * windows, and refused candles.
 */
#include "base/auto.h"
#include "base/check.h"
#include "engine/engine_buffers.h"
#include "io/file.h"
#include "rigs/driver_rig.h"
#include "store/state_table.h"
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_START INT64_C(1640995200000000) /* 2022-01-01 */
#define RECORDED     ((UNIT_SANITIZED ? 2 : 4) * 1440)

static const struct symbol recorded[] = {{"BTC-USD"}, {"ETH-USD"}};
static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)str_copy(str_c("/var/tmp/nd-market.XXXXXX"), folder, sizeof(folder));
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

/* Writes one CSV file per symbol, with candles of this length. */
static void record(int count, int64_t step_us, struct settings *settings)
{
    struct simulated market;
    static char paths[2][MARKET_PATH_MAX + 1];
    FILE *files[2];
    simulated_init(&market, 4, recorded, 2, 0);
    simulated_pin(&market, CLIMATE_UP);
    settings->market_source = MARKET_CSV;
    settings->market_file_count = 2;
    settings->symbol_count = 2;
    for (int k = 0; k < 2; k++) {
        struct market_file *file = &settings->market_files[k];
        settings->symbols[k] = recorded[k];
        file->symbol = recorded[k];
        (void)snprintf(paths[k], sizeof(paths[k]), "%s/%s.csv", folder, recorded[k].name);
        file->path = paths[k];
        files[k] = fopen(file->path, "we");
        assert_non_null(files[k]);
        (void)fputs("time,open,high,low,close,volume\n", files[k]);
    }
    for (int i = 0; i < count; i++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        (void)source_next(&market.source, bars);
        for (int k = 0; k < 2; k++) {
            const struct candle *c = &bars[k].candle;
            if (i % 97 == 13 * k + 5) {
                continue; /* a gap */
            }
            (void)fprintf(files[k], "%lld,%.8f,%.8f,%.8f,%.8f,%.8f\n",
                          (long long)(RECORD_START + i * step_us) / USEC_PER_SEC,
                          dec_to_double(c->open), dec_to_double(c->high), dec_to_double(c->low),
                          dec_to_double(c->close), dec_to_double(c->volume));
        }
    }
    for (int k = 0; k < 2; k++) {
        assert_int_equal(fclose(files[k]), 0);
    }
}

static void open_recorded(struct driver_rig *rig, int count, int64_t step_us)
{
    static struct settings settings;
    driver_rig_settings(&settings);
    record(count, step_us, &settings);
    driver_rig_open(rig, &settings);
}

static void trades_a_csv_market_to_its_end(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct bus_reader faults;
    open_recorded(&rig, RECORDED, USEC_PER_MIN);
    bus_reader_init(&faults, rig.shared.bus, TOPIC_FAULT);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->market_us, RECORD_START);
    driver_rig_run(&rig, RECORDED - 1);
    assert_false(s->market_ended);
    assert_true(s->trades > 0);
    assert_true(s->markets[0].change_24h_pct.e8 != 0);
    driver_rig_run(&rig, 2);
    assert_true(s->market_ended);
    int64_t gaps = 0;
    for (int k = 0; k < 2; k++) {
        gaps += (int64_t)s->markets[k].gaps;
        assert_int_equal(s->markets[k].refused, 0);
    }
    assert_int_equal((int64_t)s->candles, 2 * RECORDED - gaps);
    assert_true(gaps > RECORDED / 58);

    /* Nothing is opened after the end; closing is possible. */
    int64_t decisions = (int64_t)s->decisions;
    int held = s->position_count;
    driver_rig_run(&rig, 120);
    assert_int_equal((int64_t)s->decisions, decisions);
    assert_int_equal(s->position_count, held);
    /* The entry of the newest candle may still wait for a candle to fill on. */
    bool open = held > 0 || s->open_orders > 0;
    assert_int_equal(driver_rig_ask(&rig, REQUEST_CLOSE, NULL),
                     open ? ERR_NONE : ERR_ENGINE_NOTHING_OPEN);
    driver_rig_run(&rig, 3);
    assert_int_equal(s->position_count, 0);
    assert_true(s->books_balance);
    int ended = 0;
    struct bus_event raw;
    while (bus_read(&faults, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        ended += e.code == ERR_MARKET_ENDED;
    }
    assert_in_range(ended, 2, 4); /* repeated each minute: two minutes here */
    driver_rig_close(&rig);
}

/* The same results whether it runs through or is killed every few hours. */
static void restarts_do_not_change_the_results(void **state)
{
    (void)state;
    struct driver_rig whole, broken;
    open_recorded(&whole, RECORDED, USEC_PER_MIN);
    driver_rig_run(&whole, RECORDED);
    open_recorded(&broken, RECORDED, USEC_PER_MIN);
    /* A restart takes no market time but that of the following rounds. */
    while (!driver_rig_snapshot(&broken)->market_ended) {
        driver_rig_run(&broken, 331);
        driver_rig_restart(&broken);
        driver_rig_round(&broken, 0);
    }
    const struct snapshot *a = driver_rig_snapshot(&whole), *b = driver_rig_snapshot(&broken);
    assert_int_equal(a->candles, b->candles);
    assert_int_equal(a->decisions, b->decisions);
    assert_true(a->trades > 0);
    assert_int_equal(a->trades, b->trades);
    assert_int_equal(a->equity.e8, b->equity.e8);
    assert_int_equal(a->realised.e8, b->realised.e8);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(b->markets[k].refused, 0);
        assert_int_equal(a->markets[k].gaps, b->markets[k].gaps);
        assert_true(a->markets[k].rsi == b->markets[k].rsi);
        assert_int_equal(a->markets[k].change_24h_pct.e8, b->markets[k].change_24h_pct.e8);
    }
    driver_rig_close(&whole);
    driver_rig_close(&broken);
}

/* The files become shorter while they are traded. Once they are whole again, a request goes on
 * where they ended, and the results are those of an undisturbed run. */
static void a_feed_that_was_lost_goes_on_after_a_request(void **state)
{
    (void)state;
    struct driver_rig whole, rig;
    char kept[2][128], path[2][128];
    open_recorded(&whole, RECORDED, USEC_PER_MIN);
    driver_rig_run(&whole, RECORDED);
    open_recorded(&rig, RECORDED, USEC_PER_MIN);
    driver_rig_run(&rig, 100);
    for (int k = 0; k < 2; k++) {
        AUTO_BUF struct buf text = BUF_INIT(1 << 20);
        (void)snprintf(path[k], sizeof(path[k]), "%s/%s.csv", folder, recorded[k].name);
        (void)snprintf(kept[k], sizeof(kept[k]), "%s/%s.kept", folder, recorded[k].name);
        assert_int_equal(file_read(path[k], &text, NULL), 0);
        assert_int_equal(file_write(kept[k], buf_str(&text), 0600, NULL), 0);
        assert_int_equal(truncate(path[k], (off_t)text.len / 2), 0);
    }
    driver_rig_run(&rig, RECORDED);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->feed_err, ERR_MARKET_LOST);
    assert_true(s->feed_reconnects);
    assert_non_null(strstr(s->feed_reason, "it ends after"));
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RECONNECT, NULL), ERR_MARKET_NO_NEWER);
    assert_int_equal(s->feed_err, ERR_MARKET_LOST);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(rename(kept[k], path[k]), 0);
    }
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RECONNECT, NULL), ERR_NONE);
    assert_int_equal(s->feed_err, 0);
    driver_rig_run(&rig, RECORDED);
    assert_true(s->market_ended);
    assert_int_equal(s->feed_err, 0); /* its real end */
    const struct snapshot *all = driver_rig_snapshot(&whole);
    assert_int_equal(s->candles, all->candles);
    assert_int_equal(s->decisions, all->decisions);
    assert_int_equal(s->trades, all->trades);
    assert_int_equal(s->equity.e8, all->equity.e8);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(s->markets[k].refused, 0);
    }
    driver_rig_close(&rig);
    driver_rig_close(&whole);
}

static void a_simulated_market_has_nothing_to_connect(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 5);
    assert_false(driver_rig_snapshot(&rig)->feed_reconnects);
    assert_int_equal(driver_rig_ask(&rig, REQUEST_RECONNECT, NULL), ERR_MARKET_NO_FEED);
    driver_rig_close(&rig);
}

/* Candles of 15 minutes: decisions are made on each. */
static void trades_longer_candles(void **state)
{
    (void)state;
    struct driver_rig rig;
    open_recorded(&rig, 600, 15 * USEC_PER_MIN);
    driver_rig_run(&rig, 600 * 15);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_true(s->market_ended);
    assert_int_equal(s->markets[0].refused + s->markets[1].refused, 0);
    assert_true(s->decisions > 1000);
    assert_true(s->decisions <= s->candles);
    assert_true(s->books_balance);
    assert_int_not_equal(s->markets[0].regime, REGIME_NEUTRAL);
    driver_rig_close(&rig);
}

static void a_missing_csv_file_is_reported_and_retried(void **state)
{
    (void)state;
    struct driver_rig rig;
    static struct settings settings;
    char away[320];
    driver_rig_settings(&settings);
    record(300, USEC_PER_MIN, &settings);
    const char *path = settings.market_files[1].path;
    (void)snprintf(away, sizeof(away), "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    driver_rig_open(&rig, &settings);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->state, TRADING_STARTING);
    assert_int_equal(s->last_err, ERR_MARKET_SOURCE);
    assert_non_null(strstr(s->state_reason, "market: "));
    assert_non_null(strstr(s->state_reason, folder));
    assert_int_equal(rename(away, path), 0);
    driver_rig_round(&rig, 2 * USEC_PER_SEC);
    assert_int_equal(driver_rig_snapshot(&rig)->last_err, 0);
    driver_rig_run(&rig, 10);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    assert_true(driver_rig_snapshot(&rig)->candles > 10);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- restarts */

static void the_windows_are_restored(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 33);
    AUTO_FREE struct snapshot *before = snapshot_new(3);
    snapshot_copy(before, 3, driver_rig_snapshot(&rig));
    driver_rig_restart(&rig);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    for (int k = 0; k < before->market_count; k++) {
        /* This figure comes from the hourly window, which is not in the saved bytes. */
        assert_true(before->markets[k].change_24h_pct.e8 != 0);
        assert_int_equal(s->markets[k].change_24h_pct.e8, before->markets[k].change_24h_pct.e8);
        assert_int_equal(s->markets[k].regime, before->markets[k].regime);
    }
    driver_rig_close(&rig);
}

/* Bytes of another version cost only the minutes since the last closed bar. */
static void an_old_layout_is_warmed_from_stored_candles(void **state)
{
    (void)state;
    struct driver_rig rig;
    struct err err = {0};
    char bytes[5000];
    memset(bytes, 1, sizeof(bytes));
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 33);
    AUTO_FREE struct snapshot *before = snapshot_new(3);
    snapshot_copy(before, 3, driver_rig_snapshot(&rig));
    assert_int_equal(state_table_write_blob(rig.store, "series", bytes, sizeof(bytes), &err), 0);
    driver_rig_restart(&rig);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    for (int k = 0; k < before->market_count; k++) {
        assert_true(fabs(s->markets[k].rsi / before->markets[k].rsi - 1) < 1e-6);
        assert_int_equal(s->markets[k].regime, before->markets[k].regime);
        assert_true(s->markets[k].updated_us > before->markets[k].updated_us - 5 * USEC_PER_MIN);
    }
    driver_rig_run(&rig, 10);
    assert_int_equal(driver_rig_snapshot(&rig)->state, TRADING_ACTIVE);
    assert_int_equal(driver_rig_snapshot(&rig)->markets[0].refused, 0);
    driver_rig_close(&rig);
}

/* A database of the simulated market that gets a CSV market: the old history does not warm the new
 * one. */
static void another_market_starts_cold(void **state)
{
    (void)state;
    struct driver_rig rig;
    driver_rig_open(&rig, NULL);
    driver_rig_run(&rig, 33);
    record(2000, USEC_PER_MIN, &rig.settings);
    driver_rig_restart(&rig);
    const struct snapshot *s = driver_rig_snapshot(&rig);
    assert_int_equal(s->markets[0].price.e8, 0);
    assert_true(s->markets[0].rsi == 0);
    driver_rig_run(&rig, 3);
    assert_true(s->market_ended); /* it ends before the time of the books */
    assert_int_equal(driver_rig_snapshot(&rig)->markets[0].updated_us, 0);
    driver_rig_close(&rig);
}

/* ---------------------------------------------------------------- refused candles */

struct lone {
    struct engine *engine;
    struct engine_now now;
    struct engine_inputs in;
    struct engine_outputs out;
    struct snapshot *snapshot;
};

static void lone_open(struct lone *l)
{
    struct settings settings;
    driver_rig_settings(&settings);
    memset(l, 0, sizeof(*l));
    l->engine = engine_new(&settings, settings.symbols, 3);
    l->snapshot = snapshot_new(3);
    engine_inputs_init(&l->in, 3);
    engine_outputs_init(&l->out, 3);
    l->now.market_us = RECORD_START;
    engine_begin(l->engine, &l->now);
}

/* Runs a minute with this change of its first candle; returns the reported kind, -1: none. */
static int64_t lone_minute(struct lone *l, void (*change)(struct candle *), int64_t late_us)
{
    struct dec p = dec_from_int(100);
    l->now.market_us += USEC_PER_MIN;
    l->in.bar_count = 1;
    l->in.bars[0] = (struct source_bar){
        {"BTC-USD"},
        {l->now.market_us - USEC_PER_MIN, p, dec_from_int(101), dec_from_int(99), p, p}};
    if (change != NULL) {
        change(&l->in.bars[0].candle);
    }
    l->now.market_us += late_us;
    engine_step(l->engine, &l->now, &l->in, &l->out);
    l->now.market_us -= late_us;
    engine_snapshot(l->engine, &l->now, l->snapshot);
    for (int i = 0; i < l->out.event_count; i++) {
        const struct event *e = &l->out.events[i];
        if (e->topic == TOPIC_FAULT && e->code == ERR_MARKET_CANDLE) {
            assert_string_equal(e->symbol.name, "BTC-USD");
            return e->id;
        }
    }
    return -1;
}

static void high_below_low(struct candle *c)
{
    c->high = dec_from_int(1);
}

static void not_a_number(struct candle *c)
{
    c->close = DEC_INVALID;
}

static void time_goes_back(struct candle *c)
{
    c->open_us -= 5 * USEC_PER_MIN;
}

static void not_complete_yet(struct candle *c)
{
    c->open_us += USEC_PER_MIN;
}

static void every_refusal_is_reported_by_kind(void **state)
{
    (void)state;
    struct lone l;
    lone_open(&l);
    const struct snapshot_market *m = &l.snapshot->markets[0];
    assert_int_equal(lone_minute(&l, NULL, 0), -1);
    assert_false(m->suspect);
    assert_int_equal(lone_minute(&l, high_below_low, 0), SERIES_IMPOSSIBLE);
    assert_true(m->suspect);
    assert_int_equal(lone_minute(&l, not_a_number, 0), SERIES_IMPOSSIBLE);
    assert_int_equal(lone_minute(&l, time_goes_back, 0), SERIES_BACK);
    assert_int_equal(lone_minute(&l, not_complete_yet, 0), SERIES_FUTURE);
    assert_int_equal(lone_minute(&l, NULL, SERIES_STALE_US + 1), SERIES_STALE);
    assert_true(m->suspect);
    assert_int_equal(m->refused, 5);
    assert_int_equal(m->refused_impossible, 2);
    assert_int_equal(m->refused_backward, 1);
    assert_int_equal(m->refused_future, 1);
    assert_int_equal(m->refused_stale, 1);
    assert_int_equal(m->price.e8, dec_from_int(100).e8);
    assert_int_equal(lone_minute(&l, NULL, 0), -1);
    assert_false(m->suspect);
    assert_int_equal(m->refused, 5);
    assert_int_equal(m->gaps, 5);
    engine_free(l.engine);
    free(l.snapshot);
    engine_inputs_release(&l.in);
    engine_outputs_release(&l.out);
}

UNIT_GROUP(market,
           cmocka_unit_test_setup_teardown(trades_a_csv_market_to_its_end, make_folder,
                                           remove_folder),
           cmocka_unit_test_setup_teardown(restarts_do_not_change_the_results, make_folder,
                                           remove_folder),
           cmocka_unit_test_setup_teardown(a_feed_that_was_lost_goes_on_after_a_request,
                                           make_folder, remove_folder),
           cmocka_unit_test(a_simulated_market_has_nothing_to_connect),
           cmocka_unit_test_setup_teardown(trades_longer_candles, make_folder, remove_folder),
           cmocka_unit_test_setup_teardown(a_missing_csv_file_is_reported_and_retried, make_folder,
                                           remove_folder),
           cmocka_unit_test(the_windows_are_restored),
           cmocka_unit_test(an_old_layout_is_warmed_from_stored_candles),
           cmocka_unit_test_setup_teardown(another_market_starts_cold, make_folder, remove_folder),
           cmocka_unit_test(every_refusal_is_reported_by_kind))
