/*
 * export.h: writes rows of the databases as CSV or JSON, row by row. Private to this module.
 *
 *     struct export e = {.what = EXPORT_TRADES, .json = false, .since_us = month_ago};
 *     rc = export_write(&e, state_dir, &writer, err);         // e.rows: how many
 *
 * CSV (RFC 4180): a header, then a line for each row; texts are quoted, and one that a spreadsheet
 * would take for a formula begins with '. JSON: one document, with a line for each row. The columns
 * of both are the same; amounts are exact, times are ISO 8601 in UTC.
 * Always true: memory does not grow with the number of rows; a row is whole or not there.
 * Thread: any; it waits for the disk, so a helper calls it.
 */
#pragma once

#include "base/err.h"
#include "store/attachment.h"

#include <stdbool.h>
#include <stdint.h>

enum export_what {
    EXPORT_TRADES,
    EXPORT_ORDERS,
    EXPORT_FILLS,
    EXPORT_DECISIONS,
    EXPORT_EQUITY,
    EXPORT_AUDIT,
    EXPORT_SENTIMENT,
    EXPORT_WHATS
};

struct export
{
    enum export_what what;
    bool json;
    int64_t since_us; /* market time; of the audit log and sentiment wall time. 0: all */
    int64_t rows;     /* out */
};

const char *export_name(enum export_what what); /* "trades" … */
/* "trades.csv" "audit.json" …; static */
const char *export_file_name(enum export_what what, bool json);
/* With connections of its own. Without rows nothing is appended. */
int export_write(struct export *e, const char *state_dir, struct attachment_writer *writer,
                 struct err *err);
