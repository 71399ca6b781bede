#include "account_rig.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/secret.h"
#include "venue/stream.h"

#include <string.h>

/* Coinbase Advanced Trade: tokens, requests, what its answers mean, and its streams. */

#define AT_US INT64_C(1767225600000000) /* 2026-01-01 */
#define ISO   "2026-01-01T00:00:00.000000Z"
#define ID    "organizations/1/apiKeys/2"
/* The seed of RFC 8032, 7.1, test 1. */
#define SEED "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="

static struct err err;

static const struct account_api *api(void)
{
    return account_api_find("coinbase");
}

/* Base64url without padding, as base64. */
static void decode(struct str text, struct buf *out)
{
    AUTO_BUF struct buf plain = BUF_INIT(8192);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_add_char(&plain, (char)(c == '-' ? '+' : c == '_' ? '/' : c));
    }
    while (plain.len % 4 != 0) {
        buf_add_char(&plain, '=');
    }
    assert_true(base64_decode(buf_str(&plain), out));
}

static void check_token(struct str token, const char *claims)
{
    AUTO_BUF struct buf head = BUF_INIT(8192);
    AUTO_BUF struct buf body = BUF_INIT(8192);
    struct str part;
    assert_true(str_split(&token, '.', &part));
    decode(part, &head);
    assert_has(head.data, "\"alg\":\"EdDSA\"");
    assert_has(head.data, "\"kid\":\"" ID "\"");
    assert_true(str_split(&token, '.', &part));
    decode(part, &body);
    assert_string_equal(body.data, claims);
    assert_true(token.len > 80);
}

static void requests_carry_a_token(void **state)
{
    (void)state;
    assert_int_equal(secret_init(NULL), 0);
    const struct account_key key = {.id = STR_LIT(ID), .secret = STR_LIT(SEED)};
    const struct account_moment moment = {.wall_us = AT_US + 999999, .host = "api.coinbase.com"};
    struct account_request request;
    AUTO_BUF struct buf message = BUF_INIT(8192);
    account_request_init(&request);
    api()->add_coins("", &request);
    assert_int_equal(api()->sign(&key, &moment, &request, NULL), 0);
    struct str line = str_trim(buf_str(&request.headers));
    assert_true(str_starts(line, "Authorization: Bearer "));
    check_token(str_n(line.ptr + 22, line.len - 22),
                "{\"sub\":\"" ID "\",\"iss\":\"cdp\",\"nbf\":1767225600,\"exp\":1767225720,\"uri\":"
                "\"GET api.coinbase.com/api/v3/brokerage/accounts\"}");
    assert_int_equal(api()->add_stream_login(0, &key, &moment, "", &message, NULL), 1);
    AUTO_JSON struct json_object *login = rig_parse(message.data);
    assert_string_equal(json_text(login, "channel"), "user");
    check_token(json_str(login, "jwt"),
                "{\"sub\":\"" ID "\",\"iss\":\"cdp\",\"nbf\":1767225600,\"exp\":1767225720}");
    assert_int_equal(api()->add_stream_login(2, &key, &moment, "", &message, NULL), 0);
    const struct account_key bad = {.id = STR_LIT(ID), .secret = STR_LIT("c2hvcnQ=")};
    assert_int_equal(api()->check_key(&key, NULL), 0);
    assert_int_equal(api()->check_key(&bad, &err), -ERR_VENUE_KEY);
    account_request_release(&request);
}

