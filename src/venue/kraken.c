#include "exchange_tables.h"
#include "io/http.h"
#include "kraken_parts.h"

#include <string.h>

/* Kraken spot. https://docs.kraken.com/api/docs/rest-api */

#define NAME         KRAKEN
#define TIME         "/0/public/Time"
#define ASSET_PAIRS  KRAKEN_ASSET_PAIRS
#define OHLC         "/0/public/OHLC"
#define CANDLES_KEPT 720

/* Errors come with status 200, as ["EQuery:Unknown asset pair"]. */
static enum exchange_verdict judge(int status, const struct json_object *root, struct err *err)
{
    struct str text = json_value_str(json_item(json_get(root, "error"), 0));
    if (status == 429 || str_equal_c(text, "EAPI:Rate limit exceeded") ||
        str_equal_c(text, "EGeneral:Too many requests")) {
        return EXCHANGE_LIMITED;
    }
    if (status >= 500 || str_starts(text, "EService:") ||
        str_equal_c(text, "EGeneral:Internal error")) {
        return EXCHANGE_LATER;
    }
    if (status == 200 && json_len(json_get(root, "error")) == 0) {
        return EXCHANGE_FINE;
    }
    char reason[160];
    str_cut(text, reason, sizeof(reason));
    return exchange_refuse(
        NAME, str_equal_c(text, "EQuery:Unknown asset pair") ? ERR_VENUE_SYMBOL : ERR_VENUE_REQUEST,
        reason, err);
}

static int read_time(const struct json_object *root, int64_t *ret_wall_us, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = TIME, .row = -1};
    return field_time(&place, json_get(json_get(root, "result"), "unixtime"), "unixtime",
                      USEC_PER_SEC, ret_wall_us, err);
}

static void add_market_path(const struct symbol *symbol, struct buf *path)
{
    buf_add_c(path, ASSET_PAIRS "?pair=");
    kraken_add_pair(symbol, path);
}

/* The result has one member; its name is that of the market in later answers. */
static int read_market(const struct json_object *root, const struct symbol *symbol,
                       struct exchange_market *ret, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = ASSET_PAIRS, .row = -1};
    struct json_object *result = json_get(root, "result");
    AUTO_BUF struct buf expected = BUF_INIT(64);
    const char *shown = NULL;
    if (!json_is_object(result) || json_object_object_length(result) != 1) {
        return field_wrong(&place, "result", "is not an object with one market", err);
    }
    struct json_object_iterator it = json_object_iter_begin(result);
    const char *name = json_object_iter_peek_name(&it);
    int rc = field_text(&place, json_get(json_object_iter_peek_value(&it), "wsname"), "wsname",
                        &shown, err);
    if (rc < 0) {
        return rc;
    }
    kraken_add_asset(symbol_base(symbol), &expected);
    buf_add_char(&expected, '/');
    kraken_add_asset(symbol_quote(symbol), &expected);
    if (strcmp(shown, expected.data) != 0) {
        return err_set(err, ERR_VENUE_SYMBOL, NAME ": %s is %.32s there", symbol->name, shown);
    }
    if (!str_copy(str_c(name), ret->name, sizeof(ret->name))) {
        return field_wrong(&place, "result", "has a market with too long a name", err);
    }
    ret->symbol = *symbol;
    return 0;
}

/* "since" is the time before the first candle: it is exclusive. */
static void add_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    buf_add_c(path, OHLC "?pair=");
    http_add_encoded(path, str_c(ask->market->name));
    buf_addf(path, "&interval=%lld&since=%lld", (long long)(timeframe_us(ask->tf) / USEC_PER_MIN),
             (long long)(ask->from_us / USEC_PER_SEC - 1));
}

static int read_row(const struct field_place *place, const struct json_object *row,
                    struct candle *ret, struct err *err)
{
    int rc = field_time(place, json_item(row, 0), "time", USEC_PER_SEC, &ret->open_us, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 1), "open", &ret->open, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 2), "high", &ret->high, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 3), "low", &ret->low, err);
    rc = rc < 0 ? rc : field_price(place, json_item(row, 4), "close", &ret->close, err);
    return rc < 0 ? rc : field_amount(place, json_item(row, 6), "volume", &ret->volume, err);
}

static int read_candles(const struct json_object *root, const struct exchange_ask *ask,
                        struct candle *ret, int *ret_count, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = OHLC, .row = -1};
    const struct json_object *rows = json_get(json_get(root, "result"), ask->market->name);
    size_t count = json_len(rows);
    if (!json_is_array(rows) || count > EXCHANGE_CANDLES_MAX) {
        return field_wrong(&place, ask->market->name, "is not an array of candles", err);
    }
    int64_t previous_us = 0;
    int kept = 0;
    for (size_t i = 0; i < count; i++) {
        place.row = (int64_t)i;
        struct candle candle;
        int rc = read_row(&place, json_item(rows, i), &candle, err);
        rc = rc < 0 ? rc : exchange_check_candle(&place, ask, previous_us, &candle, err);
        if (rc < 0) {
            return rc;
        }
        previous_us = candle.open_us;
        if (candle.open_us >= ask->from_us && candle.open_us < ask->until_us) {
            ret[kept++] = candle; /* Kraken has no end of the range */
        }
    }
    *ret_count = kept;
    return 0;
}

const struct exchange kraken_exchange = {
    .name = NAME,
    .url = "https://api.kraken.com",
    .limit = 1,
    .falls_per_s = 1,
    .candles_kept = CANDLES_KEPT,
    .judge = judge,
    .time_path = TIME,
    .time_weight = 1,
    .read_time = read_time,
    .market_weight = 1,
    .add_market_path = add_market_path,
    .read_market = read_market,
    .candles_weight = 1,
    .add_candles_path = add_candles_path,
    .read_candles = read_candles,
};
