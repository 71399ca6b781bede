/*
 * model.h: reads and evaluates trained tree models: LightGBM's text form and XGBoost's JSON.
 *
 *     AUTO_MODEL struct model *model = NULL;
 *     if ((rc = model_load("btc.txt", &model, err)) < 0) return rc;
 *     double p[MODEL_CLASSES_MAX];
 *     rc = model_predict(model, row, model_features(model), p, err);    // NaN: missing
 *
 * Supported. LightGBM (gbdt, dart, rf): numeric and categorical splits, the three missing types,
 * constant and linear leaves, averaging; objectives binary, regression and its variants (also on
 * the square root), poisson, gamma, tweedie, cross_entropy, cross_entropy_lambda, multiclass,
 * multiclassova, ranking, and none; random forests of versions before v3 only with an objective
 * that does not transform the sum. XGBoost (gbtree, dart): numeric and categorical splits; binary
 * and regression objectives, multi:softprob and multi:softmax (both give the probabilities). All
 * trees are used, as in the libraries' own default. Anything else is refused when the file is read,
 * never guessed; so is an unknown member, key or version, since it may change the meaning of the
 * known ones.
 *
 * Invariants of a model that was read: every child index is within its tree, no node is reached
 * twice, and every child comes after its parent, so a prediction terminates; every feature is below
 * model_features(). A model is never changed afterwards. A prediction allocates nothing.
 * LightGBM models are summed in double as LightGBM does; XGBoost models round the row, the leaves
 * and each sum to float as XGBoost does.
 * Limits: a file has at most MODEL_TEXT_MAX (LightGBM) or MODEL_JSON_MAX (XGBoost) bytes; the
 * memory used is a small multiple of its size.
 * Thread: any; one model may be used by many at once.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

#define MODEL_TEXT_MAX     ((size_t)64 << 20)
#define MODEL_JSON_MAX     ((size_t)16 << 20)
#define MODEL_CLASSES_MAX  1024
#define MODEL_FEATURES_MAX ((size_t)1 << 20)

struct model;

/* Reads a model of either form, detected from its first bytes. Errors contain the name and the line
 * (LightGBM), the byte (JSON syntax) or the member (JSON content). */
int model_parse(struct str text, const char *name, struct model **ret, struct err *err);
int model_load(const char *path, struct model **ret, struct err *err);
void model_free(struct model *model);

static inline void model_cleanup(struct model **slot)
{
    model_free(*slot);
}
#define AUTO_MODEL AUTO(model_cleanup)

size_t model_features(const struct model *model); /* numbers in a row */
size_t model_classes(const struct model *model);  /* numbers in an answer, 1..MODEL_CLASSES_MAX */
size_t model_trees(const struct model *model);

/* Predicts one row, on the objective's own scale: the probability of the positive class, the value,
 * or the probability of each class. ret has space for model_classes() numbers. A row without
 * exactly model_features() numbers is refused with ERR_MODEL_FEATURES. */
int model_predict(const struct model *model, const double *row, size_t count, double *ret,
                  struct err *err);
/* The sum of the leaves before averaging and before the objective's transformation (LightGBM's
 * raw_score, XGBoost's margin). */
int model_predict_raw(const struct model *model, const double *row, size_t count, double *ret,
                      struct err *err);
