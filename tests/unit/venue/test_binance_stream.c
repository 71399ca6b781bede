#include "account_rig.h"
#include "base/check.h"
#include "unit/unit.h"
#include "venue/stream.h"

#include <string.h>

static struct err err;

/* The public streams of Binance: what is subscribed, and what is read. */

static struct stream_level levels[STREAM_LEVELS_MAX];
static struct stream_message message;
static const struct stream_api *api;

static int setup(void **state)
{
    (void)state;
    api = stream_api_find("binance");
    assert_non_null(api);
    message = (struct stream_message){.levels = levels};
    err_clear(&err);
    return 0;
}

static int read_text(const char *text)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    err_clear(&err);
    return api->read(root, &message, &err);
}

#define KLINE                                                                                  \
    "{\"stream\":\"bnbbtc@kline_1m\",\"data\":{\"e\":\"kline\",\"E\":1767225612345,\"s\":"     \
    "\"BNBBTC\",\"k\":{\"t\":1767225600000,\"T\":1767225659999,\"s\":\"BNBBTC\",\"i\":\"1m\"," \
    "\"f\":100,\"L\":200,\"o\":\"2\",\"c\":\"2.5\",\"h\":\"3\",\"l\":\"1\",\"v\":\"1000\","    \
    "\"n\":100,\"x\":false,\"q\":\"1\",\"V\":\"5\",\"Q\":\"6\",\"B\":\"7\"}}}"
#define TOP                                                                               \
    "{\"stream\":\"bnbbtc@bookTicker\",\"data\":{\"u\":400900217,\"s\":\"BNBBTC\",\"b\":" \
    "\"25.3519\",\"B\":\"31.21\",\"a\":\"25.3652\",\"A\":\"40.66\"}}"
#define DEPTH                                                                                    \
    "{\"stream\":\"bnbbtc@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1767225612345,"    \
    "\"s\":\"BNBBTC\",\"U\":157,\"u\":160,\"b\":[[\"0.0024\",\"10\"],[\"0.0023\",\"0\"]],\"a\":" \
    "[[\"0.0026\",\"100\"]]}}"
#define TRADE                                                                           \
    "{\"stream\":\"bnbbtc@trade\",\"data\":{\"e\":\"trade\",\"E\":1767225612345,\"s\":" \
    "\"BNBBTC\",\"t\":12345,\"p\":\"0.001\",\"q\":\"100\",\"T\":1767225612344,\"m\":true}}"

static void streams_are_subscribed(void **state)
{
    (void)state;
    static struct exchange_market markets[60];
    for (size_t i = 0; i < COUNT_OF(markets); i++) {
        (void)snprintf(markets[i].name, sizeof(markets[i].name), "C%zuUSDT", i);
    }
    struct stream_ask ask = {.markets = markets, .count = 2};
    AUTO_BUF struct buf text = BUF_INIT(65536);
    assert_int_equal(api->add_subscribe(&ask, 0, &text), 1);
    assert_string_equal(text.data, "{\"method\":\"SUBSCRIBE\",\"params\":[\"c0usdt@kline_1m\","
                                   "\"c0usdt@bookTicker\",\"c1usdt@kline_1m\","
                                   "\"c1usdt@bookTicker\"],\"id\":1}");
    assert_int_equal(api->add_subscribe(&ask, 1, &text), 0);
    ask = (struct stream_ask){.markets = markets, .count = 60, .depth = 20, .trades = true};
    buf_clear(&text);
    assert_int_equal(api->add_subscribe(&ask, 0, &text), 1);
    assert_has(text.data, "\"c49usdt@depth@100ms\",\"c49usdt@trade\"],\"id\":1}");
    assert_lacks(text.data, "c50usdt");
    buf_clear(&text);
    assert_int_equal(api->add_subscribe(&ask, 1, &text), 1);
    assert_has(text.data, "[\"c50usdt@kline_1m\"");
    assert_has(text.data, "\"c59usdt@trade\"],\"id\":2}");
    assert_int_equal(api->add_subscribe(&ask, 2, &text), 0);
}

