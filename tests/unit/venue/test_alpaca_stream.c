#include "account_rig.h"
#include "base/check.h"
#include "base/clock.h"
#include "venue/exchange.h"
#include "venue/stream.h"

#include <string.h>

/* Alpaca's live prices: for keys, of stocks and of coins apart. */

#define AT_US INT64_C(1767225600000000) /* 2026-01-01 */

static struct err err;
static struct stream_message message;
static struct account_key key;

static int set_key(void **state)
{
    (void)state;
    key = (struct account_key){.id = STR_LIT("PK1"), .secret = STR_LIT("s3cret")};
    return 0;
}

static const struct stream_api *api(void)
{
    return stream_api_find("alpaca");
}

static int read_text(const char *text)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    err_clear(&err);
    return api()->read(root, &message, &err);
}

static int read_stream(const struct account_api *a, const struct json_object *root, struct err *e)
{
    (void)a;
    return api()->read(root, &message, e);
}

static void a_connection_logs_in_and_asks_for_its_markets(void **state)
{
    (void)state;
    const struct exchange_market markets[] = {rig_market("AAPL-USD", "AAPL"),
                                              rig_market("SPY-USD", "SPY")};
    const struct exchange_market coin = rig_market("BTC-USD", "BTC/USD");
    const struct stream_ask ask = {.markets = markets, .count = 2};
    const struct stream_ask coins = {.markets = &coin, .count = 1};
    AUTO_BUF struct buf text = BUF_INIT(4096);
    assert_int_equal(api()->add_login(&key, &text, NULL), 1);
    assert_string_equal(text.data, "{\"action\":\"auth\",\"key\":\"PK1\",\"secret\":\"s3cret\"}");
    buf_clear(&text);
    assert_int_equal(api()->add_subscribe(&ask, 0, &text), 1);
    assert_string_equal(text.data,
                        "{\"action\":\"subscribe\",\"bars\":[\"AAPL\",\"SPY\"],\"quotes\":"
                        "[\"AAPL\",\"SPY\"],\"statuses\":[\"AAPL\",\"SPY\"]}");
    assert_int_equal(api()->add_subscribe(&ask, 1, &text), 0);
    buf_clear(&text);
    assert_int_equal(api()->also->add_subscribe(&coins, 0, &text), 1);
    assert_string_equal(text.data, "{\"action\":\"subscribe\",\"bars\":[\"BTC/USD\"],\"quotes\":"
                                   "[\"BTC/USD\"]}");
    assert_true(api()->has(&markets[0]) && !api()->has(&coin));
    assert_true(api()->also->has(&coin) && !api()->also->has(&markets[0]));
    assert_has(stream_api_find("alpaca_sip")->url, "/v2/sip");
    const struct account_key bad = {.id = STR_LIT("a b"), .secret = STR_LIT("s")};
    assert_int_equal(api()->add_login(&bad, &text, &err), -ERR_VENUE_KEY);
}

/* A key without a subscription gets 30 quotes, and any number of bars. */
static void quotes_are_within_the_limit(void **state)
{
    struct exchange_market markets[40];
    AUTO_BUF struct buf text = BUF_INIT(8192);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(markets); i++) {
        markets[i] = rig_market("AAPL-USD", "AAPL");
    }
    const struct stream_ask ask = {.markets = markets, .count = COUNT_OF(markets)};
    assert_int_equal(api()->add_subscribe(&ask, 0, &text), 1);
    AUTO_JSON struct json_object *iex = rig_parse(text.data);
    assert_int_equal(json_len(json_get(iex, "bars")), 40);
    assert_int_equal(json_len(json_get(iex, "quotes")), 30);
    buf_clear(&text);
    assert_int_equal(stream_api_find("alpaca_sip")->add_subscribe(&ask, 0, &text), 1);
    AUTO_JSON struct json_object *sip = rig_parse(text.data);
    assert_int_equal(json_len(json_get(sip, "quotes")), 40);
}

