/*
 * recommend_internal.h: what could be done better, each with its expected effect and how certain it
 * is. Private to recommend*.c.
 *
 *     struct advisor *advisor = advisor_new(&settings);
 *     rc = advisor_read(advisor, trading, ops, err);   // or trades by hand, in tests
 *     advise_trades(advisor);
 *     advise_decide(advisor);                          // corrects, drops repeats, orders
 *     advisor_free(advisor);
 *
 * Always true: all that was tested counts for the correction, whatever area is asked for, so the
 * chance that any advice of a book without any regularity is called certain is ADVICE_LEVEL. A
 * day is the unit of chance for trades: what a day brought is one value.
 * Thread: any one.
 */
#pragma once

#include "base/err.h"
#include "model/order.h"
#include "model/symbol.h"
#include "store/ops.h"
#include "store/trading.h"

#include <stdbool.h>
#include <stdint.h>

#define ADVICE_LEVEL       0.05
#define ADVICE_CASES_MIN   30
#define ADVICE_DAYS_MIN    14
#define ADVICE_DAYS        90 /* market time; of services, alerts and the model: 28 days */
#define ADVICE_TRADES_MAX  20000
#define ADVICE_SYMBOLS_MAX 12 /* with the most trades */
#define ADVICES_MAX        160

enum advice_area {
    ADVICE_RISK,
    ADVICE_RULES,
    ADVICE_SYMBOLS,
    ADVICE_HOURS,
    ADVICE_EXITS,
    ADVICE_COSTS,
    ADVICE_SERVICES,
    ADVICE_ALERTS,
    ADVICE_MODEL
};
#define ADVICE_AREAS     (ADVICE_MODEL + 1)
#define ADVICE_AREA_LIST "risk|rules|symbols|hours|exits|costs|services|alerts|model"
const char *advice_area_name(enum advice_area area);

enum advice_unit {
    ADVICE_USD,    /* a week */
    ADVICE_PCT,    /* of the time */
    ADVICE_ALERT,  /* a week */
    ADVICE_UNKNOWN /* no figure can be given */
};

enum advice_state { ADVICE_CERTAIN, ADVICE_CHANCE, ADVICE_FEW };

struct advice {
    enum advice_area area;
    enum advice_state state;
    enum advice_unit unit;
    char what[120];
    char basis[120];     /* how the effect was reckoned, in words */
    char command[120];   /* "": none does it */
    double effect;       /* expected, a week; > 0: better */
    double low, high;    /* its 95 % interval */
    int64_t cases, days; /* days 0: not by day */
    double p;            /* corrected once it is decided */
    int group;           /* its trades: the bit of advice_trade.groups; -1: none */
};

struct advice_trade {
    int64_t id;
    int64_t opened_us, closed_us; /* market time */
    int symbol;                   /* index; ADVICE_SYMBOLS_MAX: another one */
    enum side side;
    double pnl, fees, notional; /* USD */
    double best_pct, worst_pct; /* of the entry price, >= 0; NaN: not known */
    uint64_t groups;
};

struct advice_settings {
    double stop_pct, target_pct, max_position_pct;
    int64_t cooldown_us;
    int64_t now_us; /* wall */
};

struct advisor {
    struct advice_settings settings;
    int trade_count;
    struct advice_trade *trades; /* by closing time; ADVICE_TRADES_MAX */
    double *values;              /* of each trade, while one advice is weighed */
    int symbol_count;
    struct symbol symbols[ADVICE_SYMBOLS_MAX];
    int count;
    int tested;
    struct advice items[ADVICES_MAX];
};

struct advisor *advisor_new(const struct advice_settings *settings);
void advisor_free(struct advisor *advisor); /* accepts NULL */
/* From the first trade to the last, at least one day. */
double advisor_weeks(const struct advisor *advisor);
int64_t advisor_days(const struct advisor *advisor); /* with a closed trade */
/* A copy, unless there is no room. */
void advise_add(struct advisor *advisor, const struct advice *advice);

/* recommend_read.c: trades and their excursions. NULL: there is no such database. */
int advisor_read(struct advisor *advisor, struct trading_store *trading, struct ops_store *ops,
                 struct err *err);
/* recommend_trades.c: symbols, sides, hours, exits, cooldown, size, fees. */
void advise_trades(struct advisor *advisor);
/* The p-value of a group without the trades that are in a group of `kept` (a set of bits). */
double advise_rest_p(struct advisor *advisor, int group, uint64_t kept);
/* recommend_tables.c: rules, services, alerts, the model. */
int advise_tables(struct advisor *advisor, struct trading_store *trading, struct ops_store *ops,
                  struct err *err);
void advise_decide(struct advisor *advisor);

/* recommend_show.c; area -1: all. */
struct reply;
void advice_show(const struct advisor *advisor, int area, struct reply *reply);
