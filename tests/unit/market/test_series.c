#include "market/series.h"
#include "unit/unit.h"

#include <string.h>

#define START INT64_C(1790002800000000) /* a full hour */

static struct candle bar(int64_t minute, int64_t open, int64_t high, int64_t low, int64_t close)
{
    return (struct candle){.open_us = START + minute * USEC_PER_MIN,
                           .open = dec_from_int(open),
                           .high = dec_from_int(high),
                           .low = dec_from_int(low),
                           .close = dec_from_int(close),
                           .volume = dec_from_int(2)};
}

static enum series_verdict push(struct series *s, struct candle c, unsigned *closed)
{
    return series_push(s, &c, c.open_us + USEC_PER_MIN, closed);
}

static struct series fresh(void)
{
    struct series s;
    struct symbol symbol = {"BTC-USD"};
    series_init(&s, symbol);
    return s;
}

static void builds_five_minutes(void **state)
{
    (void)state;
    struct series s = fresh();
    unsigned closed;
    for (int i = 0; i < 5; i++) {
        struct candle c = bar(i, 100 + i, 110 + (i == 2) * 50, 90 - (i == 3) * 50, 101 + i);
        assert_int_equal(push(&s, c, &closed), SERIES_ACCEPTED);
        assert_int_equal((closed & 1u << TF_5M) != 0, i == 4);
        assert_true((closed & 1u << TF_1M) != 0);
        assert_true((closed & 1u << TF_15M) == 0);
    }
    const struct candle *c = &s.frames[TF_5M].closed;
    assert_int_equal(c->open_us, START);
    assert_int_equal(c->open.e8, dec_from_int(100).e8);
    assert_int_equal(c->high.e8, dec_from_int(160).e8);
    assert_int_equal(c->low.e8, dec_from_int(40).e8);
    assert_int_equal(c->close.e8, dec_from_int(105).e8);
    assert_int_equal(c->volume.e8, dec_from_int(10).e8);
    assert_false(s.frames[TF_5M].has_live);
}

/* Indicators move when a bar closes and not a minute before. */
static void live_bar_stays_apart(void **state)
{
    (void)state;
    struct series s = fresh();
    unsigned closed;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(push(&s, bar(i, 100, 110, 90, 100 + i), &closed), SERIES_ACCEPTED);
    }
    assert_true(s.frames[TF_5M].has_live);
    assert_int_equal(s.frames[TF_5M].live.open_us, START + 5 * USEC_PER_MIN);
    assert_int_equal(s.frames[TF_5M].live.close.e8, dec_from_int(107).e8);
    assert_int_equal(s.frames[TF_5M].closed.close.e8, dec_from_int(104).e8);
    assert_int_equal(s.frames[TF_5M].closed_count, 1);
    assert_int_equal(s.frames[TF_5M].fast.count, 1);
    assert_int_equal(s.frames[TF_1M].fast.count, 8);
}

static void counts_bars_of_an_hour(void **state)
{
    (void)state;
    struct series s = fresh();
    unsigned closed = 0;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(push(&s, bar(i, 100, 110, 90, 100), &closed), SERIES_ACCEPTED);
    }
    assert_int_equal(closed, 1u << TF_1M | 1u << TF_5M | 1u << TF_15M | 1u << TF_1H);
    assert_int_equal(s.frames[TF_5M].closed_count, 12);
    assert_int_equal(s.frames[TF_15M].closed_count, 4);
    assert_int_equal(s.frames[TF_1H].closed_count, 1);
    assert_int_equal(s.accepted, 60);
}

static void a_gap_closes_the_bar_that_was_live(void **state)
{
    (void)state;
    struct series s = fresh();
    unsigned closed;
    assert_int_equal(push(&s, bar(0, 100, 110, 90, 101), &closed), SERIES_ACCEPTED);
    assert_int_equal(push(&s, bar(7, 100, 110, 90, 102), &closed), SERIES_ACCEPTED);
    assert_true((closed & 1u << TF_5M) != 0);
    assert_int_equal(s.gaps, 6);
    assert_int_equal(s.frames[TF_5M].closed.close.e8, dec_from_int(101).e8);
    assert_int_equal(s.frames[TF_5M].live.open_us, START + 5 * USEC_PER_MIN);
}

