#include "market/series.h"

#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <string.h>

#define RSI_PERIOD   14
#define BANDS_PERIOD 20
#define ATR_PERIOD   14
#define DAY_HOURS    24

const char *series_result_name(enum series_result result)
{
    static const char *const names[SERIES_RESULTS] = {
        [SERIES_ACCEPTED] = "accepted", [SERIES_IMPOSSIBLE] = "impossible",
        [SERIES_BACK] = "backward",     [SERIES_STALE] = "stale",
        [SERIES_FUTURE] = "future",
    };
    ASSERT((unsigned)result < SERIES_RESULTS);
    return names[result];
}

bool series_step_is_valid(int64_t step_us)
{
    return step_us >= USEC_PER_SEC && timeframe_us(TF_1H) % step_us == 0;
}

enum timeframe series_step_tf(int64_t step_us)
{
    enum timeframe tf = TF_5M;
    while (timeframe_us(tf) % step_us != 0) {
        tf++;
    }
    return tf;
}

void series_init(struct series *series, struct symbol symbol, int64_t step_us)
{
    ASSERT(series_step_is_valid(step_us));
    /* Padding is zeroed too: the value is saved and compared as bytes. */
    memset(series, 0, sizeof(*series));
    series->symbol = symbol;
    series->step_us = step_us;
    series->finest = series_step_tf(step_us);
    for (int i = 0; i < SERIES_FRAMES; i++) {
        struct frame *f = &series->frames[i];
        rsi_init(&f->rsi, RSI_PERIOD);
        macd_init(&f->macd, 12, 26, 9);
        moments_init(&f->bands, BANDS_PERIOD);
        atr_init(&f->atr, ATR_PERIOD);
    }
}

/* ---------------------------------------------------------------- bars out of candles */

static void widen(struct candle *live, const struct candle *c)
{
    live->high.e8 = c->high.e8 > live->high.e8 ? c->high.e8 : live->high.e8;
    live->low.e8 = c->low.e8 < live->low.e8 ? c->low.e8 : live->low.e8;
    live->close = c->close;
    int64_t volume_e8;
    if (!__builtin_add_overflow(live->volume.e8, c->volume.e8, &volume_e8)) {
        live->volume.e8 = volume_e8;
    }
}

static void close_bar(struct series *series, enum timeframe tf, unsigned *ret_closed)
{
    struct frame *f = &series->frames[tf - TF_5M];
    struct bar bar = bar_of(&f->live);
    f->closed = f->live;
    f->has_live = false;
    f->closed_count++;
    rsi_push(&f->rsi, bar.close);
    macd_push(&f->macd, bar.close);
    moments_push(&f->bands, bar.close);
    atr_push(&f->atr, &bar);
    window_push(&series->windows[tf - TF_5M], &bar);
    *ret_closed |= 1u << tf;
}

static void merge(struct series *series, enum timeframe tf, const struct candle *c, int64_t step_us,
                  unsigned *ret_closed)
{
    struct frame *f = &series->frames[tf - TF_5M];
    int64_t length_us = timeframe_us(tf);
    if (f->has_live && c->open_us - f->live.open_us >= length_us) {
        /* The last candles of that bar are missing: close it without them. */
        close_bar(series, tf, ret_closed);
    }
    if (f->has_live) {
        widen(&f->live, c);
    } else {
        f->live = *c;
        f->live.open_us -= c->open_us % length_us;
        f->has_live = true;
    }
    if (c->open_us + step_us - f->live.open_us == length_us) {
        close_bar(series, tf, ret_closed);
    }
}

static enum series_result judge(const struct series *series, const struct candle *c, int64_t now_us)
{
    if (!candle_is_valid(c) || c->open_us > INT64_MAX / 2) {
        return SERIES_IMPOSSIBLE;
    }
    if (c->open_us != series->updated_us) { /* the usual next candle passes both checks */
        if (c->open_us % series->step_us != 0) {
            return SERIES_IMPOSSIBLE;
        }
        if (c->open_us < series->updated_us) {
            return SERIES_BACK;
        }
    }
    int64_t complete_us = c->open_us + series->step_us;
    if (complete_us > now_us) {
        return SERIES_FUTURE;
    }
    return now_us - complete_us > SERIES_STALE_US ? SERIES_STALE : SERIES_ACCEPTED;
}

