#include "base/check.h"
#include "base/clock.h"
#include "kraken_parts.h"

#include <string.h>

/* Kraken's answers about the key, markets, balances, orders and trades.
 * https://docs.kraken.com/api/docs/rest-api */

#define PLACE(path)                                    \
    {                                                  \
        .venue = KRAKEN, .endpoint = (path), .row = -1 \
    }
#define TRADES_MAX  1000
#define YEAR_2009_S INT64_C(1230768000)
#define YEAR_2100_S INT64_C(4102444800)

/* ---------------------------------------------------------------- the key */

static bool has_word(const struct json_object *list, const char *word)
{
    for (size_t i = 0; i < json_len(list); i++) {
        if (str_equal_c(json_value_str(json_item(list, i)), word)) {
            return true;
        }
    }
    return false;
}

int kraken_read_check(const struct json_object *root, struct account_permissions *ret,
                      struct err *err)
{
    const struct field_place place = PLACE(KRAKEN_CHECK);
    const struct json_object *result = json_get(root, "result");
    const struct json_object *list = json_get(result, "permissions");
    const struct json_object *addresses = json_get(result, "ipAllowlist");
    size_t count = 0, address_count = 0;
    int rc = field_list(&place, list, "permissions", 100, &count, err);
    if (rc >= 0 && addresses != NULL) {
        rc = field_list(&place, addresses, "ipAllowlist", 1000, &address_count, err);
    }
    if (rc < 0) {
        return rc;
    }
    *ret = (struct account_permissions){
        .reads = has_word(list, "query-funds") && has_word(list, "query-open-trades") &&
                 has_word(list, "query-closed-trades"),
        .trades = has_word(list, "modify-trades"),
        .withdraws = has_word(list, "withdraw-funds") || has_word(list, "add-withdraw-address") ||
                     has_word(list, "update-withdraw-address"),
        .bound = address_count > 0,
    };
    return 0;
}

/* ---------------------------------------------------------------- markets */

/* Market orders are needed to close, so a market that takes only some kinds is halted. A word that
 * is not known is treated so too. */
static enum instrument_status status_of(struct str word)
{
    return str_equal_c(word, "online")        ? INSTRUMENT_TRADING
           : str_equal_c(word, "reduce_only") ? INSTRUMENT_CLOSE_ONLY
                                              : INSTRUMENT_HALTED;
}

/* 1e-8 is the finest unit here; it is a multiple of any finer one there. */
static struct dec step_of(int64_t decimals)
{
    int64_t e8 = DEC_ONE;
    for (int64_t i = 0; i < decimals && e8 > 1; i++) {
        e8 /= 10;
    }
    return (struct dec){e8};
}

static int read_market(const struct field_place *place, const struct json_object *market,
                       struct instrument *ret, struct err *err)
{
    const char *status = NULL;
    int64_t decimals = 0, multiplier = 0;
    const struct json_object *cost = json_get(market, "costmin");
    int rc = field_text(place, json_get(market, "status"), "status", &status, err);
    rc = rc < 0 ? rc
                : field_price(place, json_get(market, "tick_size"), "tick_size", &ret->tick, err);
    rc = rc < 0 ? rc
                : field_number(place, json_get(market, "lot_decimals"), "lot_decimals", &decimals,
                               err);
    rc = rc < 0 ? rc
                : field_number(place, json_get(market, "lot_multiplier"), "lot_multiplier",
                               &multiplier, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(market, "ordermin"), "ordermin", &ret->min_qty, err);
    if (rc >= 0 && cost != NULL) {
        rc = field_amount(place, cost, "costmin", &ret->min_notional, err);
    }
    if (rc >= 0 && multiplier != 1) {
        rc = field_wrong(place, "lot_multiplier", "is not 1", err);
    }
    if (rc >= 0) {
        ret->status = status_of(str_c(status));
        ret->step = step_of(decimals);
    }
    return rc;
}

