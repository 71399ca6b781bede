#include "base/clock.h"
#include "binance_futures.h"

#include <string.h>

/* Binance USD-M futures: orders and fills.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api */

#define NAME        BINANCE_FUTURES
#define ORDER       "/fapi/v1/order"
#define OPEN_ORDERS "/fapi/v1/openOrders"
#define USER_TRADES "/fapi/v1/userTrades"
#define TRADES_US   (7 * USEC_PER_DAY) /* the longest range of time in one request */
#define ALGO_PAGE   "algo"

void binance_futures_add_order(const struct account_order_ask *ask, struct account_request *request)
{
    if (ask->type == ORDER_TYPE_STOP) {
        binance_add_algo(ask, request);
        return;
    }
    bool limited = ask->type == ORDER_TYPE_LIMIT;
    binance_begin(request, ACCOUNT_POST, ORDER, 1);
    request->order_weight = 1;
    binance_add(request, "symbol", ask->market->name);
    binance_add(request, "side", ask->buys ? "BUY" : "SELL");
    binance_add(request, "type", limited ? "LIMIT" : "MARKET");
    binance_add_dec(request, "quantity", ask->qty);
    if (limited) {
        binance_add_dec(request, "price", ask->price);
        binance_add(request, "timeInForce",
                    ask->post_only ? "GTX" : binance_time_in_force(ask->time_in_force));
    }
    binance_add(request, "reduceOnly", ask->reduce_only ? "true" : "");
    binance_add(request, "newClientOrderId", ask->client_id);
    binance_add(request, "newOrderRespType", "RESULT");
}

/* Fills have requests of their own. */
int binance_futures_read_order(enum account_call call, const struct json_object *root,
                               struct account_order *ret, struct account_fill *ret_fills,
                               int *ret_fill_count, struct err *err)
{
    const struct field_place order = {.venue = NAME, .endpoint = ORDER, .row = -1};
    const struct field_place algo = {.venue = NAME, .endpoint = "/fapi/v1/algoOrder", .row = -1};
    (void)call;
    (void)ret_fills;
    *ret_fill_count = 0;
    return json_get(root, "algoId") != NULL
               ? binance_read_algo(&algo, root, ret, err)
               : binance_read_order(&order, root, "clientOrderId", ret, err);
}

/* A stop that has triggered is an order, and is asked for as such first. */
bool binance_futures_add_query(const struct account_find *find, int step,
                               struct account_request *request)
{
    bool is_algo = binance_is_algo_id(find->id);
    bool may_be_algo = is_algo || (find->type == ORDER_TYPE_STOP && find->id[0] == '\0');
    if (step == (is_algo ? 0 : 1) && may_be_algo) {
        binance_add_algo_find(ACCOUNT_GET, find, request);
        return true;
    }
    /* The number of a stop may be out of date: it triggered meanwhile. */
    if (step == (is_algo ? 1 : 0) && (!is_algo || find->client_id[0] != '\0')) {
        const struct account_find order = {.client_id = find->client_id,
                                           .id = is_algo ? "" : find->id};
        binance_begin(request, ACCOUNT_GET, ORDER, 1);
        binance_add(request, "symbol", find->market->name);
        binance_add_find(request, &order, "orderId", "origClientOrderId");
        return true;
    }
    return false;
}

void binance_futures_add_cancel(const struct account_find *find, struct account_request *request)
{
    if (binance_is_algo_id(find->id) || (find->type == ORDER_TYPE_STOP && find->id[0] == '\0')) {
        binance_add_algo_find(ACCOUNT_DELETE, find, request);
        return;
    }
    binance_begin(request, ACCOUNT_DELETE, ORDER, 1);
    binance_add(request, "symbol", find->market->name);
    binance_add_find(request, find, "orderId", "origClientOrderId");
}

/* Two lists: of the orders in the book, and of the stops. */
void binance_futures_add_open(const struct account_page *page, struct account_request *request)
{
    if (strcmp(page->cursor, ALGO_PAGE) == 0) {
        binance_add_algo_open(page, request);
        return;
    }
    binance_begin(request, ACCOUNT_GET, OPEN_ORDERS, page->market != NULL ? 1 : 40);
    binance_add(request, "symbol", page->market != NULL ? page->market->name : "");
}

int binance_futures_read_open(const struct account_page *page, const struct json_object *root,
                              struct account_order *ret, int *ret_count,
                              char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    bool algo = strcmp(page->cursor, ALGO_PAGE) == 0;
    struct field_place place = {
        .venue = NAME, .endpoint = algo ? "/fapi/v1/openAlgoOrders" : OPEN_ORDERS, .row = -1};
    size_t count = 0;
    int rc = field_list(&place, root, NULL, ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(root, i);
        place.row = (int64_t)i;
        rc = algo ? binance_read_algo(&place, row, &ret[i], err)
                  : binance_read_order(&place, row, "clientOrderId", &ret[i], err);
    }
    *ret_count = (int)count;
    (void)str_copy(str_c(algo ? "" : ALGO_PAGE), ret_next, ACCOUNT_CURSOR_SIZE);
    return rc;
}

void binance_futures_add_fills(const struct account_page *page, struct account_request *request)
{
    binance_begin(request, ACCOUNT_GET, USER_TRADES, 5);
    binance_add(request, "symbol", page->market->name);
    binance_add(request, "orderId", page->order_id);
    binance_add_page(request, page, TRADES_US);
}

static const struct binance_fills fills_format = {
    .venue = NAME, .endpoint = USER_TRADES, .window_us = TRADES_US};

int binance_futures_read_fills(const struct account_page *page, const struct json_object *root,
                               struct account_fill *ret, int *ret_count,
                               char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    return binance_read_fills(&fills_format, page, root, ret, ret_count, ret_next, err);
}
