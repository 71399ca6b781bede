/*
 * backtest.h: the engine over candles of the past, as fast as it goes.
 *
 *     struct backtest *backtest = backtest_new(
 *         &(struct backtest_options){.settings = &settings, .source = &files.source});
 *     rc = backtest_run(backtest, err);
 *     report(backtest_result(backtest));
 *     backtest_free(backtest);
 *
 * A driver around engine_step like the one that trades: the same step, the same paper venue
 * without its disk, the same order of events (the venue sees the candles, then the engine, then
 * orders go out and answers come back), so the same candles and settings give the same trades as
 * paper trading does, to the last unit. Fill rule: what a decision orders fills at the next
 * candle's open (venue/paper_book.h has all of it).
 * Warm-up, as when the daemon starts: with from_us the BACKTEST_WARM_UP_MIN minutes before it, as
 * far as there are any, only warm the indicators; without, trading begins with the first candle,
 * and nothing is decided until the indicators are defined (35 bars of the decision frame).
 * What is open when the candles end stays open, and counts at its mark.
 * With seen_until_us the run falls in two: what a model has learned from is no test of it. Each
 * part has its own performance; a trade belongs to the part that it was opened in. Its monotonic
 * clock goes a minute for each BACKTEST_SPEED minutes of the market. Invariants: memory does not
 * depend on how many candles there are; no trade depends on a candle that came after it. Thread:
 * one at a time per backtest.
 */
#pragma once

#include "base/err.h"
#include "engine/driver.h"
#include "engine/performance.h"
#include "market/source.h"
#include "model/settings.h"

#define BACKTEST_WARM_UP_MIN DRIVER_WARM_UP_MIN
#define BACKTEST_SPEED       60
/* Most points of the curve; when it is full two become one. */
#define BACKTEST_CURVE_MAX 2048
/* Most trades that are kept for a chart; when it is full every second one goes. */
#define BACKTEST_MARKS_MAX 256
/* on_candles is called once in so many moments of the market. */
#define BACKTEST_REPORT_EVERY 16384

struct backtest_options {
    const struct settings *settings;   /* what is traded is settings.symbols; copied */
    struct source *source;             /* of those symbols; outlives the run */
    const struct predictor *predictor; /* NULL: none; outlives the run */
    int64_t from_us;                   /* trade from here on; 0: from the first candle */
    int64_t to_us; /* candles that open here or later are not used; 0: to the end */
    int64_t
        seen_until_us; /* the predictor has learned from the market until here; 0: from nothing */
    /* NULL: nobody listens. */
    void (*on_trade)(const struct trade *trade, void *userdata);
    void (*on_candles)(int64_t market_us, int64_t candles, void *userdata);
    void *userdata;
};

struct backtest_point {
    int64_t at_us;       /* close of the last candle in it */
    double equity;       /* there */
    double drawdown_pct; /* the deepest on the way */
    double prices[SYMBOLS_MAX];
};

struct backtest_mark {
    int symbol; /* index into the settings' */
    enum side side;
    int64_t opened_us;
    int64_t closed_us;
    double entry_price;
    double exit_price;
    double pnl;
};

struct backtest_result {
    struct performance performance;    /* of the whole */
    bool has_seen;                     /* whether some was traded that the predictor had seen, */
    bool has_unseen;                   /* and then, whether any was that it had not */
    struct performance seen;           /* with has_seen */
    struct performance unseen;         /* with has_unseen; without has_seen it is the whole */
    double unseen_prices[SYMBOLS_MAX]; /* when it began */
    struct snapshot snapshot;          /* of the end: what is open, counters, state */
    int64_t candles;                   /* that were traded on, each symbol's counted */
    int64_t warm_up_candles;           /* before them */
    int64_t start_us;                  /* open of the first that was traded on */
    int64_t end_us;                    /* close of the last candle */
    double start_prices[SYMBOLS_MAX];  /* when trading began; 0: none known */
    int point_count;
    struct backtest_point points[BACKTEST_CURVE_MAX];
    int mark_count;
    int64_t mark_every; /* each n-th trade is a mark */
    struct backtest_mark marks[BACKTEST_MARKS_MAX];
};

struct backtest;

/* Never NULL. */
struct backtest *backtest_new(const struct backtest_options *options);
void backtest_free(struct backtest *backtest);
/* To the end of the source or of the range. ERR_ENGINE_BACKTEST_EMPTY when no candle was left to
 * trade on. Once per backtest. */
int backtest_run(struct backtest *backtest, struct err *err);
/* Valid until backtest_free. */
const struct backtest_result *backtest_result(const struct backtest *backtest);
