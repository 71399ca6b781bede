/* Features, training rows, scores, training, predictor: no look-ahead, no model that does not fit,
 * no overstated score. */
#include "agents/model.h"
#include "agents/predictor.h"
#include "agents/training.h"
#include "base/check.h"
#include "base/rng.h"
#include "io/file.h"
#include "market/simulated.h"
#include "unit/unit.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* cmocka compares floats only. */
#define assert_near(a, b, distance) assert_true(fabs((a) - (b)) <= (distance))

#define START                       INT64_C(1790002800000000) /* a full hour */

/* ---------------------------------------------------------------- markets */

/* Five-minute candles; each closes above its open with a probability that depends on the one
 * before: memory 0 is noise, .3 a clear tendency to continue. */
static void make_bars(struct candle *bars, int count, uint64_t seed, double memory)
{
    struct rng rng;
    rng_init(&rng, seed);
    double price = 50000;
    bool up = true;
    for (int i = 0; i < count; i++) {
        double chance = 0.5 + (up ? memory : -memory);
        up = rng_double(&rng) < chance;
        double open = price;
        price *= 1 + (up ? 1 : -1) * (0.0002 + 0.002 * rng_double(&rng));
        double top = (open > price ? open : price) * (1 + 0.0005 * rng_double(&rng));
        double bottom = (open < price ? open : price) * (1 - 0.0005 * rng_double(&rng));
        bars[i] = (struct candle){.open_us = START + i * timeframe_us(TF_5M),
                                  .open = dec_from_double(open),
                                  .high = dec_from_double(top),
                                  .low = dec_from_double(bottom),
                                  .close = dec_from_double(price),
                                  .volume = dec_from_double(1 + rng_double(&rng))};
    }
}

static struct training_rows *learn_step(const struct candle *bars, int count, enum timeframe tf,
                                        int64_t step_us, int horizon)
{
    struct training_rows *l = NULL;
    struct err err = {0};
    assert_int_equal(training_rows_new(tf, step_us, horizon, &l, &err), 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(training_rows_push(l, &bars[i], &err), 0);
    }
    assert_int_equal(training_rows_finish(l, &err), 0);
    return l;
}

static struct training_rows *learn(const struct candle *bars, int count, int horizon)
{
    return learn_step(bars, count, TF_5M, timeframe_us(TF_5M), horizon);
}

/* Minutes of the simulated market. */
static struct candle *simulated_minutes(int count, uint64_t seed)
{
    struct candle *c = calloc((size_t)count, sizeof(*c));
    struct symbol symbol = {"BTC-USD"};
    struct simulated market;
    simulated_init(&market, seed, &symbol, 1, START);
    for (int i = 0; i < count; i++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        assert_int_equal(source_next(&market.source, bars), 1);
        c[i] = bars[0].candle;
    }
    return c;
}

/* ---------------------------------------------------------------- scores */

static double brute_auc(const float *p, const float *y, size_t n)
{
    double won = 0, pairs = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            if (y[i] > 0.5F && y[j] < 0.5F) {
                pairs += 1;
                won += p[i] > p[j] ? 1 : p[i] < p[j] ? 0 : 0.5;
            }
        }
    }
    return won / pairs;
}

static void auc_counts_pairs_and_halves_ties(void **state)
{
    (void)state;
    struct score s;
    score_of((float[]){0.1F, 0.4F, 0.35F, 0.8F}, (float[]){0, 0, 1, 1}, 4, &s);
    assert_near(s.auc, 0.75, 1e-12); /* the four rows of the textbook */
    score_of((float[]){0.5F, 0.5F, 0.5F}, (float[]){0, 1, 1}, 3, &s);
    assert_near(s.auc, 0.5, 1e-12);
    score_of((float[]){0.9F, 0.1F}, (float[]){0, 1}, 2, &s);
    assert_near(s.auc, 0, 1e-12);
    score_of((float[]){0.9F, 0.1F}, (float[]){1, 1}, 2, &s);
    assert_true(isnan(s.auc));
    score_of(NULL, NULL, 0, &s);
    assert_true(isnan(s.auc) && isnan(s.log_loss) && isnan(s.base_rate));
    assert_false(score_beats_coin(&s, 1));

    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 50; round++) {
        float p[60], y[60];
        for (size_t i = 0; i < COUNT_OF(p); i++) {
            p[i] = (float)rng_below(&rng, 8) / 8.0F; /* many ties */
            y[i] = (float)rng_below(&rng, 2);
        }
        y[0] = 0;
        y[1] = 1;
        score_of(p, y, COUNT_OF(p), &s);
        assert_near(s.auc, brute_auc(p, y, COUNT_OF(p)), 1e-12);
    }
}

