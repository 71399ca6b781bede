#include "alpaca_parts.h"
#include "exchange_tables.h"
#include "io/http.h"

#include <string.h>

/* Alpaca's candles. https://docs.alpaca.markets/reference/stockbars,
 * https://docs.alpaca.markets/reference/cryptobars-1
 * Those of stocks, and all streams of prices, are for keys only. Stocks have two feeds: trades at
 * IEX, which every key may read, and those of all exchanges (SIP), which need a subscription; they
 * are two venues here. Their history is adjusted for splits, so that its prices and today's are of
 * the same shares. Numbers are JSON numbers. */

#define NAME         ALPACA
#define BARS         "/v1beta3/crypto/us/bars"
#define QUOTES       "/v1beta3/crypto/us/latest/quotes"
#define STOCK_BARS   "/v2/stocks/bars"
#define STOCK_QUOTES "/v2/stocks/quotes/latest"
/* Numbers below it are written with an exponent. */
#define PLAIN_FROM 1e-6

static enum exchange_verdict judge(int status, const struct json_object *root, struct err *err)
{
    if (status == 429) {
        return EXCHANGE_LIMITED;
    }
    if (status >= 500) {
        return EXCHANGE_LATER;
    }
    if (status == 200) {
        return EXCHANGE_FINE;
    }
    bool key = status == 401 || status == 403;
    return exchange_refuse(NAME,
                           key                              ? ERR_VENUE_ACCESS
                           : status == 400 || status == 422 ? ERR_VENUE_SYMBOL
                                                            : ERR_VENUE_REQUEST,
                           json_text(root, "message"), err);
}

/* There is no clock without a key: the time of the newest price is later than a second ago. */
static int read_time(const struct json_object *root, int64_t *ret_wall_us, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = QUOTES, .row = -1};
    return field_iso_time(&place, json_get(json_get(json_get(root, "quotes"), "BTC/USD"), "t"), "t",
                          ret_wall_us, err);
}

static void add_symbol(const struct symbol *symbol, struct buf *path)
{
    AUTO_BUF struct buf name = BUF_INIT(64);
    alpaca_add_name(symbol, &name);
    http_add_encoded(path, buf_str(&name));
}

static void add_quote_path(const struct symbol *symbol, const char *feed, struct buf *path)
{
    bool coin = alpaca_is_coin(symbol);
    buf_add_c(path, coin ? QUOTES "?symbols=" : STOCK_QUOTES "?symbols=");
    add_symbol(symbol, path);
    if (!coin) {
        buf_addf(path, "&feed=%s", feed);
    }
}

static void add_iex_market_path(const struct symbol *symbol, struct buf *path)
{
    add_quote_path(symbol, "iex", path);
}

static void add_sip_market_path(const struct symbol *symbol, struct buf *path)
{
    add_quote_path(symbol, "sip", path);
}

static int read_market(const struct json_object *root, const struct symbol *symbol,
                       struct exchange_market *ret, struct err *err)
{
    bool coin = alpaca_is_coin(symbol);
    const struct field_place place = {
        .venue = NAME, .endpoint = coin ? QUOTES : STOCK_QUOTES, .row = -1};
    const struct json_object *quotes = json_get(root, "quotes");
    AUTO_BUF struct buf name = BUF_INIT(64);
    alpaca_add_name(symbol, &name);
    if (!json_is_object(quotes)) {
        return field_wrong(&place, "quotes", "is not an object", err);
    }
    if ((!coin && !str_equal_c(symbol_quote(symbol), "USD")) ||
        json_get(quotes, name.data) == NULL ||
        !str_copy(buf_str(&name), ret->name, sizeof(ret->name))) {
        return err_set(err, ERR_VENUE_SYMBOL, NAME ": %s is no coin or stock with prices there",
                       symbol->name);
    }
    ret->symbol = *symbol;
    return 0;
}

static const char *timeframe(enum timeframe tf)
{
    switch (tf) {
    case TF_1M:
        return "1Min";
    case TF_5M:
        return "5Min";
    case TF_15M:
        return "15Min";
    case TF_1H:
    case TF_COUNT:
        return "1Hour";
    }
    return "1Hour";
}

