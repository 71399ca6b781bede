/*
 * performance.h: how a run of trading did, told from its marks and trades as they come.
 *
 *     performance_init(&p, initial_cash, start_us);
 *     performance_mark(&p, candle_close_us, equity, positions_open);   // each candle
 *     performance_entry(&p, &decision);                                // each entry order
 *     performance_trade(&p, &trade);                                   // each closed trade
 *     performance_summary(&p, &summary);                               // at any time
 *
 * Definitions. Equity counts open positions at their marks. Return: last equity against the first.
 * Drawdown: from the highest equity so far, in per cent of it; its duration is the longest time
 * that equity stayed below a peak, a last one that never recovered included.
 * Sharpe: mean / standard deviation (n - 1) of the returns, times sqrt(periods a year); Sortino:
 * mean / sqrt(mean of min(return, 0)^2), times the same. Risk-free rate and target are 0. Periods
 * are UTC days (365 a year) once there are PERFORMANCE_DAYS_MIN of them, else UTC hours (8760 a
 * year). Only whole ones count: what lies before the first boundary and behind the last belongs to
 * none, and one without a candle counts as none. Sources: W. F. Sharpe, The Sharpe Ratio, 1994; F.
 * A. Sortino and L. N. Price, Performance Measurement in a Downside Risk Framework, 1994. Profit
 * factor: profits of the trades that won over losses of those that lost, after fees. Expectancy:
 * mean profit of a trade. Exposure: share of the time with a position open. A trade is a part of a
 * position that was closed, so one position can make several. An agent has a trade to its name when
 * it voted for the side of the entry. Invariants: a plain value whose size does not depend on how
 * much it has seen; NaN stands for what is not defined (yet). Thread: one at a time per value.
 */
#pragma once

#include "model/decision.h"
#include "model/position.h"

#include <stdbool.h>
#include <stdint.h>

#define PERFORMANCE_DAYS_MIN    30
#define PERFORMANCE_REASONS_MAX 16 /* exit reasons told apart; the last takes all others */

struct performance_group {
    char name[32]; /* empty: not used */
    int64_t trades;
    int64_t wins;
    struct dec pnl;    /* after fees */
    struct dec profit; /* of the trades that won */
    struct dec loss;   /* of those that lost, > 0 */
};

/* Of the returns of one kind of period. */
struct performance_returns {
    int64_t period_us;
    int64_t from_us; /* the first boundary at or after the start */
    int64_t end_us;  /* of the period under way; 0: none is */
    double start;    /* equity at its beginning */
    int64_t count;   /* Welford's method from here on */
    double mean;
    double square;   /* sum of squared distances from the mean */
    double downside; /* sum of squares of what is below zero */
};

struct performance {
    struct dec initial;
    struct dec equity; /* at the last mark */
    int64_t start_us;
    int64_t last_us;
    int64_t exposed_us;
    bool exposed; /* since the last mark */

    struct dec peak;
    int64_t peak_us; /* when equity was last there */
    double drawdown; /* largest, fraction of the peak */
    int64_t drawdown_from_us;
    int64_t drawdown_low_us;
    int64_t under_water_us; /* longest that is over */
    struct performance_returns hours;
    struct performance_returns days;

    struct performance_group all;
    struct performance_group sides[2]; /* by enum side */
    struct performance_group symbols[SYMBOLS_MAX];
    struct performance_group agents[VOTES_MAX];
    struct performance_group regimes[3];         /* by enum regime, at the entry */
    struct performance_group hours_of_entry[24]; /* UTC */
    struct performance_group reasons[PERFORMANCE_REASONS_MAX];
    struct dec fees;
    int64_t held_us; /* sum over trades */
    struct dec best;
    struct dec worst;

    /* What is known of the newest entry in each symbol, which is that of its position. */
    struct performance_entry {
        struct symbol symbol;
        int64_t decision_id; /* 0: none yet */
        enum regime regime;
        unsigned agreed; /* bit 1 << i: agents[i] voted for the side */
    } entries[SYMBOLS_MAX];
};

struct performance_summary {
    double return_pct;
    double max_drawdown_pct;
    int64_t max_drawdown_us; /* duration of the longest */
    double sharpe;
    double sortino;
    bool daily;      /* what the two rest on: days, else hours */
    int64_t periods; /* how many */
    double profit_factor;
    double win_rate_pct;
    double expectancy; /* quote currency */
    double exposure_pct;
    int64_t mean_held_us; /* 0 without trades */
};

void performance_init(struct performance *p, struct dec equity, int64_t start_us);
/* A part that begins where another stands: with its equity, and the entries that are open. */
void performance_begin_after(struct performance *p, const struct performance *before);
/* at_us rises; equity is valid. */
void performance_mark(struct performance *p, int64_t at_us, struct dec equity, bool exposed);
/* A decision that an entry order came of. */
void performance_entry(struct performance *p, const struct decision *decision);
void performance_trade(struct performance *p, const struct trade *trade);
void performance_summary(const struct performance *p, struct performance_summary *ret);

/* Of one group; NaN when it has no trade, or no loss. */
double performance_win_rate_pct(const struct performance_group *group);
double performance_profit_factor(const struct performance_group *group);
