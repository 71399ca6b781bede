/*
 * alpaca_parts.h: what the files of Alpaca share. Private to this module.
 *
 * Alpaca trades stocks (AAPL) and coins (BTC/USD; among the positions BTCUSD). Here they are
 * AAPL-USD and BTC-USD: a base that is a coin of Alpaca's is one, anything else is a stock.
 * Thread: any.
 */
#pragma once

#include "venue/account.h"
#include "venue/field.h"

#define ALPACA     "alpaca"
#define ALPACA_SIP "alpaca_sip" /* the prices of stocks at all exchanges */

/* Finer ones than this are possible, and no use. */
#define ALPACA_SHARE_PART ((struct dec){DEC_ONE / 10000})

#define ALPACA_ASSETS     "/v2/assets"
#define ALPACA_CLOCK      "/v2/clock"
#define ALPACA_CALENDAR   "/v2/calendar"
#define ALPACA_WHITELISTS "/v2/wallets/whitelists"
#define ALPACA_ACCOUNT    "/v2/account"
#define ALPACA_POSITIONS  "/v2/positions"
#define ALPACA_ORDERS     "/v2/orders"
#define ALPACA_FIND       "/v2/orders:by_client_order_id"
#define ALPACA_FILLS      "/v2/account/activities/FILL"
#define ALPACA_FEES       "/v2/account/activities"

int alpaca_check_key(const struct account_key *key, struct err *err);
/* The headers that log in; the same for orders and prices. */
int alpaca_sign(const struct account_key *key, struct buf *headers, struct err *err);
/* The message that logs in to a stream, of the account or of prices. */
int alpaca_add_login(const struct account_key *key, struct buf *message, struct err *err);

/* Of the prices; numbers. A price is above 0. */
int alpaca_read_price(const struct field_place *place, const struct json_object *row,
                      const char *name, struct dec *ret, struct err *err);
int alpaca_read_bar(const struct field_place *place, const struct json_object *row,
                    struct candle *ret, struct err *err);

#define ALPACA_DATE_SIZE 11 /* "2026-11-27" */
/* The member "date" of a row. */
int alpaca_read_date(const struct field_place *place, const struct json_object *row,
                     char ret[ALPACA_DATE_SIZE], int64_t *ret_us, struct err *err);
bool alpaca_is_coin(const struct symbol *symbol);
void alpaca_add_name(const struct symbol *symbol, struct buf *out);
/* Stocks. */
bool alpaca_has_hours(const struct exchange_market *market);
bool alpaca_is_market(const struct exchange_market *market, const char *name);

enum account_verdict alpaca_judge(enum account_call call, const struct account_response *response,
                                  struct err *err);

int alpaca_read_check(const struct json_object *root, struct account_permissions *ret,
                      struct err *err);
int alpaca_read_rules(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err);
int alpaca_read_calendar(const struct json_object *root, struct account_day *ret, int *ret_count,
                         struct err *err);
int alpaca_read_hours(const struct json_object *root, struct account_hours *ret, struct err *err);
int alpaca_read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
int alpaca_read_positions(const struct json_object *root, struct account_position *ret,
                          int *ret_count, struct account_margin *ret_margin, struct err *err);
int alpaca_read_row(const struct field_place *place, const struct json_object *row,
                    struct account_order *ret, struct err *err);
int alpaca_read_order(enum account_call call, const struct json_object *root,
                      struct account_order *ret, struct account_fill *ret_fills,
                      int *ret_fill_count, struct err *err);
int alpaca_read_open(const struct account_page *page, const struct json_object *root,
                     struct account_order *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                     struct err *err);
int alpaca_read_fills(const struct account_page *page, const struct json_object *root,
                      struct account_fill *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                      struct err *err);
int alpaca_read_fees(const struct account_page *page, const struct json_object *root,
                     struct account_payment *ret, int *ret_count,
                     char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
int alpaca_read_updates(const struct json_object *root, struct account_event *ret, int *ret_count,
                        struct err *err);
