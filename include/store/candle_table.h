/*
 * candle_table.h: closed candles in trading.db: those that the engine has processed, a limited
 * history per symbol, for charts and for indicators after a restart; and those that an operator has
 * imported, for training and back-tests.
 *
 *     candle_table_add(store, symbol, &candle, err);              // replaces the same candle
 *     int n = candle_table_last(store, symbol, candles, 200, err);
 *
 * Always true: the engine's are 5-minute candles; per symbol those within CANDLE_TABLE_KEEP bars of
 * the newest one are kept. Imported candles have any timeframe, are in a table of their own and are
 * kept. Thread: add from the engine; import while no engine runs; reads from the owner of the
 * connection.
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
/* The newest max candles, in ascending order; returns the number or a negative error id. */
int candle_table_last(struct trading_store *store, struct symbol symbol, struct candle *ret,
                      size_t max, struct err *err);
/* The newest max of those that open at or after since_us and before until_us, in ascending order.
 */
int candle_table_between(struct trading_store *store, struct symbol symbol, int64_t since_us,
                         int64_t until_us, struct candle *ret, size_t max, struct err *err);
/* The engine's candles that lie wholly within a time. */
struct candle_range {
    int64_t count;
    struct dec high; /* valid with a count above 0, like low */
    struct dec low;
};
int candle_table_range(struct trading_store *store, struct symbol symbol, int64_t from_us,
                       int64_t to_us, struct candle_range *ret, struct err *err);

/* Replaces the same candle. */
int candle_table_import(struct trading_store *store, struct symbol symbol, enum timeframe tf,
                        const struct candle *candle, struct err *err);
/* The first max that open at from_us or later, oldest first; returns the number or a negative error
 * id. */
int candle_table_imported(struct trading_store *store, struct symbol symbol, enum timeframe tf,
                          int64_t from_us, struct candle *ret, size_t max, struct err *err);
