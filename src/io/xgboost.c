#include "io/xgboost.h"

#include "base/check.h"
#include "library.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xgboost/c_api.h>

#define PACKAGE "libxgboost0 (Debian 12: apt install libxgboost0)"

/* XGBoosterSaveModelToBuffer came with 1.6. */
#define MAJOR_MIN 1
#define MINOR_MIN 6

#define FUNCTIONS(X)               \
    X(XGBoostVersion)              \
    X(XGBGetLastError)             \
    X(XGBSetGlobalConfig)          \
    X(XGDMatrixCreateFromMat_omp)  \
    X(XGDMatrixSetFloatInfo)       \
    X(XGDMatrixFree)               \
    X(XGBoosterCreate)             \
    X(XGBoosterFree)               \
    X(XGBoosterSetParam)           \
    X(XGBoosterUpdateOneIter)      \
    X(XGBoosterPredictFromDMatrix) \
    X(XGBoosterSetAttr)            \
    X(XGBoosterSetStrFeatureInfo)  \
    X(XGBoosterSaveModelToBuffer)

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} xgb;

static const struct library_function functions[] = {
#define X(name) {#name, &xgb.name},
    FUNCTIONS(X)
#undef X
};

/* The soname in Debian and Ubuntu, then the name that a build from source has. */
static struct library library = {.names = {"libxgboost.so.0", "libxgboost.so"},
                                 .package = PACKAGE,
                                 .error = ERR_TRAIN_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};
static char version[32];

struct xgboost_model {
    BoosterHandle handle;
};

struct matrix {
    DMatrixHandle handle;
};

static void matrix_release(struct matrix *matrix)
{
    if (matrix->handle != NULL) {
        (void)xgb.XGDMatrixFree(matrix->handle);
    }
}
#define AUTO_MATRIX AUTO(matrix_release)

/* ---------------------------------------------------------------- the library */

static int library_open(struct err *err)
{
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    int major = 0, minor = 0, patch = 0;
    xgb.XGBoostVersion(&major, &minor, &patch);
    (void)snprintf(version, sizeof(version), "%d.%d.%d", major, minor, patch);
    if (major < MAJOR_MIN || (major == MAJOR_MIN && minor < MINOR_MIN)) {
        return err_set(err, ERR_TRAIN_LIBRARY, "found version %s, %d.%d is required; package %s",
                       version, MAJOR_MIN, MINOR_MIN, PACKAGE);
    }
    (void)xgb.XGBSetGlobalConfig("{\"verbosity\":0}");
    return 0;
}

/* Uses the first line of the library's message only; the others are a stack trace. */
static int failed(struct err *err)
{
    const char *text = xgb.XGBGetLastError();
    size_t len = strcspn(text, "\n");
    return err_set(err, ERR_TRAIN_FAILED, "%.*s", (int)(len > 200 ? 200 : len), text);
}

static int matrix_init(struct matrix *matrix, const struct xgboost_data *data, struct err *err)
{
    *matrix = (struct matrix){0};
    if (xgb.XGDMatrixCreateFromMat_omp(data->rows, data->count, data->columns, NAN, &matrix->handle,
                                       1) != 0 ||
        (data->labels != NULL &&
         xgb.XGDMatrixSetFloatInfo(matrix->handle, "label", data->labels, data->count) != 0)) {
        return failed(err);
    }
    return 0;
}

/* ---------------------------------------------------------------- training */

static int set_parameters(struct xgboost_model *b, const struct xgboost_options *o, struct err *err)
{
    char number[6][32];
    (void)snprintf(number[0], sizeof(number[0]), "%d", o->depth);
    (void)snprintf(number[1], sizeof(number[1]), "%.9g", o->learning_rate);
    (void)snprintf(number[2], sizeof(number[2]), "%.9g", o->row_share);
    (void)snprintf(number[3], sizeof(number[3]), "%.9g", o->column_share);
    (void)snprintf(number[4], sizeof(number[4]), "%.9g", o->min_weight);
    (void)snprintf(number[5], sizeof(number[5]), "%.9g", o->base);
    char seed[32];
    (void)snprintf(seed, sizeof(seed), "%lld", (long long)o->seed);
    const struct {
        const char *name, *value;
    } parameters[] = {
        {"booster", "gbtree"},
        {"objective", "binary:logistic"},
        {"tree_method", "hist"},
        {"nthread", "1"},
        {"verbosity", "0"},
        {"max_depth", number[0]},
        {"eta", number[1]},
        {"subsample", number[2]},
        {"colsample_bytree", number[3]},
        {"min_child_weight", number[4]},
        {"base_score", number[5]},
        {"seed", seed},
    };
    for (size_t i = 0; i < COUNT_OF(parameters); i++) {
        if (xgb.XGBoosterSetParam(b->handle, parameters[i].name, parameters[i].value) != 0) {
            return failed(err);
        }
    }
    return 0;
}

