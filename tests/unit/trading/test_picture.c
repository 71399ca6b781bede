/* The pictures of /chart, drawn from a trading.db and read back pixel by pixel. */
#include "../../../src/trading/picture.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "rigs/pixels.h"
#include "store/candle_table.h"
#include "store/equity_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/trade_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* 2026-11-21 12:00 UTC */
#define NOW_US INT64_C(1795262400000000)
#define HOURS  (7 * 24)

/* Of the light theme. */
#define BLUE   0x0b5fc0
#define RED    0xc4420a
#define GREEN  0x007a5a
#define GREY   0x59667a
#define VIOLET 0x84359d
#define ORANGE 0xa06400
#define TEAL   0x0a7c8c
#define SHADE  0xeceff3

static int setup(void **state)
{
    struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &store, NULL), 0);
    *state = store;
    return 0;
}

static int teardown(void **state)
{
    trading_store_free(*state);
    return 0;
}

static struct dec dec_of(double value)
{
    char text[48];
    struct dec dec;
    (void)snprintf(text, sizeof(text), "%.4f", value);
    assert_true(dec_parse(str_c(text), &dec));
    return dec;
}

static struct symbol symbol_of(const char *name)
{
    struct symbol symbol;
    assert_true(symbol_parse(str_c(name), &symbol));
    return symbol;
}

static void add_equity(struct trading_store *store, int from_hour, int to_hour)
{
    for (int h = from_hour; h <= to_hour; h++) {
        double value = 10000 + 80 * sin(h / 9.0) + h;
        assert_int_equal(
            equity_table_add(store,
                             &(struct equity_point){.at_us = NOW_US - (HOURS - h) * USEC_PER_HOUR,
                                                    .equity = dec_of(value),
                                                    .cash = dec_of(value)},
                             NULL),
            0);
    }
}

static double price_at(int64_t at_us)
{
    double hours = (double)(at_us - (NOW_US - USEC_PER_DAY)) / (double)USEC_PER_HOUR;
    return 3100 + 60 * sin(hours / 2.5);
}

static void add_candles(struct trading_store *store, const char *symbol)
{
    for (int i = 0; i < 288; i++) {
        int64_t open_us = NOW_US - (288 - i) * 5 * USEC_PER_MIN;
        struct dec price = dec_of(price_at(open_us));
        const struct candle candle = {
            .open_us = open_us, .open = price, .high = price, .low = price, .close = price};
        assert_int_equal(candle_table_add(store, symbol_of(symbol), &candle, NULL), 0);
    }
}

static void add_trade(struct trading_store *store, int64_t id, int64_t closed_us, enum side side,
                      double pnl)
{
    struct trade t = {.id = id,
                      .symbol = symbol_of("ETH-USD"),
                      .side = side,
                      .qty = dec_of(0.1),
                      .entry_price = dec_of(price_at(closed_us - USEC_PER_HOUR)),
                      .exit_price = dec_of(price_at(closed_us)),
                      .pnl = dec_of(pnl),
                      .opened_us = closed_us - USEC_PER_HOUR,
                      .closed_us = closed_us};
    struct order order = {.symbol = t.symbol,
                          .kind = ORDER_ENTRY,
                          .side = side,
                          .state = ORDER_FILLED,
                          .qty = t.qty,
                          .stop = dec_of(price_at(t.opened_us) - 40),
                          .target = dec_of(3300)};
    (void)snprintf(t.client_id, sizeof(t.client_id), "nd-1-%lld", (long long)id);
    (void)snprintf(t.exit_reason, sizeof(t.exit_reason), "signal");
    (void)snprintf(order.client_id, sizeof(order.client_id), "nd-1-%lld", (long long)id);
    assert_int_equal(trade_table_add(store, &t, NULL), 0);
    assert_int_equal(order_table_write(store, &order, NULL), 0);
}

