#include "../../../src/venue/market_feed_private.h"
#include "unit/unit.h"

/* The engine's side of live prices, and what the stream's messages do, without a network. */

#define FROM_US INT64_C(1767225600000000) /* 2026-01-01 */

static const struct symbol symbols[] = {{"BTC-USDT"}, {"ETH-USDT"}};

static struct shared shared;
static struct feed *feed;
static struct market_feed *market;
static struct err err;

static int setup(void **state)
{
    static const struct live_settings settings = {.venue = "binance",
                                                  .stream_url = "ws://127.0.0.1:9"};
    (void)state;
    shared_init(&shared, 2);
    feed = feed_new(&(struct feed_options){.shared = &shared}, NULL);
    const struct market_feed_options options = {
        .settings = &settings, .feed = feed, .clock = clock_real(), .symbols = 2};
    market = market_feed_new(&options, NULL);
    assert_non_null(market);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(feed_stop(feed));
    market_feed_free(market);
    feed_free(feed);
    shared_release(&shared);
    return 0;
}

/* As after the names were read. */
static void follow(void)
{
    market->rows = calloc(2, sizeof(*market->rows));
    market->markets = calloc(2, sizeof(*market->markets));
    market->row_count = 2;
    for (int i = 0; i < 2; i++) {
        market->rows[i].symbol = market->markets[i].symbol = symbols[i];
        (void)snprintf(market->markets[i].name, EXCHANGE_NAME_SIZE, "%s",
                       i == 0 ? "BTCUSDT" : "ETHUSDT");
        market->engine.symbols[i] = symbols[i];
    }
    market->engine.symbol_count = 2;
    market_stream_open(market);
    market->minutes.says_closed = true;
    minutes_begin(&market->minutes, symbols, 2, FROM_US);
    market->follows = true;
    atomic_store(&market->link.offset_us, FROM_US + USEC_PER_SEC - clock_mono_us(clock_real()));
    minutes_up(&market->minutes, 0, FROM_US);
    minutes_up(&market->minutes, 1, FROM_US);
}

static int take(const char *text)
{
    err_clear(&err);
    int rc = market_lane_read(market->stream, str_c(text), &market->message, &err);
    const struct market_lane_message passed = {&market->message, 1, true};
    if (rc >= 0) {
        market_stream_take(market, NULL, &passed, &err);
    }
    (void)loop_iterate(feed_loop(feed), 0);
    return rc;
}

#define TOP(bid, ask)                                                                     \
    "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":4,\"s\":\"BTCUSDT\",\"b\":\"" bid \
    "\",\"B\":\"3\",\"a\":\"" ask "\",\"A\":\"4\"}}"

static void a_venue_must_be_known(void **state)
{
    const struct live_settings settings = {.venue = "kronos"};
    (void)state;
    assert_int_equal(market_feed_check(&settings, &err), -ERR_MARKET_VENUE);
    assert_has(err.context, "kronos: expected one of binance");
    struct live_settings keyed = {.venue = "alpaca", .key_id = "", .key_secret = ""};
    assert_int_equal(market_feed_check(&keyed, &err), -ERR_MARKET_KEY);
    keyed.key_id = "PK1";
    assert_int_equal(market_feed_check(&keyed, &err), -ERR_MARKET_KEY);
    keyed.key_secret = "hush";
    assert_int_equal(market_feed_check(&keyed, NULL), 0);
    (void)str_copy(STR_LIT("ws://stream.example/v2/iex"), keyed.stream_url,
                   sizeof(keyed.stream_url));
    assert_int_equal(market_feed_check(&keyed, &err), -ERR_VENUE_MODE);
    assert_has(err.context, "market.stream_url: the key would be sent without encryption");
}

static void a_saved_state_goes_on_where_it_was(void **state)
{
    unsigned char bytes[64];
    struct source *source = market_feed_source(market);
    (void)state;
    assert_false(source_load(source, "nonsense", 8));
    assert_false(source_load(source, bytes, 0));
    market->engine.next_us = FROM_US;
    size_t size = source_save(source, bytes, sizeof(bytes));
    assert_true(size > 0);
    assert_int_equal(source_save(source, bytes, size - 1), 0);
    market->engine.next_us = 0;
    assert_true(source_load(source, bytes, size));
    assert_int_equal(market->engine.next_us, FROM_US);
    market->engine.next_us = FROM_US + 1; /* within a minute */
    size = source_save(source, bytes, sizeof(bytes));
    assert_false(source_load(source, bytes, size));
}

