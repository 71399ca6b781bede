/*
 * features.h: the row of numbers from which a model predicts. The Predict agent and `nightdesk
 * train` use the same function.
 *
 *     double row[FEATURES_MAX];
 *     features_row(&series, sentiment, row);           // NaN: not known yet
 *     model_predict(model, row, FEATURE_COUNT, &p, err);
 *
 * A model reads the first FEATURE_COUNT numbers, or all FEATURES_MAX: the rest is what a model may
 * ask for in addition. The sentiment is NaN while it is unknown.
 * "base" is the series' decision frame; "m15" and "h1" are the 15m and 1h frames. Every number is a
 * ratio, so a model does not learn price levels. Only closed bars are used, never the live one.
 * Invariants: pure; the same series gives the same bits; O(1), no allocation. features_hash()
 * identifies the meaning of a row of so many numbers; a model carries the hash of the rows that it
 * was trained on.
 * Thread: any.
 */
#pragma once

#include "market/series.h"

/* In the order of the row. Percentages are of the close; returns are plain, as fractions. */
#define FEATURES(X)                                                   \
    X(BASE_RSI14, "base_rsi14")           /* 0..100 */                \
    X(BASE_MACD_HIST, "base_macd_hist")   /* in % of the close */     \
    X(BASE_MACD, "base_macd")             /* in % of the close */     \
    X(BASE_BAND_PLACE, "base_band_place") /* 0 lower, 1 upper */      \
    X(BASE_BAND_WIDTH, "base_band_width") /* in % of the middle */    \
    X(BASE_ATR14, "base_atr14")           /* in % of the close */     \
    X(BASE_RETURN1, "base_return1")       /* over the newest bar */   \
    X(BASE_RETURN3, "base_return3")                                   \
    X(BASE_RETURN12, "base_return12")                                 \
    X(BASE_BODY, "base_body")     /* (close - open) / (high - low) */ \
    X(BASE_VOLUME, "base_volume") /* of the mean of the last 20 */    \
    X(M15_RSI14, "m15_rsi14")                                         \
    X(M15_MACD_HIST, "m15_macd_hist")                                 \
    X(M15_BAND_PLACE, "m15_band_place")                               \
    X(M15_BAND_WIDTH, "m15_band_width")                               \
    X(M15_RETURN4, "m15_return4")                                     \
    X(H1_RSI14, "h1_rsi14")                                           \
    X(H1_MACD_HIST, "h1_macd_hist")                                   \
    X(H1_BAND_PLACE, "h1_band_place")                                 \
    X(H1_BAND_WIDTH, "h1_band_width")                                 \
    X(H1_ATR14, "h1_atr14")                                           \
    X(H1_RETURN4, "h1_return4")                                       \
    X(H1_RETURN24, "h1_return24")                                     \
    X(HOUR_SINE, "hour_sine") /* of the newest base bar, UTC */       \
    X(HOUR_COSINE, "hour_cosine")

enum feature {
#define X(id, name) FEATURE_##id,
    FEATURES(X)
#undef X
        FEATURE_COUNT,
    FEATURE_SENTIMENT = FEATURE_COUNT, /* -1..1 */
    FEATURES_MAX
};

#define FEATURES_HASH_SIZE 17
#define FEATURES_VERSION   1 /* incremented when the meaning of a number changes */

/* NaN where a number is not known yet. */
void features_row(const struct series *series, double sentiment, double ret[FEATURES_MAX]);
const char *feature_name(enum feature feature); /* "base_rsi14" */
/* Sixteen hexadecimal digits that change with the first `count` names, their order and
 * FEATURES_VERSION. */
void features_hash(size_t count, char ret_hex[FEATURES_HASH_SIZE]);
