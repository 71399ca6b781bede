#include "../../../src/venue/live_market_private.h"
#include "base/check.h"
#include "unit/unit.h"

/* The prices of two venues as one source, without a network. */

#define FROM_US INT64_C(1767225600000000) /* 2026-01-01 */

static const struct symbol symbols[] = {{"BTC-USD"}, {"ETH-USD"}, {"SOL-USD"}};

static struct shared shared;
static struct feed *feed;
static struct live_market *market;
static struct market_feed *first, *second;
static struct clock_fake fake;
static struct err err;

static int setup(void **state)
{
    static struct live_plan plan = {
        .count = 2,
        .venues = {{.venue = "kraken", .stream_url = "ws://127.0.0.1:9"},
                   {.venue = "coinbase", .stream_url = "ws://127.0.0.1:9"}},
        .route_count = 1,
        .routes = {{.symbol = {"ETH-USD"}, .venue = 1}},
    };
    (void)state;
    clock_fake_init(&fake, FROM_US);
    shared_init(&shared, 3);
    feed = feed_new(&(struct feed_options){.shared = &shared}, NULL);
    const struct live_market_options options = {
        .plan = &plan, .feed = feed, .clock = &fake.clock, .symbols = 3};
    market = live_market_new(&options, &err);
    assert_non_null(market);
    first = market->parts[0].feed;
    second = market->parts[1].feed;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_true(feed_stop(feed));
    live_market_free(market);
    feed_free(feed);
    shared_release(&shared);
    return 0;
}

/* What the feed's thread would bring: a step with a candle of each of these symbols. */
static void bring(struct market_feed *m, int minute, const struct symbol *traded, int count)
{
    struct market_step *step = m->draft;
    *step = (struct market_step){.generation = m->engine.generation,
                                 .open_us = FROM_US + minute * USEC_PER_MIN,
                                 .count = count};
    for (int i = 0; i < count; i++) {
        step->bars[i] = (struct source_bar){.symbol = traded[i]};
        step->bars[i].candle.open_us = step->open_us;
    }
    assert_true(ring_push(m->link.steps, step));
}

static void start(void)
{
    unsigned char bytes[64];
    struct source *source = live_market_source(market);
    market->next_us = FROM_US;
    size_t size = source_save(source, bytes, sizeof(bytes));
    assert_true(size > 0);
    market->next_us = 0;
    assert_true(source_load(source, bytes, size));
    assert_false(source_load(source, bytes, size - 1));
    live_market_follow(market, symbols, 3);
    (void)live_market_status(market);
}

/* Takes the next step, which must be that of this minute. */
static int take(int minute, struct source_bar bars[3])
{
    struct source *source = live_market_source(market);
    (void)live_market_status(market);
    assert_int_equal(source_next_us(source), FROM_US + (minute + 1) * USEC_PER_MIN);
    return source_next(source, bars);
}

static bool waits(void)
{
    (void)live_market_status(market);
    return source_next_us(live_market_source(market)) > FROM_US + USEC_PER_DAY;
}

static void a_step_has_the_candles_of_all_venues(void **state)
{
    struct source_bar bars[3];
    (void)state;
    start();
    /* Each venue was asked for its own symbols. */
    struct market_ask *ask;
    assert_true(ring_pop(first->link.asks, &ask));
    assert_int_equal(ask->count, 2);
    assert_string_equal(ask->symbols[1].name, "SOL-USD");
    free(ask);
    assert_true(ring_pop(second->link.asks, &ask));
    assert_int_equal(ask->count, 1);
    assert_string_equal(ask->symbols[0].name, "ETH-USD");
    assert_int_equal(ask->from_us, FROM_US);
    free(ask);
    assert_true(waits());
    bring(first, 0, (struct symbol[]){{"BTC-USD"}, {"SOL-USD"}}, 2);
    assert_true(waits());
    assert_int_equal(source_next(live_market_source(market), bars), 0);
    bring(second, 0, (struct symbol[]){{"ETH-USD"}}, 1);
    assert_int_equal(take(0, bars), 3);
    assert_string_equal(bars[2].symbol.name, "ETH-USD");
    assert_int_equal(bars[2].candle.open_us, FROM_US);
    assert_true(waits());
    /* A venue in which nothing traded. */
    bring(first, 1, NULL, 0);
    bring(second, 1, (struct symbol[]){{"ETH-USD"}}, 1);
    assert_int_equal(take(1, bars), 1);
}