static void log_loss_equals_the_definition_and_stays_finite(void **state)
{
    (void)state;
    struct score s;
    score_of((float[]){0.5F, 0.5F, 0.5F, 0.5F}, (float[]){0, 1, 1, 1}, 4, &s);
    assert_near(s.log_loss, log(2), 1e-12);
    assert_near(s.base_rate, 0.75, 1e-12);
    assert_near(s.base_rate_log_loss, -0.75 * log(0.75) - 0.25 * log(0.25), 1e-12);
    score_of((float[]){0.25F, 0.75F}, (float[]){0, 1}, 2, &s);
    assert_near(s.log_loss, -log(0.75), 1e-12);
    score_of((float[]){0, 1}, (float[]){1, 0}, 2, &s); /* entirely wrong */
    assert_near(s.log_loss, -log(1e-15), 1e-9);
    score_of((float[]){0, 1}, (float[]){0, 1}, 2, &s);
    assert_true(s.log_loss >= 0 && s.log_loss < 1e-14);
}

static void calibration_groups_by_prediction(void **state)
{
    (void)state;
    struct score s;
    score_of((float[]){0, 0.05F, 0.5F, 0.55F, 0.59F, 1}, (float[]){0, 1, 0, 1, 1, 1}, 6, &s);
    assert_int_equal(s.bins[0].count, 2);
    assert_near(s.bins[0].predicted, 0.025, 1e-7);
    assert_near(s.bins[0].observed, 0.5, 1e-12);
    assert_int_equal(s.bins[5].count, 3);
    assert_near(s.bins[5].observed, 2.0 / 3, 1e-12);
    assert_int_equal(s.bins[9].count, 1);
    assert_true(isnan(s.bins[3].predicted) && isnan(s.bins[3].observed));
    size_t sum = 0;
    for (int i = 0; i < SCORE_BINS; i++) {
        sum += s.bins[i].count;
    }
    assert_int_equal(sum, 6);
}

/* Hanley and McNeil's own example: AUC .893 of 51 and 58 has the error .032. */
static void the_error_of_an_auc_equals_the_published_one(void **state)
{
    (void)state;
    struct score s = {.count = 109, .happened = 51, .auc = 0.893};
    assert_near(score_auc_error(&s, 1), 0.032, 0.0007);
    assert_true(score_auc_error(&s, 12) > 3 * score_auc_error(&s, 1));
    s.log_loss = 0.6;
    s.base_rate_log_loss = 0.69;
    assert_true(score_beats_coin(&s, 1));
    s.log_loss = 0.7;
    assert_false(score_beats_coin(&s, 1));
    s.log_loss = 0.6;
    s.auc = 0.53;
    assert_false(score_beats_coin(&s, 1));
}

/* ---------------------------------------------------------------- features */

static void features_are_nan_before_the_warm_up_and_known_after_it(void **state)
{
    (void)state;
    struct series s;
    double row[FEATURES_MAX];
    series_init(&s, (struct symbol){"BTC-USD"}, timeframe_us(TF_1M));
    features_row(&s, (double)NAN, row);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        assert_true(isnan(row[i]));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(feature_name((enum feature)i), feature_name((enum feature)j));
        }
    }
    AUTO_FREE struct candle *minutes = simulated_minutes(60 * 60, 3);
    unsigned closed;
    for (int i = 0; i < 60 * 60; i++) {
        assert_int_equal(series_push(&s, &minutes[i], minutes[i].open_us + USEC_PER_MIN, &closed),
                         SERIES_ACCEPTED);
    }
    features_row(&s, (double)NAN, row);
    for (int i = 0; i < FEATURE_COUNT; i++) {
        assert_true(isfinite(row[i]));
    }
    const struct frame *f = series_frame(&s, TF_5M);
    double close = dec_to_double(f->closed.close);
    struct series_bands bands = series_bands(f);
    assert_near(row[FEATURE_BASE_RSI14], rsi_value(&f->rsi), 0);
    assert_near(row[FEATURE_BASE_MACD_HIST], 100 * macd_histogram(&f->macd) / close, 1e-12);
    assert_near(row[FEATURE_BASE_BAND_PLACE], (close - bands.lower) / (bands.upper - bands.lower),
                1e-12);
    assert_near(row[FEATURE_BASE_RETURN3],
                close / dec_to_double(minutes[60 * 60 - 1 - 15].close) - 1, 1e-12);
    assert_near(row[FEATURE_H1_RETURN24],
                close / dec_to_double(minutes[60 * 60 - 1 - 24 * 60].close) - 1, 1e-12);
    assert_near(row[FEATURE_HOUR_SINE] * row[FEATURE_HOUR_SINE] +
                    row[FEATURE_HOUR_COSINE] * row[FEATURE_HOUR_COSINE],
                1, 1e-15);
}

