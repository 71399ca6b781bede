#include "exchange_tables.h"

#include <string.h>

/* Binance spot. https://developers.binance.com/docs/binance-spot-api-docs/rest-api */

#define NAME            "binance"
#define TIME            "/api/v3/time"
#define EXCHANGE_INFO   "/api/v3/exchangeInfo"
#define KLINES          "/api/v3/klines"
#define CODE_BAD_SYMBOL (-1121)
#define CODE_TOO_MANY   (-1003)
#define CODE_UNKNOWN    (-1000)
#define CODE_DISCONNECT (-1001)
#define CODE_TIMEOUT    (-1007)
#define CODE_OVERLOADED (-1008)
#define STATUS_BANNED   418
#define STATUS_TOO_MANY 429
#define STATUS_FIREWALL 403

static enum exchange_verdict judge(int status, const struct json_object *root, struct err *err)
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
    return exchange_refuse(NAME, code == CODE_BAD_SYMBOL ? ERR_VENUE_SYMBOL : ERR_VENUE_REQUEST,
                           status == STATUS_FIREWALL ? "its firewall refuses this address"
                                                     : json_text(root, "msg"),
                           err);
}

static int read_time(const struct json_object *root, int64_t *ret_wall_us, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = TIME, .row = -1};
    return field_time(&place, json_get(root, "serverTime"), "serverTime", USEC_PER_MSEC,
                      ret_wall_us, err);
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

static void add_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    buf_addf(path, KLINES "?symbol=%s&interval=%s&startTime=%lld&endTime=%lld&limit=%d",
             ask->market->name, timeframe_name(ask->tf), (long long)(ask->from_us / USEC_PER_MSEC),
             (long long)(ask->until_us / USEC_PER_MSEC - 1), EXCHANGE_CANDLES_MAX);
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

static int read_candles(const struct json_object *root, const struct exchange_ask *ask,
                        struct candle *ret, int *ret_count, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = KLINES, .row = -1};
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
