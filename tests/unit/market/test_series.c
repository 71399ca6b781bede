#include "base/check.h"
#include "base/rng.h"
#include "market/indicators.h"
#include "market/series.h"
#include "market/simulated.h"
#include "unit/unit.h"

#include <math.h>
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

static enum series_result push(struct series *s, struct candle c, unsigned *closed)
{
    return series_push(s, &c, c.open_us + USEC_PER_MIN, closed);
}

static void init(struct series *s, int64_t step_us)
{
    series_init(s, (struct symbol){"BTC-USD"}, step_us);
}

static int64_t open_of(const struct series *s, enum timeframe tf, int back)
{
    const struct bar *b = window_at(series_window(s, tf), back);
    ASSERT(b != NULL);
    return b->open_us;
}

static void builds_five_minutes(void **state)
{
    (void)state;
    struct series s;
    unsigned closed;
    init(&s, USEC_PER_MIN);
    for (int i = 0; i < 5; i++) {
        struct candle c = bar(i, 100 + i, 110 + (i == 2) * 50, 90 - (i == 3) * 50, 101 + i);
        assert_int_equal(push(&s, c, &closed), SERIES_ACCEPTED);
        assert_int_equal(closed, i == 4 ? 1u << TF_5M : 0);
    }
    const struct candle *c = &series_frame(&s, TF_5M)->closed;
    assert_int_equal(c->open_us, START);
    assert_int_equal(c->open.e8, dec_from_int(100).e8);
    assert_int_equal(c->high.e8, dec_from_int(160).e8);
    assert_int_equal(c->low.e8, dec_from_int(40).e8);
    assert_int_equal(c->close.e8, dec_from_int(105).e8);
    assert_int_equal(c->volume.e8, dec_from_int(10).e8);
    assert_false(series_frame(&s, TF_5M)->has_live);
    assert_true(series_frame(&s, TF_15M)->has_live);
}

/* Nothing derived from closed bars changes by a bit while the live bar moves wildly; the minute
 * that closes the bar includes it. */
static void the_live_bar_does_not_affect_closed_ones(void **state)
{
    (void)state;
    struct series s;
    struct simulated m;
    struct symbol symbol = {"BTC-USD"};
    struct source_bar got[SYMBOLS_LIMIT];
    unsigned closed;
    init(&s, USEC_PER_MIN);
    simulated_init(&m, 5, &symbol, 1, START);
    for (int i = 0; i < 40 * 60; i++) {
        (void)source_next(&m.source, got);
        assert_int_equal(push(&s, got[0].candle, &closed), SERIES_ACCEPTED);
    }
    for (int minute = 0; minute < 60; minute++) {
        struct series before = s;
        int64_t price = 50 + minute * 3000 % 100000; /* far from all earlier prices */
        struct candle c = {s.updated_us,        dec_from_int(price), dec_from_int(price + 7),
                           dec_from_int(price), dec_from_int(price), dec_from_int(1)};
        assert_int_equal(push(&s, c, &closed), SERIES_ACCEPTED);
        for (enum timeframe tf = TF_5M; tf < TF_COUNT; tf++) {
            const struct frame *now = series_frame(&s, tf), *then = series_frame(&before, tf);
            bool closes = (minute + 1) % (timeframe_us(tf) / USEC_PER_MIN) == 0;
            assert_int_equal((closed & 1u << tf) != 0, closes);
            assert_int_equal(now->closed_count, then->closed_count + closes);
            assert_int_equal(now->has_live, !closes);
            if (closes) {
                assert_true(rsi_value(&now->rsi) != rsi_value(&then->rsi));
                assert_true(moments_mean(&now->bands) != moments_mean(&then->bands));
                assert_true(atr_value(&now->atr) != atr_value(&then->atr));
                assert_true(macd_value(&now->macd) != macd_value(&then->macd));
                assert_int_equal(open_of(&s, tf, 0), now->closed.open_us);
                continue;
            }
            assert_memory_equal(&now->closed, &then->closed, sizeof(now->closed));
            assert_memory_equal(&now->rsi, &then->rsi, sizeof(now->rsi));
            assert_memory_equal(&now->macd, &then->macd, sizeof(now->macd));
            assert_memory_equal(&now->bands, &then->bands, sizeof(now->bands));
            assert_memory_equal(&now->atr, &then->atr, sizeof(now->atr));
            assert_memory_equal(series_window(&s, tf), series_window(&before, tf),
                                sizeof(struct window));
        }
        if (minute < 59) {
            assert_int_equal(series_regime(&s), series_regime(&before));
            assert_int_equal(series_drift(&s), series_drift(&before));
        }
    }
}

