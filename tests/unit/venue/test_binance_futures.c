#include "account_rig.h"
#include "base/check.h"
#include "unit/unit.h"
#include "venue/stream.h"

#include <string.h>

static struct account_request asked;
static struct err err;
static struct rig_rows rows;

/* Binance USD-M futures: what differs from spot. */

static const struct exchange_market btc = {.symbol = {.name = "BTC-USDT"}, .name = "BTCUSDT"};
static const struct account_api *api;

static int setup(void **state)
{
    (void)state;
    api = account_api_find("binance_futures");
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
        .id = STR_LIT("dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83"),
        .secret = STR_LIT("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9")};
    const struct account_moment moment = {.wall_us = INT64_C(1591702613943000)};
    asked.method = ACCOUNT_POST;
    buf_add_c(&asked.body,
              "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC");
    assert_int_equal(api->sign(&key, &moment, &asked, &err), 0);
    assert_string_equal(
        asked.body.data,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
        "&timestamp=1591702613943"
        "&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9");
}

static void a_listen_key_is_asked_for_without_signature(void **state)
{
    (void)state;
    const struct account_key key = {.id = STR_LIT("abc"), .secret = STR_LIT(RIG_SECRET)};
    const struct account_moment moment = {.wall_us = INT64_C(1591702613943000)};
    AUTO_BUF struct buf text = BUF_INIT(256);
    AUTO_JSON struct json_object *good = rig_parse("{\"listenKey\":\"pqia91ma19a5s61c\"}");
    AUTO_JSON struct json_object *bad = rig_parse("{\"listenKey\":\"pqia91 ma19a5s61c\"}");
    api->add_stream_key(NULL, &asked);
    assert_int_equal(api->sign(&key, &moment, &asked, &err), 0);
    assert_string_equal(asked.headers.data, "X-MBX-APIKEY: abc\n");
    rig_asked(&asked, ACCOUNT_POST, "/fapi/v1/listenKey", "");
    api->add_stream_key("pqia91ma19a5s61c", &asked);
    rig_asked(&asked, ACCOUNT_PUT, "/fapi/v1/listenKey", "");
    assert_int_equal(api->read_stream_key(bad, &text, &err), -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v1/listenKey, listenKey is");
    assert_int_equal(api->read_stream_key(good, &text, &err), 0);
    assert_string_equal(text.data, "pqia91ma19a5s61c");
    buf_clear(&text);
    api->add_stream_path("a/b", &text);
    assert_string_equal(text.data, "/ws?listenKey=a%2Fb");
}

static void orders_are_asked_for(void **state)
{
    (void)state;
    static const struct {
        enum order_type type;
        enum time_in_force tif;
        bool post_only, reduce_only;
        const char *path, *body;
    } orders[] = {
        {ORDER_TYPE_MARKET, TIF_GTC, false, true, "/fapi/v1/order",
         "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.002&reduceOnly=true"
         "&newClientOrderId=nd1&newOrderRespType=RESULT"},
        {ORDER_TYPE_LIMIT, TIF_IOC, false, false, "/fapi/v1/order",
         "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=0.002&price=60000.1&timeInForce=IOC"
         "&newClientOrderId=nd1&newOrderRespType=RESULT"},
        {ORDER_TYPE_LIMIT, TIF_GTC, true, false, "/fapi/v1/order",
         "symbol=BTCUSDT&side=SELL&type=LIMIT&quantity=0.002&price=60000.1&timeInForce=GTX"
         "&newClientOrderId=nd1&newOrderRespType=RESULT"},
        {ORDER_TYPE_STOP, TIF_GTC, false, true, "/fapi/v1/algoOrder",
         "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&quantity=0.002"
         "&triggerPrice=60000.1&reduceOnly=true&clientAlgoId=nd1"},
    };
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        const struct account_order_ask ask = {
            .market = &btc,
            .client_id = "nd1",
            .type = orders[i].type,
            .time_in_force = orders[i].tif,
            .post_only = orders[i].post_only,
            .reduce_only = orders[i].reduce_only,
            .qty = {200000},
            .price = {orders[i].type == ORDER_TYPE_MARKET ? 0 : INT64_C(6000010000000)}};
        api->add_order(&ask, &asked);
        assert_int_equal(asked.order_weight, 1);
        rig_asked(&asked, ACCOUNT_POST, orders[i].path, orders[i].body);
    }
}

static void an_order_is_looked_for_where_it_may_be(void **state)
{
    (void)state;
    static const struct {
        enum order_type type;
        const char *client_id, *id, *paths[2], *cancel;
    } finds[] = {
        {ORDER_TYPE_LIMIT,
         "nd1",
         "",
         {"/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=nd1", NULL},
         "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=nd1"},
        {ORDER_TYPE_LIMIT,
         "nd1",
         "28",
         {"/fapi/v1/order?symbol=BTCUSDT&orderId=28", NULL},
         "/fapi/v1/order?symbol=BTCUSDT&orderId=28"},
        {ORDER_TYPE_STOP,
         "nd1",
         "",
         {"/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=nd1",
          "/fapi/v1/algoOrder?clientAlgoId=nd1"},
         "/fapi/v1/algoOrder?clientAlgoId=nd1"},
        {ORDER_TYPE_STOP,
         "nd1",
         "algo:7",
         {"/fapi/v1/algoOrder?algoId=7", "/fapi/v1/order?symbol=BTCUSDT&origClientOrderId=nd1"},
         "/fapi/v1/algoOrder?algoId=7"},
        {ORDER_TYPE_STOP,
         "nd1",
         "28",
         {"/fapi/v1/order?symbol=BTCUSDT&orderId=28", NULL},
         "/fapi/v1/order?symbol=BTCUSDT&orderId=28"},
        {ORDER_TYPE_MARKET,
         "",
         "algo:7",
         {"/fapi/v1/algoOrder?algoId=7", NULL},
         "/fapi/v1/algoOrder?algoId=7"},
    };
    for (size_t i = 0; i < COUNT_OF(finds); i++) {
        const struct account_find find = {.market = &btc,
                                          .client_id = finds[i].client_id,
                                          .id = finds[i].id,
                                          .type = finds[i].type};
        int step = 0;
        for (; step < 2 && finds[i].paths[step] != NULL; step++) {
            assert_true(api->add_query(&find, step, &asked));
            rig_asked(&asked, ACCOUNT_GET, finds[i].paths[step], "");
        }
        assert_false(api->add_query(&find, step, &asked));
        api->add_cancel(&find, &asked);
        rig_asked(&asked, ACCOUNT_DELETE, finds[i].cancel, "");
    }
}

