#include "market/stochastic.h"

double stochastic_raw(double close, double lowest, double highest)
{
    return highest > lowest ? (close - lowest) / (highest - lowest) * 100 : 0;
}

double stochastic_williams(double close, double lowest, double highest)
{
    return highest > lowest ? (close - highest) / (highest - lowest) * 100 : 0;
}

void stochastic_init(struct stochastic *s, int period, int k, int d)
{
    extreme_init(&s->high, period, EXTREME_HIGHEST);
    extreme_init(&s->low, period, EXTREME_LOWEST);
    moments_init(&s->k, k);
    moments_init(&s->d, d);
}

void stochastic_push(struct stochastic *s, const struct bar *bar)
{
    extreme_push(&s->high, bar->high);
    extreme_push(&s->low, bar->low);
    if (!extreme_ready(&s->high)) {
        return;
    }
    moments_push(&s->k,
                 stochastic_raw(bar->close, extreme_value(&s->low), extreme_value(&s->high)));
    if (moments_ready(&s->k)) {
        moments_push(&s->d, moments_mean(&s->k));
    }
}

bool stochastic_ready(const struct stochastic *s)
{
    return moments_ready(&s->d);
}

double stochastic_k(const struct stochastic *s)
{
    return stochastic_ready(s) ? moments_mean(&s->k) : 0;
}

double stochastic_d(const struct stochastic *s)
{
    return moments_mean(&s->d);
}
