/*
 * performance.h: the performance of a run, computed from marks and trades as they arrive.
 *
 *     performance_init(&p, initial_cash, start_us);
 *     performance_mark(&p, candle_close_us, equity, positions_open);   // each candle
 *     performance_entry(&p, &decision);                                // each entry order
 *     performance_trade(&p, &trade);                                   // each closed trade
 *     performance_summary(&p, &summary);                               // at any time
 *
 * Definitions. Equity includes open positions at their marks. Return: last equity against the
 * first. Drawdown: from the highest equity so far, in per cent of it; its duration is the longest
 * time that equity stayed below a peak, including a last drawdown that has not recovered. Sharpe:
 * mean / standard deviation (n - 1) of the returns, times sqrt(periods per year); Sortino: mean /
 * sqrt(mean of min(return, 0)^2), times the same factor. Risk-free rate and target are 0. Periods
 * are UTC days (365 per year) once there are PERFORMANCE_DAYS_MIN of them, else UTC hours (8760 per
 * year). Only whole periods count: the time before the first boundary and after the last one is
 * ignored, and so is a period without a candle. Sources: W. F. Sharpe, The Sharpe Ratio, 1994; F.
 * A. Sortino and L. N. Price, Performance Measurement in a Downside Risk Framework, 1994. Profit
 * factor: profits of winning trades over losses of losing trades, after fees. Expectancy: mean
 * profit per trade. Exposure: share of the time with a position open. A trade is a closed part of a
 * position, so one position can produce several. A trade is attributed to each agent that voted for
 * the side of the entry.
 * Invariants: a plain value of constant size; NaN means not defined (yet).
 * Thread: one at a time per value.
 */
#pragma once

#include "model/capacity.h"
#include "model/decision.h"
#include "model/position.h"

#include <stdbool.h>
#include <stdint.h>

#define PERFORMANCE_DAYS_MIN    30
#define PERFORMANCE_REASONS_MAX 16 /* distinct exit reasons; the last group collects all others */

struct performance_group {
    char name[32]; /* empty: not used */
    int64_t trades;
    int64_t wins;
    struct dec pnl;    /* after fees */
    struct dec profit; /* of winning trades */
    struct dec loss;   /* of losing trades, > 0 */
};

/* Returns of one kind of period. */
struct performance_returns {
    int64_t period_us;
    int64_t from_us; /* the first boundary at or after the start */
    int64_t end_us;  /* of the current period; 0: none */
    double start;    /* equity at the start of the period */
    int64_t count;   /* Welford's method: count, mean, square */
    double mean;
    double square;   /* sum of squared deviations from the mean */
    double downside; /* sum of squares of the negative returns */
};

struct performance {
    struct dec initial;
    struct dec equity; /* at the last mark */
    int64_t start_us;
    int64_t last_us;
    int64_t exposed_us;
    bool exposed; /* a position is open since the last mark */

    struct dec peak;
    int64_t peak_us; /* when equity was last at the peak */
    double drawdown; /* largest, as a fraction of the peak */
    int64_t drawdown_from_us;
    int64_t drawdown_low_us;
    int64_t under_water_us; /* longest completed drawdown */
    struct performance_returns hours;
    struct performance_returns days;

    struct performance_group all;
    struct performance_group sides[2]; /* by enum side */
    struct performance_group symbols[SYMBOLS_LIMIT];
    struct performance_group agents[VOTES_MAX];
    struct performance_group regimes[3];         /* by enum regime, at the entry */
    struct performance_group hours_of_entry[24]; /* UTC */
    struct performance_group reasons[PERFORMANCE_REASONS_MAX];
    struct dec fees;
    int64_t held_us; /* sum over trades */
    struct dec best;
    struct dec worst;

    /* The newest entry of each symbol, which is the entry of its position. */
    struct performance_entry {
        struct symbol symbol;
        int64_t decision_id; /* 0: none yet */
        enum regime regime;
        unsigned agreed; /* bit 1 << i: agents[i] voted for the side */
    } entries[SYMBOLS_LIMIT];
};

struct performance_summary {
    double return_pct;
    double max_drawdown_pct;
    int64_t max_drawdown_us; /* of the longest drawdown */
    double sharpe;
    double sortino;
    bool daily;      /* the periods of sharpe and sortino are days, else hours */
    int64_t periods; /* number of these periods */
    double profit_factor;
    double win_rate_pct;
    double expectancy; /* quote currency */
    double exposure_pct;
    int64_t mean_held_us; /* 0 without trades */
};

void performance_init(struct performance *p, struct dec equity, int64_t start_us);
/* Begins a part of a run at the end of another part, with its equity and its open entries. */
void performance_begin_after(struct performance *p, const struct performance *before);
/* at_us must increase; equity must be valid. */
void performance_mark(struct performance *p, int64_t at_us, struct dec equity, bool exposed);
/* A decision that led to an entry order. */
void performance_entry(struct performance *p, const struct decision *decision);
void performance_trade(struct performance *p, const struct trade *trade);
void performance_summary(const struct performance *p, struct performance_summary *ret);

/* Of one group; NaN without trades, or without losses. */
double performance_win_rate_pct(const struct performance_group *group);
double performance_profit_factor(const struct performance_group *group);
