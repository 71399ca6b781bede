/*
 * paper.h: the paper venue's own tables: the state of the venue, as opposed to the engine's view of
 * it. After a crash the engine asks the venue, which answers from these tables.
 *
 *     paper_store_write_order(store, &order, err);
 *     paper_store_add_fill(store, &fill, &fresh, err);
 *     paper_store_replace_positions(store, positions, count, err);
 *
 * Always true: its tables (paper_orders, paper_fills, paper_funding, paper_positions,
 * paper_state) share only the file with the engine's tables; the engine reads them only through
 * the venue. Lists return the number of rows in ret (0..max) or a negative error id.
 * Thread: engine.
 */
#pragma once

#include "base/err.h"
#include "model/funding.h"
#include "model/order.h"
#include "model/position.h"
#include "store/trading.h"

#include <stdbool.h>
#include <stddef.h>

int paper_store_write_order(struct trading_store *store, const struct order *order,
                            struct err *err);
/* ERR_STORE_NOT_FOUND: the venue never received it. */
int paper_store_get_order(struct trading_store *store, const char *client_id, struct order *ret,
                          struct err *err);
/* The orders that are not in a final state, oldest first. */
int paper_store_open_orders(struct trading_store *store, struct order *ret, size_t max,
                            struct err *err);

/* *ret_fresh false: it was there already, and nothing has changed. */
int paper_store_add_fill(struct trading_store *store, const struct fill *fill, bool *ret_fresh,
                         struct err *err);
/* The fills with venue_fill_id > after_fill_id, in ascending order. */
int paper_store_fills_after(struct trading_store *store, int64_t after_fill_id, struct fill *ret,
                            size_t max, struct err *err);
/* The same for one order; and its newest max fills, in ascending order. */
int paper_store_fills_of(struct trading_store *store, const char *client_id, int64_t after_fill_id,
                         struct fill *ret, size_t max, struct err *err);
int paper_store_newest_fills(struct trading_store *store, const char *client_id, struct fill *ret,
                             size_t max, struct err *err);
/* The largest venue_fill_id; 0: no fills. */
int paper_store_last_fill_id(struct trading_store *store, int64_t *ret, struct err *err);

int paper_store_add_payment(struct trading_store *store, const struct funding *payment,
                            struct err *err);
/* The payments with id > after_id, in ascending order. */
int paper_store_payments_after(struct trading_store *store, int64_t after_id, struct funding *ret,
                               size_t max, struct err *err);
int paper_store_last_payment_id(struct trading_store *store, int64_t *ret, struct err *err);

int paper_store_replace_positions(struct trading_store *store, const struct position *positions,
                                  size_t count, struct err *err);
int paper_store_positions(struct trading_store *store, struct position *ret, size_t max,
                          struct err *err);

/* Other values of the venue (its cash, its clock), by name. */
int paper_store_write_i64(struct trading_store *store, const char *name, int64_t value,
                          struct err *err);
int paper_store_get_i64(struct trading_store *store, const char *name, int64_t fallback,
                        int64_t *ret, struct err *err);
