#include "account_rig.h"
#include "base/check.h"
#include "base/clock.h"
#include "venue/stream.h"

#include <string.h>

/* Kraken's streams, public and of the account. */

#define AT_US INT64_C(1767225600000000) /* 2026-01-01 */
#define ISO   "2026-01-01T00:00:00.000000Z"

static struct stream_level levels[STREAM_LEVELS_MAX];
static struct stream_message message = {.levels = levels};
static struct account_event events[ACCOUNT_EVENTS_MAX];
static int count;
static struct err err;

static const struct stream_api *api(void)
{
    return stream_api_find("kraken");
}

static int read_text(const char *text)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    assert_non_null(root);
    err_clear(&err);
    return api()->read(root, &message, &err);
}

static int read_public(const struct account_api *a, const struct json_object *root,
                       struct err *ret_err)
{
    (void)a;
    return api()->read(root, &message, ret_err);
}

static int read_events(const char *text)
{
    AUTO_JSON struct json_object *root = rig_parse(text);
    assert_non_null(root);
    err_clear(&err);
    return account_api_find("kraken")->read_stream(root, events, &count, &err);
}

static int read_private(const struct account_api *a, const struct json_object *root,
                        struct err *ret_err)
{
    return a->read_stream(root, events, &count, ret_err);
}

/* ---------------------------------------------------------------- the public stream */

static void markets_are_subscribed(void **state)
{
    (void)state;
    const struct exchange_market markets[] = {rig_market("BTC-USD", "XXBTZUSD"),
                                              rig_market("DOGE-USD", "XDGUSD")};
    struct stream_ask ask = {.markets = markets, .count = 2, .depth = 11};
    static const char *const expected[] = {
        "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ohlc\",\"symbol\":[\"BTC/USD\","
        "\"DOGE/USD\"],\"interval\":1},\"req_id\":1}",
        "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"BTC/USD\","
        "\"DOGE/USD\"],\"event_trigger\":\"bbo\"},\"req_id\":2}",
        "{\"method\":\"subscribe\",\"params\":{\"channel\":\"book\",\"symbol\":[\"BTC/USD\","
        "\"DOGE/USD\"],\"depth\":25},\"req_id\":3}"};
    AUTO_BUF struct buf text = BUF_INIT(1024);
    for (int i = 0; i < 3; i++) {
        buf_clear(&text);
        assert_int_equal(api()->add_subscribe(&ask, i, &text), 1);
        assert_string_equal(text.data, expected[i]);
    }
    assert_int_equal(api()->add_subscribe(&ask, 3, &text), 0);
    ask.depth = 0;
    assert_int_equal(api()->add_subscribe(&ask, 2, &text), 0);
    ask.trades = true;
    buf_clear(&text);
    assert_int_equal(api()->add_subscribe(&ask, 2, &text), 1);
    assert_has(text.data, "\"channel\":\"trade\",\"symbol\":[\"BTC/USD\",\"DOGE/USD\"]},");
    ask.trades = false;
    ask.depth = 5000;
    buf_clear(&text);
    assert_int_equal(api()->add_subscribe(&ask, 2, &text), 1);
    assert_has(text.data, "\"depth\":1000");
}

