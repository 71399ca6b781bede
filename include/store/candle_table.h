/*
 * candle_table.h: closed candles in trading.db: what the engine has seen, a bounded history a
 * symbol, so that indicators are warm again right after a restart and charts have something to
 * show; and what an operator has imported, to learn from and to test against.
 *
 *     candle_table_add(store, symbol, &candle, err);              // adding again replaces
 *     int n = candle_table_last(store, symbol, candles, 200, err);
 *
 * Always true: the engine's are 5-minute candles; of each symbol only those within
 * CANDLE_TABLE_KEEP bars of the newest one added stay. Imported ones are a table of their own, of
 * any timeframe, and stay. Thread: add from the engine, import without one; reads from the owner of
 * the connection.
 */
#pragma once

#include "base/err.h"
#include "model/candle.h"
#include "model/symbol.h"
#include "store/trading.h"

#include <stddef.h>

#define CANDLE_TABLE_KEEP 4096 /* two weeks of 5-minute candles */

int candle_table_add(struct trading_store *store, struct symbol symbol, const struct candle *candle,
                     struct err *err);
/* The newest max, oldest of them first; returns how many or a negative error id. */
int candle_table_last(struct trading_store *store, struct symbol symbol, struct candle *ret,
                      size_t max, struct err *err);

/* Adding the same again replaces it. */
int candle_table_import(struct trading_store *store, struct symbol symbol, enum timeframe tf,
                        const struct candle *candle, struct err *err);
/* The first max that open at from_us or later, oldest first; how many or a negative error id. */
int candle_table_imported(struct trading_store *store, struct symbol symbol, enum timeframe tf,
                          int64_t from_us, struct candle *ret, size_t max, struct err *err);
