#include "account_rig.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/secret.h"

#include <string.h>

/* Kraken's private side: the documented signature, the requests, and what its answers mean. */

#define SECRET \
    "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
#define AT_US INT64_C(1767225600000000) /* 2026-01-01 */

static const struct account_api *api(void)
{
    return account_api_find("kraken");
}

/* https://docs.kraken.com/api/docs/guides/spot-rest-auth */
static void the_documented_signature_is_made(void **state)
{
    (void)state;
    assert_int_equal(secret_init(NULL), 0);
    const struct account_key key = {.id = STR_LIT("the-id"), .secret = STR_LIT(SECRET)};
    const struct account_moment moment = {.wall_us = AT_US, .nonce = 1616492376594};
    struct account_request request;
    account_request_init(&request);
    request.method = ACCOUNT_POST;
    buf_add_c(&request.path, "/0/private/AddOrder");
    buf_add_c(&request.body, "ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25");
    assert_int_equal(api()->sign(&key, &moment, &request, NULL), 0);
    assert_string_equal(
        request.body.data,
        "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25");
    assert_string_equal(request.headers.data,
                        "API-Key: the-id\n"
                        "API-Sign: 4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtn"
                        "Rfp32bAb0nmbRn6H8ndwLUQ==\n");
    account_request_clear(&request);
    buf_add_c(&request.path, "/0/private/BalanceEx");
    assert_int_equal(api()->sign(&key, &moment, &request, NULL), 0);
    assert_string_equal(request.body.data, "nonce=1616492376594");
    account_request_release(&request);
}

static void a_key_in_another_form_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *id, *secret;
    } bad[] = {{"id", ""},         {"id", "secret with spaces"},
               {"id", "c2hvcnQ="}, {"", SECRET},
               {"i d", SECRET},    {"i\nd", SECRET}};
    assert_int_equal(secret_init(NULL), 0);
    const struct account_key good = {.id = STR_LIT("id"), .secret = STR_LIT(SECRET)};
    assert_int_equal(api()->check_key(&good, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err err = {0};
        const struct account_key key = {.id = str_c(bad[i].id), .secret = str_c(bad[i].secret)};
        assert_int_equal(api()->check_key(&key, &err), -ERR_VENUE_KEY);
        assert_null(strstr(err.context, "spaces"));
    }
}

static void orders_become_requests(void **state)
{
    (void)state;
    const struct exchange_market market = rig_market("BTC-USD", "XXBTZUSD");
    struct account_request request;
    account_request_init(&request);
    struct account_order_ask ask = {.market = &market,
                                    .client_id = "ndK7QF-12-345",
                                    .buys = true,
                                    .type = ORDER_TYPE_LIMIT,
                                    .time_in_force = TIF_GTC,
                                    .post_only = true,
                                    .qty = rig_dec("1.25"),
                                    .price = rig_dec("37500.1")};
    api()->add_order(&ask, &request);
    assert_int_equal(request.order_weight, 1);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/AddOrder ordertype=limit&pair=XBTUSD&price=37500.1&"
                        "type=buy&volume=1.25&cl_ord_id=ndK7QF-12-345&oflags=post%2Cfciq");
    ask.post_only = false;
    ask.time_in_force = TIF_IOC;
    ask.until_us = AT_US + 5 * USEC_PER_SEC;
    api()->add_order(&ask, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/AddOrder ordertype=limit&pair=XBTUSD&price=37500.1&"
                        "type=buy&volume=1.25&cl_ord_id=ndK7QF-12-345&oflags=fciq&timeinforce=IOC&"
                        "deadline=2026-01-01T00%3A00%3A05.000000Z");
    ask.until_us = 0;
    ask.type = ORDER_TYPE_MARKET;
    ask.buys = false;
    api()->add_order(&ask, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/AddOrder ordertype=market&pair=XBTUSD&type=sell&"
                        "volume=1.25&cl_ord_id=ndK7QF-12-345&oflags=fciq");
    ask.type = ORDER_TYPE_STOP;
    api()->add_order(&ask, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/AddOrder ordertype=stop-loss&pair=XBTUSD&price=37500.1&"
                        "type=sell&volume=1.25&cl_ord_id=ndK7QF-12-345&oflags=fciq");
    account_request_release(&request);
}

