#include "market/roc.h"

#include "base/check.h"

#include <string.h>

void roc_init(struct roc *roc, int period)
{
    ASSERT(period >= 1 && period <= ROC_MAX);
    memset(roc, 0, sizeof(*roc));
    roc->period = period;
}

void roc_push(struct roc *roc, double x)
{
    double before = roc->values[roc->head];
    roc->values[roc->head] = x;
    roc->head = roc->head + 1 == roc->period ? 0 : roc->head + 1;
    if (roc->count <= roc->period) {
        roc->count++;
    }
    if (roc_ready(roc)) {
        /* Not x / before - 1, which loses the digits of a small change. */
        roc->value = (x - before) / before * 100;
    }
}

bool roc_ready(const struct roc *roc)
{
    return roc->count > roc->period;
}

double roc_value(const struct roc *roc)
{
    return roc->value;
}
