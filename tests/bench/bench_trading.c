/*
 * bench_trading.c: how long a picture of /chart takes, from trading.db to the PNG.
 *
 * "a chart PNG" is one picture of each kind in turn, of a week (the prices: of a day with twenty
 * trades), 1080 x 1000 pixels, light and dark. The peer is libcairo's own PNG writer for a picture
 * of the same size on which nothing is drawn, interleaved.
 */
#include "../../src/trading/picture.h"
#include "base/check.h"
#include "base/clock.h"
#include "bench/bench.h"
#include "store/candle_table.h"
#include "store/equity_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <cairo.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>

#define NOW_US INT64_C(1795262400000000)
#define RUNS   200
#define WARM   4

static double chart_ms[RUNS], empty_ms[RUNS];

static struct dec dec_of(double value)
{
    char text[48];
    struct dec dec;
    (void)snprintf(text, sizeof(text), "%.4f", value);
    ASSERT(dec_parse(str_c(text), &dec));
    return dec;
}

static void fill(struct trading_store *store)
{
    struct symbol symbol;
    ASSERT(symbol_parse(str_c("BTC-USD"), &symbol));
    ASSERT(trading_store_begin(store, NULL) == 0);
    for (int h = 0; h <= 168; h++) {
        struct dec equity = dec_of(10000 + 90 * sin(h / 11.0) + (h * 37 % 17));
        const struct equity_point point = {
            .at_us = NOW_US - (168 - h) * USEC_PER_HOUR, .equity = equity, .cash = equity};
        ASSERT(equity_table_add(store, &point, NULL) == 0);
    }
    for (int i = 0; i < 288; i++) {
        struct dec price = dec_of(64000 + 700 * sin(i / 20.0) + (i * 53 % 97));
        const struct candle candle = {.open_us = NOW_US - (288 - i) * 5 * USEC_PER_MIN,
                                      .open = price,
                                      .high = price,
                                      .low = price,
                                      .close = price};
        ASSERT(candle_table_add(store, symbol, &candle, NULL) == 0);
    }
    for (int i = 1; i <= 140; i++) {
        struct trade t = {.id = i,
                          .symbol = symbol,
                          .side = i % 2 == 0 ? SIDE_LONG : SIDE_SHORT,
                          .qty = dec_of(0.01),
                          .entry_price = dec_of(64000 + i),
                          .exit_price = dec_of(64100 - i),
                          .pnl = dec_of(i % 3 == 0 ? -4 : 3),
                          .closed_us = NOW_US - (141 - i) * 70 * USEC_PER_MIN,
                          .exit_reason = "signal"};
        t.opened_us = t.closed_us - 40 * USEC_PER_MIN;
        (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%d", i);
        ASSERT(trade_table_add(store, &t, NULL) == 0);
    }
    ASSERT(trading_store_commit(store, NULL) == 0);
}

static double draw(struct trading_store *store, int run)
{
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    struct picture p = {.kind = (enum picture_kind)(run % 4),
                        .since_us = NOW_US - (run % 4 == PICTURE_PRICE ? 1 : 7) * USEC_PER_DAY,
                        .until_us = NOW_US,
                        .theme = run / 4 % 2 == 0 ? CHART_LIGHT : CHART_DARK,
                        .max_exposure_pct = 10,
                        .zone = "Europe/Berlin"};
    if (p.kind == PICTURE_PRICE) {
        ASSERT(symbol_parse(str_c("BTC-USD"), &p.symbol));
    }
    int64_t start = bench_now_ns();
    ASSERT(picture_draw(&p, store, &png, NULL) == 1);
    return (double)(bench_now_ns() - start) / 1e6;
}

static cairo_status_t drop(void *closure, const unsigned char *data, unsigned int length)
{
    (void)data;
    *(size_t *)closure += length;
    return CAIRO_STATUS_SUCCESS;
}

static double write_empty(void)
{
    static __typeof__(cairo_image_surface_create) *create;
    static __typeof__(cairo_surface_write_to_png_stream) *write_png;
    static __typeof__(cairo_surface_destroy) *destroy;
    if (create == NULL) {
        void *library = dlopen("libcairo.so.2", RTLD_NOW);
        ASSERT(library != NULL);
        *(void **)&create = dlsym(library, "cairo_image_surface_create");
        *(void **)&write_png = dlsym(library, "cairo_surface_write_to_png_stream");
        *(void **)&destroy = dlsym(library, "cairo_surface_destroy");
    }
    size_t bytes = 0;
    cairo_surface_t *surface = create(CAIRO_FORMAT_RGB24, 1080, 1000);
    int64_t start = bench_now_ns();
    ASSERT(write_png(surface, drop, &bytes) == CAIRO_STATUS_SUCCESS && bytes > 0);
    double ms = (double)(bench_now_ns() - start) / 1e6;
    destroy(surface);
    return ms;
}

int main(void)
{
    struct trading_store *store = NULL;
    ASSERT(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL) == 0);
    fill(store);
    for (int i = 0; i < WARM; i++) { /* loads the library and the fonts */
        (void)draw(store, i);
        (void)write_empty();
    }
    for (int i = 0; i < RUNS; i++) {
        chart_ms[i] = draw(store, i);
        empty_ms[i] = write_empty();
    }
    char peer[96];
    (void)snprintf(peer, sizeof(peer), "cairo's writer, empty picture: %.1f, p99 %.1f",
                   bench_percentile(empty_ms, RUNS, 0.5), bench_percentile(empty_ms, RUNS, 0.99));
    bench_table_head();
    bench_table_row("a chart PNG (limit 30 ms)", chart_ms, RUNS, "ms", peer);
    trading_store_free(store);
    return 0;
}
