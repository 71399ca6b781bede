/*
 * csv.h: candles from a file of text, row by row.
 *
 *     AUTO_CSV struct csv *csv = NULL;
 *     struct csv_row row;
 *     if ((rc = csv_open(path, NULL, &csv, err)) < 0) return rc;
 *     while ((rc = csv_next(csv, &row, err)) > 0) use(&row);
 *     print(csv_report(csv));
 *
 * The form of the file is recognised from its first 64 KiB; csv_note says in one line what was
 * assumed. Separators: comma, semicolon, tab or bar. UTF-8, or UTF-16 in either order. A header
 * names the columns, in any order and case: a time (time, timestamp, datetime, open time, date, …),
 * open, high, low, close, volume (also "Volume BTC"); others are ignored. Without a header: Binance
 * klines, Kraken OHLCVT, or time, open, high, low, close and perhaps volume. JSON: an array of
 * arrays in such an order. Lines that begin with # and an address before the header are skipped.
 * A time is ISO text (UTC unless it has an offset), a date and a time in two columns, or a number
 * of seconds, milliseconds, microseconds or nanoseconds, distinguished by magnitude; it is when the
 * bar opens. Numbers may have thousands separators, and a decimal comma. A volume that is missing
 * is 0. Fields may be quoted; lines end with LF, CRLF or CR, also mixed.
 * A row that cannot be used is refused and counted; the first CSV_REPORTED_MAX are reported with
 * their line. A row with the time of the row before is a duplicate and is ignored.
 * Invariants: rows are returned in rising order of time and have possible prices; a row is never
 * used in part; memory does not grow with the file, unless its rows are sorted. csv_check (see
 * csv_check.h) reads the whole file first and finds the options.
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
#define CSV_NOTE_SIZE    256
#define CSV_SORT_MAX     4000000 /* rows that are sorted in memory: 400 MB */
/* A price below this, or above DEC's range, is not held to 1e-4 of its value by steps of 1e-8. */
#define CSV_PRICE_MIN 1e-4

enum csv_fault {
    CSV_FAULT_LONG,       /* longer than CSV_LINE_MAX */
    CSV_FAULT_QUOTES,     /* an unclosed quotation mark, or text after the closing one */
    CSV_FAULT_COLUMNS,    /* fewer or more fields than the header */
    CSV_FAULT_TIME,       /* not a time */
    CSV_FAULT_NUMBER,     /* not a number: empty, nan and inf too */
    CSV_FAULT_IMPOSSIBLE, /* high below low, zero, negative, price > 1e15 or volume > 1e18 */
    CSV_FAULT_BACK,       /* older than the row before */
    CSV_FAULT_GRID,       /* does not open at a multiple of grid_us */
    CSV_FAULT_JSON,       /* not an array of JSON values */
    CSV_FAULT_COUNT
};

const char *csv_fault_name(enum csv_fault fault); /* "not a time" */

struct csv_row {
    struct bar bar;
    struct candle
        candle; /* the same; !candle_is_valid where struct dec would lose 1e-4 of a value */
};

struct csv_options {
    bool sorts;       /* reads all rows into memory and sorts them by time */
    int unit;         /* 0 or 1: as they are; 1000: prices and volumes of 1000 coins */
    int64_t grid_us;  /* rows that do not open at a multiple of it are refused; 0: none are */
    int64_t rows_max; /* that are sorted; 0: CSV_SORT_MAX */
};

struct csv_report {
    int64_t lines; /* read, the header and empty ones included; of JSON: arrays */
    int64_t accepted;
    int64_t duplicates;
    int64_t duplicates_line; /* of the first, here and below; 0: there is none */
    int64_t refused;         /* the sum of faults */
    int64_t faults[CSV_FAULT_COUNT];
    int64_t faults_line[CSV_FAULT_COUNT];
    int64_t unfit; /* of the accepted: struct dec cannot hold their candles */
    int64_t unfit_line;
    double unfit_price;  /* the lowest price of these rows */
    double unfit_volume; /* the highest volume of these rows */
    int64_t no_volume;   /* of the accepted: their volume is empty */
    int64_t first_us;    /* of the accepted */
    int64_t last_us;
    int64_t step_us;   /* the most frequent time between two rows; 0 before the second */
    int64_t common_us; /* the greatest common divisor of all these times */
    int reported_count;
    struct csv_reported {
        int64_t line;
        enum csv_fault fault;
        char text[48]; /* the beginning of the field or line; printable ASCII */
    } reported[CSV_REPORTED_MAX];
};

struct csv;

/* Recognises the form: ERR_MARKET_CSV_HEADER names the line and what is missing. options may be
 * NULL. With sorts, all rows are read: ERR_MARKET_CSV_ORDER if there are more than rows_max. */
int csv_open(const char *path, const struct csv_options *options, struct csv **ret,
             struct err *err);
/* The same from an open stream, which is owned by the csv even after a failure; name is for
 * errors. */
int csv_open_stream(FILE *stream, const char *name, const struct csv_options *options,
                    struct csv **ret, struct err *err);
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
/* What was assumed: "Binance klines without header, times in µs"; "" for a plain file. */
const char *csv_note(const struct csv *csv);
/* Bytes read from the stream, for a progress bar. */
int64_t csv_read_bytes(const struct csv *csv);
/* Steps between the first and the last row for which the file has no candle. */
int64_t csv_report_missing(const struct csv_report *report);
