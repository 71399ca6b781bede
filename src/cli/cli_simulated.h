/*
 * cli_simulated.h: parses "simulated[:SEED[:DAYS]]", which subcommands accept instead of a file.
 *
 *     if (cli_is_simulated(data)) rc = cli_simulated_parse(data, &seed, &days, err);
 *
 * Thread: main.
 */
#pragma once

#include "base/err.h"
#include "cli_internal.h"

#include <stdbool.h>
#include <stdint.h>

#define CLI_SIMULATED "simulated"
#define CLI_RECORDED  "recorded" /* name of every other market in a model's file */
/* A simulated market starts on a fixed date, so that the same seed gives the same report. */
#define CLI_SIMULATED_START_US INT64_C(1704067200000000) /* 2024-01-01T00:00Z */

bool cli_is_simulated(const char *data);
/* The defaults are seed 1 and 30 days. */
int cli_simulated_parse(const char *data, int64_t *ret_seed, int64_t *ret_days, struct err *err);
