#include "agents/training.h"

#include "agents/model.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/secret.h"
#include "io/xgboost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Against overfitting, since most of the data is noise: each tree uses this share of the rows and
 * columns, and a leaf covers at least this many rows. */
#define ROW_SHARE    0.8
#define COLUMN_SHARE 0.8
#define LEAF_ROWS    50.0

static double rate_of(const float *labels, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)labels[i];
    }
    return count > 0 ? sum / (double)count : (double)NAN;
}

static int check(const struct training_rows *t, struct training_result *r, struct err *err)
{
    size_t tests = r->split.count - r->split.test;
    if (r->split.train < TRAINING_ROWS_MIN || tests < TRAINING_ROWS_MIN) {
        return err_set(err, ERR_TRAIN_DATA,
                       "%lld candles, %lld bars of %s: %zu rows to train on, %zu to test on, at "
                       "least %d each are needed",
                       (long long)t->candles, (long long)t->bars, timeframe_name(t->timeframe),
                       r->split.train, tests, TRAINING_ROWS_MIN);
    }
    double train = rate_of(t->labels, r->split.train);
    double test = rate_of(&t->labels[r->split.test], tests);
    if (train <= 0 || train >= 1 || test <= 0 || test >= 1) {
        return err_set(err, ERR_TRAIN_DATA,
                       "higher after %d bars: %.0f%% of %zu rows to train on, %.0f%% of %zu to "
                       "test on",
                       t->horizon, 100 * train, r->split.train, 100 * test, tests);
    }
    r->train_base_rate = train;
    r->train_from_us = t->closed_us[0];
    r->train_to_us = t->closed_us[r->split.train - 1];
    r->test_from_us = t->closed_us[r->split.test];
    r->test_to_us = t->closed_us[r->split.count - 1];
    return 0;
}

static int train(const struct training_rows *t, const struct training_options *o,
                 const struct training_result *r, struct xgboost_model **ret, struct err *err)
{
    const char *names[FEATURES_MAX];
    for (size_t i = 0; i < t->width; i++) {
        names[i] = feature_name((enum feature)i);
    }
    return xgboost_train(
        &(struct xgboost_options){.trees = o->trees,
                                  .depth = o->depth,
                                  .learning_rate = o->learning_rate,
                                  .row_share = ROW_SHARE,
                                  .column_share = COLUMN_SHARE,
                                  .min_weight = LEAF_ROWS / 4, /* p(1 - p) each */
                                  .base = r->train_base_rate,
                                  .seed = o->seed,
                                  .names = names},
        &(struct xgboost_data){
            .rows = t->rows, .labels = t->labels, .count = r->split.train, .columns = t->width},
        ret, err);
}

/* Our predictions over the test, and their largest difference from the library's. */
static int predict_test(const struct training_rows *t, struct xgboost_model *trained, float *ours,
                        struct training_result *r, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(MODEL_JSON_MAX);
    AUTO_MODEL struct model *model = NULL;
    size_t tests = r->split.count - r->split.test;
    const float *rows = &t->rows[r->split.test * t->width];
    AUTO_FREE float *theirs = calloc(tests, sizeof(*theirs));
    ASSERT(theirs != NULL);
    int rc = xgboost_save(trained, &text, err);
    if (rc < 0 || (rc = model_parse(buf_str(&text), "trained model", &model, err)) < 0 ||
        (rc = xgboost_predict(
             trained, &(struct xgboost_data){.rows = rows, .count = tests, .columns = t->width},
             theirs, err)) < 0) {
        return rc;
    }
    for (size_t i = 0; i < tests; i++) {
        double row[FEATURES_MAX], up;
        for (size_t f = 0; f < t->width; f++) {
            row[f] = (double)rows[i * t->width + f];
        }
        if ((rc = model_predict(model, row, t->width, &up, err)) < 0) {
            return rc;
        }
        ours[i] = (float)up;
        r->largest_difference = fmax(r->largest_difference, fabs(up - (double)theirs[i]));
    }
    return 0;
}

