/*
 * reflection_table.h: what was seen when a closed trade was looked back at, in ops.db.
 *
 *     reflection_table_add(store, &reflection, err);         // a trade is added once
 *     rc = reflection_table_get(store, trade_id, &reflection, err);
 *
 * Always true: at most one row for a trade; adding it again changes nothing. The newest
 * REFLECTIONS_KEPT are kept.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/dec.h"
#include "base/err.h"
#include "model/order.h"
#include "model/symbol.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFLECTIONS_KEPT      2000
#define REFLECTION_WORDS_SIZE 600

struct reflection {
    int64_t trade_id;
    struct symbol symbol;
    enum side side;
    int64_t opened_us; /* market time, like closed_us */
    int64_t closed_us;
    struct dec pnl;
    double return_pct; /* pnl of the notional at entry */
    char exit_reason[32];
    /* Of the decision; NaN and "" if it is not stored. */
    int64_t decision_id; /* 0: not stored */
    double score;
    double threshold;
    double p_up;     /* the model's probability of a rise; NaN: no model was asked */
    char right[128]; /* agents whose vote turned out right, separated by ", " */
    char wrong[128];
    /* From the stored candles, in per cent of the entry price; NaN: unknown, `unknown` has why. */
    double best_pct;     /* farthest in favour while it was held, >= 0 */
    double worst_pct;    /* farthest against, >= 0 */
    double captured_pct; /* share of best_pct that the exit kept, before fees; NaN if best is 0 */
    char unknown[80];
    char words[REFLECTION_WORDS_SIZE]; /* a model's, checked; "": none */
    int64_t at_us;                     /* wall time */
};

/* *ret_added: false if the trade had one already. */
int reflection_table_add(struct ops_store *store, const struct reflection *r, bool *ret_added,
                         struct err *err);
/* ERR_STORE_NOT_FOUND. */
int reflection_table_get(struct ops_store *store, int64_t trade_id, struct reflection *ret,
                         struct err *err);
/* Newest trades first; returns the number. */
int reflection_table_list(struct ops_store *store, size_t offset, struct reflection *ret,
                          size_t max, struct err *err);
int reflection_table_set_words(struct ops_store *store, int64_t trade_id, const char *words,
                               struct err *err);
/* Of another trading.db, whose trades have the same ids. */
int reflection_table_clear(struct ops_store *store, struct err *err);