static void candles_and_prices_are_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"channel\":\"ohlc\",\"type\":\"update\",\"timestamp\":\"" ISO
                  "\",\"data\":[{\"symbol\":\"BTC/USD\",\"interval\":1,\"interval_begin\":"
                  "\"2026-01-01T00:00:00.000000000Z\",\"open\":60000.0,\"high\":60010.10,"
                  "\"low\":59999,\"close\":60001.3,\"volume\":0.00100000,\"vwap\":1,\"trades\":2,"
                  "\"timestamp\":\"2026-01-01T00:01:00.000000Z\"}]}"),
        0);
    assert_int_equal(message.count, 1);
    assert_int_equal(message.events[0].kind, STREAM_CANDLE);
    assert_string_equal(message.events[0].market, "BTC/USD");
    assert_int_equal(message.events[0].candle.open_us, AT_US);
    assert_dec(message.events[0].candle.high, "60010.1");
    assert_dec(message.events[0].candle.volume, "0.001");
    assert_false(message.events[0].closed);
    assert_false(api()->says_closed);
    assert_int_equal(
        read_text("{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{\"symbol\":"
                  "\"BTC/USD\",\"bid\":60000.10,\"bid_qty\":0.00000001,\"ask\":60000.2,"
                  "\"ask_qty\":3,\"timestamp\":\"" ISO "\"}]}"),
        0);
    assert_int_equal(message.events[0].kind, STREAM_TOP);
    assert_dec(message.events[0].bid.price, "60000.1");
    assert_dec(message.events[0].bid.qty, "0.00000001");
    assert_dec(message.events[0].ask.qty, "3");
    assert_int_equal(message.events[0].at_us, AT_US);
    /* In an auction the best bid may be at or above the best ask: there is no best price. */
    assert_int_equal(
        read_text("{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{\"symbol\":"
                  "\"BTC/USD\",\"bid\":200,\"bid_qty\":1,\"ask\":100,\"ask_qty\":1}]}"),
        0);
    assert_int_equal(message.events[0].kind, STREAM_TOP);
    assert_int_equal(message.events[0].bid.price.e8, 0);
    assert_int_equal(message.events[0].ask.price.e8, 0);
    assert_int_equal(
        read_text("{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"BTC/USD\","
                  "\"side\":\"sell\",\"price\":60000.1,\"qty\":0.5,\"timestamp\":\"" ISO
                  "\"},{\"symbol\":\"ETH/USD\",\"side\":\"buy\",\"price\":3000,\"qty\":1}]}"),
        0);
    assert_int_equal(message.count, 2);
    assert_int_equal(message.events[0].kind, STREAM_TRADE);
    assert_false(message.events[0].buyer_takes);
    assert_true(message.events[1].buyer_takes);
    assert_dec(message.events[1].price, "3000");
}

static void answers_and_heartbeats_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"channel\":\"heartbeat\"}"), 0);
    assert_int_equal(message.count, 0);
    assert_int_equal(read_text("{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":"
                               "\"online\"}]}"),
                     0);
    assert_int_equal(message.count, 0);
    assert_int_equal(
        read_text("{\"method\":\"subscribe\",\"result\":{\"channel\":\"book\",\"symbol\""
                  ":\"BTC/USD\"},\"success\":true}"),
        0);
    assert_int_equal(message.events[0].kind, STREAM_READY);
    assert_string_equal(message.events[0].market, "BTC/USD");
    assert_int_equal(read_text("{\"method\":\"subscribe\",\"error\":\"Currency pair not supported "
                               "X/Y\",\"symbol\":\"X/Y\",\"success\":false}"),
                     0);
    assert_int_equal(message.events[0].kind, STREAM_REFUSED);
    assert_string_equal(message.events[0].market, "X/Y");
    assert_has(err.context, "Currency pair not supported X/Y");
}

#define LEVEL(price, qty) "{\"price\":" price ",\"qty\":" qty "}"

static const char *const asks[] = {
    LEVEL("45285.2", "0.00100000"), LEVEL("45286.4", "1.54571953"), LEVEL("45286.6", "1.54571109"),
    LEVEL("45289.6", "1.54560911"), LEVEL("45290.2", "0.15890660"), LEVEL("45291.8", "1.54553491"),
    LEVEL("45294.7", "0.04454749"), LEVEL("45296.1", "0.35380000"), LEVEL("45297.5", "0.09945542"),
    LEVEL("45299.5", "0.18772827"), LEVEL("45299.6", "1.00000000")};
static const char *const bids[] = {LEVEL("45283.5", "0.10000000"), LEVEL("45283.4", "1.54582015"),
                                   LEVEL("45282.1", "0.10000000"), LEVEL("45281.0", "0.10000000"),
                                   LEVEL("45280.3", "1.54592586"), LEVEL("45279.0", "0.07990000"),
                                   LEVEL("45277.6", "0.03310103"), LEVEL("45277.5", "0.30000000"),
                                   LEVEL("45277.3", "1.54602737"), LEVEL("45276.6", "0.15445238")};

static void add_side(struct buf *out, const char *name, const char *const *side, size_t rows)
{
    buf_addf(out, "\"%s\":[", name);
    for (size_t i = 0; i < rows; i++) {
        buf_addf(out, "%s%s", i > 0 ? "," : "", side[i]);
    }
    buf_add_c(out, "],");
}

