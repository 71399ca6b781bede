#include "coinbase_parts.h"
#include "exchange_tables.h"
#include "io/http.h"

#include <string.h>

/* Coinbase Advanced Trade, public. https://docs.cdp.coinbase.com/api-reference/advanced-trade-api
 * A minute without trades has no candle. */

#define NAME        COINBASE
#define CANDLES     COINBASE_PRODUCTS "/candles"
#define CANDLES_MAX 350

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
    return exchange_refuse(NAME, status == 404 ? ERR_VENUE_SYMBOL : ERR_VENUE_REQUEST,
                           json_text(root, "message"), err);
}

/* Its numbers are texts. */
static int read_number(const struct field_place *place, const struct json_object *value,
                       const char *name, int64_t unit_us, int64_t *ret_us, struct err *err)
{
    int64_t units = 0;
    if (!json_is_text(value) || !str_to_i64(json_value_str(value), &units) ||
        units < INT64_C(1230768000) * (USEC_PER_SEC / unit_us) ||
        units > INT64_C(4102444800) * (USEC_PER_SEC / unit_us)) {
        return field_wrong(place, name, "is not a time as text in its unit", err);
    }
    *ret_us = units * unit_us;
    return 0;
}

static int read_time(const struct json_object *root, int64_t *ret_wall_us, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = COINBASE_TIME, .row = -1};
    return read_number(&place, json_get(root, "epochMillis"), "epochMillis", USEC_PER_MSEC,
                       ret_wall_us, err);
}

static void add_market_path(const struct symbol *symbol, struct buf *path)
{
    buf_add_c(path, COINBASE_PRODUCTS "/");
    http_add_encoded(path, str_c(symbol->name));
}

static int read_market(const struct json_object *root, const struct symbol *symbol,
                       struct exchange_market *ret, struct err *err)
{
    const struct field_place place = {.venue = NAME, .endpoint = COINBASE_PRODUCTS, .row = -1};
    const char *name = NULL;
    int rc = field_text(&place, json_get(root, "product_id"), "product_id", &name, err);
    if (rc >= 0 && strcmp(name, symbol->name) != 0) {
        rc = err_set(err, ERR_VENUE_SYMBOL, NAME ": %s is %.32s there", symbol->name, name);
    }
    if (rc >= 0) {
        ret->symbol = *symbol;
        (void)str_copy(str_c(name), ret->name, sizeof(ret->name));
    }
    return rc;
}

static const char *granularity(enum timeframe tf)
{
    switch (tf) {
    case TF_1M:
        return "ONE_MINUTE";
    case TF_5M:
        return "FIVE_MINUTE";
    case TF_15M:
        return "FIFTEEN_MINUTE";
    case TF_1H:
    case TF_COUNT:
        return "ONE_HOUR";
    }
    return "ONE_HOUR";
}

/* Both ends are inclusive. */
static void add_candles_path(const struct exchange_ask *ask, struct buf *path)
{
    buf_add_c(path, COINBASE_PRODUCTS "/");
    http_add_encoded(path, str_c(ask->market->name));
    buf_addf(path, "/candles?start=%lld&end=%lld&granularity=%s&limit=%d",
             (long long)(ask->from_us / USEC_PER_SEC),
             (long long)(ask->until_us / USEC_PER_SEC - 1), granularity(ask->tf), CANDLES_MAX);
}

static int read_row(const struct field_place *place, const struct json_object *row,
                    struct candle *ret, struct err *err)
{
    int rc = read_number(place, json_get(row, "start"), "start", USEC_PER_SEC, &ret->open_us, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "open"), "open", &ret->open, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "high"), "high", &ret->high, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "low"), "low", &ret->low, err);
    rc = rc < 0 ? rc : field_price(place, json_get(row, "close"), "close", &ret->close, err);
    return rc < 0 ? rc : field_amount(place, json_get(row, "volume"), "volume", &ret->volume, err);
}

/* Newest first. */
static int read_candles(const struct json_object *root, const struct exchange_ask *ask,
                        struct candle *ret, int *ret_count, struct err *err)
{
    struct field_place place = {.venue = NAME, .endpoint = CANDLES, .row = -1};
    const struct json_object *rows = json_get(root, "candles");
    size_t count = 0;
    int64_t previous_us = 0;
    int rc = field_list(&place, rows, "candles", EXCHANGE_CANDLES_MAX, &count, err);
    for (size_t i = 0; i < count && rc >= 0; i++) {
        place.row = (int64_t)(count - 1 - i);
        rc = read_row(&place, json_item(rows, count - 1 - i), &ret[i], err);
        rc = rc < 0 ? rc : exchange_check_candle(&place, ask, previous_us, &ret[i], err);
        if (rc >= 0 && (ret[i].open_us < ask->from_us || ret[i].open_us >= ask->until_us)) {
            rc = field_wrong(&place, "start", "is of a candle that was not asked for", err);
        }
        previous_us = ret[i].open_us;
    }
    *ret_count = (int)count;
    return rc;
}

const struct exchange coinbase_exchange = {
    .name = NAME,
    .url = "https://api.coinbase.com",
    .limit = 5, /* with what falls in a second, below 10 a second */
    .falls_per_s = 4,
    .candles_max = CANDLES_MAX,
    .judge = judge,
    .time_path = COINBASE_TIME,
    .time_weight = 1,
    .read_time = read_time,
    .market_weight = 1,
    .add_market_path = add_market_path,
    .read_market = read_market,
    .candles_weight = 1,
    .add_candles_path = add_candles_path,
    .read_candles = read_candles,
};