static void iso(int64_t at_us, char ret[40])
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, at_us, false);
    (void)str_copy(buf_str(&text), ret, 40);
}

/* Writes the attributes; a back-test reads from them which data the model was trained on. */
static int write_attributes(const struct training_rows *t, struct xgboost_model *trained,
                            const struct training_options *o, const struct training_result *r,
                            struct err *err)
{
    char train_from[40], train_to[40], test_from[40], test_to[40];
    iso(r->train_from_us, train_from);
    iso(r->train_to_us, train_to);
    iso(r->test_from_us, test_from);
    iso(r->test_to_us, test_to);
    char horizon[32], rows[32], auc[32], log_loss[32];
    (void)snprintf(horizon, sizeof(horizon), "%d", t->horizon);
    (void)snprintf(rows, sizeof(rows), "%zu", r->split.train);
    (void)snprintf(auc, sizeof(auc), "%.6f", r->score.auc);
    (void)snprintf(log_loss, sizeof(log_loss), "%.6f", r->score.log_loss);
    const struct {
        const char *key, *value;
    } attributes[] = {
        {TRAINING_KEY_FEATURES, r->features_hash},
        {TRAINING_KEY_TIMEFRAME, timeframe_name(t->timeframe)},
        {TRAINING_KEY_HORIZON, horizon},
        {TRAINING_KEY_DATA, r->data_hash},
        {TRAINING_KEY_ROWS, rows},
        {TRAINING_KEY_SYMBOL, o->symbol},
        {TRAINING_KEY_MARKET, o->market},
        {TRAINING_KEY_TRAIN_FROM, train_from},
        {TRAINING_KEY_TRAIN_TO, train_to},
        {TRAINING_KEY_TEST_FROM, test_from},
        {TRAINING_KEY_TEST_TO, test_to},
        {TRAINING_KEY_AUC, auc},
        {TRAINING_KEY_LOG_LOSS, log_loss},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < COUNT_OF(attributes); i++) {
        rc = attributes[i].value == NULL
                 ? 0
                 : xgboost_set_attribute(trained, attributes[i].key, attributes[i].value, err);
    }
    return rc;
}

int training_run(const struct training_rows *training_rows, const struct training_options *options,
                 struct buf *ret_model, struct training_result *ret, struct err *err)
{
    ASSERT(options->trees >= 1 && options->trees <= TRAINING_TREES_MAX && options->depth >= 1 &&
           options->depth <= TRAINING_DEPTH_MAX && options->learning_rate > 0);
    *ret =
        (struct training_result){.split = training_rows_split(training_rows, options->test_share)};
    AUTO_XGBOOST struct xgboost_model *trained = NULL;
    int rc = check(training_rows, ret, err);
    if (rc < 0 || (rc = train(training_rows, options, ret, &trained, err)) < 0) {
        return rc;
    }
    size_t tests = ret->split.count - ret->split.test;
    AUTO_FREE float *ours = calloc(tests, sizeof(*ours));
    ASSERT(ours != NULL);
    if ((rc = predict_test(training_rows, trained, ours, ret, err)) < 0) {
        return rc;
    }
    score_of(ours, &training_rows->labels[ret->split.test], tests, &ret->score);
    ret->auc_error = score_auc_error(&ret->score, training_rows->horizon);
    ret->beats_coin = score_beats_coin(&ret->score, training_rows->horizon);
    (void)str_copy(str_c(xgboost_version(trained)), ret->library, sizeof(ret->library));
    training_rows_hash(training_rows, ret->data_hash);
    features_hash(training_rows->width, ret->features_hash);

    size_t from = ret_model->len;
    if ((rc = write_attributes(training_rows, trained, options, ret, err)) < 0 ||
        (rc = xgboost_save(trained, ret_model, err)) < 0) {
        return rc;
    }
    secret_hash(NULL, str_n(ret_model->data + from, ret_model->len - from), ret->model_hash);
    return 0;
}
