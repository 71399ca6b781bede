#include "account_rig.h"
#include "base/check.h"
#include "unit/unit.h"

#include <string.h>

static struct account_request asked;
static struct err err;
static struct rig_rows rows;

/* What Binance spot is asked, what it answers, and what it must not answer. */

#define WALL_US INT64_C(1499827319559000)

static const struct exchange_market ltc = {.symbol = {.name = "LTC-BTC"}, .name = "LTCBTC"};
static const struct account_api *api;

static int setup(void **state)
{
    (void)state;
    api = account_api_find("binance");
    assert_non_null(api);
    rows = (struct rig_rows){0};
    return rig_begin(&asked, &err);
}

static int teardown(void **state)
{
    (void)state;
    account_request_release(&asked);
    return 0;
}

/* ---------------------------------------------------------------- requests */

/* The example of the documentation. */
static void an_order_is_signed_as_documented(void **state)
{
    (void)state;
    const struct account_key key = {
        .id = STR_LIT("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"),
        .secret = STR_LIT("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j")};
    const struct account_moment moment = {.wall_us = WALL_US};
    asked.method = ACCOUNT_POST;
    buf_add_c(&asked.body,
              "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1");
    assert_int_equal(api->sign(&key, &moment, &asked, &err), 0);
    assert_string_equal(
        asked.body.data,
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559"
        "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71");
    assert_string_equal(asked.headers.data, "X-MBX-APIKEY: vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIg"
                                            "wCIPy6utIco14y7Ju91duEh8A\n");
    /* The same text as a query has the same signature. */
    account_request_clear(&asked);
    buf_add_c(&asked.path, "/api/v3/order?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC"
                           "&quantity=1&price=0.1");
    assert_int_equal(api->sign(&key, &moment, &asked, &err), 0);
    assert_has(asked.path.data, "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2"
                                "838bd6b71");
}

static void keys_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *id, *secret;
        bool good;
    } keys[] = {
        {"abc", RIG_SECRET, true},
        {"abc", RIG_ED25519, true},
        {"", RIG_SECRET, false},
        {"abc", "", false},
        {"abc", "short", false},
        {"a b", RIG_SECRET, false},
        {"a\nX-Evil: 1", RIG_SECRET, false},
        {"\303\274", RIG_SECRET, false},
        {"abc", RIG_P256, false},
        {"abc", "-----BEGIN PRIVATE KEY-----", false},
    };
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct account_key key = {.id = str_c(keys[i].id), .secret = str_c(keys[i].secret)};
        const struct account_moment moment = {.wall_us = WALL_US};
        assert_int_equal(api->check_key(&key, &err), keys[i].good ? 0 : -ERR_VENUE_KEY);
        account_request_clear(&asked);
        buf_add_c(&asked.path, "/x");
        assert_int_equal(api->sign(&key, &moment, &asked, &err), keys[i].good ? 0 : -ERR_VENUE_KEY);
        assert_int_equal(asked.headers.len == 0, !keys[i].good);
    }
}

static void orders_are_asked_for(void **state)
{
    (void)state;
    static const struct {
        enum order_type type;
        enum time_in_force tif;
        bool post_only, buys;
        const char *body;
    } orders[] = {
        {ORDER_TYPE_MARKET, TIF_GTC, false, true,
         "symbol=LTCBTC&side=BUY&type=MARKET&quantity=1.5&newClientOrderId=ndK7QF-1-2"
         "&newOrderRespType=FULL"},
        {ORDER_TYPE_LIMIT, TIF_GTC, false, false,
         "symbol=LTCBTC&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1.5&price=0.00000001"
         "&newClientOrderId=ndK7QF-1-2&newOrderRespType=FULL"},
        {ORDER_TYPE_LIMIT, TIF_IOC, false, true,
         "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=IOC&quantity=1.5&price=0.00000001"
         "&newClientOrderId=ndK7QF-1-2&newOrderRespType=FULL"},
        {ORDER_TYPE_LIMIT, TIF_FOK, false, true,
         "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=FOK&quantity=1.5&price=0.00000001"
         "&newClientOrderId=ndK7QF-1-2&newOrderRespType=FULL"},
        {ORDER_TYPE_LIMIT, TIF_GTC, true, true,
         "symbol=LTCBTC&side=BUY&type=LIMIT_MAKER&quantity=1.5&price=0.00000001"
         "&newClientOrderId=ndK7QF-1-2&newOrderRespType=FULL"},
        {ORDER_TYPE_STOP, TIF_GTC, false, false,
         "symbol=LTCBTC&side=SELL&type=STOP_LOSS&quantity=1.5&stopPrice=0.00000001"
         "&newClientOrderId=ndK7QF-1-2&newOrderRespType=FULL"},
    };
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        const struct account_order_ask ask = {
            .market = &ltc,
            .client_id = "ndK7QF-1-2",
            .buys = orders[i].buys,
            .type = orders[i].type,
            .time_in_force = orders[i].tif,
            .post_only = orders[i].post_only,
            .qty = {3 * DEC_ONE / 2},
            .price = {orders[i].type == ORDER_TYPE_MARKET ? 0 : 1}};
        account_request_clear(&asked);
        api->add_order(&ask, &asked);
        assert_int_equal(asked.order_weight, 1);
        assert_string_equal(asked.content_type, "application/x-www-form-urlencoded");
        rig_asked(&asked, ACCOUNT_POST, "/api/v3/order", orders[i].body);
    }
}

