/* Conditions of trading rules: a compiled condition prints as text that compiles again, fits, and
 * gives the same result for the same values. */
#include "base/rng.h"
#include "model/condition.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double some_value(struct rng *rng)
{
    static const double values[] = {0, 1, 2, 3, 6, 0.5, 30, 70, 100, -1, 1e300};
    uint64_t at = rng_below(rng, sizeof(values) / sizeof(values[0]) + 1);
    return at < sizeof(values) / sizeof(values[0]) ? values[at] : (double)NAN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct condition program;
    struct condition again;
    struct err err = {0};
    char printed[CONDITION_TEXT_SIZE];
    char reprinted[CONDITION_TEXT_SIZE];
    int rc = condition_compile(str_n((const char *)data, size), &program, &err);
    if (rc < 0) {
        if (err.id != ERR_RULE_CONDITION || !str_starts(str_c(err.context), "column ")) {
            abort();
        }
        return 0;
    }
    (void)condition_print(&program, printed);
    if (condition_compile(str_c(printed), &again, &err) < 0 ||
        strcmp(printed, condition_print(&again, reprinted)) != 0) {
        abort();
    }
    struct rng rng;
    rng_init(&rng, size);
    for (int turn = 0; turn < 32; turn++) {
        struct condition_values values = {0};
        for (int f = 0; f < CONDITION_FRAMES; f++) {
            for (int i = 0; i < CONDITION_FRAMED_COUNT; i++) {
                values.framed[f][i] = some_value(&rng);
            }
        }
        for (int i = 0; i < CONDITION_PLAIN_COUNT; i++) {
            values.plain[i] = some_value(&rng);
        }
        (void)symbol_parse(str_c(turn % 2 == 0 ? "BTC-USD" : "ETH-USD"), &values.symbol);
        if (condition_holds(&program, &values) != condition_holds(&again, &values)) {
            abort();
        }
    }
    return 0;
}