static void the_other_requests_are_made(void **state)
{
    (void)state;
    const struct exchange_market market = rig_market("BTC-USD", "XXBTZUSD");
    struct account_find find = {.market = &market, .client_id = "nd-1", .id = ""};
    struct account_page page = {
        .order_id = "", .since_us = AT_US, .until_us = AT_US + 500, .cursor = "50"};
    struct account_request request;
    account_request_init(&request);
    assert_true(api()->add_query(&find, 0, &request));
    assert_string_equal(rig_request(&request), "POST /0/private/OpenOrders cl_ord_id=nd-1");
    assert_true(api()->add_query(&find, 1, &request));
    assert_string_equal(rig_request(&request), "POST /0/private/ClosedOrders cl_ord_id=nd-1");
    assert_false(api()->add_query(&find, 2, &request));
    api()->add_cancel(&find, &request);
    assert_string_equal(rig_request(&request), "POST /0/private/CancelOrder cl_ord_id=nd-1");
    find.id = "OU22CG-KLAF2-FWUDD7";
    assert_true(api()->add_query(&find, 0, &request));
    assert_string_equal(rig_request(&request),
                        "POST /0/private/QueryOrders txid=OU22CG-KLAF2-FWUDD7");
    assert_false(api()->add_query(&find, 1, &request));
    api()->add_cancel(&find, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/CancelOrder txid=OU22CG-KLAF2-FWUDD7");
    struct account_amend_ask amend = {.market = &market,
                                      .client_id = "nd-1",
                                      .id = "",
                                      .type = ORDER_TYPE_STOP,
                                      .price = rig_dec("37500.1")};
    api()->add_amend(&amend, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/AmendOrder cl_ord_id=nd-1&trigger_price=37500.1");
    amend.id = "OU22CG-KLAF2-FWUDD7";
    amend.type = ORDER_TYPE_LIMIT;
    amend.until_us = AT_US + 5 * USEC_PER_SEC;
    api()->add_amend(&amend, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/AmendOrder txid=OU22CG-KLAF2-FWUDD7&limit_price=37500.1&"
                        "deadline=2026-01-01T00%3A00%3A05.000000Z");
    api()->add_fills(&page, &request);
    assert_string_equal(rig_request(&request),
                        "POST /0/private/TradesHistory start=1767225599&end=1767225601&ofs=50");
    api()->add_guard(NULL, 60001, &request);
    assert_string_equal(rig_request(&request), "POST /0/private/CancelAllOrdersAfter timeout=61");
    api()->add_guard(NULL, 0, &request);
    assert_string_equal(rig_request(&request), "POST /0/private/CancelAllOrdersAfter timeout=0");
    const struct symbol symbols[] = {{.name = "BTC-USD"}, {.name = "ETH-USD"}};
    api()->add_rules(symbols, 2, &request);
    assert_true(request.is_public);
    assert_string_equal(rig_request(&request), "GET /0/public/AssetPairs?pair=XBTUSD,ETHUSD");
    api()->add_check(false, &request);
    assert_string_equal(rig_request(&request), "POST /0/private/GetApiKeyInfo");
    account_request_release(&request);
}

/* ---------------------------------------------------------------- the key and markets */

static int read_check(const struct account_api *a, const struct json_object *root, struct err *err)
{
    struct account_permissions ret;
    return a->read_check(root, &ret, err);
}

static void what_a_key_may_do_is_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *trades =
        rig_parse("{\"error\":[],\"result\":{\"permissions\":[\"query-funds\",\"query-open-trades\""
                  ",\"query-closed-trades\",\"modify-trades\",\"new\"],"
                  "\"ipAllowlist\":[\"192.0.2.1\"]}}");
    AUTO_JSON struct json_object *withdraws =
        rig_parse("{\"error\":[],\"result\":{\"permissions\":[\"query-funds\","
                  "\"add-withdraw-address\"],\"ipAllowlist\":[]}}");
    static const struct rig_bad bad[] = {
        {"{}", "/0/private/GetApiKeyInfo, permissions is an object"},
        {"null", "permissions is nothing"},
        {"\"modify-trades\"", "permissions is modify-trades"},
    };
    struct account_permissions ret;
    assert_int_equal(api()->read_check(trades, &ret, NULL), 0);
    assert_true(ret.reads && ret.trades && ret.bound);
    assert_false(ret.withdraws || ret.withdraws_unknown);
    assert_int_equal(api()->read_check(withdraws, &ret, NULL), 0);
    assert_true(ret.withdraws);
    assert_false(ret.reads || ret.trades || ret.bound);
    rig_refuses("kraken", read_check, "{\"result\":{\"permissions\":%s}}", bad, COUNT_OF(bad));
}

#define MARKET(status, tick)                                                                     \
    "{\"error\":[],\"result\":{\"XETHZUSD\":{\"wsname\":\"ETH/USD\"},\"XXBTZUSD\":{\"altname\":" \
    "\"XBTUSD\",\"wsname\":\"XBT/USD\",\"lot_decimals\":8,\"lot_multiplier\":1,\"ordermin\":"    \
    "\"0.00005\",\"costmin\":\"0.5\",\"tick_size\":" tick ",\"status\":" status "}}}"

static int read_rules(const struct account_api *a, const struct json_object *root, struct err *err)
{
    const struct symbol symbol = {.name = "BTC-USD"};
    struct exchange_market market;
    struct instrument rules;
    return a->read_rules(root, &symbol, &market, &rules, err);
}

static void the_rules_of_a_market_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum instrument_status status;
    } rows[] = {
        {MARKET("\"online\"", "\"0.1\""), INSTRUMENT_TRADING},
        {MARKET("\"reduce_only\"", "\"0.1\""), INSTRUMENT_CLOSE_ONLY},
        {MARKET("\"cancel_only\"", "\"0.1\""), INSTRUMENT_HALTED},
        {MARKET("\"post_only\"", "\"0.1\""), INSTRUMENT_HALTED},
        {MARKET("\"not_known_yet\"", "\"0.1\""), INSTRUMENT_HALTED},
    };
    static const struct rig_bad bad[] = {{"null", "status is nothing"}, {"7", "status is 7"}};
    const struct symbol btc = {.name = "BTC-USD"}, sol = {.name = "SOL-USD"};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_JSON struct json_object *root = rig_parse(rows[i].answer);
        struct exchange_market market;
        struct instrument rules;
        assert_int_equal(api()->read_rules(root, &btc, &market, &rules, NULL), 0);
        assert_string_equal(market.name, "XXBTZUSD");
        assert_string_equal(rules.symbol.name, "BTC-USD");
        assert_int_equal(rules.status, rows[i].status);
        assert_dec(rules.tick, "0.1");
        assert_dec(rules.step, "0.00000001");
        assert_dec(rules.min_qty, "0.00005");
        assert_dec(rules.min_notional, "0.5");
        assert_int_equal(api()->read_rules(root, &sol, &market, &rules, NULL), -ERR_VENUE_SYMBOL);
    }
    rig_refuses("kraken", read_rules, MARKET("%s", "\"1\""), bad, COUNT_OF(bad));
    rig_refuses("kraken", read_rules, MARKET("\"online\"", "%s"), rig_bad_prices,
                rig_bad_price_count);
    static const struct rig_bad results[] = {{"[]", "/0/public/AssetPairs, result is not"},
                                             {"\"<html>\"", "result is not"},
                                             {"null", ""}};
    rig_refuses("kraken", read_rules, "{\"result\":%s}", results, COUNT_OF(results));
    static const struct rig_bad lots[] = {{"\"8\"", "lot_decimals is 8"},
                                          {"-1", "lot_decimals is -1"},
                                          {"8.5", "lot_decimals"},
                                          {"18446744073709551615", "lot_decimals"}};
    rig_refuses("kraken", read_rules,
                "{\"result\":{\"XXBTZUSD\":{\"wsname\":\"XBT/USD\",\"status\":\"online\","
                "\"tick_size\":\"0.1\",\"lot_multiplier\":1,\"ordermin\":\"1\","
                "\"lot_decimals\":%s}}}",
                lots, COUNT_OF(lots));
}

