/* Saved market states and candles with one thing wrong at a time. */
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
    bad[n++].symbol_count = SYMBOLS_MAX + 1;
    bad[n++].climate = -1;
    bad[n++].climate = 4;
    bad[n++].next_open_us = -USEC_PER_MIN;
    bad[n++].next_open_us = INT64_MAX - INT64_MAX % USEC_PER_MIN;
    bad[n++].next_open_us++;
    memset(bad[n++].symbols[0].symbol.name, 'A', SYMBOL_SIZE);
    bad[n++].symbols[0].symbol.name[0] = '\0';
    bad[n++].symbols[0].symbol.name[0] = 'b'; /* would be folded into another name */
    bad[n++].symbols[0].base = 0;
    bad[n++].symbols[0].base = 1e9;
    bad[n++].symbols[0].base = (double)NAN;
    bad[n++].symbols[0].price = good.symbols[0].base / 51;
    bad[n++].symbols[0].price = good.symbols[0].base * 51;
    bad[n++].symbols[0].anchor = 0;
    bad[n++].symbols[0].anchor = good.symbols[0].base * 51;
    bad[n++].symbols[0].tick = 0;
    bad[n++].symbols[0].tick = good.symbols[0].base * 2;
    bad[n++].symbols[0].liveliness = 0;
    bad[n++].symbols[0].liveliness = 10;
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
    series_init(&series, symbol);
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
        assert_int_equal(series.refused, i + 1);
        assert_int_equal(series.updated_us, 0);
        assert_int_equal(closed, 0);
    }
    assert_int_equal(series_push(&series, &good, START + USEC_PER_MIN, &closed), SERIES_ACCEPTED);
}

static void a_volume_beyond_all_amounts_keeps_what_fits(void **state)
{
    (void)state;
    struct symbol symbol = {"BTC-USD"};
    struct series series;
    unsigned closed;
    series_init(&series, symbol);
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
    assert_int_equal(series.frames[TF_5M].live.volume.e8, INT64_MAX - 5);
}

UNIT_GROUP(damage, cmocka_unit_test(a_market_with_one_damaged_field_is_not_loaded),
           cmocka_unit_test(a_candle_with_one_damaged_field_changes_nothing),
           cmocka_unit_test(a_volume_beyond_all_amounts_keeps_what_fits))
