/*
 * csv_source.h: candle files as a market: one CSV a symbol, replayed in the order of time.
 *
 *     struct csv_source files = {0};
 *     rc = csv_source_init(&files, list, count, err);
 *     while (source_next_us(&files.source) != INT64_MAX) n = source_next(&files.source, bars);
 *     csv_source_release(&files);
 *
 * All files have the same step: what most of the first CSV_SOURCE_PROBE rows are apart, which has
 * to be one that series_step_is_valid. A take is the next
 * moment at which any file has a candle, with the candles of all files that have it: what is
 * missing is no bar, and the market's time jumps over it. Rows that cannot be used, duplicates, and
 * candles that do not fall on the step are counted and passed over (csv_source_report).
 * Always true: the files are regular ones, read once from front to back and never held in memory;
 * save and load carry the time of the last take, so that a restart goes on behind it. A file that
 * cannot be read on ends the whole source: csv_source_error. Thread: one at a time per source.
 */
#pragma once

#include "base/err.h"
#include "market/csv.h"
#include "market/source.h"

#include <stdbool.h>
#include <stdint.h>

#define CSV_SOURCE_PROBE 1000

struct csv_source_file {
    struct symbol symbol;
    const char *path; /* not needed after init */
};

struct csv_source {
    struct source source;
    int count;
    int64_t accepted_us; /* when the candles of the last take open; -1 before the first */
    struct err err;      /* id 0: none */
    struct csv_source_part {
        struct symbol symbol;
        struct csv *csv;
        bool has_row;
        struct csv_row row; /* read, not taken yet */
        int64_t off_step;   /* candles that do not fall on the step */
        int64_t inexact;    /* that 1e-8 does not hold */
        int64_t missing;    /* steps without a candle, between those that were read */
        int64_t last_us;
    } parts[SYMBOLS_MAX];
};

/* What was read of a file so far. */
struct csv_source_report {
    struct symbol symbol;
    const struct csv_report *rows;
    int64_t off_step;
    int64_t inexact;
    int64_t missing;
};

/* count 1..SYMBOLS_MAX, each symbol once. A failure leaves nothing to release. */
int csv_source_init(struct csv_source *source, const struct csv_source_file *files, int count,
                    struct err *err);
void csv_source_release(struct csv_source *source); /* NULL or all zero: nothing */

/* Passes over the candles that open before this time. */
void csv_source_skip(struct csv_source *source, int64_t before_us);
/* When the next candles open; INT64_MAX at the end. */
int64_t csv_source_open_us(const struct csv_source *source);
struct csv_source_report csv_source_report(const struct csv_source *source, int index);
/* NULL, or why the source ended before its files did. */
const struct err *csv_source_error(const struct csv_source *source);
