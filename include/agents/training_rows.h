/*
 * training_rows.h: what a model can learn from: a row of features for each closed bar of a market,
 * and whether the price then rose.
 *
 *     struct training_rows *training_rows = training_rows_new(TF_5M, step_us, horizon);
 *     for each candle: rc = training_rows_push(lessons, &candle, err);
 *     training_rows_finish(lessons);                      // when no more candles come
 *     split = training_rows_split(lessons, 0.3);
 *
 * Candles go through the same struct series as in the engine, and a row is taken at the moment at
 * which the engine would decide: when a bar of the decision frame has closed. So a row cannot know
 * what came after it. Its label is 1 when the close `horizon` bars later is higher, 0 when it is
 * not. Left out are rows that have no label, because the candles end before that bar or its last
 * candle is missing, and rows of a bar whose own last candle is missing: nothing is opened there.
 * The split is by time. Training rows come first; those whose label would look at or behind the
 * close of the first test row are left out (purged), so nothing learned from knows of the test.
 * Ownership: lessons own their arrays.
 * Invariants: rows in the order of time; at most TRAINING_ROWS_MAX. Thread: one at a time per
 * value.
 */
#pragma once

#include "agents/features.h"
#include "base/auto.h"
#include "base/err.h"
#include "market/resample.h"

#include <stddef.h>
#include <stdint.h>

#define TRAINING_ROWS_MAX         1000000 /* a hundred bytes each; nine years of five-minute bars */
#define TRAINING_ROWS_HORIZON_MAX 1000
#define TRAINING_ROWS_HASH_SIZE   65

struct training_rows {
    enum timeframe timeframe;
    int64_t step_us; /* of the candles that come */
    int horizon;     /* bars */
    struct series series;
    bool resampled; /* candles become bars of the timeframe before the series sees them */
    struct resample resample;
    int64_t candles;
    int64_t refused;
    int64_t bars; /* of the timeframe, those of the warm-up too */
    /* one a warm bar; after training_rows_finish one that has a label */
    size_t count;
    size_t cap;
    int64_t *closed_us; /* when the bar closed and the row was known */
    double *close;
    float *rows; /* FEATURE_COUNT each */
    float *labels;
    size_t unlabelled; /* rows that training_rows_finish left out */
};

/* Rows [0, train) to learn from, [test, count) to be tested on; those between are purged. */
struct training_rows_split {
    size_t train;
    size_t test;
    size_t count;
};

/* A coarser timeframe than the step gives by itself is made by resampling: the model is then one
 * for candles of that length. ERR_MARKET_TIMEFRAME when bars cannot be built from the step. */
int training_rows_new(enum timeframe timeframe, int64_t step_us, int horizon,
                      struct training_rows **ret, struct err *err);
void training_rows_free(struct training_rows *training_rows);

static inline void training_rows_cleanup(struct training_rows **slot)
{
    training_rows_free(*slot);
}
#define AUTO_TRAINING_ROWS AUTO(training_rows_cleanup)

/* Candles that are impossible or not newer are counted and passed over, as the engine does.
 * ERR_TRAIN_DATA when there are more rows than TRAINING_ROWS_MAX. */
int training_rows_push(struct training_rows *training_rows, const struct candle *candle,
                       struct err *err);
/* Gives every row its label and drops those that have none. Once, after the last candle. Fails as
 * training_rows_push does. */
int training_rows_finish(struct training_rows *training_rows, struct err *err);
/* test_share in (0, 1), of the labelled rows. */
struct training_rows_split training_rows_split(const struct training_rows *training_rows,
                                               double test_share);
/* BLAKE2b over times, closes, rows and labels: what a model was made of. */
void training_rows_hash(const struct training_rows *training_rows,
                        char ret_hex[TRAINING_ROWS_HASH_SIZE]);