static void counts_bars_of_an_hour(void **state)
{
    (void)state;
    struct series s;
    unsigned closed = 0;
    init(&s, USEC_PER_MIN);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(push(&s, bar(i, 100, 110, 90, 100), &closed), SERIES_ACCEPTED);
    }
    assert_int_equal(closed, 1u << TF_5M | 1u << TF_15M | 1u << TF_1H);
    assert_int_equal(series_frame(&s, TF_5M)->closed_count, 12);
    assert_int_equal(series_frame(&s, TF_15M)->closed_count, 4);
    assert_int_equal(series_frame(&s, TF_1H)->closed_count, 1);
    assert_int_equal(s.accepted, 60);
}

static void a_gap_closes_the_live_bar(void **state)
{
    (void)state;
    struct series s;
    unsigned closed;
    init(&s, USEC_PER_MIN);
    assert_int_equal(push(&s, bar(0, 100, 110, 90, 101), &closed), SERIES_ACCEPTED);
    assert_int_equal(push(&s, bar(7, 100, 110, 90, 102), &closed), SERIES_ACCEPTED);
    assert_int_equal(closed, 1u << TF_5M);
    assert_int_equal(s.gaps, 6);
    assert_int_equal(series_frame(&s, TF_5M)->closed.close.e8, dec_from_int(101).e8);
    assert_int_equal(series_frame(&s, TF_5M)->live.open_us, START + 5 * USEC_PER_MIN);
    /* One candle closes both the bar before and its own. */
    assert_int_equal(push(&s, bar(14, 100, 110, 90, 103), &closed), SERIES_ACCEPTED);
    assert_int_equal(closed, 1u << TF_5M | 1u << TF_15M);
    assert_int_equal(series_frame(&s, TF_5M)->closed_count, 3);
    assert_int_equal(open_of(&s, TF_5M, 1), START + 5 * USEC_PER_MIN);
}

/* ---------------------------------------------------------------- against the definition */

#define HOURS   150
#define MINUTES (HOURS * 60)

static struct candle minutes[MINUTES];

/* One candle in `gap` is missing; 0: none. */
static int make_minutes(int64_t step_us, int gap)
{
    struct simulated m;
    struct symbol symbol = {"BTC-USD"};
    struct rng rng;
    struct source_bar got[SYMBOLS_LIMIT];
    int count = 0;
    rng_init(&rng, 9);
    simulated_init(&m, 21, &symbol, 1, START);
    for (int i = 0; i < MINUTES; i++) {
        (void)source_next(&m.source, got);
        struct candle c = got[0].candle;
        c.open_us = START + i * step_us;
        if (gap == 0 || rng_below(&rng, (uint64_t)gap) > 0) {
            minutes[count++] = c;
        }
    }
    return count;
}

struct expected {
    int count;
    struct candle bars[MINUTES];
};

/* By the definition: all candles within a bar's time. */
static void resample_all(const struct candle *c, int count, int64_t step_us, int64_t length_us,
                         struct expected *ret)
{
    ret->count = 0;
    for (int i = 0; i < count;) {
        int64_t opens_us = c[i].open_us / length_us * length_us;
        struct candle sum = c[i];
        int last = i;
        sum.open_us = opens_us;
        for (int k = i + 1; k < count && c[k].open_us < opens_us + length_us; k++) {
            sum.high = dec_max(sum.high, c[k].high);
            sum.low = dec_min(sum.low, c[k].low);
            sum.close = c[k].close;
            sum.volume = dec_add(sum.volume, c[k].volume);
            last = k;
        }
        if (last + 1 < count || c[last].open_us + step_us == opens_us + length_us) {
            ret->bars[ret->count++] = sum;
        }
        i = last + 1;
    }
}

