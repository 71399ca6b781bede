/*
 * series.h: everything the engine knows of one symbol's market: candles of each timeframe and the
 * indicators over them.
 *
 *     series_init(&series, symbol);
 *     switch (series_push(&series, &candle, now_us, &closed)) { case SERIES_ACCEPTED: ... }
 *     if (closed & 1u << TF_5M) decide(&series.frames[TF_5M]);
 *
 * Input is one-minute candles. A bar that is not complete (frame.live) is kept apart from the
 * closed ones: indicators see closed bars only. What is stale, impossible or older than what we
 * have is refused, counted, and changes nothing else.
 * Invariants: a plain value without pointers: it is saved and restored as bytes; O(1) a candle; no
 * allocation. Thread: one at a time per series.
 */
#pragma once

#include "market/efficiency.h"
#include "market/ema.h"
#include "market/rsi.h"
#include "model/candle.h"
#include "model/decision.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

enum series_verdict {
    SERIES_ACCEPTED,
    SERIES_IMPOSSIBLE, /* high below low, nothing, negative, not on a minute, overflow */
    SERIES_BACK,       /* not newer than the newest we have */
    SERIES_STALE,      /* complete for longer than SERIES_STALE_US */
    SERIES_FUTURE      /* not complete yet, says our clock */
};

#define SERIES_STALE_US (3 * USEC_PER_MIN)
#define SERIES_HOURS    24

struct frame {
    bool has_live;
    struct candle live;   /* being built */
    struct candle closed; /* the newest complete one; all zero before the first */
    int64_t closed_count;
    struct rsi rsi;  /* 14 */
    struct ema fast; /* 12 */
    struct ema slow; /* 26 */
    struct efficiency efficiency;
};

struct series {
    struct symbol symbol;
    struct dec price;   /* newest close; zero before the first */
    int64_t updated_us; /* when the newest accepted candle was complete; 0 before the first */
    int64_t accepted;
    int64_t refused;
    int64_t gaps; /* minutes that never came, between accepted candles */
    struct frame frames[TF_COUNT];
    struct dec hours[SERIES_HOURS]; /* closes of the last full hours, a ring */
    int64_t hour_count;
};

void series_init(struct series *series, struct symbol symbol);

/* *ret_closed: bit 1 << tf for each timeframe of which this candle completed a bar. */
enum series_verdict series_push(struct series *series, const struct candle *candle, int64_t now_us,
                                unsigned *ret_closed);

/* The indicators that decisions use are defined. */
bool series_ready(const struct series *series);
/* Trending or choppy by the efficiency of the five-minute bars; neutral between and before. */
enum regime series_regime(const struct series *series);
/* -1, 0, 1: where the price went over the bars that series_regime looks at. */
int series_drift(const struct series *series);
/* Per cent; zero until a day of hours is known. */
struct dec series_change_24h_pct(const struct series *series);