static void refuses_and_counts(void **state)
{
    (void)state;
    struct series s = fresh();
    unsigned closed;
    assert_int_equal(push(&s, bar(10, 100, 110, 90, 100), &closed), SERIES_ACCEPTED);
    struct series before = s;

    struct candle bad[8];
    for (int i = 0; i < 8; i++) {
        bad[i] = bar(11, 100, 110, 90, 100);
    }
    bad[0].high = dec_from_int(80); /* below low */
    bad[1].low = DEC_ZERO;
    bad[2].low = dec_from_int(-5);
    bad[3].close = DEC_INVALID;
    bad[4].volume = dec_from_int(-1);
    bad[5].open_us += 7; /* not on a minute */
    bad[6].close = dec_from_int(200);
    bad[7].open_us = -USEC_PER_MIN;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(push(&s, bad[i], &closed), SERIES_IMPOSSIBLE);
        assert_int_equal(closed, 0);
    }
    assert_int_equal(push(&s, bar(10, 100, 110, 90, 100), &closed), SERIES_BACK);
    assert_int_equal(push(&s, bar(9, 100, 110, 90, 100), &closed), SERIES_BACK);
    struct candle next = bar(11, 100, 110, 90, 100);
    int64_t complete_us = next.open_us + USEC_PER_MIN;
    assert_int_equal(series_push(&s, &next, complete_us - 1, &closed), SERIES_FUTURE);
    assert_int_equal(series_push(&s, &next, complete_us + SERIES_STALE_US + 1, &closed),
                     SERIES_STALE);

    assert_int_equal(s.refused, 12);
    s.refused = 0;
    assert_memory_equal(&s, &before, sizeof(s)); /* nothing else changed */
    assert_int_equal(series_push(&s, &next, complete_us + SERIES_STALE_US, &closed),
                     SERIES_ACCEPTED);
}

static void knows_the_regime(void **state)
{
    (void)state;
    struct series trend = fresh();
    struct series chop = fresh();
    unsigned closed;
    assert_int_equal(series_regime(&trend), REGIME_NEUTRAL);
    assert_false(series_ready(&trend));
    for (int i = 0; i < 5 * 30; i++) {
        (void)push(&trend, bar(i, 1000 - i, 1001 - i, 999 - i, 1000 - i), &closed);
        int64_t swing = 100 + i / 5 % 2;
        (void)push(&chop, bar(i, swing, swing, swing, swing), &closed);
    }
    assert_true(series_ready(&trend));
    assert_int_equal(series_regime(&trend), REGIME_TRENDING);
    assert_int_equal(series_drift(&trend), -1);
    assert_int_equal(series_regime(&chop), REGIME_CHOPPY);
}

static void changes_over_a_day(void **state)
{
    (void)state;
    struct series s = fresh();
    unsigned closed;
    for (int i = 0; i < 24 * 60; i++) {
        assert_int_equal(series_change_24h_pct(&s).e8, 0);
        int64_t price = i < 60 ? 200 : 100;
        (void)push(&s, bar(i, price, price, price, price), &closed);
    }
    (void)push(&s, bar(24 * 60, 150, 150, 150, 150), &closed);
    assert_int_equal(series_change_24h_pct(&s).e8, dec_from_int(-25).e8);
}

UNIT_GROUP(series, cmocka_unit_test(builds_five_minutes), cmocka_unit_test(live_bar_stays_apart),
           cmocka_unit_test(counts_bars_of_an_hour),
           cmocka_unit_test(a_gap_closes_the_bar_that_was_live),
           cmocka_unit_test(refuses_and_counts), cmocka_unit_test(knows_the_regime),
           cmocka_unit_test(changes_over_a_day))