static void without_a_step_the_market_waits(void **state)
{
    struct source_bar bars[2];
    struct market_history *history = NULL;
    struct source *source = market_feed_source(market);
    (void)state;
    assert_true(source_is_live(source));
    assert_true(source_next_us(source) > source_now_us(source));
    assert_int_equal(source_next(source, bars), 0);
    assert_int_equal(market_feed_warm(market, symbols, 2, &history, &err), -ERR_MARKET_STARTING);
    assert_null(history);
    assert_false(source_is_late(source)); /* nothing is known yet */
    market->engine.next_us = FROM_US;
    assert_true(source_is_late(source));
}

static void steps_of_an_earlier_ask_are_dropped(void **state)
{
    struct source_bar bars[2];
    struct source *source = market_feed_source(market);
    (void)state;
    market->engine.next_us = FROM_US;
    market_feed_follow(market, symbols, 2);
    struct market_step *step = market->draft;
    *step = (struct market_step){.generation = 0, .open_us = FROM_US, .count = 0};
    assert_true(ring_push(market->link.steps, step));
    step->generation = market->engine.generation;
    step->count = 1;
    step->bars[0] = (struct source_bar){.symbol = symbols[1]};
    assert_true(ring_push(market->link.steps, step));
    (void)market_feed_status(market);
    assert_int_equal(source_next_us(source), FROM_US + USEC_PER_MIN);
    assert_int_equal(source_next(source, bars), 1);
    assert_string_equal(bars[0].symbol.name, "ETH-USDT");
    assert_int_equal(market->engine.next_us, FROM_US + USEC_PER_MIN);
}

static void best_prices_reach_the_engine(void **state)
{
    struct quote quote;
    (void)state;
    follow();
    assert_false(market_feed_quote(market, symbols[0], &quote));
    assert_true(take(TOP("100.5", "100.6")) >= 0);
    assert_true(market_feed_quote(market, symbols[0], &quote));
    assert_int_equal(quote.bid.e8, 1005 * DEC_ONE / 10);
    assert_int_equal(quote.ask_qty.e8, 4 * DEC_ONE);
    assert_true(quote.at_us >= FROM_US);
    assert_false(market_feed_quote(market, symbols[1], &quote));
    assert_false(market_feed_quote(market, (struct symbol){"XRP-USDT"}, &quote));
    /* Crossed, or no number: refused whole, and the last good one stays. */
    assert_int_equal(take(TOP("100.7", "100.6")), -ERR_VENUE_DATA);
    assert_int_equal(take(TOP("1e2", "100.6")), -ERR_VENUE_DATA);
    assert_int_equal(take("{\"stream\":"), -ERR_VENUE_DATA);
    assert_true(market_feed_quote(market, symbols[0], &quote));
    assert_int_equal(quote.bid.e8, 1005 * DEC_ONE / 10);
}

static void a_candle_of_the_past_stops_its_market(void **state)
{
    char text[512];
    (void)state;
    follow();
    for (int minute = 0; minute > -3; minute -= 2) {
        (void)snprintf(
            text, sizeof(text),
            "{\"stream\":\"btcusdt@kline_1m\",\"data\":{\"e\":\"kline\",\"E\":%lld,\"s\":"
            "\"BTCUSDT\",\"k\":{\"t\":%lld,\"i\":\"1m\",\"o\":\"1\",\"h\":\"1\",\"l\":"
            "\"1\",\"c\":\"1\",\"v\":\"1\",\"x\":false}}}",
            (long long)(FROM_US / 1000), (long long)((FROM_US + minute * USEC_PER_MIN) / 1000));
        assert_true(take(text) >= 0);
    }
    /* Before the stream was open: that is the history's. */
    assert_false(market->minutes.rows[0].distrusted);
    market->minutes.rows[0].stream_from_us -= 10 * USEC_PER_MIN;
    assert_true(take(text) >= 0);
    assert_true(market->minutes.rows[0].distrusted);
    assert_false(market->minutes.rows[1].distrusted);
    assert_int_equal(market->status.refused, 1);
}

