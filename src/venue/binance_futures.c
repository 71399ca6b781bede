#include "binance_futures.h"

#include "base/clock.h"
#include "binance_spot.h"
#include "io/http.h"

#include <math.h>
#include <string.h>

/* Binance USD-M futures: the account.
 * https://developers.binance.com/docs/derivatives/usds-margined-futures */

#define NAME       BINANCE_FUTURES
#define CONFIG     "/fapi/v1/accountConfig"
#define INFO       "/fapi/v1/exchangeInfo"
#define BALANCE    "/fapi/v3/balance"
#define RISK       "/fapi/v3/positionRisk"
#define INCOME     "/fapi/v1/income"
#define LISTEN_KEY "/fapi/v1/listenKey"

/* A listen key has no signature. */
static int sign(const struct account_key *key, const struct account_moment *moment,
                struct account_request *request, struct err *err)
{
    return strcmp(request->path.data, LISTEN_KEY) == 0 ? binance_add_key(key, request, err)
                                                       : binance_sign(key, moment, request, err);
}

/* ---------------------------------------------------------------- the key */

static void add_check(bool sandbox, struct account_request *request)
{
    if (sandbox) {
        binance_begin(request, ACCOUNT_GET, CONFIG, 5);
    } else {
        binance_add_restrictions(request);
    }
}

static int read_check(const struct json_object *root, struct account_permissions *ret,
                      struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = CONFIG, .row = -1};
    if (json_get(root, "canTrade") == NULL) {
        return binance_read_restrictions(root, NAME, "enableFutures", ret, err);
    }
    *ret = (struct account_permissions){.reads = true, .withdraws_unknown = true};
    return field_flag(&place, json_get(root, "canTrade"), "canTrade", &ret->trades, err);
}

/* ---------------------------------------------------------------- markets */

/* All of them: it does not give them one by one. */
static void add_rules(const struct symbol *symbols, int count, struct account_request *request)
{
    (void)symbols;
    (void)count;
    binance_begin(request, ACCOUNT_GET, INFO, 1);
    request->is_public = true;
}

static int read_rules(const struct json_object *root, const struct symbol *symbol,
                      struct exchange_market *ret, struct instrument *ret_rules, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = INFO, .row = -1};
    const struct json_object *market = NULL;
    const char *status = NULL;
    *ret = (struct exchange_market){.symbol = *symbol};
    *ret_rules = (struct instrument){.symbol = *symbol, .status = INSTRUMENT_HALTED};
    int rc = binance_find_market(&place, root, symbol, &market, err);
    rc = rc < 0 ? rc
                : field_word(&place, json_get(market, "symbol"), "symbol", ret->name,
                             sizeof(ret->name), err);
    rc = rc < 0 ? rc : field_text(&place, json_get(market, "status"), "status", &status, err);
    rc = rc < 0 ? rc : binance_read_filters(&place, market, "notional", ret_rules, err);
    if (rc >= 0 && strcmp(status, "TRADING") == 0) {
        ret_rules->status = INSTRUMENT_TRADING;
    }
    return rc;
}

/* ---------------------------------------------------------------- balances and positions */

static void add_coins(const char *cursor, struct account_request *request)
{
    (void)cursor;
    binance_begin(request, ACCOUNT_GET, BALANCE, 5);
}

static int read_coins(const struct json_object *root, struct account_coin *ret, int *ret_count,
                      char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = BALANCE, .row = -1};
    size_t count = 0;
    int rc = field_list(&place, root, NULL, ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(root, i);
        place.row = (int64_t)i;
        rc = field_word(&place, json_get(row, "asset"), "asset", ret[i].currency,
                        sizeof(ret[i].currency), err);
        /* Below zero: losses that were not paid for yet. */
        rc = rc < 0 ? rc
                    : field_signed(&place, json_get(row, "balance"), "balance", &ret[i].total, err);
        rc = rc < 0 ? rc
                    : field_signed(&place, json_get(row, "availableBalance"), "availableBalance",
                                   &ret[i].available, err);
    }
    *ret_count = (int)count;
    ret_next[0] = '\0';
    return rc;
}

static void add_positions(struct account_request *request)
{
    binance_begin(request, ACCOUNT_GET, RISK, 5);
}

