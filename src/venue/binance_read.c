#include "base/check.h"
#include "base/clock.h"
#include "binance_shared.h"

#include <string.h>

/* Values in Binance's answers: orders, fees, and the rules of markets. */

/* The most markets of an answer, and filters of a market. */
#define MARKETS 20000
#define FILTERS 64

/* ---------------------------------------------------------------- orders */

int binance_read_side(const struct field_place *place, const struct json_object *value,
                      const char *name, bool *ret_buys, struct err *err)
{
    static const struct field_choice sides[] = {{"BUY", 1}, {"SELL", 0}, {NULL, 0}};
    int buys = 0;
    int rc = field_choice(place, value, name, sides, &buys, err);
    *ret_buys = buys != 0;
    return rc;
}

int binance_read_state(const struct field_place *place, const struct json_object *value,
                       const char *name, struct account_order *ret, struct err *err)
{
    static const struct field_choice states[] = {
        {"NEW", ORDER_ACKED},
        {"PENDING_NEW", ORDER_ACKED},
        {"NEW_INSURANCE", ORDER_ACKED},
        {"NEW_ADL", ORDER_ACKED},
        {"PENDING_CANCEL", ORDER_ACKED},
        {"PARTIALLY_FILLED", ORDER_PARTIAL},
        {"FILLED", ORDER_FILLED},
        {"CANCELED", ORDER_CANCELLED},
        {"EXPIRED", ORDER_CANCELLED},
        {"EXPIRED_IN_MATCH", ORDER_CANCELLED},
        {"REJECTED", ORDER_REJECTED},
        {NULL, 0},
    };
    int state = 0;
    int rc = field_choice(place, value, name, states, &state, err);
    if (rc >= 0) {
        struct str word = json_value_str(value);
        ret->state = (enum order_state)state;
        (void)str_copy(str_c(str_equal_c(word, "EXPIRED")            ? "expired"
                             : str_equal_c(word, "EXPIRED_IN_MATCH") ? "it met an order of its own"
                             : state == ORDER_REJECTED               ? "rejected"
                                                                     : ""),
                       ret->reason, sizeof(ret->reason));
    }
    return rc;
}

/* Stops, targets and trailing ones, by whatever word, rest outside of the book. */
enum order_type binance_order_type(const char *word)
{
    static const struct {
        const char *word;
        enum order_type type;
    } types[] = {
        {"MARKET", ORDER_TYPE_MARKET},
        {"LIQUIDATION", ORDER_TYPE_MARKET},
        {"LIMIT", ORDER_TYPE_LIMIT},
        {"LIMIT_MAKER", ORDER_TYPE_LIMIT},
    };
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (strcmp(word, types[i].word) == 0) {
            return types[i].type;
        }
    }
    return ORDER_TYPE_STOP;
}

int binance_read_client_id(const struct field_place *place, const struct json_object *value,
                           const char *name, char ret[ACCOUNT_ID_SIZE], struct err *err)
{
    if (value == NULL || (json_is_text(value) && json_value_str(value).len == 0)) {
        ret[0] = '\0';
        return 0;
    }
    return field_word(place, value, name, ret, ACCOUNT_ID_SIZE, err);
}

/* An order for a whole position, or for an amount of the other coin, has no quantity before it is
 * filled. */
int binance_finish_order(const struct field_place *place, struct account_order *order,
                         struct err *err)
{
    if (order->qty.e8 == 0) {
        order->qty = order->filled_qty;
    }
    if (dec_cmp(order->filled_qty, order->qty) > 0) {
        return field_wrong(place, NULL, "has an order that is filled by more than its quantity",
                           err);
    }
    if (order->state == ORDER_FILLED && dec_cmp(order->filled_qty, order->qty) != 0) {
        return field_wrong(place, NULL, "has a filled order of which a part is not filled", err);
    }
    if (order->state == ORDER_ACKED && order->filled_qty.e8 > 0) {
        order->state = ORDER_PARTIAL;
    }
    return 0;
}

int binance_read_fee(const struct field_place *place, const struct json_object *fee,
                     const struct json_object *currency, struct account_fill *ret, struct err *err)
{
    int rc = field_signed(place, fee, "commission", &ret->fee, err);
    ret->fee_currency[0] = '\0';
    if (rc < 0 || (ret->fee.e8 == 0 && currency == NULL)) {
        return rc;
    }
    return field_word(place, currency, "commission asset", ret->fee_currency,
                      sizeof(ret->fee_currency), err);
}

static int read_optional_price(const struct field_place *place, const struct json_object *value,
                               const char *name, struct dec *ret, struct err *err)
{
    *ret = DEC_ZERO;
    return value == NULL ? 0 : field_amount(place, value, name, ret, err);
}

