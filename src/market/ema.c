#include "market/ema.h"

#include "base/check.h"

void ema_init(struct ema *ema, int period)
{
    ASSERT(period >= 1);
    *ema = (struct ema){.period = period};
}

void ema_push(struct ema *ema, double x)
{
    if (ema->count < ema->period) {
        ema->value += x;
        ema->count++;
        if (ema->count == ema->period) {
            ema->value /= ema->period;
        }
        return;
    }
    ema->value += (x - ema->value) * 2 / (ema->period + 1);
}

bool ema_ready(const struct ema *ema)
{
    return ema->count == ema->period;
}

double ema_value(const struct ema *ema)
{
    return ema_ready(ema) ? ema->value : 0;
}