static void requests_are_made(void **state)
{
    (void)state;
    const struct exchange_market market = rig_market("BTC-USD", "BTC-USD");
    struct account_request request;
    account_request_init(&request);
    struct account_order_ask ask = {.market = &market,
                                    .client_id = "nd-1",
                                    .buys = true,
                                    .type = ORDER_TYPE_LIMIT,
                                    .post_only = true,
                                    .qty = rig_dec("0.00000001"),
                                    .price = rig_dec("60000.10")};
    api()->add_order(&ask, &request);
    assert_string_equal(request.content_type, "application/json");
    assert_string_equal(
        rig_request(&request),
        "POST /api/v3/brokerage/orders {\"client_order_id\":\"nd-1\",\"product_id\":"
        "\"BTC-USD\",\"side\":\"BUY\",\"order_configuration\":{\"limit_limit_gtc\":{"
        "\"base_size\":\"0.00000001\",\"limit_price\":\"60000.1\",\"post_only\":true"
        "}}}");
    ask.post_only = false;
    ask.time_in_force = TIF_IOC;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "{\"sor_limit_ioc\":{\"base_size\":\"0.00000001\","
                                      "\"limit_price\":\"60000.1\"}}");
    ask.time_in_force = TIF_FOK;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"limit_limit_fok\"");
    ask.type = ORDER_TYPE_MARKET;
    ask.buys = false;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"side\":\"SELL\",\"order_configuration\":{"
                                      "\"market_market_ioc\":{\"base_size\":\"0.00000001\"}}}");
    ask.type = ORDER_TYPE_STOP; /* with a limit 5 % beyond it */
    ask.price = rig_dec("60000");
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request),
               "\"stop_limit_stop_limit_gtc\":{\"base_size\":\"0.00000001\",\"limit_price\":"
               "\"57000\",\"stop_price\":\"60000\",\"stop_direction\":"
               "\"STOP_DIRECTION_STOP_DOWN\"}}}");
    struct account_find find = {.market = &market, .client_id = "nd-1", .id = ""};
    assert_true(api()->needs_id);
    assert_false(api()->add_query(&find, 0, &request));
    find.id = "0000-000001";
    assert_true(api()->add_query(&find, 0, &request));
    assert_string_equal(rig_request(&request),
                        "GET /api/v3/brokerage/orders/historical/0000-000001");
    assert_false(api()->add_query(&find, 1, &request));
    api()->add_cancel(&find, &request);
    assert_string_equal(
        rig_request(&request),
        "POST /api/v3/brokerage/orders/batch_cancel {\"order_ids\":[\"0000-000001\"]}");
    struct account_page page = {.market = &market, .order_id = "", .since_us = AT_US, .cursor = ""};
    api()->add_history(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /api/v3/brokerage/orders/historical/batch?product_ids=BTC-USD&"
                        "start_date=2026-01-01T00%3A00%3A00.000000Z&limit=250");
    page.market = NULL;
    page.cursor = "a b";
    api()->add_open(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /api/v3/brokerage/orders/historical/batch?order_status=PENDING&"
                        "order_status=QUEUED&limit=250&cursor=%20b");
    page.cursor = "oa b";
    api()->add_open(&page, &request);
    assert_string_equal(
        rig_request(&request),
        "GET /api/v3/brokerage/orders/historical/batch?order_status=OPEN&limit=250&cursor=a%20b");
    page.cursor = "";
    api()->add_open(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /api/v3/brokerage/orders/historical/batch?order_status=PENDING&"
                        "order_status=QUEUED&limit=250");
    page.order_id = "O1";
    page.cursor = "";
    api()->add_fills(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /api/v3/brokerage/orders/historical/fills?order_ids=O1&"
                        "start_sequence_timestamp=2026-01-01T00%3A00%3A00.000000Z&limit=250");
    const struct symbol symbols[] = {{.name = "BTC-USD"}, {.name = "ETH-USD"}};
    api()->add_rules(symbols, 2, &request);
    assert_true(request.is_public);
    assert_string_equal(
        rig_request(&request),
        "GET /api/v3/brokerage/market/products?product_ids=BTC-USD&product_ids=ETH-USD");
    account_request_release(&request);
}

/* ---------------------------------------------------------------- answers */

static int read_check(const struct account_api *a, const struct json_object *root, struct err *e)
{
    struct account_permissions ret;
    return a->read_check(root, &ret, e);
}

