#include "base/check.h"
#include "io/json_out.h"
#include "kraken_parts.h"

#include <string.h>

/* Kraken's stream of the account. https://docs.kraken.com/api/docs/websocket-v2/executions
 * Numbers in it are JSON numbers with all their digits. A message about an order has what changed,
 * and not always the rest. */

#define EXECUTIONS "executions"
#define BALANCES   "balances"

static const char *const channels[] = {EXECUTIONS, BALANCES};

int kraken_add_stream_login(int n, const struct account_key *key,
                            const struct account_moment *moment, const char *stream_key,
                            struct buf *message, struct err *err)
{
    (void)key;
    (void)moment;
    (void)err;
    if (n >= (int)COUNT_OF(channels)) {
        return 0;
    }
    struct json_out out = JSON_OUT(message);
    json_out_object(&out, NULL);
    json_out_text(&out, "method", "subscribe");
    json_out_object(&out, "params");
    json_out_text(&out, "channel", channels[n]);
    if (n == 0) {
        json_out_bool(&out, "snap_orders", true);
        json_out_bool(&out, "snap_trades", true);
    }
    json_out_text(&out, "token", stream_key);
    json_out_end(&out);
    json_out_i64(&out, "req_id", n + 1);
    json_out_end(&out);
    return 1;
}

/* ---------------------------------------------------------------- executions */

static const struct field_choice states[] = {
    {"pending_new", ORDER_ACKED}, {"new", ORDER_ACKED},
    {"triggered", ORDER_ACKED},   {"partially_filled", ORDER_PARTIAL},
    {"filled", ORDER_FILLED},     {"canceled", ORDER_CANCELLED},
    {"expired", ORDER_CANCELLED}, {NULL, 0},
};
/* A member that may be absent. */
static int optional(const struct field_place *place, const struct json_object *row,
                    const char *name, struct dec *ret, struct err *err)
{
    const struct json_object *value = json_get(row, name);
    return value == NULL ? 0 : field_decimal(place, value, name, FIELD_NUMBER, ret, err);
}

static int read_names(const struct field_place *place, const struct json_object *row,
                      struct account_order *ret, struct err *err)
{
    const struct json_object *client_id = json_get(row, "cl_ord_id");
    const struct json_object *market = json_get(row, "symbol"), *side = json_get(row, "side");
    const struct json_object *type = json_get(row, "order_type");
    int buys = 0, order_type = 0;
    int rc =
        field_word(place, json_get(row, "order_id"), "order_id", ret->id, sizeof(ret->id), err);
    if (rc >= 0 && client_id != NULL) {
        rc = field_word(place, client_id, "cl_ord_id", ret->client_id, sizeof(ret->client_id), err);
    }
    if (rc >= 0 && market != NULL) {
        rc = field_word(place, market, "symbol", ret->market, sizeof(ret->market), err);
    }
    if (rc >= 0 && side != NULL) {
        rc = field_choice(place, side, "side", kraken_sides, &buys, err);
    }
    if (rc >= 0 && type != NULL) {
        rc = field_choice(place, type, "order_type", kraken_order_types, &order_type, err);
    }
    ret->buys = buys != 0;
    ret->type = (enum order_type)order_type;
    return rc;
}

/* At which a stop triggers now: that of a foreign order may be given as a distance. */
static int read_trigger(const struct field_place *place, const struct json_object *row,
                        struct account_order *ret, struct err *err)
{
    return optional(place, json_get(row, "triggers"), "actual_price", &ret->stop_price, err);
}

static int read_order(const struct field_place *place, const struct json_object *row,
                      struct account_order *ret, struct err *err)
{
    int state = 0;
    int rc = read_names(place, row, ret, err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(row, "order_status"), "order_status", states, &state,
                               err);
    rc = rc < 0 ? rc : optional(place, row, "order_qty", &ret->qty, err);
    rc = rc < 0 ? rc : optional(place, row, "cum_qty", &ret->filled_qty, err);
    rc = rc < 0 ? rc : optional(place, row, "limit_price", &ret->price, err);
    rc = rc < 0 ? rc : read_trigger(place, row, ret, err);
    rc = rc < 0 ? rc
                : field_iso_time(place, json_get(row, "timestamp"), "timestamp", &ret->at_us, err);
    ret->state = (enum order_state)state;
    if (rc >= 0 && ret->state == ORDER_ACKED && ret->filled_qty.e8 > 0) {
        ret->state = ORDER_PARTIAL;
    }
    str_cut(str_c(json_text(row, "reason")), ret->reason, sizeof(ret->reason));
    str_make_safe(ret->reason);
    return rc;
}