static void the_live_bar_is_not_in_the_row(void **state)
{
    (void)state;
    struct series s;
    double before[FEATURES_MAX], after[FEATURES_MAX];
    unsigned closed;
    AUTO_FREE struct candle *minutes = simulated_minutes(3000, 4);
    series_init(&s, (struct symbol){"BTC-USD"}, timeframe_us(TF_1M));
    for (int i = 0; i < 2400; i++) {
        (void)series_push(&s, &minutes[i], minutes[i].open_us + USEC_PER_MIN, &closed);
    }
    features_row(&s, (double)NAN, before);
    struct candle wild = minutes[2400];
    wild.high = dec_mul(wild.high, dec_from_int(3));
    (void)series_push(&s, &wild, wild.open_us + USEC_PER_MIN, &closed);
    assert_int_equal(closed, 0);
    features_row(&s, (double)NAN, after);
    assert_memory_equal(before, after, sizeof(before));
}

/* ---------------------------------------------------------------- training rows */

enum { BARS = 1500 };

static void no_row_depends_on_later_candles(void **state)
{
    (void)state;
    enum { MINUTES = 6000, CUT = 4000 };
    AUTO_FREE struct candle *minutes = simulated_minutes(MINUTES, 5);
    AUTO_TRAINING_ROWS struct training_rows *whole =
        learn_step(minutes, MINUTES, TF_5M, USEC_PER_MIN, 12);
    AUTO_TRAINING_ROWS struct training_rows *cut =
        learn_step(minutes, CUT, TF_5M, USEC_PER_MIN, 12);
    /* Different candles from CUT on: twice the price, mirrored, at other minutes. */
    for (int i = CUT; i < MINUTES; i++) {
        struct dec two = dec_from_int(2);
        struct dec open = minutes[i].open;
        minutes[i].open = dec_mul(minutes[i].close, two);
        minutes[i].close = dec_mul(open, two);
        minutes[i].high = dec_mul(minutes[i].high, two);
        minutes[i].low = dec_mul(minutes[i].low, two);
        minutes[i].open_us += i > CUT + 500 ? 7 * USEC_PER_MIN : 0;
    }
    AUTO_TRAINING_ROWS struct training_rows *other =
        learn_step(minutes, MINUTES, TF_5M, USEC_PER_MIN, 12);
    int64_t cut_us = START + CUT * USEC_PER_MIN;
    size_t rows = 0;
    while (whole->closed_us[rows] <= cut_us) {
        rows++;
    }
    assert_true(rows > 700);
    assert_memory_equal(whole->closed_us, other->closed_us, rows * sizeof(int64_t));
    assert_memory_equal(whole->close, other->close, rows * sizeof(double));
    assert_memory_equal(whole->rows, other->rows, rows * FEATURE_COUNT * sizeof(float));
    /* Labels look ahead by the horizon and no further: the cut series lost just these. */
    assert_int_equal(cut->count, rows - 12);
    assert_memory_equal(whole->rows, cut->rows, cut->count * FEATURE_COUNT * sizeof(float));
    assert_memory_equal(whole->labels, cut->labels, cut->count * sizeof(float));
    assert_memory_equal(whole->labels, other->labels, cut->count * sizeof(float));
    assert_memory_not_equal(whole->rows, other->rows, whole->count * FEATURE_COUNT * sizeof(float));
}

static void labels_match_the_later_price(void **state)
{
    (void)state;
    struct candle bars[BARS];
    make_bars(bars, BARS, 1, 0);
    AUTO_TRAINING_ROWS struct training_rows *l = learn(bars, BARS, 7);
    assert_int_equal(l->bars, BARS);
    assert_int_equal(l->unlabelled, 7);
    size_t higher = 0;
    for (size_t i = 0; i < l->count; i++) {
        int64_t at = (l->closed_us[i] - START) / timeframe_us(TF_5M) - 1;
        assert_near(l->close[i], dec_to_double(bars[at].close), 0);
        bool up = bars[at + 7].close.e8 > bars[at].close.e8;
        assert_int_equal(l->labels[i] > 0.5F, up);
        higher += up;
    }
    assert_true(higher > l->count / 3 && higher < l->count * 2 / 3);
}