static void what_a_key_may_do_is_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root =
        rig_parse("{\"can_view\":true,\"can_trade\":true,\"can_transfer\":false,\"new\":1}");
    static const struct rig_bad bad[] = {{"\"false\"", "key_permissions, can_transfer is false"},
                                         {"null", "can_transfer is nothing"},
                                         {"0", "can_transfer is 0"}};
    struct account_permissions ret;
    assert_int_equal(api()->read_check(root, &ret, NULL), 0);
    assert_true(ret.reads && ret.trades);
    assert_false(ret.withdraws);
    rig_refuses("coinbase", read_check,
                "{\"can_view\":true,\"can_trade\":true,\"can_transfer\":%s}", bad, COUNT_OF(bad));
}

#define PRODUCT(more)                                                                             \
    "{\"products\":[{\"product_id\":\"ETH-USD\"},{\"product_id\":\"BTC-USD\",\"status\":"         \
    "\"online\",\"is_disabled\":false,\"trading_disabled\":false,\"base_increment\":"             \
    "\"0.00000001\",\"base_min_size\":\"0.00001\",\"base_max_size\":\"3400\",\"quote_min_size\":" \
    "\"1\"," more "}]}"

static int read_rules(const struct account_api *a, const struct json_object *root, struct err *e)
{
    const struct symbol symbol = {.name = "BTC-USD"};
    struct exchange_market market;
    struct instrument rules;
    return a->read_rules(root, &symbol, &market, &rules, e);
}

static void the_rules_of_a_market_are_read(void **state)
{
    (void)state;
    static const char *const halts[] = {"view_only", "auction_mode", "limit_only", "cancel_only"};
    const struct symbol btc = {.name = "BTC-USD"}, sol = {.name = "SOL-USD"};
    struct exchange_market market;
    struct instrument rules;
    AUTO_JSON struct json_object *root = rig_parse(PRODUCT("\"price_increment\":\"0.01\""));
    assert_int_equal(api()->read_rules(root, &btc, &market, &rules, NULL), 0);
    assert_int_equal(rules.status, INSTRUMENT_TRADING);
    assert_string_equal(market.name, "BTC-USD");
    assert_dec(rules.tick, "0.01");
    assert_dec(rules.step, "0.00000001");
    assert_dec(rules.min_qty, "0.00001");
    assert_dec(rules.max_qty, "3400");
    assert_dec(rules.min_notional, "1");
    assert_int_equal(api()->read_rules(root, &sol, &market, &rules, NULL), -ERR_VENUE_SYMBOL);
    for (size_t i = 0; i < COUNT_OF(halts); i++) {
        AUTO_BUF struct buf text = BUF_INIT(4096);
        const char *more = strstr(PRODUCT("@"), "@");
        buf_add(&text, PRODUCT("@"), (size_t)(more - PRODUCT("@")));
        buf_addf(&text, "\"price_increment\":\"1\",\"%s\":true}]}", halts[i]);
        AUTO_JSON struct json_object *halted = rig_parse(text.data);
        assert_int_equal(api()->read_rules(halted, &btc, &market, &rules, NULL), 0);
        assert_int_equal(rules.status, INSTRUMENT_HALTED);
    }
    rig_refuses("coinbase", read_rules, PRODUCT("\"price_increment\":%s"), rig_bad_prices,
                rig_bad_price_count);
    static const struct rig_bad flags[] = {{"\"no\"", "view_only is no"}, {"0", "view_only is 0"}};
    rig_refuses("coinbase", read_rules, PRODUCT("\"price_increment\":\"1\",\"view_only\":%s"),
                flags, COUNT_OF(flags));
    static const struct rig_bad lists[] = {{"{}", "market/products, products is an object"},
                                           {"null", "products is nothing"}};
    rig_refuses("coinbase", read_rules, "{\"products\":%s}", lists, COUNT_OF(lists));
    const struct exchange_market usdc = rig_market("BTC-USDC", "BTC-USDC");
    assert_true(api()->is_market(&usdc, "BTC-USD"));
    assert_true(api()->is_market(&usdc, "BTC-USDC"));
    assert_false(api()->is_market(&usdc, "ETH-USD"));
}

static struct account_coin coins[ACCOUNT_ROWS_MAX];
static struct account_order orders[ACCOUNT_ROWS_MAX];
static struct account_fill fills[ACCOUNT_ROWS_MAX];
static char next[ACCOUNT_CURSOR_SIZE];
static int count;