static void all_names_of_a_market_are_known(void **state)
{
    (void)state;
    const struct exchange_market btc = rig_market("BTC-USD", "XXBTZUSD");
    const struct exchange_market doge = rig_market("DOGE-BTC", "XXDGXXBT");
    assert_true(api()->is_market(&btc, "XXBTZUSD"));
    assert_true(api()->is_market(&btc, "XBTUSD"));
    assert_true(api()->is_market(&btc, "BTC/USD"));
    assert_false(api()->is_market(&btc, "BTCUSD"));
    assert_false(api()->is_market(&btc, "XBTUSDT"));
    assert_true(api()->is_market(&doge, "XDGXBT"));
    assert_true(api()->is_market(&doge, "DOGE/BTC"));
}

/* ---------------------------------------------------------------- balances */

static struct account_coin coins[ACCOUNT_ROWS_MAX];

static int read_coins(const struct account_api *a, const struct json_object *root, struct err *err)
{
    char next[ACCOUNT_CURSOR_SIZE];
    int count = 0;
    return a->read_coins(root, coins, &count, next, err);
}

static void balances_are_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root = rig_parse(
        "{\"error\":[],\"result\":{\"ZUSD\":{\"balance\":\"200000.0000\",\"hold_trade\":\"1500.5\"}"
        ","
        "\"XXBT\":{\"balance\":\"1011.1908877999\",\"hold_trade\":\"0.0000000000\",\"new\":1},"
        "\"XETH\":{\"balance\":\"0.0000000000\",\"hold_trade\":\"0\"},"
        "\"ZRX\":{\"balance\":\"1\",\"hold_trade\":\"3\"},"
        "\"ETH.F\":{\"balance\":\"2\",\"hold_trade\":\"0\"}}}");
    static const struct rig_bad balances[] = {
        {"\"-0.1\"", "/0/private/BalanceEx, ZUSD is -0.1"},
        {"\"1.1234567890123456789012345\"", "ZUSD is"},
        {"\"1.12345678x\"", "ZUSD is 1.12345678x"},
        {"\"1e5\"", "ZUSD is 1e5"},
        {"null", "ZUSD is nothing"},
        {"7", "ZUSD is 7"},
        {"[]", "ZUSD is an array"},
        {"\"NaN\"", "ZUSD is NaN"},
    };
    static const struct rig_bad results[] = {{"[]", "result is not"}, {"\"<html>\"", "result is"}};
    static const struct rig_bad rows[] = {{"[]", "ZUSD is nothing"}, {"null", "ZUSD is nothing"}};
    char next[ACCOUNT_CURSOR_SIZE] = "x";
    int count = 0;
    assert_int_equal(api()->read_coins(root, coins, &count, next, NULL), 0);
    assert_int_equal(count, 4);
    assert_string_equal(next, "");
    assert_string_equal(coins[0].currency, "USD");
    assert_dec(coins[0].total, "200000");
    assert_dec(coins[0].available, "198499.5");
    assert_string_equal(coins[1].currency, "BTC");
    assert_dec(coins[1].total, "1011.19088779"); /* finer units than orders have */
    assert_string_equal(coins[2].currency, "ZRX");
    assert_dec(coins[2].available, "0");
    assert_string_equal(coins[3].currency, "ETH.F");
    rig_refuses("kraken", read_coins,
                "{\"result\":{\"ZUSD\":{\"balance\":%s,\"hold_trade\":\"0\"}}}", balances,
                COUNT_OF(balances));
    rig_refuses("kraken", read_coins, "{\"result\":%s}", results, COUNT_OF(results));
    rig_refuses("kraken", read_coins, "{\"result\":{\"ZUSD\":%s}}", rows, COUNT_OF(rows));
}