/* The higher price is above, whatever it is. */
static void a_pair_is_one_list(void **state)
{
    (void)state;
    static const struct {
        bool buys;
        const char *stop, *target, *body;
    } pairs[] = {
        {false, "90", "120",
         "symbol=LTCBTC&side=SELL&quantity=1.5&belowType=STOP_LOSS&belowStopPrice=90"
         "&belowClientOrderId=nd-1-2&aboveType=LIMIT_MAKER&abovePrice=120"
         "&aboveClientOrderId=nd-1-3&newOrderRespType=RESULT"},
        {true, "120", "90",
         "symbol=LTCBTC&side=BUY&quantity=1.5&aboveType=STOP_LOSS&aboveStopPrice=120"
         "&aboveClientOrderId=nd-1-2&belowType=LIMIT_MAKER&belowPrice=90"
         "&belowClientOrderId=nd-1-3&newOrderRespType=RESULT"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct account_pair_ask ask = {
            .market = &ltc, .stop_id = "nd-1-2", .target_id = "nd-1-3", .buys = pairs[i].buys};
        assert_true(dec_parse(STR_LIT("1.5"), &ask.qty));
        assert_true(dec_parse(str_c(pairs[i].stop), &ask.stop));
        assert_true(dec_parse(str_c(pairs[i].target), &ask.target));
        api->add_pair(&ask, &asked);
        assert_int_equal(asked.order_weight, 2);
        rig_asked(&asked, ACCOUNT_POST, "/api/v3/orderList/oco", pairs[i].body);
    }
}

static void what_is_asked(void **state)
{
    (void)state;
    const struct symbol symbols[] = {{.name = "BTC-USDT"}, {.name = "ETH-BTC"}};
    struct account_find find = {.market = &ltc, .client_id = "nd/1", .id = ""};
    struct account_page page = {.market = &ltc, .order_id = "", .cursor = ""};
    api->add_check(false, &asked);
    rig_asked(&asked, ACCOUNT_GET, "/sapi/v1/account/apiRestrictions", "");
    api->add_check(true, &asked);
    rig_asked(&asked, ACCOUNT_GET, "/api/v3/account?omitZeroBalances=true", "");
    api->add_rules(symbols, 2, &asked);
    assert_true(asked.is_public);
    rig_asked(&asked, ACCOUNT_GET,
              "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22%2C%22ETHBTC%22%5D", "");
    assert_true(api->add_query(&find, 0, &asked));
    rig_asked(&asked, ACCOUNT_GET, "/api/v3/order?symbol=LTCBTC&origClientOrderId=nd%2F1", "");
    assert_false(api->add_query(&find, 1, &asked));
    find.id = "28";
    api->add_cancel(&find, &asked);
    rig_asked(&asked, ACCOUNT_DELETE, "/api/v3/order?symbol=LTCBTC&orderId=28", "");
    api->add_open(&page, &asked);
    assert_int_equal(asked.weight, 6);
    rig_asked(&asked, ACCOUNT_GET, "/api/v3/openOrders?symbol=LTCBTC", "");
    page.market = NULL;
    api->add_open(&page, &asked);
    assert_int_equal(asked.weight, 80);
    rig_asked(&asked, ACCOUNT_GET, "/api/v3/openOrders", "");
}

/* ---------------------------------------------------------------- verdicts */

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct rig_verdict cases[] = {
        {ACCOUNT_PLACE, 200, "{}", ACCOUNT_FINE, 0},
        {ACCOUNT_OPEN, 200, "[]", ACCOUNT_FINE, 0},
        /* rejected */
        {ACCOUNT_PLACE, 400,
         "{\"code\":-2010,\"msg\":\"Account has insufficient balance for requested action.\"}",
         ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-1013,\"msg\":\"Filter failure: NOTIONAL\"}",
         ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400,
         "{\"code\":-1111,\"msg\":\"Parameter 'price' has too much precision.\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-1102,\"msg\":\"Mandatory parameter\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REJECTED},
        {ACCOUNT_QUERY, 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REQUEST},
        {ACCOUNT_PLACE, 400, "{\"code\":-9999,\"msg\":\"Something new.\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REJECTED},
        {ACCOUNT_CANCEL, 400, "{\"code\":-2011,\"msg\":\"CANCEL_REJECTED\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REQUEST},
        /* duplicate */
        {ACCOUNT_PLACE, 400, "{\"code\":-2010,\"msg\":\"Duplicate order sent.\"}",
         ACCOUNT_DUPLICATE, ERR_VENUE_REJECTED},
        /* unknown */
        {ACCOUNT_PLACE, 400, "{\"code\":-1000,\"msg\":\"An unknown error\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 400, "{\"code\":-1001,\"msg\":\"Internal error\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 400, "{\"code\":-1006,\"msg\":\"x\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 504, "{\"code\":-1007,\"msg\":\"Timeout waiting for response\"}",
         ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 408, "", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 500, "{\"code\":-2010,\"msg\":\"x\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 502, "<html>Bad gateway</html>", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 503, "", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 200, "{\"symbol\":\"LTC", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 200, "<html></html>", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 200, "", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 301, "", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 0, "", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        /* later */
        {ACCOUNT_PLACE, 503, "{\"code\":-1008,\"msg\":\"Server is currently overloaded\"}",
         ACCOUNT_LATER, ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 400, "{\"code\":-1015,\"msg\":\"Too many new orders.\"}", ACCOUNT_LATER,
         ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 400, "{\"code\":-1016,\"msg\":\"This service is no longer available.\"}",
         ACCOUNT_LATER, ERR_VENUE_UNREACHABLE},
        /* not found */
        {ACCOUNT_QUERY, 400, "{\"code\":-2013,\"msg\":\"Order does not exist.\"}",
         ACCOUNT_NOT_FOUND, ERR_VENUE_REQUEST},
        {ACCOUNT_CANCEL, 400, "{\"code\":-2011,\"msg\":\"Unknown order sent.\"}", ACCOUNT_NOT_FOUND,
         ERR_VENUE_REQUEST},
        {ACCOUNT_QUERY, 400, "{\"code\":-2026,\"msg\":\"archived\"}", ACCOUNT_NOT_FOUND,
         ERR_VENUE_REQUEST},
        /* key and clock */
        {ACCOUNT_PLACE, 400, "{\"code\":-1022,\"msg\":\"Signature\"}", ACCOUNT_KEY,
         ERR_VENUE_ACCESS},
        {ACCOUNT_PLACE, 401, "{\"code\":-2014,\"msg\":\"API-key format invalid.\"}", ACCOUNT_KEY,
         ERR_VENUE_ACCESS},
        {ACCOUNT_PLACE, 401, "{\"code\":-2015,\"msg\":\"Invalid API-key, IP\"}", ACCOUNT_KEY,
         ERR_VENUE_ACCESS},
        {ACCOUNT_PLACE, 400, "{\"code\":-1021,\"msg\":\"Timestamp for this request\"}",
         ACCOUNT_CLOCK, ERR_VENUE_CLOCK},
        /* limits */
        {ACCOUNT_PLACE, 429, "{\"code\":-1003,\"msg\":\"Too much request weight used\"}",
         ACCOUNT_LIMITED, ERR_VENUE_LIMITED},
        {ACCOUNT_PLACE, 429, "", ACCOUNT_LIMITED, ERR_VENUE_LIMITED},
        {ACCOUNT_PLACE, 400, "{\"code\":-1003,\"msg\":\"Too many requests queued.\"}",
         ACCOUNT_LIMITED, ERR_VENUE_LIMITED},
        {ACCOUNT_PLACE, 418, "{\"code\":-1003,\"msg\":\"Way too much; IP banned until 1\"}",
         ACCOUNT_BANNED, ERR_VENUE_BANNED},
        {ACCOUNT_PLACE, 418, "", ACCOUNT_BANNED, ERR_VENUE_BANNED},
        {ACCOUNT_PLACE, 403, "<html>Forbidden</html>", ACCOUNT_BANNED, ERR_VENUE_BANNED},
        /* closed */
        {ACCOUNT_PLACE, 400, "{\"code\":-2010,\"msg\":\"Market is closed.\"}", ACCOUNT_CLOSED,
         ERR_VENUE_HALTED},
        /* not from the venue's own code */
        {ACCOUNT_PLACE, 404, "<html>", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_STREAM, 410, "<html>", ACCOUNT_REFUSED, ERR_VENUE_REQUEST},
    };
    rig_judges("binance", cases, COUNT_OF(cases));
    /* The venue's words are shown, without what could forge a line. */
    assert_int_equal(
        rig_judge("binance", &err, ACCOUNT_PLACE, 400, "{\"code\":-2010,\"msg\":\"a\\u001bb\"}"),
        ACCOUNT_REFUSED);
    assert_string_equal(err.context, "binance: a?b");
}

/* ---------------------------------------------------------------- answers */

#define RESTRICTIONS                                                                         \
    "{\"ipRestrict\":true,\"createTime\":1,\"enableReading\":true,\"enableWithdrawals\":%s," \
    "\"enableInternalTransfer\":false,\"permitsUniversalTransfer\":%s,"                      \
    "\"enableSpotAndMarginTrading\":true}"

static int check(const char *text, struct account_permissions *ret)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    return api->read_check(root, ret, &err);
}

static void permissions_are_read(void **state)
{
    (void)state;
    struct account_permissions can;
    char text[512];
    (void)snprintf(text, sizeof(text), RESTRICTIONS, "false", "false");
    assert_int_equal(check(text, &can), 0);
    assert_true(can.reads && can.trades && can.bound);
    assert_false(can.withdraws || can.withdraws_unknown);
    (void)snprintf(text, sizeof(text), RESTRICTIONS, "false", "true");
    assert_int_equal(check(text, &can), 0);
    assert_true(can.withdraws);
    (void)snprintf(text, sizeof(text), RESTRICTIONS, "\"false\"", "true");
    assert_int_equal(check(text, &can), -ERR_VENUE_DATA);
    assert_has(err.context, "binance /sapi/v1/account/apiRestrictions, enableWithdrawals is false, "
                            "not true or false");
    assert_int_equal(check("{\"enableReading\":true,\"ipRestrict\":false,\"enableWithdrawals\":"
                           "false,\"enableSpotAndMarginTrading\":false}",
                           &can),
                     0);
    assert_true(can.withdraws_unknown && !can.trades && !can.bound);
    assert_int_equal(check("{}", &can), -ERR_VENUE_DATA);
    assert_int_equal(check("[]", &can), -ERR_VENUE_DATA);
    /* Of the sandbox: what the account may do says nothing about the key. */
    assert_int_equal(check("{\"canTrade\":true,\"canWithdraw\":false,\"balances\":[]}", &can), 0);
    assert_true(can.trades && can.withdraws_unknown && !can.withdraws);
}

#define RULES                                                                                  \
    "{\"symbols\":[{\"symbol\":\"BTCUSDC\",\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDC\"},"    \
    "{\"symbol\":\"BTCUSDT\",\"status\":\"%s\",\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\"," \
    "\"isSpotTradingAllowed\":true,\"new\":[{}],\"filters\":[%s]}]}"
#define PRICE "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.01\",\"tickSize\":\"0.01000000\"}"
#define LOT                                                                                \
    "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.00001000\",\"maxQty\":\"9000.00000000\"," \
    "\"stepSize\":\"0.00001000\"}"

static int rules(const char *status, const char *filters, struct instrument *ret)
{
    struct exchange_market market;
    char text[2048];
    (void)snprintf(text, sizeof(text), RULES, status, filters);
    AUTO_JSON struct json_object *root = rig_parse(text);
    err_clear(&err);
    int rc = api->read_rules(root, &(struct symbol){.name = "BTC-USDT"}, &market, ret, &err);
    if (rc == 0) {
        assert_string_equal(market.name, "BTCUSDT");
    }
    return rc;
}

static void rules_of_a_market_are_read(void **state)
{
    (void)state;
    struct instrument is;
    assert_int_equal(
        rules("TRADING",
              PRICE "," LOT
                    ",{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0.00000000\",\"maxQty\":"
                    "\"118.5\",\"stepSize\":\"0.00000000\"},{\"filterType\":\"NOTIONAL\","
                    "\"minNotional\":\"5.00000000\"},{\"filterType\":\"MAX_NEW\",\"limit\":5}",
              &is),
        0);
    assert_int_equal(is.status, INSTRUMENT_TRADING);
    assert_int_equal(is.tick.e8, DEC_ONE / 100);
    assert_int_equal(is.step.e8, 1000);
    assert_int_equal(is.min_qty.e8, 1000);
    assert_int_equal(is.max_qty.e8, 11850000000);
    assert_int_equal(is.min_notional.e8, 5 * DEC_ONE);
    assert_int_equal(rules("TRADING",
                           PRICE "," LOT ",{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0.1\","
                                 "\"maxQty\":\"0\",\"stepSize\":\"0.1\"},{\"filterType\":"
                                 "\"MIN_NOTIONAL\",\"minNotional\":\"10\"}",
                           &is),
                     0);
    assert_int_equal(is.step.e8, DEC_ONE / 10);
    assert_int_equal(is.min_qty.e8, DEC_ONE / 10);
    assert_int_equal(is.max_qty.e8, 9000 * DEC_ONE);
    assert_int_equal(is.min_notional.e8, 10 * DEC_ONE);
    static const char *const halted[] = {"BREAK", "HALT", "CANCEL_ONLY", "SOMETHING_NEW"};
    for (size_t i = 0; i < COUNT_OF(halted); i++) {
        assert_int_equal(rules(halted[i], PRICE "," LOT, &is), 0);
        assert_int_equal(is.status, INSTRUMENT_HALTED);
    }
    static const struct {
        const char *filters, *context;
    } bad[] = {
        {"", "filters has no PRICE_FILTER or no LOT_SIZE"},
        {PRICE, "filters has no PRICE_FILTER or no LOT_SIZE"},
        {LOT, "filters has no PRICE_FILTER or no LOT_SIZE"},
        {"7", "filters has no PRICE_FILTER"},
        {"{\"filterType\":\"PRICE_FILTER\",\"tickSize\":0.01}," LOT, "tickSize is 0.01"},
        {"{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"1e-2\"}," LOT, "tickSize is 1e-2"},
        {"{\"filterType\":\"PRICE_FILTER\",\"tickSize\":null}," LOT, "tickSize is nothing"},
        {PRICE ",{\"filterType\":\"LOT_SIZE\",\"minQty\":\"1\",\"maxQty\":\"-2\",\"stepSize\":"
               "\"1\"}",
         "maxQty is -2"},
        {PRICE "," LOT ",{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0\",\"maxQty\":\"0\","
               "\"stepSize\":\"0.000015\"}",
         "stepSize does not fit"},
        {PRICE "," LOT ",{\"filterType\":\"NOTIONAL\",\"minNotional\":[]}",
         "minNotional is an array"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(rules("TRADING", bad[i].filters, &is), -ERR_VENUE_DATA);
        assert_has(err.context, bad[i].context);
        assert_has(err.context, "binance /api/v3/exchangeInfo, row 1");
    }
    AUTO_JSON struct json_object *other = rig_parse("{\"symbols\":[]}");
    AUTO_JSON struct json_object *object = rig_parse("{\"symbols\":{}}");
    struct exchange_market market;
    const struct symbol symbol = {.name = "BTC-USDT"};
    assert_int_equal(api->read_rules(other, &symbol, &market, &is, &err), -ERR_VENUE_SYMBOL);
    assert_int_equal(api->read_rules(object, &symbol, &market, &is, &err), -ERR_VENUE_DATA);
    assert_int_equal(api->read_rules(object, &symbol, &market, &is, NULL), -ERR_VENUE_DATA);
}

static int coins(const char *text)
{
    char next[ACCOUNT_CURSOR_SIZE];
    AUTO_JSON struct json_object *root = rig_parse(text);
    return api->read_coins(root, rows.coins, &rows.count, next, &err);
}

static void balances_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        coins("{\"balances\":[{\"asset\":\"BTC\",\"free\":\"1.25\",\"locked\":\"0.75000000\"},"
              "{\"asset\":\"\345\270\201\345\256\211\",\"free\":\"1\",\"locked\":\"0\"},"
              "{\"asset\":\"USDT\",\"free\":\"0.00000000\",\"locked\":\"5\"}]}"),
        0);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.coins[0].currency, "BTC");
    assert_int_equal(rows.coins[0].total.e8, 2 * DEC_ONE);
    assert_int_equal(rows.coins[0].available.e8, 5 * DEC_ONE / 4);
    assert_int_equal(rows.coins[1].total.e8, 5 * DEC_ONE);
    static const struct rig_bad bad[] = {
        {"{\"balances\":[{\"asset\":\"BTC\",\"free\":\"-1\",\"locked\":\"0\"}]}", "free is -1"},
        {"{\"balances\":[{\"asset\":\"BTC\",\"free\":\"0.000000000000000001\",\"locked\":\"0\"}]}",
         "free is 0.000000000000000001"},
        {"{\"balances\":[{\"asset\":\"BTC\",\"free\":1,\"locked\":\"0\"}]}", "free is 1,"},
        {"{\"balances\":[{\"asset\":\"BTC\",\"free\":\"NaN\",\"locked\":\"0\"}]}", "free is NaN"},
        {"{\"balances\":[{\"asset\":\"BTC\",\"free\":\"1\"}]}", "locked is nothing"},
        {"{\"balances\":[{\"asset\":null,\"free\":\"1\",\"locked\":\"0\"}]}", "asset is nothing"},
        {"{\"balances\":[[]]}", "asset is nothing"},
        {"{\"balances\":{}}", "balances is an object, not an array"},
        {"[]", "balances is nothing, not an array"},
        {"{\"balances\":[{\"asset\":\"B\",\"free\":\"90000000000\",\"locked\":\"90000000000\"}]}",
         "free is too large"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        rig_refused(&err, coins(bad[i].value), &bad[i], "binance /api/v3/account");
    }
}

#define ORDER                                                                                     \
    "\"symbol\":\"LTCBTC\",\"orderId\":28,\"orderListId\":-1,\"clientOrderId\":\"ndK7QF-1-2\","   \
    "\"price\":\"0.1\",\"origQty\":\"3.00000000\",\"executedQty\":\"2\",\"timeInForce\":\"GTC\"," \
    "\"status\":\"PARTIALLY_FILLED\",\"type\":\"LIMIT\",\"side\":\"BUY\""

static int order(enum account_call call, const char *text, struct account_order *ret)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    rows.count = -1;
    return api->read_order(call, root, ret, rows.fills, &rows.count, &err);
}

static void an_order_is_read(void **state)
{
    (void)state;
    struct account_order is;
    assert_int_equal(
        order(ACCOUNT_PLACE,
              "{" ORDER ",\"transactTime\":1507725176595,\"new\":[1],\"fills\":["
              "{\"price\":\"0.1\",\"qty\":\"1.5\",\"commission\":\"0.0015\",\"commissionAsset\":"
              "\"LTC\",\"tradeId\":56},{\"price\":\"0.09\",\"qty\":\"0.5\",\"commission\":\"0\","
              "\"commissionAsset\":null,\"tradeId\":57}]}",
              &is),
        0);
    assert_string_equal(is.client_id, "ndK7QF-1-2");
    assert_string_equal(is.id, "28");
    assert_string_equal(is.market, "LTCBTC");
    assert_int_equal(is.state, ORDER_PARTIAL);
    assert_int_equal(is.type, ORDER_TYPE_LIMIT);
    assert_true(is.buys);
    assert_int_equal(is.qty.e8, 3 * DEC_ONE);
    assert_int_equal(is.filled_qty.e8, 2 * DEC_ONE);
    assert_int_equal(is.price.e8, DEC_ONE / 10);
    assert_int_equal(is.stop_price.e8, 0);
    assert_int_equal(is.at_us, INT64_C(1507725176595000));
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.fills[0].id, "56");
    assert_string_equal(rows.fills[0].order_id, "28");
    assert_string_equal(rows.fills[0].client_id, "ndK7QF-1-2");
    assert_string_equal(rows.fills[0].fee_currency, "LTC");
    assert_int_equal(rows.fills[0].fee.e8, 150000);
    assert_int_equal(rows.fills[1].qty.e8, DEC_ONE / 2);
    assert_string_equal(rows.fills[1].fee_currency, "");
    assert_int_equal(rows.fills[1].at_us, is.at_us);
    assert_true(rows.fills[1].buys);
    /* A cancellation has a client id of its own. */
    assert_int_equal(order(ACCOUNT_CANCEL,
                           "{\"symbol\":\"LTCBTC\",\"origClientOrderId\":\"ndK7QF-1-2\","
                           "\"orderId\":28,\"clientOrderId\":\"cancelMyOrder1\",\"transactTime\":"
                           "1684804350068,\"price\":\"2\",\"origQty\":\"1\",\"executedQty\":\"0\","
                           "\"status\":\"CANCELED\",\"type\":\"STOP_LOSS\",\"side\":\"SELL\","
                           "\"stopPrice\":\"0.5\"}",
                           &is),
                     0);
    assert_string_equal(is.client_id, "ndK7QF-1-2");
    assert_int_equal(is.state, ORDER_CANCELLED);
    assert_int_equal(is.type, ORDER_TYPE_STOP);
    assert_int_equal(is.stop_price.e8, DEC_ONE / 2);
    assert_int_equal(rows.count, 0);
    /* An acknowledgement only. */
    assert_int_equal(order(ACCOUNT_PLACE,
                           "{\"symbol\":\"LTCBTC\",\"orderId\":28,\"clientOrderId\":\"a\","
                           "\"transactTime\":1684804350068}",
                           &is),
                     0);
    assert_int_equal(is.qty.e8, 0);
}

static void states_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word, *filled;
        enum order_state state;
        const char *reason;
    } words[] = {
        {"NEW", "0", ORDER_ACKED, ""},
        {"NEW", "1", ORDER_PARTIAL, ""},
        {"PENDING_NEW", "0", ORDER_ACKED, ""},
        {"PARTIALLY_FILLED", "1", ORDER_PARTIAL, ""},
        {"FILLED", "2", ORDER_FILLED, ""},
        {"CANCELED", "1", ORDER_CANCELLED, ""},
        {"EXPIRED", "0", ORDER_CANCELLED, "expired"},
        {"EXPIRED_IN_MATCH", "0", ORDER_CANCELLED, "it met an order of its own"},
        {"REJECTED", "0", ORDER_REJECTED, "rejected"},
    };
    struct account_order is;
    char text[512];
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        (void)snprintf(text, sizeof(text),
                       "{\"symbol\":\"A\",\"orderId\":1,\"clientOrderId\":\"\",\"updateTime\":"
                       "1684804350068,\"origQty\":\"2\",\"executedQty\":\"%s\",\"status\":\"%s\","
                       "\"type\":\"MARKET\",\"side\":\"SELL\"}",
                       words[i].filled, words[i].word);
        assert_int_equal(order(ACCOUNT_QUERY, text, &is), 0);
        assert_int_equal(is.state, words[i].state);
        assert_string_equal(is.reason, words[i].reason);
        assert_string_equal(is.client_id, "");
    }
}

static void what_is_no_order_is_refused(void **state)
{
    (void)state;
    /* What replaces one member of a good answer. */
    static const struct {
        const char *from, *to, *context;
    } bad[] = {
        {"\"orderId\":28", "\"orderId\":18446744073709551615", "orderId is 18446744073709551615"},
        {"\"orderId\":28", "\"orderId\":9223372036854775807", "orderId is 9223372036854775807"},
        {"\"orderId\":28", "\"orderId\":-1", "orderId is -1"},
        {"\"orderId\":28", "\"orderId\":\"28\"", "orderId is 28, not a whole number"},
        {"\"orderId\":28", "\"orderId\":28.5", "orderId is 28.5"},
        {"\"orderId\":28", "\"orderId\":null", "orderId is nothing"},
        {"\"origQty\":\"3.00000000\"", "\"origQty\":3.0", "origQty is 3"},
        {"\"origQty\":\"3.00000000\"", "\"origQty\":\"3e0\"", "origQty is 3e0"},
        {"\"origQty\":\"3.00000000\"", "\"origQty\":\"1\"", "is filled by more than its quantity"},
        {"\"executedQty\":\"2\"", "\"executedQty\":\"-2\"", "executedQty is -2"},
        {"\"executedQty\":\"2\"", "\"new\":1", "executedQty is nothing"},
        {"\"price\":\"0.1\"", "\"price\":\"0.1000000000000000000\"", "price is 0.1000000000000000"},
        {"\"status\":\"PARTIALLY_FILLED\"", "\"status\":\"FILLED\"", "a part is not filled"},
        {"\"status\":\"PARTIALLY_FILLED\"", "\"status\":\"NEWER\"",
         "status is NEWER, not a word that nightdesk knows"},
        {"\"status\":\"PARTIALLY_FILLED\"", "\"status\":7", "status is 7"},
        {"\"side\":\"BUY\"", "\"side\":\"buy\"", "side is buy"},
        {"\"type\":\"LIMIT\"", "\"type\":{}", "type is an object"},
        {"\"symbol\":\"LTCBTC\"", "\"symbol\":\"<b>LTC BTC</b>\"", "symbol is <b>LTC BTC</b>"},
        {"\"symbol\":\"LTCBTC\"", "\"symbol\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"",
         "symbol is too long"},
        {"1507725176595", "1507725176", "not a time in milliseconds"},
        {"1507725176595", "1507725176595000", "not a time in milliseconds"},
        {"1507725176595", "1507725176595000000", "not a time in milliseconds"},
        {"1507725176595", "\"2017-10-11T12:32:56Z\"", "transactTime is 2017-10-11T12:32:56Z"},
        {"\"fills\":[]", "\"fills\":{}", "fills is an object"},
        {"\"fills\":[]", "\"fills\":[7]", "row 0, tradeId is nothing"},
    };
    struct account_order is;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(2048);
        rig_replace(&text, "{" ORDER ",\"transactTime\":1507725176595,\"fills\":[]}", bad[i].from,
                    bad[i].to);
        rig_refused(&err, order(ACCOUNT_PLACE, text.data, &is),
                    &(struct rig_bad){text.data, bad[i].context}, "binance /api/v3/order");
    }
    assert_int_equal(order(ACCOUNT_PLACE, "[]", &is), -ERR_VENUE_DATA);
    assert_int_equal(order(ACCOUNT_PLACE, "7", &is), -ERR_VENUE_DATA);
}

