/*
 * chart.h: draws lines over time as a PNG that is readable on a phone.
 *
 *     struct chart chart = {.title = "Back-test", .width = 1200, .height = 800, .count = n,
 *                           .at_us = times, .panel_count = 1, .panels = {{.title = "equity",
 *                           .weight = 1, .line_count = 1, .lines = {{.values = equity}}}}};
 *     AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
 *     if ((rc = chart_png(&chart, &png, err)) < 0) return rc;
 *
 * Panels are stacked and share the time axis (UTC); each has its own value axis on the right. The
 * font size is proportional to the width. All arrays are borrowed.
 * Always true: values that are not finite are left out; the same chart gives the same picture on
 * the same machine. Thread: any, one at a time per chart.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CHART_PANELS_MAX 4
#define CHART_LINES_MAX  8
#define CHART_SIZE_MIN   200
#define CHART_SIZE_MAX   4096
#define CHART_PNG_MAX    ((size_t)16 * 1024 * 1024)

enum chart_colour {
    CHART_BLUE,
    CHART_RED,
    CHART_GREEN,
    CHART_GREY,
    CHART_ORANGE,
    CHART_VIOLET,
    CHART_TEAL,
    CHART_BROWN,
    CHART_COLOURS
};

enum chart_shape { CHART_UP, CHART_DOWN, CHART_DOT };

struct chart_mark {
    int64_t at_us;
    double value;
    enum chart_shape shape;
    enum chart_colour colour;
};

struct chart_line {
    const char *name; /* in the panel's legend; NULL: not in the legend */
    enum chart_colour colour;
    bool filled; /* down to zero, or to the panel's edge if zero is outside the value range */
    const double *values;
};

struct chart_panel {
    const char *title;
    const char *unit; /* after each number of the value axis; NULL: none */
    double weight;    /* share of the height, relative to the other panels */
    bool from_zero;   /* the value range includes zero */
    int line_count;
    struct chart_line lines[CHART_LINES_MAX];
    int mark_count;
    const struct chart_mark *marks; /* drawn over the lines */
};

struct chart {
    const char *title;
    const char *subtitle; /* lines are separated by line feeds */
    int width;            /* in pixels, CHART_SIZE_MIN..CHART_SIZE_MAX */
    int height;           /* same unit and limits */
    int count;            /* of points, at least one */
    const int64_t *at_us; /* ascending */
    int panel_count;
    struct chart_panel panels[CHART_PANELS_MAX];
};

/* Appends a PNG. ERR_FILE_TOO_LARGE if it does not fit into the buffer. */
int chart_png(const struct chart *chart, struct buf *out, struct err *err);
