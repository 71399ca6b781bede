/*
 * backtest.h: the engine over historical candles, as fast as the machine allows.
 *
 *     struct backtest *backtest = backtest_new(
 *         &(struct backtest_options){.settings = &settings, .source = &files.source});
 *     rc = backtest_run(backtest, err);
 *     report(backtest_result(backtest));
 *     backtest_free(backtest);
 *
 * A driver around engine_step, like the live one: the same step, the same venue without its disk,
 * the same order of events (the venue receives the candles, then the engine, then orders are sent
 * and reports received). The same candles and settings therefore give the same trades as paper
 * trading, to the last unit. Fill rule: an order fills at the open of the candle that follows its
 * decision (details in venue/paper_book.h).
 * Warm-up, as at a start of the daemon: with from_us, up to BACKTEST_WARM_UP_MIN minutes of candles
 * before it only warm the indicators. Without it, trading begins at the first candle, and no
 * decision is made until the indicators are defined (35 bars of the decision frame).
 * Positions that are open when the candles end stay open and count at their mark.
 * With seen_until_us the run has two parts, since a model cannot be tested on its own training
 * data. Each part has its own performance; a trade belongs to the part in which it was opened. The
 * monotonic clock advances one minute for each BACKTEST_SPEED minutes of market time.
 * Invariants: memory does not depend on the number of candles; no trade depends on a later candle.
 * Thread: one at a time per backtest.
 */
#pragma once

#include "base/err.h"
#include "engine/driver.h"
#include "engine/performance.h"
#include "market/sentiment_history.h"
#include "market/source.h"
#include "model/settings.h"

#define BACKTEST_WARM_UP_MIN DRIVER_WARM_UP_MIN
#define BACKTEST_SPEED       60
/* Capacity of the curve; when it is full, each two points are merged into one. */
#define BACKTEST_CURVE_MAX 2048
/* Capacity of the trades kept for a chart; when it is full, every second one is dropped. */
#define BACKTEST_MARKS_MAX 256
/* on_candles is called once per this many moments of market time. */
#define BACKTEST_REPORT_EVERY 16384

struct backtest_options {
    const struct settings *settings;     /* settings.symbols are traded; copied */
    const struct venue_settings *venue;  /* read by backtest_new only */
    struct source *source;               /* of these symbols; must outlive the run */
    const struct predictor *predictor;   /* NULL: none; must outlive the run */
    struct sentiment_history *sentiment; /* NULL: none is known; must outlive the run */
    int64_t from_us;                     /* start trading here; 0: at the first candle */
    int64_t to_us;         /* ignore candles that open at or after this time; 0: use all */
    int64_t seen_until_us; /* end of the predictor's training data; 0: none */
    /* NULL: not called. */
    void (*on_trade)(const struct trade *trade, void *userdata);
    void (*on_candles)(int64_t market_us, int64_t candles, void *userdata);
    void *userdata;
};

struct backtest_point {
    int64_t at_us;       /* close of the newest candle in it */
    double equity;       /* at at_us */
    double drawdown_pct; /* the deepest within the point */
};

struct backtest_mark {
    int symbol; /* index into settings.symbols */
    enum side side;
    int64_t opened_us;
    int64_t closed_us;
    double entry_price;
    double exit_price;
    double pnl;
};

struct backtest_result {
    struct performance performance; /* of the whole run */
    bool has_seen;                  /* part of the run is training data of the predictor */
    bool has_unseen;                /* with has_seen: part of it is not */
    struct performance seen;        /* valid with has_seen */
    struct performance unseen;      /* valid with has_unseen; equal to the whole without has_seen */
    double unseen_prices[SYMBOLS_LIMIT]; /* at the start of the unseen part */
    struct snapshot *snapshot;           /* at the end: open positions, counters, state */
    int64_t candles;                     /* traded on, summed over all symbols */
    int64_t warm_up_candles;             /* candles before trading began */
    int64_t start_us;                    /* open of the first candle that was traded on */
    int64_t end_us;                      /* close of the last candle */
    double start_prices[SYMBOLS_LIMIT];  /* when trading began; 0: unknown */
    int point_count;
    struct backtest_point points[BACKTEST_CURVE_MAX];
    int symbol_count;
    double *point_prices; /* symbol_count of each point, by index in settings.symbols */
    int mark_count;
    int64_t mark_every; /* every n-th trade is kept */
    struct backtest_mark marks[BACKTEST_MARKS_MAX];
};

struct backtest;

/* Never NULL. */
struct backtest *backtest_new(const struct backtest_options *options);
void backtest_free(struct backtest *backtest);
/* Runs to the end of the source or of the range. ERR_ENGINE_BACKTEST_EMPTY: there was no candle to
 * trade on. Call once per backtest. */
int backtest_run(struct backtest *backtest, struct err *err);
/* Valid until backtest_free. */
const struct backtest_result *backtest_result(const struct backtest *backtest);
