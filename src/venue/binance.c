#include "binance_shared.h"
#include "exchange_tables.h"

#include <string.h>

/* Binance spot and USD-M futures, which answer alike.
 * https://developers.binance.com/docs/binance-spot-api-docs/rest-api
 * https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api */

#define NAME            "binance"
#define TIME            "/api/v3/time"
#define EXCHANGE_INFO   "/api/v3/exchangeInfo"
#define KLINES          "/api/v3/klines"
#define FUTURES         "binance_futures"
#define FUTURES_TIME    "/fapi/v1/time"
#define FUTURES_INFO    "/fapi/v1/exchangeInfo"
#define FUTURES_KLINES  "/fapi/v1/klines"
#define CODE_BAD_SYMBOL (-1121)
#define CODE_TOO_MANY   (-1003)
#define CODE_UNKNOWN    (-1000)
#define CODE_DISCONNECT (-1001)
#define CODE_TIMEOUT    (-1007)
#define CODE_OVERLOADED (-1008)
#define STATUS_BANNED   418
#define STATUS_TOO_MANY 429
#define STATUS_FIREWALL 403

static enum exchange_verdict judge_as(const char *name, int status, const struct json_object *root,
                                      struct err *err)
{
    int64_t code = json_i64(root, "code", 0);
    if (status == STATUS_BANNED) {
        return EXCHANGE_BANNED;
    }
    if (status == STATUS_TOO_MANY || code == CODE_TOO_MANY) {
        return EXCHANGE_LIMITED;
    }
    if (status >= 500 || code == CODE_UNKNOWN || code == CODE_DISCONNECT || code == CODE_TIMEOUT ||
        code == CODE_OVERLOADED) {
        return EXCHANGE_LATER;
    }
    if (status == 200) {
        return EXCHANGE_FINE;
    }
    return exchange_refuse(name, code == CODE_BAD_SYMBOL ? ERR_VENUE_SYMBOL : ERR_VENUE_REQUEST,
                           status == STATUS_FIREWALL ? "its firewall refuses this address"
                                                     : json_text(root, "msg"),
                           err);
}

static enum exchange_verdict judge(int status, const struct json_object *root, struct err *err)
{
    return judge_as(NAME, status, root, err);
}

static enum exchange_verdict judge_futures(int status, const struct json_object *root,
                                           struct err *err)
{
    return judge_as(FUTURES, status, root, err);
}

static int read_time_of(const struct field_place *place, const struct json_object *root,
                        int64_t *ret_wall_us, struct err *err)
{
    return field_time(place, json_get(root, "serverTime"), "serverTime", USEC_PER_MSEC, ret_wall_us,
                      err);
}

static int read_time(const struct json_object *root, int64_t *ret_wall_us, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = TIME, .row = -1};
    return read_time_of(&place, root, ret_wall_us, err);
}

static int read_futures_time(const struct json_object *root, int64_t *ret_wall_us, struct err *err)
{
    const struct field_place place = {.venue = FUTURES, .endpoint = FUTURES_TIME, .row = -1};
    return read_time_of(&place, root, ret_wall_us, err);
}

static void add_name(const struct symbol *symbol, struct buf *out)
{
    buf_add_str(out, symbol_base(symbol));
    buf_add_str(out, symbol_quote(symbol));
}

static void add_market_path(const struct symbol *symbol, struct buf *path)
{
    buf_add_c(path, EXCHANGE_INFO "?symbol=");
    add_name(symbol, path);
}

static int read_market(const struct json_object *root, const struct symbol *symbol,
                       struct exchange_market *ret, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = EXCHANGE_INFO, .row = 0};
    const struct json_object *market = json_item(json_get(root, "symbols"), 0);
    const char *name = NULL, *base = NULL, *quote = NULL;
    int rc = field_text(&place, json_get(market, "symbol"), "symbol", &name, err);
    rc = rc < 0 ? rc : field_text(&place, json_get(market, "baseAsset"), "baseAsset", &base, err);
    rc =
        rc < 0 ? rc : field_text(&place, json_get(market, "quoteAsset"), "quoteAsset", &quote, err);
    if (rc < 0) {
        return rc;
    }
    if (!str_equal_c(symbol_base(symbol), base) || !str_equal_c(symbol_quote(symbol), quote) ||
        !str_copy(str_c(name), ret->name, sizeof(ret->name))) {
        return err_set(err, ERR_VENUE_SYMBOL, NAME ": %s is %.16s-%.16s there", symbol->name, base,
                       quote);
    }
    ret->symbol = *symbol;
    return 0;
}

/* All of them: it does not give the markets one by one. */
static void add_futures_market_path(const struct symbol *symbol, struct buf *path)
{
    (void)symbol;
    buf_add_c(path, FUTURES_INFO);
}