static void what_is_asked(void **state)
{
    (void)state;
    struct account_page page = {.order_id = "",
                                .since_us = INT64_C(1500000000000000),
                                .until_us = INT64_C(1500000001000000),
                                .cursor = ""};
    api->add_check(false, &asked);
    rig_asked(&asked, ACCOUNT_GET, "/sapi/v1/account/apiRestrictions", "");
    assert_string_equal(api->check_url, "https://api.binance.com");
    api->add_check(true, &asked);
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v1/accountConfig", "");
    api->add_rules(&btc.symbol, 1, &asked);
    assert_true(asked.is_public);
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v1/exchangeInfo", "");
    api->add_coins("", &asked);
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v3/balance", "");
    api->add_positions(&asked);
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v3/positionRisk", "");
    api->add_funding(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/income?incomeType=FUNDING_FEE&startTime=1500000000000"
              "&endTime=1500000001000&page=1&limit=1000",
              "");
    page.cursor = "1500000000500/3";
    api->add_funding(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/income?incomeType=FUNDING_FEE&startTime=1500000000500"
              "&endTime=1500000001000&page=3&limit=1000",
              "");
    page.cursor = "";
    page.until_us += 8 * USEC_PER_DAY; /* in ranges of less than seven days */
    api->add_funding(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/income?incomeType=FUNDING_FEE&startTime=1500000000000"
              "&endTime=1500604740000&page=1&limit=1000",
              "");
    page.until_us -= 8 * USEC_PER_DAY;
    api->add_forced(&page, &asked); /* of the last seven days */
    assert_int_equal(asked.weight, 50);
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/forceOrders?startTime=1500000000000&endTime=1500000001000&limit=100", "");
    page.cursor = "1500000000999";
    page.market = &btc;
    api->add_forced(&page, &asked);
    assert_int_equal(asked.weight, 5);
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/allOrders?symbol=BTCUSDT&startTime=1500000000999"
              "&endTime=1500000001000&limit=1000",
              "");
    page.cursor = "";
    page.market = NULL;
    page.until_us += 8 * USEC_PER_DAY;
    api->add_forced(&page, &asked);
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/forceOrders?startTime=1500086461000&endTime=1500691201000&limit=100", "");
    page.until_us -= 8 * USEC_PER_DAY;
    api->add_open(&page, &asked);
    assert_int_equal(asked.weight, 40);
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v1/openOrders", "");
    page.cursor = "algo";
    page.market = &btc;
    api->add_open(&page, &asked);
    assert_int_equal(asked.weight, 1);
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v1/openAlgoOrders?symbol=BTCUSDT", "");
    page.cursor = "";
    api->add_fills(&page, &asked); /* of seven days */
    rig_asked(&asked, ACCOUNT_GET,
              "/fapi/v1/userTrades?symbol=BTCUSDT&startTime=1500000000000"
              "&endTime=1500604799999&limit=1000",
              "");
    assert_true(api->add_account_setting(0, &asked));
    rig_asked(&asked, ACCOUNT_GET, "/fapi/v1/accountConfig", "");
    assert_true(api->add_account_setting(1, &asked));
    rig_asked(&asked, ACCOUNT_POST, "/fapi/v1/positionSide/dual", "dualSidePosition=false");
    assert_false(api->add_account_setting(2, &asked));
    assert_true(api->add_setting(0, &btc, 3, &asked));
    rig_asked(&asked, ACCOUNT_POST, "/fapi/v1/marginType", "symbol=BTCUSDT&marginType=CROSSED");
    assert_true(api->add_setting(1, &btc, 3, &asked));
    rig_asked(&asked, ACCOUNT_POST, "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=3");
    assert_false(api->add_setting(2, &btc, 3, &asked));
    api->add_guard(&btc, 120000, &asked);
    rig_asked(&asked, ACCOUNT_POST, "/fapi/v1/countdownCancelAll",
              "symbol=BTCUSDT&countdownTime=120000");
}

