/*
 * training_rows.h: the data to train a model with: a row of features for each closed bar, and a
 * label: whether the price rose afterwards.
 *
 *     AUTO_TRAINING_ROWS struct training_rows *rows = NULL;
 *     rc = training_rows_new(TF_5M, step_us, horizon, &rows, err);
 *     training_rows_use(rows, history, symbol);           // only for a model that reads sentiment
 *     for each candle: rc = training_rows_push(rows, &candle, err);
 *     rc = training_rows_finish(rows, err);               // after the last candle
 *     split = training_rows_split(rows, 0.3);
 *
 * Candles pass through the same struct series as in the engine, and a row is made when the engine
 * would decide: when a bar of the decision frame has closed. A row therefore cannot depend on later
 * prices. Its label is 1 if the close `horizon` bars later is higher, otherwise 0. A row without a
 * label is left out: the candles end before that bar, or that bar's last candle is missing. So is a
 * row whose own bar's last candle is missing, since the engine opens no position there.
 *
 * The split is by time: training rows first. Rows whose label depends on a close at or after that
 * of the first test row are left out (purged), so training cannot depend on the test.
 *
 * Ownership: struct training_rows owns its arrays.
 * Invariants: rows are in time order; at most TRAINING_ROWS_MAX.
 * Thread: one at a time per value.
 */
#pragma once

#include "agents/features.h"
#include "base/auto.h"
#include "base/err.h"
#include "market/resample.h"
#include "market/sentiment_history.h"

#include <stddef.h>
#include <stdint.h>

#define TRAINING_ROWS_MAX         1000000 /* 120 bytes each; nine years of five-minute bars */
#define TRAINING_ROWS_HORIZON_MAX 1000
#define TRAINING_ROWS_HASH_SIZE   65

struct training_rows {
    enum timeframe timeframe;
    int64_t step_us; /* of the input candles */
    int horizon;     /* bars */
    struct series series;
    struct symbol symbol;                /* for the history */
    struct sentiment_history *sentiment; /* NULL: rows have no sentiment */
    size_t width;                        /* numbers of a row */
    bool resampled; /* candles are aggregated to the timeframe before they enter the series */
    struct resample resample;
    int64_t candles;
    int64_t refused;
    int64_t bars; /* of the timeframe, including the warm-up */
    /* one row per bar after the warm-up; after training_rows_finish only those with a label */
    size_t count;
    size_t cap;
    int64_t *closed_us; /* close time of the bar: the time of the row */
    double *close;
    float *rows; /* width each */
    float *labels;
    size_t unlabelled; /* rows that training_rows_finish left out */
};

/* Rows [0, train) are for training, [test, count) for testing; those between are purged. */
struct training_rows_split {
    size_t train;
    size_t test;
    size_t count;
};

/* If the timeframe is coarser than the decision frame for this step, the candles are resampled, and
 * the model is then for candles of that length. ERR_MARKET_TIMEFRAME when bars of the timeframe
 * cannot be built from the step. */
int training_rows_new(enum timeframe timeframe, int64_t step_us, int horizon,
                      struct training_rows **ret, struct err *err);
void training_rows_free(struct training_rows *training_rows);

static inline void training_rows_cleanup(struct training_rows **slot)
{
    training_rows_free(*slot);
}
#define AUTO_TRAINING_ROWS AUTO(training_rows_cleanup)

/* Adds the sentiment of the symbol to each row, as it was known when the bar closed. Call before
 * the first candle; the history must outlive the last one. */
void training_rows_use(struct training_rows *training_rows, struct sentiment_history *sentiment,
                       struct symbol symbol);
/* Candles that are impossible or not newer are counted and skipped, as in the engine.
 * ERR_TRAIN_DATA when there are more rows than TRAINING_ROWS_MAX. */
int training_rows_push(struct training_rows *training_rows, const struct candle *candle,
                       struct err *err);
/* Sets the labels and drops the rows without one. Call once, after the last candle. Same errors as
 * training_rows_push. */
int training_rows_finish(struct training_rows *training_rows, struct err *err);
/* test_share in (0, 1), of the labelled rows. */
struct training_rows_split training_rows_split(const struct training_rows *training_rows,
                                               double test_share);
/* BLAKE2b over times, closes, rows and labels: identifies the data of a model. */
void training_rows_hash(const struct training_rows *training_rows,
                        char ret_hex[TRAINING_ROWS_HASH_SIZE]);
