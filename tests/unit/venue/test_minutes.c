#include "../../../src/venue/minutes.h"
#include "base/check.h"
#include "unit/unit.h"

/* Candles of stream and history, put together to one step a minute. */

#define FROM_US   INT64_C(1767225600000000) /* 2026-01-01 */
#define MINUTE(n) (FROM_US + (n)*USEC_PER_MIN)
#define PRICE(n)  ((struct dec){(n)*DEC_ONE})

static struct minutes minutes;
static struct source_bar bars[4];
static int count;
static int64_t open_us;

static struct candle candle(int minute, int64_t price)
{
    return (struct candle){.open_us = MINUTE(minute),
                           .open = PRICE(price),
                           .high = PRICE(price),
                           .low = PRICE(price),
                           .close = PRICE(price)};
}

static void begin(int markets, bool says_closed)
{
    static const struct symbol symbols[] = {{"A-USD"}, {"B-USD"}};
    minutes.says_closed = says_closed;
    minutes.window = 1000;
    minutes_begin(&minutes, symbols, markets, FROM_US);
    minutes.late = minutes.filled = 0;
}

static enum minutes_result close_at(int row, int minute, int64_t price)
{
    struct candle c = candle(minute, price);
    return minutes_close(&minutes, row, MINUTE(minute + 1), &c);
}

static enum minutes_result live_at(int row, int minute, int64_t price)
{
    struct candle c = candle(minute, price);
    return minutes_live(&minutes, row, MINUTE(minute) + USEC_PER_SEC, &c);
}

/* The next step at so many seconds after this minute began. */
static bool next_at(int minute, int64_t seconds)
{
    count = -1;
    return minutes_next(&minutes, MINUTE(minute) + seconds * USEC_PER_SEC, &open_us, bars, &count);
}

static void assert_step(int minute, int markets)
{
    assert_int_equal(open_us, MINUTE(minute));
    assert_int_equal(count, markets);
}

static void a_step_waits_for_all_markets(void **state)
{
    (void)state;
    begin(2, true);
    minutes_up(&minutes, 0, MINUTE(0) + 1);
    minutes_up(&minutes, 1, MINUTE(0) + 1);
    assert_int_equal(close_at(0, 0, 5), MINUTES_TAKEN);
    assert_false(next_at(1, 1));
    assert_int_equal(close_at(1, 0, 6), MINUTES_TAKEN);
    assert_true(next_at(1, 1));
    assert_step(0, 2);
    assert_int_equal(bars[1].candle.close.e8, PRICE(6).e8);
    assert_string_equal(bars[1].symbol.name, "B-USD");
    assert_false(next_at(1, 1));
}

static void a_market_without_trades_has_no_candle(void **state)
{
    (void)state;
    begin(2, true);
    minutes_up(&minutes, 0, MINUTE(0));
    minutes_up(&minutes, 1, MINUTE(0));
    assert_int_equal(close_at(0, 0, 5), MINUTES_TAKEN);
    assert_false(next_at(1, 2));
    assert_true(next_at(1, 3));
    assert_step(0, 1);
    /* It comes after all: counted, and left out. */
    assert_int_equal(close_at(1, 0, 6), MINUTES_LATE);
    assert_int_equal(minutes.late, 1);
    assert_int_equal(close_at(0, 0, 5), MINUTES_REPEATED);
    assert_int_equal(minutes.late, 1);
    assert_int_equal(close_at(1, 1, 7), MINUTES_TAKEN);
    assert_int_equal(close_at(0, 1, 7), MINUTES_TAKEN);
    assert_true(next_at(2, 0));
    assert_step(1, 2);
}

static void a_lost_end_is_asked_of_the_history(void **state)
{
    int64_t from = 0, until = 0;
    (void)state;
    begin(1, true);
    minutes_up(&minutes, 0, MINUTE(0));
    assert_int_equal(live_at(0, 0, 5), MINUTES_TAKEN);
    assert_false(next_at(1, 4));
    assert_true(minutes_missing(&minutes, 0, MINUTE(1) + 4 * USEC_PER_SEC, &from, &until));
    assert_int_equal(from, MINUTE(0));
    assert_int_equal(until, MINUTE(1));
    struct candle c = candle(0, 9);
    minutes_fill(&minutes, 0, &c, 1, until);
    assert_true(next_at(1, 5));
    assert_step(0, 1);
    assert_int_equal(bars[0].candle.close.e8, PRICE(9).e8);
}

