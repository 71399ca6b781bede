#include "market/ema.h"

#include "base/check.h"

void ema_init(struct ema *ema, int period)
{
    ASSERT(period >= 1);
    *ema = (struct ema){.period = period, .weight = 2.0 / (period + 1)};
}