/* Averages and sums have more places than prices. */
static int read_fine(const struct field_place *place, const struct json_object *row,
                     const char *name, unsigned more, struct dec *ret, struct err *err)
{
    return field_decimal(place, json_get(row, name), name, FIELD_FINE | more, ret, err);
}

/* It is not in the answer, but its value is a whole number, and so follows from the margin. */
static double leverage_of(struct dec notional, struct dec margin)
{
    return margin.e8 > 0 ? round(fabs(dec_to_double(notional)) / dec_to_double(margin)) : 0;
}

static int read_position(const struct field_place *place, const struct json_object *row,
                         struct account_position *ret, struct account_margin *margin,
                         struct err *err)
{
    struct dec qty, notional, used, held, need;
    const char *side = NULL;
    *ret = (struct account_position){0};
    int rc =
        field_word(place, json_get(row, "symbol"), "symbol", ret->market, sizeof(ret->market), err);
    rc = rc < 0 ? rc : field_text(place, json_get(row, "positionSide"), "positionSide", &side, err);
    rc = rc < 0 ? rc : field_signed(place, json_get(row, "positionAmt"), "positionAmt", &qty, err);
    rc = rc < 0 ? rc : read_fine(place, row, "entryPrice", 0, &ret->entry_price, err);
    rc = rc < 0 ? rc : read_fine(place, row, "notional", FIELD_NEGATIVE, &notional, err);
    rc = rc < 0 ? rc : read_fine(place, row, "initialMargin", 0, &used, err);
    rc = rc < 0 ? rc : read_fine(place, row, "positionInitialMargin", 0, &held, err);
    rc = rc < 0 ? rc : read_fine(place, row, "maintMargin", 0, &need, err);
    if (rc < 0) {
        return rc;
    }
    ret->side = qty.e8 < 0 ? SIDE_SHORT : SIDE_LONG;
    ret->qty = dec_abs(qty);
    ret->hedged = strcmp(side, "BOTH") != 0;
    ret->leverage = leverage_of(notional, held);
    if (qty.e8 != 0 && ret->entry_price.e8 == 0) {
        return field_wrong(place, "entryPrice", "is 0 in a position", err);
    }
    margin->used = dec_add(margin->used, used);
    margin->maintenance = dec_add(margin->maintenance, need);
    return 0;
}

/* Markets with orders only are listed too, without a quantity. */
static int read_positions(const struct json_object *root, struct account_position *ret,
                          int *ret_count, struct account_margin *ret_margin, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = RISK, .row = -1};
    size_t count = 0;
    int kept = 0;
    *ret_margin = (struct account_margin){0};
    int rc = field_list(&place, root, NULL, ACCOUNT_ROWS_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_position(&place, json_item(root, i), &ret[kept], ret_margin, err);
        kept += rc >= 0 && ret[kept].qty.e8 != 0 ? 1 : 0;
    }
    place.row = -1;
    if (rc >= 0 && (!dec_is_valid(ret_margin->used) || !dec_is_valid(ret_margin->maintenance))) {
        rc = field_wrong(&place, NULL, "has sums that are too large", err);
    }
    *ret_count = kept;
    return rc;
}

/* ---------------------------------------------------------------- funding */

/* "Get Income History": pages of a range of time. Other lists take seven days at most in one
 * request; it is not documented that this one takes more. It goes back three months. */
#define INCOME_RANGE_US (7 * USEC_PER_DAY - USEC_PER_MIN)
#define INCOME_KEPT_US  (89 * USEC_PER_DAY)

struct income_range {
    int64_t start_ms, end_ms;
    int64_t number; /* of its page, from 1 */
};

/* The cursor is "START/NUMBER". */
static struct income_range income_range(const struct account_page *page)
{
    int64_t back_us = page->since_us > 0 ? INCOME_KEPT_US : INCOME_RANGE_US;
    int64_t oldest_us = page->until_us - back_us;
    int64_t since_us = page->since_us > oldest_us ? page->since_us : oldest_us;
    struct income_range r = {.start_ms = since_us / USEC_PER_MSEC, .number = 1};
    struct str rest = str_c(page->cursor), start;
    if (rest.len > 0 && str_split(&rest, '/', &start)) {
        (void)str_to_i64(start, &r.start_ms);
        (void)str_to_i64(rest, &r.number);
    }
    int64_t until_ms = page->until_us / USEC_PER_MSEC;
    int64_t end_ms = r.start_ms + INCOME_RANGE_US / USEC_PER_MSEC;
    r.end_ms = end_ms < until_ms ? end_ms : until_ms;
    return r;
}

