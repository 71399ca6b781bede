/*
 * backtest_report.h: the report of a back-test, as text, JSON and a picture.
 *
 *     backtest_report_text(&report, &out);
 *     backtest_report_json(&report, trades_file, &out);
 *     rc = backtest_report_chart(&report, path, err);
 *
 * If the model was trained on a part of the market, the figures cover the rest, but costs,
 * decisions, open positions and the curve cover the whole run. If nothing is left, the result
 * figures are null in JSON. An undefined figure is null. Thread: main.
 */
#pragma once

#include "backtest_model.h"
#include "base/buf.h"
#include "engine/backtest.h"
#include "market/csv_source.h"

#include <stdio.h>

struct backtest_report {
    const struct backtest_result *result;
    const struct settings *settings;
    const struct venue_settings *venue;
    const struct backtest_model *model;
    int64_t step_us;                 /* of the traded candles */
    const char *data[SYMBOLS_LIMIT]; /* source of each symbol's candles */
    const struct csv_source *files;  /* NULL: simulated or recorded */
    bool is_recorded;                /* the market of a journal */
    double seconds;                  /* duration of the run */
};

void backtest_report_text(const struct backtest_report *report, struct buf *out);
/* trades: struct trade one after another, from the current position; NULL: none. A long list is
 * printed to stdout in parts, so that it needs no memory. */
void backtest_report_json(const struct backtest_report *report, FILE *trades, struct buf *out);
void backtest_report_trade_head(struct buf *out);
void backtest_report_trade(const struct trade *trade, struct buf *out);
/* Writes the file atomically. */
int backtest_report_chart(const struct backtest_report *report, const char *path, struct err *err);