static void a_venue_that_is_behind_is_not_waited_for_long(void **state)
{
    struct source_bar bars[3];
    (void)state;
    start();
    bring(first, 0, (struct symbol[]){{"BTC-USD"}}, 1);
    assert_true(waits());
    clock_fake_advance(&fake, 29 * USEC_PER_SEC);
    assert_true(waits());
    clock_fake_advance(&fake, USEC_PER_SEC);
    assert_int_equal(take(0, bars), 1);
    bring(first, 1, (struct symbol[]){{"BTC-USD"}}, 1);
    assert_int_equal(take(1, bars), 1); /* at once */
    /* What it says of the past is left out; with the present it has caught up. */
    bring(second, 0, (struct symbol[]){{"ETH-USD"}}, 1);
    bring(second, 1, (struct symbol[]){{"ETH-USD"}}, 1);
    bring(second, 2, (struct symbol[]){{"ETH-USD"}}, 1);
    assert_true(waits());
    bring(first, 2, (struct symbol[]){{"BTC-USD"}}, 1);
    assert_int_equal(take(2, bars), 2);
    assert_int_equal(bars[1].candle.open_us, FROM_US + 2 * USEC_PER_MIN);
    /* The first venue may be the one. */
    bring(second, 3, (struct symbol[]){{"ETH-USD"}}, 1);
    assert_true(waits());
    clock_fake_advance(&fake, 30 * USEC_PER_SEC);
    assert_int_equal(take(3, bars), 1);
    assert_string_equal(bars[0].symbol.name, "ETH-USD");
}

static struct market_history *history(int64_t until_us, const char *symbol)
{
    struct market_history *h = calloc(1, sizeof(*h) + sizeof(h->rows[0]));
    assert_non_null(h);
    h->until_us = until_us;
    h->count = 1;
    (void)snprintf(h->rows[0].symbol.name, sizeof(h->rows[0].symbol.name), "%s", symbol);
    h->rows[0].candles = calloc(1, sizeof(struct candle));
    return h;
}

static void a_first_start_has_the_history_of_all(void **state)
{
    struct source_bar bars[3];
    struct market_history *joined = NULL;
    (void)state;
    assert_int_equal(live_market_warm(market, symbols, 3, &joined, &err), -ERR_MARKET_STARTING);
    atomic_store(&first->link.history_generation, first->engine.generation);
    atomic_store(&first->link.history, history(FROM_US + 5 * USEC_PER_MIN, "BTC-USD"));
    assert_int_equal(live_market_warm(market, symbols, 3, &joined, &err), -ERR_MARKET_STARTING);
    assert_null(joined);
    atomic_store(&second->link.history_generation, second->engine.generation);
    atomic_store(&second->link.history, history(FROM_US, "ETH-USD"));
    assert_int_equal(live_market_warm(market, symbols, 3, &joined, &err), 0);
    assert_int_equal(joined->count, 2);
    assert_int_equal(joined->until_us, FROM_US);
    assert_string_equal(joined->rows[1].symbol.name, "ETH-USD");
    market_history_free(joined);
    /* The one whose history goes on further has no candles before its end. */
    bring(first, 5, (struct symbol[]){{"BTC-USD"}}, 1);
    bring(second, 0, (struct symbol[]){{"ETH-USD"}}, 1);
    assert_int_equal(take(0, bars), 1);
    assert_string_equal(bars[0].symbol.name, "ETH-USD");
}

static void faults_and_prices_are_those_of_their_venue(void **state)
{
    struct quote quote;
    (void)state;
    start();
    struct market_feed_status *s = mailbox_draft(second->link.status);
    *s = (struct market_feed_status){
        .err = ERR_MARKET_STREAM, .reason = "coinbase: lost", .gaps = 2};
    mailbox_publish(second->link.status);
    const struct market_feed_status *all = live_market_status(market);
    assert_false(all->up);
    assert_int_equal(all->err, ERR_MARKET_STREAM);
    assert_string_equal(all->reason, "coinbase: lost");
    assert_int_equal(all->gaps, 2);
    assert_string_equal(all->venue, "2 venues");
    assert_string_equal(source_fault(live_market_source(market))->context, "coinbase: lost");
    struct market_top *top = mailbox_draft(second->link.tops[0]);
    *top = (struct market_top){.quote = {.symbol = symbols[1], .bid = {5}, .ask = {6}}};
    mailbox_publish(second->link.tops[0]);
    assert_true(live_market_quote(market, symbols[1], &quote));
    assert_int_equal(quote.ask.e8, 6);
    assert_false(live_market_quote(market, symbols[0], &quote));
    assert_false(live_market_quote(market, (struct symbol){"XRP-USD"}, &quote));
}

UNIT_GROUP(live_market,
           cmocka_unit_test_setup_teardown(a_step_has_the_candles_of_all_venues, setup, teardown),
           cmocka_unit_test_setup_teardown(a_venue_that_is_behind_is_not_waited_for_long, setup,
                                           teardown),
           cmocka_unit_test_setup_teardown(a_first_start_has_the_history_of_all, setup, teardown),
           cmocka_unit_test_setup_teardown(faults_and_prices_are_those_of_their_venue, setup,
                                           teardown))
