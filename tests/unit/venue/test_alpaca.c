#include "account_rig.h"
#include "base/check.h"
#include "base/clock.h"

#include <string.h>

/* Alpaca: requests, what its answers mean, hours, and the stream of the account. */

#define AT_US INT64_C(1767225600000000) /* 2026-01-01 */
#define ISO   "2026-01-01T00:00:00.000000Z"

static struct err err;
static struct account_order orders[ACCOUNT_ROWS_MAX];
static struct account_fill fills[ACCOUNT_ROWS_MAX];
static struct account_coin coins[ACCOUNT_ROWS_MAX];
static struct account_position positions[ACCOUNT_ROWS_MAX];
static struct account_event events[ACCOUNT_EVENTS_MAX];
static char next[ACCOUNT_CURSOR_SIZE];
static int count;

static const struct account_api *api(void)
{
    return account_api_find("alpaca");
}

static void requests_carry_the_keys(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "a b", "a\nX-Header: b"};
    const struct account_key key = {.id = STR_LIT("PK1"), .secret = STR_LIT("s3cret")};
    struct account_request request;
    account_request_init(&request);
    api()->add_check(true, &request);
    assert_int_equal(api()->sign(&key, NULL, &request, NULL), 0);
    assert_string_equal(request.headers.data,
                        "APCA-API-KEY-ID: PK1\nAPCA-API-SECRET-KEY: s3cret\n");
    assert_string_equal(rig_request(&request), "GET /v2/wallets/whitelists");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct account_key id = {.id = str_c(bad[i]), .secret = STR_LIT("s")};
        const struct account_key secret = {.id = STR_LIT("i"), .secret = str_c(bad[i])};
        assert_int_equal(api()->check_key(&id, &err), -ERR_VENUE_KEY);
        assert_int_equal(api()->check_key(&secret, &err), -ERR_VENUE_KEY);
        assert_null(strstr(err.context, "a b"));
    }
    account_request_release(&request);
}

static void requests_are_made(void **state)
{
    (void)state;
    const struct exchange_market stock = rig_market("AAPL-USD", "AAPL");
    const struct exchange_market coin = rig_market("BTC-USD", "BTC/USD");
    struct account_request request;
    account_request_init(&request);
    struct account_order_ask ask = {.market = &stock,
                                    .client_id = "nd-1",
                                    .buys = true,
                                    .type = ORDER_TYPE_LIMIT,
                                    .qty = rig_dec("2"),
                                    .price = rig_dec("200.50")};
    api()->add_order(&ask, &request);
    assert_string_equal(
        rig_request(&request),
        "POST /v2/orders {\"symbol\":\"AAPL\",\"qty\":\"2\",\"side\":\"buy\",\"type\":"
        "\"limit\",\"time_in_force\":\"gtc\",\"limit_price\":\"200.5\","
        "\"client_order_id\":\"nd-1\"}");
    ask.extended = true;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"time_in_force\":\"day\",\"extended_hours\":true,\"limit");
    ask.extended = false;
    ask.qty = rig_dec("0.5"); /* parts of a share are of the day */
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"qty\":\"0.5\",\"side\":\"buy\",\"type\":\"limit\","
                                      "\"time_in_force\":\"day\"");
    ask.qty = rig_dec("2");
    ask.type = ORDER_TYPE_MARKET;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"type\":\"market\",\"time_in_force\":\"day\",\"client");
    ask.market = &coin;
    ask.buys = false;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "{\"symbol\":\"BTC/USD\",\"qty\":\"2\",\"side\":\"sell\","
                                      "\"type\":\"market\",\"time_in_force\":\"gtc\"");
    ask.time_in_force = TIF_IOC;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"time_in_force\":\"ioc\"");
    /* A stop in coins has a limit, 5 % beyond it. */
    ask.time_in_force = TIF_GTC;
    ask.type = ORDER_TYPE_STOP;
    ask.price = rig_dec("200");
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request),
               "\"type\":\"stop_limit\",\"time_in_force\":\"gtc\",\"stop_price\":\"200\","
               "\"limit_price\":\"190\"");
    ask.market = &stock;
    api()->add_order(&ask, &request);
    assert_has(rig_request(&request), "\"type\":\"stop\",\"time_in_force\":\"gtc\","
                                      "\"stop_price\":\"200\",\"client");
    struct account_find find = {.market = &coin, .client_id = "nd-1", .id = ""};
    assert_true(api()->add_query(&find, 0, &request));
    assert_string_equal(rig_request(&request),
                        "GET /v2/orders:by_client_order_id?client_order_id=nd-1");
    assert_false(api()->add_query(&find, 1, &request));
    find.id = "61e69015";
    assert_true(api()->add_query(&find, 0, &request));
    assert_string_equal(rig_request(&request), "GET /v2/orders/61e69015");
    assert_true(api()->needs_id);
    api()->add_cancel(&find, &request);
    assert_string_equal(rig_request(&request), "DELETE /v2/orders/61e69015");
    struct account_amend_ask amend = {.market = &stock,
                                      .client_id = "nd-1",
                                      .next_id = "nd-1.1767225600000",
                                      .id = "61e69015",
                                      .type = ORDER_TYPE_STOP,
                                      .price = rig_dec("160.02")};
    assert_true(api()->add_amend(&amend, &request));
    assert_string_equal(request.content_type, "application/json");
    assert_string_equal(rig_request(&request),
                        "PATCH /v2/orders/61e69015 {\"stop_price\":\"160.02\",\"client_order_id\":"
                        "\"nd-1.1767225600000\"}");
    amend.market = &coin;
    assert_false(api()->add_amend(&amend, &request));
    amend.market = &stock;
    amend.id = "";
    assert_false(api()->add_amend(&amend, &request));
    struct account_page page = {
        .market = &coin, .order_id = "", .since_us = AT_US, .until_us = AT_US, .cursor = ""};
    api()->add_open(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /v2/orders?status=open&limit=500&direction=asc&symbols=BTC%2FUSD");
    page.cursor = "2022::1";
    api()->add_fills(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /v2/account/activities/FILL?after=2026-01-01T00%3A00%3A00.000000Z&"
                        "until=2026-01-01T00%3A00%3A00.000000Z&direction=asc&page_size=100&"
                        "page_token=2022%3A%3A1");
    assert_int_equal(api()->rules_max, 1);
    api()->add_rules(&coin.symbol, 1, &request);
    assert_false(request.is_public);
    assert_string_equal(rig_request(&request), "GET /v2/assets/BTC%2FUSD");
    api()->add_rules(&stock.symbol, 1, &request);
    assert_string_equal(rig_request(&request), "GET /v2/assets/AAPL");
    assert_true(api()->has_hours(&stock));
    assert_false(api()->has_hours(&coin));
    assert_true(api()->is_market(&coin, "BTCUSD"));
    assert_true(api()->is_market(&coin, "BTC/USD"));
    assert_true(api()->is_market(&stock, "AAPL"));
    assert_false(api()->is_market(&stock, "AAPLUSD"));
    account_request_release(&request);
}