static struct expected expected;

/* Ours is 0 where the value is undefined. */
static bool same(double ours, double value)
{
    return ours == (isnan(value) ? 0 : value);
}

static void check_frame(const struct series *s, enum timeframe tf)
{
    const struct frame *f = series_frame(s, tf);
    struct indicators all;
    double values[INDICATOR_COUNT];
    indicators_init(&all);
    for (int i = 0; i < expected.count; i++) {
        struct bar b = bar_of(&expected.bars[i]);
        indicators_push(&all, &b);
    }
    assert_int_equal(f->closed_count, expected.count);
    assert_memory_equal(&f->closed, &expected.bars[expected.count - 1], sizeof(f->closed));
    indicators_values(&all, values);
    struct series_bands bands = series_bands(f);
    assert_true(same(rsi_value(&f->rsi), values[INDICATOR_RSI14]));
    assert_true(same(macd_value(&f->macd), values[INDICATOR_MACD]));
    assert_true(same(macd_histogram(&f->macd), values[INDICATOR_MACD_HIST]));
    assert_true(same(atr_value(&f->atr), values[INDICATOR_ATR14]));
    assert_true(fabs(bands.upper / values[INDICATOR_BB_UPPER] - 1) < 1e-12);
    assert_true(fabs(bands.lower / values[INDICATOR_BB_LOWER] - 1) < 1e-12);
    assert_true(fabs(bands.width_pct - 100 * (bands.upper - bands.lower) / bands.middle) < 1e-9);

    const struct window *w = series_window(s, tf);
    int held = expected.count < WINDOW_BARS ? expected.count : WINDOW_BARS;
    assert_int_equal(window_count(w), held);
    assert_null(window_at(w, held));
    assert_null(window_at(w, -1));
    for (int back = 0; back < held; back++) {
        struct bar b = bar_of(&expected.bars[expected.count - 1 - back]);
        assert_memory_equal(window_at(w, back), &b, sizeof(b));
    }
}

static void compare(int64_t step_us, int gap, enum timeframe finest)
{
    struct series s;
    unsigned closed;
    int count = make_minutes(step_us, gap);
    init(&s, step_us);
    assert_int_equal(series_decision_tf(&s), finest);
    assert_ptr_equal(series_decision_frame(&s), series_frame(&s, finest));
    for (int i = 0; i < count; i++) {
        assert_int_equal(series_push(&s, &minutes[i], minutes[i].open_us + step_us, &closed),
                         SERIES_ACCEPTED);
    }
    for (enum timeframe tf = TF_5M; tf < TF_COUNT; tf++) {
        if (tf < finest) {
            assert_int_equal(series_frame(&s, tf)->closed_count, 0);
            assert_int_equal(window_count(series_window(&s, tf)), 0);
            assert_false(series_frame(&s, tf)->has_live);
            continue;
        }
        resample_all(minutes, count, step_us, timeframe_us(tf), &expected);
        check_frame(&s, tf);
    }
    int64_t steps = (minutes[count - 1].open_us - minutes[0].open_us) / step_us + 1;
    assert_int_equal(s.gaps, steps - count);
    assert_true(series_ready(&s));
}

static void every_step_gives_the_same_bars(void **state)
{
    (void)state;
    static const struct {
        int64_t step_us;
        enum timeframe finest;
    } steps[] = {
        {10 * USEC_PER_SEC, TF_5M}, {USEC_PER_MIN, TF_5M},      {2 * USEC_PER_MIN, TF_1H},
        {3 * USEC_PER_MIN, TF_15M}, {5 * USEC_PER_MIN, TF_5M},  {15 * USEC_PER_MIN, TF_15M},
        {USEC_PER_HOUR, TF_1H},     {30 * USEC_PER_MIN, TF_1H},
    };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        compare(steps[i].step_us, 0, steps[i].finest);
        compare(steps[i].step_us, 7, steps[i].finest);
        compare(steps[i].step_us, 2, steps[i].finest);
    }
}

