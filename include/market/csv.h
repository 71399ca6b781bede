/*
 * csv.h: candles from a CSV file, row by row.
 *
 *     AUTO_CSV struct csv *csv = NULL;
 *     struct csv_row row;
 *     if ((rc = csv_open(path, &csv, err)) < 0) return rc;
 *     while ((rc = csv_next(csv, &row, err)) > 0) use(&row);
 *     print(csv_report(csv));
 *
 * The header names the columns, in any order and case: a time (time, timestamp, datetime, open
 * time, date, …), open, high, low, close, volume; others are ignored. A time is ISO text (UTC
 * unless it has an offset) or a number of seconds, milliseconds, microseconds or nanoseconds,
 * distinguished by magnitude; it is when the bar opens. Fields may be quoted; lines end with LF,
 * CRLF or CR, also mixed; a byte order mark and empty lines are skipped. A row that cannot be used
 * is refused and counted; the first CSV_REPORTED_MAX are reported with their line. A row with the
 * time of the row before is a duplicate and is ignored.
 * Invariants: rows are returned in rising order of time and have possible prices; memory does not
 * grow with the file; a row is never used in part.
 * Thread: one at a time per struct csv.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "market/bar.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CSV_LINE_MAX     16384
#define CSV_COLUMNS_MAX  256
#define CSV_REPORTED_MAX 10

enum csv_fault {
    CSV_FAULT_LONG,       /* longer than CSV_LINE_MAX */
    CSV_FAULT_QUOTES,     /* an unclosed quotation mark, or text after the closing one */
    CSV_FAULT_COLUMNS,    /* fewer or more fields than the header */
    CSV_FAULT_TIME,       /* not a time */
    CSV_FAULT_NUMBER,     /* not a number: empty, nan and inf too */
    CSV_FAULT_IMPOSSIBLE, /* high below low, zero, negative, price > 1e15 or volume > 1e18 */
    CSV_FAULT_BACK,       /* older than the row before */
    CSV_FAULT_COUNT
};

const char *csv_fault_name(enum csv_fault fault); /* "not a time" */

struct csv_row {
    struct bar bar;
    struct candle candle; /* the same, exact; !candle_is_valid where struct dec cannot hold it */
};

struct csv_report {
    int64_t lines; /* read, the header and empty ones included */
    int64_t accepted;
    int64_t duplicates;
    int64_t refused; /* the sum of faults */
    int64_t faults[CSV_FAULT_COUNT];
    int64_t first_us; /* of the accepted */
    int64_t last_us;
    int64_t step_us; /* the shortest time between two rows: their timeframe; 0 before the second */
    int reported_count;
    struct csv_reported {
        int64_t line;
        enum csv_fault fault;
        char text[48]; /* the beginning of the field or line; printable ASCII */
    } reported[CSV_REPORTED_MAX];
};

struct csv;

/* Reads the header: ERR_MARKET_CSV_HEADER names the line and what is missing. */
int csv_open(const char *path, struct csv **ret, struct err *err);
/* The same from an open stream, which is owned by the csv even after a failure; name is for
 * errors. */
int csv_open_stream(FILE *stream, const char *name, struct csv **ret, struct err *err);
void csv_free(struct csv *csv);

static inline void csv_cleanup(struct csv **slot)
{
    csv_free(*slot);
}
#define AUTO_CSV AUTO(csv_cleanup)

/* 1: a row. 0: the end. Negative: a read error. */
int csv_next(struct csv *csv, struct csv_row *ret, struct err *err);
/* About the rows read so far; valid until csv_free. */
const struct csv_report *csv_report(const struct csv *csv);
/* Bytes read from the stream, for a progress bar. */
int64_t csv_read_bytes(const struct csv *csv);
/* Steps between the first and the last row for which the file has no candle. */
int64_t csv_report_missing(const struct csv_report *report);
