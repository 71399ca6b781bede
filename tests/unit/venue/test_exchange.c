#include "base/check.h"
#include "unit/unit.h"
#include "venue/budget.h"
#include "venue/exchange.h"

#include <string.h>

/* What venues answer, and what they must not answer. */

#define OPEN_US INT64_C(1767225600000000) /* 2026-01-01 */

static struct candle candles[EXCHANGE_CANDLES_MAX];
static int count;
static struct err err;

static struct json_object *parse(const char *text)
{
    struct json_object *root = NULL;
    assert_int_equal(json_parse(str_c(text), &JSON_LIMITS_DEFAULT, &root, NULL), 0);
    return root;
}

static int read_candles(const char *venue, const char *text)
{
    AUTO_JSON struct json_object *root = parse(text);
    struct exchange_market market = {.name = "XXBTZUSD"};
    const struct exchange_ask ask = {.market = &market,
                                     .tf = TF_5M,
                                     .from_us = OPEN_US,
                                     .until_us = OPEN_US + 3 * timeframe_us(TF_5M)};
    count = -1;
    err_clear(&err);
    return exchange_find(venue)->read_candles(root, &ask, candles, &count, &err);
}

static void candles_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_candles("binance", "[[1767225600000,\"1\",\"3.5\",\"0.25\",\"2\",\"0\",1767225899999,"
                                "\"new\"],[1767225900000,\"2\",\"2\",\"2\",\"2\","
                                "\"0.00000001\",1767226199999]]"),
        0);
    assert_int_equal(count, 2);
    assert_int_equal(candles[0].open_us, OPEN_US);
    assert_int_equal(candles[0].low.e8, DEC_ONE / 4);
    assert_int_equal(candles[1].volume.e8, 1);
    /* Kraken has no end of the range: the candle behind it is left out. */
    assert_int_equal(
        read_candles("kraken", "{\"error\":[],\"result\":{\"XXBTZUSD\":["
                               "[1767226200,\"1\",\"2\",\"1\",\"2\",\"1\",\"7\",3],"
                               "[1767226500,\"1\",\"2\",\"1\",\"2\",\"1\",\"7\",3]],\"last\":1}}"),
        0);
    assert_int_equal(count, 1);
    assert_int_equal(candles[0].volume.e8, 7 * DEC_ONE);
}

static void assert_refused(const char *venue, const char *text, const char *context)
{
    if (read_candles(venue, text) != -ERR_VENUE_DATA || strstr(err.context, context) == NULL) {
        fail_msg("%s: %s: error %d, %s", venue, text, err.id, err.context);
    }
}

static void what_cannot_be_trusted_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *value, *context;
    } prices[] = {
        {"\"1.000000000000000000\"", "open is 1.000000000000000000, not a decimal"},
        {"\"1e2\"", "open is 1e2"},
        {"1.5", "open is 1.5"},
        {"1", "open is 1,"},
        {"null", "open is nothing"},
        {"\"NaN\"", "open is NaN"},
        {"\"-1\"", "open is -1"},
        {"\"0\"", "open is 0,"},
        {"\"\"", "open is "},
        {"\" 1\"", "open is  1"},
        {"\"99999999999999\"", "open is 99999999999999"},
        {"[1]", "open is an array"},
        {"{}", "open is an object"},
        {"\"<b>\\u001b\"", "open is <b>"},
        {"\"9\"", "has a price outside its high and low"},
    };
    static const struct {
        const char *value, *context;
    } times[] = {
        {"1767225600", "open time is 1767225600, not a time in milliseconds"}, /* seconds */
        {"1767225600000000", "not a time in milliseconds"},                    /* microseconds */
        {"1767225600000000000", "not a time in milliseconds"},                 /* nanoseconds */
        {"18446744073709551615", "not a time in milliseconds"},
        {"\"2026-01-01T00:00:00Z\"", "not a time in milliseconds"},
        {"1767225600000.0", "not a time in milliseconds"},
        {"null", "open time is nothing"},
        {"1767225600001", "was not asked for"},
        {"1767225300000", "was not asked for"},
    };
    char text[256];
    for (size_t i = 0; i < COUNT_OF(prices); i++) {
        (void)snprintf(text, sizeof(text),
                       "[[1767225600000,%s,\"2\",\"1\",\"1\",\"1\",1767225899999]]",
                       prices[i].value);
        assert_refused("binance", text, prices[i].context);
        assert_non_null(strstr(err.context, "binance /api/v3/klines, row 0"));
        (void)snprintf(
            text, sizeof(text),
            "{\"result\":{\"XXBTZUSD\":[[1767225600,%s,\"2\",\"1\",\"1\",\"1\",\"1\"]]}}",
            prices[i].value);
        assert_refused("kraken", text, prices[i].context);
    }
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        (void)snprintf(text, sizeof(text), "[[%s,\"1\",\"2\",\"1\",\"1\",\"1\",1767225899999]]",
                       times[i].value);
        assert_refused("binance", text, times[i].context);
    }
    assert_refused("binance", "{}", "no array");
    assert_refused("binance", "[[]]", "open time is nothing");
    assert_refused("binance", "[7]", "open time is nothing");
    assert_refused("binance",
                   "[[1767225600000,\"1\",\"2\",\"1\",\"1\",\"1\",1767225899999],"
                   "[1767225600000,\"1\",\"2\",\"1\",\"1\",\"1\",1767225899999]]",
                   "row 1, time is not after the row before");
    assert_refused("kraken", "{\"result\":{\"XETHZUSD\":[]}}", "XXBTZUSD is not an array");
    assert_refused("kraken", "{\"result\":[]}", "XXBTZUSD is not an array");
    assert_refused("kraken",
                   "{\"result\":{\"XXBTZUSD\":[[1767225601,\"1\",\"1\",\"1\",\"1\","
                   "\"1\",\"1\"]]}}",
                   "no multiple of the timeframe");
}