/* ---------------------------------------------------------------- orders */

#define ORDER(status, type, price, vol, exec, more)                                         \
    "{\"status\":\"" status "\",\"opentm\":1767225600.1234,\"descr\":{\"pair\":\"XBTUSD\"," \
    "\"type\":\"buy\",\"ordertype\":\"" type "\",\"price\":" price "},\"vol\":" vol         \
    ",\"vol_exec\":" exec more "}"
#define OPEN(order) "{\"error\":[],\"result\":{\"open\":{\"OAVY7T-MV5VK-KHDF5X\":" order "}}}"
#define CLOSED(order) \
    "{\"error\":[],\"result\":{\"closed\":{\"OAVY7T-MV5VK-KHDF5X\":" order "},\"count\":1}}"

static struct account_order order;

static int read_order(const struct account_api *a, const struct json_object *root, struct err *err)
{
    int count = 0;
    return a->read_order(ACCOUNT_QUERY, root, &order, NULL, &count, err);
}

static void orders_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum order_state state;
        const char *filled, *price, *stop, *reason;
    } rows[] = {
        {OPEN(ORDER("pending", "limit", "\"30010.0\"", "\"1.25\"", "\"0.00000000\"", "")),
         ORDER_ACKED, "0", "30010", "0", "pending"},
        {OPEN(ORDER("open", "limit", "\"30010.0\"", "\"1.25\"", "\"0.5\"", "")), ORDER_PARTIAL,
         "0.5", "30010", "0", "open"},
        {OPEN(ORDER("open", "trailing-stop", "\"+5%\"", "\"1.25\"", "\"0\"",
                    ",\"stopprice\":\"29000.00000\"")),
         ORDER_ACKED, "0", "0", "29000", "open"},
        {CLOSED(ORDER("closed", "market", "\"0\"", "\"1.25\"", "\"1.25\"",
                      ",\"reason\":null,\"closetm\":1767225601")),
         ORDER_FILLED, "1.25", "0", "0", "closed"},
        {CLOSED(ORDER("canceled", "limit", "\"1\"", "\"1.25\"", "\"0.25\"",
                      ",\"reason\":\"User requested\"")),
         ORDER_CANCELLED, "0.25", "1", "0", "User requested"},
        {CLOSED(ORDER("expired", "limit", "\"1\"", "\"1.25\"", "\"0\"", "")), ORDER_CANCELLED, "0",
         "1", "0", "expired"},
        {"{\"error\":[],\"result\":{\"OAVY7T-MV5VK-KHDF5X\":" ORDER("closed", "limit", "\"1\"",
                                                                    "\"1.25\"", "\"1\"", "") "}}",
         ORDER_CANCELLED, "1", "1", "0", "closed"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_JSON struct json_object *root = rig_parse(rows[i].answer);
        struct err err = {0};
        if (read_order(api(), root, &err) < 0) {
            fail_msg("%s: %s", rows[i].answer, err.context);
        }
        assert_int_equal(order.state, rows[i].state);
        assert_string_equal(order.id, "OAVY7T-MV5VK-KHDF5X");
        assert_string_equal(order.market, "XBTUSD");
        assert_string_equal(order.reason, rows[i].reason);
        assert_true(order.buys);
        assert_dec(order.qty, "1.25");
        assert_dec(order.filled_qty, rows[i].filled);
        assert_dec(order.price, rows[i].price);
        assert_dec(order.stop_price, rows[i].stop);
        assert_true(order.at_us == AT_US + 123400 || order.at_us == AT_US + USEC_PER_SEC);
    }
    AUTO_JSON struct json_object *ours = rig_parse(
        OPEN(ORDER("open", "limit", "\"1\"", "\"1\"", "\"0\"", ",\"cl_ord_id\":\"nd-1\"")));
    assert_int_equal(read_order(api(), ours, NULL), 0);
    assert_string_equal(order.client_id, "nd-1");
}