/* Kraken charges a trade's fee in one currency. */
static int read_fee(const struct field_place *place, const struct json_object *row,
                    struct account_fill *ret, struct err *err)
{
    const struct json_object *fees = json_get(row, "fees");
    const char *asset = NULL;
    size_t count = 0;
    int rc = field_list(place, fees, "fees", 1, &count, err);
    if (rc < 0 || count == 0) {
        return rc;
    }
    rc = field_text(place, json_get(json_item(fees, 0), "asset"), "asset", &asset, err);
    rc = rc < 0 ? rc : kraken_read_asset(place, asset, ret->fee_currency, err);
    return rc < 0 ? rc
                  : field_decimal(place, json_get(json_item(fees, 0), "qty"), "fee",
                                  FIELD_NUMBER | FIELD_FINE | FIELD_NEGATIVE, &ret->fee, err);
}

static int read_trade(const struct field_place *place, const struct json_object *row,
                      const struct account_order *order, struct account_fill *ret, struct err *err)
{
    *ret = (struct account_fill){.buys = order->buys, .at_us = order->at_us};
    (void)str_copy(str_c(order->id), ret->order_id, sizeof(ret->order_id));
    (void)str_copy(str_c(order->client_id), ret->client_id, sizeof(ret->client_id));
    (void)str_copy(str_c(order->market), ret->market, sizeof(ret->market));
    int rc = field_word(place, json_get(row, "exec_id"), "exec_id", ret->id, sizeof(ret->id), err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "last_qty"), "last_qty", FIELD_NUMBER,
                                &ret->qty, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "last_price"), "last_price", FIELD_NUMBER,
                                &ret->price, err);
    rc = rc < 0 || json_get(row, "cost") == NULL
             ? rc
             : field_decimal(place, json_get(row, "cost"), "cost", FIELD_NUMBER, &ret->cost, err);
    rc = rc < 0 ? rc : read_fee(place, row, ret, err);
    if (rc >= 0 && (order->market[0] == '\0' || json_get(row, "side") == NULL)) {
        rc = field_wrong(place, "symbol or side", "is missing", err);
    }
    if (rc >= 0 && (ret->qty.e8 == 0 || ret->price.e8 == 0)) {
        rc = field_wrong(place, ret->qty.e8 == 0 ? "last_qty" : "last_price", "is 0", err);
    }
    return rc;
}

static int read_executions(const struct json_object *root, struct account_event *ret,
                           int *ret_count, struct err *err)
{
    struct field_place place = {.venue = KRAKEN, .endpoint = EXECUTIONS, .row = -1};
    const struct json_object *rows = json_get(root, "data");
    size_t count = 0;
    int64_t sequence = 0;
    int rc = field_list(&place, rows, "data", ACCOUNT_EVENTS_MAX, &count, err);
    rc = rc < 0 ? rc : field_number(&place, json_get(root, "sequence"), "sequence", &sequence, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(rows, i);
        struct account_event event = {
            .kind = ACCOUNT_EVENT_ORDER, .has_order = true, .sequence = sequence};
        place.row = (int64_t)i;
        rc = read_order(&place, row, &event.order, err);
        if (rc >= 0 && str_equal_c(json_str(row, "exec_type"), "trade")) {
            event.kind = ACCOUNT_EVENT_FILL;
            rc = read_trade(&place, row, &event.order, &event.fill, err);
        }
        ret[i] = event;
    }
    *ret_count = rc < 0 ? 0 : (int)count;
    return rc;
}

/* ---------------------------------------------------------------- the rest */

static int read_answer(const struct json_object *root, struct account_event *ret, struct err *err)
{
    struct str channel = json_str(json_get(root, "result"), "channel");
    char reason[128];
    if (json_truth(root, "success", false)) {
        ret->kind = str_equal_c(channel, EXECUTIONS) ? ACCOUNT_EVENT_READY : ACCOUNT_EVENT_NONE;
        return 0;
    }
    str_cut(json_str(root, "error"), reason, sizeof(reason));
    str_make_safe(reason);
    ret->kind = ACCOUNT_EVENT_REFUSED;
    (void)err_set(err, ERR_VENUE_ACCESS, KRAKEN ": %s",
                  reason[0] != '\0' ? reason : "it gives no reason");
    return 0;
}

int kraken_read_stream(const struct json_object *root, struct account_event *ret, int *ret_count,
                       struct err *err)
{
    const struct field_place place = {.venue = KRAKEN, .endpoint = "stream", .row = -1};
    struct str channel = json_str(root, "channel");
    if (!json_is_object(root)) {
        return field_wrong(&place, NULL, "has a message that is not an object", err);
    }
    if (str_equal_c(channel, EXECUTIONS)) {
        return read_executions(root, ret, ret_count, err);
    }
    *ret_count = 1;
    ret[0] = (struct account_event){.kind = ACCOUNT_EVENT_NONE};
    if (str_equal_c(json_str(root, "method"), "subscribe")) {
        return read_answer(root, &ret[0], err);
    }
    if (str_equal_c(channel, BALANCES)) {
        ret[0].kind = ACCOUNT_EVENT_CHANGED;
    }
    return 0;
}