static void take_event(const struct stream_event *event)
{
    const struct market_lane_message passed = {&market->message, 1, true};
    market->message.count = 1;
    market->message.events[0] = *event;
    market_stream_take(market, NULL, &passed, &err);
    (void)loop_iterate(feed_loop(feed), 0);
}

static void a_halt_reaches_the_engine(void **state)
{
    struct quote quote;
    (void)state;
    follow();
    assert_false(market_feed_halted(market, symbols[0]));
    take_event(&(struct stream_event){.kind = STREAM_STATUS, .market = "BTCUSDT", .halted = true});
    assert_true(market_feed_halted(market, symbols[0]));
    assert_false(market_feed_halted(market, symbols[1]));
    assert_false(market_feed_quote(market, symbols[0], &quote));
    take_event(&(struct stream_event){.kind = STREAM_STATUS, .market = "BTCUSDT"});
    assert_false(market_feed_halted(market, symbols[0]));
}

static void trade(int second, int64_t price, int64_t qty)
{
    take_event(&(struct stream_event){.kind = STREAM_TRADE,
                                      .market = "BTCUSDT",
                                      .at_us = FROM_US + second * USEC_PER_SEC,
                                      .price = dec_from_int(price),
                                      .qty = dec_from_int(qty)});
}

/* For venues without candles in their stream. */
static void trades_make_candles(void **state)
{
    struct source_bar bars[2];
    int64_t open_us = 0;
    int count = 0;
    (void)state;
    follow();
    market->stream = stream_api_find("coinbase");
    assert_true(market->stream->trades_make_candles);
    market->minutes.says_closed = false;
    market->minutes.rows[0].stream_from_us = market->minutes.rows[0].stream_until_us = FROM_US;
    atomic_store(&market->link.offset_us, FROM_US + USEC_PER_MIN - clock_mono_us(clock_real()));
    trade(1, 100, 1);
    trade(2, 103, 2);
    trade(2, 98, 1);
    trade(59, 101, 1);
    trade(60, 105, 7); /* ends the minute before it */
    trade(58, 500, 1); /* of that one: too late */
    assert_int_equal(market->minutes.rows[1].known_us, FROM_US);
    market->minutes.rows[1].known_us = FROM_US + USEC_PER_MIN;
    assert_true(minutes_next(&market->minutes, FROM_US + USEC_PER_MIN, &open_us, bars, &count));
    assert_int_equal(open_us, FROM_US);
    assert_int_equal(count, 1);
    const struct candle *c = &bars[0].candle;
    assert_int_equal(c->open.e8, 100 * DEC_ONE);
    assert_int_equal(c->high.e8, 103 * DEC_ONE);
    assert_int_equal(c->low.e8, 98 * DEC_ONE);
    assert_int_equal(c->close.e8, 101 * DEC_ONE);
    assert_int_equal(c->volume.e8, 5 * DEC_ONE);
    assert_int_equal(market->minutes.rows[0].live.open_us, FROM_US + USEC_PER_MIN);
    market->stream = stream_api_find("binance"); /* whose candles are the venue's */
    trade(61, 900, 1);
    assert_int_equal(market->minutes.rows[0].live.high.e8, 105 * DEC_ONE);
}

UNIT_GROUP(market_feed, cmocka_unit_test(a_venue_must_be_known),
           cmocka_unit_test_setup_teardown(a_saved_state_goes_on_where_it_was, setup, teardown),
           cmocka_unit_test_setup_teardown(without_a_step_the_market_waits, setup, teardown),
           cmocka_unit_test_setup_teardown(steps_of_an_earlier_ask_are_dropped, setup, teardown),
           cmocka_unit_test_setup_teardown(best_prices_reach_the_engine, setup, teardown),
           cmocka_unit_test_setup_teardown(a_candle_of_the_past_stops_its_market, setup, teardown),
           cmocka_unit_test_setup_teardown(a_halt_reaches_the_engine, setup, teardown),
           cmocka_unit_test_setup_teardown(trades_make_candles, setup, teardown))