static void open_position(struct trading_store *store)
{
    const struct position p = {.symbol = symbol_of("ETH-USD"),
                               .side = SIDE_LONG,
                               .qty = dec_of(0.2),
                               .entry_price = dec_of(3100),
                               .stop = dec_of(3040),
                               .target = dec_of(3200),
                               .mark_price = dec_of(3110),
                               .opened_us = NOW_US - 2 * USEC_PER_HOUR,
                               .client_id = "nd-1-900"};
    assert_int_equal(position_table_replace(store, &p, 1, NULL), 0);
}

static struct picture ask(enum picture_kind kind, int64_t period_us)
{
    return (struct picture){.kind = kind,
                            .since_us = NOW_US - period_us,
                            .until_us = NOW_US,
                            .max_exposure_pct = 10,
                            .zone = "Europe/Berlin"};
}

/* PICTURE_OUT is a folder for the pictures, to look at them. */
static int draw(struct trading_store *store, struct picture *p, const char *name,
                struct pixels *ret)
{
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    struct err err = {0};
    int rc = picture_draw(p, store, &png, &err);
    *ret = (struct pixels){0};
    if (rc != 1) {
        assert_int_equal(png.len, 0);
        return rc;
    }
    const char *folder = getenv("PICTURE_OUT");
    if (folder != NULL) {
        AUTO_BUF struct buf path = BUF_INIT(4096);
        buf_addf(&path, "%s/%s.png", folder, name);
        assert_int_equal(file_write(path.data, buf_str(&png), 0644, NULL), 0);
    }
    pixels_read(buf_str(&png), ret);
    return rc;
}

/* The figure of this name, as people read it. */
static const char *figure(const struct picture *p, const char *name)
{
    static char text[64];
    for (int i = 0; i < p->figure_count; i++) {
        if (strcmp(p->figures[i].name, name) == 0) {
            AUTO_BUF struct buf out = BUF_INIT(sizeof(text) - 1);
            cell_add_text(&out, p->figures[i].value);
            (void)str_copy(buf_str(&out), text, sizeof(text));
            return text;
        }
    }
    return "";
}

static void equity_has_its_drawdown(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    add_equity(store, 0, HOURS);
    for (int theme = CHART_LIGHT; theme <= CHART_DARK; theme++) {
        struct picture p = ask(PICTURE_EQUITY, 7 * USEC_PER_DAY);
        p.theme = (enum chart_theme)theme;
        assert_int_equal(draw(store, &p, theme == CHART_LIGHT ? "equity" : "equity_dark", &pixels),
                         1);
        assert_string_equal(p.title, "Equity · 7 d");
        assert_int_equal(p.points, HOURS + 1);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? BLUE : 0x5cb0ff) > 3000);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? RED : 0xff8f4a) > 3000);
        pixels_release(&pixels);
    }
    struct picture p = ask(PICTURE_EQUITY, 7 * USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "equity", &pixels), 1);
    pixels_release(&pixels);
    assert_string_equal(figure(&p, "now"), "$10,153.45");
    assert_string_equal(figure(&p, "change"), "+1.53 %");
    assert_string_equal(figure(&p, "largest"), "1.31 %");
}

static void an_outage_is_shaded(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    struct picture p = ask(PICTURE_EQUITY, 7 * USEC_PER_DAY);
    add_equity(store, 0, 60);
    add_equity(store, 110, HOURS);
    assert_int_equal(draw(store, &p, "gap", &pixels), 1);
    assert_true(pixels_all(&pixels, SHADE) > 50000);
    pixels_release(&pixels);
}