/* ---------------------------------------------------------------- verdicts */

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct rig_verdict cases[] = {
        {ACCOUNT_PLACE, 200, "{\"orderId\":1}", ACCOUNT_FINE, 0},
        {ACCOUNT_SETTINGS, 200, "{\"code\":200,\"msg\":\"success\"}", ACCOUNT_FINE, 0},
        {ACCOUNT_SETTINGS, 200, "{\"multiAssetsMargin\":false}", ACCOUNT_FINE, 0},
        {ACCOUNT_SETTINGS, 200, "{\"multiAssetsMargin\":true}", ACCOUNT_REFUSED, ERR_VENUE_MODE},
        {ACCOUNT_CANCEL, 200, "{\"algoId\":1,\"code\":\"200\",\"msg\":\"success\"}", ACCOUNT_FINE,
         0},
        {ACCOUNT_SETTINGS, 400, "{\"code\":-4046,\"msg\":\"No need to change margin type.\"}",
         ACCOUNT_FINE, 0},
        {ACCOUNT_SETTINGS, 400, "{\"code\":-4059,\"msg\":\"No need to change position side.\"}",
         ACCOUNT_FINE, 0},
        {ACCOUNT_SETTINGS, 400, "{\"code\":-4067,\"msg\":\"open orders\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REQUEST},
        {ACCOUNT_SETTINGS, 400, "{\"code\":-4068,\"msg\":\"position\"}", ACCOUNT_REFUSED,
         ERR_VENUE_REQUEST},
        /* four answers with status 503 */
        {ACCOUNT_PLACE, 503,
         "{\"code\":-1000,\"msg\":\"Unknown error, please check your request or try again "
         "later.\"}",
         ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 503, "Unknown error, please check your request or try again later.",
         ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 503, "Service Unavailable.", ACCOUNT_LATER, ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 503, "{\"code\":0,\"msg\":\"Service Unavailable.\"}", ACCOUNT_LATER,
         ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 503,
         "{\"code\":-1001,\"msg\":\"Internal error; unable to process your request. Please try "
         "again.\"}",
         ACCOUNT_LATER, ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 503,
         "{\"code\":-1008,\"msg\":\"Request throttled by system-level protection.\"}",
         ACCOUNT_LATER, ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 503, "<html>Service Unavailable.</html>", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 503, "", ACCOUNT_UNKNOWN, ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 408, "{\"code\":-1007,\"msg\":\"Timeout\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 400, "{\"code\":-1006,\"msg\":\"x\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 400, "{\"code\":-1007,\"msg\":\"x\"}", ACCOUNT_UNKNOWN,
         ERR_VENUE_NO_ANSWER},
        {ACCOUNT_PLACE, 400, "{\"code\":-1015,\"msg\":\"x\"}", ACCOUNT_LATER,
         ERR_VENUE_UNREACHABLE},
        {ACCOUNT_PLACE, 400, "{\"code\":-1016,\"msg\":\"x\"}", ACCOUNT_LATER,
         ERR_VENUE_UNREACHABLE},
        /* refusals */
        {ACCOUNT_PLACE, 400, "{\"code\":-4116,\"msg\":\"ClientOrderId is duplicated.\"}",
         ACCOUNT_DUPLICATE, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-4120,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-2018,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-2019,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-2021,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-2022,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-2023,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-2027,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-4164,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-4061,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-4400,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-5021,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-5022,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REJECTED},
        {ACCOUNT_STREAM, 400, "{\"code\":-1125,\"msg\":\"x\"}", ACCOUNT_REFUSED, ERR_VENUE_REQUEST},
        {ACCOUNT_PLACE, 400, "{\"code\":-4140,\"msg\":\"x\"}", ACCOUNT_CLOSED, ERR_VENUE_HALTED},
        {ACCOUNT_PLACE, 400, "{\"code\":-4141,\"msg\":\"x\"}", ACCOUNT_CLOSED, ERR_VENUE_HALTED},
        {ACCOUNT_QUERY, 400, "{\"code\":-2013,\"msg\":\"x\"}", ACCOUNT_NOT_FOUND,
         ERR_VENUE_REQUEST},
        {ACCOUNT_CANCEL, 400, "{\"code\":-2011,\"msg\":\"Unknown order sent.\"}", ACCOUNT_NOT_FOUND,
         ERR_VENUE_REQUEST},
        {ACCOUNT_PLACE, 400, "{\"code\":-1021,\"msg\":\"x\"}", ACCOUNT_CLOCK, ERR_VENUE_CLOCK},
        {ACCOUNT_PLACE, 400, "{\"code\":-5028,\"msg\":\"x\"}", ACCOUNT_CLOCK, ERR_VENUE_CLOCK},
        {ACCOUNT_PLACE, 401, "{\"code\":-2015,\"msg\":\"x\"}", ACCOUNT_KEY, ERR_VENUE_ACCESS},
        {ACCOUNT_PLACE, 429, "{\"code\":-1003,\"msg\":\"x\"}", ACCOUNT_LIMITED, ERR_VENUE_LIMITED},
        {ACCOUNT_PLACE, 418, "{\"code\":-1003,\"msg\":\"x\"}", ACCOUNT_BANNED, ERR_VENUE_BANNED},
        {ACCOUNT_PLACE, 403, "<html>", ACCOUNT_BANNED, ERR_VENUE_BANNED},
    };
    rig_judges("binance_futures", cases, COUNT_OF(cases));
}

/* ---------------------------------------------------------------- answers */

static void permissions_are_read(void **state)
{
    (void)state;
    struct account_permissions can;
    AUTO_JSON struct json_object *key =
        rig_parse("{\"ipRestrict\":false,\"enableReading\":true,\"enableWithdrawals\":false,"
                  "\"enableInternalTransfer\":false,\"permitsUniversalTransfer\":false,"
                  "\"enableSpotAndMarginTrading\":true,\"enableFutures\":false}");
    AUTO_JSON struct json_object *account = rig_parse("{\"canTrade\":true,\"canWithdraw\":true}");
    assert_int_equal(api->read_check(key, &can, &err), 0);
    assert_true(can.reads && !can.trades && !can.withdraws && !can.withdraws_unknown);
    assert_int_equal(api->read_check(account, &can, &err), 0);
    assert_true(can.trades && can.withdraws_unknown);
}

#define FILTERS(notional)                                                                       \
    "\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"tickSize\":\"0.10\"},{\"filterType\":"     \
    "\"LOT_SIZE\",\"minQty\":\"0.001\",\"maxQty\":\"1000\",\"stepSize\":\"0.001\"},"            \
    "{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0.001\",\"maxQty\":\"120\",\"stepSize\":" \
    "\"0.001\"},{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"" notional "\"}]"
#define CONTRACTS(notional)                                                                    \
    "{\"symbols\":[{\"symbol\":\"BTCUSDT_261225\",\"contractType\":\"CURRENT_QUARTER\","       \
    "\"status\":\"TRADING\",\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\"},{\"symbol\":"       \
    "\"BTCUSDT\",\"contractType\":\"PERPETUAL\",\"status\":\"TRADING\",\"baseAsset\":\"BTC\"," \
    "\"quoteAsset\":\"USDT\"," FILTERS(                                                        \
        notional) "},{\"symbol\":\"ETHUSDT\",\"status\":"                                      \
                  "\"SETTLING\",\"baseAsset\":\"ETH\",\"quoteAsset\":\"USDT\"," FILTERS("5") "}]}"

static void rules_of_a_contract_are_read(void **state)
{
    (void)state;
    struct exchange_market market;
    struct instrument is;
    AUTO_JSON struct json_object *good = rig_parse(CONTRACTS("100"));
    AUTO_JSON struct json_object *bad = rig_parse(CONTRACTS("1e2"));
    assert_int_equal(api->read_rules(good, &btc.symbol, &market, &is, &err), 0);
    assert_string_equal(market.name, "BTCUSDT");
    assert_int_equal(is.status, INSTRUMENT_TRADING);
    assert_int_equal(is.tick.e8, DEC_ONE / 10);
    assert_int_equal(is.max_qty.e8, 120 * DEC_ONE);
    assert_int_equal(is.min_notional.e8, 100 * DEC_ONE);
    assert_int_equal(
        api->read_rules(good, &(struct symbol){.name = "ETH-USDT"}, &market, &is, &err), 0);
    assert_int_equal(is.status, INSTRUMENT_HALTED);
    assert_int_equal(
        api->read_rules(good, &(struct symbol){.name = "SOL-USDT"}, &market, &is, &err),
        -ERR_VENUE_SYMBOL);
    assert_int_equal(api->read_rules(bad, &btc.symbol, &market, &is, &err), -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v1/exchangeInfo, row 1, notional is 1e2");
}

static void balances_are_read(void **state)
{
    (void)state;
    char next[ACCOUNT_CURSOR_SIZE] = "x";
    AUTO_JSON struct json_object *root =
        rig_parse("[{\"accountAlias\":\"SgsR\",\"asset\":\"USDT\",\"balance\":\"122607.35137903\","
                  "\"availableBalance\":\"23.72469206\"},{\"asset\":\"BNB\",\"balance\":"
                  "\"-0.00000001\",\"availableBalance\":\"0.0\"}]");
    AUTO_JSON struct json_object *bad = rig_parse("[{\"asset\":\"USDT\",\"balance\":12}]");
    assert_int_equal(api->read_coins(root, rows.coins, &rows.count, next, &err), 0);
    assert_int_equal(rows.count, 2);
    assert_string_equal(next, "");
    assert_int_equal(rows.coins[0].total.e8, INT64_C(12260735137903));
    assert_int_equal(rows.coins[0].available.e8, INT64_C(2372469206));
    assert_int_equal(rows.coins[1].total.e8, -1);
    assert_int_equal(api->read_coins(bad, rows.coins, &rows.count, next, &err), -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v3/balance, row 0, balance is 12,");
}

#define RISK                                                                              \
    "{\"symbol\":\"BTCUSDT\",\"positionSide\":\"BOTH\",\"positionAmt\":\"-0.005\","       \
    "\"entryPrice\":\"60000.123456789012\",\"breakEvenPrice\":\"60030.1\",\"markPrice\":" \
    "\"60010\",\"unRealizedProfit\":\"-0.05\",\"liquidationPrice\":\"71000.5\","          \
    "\"isolatedMargin\":\"0\",\"notional\":\"-300.05\",\"marginAsset\":\"USDT\","         \
    "\"initialMargin\":\"120.01\",\"maintMargin\":\"1.2\",\"positionInitialMargin\":"     \
    "\"100.01666666\",\"openOrderInitialMargin\":\"20\",\"adl\":2,\"updateTime\":1720736417660}"

static int positions(const char *text, struct account_margin *margin)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    rows.count = -1;
    return api->read_positions(root, rows.positions, &rows.count, margin, &err);
}

static void positions_are_read(void **state)
{
    (void)state;
    struct account_margin margin;
    AUTO_BUF struct buf text = BUF_INIT(4096), orders = BUF_INIT(2048), hedged = BUF_INIT(2048);
    rig_replace(&orders, RISK, "\"positionAmt\":\"-0.005\",\"entryPrice\":\"60000.123456789012\"",
                "\"positionAmt\":\"0.000\",\"entryPrice\":\"0.0\"");
    rig_replace(&hedged, RISK, "\"BOTH\",\"positionAmt\":\"-", "\"LONG\",\"positionAmt\":\"");
    buf_addf(&text, "[%s,%s,%s]", orders.data, RISK, hedged.data);
    assert_int_equal(positions(text.data, &margin), 0);
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.positions[0].market, "BTCUSDT");
    assert_int_equal(rows.positions[0].side, SIDE_SHORT);
    assert_int_equal(rows.positions[0].qty.e8, 500000);
    assert_int_equal(rows.positions[0].entry_price.e8, INT64_C(6000012345678));
    assert_true(rows.positions[0].leverage > 2.99 && rows.positions[0].leverage < 3.01);
    assert_false(rows.positions[0].hedged);
    assert_int_equal(rows.positions[1].side, SIDE_LONG);
    assert_true(rows.positions[1].hedged);
    assert_int_equal(margin.used.e8, INT64_C(36003000000));
    assert_int_equal(margin.maintenance.e8, INT64_C(360000000));
    static const struct {
        const char *from, *to, *context;
    } bad[] = {
        {"\"positionAmt\":\"-0.005\"", "\"positionAmt\":\"-5e-3\"", "positionAmt is -5e-3"},
        {"\"positionAmt\":\"-0.005\"", "\"positionAmt\":null", "positionAmt is nothing"},
        {"\"entryPrice\":\"60000.123456789012\"", "\"entryPrice\":\"0\"", "entryPrice is 0 in a"},
        {"\"entryPrice\":\"60000.123456789012\"", "\"entryPrice\":\"NaN\"", "entryPrice is NaN"},
        {"\"positionSide\":\"BOTH\",", "", "positionSide is nothing"},
        {"\"maintMargin\":\"1.2\"", "\"maintMargin\":[]", "maintMargin is an array"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf one = BUF_INIT(2048), list = BUF_INIT(2048);
        rig_replace(&one, RISK, bad[i].from, bad[i].to);
        buf_addf(&list, "[%s]", one.data);
        rig_refused(&err, positions(list.data, &margin),
                    &(struct rig_bad){list.data, bad[i].context},
                    "binance_futures /fapi/v3/positionRisk, row 0");
    }
    assert_int_equal(positions("{}", &margin), -ERR_VENUE_DATA);
}

#define ORDER                                                                                \
    "{\"orderId\":28,\"symbol\":\"BTCUSDT\",\"status\":\"%s\",\"clientOrderId\":\"nd1\","    \
    "\"price\":\"0\",\"avgPrice\":\"60000.1\",\"origQty\":\"0.010\",\"executedQty\":\"%s\"," \
    "\"cumQuote\":\"600\",\"timeInForce\":\"GTC\",\"type\":\"%s\",\"reduceOnly\":true,"      \
    "\"side\":\"BUY\",\"positionSide\":\"BOTH\",\"stopPrice\":\"0\",\"updateTime\":"         \
    "1566818724722}"
#define ALGO                                                                                       \
    "{\"algoId\":2146760,\"clientAlgoId\":\"nd2\",\"algoType\":\"CONDITIONAL\",\"orderType\":"     \
    "\"STOP_MARKET\",\"symbol\":\"BTCUSDT\",\"side\":\"SELL\",\"positionSide\":\"BOTH\","          \
    "\"timeInForce\":\"GTC\",\"quantity\":\"0.010\",\"algoStatus\":\"%s\",\"actualOrderId\":"      \
    "\"%s\",\"actualPrice\":\"0\",\"triggerPrice\":\"59000\",\"price\":\"0\",\"icebergQuantity\":" \
    "null,\"closePosition\":false,\"createTime\":1750485492076,\"updateTime\":1750485492076}"

static int order(enum account_call call, const char *text, struct account_order *ret)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    return api->read_order(call, root, ret, rows.fills, &rows.count, &err);
}

static void orders_and_stops_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *status, *order_id;
        enum order_state state;
        const char *id;
        int64_t qty;
    } stops[] = {
        {"NEW", "", ORDER_ACKED, "algo:2146760", 1000000},
        {"TRIGGERING", "", ORDER_ACKED, "algo:2146760", 1000000},
        {"TRIGGERED", "77", ORDER_ACKED, "77", 0}, /* ask for 77 */
        {"FINISHED", "77", ORDER_ACKED, "77", 0},
        {"CANCELED", "", ORDER_CANCELLED, "algo:2146760", 1000000},
        {"EXPIRED", "", ORDER_CANCELLED, "algo:2146760", 1000000},
        {"REJECTED", "", ORDER_REJECTED, "algo:2146760", 1000000},
    };
    struct account_order is;
    char text[1024];
    (void)snprintf(text, sizeof(text), ORDER, "FILLED", "0.010", "MARKET");
    assert_int_equal(order(ACCOUNT_PLACE, text, &is), 0);
    assert_int_equal(is.state, ORDER_FILLED);
    assert_int_equal(is.type, ORDER_TYPE_MARKET);
    assert_string_equal(is.client_id, "nd1");
    assert_int_equal(rows.count, 0);
    (void)snprintf(text, sizeof(text), ORDER, "CANCELED", "0.002", "LIMIT");
    assert_int_equal(order(ACCOUNT_CANCEL, text, &is), 0);
    assert_int_equal(is.state, ORDER_CANCELLED);
    assert_int_equal(is.filled_qty.e8, 200000);
    assert_string_equal(is.client_id, "nd1");
    for (size_t i = 0; i < COUNT_OF(stops); i++) {
        (void)snprintf(text, sizeof(text), ALGO, stops[i].status, stops[i].order_id);
        assert_int_equal(order(ACCOUNT_QUERY, text, &is), 0);
        assert_int_equal(is.state, stops[i].state);
        assert_int_equal(is.type, ORDER_TYPE_STOP);
        assert_string_equal(is.id, stops[i].id);
        assert_string_equal(is.client_id, "nd2");
        assert_int_equal(is.qty.e8, stops[i].qty);
        assert_int_equal(is.stop_price.e8, 59000 * DEC_ONE);
    }
    assert_int_equal(order(ACCOUNT_CANCEL,
                           "{\"algoId\":2146760,\"clientAlgoId\":\"nd2\",\"code\":\"200\",\"msg\":"
                           "\"success\"}",
                           &is),
                     0);
    assert_string_equal(is.id, "algo:2146760");
    assert_int_equal(is.qty.e8, 0);
    static const struct rig_bad bad[] = {
        {"{\"algoId\":-1}", "algoId is -1"},
        {"{\"algoId\":1,\"actualOrderId\":\"7x\"}", "actualOrderId is no number of an order"},
        {"{\"algoId\":1,\"clientAlgoId\":7}", "clientAlgoId is 7"},
        {"{\"algoId\":1,\"algoStatus\":\"NEW\"}", "symbol is nothing"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        rig_refused(&err, order(ACCOUNT_QUERY, bad[i].value, &is), &bad[i],
                    "binance_futures /fapi/v1/algoOrder");
    }
    (void)snprintf(text, sizeof(text), ALGO, "NEWER", "");
    assert_int_equal(order(ACCOUNT_QUERY, text, &is), -ERR_VENUE_DATA);
    assert_has(err.context, "algoStatus is NEWER");
}

static void both_lists_of_open_orders_are_read(void **state)
{
    (void)state;
    struct account_page page = {.order_id = "", .cursor = ""};
    char next[ACCOUNT_CURSOR_SIZE], text[2048], one[1024];
    AUTO_JSON struct json_object *none = rig_parse("[]");
    assert_int_equal(api->read_open(&page, none, rows.orders, &rows.count, next, &err), 0);
    assert_string_equal(next, "algo");
    page.cursor = "algo";
    (void)snprintf(one, sizeof(one), ALGO, "NEW", "");
    (void)snprintf(text, sizeof(text), "[%s]", one);
    AUTO_JSON struct json_object *stops = rig_parse(text);
    assert_int_equal(api->read_open(&page, stops, rows.orders, &rows.count, next, &err), 0);
    assert_string_equal(next, "");
    assert_int_equal(rows.count, 1);
    assert_string_equal(rows.orders[0].id, "algo:2146760");
    AUTO_JSON struct json_object *bad = rig_parse("[7]");
    assert_int_equal(api->read_open(&page, bad, rows.orders, &rows.count, next, &err),
                     -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v1/openAlgoOrders, row 0, algoId is nothing");
}

static void fills_and_payments_are_read(void **state)
{
    (void)state;
    struct account_page page = {.market = &btc,
                                .order_id = "28",
                                .since_us = INT64_C(1500000000000000),
                                .until_us = INT64_C(1500000001000000),
                                .cursor = ""};
    char next[ACCOUNT_CURSOR_SIZE];
    AUTO_JSON struct json_object *trades = rig_parse(
        "[{\"buyer\":false,\"commission\":\"-0.07819010\",\"commissionAsset\":\"USDT\",\"id\":"
        "698759,\"maker\":false,\"orderId\":25851813,\"price\":\"7819.01\",\"qty\":\"0.002\","
        "\"quoteQty\":\"15.63802\",\"realizedPnl\":\"-0.91539999\",\"side\":\"SELL\","
        "\"positionSide\":\"SHORT\",\"symbol\":\"BTCUSDT\",\"time\":1569514978020}]");
    assert_int_equal(api->read_fills(&page, trades, rows.fills, &rows.count, next, &err), 0);
    assert_int_equal(rows.count, 1);
    assert_string_equal(rows.fills[0].id, "698759");
    assert_string_equal(rows.fills[0].order_id, "25851813");
    assert_false(rows.fills[0].buys);
    assert_int_equal(rows.fills[0].fee.e8, -7819010);
    AUTO_JSON struct json_object *income =
        rig_parse("[{\"symbol\":\"BTCUSDT\",\"incomeType\":\"FUNDING_FEE\",\"income\":\"-0.375\","
                  "\"asset\":\"USDT\",\"info\":\"FUNDING_FEE\",\"time\":1570608000000,\"tranId\":"
                  "9689322392,\"tradeId\":\"\"}]");
    assert_int_equal(api->read_funding(&page, income, rows.payments, &rows.count, next, &err), 0);
    assert_string_equal(next, "");
    assert_string_equal(rows.payments[0].id, "9689322392");
    assert_int_equal(rows.payments[0].payment.e8, 37500000);
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 1000; i++) {
        buf_addf(&text,
                 "%s{\"symbol\":\"BTCUSDT\",\"income\":\"1\",\"time\":1570608000000,\"tranId\":%d}",
                 i == 0 ? "[" : ",", i);
    }
    buf_add_char(&text, ']');
    AUTO_JSON struct json_object *full = rig_parse(text.data);
    assert_int_equal(api->read_funding(&page, full, rows.payments, &rows.count, next, &err), 0);
    assert_string_equal(next, "1500000000000/2");
    page.cursor = "1500000000000/2";
    assert_int_equal(api->read_funding(&page, full, rows.payments, &rows.count, next, &err), 0);
    assert_string_equal(next, "1500000000000/3");
    page.until_us += 8 * USEC_PER_DAY;
    assert_int_equal(api->read_funding(&page, income, rows.payments, &rows.count, next, &err), 0);
    assert_string_equal(next, "1500604740000/1");
    page.cursor = "1500604740000/1";
    assert_int_equal(api->read_funding(&page, income, rows.payments, &rows.count, next, &err), 0);
    assert_string_equal(next, "");
    AUTO_JSON struct json_object *bad =
        rig_parse("[{\"symbol\":\"A\",\"tranId\":1,\"income\":1.5}]");
    assert_int_equal(api->read_funding(&page, bad, rows.payments, &rows.count, next, &err),
                     -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v1/income, row 0, income is 1.5");
}

/* ---------------------------------------------------------------- the stream of the account */

static int user(const char *text, struct account_event *ret)
{
    int count = 0;
    AUTO_JSON struct json_object *root = rig_parse(text);
    err_clear(&err);
    int rc = api->read_stream(root, ret, &count, &err);
    assert_true(rc < 0 || count == 1);
    return rc;
}

#define TRADE                                                                                  \
    "{\"e\":\"ORDER_TRADE_UPDATE\",\"E\":1568879465651,\"T\":1568879465650,\"o\":{\"s\":"      \
    "\"BTCUSDT\",\"c\":\"nd1\",\"S\":\"SELL\",\"o\":\"MARKET\",\"f\":\"GTC\",\"q\":\"0.002\"," \
    "\"p\":\"0\",\"ap\":\"0\",\"sp\":\"7103.04\",\"x\":\"TRADE\",\"X\":\"FILLED\",\"i\":"      \
    "8886774,\"l\":\"0.001\",\"z\":\"0.002\",\"L\":\"7100\",\"N\":\"USDT\",\"n\":\"0.01\","    \
    "\"T\":1568879465650,\"t\":55,\"b\":\"0\",\"a\":\"9.91\",\"m\":false,\"R\":false,\"ps\":"  \
    "\"BOTH\",\"rp\":\"0\"}}"
#define STOP                                                                                   \
    "{\"e\":\"ALGO_UPDATE\",\"T\":1750515742297,\"E\":1750515742303,\"o\":{\"caid\":\"nd2\","  \
    "\"aid\":2148719,\"at\":\"CONDITIONAL\",\"o\":\"STOP_MARKET\",\"s\":\"BNBUSDT\",\"S\":"    \
    "\"SELL\",\"ps\":\"BOTH\",\"f\":\"GTC\",\"q\":\"0.01\",\"X\":\"%s\",\"ai\":\"%s\",\"tp\":" \
    "\"750\",\"p\":\"0\",\"tt\":0,\"rm\":\"Reduce Only reject\"}}"

static void the_stream_of_the_account_is_read(void **state)
{
    (void)state;
    struct account_event is;
    char text[1024];
    assert_int_equal(user(TRADE, &is), 0);
    assert_int_equal(is.kind, ACCOUNT_EVENT_FILL);
    assert_string_equal(is.order.client_id, "nd1");
    assert_int_equal(is.order.state, ORDER_FILLED);
    assert_string_equal(is.fill.id, "55");
    assert_int_equal(is.fill.qty.e8, 100000);
    assert_string_equal(is.fill.fee_currency, "USDT");
    AUTO_BUF struct buf forced = BUF_INIT(2048), opened = BUF_INIT(2048);
    rig_replace(&forced, TRADE, "\"o\":\"MARKET\",\"f\":\"GTC\"",
                "\"o\":\"LIQUIDATION\",\"f\":\"IOC\"");
    assert_int_equal(user(forced.data, &is), 0);
    assert_int_equal(is.order.type, ORDER_TYPE_MARKET);
    rig_replace(&opened, TRADE, "\"x\":\"TRADE\",\"X\":\"FILLED\"",
                "\"x\":\"CALCULATED\",\"X\":\"FILLED\"");
    assert_int_equal(user(opened.data, &is), 0);
    assert_int_equal(is.kind, ACCOUNT_EVENT_FILL); /* a liquidation */
    static const struct {
        const char *status, *order_id;
        enum account_event_kind kind;
        enum order_state state;
    } stops[] = {
        {"NEW", "", ACCOUNT_EVENT_ORDER, ORDER_ACKED},
        {"TRIGGERING", "", ACCOUNT_EVENT_ORDER, ORDER_ACKED},
        {"TRIGGERED", "77", ACCOUNT_EVENT_ORDER, ORDER_ACKED},
        {"FINISHED", "77", ACCOUNT_EVENT_ORDER, ORDER_ACKED},
        {"CANCELED", "", ACCOUNT_EVENT_ORDER, ORDER_CANCELLED},
        {"EXPIRED", "", ACCOUNT_EVENT_ORDER, ORDER_CANCELLED},
        {"REJECTED", "", ACCOUNT_EVENT_ORDER, ORDER_REJECTED},
    };
    for (size_t i = 0; i < COUNT_OF(stops); i++) {
        (void)snprintf(text, sizeof(text), STOP, stops[i].status, stops[i].order_id);
        assert_int_equal(user(text, &is), 0);
        assert_int_equal(is.kind, stops[i].kind);
        assert_int_equal(is.order.state, stops[i].state);
        assert_string_equal(is.order.client_id, "nd2");
        /* Once it has a number, it is asked for by it. */
        assert_int_equal(is.order.qty.e8 == 0, stops[i].order_id[0] != '\0');
        assert_int_equal(strcmp(is.order.id, "77") == 0, stops[i].order_id[0] != '\0');
    }
    assert_string_equal(is.order.id, "algo:2148719");
    assert_string_equal(is.order.reason, "Reduce Only reject");
    static const struct {
        const char *text;
        enum account_event_kind kind;
    } others[] = {
        {"{\"e\":\"ACCOUNT_UPDATE\",\"E\":1,\"a\":{\"m\":\"FUNDING_FEE\",\"B\":[],\"P\":[]}}",
         ACCOUNT_EVENT_CHANGED},
        {"{\"e\":\"ACCOUNT_CONFIG_UPDATE\",\"E\":1,\"ac\":{}}", ACCOUNT_EVENT_CHANGED},
        {"{\"e\":\"MARGIN_CALL\",\"E\":1736996475556,\"cw\":\"3\",\"p\":[]}", ACCOUNT_EVENT_MARGIN},
        {"{\"e\":\"MARGIN_CALL\",\"E\":1736996475556,\"p\":[{\"s\":\"ETHUSDT\",\"ps\":\"BOTH\"}]}",
         ACCOUNT_EVENT_MARGIN},
        {"{\"e\":\"listenKeyExpired\",\"E\":\"1736996475556\",\"listenKey\":\"WsCM\"}",
         ACCOUNT_EVENT_OVER},
        {"{\"stream\":\"WsCM\",\"data\":{\"e\":\"listenKeyExpired\",\"E\":1}}", ACCOUNT_EVENT_OVER},
        {"{\"e\":\"TRADE_LITE\",\"E\":1}", ACCOUNT_EVENT_NONE},
        {"{\"e\":\"SOMETHING_NEW\"}", ACCOUNT_EVENT_NONE},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(user(others[i].text, &is), 0);
        assert_int_equal(is.kind, others[i].kind);
    }
    static const struct {
        const char *from, *to, *context;
    } bad[] = {
        {"\"l\":\"0.001\"", "\"l\":0.001", "l is 0.001"},
        {"\"i\":8886774", "\"i\":18446744073709551615", "i is 18446744073709551615"},
        {"\"z\":\"0.002\"", "\"z\":\"0.003\"", "is filled by more than its quantity"},
        {"\"z\":\"0.002\"", "\"z\":\"0.001\"", "of which a part is not filled"},
        {"\"n\":\"0.01\"", "\"n\":\"1e-2\"", "commission is 1e-2"},
        {"\"X\":\"FILLED\"", "\"X\":\"DONE\"", "X is DONE"},
        {"\"o\":{", "\"o\":[],\"x\":{", "x is nothing"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf one = BUF_INIT(2048);
        rig_replace(&one, TRADE, bad[i].from, bad[i].to);
        rig_refused(&err, user(one.data, &is), &(struct rig_bad){one.data, bad[i].context},
                    "binance_futures ORDER_TRADE_UPDATE");
    }
    assert_int_equal(user("[]", &is), -ERR_VENUE_DATA);
}

#define FORCED(client, time)                                                                     \
    "{\"orderId\":6071832819,\"symbol\":\"BTCUSDT\",\"status\":\"FILLED\",\"clientOrderId\":"    \
    "\"" client "\",\"price\":\"10871.09\",\"avgPrice\":\"10913.21000\",\"origQty\":\"0.001\","  \
    "\"executedQty\":\"0.001\",\"cumQuote\":\"10.91321\",\"timeInForce\":\"IOC\",\"type\":"      \
    "\"LIMIT\",\"reduceOnly\":false,\"closePosition\":false,\"side\":\"SELL\",\"positionSide\":" \
    "\"BOTH\",\"stopPrice\":\"0\",\"workingType\":\"CONTRACT_PRICE\",\"origType\":\"LIMIT\","    \
    "\"time\":" time ",\"updateTime\":1596107620087}"

static void read_forced(const struct account_page *page, const char *text, char *next)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    rows.count = -1;
    assert_int_equal(api->read_forced(page, root, rows.orders, &rows.count, next, &err), 0);
}

static void what_the_venue_closed_is_read(void **state)
{
    (void)state;
    struct account_page page = {.order_id = "",
                                .cursor = "",
                                .since_us = INT64_C(1596000000000000),
                                .until_us = INT64_C(1596200000000000)};
    char next[ACCOUNT_CURSOR_SIZE];
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    static const char *const clients[] = {
        FORCED("autoclose-1596107620040000020", "1596107620044"),
        FORCED("adl_autoclose", "1596110725059"),
        FORCED("settlement_autoclose-7", "1596110725059"),
        FORCED("nd-1", "1596110725059"),
    };
    buf_add_c(&text, "[");
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        buf_add_c(&text, i > 0 ? "," : "");
        buf_add_c(&text, clients[i]);
    }
    buf_add_c(&text, "]");
    read_forced(&page, text.data, next);
    assert_int_equal(rows.count, 4);
    assert_int_equal(rows.orders[0].forced, ACCOUNT_FORCED_MARGIN);
    assert_int_equal(rows.orders[1].forced, ACCOUNT_FORCED_DELEVERAGING);
    assert_int_equal(rows.orders[2].forced, ACCOUNT_FORCED_OTHER);
    assert_int_equal(rows.orders[3].forced, ACCOUNT_FORCED_NOT);
    assert_string_equal(rows.orders[0].id, "6071832819");
    assert_int_equal(rows.orders[0].filled_qty.e8, 100000);
    assert_string_equal(next, "");
    buf_clear(&text);
    buf_add_c(&text, "[");
    for (int i = 0; i < 100; i++) { /* a full page: there may be more since its newest */
        buf_add_c(&text, i > 0 ? "," : "");
        buf_add_c(&text, FORCED("adl_autoclose", "1596110725059"));
    }
    buf_add_c(&text, "]");
    read_forced(&page, text.data, next);
    assert_int_equal(rows.count, 100);
    assert_string_equal(next, "1596110725059");
    page.cursor = "1596110725059"; /* none is newer */
    read_forced(&page, text.data, next);
    assert_string_equal(next, "");
    AUTO_JSON struct json_object *bad = rig_parse("[" FORCED("adl_autoclose", "\"7\"") "]");
    assert_int_equal(api->read_forced(&page, bad, rows.orders, &rows.count, next, &err),
                     -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v1/forceOrders, row 0, time is 7");
}

/* ---------------------------------------------------------------- public data */

static void streams_are_subscribed_where_they_speak(void **state)
{
    (void)state;
    const struct stream_api *market = stream_api_find("binance_futures");
    AUTO_BUF struct buf text = BUF_INIT(4096);
    const struct stream_ask ask = {.markets = &btc, .count = 1, .depth = 20, .trades = true};
    assert_non_null(market);
    assert_has(market->url, "/market/stream");
    assert_int_equal(market->add_subscribe(&ask, 0, &text), 1);
    assert_string_equal(text.data, "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@kline_1m\","
                                   "\"btcusdt@aggTrade\"],\"id\":1}");
    assert_has(market->also->url, "/public/stream");
    buf_clear(&text);
    assert_int_equal(market->also->add_subscribe(&ask, 0, &text), 1);
    assert_string_equal(text.data, "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\","
                                   "\"btcusdt@depth@100ms\"],\"id\":1}");
    buf_clear(&text);
    market->also->add_book_path(&btc, 20, &text);
    assert_string_equal(text.data, "/fapi/v1/depth?symbol=BTCUSDT&limit=500");
    static struct stream_level levels[STREAM_LEVELS_MAX];
    static struct stream_message message = {.levels = levels};
    AUTO_JSON struct json_object *change = rig_parse(
        "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":"
        "1767225612345,\"T\":1767225612344,\"s\":\"BTCUSDT\",\"U\":157,\"u\":160,\"pu\":149,"
        "\"b\":[],\"a\":[[\"5\",\"1\"]]}}");
    AUTO_JSON struct json_object *bad = rig_parse(
        "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"s\":\"BTCUSDT\",\"U\":157,\"u\":160,"
        "\"pu\":\"149\"}}");
    assert_int_equal(market->also->read(change, &message, &err), 0);
    assert_int_equal(message.events[0].previous, 149);
    assert_int_equal(message.events[0].ask_count, 1);
    assert_int_equal(market->also->read(bad, &message, &err), -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures depth@100ms, pu is 149, not a whole number");
}

static void candles_are_read(void **state)
{
    (void)state;
    const struct exchange *exchange = exchange_find("binance_futures");
    const struct exchange_ask ask = {.market = &btc,
                                     .tf = TF_5M,
                                     .from_us = INT64_C(1767225600000000),
                                     .until_us = INT64_C(1767226500000000)};
    struct exchange_market market;
    struct candle candles[2];
    int64_t wall_us = 0;
    int count = 0;
    AUTO_BUF struct buf path = BUF_INIT(256);
    assert_non_null(exchange);
    exchange->add_candles_path(&ask, &path);
    assert_string_equal(path.data, "/fapi/v1/klines?symbol=BTCUSDT&interval=5m"
                                   "&startTime=1767225600000&endTime=1767226499999&limit=1000");
    AUTO_JSON struct json_object *good =
        rig_parse("[[1767225600000,\"1\",\"2\",\"1\",\"1\",\"1\",1767225899999]]");
    AUTO_JSON struct json_object *bad =
        rig_parse("[[1767225600000,\"1\",\"2\",\"1\",1,\"1\",1767225899999]]");
    AUTO_JSON struct json_object *info = rig_parse(
        "{\"symbols\":[{\"symbol\":\"BTCUSDT_261225\",\"baseAsset\":\"BTC\",\"quoteAsset\":"
        "\"USDT\"},{\"symbol\":\"BTCUSDT\",\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\"}]}");
    AUTO_JSON struct json_object *time = rig_parse("{\"serverTime\":1767225600000}");
    assert_int_equal(exchange->read_candles(good, &ask, candles, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(exchange->read_candles(bad, &ask, candles, &count, &err), -ERR_VENUE_DATA);
    assert_has(err.context, "binance_futures /fapi/v1/klines, row 0, close is 1,");
    assert_int_equal(exchange->read_market(info, &btc.symbol, &market, &err), 0);
    assert_string_equal(market.name, "BTCUSDT");
    assert_int_equal(
        exchange->read_market(info, &(struct symbol){.name = "ETH-USDT"}, &market, &err),
        -ERR_VENUE_SYMBOL);
    assert_int_equal(exchange->read_time(time, &wall_us, &err), 0);
    assert_int_equal(wall_us, INT64_C(1767225600000000));
    assert_int_equal(exchange->judge(418, NULL, &err), EXCHANGE_BANNED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
UNIT_GROUP(binance_futures, TEST(an_order_is_signed_as_documented),
           TEST(a_listen_key_is_asked_for_without_signature), TEST(orders_are_asked_for),
           TEST(an_order_is_looked_for_where_it_may_be), TEST(what_is_asked),
           TEST(answers_are_judged), TEST(permissions_are_read), TEST(rules_of_a_contract_are_read),
           TEST(balances_are_read), TEST(positions_are_read), TEST(orders_and_stops_are_read),
           TEST(both_lists_of_open_orders_are_read), TEST(fills_and_payments_are_read),
           TEST(what_the_venue_closed_is_read), TEST(the_stream_of_the_account_is_read),
           TEST(streams_are_subscribed_where_they_speak), TEST(candles_are_read))