static void messages_are_read(void **state)
{
    (void)state;
    const struct stream_event *is = &message.events[0];
    assert_int_equal(read_text(KLINE), 0);
    assert_int_equal(message.count, 1);
    assert_int_equal(is->kind, STREAM_CANDLE);
    assert_string_equal(is->market, "BNBBTC");
    assert_int_equal(is->candle.open_us, INT64_C(1767225600000000));
    assert_int_equal(is->candle.high.e8, 3 * DEC_ONE);
    assert_int_equal(is->candle.close.e8, 5 * DEC_ONE / 2);
    assert_int_equal(is->candle.volume.e8, 1000 * DEC_ONE);
    assert_int_equal(is->at_us, INT64_C(1767225612345000));
    assert_false(is->closed);
    assert_int_equal(read_text(TOP), 0);
    assert_int_equal(is->kind, STREAM_TOP);
    assert_int_equal(is->bid.price.e8, 2535190000);
    assert_int_equal(is->ask.qty.e8, 4066000000);
    assert_int_equal(read_text(DEPTH), 0);
    assert_int_equal(is->kind, STREAM_BOOK);
    assert_false(is->whole);
    assert_int_equal(is->first, 157);
    assert_int_equal(is->last, 160);
    assert_int_equal(is->previous, 0);
    assert_int_equal(is->bid_count, 2);
    assert_int_equal(is->ask_from, 2);
    assert_int_equal(is->ask_count, 1);
    assert_int_equal(levels[1].qty.e8, 0);
    assert_int_equal(levels[2].price.e8, 260000);
    assert_int_equal(read_text(TRADE), 0);
    assert_int_equal(is->kind, STREAM_TRADE);
    assert_int_equal(is->qty.e8, 100 * DEC_ONE);
    assert_int_equal(is->at_us, INT64_C(1767225612344000));
    assert_false(is->buyer_takes);
    static const struct {
        const char *text;
        enum stream_event_kind kind;
    } others[] = {
        {"{\"result\":null,\"id\":1}", STREAM_READY},
        {"{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":1}", STREAM_REFUSED},
        {"{\"code\":2,\"msg\":\"Invalid request\",\"id\":1}", STREAM_REFUSED},
        {"{\"e\":\"serverShutdown\",\"E\":1}", STREAM_CLOSING},
        {"{\"stream\":\"!x\",\"data\":{\"e\":\"serverShutdown\",\"E\":1}}", STREAM_CLOSING},
        {"{\"stream\":\"bnbbtc@somethingNew\",\"data\":{\"s\":\"BNBBTC\"}}", STREAM_NONE},
        {"{\"stream\":\"bnbbtc@bookTicker\",\"data\":{\"s\":\"BNBBTC\",\"b\":\"0\",\"B\":\"0\","
         "\"a\":\"1\",\"A\":\"1\"}}",
         STREAM_NONE},
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(read_text(others[i].text), 0);
        assert_int_equal(is->kind, others[i].kind);
        assert_int_equal(err.id, is->kind == STREAM_REFUSED ? ERR_VENUE_REQUEST : ERR_NONE);
    }
}

