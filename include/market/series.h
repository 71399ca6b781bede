/*
 * series.h: everything the engine knows of one symbol's market: candles of each timeframe and the
 * indicators over them.
 *
 *     series_init(&series, symbol, timeframe_us(TF_1M));
 *     switch (series_push(&series, &candle, now_us, &closed)) { case SERIES_ACCEPTED: ... }
 *     if (closed & 1u << series_decision_tf(&series)) decide(series_decision_frame(&series));
 *
 * Input is candles of one length, the step, of which a whole number fills an hour. A frame (5m,
 * 15m, 1h) is built when whole steps fill it; the finest of those is the decision frame. A bar
 * that is not complete (frame.live) is kept apart from the closed ones: indicators and windows see
 * closed bars only. What is stale, impossible or not newer than what we have is refused, counted
 * by kind, changes nothing else, and makes the series suspect until a good candle comes.
 * Invariants: a plain value without pointers. Its first SERIES_SAVED_SIZE bytes are what is saved
 * after each step; the windows behind them are filled again by series_history (or the whole value
 * is copied). O(1) a candle; no allocation. Thread: one at a time per series.
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
    SERIES_IMPOSSIBLE, /* high below low, nothing, negative, not a number, off the step, overflow */
    SERIES_BACK,       /* not newer than the newest we have */
    SERIES_STALE,      /* complete for longer than SERIES_STALE_US */
    SERIES_FUTURE,     /* not complete yet, says our clock */
    SERIES_RESULTS
};

const char *series_result_name(enum series_result verdict); /* "impossible" */

#define SERIES_STALE_US       (3 * USEC_PER_MIN)
#define SERIES_TRENDING_PCT   4.0 /* hourly band width from which a market is said to trend */
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
    enum timeframe finest; /* of the frames that are built: the decision frame */
    struct dec price;      /* newest close; zero before the first */
    int64_t updated_us;    /* when the newest accepted candle was complete; 0 before the first */
    int64_t accepted;
    int64_t refused[SERIES_RESULTS];    /* by kind; that of SERIES_ACCEPTED stays 0 */
    int64_t gaps;                       /* steps that never came, between accepted candles */
    bool suspect;                       /* the newest candle was refused */
    struct frame frames[SERIES_FRAMES]; /* [tf - TF_5M]: see series_frame */

    /* from here on: not saved */
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

/* A whole number of steps fills an hour; a second at least. */
bool series_step_is_valid(int64_t step_us);
/* The timeframe that candles of a valid step are decided on. */
enum timeframe series_step_tf(int64_t step_us);
void series_init(struct series *series, struct symbol symbol, int64_t step_us);

/* *ret_closed: bit 1 << tf for each timeframe from 5m on of which this candle completed a bar. */
enum series_result series_push(struct series *series, const struct candle *candle, int64_t now_us,
                               unsigned *ret_closed);

/*
 * Closed bars of the decision frame as they stand in candle_table, oldest first. A series that has
 * not seen a candle takes them as its history: indicators, windows, price. One that has (its saved
 * bytes are back) fills its windows only, with the bars that it has closed already. Bars that are
 * impossible or not newer than the one before are passed over.
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
/* The newest candle was refused: nothing is opened before a good one came. */
bool series_suspect(const struct series *series);
int64_t series_refused(const struct series *series); /* of all kinds */
struct series_bands series_bands(const struct frame *frame);
/* Trending when the hourly bands are wider than SERIES_TRENDING_PCT, else choppy; neutral until
 * they are defined. */
enum regime series_regime(const struct series *series);
/* -1, 0, 1: the side of the middle band on which the newest hourly close is; that of the decision
 * frame until the hourly bands are defined. */
int series_drift(const struct series *series);
/* Per cent; zero until a day of hours is known. */
struct dec series_change_24h_pct(const struct series *series);

/* The first SERIES_SAVED_SIZE bytes, read back from a file that can be damaged, are those of a
 * series: whatever is an index, a count or a divisor is checked. */
bool series_is_sane(const struct series *series);
