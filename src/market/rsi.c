#include "market/rsi.h"

#include "base/check.h"

void rsi_init(struct rsi *rsi, int period)
{
    ASSERT(period >= 1);
    *rsi = (struct rsi){.period = period};
}

void rsi_push(struct rsi *rsi, double close)
{
    double change = close - rsi->previous;
    bool first = !rsi->has_previous;
    rsi->previous = close;
    rsi->has_previous = true;
    if (first) {
        return;
    }
    double gain = change > 0 ? change : 0;
    double loss = change < 0 ? -change : 0;
    if (rsi->count < rsi->period) {
        rsi->gain += gain;
        rsi->loss += loss;
        rsi->count++;
        if (rsi->count == rsi->period) {
            rsi->gain /= rsi->period;
            rsi->loss /= rsi->period;
        }
        return;
    }
    rsi->gain = (rsi->gain * (rsi->period - 1) + gain) / rsi->period;
    rsi->loss = (rsi->loss * (rsi->period - 1) + loss) / rsi->period;
}

bool rsi_ready(const struct rsi *rsi)
{
    return rsi->count == rsi->period;
}

double rsi_value(const struct rsi *rsi)
{
    double moved = rsi->gain + rsi->loss;
    return rsi_ready(rsi) && moved > 0 ? 100 * rsi->gain / moved : 0;
}