static void messages_that_cannot_be_trusted_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *from, *to, *context;
    } bad[] = {
        {KLINE, "\"c\":\"2.5\"", "\"c\":2.5", "kline_1m, c is 2.5, not a decimal above 0"},
        {KLINE, "\"c\":\"2.5\"", "\"c\":\"2.5e0\"", "c is 2.5e0"},
        {KLINE, "\"c\":\"2.5\"", "\"c\":\"4\"", "has a price outside its high and low"},
        {KLINE, "\"c\":\"2.5\"", "\"c\":\"NaN\"", "c is NaN"},
        {KLINE, "\"c\":\"2.5\"", "\"c\":\"2.500000000000000000\"", "c is 2.500000000000000000"},
        {KLINE, "\"v\":\"1000\"", "\"v\":\"-1\"", "v is -1"},
        {KLINE, "\"i\":\"1m\"", "\"i\":\"1h\"", "t is not of a minute"},
        {KLINE, "\"t\":1767225600000", "\"t\":1767225600001", "t is not of a minute"},
        {KLINE, "\"t\":1767225600000", "\"t\":1767225600", "t is 1767225600, not a time in milli"},
        {KLINE, "\"x\":false", "\"x\":0", "x is 0, not true or false"},
        {KLINE, "\"E\":1767225612345", "\"E\":\"1767225612345\"", "E is 1767225612345, not a time"},
        {KLINE, "\"s\":\"BNBBTC\",\"k\"", "\"k\"", "s is nothing"},
        {TOP, "\"b\":\"25.3519\"", "\"b\":\"25.3652\"", "b is not below the best ask"},
        {TOP, "\"A\":\"40.66\"", "\"A\":null", "bookTicker, A is nothing"},
        {DEPTH, "\"U\":157", "\"U\":161", "U is above u"},
        {DEPTH, "\"u\":160", "\"u\":18446744073709551615", "u is 18446744073709551615"},
        {DEPTH, "[\"0.0024\",\"10\"]", "[\"0\",\"10\"]", "row 0, b is 0,"},
        {DEPTH, "[\"0.0023\",\"0\"]", "{}", "row 1, b is nothing"},
        {DEPTH, "[\"0.0023\",\"0\"]", "[\"0.0023\",\"-1\"]", "row 1, b is -1"},
        {DEPTH, "\"a\":[[\"0.0026\",\"100\"]]", "\"a\":{}", "a is an object, not an array"},
        {TRADE, "\"m\":true", "\"m\":null", "m is nothing"},
        {TRADE, "\"p\":\"0.001\"", "\"p\":[]", "trade, p is an array"},
        {TRADE, "\"stream\":\"bnbbtc@trade\"", "\"stream\":7", "stream, stream is 7"},
        {TRADE, "\"stream\":\"bnbbtc@trade\",", "", "stream, stream is nothing"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf text = BUF_INIT(2048);
        rig_replace(&text, bad[i].text, bad[i].from, bad[i].to);
        rig_refused(&err, read_text(text.data), &(struct rig_bad){text.data, bad[i].context},
                    "binance ");
    }
    assert_int_equal(read_text("[]"), -ERR_VENUE_DATA);
    assert_int_equal(read_text("{\"stream\":\"a@trade\",\"data\":[]}"), -ERR_VENUE_DATA);
}

static void a_whole_book_is_read(void **state)
{
    (void)state;
    static const struct {
        int depth;
        const char *path;
    } paths[] = {
        {5, "/api/v3/depth?symbol=BNBBTC&limit=100"},
        {50, "/api/v3/depth?symbol=BNBBTC&limit=500"},
        {100, "/api/v3/depth?symbol=BNBBTC&limit=1000"},
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_BUF struct buf path = BUF_INIT(128);
        api->add_book_path(&(struct exchange_market){.name = "BNBBTC"}, paths[i].depth, &path);
        assert_string_equal(path.data, paths[i].path);
    }
    AUTO_JSON struct json_object *root =
        rig_parse("{\"lastUpdateId\":1027024,\"bids\":[[\"4\",\"431\",[]]],\"asks\":[[\"4.2\","
                  "\"12\"],[\"5\",\"1\"]]}");
    AUTO_JSON struct json_object *bad = rig_parse("{\"lastUpdateId\":1,\"bids\":[[\"4\"]]}");
    assert_int_equal(api->read_book(root, &message, &err), 0);
    assert_int_equal(message.events[0].kind, STREAM_BOOK);
    assert_true(message.events[0].whole);
    assert_int_equal(message.events[0].last, 1027024);
    assert_int_equal(message.events[0].bid_count, 1);
    assert_int_equal(message.events[0].ask_from, 1);
    assert_int_equal(message.events[0].ask_count, 2);
    assert_int_equal(levels[2].price.e8, 5 * DEC_ONE);
    assert_int_equal(api->read_book(bad, &message, &err), -ERR_VENUE_DATA);
    assert_has(err.context, "binance /api/v3/depth, row 0, bids is nothing");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)
UNIT_GROUP(binance_stream, TEST(streams_are_subscribed), TEST(messages_are_read),
           TEST(messages_that_cannot_be_trusted_are_refused), TEST(a_whole_book_is_read))
