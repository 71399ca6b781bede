/*
 * fill_table.h: fills in trading.db; a fill that the venue reports twice is booked once.
 *
 *     rc = fill_table_add(store, &fill, &fresh, err);
 *     if (rc == 0 && fresh) book(&fill);
 *
 * Always true: (venue_fill_id, client_id) is unique. Thread: add from the engine; reads from the
 * owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/order.h"
#include "store/trading.h"

#include <stdbool.h>
#include <stddef.h>

/* *ret_fresh false: it was there already, and nothing has changed; no error. */
int fill_table_add(struct trading_store *store, const struct fill *fill, bool *ret_fresh,
                   struct err *err);
/* The fills of one order, oldest first; returns the number or a negative error id. */
int fill_table_of_order(struct trading_store *store, const char *client_id, struct fill *ret,
                        size_t max, struct err *err);
/* The fills booked after the one with this number, oldest first, and the number of the last one, or
 * after itself; returns how many there are. Numbers grow in the order of booking. */
int fill_table_after(struct trading_store *store, int64_t after, struct fill *ret, size_t max,
                     int64_t *ret_last, struct err *err);
/* The number of the newest fill; 0: there is none. */
int fill_table_last(struct trading_store *store, int64_t *ret, struct err *err);
/* The ids of the newest fills of an order, at most max of them, oldest first; returns the number.
 */
int fill_table_newest_ids(struct trading_store *store, const char *client_id,
                          char (*ret)[FILL_ID_SIZE], int max, struct err *err);
/* Calls fn with each fill, in the order in which they were booked. A negative result of fn ends it
 * and is returned. */
typedef int (*fill_row_fn)(const struct fill *fill, void *userdata, struct err *err);
int fill_table_each(struct trading_store *store, int64_t since_us, fill_row_fn fn, void *userdata,
                    struct err *err);
/* Sums over all fills: their number and the fees paid. */
int fill_table_sum(struct trading_store *store, int64_t *ret_count, struct dec *ret_fees,
                   struct err *err);