static void add_funding(const struct account_page *page, struct account_request *request)
{
    const struct income_range range = income_range(page);
    binance_begin(request, ACCOUNT_GET, INCOME, 30);
    binance_add(request, "symbol", page->market != NULL ? page->market->name : "");
    binance_add(request, "incomeType", "FUNDING_FEE");
    binance_add_number(request, "startTime", range.start_ms);
    binance_add_number(request, "endTime", range.end_ms);
    binance_add_number(request, "page", range.number);
    binance_add(request, "limit", BINANCE_ROWS_AS);
}

static int read_payment(const struct field_place *place, const struct json_object *row,
                        struct account_payment *ret, struct err *err)
{
    struct dec income = DEC_ZERO;
    *ret = (struct account_payment){0};
    int rc =
        field_word(place, json_get(row, "symbol"), "symbol", ret->market, sizeof(ret->market), err);
    rc = rc < 0 ? rc
                : field_id(place, json_get(row, "tranId"), "tranId", ret->id, sizeof(ret->id), err);
    rc = rc < 0 ? rc : field_signed(place, json_get(row, "income"), "income", &income, err);
    rc = rc < 0 ? rc
                : field_time(place, json_get(row, "time"), "time", USEC_PER_MSEC, &ret->at_us, err);
    ret->payment = dec_neg(income);
    return rc;
}

static int read_funding(const struct account_page *page, const struct json_object *root,
                        struct account_payment *ret, int *ret_count,
                        char ret_next[ACCOUNT_CURSOR_SIZE], struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = INCOME, .row = -1};
    const struct income_range range = income_range(page);
    size_t count = 0;
    int rc = field_list(&place, root, NULL, BINANCE_ROWS, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)i;
        rc = read_payment(&place, json_item(root, i), &ret[i], err);
    }
    *ret_count = (int)count;
    ret_next[0] = '\0';
    bool over = count < BINANCE_ROWS;
    if (!over || range.end_ms < page->until_us / USEC_PER_MSEC) {
        (void)snprintf(ret_next, ACCOUNT_CURSOR_SIZE, "%lld/%lld",
                       (long long)(over ? range.end_ms : range.start_ms),
                       (long long)(over ? 1 : range.number + 1));
    }
    return rc;
}

/* ---------------------------------------------------------------- settings and guard */

/* One kind of margin only, which is read and not changed (see binance_futures_judge), and one
 * position a market. */
static bool add_account_setting(int step, struct account_request *request)
{
    switch (step) {
    case 0:
        binance_begin(request, ACCOUNT_GET, CONFIG, 5);
        return true;
    case 1:
        binance_begin(request, ACCOUNT_POST, "/fapi/v1/positionSide/dual", 1);
        binance_add(request, "dualSidePosition", "false");
        return true;
    default:
        return false;
    }
}

/* Margin from the whole account, which is how the liquidation guard reckons; the leverage. */
static bool add_setting(int step, const struct exchange_market *market, int leverage,
                        struct account_request *request)
{
    switch (step) {
    case 0:
        binance_begin(request, ACCOUNT_POST, "/fapi/v1/marginType", 1);
        binance_add(request, "symbol", market->name);
        binance_add(request, "marginType", "CROSSED");
        return true;
    case 1:
        binance_begin(request, ACCOUNT_POST, "/fapi/v1/leverage", 1);
        binance_add(request, "symbol", market->name);
        binance_add_number(request, "leverage", leverage);
        return true;
    default:
        return false;
    }
}

