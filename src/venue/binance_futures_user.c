#include "base/clock.h"
#include "binance_futures.h"

#include <string.h>

/* Binance USD-M futures: the stream of the account.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams */

#define NAME BINANCE_FUTURES

/* A liquidation is a fill too; a number of 0 means none. */
static int read_fill(const struct field_place *place, const struct json_object *o,
                     struct account_event *ret, struct err *err)
{
    struct account_fill *fill = &ret->fill;
    const struct account_order *order = &ret->order;
    *fill = (struct account_fill){.buys = order->buys, .at_us = order->at_us};
    (void)str_copy(str_c(order->id), fill->order_id, sizeof(fill->order_id));
    (void)str_copy(str_c(order->client_id), fill->client_id, sizeof(fill->client_id));
    (void)str_copy(str_c(order->market), fill->market, sizeof(fill->market));
    int rc = field_id(place, json_get(o, "t"), "t", fill->id, sizeof(fill->id), err);
    rc = rc < 0 ? rc : field_price(place, json_get(o, "l"), "l", &fill->qty, err);
    rc = rc < 0 ? rc : field_price(place, json_get(o, "L"), "L", &fill->price, err);
    if (rc >= 0 && json_get(o, "n") != NULL) {
        rc = binance_read_fee(place, json_get(o, "n"), json_get(o, "N"), fill, err);
    }
    return rc;
}

static int read_report(const struct json_object *event, struct account_event *ret, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = "ORDER_TRADE_UPDATE", .row = -1};
    const struct json_object *o = json_get(event, "o");
    struct account_order *order = &ret->order;
    const char *what = NULL, *type = NULL;
    int rc = field_text(&place, json_get(o, "x"), "x", &what, err);
    rc = rc < 0
             ? rc
             : field_word(&place, json_get(o, "s"), "s", order->market, sizeof(order->market), err);
    rc = rc < 0 ? rc : field_id(&place, json_get(o, "i"), "i", order->id, sizeof(order->id), err);
    rc = rc < 0 ? rc : binance_read_client_id(&place, json_get(o, "c"), "c", order->client_id, err);
    rc = rc < 0 ? rc : binance_read_state(&place, json_get(o, "X"), "X", order, err);
    rc = rc < 0 ? rc : binance_read_side(&place, json_get(o, "S"), "S", &order->buys, err);
    rc = rc < 0 ? rc : field_text(&place, json_get(o, "o"), "o", &type, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(o, "q"), "q", &order->qty, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(o, "z"), "z", &order->filled_qty, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(o, "p"), "p", &order->price, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(o, "sp"), "sp", &order->stop_price, err);
    rc = rc < 0 ? rc : field_time(&place, json_get(o, "T"), "T", USEC_PER_MSEC, &order->at_us, err);
    rc = rc < 0 ? rc : binance_finish_order(&place, order, err);
    if (rc < 0) {
        return rc;
    }
    order->type = binance_order_type(type);
    ret->has_order = true;
    ret->kind = ACCOUNT_EVENT_ORDER;
    bool filled =
        strcmp(what, "TRADE") == 0 || (strcmp(what, "CALCULATED") == 0 && json_i64(o, "t", 0) > 0);
    if (filled) {
        ret->kind = ACCOUNT_EVENT_FILL;
        order->forced = binance_futures_forced(order->client_id);
        rc = read_fill(&place, o, ret, err);
    }
    return rc;
}

/* It names each position; the first stands for all, since the margin is that of the account. */
static int read_margin_call(const struct json_object *event, struct account_event *ret,
                            struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = "MARGIN_CALL", .row = 0};
    const struct json_object *p = json_item(json_get(event, "p"), 0);
    ret->kind = ACCOUNT_EVENT_MARGIN;
    int rc = p == NULL
                 ? 0
                 : field_word(&place, json_get(p, "s"), "s", ret->market, sizeof(ret->market), err);
    return rc < 0 ? rc
                  : field_time(&place, json_get(event, "E"), "E", USEC_PER_MSEC, &ret->at_us, err);
}

static enum account_event_kind kind_of(const char *event)
{
    static const struct {
        const char *event;
        enum account_event_kind kind;
    } kinds[] = {
        {"ACCOUNT_UPDATE", ACCOUNT_EVENT_CHANGED},
        {"ACCOUNT_CONFIG_UPDATE", ACCOUNT_EVENT_CHANGED},
        {"listenKeyExpired", ACCOUNT_EVENT_OVER},
        {"serverShutdown", ACCOUNT_EVENT_OVER},
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(event, kinds[i].event) == 0) {
            return kinds[i].kind;
        }
    }
    return ACCOUNT_EVENT_NONE; /* TRADE_LITE among others: the report of the order follows it */
}

int binance_futures_read_stream(const struct json_object *root, struct account_event *ret,
                                int *ret_count, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = "stream", .row = -1};
    const struct json_object *event = json_get(root, "data");
    const char *name = NULL;
    *ret = (struct account_event){.kind = ACCOUNT_EVENT_NONE};
    *ret_count = 1;
    event = event != NULL ? event : root;
    int rc = field_text(&place, json_get(event, "e"), "e", &name, err);
    if (rc < 0) {
        return rc;
    }
    if (strcmp(name, "ORDER_TRADE_UPDATE") == 0) {
        return read_report(event, ret, err);
    }
    if (strcmp(name, "MARGIN_CALL") == 0) {
        return read_margin_call(event, ret, err);
    }
    if (strcmp(name, "ALGO_UPDATE") == 0) {
        return binance_read_algo_event(event, ret, err);
    }
    ret->kind = kind_of(name);
    return 0;
}