static int read_coins(const struct account_api *a, const struct json_object *root, struct err *e)
{
    return a->read_coins(root, coins, &count, next, e);
}

static void balances_are_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root =
        rig_parse("{\"accounts\":[{\"currency\":\"USD\",\"available_balance\":{\"value\":"
                  "\"9.1234567890123456\"},\"hold\":{\"value\":\"1\"}},{\"currency\":\"BTC\","
                  "\"available_balance\":{\"value\":\"0\"},\"hold\":{\"value\":\"0.00\"}}],"
                  "\"has_next\":true,\"cursor\":\"789\"}");
    static const struct rig_bad bad[] = {{"\"-1\"", "accounts, row 0, available_balance is -1"},
                                         {"1", "available_balance is 1"},
                                         {"null", "available_balance is nothing"},
                                         {"\"1e2\"", "available_balance is 1e2"}};
    assert_int_equal(read_coins(api(), root, NULL), 0);
    assert_int_equal(count, 1);
    assert_dec(coins[0].available, "9.12345678");
    assert_dec(coins[0].total, "10.12345678");
    assert_string_equal(next, "789");
    rig_refuses("coinbase", read_coins,
                "{\"accounts\":[{\"currency\":\"USD\",\"available_balance\":{\"value\":%s}}]}", bad,
                COUNT_OF(bad));
}

#define ORDER(status, filled, more)                                                          \
    "{\"order_id\":\"O1\",\"client_order_id\":\"nd-1\",\"product_id\":\"BTC-USD\",\"side\":" \
    "\"SELL\",\"status\":\"" status "\",\"filled_size\":" filled ",\"created_time\":\"" ISO  \
    "\"" more "}"
#define LIMIT                                                                                     \
    ",\"order_configuration\":{\"limit_limit_gtc\":{\"base_size\":\"2\",\"limit_price\":\"3.5\"," \
    "\"post_only\":true}}"

static int read_query(const struct account_api *a, const struct json_object *root, struct err *e)
{
    return a->read_order(ACCOUNT_QUERY, root, orders, NULL, &count, e);
}

