/*
 * trade_table.h: closed trades in trading.db and their statistics.
 *
 *     trade_table_add(store, &trade, err);                        // the caller sets trade.id
 *     int n = trade_table_list(store, &(struct trade_query){.since_us = day}, trades, 20, err);
 *     trade_table_stats(store, since_us, &stats, err);
 *
 * Always true: a win has pnl > 0, a loss pnl < 0; pnl is after all fees; "since" compares the
 * closing time (market time). Thread: add from the engine; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/position.h"
#include "store/trading.h"

#include <stddef.h>

#define TRADE_STATS_REASONS 16

struct trade_query {
    int64_t since_us;     /* closed at or after; 0: all */
    int64_t until_us;     /* closed before; 0: all */
    struct symbol symbol; /* empty: all */
    size_t offset;
    int64_t before_id; /* only trades with a smaller id; 0: all */
};

struct trade_group {
    char name[32]; /* an exit reason or a symbol */
    int64_t count;
    int64_t wins;
    struct dec pnl;
};

struct trade_stats {
    int64_t count;
    int64_t wins;
    int64_t losses;
    struct dec gross_profit; /* sum of the wins */
    struct dec gross_loss;   /* sum of the losses, <= 0 */
    struct dec fees;
    int64_t average_hold_us; /* 0 if count is 0 */
    int64_t longest_hold_us;
    int reason_count;
    struct trade_group reasons[TRADE_STATS_REASONS]; /* most frequent first */
    int symbol_count;
    struct trade_group symbols[TRADE_STATS_REASONS]; /* most frequent first */
};

int trade_table_add(struct trading_store *store, const struct trade *trade, struct err *err);
int trade_table_get(struct trading_store *store, int64_t id, struct trade *ret, struct err *err);
/* Newest first; returns the number or a negative error id. */
int trade_table_list(struct trading_store *store, const struct trade_query *query,
                     struct trade *ret, size_t max, struct err *err);
/* Those with a larger id, oldest first; returns the number. */
int trade_table_after(struct trading_store *store, int64_t after_id, struct trade *ret, size_t max,
                      struct err *err);
/* How many have a larger id. */
int trade_table_count_after(struct trading_store *store, int64_t after_id, int64_t *ret,
                            struct err *err);
/* Calls fn with each trade, oldest first. A negative result of fn ends it and is returned. */
typedef int (*trade_row_fn)(const struct trade *trade, void *userdata, struct err *err);
int trade_table_each(struct trading_store *store, int64_t since_us, trade_row_fn fn, void *userdata,
                     struct err *err);
int trade_table_stats(struct trading_store *store, int64_t since_us, struct trade_stats *ret,
                      struct err *err);
