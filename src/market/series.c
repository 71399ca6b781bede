#include "market/series.h"

#include "base/clock.h"

/* A walk without any memory has a mean efficiency of about .2 over 24 bars. */
#define TRENDING_FROM 0.30
#define CHOPPY_UNTIL  0.15

void series_init(struct series *series, struct symbol symbol)
{
    /* Saved and compared as bytes: padding included. */
    memset(series, 0, sizeof(*series));
    series->symbol = symbol;
    for (int tf = 0; tf < TF_COUNT; tf++) {
        struct frame *f = &series->frames[tf];
        rsi_init(&f->rsi, 14);
        ema_init(&f->fast, 12);
        ema_init(&f->slow, 26);
        efficiency_init(&f->efficiency);
    }
}

static void close_bar(struct series *series, enum timeframe tf, unsigned *ret_closed)
{
    struct frame *f = &series->frames[tf];
    double close = dec_to_double(f->live.close);
    f->closed = f->live;
    f->has_live = false;
    f->closed_count++;
    rsi_push(&f->rsi, close);
    ema_push(&f->fast, close);
    ema_push(&f->slow, close);
    efficiency_push(&f->efficiency, f->live.close);
    if (tf == TF_1H) {
        series->hours[series->hour_count % SERIES_HOURS] = f->live.close;
        series->hour_count++;
    }
    *ret_closed |= 1u << tf;
}

static void merge(struct series *series, enum timeframe tf, const struct candle *c,
                  unsigned *ret_closed)
{
    struct frame *f = &series->frames[tf];
    int64_t length_us = timeframe_us(tf);
    int64_t bar_us = c->open_us - c->open_us % length_us;
    if (f->has_live && f->live.open_us != bar_us) {
        /* The last minutes of that bar never came: it is as complete as it will get. */
        close_bar(series, tf, ret_closed);
    }
    if (!f->has_live) {
        f->live = *c;
        f->live.open_us = bar_us;
        f->has_live = true;
    } else {
        f->live.high = dec_max(f->live.high, c->high);
        f->live.low = dec_min(f->live.low, c->low);
        f->live.close = c->close;
        struct dec volume = dec_add(f->live.volume, c->volume);
        f->live.volume = dec_is_valid(volume) ? volume : f->live.volume;
    }
    if (c->open_us + timeframe_us(TF_1M) == bar_us + length_us) {
        close_bar(series, tf, ret_closed);
    }
}

static enum series_verdict judge(const struct series *series, const struct candle *c,
                                 int64_t now_us)
{
    if (!dec_is_valid(c->open) || !dec_is_valid(c->high) || !dec_is_valid(c->low) ||
        !dec_is_valid(c->close) || !dec_is_valid(c->volume) || !candle_is_valid(c) ||
        c->open_us < 0 || c->open_us > INT64_MAX / 2 || c->open_us % timeframe_us(TF_1M) != 0) {
        return SERIES_IMPOSSIBLE;
    }
    int64_t complete_us = c->open_us + timeframe_us(TF_1M);
    if (complete_us <= series->updated_us) {
        return SERIES_BACK;
    }
    if (complete_us > now_us) {
        return SERIES_FUTURE;
    }
    return now_us - complete_us > SERIES_STALE_US ? SERIES_STALE : SERIES_ACCEPTED;
}

enum series_verdict series_push(struct series *series, const struct candle *candle, int64_t now_us,
                                unsigned *ret_closed)
{
    *ret_closed = 0;
    enum series_verdict verdict = judge(series, candle, now_us);
    if (verdict != SERIES_ACCEPTED) {
        series->refused++;
        return verdict;
    }
    if (series->updated_us > 0) {
        series->gaps += (candle->open_us - series->updated_us) / timeframe_us(TF_1M);
    }
    series->accepted++;
    series->price = candle->close;
    series->updated_us = candle->open_us + timeframe_us(TF_1M);
    for (int tf = 0; tf < TF_COUNT; tf++) {
        merge(series, (enum timeframe)tf, candle, ret_closed);
    }
    return SERIES_ACCEPTED;
}

bool series_ready(const struct series *series)
{
    const struct frame *f = &series->frames[TF_5M];
    return rsi_ready(&f->rsi) && ema_ready(&f->slow) && efficiency_ready(&f->efficiency);
}

enum regime series_regime(const struct series *series)
{
    const struct efficiency *e = &series->frames[TF_5M].efficiency;
    if (!efficiency_ready(e)) {
        return REGIME_NEUTRAL;
    }
    double value = efficiency_value(e);
    double size = value < 0 ? -value : value;
    return size >= TRENDING_FROM  ? REGIME_TRENDING
           : size <= CHOPPY_UNTIL ? REGIME_CHOPPY
                                  : REGIME_NEUTRAL;
}

int series_drift(const struct series *series)
{
    double value = efficiency_value(&series->frames[TF_5M].efficiency);
    return (value > 0) - (value < 0);
}

struct dec series_change_24h_pct(const struct series *series)
{
    if (series->hour_count < SERIES_HOURS) {
        return DEC_ZERO;
    }
    struct dec before = series->hours[series->hour_count % SERIES_HOURS];
    struct dec change = dec_mul_div(dec_sub(series->price, before), dec_from_int(100), before);
    return dec_is_valid(change) ? change : DEC_ZERO;
}