static void an_unchanged_price_has_label_0(void **state)
{
    (void)state;
    struct candle bars[200];
    make_bars(bars, 200, 1, 0);
    for (int i = 0; i < 200; i++) {
        bars[i].open = bars[i].high = bars[i].low = bars[i].close = dec_from_int(100);
    }
    AUTO_TRAINING_ROWS struct training_rows *l = learn(bars, 200, 1);
    assert_true(l->count > 100);
    for (size_t i = 0; i < l->count; i++) {
        assert_true(l->labels[i] < 0.5F);
    }
}

/* A row whose later bar is missing has no label, not the label of another bar. */
static void a_gap_removes_labels(void **state)
{
    (void)state;
    struct candle bars[BARS];
    make_bars(bars, BARS, 2, 0);
    AUTO_TRAINING_ROWS struct training_rows *whole = learn(bars, BARS, 3);
    memmove(&bars[700], &bars[704], (BARS - 704) * sizeof(bars[0]));
    AUTO_TRAINING_ROWS struct training_rows *l = learn(bars, BARS - 4, 3);
    /* The four missing bars, and the three before them. */
    assert_int_equal(l->count, whole->count - 4 - 3);
    int64_t hole_us = START + 700 * timeframe_us(TF_5M);
    for (size_t i = 0; i < l->count; i++) {
        assert_true(l->closed_us[i] + 3 * timeframe_us(TF_5M) <= hole_us ||
                    l->closed_us[i] > hole_us + 4 * timeframe_us(TF_5M));
    }
}

static void training_never_depends_on_the_test(void **state)
{
    (void)state;
    enum { HORIZON = 12 };
    struct candle bars[BARS];
    make_bars(bars, BARS, 3, 0);
    AUTO_TRAINING_ROWS struct training_rows *l = learn(bars, BARS, HORIZON);
    struct training_rows_split split = training_rows_split(l, 0.3);
    assert_int_equal(split.count, l->count);
    assert_int_equal(split.test, l->count - (size_t)(0.3 * (double)l->count));
    assert_int_equal(split.train, split.test - HORIZON); /* purged, and no more */
    int64_t test_us = l->closed_us[split.test];
    for (size_t i = 0; i < split.train; i++) {
        assert_true(l->closed_us[i] + HORIZON * timeframe_us(TF_5M) < test_us);
    }
    /* Mirroring the test period changes nothing in the training rows. */
    for (int i = 0; i < BARS; i++) {
        if (bars[i].open_us + timeframe_us(TF_5M) >= test_us) {
            bars[i].open = dec_mul(bars[i].open, dec_from_int(3));
            bars[i].high = dec_mul(bars[i].high, dec_from_int(4));
        }
        if (bars[i].open_us + timeframe_us(TF_5M) >= test_us && i % 2 == 0) {
            bars[i].close = bars[i].low;
        }
    }
    AUTO_TRAINING_ROWS struct training_rows *other = learn(bars, BARS, HORIZON);
    assert_memory_equal(l->rows, other->rows, split.train * FEATURE_COUNT * sizeof(float));
    assert_memory_equal(l->labels, other->labels, split.train * sizeof(float));
    assert_memory_not_equal(l->labels, other->labels, split.count * sizeof(float));
    char one[TRAINING_ROWS_HASH_SIZE], two[TRAINING_ROWS_HASH_SIZE];
    training_rows_hash(l, one);
    training_rows_hash(other, two);
    assert_string_not_equal(one, two);
}

/* Bars resampled here and bars resampled by the file's author give the same rows. */
static void coarser_bars_are_made_from_finer_ones(void **state)
{
    (void)state;
    enum { MINUTES = 4500 };
    AUTO_FREE struct candle *minutes = simulated_minutes(MINUTES, 6);
    AUTO_FREE struct candle *quarters = calloc(MINUTES / 15, sizeof(*quarters));
    for (int i = 0; i < MINUTES; i++) {
        struct candle *q = &quarters[i / 15];
        if (i % 15 == 0) {
            *q = minutes[i];
            continue;
        }
        q->high = dec_max(q->high, minutes[i].high);
        q->low = dec_min(q->low, minutes[i].low);
        q->close = minutes[i].close;
        q->volume = dec_add(q->volume, minutes[i].volume);
    }
    AUTO_TRAINING_ROWS struct training_rows *fine =
        learn_step(minutes, MINUTES, TF_15M, USEC_PER_MIN, 4);
    AUTO_TRAINING_ROWS struct training_rows *coarse =
        learn_step(quarters, MINUTES / 15, TF_15M, timeframe_us(TF_15M), 4);
    assert_true(fine->count > 200);
    assert_int_equal(fine->count, coarse->count);
    assert_memory_equal(fine->rows, coarse->rows, fine->count * FEATURE_COUNT * sizeof(float));
    assert_memory_equal(fine->labels, coarse->labels, fine->count * sizeof(float));

    struct training_rows *none = NULL;
    struct err err = {0};
    assert_int_equal(training_rows_new(TF_5M, timeframe_us(TF_15M), 1, &none, &err),
                     -ERR_MARKET_TIMEFRAME);
    assert_int_equal(training_rows_new(TF_5M, 7 * USEC_PER_MIN, 1, &none, &err),
                     -ERR_MARKET_TIMEFRAME);
    assert_null(none);
}

