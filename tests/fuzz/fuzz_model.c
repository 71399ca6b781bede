/* Both readers of tree models, and a prediction with each accepted model. */
#include "agents/model.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_MODEL struct model *model = NULL;
    struct err err = {0};
    int rc = model_parse(str_n((const char *)data, size), "fuzz", &model, &err);
    if ((rc == 0) != (model != NULL) || (rc < 0 && err.id != -rc)) {
        abort();
    }
    if (rc < 0) {
        return 0;
    }
    static const double cells[] = {0, 1, -1, 0.5, 33, 1e300, -1e300};
    static double answer[MODEL_CLASSES_MAX];
    size_t count = model_features(model);
    double *row = malloc(count * sizeof(*row));
    if (row == NULL) {
        return 0;
    }
    for (size_t turn = 0; turn <= sizeof(cells) / sizeof(cells[0]); turn++) {
        for (size_t i = 0; i < count; i++) {
            size_t at = (turn + i) % (sizeof(cells) / sizeof(cells[0]) + 1);
            row[i] = at < sizeof(cells) / sizeof(cells[0]) ? cells[at] : (double)NAN;
        }
        if (model_predict(model, row, count, answer, NULL) < 0 ||
            model_predict_raw(model, row, count, answer, NULL) < 0) {
            abort();
        }
    }
    free(row);
    return 0;
}
