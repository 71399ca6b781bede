/*
 * account_tables.h: the private sides and the streams of the venues, one line each; their files are
 * named after them (binance_account.c, binance_stream.c), and what they share. Private to this
 * module.
 *
 *     return account_judged(NAME, call, ACCOUNT_LATER, json_str(root, "msg"), err);
 *
 * Thread: any (constant tables).
 */
#pragma once

#include "venue/account.h"
#include "venue/stream.h"

extern const struct account_api binance_account, binance_futures_account, kraken_account,
    coinbase_account, alpaca_account;
extern const struct stream_api binance_stream, binance_futures_stream, kraken_stream,
    coinbase_stream, alpaca_stream, alpaca_sip_stream;

/* The verdict. Unless it is FINE, *err gets the id of the catalogue that belongs to it, and the
 * venue's words as its context. */
enum account_verdict account_judged(const char *venue, enum account_call call,
                                    enum account_verdict verdict, struct str words,
                                    struct err *err);
/* The id of a key goes into headers: printable characters without spaces. ERR_VENUE_KEY. */
int account_check_id(const char *venue, struct str id, struct err *err);
