#include "base/clock.h"
#include "binance_spot.h"

#include <string.h>

/* Binance spot: orders and fills. */

#define NAME        BINANCE_SPOT
#define ORDER       "/api/v3/order"
#define OCO         "/api/v3/orderList/oco"
#define OPEN_ORDERS "/api/v3/openOrders"
#define MY_TRADES   "/api/v3/myTrades"
#define TRADES_US   USEC_PER_DAY /* the longest range of time in one request */

void binance_spot_add_order(const struct account_order_ask *ask, struct account_request *request)
{
    binance_begin(request, ACCOUNT_POST, ORDER, 1);
    request->order_weight = 1;
    binance_add(request, "symbol", ask->market->name);
    binance_add(request, "side", ask->buys ? "BUY" : "SELL");
    switch (ask->type) {
    case ORDER_TYPE_MARKET:
        binance_add(request, "type", "MARKET");
        break;
    case ORDER_TYPE_LIMIT:
        binance_add(request, "type", ask->post_only ? "LIMIT_MAKER" : "LIMIT");
        binance_add(request, "timeInForce",
                    ask->post_only ? "" : binance_time_in_force(ask->time_in_force));
        break;
    case ORDER_TYPE_STOP:
        binance_add(request, "type", "STOP_LOSS");
        break;
    }
    binance_add_dec(request, "quantity", ask->qty);
    if (ask->type == ORDER_TYPE_LIMIT) {
        binance_add_dec(request, "price", ask->price);
    } else if (ask->type == ORDER_TYPE_STOP) {
        binance_add_dec(request, "stopPrice", ask->price);
    }
    binance_add(request, "newClientOrderId", ask->client_id);
    binance_add(request, "newOrderRespType", "FULL");
}

/* The higher of both is "above", and the other "below". */
void binance_spot_add_pair(const struct account_pair_ask *ask, struct account_request *request)
{
    binance_begin(request, ACCOUNT_POST, OCO, 1);
    request->order_weight = 2;
    binance_add(request, "symbol", ask->market->name);
    binance_add(request, "side", ask->buys ? "BUY" : "SELL");
    binance_add_dec(request, "quantity", ask->qty);
    binance_add(request, ask->buys ? "aboveType" : "belowType", "STOP_LOSS");
    binance_add_dec(request, ask->buys ? "aboveStopPrice" : "belowStopPrice", ask->stop);
    binance_add(request, ask->buys ? "aboveClientOrderId" : "belowClientOrderId", ask->stop_id);
    binance_add(request, ask->buys ? "belowType" : "aboveType", "LIMIT_MAKER");
    binance_add_dec(request, ask->buys ? "belowPrice" : "abovePrice", ask->target);
    binance_add(request, ask->buys ? "belowClientOrderId" : "aboveClientOrderId", ask->target_id);
    binance_add(request, "newOrderRespType", "RESULT");
}

/* A fill of the answer to placing: it has neither time nor market of its own. */
static int read_part(const struct field_place *place, const struct json_object *row,
                     const struct account_order *order, struct account_fill *ret, struct err *err)
{
    *ret = (struct account_fill){.buys = order->buys, .at_us = order->at_us};
    (void)str_copy(str_c(order->id), ret->order_id, sizeof(ret->order_id));
    (void)str_copy(str_c(order->client_id), ret->client_id, sizeof(ret->client_id));
    (void)str_copy(str_c(order->market), ret->market, sizeof(ret->market));
    int rc = field_id(place, json_get(row, "tradeId"), "tradeId", ret->id, sizeof(ret->id), err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "price"), "price", &ret->price, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "qty"), "qty", &ret->qty, err);
    return rc < 0 ? rc
                  : binance_read_fee(place, json_get(row, "commission"),
                                     json_get(row, "commissionAsset"), ret, err);
}

int binance_spot_read_order(enum account_call call, const struct json_object *root,
                            struct account_order *ret, struct account_fill *ret_fills,
                            int *ret_fill_count, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = ORDER, .row = -1};
    const struct json_object *fills = json_get(root, "fills");
    size_t count = 0;
    int rc = binance_read_order(
        &place, root, call == ACCOUNT_CANCEL ? "origClientOrderId" : "clientOrderId", ret, err);
    if (rc >= 0 && fills != NULL) {
        rc = field_list(&place, fills, "fills", ACCOUNT_ROWS_MAX, &count, err);
    }
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_part(&place, json_item(fills, i), ret, &ret_fills[i], err);
    }
    *ret_fill_count = (int)count;
    return rc;
}

bool binance_spot_add_query(const struct account_find *find, int step,
                            struct account_request *request)
{
    if (step > 0) {
        return false;
    }
    binance_begin(request, ACCOUNT_GET, ORDER, 4);
    binance_add(request, "symbol", find->market->name);
    binance_add_find(request, find, "orderId", "origClientOrderId");
    return true;
}

void binance_spot_add_cancel(const struct account_find *find, struct account_request *request)
{
    binance_begin(request, ACCOUNT_DELETE, ORDER, 1);
    binance_add(request, "symbol", find->market->name);
    binance_add_find(request, find, "orderId", "origClientOrderId");
}

void binance_spot_add_open(const struct account_page *page, struct account_request *request)
{
    binance_begin(request, ACCOUNT_GET, OPEN_ORDERS, page->market != NULL ? 6 : 80);
    binance_add(request, "symbol", page->market != NULL ? page->market->name : "");
}

int binance_spot_read_open(const struct account_page *page, const struct json_object *root,
                           struct account_order *ret, int *ret_count,
                           char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = OPEN_ORDERS, .row = -1};
    size_t count = 0;
    (void)page;
    int rc = field_list(&place, root, NULL, ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = binance_read_order(&place, json_item(root, i), "clientOrderId", &ret[i], err);
    }
    *ret_count = (int)count;
    ret_next[0] = '\0';
    return rc;
}

void binance_spot_add_fills(const struct account_page *page, struct account_request *request)
{
    binance_begin(request, ACCOUNT_GET, MY_TRADES, page->order_id[0] != '\0' ? 5 : 20);
    binance_add(request, "symbol", page->market->name);
    binance_add(request, "orderId", page->order_id);
    binance_add_page(request, page, TRADES_US);
}

static const struct binance_fills fills_format = {
    .venue = NAME, .endpoint = MY_TRADES, .buyer = "isBuyer", .window_us = TRADES_US};

int binance_spot_read_fills(const struct account_page *page, const struct json_object *root,
                            struct account_fill *ret, int *ret_count,
                            char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    return binance_read_fills(&fills_format, page, root, ret, ret_count, ret_next, err);
}