static void orders_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum order_state state;
    } rows[] = {
        {ORDER("PENDING", "\"0\"", LIMIT), ORDER_ACKED},
        {ORDER("OPEN", "\"1\"", LIMIT), ORDER_PARTIAL},
        {ORDER("CANCEL_QUEUED", "\"0\"", LIMIT), ORDER_ACKED},
        {ORDER("FILLED", "\"2\"", LIMIT), ORDER_FILLED},
        {ORDER("CANCELLED", "\"1\"", LIMIT), ORDER_CANCELLED},
        {ORDER("EXPIRED", "\"0\"", LIMIT), ORDER_CANCELLED},
        {ORDER("FAILED", "\"0\"", LIMIT ",\"reject_message\":\"too late\""), ORDER_REJECTED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text = BUF_INIT(4096);
        buf_addf(&text, "{\"order\":%s}", rows[i].text);
        AUTO_JSON struct json_object *root = rig_parse(text.data);
        assert_int_equal(read_query(api(), root, &err), 0);
        assert_int_equal(orders[0].state, rows[i].state);
        assert_string_equal(orders[0].client_id, "nd-1");
        assert_int_equal(orders[0].type, ORDER_TYPE_LIMIT);
        assert_false(orders[0].buys);
        assert_dec(orders[0].qty, "2");
        assert_dec(orders[0].price, "3.5");
        assert_int_equal(orders[0].at_us, AT_US);
    }
    assert_string_equal(orders[0].reason, "too late");
    AUTO_JSON struct json_object *list = rig_parse("{\"orders\":[" ORDER(
        "OPEN", "\"0\"",
        ",\"order_configuration\":{\"market_market_ioc\":{"
        "\"quote_size\":\"10\"}}") "," ORDER("OPEN", "\"0\"",
                                             ",\"order_configuration\":{\"stop_limit_"
                                             "stop_limit_gtc\":{\"base_size\":\"1\","
                                             "\"limit_price\":\"9\",\"stop_price\":"
                                             "\"8\"}}") "],\"has_next\":false,"
                                                        "\"cursor\":"
                                                        "\"x\"}");
    const struct account_page page = {.order_id = "", .cursor = ""};
    assert_int_equal(api()->read_open(&page, list, orders, &count, next, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(next, "o"); /* those that wait, then those that are open */
    struct account_page open = {.order_id = "", .cursor = "o"};
    assert_int_equal(api()->read_open(&open, list, orders, &count, next, NULL), 0);
    assert_string_equal(next, "");
    struct account_page history = {.order_id = "", .since_us = AT_US, .cursor = ""};
    assert_int_equal(api()->read_open(&history, list, orders, &count, next, NULL), 0);
    assert_string_equal(next, "");
    AUTO_JSON struct json_object *more =
        rig_parse("{\"orders\":[],\"has_next\":true,\"cursor\":\"x\"}");
    assert_int_equal(api()->read_open(&page, more, orders, &count, next, NULL), 0);
    assert_string_equal(next, "wx");
    assert_int_equal(api()->read_open(&open, more, orders, &count, next, NULL), 0);
    assert_string_equal(next, "ox");
    assert_int_equal(api()->read_open(&open, list, orders, &count, next, NULL), 0);
    assert_int_equal(orders[0].type, ORDER_TYPE_MARKET);
    assert_dec(orders[0].qty, "0");
    assert_int_equal(orders[1].type, ORDER_TYPE_STOP);
    assert_dec(orders[1].stop_price, "8");
    rig_refuses("coinbase", read_query, "{\"order\":" ORDER("OPEN", "%s", LIMIT) "}",
                rig_bad_prices, rig_bad_price_count);
    static const struct rig_bad shapes[] = {{"[]", "order_id is nothing"},
                                            {"{\"order_id\":7}", "order_id is 7"},
                                            {ORDER("ODD", "\"0\"", LIMIT), "status is ODD"},
                                            {ORDER("OPEN", "\"0\"", ""), "order_configuration"}};
    rig_refuses("coinbase", read_query, "{\"order\":%s}", shapes, COUNT_OF(shapes));
    AUTO_JSON struct json_object *placed =
        rig_parse("{\"success\":true,\"success_response\":{\"order_id\":\"O9\",\"client_order_id\":"
                  "\"nd-9\"}}");
    assert_int_equal(api()->read_order(ACCOUNT_PLACE, placed, orders, NULL, &count, NULL), 0);
    assert_string_equal(orders[0].id, "O9");
    assert_string_equal(orders[0].client_id, "nd-9");
    assert_dec(orders[0].qty, "0");
}

#define FILL(size, more)                                                                        \
    "{\"fills\":[{\"trade_id\":\"T1\",\"order_id\":\"O1\",\"product_id\":\"BTC-USD\",\"side\":" \
    "\"BUY\",\"price\":\"50\",\"size\":" size ",\"trade_type\":\"FILL\",\"trade_time\":\"" ISO  \
    "\",\"size_in_quote\":" more "}],\"cursor\":\"c2\"}"

static int read_fills(const struct account_api *a, const struct json_object *root, struct err *e)
{
    const struct account_page page = {.order_id = "", .cursor = ""};
    return a->read_fills(&page, root, fills, &count, next, e);
}

static void fills_are_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *base =
        rig_parse(FILL("\"0.5\"", "false,\"commission\":\"0.1234567890123\""));
    AUTO_JSON struct json_object *quote =
        rig_parse(FILL("\"100\"", "true,\"commission\":\"-0.1\""));
    AUTO_JSON struct json_object *none = rig_parse("{\"fills\":[],\"cursor\":\"c3\"}");
    static const struct rig_bad fees[] = {{"null", "row 0, commission is nothing"},
                                          {"\"NaN\"", "commission is NaN"},
                                          {"0.1", "commission is 0.1"}};
    assert_int_equal(read_fills(api(), base, NULL), 0);
    assert_dec(fills[0].qty, "0.5");
    assert_dec(fills[0].fee, "0.12345678");
    assert_true(fills[0].buys);
    assert_string_equal(next, "c2");
    assert_int_equal(read_fills(api(), quote, NULL), 0);
    assert_dec(fills[0].qty, "2");
    assert_dec(fills[0].fee, "-0.1");
    assert_int_equal(read_fills(api(), none, NULL), 0);
    assert_string_equal(next, "");
    rig_refuses("coinbase", read_fills, FILL("%s", "false,\"commission\":\"0\""), rig_bad_prices,
                rig_bad_price_count);
    rig_refuses("coinbase", read_fills, FILL("\"1\"", "false,\"commission\":%s"), fees,
                COUNT_OF(fees));
}

#define FAILED(word) "{\"success\":false,\"error_response\":{\"error\":\"" word "\"}}"
#define CANCELLED(success, word)                                                                   \
    "{\"results\":[{\"success\":" success ",\"failure_reason\":\"" word "\",\"order_id\":\"O1\"}]" \
    "}"

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct rig_verdict rows[] = {
        {ACCOUNT_PLACE, 200,
         "{\"success\":true,\"failure_reason\":\"UNKNOWN_FAILURE_REASON\",\"order_id\":\"O1\"}",
         ACCOUNT_FINE, 0},
        {ACCOUNT_PLACE, 200, FAILED("INSUFFICIENT_FUND"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, FAILED("PREVIEW_INSUFFICIENT_FUNDS"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, FAILED("INVALID_LIMIT_PRICE_POST_ONLY"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, FAILED("UNSUPPORTED_ORDER_CONFIGURATION"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, FAILED("INVALID_SIZE_PRECISION"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 200, FAILED("DUPLICATE_CLIENT_ORDER_ID"), ACCOUNT_DUPLICATE, 0},
        {ACCOUNT_PLACE, 200, FAILED("PRODUCT_TRADING_HALTED"), ACCOUNT_CLOSED, 0},
        {ACCOUNT_PLACE, 200, FAILED("UNKNOWN_FAILURE_REASON"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "{\"success\":\"true\"}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "{}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 200, "", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 500, "{\"error\":\"INTERNAL\",\"message\":\"x\"}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 504, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 400, "{\"error\":\"INVALID_ARGUMENT\",\"message\":\"x\"}", ACCOUNT_REFUSED,
         0},
        {ACCOUNT_PLACE, 401, "Unauthorized\n", ACCOUNT_CLOCK, 0},
        {ACCOUNT_PLACE, 403, "{\"message\":\"Missing required scopes\"}", ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 403, "<html>", ACCOUNT_BANNED, 0},
        {ACCOUNT_PLACE, 429, "{\"message\":\"x\"}", ACCOUNT_LIMITED, 0},
        {ACCOUNT_CANCEL, 200, CANCELLED("true", "UNKNOWN_CANCEL_FAILURE_REASON"), ACCOUNT_FINE, 0},
        {ACCOUNT_CANCEL, 200, CANCELLED("false", "UNKNOWN_CANCEL_ORDER"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_CANCEL, 200, CANCELLED("false", "DUPLICATE_CANCEL_REQUEST"), ACCOUNT_FINE, 0},
        {ACCOUNT_CANCEL, 200, CANCELLED("false", "COMMANDER_REJECTED_CANCEL_ORDER"),
         ACCOUNT_REFUSED, 0},
        {ACCOUNT_CANCEL, 200, "{\"results\":[]}", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_QUERY, 404, "{\"error\":\"NOT_FOUND\",\"message\":\"x\"}", ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_QUERY, 404, "404 page not found", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_QUERY, 200, "{\"order\":{}}", ACCOUNT_FINE, 0},
        {ACCOUNT_COINS, 404, "{\"error\":\"NOT_FOUND\"}", ACCOUNT_REFUSED, 0},
    };
    rig_judges("coinbase", rows, COUNT_OF(rows));
}

/* ---------------------------------------------------------------- streams */

static struct account_event events[ACCOUNT_EVENTS_MAX];
static struct stream_level levels[STREAM_LEVELS_MAX];
static struct stream_message message = {.levels = levels};

static int read_user(const struct account_api *a, const struct json_object *root, struct err *e)
{
    return a->read_stream(root, events, &count, e);
}

static int read_public(const struct account_api *a, const struct json_object *root, struct err *e)
{
    (void)a;
    return stream_api_find("coinbase")->read(root, &message, e);
}

static int read_with(rig_reader reader, const char *text)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    assert_non_null(root);
    err_clear(&err);
    return reader(api(), root, &err);
}

#define USER(status, done, left)                                                                  \
    "{\"channel\":\"user\",\"sequence_num\":7,\"events\":[{\"type\":\"update\",\"orders\":[{"     \
    "\"order_id\":\"O1\",\"client_order_id\":\"nd-1\",\"product_id\":\"BTC-USD\",\"order_side\":" \
    "\"BUY\",\"order_type\":\"Limit\",\"status\":\"" status "\",\"cumulative_quantity\":" done    \
    ",\"leaves_quantity\":\"" left "\"}]}]}"

static void the_account_is_followed(void **state)
{
    (void)state;
    assert_int_equal(read_with(read_user, USER("OPEN", "\"0.5\"", "1.5")), 0);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_ORDER);
    assert_int_equal(events[0].sequence, 8);
    assert_int_equal(events[0].order.state, ORDER_PARTIAL);
    assert_dec(events[0].order.qty, "2");
    assert_int_equal(read_with(read_user, USER("CANCELLED", "\"0.5\"", "0")), 0);
    assert_int_equal(events[0].order.state, ORDER_CANCELLED);
    assert_dec(events[0].order.qty, "0");
    assert_int_equal(read_with(read_user, "{\"channel\":\"heartbeats\",\"sequence_num\":8,"
                                          "\"events\":[{\"heartbeat_counter\":3}]}"),
                     0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_NONE);
    assert_int_equal(events[0].sequence, 9);
    assert_int_equal(read_with(read_user, "{\"channel\":\"subscriptions\",\"sequence_num\":0,"
                                          "\"events\":[{\"subscriptions\":{\"user\":[\"*\"]}}]}"),
                     0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_READY);
    assert_int_equal(
        read_with(read_user, "{\"type\":\"error\",\"message\":\"authentication failure\"}"), 0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_REFUSED);
    assert_has(err.context, "coinbase: authentication failure");
    rig_refuses("coinbase", read_user, USER("OPEN", "%s", "0"), rig_bad_prices,
                rig_bad_price_count);
    static const struct rig_bad sequences[] = {{"null", "sequence_num is nothing"},
                                               {"\"1\"", "sequence_num is 1"},
                                               {"-1", "sequence_num is -1"}};
    rig_refuses("coinbase", read_user, "{\"channel\":\"user\",\"sequence_num\":%s}", sequences,
                COUNT_OF(sequences));
}

#define UPDATE(side, price, qty) \
    "{\"side\":\"" side "\",\"price_level\":" price ",\"new_quantity\":\"" qty "\"}"
#define BOOK(type, updates)                                                     \
    "{\"channel\":\"l2_data\",\"sequence_num\":4,\"events\":[{\"type\":\"" type \
    "\",\"product_id\":\"BTC-USD\",\"updates\":[" updates "]}]}"

static void prices_are_followed(void **state)
{
    (void)state;
    const struct exchange_market market = rig_market("BTC-USD", "BTC-USD");
    const struct stream_ask ask = {.markets = &market, .count = 1, .depth = 10, .trades = true};
    AUTO_BUF struct buf text = BUF_INIT(1024);
    const struct stream_api *s = stream_api_find("coinbase");
    assert_int_equal(s->add_subscribe(&ask, 0, &text), 1);
    assert_string_equal(text.data, "{\"type\":\"subscribe\",\"channel\":\"heartbeats\"}");
    buf_clear(&text);
    assert_int_equal(s->add_subscribe(&ask, 2, &text), 1);
    assert_string_equal(
        text.data, "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\"],\"channel\":\"level2\"}");
    assert_int_equal(s->add_subscribe(&ask, 4, &text), 0);
    assert_int_equal(
        read_with(read_public,
                  BOOK("snapshot", UPDATE("bid", "\"100\"", "1") "," UPDATE(
                                       "offer", "\"101\"", "2") "," UPDATE("bid", "\"99\"", "3"))),
        0);
    assert_int_equal(message.sequence, 5);
    assert_int_equal(message.events[0].kind, STREAM_BOOK);
    assert_true(message.events[0].whole);
    assert_int_equal(message.events[0].bid_count, 2);
    assert_int_equal(message.events[0].ask_count, 1);
    assert_dec(levels[message.events[0].bid_from + 1].price, "99");
    assert_dec(levels[message.events[0].ask_from].qty, "2");
    assert_int_equal(
        read_with(read_public,
                  "{\"channel\":\"ticker\",\"sequence_num\":5,\"events\":[{\"tickers\":"
                  "[{\"product_id\":\"BTC-USD\",\"best_bid\":\"100\","
                  "\"best_bid_quantity\":\"1\",\"best_ask\":\"101\","
                  "\"best_ask_quantity\":\"0.5\"}]}]}"),
        0);
    assert_int_equal(message.events[0].kind, STREAM_TOP);
    assert_dec(message.events[0].ask.qty, "0.5");
    assert_int_equal(
        read_with(read_public,
                  "{\"channel\":\"ticker\",\"sequence_num\":5,\"events\":[{\"tickers\":"
                  "[{\"product_id\":\"BTC-USD\",\"best_bid\":\"101\","
                  "\"best_bid_quantity\":\"1\",\"best_ask\":\"101\","
                  "\"best_ask_quantity\":\"0.5\"}]}]}"),
        0);
    assert_int_equal(message.events[0].bid.price.e8, 0); /* crossed: there is no best price */
    assert_int_equal(message.events[0].ask.price.e8, 0);
    rig_refuses("coinbase", read_public, BOOK("update", UPDATE("bid", "%s", "1")), rig_bad_prices,
                rig_bad_price_count);
    static const struct rig_bad sides[] = {{UPDATE("ask", "\"1\"", "1"), "side is ask"},
                                           {"[]", "side is nothing"},
                                           {UPDATE("bid", "\"0\"", "1"), "price_level is 0"}};
    rig_refuses("coinbase", read_public, BOOK("update", "%s"), sides, COUNT_OF(sides));
}

static void the_far_end_of_a_long_book_is_left_out(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    buf_add_c(&text,
              "{\"channel\":\"l2_data\",\"sequence_num\":1,\"events\":[{\"type\":\"snapshot\","
              "\"product_id\":\"BTC-USD\",\"updates\":[");
    for (int i = 0; i < STREAM_LEVELS_MAX; i++) {
        buf_addf(&text, "%s{\"side\":\"bid\",\"price_level\":\"%d\",\"new_quantity\":\"1\"}",
                 i > 0 ? "," : "", 100000 - i);
    }
    size_t end = text.len;
    buf_add_c(&text, "]}]}");
    assert_int_equal(read_with(read_public, text.data), 0);
    assert_int_equal(message.events[0].bid_count, STREAM_LEVELS_MAX / 2);
    buf_truncate(&text, end);
    buf_add_c(&text, "," UPDATE("bid", "\"100001\"", "1") "]}]}");
    assert_int_equal(read_with(read_public, text.data), -ERR_VENUE_DATA);
    assert_has(err.context, "price_level is not sorted");
}

UNIT_GROUP(coinbase, cmocka_unit_test(requests_carry_a_token), cmocka_unit_test(requests_are_made),
           cmocka_unit_test(what_a_key_may_do_is_read),
           cmocka_unit_test(the_rules_of_a_market_are_read), cmocka_unit_test(balances_are_read),
           cmocka_unit_test(orders_are_read), cmocka_unit_test(fills_are_read),
           cmocka_unit_test(answers_are_judged), cmocka_unit_test(the_account_is_followed),
           cmocka_unit_test(prices_are_followed),
           cmocka_unit_test(the_far_end_of_a_long_book_is_left_out))
