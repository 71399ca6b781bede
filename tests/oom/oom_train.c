/* Training: libxgboost, which is C++ and gets its memory from libstdc++. */
#include "io/json.h"
#include "io/xgboost.h"
#include "oom/oom.h"

enum { ROWS = 24, COLUMNS = 2 };

static int train(struct oom *oom, struct err *err)
{
    (void)oom;
    static float rows[ROWS * COLUMNS], labels[ROWS], predicted[ROWS];
    static const char *const names[] = {"rsi", "roc"};
    for (int i = 0; i < ROWS; i++) {
        rows[COLUMNS * i] = (float)i;
        rows[COLUMNS * i + 1] = (float)(i % 5);
        labels[i] = i < ROWS / 2 ? 0 : 1;
    }
    const struct xgboost_options options = {.trees = 2,
                                            .depth = 1,
                                            .learning_rate = 0.5,
                                            .row_share = 1,
                                            .column_share = 1,
                                            .min_weight = 1,
                                            .base = 0.5,
                                            .seed = 1,
                                            .names = names};
    const struct xgboost_data data = {
        .rows = rows, .labels = labels, .count = ROWS, .columns = COLUMNS};
    AUTO_XGBOOST struct xgboost_model *model = NULL;
    AUTO_BUF struct buf text = BUF_INIT((size_t)1 << 20);
    int rc = xgboost_train(&options, &data, &model, err);
    if (rc < 0) {
        OOM_CHECK(model == NULL);
        return rc;
    }
    if ((rc = xgboost_predict(model, &data, predicted, err)) < 0 ||
        (rc = xgboost_set_attribute(model, "horizon", "12", err)) < 0 ||
        (rc = xgboost_save(model, &text, err)) < 0) {
        return rc;
    }
    (void)oom_disarm();
    AUTO_JSON struct json_object *tree = NULL;
    OOM_CHECK(predicted[0] < 0.5F && predicted[ROWS - 1] > 0.5F);
    OOM_CHECK(json_parse(buf_str(&text), &JSON_LIMITS_DEFAULT, &tree, NULL) == 0);
    OOM_CHECK(json_get(tree, "learner") != NULL);
    return 0;
}

/* Where an allocation of the library fails, it may end the process: a destructor or a thread of
 * OpenMP cannot pass on an exception, and OpenMP's own allocations end it by themselves. */
OOM_SCENARIO(xgboost, train, .libraries = {"libstdc++", "libgomp"}, .run = train)
