#include "market/atr.h"

#include "base/check.h"

void atr_init(struct atr *atr, int period)
{
    ASSERT(period >= 1);
    *atr = (struct atr){.period = period, .inverse = 1.0 / period};
}

void atr_push(struct atr *atr, const struct bar *bar)
{
    double range = bar_true_range(bar, atr->previous_close);
    atr->previous_close = bar->close;
    if (!atr->has_previous) {
        atr->has_previous = true;
        return;
    }
    if (atr->count == atr->period) {
        atr->value += (range - atr->value) * atr->inverse;
        return;
    }
    atr->value += range;
    atr->count++;
    if (atr->count == atr->period) {
        atr->value *= atr->inverse;
    }
}

bool atr_ready(const struct atr *atr)
{
    return atr->count == atr->period;
}

double atr_value(const struct atr *atr)
{
    return atr_ready(atr) ? atr->value : 0;
}
