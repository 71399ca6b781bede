/*
 * xgboost.h: trains gradient-boosted trees (libxgboost).
 *
 *     AUTO_XGBOOST struct xgboost_model *model = NULL;
 *     rc = xgboost_train(&options, &data, &model, err);      // log loss of labels 0 and 1
 *     xgboost_set_attribute(model, "horizon", "12", err);
 *     xgboost_save(model, &json, err);                       // agents/model.h reads it
 *
 * The library is large and only training needs it, so the first use loads it (dlopen). It stays
 * loaded until the program ends.
 * Always true: training uses one thread, so the same data, options and library version give the
 * same bytes.
 * Ownership: the library copies rows, labels and strings.
 * Thread: any, one at a time.
 */
#pragma once

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct xgboost_options {
    int trees;
    int depth;
    double learning_rate;
    double row_share;    /* share of the rows used for a tree, (0, 1] */
    double column_share; /* share of the columns used for a tree, (0, 1] */
    double min_weight;   /* minimum weight of a leaf (min_child_weight); larger is smoother */
    double base;         /* probability before any tree (base_score), (0, 1) */
    int64_t seed;
    const char *const *names; /* of the columns */
};

struct xgboost_data {
    const float *rows;   /* count * columns values, row by row; NaN: missing */
    const float *labels; /* count values, each 0 or 1; NULL for prediction */
    size_t count;
    size_t columns;
};

struct xgboost_model;

/* ERR_TRAIN_LIBRARY if the library is missing or too old; ERR_TRAIN_FAILED with the library's
 * message if training fails. */
int xgboost_train(const struct xgboost_options *options, const struct xgboost_data *data,
                  struct xgboost_model **ret, struct err *err);
void xgboost_free(struct xgboost_model *model);

static inline void xgboost_cleanup(struct xgboost_model **slot)
{
    xgboost_free(*slot);
}
#define AUTO_XGBOOST AUTO(xgboost_cleanup)

/* Predicts with the library itself: ret gets one probability per row. */
int xgboost_predict(struct xgboost_model *model, const struct xgboost_data *data, float *ret,
                    struct err *err);
/* Saved in the model file, under learner.attributes. */
int xgboost_set_attribute(struct xgboost_model *model, const char *key, const char *value,
                          struct err *err);
/* Appends the model as JSON. */
int xgboost_save(struct xgboost_model *model, struct buf *out, struct err *err);
/* Version of the library that trained the model, such as "1.7.4". */
const char *xgboost_version(const struct xgboost_model *model);