static void answers_open_or_shut_the_stream(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum stream_event_kind kind;
        enum err_id id;
    } rows[] = {
        {"{\"T\":\"success\",\"msg\":\"connected\"}", STREAM_NONE, ERR_NONE},
        {"{\"T\":\"success\",\"msg\":\"authenticated\"}", STREAM_LOGGED_IN, ERR_NONE},
        {"{\"T\":\"subscription\",\"bars\":[\"AAPL\"]}", STREAM_READY, ERR_NONE},
        {"{\"T\":\"error\",\"code\":402,\"msg\":\"auth failed\"}", STREAM_SHUT, ERR_VENUE_ACCESS},
        {"{\"T\":\"error\",\"code\":406,\"msg\":\"connection limit exceeded\"}", STREAM_SHUT,
         ERR_VENUE_LIMITED},
        {"{\"T\":\"error\",\"code\":409,\"msg\":\"insufficient subscription\"}", STREAM_SHUT,
         ERR_VENUE_ACCESS},
        {"{\"T\":\"error\",\"code\":405,\"msg\":\"symbol limit exceeded\"}", STREAM_REFUSED,
         ERR_VENUE_REQUEST},
        {"{\"T\":\"n\",\"S\":7}", STREAM_NONE, ERR_NONE}, /* a kind that we did not ask for */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf text = BUF_INIT(512);
        buf_addf(&text, "[%s]", rows[i].text);
        assert_int_equal(read_text(text.data), 0);
        assert_int_equal(message.count, 1);
        assert_int_equal(message.events[0].kind, rows[i].kind);
        assert_int_equal(err.id, rows[i].id);
    }
}

#define BAR(open, time)                                                                          \
    "[{\"T\":\"b\",\"S\":\"AAPL\",\"o\":" open ",\"h\":201.5,\"l\":200,\"c\":200.75,\"v\":1200," \
    "\"n\":12,\"vw\":200.6,\"t\":" time "}]"
#define QUOTE(bid, ask)                                                                          \
    "[{\"T\":\"q\",\"S\":\"AAPL\",\"bx\":\"V\",\"bp\":" bid ",\"bs\":3,\"ax\":\"V\",\"ap\":" ask \
    ",\"as\":1,\"c\":[\"R\"],\"z\":\"C\",\"t\":\"2026-01-01T00:00:00.123456789Z\"}]"
#define OPEN "\"2026-01-01T00:00:00Z\""

static void candles_and_best_prices_are_read(void **state)
{
    (void)state;
    assert_int_equal(read_text(BAR("200.5", OPEN)), 0);
    const struct stream_event *e = &message.events[0];
    assert_int_equal(e->kind, STREAM_CANDLE);
    assert_true(e->closed);
    assert_string_equal(e->market, "AAPL");
    assert_int_equal(e->candle.open_us, AT_US);
    assert_dec(e->candle.open, "200.5");
    assert_dec(e->candle.volume, "1200");
    assert_int_equal(read_text(QUOTE("200.5", "200.52")), 0);
    assert_int_equal(e->kind, STREAM_TOP);
    assert_int_equal(e->at_us, AT_US + 123456);
    assert_dec(e->bid.price, "200.5");
    assert_dec(e->ask.qty, "1");
    /* No order on one side, or crossed for a moment: there is no best price. */
    static const char *const none[] = {QUOTE("0", "200.52"), QUOTE("200.5", "0"),
                                       QUOTE("200.52", "200.52"), QUOTE("201", "200.52")};
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        assert_int_equal(read_text(none[i]), 0);
        assert_int_equal(e->kind, STREAM_TOP);
        assert_int_equal(e->bid.price.e8, 0);
        assert_int_equal(e->ask.price.e8, 0);
    }
    static const struct rig_bad opens[] = {{"null", "stream of prices, row 0, o is nothing"},
                                           {"0", "o is 0"},
                                           {"-1", "o is -1"},
                                           {"1e30", "o is 1e+30"},
                                           {"0.123456789", "o is 0.123456789"},
                                           {"300", "has a price outside its high and low"}};
    rig_refuses("alpaca", read_stream, BAR("%s", OPEN), opens, COUNT_OF(opens));
    static const struct rig_bad times[] = {{"1767225600", "t is 1767225600"},
                                           {"\"2026-01-01\"", "t is 2026-01-01"},
                                           {"\"2026-01-01T00:00:07Z\"", "t is no beginning"}};
    rig_refuses("alpaca", read_stream, BAR("200.5", "%s"), times, COUNT_OF(times));
    static const struct rig_bad bids[] = {{"null", "bp is nothing"}, {"[]", "bp is an array"}};
    rig_refuses("alpaca", read_stream, QUOTE("%s", "200.52"), bids, COUNT_OF(bids));
    static const struct rig_bad messages[] = {{"{}", "is an object, not an array"},
                                              {"[7]", "row 0 is not an object"},
                                              {"[{}]", "T is nothing"},
                                              {"[{\"T\":\"b\"}]", "S is nothing"},
                                              {"[{\"T\":\"error\",\"code\":\"402\"}]", "code"}};
    rig_refuses("alpaca", read_stream, "%s", messages, COUNT_OF(messages));
}