/* https://docs.kraken.com/api/docs/guides/spot-ws-book-v2 */
static void the_documented_checksum_is_made(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(4096);
    buf_add_c(&text, "{\"channel\":\"book\",\"type\":\"snapshot\",\"data\":[{\"symbol\":"
                     "\"BTC/USD\",");
    add_side(&text, "asks", asks, COUNT_OF(asks));
    add_side(&text, "bids", bids, COUNT_OF(bids));
    buf_add_c(&text, "\"checksum\":3310070434}]}");
    assert_int_equal(read_text(text.data), 0);
    const struct stream_event *book = &message.events[0];
    assert_int_equal(book->kind, STREAM_BOOK);
    assert_true(book->whole && book->has_checksum);
    assert_int_equal(book->bid_count, 10);
    assert_int_equal(book->ask_count, 11);
    assert_int_equal(book->price_digits, 1);
    assert_int_equal(book->qty_digits, 8);
    assert_int_equal(book->checksum, 3310070434);
    assert_int_equal(
        api()->checksum(&levels[book->bid_from], 10, &levels[book->ask_from], 11, 1, 8),
        3310070434);
    levels[book->ask_from].qty.e8++;
    assert_int_not_equal(
        api()->checksum(&levels[book->bid_from], 10, &levels[book->ask_from], 11, 1, 8),
        3310070434);
    assert_int_equal(read_text("{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":"
                               "\"BTC/USD\",\"bids\":[],\"asks\":[" LEVEL(
                                   "45285.2", "0.00000000") "],\"checksum\":7,\"timestamp\":\"" ISO
                                                            "\"}]}"),
                     0);
    assert_false(book->whole);
    assert_int_equal(book->bid_count, 0);
    assert_dec(levels[book->ask_from].qty, "0");
    assert_int_equal(read_text("{\"channel\":\"book\",\"type\":\"update\",\"data\":[{\"symbol\":"
                               "\"BTC/USD\",\"bids\":[],\"asks\":[],\"checksum\":7}]}"),
                     0);
    assert_int_equal(book->price_digits, -1);
}

static const struct rig_bad numbers[] = {
    {"1.000000001", "is 1.000000001"},
    {"1e2", "is 100"},
    {"\"NaN\"", "is NaN"},
    {"-1.5", "is -1.5"},
    {"null", "is nothing"},
    {"[1]", "is an array"},
    {"{}", "is an object"},
    {"true", "is true"},
    {"18446744073709551615", "is 1844"},
    {"92233720368547758", "is 9223"},
};

static void public_messages_that_cannot_be_trusted_are_refused(void **state)
{
    (void)state;
    static const struct rig_bad begins[] = {
        {"1767225600", "interval_begin is 1767225600, not a time such as"},
        {"\"2026-01-01T00:00:30Z\"", "interval is not the minute"},
        {"\"2026-01-01\"", "interval_begin is 2026-01-01"},
        {"\"1970-01-01T00:00:00Z\"", "interval_begin is 1970"},
    };
    static const struct rig_bad shapes[] = {{"{}", "data is an object"}, {"[[]]", "symbol is"}};
    static const struct rig_bad sums[] = {
        {"4294967296", "checksum is longer"}, {"-1", "checksum is -1"}, {"\"7\"", "checksum is 7"}};
    rig_refuses("kraken", read_public,
                "{\"channel\":\"ohlc\",\"data\":[{\"symbol\":\"BTC/USD\",\"interval\":1,"
                "\"interval_begin\":%s,\"open\":1,\"high\":1,\"low\":1,\"close\":1,\"volume\":1}]}",
                begins, COUNT_OF(begins));
    rig_refuses("kraken", read_public,
                "{\"channel\":\"ohlc\",\"data\":[{\"symbol\":\"BTC/USD\",\"interval\":1,"
                "\"interval_begin\":\"" ISO "\",\"open\":1,\"high\":%s,\"low\":1,\"close\":1,"
                "\"volume\":1}]}",
                numbers, COUNT_OF(numbers));
    rig_refuses("kraken", read_public,
                "{\"channel\":\"ticker\",\"data\":[{\"symbol\":\"BTC/USD\",\"bid\":%s}]}", numbers,
                COUNT_OF(numbers));
    rig_refuses("kraken", read_public,
                "{\"channel\":\"book\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[{\"price\":1,"
                "\"qty\":%s}]}]}",
                numbers, COUNT_OF(numbers));
    rig_refuses("kraken", read_public,
                "{\"channel\":\"book\",\"data\":[{\"symbol\":\"BTC/USD\",\"bids\":[],\"asks\":[],"
                "\"checksum\":%s}]}",
                sums, COUNT_OF(sums));
    rig_refuses("kraken", read_public, "{\"channel\":\"book\",\"data\":%s}", shapes,
                COUNT_OF(shapes));
    assert_int_equal(read_text("{\"channel\":\"ticker\",\"data\":[{\"symbol\":\"BTC/USD\",\"bid\":"
                               "0.0,\"bid_qty\":1}]}"),
                     -ERR_VENUE_DATA);
    assert_has(err.context, "kraken ticker, row 0, bid is 0");
    assert_int_equal(read_text("[]"), -ERR_VENUE_DATA);
}