static void impossible_candles_are_counted_and_skipped(void **state)
{
    (void)state;
    struct candle bars[300];
    make_bars(bars, 300, 8, 0);
    AUTO_TRAINING_ROWS struct training_rows *good = learn(bars, 300, 1);
    struct training_rows *l = NULL;
    struct err err = {0};
    assert_int_equal(training_rows_new(TF_5M, timeframe_us(TF_5M), 1, &l, &err), 0);
    for (int i = 0; i < 300; i++) {
        struct candle bad = bars[i];
        bad.high = dec_from_int(0);
        assert_int_equal(training_rows_push(l, &bad, &err), 0);
        assert_int_equal(training_rows_push(l, &bars[i], &err), 0);
        assert_int_equal(training_rows_push(l, &bars[i], &err), 0);
    }
    assert_int_equal(training_rows_finish(l, &err), 0);
    assert_int_equal(l->refused, 600);
    assert_int_equal(l->count, good->count);
    assert_memory_equal(l->rows, good->rows, l->count * FEATURE_COUNT * sizeof(float));
    training_rows_free(l);
    /* The same with resampling. */
    AUTO_TRAINING_ROWS struct training_rows *coarse = NULL;
    assert_int_equal(training_rows_new(TF_15M, timeframe_us(TF_5M), 1, &coarse, &err), 0);
    for (int i = 0; i < 300; i++) {
        struct candle bad = bars[i];
        bad.high = dec_from_int(0);
        assert_int_equal(training_rows_push(coarse, &bad, &err), 0);
        assert_int_equal(training_rows_push(coarse, &bars[i], &err), 0);
        assert_int_equal(training_rows_push(coarse, &bars[i > 0 ? i - 1 : 0], &err), 0);
    }
    assert_int_equal(training_rows_finish(coarse, &err), 0);
    assert_int_equal(coarse->refused, 599 /* the repeated first one is not older */);
    assert_int_equal(coarse->bars, 100);
}

static void the_number_of_rows_is_limited(void **state)
{
    (void)state;
    struct training_rows *l = NULL;
    struct err err = {0};
    assert_int_equal(training_rows_new(TF_5M, timeframe_us(TF_5M), 1, &l, &err), 0);
    struct dec one = dec_from_int(1);
    int rc = 0;
    int64_t i = 0;
    for (; rc == 0 && i < TRAINING_ROWS_MAX + 1000; i++) {
        struct candle c = {i * timeframe_us(TF_5M), one, one, one, one, one};
        rc = training_rows_push(l, &c, &err);
    }
    assert_int_equal(rc, -ERR_TRAIN_DATA);
    assert_int_equal(l->count, TRAINING_ROWS_MAX);
    assert_true(i > TRAINING_ROWS_MAX &&
                i < TRAINING_ROWS_MAX + 100); /* with the bars of the warm-up */
    training_rows_free(l);
    training_rows_free(NULL);
    predictor_free(NULL);
}

/* ---------------------------------------------------------------- training */

enum { MANY = 4000 };

static void train(double memory, uint64_t seed, int horizon, struct buf *model,
                  struct training_result *result)
{
    AUTO_FREE struct candle *bars = calloc(MANY, sizeof(*bars));
    make_bars(bars, MANY, seed, memory);
    AUTO_TRAINING_ROWS struct training_rows *l = learn(bars, MANY, horizon);
    struct training_options options = TRAINING_DEFAULTS;
    struct err err = {0};
    int rc = training_run(l, &options, model, result, &err);
    if (rc == -ERR_TRAIN_LIBRARY) {
        print_message("skipped: %s\n", err.context);
        skip();
    }
    assert_int_equal(rc, 0);
}

