/*
 * binance_stream.h: what the public streams of Binance's spot and futures sides have in common.
 * Private to this module.
 *
 *     return binance_read_message("binance", root, ret, err);
 *
 * Thread: any.
 */
#pragma once

#include "account_tables.h"
#include "venue/field.h"

/* The n-th message, which subscribes some of the markets to the wanted streams. A number of the
 * subscription, from 1, comes back in its answer. */
enum binance_streams {
    BINANCE_CANDLES = 1,
    BINANCE_TOPS = 2,
    BINANCE_BOOKS = 4,
    BINANCE_TRADES = 8,
    BINANCE_SUMMED_TRADES = 16 /* of one order at one price */
};
int binance_add_subscribe(const struct stream_ask *ask, int n, unsigned streams,
                          struct buf *message);
int binance_read_message(const char *venue, const struct json_object *root,
                         struct stream_message *ret, struct err *err);
void binance_add_book_path(const char *endpoint, const struct exchange_market *market, int depth,
                           struct buf *path);
int binance_read_book(const char *venue, const char *endpoint, const struct json_object *root,
                      struct stream_message *ret, struct err *err);
