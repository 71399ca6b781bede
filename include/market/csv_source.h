/*
 * csv_source.h: candle files as a source: one a symbol, replayed in time order.
 *
 *     struct csv_source files = {0};
 *     rc = csv_source_init(&files, list, count, err);
 *     while (source_next_us(&files.source) != INT64_MAX) n = source_next(&files.source, bars);
 *     csv_source_release(&files);
 *
 * All files have the same step, the most frequent time between two rows (csv_check.h), which must
 * be valid (series_step_is_valid). source_next returns the candles of the next time at which any
 * file has one, from every file that has it. Missing candles are skipped. Unusable rows,
 * duplicates, and candles that do not open at a multiple of the step are counted and skipped
 * (csv_source_report); a file with too many of them is refused.
 * Invariants: the files are regular files, read twice from front to back, and held in memory only
 * if they must be sorted; save and load carry the time of the last candles returned, so a restart
 * continues after them. A read error in one file, or a file that has become shorter, ends the whole
 * source (csv_source_error, source_fault) until source_reconnect opens the files again.
 * Thread: one at a time per source.
 */
#pragma once

#include "base/err.h"
#include "market/csv_check.h"
#include "market/source.h"

#include <stdbool.h>
#include <stdint.h>

struct csv_source_file {
    struct symbol symbol;
    const char *path;       /* copied */
    double max_dropped_pct; /* of its rows */
    int unit;               /* as in struct csv_options */
};

struct csv_source {
    struct source source;
    int count;
    int64_t accepted_us;           /* open time of the last candles returned; -1 before the first */
    int64_t from_us;               /* candles that open before it are skipped */
    struct err err;                /* id 0: none */
    struct csv_source_file *files; /* owned, with their paths; count of them */
    struct csv_source_part {
        struct symbol symbol;
        struct csv *csv;
        bool has_row;
        struct csv_row row;        /* read, not returned yet */
        int64_t missing;           /* steps without a candle, between those that were read */
        struct csv_report checked; /* all of the file */
        int64_t last_us;
    } * parts; /* count of them */
};

/* The rows and candles of one file, read so far. */
struct csv_source_report {
    struct symbol symbol;
    const struct csv_report *rows;
    const struct csv_report *checked; /* all of its rows */
    const char *note;                 /* csv_note */
    int64_t missing;
};

/* count 1..SYMBOLS_LIMIT, each symbol once. A failure leaves nothing to release. */
int csv_source_init(struct csv_source *source, const struct csv_source_file *files, int count,
                    struct err *err);
void csv_source_release(struct csv_source *source); /* NULL or all zero: nothing */

/* Skips the candles that open before this time. */
void csv_source_skip(struct csv_source *source, int64_t before_us);
/* Open time of the next candles; INT64_MAX at the end. */
int64_t csv_source_open_us(const struct csv_source *source);
struct csv_source_report csv_source_report(const struct csv_source *source, int index);
/* NULL, or the read error that ended the source before the end of its files. */
const struct err *csv_source_error(const struct csv_source *source);