static void a_planted_pattern_is_found_and_noise_does_not_beat_a_coin(void **state)
{
    (void)state;
    AUTO_BUF struct buf habit_model = BUF_INIT(MODEL_JSON_MAX),
                        noise_model = BUF_INIT(MODEL_JSON_MAX);
    struct training_result habit, noise;
    train(0.25, 11, 1, &habit_model, &habit);
    assert_true(habit.score.auc > 0.6);
    assert_true(habit.beats_coin);
    assert_true(habit.score.log_loss < habit.score.base_rate_log_loss);
    /* Calibrated: where .75 was predicted, about three in four happened. */
    for (int i = 0; i < SCORE_BINS; i++) {
        if (habit.score.bins[i].count > 100) {
            assert_near(habit.score.bins[i].predicted, habit.score.bins[i].observed, 0.15);
        }
    }
    train(0, 11, 1, &noise_model, &noise);
    assert_near(noise.score.auc, 0.5, 0.06);
    assert_false(noise.beats_coin);
    assert_int_equal(noise.score.count, noise.split.count - noise.split.test);
    /* Our predictions equal the library's up to the last bits of a float. */
    assert_true(habit.largest_difference < 1e-6 && noise.largest_difference < 1e-6);
}

static void the_same_training_rows_give_the_same_bytes(void **state)
{
    (void)state;
    AUTO_BUF struct buf one = BUF_INIT(MODEL_JSON_MAX), two = BUF_INIT(MODEL_JSON_MAX);
    struct training_result a, b;
    train(0.2, 12, 3, &one, &a);
    train(0.2, 12, 3, &two, &b);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_string_equal(a.model_hash, b.model_hash);
    assert_string_equal(a.data_hash, b.data_hash);
    assert_int_equal(a.split.train, b.split.train);
}

static void too_little_or_one_sided_data_is_refused(void **state)
{
    (void)state;
    struct candle bars[BARS];
    struct training_result result;
    struct training_options options = TRAINING_DEFAULTS;
    struct err err = {0};
    AUTO_BUF struct buf model = BUF_INIT(MODEL_JSON_MAX);
    make_bars(bars, BARS, 13, 0);
    AUTO_TRAINING_ROWS struct training_rows *few = learn(bars, 200, 3);
    assert_int_equal(training_run(few, &options, &model, &result, &err), -ERR_TRAIN_DATA);
    assert_non_null(strstr(err.context, "at least 100"));
    AUTO_TRAINING_ROWS struct training_rows *none = learn(bars, 0, 3);
    assert_int_equal(training_run(none, &options, &model, &result, &err), -ERR_TRAIN_DATA);
    for (int i = 0; i < BARS; i++) {
        bars[i].open = dec_from_int(100 + i);
        bars[i].high = bars[i].close = dec_from_int(101 + i);
        bars[i].low = bars[i].open;
    }
    AUTO_TRAINING_ROWS struct training_rows *rising = learn(bars, BARS, 3);
    assert_int_equal(training_run(rising, &options, &model, &result, &err), -ERR_TRAIN_DATA);
    assert_non_null(strstr(err.context, "100%"));
    /* Both labels in the training rows, only one in the test: the AUC is undefined. */
    make_bars(bars, BARS * 2 / 3, 13, 0);
    struct dec before = bars[BARS * 2 / 3 - 1].close;
    for (int i = BARS * 2 / 3; i < BARS; i++) {
        bars[i].open = before;
        before = dec_sub(before, dec_from_int(1));
        bars[i].high = bars[i].open;
        bars[i].low = bars[i].close = before;
    }
    AUTO_TRAINING_ROWS struct training_rows *falling = learn(bars, BARS, 3);
    assert_int_equal(training_run(falling, &options, &model, &result, &err), -ERR_TRAIN_DATA);
    assert_non_null(strstr(err.context, ", 0% of 4"));
    assert_int_equal(model.len, 0);
}

/* ---------------------------------------------------------------- predictor */

static char path[64];

static void save(const char *text, size_t len)
{
    (void)str_copy(str_c("/var/tmp/nd-model.XXXXXX"), path, sizeof(path));
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(file_write(path, str_n(text, len), 0600, NULL), 0);
}

static int load(const char *text, size_t len, struct predictor **ret, struct err *err)
{
    err_clear(err);
    save(text, len);
    int rc = predictor_load(path, ret, err);
    (void)unlink(path);
    return rc;
}

