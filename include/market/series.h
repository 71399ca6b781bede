/*
 * series.h: the market data of one symbol: candles of each timeframe and the indicators over them.
 *
 *     series_init(&series, symbol, timeframe_us(TF_1M));
 *     switch (series_push(&series, &candle, now_us, &closed)) { case SERIES_ACCEPTED: ... }
 *     if (closed & 1u << series_decision_tf(&series)) decide(series_decision_frame(&series));
 *
 * The input candles have one length, the step; a whole number of steps must fill an hour. A frame
 * (5m, 15m, 1h) is built if a whole number of steps fills it; the finest of those is the decision
 * frame. The bar that is not complete (frame.live) is kept apart from the closed ones: indicators
 * and windows see closed bars only. A candle that is stale, impossible or not newer than the newest
 * is refused and counted by kind; it changes nothing else, but the series is suspect until a candle
 * is accepted.
 * Invariants: a plain value without pointers. Its first SERIES_SAVED_SIZE bytes are saved after
 * each step; the windows behind them are refilled by series_history (or the whole value is copied).
 * O(1) a candle; no allocation.
 * Thread: one at a time per series.
 */
#pragma once

#include "market/atr.h"
#include "market/macd.h"
#include "market/moments.h"
#include "market/rsi.h"
#include "market/window.h"
#include "model/candle.h"
#include "model/decision.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum series_result {
    SERIES_ACCEPTED,
    SERIES_IMPOSSIBLE, /* high below low, zero, negative, off the step, or out of range */
    SERIES_BACK,       /* not newer than the newest accepted one */
    SERIES_STALE,      /* complete for longer than SERIES_STALE_US */
    SERIES_FUTURE,     /* not complete yet by our clock */
    SERIES_RESULTS
};

const char *series_result_name(enum series_result result); /* "impossible" */

#define SERIES_STALE_US       (3 * USEC_PER_MIN)
#define SERIES_TRENDING_PCT   4.0 /* a market with wider hourly bands is trending */
#define SERIES_FRAMES         (TF_COUNT - TF_5M)
#define SERIES_BAND_DEVIATION 2.0

struct frame {
    bool has_live;
    struct candle live;   /* being built */
    struct candle closed; /* the newest complete one; all zero before the first */
    int64_t closed_count;
    struct rsi rsi;       /* 14 */
    struct macd macd;     /* 12, 26, 9 */
    struct moments bands; /* 20 */
    struct atr atr;       /* 14 */
};

struct series {
    struct symbol symbol;
    int64_t step_us;
    enum timeframe finest; /* the finest frame that is built: the decision frame */
    struct dec price;      /* newest close; zero before the first */
    int64_t updated_us;    /* when the newest accepted candle was complete; 0 before the first */
    int64_t accepted;
    int64_t refused[SERIES_RESULTS];    /* by kind; that of SERIES_ACCEPTED stays 0 */
    int64_t gaps;                       /* missing steps between accepted candles */
    bool suspect;                       /* the newest candle was refused */
    struct frame frames[SERIES_FRAMES]; /* [tf - TF_5M]: see series_frame */

    /* not saved from here on */
    struct window windows[SERIES_FRAMES];
};

#define SERIES_SAVED_SIZE offsetof(struct series, windows)

/* Bollinger's bands of a frame; all zero before they are defined. */
struct series_bands {
    double lower;
    double middle;
    double upper;
    double width_pct; /* upper - lower, per cent of the middle */
};

/* A whole number of steps fills an hour, and a step is at least a second. */
bool series_step_is_valid(int64_t step_us);
/* The decision frame for a valid step. */
enum timeframe series_step_tf(int64_t step_us);
void series_init(struct series *series, struct symbol symbol, int64_t step_us);

/* *ret_closed: bit 1 << tf for each timeframe, from 5m on, of which this candle closed a bar. */
enum series_result series_push(struct series *series, const struct candle *candle, int64_t now_us,
                               unsigned *ret_closed);

/*
 * Loads closed bars of the decision frame from candle_table, oldest first. A series without any
 * candle yet gets its indicators, windows and price from them. One restored from its saved bytes
 * fills only its windows, with the bars that it has closed already. Bars that are impossible or not
 * newer than the one before are skipped.
 */
void series_history(struct series *series, const struct candle *bars, int count);

static inline const struct frame *series_frame(const struct series *series, enum timeframe tf)
{
    return &series->frames[tf - TF_5M]; /* tf from TF_5M on */
}

static inline const struct window *series_window(const struct series *series, enum timeframe tf)
{
    return &series->windows[tf - TF_5M]; /* tf from TF_5M on */
}

enum timeframe series_decision_tf(const struct series *series);
const struct frame *series_decision_frame(const struct series *series);

/* The indicators of the decision frame are defined. */
bool series_ready(const struct series *series);
/* The newest candle was refused: no position is opened until one is accepted. */
bool series_suspect(const struct series *series);
int64_t series_refused(const struct series *series); /* of all kinds */
struct series_bands series_bands(const struct frame *frame);
/* Trending while the hourly bands are wider than SERIES_TRENDING_PCT, otherwise choppy; neutral
 * until they are defined. */
enum regime series_regime(const struct series *series);
/* Whether the newest hourly close is below (-1), on (0) or above (1) the middle band; the decision
 * frame is used until the hourly bands are defined. */
int series_drift(const struct series *series);
/* Per cent; zero until 24 hourly bars are known. */
struct dec series_change_24h_pct(const struct series *series);

/* False if the first SERIES_SAVED_SIZE bytes, read back from a file, are damaged: every index,
 * count and divisor is checked. */
bool series_is_sane(const struct series *series);
