#include "market/macd.h"

#include "base/check.h"

void macd_init(struct macd *macd, int fast, int slow, int signal)
{
    ASSERT(fast >= 1 && fast <= slow);
    *macd = (struct macd){.skip = slow - fast};
    ema_init(&macd->fast, fast);
    ema_init(&macd->slow, slow);
    ema_init(&macd->signal, signal);
}

void macd_push(struct macd *macd, double close)
{
    if (macd->skip > 0) {
        macd->skip--;
    } else {
        ema_push(&macd->fast, close);
    }
    ema_push(&macd->slow, close);
    if (ema_ready(&macd->slow)) {
        ema_push(&macd->signal, ema_value(&macd->fast) - ema_value(&macd->slow));
    }
}

bool macd_ready(const struct macd *macd)
{
    return ema_ready(&macd->signal);
}

double macd_value(const struct macd *macd)
{
    return macd_ready(macd) ? ema_value(&macd->fast) - ema_value(&macd->slow) : 0;
}

double macd_signal(const struct macd *macd)
{
    return ema_value(&macd->signal);
}

double macd_histogram(const struct macd *macd)
{
    return macd_value(macd) - macd_signal(macd);
}
