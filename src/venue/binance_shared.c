#include "binance_shared.h"

#include "base/clock.h"
#include "io/http.h"
#include "io/signing_key.h"

#include <string.h>

#define NAME      "binance"
#define FORM      "application/x-www-form-urlencoded"
#define WINDOW_MS 5000
#define FROM_ID   "id:"
#define FROM_TIME "ms:"
#define MARKETS   20000
#define FILTERS   64

static bool in_body(const struct account_request *request)
{
    return request->method == ACCOUNT_POST || request->method == ACCOUNT_PUT;
}

void binance_begin(struct account_request *request, enum account_method method, const char *path,
                   int weight)
{
    request->method = method;
    request->weight = weight;
    buf_add_c(&request->path, path);
    if (in_body(request)) {
        request->content_type = FORM;
    }
}

void binance_add(struct account_request *request, const char *name, const char *value)
{
    bool body = in_body(request);
    struct buf *out = body ? &request->body : &request->path;
    if (value[0] == '\0') {
        return;
    }
    if (body) {
        buf_add_c(out, out->len > 0 ? "&" : "");
    } else {
        buf_add_char(out, strchr(out->data, '?') == NULL ? '?' : '&');
    }
    buf_addf(out, "%s=", name);
    http_add_encoded(out, str_c(value));
}

void binance_add_number(struct account_request *request, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    binance_add(request, name, text);
}

void binance_add_dec(struct account_request *request, const char *name, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    binance_add(request, name, dec_text(value, text));
}

/* Client ids are unique among open orders only, so the venue's id comes first. */
void binance_add_find(struct account_request *request, const struct account_find *find,
                      const char *id_name, const char *client_id_name)
{
    if (find->id[0] != '\0') {
        binance_add(request, id_name, find->id);
    } else {
        binance_add(request, client_id_name, find->client_id);
    }
}

/* ---------------------------------------------------------------- signatures */

/* The secret is a text for HMAC, or a key of Ed25519 in PEM. The key's id becomes a header. */
static int open_key(const struct account_key *key, struct signing_key **ret, struct err *err)
{
    int rc = account_check_id(NAME, key->id, err);
    if (rc < 0) {
        return rc;
    }
    rc = signing_key_new(key->secret, SIGNING_KEY_TEXT | SIGNING_KEY_PEM, "secret key of " NAME,
                         ret, err);
    if (rc >= 0 && signing_key_algorithm(*ret) == SIGNING_ES256) {
        signing_key_free(*ret);
        *ret = NULL;
        rc = err_set(err, ERR_VENUE_KEY, NAME ": the key is one of P-256, which it does not take");
    }
    return rc;
}

int binance_check_key(const struct account_key *key, struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *secret = NULL;
    return open_key(key, &secret, err);
}

int binance_add_signature(const struct account_key *key, struct str payload, struct buf *out,
                          struct err *err)
{
    AUTO_SIGNING_KEY struct signing_key *secret = NULL;
    int rc = open_key(key, &secret, err);
    if (rc >= 0) {
        signing_key_add(secret, payload,
                        signing_key_algorithm(secret) == SIGNING_HMAC_SHA256 ? SIGNING_HEX
                                                                             : SIGNING_BASE64,
                        out);
    }
    return rc;
}

int binance_sign(const struct account_key *key, const struct account_moment *moment,
                 struct account_request *request, struct err *err)
{
    AUTO_BUF struct buf signature = BUF_INIT(512);
    binance_add_number(request, "recvWindow", WINDOW_MS);
    binance_add_number(request, "timestamp", moment->wall_us / USEC_PER_MSEC);
    struct str payload = buf_str(&request->body);
    if (!in_body(request)) {
        const char *query = strchr(request->path.data, '?');
        payload = str_c(query != NULL ? query + 1 : "");
    }
    int rc = binance_add_signature(key, payload, &signature, err);
    if (rc >= 0) {
        binance_add(request, "signature", signature.data);
        buf_addf(&request->headers, "X-MBX-APIKEY: %.*s\n", STR_ARG(key->id));
    }
    return rc;
}

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
    return strcmp(word, "MARKET") == 0                                      ? ORDER_TYPE_MARKET
           : strcmp(word, "LIMIT") == 0 || strcmp(word, "LIMIT_MAKER") == 0 ? ORDER_TYPE_LIMIT
                                                                            : ORDER_TYPE_STOP;
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

int binance_finish_order(const struct field_place *place, struct account_order *order,
                         struct err *err)
{
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

/* ---------------------------------------------------------------- markets */

int binance_find_market(struct field_place *place, const struct json_object *root,
                        const struct symbol *symbol, const char *type,
                        const struct json_object **ret, struct err *err)
{
    const struct json_object *markets = json_get(root, "symbols");
    size_t count = 0;
    place->row = -1;
    int rc = field_list(place, markets, "symbols", MARKETS, &count, err);
    for (size_t i = 0; i < count; i++) {
        const struct json_object *market = json_item(markets, i);
        if (str_equal(json_str(market, "baseAsset"), symbol_base(symbol)) &&
            str_equal(json_str(market, "quoteAsset"), symbol_quote(symbol)) &&
            (type == NULL || str_equal_c(json_str(market, "contractType"), type))) {
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

/* ---------------------------------------------------------------- pages */

static int64_t cursor_number(const char *cursor, const char *kind)
{
    int64_t number = -1;
    if (str_starts(str_c(cursor), kind)) {
        (void)str_to_i64(str_c(cursor + strlen(kind)), &number);
    }
    return number;
}

static int64_t window_start_ms(const struct account_page *page)
{
    int64_t start_ms = cursor_number(page->cursor, FROM_TIME);
    return start_ms >= 0 ? start_ms : page->since_us / USEC_PER_MSEC;
}

void binance_add_page(struct account_request *request, const struct account_page *page,
                      int64_t window_us)
{
    int64_t from_id = cursor_number(page->cursor, FROM_ID);
    if (from_id >= 0) {
        binance_add_number(request, "fromId", from_id);
    } else if (page->order_id[0] == '\0' && page->since_us == 0) {
        binance_add_number(request, "fromId", 0);
    } else if (page->order_id[0] == '\0') {
        int64_t start_ms = window_start_ms(page);
        binance_add_number(request, "startTime", start_ms);
        binance_add_number(request, "endTime", start_ms + window_us / USEC_PER_MSEC - 1);
    }
    binance_add(request, "limit", BINANCE_ROWS_AS);
}

void binance_next_page(const struct account_page *page, int64_t window_us, int count,
                       int64_t last_id, char ret_next[ACCOUNT_CURSOR_SIZE])
{
    bool by_time =
        page->order_id[0] == '\0' && page->since_us > 0 && cursor_number(page->cursor, FROM_ID) < 0;
    int64_t next_ms = window_start_ms(page) + window_us / USEC_PER_MSEC;
    ret_next[0] = '\0';
    if (count >= BINANCE_ROWS || (by_time && count > 0)) {
        (void)snprintf(ret_next, ACCOUNT_CURSOR_SIZE, FROM_ID "%lld", (long long)(last_id + 1));
    } else if (by_time && next_ms <= page->until_us / USEC_PER_MSEC) {
        (void)snprintf(ret_next, ACCOUNT_CURSOR_SIZE, FROM_TIME "%lld", (long long)next_ms);
    }
}
