/*
 * figure_table.h: sums over the closed trades and funding payments in trading.db, by period and by
 * group.
 *
 *     struct figure_sum week;
 *     figure_table_sum(store, monday_us, INT64_MAX, &week, err);
 *     net = dec_sub(week.pnl, dec_add(week.funding, week.charges));
 *     figure_table_groups(store, FIGURE_BY_AGENT, since_us, on_group, self, err);
 *
 * Always true: a trade counts at its closing time and a payment at its own (market time); pnl is
 * after fees and before funding; a win has pnl > 0, a loss pnl < 0. The work grows with the number
 * of trades, so call it on a helper thread.
 * Thread: that of the connection.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "store/trading.h"

#include <stdint.h>

struct figure_sum {
    int64_t trades;
    int64_t wins;
    int64_t losses;
    struct dec pnl;
    struct dec fees;    /* of these trades, entry and exit */
    struct dec profit;  /* sum of the wins */
    struct dec loss;    /* sum of the losses, <= 0 */
    struct dec best;    /* the largest pnl; zero without trades, as the next */
    struct dec worst;   /* the smallest pnl */
    struct dec funding; /* > 0: paid by the account; zero in groups */
    struct dec charges; /* fees of the account that belong to no trade; zero in groups */
    int64_t held_us;    /* sum over the trades */
    int64_t first_us;   /* closing time of the first trade; 0 without trades */
    int64_t last_us;
};

enum figure_by {
    FIGURE_BY_SYMBOL,
    FIGURE_BY_AGENT,  /* that voted for the side of the entry; a trade has several, or none */
    FIGURE_BY_REGIME, /* at the entry; "" if the decision is not known */
    FIGURE_BY_HOUR,   /* of the entry: name is empty, key is the start of a quarter of an hour */
    FIGURE_BY_EXIT
};

struct figure_group {
    char name[32];
    int64_t key;
    struct figure_sum sum;
};

typedef void (*figure_group_fn)(const struct figure_group *group, void *userdata);

/* From from_us on, before to_us. */
int figure_table_sum(struct trading_store *store, int64_t from_us, int64_t to_us,
                     struct figure_sum *ret, struct err *err);
/* Trades closed from since_us on; calls fn for each group, in no order. */
int figure_table_groups(struct trading_store *store, enum figure_by by, int64_t since_us,
                        figure_group_fn fn, void *userdata, struct err *err);
/* What a symbol did in an hour (start, market time): trades that began or ended, decisions, and
 * those of them that wanted a trade. Calls fn for each hour with any, in no order. */
struct figure_hour {
    char symbol[32];
    int64_t at_us;
    int64_t trades, decisions, wanted;
};
typedef void (*figure_hour_fn)(const struct figure_hour *hour, void *userdata);
int figure_table_hours(struct trading_store *store, int64_t since_us, figure_hour_fn fn,
                       void *userdata, struct err *err);
/* Adds b to *a. */
void figure_sum_add(struct figure_sum *a, const struct figure_sum *b);