static int read_leverage(const struct json_object *root, int *ret, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = "/fapi/v1/leverage", .row = -1};
    int64_t leverage = 0;
    const struct json_object *value = json_get(root, "leverage");
    *ret = 0;
    int rc = value == NULL ? 0 : field_number(&place, value, "leverage", &leverage, err);
    if (rc >= 0 && value != NULL && (leverage < 1 || leverage > 1000)) {
        rc = field_wrong(&place, "leverage", "is no leverage", err);
    }
    *ret = rc < 0 ? 0 : (int)leverage;
    return rc;
}

static void add_guard(const struct exchange_market *market, int64_t timeout_ms,
                      struct account_request *request)
{
    binance_begin(request, ACCOUNT_POST, "/fapi/v1/countdownCancelAll", 10);
    binance_add(request, "symbol", market->name);
    binance_add_number(request, "countdownTime", timeout_ms);
}

/* ---------------------------------------------------------------- the key of the stream */

static void add_stream_key(const char *keep, struct account_request *request)
{
    binance_begin(request, keep != NULL ? ACCOUNT_PUT : ACCOUNT_POST, LISTEN_KEY, 1);
}

static int read_stream_key(const struct json_object *root, struct buf *ret_key, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = LISTEN_KEY, .row = -1};
    const char *key = NULL;
    int rc = field_text(&place, json_get(root, "listenKey"), "listenKey", &key, err);
    buf_add_c(ret_key, rc >= 0 ? key : "");
    return rc;
}

static void add_stream_path(const char *stream_key, struct buf *path)
{
    buf_add_c(path, "/ws?listenKey=");
    http_add_encoded(path, str_c(stream_key));
}

const struct account_api binance_futures_account = {
    .name = NAME,
    .can = {.order_types = VENUE_SET(ORDER_TYPE_MARKET) | VENUE_SET(ORDER_TYPE_LIMIT) |
                           VENUE_SET(ORDER_TYPE_STOP),
            .times_in_force = VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC) | VENUE_SET(TIF_FOK),
            .post_only = true,
            .reduce_only = true,
            .shorts = true,
            .leverage = true,
            .legs = VENUE_LEGS_BOTH,
            .prices_in_ticks = true,
            .connection = true,
            .instruments = true,
            .balances = VENUE_BALANCES_WALLET,
            .not_found_us = 60 * USEC_PER_SEC},
    .url = "https://fapi.binance.com",
    .sandbox_url = "https://demo-fapi.binance.com",
    .check_url = "https://api.binance.com",
    .stream_url = "wss://fstream.binance.com/private",
    .sandbox_stream_url = "wss://fstream.binancefuture.com/private",
    .limit = 1200, /* half of 2400 a minute */
    .falls_per_s = 20,
    .order_limit = 150, /* half of 300 in ten seconds; of 1200 a minute */
    .order_falls_per_s = 10,
    .used_header = "x-mbx-used-weight-1m",
    .window_us = 5 * USEC_PER_SEC,
    .positions = true,
    .check_key = binance_check_key,
    .sign = sign,
    .judge = binance_futures_judge,
    .add_check = add_check,
    .read_check = read_check,
    .add_rules = add_rules,
    .read_rules = read_rules,
    .add_coins = add_coins,
    .read_coins = read_coins,
    .add_positions = add_positions,
    .read_positions = read_positions,
    .add_order = binance_futures_add_order,
    .read_order = binance_futures_read_order,
    .add_query = binance_futures_add_query,
    .add_cancel = binance_futures_add_cancel,
    .add_open = binance_futures_add_open,
    .read_open = binance_futures_read_open,
    .fills_by_market = true,
    .add_fills = binance_futures_add_fills,
    .read_fills = binance_futures_read_fills,
    .add_funding = add_funding,
    .read_funding = read_funding,
    .add_forced = binance_futures_add_forced,
    .read_forced = binance_futures_read_forced,
    .add_account_setting = add_account_setting,
    .add_setting = add_setting,
    .read_leverage = read_leverage,
    .guard_by_market = true,
    .add_guard = add_guard,
    .add_stream_key = add_stream_key,
    .read_stream_key = read_stream_key,
    .stream_key_us = USEC_PER_HOUR,
    .add_stream_path = add_stream_path,
    .stream_silence_us = 4 * USEC_PER_MIN, /* it pings every 3 min */
    .stream_age_us = USEC_PER_DAY,
    .read_stream = binance_futures_read_stream,
};
