/*
 * import_candles.h: nightdesk import candles: files and folders into trading.db.
 *
 *     return import_candles(args);
 *
 * Each file is imported whole or not at all, in a transaction of its own, and its outcome listed.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"
#include "store/trading.h"

int import_candles(const struct cli_args *args);
/* trading.db has one writer: while the daemon runs, that is its engine (ERR_FILE_LOCKED). */
int import_open_store(const char *state_dir, int *ret_lock_fd, struct trading_store **ret,
                      struct err *err);
