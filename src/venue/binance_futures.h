/*
 * binance_futures.h: the parts of the table of Binance's USD-M futures that are in files of their
 * own: binance_futures_orders.c (orders and fills), binance_algo.c (stops, which are apart),
 * binance_forced.c (the venue's own orders) and binance_futures_user.c (the stream of the account).
 * Private to this module.
 *
 *     if (binance_is_algo(find)) binance_add_algo_cancel(find, request);
 *
 * Always true: the functions do what the members of struct account_api say that have their names.
 * A stop is kept apart until it triggers, with an id of its own; then it becomes an order with the
 * same client id. The id of one that has not is its number there after BINANCE_ALGO.
 * Thread: any.
 */
#pragma once

#include "binance_shared.h"

#define BINANCE_FUTURES "binance_futures"
#define BINANCE_ALGO    "algo:"

void binance_futures_add_order(const struct account_order_ask *ask,
                               struct account_request *request);
int binance_futures_read_order(enum account_call call, const struct json_object *root,
                               struct account_order *ret, struct account_fill *ret_fills,
                               int *ret_fill_count, struct err *err);
bool binance_futures_add_query(const struct account_find *find, int step,
                               struct account_request *request);
void binance_futures_add_cancel(const struct account_find *find, struct account_request *request);
void binance_futures_add_open(const struct account_page *page, struct account_request *request);
int binance_futures_read_open(const struct account_page *page, const struct json_object *root,
                              struct account_order *ret, int *ret_count,
                              char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
void binance_futures_add_fills(const struct account_page *page, struct account_request *request);
int binance_futures_read_fills(const struct account_page *page, const struct json_object *root,
                               struct account_fill *ret, int *ret_count,
                               char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);

/* What an order with this client id is, if the venue has placed it. */
enum account_forced binance_futures_forced(const char *client_id);
void binance_futures_add_forced(const struct account_page *page, struct account_request *request);
int binance_futures_read_forced(const struct account_page *page, const struct json_object *root,
                                struct account_order *ret, int *ret_count,
                                char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);

int binance_futures_read_stream(const struct json_object *root, struct account_event *ret,
                                int *ret_count, struct err *err);

/* Stops that have not triggered. */
bool binance_is_algo_id(const char *id);
void binance_add_algo(const struct account_order_ask *ask, struct account_request *request);
void binance_add_algo_find(enum account_method method, const struct account_find *find,
                           struct account_request *request);
void binance_add_algo_open(const struct account_page *page, struct account_request *request);
/* endpoint: for errors. */
int binance_read_algo(const struct field_place *place, const struct json_object *root,
                      struct account_order *ret, struct err *err);
/* Of the stream. NONE: the order that it became reports itself. */
int binance_read_algo_event(const struct json_object *event, struct account_event *ret,
                            struct err *err);
