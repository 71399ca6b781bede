#include "base/check.h"
#include "coinbase_parts.h"

#include <string.h>

/* Coinbase's answers about the key, markets, balances, orders and fills. */

#define PLACE(path)                                      \
    {                                                    \
        .venue = COINBASE, .endpoint = (path), .row = -1 \
    }

const struct field_choice coinbase_sides[] = {{"BUY", true}, {"SELL", false}, {NULL, 0}};
/* An order whose cancellation or change is under way can still be filled. */
const struct field_choice coinbase_states[] = {
    {"PENDING", ORDER_ACKED},       {"OPEN", ORDER_ACKED},
    {"QUEUED", ORDER_ACKED},        {"CANCEL_QUEUED", ORDER_ACKED},
    {"EDIT_QUEUED", ORDER_ACKED},   {"FILLED", ORDER_FILLED},
    {"CANCELLED", ORDER_CANCELLED}, {"EXPIRED", ORDER_CANCELLED},
    {"FAILED", ORDER_REJECTED},     {NULL, 0},
};

bool coinbase_is_market(const struct exchange_market *market, const char *name)
{
    size_t len = strlen(market->name);
    return strcmp(name, market->name) == 0 ||
           (str_equal_c(symbol_quote(&market->symbol), "USDC") && strlen(name) == len - 1 &&
            strncmp(name, market->name, len - 1) == 0);
}

enum order_state coinbase_state(int state, struct dec filled)
{
    return state == ORDER_ACKED && filled.e8 > 0 ? ORDER_PARTIAL : (enum order_state)state;
}

int coinbase_read_check(const struct json_object *root, struct account_permissions *ret,
                        struct err *err)
{
    const struct field_place place = PLACE(COINBASE_CHECK);
    *ret = (struct account_permissions){0};
    int rc = field_flag(&place, json_get(root, "can_view"), "can_view", &ret->reads, err);
    rc = rc < 0 ? rc
                : field_flag(&place, json_get(root, "can_trade"), "can_trade", &ret->trades, err);
    return rc < 0 ? rc
                  : field_flag(&place, json_get(root, "can_transfer"), "can_transfer",
                               &ret->withdraws, err);
}

/* ---------------------------------------------------------------- markets */

/* A market that takes only some kinds of orders is halted. */
static int read_status(const struct field_place *place, const struct json_object *product,
                       enum instrument_status *ret, struct err *err)
{
    static const char *const stops[] = {"is_disabled", "trading_disabled", "cancel_only",
                                        "limit_only",  "post_only",        "auction_mode",
                                        "view_only"};
    const char *status = NULL;
    int rc = field_text(place, json_get(product, "status"), "status", &status, err);
    *ret = rc >= 0 && strcmp(status, "online") == 0 ? INSTRUMENT_TRADING : INSTRUMENT_HALTED;
    for (size_t i = 0; i < COUNT_OF(stops) && rc >= 0; i++) {
        const struct json_object *value = json_get(product, stops[i]);
        bool stopped = false;
        rc = value == NULL ? 0 : field_flag(place, value, stops[i], &stopped, err);
        *ret = stopped ? INSTRUMENT_HALTED : *ret;
    }
    return rc;
}

static int read_product(const struct field_place *place, const struct json_object *product,
                        struct instrument *ret, struct err *err)
{
    int rc = read_status(place, product, &ret->status, err);
    rc = rc < 0 ? rc
                : field_price(place, json_get(product, "price_increment"), "price_increment",
                              &ret->tick, err);
    rc = rc < 0 ? rc
                : field_price(place, json_get(product, "base_increment"), "base_increment",
                              &ret->step, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(product, "base_min_size"), "base_min_size",
                               &ret->min_qty, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(product, "base_max_size"), "base_max_size",
                               &ret->max_qty, err);
    return rc < 0 ? rc
                  : field_amount(place, json_get(product, "quote_min_size"), "quote_min_size",
                                 &ret->min_notional, err);
}

int coinbase_read_rules(const struct json_object *root, const struct symbol *symbol,
                        struct exchange_market *ret, struct instrument *ret_rules, struct err *err)
{
    struct field_place place = PLACE(COINBASE_PRODUCTS);
    const struct json_object *products = json_get(root, "products");
    size_t count = 0;
    int rc = field_list(&place, products, "products", 10000, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *product = json_item(products, i);
        if (!str_equal_c(json_str(product, "product_id"), symbol->name)) {
            continue;
        }
        struct exchange_market found = {.symbol = *symbol};
        struct instrument rules = {.symbol = *symbol};
        place.row = (int64_t)i;
        (void)str_copy(str_c(symbol->name), found.name, sizeof(found.name));
        rc = read_product(&place, product, &rules, err);
        if (rc >= 0) {
            *ret = found;
            *ret_rules = rules;
        }
        return rc;
    }
    return rc < 0 ? rc : err_set(err, ERR_VENUE_SYMBOL, COINBASE ": %s", symbol->name);
}

/* ---------------------------------------------------------------- balances */