static void prices_have_entries_exits_and_stops(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    struct picture p = ask(PICTURE_PRICE, USEC_PER_DAY);
    p.symbol = symbol_of("ETH-USD");
    add_candles(store, "ETH-USD");
    assert_int_equal(draw(store, &p, "price_bare", &pixels), 1);
    assert_true(pixels_all(&pixels, GREY) > 2000);
    int legend[] = {pixels_all(&pixels, BLUE),   pixels_all(&pixels, RED),
                    pixels_all(&pixels, GREEN),  pixels_all(&pixels, VIOLET),
                    pixels_all(&pixels, ORANGE), pixels_all(&pixels, TEAL)};
    pixels_release(&pixels);

    add_trade(store, 1, NOW_US - 18 * USEC_PER_HOUR, SIDE_LONG, 4);
    add_trade(store, 2, NOW_US - 12 * USEC_PER_HOUR, SIDE_SHORT, -3);
    add_trade(store, 3, NOW_US - 7 * USEC_PER_HOUR, SIDE_SHORT, 2);
    open_position(store);
    for (int theme = CHART_LIGHT; theme <= CHART_DARK; theme++) {
        p = ask(PICTURE_PRICE, USEC_PER_DAY);
        p.symbol = symbol_of("ETH-USD");
        p.theme = (enum chart_theme)theme;
        assert_int_equal(draw(store, &p, theme == CHART_LIGHT ? "price" : "price_dark", &pixels),
                         1);
        if (theme == CHART_LIGHT) {
            static const uint32_t colours[] = {BLUE, RED, GREEN, VIOLET, ORANGE, TEAL};
            for (size_t i = 0; i < COUNT_OF(colours); i++) {
                assert_true(pixels_all(&pixels, colours[i]) > legend[i] + 30);
            }
        }
        pixels_release(&pixels);
    }
    assert_string_equal(figure(&p, "trades"), "3");
    assert_string_equal(figure(&p, "long for"), "2 h");
    p = ask(PICTURE_PRICE, USEC_PER_DAY);
    p.symbol = symbol_of("SOL-USD");
    assert_int_equal(draw(store, &p, "", &pixels), 0); /* no candles */
}

static void profit_is_by_local_day(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    struct picture p = ask(PICTURE_PROFIT, 7 * USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "", &pixels), 0); /* no trades */
    /* 23:30 UTC is half past midnight in Berlin. */
    int64_t midnight_us = NOW_US / USEC_PER_DAY * USEC_PER_DAY;
    add_trade(store, 1, midnight_us - USEC_PER_HOUR / 2, SIDE_LONG, 40);
    add_trade(store, 2, midnight_us + USEC_PER_HOUR, SIDE_LONG, 2);
    add_trade(store, 3, midnight_us - 3 * USEC_PER_DAY, SIDE_LONG, -25);
    add_trade(store, 4, midnight_us - 5 * USEC_PER_DAY, SIDE_LONG, 10);
    for (int theme = CHART_LIGHT; theme <= CHART_DARK; theme++) {
        p = ask(PICTURE_PROFIT, 7 * USEC_PER_DAY);
        p.theme = (enum chart_theme)theme;
        assert_int_equal(draw(store, &p, theme == CHART_LIGHT ? "profit" : "profit_dark", &pixels),
                         1);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? BLUE : 0x5cb0ff) > 10000);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? RED : 0xff8f4a) > 5000);
        pixels_release(&pixels);
    }
    assert_string_equal(p.title, "Profit by day · 7 d");
    assert_string_equal(figure(&p, "best day"), "+$42.00");
    assert_string_equal(figure(&p, "worst"), "−$25.00");
    assert_string_equal(figure(&p, "won"), "75 %");
    p = ask(PICTURE_PROFIT, 7 * USEC_PER_DAY);
    p.zone[0] = '\0';
    (void)str_copy(STR_LIT("UTC"), p.zone, sizeof(p.zone));
    assert_int_equal(draw(store, &p, "profit_utc", &pixels), 1);
    assert_string_equal(figure(&p, "best day"), "+$40.00");
    pixels_release(&pixels);
    p = ask(PICTURE_PROFIT, 90 * USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "profit_90", &pixels), 1);
    pixels_release(&pixels);
}

