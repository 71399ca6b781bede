#include "base/check.h"
#include "base/clock.h"
#include "io/chart.h"
#include "io/file.h"
#include "io/zone.h"
#include "rigs/pixels.h"
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

/* The colours of the light theme. */
#define BLUE   0x0b5fc0
#define RED    0xc4420a
#define GREEN  0x007a5a
#define GREY   0x59667a
#define VIOLET 0x84359d
#define ORANGE 0xa06400
#define PAPER  0xffffff

static size_t size_of(const struct chart *chart)
{
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    assert_int_equal(chart_png(chart, &png, NULL), 0);
    return png.len;
}

/* Draws and reads the picture back. */
static struct pixels picture_of(const struct chart *chart)
{
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    struct pixels pixels;
    assert_int_equal(chart_png(chart, &png, NULL), 0);
    pixels_read(buf_str(&png), &pixels);
    return pixels;
}

static int count_of(const struct chart *chart, uint32_t colour)
{
    struct pixels pixels = picture_of(chart);
    int count = pixels_all(&pixels, colour);
    pixels_release(&pixels);
    return count;
}

static void each_line_is_drawn(void **state)
{
    (void)state;
    struct chart chart = make(NULL, 0);
    assert_true(count_of(&chart, BLUE) > 800);
    assert_true(count_of(&chart, RED) > 800);
    assert_true(count_of(&chart, GREY) > 800);
    for (int p = 0; p < 3; p++) {
        struct chart without = make(NULL, 0);
        static const uint32_t colours[] = {BLUE, RED, GREY};
        without.panels[p].line_count = 0;
        assert_int_equal(count_of(&without, colours[p]), 0);
    }
}

static void each_mark_and_level_is_drawn(void **state)
{
    (void)state;
    const int64_t start_us = INT64_C(1640995200000000);
    static const enum chart_shape shapes[] = {CHART_UP, CHART_DOWN, CHART_DOT, CHART_CROSS};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        const struct chart_mark mark = {start_us + 100 * USEC_PER_HOUR, 44000, shapes[i],
                                        CHART_VIOLET};
        struct chart bare = make(NULL, 0), marked = make(&mark, 1);
        assert_int_equal(count_of(&bare, VIOLET), 0);
        assert_true(count_of(&marked, VIOLET) > 40);
    }
    const struct chart_level level = {.from_us = start_us,
                                      .to_us = start_us + 100 * USEC_PER_HOUR,
                                      .value = 43000,
                                      .colour = CHART_ORANGE};
    struct chart chart = make(NULL, 0);
    chart.panels[2].levels = &level;
    chart.panels[2].level_count = 1;
    int dashes = count_of(&chart, ORANGE);
    assert_true(dashes > 100);
    struct chart_level tagged = level;
    tagged.tagged = true;
    chart.panels[2].levels = &tagged;
    assert_true(count_of(&chart, ORANGE) > dashes + 500); /* the tag on the value axis */
}

static void thousands_of_marks_and_points_stay_legible(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    struct chart_mark *marks = calloc(MANY, sizeof(*marks));
    int64_t *at_us = calloc(MANY, sizeof(*at_us));
    double *values = calloc(MANY, sizeof(*values));
    for (int i = 0; i < MANY; i++) {
        at_us[i] = INT64_C(1640995200000000) + i * USEC_PER_MIN;
        values[i] = 100 + 10 * sin(i / 900.0) + i % 7;
        marks[i] = (struct chart_mark){at_us[i], values[i], CHART_UP, CHART_VIOLET};
    }
    struct chart chart = {.width = 1080,
                          .height = 1000,
                          .count = MANY,
                          .at_us = at_us,
                          .panel_count = 1,
                          .panels = {{.title = "",
                                      .weight = 1,
                                      .line_count = 1,
                                      .lines = {{.colour = CHART_BLUE, .values = values}}}}};
    /* The lowest and the highest value of each column of pixels are there. */
    struct pixels p = picture_of(&chart);
    int columns = 0;
    for (int x = 40; x < 900; x++) {
        int tall = pixels_count(&p, BLUE, x, 0, x + 1, p.height);
        columns += tall > 100;
    }
    assert_true(columns > 850);
    pixels_release(&p);
    chart.panels[0].marks = marks;
    chart.panels[0].mark_count = MANY;
    assert_true(count_of(&chart, VIOLET) > 1000);
    free(marks);
    free(at_us);
    free(values);
}

/* A chart of one line with what the test wants to see. */
static struct chart small(const int64_t *at_us, const double *values, int count)
{
    return (struct chart){.width = 1200,
                          .height = 800,
                          .count = count,
                          .at_us = at_us,
                          .panel_count = 1,
                          .panels = {{.title = "",
                                      .weight = 1,
                                      .line_count = 1,
                                      .lines = {{.colour = CHART_BLUE, .values = values}}}}};
}