/* ---------------------------------------------------------------- assets and hours */

#define COIN(more)                                                                          \
    "{\"symbol\":\"BTC/USD\",\"class\":\"crypto\",\"status\":\"active\",\"tradable\":true," \
    "\"min_order_size\":\"0.000016341\",\"min_trade_increment\":\"0.000000001\"," more "}"

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
    const struct symbol btc = {.name = "BTC-USD"}, aapl = {.name = "AAPL-USD"};
    struct exchange_market market;
    struct instrument rules;
    AUTO_JSON struct json_object *coin = rig_parse(COIN("\"price_increment\":\"0.01\""));
    AUTO_JSON struct json_object *stock =
        rig_parse("{\"symbol\":\"AAPL\",\"class\":\"us_equity\",\"status\":\"active\",\"tradable\":"
                  "true,\"fractionable\":true}");
    AUTO_JSON struct json_object *halted =
        rig_parse("{\"symbol\":\"AAPL\",\"class\":\"us_equity\",\"status\":\"active\",\"tradable\":"
                  "false,\"fractionable\":false}");
    assert_int_equal(api()->read_rules(coin, &btc, &market, &rules, NULL), 0);
    assert_string_equal(market.name, "BTC/USD");
    assert_int_equal(rules.status, INSTRUMENT_TRADING);
    assert_dec(rules.tick, "0.01");
    assert_dec(rules.step, "0.00000001");
    assert_dec(rules.min_qty, "0.00001634");
    assert_int_equal(api()->read_rules(stock, &aapl, &market, &rules, NULL), 0);
    assert_string_equal(market.name, "AAPL");
    assert_dec(rules.step, "0.0001");
    assert_dec(rules.min_notional, "1");
    assert_dec(rules.tick, "0.01");
    assert_int_equal(api()->read_rules(halted, &aapl, &market, &rules, NULL), 0);
    assert_int_equal(rules.status, INSTRUMENT_HALTED);
    assert_dec(rules.step, "1");
    assert_int_equal(api()->read_rules(stock, &btc, &market, &rules, NULL), -ERR_VENUE_SYMBOL);
    assert_int_equal(api()->read_rules(coin, &aapl, &market, &rules, NULL), -ERR_VENUE_SYMBOL);
    static const struct rig_bad bad[] = {{"null", "/v2/assets, price_increment is nothing"},
                                         {"\"1e-9\"", "price_increment is 1e-9"},
                                         {"0.01", "price_increment is 0.01"},
                                         {"[]", "price_increment is an array"}};
    rig_refuses("alpaca", read_rules, COIN("\"price_increment\":%s"), bad, COUNT_OF(bad));
}

static int read_hours(const struct account_api *a, const struct json_object *root, struct err *e)
{
    struct account_hours ret;
    return a->read_hours(root, &ret, e);
}

