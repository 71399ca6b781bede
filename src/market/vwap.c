#include "market/vwap.h"

#include "base/check.h"

void vwap_init(struct vwap *vwap, int period)
{
    ASSERT(period >= 1 && period <= VWAP_MAX);
    memset(vwap, 0, sizeof(*vwap));
    vwap->period = period;
}

void vwap_push(struct vwap *vwap, const struct bar *bar)
{
    vwap->typical[vwap->head] = bar_typical(bar);
    vwap->volume[vwap->head] = bar->volume;
    vwap->head = vwap->head + 1 == vwap->period ? 0 : vwap->head + 1;
    if (vwap->count < vwap->period) {
        vwap->count++;
    }
}

static double traded(const struct vwap *vwap)
{
    double volume = 0;
    for (int i = 0; i < vwap->period; i++) {
        volume += vwap->volume[i];
    }
    return volume;
}

bool vwap_ready(const struct vwap *vwap)
{
    return vwap->count == vwap->period && traded(vwap) > 0;
}

double vwap_value(const struct vwap *vwap)
{
    if (!vwap_ready(vwap)) {
        return 0;
    }
    double paid = 0;
    for (int i = 0; i < vwap->period; i++) {
        paid += vwap->typical[i] * vwap->volume[i];
    }
    return paid / traded(vwap);
}