static void orders_that_cannot_be_trusted_are_refused(void **state)
{
    (void)state;
    static const struct rig_bad times[] = {
        {"1767225600123", "opentm is not a time in seconds"},
        {"1767225600123456", "opentm is not a time in seconds"},
        {"\"2026-01-01T00:00:00Z\"", "opentm is not a time in seconds"},
        {"null", "opentm is not a time in seconds"},
        {"1.767e9", "opentm is not a time in seconds"},
    };
    static const struct rig_bad statuses[] = {{"\"unheard\"", "status is unheard, not a word"},
                                              {"null", "status is nothing"}};
    static const struct rig_bad ids[] = {
        {"7", "cl_ord_id is 7"},
        {"\"a-text-that-is-longer-than-any-id-of-an-order-can-be\"", "cl_ord_id is too long"},
        {"[\"nd-1\"]", "cl_ord_id is an array"},
    };
    static const struct rig_bad shapes[] = {{"[]", "is not an object with one order"},
                                            {"{\"O1\":[]}", "status is nothing"},
                                            {"{\"O1\":{},\"O2\":{}}", "with one order"}};
    rig_refuses("kraken", read_order, OPEN(ORDER("open", "limit", "%s", "\"1\"", "\"0\"", "")),
                rig_bad_prices, rig_bad_price_count);
    rig_refuses("kraken", read_order, OPEN(ORDER("open", "limit", "\"1\"", "%s", "\"0\"", "")),
                rig_bad_prices, rig_bad_price_count);
    rig_refuses("kraken", read_order, OPEN(ORDER("open", "limit", "\"1\"", "\"1\"", "%s", "")),
                rig_bad_prices, rig_bad_price_count);
    rig_refuses("kraken", read_order,
                OPEN(ORDER("open", "limit", "\"1\"", "\"1\"", "\"0\"", ",\"cl_ord_id\":%s")), ids,
                COUNT_OF(ids));
    rig_refuses(
        "kraken", read_order,
        "{\"result\":{\"O1\":{\"status\":\"open\",\"descr\":{\"pair\":\"XBTUSD\",\"type\":"
        "\"buy\",\"ordertype\":\"market\"},\"vol\":\"1\",\"vol_exec\":\"0\",\"opentm\":%s}}}",
        times, COUNT_OF(times));
    rig_refuses("kraken", read_order, "{\"result\":{\"O1\":{\"status\":%s}}}", statuses,
                COUNT_OF(statuses));
    rig_refuses("kraken", read_order, "{\"result\":{\"open\":%s}}", shapes, COUNT_OF(shapes));
}