int kraken_read_rules(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err)
{
    const struct field_place place = PLACE(KRAKEN_ASSET_PAIRS);
    struct json_object *result = json_get(root, "result");
    AUTO_BUF struct buf wanted = BUF_INIT(64);
    kraken_add_asset(symbol_base(symbol), &wanted);
    buf_add_char(&wanted, '/');
    kraken_add_asset(symbol_quote(symbol), &wanted);
    if (!json_is_object(result)) {
        return field_wrong(&place, "result", "is not an object of markets", err);
    }
    json_object_object_foreach(result, name, market)
    {
        if (strcmp(json_text(market, "wsname"), wanted.data) != 0) {
            continue;
        }
        struct exchange_market found = {.symbol = *symbol};
        struct instrument rules = {.symbol = *symbol};
        if (!str_copy(str_c(name), found.name, sizeof(found.name))) {
            return field_wrong(&place, "result", "has a market with too long a name", err);
        }
        int rc = read_market(&place, market, &rules, err);
        if (rc >= 0) {
            *ret = found;
            *ret_rules = rules;
        }
        return rc;
    }
    return err_set(err, ERR_VENUE_SYMBOL, KRAKEN ": %s", symbol->name);
}

/* ---------------------------------------------------------------- balances */

/* What orders hold can be more than there is where Kraken lends; then nothing is available. */
static int read_coin(const struct field_place *place, const char *asset,
                     const struct json_object *row, struct account_coin *ret, struct err *err)
{
    struct dec held = DEC_ZERO;
    int rc = kraken_read_asset(place, asset, ret->currency, err);
    rc = rc < 0
             ? rc
             : field_decimal(place, json_get(row, "balance"), asset, FIELD_FINE, &ret->total, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "hold_trade"), "hold_trade", FIELD_FINE, &held,
                                err);
    if (rc >= 0) {
        ret->available = dec_max(dec_sub(ret->total, held), DEC_ZERO);
    }
    return rc;
}

int kraken_read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    const struct field_place place = PLACE(KRAKEN_BALANCE);
    struct json_object *result = json_get(root, "result");
    int count = 0;
    if (!json_is_object(result)) {
        return field_wrong(&place, "result", "is not an object of balances", err);
    }
    json_object_object_foreach(result, asset, row)
    {
        struct account_coin coin = {0};
        int rc = read_coin(&place, asset, row, &coin, err);
        if (rc < 0) {
            return rc;
        }
        if (coin.total.e8 == 0) {
            continue;
        }
        if (count == ACCOUNT_ROWS_MAX) {
            return field_wrong(&place, "result", "has too many balances", err);
        }
        ret[count++] = coin;
    }
    *ret_count = count;
    ret_next[0] = '\0';
    return 0;
}

/* ---------------------------------------------------------------- orders */

enum order_status { STATUS_OPEN, STATUS_CLOSED, STATUS_CANCELED };
static const struct field_choice statuses[] = {
    {"pending", STATUS_OPEN},      {"open", STATUS_OPEN},        {"closed", STATUS_CLOSED},
    {"canceled", STATUS_CANCELED}, {"expired", STATUS_CANCELED}, {NULL, 0},
};

static enum order_state state_of(int status, struct dec qty, struct dec filled)
{
    switch ((enum order_status)status) {
    case STATUS_OPEN:
        return filled.e8 > 0 ? ORDER_PARTIAL : ORDER_ACKED;
    case STATUS_CLOSED:
        return filled.e8 >= qty.e8 ? ORDER_FILLED : ORDER_CANCELLED;
    case STATUS_CANCELED:
        return ORDER_CANCELLED;
    }
    return ORDER_UNKNOWN;
}

/* Seconds since 1970 with a fraction, as a number. */
static int read_seconds(const struct field_place *place, const struct json_object *value,
                        const char *name, int64_t *ret_us, struct err *err)
{
    struct dec seconds = DEC_ZERO;
    if (field_decimal(place, value, name, FIELD_NUMBER | FIELD_FINE, &seconds, NULL) < 0 ||
        json_is_text(value) || seconds.e8 / DEC_ONE < YEAR_2009_S ||
        seconds.e8 / DEC_ONE > YEAR_2100_S) {
        return field_wrong(place, name, "is not a time in seconds", err);
    }
    *ret_us = seconds.e8 / (DEC_ONE / USEC_PER_SEC);
    return 0;
}

/* The price of a foreign order may be a distance ("+5%"), so only that of a limit is read, and of a
 * stop the one that Kraken has computed. */
static int read_prices(const struct field_place *place, const struct json_object *row,
                       struct account_order *ret, struct err *err)
{
    switch (ret->type) {
    case ORDER_TYPE_LIMIT:
        return field_amount(place, json_get(json_get(row, "descr"), "price"), "price", &ret->price,
                            err);
    case ORDER_TYPE_STOP:
        return field_amount(place, json_get(row, "stopprice"), "stopprice", &ret->stop_price, err);
    case ORDER_TYPE_MARKET:
        return 0;
    }
    return 0;
}