static void one_point_and_a_flat_line_are_visible(void **state)
{
    (void)state;
    const int64_t at_us[] = {USEC_PER_DAY, USEC_PER_DAY + USEC_PER_HOUR};
    const double values[] = {5, 5};
    struct chart one = small(at_us, values, 1), flat = small(at_us, values, 2);
    assert_in_range(count_of(&one, BLUE), 10, 90);
    assert_true(count_of(&flat, BLUE) > 900);
}

static void an_outage_is_shaded_and_not_bridged(void **state)
{
    (void)state;
    int64_t at_us[20];
    double values[20];
    for (int i = 0; i < 20; i++) { /* ten hours are missing in the middle */
        at_us[i] = USEC_PER_DAY + (i < 10 ? i : i + 10) * USEC_PER_HOUR;
        values[i] = 5;
    }
    struct chart chart = small(at_us, values, 20);
    int bridged = count_of(&chart, BLUE);
    assert_int_equal(count_of(&chart, 0xeceff3), 0);
    chart.gap_us = 3 * USEC_PER_HOUR;
    assert_true(count_of(&chart, BLUE) < bridged * 3 / 4);
    assert_true(count_of(&chart, 0xeceff3) > 10000);
}

static void bars_have_a_colour_for_each_sign(void **state)
{
    (void)state;
    int64_t at_us[4];
    double values[] = {10, -10, 10, 10};
    for (int i = 0; i < 4; i++) {
        at_us[i] = i * USEC_PER_DAY + USEC_PER_DAY / 2;
    }
    struct chart chart = small(at_us, values, 4);
    chart.to_us = 4 * USEC_PER_DAY;
    chart.panels[0].from_zero = true;
    chart.panels[0].lines[0].bar_us = USEC_PER_DAY / 2;
    chart.panels[0].lines[0].below = CHART_RED;
    int gains = count_of(&chart, BLUE), losses = count_of(&chart, RED);
    assert_true(losses > 1000);
    assert_in_range(gains, losses * 5 / 2, losses * 7 / 2);
}

static void the_last_value_is_written_on_the_axis(void **state)
{
    (void)state;
    const int64_t at_us[] = {USEC_PER_DAY, 2 * USEC_PER_DAY};
    const double values[] = {5, 6};
    struct chart chart = small(at_us, values, 2);
    struct pixels before = picture_of(&chart);
    chart.panels[0].lines[0].tagged = true;
    struct pixels after = picture_of(&chart);
    int right = before.width - 12;
    assert_int_equal(pixels_count(&before, BLUE, right, 0, before.width, before.height), 0);
    assert_true(pixels_count(&after, BLUE, right, 0, after.width, after.height) > 50);
    pixels_release(&before);
    pixels_release(&after);
}

/* Everything but the theme is the same, so no text or line is missing in one of them. */
static void both_themes_draw_the_same(void **state)
{
    (void)state;
    struct chart chart = make(NULL, 0);
    struct pixels light = picture_of(&chart);
    chart.theme = CHART_DARK;
    struct pixels dark = picture_of(&chart);
    assert_int_equal(pixels_at(&light, 2, 2), PAPER);
    assert_int_equal(pixels_at(&dark, 2, 2), 0x12161d);
    assert_int_equal(pixels_all(&dark, PAPER), 0);
    assert_in_range(pixels_all(&dark, 0x12161d), pixels_all(&light, PAPER) - 50,
                    pixels_all(&light, PAPER) + 50);
    assert_in_range(pixels_all(&dark, 0x5cb0ff), pixels_all(&light, BLUE) - 50,
                    pixels_all(&light, BLUE) + 50);
    pixels_release(&light);
    pixels_release(&dark);
}

static void the_time_axis_is_in_its_zone(void **state)
{
    (void)state;
    const int64_t at_us[] = {INT64_C(1640995200000000), INT64_C(1640995200000000) + USEC_PER_DAY};
    const double values[] = {5, 6};
    struct zone *zone = NULL;
    struct chart chart = small(at_us, values, 2);
    struct pixels utc = picture_of(&chart);
    assert_int_equal(zone_load("Asia/Kathmandu", &zone, NULL), 0);
    chart.zone = zone;
    struct pixels local = picture_of(&chart); /* its midnight is at 18:15 UTC */
    size_t bytes = (size_t)utc.width * (size_t)utc.height * sizeof(*utc.at);
    assert_memory_not_equal(utc.at, local.at, bytes);
    zone_free(zone);
    pixels_release(&utc);
    pixels_release(&local);
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
           cmocka_unit_test(each_line_is_drawn), cmocka_unit_test(each_mark_and_level_is_drawn),
           cmocka_unit_test(thousands_of_marks_and_points_stay_legible),
           cmocka_unit_test(one_point_and_a_flat_line_are_visible),
           cmocka_unit_test(an_outage_is_shaded_and_not_bridged),
           cmocka_unit_test(bars_have_a_colour_for_each_sign),
           cmocka_unit_test(the_last_value_is_written_on_the_axis),
           cmocka_unit_test(both_themes_draw_the_same),
           cmocka_unit_test(the_time_axis_is_in_its_zone),
           cmocka_unit_test(odd_values_are_left_out),
           cmocka_unit_test(a_chart_that_does_not_fit_is_refused))
