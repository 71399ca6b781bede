#include "market/indicators.h"

#include "base/check.h"

#include <math.h>

const char *indicator_name(enum indicator indicator)
{
    static const char *const names[INDICATOR_COUNT] = {
#define X(id, name) #name,
        INDICATORS(X)
#undef X
    };
    ASSERT((unsigned)indicator < INDICATOR_COUNT);
    return names[indicator];
}

void indicators_init(struct indicators *all)
{
    memset(all, 0, sizeof(*all));
    moments_init(&all->last20, 20);
    moments_init(&all->last50, 50);
    ema_init(&all->ema12, 12);
    ema_init(&all->ema20, 20);
    rsi_init(&all->rsi14, 14);
    rsi_init(&all->rsi7, 7);
    macd_init(&all->macd, 12, 26, 9);
    atr_init(&all->atr14, 14);
    adx_init(&all->adx14, 14);
    stochastic_init(&all->stoch, 5, 3, 3);
    cci_init(&all->cci20, 20);
    extreme_init(&all->high14, 14, EXTREME_HIGHEST);
    extreme_init(&all->low14, 14, EXTREME_LOWEST);
    roc_init(&all->roc10, 10);
    vwap_init(&all->vwap20, 20);
    extreme_init(&all->high20, 20, EXTREME_HIGHEST);
    extreme_init(&all->low20, 20, EXTREME_LOWEST);
}

void indicators_push(struct indicators *all, const struct bar *bar)
{
    all->close = bar->close;
    moments_push(&all->last20, bar->close);
    moments_push(&all->last50, bar->close);
    ema_push(&all->ema12, bar->close);
    ema_push(&all->ema20, bar->close);
    rsi_push(&all->rsi14, bar->close);
    rsi_push(&all->rsi7, bar->close);
    macd_push(&all->macd, bar->close);
    atr_push(&all->atr14, bar);
    adx_push(&all->adx14, bar);
    stochastic_push(&all->stoch, bar);
    cci_push(&all->cci20, bar);
    obv_push(&all->obv, bar);
    extreme_push(&all->high14, bar->high);
    extreme_push(&all->low14, bar->low);
    roc_push(&all->roc10, bar->close);
    vwap_push(&all->vwap20, bar);
    extreme_push(&all->high20, bar->high);
    extreme_push(&all->low20, bar->low);
}

static double when(bool ready, double value)
{
    return ready ? value : NAN;
}

void indicators_values(const struct indicators *all, double ret[INDICATOR_COUNT])
{
    bool bands = moments_ready(&all->last20);
    double middle = moments_mean(&all->last20);
    double deviation = moments_deviation(&all->last20);
    bool macd = macd_ready(&all->macd);
    bool di = adx_di_ready(&all->adx14);
    bool stoch = stochastic_ready(&all->stoch);
    double williams =
        stochastic_williams(all->close, extreme_value(&all->low14), extreme_value(&all->high14));
    ret[INDICATOR_SMA20] = when(bands, middle);
    ret[INDICATOR_SMA50] = when(moments_ready(&all->last50), moments_mean(&all->last50));
    ret[INDICATOR_EMA12] = when(ema_ready(&all->ema12), ema_value(&all->ema12));
    ret[INDICATOR_EMA20] = when(ema_ready(&all->ema20), ema_value(&all->ema20));
    ret[INDICATOR_RSI14] = when(rsi_ready(&all->rsi14), rsi_value(&all->rsi14));
    ret[INDICATOR_RSI7] = when(rsi_ready(&all->rsi7), rsi_value(&all->rsi7));
    ret[INDICATOR_MACD] = when(macd, macd_value(&all->macd));
    ret[INDICATOR_MACD_SIGNAL] = when(macd, macd_signal(&all->macd));
    ret[INDICATOR_MACD_HIST] = when(macd, macd_histogram(&all->macd));
    ret[INDICATOR_BB_UPPER] = when(bands, middle + 2 * deviation);
    ret[INDICATOR_BB_MIDDLE] = when(bands, middle);
    ret[INDICATOR_BB_LOWER] = when(bands, middle - 2 * deviation);
    ret[INDICATOR_ATR14] = when(atr_ready(&all->atr14), atr_value(&all->atr14));
    ret[INDICATOR_ADX14] = when(adx_ready(&all->adx14), adx_value(&all->adx14));
    ret[INDICATOR_PLUS_DI14] = when(di, adx_plus_di(&all->adx14));
    ret[INDICATOR_MINUS_DI14] = when(di, adx_minus_di(&all->adx14));
    ret[INDICATOR_STOCH_K] = when(stoch, stochastic_k(&all->stoch));
    ret[INDICATOR_STOCH_D] = when(stoch, stochastic_d(&all->stoch));
    ret[INDICATOR_CCI20] = when(cci_ready(&all->cci20), cci_value(&all->cci20));
    ret[INDICATOR_OBV] = obv_value(&all->obv);
    ret[INDICATOR_WILLR14] = when(extreme_ready(&all->high14), williams);
    ret[INDICATOR_ROC10] = when(roc_ready(&all->roc10), roc_value(&all->roc10));
    ret[INDICATOR_STDDEV20] = when(bands, deviation);
    ret[INDICATOR_VWAP20] = when(vwap_ready(&all->vwap20), vwap_value(&all->vwap20));
    ret[INDICATOR_DONCHIAN_HIGH20] = when(extreme_ready(&all->high20), extreme_value(&all->high20));
    ret[INDICATOR_DONCHIAN_LOW20] = when(extreme_ready(&all->low20), extreme_value(&all->low20));
}