/* Both ends are inclusive. */
static void add_bars_path(const struct exchange_ask *ask, const char *feed, struct buf *path)
{
    bool coin = alpaca_is_coin(&ask->market->symbol);
    AUTO_BUF struct buf from = BUF_INIT(64);
    AUTO_BUF struct buf until = BUF_INIT(64);
    clock_add_iso(&from, ask->from_us, false);
    clock_add_iso(&until, ask->until_us - USEC_PER_SEC, false);
    buf_add_c(path, coin ? BARS "?symbols=" : STOCK_BARS "?symbols=");
    http_add_encoded(path, str_c(ask->market->name));
    buf_addf(path, "&timeframe=%s&limit=%d&sort=asc&start=", timeframe(ask->tf),
             EXCHANGE_CANDLES_MAX);
    http_add_encoded(path, buf_str(&from));
    buf_add_c(path, "&end=");
    http_add_encoded(path, buf_str(&until));
    if (!coin) {
        buf_addf(path, "&feed=%s&adjustment=split", feed);
    }
}

static void add_iex_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    add_bars_path(ask, "iex", path);
}

static void add_sip_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    add_bars_path(ask, "sip", path);
}

int alpaca_read_price(const struct field_place *place, const struct json_object *row,
                      const char *name, struct dec *ret, struct err *err)
{
    int rc = field_decimal(place, json_get(row, name), name, FIELD_NUMBER, ret, err);
    return rc >= 0 && ret->e8 == 0 ? field_wrong(place, name, "is 0", err) : rc;
}

static int read_volume(const struct field_place *place, const struct json_object *value,
                       struct dec *ret, struct err *err)
{
    double number = json_is_number(value) ? json_object_get_double(value) : -1;
    if (number > 0 && number < PLAIN_FROM) {
        *ret = dec_from_double(number);
        return 0;
    }
    return field_decimal(place, value, "v", FIELD_NUMBER | FIELD_FINE, ret, err);
}

int alpaca_read_bar(const struct field_place *place, const struct json_object *row,
                    struct candle *ret, struct err *err)
{
    int rc = field_iso_time(place, json_get(row, "t"), "t", &ret->open_us, err);
    rc = rc < 0 ? rc : alpaca_read_price(place, row, "o", &ret->open, err);
    rc = rc < 0 ? rc : alpaca_read_price(place, row, "h", &ret->high, err);
    rc = rc < 0 ? rc : alpaca_read_price(place, row, "l", &ret->low, err);
    rc = rc < 0 ? rc : alpaca_read_price(place, row, "c", &ret->close, err);
    return rc < 0 ? rc : read_volume(place, json_get(row, "v"), &ret->volume, err);
}

static int read_candles(const struct json_object *root, const struct exchange_ask *ask,
                        struct candle *ret, int *ret_count, struct err *err)
{
    bool coin = alpaca_is_coin(&ask->market->symbol);
    struct field_place place = {.venue = NAME, .endpoint = coin ? BARS : STOCK_BARS, .row = -1};
    const struct json_object *bars = json_get(root, "bars");
    const struct json_object *rows = json_get(bars, ask->market->name);
    size_t count = 0;
    int64_t previous_us = 0;
    int rc = 0;
    if (!json_is_object(bars)) {
        rc = field_wrong(&place, "bars", "is not an object", err);
    } else if (rows != NULL) { /* a market without candles is left out */
        rc = field_list(&place, rows, ask->market->name, EXCHANGE_CANDLES_MAX, &count, err);
    }
    for (size_t i = 0; i < count && rc >= 0; i++) {
        const struct json_object *row = json_item(rows, i);
        struct candle *c = &ret[i];
        place.row = (int64_t)i;
        rc = alpaca_read_bar(&place, row, c, err);
        rc = rc < 0 ? rc : exchange_check_candle(&place, ask, previous_us, c, err);
        if (rc >= 0 && (c->open_us < ask->from_us || c->open_us >= ask->until_us)) {
            rc = field_wrong(&place, "t", "is of a candle that was not asked for", err);
        }
        previous_us = c->open_us;
    }
    *ret_count = (int)count;
    return rc;
}

static bool is_stock(const struct symbol *symbol)
{
    return !alpaca_is_coin(symbol);
}

#define SHARED                                                                                   \
    .url = "https://data.alpaca.markets", .key_of = ALPACA,                                      \
    .limit = 60, /* with what falls in a minute, below 200 a minute */                           \
        .falls_per_s = 2, .judge = judge, .needs_key = is_stock, .sign = alpaca_sign,            \
    .has_hours = is_stock, .time_path = QUOTES "?symbols=BTC%2FUSD", .time_weight = 1,           \
    .read_time = read_time, .market_weight = 1, .read_market = read_market, .candles_weight = 1, \
    .read_candles = read_candles

const struct exchange alpaca_exchange = {
    .name = NAME,
    SHARED,
    .add_market_path = add_iex_market_path,
    .add_candles_path = add_iex_candles_path,
};

const struct exchange alpaca_sip_exchange = {
    .name = ALPACA_SIP,
    SHARED,
    .add_market_path = add_sip_market_path,
    .add_candles_path = add_sip_candles_path,
};