static int read_placed(const struct account_api *a, const struct json_object *root, struct err *err)
{
    int count = 0;
    return a->read_order(ACCOUNT_PLACE, root, &order, NULL, &count, err);
}

static int read_amended(const struct account_api *a, const struct json_object *root,
                        struct err *err)
{
    int count = 0;
    return a->read_order(ACCOUNT_AMEND, root, &order, NULL, &count, err);
}

static void acknowledgements_are_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *placed = rig_parse(
        "{\"error\":[],\"result\":{\"descr\":{\"order\":\"buy\"},\"txid\":[\"OU22CG-KLAF2-FWUDD7\"]"
        "}}");
    AUTO_JSON struct json_object *cancelled =
        rig_parse("{\"error\":[],\"result\":{\"count\":1,\"pending\":false}}");
    static const struct rig_bad bad[] = {
        {"[]", "/0/private/AddOrder, txid is nothing"},
        {"\"OU22CG\"", "txid is OU22CG, not an array"},
        {"[\"A\",\"B\"]", "txid is longer"},
        {"null", "txid is nothing"},
    };
    int count = 7;
    assert_int_equal(read_placed(api(), placed, NULL), 0);
    assert_string_equal(order.id, "OU22CG-KLAF2-FWUDD7");
    assert_int_equal(order.state, ORDER_ACKED);
    assert_dec(order.qty, "0");
    assert_int_equal(api()->read_order(ACCOUNT_CANCEL, cancelled, &order, NULL, &count, NULL), 0);
    assert_int_equal(count, 0);
    rig_refuses("kraken", read_placed, "{\"result\":{\"txid\":%s}}", bad, COUNT_OF(bad));
    AUTO_JSON struct json_object *amended =
        rig_parse("{\"error\":[],\"result\":{\"amend_id\":\"TUMY4K-E4MPE-CSL2N3\"}}");
    static const struct rig_bad changes[] = {{"null", "/0/private/AmendOrder, amend_id is nothing"},
                                             {"[]", "amend_id is an array"}};
    assert_int_equal(read_amended(api(), amended, NULL), 0);
    assert_dec(order.qty, "0");
    rig_refuses("kraken", read_amended, "{\"result\":{\"amend_id\":%s}}", changes,
                COUNT_OF(changes));
}