static void only_steps_that_fill_an_hour_are_valid(void **state)
{
    (void)state;
    assert_true(series_step_is_valid(USEC_PER_SEC));
    assert_true(series_step_is_valid(USEC_PER_HOUR));
    assert_true(series_step_is_valid(90 * USEC_PER_SEC));
    assert_false(series_step_is_valid(0));
    assert_false(series_step_is_valid(-USEC_PER_MIN));
    assert_false(series_step_is_valid(1000));
    assert_false(series_step_is_valid(7 * USEC_PER_MIN));
    assert_false(series_step_is_valid(4 * USEC_PER_HOUR));
}

/* ---------------------------------------------------------------- windows after a restart */

static int five_minutes(int count, struct candle *ret)
{
    resample_all(minutes, count, USEC_PER_MIN, timeframe_us(TF_5M), &expected);
    memcpy(ret, expected.bars, (size_t)expected.count * sizeof(*ret));
    return expected.count;
}

/* At every minute of a stop: the saved bytes and the stored five-minute candles restore the same
 * value, windows included. */
static void windows_are_restored(void **state)
{
    (void)state;
    static struct candle stored[MINUTES];
    for (int gap = 0; gap <= 3; gap += 3) {
        int total = make_minutes(USEC_PER_MIN, gap);
        for (int count = total - 70; count <= total; count++) {
            struct series s, again;
            unsigned closed;
            init(&s, USEC_PER_MIN);
            for (int i = 0; i < count; i++) {
                (void)push(&s, minutes[i], &closed);
            }
            int bars = five_minutes(count, stored);
            init(&again, USEC_PER_MIN);
            memcpy(&again, &s, SERIES_SAVED_SIZE);
            assert_true(series_is_sane(&again));
            series_history(&again, stored, bars);
            assert_memory_equal(&again, &s, SERIES_SAVED_SIZE);
            for (enum timeframe tf = TF_5M; tf < TF_COUNT; tf++) {
                const struct window *a = series_window(&again, tf), *b = series_window(&s, tf);
                assert_int_equal(window_count(a), window_count(b));
                for (int back = 0; back < window_count(a); back++) {
                    assert_memory_equal(window_at(a, back), window_at(b, back), sizeof(struct bar));
                }
            }
        }
    }
}

/* The database can be newer than the saved bytes: its newer candles are left out. */
static void windows_do_not_get_ahead_of_the_saved_bytes(void **state)
{
    (void)state;
    static struct candle stored[MINUTES];
    struct series s;
    unsigned closed;
    (void)make_minutes(USEC_PER_MIN, 0);
    int bars = five_minutes(MINUTES, stored);
    init(&s, USEC_PER_MIN);
    for (int i = 0; i < 33; i++) {
        (void)push(&s, minutes[i], &closed);
    }
    series_history(&s, stored, bars);
    assert_int_equal(window_count(series_window(&s, TF_5M)), 6);
    assert_int_equal(window_count(series_window(&s, TF_15M)), 2);
    assert_int_equal(window_count(series_window(&s, TF_1H)), 0);
    struct series cold;
    init(&cold, USEC_PER_MIN);
    assert_int_equal(push(&cold, minutes[0], &closed), SERIES_ACCEPTED);
    series_history(&cold, stored, bars);
    assert_int_equal(window_count(series_window(&cold, TF_5M)), 0);
}

