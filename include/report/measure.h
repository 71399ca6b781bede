/*
 * measure.h: one measure of trading or of the machine, of a period: what /ask answers from.
 *
 *     struct measure_query query = {.measure = MEASURE_OF_TRADES, .from_us = from, .to_us = to};
 *     struct measure_result *result = measure_result_new();
 *     rc = measure_read(&(struct measure_sources){.trading = trading, .ops = ops}, &query, result,
 *                       err);
 *     measure_result_free(result);
 *
 * Always true: a period is from its beginning up to but not including its end. A trade counts when
 * it is closed; a win has pnl > 0, a loss pnl < 0; pnl is after all fees and before funding.
 * Amounts are sums of integers at 1e-8, so they are exact. A prediction of an agent is right if the
 * price moved to its side between entry and exit.
 * Thread: that of the connections; the work grows with the rows of the period.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "io/zone.h"

#include <stdbool.h>
#include <stdint.h>

struct db;

enum measure_kind {
    MEASURE_OF_TRADES, /* trades and all sums over them */
    MEASURE_OF_EQUITY, /* drawdown, change of equity */
    MEASURE_OF_SLIPPAGE,
    MEASURE_OF_FUNDING,
    MEASURE_OF_DECISIONS, /* and vetoes */
    MEASURE_OF_ALERTS,
    MEASURE_OF_FINDINGS,
    MEASURE_OF_AUDITS,
    MEASURE_OF_MODEL,  /* its cost */
    MEASURE_OF_CHECKS, /* uptime and outages of services */
    MEASURE_OF_ERRORS,
    MEASURE_OF_COMMANDS,
    MEASURE_OF_INCIDENTS
};

enum measure_by {
    MEASURE_BY_NONE,
    MEASURE_BY_SYMBOL,
    MEASURE_BY_EXIT,
    MEASURE_BY_SIDE,
    MEASURE_BY_HOUR,  /* of the close, in the zone */
    MEASURE_BY_DAY,   /* of the close, in the zone */
    MEASURE_BY_AGENT, /* that voted for the side of the entry */
    MEASURE_BY_REGIME,
    MEASURE_BY_CODE,
    MEASURE_BY_SERVICE
};
const char *measure_by_name(enum measure_by by); /* "none" "symbol" … */
#define MEASURE_BYS        (MEASURE_BY_SERVICE + 1)

#define MEASURE_GROUPS_MAX 400
#define MEASURE_NAME_SIZE  48

struct measure_query {
    enum measure_kind kind;
    enum measure_by by;
    char symbol[16];  /* "": all */
    char agent[16];   /* "": all; of trades: those on whose side it voted */
    char service[48]; /* "": all */
    int side;         /* 1: long, -1: short, 0: both */
    bool accuracy;    /* of trades: judge the votes */
    int64_t from_us;
    int64_t to_us;
    int64_t last;            /* the last so many trades, instead of a period; 0: the period */
    const struct zone *zone; /* NULL: UTC */
};

/* What is added up for all rows, and for each group. */
struct measure_sum {
    char name[MEASURE_NAME_SIZE];
    int64_t count; /* trades, orders, payments, decisions, alerts, calls, checks */
    int64_t wins;  /* of trades; of checks: those that succeeded */
    int64_t losses;
    struct dec amount; /* pnl, funding, cost of slippage, cost of the model */
    struct dec fees;
    struct dec profit; /* sum of the wins */
    struct dec loss;   /* sum of the losses, <= 0 */
    struct dec volume; /* entry and exit */
    struct dec best, worst;
    int64_t best_id, worst_id;
    int64_t held_us, longest_us;
    int64_t run, wins_in_a_row, losses_in_a_row; /* run > 0: of wins */
    int64_t judged, right;                       /* predictions */
    int64_t vetoed, entries;                     /* of decisions */
    int64_t outages, out_us, longest_out_us;     /* of checks */
    double bp, worst_bp;                         /* of slippage: sum, largest */
    int64_t first_us, last_us;                   /* of what was counted */
    int64_t other; /* calls without a price, open incidents, commands that only read */
};

struct measure_audit {
    int64_t id, finished_us, findings;
    char verdict[24];
};
#define MEASURE_AUDITS_MAX 10

struct measure_result {
    int64_t market_us; /* of trading: how far the market is; 0: not known */
    struct measure_sum all;
    int count;
    int left_out; /* groups beyond MEASURE_GROUPS_MAX */
    struct measure_sum groups[MEASURE_GROUPS_MAX];
    /* MEASURE_OF_EQUITY */
    int64_t points;
    struct dec first, last, peak; /* peak: of all time, as the engine has it */
    int64_t peak_us;              /* of the highest point of all time; 0: none */
    double drawdown_pct;          /* the deepest of the period, from a peak in it */
    int64_t drawdown_us;          /* when */
    double now_pct;               /* the newest point, below the peak of all time */
    /* MEASURE_OF_AUDITS, newest first */
    int audit_count;
    struct measure_audit audits[MEASURE_AUDITS_MAX];
};

struct measure_sources {
    struct db *trading; /* NULL: there is no such database; its measures are empty */
    struct db *ops;
};

struct measure_result *measure_result_new(void);
void measure_result_free(struct measure_result *result);
int measure_read(const struct measure_sources *sources, const struct measure_query *query,
                 struct measure_result *ret, struct err *err);
