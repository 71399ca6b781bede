#include "alpaca_parts.h"
#include "base/check.h"

#include <string.h>

/* Alpaca's answers about orders and fills, and the stream of the account.
 * Quantities of coins have nine places, so the last one is dropped. */

#define PLACE(path)                                    \
    {                                                  \
        .venue = ALPACA, .endpoint = (path), .row = -1 \
    }

/* ---------------------------------------------------------------- orders */

static const struct field_choice states[] = {
    {"new", ORDER_ACKED},
    {"accepted", ORDER_ACKED},
    {"pending_new", ORDER_ACKED},
    {"accepted_for_bidding", ORDER_ACKED},
    {"held", ORDER_ACKED},
    {"pending_cancel", ORDER_ACKED},
    {"pending_replace", ORDER_ACKED},
    {"stopped", ORDER_ACKED},
    {"suspended", ORDER_ACKED},
    {"calculated", ORDER_ACKED},
    {"done_for_day", ORDER_ACKED},
    {"partially_filled", ORDER_PARTIAL},
    {"filled", ORDER_FILLED},
    {"canceled", ORDER_CANCELLED},
    {"expired", ORDER_CANCELLED},
    {"replaced", ORDER_CANCELLED},
    {"rejected", ORDER_REJECTED},
    {NULL, 0},
};
static const struct field_choice types[] = {
    {"market", ORDER_TYPE_MARKET},   {"limit", ORDER_TYPE_LIMIT},        {"stop", ORDER_TYPE_STOP},
    {"stop_limit", ORDER_TYPE_STOP}, {"trailing_stop", ORDER_TYPE_STOP}, {NULL, 0},
};
static const struct field_choice sides[] = {
    {"buy", true}, {"sell", false}, {"sell_short", false}, {NULL, 0}};

static int read_amounts(const struct field_place *place, const struct json_object *row,
                        struct account_order *ret, struct err *err)
{
    const struct json_object *qty = json_get(row, "qty");
    const struct json_object *limit = json_get(row, "limit_price");
    const struct json_object *stop = json_get(row, "stop_price");
    int rc = field_decimal(place, json_get(row, "filled_qty"), "filled_qty", FIELD_FINE,
                           &ret->filled_qty, err);
    ret->qty = ret->filled_qty; /* of an order for an amount of money */
    if (rc >= 0 && qty != NULL) {
        rc = field_decimal(place, qty, "qty", FIELD_FINE, &ret->qty, err);
    }
    if (rc >= 0 && limit != NULL) {
        rc = field_amount(place, limit, "limit_price", &ret->price, err);
    }
    if (rc >= 0 && stop != NULL) {
        rc = field_amount(place, stop, "stop_price", &ret->stop_price, err);
    }
    return rc;
}

/* An amendment has made another order of it, which is asked for; if it does not say which one, it
 * is asked for once more. */
static int read_next(const struct field_place *place, const struct json_object *row,
                     struct account_order *ret, struct err *err)
{
    struct account_order next = {.state = ORDER_ACKED, .at_us = ret->at_us};
    memcpy(next.client_id, ret->client_id, sizeof(next.client_id));
    memcpy(next.market, ret->market, sizeof(next.market));
    memcpy(next.id, ret->id, sizeof(next.id));
    if (json_get(row, "replaced_by") == NULL) {
        *ret = next;
        return 0;
    }
    memcpy(next.before, ret->id, sizeof(next.before));
    *ret = next;
    return field_word(place, json_get(row, "replaced_by"), "replaced_by", ret->id, sizeof(ret->id),
                      err);
}

