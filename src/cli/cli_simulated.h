/*
 * cli_simulated.h: "simulated[:SEED[:DAYS]]" as data, for the subcommands that take a file or that.
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
#define CLI_RECORDED  "recorded" /* how a model's file calls every other market */
/* A made-up market begins on a date of its own, so that the same seed gives the same report. */
#define CLI_SIMULATED_START_US INT64_C(1704067200000000) /* 2024-01-01T00:00Z */

bool cli_is_simulated(const char *data);
/* Seed 1 and 30 days where it does not say. */
int cli_simulated_parse(const char *data, int64_t *ret_seed, int64_t *ret_days, struct err *err);