static void hours_are_read(void **state)
{
    (void)state;
    struct account_hours hours;
    AUTO_JSON struct json_object *closed =
        rig_parse("{\"is_open\":false,\"next_open\":\"2025-12-31T19:00:00-05:00\",\"next_close\":"
                  "\"2026-01-02T16:00:00-05:00\"}");
    AUTO_JSON struct json_object *open = rig_parse(
        "{\"is_open\":true,\"next_open\":7,\"next_close\":\"2026-01-01T01:00:00.5+01:00\"}");
    static const struct rig_bad bad[] = {{"1767225600", "/v2/clock, next_open is 1767225600"},
                                         {"\"2026-01-01\"", "next_open is 2026-01-01"},
                                         {"\"\"", "next_open is "},
                                         {"null", "next_open is nothing"},
                                         {"\"-05:00\"", "next_open is -05:00"}};
    static const struct rig_bad flags[] = {{"\"true\"", "is_open is true"}, {"null", "is_open"}};
    assert_int_equal(api()->read_hours(closed, &hours, NULL), 0);
    assert_false(hours.open);
    assert_int_equal(hours.changes_us, AT_US);
    assert_int_equal(api()->read_hours(open, &hours, NULL), 0);
    assert_true(hours.open);
    assert_int_equal(hours.changes_us, AT_US + USEC_PER_SEC / 2);
    rig_refuses("alpaca", read_hours, "{\"is_open\":false,\"next_open\":%s}", bad, COUNT_OF(bad));
    rig_refuses("alpaca", read_hours, "{\"is_open\":%s}", flags, COUNT_OF(flags));
}

static int read_calendar(const struct account_api *a, const struct json_object *root, struct err *e)
{
    struct account_day days[ACCOUNT_DAYS_MAX];
    return a->read_calendar(root, days, &count, e);
}