/* A cursor goes back as it came. */
static int read_cursor(const struct field_place *place, const struct json_object *root,
                       char ret[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct str cursor = json_str(root, "cursor");
    ret[0] = '\0';
    return cursor.len == 0 ? 0
                           : field_word(place, json_get(root, "cursor"), "cursor", ret,
                                        ACCOUNT_CURSOR_SIZE, err);
}

static int read_account(const struct field_place *place, const struct json_object *row,
                        struct account_coin *ret, struct err *err)
{
    struct dec held = DEC_ZERO;
    int rc = field_word(place, json_get(row, "currency"), "currency", ret->currency,
                        sizeof(ret->currency), err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(json_get(row, "available_balance"), "value"),
                                "available_balance", FIELD_FINE, &ret->available, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(json_get(row, "hold"), "value"), "hold", FIELD_FINE,
                                &held, err);
    if (rc >= 0) {
        ret->total = dec_add(ret->available, held);
    }
    return rc >= 0 && !dec_is_valid(ret->total) ? field_wrong(place, "hold", "is too large", err)
                                                : rc;
}

int coinbase_read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                        char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = PLACE(COINBASE_ACCOUNTS);
    const struct json_object *rows = json_get(root, "accounts");
    size_t count = 0;
    int kept = 0;
    int rc = field_list(&place, rows, "accounts", ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        struct account_coin coin = {0};
        place.row = (int64_t)i;
        rc = read_account(&place, json_item(rows, i), &coin, err);
        if (rc >= 0 && coin.total.e8 > 0) {
            ret[kept++] = coin;
        }
    }
    place.row = -1;
    *ret_count = kept;
    return rc < 0 ? rc : read_cursor(&place, root, ret_next, err);
}

/* ---------------------------------------------------------------- orders */

/* The only member of the configuration tells the kind. An order for an amount of money has no
 * quantity before it is filled. */
static int read_configuration(const struct field_place *place, const struct json_object *row,
                              struct account_order *ret, struct err *err)
{
    struct json_object *all = json_get(row, "order_configuration");
    if (!json_is_object(all) || json_object_object_length(all) != 1) {
        return field_wrong(place, "order_configuration", "is not an object with one member", err);
    }
    struct json_object_iterator it = json_object_iter_begin(all);
    struct str kind = str_c(json_object_iter_peek_name(&it));
    const struct json_object *values = json_object_iter_peek_value(&it);
    const struct json_object *size = json_get(values, "base_size");
    const struct json_object *limit = json_get(values, "limit_price");
    const struct json_object *stop = json_get(values, "stop_price");
    int rc = 0;
    ret->type = str_starts(kind, "market")                                ? ORDER_TYPE_MARKET
                : str_starts(kind, "stop") || str_starts(kind, "trigger") ? ORDER_TYPE_STOP
                                                                          : ORDER_TYPE_LIMIT;
    ret->qty = ret->filled_qty;
    if (size != NULL && json_value_str(size).len > 0) {
        rc = field_amount(place, size, "base_size", &ret->qty, err);
    }
    if (rc >= 0 && limit != NULL) {
        rc = field_amount(place, limit, "limit_price", &ret->price, err);
    }
    if (rc >= 0 && stop != NULL) {
        rc = field_amount(place, stop, "stop_price", &ret->stop_price, err);
    }
    return rc;
}

static void copy_reason(const struct json_object *row, struct account_order *ret)
{
    const char *why = json_text(row, "cancel_message");
    if (why[0] == '\0') {
        why = json_text(row, "reject_message");
    }
    if (why[0] == '\0') {
        why = json_text(row, "reject_reason");
    }
    str_cut(str_c(why), ret->reason, sizeof(ret->reason));
    str_make_safe(ret->reason);
}

static int read_row(const struct field_place *place, const struct json_object *row,
                    struct account_order *ret, struct err *err)
{
    const struct json_object *changed = json_get(row, "last_update_time");
    const struct json_object *client_id = json_get(row, "client_order_id");
    int state = 0, buys = 0;
    *ret = (struct account_order){0};
    int rc =
        field_word(place, json_get(row, "order_id"), "order_id", ret->id, sizeof(ret->id), err);
    if (rc >= 0 && json_value_str(client_id).len > 0) {
        rc = field_word(place, client_id, "client_order_id", ret->client_id, sizeof(ret->client_id),
                        err);
    }
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "product_id"), "product_id", ret->market,
                             sizeof(ret->market), err);
    rc = rc < 0
             ? rc
             : field_choice(place, json_get(row, "status"), "status", coinbase_states, &state, err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(row, "side"), "side", coinbase_sides, &buys, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(row, "filled_size"), "filled_size", &ret->filled_qty,
                               err);
    rc = rc < 0 ? rc : read_configuration(place, row, ret, err);
    rc = rc < 0 ? rc
                : field_iso_time(place, changed != NULL ? changed : json_get(row, "created_time"),
                                 changed != NULL ? "last_update_time" : "created_time", &ret->at_us,
                                 err);
    ret->buys = buys != 0;
    ret->state = coinbase_state(state, ret->filled_qty);
    copy_reason(row, ret);
    return rc;
}