static int read_order_times(const struct field_place *place, const struct json_object *row,
                            struct account_order *ret, struct err *err)
{
    const struct json_object *closed = json_get(row, "closetm");
    return closed != NULL
               ? read_seconds(place, closed, "closetm", &ret->at_us, err)
               : read_seconds(place, json_get(row, "opentm"), "opentm", &ret->at_us, err);
}

static int read_row(const struct field_place *place, const char *id, const struct json_object *row,
                    struct account_order *ret, struct err *err)
{
    const struct json_object *descr = json_get(row, "descr");
    const struct json_object *client_id = json_get(row, "cl_ord_id");
    int status = 0, type = 0, buys = 0;
    *ret = (struct account_order){0};
    int rc = field_choice(place, json_get(row, "status"), "status", statuses, &status, err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(descr, "ordertype"), "ordertype", kraken_order_types,
                               &type, err);
    rc = rc < 0 ? rc
                : field_choice(place, json_get(descr, "type"), "type", kraken_sides, &buys, err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(descr, "pair"), "pair", ret->market,
                             sizeof(ret->market), err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "vol"), "vol", &ret->qty, err);
    rc = rc < 0 ? rc
                : field_amount(place, json_get(row, "vol_exec"), "vol_exec", &ret->filled_qty, err);
    if (rc >= 0 && client_id != NULL) {
        rc = field_word(place, client_id, "cl_ord_id", ret->client_id, sizeof(ret->client_id), err);
    }
    if (rc >= 0 && !str_copy(str_c(id), ret->id, sizeof(ret->id))) {
        rc = field_wrong(place, "id", "is too long", err);
    }
    ret->type = (enum order_type)type;
    ret->buys = buys != 0;
    rc = rc < 0 ? rc : read_prices(place, row, ret, err);
    rc = rc < 0 ? rc : read_order_times(place, row, ret, err);
    if (rc >= 0) {
        ret->state = state_of(status, ret->qty, ret->filled_qty);
        const char *reason = json_text(row, "reason");
        str_cut(str_c(reason[0] != '\0' ? reason : json_text(row, "status")), ret->reason,
                sizeof(ret->reason));
        str_make_safe(ret->reason);
    }
    return rc;
}

/* Of AddOrder: only the id; of CancelOrder: only a number; of AmendOrder: an id of the change. */
static int read_acknowledgement(enum account_call call, const struct json_object *result,
                                struct account_order *ret, struct err *err)
{
    const struct field_place added = PLACE(KRAKEN_ADD), cancelled = PLACE(KRAKEN_CANCEL),
                             amended = PLACE(KRAKEN_AMEND);
    char change[ACCOUNT_ID_SIZE];
    const struct json_object *ids = json_get(result, "txid");
    size_t count = 0;
    int64_t ended = 0;
    *ret = (struct account_order){.state = ORDER_ACKED};
    if (call == ACCOUNT_CANCEL) {
        return field_number(&cancelled, json_get(result, "count"), "count", &ended, err);
    }
    if (call == ACCOUNT_AMEND) {
        return field_word(&amended, json_get(result, "amend_id"), "amend_id", change,
                          sizeof(change), err);
    }
    int rc = field_list(&added, ids, "txid", 1, &count, err);
    return rc < 0 ? rc
                  : field_word(&added, json_item(ids, 0), "txid", ret->id, sizeof(ret->id), err);
}

int kraken_read_order(enum account_call call, const struct json_object *root,
                      struct account_order *ret, struct account_fill *ret_fills,
                      int *ret_fill_count, struct err *err)
{
    const struct field_place place = PLACE(KRAKEN_QUERY);
    struct json_object *result = json_get(root, "result");
    struct json_object *open = json_get(result, "open"), *closed = json_get(result, "closed");
    struct json_object *orders = open != NULL ? open : closed != NULL ? closed : result;
    (void)ret_fills;
    *ret_fill_count = 0;
    if (call != ACCOUNT_QUERY) {
        return read_acknowledgement(call, result, ret, err);
    }
    if (!json_is_object(orders) || json_object_object_length(orders) != 1) {
        return field_wrong(&place, "result", "is not an object with one order", err);
    }
    struct json_object_iterator it = json_object_iter_begin(orders);
    return read_row(&place, json_object_iter_peek_name(&it), json_object_iter_peek_value(&it), ret,
                    err);
}

