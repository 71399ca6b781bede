/*
 * cli_csv.h: shared by the subcommands that read a CSV file of candles.
 *
 *     if (cli_csv_scan(path, &report, &err) < 0) return cli_fail(args, &err, CLI_CRITICAL);
 *     return cli_csv_code(&report);
 *
 * A file is read twice: first to find its timeframe and its errors, so that nothing of an unusable
 * file is printed or stored.
 * Thread: main.
 */
#pragma once

#include "market/csv.h"

/* Reads the whole file and reports refused, duplicate and missing rows on stderr.
 * ERR_MARKET_CSV_EMPTY if no row is left. */
int cli_csv_scan(const char *path, struct csv_report *ret, struct err *err);
/* Prints the same report for a file that was read elsewhere. */
void cli_csv_report(const char *path, const struct csv_report *report);
/* ERR_MARKET_TIMEFRAME unless bars of this length can be built from the rows. */
int cli_csv_check_timeframe(const char *path, const struct csv_report *report, enum timeframe tf,
                            struct err *err);
/* CLI_FINE, or CLI_REFUSED if rows were refused. */
int cli_csv_code(const struct csv_report *report);