int coinbase_read_order(enum account_call call, const struct json_object *root,
                        struct account_order *ret, struct account_fill *ret_fills,
                        int *ret_fill_count, struct err *err)
{
    const struct field_place placed = PLACE(COINBASE_ORDERS), asked = PLACE(COINBASE_HISTORY);
    const struct field_place cancelled = PLACE(COINBASE_CANCEL);
    (void)ret_fills;
    *ret_fill_count = 0;
    *ret = (struct account_order){.state = ORDER_ACKED};
    if (call == ACCOUNT_QUERY) {
        return read_row(&asked, json_get(root, "order"), ret, err);
    }
    if (call == ACCOUNT_CANCEL) { /* accepted, not done */
        return field_word(&cancelled, json_get(json_item(json_get(root, "results"), 0), "order_id"),
                          "order_id", ret->id, sizeof(ret->id), err);
    }
    const struct json_object *answer = json_get(root, "success_response");
    int rc = field_word(&placed, json_get(answer, "order_id"), "order_id", ret->id, sizeof(ret->id),
                        err);
    return rc < 0 ? rc
                  : field_word(&placed, json_get(answer, "client_order_id"), "client_order_id",
                               ret->client_id, sizeof(ret->client_id), err);
}

/* Of orders that can still fill: where their lists go on, see add_open. */
static int next_of_open(const struct field_place *place, const char *cursor,
                        char next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    char list = cursor[0] == COINBASE_OPEN ? COINBASE_OPEN : COINBASE_WAITING;
    size_t length = strlen(next);
    if (length == 0 && list == COINBASE_OPEN) {
        return 0;
    }
    if (length + 2 > ACCOUNT_CURSOR_SIZE) {
        return field_wrong(place, "cursor", "is too long", err);
    }
    memmove(next + 1, next, length + 1);
    next[0] = length == 0 ? COINBASE_OPEN : list;
    return 0;
}

int coinbase_read_open(const struct account_page *page, const struct json_object *root,
                       struct account_order *ret, int *ret_count,
                       char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = PLACE(COINBASE_LIST);
    const struct json_object *rows = json_get(root, "orders");
    size_t count = 0;
    int rc = field_list(&place, rows, "orders", ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_row(&place, json_item(rows, i), &ret[i], err);
    }
    place.row = -1;
    *ret_count = (int)count;
    rc = rc < 0 ? rc : read_cursor(&place, root, ret_next, err);
    if (rc >= 0 && !json_truth(root, "has_next", false)) {
        ret_next[0] = '\0';
    }
    bool history = page->since_us > 0;
    return rc < 0 || history ? rc : next_of_open(&place, page->cursor, ret_next, err);
}

/* ---------------------------------------------------------------- fills */

/* The fee is in quote currency. The size of a fill of an order for an amount of money is in quote
 * currency too. */
static int read_fill(const struct field_place *place, const struct json_object *row,
                     struct account_fill *ret, struct err *err)
{
    int buys = 0;
    bool in_quote = false;
    *ret = (struct account_fill){0};
    int rc =
        field_word(place, json_get(row, "trade_id"), "trade_id", ret->id, sizeof(ret->id), err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "order_id"), "order_id", ret->order_id,
                             sizeof(ret->order_id), err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "product_id"), "product_id", ret->market,
                             sizeof(ret->market), err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(row, "side"), "side", coinbase_sides, &buys, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "size"), "size", &ret->qty, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "price"), "price", &ret->price, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "commission"), "commission",
                                FIELD_FINE | FIELD_NEGATIVE, &ret->fee, err);
    rc = rc < 0
             ? rc
             : field_flag(place, json_get(row, "size_in_quote"), "size_in_quote", &in_quote, err);
    rc = rc < 0
             ? rc
             : field_iso_time(place, json_get(row, "trade_time"), "trade_time", &ret->at_us, err);
    if (rc >= 0 && !str_equal_c(json_str(row, "trade_type"), "FILL")) {
        rc = field_wrong(place, "trade_type", "is not FILL", err);
    }
    if (rc >= 0 && in_quote) {
        ret->qty = dec_div(ret->qty, ret->price);
        rc = ret->qty.e8 > 0 ? 0 : field_wrong(place, "size", "is too small", err);
    }
    ret->buys = buys != 0;
    return rc;
}

int coinbase_read_fills(const struct account_page *page, const struct json_object *root,
                        struct account_fill *ret, int *ret_count,
                        char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = PLACE(COINBASE_FILLS);
    const struct json_object *rows = json_get(root, "fills");
    size_t count = 0;
    (void)page;
    int rc = field_list(&place, rows, "fills", ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_fill(&place, json_item(rows, i), &ret[i], err);
    }
    place.row = -1;
    *ret_count = (int)count;
    rc = rc < 0 ? rc : read_cursor(&place, root, ret_next, err);
    if (rc >= 0 && count == 0) {
        ret_next[0] = '\0'; /* a cursor comes with the last page too */
    }
    return rc;
}