static void a_trained_model_predicts(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(MODEL_JSON_MAX);
    AUTO_PREDICTOR struct predictor *p = NULL;
    AUTO_MODEL struct model *model = NULL;
    struct training_result result;
    struct err err = {0};
    train(0.25, 14, 2, &text, &result);
    assert_int_equal(load(text.data, text.len, &p, &err), 0);
    assert_int_equal(predictor_timeframe(p), TF_5M);
    assert_int_equal(predictor_horizon(p), 2);
    assert_string_equal(predictor_hash(p), result.model_hash);
    assert_int_equal(model_parse(buf_str(&text), "again", &model, &err), 0);

    struct candle bars[400];
    struct series s, coarse;
    double row[FEATURES_MAX], wanted, up = -1;
    unsigned closed;
    int asked = 0;
    make_bars(bars, 400, 15, 0.25);
    series_init(&s, (struct symbol){"BTC-USD"}, timeframe_us(TF_5M));
    for (int i = 0; i < 400; i++) {
        (void)series_push(&s, &bars[i], bars[i].open_us + timeframe_us(TF_5M), &closed);
        assert_int_equal(predictor_ask(p, &s, (double)NAN, &up), series_ready(&s));
        if (series_ready(&s)) {
            features_row(&s, (double)NAN, row);
            assert_int_equal(model_predict(model, row, FEATURE_COUNT, &wanted, &err), 0);
            assert_near(up, wanted, 0);
            asked++;
        }
    }
    assert_true(asked > 300);
    assert_false(predictor_ask(NULL, &s, (double)NAN, &up));
    /* A model does not fit bars of another length. */
    series_init(&coarse, (struct symbol){"BTC-USD"}, timeframe_us(TF_15M));
    for (int i = 0; i < 400; i++) {
        bars[i].open_us = START + i * timeframe_us(TF_15M);
        (void)series_push(&coarse, &bars[i], bars[i].open_us + timeframe_us(TF_15M), &closed);
    }
    assert_true(series_ready(&coarse));
    assert_false(predictor_ask(p, &coarse, (double)NAN, &up));
    assert_int_equal(predictor_check_step(p, timeframe_us(TF_1M), &err), 0);
    assert_int_equal(predictor_check_step(p, timeframe_us(TF_15M), &err), -ERR_MODEL_UNFIT);
    assert_non_null(strstr(err.context, "trained on bars of 5m, but decisions are made on 15m"));
}

