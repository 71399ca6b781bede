/*
 * bench_prices.c: live prices without a network: from the text of a frame to the best price that
 * the engine reads, in 300 markets; the same with changes of books; and an answer of 1,000 candles.
 */
#include "../../src/venue/market_feed_private.h"
#include "base/check.h"
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { MARKETS = 300, FRAMES = 60000, RATES = 60, PARSES = 200, CANDLES = 1000 };

static double frame_us[FRAMES], rate[RATES], book_us[FRAMES], parse_ms[PARSES];

static struct symbol symbols[MARKETS];

static struct market_feed *make_feed(struct feed *feed)
{
    static const struct live_settings settings = {
        .venue = "binance", .stream_url = "ws://127.0.0.1:9/stream", .depth = 100};
    const struct market_feed_options options = {
        .settings = &settings, .feed = feed, .clock = clock_real(), .symbols = MARKETS};
    struct market_feed *m = market_feed_new(&options, NULL);
    ASSERT(m != NULL);
    m->rows = calloc(MARKETS, sizeof(*m->rows));
    m->markets = calloc(MARKETS, sizeof(*m->markets));
    ASSERT(m->rows != NULL && m->markets != NULL);
    m->row_count = MARKETS;
    for (int i = 0; i < MARKETS; i++) {
        (void)snprintf(symbols[i].name, sizeof(symbols[i].name), "C%03d-USDT", i);
        m->rows[i].symbol = m->markets[i].symbol = symbols[i];
        (void)snprintf(m->markets[i].name, sizeof(m->markets[i].name), "C%03dUSDT", i);
    }
    market_stream_open(m);
    m->engine.symbol_count = MARKETS;
    memcpy(m->engine.symbols, symbols, sizeof(symbols));
    return m;
}

static void take(struct market_feed *m, const char *text)
{
    struct err err = {0};
    ASSERT(market_lane_read(m->stream, str_c(text), &m->message, &err) >= 0);
    const struct market_lane_message passed = {&m->message, 1, true};
    market_stream_take(m, NULL, &passed, &err);
    while (loop_iterate(feed_loop(m->feed), 0)) {}
}

/* As Binance sends them. */
static void write_top(char *text, size_t size, int market, int tick)
{
    (void)snprintf(text, size,
                   "{\"stream\":\"c%03dusdt@bookTicker\",\"data\":{\"u\":400900217,\"s\":"
                   "\"C%03dUSDT\",\"b\":\"%d.35190000\",\"B\":\"31.21000000\",\"a\":"
                   "\"%d.36520000\",\"A\":\"40.66000000\"}}",
                   market, market, 100 + tick % 50, 100 + tick % 50);
}

static void run_tops(struct market_feed *m)
{
    char text[512];
    struct quote quote;
    for (int i = 0; i < FRAMES; i++) {
        write_top(text, sizeof(text), i % MARKETS, i);
        int64_t start = bench_now_ns();
        take(m, text);
        ASSERT(market_feed_quote(m, symbols[i % MARKETS], &quote));
        frame_us[i] = (double)(bench_now_ns() - start) / 1e3;
    }
    for (int b = 0; b < RATES; b++) {
        double sum = 0;
        for (int i = 0; i < FRAMES / RATES; i++) {
            sum += frame_us[b * (FRAMES / RATES) + i];
        }
        rate[b] = 1e6 * (FRAMES / RATES) / sum;
    }
}

