#include "market/cci.h"

#include "base/check.h"

#include <math.h>

/* A distance smaller than this, relative to the price, is a rounding error of the mean. */
#define NO_DISTANCE 1e-14

void cci_init(struct cci *cci, int period)
{
    ASSERT(period >= 1 && period <= CCI_MAX);
    memset(cci, 0, sizeof(*cci));
    cci->period = period;
}

void cci_push(struct cci *cci, const struct bar *bar)
{
    cci->newest = bar_typical(bar);
    cci->typical[cci->head] = cci->newest;
    cci->head = cci->head + 1 == cci->period ? 0 : cci->head + 1;
    if (cci->count < cci->period) {
        cci->count++;
    }
}

bool cci_ready(const struct cci *cci)
{
    return cci->count == cci->period;
}

double cci_value(const struct cci *cci)
{
    if (!cci_ready(cci)) {
        return 0;
    }
    double mean = 0;
    for (int i = 0; i < cci->period; i++) {
        mean += cci->typical[i];
    }
    mean /= cci->period;
    double distance = 0;
    for (int i = 0; i < cci->period; i++) {
        distance += fabs(cci->typical[i] - mean);
    }
    distance /= cci->period;
    return distance > NO_DISTANCE * mean ? (cci->newest - mean) / (0.015 * distance) : 0;
}