#define STATUS(code)                                                                           \
    "[{\"T\":\"s\",\"S\":\"AAPL\",\"sc\":\"" code "\",\"sm\":\"Trading Halt\",\"rc\":\"T12\"," \
    "\"rm\":\"Additional information requested\",\"t\":" OPEN ",\"z\":\"C\"}]"

static void halts_are_read(void **state)
{
    (void)state;
    static const char *const halts[] = {STATUS("H"), STATUS("2"), STATUS("P"), STATUS("Q")};
    static const char *const trades[] = {STATUS("T"), STATUS("3")};
    for (size_t i = 0; i < COUNT_OF(halts); i++) {
        assert_int_equal(read_text(halts[i]), 0);
        assert_int_equal(message.events[0].kind, STREAM_STATUS);
        assert_true(message.events[0].halted);
        assert_string_equal(message.events[0].reason, "Additional information requested");
    }
    for (size_t i = 0; i < COUNT_OF(trades); i++) {
        assert_int_equal(read_text(trades[i]), 0);
        assert_int_equal(message.events[0].kind, STREAM_STATUS);
        assert_false(message.events[0].halted);
    }
    assert_int_equal(read_text(STATUS("E")), 0);
    assert_int_equal(message.events[0].kind, STREAM_NONE);
}

static void stocks_are_asked_for_with_the_key(void **state)
{
    (void)state;
    const struct exchange *iex = exchange_find("alpaca"), *sip = exchange_find("alpaca_sip");
    const struct exchange_market stock = rig_market("AAPL-USD", "AAPL");
    const struct exchange_market coin = rig_market("BTC-USD", "BTC/USD");
    const struct exchange_ask ask = {
        .market = &stock, .tf = TF_1M, .from_us = AT_US, .until_us = AT_US + USEC_PER_MIN};
    struct exchange_market found;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    iex->add_market_path(&stock.symbol, &text);
    assert_string_equal(text.data, "/v2/stocks/quotes/latest?symbols=AAPL&feed=iex");
    buf_clear(&text);
    sip->add_candles_path(&ask, &text);
    assert_string_equal(text.data,
                        "/v2/stocks/bars?symbols=AAPL&timeframe=1Min&limit=1000&sort=asc&start="
                        "2026-01-01T00%3A00%3A00Z&end=2026-01-01T00%3A00%3A59Z&feed=sip&"
                        "adjustment=split");
    assert_true(exchange_needs_key(iex, &stock.symbol));
    assert_false(exchange_needs_key(iex, &coin.symbol));
    assert_false(exchange_needs_key(exchange_find("kraken"), &coin.symbol));
    assert_true(exchange_is_of("alpaca_sip", "alpaca"));
    assert_true(exchange_is_of("kraken", "kraken"));
    assert_false(exchange_is_of("binance_futures", "binance"));
    buf_clear(&text);
    assert_int_equal(iex->sign(&key, &text, NULL), 0);
    assert_string_equal(text.data, "APCA-API-KEY-ID: PK1\nAPCA-API-SECRET-KEY: s3cret\n");
    AUTO_JSON struct json_object *quotes = rig_parse("{\"quotes\":{\"AAPL\":{\"ap\":1}}}");
    assert_int_equal(iex->read_market(quotes, &stock.symbol, &found, NULL), 0);
    assert_string_equal(found.name, "AAPL");
    const struct symbol euros = {.name = "AAPL-EUR"}, other = {.name = "XYZ-USD"};
    assert_int_equal(iex->read_market(quotes, &euros, &found, NULL), -ERR_VENUE_SYMBOL);
    assert_int_equal(iex->read_market(quotes, &other, &found, NULL), -ERR_VENUE_SYMBOL);
    assert_int_equal(iex->judge(401, quotes, &err), EXCHANGE_REFUSED);
    assert_int_equal(err.id, ERR_VENUE_ACCESS);
}

UNIT_GROUP(alpaca_stream,
           cmocka_unit_test_setup(a_connection_logs_in_and_asks_for_its_markets, set_key),
           cmocka_unit_test(quotes_are_within_the_limit),
           cmocka_unit_test(answers_open_or_shut_the_stream),
           cmocka_unit_test(candles_and_best_prices_are_read), cmocka_unit_test(halts_are_read),
           cmocka_unit_test_setup(stocks_are_asked_for_with_the_key, set_key))
