/*
 * equity_table.h: the equity curve in trading.db, one point per market hour.
 *
 *     equity_table_add(store, &(struct equity_point){.at_us = hour, .equity = e, .cash = c}, err);
 *     int n = equity_table_list(store, since_us, points, COUNT_OF(points), err);
 *
 * Always true: at_us is unique; add replaces; what is read moves by profit and loss alone, see
 * transfer_table.h. Thread: add from the engine; list from the
 * owner of the connection.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "store/trading.h"

#include <stddef.h>

struct equity_point {
    int64_t at_us; /* market time */
    struct dec equity;
    struct dec cash;
    struct dec realised;
};

int equity_table_add(struct trading_store *store, const struct equity_point *point,
                     struct err *err);
/* The newest max points at or after since_us and before until_us (0: up to now), in ascending
 * order; returns the number. */
int equity_table_list(struct trading_store *store, int64_t since_us, int64_t until_us,
                      struct equity_point *ret, size_t max, struct err *err);
/* Calls fn with each point, oldest first. A negative result of fn ends it and is returned. */
typedef int (*equity_row_fn)(const struct equity_point *point, void *userdata, struct err *err);
int equity_table_each(struct trading_store *store, int64_t since_us, equity_row_fn fn,
                      void *userdata, struct err *err);
