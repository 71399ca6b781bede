/* Saved market states and candles with one damaged field each. */
#include "base/check.h"
#include "market/series.h"
#include "market/simulated.h"
#include "unit/unit.h"

#include <math.h>

#define START INT64_C(1790002800000000) /* a full hour */

static void a_market_with_one_damaged_field_is_not_loaded(void **state)
{
    (void)state;
    struct simulated market;
    struct symbol symbol = {"BTC-USD"};
    simulated_init(&market, 7, &symbol, 1, START);
    const struct simulated_state good = market.state;
    struct simulated_state bad[] = {good, good, good, good, good, good, good, good,
                                    good, good, good, good, good, good, good, good,
                                    good, good, good, good, good, good, good};
    size_t n = 0;
    bad[n++].magic++;
    bad[n++].symbol_count = 0;
    bad[n++].symbol_count = SYMBOLS_LIMIT + 1;
    bad[n++].climate = -1;
    bad[n++].climate = 4;
    bad[n++].next_open_us = -USEC_PER_MIN;
    bad[n++].next_open_us = INT64_MAX - INT64_MAX % USEC_PER_MIN;
    bad[n++].next_open_us++;
    memset(bad[n++].symbols[0].symbol.name, 'A', SYMBOL_SIZE);
    bad[n++].symbols[0].symbol.name[0] = '\0';
    bad[n++].symbols[0].symbol.name[0] = 'b'; /* symbols are upper case */
    bad[n++].symbols[0].base = 0;
    bad[n++].symbols[0].base = 1e9;
    bad[n++].symbols[0].base = (double)NAN;
    bad[n++].symbols[0].price = good.symbols[0].base / 51;
    bad[n++].symbols[0].price = good.symbols[0].base * 51;
    bad[n++].symbols[0].anchor = 0;
    bad[n++].symbols[0].anchor = good.symbols[0].base * 51;
    bad[n++].symbols[0].tick = 0;
    bad[n++].symbols[0].tick = good.symbols[0].base * 2;
    bad[n++].symbols[0].volatility = 0;
    bad[n++].symbols[0].volatility = 10;
    bad[n++].symbols[0].price = (double)INFINITY;
    assert_int_equal(n, COUNT_OF(bad));
    for (size_t i = 0; i < n; i++) {
        assert_false(source_load(&market.source, &bad[i], sizeof(bad[i])));
        assert_memory_equal(&market.state, &good, sizeof(good));
    }
    assert_true(source_load(&market.source, &good, sizeof(good)));
}

static void a_candle_with_one_damaged_field_changes_nothing(void **state)
{
    (void)state;
    struct symbol symbol = {"BTC-USD"};
    struct series series;
    unsigned closed;
    series_init(&series, symbol, USEC_PER_MIN);
    const struct candle good = {.open_us = START,
                                .open = dec_from_int(2),
                                .high = dec_from_int(3),
                                .low = dec_from_int(1),
                                .close = dec_from_int(2),
                                .volume = dec_from_int(5)};
    struct candle bad[] = {good, good, good, good, good, good, good, good, good};
    size_t n = 0;
    bad[n++].open = DEC_INVALID;
    bad[n++].high = DEC_INVALID;
    bad[n++].low = DEC_INVALID;
    bad[n++].close = DEC_INVALID;
    bad[n++].volume = DEC_INVALID;
    bad[n++].volume = dec_from_int(-1);
    bad[n++].open_us = -USEC_PER_MIN;
    bad[n++].open_us = INT64_MAX - INT64_MAX % USEC_PER_MIN;
    bad[n++].open_us++;
    assert_int_equal(n, COUNT_OF(bad));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(series_push(&series, &bad[i], START + USEC_PER_MIN, &closed),
                         SERIES_IMPOSSIBLE);
        assert_int_equal(series_refused(&series), i + 1);
        assert_int_equal(series.updated_us, 0);
        assert_int_equal(closed, 0);
    }
    assert_int_equal(series_push(&series, &good, START + USEC_PER_MIN, &closed), SERIES_ACCEPTED);
}

static void a_sum_of_volumes_that_overflows_keeps_the_last_valid_sum(void **state)
{
    (void)state;
    struct symbol symbol = {"BTC-USD"};
    struct series series;
    unsigned closed;
    series_init(&series, symbol, USEC_PER_MIN);
    for (int i = 0; i < 2; i++) {
        struct candle c = {.open_us = START + i * USEC_PER_MIN,
                           .open = dec_from_int(2),
                           .high = dec_from_int(3),
                           .low = dec_from_int(1),
                           .close = dec_from_int(2),
                           .volume = {INT64_MAX - 5}};
        assert_int_equal(series_push(&series, &c, c.open_us + USEC_PER_MIN, &closed),
                         SERIES_ACCEPTED);
    }
    assert_int_equal(series_frame(&series, TF_5M)->live.volume.e8, INT64_MAX - 5);
}

#define BAD_SERIES(change)                  \
    do {                                    \
        struct series bad = good;           \
        bad.change;                         \
        assert_false(series_is_sane(&bad)); \
    } while (0)