/* ---------------------------------------------------------------- the stream of the account */

static void the_account_logs_in(void **state)
{
    (void)state;
    const struct account_api *a = account_api_find("kraken");
    AUTO_BUF struct buf text = BUF_INIT(1024);
    assert_int_equal(a->add_stream_login(0, NULL, NULL, "to\"ken", &text, NULL), 1);
    assert_string_equal(text.data,
                        "{\"method\":\"subscribe\",\"params\":{\"channel\":\"executions\","
                        "\"snap_orders\":true,\"snap_trades\":true,\"token\":\"to\\\"ken\"},"
                        "\"req_id\":1}");
    buf_clear(&text);
    assert_int_equal(a->add_stream_login(1, NULL, NULL, "t", &text, NULL), 1);
    assert_has(text.data, "\"channel\":\"balances\",\"token\":\"t\"");
    assert_int_equal(a->add_stream_login(2, NULL, NULL, "t", &text, NULL), 0);
    AUTO_JSON struct json_object *token =
        rig_parse("{\"error\":[],\"result\":{\"token\":\"1Dwc4/x+y\",\"expires\":900}}");
    buf_clear(&text);
    assert_int_equal(a->read_stream_key(token, &text, NULL), 0);
    assert_string_equal(text.data, "1Dwc4/x+y");
    assert_int_equal(
        read_events("{\"method\":\"subscribe\",\"result\":{\"channel\":\"executions\"},"
                    "\"success\":true}"),
        0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_READY);
    assert_int_equal(read_events("{\"method\":\"subscribe\",\"error\":\"ESession:Invalid session\","
                                 "\"success\":false}"),
                     0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_REFUSED);
    assert_has(err.context, "kraken: ESession:Invalid session");
    assert_int_equal(read_events("{\"channel\":\"heartbeat\"}"), 0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_NONE);
    assert_int_equal(read_events("{\"channel\":\"balances\",\"type\":\"update\",\"data\":[],"
                                 "\"sequence\":2}"),
                     0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_CHANGED);
    assert_int_equal(events[0].sequence, 0); /* that of another channel */
}

#define EXECUTION(type, status, more)                                                           \
    "{\"channel\":\"executions\",\"type\":\"update\",\"sequence\":12,\"data\":[{\"exec_type\":" \
    "\"" type "\",\"order_status\":\"" status                                                   \
    "\",\"order_id\":\"OK4GJX-KSTLS-7DZZO5\",\"timestamp\":"                                    \
    "\"" ISO "\"" more "}]}"
#define TRADE                                                                                    \
    ",\"cl_ord_id\":\"nd-1\",\"symbol\":\"BTC/USD\",\"side\":\"sell\",\"order_type\":\"limit\"," \
    "\"exec_id\":\"TGBB7L-HT5LX-J3BZ4A\",\"trade_id\":62887576,\"cum_qty\":0.00500000,"

