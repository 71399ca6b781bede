/*
 * cli_csv.h: what the subcommands that take a CSV file of candles share.
 *
 *     if (cli_csv_scan(path, &report, &err) < 0) return cli_fail(args, &err, CLI_CRITICAL);
 *     return cli_csv_code(&report);
 *
 * A file is read twice: the first time to learn its timeframe and what is wrong with it, so that
 * nothing is printed or stored of a file that cannot be used.
 * Thread: main.
 */
#pragma once

#include "market/csv.h"

/* Reads the file to its end and tells on stderr what was refused, doubled or missing.
 * ERR_MARKET_CSV_EMPTY when no row is left. */
int cli_csv_scan(const char *path, struct csv_report *ret, struct err *err);
/* The same of a file that was read otherwise. */
void cli_csv_report(const char *path, const struct csv_report *report);
/* ERR_MARKET_TIMEFRAME unless bars of this length can be built from the rows. */
int cli_csv_check_timeframe(const char *path, const struct csv_report *report, enum timeframe tf,
                            struct err *err);
/* CLI_FINE, or CLI_REFUSED when rows were refused. */
int cli_csv_code(const struct csv_report *report);