static void open_orders_are_read(void **state)
{
    (void)state;
    const struct account_page page = {.order_id = "", .cursor = ""};
    char next[ACCOUNT_CURSOR_SIZE] = "x";
    AUTO_JSON struct json_object *two = rig_parse(
        "[{" ORDER ",\"updateTime\":1507725176595},{\"symbol\":\"ETHBTC\",\"orderId\":29,"
        "\"clientOrderId\":\"web_1\",\"price\":\"0\",\"origQty\":\"1\",\"executedQty\":\"0\","
        "\"status\":\"NEW\",\"type\":\"TRAILING_NEW\",\"side\":\"SELL\",\"updateTime\":"
        "1507725176595}]");
    AUTO_JSON struct json_object *object = rig_parse("{}");
    AUTO_JSON struct json_object *bad = rig_parse("[{" ORDER ",\"updateTime\":1507725176595},[]]");
    assert_int_equal(api->read_open(&page, two, rows.orders, &rows.count, next, &err), 0);
    assert_int_equal(rows.count, 2);
    assert_string_equal(next, "");
    assert_string_equal(rows.orders[1].client_id, "web_1");
    assert_int_equal(rows.orders[1].type, ORDER_TYPE_STOP);
    assert_int_equal(api->read_open(&page, object, rows.orders, &rows.count, next, &err),
                     -ERR_VENUE_DATA);
    assert_int_equal(api->read_open(&page, bad, rows.orders, &rows.count, next, &err),
                     -ERR_VENUE_DATA);
    assert_has(err.context, "binance /api/v3/openOrders, row 1, symbol is nothing");
}

