/*
 * coinbase_parts.h: what the files of Coinbase Advanced Trade share. Private to this module.
 *
 * Thread: any.
 */
#pragma once

#include "venue/account.h"
#include "venue/field.h"

#define COINBASE          "coinbase"
#define COINBASE_ROOT     "/api/v3/brokerage"

#define COINBASE_TIME     COINBASE_ROOT "/time"
#define COINBASE_PRODUCTS COINBASE_ROOT "/market/products"
#define COINBASE_CHECK    COINBASE_ROOT "/key_permissions"
#define COINBASE_ACCOUNTS COINBASE_ROOT "/accounts"
#define COINBASE_ORDERS   COINBASE_ROOT "/orders"
#define COINBASE_CANCEL   COINBASE_ROOT "/orders/batch_cancel"
#define COINBASE_HISTORY  COINBASE_ROOT "/orders/historical"
#define COINBASE_LIST     COINBASE_ROOT "/orders/historical/batch"
#define COINBASE_FILLS    COINBASE_ROOT "/orders/historical/fills"

/* First characters of the cursors of orders that can still fill, by list. */
#define COINBASE_WAITING 'w'
#define COINBASE_OPEN    'o'

extern const struct field_choice coinbase_sides[], coinbase_states[];

/* Coinbase shows the market BTC-USDC as BTC-USD, of which it is an alias. */
bool coinbase_is_market(const struct exchange_market *market, const char *name);
/* What was filled belongs to the state. */
enum order_state coinbase_state(int state, struct dec filled);

enum account_verdict coinbase_judge(enum account_call call, const struct account_response *response,
                                    struct err *err);

int coinbase_read_check(const struct json_object *root, struct account_permissions *ret,
                        struct err *err);
int coinbase_read_rules(const struct json_object *root, const struct symbol *symbol,
                        struct exchange_market *ret, struct instrument *ret_rules, struct err *err);
int coinbase_read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                        char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
int coinbase_read_order(enum account_call call, const struct json_object *root,
                        struct account_order *ret, struct account_fill *ret_fills,
                        int *ret_fill_count, struct err *err);
int coinbase_read_open(const struct account_page *page, const struct json_object *root,
                       struct account_order *ret, int *ret_count,
                       char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
int coinbase_read_fills(const struct account_page *page, const struct json_object *root,
                        struct account_fill *ret, int *ret_count,
                        char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err);
int coinbase_read_user(const struct json_object *root, struct account_event *ret, int *ret_count,
                       struct err *err);