static void the_clock_closes_what_the_stream_does_not(void **state)
{
    (void)state;
    begin(1, false);
    minutes_up(&minutes, 0, MINUTE(-1) + USEC_PER_SEC);
    /* What the stream tells of earlier minutes at its beginning: the history has that. */
    assert_int_equal(live_at(0, -3, 5), MINUTES_REPEATED);
    assert_int_equal(live_at(0, -1, 5), MINUTES_REPEATED);
    assert_int_equal(live_at(0, 0, 5), MINUTES_TAKEN);
    assert_int_equal(live_at(0, 0, 6), MINUTES_TAKEN);
    assert_false(next_at(1, 2));
    assert_true(next_at(1, 3));
    assert_step(0, 1);
    assert_int_equal(bars[0].candle.close.e8, PRICE(6).e8);
    /* Or the next candle does. */
    assert_int_equal(live_at(0, 1, 7), MINUTES_TAKEN);
    assert_int_equal(live_at(0, 2, 8), MINUTES_TAKEN);
    assert_true(next_at(2, 1));
    assert_step(1, 1);
    assert_int_equal(bars[0].candle.close.e8, PRICE(7).e8);
}

/* Its end may have been said just before the stream was open: by our clock, or by the venue's. */
static void a_minute_that_ends_while_the_stream_opens_is_of_the_history(void **state)
{
    const struct candle history[] = {candle(0, 5)};
    int64_t from_us, until_us;
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        begin(1, closed == 1);
        minutes_up(&minutes, 0, MINUTE(1) - USEC_PER_SEC / 2); /* it is past the end already */
        assert_int_equal(close_at(0, 1, 6), closed ? MINUTES_TAKEN : MINUTES_REPEATED);
        assert_false(next_at(1, 50));
        assert_true(minutes_missing(&minutes, 0, MINUTE(3), &from_us, &until_us));
        assert_int_equal(from_us, MINUTE(0));
        assert_int_equal(until_us, closed ? MINUTE(1) : MINUTE(2));
        minutes_fill(&minutes, 0, history, 1, MINUTE(1));
        assert_true(next_at(1, 50));
        assert_step(0, 1);
        assert_int_equal(bars[0].candle.close.e8, PRICE(5).e8);
        assert_int_equal(next_at(2, 10), closed);
    }
}

static void a_gap_is_filled_in_order(void **state)
{
    int64_t from = 0, until = 0;
    struct candle history[] = {candle(2, 12), candle(4, 14)};
    (void)state;
    begin(1, true);
    minutes_up(&minutes, 0, MINUTE(0));
    (void)close_at(0, 0, 10);
    (void)close_at(0, 1, 11);
    minutes_down(&minutes, 0);
    assert_false(minutes_missing(&minutes, 0, MINUTE(3), &from, &until)); /* wait for the stream */
    minutes_up(&minutes, 0, MINUTE(5) + USEC_PER_SEC);
    assert_int_equal(close_at(0, 5, 15), MINUTES_TAKEN);
    assert_true(next_at(6, 0));
    assert_true(next_at(6, 0));
    assert_step(1, 1);
    assert_false(next_at(6, 30)); /* however late it is */
    assert_true(minutes_missing(&minutes, 0, MINUTE(6), &from, &until));
    assert_int_equal(from, MINUTE(2));
    assert_int_equal(until, MINUTE(5));
    minutes_fill(&minutes, 0, history, 2, until);
    assert_int_equal(minutes.filled, 2);
    for (int minute = 2; minute < 6; minute++) {
        assert_true(next_at(6, 0));
        assert_step(minute, minute == 3 ? 0 : 1);
    }
    assert_int_equal(bars[0].candle.close.e8, PRICE(15).e8);
    assert_false(next_at(6, 0));
    assert_false(minutes_missing(&minutes, 0, MINUTE(6) + USEC_PER_SEC, &from, &until));
}

