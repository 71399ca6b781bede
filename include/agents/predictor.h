/*
 * predictor.h: a model stored by `nightdesk train` and checked to fit the features of this program.
 *
 *     AUTO_PREDICTOR struct predictor *predictor = NULL;
 *     if ((rc = predictor_load("model.json", &predictor, err)) < 0 ||
 *         (rc = predictor_check_step(predictor, step_us, err)) < 0) report it and trade without;
 *     double up;
 *     if (predictor_ask(predictor, &series, sentiment, &up)) vote(up > .5, fabs(up - .5) * 2);
 *
 * A model is refused unless it has one class, reads FEATURE_COUNT or FEATURES_MAX numbers, and
 * carries the features_hash() of this program for them and the timeframe of its bars. Features with
 * another meaning would give wrong predictions with high confidence. Invariants: never changed
 * after it was loaded; predictor_ask is pure and allocates nothing. Thread: any; one predictor may
 * be asked by many at once.
 */
#pragma once

#include "agents/features.h"
#include "base/auto.h"
#include "base/err.h"

#include <stdbool.h>

#define PREDICTOR_HASH_SIZE 65

/* The origin of a model, from its file. */
struct predictor_origin {
    bool known; /* false: an older model without an origin; the other fields are empty */
    struct symbol symbol;
    char market[32];       /* "recorded", or "simulated:SEED" */
    int64_t train_from_us; /* time of the first training row */
    int64_t train_to_us;   /* time of the last training row */
    int64_t seen_to_us;    /* the last close that a training label depends on */
    int64_t test_from_us;
    int64_t test_to_us;
    char data_hash[PREDICTOR_HASH_SIZE];
};

struct predictor;

/* ERR_MODEL_UNFIT when the model was not trained on these features; or an error of model_load(). */
int predictor_load(const char *path, struct predictor **ret, struct err *err);
/* ERR_MODEL_UNFIT when the decision frame for this step is not the model's timeframe. */
int predictor_check_step(const struct predictor *predictor, int64_t step_us, struct err *err);
void predictor_free(struct predictor *predictor);

static inline void predictor_cleanup(struct predictor **slot)
{
    predictor_free(*slot);
}
#define AUTO_PREDICTOR AUTO(predictor_cleanup)

/* sentiment: as in features_row. *ret_up: the probability, 0..1, that the close `horizon` bars
 * later is higher. False without a prediction: no predictor (NULL), bars of another timeframe, or
 * too little history yet. */
bool predictor_ask(const struct predictor *predictor, const struct series *series, double sentiment,
                   double *ret_up);
/* Whether its prediction depends on the sentiment. predictor NULL: false. */
bool predictor_reads_sentiment(const struct predictor *predictor);

enum timeframe predictor_timeframe(const struct predictor *predictor); /* of its base bars */
int predictor_horizon(const struct predictor *predictor);              /* bars */
const struct predictor_origin *predictor_origin(const struct predictor *predictor);
const char *predictor_hash(const struct predictor *predictor); /* of the file, BLAKE2b */
