/*
 * position_table.h: open positions in trading.db, one row per symbol.
 *
 *     position_table_replace(store, positions, count, err);     // all open positions
 *     int n = position_table_list(store, positions, POSITIONS_LIMIT, err);
 *
 * Always true: the rows are those of the last replace. Thread: replace from the engine; list from
 * the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/position.h"
#include "store/trading.h"

#include <stddef.h>

int position_table_replace(struct trading_store *store, const struct position *positions,
                           size_t count, struct err *err);
/* In order of symbol; returns the number or a negative error id. */
int position_table_list(struct trading_store *store, struct position *ret, size_t max,
                        struct err *err);
