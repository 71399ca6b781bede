#include "agents/features.h"

#include "base/buf.h"
#include "base/check.h"
#include "io/secret.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define VOLUME_BARS 20
#define UNKNOWN     ((double)NAN)

static const char *const names[FEATURES_MAX] = {
#define X(id, name) [FEATURE_##id] = name,
    FEATURES(X)
#undef X
        [FEATURE_SENTIMENT] = "sentiment",
};

/* sin(2 pi h / 24). A table, since libm may give different bits on another machine. */
static const double sines[24] = {
    0.0,
    0.25881904510252074,
    0.5,
    0.7071067811865476,
    0.8660254037844386,
    0.9659258262890683,
    1.0,
    0.9659258262890683,
    0.8660254037844386,
    0.7071067811865476,
    0.5,
    0.25881904510252074,
    0.0,
    -0.25881904510252074,
    -0.5,
    -0.7071067811865476,
    -0.8660254037844386,
    -0.9659258262890683,
    -1.0,
    -0.9659258262890683,
    -0.8660254037844386,
    -0.7071067811865476,
    -0.5,
    -0.25881904510252074,
};

/* The data of one frame. */
struct view {
    const struct frame *frame;
    const struct window *window;
    const struct bar *newest; /* NULL: none */
    double per_close;         /* 100 / close */
};

static struct view view_of(const struct series *series, enum timeframe tf)
{
    struct view view = {.frame = series_frame(series, tf), .window = series_window(series, tf)};
    view.newest = window_at(view.window, 0);
    view.per_close = view.newest != NULL ? 100 / view.newest->close : UNKNOWN;
    return view;
}

static double rsi_of(const struct view *view)
{
    return rsi_ready(&view->frame->rsi) ? rsi_value(&view->frame->rsi) : UNKNOWN;
}

static double histogram_of(const struct view *view)
{
    const struct macd *macd = &view->frame->macd;
    return macd_ready(macd) ? macd_histogram(macd) * view->per_close : UNKNOWN;
}

static double atr_of(const struct view *view)
{
    return atr_ready(&view->frame->atr) ? atr_value(&view->frame->atr) * view->per_close : UNKNOWN;
}

/* The position of the newest close between the bands, and the width of the bands. */
static void bands_of(const struct view *view, double *ret_place, double *ret_width)
{
    *ret_place = *ret_width = UNKNOWN;
    if (!moments_ready(&view->frame->bands) || view->newest == NULL) {
        return;
    }
    struct series_bands bands = series_bands(view->frame);
    double height = bands.upper - bands.lower;
    *ret_width = bands.width_pct;
    *ret_place = height > 0 ? (view->newest->close - bands.lower) / height : UNKNOWN;
}

/* The return of the newest close from the close `bars` before it. */
static double return_of(const struct view *view, int bars)
{
    const struct bar *before = window_at(view->window, bars);
    return before != NULL ? view->newest->close / before->close - 1 : UNKNOWN;
}

static double body_of(const struct view *view)
{
    if (view->newest == NULL) {
        return UNKNOWN;
    }
    double range = view->newest->high - view->newest->low;
    return range > 0 ? (view->newest->close - view->newest->open) / range : 0;
}

static double volume_of(const struct view *view)
{
    double sum = 0;
    for (int back = 0; back < VOLUME_BARS; back++) {
        const struct bar *bar = window_at(view->window, back);
        if (bar == NULL) {
            return UNKNOWN;
        }
        sum += bar->volume;
    }
    return sum > 0 ? view->newest->volume * VOLUME_BARS / sum : UNKNOWN;
}

static int hour_of(int64_t at_us)
{
    int64_t hour = at_us / USEC_PER_HOUR % 24;
    return (int)(hour < 0 ? hour + 24 : hour);
}

void features_row(const struct series *series, double sentiment, double ret[FEATURES_MAX])
{
    struct view base = view_of(series, series_decision_tf(series));
    ret[FEATURE_BASE_RSI14] = rsi_of(&base);
    ret[FEATURE_BASE_MACD_HIST] = histogram_of(&base);
    ret[FEATURE_BASE_MACD] =
        macd_ready(&base.frame->macd) ? macd_value(&base.frame->macd) * base.per_close : UNKNOWN;
    bands_of(&base, &ret[FEATURE_BASE_BAND_PLACE], &ret[FEATURE_BASE_BAND_WIDTH]);
    ret[FEATURE_BASE_ATR14] = atr_of(&base);
    ret[FEATURE_BASE_RETURN1] = return_of(&base, 1);
    ret[FEATURE_BASE_RETURN3] = return_of(&base, 3);
    ret[FEATURE_BASE_RETURN12] = return_of(&base, 12);
    ret[FEATURE_BASE_BODY] = body_of(&base);
    ret[FEATURE_BASE_VOLUME] = volume_of(&base);

    struct view m15 = view_of(series, TF_15M);
    ret[FEATURE_M15_RSI14] = rsi_of(&m15);
    ret[FEATURE_M15_MACD_HIST] = histogram_of(&m15);
    bands_of(&m15, &ret[FEATURE_M15_BAND_PLACE], &ret[FEATURE_M15_BAND_WIDTH]);
    ret[FEATURE_M15_RETURN4] = return_of(&m15, 4);

    struct view h1 = view_of(series, TF_1H);
    ret[FEATURE_H1_RSI14] = rsi_of(&h1);
    ret[FEATURE_H1_MACD_HIST] = histogram_of(&h1);
    bands_of(&h1, &ret[FEATURE_H1_BAND_PLACE], &ret[FEATURE_H1_BAND_WIDTH]);
    ret[FEATURE_H1_ATR14] = atr_of(&h1);
    ret[FEATURE_H1_RETURN4] = return_of(&h1, 4);
    ret[FEATURE_H1_RETURN24] = return_of(&h1, 24);

    ret[FEATURE_HOUR_SINE] = ret[FEATURE_HOUR_COSINE] = UNKNOWN;
    if (base.newest != NULL) {
        int hour = hour_of(base.newest->open_us);
        ret[FEATURE_HOUR_SINE] = sines[hour];
        ret[FEATURE_HOUR_COSINE] = sines[(hour + 6) % 24];
    }
    ret[FEATURE_SENTIMENT] = sentiment;
}

const char *feature_name(enum feature feature)
{
    ASSERT((unsigned)feature < FEATURES_MAX);
    return names[feature];
}

void features_hash(size_t count, char ret_hex[FEATURES_HASH_SIZE])
{
    AUTO_BUF struct buf text = BUF_INIT(4096);
    buf_addf(&text, "%d", FEATURES_VERSION);
    for (size_t i = 0; i < count; i++) {
        buf_addf(&text, "\n%s", names[i]);
    }
    char hex[SECRET_HASH_HEX_SIZE];
    secret_hash(NULL, buf_str(&text), hex);
    (void)str_copy(str_n(hex, FEATURES_HASH_SIZE - 1), ret_hex, FEATURES_HASH_SIZE);
}
