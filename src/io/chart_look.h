/*
 * chart_look.h: the colours of a chart in each theme. Private to this module: chart.c.
 *
 *     const struct look *look = &looks[chart->theme];
 *
 * Thread: any (constants).
 */
#pragma once

#include "io/chart.h"

struct colour {
    double red, green, blue;
};

#define RGB(hex)                                                                        \
    {                                                                                   \
        ((hex) >> 16 & 0xff) / 255.0, ((hex) >> 8 & 0xff) / 255.0, ((hex)&0xff) / 255.0 \
    }

/* Dark colours on white and light ones on black, with a contrast of at least 4 to 1. Blue and red
 * (towards orange) differ for colour-blind people as well; so do green (towards blue) and orange.
 */
static const struct look {
    struct colour paper, ink, faint_ink, grid, shade;
    struct colour colours[CHART_COLOURS];
} looks[] = {
    [CHART_LIGHT] = {.paper = RGB(0xffffff),
                     .ink = RGB(0x171c29),
                     .faint_ink = RGB(0x4d5666),
                     .grid = RGB(0xe0e4ea),
                     .shade = RGB(0xeceff3),
                     .colours = {[CHART_BLUE] = RGB(0x0b5fc0),
                                 [CHART_RED] = RGB(0xc4420a),
                                 [CHART_GREEN] = RGB(0x007a5a),
                                 [CHART_GREY] = RGB(0x59667a),
                                 [CHART_ORANGE] = RGB(0xa06400),
                                 [CHART_VIOLET] = RGB(0x84359d),
                                 [CHART_TEAL] = RGB(0x0a7c8c),
                                 [CHART_BROWN] = RGB(0x7a5230)}},
    [CHART_DARK] = {.paper = RGB(0x12161d),
                    .ink = RGB(0xf0f3f8),
                    .faint_ink = RGB(0xb4bdcb),
                    .grid = RGB(0x2b323e),
                    .shade = RGB(0x1e242e),
                    .colours = {[CHART_BLUE] = RGB(0x5cb0ff),
                                [CHART_RED] = RGB(0xff8f4a),
                                [CHART_GREEN] = RGB(0x2fc79a),
                                [CHART_GREY] = RGB(0xa3b0c2),
                                [CHART_ORANGE] = RGB(0xf2b632),
                                [CHART_VIOLET] = RGB(0xd591e6),
                                [CHART_TEAL] = RGB(0x5fd3de),
                                [CHART_BROWN] = RGB(0xcba67e)}},
};
