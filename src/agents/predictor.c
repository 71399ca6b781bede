#include "agents/predictor.h"

#include "agents/model.h"
#include "agents/training.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/file.h"
#include "io/json.h"
#include "io/secret.h"

#include <string.h>

#define JSON_DEPTH_MAX 32

struct predictor {
    struct model *model;
    size_t features; /* FEATURE_COUNT or FEATURES_MAX */
    enum timeframe timeframe;
    int horizon;
    struct predictor_origin origin;
    char hash[PREDICTOR_HASH_SIZE];
};

_Static_assert(PREDICTOR_HASH_SIZE == SECRET_HASH_HEX_SIZE, "the hash fits");

static bool read_time(const struct json_object *origin, const char *key, int64_t *ret_us)
{
    return clock_parse_iso(json_str(origin, key), ret_us) && *ret_us > 0;
}

/* False when it is present but invalid. */
static bool read_past(const struct json_object *json, struct predictor *p)
{
    struct predictor_origin *o = &p->origin;
    if (json_get(json, TRAINING_KEY_SYMBOL) == NULL) {
        return true;
    }
    o->known = symbol_parse(json_str(json, TRAINING_KEY_SYMBOL), &o->symbol) &&
               json_str(json, TRAINING_KEY_MARKET).len > 0 &&
               str_copy(json_str(json, TRAINING_KEY_MARKET), o->market, sizeof(o->market)) &&
               str_copy(json_str(json, TRAINING_KEY_DATA), o->data_hash, sizeof(o->data_hash)) &&
               read_time(json, TRAINING_KEY_TRAIN_FROM, &o->train_from_us) &&
               read_time(json, TRAINING_KEY_TRAIN_TO, &o->train_to_us) &&
               read_time(json, TRAINING_KEY_TEST_FROM, &o->test_from_us) &&
               read_time(json, TRAINING_KEY_TEST_TO, &o->test_to_us) &&
               o->train_from_us <= o->train_to_us && o->train_to_us < o->test_from_us &&
               o->test_from_us <= o->test_to_us;
    o->seen_to_us = o->train_to_us + p->horizon * timeframe_us(p->timeframe);
    return o->known;
}

/* Reads the attributes written by nightdesk train; a model without them has unknown features. */
static int read_origin(struct str text, const char *name, struct predictor *p, struct err *err)
{
    AUTO_JSON struct json_object *root = NULL;
    const struct json_limits limits = {.max_bytes = MODEL_JSON_MAX, .max_depth = JSON_DEPTH_MAX};
    char mine[FEATURES_HASH_SIZE];
    if (!str_starts(str_trim(text), "{")) {
        return err_set(err, ERR_MODEL_UNFIT,
                       "%.120s: it does not name the features it was trained on", name);
    }
    int rc = json_parse(text, &limits, &root, err);
    if (rc < 0) {
        return rc;
    }
    const struct json_object *origin = json_at(root, "/learner/attributes");
    struct str features = json_str(origin, TRAINING_KEY_FEATURES);
    struct str timeframe = json_str(origin, TRAINING_KEY_TIMEFRAME);
    int64_t horizon = 0;
    features_hash(p->features, mine);
    if (features.len == 0) {
        return err_set(err, ERR_MODEL_UNFIT,
                       "%.120s: it does not name the features it was trained on", name);
    }
    if (!str_equal_c(features, mine)) {
        return err_set(err, ERR_MODEL_UNFIT, "%.120s: features %.*s, this program has %s", name,
                       (int)(features.len > 16 ? 16 : features.len), features.ptr, mine);
    }
    if (!timeframe_parse(timeframe, &p->timeframe) || p->timeframe < TF_5M ||
        !str_to_i64(json_str(origin, TRAINING_KEY_HORIZON), &horizon) || horizon < 1 ||
        horizon > TRAINING_ROWS_HORIZON_MAX) {
        return err_set(err, ERR_MODEL_UNFIT, "%.120s: its timeframe or horizon is invalid", name);
    }
    p->horizon = (int)horizon;
    return read_past(origin, p)
               ? 0
               : err_set(err, ERR_MODEL_UNFIT, "%.120s: the origin of its training data is invalid",
                         name);
}

static int check_shape(struct predictor *p, const char *name, struct err *err)
{
    size_t classes = model_classes(p->model);
    p->features = model_features(p->model);
    if (p->features != FEATURE_COUNT && p->features != FEATURES_MAX) {
        return err_set(err, ERR_MODEL_UNFIT,
                       "%.120s: it reads %zu features, this program has %d, or %d with sentiment",
                       name, p->features, FEATURE_COUNT, FEATURES_MAX);
    }
    if (classes != 1) {
        return err_set(err, ERR_MODEL_UNFIT, "%.120s: it predicts %zu numbers, not 1", name,
                       classes);
    }
    return 0;
}

int predictor_load(const char *path, struct predictor **ret, struct err *err)
{
    AUTO_PREDICTOR struct predictor *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    AUTO_BUF struct buf text = BUF_INIT(MODEL_TEXT_MAX);
    int rc = file_read(path, &text, err);
    if (rc < 0 || (rc = model_parse(buf_str(&text), path, &p->model, err)) < 0 ||
        (rc = check_shape(p, path, err)) < 0 ||
        (rc = read_origin(buf_str(&text), path, p, err)) < 0) {
        return rc;
    }
    secret_hash(NULL, buf_str(&text), p->hash);
    *ret = TAKE(p);
    return 0;
}

int predictor_check_step(const struct predictor *predictor, int64_t step_us, struct err *err)
{
    enum timeframe mine = predictor->timeframe, theirs = series_step_tf(step_us);
    return mine == theirs ? 0
                          : err_set(err, ERR_MODEL_UNFIT,
                                    "it was trained on bars of %s, but decisions are made on %s",
                                    timeframe_name(mine), timeframe_name(theirs));
}

void predictor_free(struct predictor *predictor)
{
    if (predictor == NULL) {
        return;
    }
    model_free(predictor->model);
    free(predictor);
}

bool predictor_reads_sentiment(const struct predictor *predictor)
{
    return predictor != NULL && predictor->features > FEATURE_SENTIMENT;
}

bool predictor_ask(const struct predictor *predictor, const struct series *series, double sentiment,
                   double *ret_up)
{
    if (predictor == NULL || series_decision_tf(series) != predictor->timeframe ||
        !series_ready(series)) {
        return false;
    }
    double row[FEATURES_MAX];
    struct err err = {0};
    features_row(series, sentiment, row);
    int rc = model_predict(predictor->model, row, predictor->features, ret_up, &err);
    /* A model from elsewhere may have another objective. */
    return rc == 0 && *ret_up >= 0 && *ret_up <= 1;
}

enum timeframe predictor_timeframe(const struct predictor *predictor)
{
    return predictor->timeframe;
}

int predictor_horizon(const struct predictor *predictor)
{
    return predictor->horizon;
}

const struct predictor_origin *predictor_origin(const struct predictor *predictor)
{
    return &predictor->origin;
}

const char *predictor_hash(const struct predictor *predictor)
{
    return predictor->hash;
}