static void executions_become_events(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum order_state state;
        const char *reason;
    } rows[] = {
        {EXECUTION("pending_new", "pending_new", ""), ORDER_ACKED, ""},
        {EXECUTION("new", "new", ",\"cum_qty\":0.0,\"order_qty\":1"), ORDER_ACKED, ""},
        {EXECUTION("new", "partially_filled", ",\"cum_qty\":0.5"), ORDER_PARTIAL, ""},
        {EXECUTION("filled", "filled", ",\"cum_qty\":1"), ORDER_FILLED, ""},
        {EXECUTION("canceled", "canceled", ",\"reason\":\"User requested\""), ORDER_CANCELLED,
         "User requested"},
        {EXECUTION("expired", "expired", ""), ORDER_CANCELLED, ""},
        {EXECUTION("amended", "new", ",\"limit_price\":60000.10"), ORDER_ACKED, ""},
        {EXECUTION("not_known_yet", "new", ""), ORDER_ACKED, ""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(read_events(rows[i].text), 0);
        assert_int_equal(count, 1);
        assert_int_equal(events[0].kind, ACCOUNT_EVENT_ORDER);
        assert_true(events[0].has_order);
        assert_int_equal(events[0].sequence, 12);
        assert_int_equal(events[0].order.state, rows[i].state);
        assert_string_equal(events[0].order.reason, rows[i].reason);
        assert_string_equal(events[0].order.id, "OK4GJX-KSTLS-7DZZO5");
    }
    assert_int_equal(read_events(EXECUTION("amended", "new",
                                           ",\"order_qty\":1,\"triggers\":{\"price\":59000.1,"
                                           "\"actual_price\":59000.1,\"status\":\"untriggered\"}")),
                     0);
    assert_dec(events[0].order.stop_price, "59000.1");
    assert_int_equal(read_events(EXECUTION("trade", "partially_filled",
                                           TRADE "\"last_qty\":0.00500000,\"last_price\":26599.9,"
                                                 "\"fees\":[{\"asset\":\"XBT\",\"qty\":"
                                                 "0.0000000099}]")),
                     0);
    assert_int_equal(events[0].kind, ACCOUNT_EVENT_FILL);
    assert_int_equal(events[0].order.state, ORDER_PARTIAL);
    assert_string_equal(events[0].order.client_id, "nd-1");
    assert_string_equal(events[0].fill.id, "TGBB7L-HT5LX-J3BZ4A");
    assert_string_equal(events[0].fill.order_id, "OK4GJX-KSTLS-7DZZO5");
    assert_string_equal(events[0].fill.client_id, "nd-1");
    assert_string_equal(events[0].fill.market, "BTC/USD");
    assert_string_equal(events[0].fill.fee_currency, "BTC");
    assert_false(events[0].fill.buys);
    assert_dec(events[0].fill.qty, "0.005");
    assert_dec(events[0].fill.price, "26599.9");
    assert_dec(events[0].fill.fee, "0");
    assert_int_equal(events[0].fill.at_us, AT_US);
}

static void executions_that_cannot_be_trusted_are_refused(void **state)
{
    (void)state;
    static const struct rig_bad orders[] = {
        {"{\"order_id\":7}", "executions, row 0, order_id is 7"},
        {"{\"order_id\":\"O1\",\"order_status\":\"odd\"}", "order_status is odd"},
        {"{\"order_id\":\"O1\",\"order_status\":\"new\",\"timestamp\":1767225600}",
         "timestamp is 1767225600"},
        {"{\"order_id\":\"O1\",\"order_status\":\"new\",\"cum_qty\":-1}", "cum_qty is -1"},
        {"[]", "order_id is nothing"},
    };
    rig_refuses("kraken", read_private, "{\"channel\":\"executions\",\"sequence\":1,\"data\":[%s]}",
                orders, COUNT_OF(orders));
    rig_refuses("kraken", read_private,
                EXECUTION("trade", "partially_filled",
                          TRADE "\"fees\":[],\"last_price\":1,\"last_qty\":%s"),
                numbers, COUNT_OF(numbers));
    rig_refuses("kraken", read_private,
                EXECUTION("trade", "partially_filled",
                          TRADE "\"fees\":[],\"last_price\":%s,\"last_qty\":1"),
                numbers, COUNT_OF(numbers));
    static const struct rig_bad sequences[] = {{"null", "sequence is nothing"},
                                               {"\"1\"", "sequence is 1"},
                                               {"18446744073709551615", "sequence is"}};
    rig_refuses("kraken", read_private, "{\"channel\":\"executions\",\"data\":[],\"sequence\":%s}",
                sequences, COUNT_OF(sequences));
    assert_int_equal(read_events(EXECUTION("trade", "new",
                                           ",\"exec_id\":\"T1\",\"fees\":[],\"last_qty\":1,"
                                           "\"last_price\":1")),
                     -ERR_VENUE_DATA);
    assert_has(err.context, "symbol or side is missing");
}

UNIT_GROUP(kraken_stream, cmocka_unit_test(markets_are_subscribed),
           cmocka_unit_test(candles_and_prices_are_read),
           cmocka_unit_test(answers_and_heartbeats_are_told_apart),
           cmocka_unit_test(the_documented_checksum_is_made),
           cmocka_unit_test(public_messages_that_cannot_be_trusted_are_refused),
           cmocka_unit_test(the_account_logs_in), cmocka_unit_test(executions_become_events),
           cmocka_unit_test(executions_that_cannot_be_trusted_are_refused))