/* Without saved bytes, the stored candles alone give the same indicators. */
static void history_alone_restores_the_indicators(void **state)
{
    (void)state;
    static struct candle stored[MINUTES];
    struct series s, warm;
    unsigned closed;
    (void)make_minutes(USEC_PER_MIN, 0);
    init(&s, USEC_PER_MIN);
    for (int i = 0; i < MINUTES; i++) {
        (void)push(&s, minutes[i], &closed);
    }
    int bars = five_minutes(MINUTES, stored);
    stored[5].high = DEC_ZERO; /* damaged */
    stored[6].open_us++;       /* not a bar of five minutes */
    stored[8] = stored[7];     /* twice */
    init(&warm, USEC_PER_MIN);
    series_history(&warm, stored, bars);
    assert_true(series_ready(&warm));
    assert_int_equal(warm.updated_us, s.updated_us);
    assert_int_equal(warm.price.e8, s.price.e8);
    assert_int_equal(series_frame(&warm, TF_5M)->closed_count, bars - 3);
    assert_int_equal(warm.accepted, 0);
    assert_int_equal(series_refused(&warm), 0);
    assert_true(moments_mean(&series_frame(&warm, TF_1H)->bands) ==
                moments_mean(&series_frame(&s, TF_1H)->bands));
    assert_int_equal(series_regime(&warm), series_regime(&s));
    /* It continues with the next minute. */
    struct candle next = minutes[MINUTES - 1];
    next.open_us += USEC_PER_MIN;
    assert_int_equal(push(&warm, next, &closed), SERIES_ACCEPTED);
    assert_int_equal(warm.gaps, 0);
}

/* ---------------------------------------------------------------- refusals */

static void refuses_and_counts(void **state)
{
    (void)state;
    struct series s;
    unsigned closed;
    init(&s, USEC_PER_MIN);
    assert_int_equal(push(&s, bar(10, 100, 110, 90, 100), &closed), SERIES_ACCEPTED);
    struct series before = s;

    struct candle bad[8];
    for (int i = 0; i < 8; i++) {
        bad[i] = bar(11, 100, 110, 90, 100);
    }
    bad[0].high = dec_from_int(80); /* below low */
    bad[1].low = DEC_ZERO;
    bad[2].low = dec_from_int(-5);
    bad[3].close = dec_from_double((double)NAN);
    bad[4].volume = dec_from_int(-1);
    bad[5].open_us += 7; /* not on a minute */
    bad[6].close = dec_from_int(200);
    bad[7].open_us = -USEC_PER_MIN;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(push(&s, bad[i], &closed), SERIES_IMPOSSIBLE);
        assert_int_equal(closed, 0);
        assert_true(series_suspect(&s));
    }
    assert_int_equal(push(&s, bar(10, 100, 110, 90, 100), &closed), SERIES_BACK);
    assert_int_equal(push(&s, bar(9, 100, 110, 90, 100), &closed), SERIES_BACK);
    struct candle next = bar(11, 100, 110, 90, 100);
    int64_t complete_us = next.open_us + USEC_PER_MIN;
    assert_int_equal(series_push(&s, &next, complete_us - 1, &closed), SERIES_FUTURE);
    assert_int_equal(series_push(&s, &next, complete_us + SERIES_STALE_US + 1, &closed),
                     SERIES_STALE);

    assert_int_equal(series_refused(&s), 12);
    assert_int_equal(s.refused[SERIES_IMPOSSIBLE], 8);
    assert_int_equal(s.refused[SERIES_BACK], 2);
    assert_int_equal(s.refused[SERIES_FUTURE], 1);
    assert_int_equal(s.refused[SERIES_STALE], 1);
    assert_int_equal(s.refused[SERIES_ACCEPTED], 0);
    assert_true(series_suspect(&s));
    memset(s.refused, 0, sizeof(s.refused));
    s.suspect = false;
    assert_memory_equal(&s, &before, sizeof(s)); /* nothing else changed */
    assert_int_equal(series_push(&s, &bad[0], complete_us, &closed), SERIES_IMPOSSIBLE);
    assert_int_equal(series_push(&s, &next, complete_us + SERIES_STALE_US, &closed),
                     SERIES_ACCEPTED);
    assert_false(series_suspect(&s)); /* a candle was accepted */
}

static void every_result_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(series_result_name(SERIES_ACCEPTED), "accepted");
    for (int i = 0; i < SERIES_RESULTS; i++) {
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(series_result_name((enum series_result)i),
                                    series_result_name((enum series_result)k));
        }
    }
}

/* ---------------------------------------------------------------- regime */

