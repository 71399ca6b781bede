#include "market/rsi.h"

#include "base/check.h"

void rsi_init(struct rsi *rsi, int period)
{
    ASSERT(period >= 1);
    *rsi = (struct rsi){.period = period, .inverse = 1.0 / period};
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
    double loss = gain - change; /* exact, and saves an unpredictable branch */
    if (rsi->count < rsi->period) {
        rsi->gain += gain;
        rsi->loss += loss;
        rsi->count++;
        if (rsi->count == rsi->period) {
            rsi->gain *= rsi->inverse;
            rsi->loss *= rsi->inverse;
        }
        return;
    }
    rsi->gain += (gain - rsi->gain) * rsi->inverse;
    rsi->loss += (loss - rsi->loss) * rsi->inverse;
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
