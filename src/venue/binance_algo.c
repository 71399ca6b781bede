#include "base/clock.h"
#include "binance_futures.h"

#include <string.h>

/* Binance USD-M futures: conditional orders, which a service of its own keeps.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api */

#define ALGO      "/fapi/v1/algoOrder"
#define OPEN_ALGO "/fapi/v1/openAlgoOrders"

bool binance_is_algo_id(const char *id)
{
    return str_starts(str_c(id), BINANCE_ALGO);
}

void binance_add_algo(const struct account_order_ask *ask, struct account_request *request)
{
    binance_begin(request, ACCOUNT_POST, ALGO, 1);
    request->order_weight = 1;
    binance_add(request, "algoType", "CONDITIONAL");
    binance_add(request, "symbol", ask->market->name);
    binance_add(request, "side", ask->buys ? "BUY" : "SELL");
    binance_add(request, "type", "STOP_MARKET");
    binance_add_dec(request, "quantity", ask->qty);
    binance_add_dec(request, "triggerPrice", ask->price);
    binance_add(request, "reduceOnly", ask->reduce_only ? "true" : "");
    binance_add(request, "clientAlgoId", ask->client_id);
}

void binance_add_algo_find(enum account_method method, const struct account_find *find,
                           struct account_request *request)
{
    struct account_find algo = *find;
    if (binance_is_algo_id(find->id)) {
        algo.id += strlen(BINANCE_ALGO);
    } else {
        algo.id = "";
    }
    binance_begin(request, method, ALGO, 1);
    binance_add_find(request, &algo, "algoId", "clientAlgoId");
}

void binance_add_algo_open(const struct account_page *page, struct account_request *request)
{
    binance_begin(request, ACCOUNT_GET, OPEN_ALGO, page->market != NULL ? 1 : 40);
    binance_add(request, "symbol", page->market != NULL ? page->market->name : "");
}

/* The matching engine's number of the order that it became, once it has triggered. */
static int read_ids(const struct field_place *place, const struct json_object *algo_id,
                    const struct json_object *order_id, struct account_order *ret, struct err *err)
{
    char number[24];
    int64_t id = 0;
    if (json_value_str(order_id).len > 0) {
        if (!str_to_i64(json_value_str(order_id), &id) || id <= 0) {
            return field_wrong(place, "actualOrderId", "is no number of an order", err);
        }
        return field_word(place, order_id, "actualOrderId", ret->id, sizeof(ret->id), err);
    }
    int rc = field_id(place, algo_id, "algoId", number, sizeof(number), err);
    if (rc >= 0) {
        (void)snprintf(ret->id, sizeof(ret->id), BINANCE_ALGO "%s", number);
    }
    return rc;
}

static int read_status(const struct field_place *place, const struct json_object *value,
                       const char *name, struct account_order *ret, struct err *err)
{
    static const struct field_choice states[] = {
        {"NEW", ORDER_ACKED},          {"TRIGGERING", ORDER_ACKED},
        {"TRIGGERED", ORDER_ACKED},    {"FINISHED", ORDER_ACKED},
        {"CANCELED", ORDER_CANCELLED}, {"EXPIRED", ORDER_CANCELLED},
        {"REJECTED", ORDER_REJECTED},  {NULL, 0},
    };
    int state = 0;
    int rc = field_choice(place, value, name, states, &state, err);
    if (rc >= 0) {
        ret->state = (enum order_state)state;
        str_cut(str_c(str_equal_c(json_value_str(value), "EXPIRED") ? "expired"
                      : state == ORDER_REJECTED                     ? "refused as it triggered"
                                                                    : ""),
                ret->reason, sizeof(ret->reason));
    }
    return rc;
}

/* An order that has triggered is asked for by its number: only the matching engine knows it. */
int binance_read_algo(const struct field_place *place, const struct json_object *root,
                      struct account_order *ret, struct err *err)
{
    const char *type = NULL;
    *ret = (struct account_order){.type = ORDER_TYPE_STOP, .state = ORDER_ACKED};
    int rc = read_ids(place, json_get(root, "algoId"), json_get(root, "actualOrderId"), ret, err);
    rc = rc < 0 ? rc
                : binance_read_client_id(place, json_get(root, "clientAlgoId"), "clientAlgoId",
                                         ret->client_id, err);
    if (rc < 0 || json_get(root, "algoStatus") == NULL) { /* a cancellation only acknowledges */
        return rc;
    }
    rc = field_word(place, json_get(root, "symbol"), "symbol", ret->market, sizeof(ret->market),
                    err);
    rc = rc < 0 ? rc : read_status(place, json_get(root, "algoStatus"), "algoStatus", ret, err);
    rc = rc < 0 ? rc : binance_read_side(place, json_get(root, "side"), "side", &ret->buys, err);
    rc = rc < 0 ? rc : field_text(place, json_get(root, "orderType"), "orderType", &type, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(root, "quantity"), "quantity", &ret->qty, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(root, "triggerPrice"), "triggerPrice",
                               &ret->stop_price, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(root, "price"), "price", &ret->price, err);
    rc = rc < 0 ? rc
                : field_time(place, json_get(root, "updateTime"), "updateTime", USEC_PER_MSEC,
                             &ret->at_us, err);
    if (rc >= 0 && ret->state == ORDER_ACKED && !binance_is_algo_id(ret->id)) {
        ret->qty = DEC_ZERO;
    }
    return rc;
}

int binance_read_algo_event(const struct json_object *event, struct account_event *ret,
                            struct err *err)
{
    const struct field_place place = {
        .venue = BINANCE_FUTURES, .endpoint = "ALGO_UPDATE", .row = -1};
    const struct json_object *o = json_get(event, "o");
    struct account_order *order = &ret->order;
    struct str why = json_str(o, "rm");
    int rc = read_ids(&place, json_get(o, "aid"), json_get(o, "ai"), order, err);
    rc = rc < 0
             ? rc
             : binance_read_client_id(&place, json_get(o, "caid"), "caid", order->client_id, err);
    rc = rc < 0
             ? rc
             : field_word(&place, json_get(o, "s"), "s", order->market, sizeof(order->market), err);
    rc = rc < 0 ? rc : read_status(&place, json_get(o, "X"), "X", order, err);
    rc = rc < 0 ? rc : binance_read_side(&place, json_get(o, "S"), "S", &order->buys, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(o, "q"), "q", &order->qty, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(o, "tp"), "tp", &order->stop_price, err);
    rc = rc < 0 ? rc
                : field_time(&place, json_get(event, "T"), "T", USEC_PER_MSEC, &order->at_us, err);
    if (rc < 0) {
        return rc;
    }
    order->type = ORDER_TYPE_STOP;
    if (order->state == ORDER_ACKED && !binance_is_algo_id(order->id)) {
        order->qty = DEC_ZERO; /* triggered: it has a number now, by which it is asked for */
    }
    if (order->state == ORDER_REJECTED && why.len > 0) {
        str_cut(why, order->reason, sizeof(order->reason));
        str_make_safe(order->reason);
    }
    ret->kind = ACCOUNT_EVENT_ORDER;
    ret->has_order = true;
    return 0;
}
