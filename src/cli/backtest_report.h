/*
 * backtest_report.h: what a back-test says: as text, as JSON, as a picture.
 *
 *     backtest_report_text(&report, &out);
 *     backtest_report_json(&report, trades_file, &out);
 *     rc = backtest_report_chart(&report, path, err);
 *
 * Where the model had learned from a part of the market, the figures are those of the rest: costs,
 * decisions, what is open at the end and the curve are of the whole run. Where nothing is left, the
 * figures of JSON that would be a result are null.
 * Money in JSON is text, so that no reader rounds it; a figure that is not defined is null.
 * Thread: main.
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
    const struct backtest_model *model;
    int64_t step_us;                /* of the candles that were traded on */
    const char *data[SYMBOLS_MAX];  /* where each symbol's came from */
    const struct csv_source *files; /* NULL: simulated or recorded */
    bool is_recorded;               /* the market of a journal */
    double seconds;                 /* that the run took */
};

void backtest_report_text(const struct backtest_report *report, struct buf *out);
/* trades: lines of JSON objects, rewound; NULL: without. They go to stdout in between, so that a
 * long list need not fit anywhere. */
void backtest_report_json(const struct backtest_report *report, FILE *trades, struct buf *out);
void backtest_report_trade_head(struct buf *out);
void backtest_report_trade(const struct trade *trade, struct buf *out);
void backtest_report_trade_json(const struct trade *trade, struct buf *out);
/* Writes the file whole or not at all. */
int backtest_report_chart(const struct backtest_report *report, const char *path, struct err *err);