static int read_market(const char *venue, const char *symbol, const char *text,
                       struct exchange_market *ret)
{
    AUTO_JSON struct json_object *root = parse(text);
    struct symbol parsed;
    assert_true(symbol_parse(str_c(symbol), &parsed));
    return exchange_find(venue)->read_market(root, &parsed, ret, &err);
}

static void a_market_is_the_one_that_was_meant(void **state)
{
    (void)state;
    struct exchange_market market;
    AUTO_BUF struct buf path = BUF_INIT(256);
    assert_int_equal(read_market("binance", "BTC-USDT",
                                 "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"baseAsset\":\"BTC\","
                                 "\"quoteAsset\":\"USDT\"}]}",
                                 &market),
                     0);
    assert_string_equal(market.name, "BTCUSDT");
    /* BT-CUSDT and BTC-USDT have one name there. */
    assert_int_equal(read_market("binance", "BT-CUSDT",
                                 "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"baseAsset\":\"BTC\","
                                 "\"quoteAsset\":\"USDT\"}]}",
                                 &market),
                     -ERR_VENUE_SYMBOL);
    assert_int_equal(read_market("binance", "BTC-USDT", "{\"symbols\":{}}", &market),
                     -ERR_VENUE_DATA);
    assert_int_equal(read_market("kraken", "BTC-USD",
                                 "{\"result\":{\"XXBTZUSD\":{\"wsname\":\"XBT/USD\"}}}", &market),
                     0);
    assert_string_equal(market.name, "XXBTZUSD");
    assert_int_equal(read_market("kraken", "ETH-USD",
                                 "{\"result\":{\"XXBTZUSD\":{\"wsname\":\"XBT/USD\"}}}", &market),
                     -ERR_VENUE_SYMBOL);
    assert_int_equal(read_market("kraken", "BTC-USD", "{\"result\":{}}", &market), -ERR_VENUE_DATA);
    exchange_find("kraken")->add_market_path(&(struct symbol){.name = "DOGE-BTC"}, &path);
    assert_string_equal(path.data, "/0/public/AssetPairs?pair=XDGXBT");
}

static enum exchange_verdict judge(const char *venue, int status, const char *text)
{
    AUTO_JSON struct json_object *root = text != NULL ? parse(text) : NULL;
    err_clear(&err);
    return exchange_find(venue)->judge(status, root, &err);
}

static void answers_are_judged(void **state)
{
    (void)state;
    assert_int_equal(judge("binance", 200, "[]"), EXCHANGE_FINE);
    assert_int_equal(judge("binance", 418, NULL), EXCHANGE_BANNED);
    assert_int_equal(judge("binance", 429, "{}"), EXCHANGE_LIMITED);
    assert_int_equal(judge("binance", 503, "{}"), EXCHANGE_LATER);
    assert_int_equal(judge("binance", 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}"),
                     EXCHANGE_REFUSED);
    assert_int_equal(err.id, ERR_VENUE_SYMBOL);
    assert_int_equal(judge("binance", 403, NULL), EXCHANGE_REFUSED);
    assert_int_equal(err.id, ERR_VENUE_REQUEST);
    assert_int_equal(judge("kraken", 200, "{\"error\":[],\"result\":{}}"), EXCHANGE_FINE);
    assert_int_equal(judge("kraken", 200, "{\"error\":[\"EAPI:Rate limit exceeded\"]}"),
                     EXCHANGE_LIMITED);
    assert_int_equal(judge("kraken", 200, "{\"error\":[\"EService:Unavailable\"]}"),
                     EXCHANGE_LATER);
    assert_int_equal(judge("kraken", 200, "{\"error\":[\"EQuery:Unknown asset pair\"]}"),
                     EXCHANGE_REFUSED);
    assert_int_equal(err.id, ERR_VENUE_SYMBOL);
    assert_int_equal(judge("kraken", 403, NULL), EXCHANGE_REFUSED);
}

static void a_budget_is_kept(void **state)
{
    (void)state;
    struct budget budget = {.limit = 100, .falls_per_s = 10};
    int64_t now_us = USEC_PER_SEC;
    assert_int_equal(budget_wait_us(&budget, 100, now_us), 0);
    budget_take(&budget, 100, now_us);
    assert_true(budget_wait_us(&budget, 20, now_us) >= 2 * USEC_PER_SEC);
    now_us += 2 * USEC_PER_SEC + 2;
    assert_int_equal(budget_wait_us(&budget, 20, now_us), 0);
    budget_used(&budget, 100, now_us); /* another program's requests */
    assert_true(budget_wait_us(&budget, 1, now_us) > 0);
    budget_used(&budget, 3, now_us); /* less than we know of */
    assert_true(budget_wait_us(&budget, 1, now_us) > 0);
    now_us += 60 * USEC_PER_SEC;
    budget_close(&budget, now_us + 7);
    budget_close(&budget, now_us + 5);
    assert_int_equal(budget_wait_us(&budget, 1, now_us), 7);
}

UNIT_GROUP(exchange, cmocka_unit_test(candles_are_read),
           cmocka_unit_test(what_cannot_be_trusted_is_refused),
           cmocka_unit_test(a_market_is_the_one_that_was_meant),
           cmocka_unit_test(answers_are_judged), cmocka_unit_test(a_budget_is_kept))
