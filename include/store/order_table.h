/*
 * order_table.h: orders in trading.db, one row per client_id.
 *
 *     order_table_write(store, &order, err);                       // insert or update
 *     int n = order_table_open(store, orders, COUNT_OF(orders), err);
 *     rc = order_table_get(store, client_id, &order, err);        // ERR_STORE_NOT_FOUND
 *
 * Always true: get returns every field as write stored it. Lists return the number of rows in ret
 * (0..max) or a negative error id.
 * Thread: write from the engine; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/order.h"
#include "store/trading.h"

#include <stddef.h>

int order_table_write(struct trading_store *store, const struct order *order, struct err *err);
int order_table_get(struct trading_store *store, const char *client_id, struct order *ret,
                    struct err *err);
/* The orders that are not in a final state, oldest first. */
int order_table_open(struct trading_store *store, struct order *ret, size_t max, struct err *err);
/* A member that is zero does not filter. */
struct order_query {
    struct symbol symbol;
    const char *state;  /* "filled" … */
    int64_t since_us;   /* created at or after */
    int64_t until_us;   /* created before */
    int64_t run_id;     /* only those that a command's run caused */
    const char *before; /* client id: only orders older than this one */
};
/* Newest first. */
int order_table_list(struct trading_store *store, const struct order_query *query,
                     struct order *ret, size_t max, struct err *err);
/* Calls fn for each order created since then, oldest first, until it fails. */
typedef int (*order_row_fn)(const struct order *order, void *userdata, struct err *err);
int order_table_each(struct trading_store *store, int64_t since_us, order_row_fn fn, void *userdata,
                     struct err *err);
/* ret_open counts the orders that are not in a final state. */
int order_table_count(struct trading_store *store, int64_t *ret_all, int64_t *ret_open,
                      int64_t *ret_unknown, struct err *err);
