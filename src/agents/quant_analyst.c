#include "agent_run.h"

#define OVERSOLD   30.0
#define OVERBOUGHT 70.0
#define SIGNALS    3

static int sign_of(double x)
{
    return (x > 0) - (x < 0);
}

static void read_frame(const struct decision_context *context, struct reading *ret)
{
    const struct frame *frame = series_decision_frame(context->series);
    ret->close = dec_to_double(frame->closed.close);
    ret->rsi = rsi_value(&frame->rsi);
    ret->macd = macd_value(&frame->macd);
    ret->macd_signal = macd_signal(&frame->macd);
    ret->bands = series_bands(frame);
    const struct frame *hour = series_frame(context->series, TF_1H);
    ret->hour_width_pct = hour == frame ? ret->bands.width_pct : series_bands(hour).width_pct;
}

/* The signal of each indicator alone: oversold, turning up, or at the lower band means long. The
 * vote is their majority. Its weight is 0: bull and bear use the same indicators. */
void quant_analyst_run(struct decision_context *context, struct vote *vote)
{
    const struct series *series = context->series;
    context->decision->regime = series_regime(series);
    context->drift = series_drift(series);
    if (!series_ready(series)) {
        return;
    }
    struct reading *r = &context->reading;
    read_frame(context, r);
    if (r->bands.upper <= r->bands.lower) {
        return; /* a price that does not move has no signal; its RSI of 0 would mean oversold */
    }
    context->is_warm = true;
    int by_rsi = r->rsi <= OVERSOLD ? 1 : r->rsi >= OVERBOUGHT ? -1 : 0;
    int by_macd = sign_of(r->macd - r->macd_signal);
    int by_band = r->close <= r->bands.lower ? 1 : r->close >= r->bands.upper ? -1 : 0;
    int sum = by_rsi + by_macd + by_band;
    int side = sum < 0 ? -1 : 1;
    agent_reason(vote, "rsi14", r->rsi, r->rsi < 50 ? OVERSOLD : OVERBOUGHT,
                 (double)(by_rsi * side) / SIGNALS);
    agent_reason(vote, "macd", r->macd, r->macd_signal, (double)(by_macd * side) / SIGNALS);
    agent_reason(vote, "band", r->close,
                 r->close < r->bands.middle ? r->bands.lower : r->bands.upper,
                 (double)(by_band * side) / SIGNALS);
    agent_reason(vote, "width_1h_pct", r->hour_width_pct, SERIES_TRENDING_PCT, 0);
    agent_reason(vote, "drift", context->drift, 0, 0);
    vote->direction = sum > 0 ? DIRECTION_LONG : sum < 0 ? DIRECTION_SHORT : DIRECTION_NONE;
    /* A sum of thirds is not exact. */
    vote->confidence = (double)(sum * side) / SIGNALS;
}