int alpaca_read_row(const struct field_place *place, const struct json_object *row,
                    struct account_order *ret, struct err *err)
{
    int state = 0, type = 0, buys = 0;
    *ret = (struct account_order){0};
    int rc = field_word(place, json_get(row, "id"), "id", ret->id, sizeof(ret->id), err);
    if (rc >= 0 && json_get(row, "client_order_id") != NULL) {
        struct str client_id = json_str(row, "client_order_id");
        rc = client_id.len >= sizeof(ret->client_id) /* somebody else's */
                 ? 0
                 : field_word(place, json_get(row, "client_order_id"), "client_order_id",
                              ret->client_id, sizeof(ret->client_id), err);
    }
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "symbol"), "symbol", ret->market,
                             sizeof(ret->market), err);
    rc = rc < 0 ? rc : field_choice(place, json_get(row, "status"), "status", states, &state, err);
    rc = rc < 0 ? rc : field_choice(place, json_get(row, "type"), "type", types, &type, err);
    rc = rc < 0 ? rc : field_choice(place, json_get(row, "side"), "side", sides, &buys, err);
    rc = rc < 0 ? rc : read_amounts(place, row, ret, err);
    rc = rc < 0
             ? rc
             : field_iso_time(place, json_get(row, "updated_at"), "updated_at", &ret->at_us, err);
    if (rc >= 0 && str_equal_c(json_str(row, "status"), "replaced") && ret->filled_qty.e8 == 0) {
        return read_next(place, row, ret, err);
    }
    ret->changing = str_equal_c(json_str(row, "status"), "pending_replace");
    ret->type = (enum order_type)type;
    ret->buys = buys != 0;
    ret->state =
        state == ORDER_ACKED && ret->filled_qty.e8 > 0 ? ORDER_PARTIAL : (enum order_state)state;
    str_cut(json_str(row, "status"), ret->reason, sizeof(ret->reason));
    str_make_safe(ret->reason);
    return rc;
}

/* A cancellation is answered without a body: it is requested. */
int alpaca_read_order(enum account_call call, const struct json_object *root,
                      struct account_order *ret, struct account_fill *ret_fills,
                      int *ret_fill_count, struct err *err)
{
    const struct field_place place = PLACE(ALPACA_ORDERS);
    (void)ret_fills;
    *ret_fill_count = 0;
    *ret = (struct account_order){.state = ORDER_ACKED};
    return call == ACCOUNT_CANCEL ? 0 : alpaca_read_row(&place, root, ret, err);
}

/* A full page may not be the last one: the next one begins behind the time of its last order. */
int alpaca_read_open(const struct account_page *page, const struct json_object *root,
                     struct account_order *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                     struct err *err)
{
    struct field_place place = PLACE(ALPACA_ORDERS);
    size_t count = 0;
    (void)page;
    int rc = field_list(&place, root, NULL, 500, &count, err);
    ret_next[0] = '\0';
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = alpaca_read_row(&place, json_item(root, i), &ret[i], err);
    }
    if (rc >= 0 && count == 500) {
        rc = field_word(&place, json_get(json_item(root, count - 1), "submitted_at"),
                        "submitted_at", ret_next, ACCOUNT_CURSOR_SIZE, err);
    }
    *ret_count = rc < 0 ? 0 : (int)count;
    return rc;
}

/* ---------------------------------------------------------------- fills */

/* A quantity in units of 1e-9. */
static int read_nano(const struct field_place *place, const struct json_object *row,
                     const char *name, int64_t *ret, struct err *err)
{
    struct dec dec = DEC_ZERO;
    int rc = field_decimal(place, json_get(row, name), name, FIELD_FINE, &dec, err);
    if (rc < 0) {
        return rc;
    }
    struct str text = json_str(row, name);
    const char *point = memchr(text.ptr, '.', text.len);
    size_t places = point == NULL ? 0 : text.len - (size_t)(point + 1 - text.ptr);
    if (places > 9 || __builtin_mul_overflow(dec.e8, 10, ret)) {
        return field_wrong(place, name, "has more than 9 places, or is too large", err);
    }
    *ret += places == 9 ? point[9] - '0' : 0;
    return 0;
}

/* The part of the cumulative quantity that a fill adds, both without the ninth place, so that the
 * sum of all fills is that of the order. Zero: it adds less than 1e-8. */
static int read_filled(const struct field_place *place, const struct json_object *fill,
                       const struct json_object *total, const char *total_name, struct dec *ret,
                       struct err *err)
{
    int64_t qty = 0, sum = 0;
    int rc = read_nano(place, fill, "qty", &qty, err);
    rc = rc < 0 ? rc : read_nano(place, total, total_name, &sum, err);
    if (rc >= 0 && (qty == 0 || qty > sum)) {
        rc = field_wrong(place, "qty", "is 0, or above all that was filled", err);
    }
    ret->e8 = rc < 0 ? 0 : sum / 10 - (sum - qty) / 10;
    return rc;
}

