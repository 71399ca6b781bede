/*
 * cli_csv.h: shared by the subcommands that read files of candles.
 *
 *     if (cli_csv_limits(args, true, &limits, &err) < 0 ||
 *         cli_csv_check(path, &limits, &check, &err) < 0) return cli_fail(args, &err, …);
 *     return cli_csv_code(&check.report);
 *
 * A file is read twice: first to find its timeframe and its errors, so that nothing of an unusable
 * file is printed or stored.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"
#include "market/csv_check.h"
#include "model/symbol.h"

#define CLI_OPTION_MAX_DROPPED                                                             \
    {                                                                                      \
        "--max-dropped", "PERCENT", "rows that may be unusable, of each file (default: 1)" \
    }
#define CLI_OPTION_UNIT                                                                \
    {                                                                                  \
        "--unit", "COINS", "prices of so many coins: 1000 makes BONK-USD 1000BONK-USD" \
    }

/* --max-dropped, and with exact also candles that do not fit steps of 1e-8 count. */
int cli_csv_limits(const struct cli_args *args, bool exact, struct csv_limits *ret,
                   struct err *err);
/* Parses a value of --unit (NULL: 1) and puts it before the symbol: "1000BONK-USD". */
int cli_csv_unit(const char *text, struct symbol *symbol, int *ret_unit, struct err *err);
/* csv_check; says on stderr what was assumed and which rows were dropped, duplicate or missing. */
int cli_csv_check(const char *path, const struct csv_limits *limits, struct csv_check *ret,
                  struct err *err);
/* Prints the same for a file that was checked elsewhere. */
void cli_csv_report(const char *path, const char *note, const struct csv_report *report);
/* ERR_MARKET_TIMEFRAME unless bars of this length can be built from the rows. */
int cli_csv_check_timeframe(const char *path, const struct csv_report *report, enum timeframe tf,
                            struct err *err);
/* ERR_CLI_USAGE, with the reason if it is a longer one that other programs have. */
int cli_csv_timeframe(const char *text, enum timeframe *ret, struct err *err);
/* CLI_FINE, or CLI_REFUSED if rows were refused. */
int cli_csv_code(const struct csv_report *report);