static void history_alone_is_read_in_pieces(void **state)
{
    int64_t from = 0, until = 0;
    (void)state;
    begin(1, true);
    minutes.window = 3;
    assert_false(minutes_missing(&minutes, 0, MINUTE(1) + 30 * USEC_PER_SEC, &from, &until));
    assert_true(minutes_missing(&minutes, 0, MINUTE(9), &from, &until));
    assert_int_equal(until, MINUTE(3));
    minutes_give_up(&minutes, 0, until);
    for (int minute = 0; minute < 3; minute++) {
        assert_true(next_at(9, 0));
        assert_step(minute, 0);
    }
    assert_false(next_at(9, 0));
    assert_true(minutes_missing(&minutes, 0, MINUTE(9), &from, &until));
    assert_int_equal(from, MINUTE(3));
    assert_int_equal(until, MINUTE(6));
}

/* The engine takes no steps, and the stream goes on. */
static void what_does_not_fit_is_read_again(void **state)
{
    int64_t from = 0, until = 0;
    struct candle history[MINUTES_STREAMED];
    (void)state;
    begin(1, true);
    minutes_up(&minutes, 0, MINUTE(0));
    for (int minute = 0; minute < 2 * MINUTES_STREAMED; minute++) {
        assert_int_equal(close_at(0, minute, 100 + minute), MINUTES_TAKEN);
        if (minute < MINUTES_STREAMED) {
            history[minute] = candle(minute, 100 + minute);
        }
    }
    assert_true(minutes_missing(&minutes, 0, MINUTE(99), &from, &until));
    assert_int_equal(from, MINUTE(0));
    assert_int_equal(until, MINUTE(MINUTES_STREAMED));
    minutes_fill(&minutes, 0, history, MINUTES_STREAMED, until);
    for (int minute = 0; minute < 2 * MINUTES_STREAMED; minute++) {
        assert_true(next_at(2 * MINUTES_STREAMED, 0));
        assert_step(minute, 1);
        assert_int_equal(bars[0].candle.close.e8, PRICE(100 + minute).e8);
    }
    assert_false(next_at(2 * MINUTES_STREAMED, 0));
}

static void what_cannot_be_trusted_is_told(void **state)
{
    (void)state;
    begin(1, true);
    minutes_up(&minutes, 0, MINUTE(0));
    (void)close_at(0, 0, 5);
    (void)close_at(0, 1, 5);
    struct candle early = candle(9, 5);
    assert_int_equal(minutes_close(&minutes, 0, MINUTE(2), &early), MINUTES_AHEAD);
    assert_int_equal(minutes_live(&minutes, 0, MINUTE(2), &early), MINUTES_AHEAD);
    assert_int_equal(live_at(0, 2, 5), MINUTES_TAKEN);
    assert_int_equal(live_at(0, 1, 5), MINUTES_BACK);
    assert_int_equal(close_at(0, 2, 5), MINUTES_TAKEN);
    assert_int_equal(live_at(0, 0, 5), MINUTES_BACK);
    /* The engine gets a candle that it refuses, so that it opens nothing. */
    minutes_distrust(&minutes, 0);
    assert_true(next_at(3, 0));
    assert_step(0, 1);
    assert_false(candle_is_valid(&bars[0].candle));
    assert_int_equal(bars[0].candle.open_us, MINUTE(0));
    assert_true(next_at(3, 0));
    assert_true(candle_is_valid(&bars[0].candle));
}

static int release(void **state)
{
    (void)state;
    minutes_release(&minutes);
    return 0;
}

UNIT_GROUP(minutes, cmocka_unit_test_teardown(a_step_waits_for_all_markets, release),
           cmocka_unit_test_teardown(a_market_without_trades_has_no_candle, release),
           cmocka_unit_test_teardown(a_lost_end_is_asked_of_the_history, release),
           cmocka_unit_test_teardown(the_clock_closes_what_the_stream_does_not, release),
           cmocka_unit_test_teardown(a_minute_that_ends_while_the_stream_opens_is_of_the_history,
                                     release),
           cmocka_unit_test_teardown(a_gap_is_filled_in_order, release),
           cmocka_unit_test_teardown(history_alone_is_read_in_pieces, release),
           cmocka_unit_test_teardown(what_does_not_fit_is_read_again, release),
           cmocka_unit_test_teardown(what_cannot_be_trusted_is_told, release))