static void open_orders_are_listed(void **state)
{
    (void)state;
    static struct account_order orders[ACCOUNT_ROWS_MAX];
    const struct exchange_market btc = rig_market("BTC-USD", "XXBTZUSD");
    const struct exchange_market eth = rig_market("ETH-USD", "XETHZUSD");
    AUTO_JSON struct json_object *root =
        rig_parse("{\"error\":[],\"result\":{\"open\":{\"O1\":" ORDER(
            "open", "limit", "\"1\"", "\"1\"", "\"0\"",
            "") ",\"O2\":" ORDER("open", "iceberg", "\"1\"", "\"1\"", "\"0\"", "") "}}}");
    AUTO_JSON struct json_object *none = rig_parse("{\"error\":[],\"result\":{\"open\":{}}}");
    struct account_page page = {.market = &btc, .order_id = "", .cursor = ""};
    char next[ACCOUNT_CURSOR_SIZE];
    int count = 0;
    assert_int_equal(api()->read_open(&page, root, orders, &count, next, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(orders[1].id, "O2");
    page.market = &eth;
    assert_int_equal(api()->read_open(&page, root, orders, &count, next, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(api()->read_open(&page, none, orders, &count, next, NULL), 0);
    assert_int_equal(count, 0);
}

/* ---------------------------------------------------------------- trades */

#define TRADE(id, order, pair, vol, fee, time)                                     \
    "\"" id "\":{\"ordertxid\":\"" order "\",\"pair\":\"" pair "\",\"time\":" time \
    ",\"type\":\"sell\",\"price\":\"30010.5\",\"fee\":" fee ",\"vol\":" vol ",\"trade_id\":1}"

static struct account_fill fills[ACCOUNT_ROWS_MAX];

static int read_fills(const struct account_api *a, const struct json_object *root, struct err *err)
{
    const struct account_page page = {.order_id = "", .cursor = ""};
    char next[ACCOUNT_CURSOR_SIZE];
    int count = 0;
    return a->read_fills(&page, root, fills, &count, next, err);
}

static void trades_are_read_page_by_page(void **state)
{
    (void)state;
    const struct exchange_market btc = rig_market("BTC-USD", "XXBTZUSD");
    AUTO_JSON struct json_object *root = rig_parse("{\"error\":[],\"result\":{\"trades\":{" TRADE(
        "T1", "O1", "XXBTZUSD", "\"0.5\"", "\"24.0084000001\"",
        "1767225600.8921") "," TRADE("T2", "O2", "XETHZUSD", "\"1\"", "\"-0.1\"",
                                     "1767225601") "},\"count\":53}}");
    struct account_page page = {.order_id = "", .cursor = "50"};
    char next[ACCOUNT_CURSOR_SIZE];
    int count = 0;
    assert_int_equal(api()->read_fills(&page, root, fills, &count, next, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(next, "52");
    assert_string_equal(fills[0].id, "T1");
    assert_string_equal(fills[0].order_id, "O1");
    assert_false(fills[0].buys);
    assert_dec(fills[0].qty, "0.5");
    assert_dec(fills[0].price, "30010.5");
    assert_dec(fills[0].fee, "24.0084");
    assert_string_equal(fills[0].fee_currency, "");
    assert_int_equal(fills[0].at_us, AT_US + 892100);
    assert_dec(fills[1].fee, "-0.1");
    page.market = &btc;
    assert_int_equal(api()->read_fills(&page, root, fills, &count, next, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(next, "52"); /* pages are of all markets */
    page.market = NULL;
    page.order_id = "O2";
    page.cursor = "51";
    assert_int_equal(api()->read_fills(&page, root, fills, &count, next, NULL), 0);
    assert_int_equal(count, 1);
    assert_string_equal(fills[0].id, "T2");
    assert_string_equal(next, "");
    rig_refuses("kraken", read_fills,
                "{\"result\":{\"count\":1,\"trades\":{" TRADE("T1", "O1", "XXBTZUSD", "%s", "\"0\"",
                                                              "1767225600") "}}}",
                rig_bad_prices, rig_bad_price_count);
    static const struct rig_bad fees[] = {{"null", "row 0, fee is nothing"},
                                          {"\"1e-7\"", "fee is 1e-7"},
                                          {"0.1", "fee is 0.1"},
                                          {"{}", "fee is an object"}};
    rig_refuses("kraken", read_fills,
                "{\"result\":{\"count\":1,\"trades\":{" TRADE("T1", "O1", "XXBTZUSD", "\"1\"", "%s",
                                                              "1767225600") "}}}",
                fees, COUNT_OF(fees));
    static const struct rig_bad shapes[] = {{"[]", "/0/private/TradesHistory, trades is not"},
                                            {"null", "trades is not"},
                                            {"{}", "count is nothing"}};
    rig_refuses("kraken", read_fills, "{\"result\":{\"trades\":%s}}", shapes, COUNT_OF(shapes));
}

/* ---------------------------------------------------------------- verdicts */

#define ERROR(text) "{\"error\":[\"" text "\"]}"

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct rig_verdict rows[] = {
        {ACCOUNT_PLACE, 200, "{\"error\":[],\"result\":{\"txid\":[\"O1\"]}}", ACCOUNT_FINE, 0},
        {ACCOUNT_PLACE, 200, "{\"error\":[\"WGeneral:Danger\"],\"result\":{}}", ACCOUNT_FINE, 0},
        {ACCOUNT_PLACE, 200, "{\"error\":[]}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "{\"error\":\"EOrder:x\",\"result\":{}}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "{\"error\":[7],\"result\":{}}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 502, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 520, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 504, ERROR("EService:Timeout"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Timeout"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Unavailable"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Busy"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, ERROR("EGeneral:Internal error"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, ERROR("ENew:something"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Post only order"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Reduce only:No position exists"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EGeneral:Invalid arguments:volume"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Deadline elapsed"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Insufficient funds"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Margin allowance exceeded"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Order minimum not met"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Cost minimum not met"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Tick size check failed"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Invalid price"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EQuery:Unknown asset pair"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:cl_ord_id already in use"), ACCOUNT_DUPLICATE, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Duplicate client order id"), ACCOUNT_DUPLICATE, 0},
        {ACCOUNT_PLACE, 200, ERROR("EGeneral:Invalid arguments:cl_ord_id"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Throttled: 1767225600"), ACCOUNT_LATER, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Market in cancel_only mode"), ACCOUNT_CLOSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EService:Market in post_only mode"), ACCOUNT_CLOSED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EAPI:Invalid key"), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 200, ERROR("EAPI:Invalid signature"), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 200, ERROR("EGeneral:Permission denied"), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 200, ERROR("EGeneral:Temporary lockout"), ACCOUNT_BANNED, 0},
        {ACCOUNT_PLACE, 403, "<html>", ACCOUNT_BANNED, 0},
        {ACCOUNT_PLACE, 403, ERROR("EAPI:Invalid key"), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 200, ERROR("EAPI:Invalid nonce"), ACCOUNT_CLOCK, 0},
        {ACCOUNT_PLACE, 200, ERROR("EAPI:Rate limit exceeded"), ACCOUNT_LIMITED, 0},
        {ACCOUNT_PLACE, 200, ERROR("EOrder:Rate limit exceeded"), ACCOUNT_LIMITED, 0},
        {ACCOUNT_PLACE, 429, "error code: 1015", ACCOUNT_LIMITED, 0},
        {ACCOUNT_CANCEL, 200, ERROR("EOrder:Unknown order"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_AMEND, 200, ERROR("EOrder:Unknown order"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_AMEND, 200, ERROR("EOrder:Invalid price"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_AMEND, 200, ERROR("EService:Deadline elapsed"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_AMEND, 200, ERROR("EService:Busy"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_QUERY, 200, ERROR("EOrder:Unknown order"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_QUERY, 200, "{\"error\":[],\"result\":{\"open\":{}}}", ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_QUERY, 200, "{\"error\":[],\"result\":{\"closed\":{},\"count\":0}}",
         ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_QUERY, 200, "{\"error\":[],\"result\":{}}", ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_QUERY, 200, "{\"error\":[],\"result\":{\"open\":{\"O1\":{}}}}", ACCOUNT_FINE, 0},
        {ACCOUNT_OPEN, 200, "{\"error\":[],\"result\":{\"open\":{}}}", ACCOUNT_FINE, 0},
        {ACCOUNT_CHECK, 200, ERROR("EGeneral:Unknown method"), ACCOUNT_REFUSED, 0},
    };
    rig_judges("kraken", rows, COUNT_OF(rows));
}

UNIT_GROUP(kraken_account, cmocka_unit_test(the_documented_signature_is_made),
           cmocka_unit_test(a_key_in_another_form_is_refused),
           cmocka_unit_test(orders_become_requests), cmocka_unit_test(the_other_requests_are_made),
           cmocka_unit_test(what_a_key_may_do_is_read),
           cmocka_unit_test(the_rules_of_a_market_are_read),
           cmocka_unit_test(all_names_of_a_market_are_known), cmocka_unit_test(balances_are_read),
           cmocka_unit_test(orders_are_read),
           cmocka_unit_test(orders_that_cannot_be_trusted_are_refused),
           cmocka_unit_test(acknowledgements_are_read), cmocka_unit_test(open_orders_are_listed),
           cmocka_unit_test(trades_are_read_page_by_page), cmocka_unit_test(answers_are_judged))