int xgboost_train(const struct xgboost_options *options, const struct xgboost_data *data,
                  struct xgboost_model **ret, struct err *err)
{
    ASSERT(data->labels != NULL && data->count > 0 && data->columns > 0 && options->trees > 0 &&
           options->depth > 0 && options->base > 0 && options->base < 1);
    int rc = library_open(err);
    if (rc < 0) {
        return rc;
    }
    AUTO_XGBOOST struct xgboost_model *b = calloc(1, sizeof(*b));
    ASSERT(b != NULL);
    AUTO_MATRIX struct matrix matrix = {0};
    if ((rc = matrix_init(&matrix, data, err)) < 0) {
        return rc;
    }
    if (xgb.XGBoosterCreate(&matrix.handle, 1, &b->handle) != 0) {
        return failed(err);
    }
    if ((rc = set_parameters(b, options, err)) < 0) {
        return rc;
    }
    for (int i = 0; i < options->trees; i++) {
        if (xgb.XGBoosterUpdateOneIter(b->handle, i, matrix.handle) != 0) {
            return failed(err);
        }
    }
    /* The parameter is not const, although the library copies the names. */
    AUTO_FREE const char **names = calloc(data->columns, sizeof(*names));
    ASSERT(names != NULL);
    memcpy(names, options->names, data->columns * sizeof(*names));
    if (xgb.XGBoosterSetStrFeatureInfo(b->handle, "feature_name", names, data->columns) != 0) {
        return failed(err);
    }
    *ret = TAKE(b);
    return 0;
}

void xgboost_free(struct xgboost_model *model)
{
    if (model == NULL) {
        return;
    }
    if (model->handle != NULL) {
        (void)xgb.XGBoosterFree(model->handle);
    }
    free(model);
}

int xgboost_predict(struct xgboost_model *model, const struct xgboost_data *data, float *ret,
                    struct err *err)
{
    static const char whole[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
                                "\"iteration_end\":0,\"strict_shape\":false}";
    AUTO_MATRIX struct matrix matrix = {0};
    const struct xgboost_data rows = {
        .rows = data->rows, .count = data->count, .columns = data->columns};
    int rc = matrix_init(&matrix, &rows, err);
    if (rc < 0) {
        return rc;
    }
    const bst_ulong *shape = NULL;
    bst_ulong dimensions = 0;
    const float *result = NULL;
    if (xgb.XGBoosterPredictFromDMatrix(model->handle, matrix.handle, whole, &shape, &dimensions,
                                        &result) != 0) {
        return failed(err);
    }
    ASSERT(dimensions == 1 && shape[0] == data->count);
    memcpy(ret, result, data->count * sizeof(*ret));
    return 0;
}

int xgboost_set_attribute(struct xgboost_model *model, const char *key, const char *value,
                          struct err *err)
{
    return xgb.XGBoosterSetAttr(model->handle, key, value) == 0 ? 0 : failed(err);
}

int xgboost_save(struct xgboost_model *model, struct buf *out, struct err *err)
{
    bst_ulong len = 0;
    const char *bytes = NULL;
    if (xgb.XGBoosterSaveModelToBuffer(model->handle, "{\"format\":\"json\"}", &len, &bytes) != 0) {
        return failed(err);
    }
    buf_add(out, bytes, len);
    if (buf_failed(out)) {
        return err_set(err, ERR_BUF_FULL, "the model has %llu bytes", (unsigned long long)len);
    }
    return 0;
}

const char *xgboost_version(const struct xgboost_model *model)
{
    (void)model;
    return version;
}
