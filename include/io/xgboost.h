/*
 * xgboost.h: trains gradient-boosted trees (libxgboost).
 *
 *     AUTO_XGBOOST struct xgboost_model *model = NULL;
 *     rc = xgboost_train(&options, &data, &model, err);      // log loss of labels 0 and 1
 *     xgboost_set_attribute(model, "horizon", "12", err);
 *     xgboost_save(model, &json, err);                       // agents/model.h reads it
 *
 * The library is big and only training needs it: it is looked up when it is first used (dlopen) and
 * stays until the program ends; a program that never trains never maps it.
 * Always true: one thread, so the same data, options and library give the same bytes.
 * Ownership: rows and labels are copied by the library; texts are too.
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
    double row_share;    /* of the rows that a tree sees, (0, 1] */
    double column_share; /* of the columns that a tree sees, (0, 1] */
    double min_weight;   /* of the rows in a leaf: larger is smoother */
    double base;         /* probability without any tree, (0, 1) */
    int64_t seed;
    const char *const *names; /* of the columns */
};

/* rows: count * columns numbers, row after row, NaN is missing; labels: count of 0 and 1. */
struct xgboost_data {
    const float *rows;
    const float *labels; /* NULL where only rows are needed */
    size_t count;
    size_t columns;
};

struct xgboost_model;

/* ERR_TRAIN_LIBRARY when the library is not there or too old, ERR_TRAIN_FAILED with its words when
 * it gives up. */
int xgboost_train(const struct xgboost_options *options, const struct xgboost_data *data,
                  struct xgboost_model **ret, struct err *err);
void xgboost_free(struct xgboost_model *model);

static inline void xgboost_cleanup(struct xgboost_model **slot)
{
    xgboost_free(*slot);
}
#define AUTO_XGBOOST AUTO(xgboost_cleanup)

/* The library's own answer: one probability a row. */
int xgboost_predict(struct xgboost_model *model, const struct xgboost_data *data, float *ret,
                    struct err *err);
/* Stands in the model's file, under learner.attributes. */
int xgboost_set_attribute(struct xgboost_model *model, const char *key, const char *value,
                          struct err *err);
/* Appends the model as JSON. */
int xgboost_save(struct xgboost_model *model, struct buf *out, struct err *err);
/* "1.7.4", of the library that trained it. */
const char *xgboost_version(const struct xgboost_model *model);