#define FILL                                                                                    \
    "{\"symbol\":\"LTCBTC\",\"id\":%d,\"orderId\":28,\"price\":\"4.00000100\",\"qty\":\"12\","  \
    "\"quoteQty\":\"48.000012\",\"commission\":\"-0.01\",\"commissionAsset\":\"BNB\",\"time\":" \
    "1499865549590,\"isBuyer\":false,\"isMaker\":true,\"isBestMatch\":true}"

static int fills(const struct account_page *page, int first, int count, char *next)
{
    AUTO_BUF struct buf text = BUF_INIT(400000);
    buf_add_char(&text, '[');
    for (int i = 0; i < count; i++) {
        buf_add_c(&text, i > 0 ? "," : "");
        buf_addf(&text, FILL, first + i);
    }
    buf_add_char(&text, ']');
    AUTO_JSON struct json_object *root = rig_parse(text.data);
    return api->read_fills(page, root, rows.fills, &rows.count, next, &err);
}

#define DAY_MS INT64_C(86400000)

static void fills_are_read_page_by_page(void **state)
{
    (void)state;
    char next[ACCOUNT_CURSOR_SIZE];
    struct account_page page = {.market = &ltc, .order_id = "28", .cursor = ""};
    api->add_fills(&page, &asked);
    assert_int_equal(asked.weight, 5);
    rig_asked(&asked, ACCOUNT_GET, "/api/v3/myTrades?symbol=LTCBTC&orderId=28&limit=1000", "");
    assert_int_equal(fills(&page, 7, 1, next), 0);
    assert_string_equal(next, "");
    assert_string_equal(rows.fills[0].id, "7");
    assert_string_equal(rows.fills[0].client_id, "");
    assert_int_equal(rows.fills[0].fee.e8, -1000000);
    assert_false(rows.fills[0].buys);
    assert_int_equal(rows.fills[0].at_us, INT64_C(1499865549590000));
    assert_int_equal(fills(&page, 7, 1000, next), 0);
    page.cursor = next;
    api->add_fills(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET,
              "/api/v3/myTrades?symbol=LTCBTC&orderId=28&fromId=1007&limit=1000", "");
    /* Of a time: day by day, until there is one; from there on by number. */
    page = (struct account_page){.market = &ltc,
                                 .order_id = "",
                                 .since_us = 1000 * DAY_MS * 17000,
                                 .until_us = 1000 * (DAY_MS * 17001 + 5),
                                 .cursor = ""};
    api->add_fills(&page, &asked);
    assert_int_equal(asked.weight, 20);
    rig_asked(&asked, ACCOUNT_GET,
              "/api/v3/myTrades?symbol=LTCBTC&startTime=1468800000000&endTime=1468886399999"
              "&limit=1000",
              "");
    assert_int_equal(fills(&page, 0, 0, next), 0);
    page.cursor = next;
    api->add_fills(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET,
              "/api/v3/myTrades?symbol=LTCBTC&startTime=1468886400000&endTime=1468972799999"
              "&limit=1000",
              "");
    char last[ACCOUNT_CURSOR_SIZE];
    assert_int_equal(fills(&page, 0, 0, last), 0);
    assert_string_equal(last, "");
    assert_int_equal(fills(&page, 40, 2, last), 0);
    page.cursor = last;
    api->add_fills(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET, "/api/v3/myTrades?symbol=LTCBTC&fromId=42&limit=1000", "");
    assert_int_equal(fills(&page, 42, 3, next), 0);
    assert_string_equal(next, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
UNIT_GROUP(binance, TEST(an_order_is_signed_as_documented), TEST(keys_are_checked),
           TEST(orders_are_asked_for), TEST(a_pair_is_one_list), TEST(what_is_asked),
           TEST(answers_are_judged), TEST(permissions_are_read), TEST(rules_of_a_market_are_read),
           TEST(balances_are_read), TEST(an_order_is_read), TEST(states_are_read),
           TEST(what_is_no_order_is_refused), TEST(open_orders_are_read),
           TEST(fills_are_read_page_by_page))
