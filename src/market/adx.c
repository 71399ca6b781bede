#include "market/adx.h"

#include "base/check.h"

#include <math.h>

void adx_init(struct adx *adx, int period)
{
    ASSERT(period >= 2);
    *adx = (struct adx){.period = period, .inverse = 1.0 / period};
}

/* In this form compilers emit a select, not a branch, which would be mispredicted half of the time:
 * which side moved is random. */
static double when_above_zero(double condition, double x)
{
    return condition > 0 ? x : 0;
}

/* Only the part of the range outside the previous range counts, and only the larger side. */
static void move(struct adx *adx, const struct bar *bar, double decay)
{
    double up = bar->high - adx->high;
    double down = adx->low - bar->low;
    double plus = when_above_zero(up, when_above_zero(up - down, up));
    double minus = when_above_zero(down, when_above_zero(down - up, down));
    adx->plus += plus - adx->plus * decay;
    adx->minus += minus - adx->minus * decay;
    adx->range += bar_true_range(bar, adx->close) - adx->range * decay;
}

/* 100 * |+DI - -DI| / (+DI + -DI), in which the true range cancels out. False when both are zero.
 */
static bool dx(const struct adx *adx, double *ret)
{
    double both = adx->plus + adx->minus;
    if (!(both > 0) || !(adx->range > 0)) {
        return false;
    }
    *ret = 100 * (fabs(adx->plus - adx->minus) / both);
    return true;
}

void adx_push(struct adx *adx, const struct bar *bar)
{
    int index = adx->count; /* of this bar, up to 2 * period */
    if (adx->count < 2 * adx->period) {
        adx->count++;
    }
    if (index > 0) {
        move(adx, bar, index < adx->period ? 0 : adx->inverse);
    }
    adx->high = bar->high;
    adx->low = bar->low;
    adx->close = bar->close;
    double today;
    if (index >= adx->period && dx(adx, &today)) {
        if (index < 2 * adx->period) {
            adx->value += today;
        } else {
            adx->value += (today - adx->value) * adx->inverse;
        }
    }
    if (index == 2 * adx->period - 1) {
        adx->value *= adx->inverse;
    }
}

bool adx_di_ready(const struct adx *adx)
{
    return adx->count > adx->period;
}

static double di(const struct adx *adx, double moved)
{
    return adx_di_ready(adx) && adx->range > 0 ? 100 * (moved / adx->range) : 0;
}

double adx_plus_di(const struct adx *adx)
{
    return di(adx, adx->plus);
}

double adx_minus_di(const struct adx *adx)
{
    return di(adx, adx->minus);
}

bool adx_ready(const struct adx *adx)
{
    return adx->count == 2 * adx->period;
}

double adx_value(const struct adx *adx)
{
    return adx_ready(adx) ? adx->value : 0;
}