enum series_result series_push(struct series *series, const struct candle *candle, int64_t now_us,
                               unsigned *ret_closed)
{
    *ret_closed = 0;
    enum series_result result = judge(series, candle, now_us);
    series->suspect = result != SERIES_ACCEPTED;
    if (series->suspect) {
        series->refused[result]++;
        return result;
    }
    if (candle->open_us != series->updated_us && series->updated_us > 0) {
        series->gaps += (candle->open_us - series->updated_us) / series->step_us;
    }
    series->accepted++;
    series->price = candle->close;
    series->updated_us = candle->open_us + series->step_us;
    for (enum timeframe tf = series->finest; tf < TF_COUNT; tf++) {
        merge(series, tf, candle, series->step_us, ret_closed);
    }
    return SERIES_ACCEPTED;
}

/* ---------------------------------------------------------------- history */

/* Copies bars of the finest frame, up to this time, into all frames. */
static void copy_history(struct series *series, const struct candle *bars, int count,
                         int64_t last_open_us)
{
    int64_t length_us = timeframe_us(series->finest);
    for (int i = 0; i < count; i++) {
        const struct candle *c = &bars[i];
        if (!candle_is_valid(c) || c->open_us % length_us != 0 || c->open_us > last_open_us ||
            c->open_us < series->updated_us) {
            continue;
        }
        series->price = c->close;
        series->updated_us = c->open_us + length_us;
        unsigned closed = 0;
        for (enum timeframe tf = series->finest; tf < TF_COUNT; tf++) {
            merge(series, tf, c, length_us, &closed);
        }
    }
}

void series_history(struct series *series, const struct candle *bars, int count)
{
    if (series->updated_us == 0) {
        copy_history(series, bars, count, INT64_MAX / 2);
        return;
    }
    struct series again;
    series_init(&again, series->symbol, series->step_us);
    const struct frame *finest = series_frame(series, series->finest);
    if (finest->closed_count > 0) {
        copy_history(&again, bars, count, finest->closed.open_us);
    }
    for (enum timeframe tf = series->finest; tf < TF_COUNT; tf++) {
        const struct frame *f = series_frame(&again, tf);
        unsigned closed = 0;
        /* It was closed by a later candle, which is not part of any bar yet. */
        if (f->has_live && f->live.open_us <= series_frame(series, tf)->closed.open_us) {
            close_bar(&again, tf, &closed);
        }
    }
    memcpy(series->windows, again.windows, sizeof(series->windows));
}

/* ---------------------------------------------------------------- reading */

enum timeframe series_decision_tf(const struct series *series)
{
    return series->finest;
}

const struct frame *series_decision_frame(const struct series *series)
{
    return series_frame(series, series->finest);
}

bool series_ready(const struct series *series)
{
    const struct frame *f = series_decision_frame(series);
    return macd_ready(&f->macd) && moments_ready(&f->bands) && rsi_ready(&f->rsi) &&
           atr_ready(&f->atr);
}

bool series_suspect(const struct series *series)
{
    return series->suspect;
}

int64_t series_refused(const struct series *series)
{
    int64_t sum = 0;
    for (int i = 0; i < SERIES_RESULTS; i++) {
        sum += series->refused[i];
    }
    return sum;
}

struct series_bands series_bands(const struct frame *frame)
{
    if (!moments_ready(&frame->bands)) {
        return (struct series_bands){0};
    }
    double middle = moments_mean(&frame->bands);
    if (!(middle > 0)) {
        return (struct series_bands){0}; /* damaged: no price is zero */
    }
    double reach = SERIES_BAND_DEVIATION * moments_deviation(&frame->bands);
    return (struct series_bands){.lower = middle - reach,
                                 .middle = middle,
                                 .upper = middle + reach,
                                 .width_pct = 200 * reach / middle};
}

enum regime series_regime(const struct series *series)
{
    const struct frame *hours = series_frame(series, TF_1H);
    if (!moments_ready(&hours->bands)) {
        return REGIME_NEUTRAL;
    }
    return series_bands(hours).width_pct > SERIES_TRENDING_PCT ? REGIME_TRENDING : REGIME_CHOPPY;
}

