/*
 * chart.h: draws lines over time as a PNG that is readable on a phone.
 *
 *     struct chart chart = {.title = "Back-test", .width = 1200, .height = 800, .count = n,
 *                           .at_us = times, .panel_count = 1, .panels = {{.title = "equity",
 *                           .weight = 1, .line_count = 1, .lines = {{.values = equity}}}}};
 *     AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
 *     if ((rc = chart_png(&chart, &png, err)) < 0) return rc;
 *
 * Panels are stacked and share the time axis; each has its own value axis on the right. The font
 * size is proportional to the width. All arrays are borrowed. Gains and losses differ by shape or
 * side as well as by colour, and blue and orange differ for colour-blind people, too.
 * Always true: values that are not finite are left out; a point without neighbours is a dot; the
 * time that drawing takes is bounded by the size of the picture, not by the number of points; the
 * same chart gives the same picture on the same machine. Thread: any, one at a time per chart.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define CHART_PANELS_MAX 4
#define CHART_LINES_MAX  8
#define CHART_KEYS_MAX   6
#define CHART_SIZE_MIN   200
#define CHART_SIZE_MAX   4096
/* About 360 points wide on a phone: a third, and the text is as large as that of the chat. */
#define CHART_PHONE_WIDTH  1080
#define CHART_PHONE_HEIGHT 1000
#define CHART_PHONE_TEXT   1.85
#define CHART_PNG_MAX      ((size_t)16 * 1024 * 1024)

struct zone;

enum chart_theme { CHART_LIGHT, CHART_DARK };

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

enum chart_shape { CHART_UP, CHART_DOWN, CHART_DOT, CHART_CROSS, CHART_DASH };

struct chart_mark {
    int64_t at_us;
    double value;
    enum chart_shape shape; /* not CHART_DASH */
    enum chart_colour colour;
};

/* A dashed horizontal line, such as a stop. */
struct chart_level {
    int64_t from_us;
    int64_t to_us;
    double value;
    enum chart_colour colour;
    bool tagged; /* its value is written on the value axis */
};

/* An entry of a panel's legend. */
struct chart_key {
    enum chart_shape shape;
    enum chart_colour colour;
    const char *name;
};

struct chart_line {
    const char *name; /* in the panel's legend; NULL: not in the legend */
    enum chart_colour colour;
    bool filled;    /* down to zero, or to the panel's edge if zero is outside the value range */
    bool stairs;    /* a value holds until the next point */
    bool tagged;    /* the last value is written on the value axis */
    int64_t bar_us; /* each value is a bar from zero, of this width, centred on its time; 0: no
                       bars. Bars below zero have the colour `below` */
    enum chart_colour below;
    const double *values;
};

struct chart_panel {
    const char *title; /* "": none */
    const char *unit;  /* after each number of the value axis, but "$" before it; NULL: none */
    double weight;     /* share of the height, relative to the other panels */
    bool from_zero;    /* the value range includes zero */
    bool whole;        /* the values are whole numbers */
    int line_count;
    struct chart_line lines[CHART_LINES_MAX];
    int level_count;
    const struct chart_level *levels;
    int mark_count;
    const struct chart_mark *marks; /* drawn over the lines */
    int key_count;
    struct chart_key keys[CHART_KEYS_MAX];
};

struct chart {
    const char *title;    /* made smaller if it is too long for one line */
    const char *subtitle; /* lines are separated by line feeds */
    int width;            /* in pixels, CHART_SIZE_MIN..CHART_SIZE_MAX */
    int height;           /* same unit and limits */
    enum chart_theme theme;
    double text_scale;       /* of the text of axes and legends; 0: 1. About 1.8 for a phone */
    const struct zone *zone; /* of the time axis; NULL: UTC */
    const char *zone_name;   /* written beside the time axis; NULL: nothing */
    int64_t from_us, to_us;  /* the ends of the time axis; both 0: the first and the last point */
    int64_t gap_us; /* where neighbouring points are further apart, the lines are interrupted and
                       the time between is shaded; 0: never */
    int count;      /* of points, at least one */
    const int64_t *at_us; /* ascending */
    int panel_count;
    struct chart_panel panels[CHART_PANELS_MAX];
};

/* Appends a PNG. ERR_FILE_TOO_LARGE if it does not fit into the buffer. */
int chart_png(const struct chart *chart, struct buf *out, struct err *err);
