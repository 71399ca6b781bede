/*
 * bench_market.c: the cost of the indicators per candle, streaming, with their values read at each
 * candle, and the cost of reading a candle from a file.
 *
 * The peer is a batch library (TA-Lib): 68 ns per candle for the same six indicators on the same
 * kind of machine. The goal is 36.
 */
#include "base/check.h"
#include "bench/bench.h"
#include "market/csv.h"
#include "market/indicators.h"
#include "market/returns.h"
#include "market/series.h"
#include "market/simulated.h"

#define BATCHES 400
#define BATCH   500
#define CANDLES (BATCHES * BATCH)

static struct bar bars[CANDLES];
static struct candle candles[CANDLES];
static double batch_ns[BATCHES];

static void make_bars(void)
{
    struct symbol symbol;
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &symbol));
    struct simulated market;
    simulated_init(&market, 1, &symbol, 1, INT64_C(1640995200000000));
    for (int i = 0; i < CANDLES; i++) {
        struct source_bar bar[SYMBOLS_LIMIT];
        ASSERT(source_next(&market.source, bar) == 1);
        candles[i] = bar[0].candle;
        bars[i] = bar_of(&candles[i]);
    }
}

static void bench_six(void)
{
    struct rsi rsi;
    struct macd macd;
    struct moments bands;
    struct atr atr;
    struct adx adx;
    struct ema ema;
    rsi_init(&rsi, 14);
    macd_init(&macd, 12, 26, 9);
    moments_init(&bands, 20);
    atr_init(&atr, 14);
    adx_init(&adx, 14);
    ema_init(&ema, 20);
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (const struct bar *bar = &bars[b * BATCH]; bar < &bars[(b + 1) * BATCH]; bar++) {
            rsi_push(&rsi, bar->close);
            macd_push(&macd, bar->close);
            moments_push(&bands, bar->close);
            atr_push(&atr, bar);
            adx_push(&adx, bar);
            ema_push(&ema, bar->close);
            double middle = moments_mean(&bands);
            double deviation = moments_deviation(&bands);
            const double values[] = {rsi_value(&rsi),        macd_value(&macd),
                                     macd_signal(&macd),     macd_histogram(&macd),
                                     middle + 2 * deviation, middle,
                                     middle - 2 * deviation, atr_value(&atr),
                                     adx_value(&adx),        ema_value(&ema)};
            bench_use(values);
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / BATCH;
    }
    bench_table_row("six indicators, a candle (target 68, goal 36)", batch_ns, BATCHES, "ns", NULL);
}

static void bench_all(void)
{
    struct indicators all;
    double values[INDICATOR_COUNT];
    indicators_init(&all);
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            indicators_push(&all, &bars[b * BATCH + i]);
            indicators_values(&all, values);
            bench_use(values);
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / BATCH;
    }
    bench_table_row("all 26 columns, a candle", batch_ns, BATCHES, "ns", NULL);
}

/* Minutes into longer bars: four of five minutes close no bar. */
static void bench_series(void)
{
    static struct series series;
    struct symbol symbol;
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &symbol));
    series_init(&series, symbol, timeframe_us(TF_1M));
    for (int b = 0; b < BATCHES; b++) {
        unsigned closed = 0;
        int64_t start = bench_now_ns();
        for (int i = b * BATCH; i < (b + 1) * BATCH; i++) {
            unsigned one;
            (void)series_push(&series, &candles[i], candles[i].open_us + USEC_PER_MIN, &one);
            closed |= one;
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / BATCH;
        bench_use(&closed);
    }
    bench_table_row("a minute into 5m, 15m and 1h with their indicators", batch_ns, BATCHES, "ns",
                    NULL);
}

static void bench_returns(void)
{
    struct returns returns;
    returns_init(&returns, 2);
    struct symbol a, b;
    ASSERT(symbol_parse(STR_LIT("BTC-USD"), &a) && symbol_parse(STR_LIT("ETH-USD"), &b));
    for (int i = 0; i < RETURNS_WINDOW + 1; i++) {
        returns_push(&returns, a, i, candles[i].close);
        returns_push(&returns, b, i, candles[i + 1000].close);
    }
    for (int batch = 0; batch < BATCHES; batch++) {
        int64_t start = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            double r;
            ASSERT(returns_correlation(&returns, a, b, &r));
            bench_use(&r);
        }
        batch_ns[batch] = (double)(bench_now_ns() - start) / BATCH;
    }
    returns_release(&returns);
    bench_table_row("correlation of two symbols over 48 hours", batch_ns, BATCHES, "ns", NULL);
}

/* A file in memory, so that the disk is not measured. */
static void bench_csv(const char *name, bool iso)
{
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 << 20);
    buf_add_c(&text, "time,open,high,low,close,volume\n");
    for (int i = 0; i < CANDLES; i++) {
        const struct bar *b = &bars[i];
        if (iso) {
            clock_add_iso(&text, b->open_us, false);
        } else {
            buf_addf(&text, "%lld", (long long)(b->open_us / USEC_PER_MSEC));
        }
        buf_addf(&text, ",%.10g,%.10g,%.10g,%.10g,%.10g\n", b->open, b->high, b->low, b->close,
                 b->volume);
    }
    AUTO_CSV struct csv *csv = NULL;
    FILE *stream = fmemopen(text.data, text.len, "rb");
    ASSERT(stream != NULL && csv_open_stream(stream, "bench", NULL, &csv, NULL) == 0);
    for (int b = 0; b < BATCHES; b++) {
        struct csv_row row;
        int64_t start = bench_now_ns();
        for (int i = 0; i < BATCH; i++) {
            ASSERT(csv_next(csv, &row, NULL) == 1);
            bench_use(&row);
        }
        batch_ns[b] = (double)(bench_now_ns() - start) / BATCH;
    }
    bench_table_row(name, batch_ns, BATCHES, "ns", NULL);
}

int main(void)
{
    bench_table_head();
    make_bars();
    bench_six();
    bench_all();
    bench_series();
    bench_returns();
    bench_csv("read a CSV row, time in milliseconds", false);
    bench_csv("read a CSV row, time as ISO text", true);
    return 0;
}
