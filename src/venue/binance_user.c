#include "base/clock.h"
#include "binance_spot.h"
#include "io/json_out.h"

#include <string.h>

/* Binance spot: the stream of the account, on its WebSocket API.
 * https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream */

#define NAME   BINANCE_SPOT
#define METHOD "userDataStream.subscribe.signature"

/* The signature is of all parameters in the order of their names. */
int binance_spot_add_login(int n, const struct account_key *key,
                           const struct account_moment *moment, const char *stream_key,
                           struct buf *message, struct err *err)
{
    AUTO_BUF struct buf payload = BUF_INIT(1024);
    AUTO_BUF struct buf signature = BUF_INIT(512);
    int64_t at_ms = moment->wall_us / USEC_PER_MSEC;
    (void)stream_key;
    if (n > 0) {
        return 0;
    }
    buf_addf(&payload, "apiKey=%.*s&timestamp=%lld", STR_ARG(key->id), (long long)at_ms);
    int rc = binance_add_signature(key, buf_str(&payload), &signature, err);
    if (rc < 0) {
        return rc;
    }
    struct json_out out = JSON_OUT(message);
    json_out_object(&out, NULL);
    json_out_text(&out, "id", "1");
    json_out_text(&out, "method", METHOD);
    json_out_object(&out, "params");
    json_out_str(&out, "apiKey", key->id);
    json_out_i64(&out, "timestamp", at_ms);
    json_out_str(&out, "signature", buf_str(&signature));
    json_out_end(&out);
    json_out_end(&out);
    return 1;
}

static int read_fill(const struct field_place *place, const struct json_object *event,
                     struct account_event *ret, struct err *err)
{
    struct account_fill *fill = &ret->fill;
    const struct account_order *order = &ret->order;
    *fill = (struct account_fill){.buys = order->buys, .at_us = order->at_us};
    (void)str_copy(str_c(order->id), fill->order_id, sizeof(fill->order_id));
    (void)str_copy(str_c(order->client_id), fill->client_id, sizeof(fill->client_id));
    (void)str_copy(str_c(order->market), fill->market, sizeof(fill->market));
    int rc = field_id(place, json_get(event, "t"), "t", fill->id, sizeof(fill->id), err);
    rc = rc < 0 ? rc : field_price(place, json_get(event, "l"), "l", &fill->qty, err);
    rc = rc < 0 ? rc : field_price(place, json_get(event, "L"), "L", &fill->price, err);
    return rc < 0 ? rc
                  : binance_read_fee(place, json_get(event, "n"), json_get(event, "N"), fill, err);
}

/* The report of a cancellation has its own client id in c, and the order's in C. */
static const char *client_id_name(const struct json_object *event)
{
    return json_str(event, "C").len > 0 ? "C" : "c";
}

static int read_report(const struct json_object *event, struct account_event *ret, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = "executionReport", .row = -1};
    struct account_order *order = &ret->order;
    const char *what = NULL, *type = NULL, *id = client_id_name(event);
    int rc = field_text(&place, json_get(event, "x"), "x", &what, err);
    rc = rc < 0 ? rc
                : field_word(&place, json_get(event, "s"), "s", order->market,
                             sizeof(order->market), err);
    rc = rc < 0 ? rc
                : field_id(&place, json_get(event, "i"), "i", order->id, sizeof(order->id), err);
    rc = rc < 0 ? rc
                : binance_read_client_id(&place, json_get(event, id), id, order->client_id, err);
    rc = rc < 0 ? rc : binance_read_state(&place, json_get(event, "X"), "X", order, err);
    rc = rc < 0 ? rc : binance_read_side(&place, json_get(event, "S"), "S", &order->buys, err);
    rc = rc < 0 ? rc : field_text(&place, json_get(event, "o"), "o", &type, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(event, "q"), "q", &order->qty, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(event, "z"), "z", &order->filled_qty, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(event, "p"), "p", &order->price, err);
    rc = rc < 0 ? rc : field_amount(&place, json_get(event, "P"), "P", &order->stop_price, err);
    rc = rc < 0 ? rc
                : field_time(&place, json_get(event, "T"), "T", USEC_PER_MSEC, &order->at_us, err);
    if (rc < 0) {
        return rc;
    }
    order->type = binance_order_type(type);
    ret->has_order = true;
    ret->kind = ACCOUNT_EVENT_ORDER;
    if (order->state == ORDER_REJECTED) {
        str_cut(json_str(event, "r"), order->reason, sizeof(order->reason));
        str_make_safe(order->reason);
    }
    rc = binance_finish_order(&place, order, err);
    if (rc >= 0 && strcmp(what, "TRADE") == 0) {
        ret->kind = ACCOUNT_EVENT_FILL;
        rc = read_fill(&place, event, ret, err);
    }
    return rc;
}

/* The answer to our subscription. */
static void read_answer(const struct json_object *root, struct account_event *ret, struct err *err)
{
    const struct account_response response = {.status = (int)json_i64(root, "status", 0),
                                              .root = json_get(root, "error")};
    ret->kind = response.status == 200 ? ACCOUNT_EVENT_READY : ACCOUNT_EVENT_REFUSED;
    if (ret->kind == ACCOUNT_EVENT_REFUSED) {
        (void)binance_spot_judge(ACCOUNT_STREAM, &response, err);
    }
}

static enum account_event_kind kind_of(const char *event)
{
    static const struct {
        const char *event;
        enum account_event_kind kind;
    } kinds[] = {
        {"outboundAccountPosition", ACCOUNT_EVENT_CHANGED},
        {"balanceUpdate", ACCOUNT_EVENT_CHANGED},
        {"externalLockUpdate", ACCOUNT_EVENT_CHANGED},
        {"eventStreamTerminated", ACCOUNT_EVENT_OVER},
        {"serverShutdown", ACCOUNT_EVENT_OVER},
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(event, kinds[i].event) == 0) {
            return kinds[i].kind;
        }
    }
    return ACCOUNT_EVENT_NONE; /* listStatus among others: the orders of a list report themselves */
}

int binance_spot_read_stream(const struct json_object *root, struct account_event *ret,
                             int *ret_count, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = "stream", .row = -1};
    const struct json_object *event = json_get(root, "event");
    const char *name = NULL;
    *ret = (struct account_event){.kind = ACCOUNT_EVENT_NONE};
    *ret_count = 1;
    if (json_get(root, "status") != NULL) {
        read_answer(root, ret, err);
        return 0;
    }
    event = event != NULL ? event : root;
    int rc = field_text(&place, json_get(event, "e"), "e", &name, err);
    if (rc >= 0 && strcmp(name, "executionReport") == 0) {
        return read_report(event, ret, err);
    }
    if (rc >= 0) {
        ret->kind = kind_of(name);
    }
    return rc;
}
