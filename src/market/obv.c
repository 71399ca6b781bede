#include "market/obv.h"

#include <math.h>

static void add(struct obv *obv, double volume)
{
    double sum = obv->sum + volume;
    obv->rest += fabs(obv->sum) >= fabs(volume) ? obv->sum - sum + volume : volume - sum + obv->sum;
    obv->sum = sum;
}

void obv_push(struct obv *obv, const struct bar *bar)
{
    if (!obv->has_previous || bar->close > obv->previous_close) {
        add(obv, bar->volume);
    } else if (bar->close < obv->previous_close) {
        add(obv, -bar->volume);
    }
    obv->has_previous = true;
    obv->previous_close = bar->close;
}

double obv_value(const struct obv *obv)
{
    return obv->sum + obv->rest;
}
