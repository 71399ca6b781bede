/*
 * bench_backtest.c: candles per second of a back-test with all eight agents, the risk manager, the
 * ledger and the paper venue; and a check that its memory does not grow with its length.
 *
 * Candles are one minute, of one symbol, from the simulated market; limits that would stop trading
 * permanently are off, so that it trades to the end. A sample is one whole back-test. "in memory":
 * the candles are in an array. "from a file": they are read from a CSV on the disk (page cache),
 * parsing included. Peak memory is the resident set of a child process that does nothing else.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "engine/backtest.h"
#include "market/csv_source.h"
#include "market/simulated.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define CANDLES 500000
#define RUNS    9
#define START   INT64_C(1640995200000000)
/* Memory kept by the C library may differ by a few pages. */
#define MEMORY_SLACK_KIB 512

struct array {
    struct source source;
    struct source_bar *bars;
    int64_t count;
    int64_t next;
};

static int64_t array_next(const struct source *source)
{
    const struct array *a = (const struct array *)(const void *)source;
    return a->next == a->count ? INT64_MAX : a->bars[a->next].candle.open_us + USEC_PER_MIN;
}

static int array_next_bars(struct source *source, struct source_bar ret[SYMBOLS_LIMIT])
{
    struct array *a = (struct array *)(void *)source;
    ret[0] = a->bars[a->next++];
    return 1;
}

static const struct source_ops array_ops = {
    .name = "array", .next_us = array_next, .next = array_next_bars};

static void settings_init(struct settings *s)
{
    /* The defaults of the options table, without limits that stop or slow trading. */
    *s = (struct settings){
        .symbol_count = 1,
        .market_speed = 60,
        .threshold = 0.25,
        .risk_per_trade_pct = 2,
        .max_position_pct = 25,
        .max_positions = 3,
        .stop_pct = 2,
        .target_pct = 4,
        .max_daily_loss_pct = 100,
        .max_drawdown_pct = 100,
        .max_consecutive_losses = 1000000,
        .cooldown_us = 30 * USEC_PER_MIN,
        .max_exposure_pct = 75,
        .max_leverage = 3,
        .max_correlation = 0.7,
        .maintenance_margin_pct = 0.5,
        .min_liquidation_distance_pct = 5,
        .max_orders_per_minute = 10,
        .initial_cash = dec_from_int(1000000),
    };
    for (int t = 0; t < TIERS; t++) {
        s->tiers[t].max_position_pct = 25;
        s->tiers[t].max_exposure_pct = 50;
    }
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &s->symbols[0]));
}

static int64_t run(const struct settings *settings, struct source *source, int64_t *ret_trades)
{
    struct err err = {0};
    static const struct venue_settings venue = {
        .name = "paper",
        .paper =
            {
                .spread_bps = 4,
                .fee_bps = 5,
                .maker_fee_bps = 2,
                .depth = {50000 * DEC_ONE},
                .level_bps = 2,
                .latency_us = 200 * USEC_PER_MSEC,
                .min_notional = {5 * DEC_ONE},
                .tick_digits = 6,
                .funding_bps = 1,
            },
    };
    struct backtest *b = backtest_new(
        &(struct backtest_options){.settings = settings, .venue = &venue, .source = source});
    int64_t start_ns = bench_now_ns();
    ASSERT(backtest_run(b, &err) >= 0);
    int64_t ns = bench_now_ns() - start_ns;
    const struct backtest_result *r = backtest_result(b);
    ASSERT(r->candles > 0 && r->snapshot->books_balance);
    ASSERT(r->snapshot->decisions >= (uint64_t)r->candles / 5 - 1);
    *ret_trades = r->performance.all.trades;
    backtest_free(b);
    return ns;
}

