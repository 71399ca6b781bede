/*
 * binance_spot.h: the parts of Binance spot's table that are in files of their own:
 * binance_orders.c (orders and fills) and binance_user.c (the stream of the account). Private to
 * this module.
 *
 *     rc = binance_spot_read_order(ACCOUNT_PLACE, root, &order, fills, &count, err);
 *
 * Always true: the functions do what the members of struct account_api say that have their names.
 * Thread: any.
 */
#pragma once

#include "binance_shared.h"

#define BINANCE_SPOT "binance"

/* What the key may do, at spot's URL for both sides; trading: the name of the flag that allows
 * orders. */
void binance_add_restrictions(struct account_request *request);
int binance_read_restrictions(const struct json_object *root, const char *venue,
                              const char *trading, struct account_permissions *ret,
                              struct err *err);

void binance_spot_add_pair(const struct account_pair_ask *ask, struct account_request *request);
void binance_spot_add_order(const struct account_order_ask *ask, struct account_request *request);
int binance_spot_read_order(enum account_call call, const struct json_object *root,
                            struct account_order *ret, struct account_fill *ret_fills,
                            int *ret_fill_count, struct err *err);
bool binance_spot_add_query(const struct account_find *find, int step,
                            struct account_request *request);
void binance_spot_add_cancel(const struct account_find *find, struct account_request *request);
void binance_spot_add_open(const struct account_page *page, struct account_request *request);
int binance_spot_read_open(const struct account_page *page, const struct json_object *root,
                           struct account_order *ret, int *ret_count,
                           char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
void binance_spot_add_fills(const struct account_page *page, struct account_request *request);
int binance_spot_read_fills(const struct account_page *page, const struct json_object *root,
                            struct account_fill *ret, int *ret_count,
                            char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);

int binance_spot_add_login(int n, const struct account_key *key,
                           const struct account_moment *moment, const char *stream_key,
                           struct buf *message, struct err *err);
int binance_spot_read_stream(const struct json_object *root, struct account_event *ret,
                             int *ret_count, struct err *err);
