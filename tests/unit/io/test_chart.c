#include "base/clock.h"
#include "io/chart.h"
#include "io/file.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>

#define POINTS 500

static int64_t times[POINTS];
static double equity[POINTS], under[POINTS], price[POINTS];

static uint32_t read_u32(const char *bytes)
{
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static struct chart make(const struct chart_mark *marks, int mark_count)
{
    double peak = 0;
    for (int i = 0; i < POINTS; i++) {
        times[i] = INT64_C(1640995200000000) + i * USEC_PER_HOUR;
        equity[i] = 10000 + 400 * sin(i / 60.0) + 2 * i;
        price[i] = 45000 + 3000 * cos(i / 45.0);
        peak = fmax(peak, equity[i]);
        under[i] = -100 * (peak - equity[i]) / peak;
    }
    return (struct chart){
        .title = "BTC-USD, 1 Jan to 21 Jan 2022: +9.71 %",
        .subtitle = "212 trades, 48.1 % won, profit factor 1.21\nmax drawdown 4.31 %, Sharpe 1.9",
        .width = 1200,
        .height = 800,
        .count = POINTS,
        .at_us = times,
        .panel_count = 3,
        .panels = {{.title = "Equity, USD",
                    .weight = 2,
                    .line_count = 1,
                    .lines = {{.colour = CHART_BLUE, .filled = true, .values = equity}}},
                   {.title = "Drawdown",
                    .unit = " %",
                    .weight = 1,
                    .from_zero = true,
                    .line_count = 1,
                    .lines = {{.colour = CHART_RED, .filled = true, .values = under}}},
                   {.title = "Price",
                    .weight = 2,
                    .line_count = 1,
                    .lines = {{.name = "BTC-USD", .colour = CHART_GREY, .values = price}},
                    .mark_count = mark_count,
                    .marks = marks}}};
}

static void the_png_has_the_requested_size(void **state)
{
    (void)state;
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    struct err err = {0};
    struct chart chart = make(NULL, 0);
    assert_int_equal(chart_png(&chart, &png, &err), 0);
    assert_true(png.len > 1000);
    assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(png.data + 12, "IHDR", 4);
    assert_int_equal(read_u32(png.data + 16), 1200);
    assert_int_equal(read_u32(png.data + 20), 800);
    assert_memory_equal(png.data + png.len - 8, "IEND", 4);
    /* Set CHART_OUT to look at the picture. */
    const char *path = getenv("CHART_OUT");
    if (path != NULL) {
        assert_int_equal(file_write(path, buf_str(&png), 0644, &err), 0);
    }
}

static size_t size_of(const struct chart *chart)
{
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    assert_int_equal(chart_png(chart, &png, NULL), 0);
    return png.len;
}

static void marks_lines_and_titles_are_drawn(void **state)
{
    (void)state;
    const struct chart_mark marks[] = {
        {INT64_C(1640995200000000) + 100 * USEC_PER_HOUR, 44000, CHART_UP, CHART_GREEN},
        {INT64_C(1640995200000000) + 200 * USEC_PER_HOUR, 46000, CHART_DOWN, CHART_RED},
        {INT64_C(1640995200000000) + 300 * USEC_PER_HOUR, 45000, CHART_DOT, CHART_RED},
    };
    struct chart bare = make(NULL, 0);
    struct chart marked = make(marks, 3);
    size_t plain = size_of(&bare);
    assert_true(size_of(&marked) > plain);
    bare.title = "";
    assert_true(size_of(&bare) < plain);
    bare.panel_count = 1;
    size_t one = size_of(&bare);
    bare.panels[0].line_count = 0;
    assert_true(size_of(&bare) < one);
}

static void odd_values_are_left_out(void **state)
{
    (void)state;
    struct chart chart = make(NULL, 0);
    for (int i = 0; i < POINTS; i++) {
        equity[i] = i % 3 == 0 ? (double)NAN : i % 3 == 1 ? HUGE_VAL : 5;
        price[i] = (double)NAN;
        under[i] = 0;
    }
    assert_true(size_of(&chart) > 1000);
    chart.count = 1; /* the time axis has no length */
    assert_true(size_of(&chart) > 1000);
    for (int i = 0; i < POINTS; i++) {
        equity[i] = 1e300;
        price[i] = -1e-9 * i;
        times[i] = i;
    }
    chart.count = POINTS;
    chart.width = CHART_SIZE_MIN;
    chart.height = CHART_SIZE_MIN;
    assert_true(size_of(&chart) > 100);
}

static void a_chart_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf small = BUF_INIT(512);
    struct err err = {0};
    struct chart chart = make(NULL, 0);
    assert_int_equal(chart_png(&chart, &small, &err), -ERR_FILE_TOO_LARGE);
}

UNIT_GROUP(chart, cmocka_unit_test(the_png_has_the_requested_size),
           cmocka_unit_test(marks_lines_and_titles_are_drawn),
           cmocka_unit_test(odd_values_are_left_out),
           cmocka_unit_test(a_chart_that_does_not_fit_is_refused))