int kraken_read_open(const struct account_page *page, const struct json_object *root,
                     struct account_order *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                     struct err *err)
{
    struct field_place place = PLACE(KRAKEN_OPEN);
    struct json_object *open = json_get(json_get(root, "result"), "open");
    int count = 0;
    if (!json_is_object(open) || json_object_object_length(open) > ACCOUNT_ROWS_MAX) {
        return field_wrong(&place, "open", "is not an object of at most 1000 orders", err);
    }
    place.row = 0;
    json_object_object_foreach(open, id, row)
    {
        int rc = read_row(&place, id, row, &ret[count], err);
        if (rc < 0) {
            return rc;
        }
        place.row++;
        if (page->market == NULL || kraken_is_market(page->market, ret[count].market)) {
            count++;
        }
    }
    *ret_count = count;
    ret_next[0] = '\0';
    return 0;
}

/* ---------------------------------------------------------------- trades */

/* The fee is in quote currency: orders ask for that (fciq), and the list converts the others. */
static int read_trade(const struct field_place *place, const char *id,
                      const struct json_object *row, struct account_fill *ret, struct err *err)
{
    int buys = 0;
    *ret = (struct account_fill){0};
    int rc = field_choice(place, json_get(row, "type"), "type", kraken_sides, &buys, err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "ordertxid"), "ordertxid", ret->order_id,
                             sizeof(ret->order_id), err);
    rc = rc < 0 ? rc
                : field_word(place, json_get(row, "pair"), "pair", ret->market, sizeof(ret->market),
                             err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "vol"), "vol", &ret->qty, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "price"), "price", &ret->price, err);
    rc = rc < 0 || json_get(row, "cost") == NULL
             ? rc
             : field_amount(place, json_get(row, "cost"), "cost", &ret->cost, err);
    rc = rc < 0 ? rc
                : field_decimal(place, json_get(row, "fee"), "fee", FIELD_FINE | FIELD_NEGATIVE,
                                &ret->fee, err);
    rc = rc < 0 ? rc : read_seconds(place, json_get(row, "time"), "time", &ret->at_us, err);
    if (rc >= 0 && !str_copy(str_c(id), ret->id, sizeof(ret->id))) {
        rc = field_wrong(place, "id", "is too long", err);
    }
    ret->buys = buys != 0;
    return rc;
}

/* The next page begins behind the rows of this one. Its end in time is fixed, so that new trades do
 * not move the rows. */
static int next_page(const struct field_place *place, const struct account_page *page,
                     const struct json_object *result, int rows, char ret[ACCOUNT_CURSOR_SIZE],
                     struct err *err)
{
    int64_t from = 0, total = 0;
    (void)str_to_i64(str_c(page->cursor), &from);
    int rc = field_number(place, json_get(result, "count"), "count", &total, err);
    ret[0] = '\0';
    if (rc >= 0 && rows > 0 && from + rows < total) {
        (void)snprintf(ret, ACCOUNT_CURSOR_SIZE, "%lld", (long long)(from + rows));
    }
    return rc;
}

int kraken_read_fills(const struct account_page *page, const struct json_object *root,
                      struct account_fill *ret, int *ret_count, char ret_next[ACCOUNT_CURSOR_SIZE],
                      struct err *err)
{
    struct field_place place = PLACE(KRAKEN_TRADES);
    const struct json_object *result = json_get(root, "result");
    struct json_object *trades = json_get(result, "trades");
    int rows = 0, count = 0;
    if (!json_is_object(trades) || json_object_object_length(trades) > TRADES_MAX) {
        return field_wrong(&place, "trades", "is not an object of at most 1000 trades", err);
    }
    json_object_object_foreach(trades, id, row)
    {
        place.row = rows++;
        int rc = read_trade(&place, id, row, &ret[count], err);
        if (rc < 0) {
            return rc;
        }
        bool wanted =
            (page->market == NULL || kraken_is_market(page->market, ret[count].market)) &&
            (page->order_id[0] == '\0' || strcmp(page->order_id, ret[count].order_id) == 0);
        count += wanted ? 1 : 0;
    }
    place.row = -1;
    *ret_count = count;
    return next_page(&place, page, result, rows, ret_next, err);
}