static void write_csv(FILE *file, int64_t count)
{
    struct settings settings;
    struct simulated market;
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    settings_init(&settings);
    simulated_init(&market, 1, settings.symbols, 1, START);
    buf_add_c(&text, "timestamp,open,high,low,close,volume\n");
    for (int64_t i = 0; i < count; i++) {
        struct source_bar bar[SYMBOLS_LIMIT];
        (void)source_next(&market.source, bar);
        const struct candle *c = &bar[0].candle;
        const struct dec cells[] = {c->open, c->high, c->low, c->close, c->volume};
        clock_add_iso(&text, c->open_us, false);
        for (size_t k = 0; k < COUNT_OF(cells); k++) {
            buf_add_char(&text, ',');
            dec_add_text(&text, cells[k]);
        }
        buf_add_char(&text, '\n');
        if (text.len > (size_t)1 << 19 || i == count - 1) {
            ASSERT(fwrite(text.data, 1, text.len, file) == text.len);
            buf_clear(&text);
        }
    }
    ASSERT(fflush(file) == 0);
}

static int64_t run_csv(const struct settings *settings, const char *path)
{
    struct csv_source files;
    struct csv_source_file file = {.symbol = settings->symbols[0], .path = path};
    struct err err = {0};
    int64_t trades;
    int64_t start_ns = bench_now_ns();
    ASSERT(csv_source_init(&files, &file, 1, &err) >= 0);
    (void)run(settings, &files.source, &trades);
    int64_t ns = bench_now_ns() - start_ns;
    ASSERT(csv_source_error(&files) == NULL);
    csv_source_release(&files);
    return ns;
}

/* Peak memory of a separate child process in KiB. */
static long peak_kib(const struct settings *settings, const char *path)
{
    (void)fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        (void)run_csv(settings, path);
        _exit(0);
    }
    int status;
    struct rusage usage;
    ASSERT(wait4(child, &status, 0, &usage) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0);
    return usage.ru_maxrss;
}

static void bench_files(const struct settings *settings)
{
    static double rates[RUNS];
    char small[] = "/var/tmp/nd-bench.XXXXXX";
    char large[] = "/var/tmp/nd-bench.XXXXXX";
    int small_fd = mkstemp(small);
    int large_fd = mkstemp(large);
    ASSERT(small_fd >= 0 && large_fd >= 0);
    FILE *one = fdopen(small_fd, "w");
    FILE *four = fdopen(large_fd, "w");
    ASSERT(one != NULL && four != NULL);
    write_csv(one, CANDLES / 2);
    write_csv(four, 2 * CANDLES);
    /* Before anything large is allocated here, since a child would inherit it. */
    long one_kib = peak_kib(settings, small);
    long four_kib = peak_kib(settings, large);
    for (int i = 0; i < RUNS; i++) {
        rates[i] = CANDLES / 2 / ((double)run_csv(settings, small) / 1e9) / 1e6;
    }
    bench_table_row("back-test from a file, parsing included", rates, RUNS, "million/s", NULL);
    printf("%-44s | %9ld KiB | %9ld KiB | %s\n", "peak memory, 250 000 and 1 000 000 candles",
           one_kib, four_kib, "not more than the first");
    ASSERT(four_kib <= one_kib + MEMORY_SLACK_KIB);
    (void)fclose(one);
    (void)fclose(four);
    (void)remove(small);
    (void)remove(large);
}

static void bench_memory(const struct settings *settings)
{
    static double rates[RUNS];
    struct array array = {.source = {.ops = &array_ops, .step_us = USEC_PER_MIN},
                          .bars = calloc(CANDLES, sizeof(struct source_bar)),
                          .count = CANDLES};
    ASSERT(array.bars != NULL);
    struct simulated market;
    simulated_init(&market, 1, settings->symbols, 1, START);
    for (int64_t i = 0; i < CANDLES; i++) {
        struct source_bar bar[SYMBOLS_LIMIT];
        (void)source_next(&market.source, bar);
        array.bars[i] = bar[0];
    }
    int64_t trades = 0;
    for (int i = 0; i < RUNS; i++) {
        array.next = 0;
        rates[i] = CANDLES / ((double)run(settings, &array.source, &trades) / 1e9) / 1e6;
    }
    ASSERT(trades > CANDLES / 1000);
    bench_table_row("back-test in memory (target 1 million/s)", rates, RUNS, "million/s", NULL);
    free(array.bars);
}

int main(void)
{
    struct settings settings;
    settings_init(&settings);
    bench_table_head();
    bench_files(&settings);
    bench_memory(&settings);
    return 0;
}
