/*
 * model.h: tree models that others have trained: LightGBM's text form and XGBoost's JSON.
 *
 *     AUTO_MODEL struct model *model = NULL;
 *     if ((rc = model_load("btc.txt", &model, err)) < 0) return rc;
 *     double p[MODEL_CLASSES_MAX];
 *     rc = model_predict(model, row, model_features(model), p, err);    // NaN: missing
 *
 * What is read. LightGBM (gbdt, dart, rf): numeric and categorical splits, the three kinds of
 * missing, constant and linear leaves, averaging; objectives binary, regression and its kin (also
 * on the square root), poisson, gamma, tweedie, cross_entropy, cross_entropy_lambda, multiclass,
 * multiclassova, ranking, and none; random forests from before version v3 only where the objective
 * leaves the sum alone. XGBoost (gbtree, dart): numeric and categorical splits; binary
 * and regression objectives, multi:softprob and multi:softmax (both give the probabilities). All
 * trees count, as in the libraries' own default. What else a file asks for is refused when it is
 * read, never guessed: so is a member, a key or a version that is not known, for it may change what
 * the known ones mean.
 *
 * Invariants: a model that was read is whole: every child index stands in its tree, no node is
 * reached twice, every child comes after its parent, so that a prediction ends; every feature is
 * below model_features(). It is never changed afterwards. A prediction allocates nothing.
 * LightGBM models are summed in double as LightGBM does; XGBoost models round the row, the leaves
 * and each sum to float as XGBoost does.
 * Sizes: a file has at most MODEL_TEXT_MAX (LightGBM) or MODEL_JSON_MAX (XGBoost) bytes, and
 * memory is a small multiple of the file's.
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

/* Reads a model of either form; which one is told from its first bytes. The name stands in errors
 * with the line (LightGBM), the byte (JSON syntax) or the member (JSON content). */
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

/* One row to its answer on the objective's own scale: the probability of the positive class, the
 * value, or the probability of each class. ret holds model_classes() numbers. A row that has not
 * exactly model_features() numbers is refused with ERR_MODEL_FEATURES. */
int model_predict(const struct model *model, const double *row, size_t count, double *ret,
                  struct err *err);
/* The sum of the leaves before averaging and before the objective's transformation (LightGBM's
 * raw_score, XGBoost's margin). */
int model_predict_raw(const struct model *model, const double *row, size_t count, double *ret,
                      struct err *err);
