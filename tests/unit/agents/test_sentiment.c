/* The sentiment as a feature that a model may ask for. */

#include "agents/predictor.h"
#include "agents/training_rows.h"
#include "base/check.h"
#include "fakes/stump_model.h"
#include "io/file.h"
#include "io/secret.h"
#include "unit/unit.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define START INT64_C(1767225600000000) /* 2026-01-01 */
#define BARS  300

static int start(void **state)
{
    (void)state;
    return secret_init(NULL);
}

static struct candle bar_at(int i)
{
    struct dec open = dec_from_int(1000 + i % 17), close = dec_from_int(1000 + (i * 7 + 3) % 19);
    bool up = dec_cmp(close, open) > 0;
    return (struct candle){START + i * timeframe_us(TF_5M),
                           open,
                           up ? close : open,
                           up ? open : close,
                           close,
                           dec_from_int(10)};
}

static void fill(struct series *s)
{
    unsigned closed;
    series_init(s, (struct symbol){"BTC-USD"}, timeframe_us(TF_5M));
    for (int i = 0; i < BARS; i++) {
        struct candle bar = bar_at(i);
        (void)series_push(s, &bar, bar.open_us + timeframe_us(TF_5M), &closed);
    }
    assert_true(series_ready(s));
}

static const char *write_file(struct str text, char path[40])
{
    (void)str_copy(STR_LIT("/var/tmp/nd-mood.XXXXXX"), path, 40);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(file_write(path, text, 0600, NULL), 0);
    return path;
}

static struct predictor *load(enum feature feature, double at)
{
    AUTO_BUF struct buf text = BUF_INIT(8192);
    struct predictor *p = NULL;
    struct err err = {0};
    char path[40];
    stump_model_on(feature, at, -1, 1, &text);
    int rc = predictor_load(write_file(buf_str(&text), path), &p, &err);
    (void)unlink(path);
    if (rc < 0) {
        print_error("%s\n", err.context);
    }
    assert_int_equal(rc, 0);
    return p;
}

/* The hash that models of earlier versions carry. */
static void earlier_models_still_fit(void **state)
{
    (void)state;
    char hash[FEATURES_HASH_SIZE], more[FEATURES_HASH_SIZE];
    features_hash(FEATURE_COUNT, hash);
    assert_string_equal(hash, "c2347519e361ce84");
    features_hash(FEATURES_MAX, more);
    assert_string_not_equal(hash, more);
}

static void a_model_without_it_predicts_the_same(void **state)
{
    (void)state;
    static struct series s;
    AUTO_PREDICTOR struct predictor *p = load(FEATURE_BASE_RSI14, 50);
    const double values[] = {-1, 0, 1, (double)NAN};
    double first = 0;
    fill(&s);
    assert_false(predictor_reads_sentiment(p));
    assert_true(predictor_ask(p, &s, values[0], &first));
    for (size_t i = 1; i < COUNT_OF(values); i++) {
        double up = -1;
        assert_true(predictor_ask(p, &s, values[i], &up));
        assert_memory_equal(&up, &first, sizeof(up));
    }
}

static void a_model_may_ask_for_it(void **state)
{
    (void)state;
    static struct series s;
    AUTO_PREDICTOR struct predictor *p = load(FEATURE_SENTIMENT, -0.25);
    double bad = -1, good = -1, missing = -1;
    fill(&s);
    assert_true(predictor_reads_sentiment(p));
    assert_true(predictor_ask(p, &s, -0.5, &bad));
    assert_true(predictor_ask(p, &s, 0.5, &good));
    assert_true(predictor_ask(p, &s, (double)NAN, &missing));
    assert_true(bad < 0.5 && good > 0.5);
    assert_memory_equal(&missing, &bad, sizeof(bad)); /* the leaf for a missing feature */
    assert_false(predictor_reads_sentiment(NULL));
}

/* A row has what was known when its bar closed: nothing that was received later. */
static void rows_have_what_was_known_then(void **state)
{
    (void)state;
    AUTO_TRAINING_ROWS struct training_rows *rows = NULL, *plain = NULL;
    AUTO_SENTIMENT_HISTORY struct sentiment_history *h = NULL;
    AUTO_BUF struct buf text = BUF_INIT(1024);
    char path[40];
    struct err err = {0};
    int64_t at_us = START + 200 * timeframe_us(TF_5M), end_us = at_us + 50 * timeframe_us(TF_5M);
    buf_add_c(&text, "received,symbol,score,until\n");
    clock_add_iso(&text, at_us + 1, true);
    buf_add_c(&text, ",BTC-USD,0.5,");
    clock_add_iso(&text, end_us, true);
    assert_int_equal(sentiment_history_load(write_file(buf_str(&text), path), &h, &err), 0);
    (void)unlink(path);
    assert_int_equal(training_rows_new(TF_5M, timeframe_us(TF_5M), 2, &rows, &err), 0);
    assert_int_equal(training_rows_new(TF_5M, timeframe_us(TF_5M), 2, &plain, &err), 0);
    training_rows_use(rows, h, (struct symbol){"BTC-USD"});
    for (int i = 0; i < BARS; i++) {
        struct candle bar = bar_at(i);
        assert_int_equal(training_rows_push(rows, &bar, &err), 0);
        assert_int_equal(training_rows_push(plain, &bar, &err), 0);
    }
    assert_int_equal(training_rows_finish(rows, &err), 0);
    assert_int_equal(training_rows_finish(plain, &err), 0);
    assert_true(rows->count == plain->count && rows->count > 100);
    assert_int_equal(rows->width, FEATURE_COUNT + 1);
    for (size_t i = 0; i < rows->count; i++) {
        const float *row = &rows->rows[i * rows->width];
        bool known = rows->closed_us[i] > at_us && rows->closed_us[i] < end_us;
        assert_memory_equal(row, &plain->rows[i * plain->width], FEATURE_COUNT * sizeof(*row));
        assert_true(known ? row[FEATURE_SENTIMENT] > 0.4F : isnan(row[FEATURE_SENTIMENT]));
    }
}

UNIT_GROUP(sentiment, cmocka_unit_test_setup(earlier_models_still_fit, start),
           cmocka_unit_test_setup(a_model_without_it_predicts_the_same, start),
           cmocka_unit_test_setup(a_model_may_ask_for_it, start),
           cmocka_unit_test_setup(rows_have_what_was_known_then, start))