/* A ten-thousandth of the coins that are bought: what those pay who take, at the lowest volume. */
#define COIN_FEE 25

/* No answer tells what a fill of coins costs: the account gets less coins at once, and the fee is
 * listed at the end of the day. So it is the highest one; if less was taken, the rest stays on the
 * account, and belongs to no position. The fee of a sale is charged at the end of the day. */
static void take_fee(struct account_fill *fill)
{
    const char *slash = strchr(fill->market, '/');
    if (slash == NULL || !fill->buys) {
        return;
    }
    (void)str_copy(str_n(fill->market, (size_t)(slash - fill->market)), fill->fee_currency,
                   sizeof(fill->fee_currency));
    int64_t parts = 0;
    bool fits = !__builtin_mul_overflow(fill->qty.e8, COIN_FEE, &parts) && parts < INT64_MAX - 9999;
    fill->fee.e8 = fits ? (parts + 9999) / 10000 : fill->qty.e8 / (10000 / COIN_FEE) + 1;
}

static int activity_id(const struct field_place *place, const struct json_object *row,
                       char ret[FILL_ID_SIZE], struct err *err)
{
    const char *id = NULL;
    int rc = field_text(place, json_get(row, "id"), "id", &id, err);
    if (rc < 0) {
        return rc;
    }
    const char *name = strstr(id, "::");
    name = name != NULL ? name + 2 : id;
    return name[0] == '\0' || !str_copy(str_c(name), ret, FILL_ID_SIZE)
               ? field_wrong(place, "id", "is not a time and an id", err)
               : 0;
}

/* An activity is "20220202135509981::2d7be4ff-d1f3-43e9-856a-0f5cf5c5088e": the part behind the
 * time is the id of the execution. Its fee is not in it: see take_fee. */
static int read_fill(const struct field_place *place, const struct json_object *row,
                     struct account_fill *ret, struct err *err)
{
    int buys = 0;
    *ret = (struct account_fill){0};
    int rc = activity_id(place, row, ret->id, err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "order_id"), "order_id", ret->order_id,
                             sizeof(ret->order_id), err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "symbol"), "symbol", ret->market,
                             sizeof(ret->market), err);
    rc = rc < 0 ? rc : field_choice(place, json_get(row, "side"), "side", sides, &buys, err);
    rc = rc < 0 ? rc : read_filled(place, row, row, "cum_qty", &ret->qty, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "price"), "price", &ret->price, err);
    rc = rc < 0 ? rc
                : field_iso_time(place, json_get(row, "transaction_time"), "transaction_time",
                                 &ret->at_us, err);
    ret->buys = buys != 0;
    take_fee(ret);
    return rc;
}

int alpaca_read_fills(const struct account_page *page, const struct json_object *root,
                      struct account_fill *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                      struct err *err)
{
    struct field_place place = PLACE(ALPACA_FILLS);
    size_t count = 0;
    int kept = 0;
    int rc = field_list(&place, root, NULL, 100, &count, err);
    ret_next[0] = '\0';
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_fill(&place, json_item(root, i), &ret[kept], err);
        bool wanted =
            rc >= 0 && ret[kept].qty.e8 > 0 &&
            (page->market == NULL || alpaca_is_market(page->market, ret[kept].market)) &&
            (page->order_id[0] == '\0' || strcmp(page->order_id, ret[kept].order_id) == 0);
        kept += wanted ? 1 : 0;
    }
    if (rc >= 0 && count == 100) {
        rc = field_word(&place, json_get(json_item(root, count - 1), "id"), "id", ret_next,
                        ACCOUNT_CURSOR_SIZE, err);
    }
    *ret_count = rc < 0 ? 0 : kept;
    return rc;
}

/* ---------------------------------------------------------------- fees */

/* One that was taken in coins is in the position already; one that was cancelled is none. */
static int read_fee(const struct field_place *place, const struct json_object *row,
                    struct account_payment *ret, bool *ret_counts, struct err *err)
{
    struct dec amount = DEC_ZERO;
    *ret = (struct account_payment){0};
    int rc = activity_id(place, row, ret->id, err);
    if (rc >= 0 && json_get(row, "symbol") != NULL && json_str(row, "symbol").len > 0) {
        rc = field_word(place, json_get(row, "symbol"), "symbol", ret->market, sizeof(ret->market),
                        err);
    }
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "net_amount"), "net_amount",
                                FIELD_FINE | FIELD_NEGATIVE, &amount, err);
    char date[ALPACA_DATE_SIZE];
    rc = rc < 0 ? rc : alpaca_read_date(place, row, date, &ret->at_us, err);
    ret->payment = dec_neg(amount);
    *ret_counts = amount.e8 != 0 && !str_equal_c(json_str(row, "status"), "canceled");
    return rc;
}

