/*
 * picture.h: the pictures of /chart: reads trading.db and draws. Private to this module.
 *
 *     struct picture picture = {.kind = PICTURE_EQUITY, .since_us = week_ago, .until_us = now,
 * ...}; rc = picture_draw(&picture, store, &png, err);    // 1: drawn, 0: nothing to draw
 *
 * Always true: memory is bounded (PICTURE_POINTS_MAX, PICTURE_TRADES_MAX: the newest ones are
 * drawn); the figures are those of the picture. Times are market time.
 * Thread: any; it waits for the disk, so a helper calls it with a connection of its own.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "command/cell.h"
#include "io/chart.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

struct trading_store;

#define PICTURE_POINTS_MAX  4096
#define PICTURE_TRADES_MAX  20000
#define PICTURE_FIGURES_MAX 6

enum picture_kind { PICTURE_EQUITY, PICTURE_PRICE, PICTURE_PROFIT, PICTURE_EXPOSURE };

struct picture_figure {
    const char *name;
    struct cell value;
};

struct picture {
    enum picture_kind kind;
    struct symbol symbol; /* of PICTURE_PRICE */
    int64_t since_us;
    int64_t until_us;
    enum chart_theme theme;
    char zone[64];           /* of the time axis and of the days; "": that of this machine */
    double max_exposure_pct; /* the limit; 0: not drawn */

    /* Filled by picture_draw. */
    char title[96];
    int64_t points; /* of the line, or trades of the bars */
    int figure_count;
    struct picture_figure figures[PICTURE_FIGURES_MAX];
    bool cut; /* there are more trades than PICTURE_TRADES_MAX */
};

/* Appends a PNG. 1: drawn. 0: nothing of the period is recorded, and nothing is appended. */
int picture_draw(struct picture *picture, struct trading_store *store, struct buf *png,
                 struct err *err);
