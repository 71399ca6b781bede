/*
 * indicators.h: all indicators over one series of bars, and the names of their columns.
 *
 *     struct indicators all;
 *     double values[INDICATOR_COUNT];
 *     indicators_init(&all);
 *     indicators_push(&all, &bar);
 *     indicators_values(&all, values);
 *     if (!isnan(values[INDICATOR_RSI14])) ...
 *
 * The values, and the index at which each is first defined, are those of TA-Lib. VWAP covers the
 * last 20 bars; the Donchian channels include the newest bar.
 * Invariants: a plain value; O(1) a push; no allocation. Thread: one at a time per value.
 */
#pragma once

#include "market/adx.h"
#include "market/atr.h"
#include "market/bar.h"
#include "market/cci.h"
#include "market/ema.h"
#include "market/extreme.h"
#include "market/macd.h"
#include "market/moments.h"
#include "market/obv.h"
#include "market/roc.h"
#include "market/rsi.h"
#include "market/stochastic.h"
#include "market/vwap.h"

/* In the order of the columns that `nightdesk indicators` prints. */
#define INDICATORS(X)                   \
    X(SMA20, sma20)                     \
    X(SMA50, sma50)                     \
    X(EMA12, ema12)                     \
    X(EMA20, ema20)                     \
    X(RSI14, rsi14)                     \
    X(RSI7, rsi7)                       \
    X(MACD, macd)                       \
    X(MACD_SIGNAL, macd_signal)         \
    X(MACD_HIST, macd_hist)             \
    X(BB_UPPER, bb_upper)               \
    X(BB_MIDDLE, bb_middle)             \
    X(BB_LOWER, bb_lower)               \
    X(ATR14, atr14)                     \
    X(ADX14, adx14)                     \
    X(PLUS_DI14, plus_di14)             \
    X(MINUS_DI14, minus_di14)           \
    X(STOCH_K, stoch_k)                 \
    X(STOCH_D, stoch_d)                 \
    X(CCI20, cci20)                     \
    X(OBV, obv)                         \
    X(WILLR14, willr14)                 \
    X(ROC10, roc10)                     \
    X(STDDEV20, stddev20)               \
    X(VWAP20, vwap20)                   \
    X(DONCHIAN_HIGH20, donchian_high20) \
    X(DONCHIAN_LOW20, donchian_low20)

enum indicator {
#define X(id, name) INDICATOR_##id,
    INDICATORS(X)
#undef X
        INDICATOR_COUNT
};

struct indicators {
    double close; /* of the newest bar */
    struct moments last20;
    struct moments last50;
    struct ema ema12;
    struct ema ema20;
    struct rsi rsi14;
    struct rsi rsi7;
    struct macd macd;
    struct atr atr14;
    struct adx adx14;
    struct stochastic stoch;
    struct cci cci20;
    struct obv obv;
    struct extreme high14;
    struct extreme low14;
    struct roc roc10;
    struct vwap vwap20;
    struct extreme high20;
    struct extreme low20;
};

void indicators_init(struct indicators *all);
void indicators_push(struct indicators *all, const struct bar *bar);
/* NaN where an indicator is not defined yet; at least one bar must have been pushed. */
void indicators_values(const struct indicators *all, double ret[INDICATOR_COUNT]);
const char *indicator_name(enum indicator indicator); /* "sma20" */