static void exposure_follows_trades_and_positions(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    struct picture p = ask(PICTURE_EXPOSURE, USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "", &pixels), 0);
    add_equity(store, 0, HOURS);
    add_trade(store, 1, NOW_US - 18 * USEC_PER_HOUR, SIDE_LONG, 4);
    add_trade(store, 2, NOW_US - 18 * USEC_PER_HOUR + USEC_PER_HOUR / 2, SIDE_SHORT, -3);
    open_position(store);
    for (int theme = CHART_LIGHT; theme <= CHART_DARK; theme++) {
        p = ask(PICTURE_EXPOSURE, USEC_PER_DAY);
        p.theme = (enum chart_theme)theme;
        assert_int_equal(
            draw(store, &p, theme == CHART_LIGHT ? "exposure" : "exposure_dark", &pixels), 1);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? BLUE : 0x5cb0ff) > 3000);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? RED : 0xff8f4a) > 2000);
        assert_true(pixels_all(&pixels, theme == CHART_LIGHT ? GREY : 0xa3b0c2) > 2000);
        pixels_release(&pixels);
    }
    assert_string_equal(figure(&p, "now"), "6.1 %"); /* 0.2 at 3,100 of 10,153 */
    assert_string_equal(figure(&p, "positions now"), "1");
    assert_string_equal(figure(&p, "most"), "2");
}

static void ten_thousand_trades_are_drawn(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    add_candles(store, "ETH-USD");
    add_equity(store, 0, HOURS);
    assert_int_equal(trading_store_begin(store, NULL), 0);
    for (int i = 0; i < 10000; i++) {
        int64_t closed_us = NOW_US - 10000 * INT64_C(8000000) + i * INT64_C(8000000);
        add_trade(store, i + 1, closed_us, i % 3 == 0 ? SIDE_SHORT : SIDE_LONG,
                  i % 5 == 0 ? -2 : 1);
    }
    assert_int_equal(trading_store_commit(store, NULL), 0);
    struct picture p = ask(PICTURE_PRICE, USEC_PER_DAY);
    p.symbol = symbol_of("ETH-USD");
    assert_int_equal(draw(store, &p, "price_many", &pixels), 1);
    assert_true(pixels_all(&pixels, VIOLET) > 600);
    pixels_release(&pixels);
    p = ask(PICTURE_PROFIT, USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "profit_one_day", &pixels), 1);
    assert_string_equal(figure(&p, "trades"), "5850");
    pixels_release(&pixels);
    p = ask(PICTURE_EXPOSURE, 2 * USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "exposure_many", &pixels), 1);
    pixels_release(&pixels);
}

static void one_point_and_flat_lines_are_drawn(void **state)
{
    struct trading_store *store = *state;
    struct pixels pixels;
    add_equity(store, HOURS, HOURS);
    struct picture p = ask(PICTURE_EQUITY, 7 * USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "equity_one", &pixels), 1);
    assert_true(pixels_all(&pixels, BLUE) > 1000); /* the dot and the tag */
    pixels_release(&pixels);
    for (int h = 0; h < 24; h++) {
        const struct equity_point point = {.at_us = NOW_US - h * USEC_PER_HOUR,
                                           .equity = dec_of(10000)};
        assert_int_equal(equity_table_add(store, &point, NULL), 0);
    }
    p = ask(PICTURE_EQUITY, USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "equity_flat", &pixels), 1);
    assert_string_equal(figure(&p, "change"), "+0.00 %");
    pixels_release(&pixels);
    p = ask(PICTURE_EXPOSURE, USEC_PER_DAY);
    assert_int_equal(draw(store, &p, "exposure_none", &pixels), 1);
    pixels_release(&pixels);
}

#define PICTURE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
UNIT_GROUP(picture, PICTURE_TEST(equity_has_its_drawdown), PICTURE_TEST(an_outage_is_shaded),
           PICTURE_TEST(prices_have_entries_exits_and_stops), PICTURE_TEST(profit_is_by_local_day),
           PICTURE_TEST(exposure_follows_trades_and_positions),
           PICTURE_TEST(ten_thousand_trades_are_drawn),
           PICTURE_TEST(one_point_and_flat_lines_are_drawn))