/* Five levels of each side in a change; a hundred of each are known. */
static void run_books(struct market_feed *m)
{
    static char text[65536];
    for (int i = 0; i < MARKETS; i++) {
        struct stream_event whole = {.kind = STREAM_BOOK,
                                     .whole = true,
                                     .last = 1,
                                     .bid_count = 100,
                                     .ask_from = 100,
                                     .ask_count = 100};
        for (int k = 0; k < 100; k++) {
            m->message.levels[k] =
                (struct stream_level){{(10000 - k) * (DEC_ONE / 100)}, dec_from_int(1)};
            m->message.levels[100 + k] =
                (struct stream_level){{(10001 + k) * (DEC_ONE / 100)}, dec_from_int(1)};
        }
        whole.market[0] = '\0';
        ASSERT(book_apply(m->rows[i].book, m->stream, &whole, m->message.levels, 1) == BOOK_GOOD);
    }
    for (int i = 0; i < FRAMES; i++) {
        int market = i % MARKETS, id = 2 + i / MARKETS;
        int len = snprintf(text, sizeof(text),
                           "{\"stream\":\"c%03dusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\","
                           "\"E\":1767225600000,\"s\":\"C%03dUSDT\",\"U\":%d,\"u\":%d,\"b\":[",
                           market, market, id, id);
        for (int k = 0; k < 10; k++) {
            int price = k < 5 ? 10000 - (i + k * 7) % 90 : 10001 + (i + k * 7) % 90;
            len += snprintf(text + len, sizeof(text) - (size_t)len, "%s[\"%d.%02d\",\"%d.5\"]",
                            k == 0   ? ""
                            : k == 5 ? "],\"a\":["
                                     : ",",
                            price / 100, price % 100, 1 + i % 9);
        }
        (void)snprintf(text + len, sizeof(text) - (size_t)len, "]}}");
        int64_t start = bench_now_ns();
        take(m, text);
        book_us[i] = (double)(bench_now_ns() - start) / 1e3;
        ASSERT(m->rows[market].book->whole);
    }
}

static void run_candles(void)
{
    static struct candle candles[EXCHANGE_CANDLES_MAX];
    static char text[CANDLES * 256];
    const struct exchange *exchange = exchange_find("binance");
    const struct exchange_market market = {.name = "BTCUSDT"};
    const int64_t from_us = INT64_C(1767225600000000);
    const struct exchange_ask ask = {.market = &market,
                                     .tf = TF_1M,
                                     .from_us = from_us,
                                     .until_us = from_us + CANDLES * USEC_PER_MIN};
    size_t len = 0;
    for (int i = 0; i < CANDLES; i++) {
        long long open_ms = from_us / 1000 + i * 60000LL;
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "%s[%lld,\"16123.45000000\",\"16180.01000000\",\"16100.00000000\","
                                "\"16155.55000000\",\"148.97600000\",%lld,\"2434.19055334\",308,"
                                "\"1756.87402397\",\"28.46694368\",\"0\"]",
                                i == 0 ? "[" : ",", open_ms, open_ms + 59999);
    }
    (void)snprintf(text + len, sizeof(text) - len, "]");
    for (int i = 0; i < PARSES; i++) {
        AUTO_JSON struct json_object *root = NULL;
        int count = 0;
        int64_t start = bench_now_ns();
        ASSERT(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &root, NULL) >= 0 &&
               exchange->read_candles(root, &ask, candles, &count, NULL) >= 0 && count == CANDLES);
        parse_ms[i] = (double)(bench_now_ns() - start) / 1e6;
        bench_use(candles);
    }
}

int main(void)
{
    struct shared shared;
    shared_init(&shared, MARKETS);
    struct feed *feed = feed_new(&(struct feed_options){.shared = &shared}, NULL);
    ASSERT(feed != NULL);
    struct market_feed *m = make_feed(feed);
    run_tops(m);
    run_books(m);
    run_candles();
    bench_table_head();
    bench_table_row("frame to best price, 300 markets (target 50)", frame_us, FRAMES, "us", NULL);
    bench_table_row("the same on one core (target 20,000)", rate, RATES, "frames/s", NULL);
    bench_table_row("frame to book, ten levels, 300 markets", book_us, FRAMES, "us", NULL);
    bench_table_row("answer of 1,000 candles (target 3)", parse_ms, PARSES, "ms", NULL);
    market_feed_free(m);
    feed_free(feed);
    shared_release(&shared);
    return 0;
}