int binance_read_order(const struct field_place *place, const struct json_object *root,
                       const char *id_name, struct account_order *ret, struct err *err)
{
    const char *type = NULL;
    const char *time = json_get(root, "updateTime") != NULL ? "updateTime" : "transactTime";
    *ret = (struct account_order){0};
    int rc = field_word(place, json_get(root, "symbol"), "symbol", ret->market, sizeof(ret->market),
                        err);
    rc = rc < 0
             ? rc
             : field_id(place, json_get(root, "orderId"), "orderId", ret->id, sizeof(ret->id), err);
    rc = rc < 0
             ? rc
             : binance_read_client_id(place, json_get(root, id_name), id_name, ret->client_id, err);
    rc = rc < 0 ? rc
                : field_time(place, json_get(root, time), time, USEC_PER_MSEC, &ret->at_us, err);
    if (rc < 0 || json_get(root, "status") == NULL) { /* only acknowledged */
        return rc;
    }
    rc = binance_read_state(place, json_get(root, "status"), "status", ret, err);
    rc = rc < 0 ? rc : binance_read_side(place, json_get(root, "side"), "side", &ret->buys, err);
    rc = rc < 0 ? rc : field_text(place, json_get(root, "type"), "type", &type, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(root, "origQty"), "origQty", &ret->qty, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(root, "executedQty"), "executedQty",
                               &ret->filled_qty, err);
    rc = rc < 0 ? rc
                : read_optional_price(place, json_get(root, "price"), "price", &ret->price, err);
    rc = rc < 0 ? rc
                : read_optional_price(place, json_get(root, "stopPrice"), "stopPrice",
                                      &ret->stop_price, err);
    if (rc < 0) {
        return rc;
    }
    ret->type = binance_order_type(type);
    return binance_finish_order(place, ret, err);
}

const char *binance_time_in_force(enum time_in_force tif)
{
    switch (tif) {
    case TIF_GTC:
    case TIF_DAY: /* the venue has no trading day */
        return "GTC";
    case TIF_IOC:
        return "IOC";
    case TIF_FOK:
        return "FOK";
    }
    return "";
}

/* ---------------------------------------------------------------- markets */

int binance_find_market(struct field_place *place, const struct json_object *root,
                        const struct symbol *symbol, const struct json_object **ret,
                        struct err *err)
{
    const struct json_object *markets = json_get(root, "symbols");
    struct str base = symbol_base(symbol), quote = symbol_quote(symbol);
    size_t count = 0;
    place->row = -1;
    int rc = field_list(place, markets, "symbols", MARKETS, &count, err);
    for (size_t i = 0; i < count; i++) {
        const struct json_object *market = json_item(markets, i);
        struct str name = json_str(market, "symbol");
        if (str_equal(json_str(market, "baseAsset"), base) &&
            str_equal(json_str(market, "quoteAsset"), quote) && name.len == base.len + quote.len) {
            place->row = (int64_t)i;
            *ret = market;
            return 0;
        }
    }
    return rc < 0 ? rc : err_set(err, ERR_VENUE_SYMBOL, "%s: %s", place->venue, symbol->name);
}

/* The filters of quantities: LOT_SIZE, and MARKET_LOT_SIZE for market orders, which every order of
 * ours must pass, since one that rests may be closed by another at the market. */
static int read_lot(const struct field_place *place, const struct json_object *filter,
                    struct instrument *ret, struct err *err)
{
    struct dec step, least, most;
    int rc = field_amount(place, json_get(filter, "stepSize"), "stepSize", &step, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(filter, "minQty"), "minQty", &least, err);
    rc = rc < 0 ? rc : field_amount(place, json_get(filter, "maxQty"), "maxQty", &most, err);
    if (rc < 0) {
        return rc;
    }
    struct dec finer = ret->step, coarser = step;
    if (finer.e8 > coarser.e8) {
        finer = step;
        coarser = ret->step;
    }
    if (finer.e8 > 0 && coarser.e8 % finer.e8 != 0) {
        return field_wrong(place, "stepSize", "does not fit the step of the other filter", err);
    }
    ret->step = coarser;
    ret->min_qty = dec_max(ret->min_qty, least);
    if (most.e8 > 0) {
        ret->max_qty = ret->max_qty.e8 == 0 ? most : dec_min(ret->max_qty, most);
    }
    return 0;
}

int binance_read_filters(const struct field_place *place, const struct json_object *market,
                         const char *notional, struct instrument *ret, struct err *err)
{
    const struct json_object *filters = json_get(market, "filters");
    bool has_price = false, has_lot = false;
    size_t count = 0;
    int rc = field_list(place, filters, "filters", FILTERS, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *filter = json_item(filters, i);
        struct str type = json_str(filter, "filterType");
        struct dec least = DEC_ZERO;
        if (str_equal_c(type, "PRICE_FILTER")) {
            rc = field_amount(place, json_get(filter, "tickSize"), "tickSize", &ret->tick, err);
            has_price = true;
        } else if (str_equal_c(type, "LOT_SIZE") || str_equal_c(type, "MARKET_LOT_SIZE")) {
            rc = read_lot(place, filter, ret, err);
            has_lot = has_lot || str_equal_c(type, "LOT_SIZE");
        } else if (str_equal_c(type, "MIN_NOTIONAL")) {
            rc = field_amount(place, json_get(filter, notional), notional, &least, err);
        } else if (str_equal_c(type, "NOTIONAL")) {
            rc = field_amount(place, json_get(filter, "minNotional"), "minNotional", &least, err);
        }
        ret->min_notional = dec_max(ret->min_notional, least);
    }
    if (rc >= 0 && (!has_price || !has_lot || ret->step.e8 == 0)) {
        return field_wrong(place, "filters", "has no PRICE_FILTER or no LOT_SIZE", err);
    }
    return rc;
}
