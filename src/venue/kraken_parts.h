/*
 * kraken_parts.h: what the files of Kraken share: names and requests. Private to this module.
 *
 * Kraken has three names of a market: XXBTZUSD (key of a list, trades), XBTUSD (requests, orders)
 * and BTC/USD (streams).
 * Thread: any.
 */
#pragma once

#include "venue/account.h"
#include "venue/field.h"

#define KRAKEN             "kraken"

#define KRAKEN_ASSET_PAIRS "/0/public/AssetPairs"
#define KRAKEN_CHECK       "/0/private/GetApiKeyInfo"
#define KRAKEN_BALANCE     "/0/private/BalanceEx"
#define KRAKEN_ADD         "/0/private/AddOrder"
#define KRAKEN_AMEND       "/0/private/AmendOrder"
#define KRAKEN_CANCEL      "/0/private/CancelOrder"
#define KRAKEN_QUERY       "/0/private/QueryOrders"
#define KRAKEN_OPEN        "/0/private/OpenOrders"
#define KRAKEN_CLOSED      "/0/private/ClosedOrders"
#define KRAKEN_TRADES      "/0/private/TradesHistory"
#define KRAKEN_GUARD       "/0/private/CancelAllOrdersAfter"
#define KRAKEN_TOKEN       "/0/private/GetWebSocketsToken"

/* Kraken's own names of coins in requests: XBT and XDG. */
void kraken_add_asset(struct str currency, struct buf *out);
/* "XBTUSD". */
void kraken_add_pair(const struct symbol *symbol, struct buf *out);
/* "BTC/USD". */
void kraken_add_stream_name(const struct exchange_market *market, struct buf *out);
bool kraken_is_market(const struct exchange_market *market, const char *name);
/* Our name of a coin: BTC of XXBT, XBT or BTC. */
int kraken_read_asset(const struct field_place *place, const char *asset, char ret[CURRENCY_SIZE],
                      struct err *err);

extern const struct field_choice kraken_order_types[], kraken_sides[];

enum account_verdict kraken_judge(enum account_call call, const struct account_response *response,
                                  struct err *err);

int kraken_read_check(const struct json_object *root, struct account_permissions *ret,
                      struct err *err);
int kraken_read_rules(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err);
int kraken_read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
int kraken_read_order(enum account_call call, const struct json_object *root,
                      struct account_order *ret, struct account_fill *ret_fills,
                      int *ret_fill_count, struct err *err);
int kraken_read_open(const struct account_page *page, const struct json_object *root,
                     struct account_order *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                     struct err *err);
int kraken_read_fills(const struct account_page *page, const struct json_object *root,
                      struct account_fill *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                      struct err *err);

int kraken_add_stream_login(int n, const struct account_key *key,
                            const struct account_moment *moment, const char *stream_key,
                            struct buf *message, struct err *err);
int kraken_read_stream(const struct json_object *root, struct account_event *ret, int *ret_count,
                       struct err *err);
