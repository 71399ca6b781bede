/*
 * candle_table.h: closed candles in trading.db, a bounded history a symbol, so that indicators are
 * warm again right after a restart and charts have something to show.
 *
 *     candle_table_add(store, symbol, &candle, err);              // adding again replaces
 *     int n = candle_table_last(store, symbol, candles, 200, err);
 *
 * Always true: 5-minute candles; of each symbol only those within CANDLE_TABLE_KEEP bars of the
 * newest one added stay. Thread: add from the engine; reads from the owner of the connection.
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
