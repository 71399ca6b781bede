/*
 * training.h: trains a model from training rows and scores it.
 *
 *     struct training_result result;
 *     rc = training_run(training_rows, &options, &model_text, &result, err);
 *     file_write(path, buf_str(&model_text), 0644, err);
 *
 * The trees are trained on the first part of the rows (agents/training_rows.h splits them) and
 * scored on the last part, which they have never seen, against a coin flip. The scored predictions
 * are those of our own evaluator, which trading uses; they are compared with the library's. The
 * model's file has the data that predictor.h needs in learner.attributes.
 * Invariants: the same rows, options and library give the same bytes.
 * Thread: any.
 */
#pragma once

#include "agents/score.h"
#include "agents/training_rows.h"
#include "base/buf.h"

#define TRAINING_TREES_MAX     2000
#define TRAINING_DEPTH_MAX     8
#define TRAINING_ROWS_MIN      100 /* of each part */

#define TRAINING_KEY_FEATURES  "nightdesk.features" /* features_hash() */
#define TRAINING_KEY_TIMEFRAME "nightdesk.timeframe"
#define TRAINING_KEY_HORIZON   "nightdesk.horizon" /* bars */
#define TRAINING_KEY_DATA      "nightdesk.data"    /* training_rows_hash() */
#define TRAINING_KEY_ROWS      "nightdesk.rows"    /* number of training rows */
#define TRAINING_KEY_SYMBOL    "nightdesk.symbol"
#define TRAINING_KEY_MARKET    "nightdesk.market" /* "recorded", or "simulated:SEED" */
/* The times of the first and the last row of each part, ISO 8601, UTC. */
#define TRAINING_KEY_TRAIN_FROM "nightdesk.train_from"
#define TRAINING_KEY_TRAIN_TO   "nightdesk.train_to"
#define TRAINING_KEY_TEST_FROM  "nightdesk.test_from"
#define TRAINING_KEY_TEST_TO    "nightdesk.test_to"
#define TRAINING_KEY_AUC        "nightdesk.auc" /* of the test */
#define TRAINING_KEY_LOG_LOSS   "nightdesk.log_loss"

struct training_options {
    double test_share; /* the share of the rows, the newest, to test on; in (0, 1) */
    int trees;
    int depth;
    double learning_rate;
    int64_t seed;
    const char *symbol; /* of the candles; NULL: unknown */
    const char *market; /* "recorded" or "simulated:SEED"; NULL: unknown */
};
#define TRAINING_DEFAULTS       \
    ((struct training_options){ \
        .test_share = 0.3, .trees = 100, .depth = 3, .learning_rate = 0.05, .seed = 1})

struct training_result {
    struct training_rows_split split;
    int64_t train_from_us, train_to_us; /* times of the first and the last row */
    int64_t test_from_us, test_to_us;
    double train_base_rate;
    struct score score; /* of the test */
    double auc_error;
    bool beats_coin;
    double largest_difference; /* between our predictions and the library's, over the test */
    char library[16];          /* its version */
    char data_hash[TRAINING_ROWS_HASH_SIZE];
    char model_hash[TRAINING_ROWS_HASH_SIZE];
    char features_hash[FEATURES_HASH_SIZE];
};

/* Appends the model to *ret_model. ERR_TRAIN_DATA when a part has too few rows, or when all rows of
 * a part have the same label. */
int training_run(const struct training_rows *training_rows, const struct training_options *options,
                 struct buf *ret_model, struct training_result *ret, struct err *err);
