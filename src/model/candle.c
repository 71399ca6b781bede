#include "model/candle.h"

#include "names.h"

static const struct {
    const char *name;
    int64_t us;
} timeframes[TF_COUNT] = {
    [TF_1M] = {"1m", USEC_PER_MIN},
    [TF_5M] = {"5m", 5 * USEC_PER_MIN},
    [TF_15M] = {"15m", 15 * USEC_PER_MIN},
    [TF_1H] = {"1h", USEC_PER_HOUR},
};

int64_t timeframe_us(enum timeframe tf)
{
    ASSERT((unsigned)tf < TF_COUNT);
    return timeframes[tf].us;
}

const char *timeframe_name(enum timeframe tf)
{
    ASSERT((unsigned)tf < TF_COUNT);
    return timeframes[tf].name;
}

bool timeframe_parse(struct str s, enum timeframe *ret)
{
    for (int tf = 0; tf < TF_COUNT; tf++) {
        if (str_equal_c(s, timeframes[tf].name)) {
            *ret = (enum timeframe)tf;
            return true;
        }
    }
    return false;
}

bool candle_is_valid(const struct candle *c)
{
    /* DEC_INVALID is the smallest integer, so `low > 0` and the comparisons with low reject it in
     * every price, and `volume >= 0` rejects it in the volume. */
    return c->open_us >= 0 && c->low.e8 > 0 && c->open.e8 >= c->low.e8 &&
           c->close.e8 >= c->low.e8 && c->high.e8 >= c->open.e8 && c->high.e8 >= c->close.e8 &&
           c->volume.e8 >= 0;
}