int series_drift(const struct series *series)
{
    const struct frame *f = series_frame(series, TF_1H);
    f = moments_ready(&f->bands) ? f : series_decision_frame(series);
    if (!moments_ready(&f->bands)) {
        return 0;
    }
    double close = dec_to_double(f->closed.close);
    double middle = moments_mean(&f->bands);
    return (close > middle) - (close < middle);
}

struct dec series_change_24h_pct(const struct series *series)
{
    const struct bar *bar = window_at(series_window(series, TF_1H), DAY_HOURS - 1);
    if (bar == NULL) {
        return DEC_ZERO;
    }
    struct dec before = dec_from_double(bar->close);
    struct dec change = dec_mul_div(dec_sub(series->price, before), dec_from_int(100), before);
    return dec_is_valid(change) ? change : DEC_ZERO;
}

/* ---------------------------------------------------------------- saved bytes */

/* Reading a byte that is neither 0 nor 1 as a bool is undefined, so the byte is checked. */
static bool is_bool(const bool *b)
{
    unsigned char byte;
    memcpy(&byte, b, 1);
    return byte <= 1;
}

/* Finite, and small enough that computations with its square stay finite; far above any price. */
static bool is_figure(double x)
{
    return fabs(x) <= 1e30;
}

static bool is_ema(const struct ema *e, int period)
{
    return e->period == period && e->count >= 0 && e->count <= period && is_figure(e->value) &&
           is_figure(e->weight);
}

static bool is_moments(const struct moments *m, int period)
{
    bool sane = m->period == period && m->count >= 0 && m->count <= period && m->head >= 0 &&
                m->head < period && m->turns >= 0 && m->inverse == 1.0 / period &&
                is_figure(m->pivot) && is_figure(m->sum) && is_figure(m->squares);
    for (int i = 0; i < period; i++) {
        sane = sane && is_figure(m->values[i]);
    }
    return sane;
}

static bool is_frame(const struct frame *f)
{
    return is_bool(&f->has_live) && (!f->has_live || candle_is_valid(&f->live)) &&
           f->closed_count >= 0 && (f->closed_count == 0 || candle_is_valid(&f->closed)) &&
           f->rsi.period == RSI_PERIOD && f->rsi.count >= 0 && f->rsi.count <= RSI_PERIOD &&
           is_bool(&f->rsi.has_previous) && is_figure(f->rsi.inverse) &&
           is_figure(f->rsi.previous) && is_figure(f->rsi.gain) && is_figure(f->rsi.loss) &&
           f->macd.skip >= 0 && f->macd.skip <= 14 && is_ema(&f->macd.fast, 12) &&
           is_ema(&f->macd.slow, 26) && is_ema(&f->macd.signal, 9) &&
           is_moments(&f->bands, BANDS_PERIOD) && f->atr.period == ATR_PERIOD &&
           f->atr.count >= 0 && f->atr.count <= ATR_PERIOD && is_bool(&f->atr.has_previous) &&
           is_figure(f->atr.inverse) && is_figure(f->atr.previous_close) && is_figure(f->atr.value);
}

bool series_is_sane(const struct series *series)
{
    struct series fresh;
    if (!series_step_is_valid(series->step_us) || !is_bool(&series->suspect) ||
        memchr(series->symbol.name, '\0', SYMBOL_SIZE) == NULL || series->price.e8 < 0 ||
        series->updated_us < 0 || series->updated_us > INT64_MAX / 2 + timeframe_us(TF_1H) ||
        series->updated_us % series->step_us != 0 || series->accepted < 0 || series->gaps < 0) {
        return false;
    }
    series_init(&fresh, series->symbol, series->step_us);
    bool sane = series->finest == fresh.finest;
    for (int i = 0; i < SERIES_RESULTS; i++) {
        sane = sane && series->refused[i] >= 0;
    }
    for (int i = 0; i < SERIES_FRAMES; i++) {
        sane = sane && is_frame(&series->frames[i]);
    }
    return sane;
}