static void the_calendar_is_read(void **state)
{
    (void)state;
    struct account_day days[ACCOUNT_DAYS_MAX];
    struct account_request request;
    account_request_init(&request);
    api()->add_calendar(AT_US, &request);
    assert_string_equal(rig_request(&request), "GET /v2/calendar?start=2025-12-31&end=2026-02-01");
    account_request_release(&request);
    AUTO_JSON struct json_object *root =
        rig_parse("[{\"date\":\"2026-11-25\",\"open\":\"09:30\",\"close\":\"16:00\",\"session_"
                  "open\":\"0400\"},"
                  "{\"date\":\"2026-11-27\",\"open\":\"09:30\",\"close\":\"13:00\"}]");
    assert_int_equal(api()->read_calendar(root, days, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_false(days[0].closes_early);
    assert_true(days[1].closes_early);
    assert_string_equal(days[1].date, "2026-11-27");
    assert_string_equal(days[1].close, "13:00");
    assert_int_equal(days[0].opens_us - days[0].begins_us, 5 * USEC_PER_HOUR + USEC_PER_HOUR / 2);
    assert_int_equal(days[1].begins_us, days[1].opens_us);
    assert_int_equal(days[1].ends_us, days[1].closes_us);
    static const struct rig_bad sessions[] = {{"\"04:00\"", "session_open is no time"},
                                              {"400", "session_open is no time"},
                                              {"\"1000\"", "session_open to session_close"}};
    rig_refuses("alpaca", read_calendar,
                "[{\"date\":\"2026-11-27\",\"open\":\"09:30\",\"close\":\"13:00\",\"session_"
                "open\":%s}]",
                sessions, COUNT_OF(sessions));
    static const struct rig_bad dates[] = {{"null", "/v2/calendar, row 0, date is nothing"},
                                           {"20261127", "date is 20261127"},
                                           {"\"27.11.2026\"", "date is no day"},
                                           {"\"2026-11-27T00:00Z\"", "date is too long"},
                                           {"\"2026-13-27\"", "date is no day"}};
    static const struct rig_bad closes[] = {{"\"1600\"", "close is no time"},
                                            {"16", "close is 16"},
                                            {"\"24:00\"", "close is no time"},
                                            {"\"09:30\"", "close is not after open"}};
    rig_refuses("alpaca", read_calendar, "[{\"date\":%s,\"open\":\"09:30\",\"close\":\"16:00\"}]",
                dates, COUNT_OF(dates));
    rig_refuses("alpaca", read_calendar,
                "[{\"date\":\"2026-11-27\",\"open\":\"09:30\",\"close\":%s}]", closes,
                COUNT_OF(closes));
    static const struct rig_bad lists[] = {{"{}", "is an object, not an array"},
                                           {"[{\"date\":\"2026-11-27\",\"open\":\"09:30\","
                                            "\"close\":\"16:00\"},{\"date\":\"2026-11-27\"}]",
                                            "row 1, date is not after the row before"}};
    rig_refuses("alpaca", read_calendar, "%s", lists, COUNT_OF(lists));
}

/* The clock with an offset, as it is: its own one is that of now, the others may be of summer. */
static void sessions_are_told_apart(void **state)
{
    (void)state;
    struct account_day days[ACCOUNT_DAYS_MAX];
    struct account_hours hours;
    int64_t changes_us = 0;
    AUTO_JSON struct json_object *calendar = rig_parse(
        "[{\"date\":\"2026-11-25\",\"open\":\"09:30\",\"close\":\"16:00\",\"session_open\":"
        "\"0400\",\"session_close\":\"2000\"},{\"date\":\"2026-11-27\",\"open\":\"09:30\","
        "\"close\":\"13:00\",\"session_open\":\"0400\",\"session_close\":\"1700\"}]");
    assert_int_equal(api()->read_calendar(calendar, days, &count, NULL), 0);
    static const struct {
        const char *now;
        bool open;
        const char *changes; /* of the clock */
        enum account_session session;
        const char *until;
    } cases[] = {
        {"2026-11-25T03:59:59", false, "2026-11-25T09:30:00", ACCOUNT_CLOSED_SESSION,
         "2026-11-25T04:00:00"},
        {"2026-11-25T04:00:00", false, "2026-11-25T09:30:00", ACCOUNT_EXTENDED_SESSION,
         "2026-11-25T09:30:00"},
        {"2026-11-25T12:00:00", true, "2026-11-25T16:00:00", ACCOUNT_REGULAR_SESSION,
         "2026-11-25T16:00:00"},
        /* the clock says closed within regular hours: so it is */
        {"2026-11-25T12:00:00", false, "2026-11-27T09:30:00", ACCOUNT_CLOSED_SESSION,
         "2026-11-25T16:00:00"},
        {"2026-11-25T19:59:59", false, "2026-11-27T09:30:00", ACCOUNT_EXTENDED_SESSION,
         "2026-11-25T20:00:00"},
        /* Thanksgiving: no session in the evening before, either */
        {"2026-11-25T20:00:00", false, "2026-11-27T09:30:00", ACCOUNT_CLOSED_SESSION,
         "2026-11-27T04:00:00"},
        {"2026-11-27T13:00:00", false, "2026-11-30T09:30:00", ACCOUNT_EXTENDED_SESSION,
         "2026-11-27T17:00:00"},
        {"2026-11-27T17:00:00", false, "2026-11-30T09:30:00", ACCOUNT_CLOSED_SESSION,
         "2026-11-30T09:30:00"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf text = BUF_INIT(256);
        buf_addf(&text,
                 "{\"timestamp\":\"%s.123456789-05:00\",\"is_open\":%s,\"next_open\":\"%s-05:00\","
                 "\"next_close\":\"%s-05:00\"}",
                 cases[i].now, cases[i].open ? "true" : "false", cases[i].changes,
                 cases[i].changes);
        AUTO_JSON struct json_object *clock = rig_parse(text.data);
        int64_t now_us = 0, until_us = 0;
        assert_int_equal(api()->read_hours(clock, &hours, NULL), 0);
        assert_int_equal(hours.ahead_us, -5 * USEC_PER_HOUR);
        assert_true(clock_parse_iso(str_c(cases[i].now), &now_us) &&
                    clock_parse_iso(str_c(cases[i].until), &until_us));
        assert_int_equal(
            account_session(&hours, days, count, now_us + 5 * USEC_PER_HOUR, &changes_us),
            cases[i].session);
        assert_int_equal(changes_us, until_us + 5 * USEC_PER_HOUR);
        /* without the calendar there are regular hours only */
        assert_int_equal(account_session(&hours, NULL, 0, now_us + 5 * USEC_PER_HOUR, &changes_us),
                         cases[i].open ? ACCOUNT_REGULAR_SESSION : ACCOUNT_CLOSED_SESSION);
    }
}

/* ---------------------------------------------------------------- candles of coins */

#define BARS(open, volume)                                                \
    "{\"bars\":{\"BTC/USD\":[{\"t\":\"2026-01-01T00:00:00Z\",\"o\":" open \
    ",\"h\":3.5,\"l\":0.25,\"c\":2,\"v\":" volume ",\"n\":1,\"vw\":1}]},\"next_page_token\":null}"

static struct candle candles[EXCHANGE_CANDLES_MAX];

static int read_candles(const struct account_api *a, const struct json_object *root, struct err *e)
{
    const struct exchange_market market = rig_market("BTC-USD", "BTC/USD");
    const struct exchange_ask ask = {
        .market = &market, .tf = TF_5M, .from_us = AT_US, .until_us = AT_US + timeframe_us(TF_5M)};
    (void)a;
    return exchange_find("alpaca")->read_candles(root, &ask, candles, &count, e);
}

static void candles_of_coins_are_read(void **state)
{
    (void)state;
    const struct exchange *x = exchange_find("alpaca");
    const struct exchange_market market = rig_market("BTC-USD", "BTC/USD");
    const struct exchange_ask ask = {
        .market = &market, .tf = TF_5M, .from_us = AT_US, .until_us = AT_US + USEC_PER_HOUR};
    const struct symbol aapl = {.name = "AAPL-USD"};
    struct exchange_market found;
    int64_t wall_us = 0;
    AUTO_BUF struct buf path = BUF_INIT(512);
    x->add_candles_path(&ask, &path);
    assert_string_equal(path.data,
                        "/v1beta3/crypto/us/bars?symbols=BTC%2FUSD&timeframe=5Min&limit=1000&"
                        "sort=asc&start=2026-01-01T00%3A00%3A00Z&end=2026-01-01T00%3A59%3A59Z");
    AUTO_JSON struct json_object *quotes =
        rig_parse("{\"quotes\":{\"BTC/USD\":{\"t\":\"2026-01-01T00:00:00.123456789Z\"}}}");
    assert_int_equal(x->read_time(quotes, &wall_us, NULL), 0);
    assert_int_equal(wall_us, AT_US + 123456);
    assert_int_equal(x->read_market(quotes, &market.symbol, &found, NULL), 0);
    assert_string_equal(found.name, "BTC/USD");
    assert_int_equal(x->read_market(quotes, &aapl, &found, NULL), -ERR_VENUE_SYMBOL);
    AUTO_JSON struct json_object *bars = rig_parse(BARS("1.50", "1e-07"));
    AUTO_JSON struct json_object *none = rig_parse("{\"bars\":{},\"next_page_token\":null}");
    assert_int_equal(read_candles(api(), bars, &err), 0);
    assert_int_equal(count, 1);
    assert_dec(candles[0].open, "1.5");
    assert_int_equal(candles[0].volume.e8, 10);
    assert_int_equal(read_candles(api(), none, &err), 0);
    assert_int_equal(count, 0);
    static const struct rig_bad prices[] = {{"1e1", "crypto/us/bars, row 0, o is 10"},
                                            {"\"NaN\"", "o is NaN"},
                                            {"-1", "o is -1"},
                                            {"0", "o is 0"},
                                            {"null", "o is nothing"},
                                            {"[1]", "o is an array"},
                                            {"9", "outside its high"}};
    static const struct rig_bad volumes[] = {{"-1e-7", "v is"}, {"1e7", "v is"}, {"null", "v is"}};
    rig_refuses("alpaca", read_candles, BARS("%s", "1"), prices, COUNT_OF(prices));
    rig_refuses("alpaca", read_candles, BARS("1", "%s"), volumes, COUNT_OF(volumes));
}

/* ---------------------------------------------------------------- the account */

#define ACCOUNT(blocked, cash)                                                     \
    "{\"currency\":\"USD\",\"trading_blocked\":false,\"account_blocked\":" blocked \
    ",\"trade_suspended_by_user\":false,\"cash\":" cash                            \
    ",\"non_marginable_buying_power\":\"90.5\"}"

static int read_coins(const struct account_api *a, const struct json_object *root, struct err *e)
{
    return a->read_coins(root, coins, &count, next, e);
}

static int read_positions(const struct account_api *a, const struct json_object *root,
                          struct err *e)
{
    struct account_margin margin;
    return a->read_positions(root, positions, &count, &margin, e);
}

static void the_account_is_read(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *good = rig_parse(ACCOUNT("false", "\"-12.25\""));
    AUTO_JSON struct json_object *blocked = rig_parse(ACCOUNT("true", "\"1\""));
    AUTO_JSON struct json_object *held = rig_parse(
        "[{\"symbol\":\"BTCUSD\",\"side\":\"long\",\"qty\":\"0.123456789\","
        "\"avg_entry_price\":\"60000.123456789\"},{\"symbol\":\"AAPL\",\"side\":\"short\","
        "\"qty\":\"-2\",\"avg_entry_price\":\"200\"},{\"symbol\":\"ETHUSD\",\"side\":"
        "\"long\",\"qty\":\"0.000000001\",\"avg_entry_price\":\"1\"}]");
    static const struct rig_bad cash[] = {{"1.5", "/v2/account, cash is 1.5"},
                                          {"\"1e3\"", "cash is 1e3"},
                                          {"null", "cash is nothing"}};
    static const struct rig_bad qtys[] = {{"\"-1\"", "row 0, qty is below 0 for a long"},
                                          {"\"1.1x\"", "qty is 1.1x"},
                                          {"null", "qty is nothing"}};
    assert_int_equal(read_coins(api(), good, NULL), 0);
    assert_string_equal(coins[0].currency, "USD");
    assert_dec(coins[0].total, "-12.25"); /* it lends */
    assert_dec(coins[0].available, "90.5");
    assert_int_equal(read_coins(api(), blocked, &err), -ERR_VENUE_ACCESS);
    assert_has(err.context, "account_blocked");
    assert_int_equal(read_positions(api(), held, NULL), 0);
    assert_int_equal(count, 2); /* what is below 1e-8 is not there */
    assert_dec(positions[0].qty, "0.12345678");
    assert_int_equal(positions[1].side, SIDE_SHORT);
    assert_dec(positions[1].qty, "2");
    rig_refuses("alpaca", read_coins, ACCOUNT("false", "%s"), cash, COUNT_OF(cash));
    rig_refuses("alpaca", read_positions,
                "[{\"symbol\":\"AAPL\",\"side\":\"long\",\"avg_entry_price\":\"1\",\"qty\":%s}]",
                qtys, COUNT_OF(qtys));
    AUTO_JSON struct json_object *object = rig_parse("{}");
    assert_int_equal(read_positions(api(), object, &err), -ERR_VENUE_DATA);
    struct account_permissions may;
    AUTO_JSON struct json_object *none = rig_parse("[]");
    AUTO_JSON struct json_object *address = rig_parse("[{\"address\":\"bc1\"}]");
    assert_int_equal(api()->read_check(none, &may, NULL), 0);
    assert_true(may.trades && may.withdraws_unknown);
    assert_false(may.withdraws);
    assert_int_equal(api()->read_check(address, &may, NULL), 0);
    assert_true(may.withdraws);
}

/* ---------------------------------------------------------------- orders and fills */

#define ORDER(status, filled, qty, more)                                     \
    "{\"id\":\"61e69015\",\"client_order_id\":\"nd-1\",\"symbol\":\"BTC/"    \
    "USD\",\"status\":\"" status "\",\"filled_qty\":" filled ",\"qty\":" qty \
    ",\"side\":\"buy\",\"updated_at\":\"" ISO "\"" more "}"
#define LIMIT ",\"type\":\"limit\",\"limit_price\":\"3.5\",\"stop_price\":null"

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
        {ORDER("new", "\"0\"", "\"2\"", LIMIT), ORDER_ACKED},
        {ORDER("accepted", "\"0\"", "\"2\"", LIMIT), ORDER_ACKED},
        {ORDER("pending_cancel", "\"0.5\"", "\"2\"", LIMIT), ORDER_PARTIAL},
        {ORDER("partially_filled", "\"1\"", "\"2\"", LIMIT), ORDER_PARTIAL},
        {ORDER("filled", "\"2\"", "\"2\"", LIMIT), ORDER_FILLED},
        {ORDER("canceled", "\"1\"", "\"2\"", LIMIT), ORDER_CANCELLED},
        {ORDER("replaced", "\"1\"", "\"2\"", LIMIT), ORDER_CANCELLED},
        {ORDER("rejected", "\"0\"", "\"2\"", LIMIT), ORDER_REJECTED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_JSON struct json_object *root = rig_parse(rows[i].text);
        assert_int_equal(read_query(api(), root, &err), 0);
        assert_int_equal(orders[0].state, rows[i].state);
        assert_string_equal(orders[0].client_id, "nd-1");
        assert_dec(orders[0].qty, "2");
        assert_dec(orders[0].price, "3.5");
        assert_int_equal(orders[0].at_us, AT_US);
    }
    AUTO_JSON struct json_object *foreign = rig_parse(
        "{\"id\":\"1\",\"client_order_id\":\"somebody else's id that is longer than ours may be "
        "123\""
        ",\"symbol\":\"AAPL\",\"status\":\"new\",\"filled_qty\":\"0\",\"qty\":null,\"notional\":"
        "\"10\",\"side\":\"sell_short\",\"type\":\"trailing_stop\",\"updated_at\":\"" ISO "\"}");
    assert_int_equal(read_query(api(), foreign, &err), 0);
    assert_string_equal(orders[0].client_id, "");
    AUTO_JSON struct json_object *replaced =
        rig_parse(ORDER("replaced", "\"0\"", "\"2\"", LIMIT ",\"replaced_by\":\"904837e3\""));
    AUTO_JSON struct json_object *unsaid =
        rig_parse(ORDER("replaced", "\"0\"", "\"2\"", LIMIT ",\"replaced_by\":null"));
    AUTO_JSON struct json_object *waits =
        rig_parse(ORDER("pending_replace", "\"0\"", "\"2\"", LIMIT));
    assert_int_equal(read_query(api(), replaced, &err), 0);
    assert_string_equal(orders[0].id, "904837e3");
    assert_string_equal(orders[0].before, "61e69015");
    assert_dec(orders[0].qty, "0");
    assert_int_equal(read_query(api(), unsaid, &err), 0);
    assert_string_equal(orders[0].id, "61e69015");
    assert_string_equal(orders[0].before, "");
    assert_dec(orders[0].qty, "0");
    assert_int_equal(read_query(api(), waits, &err), 0);
    assert_true(orders[0].changing);
    assert_int_equal(orders[0].state, ORDER_ACKED);
    assert_int_equal(read_query(api(), foreign, &err), 0);
    assert_int_equal(orders[0].type, ORDER_TYPE_STOP);
    assert_int_equal(api()->read_order(ACCOUNT_CANCEL, NULL, orders, NULL, &count, NULL), 0);
    assert_dec(orders[0].qty, "0");
    static const struct rig_bad qtys[] = {{"\"-1\"", "/v2/orders, filled_qty is -1"},
                                          {"1", "filled_qty is 1"},
                                          {"null", "filled_qty is nothing"},
                                          {"\"NaN\"", "filled_qty is NaN"}};
    static const struct rig_bad shapes[] = {
        {"[]", "id is nothing"},
        {ORDER("odd", "\"0\"", "\"1\"", LIMIT), "status is odd"},
        {"{\"id\":18446744073709551615}", "id is 18446744073709551615"}};
    rig_refuses("alpaca", read_query, ORDER("new", "%s", "\"1\"", LIMIT), qtys, COUNT_OF(qtys));
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        AUTO_JSON struct json_object *root = rig_parse(shapes[i].value);
        assert_int_equal(read_query(api(), root, &err), -ERR_VENUE_DATA);
        assert_has(err.context, shapes[i].context);
    }
}

#define FILL(qty, sum, price)                                                                      \
    "{\"id\":\"20260101000000000::2d7be4ff\",\"order_id\":\"O1\",\"symbol\":\"BTC/USD\",\"side\":" \
    "\"buy\",\"transaction_time\":\"" ISO "\",\"qty\":" qty ",\"cum_qty\":" sum                    \
    ",\"price\":" price "}"

static int read_fills(const struct account_api *a, const struct json_object *root, struct err *e)
{
    const struct account_page page = {.order_id = "", .cursor = ""};
    return a->read_fills(&page, root, fills, &count, next, e);
}

static void fills_add_up_to_the_order(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *root =
        rig_parse("[" FILL("\"0.333333333\"", "\"0.333333333\"", "\"60000\"") "," FILL(
            "\"0.666666666\"", "\"0.999999999\"", "\"60000\"") "," FILL("\"0.000000001\"", "\"1\"",
                                                                        "\"60000\"") "]");
    static const struct rig_bad qtys[] = {{"\"0\"", "row 0, qty is 0"},
                                          {"\"2\"", "qty is 0, or above"},
                                          {"\"0.1234567891\"", "qty has more than 9 places"},
                                          {"0.5", "qty is 0.5"}};
    assert_int_equal(read_fills(api(), root, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(fills[0].id, "2d7be4ff");
    assert_int_equal(fills[0].qty.e8 + fills[1].qty.e8 + fills[2].qty.e8, DEC_ONE);
    assert_string_equal(next, "");
    rig_refuses("alpaca", read_fills, "[" FILL("%s", "\"1\"", "\"1\"") "]", qtys, COUNT_OF(qtys));
    rig_refuses("alpaca", read_fills, "[" FILL("\"1\"", "\"1\"", "%s") "]", rig_bad_prices,
                rig_bad_price_count);
}

#define SAID(code, text) "{\"code\":" code ",\"message\":\"" text "\"}"

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct rig_verdict rows[] = {
        {ACCOUNT_PLACE, 200, "{\"id\":\"1\"}", ACCOUNT_FINE, 0},
        {ACCOUNT_PLACE, 200, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 422, SAID("40010001", "client_order_id must be unique"), ACCOUNT_DUPLICATE,
         0},
        {ACCOUNT_PLACE, 422, SAID("42210000", "invalid limit_price"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 422, SAID("42210000", "asset AAPL is not tradable"), ACCOUNT_CLOSED, 0},
        {ACCOUNT_PLACE, 403, SAID("40310000", "insufficient buying power"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 403, SAID("40310000", "potential wash trade detected"), ACCOUNT_REFUSED, 0},
        {ACCOUNT_PLACE, 403, SAID("40310000", "account is restricted"), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 403, SAID("40310000", "forbidden."), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 403, "<html>", ACCOUNT_BANNED, 0},
        {ACCOUNT_PLACE, 400, SAID("40010000", "request body format is invalid"), ACCOUNT_REFUSED,
         0},
        {ACCOUNT_PLACE, 401, SAID("40110000", "request is not authorized"), ACCOUNT_KEY, 0},
        {ACCOUNT_PLACE, 429, SAID("42910000", "rate limit exceeded"), ACCOUNT_LIMITED, 0},
        {ACCOUNT_PLACE, 500, SAID("50010000", "internal server error"), ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 504, "", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_PLACE, 408, "", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_CANCEL, 204, "", ACCOUNT_FINE, 0},
        {ACCOUNT_CANCEL, 422, SAID("42210000", "order is not cancelable"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_CANCEL, 404, SAID("40410000", "order not found"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_AMEND, 422, SAID("42210000", "cannot replace order in \\\"filled\\\" state"),
         ACCOUNT_REFUSED, 0},
        {ACCOUNT_AMEND, 403, SAID("40310000", "order parameters are not changed"), ACCOUNT_REFUSED,
         0},
        {ACCOUNT_AMEND, 404, SAID("40410000", "order not found"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_AMEND, 422, SAID("40010001", "client_order_id must be unique"), ACCOUNT_DUPLICATE,
         0},
        {ACCOUNT_QUERY, 404, SAID("40410000", "order not found"), ACCOUNT_NOT_FOUND, 0},
        {ACCOUNT_QUERY, 404, "<html>", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_QUERY, 204, "", ACCOUNT_UNKNOWN, 0},
        {ACCOUNT_COINS, 403, SAID("40310000", "x"), ACCOUNT_KEY, 0},
        {ACCOUNT_RULES, 404, SAID("40410000", "asset not found"), ACCOUNT_REFUSED, 0},
    };
    rig_judges("alpaca", rows, COUNT_OF(rows));
}

/* ---------------------------------------------------------------- the stream of the account */

static int read_updates(const struct account_api *a, const struct json_object *root, struct err *e)
{
    return a->read_stream(root, events, &count, e);
}

static int read_text(const char *text)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    assert_non_null(root);
    err_clear(&err);
    return read_updates(api(), root, &err);
}

#define UPDATE(event, order, more) \
    "{\"stream\":\"trade_updates\",\"data\":{\"event\":\"" event "\",\"order\":" order more "}}"
#define EXECUTION(qty) \
    ",\"execution_id\":\"2d7be4ff\",\"price\":\"60000\",\"timestamp\":\"" ISO "\",\"qty\":" qty

static void the_account_is_followed(void **state)
{
    (void)state;
    const struct account_key key = {.id = STR_LIT("PK1"), .secret = STR_LIT("s3cret")};
    AUTO_BUF struct buf text = BUF_INIT(1024);
    assert_int_equal(api()->add_stream_login(0, &key, NULL, "", &text, NULL), 1);
    assert_string_equal(text.data, "{\"action\":\"auth\",\"key\":\"PK1\",\"secret\":\"s3cret\"}");
    buf_clear(&text);
    assert_int_equal(api()->add_stream_login(1, &key, NULL, "", &text, NULL), 1);
    assert_string_equal(text.data,
                        "{\"action\":\"listen\",\"data\":{\"streams\":[\"trade_updates\"]}}");
    assert_int_equal(api()->add_stream_login(2, &key, NULL, "", &text, NULL), 0);
    assert_int_equal(
        read_text("{\"stream\":\"authorization\",\"data\":{\"status\":\"authorized\"}}"), 0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_NONE);
    assert_int_equal(
        read_text("{\"stream\":\"authorization\",\"data\":{\"status\":\"unauthorized\"}}"), 0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_REFUSED);
    assert_int_equal(
        read_text("{\"stream\":\"listening\",\"data\":{\"streams\":[\"trade_updates\"]}}"), 0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_READY);
    assert_int_equal(read_text(UPDATE("new", ORDER("new", "\"0\"", "\"1\"", LIMIT), "")), 0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_ORDER);
    assert_int_equal(events[0].order.state, ORDER_ACKED);
    assert_int_equal(
        read_text(UPDATE("partial_fill", ORDER("partially_filled", "\"0.5\"", "\"1\"", LIMIT),
                         EXECUTION("\"0.25\""))),
        0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_FILL);
    assert_string_equal(events[0].fill.id, "2d7be4ff");
    assert_string_equal(events[0].fill.client_id, "nd-1");
    assert_dec(events[0].fill.qty, "0.25");
    assert_dec(events[0].order.filled_qty, "0.5");
    static const struct rig_bad qtys[] = {
        {"\"-1\"", "trade_updates, qty is -1"}, {"1", "qty is 1"}, {"\"7\"", "qty is 0, or above"}};
    rig_refuses("alpaca", read_updates,
                UPDATE("fill", ORDER("filled", "\"1\"", "\"1\"", LIMIT), EXECUTION("%s")), qtys,
                COUNT_OF(qtys));
    assert_int_equal(read_text("[]"), -ERR_VENUE_DATA);
}

static struct account_payment payments[ACCOUNT_ROWS_MAX];

static int read_fees(const struct account_api *a, const struct json_object *root, struct err *e)
{
    const struct account_page page = {.order_id = "", .cursor = ""};
    return a->read_funding(&page, root, payments, &count, next, e);
}

static void fees_of_the_day_are_read(void **state)
{
    (void)state;
    struct account_request request;
    account_request_init(&request);
    const struct account_page page = {.order_id = "", .since_us = AT_US, .cursor = "7"};
    api()->add_funding(&page, &request);
    assert_string_equal(rig_request(&request),
                        "GET /v2/account/activities?activity_types=FEE%2CCFEE&after=2026-01-01T00"
                        "%3A00%3A00.000000Z&direction=asc&page_size=100&page_token=7");
    account_request_release(&request);
    AUTO_JSON struct json_object *rows = rig_parse(
        "[{\"id\":\"20260102000000000::a\",\"activity_type\":\"FEE\",\"date\":\"2026-01-02\","
        "\"net_amount\":\"-0.02\",\"status\":\"executed\",\"description\":\"TAF\"},"
        "{\"id\":\"20260102000000000::b\",\"date\":\"2026-01-02\",\"net_amount\":\"0\","
        "\"symbol\":\"BTCUSD\",\"qty\":\"-0.0001\",\"price\":\"60000\"}," /* in coins: taken */
        "{\"id\":\"20260102000000000::c\",\"date\":\"2026-01-02\",\"net_amount\":\"-1\","
        "\"status\":\"canceled\"},"
        "{\"id\":\"20260103000000000::d\",\"date\":\"2026-01-03\",\"net_amount\":\"0.5\","
        "\"symbol\":\"BTCUSD\"}]"); /* given back */
    assert_int_equal(read_fees(api(), rows, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(payments[0].id, "a");
    assert_string_equal(payments[0].market, "");
    assert_dec(payments[0].payment, "0.02");
    assert_int_equal(payments[0].at_us, AT_US + USEC_PER_DAY);
    assert_string_equal(payments[1].market, "BTCUSD");
    assert_dec(payments[1].payment, "-0.5");
    static const struct rig_bad ids[] = {{"null", "/v2/account/activities, row 0, id is nothing"},
                                         {"\"2026::\"", "id is not a time and an id"},
                                         {"7", "id is 7"}};
    static const struct rig_bad amounts[] = {{"-0.02", "net_amount is -0.02"},
                                             {"null", "net_amount is nothing"},
                                             {"\"x\"", "net_amount is x"}};
    static const struct rig_bad dates[] = {{"null", "date is nothing"},
                                           {"\"2026\"", "date is no day"}};
    rig_refuses("alpaca", read_fees, "[{\"id\":%s,\"date\":\"2026-01-02\",\"net_amount\":\"-1\"}]",
                ids, COUNT_OF(ids));
    rig_refuses("alpaca", read_fees, "[{\"id\":\"a\",\"date\":\"2026-01-02\",\"net_amount\":%s}]",
                amounts, COUNT_OF(amounts));
    rig_refuses("alpaca", read_fees, "[{\"id\":\"a\",\"date\":%s,\"net_amount\":\"-1\"}]", dates,
                COUNT_OF(dates));
}

UNIT_GROUP(alpaca, cmocka_unit_test(requests_carry_the_keys), cmocka_unit_test(requests_are_made),
           cmocka_unit_test(the_rules_of_a_market_are_read), cmocka_unit_test(hours_are_read),
           cmocka_unit_test(the_calendar_is_read), cmocka_unit_test(fees_of_the_day_are_read),
           cmocka_unit_test(sessions_are_told_apart), cmocka_unit_test(candles_of_coins_are_read),
           cmocka_unit_test(the_account_is_read), cmocka_unit_test(orders_are_read),
           cmocka_unit_test(fills_add_up_to_the_order), cmocka_unit_test(answers_are_judged),
           cmocka_unit_test(the_account_is_followed))