static void change(struct buf *text, const char *from, const char *to)
{
    char *at = strstr(text->data, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void a_model_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(MODEL_JSON_MAX), broken = BUF_INIT(MODEL_JSON_MAX);
    struct predictor *p = NULL;
    struct training_result result;
    struct err err = {0};
    train(0.25, 16, 1, &text, &result);
    const struct {
        const char *from, *to, *why;
    } changes[] = {
        {"\"nightdesk.features\"", "\"nightdesk.fEatures\"", "does not name"},
        {"\"nightdesk.horizon\":\"1\"", "\"nightdesk.horizon\":\"0\"", "invalid"},
        {"\"nightdesk.horizon\":\"1\"", "\"nightdesk.horizon\":\"x\"", "invalid"},
        {"\"nightdesk.timeframe\":\"5m\"", "\"nightdesk.timeframe\":\"1m\"", "invalid"},
        {"\"nightdesk.timeframe\":\"5m\"", "\"nightdesk.timeframe\":\"5x\"", "invalid"},
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        buf_clear(&broken);
        buf_add(&broken, text.data, text.len);
        change(&broken, changes[i].from, changes[i].to);
        assert_int_equal(load(broken.data, broken.len, &p, &err), -ERR_MODEL_UNFIT);
        assert_non_null(strstr(err.context, changes[i].why));
    }
    buf_clear(&broken);
    buf_add(&broken, text.data, text.len);
    char other[FEATURES_HASH_SIZE];
    (void)str_copy(str_c(result.features_hash), other, sizeof(other));
    other[0] = other[0] == '0' ? '1' : '0';
    change(&broken, result.features_hash, other);
    assert_int_equal(load(broken.data, broken.len, &p, &err), -ERR_MODEL_UNFIT);
    assert_non_null(strstr(err.context, result.features_hash));

    /* Invalid hashes, and a horizon above the limit. */
    const struct {
        const char *from, *to, *why;
    } longer[] = {{result.features_hash, "short", "features short,"},
                  {"\"nightdesk.horizon\":\"1\"", "\"nightdesk.horizon\":\"1000000\"", "invalid"}};
    for (size_t i = 0; i < COUNT_OF(longer); i++) {
        const char *at = strstr(text.data, longer[i].from);
        assert_non_null(at);
        buf_clear(&broken);
        buf_add(&broken, text.data, (size_t)(at - text.data));
        buf_add_c(&broken, longer[i].to);
        buf_add_c(&broken, at + strlen(longer[i].from));
        assert_int_equal(load(broken.data, broken.len, &p, &err), -ERR_MODEL_UNFIT);
        assert_non_null(strstr(err.context, longer[i].why));
    }

    /* Valid models from elsewhere: with two features; with the right number but no features_hash;
     * with two classes. */
    const struct {
        int features, classes;
        const char *why;
    } others[] = {{2, 1, "2 features"},
                  {FEATURE_COUNT, 1, "does not name"},
                  {FEATURE_COUNT, 2, "predicts 2"}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        buf_clear(&broken);
        buf_addf(&broken, "tree\nversion=v4\nnum_class=%d\nnum_tree_per_iteration=%d\n",
                 others[i].classes, others[i].classes);
        buf_addf(&broken, "max_feature_idx=%d\nobjective=%s\n\n", others[i].features - 1,
                 others[i].classes == 1 ? "binary sigmoid:1" : "multiclass num_class:2");
        for (int t = 0; t < others[i].classes; t++) {
            buf_addf(&broken, "Tree=%d\nnum_leaves=1\nnum_cat=0\nleaf_value=0.5\nshrinkage=1\n\n\n",
                     t);
        }
        buf_add_c(&broken, "end of trees\n");
        assert_int_equal(load(broken.data, broken.len, &p, &err), -ERR_MODEL_UNFIT);
        assert_non_null(strstr(err.context, others[i].why));
    }
    assert_int_equal(load(text.data, text.len / 2, &p, &err), -ERR_JSON_SYNTAX);
    assert_int_equal(load("", 0, &p, &err), -ERR_MODEL_UNKNOWN);
    assert_int_equal(predictor_load("/nowhere/model.json", &p, &err), -ERR_FILE_MISSING);
    assert_null(p);
}

/* A sum of leaves without a transformation is not a probability. */
static void a_prediction_that_is_not_a_probability_gives_no_vote(void **state)
{
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(MODEL_JSON_MAX), other = BUF_INIT(MODEL_JSON_MAX);
    AUTO_PREDICTOR struct predictor *p = NULL;
    struct training_result result;
    struct err err = {0};
    train(0.25, 17, 1, &text, &result);
    static const char mine[] = "\"binary:logistic\"";
    const char *at = strstr(text.data, mine);
    assert_non_null(at);
    buf_add(&other, text.data, (size_t)(at - text.data));
    buf_add_c(&other, "\"reg:squarederror\"");
    buf_add_c(&other, at + strlen(mine));
    assert_int_equal(load(other.data, other.len, &p, &err), 0);
    struct candle bars[400];
    struct series s;
    unsigned closed;
    int no = 0, yes = 0;
    make_bars(bars, 400, 18, 0.25);
    series_init(&s, (struct symbol){"BTC-USD"}, timeframe_us(TF_5M));
    for (int i = 0; i < 400; i++) {
        double up = 0;
        (void)series_push(&s, &bars[i], bars[i].open_us + timeframe_us(TF_5M), &closed);
        if (predictor_ask(p, &s, (double)NAN, &up)) {
            assert_true(up >= 0 && up <= 1);
            yes++;
        } else if (series_ready(&s)) {
            no++;
        }
    }
    assert_true(no > 10 && yes > 10);
}

UNIT_GROUP(learning, cmocka_unit_test(auc_counts_pairs_and_halves_ties),
           cmocka_unit_test(log_loss_equals_the_definition_and_stays_finite),
           cmocka_unit_test(calibration_groups_by_prediction),
           cmocka_unit_test(the_error_of_an_auc_equals_the_published_one),
           cmocka_unit_test(features_are_nan_before_the_warm_up_and_known_after_it),
           cmocka_unit_test(the_live_bar_is_not_in_the_row),
           cmocka_unit_test(no_row_depends_on_later_candles),
           cmocka_unit_test(labels_match_the_later_price),
           cmocka_unit_test(an_unchanged_price_has_label_0), cmocka_unit_test(a_gap_removes_labels),
           cmocka_unit_test(training_never_depends_on_the_test),
           cmocka_unit_test(coarser_bars_are_made_from_finer_ones),
           cmocka_unit_test(impossible_candles_are_counted_and_skipped),
           cmocka_unit_test(the_number_of_rows_is_limited),
           cmocka_unit_test(a_planted_pattern_is_found_and_noise_does_not_beat_a_coin),
           cmocka_unit_test(the_same_training_rows_give_the_same_bytes),
           cmocka_unit_test(too_little_or_one_sided_data_is_refused),
           cmocka_unit_test(a_trained_model_predicts),
           cmocka_unit_test(a_model_that_does_not_fit_is_refused),
           cmocka_unit_test(a_prediction_that_is_not_a_probability_gives_no_vote))