/* Hourly closes that swing by this share around 1000: the band width is 4 swings. */
static void swing(struct series *s, int hours, double share)
{
    unsigned closed;
    for (int i = 0; i < hours; i++) {
        double price = 1000 * (1 + (i % 2 == 0 ? share : -share));
        struct dec p = dec_from_double(price);
        struct candle c = {s->updated_us > 0 ? s->updated_us : START, p, p, p, p, DEC_ZERO};
        assert_int_equal(series_push(s, &c, c.open_us + USEC_PER_HOUR, &closed), SERIES_ACCEPTED);
    }
}

static void the_hourly_bands_give_the_regime(void **state)
{
    (void)state;
    struct series s;
    init(&s, USEC_PER_HOUR);
    swing(&s, 19, 0.02);
    assert_int_equal(series_regime(&s), REGIME_NEUTRAL);
    swing(&s, 1, 0.02);
    assert_int_equal(series_regime(&s), REGIME_TRENDING); /* 8 % wide */
    swing(&s, 20, 0.0099);
    assert_int_equal(series_regime(&s), REGIME_CHOPPY); /* 3.96 % wide */
    swing(&s, 20, 0.0101);
    assert_int_equal(series_regime(&s), REGIME_TRENDING); /* 4.04 % wide */
}

static void drift_is_the_side_of_the_middle_band(void **state)
{
    (void)state;
    struct series s;
    unsigned closed;
    init(&s, USEC_PER_MIN);
    assert_int_equal(series_drift(&s), 0);
    /* The hourly bands are undefined: the five-minute frame is used. */
    for (int i = 0; i < 5 * 25; i++) {
        (void)push(&s, bar(i, 1000 - i, 1001 - i, 999 - i, 1000 - i), &closed);
    }
    assert_int_equal(series_regime(&s), REGIME_NEUTRAL);
    assert_int_equal(series_drift(&s), -1);
    /* Up for 20 hours, then down for an hour, but not below the middle band: still up. */
    for (int i = 5 * 25; i < 22 * 60; i++) {
        int64_t p = 1000 + i * 10;
        (void)push(&s, bar(i, p, p, p, p), &closed);
    }
    assert_int_equal(series_drift(&s), 1);
    for (int i = 22 * 60; i < 23 * 60; i++) {
        int64_t p = 1000 + (22 * 60 - (i - 22 * 60)) * 10;
        (void)push(&s, bar(i, p, p, p, p), &closed);
    }
    assert_int_equal(series_drift(&s), 1);
    for (int i = 23 * 60; i < 24 * 60; i++) {
        (void)push(&s, bar(i, 900, 900, 900, 900), &closed);
    }
    assert_int_equal(series_drift(&s), -1);
}

static void change_24h_covers_a_day(void **state)
{
    (void)state;
    struct series s;
    unsigned closed;
    init(&s, USEC_PER_MIN);
    for (int i = 0; i < 24 * 60; i++) {
        assert_int_equal(series_change_24h_pct(&s).e8, 0);
        int64_t price = i < 60 ? 200 : 100;
        (void)push(&s, bar(i, price, price, price, price), &closed);
    }
    (void)push(&s, bar(24 * 60, 150, 150, 150, 150), &closed);
    assert_int_equal(series_change_24h_pct(&s).e8, dec_from_int(-25).e8);
}

UNIT_GROUP(series, cmocka_unit_test(builds_five_minutes),
           cmocka_unit_test(the_live_bar_does_not_affect_closed_ones),
           cmocka_unit_test(counts_bars_of_an_hour), cmocka_unit_test(a_gap_closes_the_live_bar),
           cmocka_unit_test(every_step_gives_the_same_bars),
           cmocka_unit_test(only_steps_that_fill_an_hour_are_valid),
           cmocka_unit_test(windows_are_restored),
           cmocka_unit_test(windows_do_not_get_ahead_of_the_saved_bytes),
           cmocka_unit_test(history_alone_restores_the_indicators),
           cmocka_unit_test(refuses_and_counts), cmocka_unit_test(every_result_has_a_name),
           cmocka_unit_test(the_hourly_bands_give_the_regime),
           cmocka_unit_test(drift_is_the_side_of_the_middle_band),
           cmocka_unit_test(change_24h_covers_a_day))
