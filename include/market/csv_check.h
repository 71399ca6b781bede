/*
 * csv_check.h: reads a whole candle file once, before it is used.
 *
 *     const struct csv_limits limits = {.max_dropped_pct = CSV_MAX_DROPPED_PCT, .exact = true};
 *     if ((rc = csv_check(path, &limits, &check, err)) < 0) return rc;
 *     rc = csv_open(path, &check.options, &csv, err);          // rows as they were counted
 *
 * Finds whether the rows must be sorted and their timeframe, and refuses a file of which more than
 * max_dropped_pct of the rows cannot be used, so that nothing of it is used. One rule for the
 * timeframe: it is the most frequent time between two rows, and a row that does not open at a
 * multiple of it (of a day, for longer ones) is refused. A timeframe that does not divide a day has
 * no such times.
 * Thread: any, one at a time per check.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "market/csv.h"

#include <stdbool.h>

#define CSV_MAX_DROPPED_PCT 1

struct csv_limits {
    double max_dropped_pct; /* of the rows */
    int unit;               /* as in struct csv_options */
    bool exact;             /* rows whose candles do not fit struct dec count as dropped */
};

struct csv_check {
    struct csv_options options; /* for csv_open */
    struct csv_report report;
    char note[CSV_NOTE_SIZE]; /* csv_note */
};

/*
 * ret->report is filled in as far as the file was read, also after a failure.
 * ERR_MARKET_CSV_EMPTY: no row is left. ERR_MARKET_DROPPED: too many were dropped.
 * ERR_MARKET_PRECISION: so many do not fit steps of 1e-8; the context has the unit that does.
 * ERR_MARKET_CSV_ORDER: not in order and too many to be sorted. ERR_FILE_FAILED: not a regular
 * file, which cannot be read twice.
 */
int csv_check(const char *path, const struct csv_limits *limits, struct csv_check *ret,
              struct err *err);
/* Rows that were not used: refused, duplicates and, with exact, those that do not fit. */
int64_t csv_dropped(const struct csv_report *report, bool exact);
/* The number and first line of each: "3 not a number (first in line 7), 1 …"; "" if there are none.
 */
void csv_add_dropped(struct buf *out, const struct csv_report *report, bool exact);