static int read_futures_market(const struct json_object *root, const struct symbol *symbol,
                               struct exchange_market *ret, struct err *err)
{
    struct field_place place = {.venue = FUTURES, .endpoint = FUTURES_INFO, .row = -1};
    const struct json_object *market = NULL;
    int rc = binance_find_market(&place, root, symbol, &market, err);
    rc = rc < 0 ? rc
                : field_word(&place, json_get(market, "symbol"), "symbol", ret->name,
                             sizeof(ret->name), err);
    ret->symbol = *symbol;
    return rc;
}

static void add_path(const char *endpoint, const struct exchange_ask *ask, struct buf *path)
{
    buf_addf(path, "%s?symbol=%s&interval=%s&startTime=%lld&endTime=%lld&limit=%d", endpoint,
             ask->market->name, timeframe_name(ask->tf), (long long)(ask->from_us / USEC_PER_MSEC),
             (long long)(ask->until_us / USEC_PER_MSEC - 1), EXCHANGE_CANDLES_MAX);
}

static void add_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    add_path(KLINES, ask, path);
}

static void add_futures_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    add_path(FUTURES_KLINES, ask, path);
}

static int read_row(const struct field_place *place, const struct json_object *row,
                    const struct exchange_ask *ask, struct candle *ret, struct err *err)
{
    int64_t close_us = 0;
    int rc = field_time(place, json_item(row, 0), "open time", USEC_PER_MSEC, &ret->open_us, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 1), "open", &ret->open, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 2), "high", &ret->high, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 3), "low", &ret->low, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 4), "close", &ret->close, err);
    rc = rc < 0 ? rc : field_amount(place, json_item(row, 5), "volume", &ret->volume, err);
    rc = rc < 0 ? rc
                : field_time(place, json_item(row, 6), "close time", USEC_PER_MSEC, &close_us, err);
    if (rc >= 0 && (ret->open_us < ask->from_us || ret->open_us >= ask->until_us ||
                    close_us != ret->open_us + timeframe_us(ask->tf) - USEC_PER_MSEC)) {
        rc = field_wrong(place, "time", "is of a candle that was not asked for", err);
    }
    return rc;
}

static int read_rows(struct field_place place, const struct json_object *root,
                     const struct exchange_ask *ask, struct candle *ret, int *ret_count,
                     struct err *err)
{
    size_t count = json_len(root);
    if (!json_is_array(root) || count > EXCHANGE_CANDLES_MAX) {
        return field_wrong(&place, NULL, "has no array of at most 1000 candles", err);
    }
    int64_t previous_us = 0;
    for (size_t i = 0; i < count; i++) {
        place.row = (int64_t)i;
        int rc = read_row(&place, json_item(root, i), ask, &ret[i], err);
        rc = rc < 0 ? rc : exchange_check_candle(&place, ask, previous_us, &ret[i], err);
        if (rc < 0) {
            return rc;
        }
        previous_us = ret[i].open_us;
    }
    *ret_count = (int)count;
    return 0;
}

static int read_candles(const struct json_object *root, const struct exchange_ask *ask,
                        struct candle *ret, int *ret_count, struct err *err)
{
    return read_rows((struct field_place){.venue = NAME, .endpoint = KLINES, .row = -1}, root, ask,
                     ret, ret_count, err);
}

static int read_futures_candles(const struct json_object *root, const struct exchange_ask *ask,
                                struct candle *ret, int *ret_count, struct err *err)
{
    return read_rows((struct field_place){.venue = FUTURES, .endpoint = FUTURES_KLINES, .row = -1},
                     root, ask, ret, ret_count, err);
}

const struct exchange binance_exchange = {
    .name = NAME,
    .url = "https://api.binance.com",
    .limit = 3000, /* half of 6000 a minute */
    .falls_per_s = 50,
    .used_header = "x-mbx-used-weight-1m",
    .judge = judge,
    .time_path = TIME,
    .time_weight = 1,
    .read_time = read_time,
    .market_weight = 20,
    .add_market_path = add_market_path,
    .read_market = read_market,
    .candles_weight = 2,
    .add_candles_path = add_candles_path,
    .read_candles = read_candles,
};

const struct exchange binance_futures_exchange = {
    .name = FUTURES,
    .url = "https://fapi.binance.com",
    .limit = 1200, /* half of 2400 a minute */
    .falls_per_s = 20,
    .used_header = "x-mbx-used-weight-1m",
    .judge = judge_futures,
    .time_path = FUTURES_TIME,
    .time_weight = 1,
    .read_time = read_futures_time,
    .market_weight = 1,
    .add_market_path = add_futures_market_path,
    .read_market = read_futures_market,
    .candles_weight = 5,
    .add_candles_path = add_futures_candles_path,
    .read_candles = read_futures_candles,
};
