/*
 * rule_table.h: trading rules and their shadows in trading.db.
 *
 *     rule_table_save(store, &book, err);      // engine: in the transaction of its step
 *     rule_table_load(store, &book, err);      // engine: at its start
 *     int n = rule_table_list(store, &(struct rule_query){.retired = true}, rules, 50, err);
 *
 * Always true: rules are never deleted, not even retired ones; the shadows are exactly those of the
 * last book saved. ERR_STORE_DAMAGED if the condition of a rule does not compile: a rule that
 * forbids entries must not be dropped silently.
 * Thread: save and load from the engine; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/rule.h"
#include "store/trading.h"

#include <stddef.h>

struct rule_query {
    int64_t id;            /* only this one; 0: all */
    bool retired;          /* include retired rules */
    const char *condition; /* only rules with it, in normal form; NULL: all */
    int64_t before_id;     /* only rules with a smaller id; 0: all */
};

int rule_table_save(struct trading_store *store, const struct rule_book *book, struct err *err);
int rule_table_load(struct trading_store *store, struct rule_book *ret, struct err *err);
/* Newest first; returns the number or a negative error id. */
int rule_table_list(struct trading_store *store, const struct rule_query *query, struct rule *ret,
                    size_t max, struct err *err);