int alpaca_read_fees(const struct account_page *page, const struct json_object *root,
                     struct account_payment *ret, int *ret_count,
                     char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = PLACE(ALPACA_FEES);
    size_t count = 0;
    int kept = 0;
    (void)page;
    int rc = field_list(&place, root, NULL, 100, &count, err);
    ret_next[0] = '\0';
    for (size_t i = 0; i < count && rc >= 0; i++) {
        bool counts = false;
        place.row = (int64_t)i;
        rc = read_fee(&place, json_item(root, i), &ret[kept], &counts, err);
        kept += rc >= 0 && counts ? 1 : 0;
    }
    if (rc >= 0 && count == 100) {
        rc = field_word(&place, json_get(json_item(root, count - 1), "id"), "id", ret_next,
                        ACCOUNT_CURSOR_SIZE, err);
    }
    *ret_count = rc < 0 ? 0 : kept;
    return rc;
}

/* ---------------------------------------------------------------- the stream of the account */

/* A fill's quantity and price are beside the order. */
static int read_update(const struct json_object *data, struct account_event *ret, struct err *err)
{
    const struct field_place place = {.venue = ALPACA, .endpoint = "trade_updates", .row = -1};
    struct str event = json_str(data, "event");
    *ret = (struct account_event){.kind = ACCOUNT_EVENT_ORDER, .has_order = true};
    int rc = alpaca_read_row(&place, json_get(data, "order"), &ret->order, err);
    if (rc < 0 || !(str_equal_c(event, "fill") || str_equal_c(event, "partial_fill"))) {
        return rc;
    }
    struct account_fill *fill = &ret->fill;
    fill->buys = ret->order.buys;
    (void)str_copy(str_c(ret->order.id), fill->order_id, sizeof(fill->order_id));
    (void)str_copy(str_c(ret->order.client_id), fill->client_id, sizeof(fill->client_id));
    (void)str_copy(str_c(ret->order.market), fill->market, sizeof(fill->market));
    rc = field_word(&place, json_get(data, "execution_id"), "execution_id", fill->id,
                    sizeof(fill->id), err);
    rc = rc < 0 ? rc
                : read_filled(&place, data, json_get(data, "order"), "filled_qty", &fill->qty, err);
    rc = rc < 0 ? rc : field_price(&place, json_get(data, "price"), "price", &fill->price, err);
    rc = rc < 0
             ? rc
             : field_iso_time(&place, json_get(data, "timestamp"), "timestamp", &fill->at_us, err);
    take_fee(fill);
    ret->kind = rc >= 0 && fill->qty.e8 > 0 ? ACCOUNT_EVENT_FILL : ACCOUNT_EVENT_ORDER;
    return rc;
}

int alpaca_read_updates(const struct json_object *root, struct account_event *ret, int *ret_count,
                        struct err *err)
{
    const struct field_place place = {.venue = ALPACA, .endpoint = "stream", .row = -1};
    const struct json_object *data = json_get(root, "data");
    struct str stream = json_str(root, "stream");
    *ret_count = 1;
    ret[0] = (struct account_event){.kind = ACCOUNT_EVENT_NONE};
    if (!json_is_object(root)) {
        return field_wrong(&place, NULL, "has a message that is not an object", err);
    }
    if (str_equal_c(stream, "trade_updates")) {
        return read_update(data, &ret[0], err);
    }
    if (str_equal_c(stream, "authorization") &&
        !str_equal_c(json_str(data, "status"), "authorized")) {
        ret[0].kind = ACCOUNT_EVENT_REFUSED;
        (void)err_set(err, ERR_VENUE_ACCESS, ALPACA ": the stream refuses the key");
    }
    if (str_equal_c(stream, "listening") && json_len(json_get(data, "streams")) > 0) {
        ret[0].kind = ACCOUNT_EVENT_READY;
    }
    return 0;
}