/* Every index, count, divisor and bool in the saved bytes of a series. */
static void a_series_with_one_damaged_field_is_not_sane(void **state)
{
    (void)state;
    struct series good;
    struct simulated m;
    struct symbol symbol = {"BTC-USD"};
    struct source_bar got[SYMBOLS_LIMIT];
    unsigned closed;
    series_init(&good, symbol, USEC_PER_MIN);
    assert_true(series_is_sane(&good)); /* a cold one too */
    simulated_init(&m, 7, &symbol, 1, START);
    for (int i = 0; i < 40 * 60 + 3; i++) {
        (void)source_next(&m.source, got);
        (void)series_push(&good, &got[0].candle, got[0].candle.open_us + USEC_PER_MIN, &closed);
    }
    assert_true(series_is_sane(&good));

    BAD_SERIES(step_us = 0);
    BAD_SERIES(step_us = 7 * USEC_PER_MIN);
    BAD_SERIES(finest = TF_1H);
    BAD_SERIES(finest = TF_1M);
    BAD_SERIES(price = DEC_INVALID);
    BAD_SERIES(price.e8 = -1);
    BAD_SERIES(updated_us = -USEC_PER_MIN);
    BAD_SERIES(updated_us = INT64_MAX - INT64_MAX % USEC_PER_MIN);
    BAD_SERIES(updated_us++);
    BAD_SERIES(accepted = -1);
    BAD_SERIES(gaps = -1);
    BAD_SERIES(refused[SERIES_STALE] = -1);
    BAD_SERIES(symbol = (struct symbol){"AAAAAAAAAAAAAAAA"});
    for (int i = 0; i < SERIES_FRAMES; i++) {
        BAD_SERIES(frames[i].closed_count = -1);
        BAD_SERIES(frames[i].live.low = DEC_ZERO);
        BAD_SERIES(frames[i].closed.high = DEC_INVALID);
        BAD_SERIES(frames[i].rsi.period = 13);
        BAD_SERIES(frames[i].rsi.count = -1);
        BAD_SERIES(frames[i].rsi.count = 15);
        BAD_SERIES(frames[i].rsi.inverse = (double)NAN);
        BAD_SERIES(frames[i].rsi.previous = (double)INFINITY);
        BAD_SERIES(frames[i].rsi.gain = (double)NAN);
        BAD_SERIES(frames[i].rsi.loss = (double)NAN);
        BAD_SERIES(frames[i].macd.skip = -1);
        BAD_SERIES(frames[i].macd.skip = 15);
        BAD_SERIES(frames[i].macd.fast.period = 11);
        BAD_SERIES(frames[i].macd.slow.count = 27);
        BAD_SERIES(frames[i].macd.slow.weight = (double)NAN);
        BAD_SERIES(frames[i].macd.signal.count = -1);
        BAD_SERIES(frames[i].macd.signal.value = (double)NAN);
        BAD_SERIES(frames[i].bands.period = 21);
        BAD_SERIES(frames[i].bands.count = 21);
        BAD_SERIES(frames[i].bands.count = -1);
        BAD_SERIES(frames[i].bands.head = 20);
        BAD_SERIES(frames[i].bands.head = -1);
        BAD_SERIES(frames[i].bands.turns = -1);
        BAD_SERIES(frames[i].bands.inverse = 0);
        BAD_SERIES(frames[i].bands.pivot = (double)NAN);
        BAD_SERIES(frames[i].bands.sum = (double)NAN);
        BAD_SERIES(frames[i].bands.squares = (double)NAN);
        BAD_SERIES(frames[i].bands.values[19] = (double)NAN);
        BAD_SERIES(frames[i].atr.period = 0);
        BAD_SERIES(frames[i].atr.count = 15);
        BAD_SERIES(frames[i].atr.count = -1);
        BAD_SERIES(frames[i].atr.inverse = (double)NAN);
        BAD_SERIES(frames[i].atr.previous_close = (double)NAN);
        BAD_SERIES(frames[i].atr.value = (double)NAN);
    }
    /* A byte that is neither 0 nor 1 must not be read as a bool. */
    const size_t bools[] = {offsetof(struct series, suspect),
                            offsetof(struct series, frames[1].has_live),
                            offsetof(struct series, frames[1].rsi.has_previous),
                            offsetof(struct series, frames[2].atr.has_previous)};
    for (size_t i = 0; i < COUNT_OF(bools); i++) {
        struct series bad = good;
        ((unsigned char *)&bad)[bools[i]] = 0x5a;
        assert_false(series_is_sane(&bad));
    }
}

UNIT_GROUP(damage, cmocka_unit_test(a_market_with_one_damaged_field_is_not_loaded),
           cmocka_unit_test(a_candle_with_one_damaged_field_changes_nothing),
           cmocka_unit_test(a_sum_of_volumes_that_overflows_keeps_the_last_valid_sum),
           cmocka_unit_test(a_series_with_one_damaged_field_is_not_sane))
