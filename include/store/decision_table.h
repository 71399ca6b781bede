/*
 * decision_table.h: decisions in trading.db with their votes, reasons, vetoes and order.
 *
 *     decision_table_add(store, &decision, err);                  // the caller sets decision.id
 *     decision_table_last(store, symbol, &decision, err);         // for /why BTC-USD
 *     decision_table_of_order(store, client_id, &decision, err);  // for /why of a trade
 *
 * Always true: a read returns exactly what add wrote, finite doubles bit for bit.
 * A missing row is ERR_STORE_NOT_FOUND, an unreadable one ERR_STORE_DAMAGED.
 * Thread: add from the engine; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "model/decision.h"
#include "store/trading.h"

#include <stddef.h>

#define DECISION_VETO_CODES 32

struct decision_query {
    struct symbol symbol; /* empty: all */
    bool skip_holds;      /* only decisions to trade */
    const char *outcome;  /* "hold", "vetoed", "order"; NULL: all */
    int64_t since_us;
    int64_t until_us;  /* before; 0: all */
    int64_t before_id; /* only those with a smaller id; 0: all */
    size_t offset;
};

struct decision_counts {
    int64_t holds;
    int64_t vetoed;
    int64_t orders;
    int code_count;
    struct {
        char code[32];
        int64_t count;
    } codes[DECISION_VETO_CODES]; /* most frequent first */
};

int decision_table_add(struct trading_store *store, const struct decision *decision,
                       struct err *err);
int decision_table_get(struct trading_store *store, int64_t id, struct decision *ret,
                       struct err *err);
/* The newest one of a symbol (empty: of any). */
int decision_table_last(struct trading_store *store, struct symbol symbol, struct decision *ret,
                        struct err *err);
int decision_table_of_order(struct trading_store *store, const char *client_id,
                            struct decision *ret, struct err *err);
/* Newest first; returns the number or a negative error id. */
int decision_table_list(struct trading_store *store, const struct decision_query *query,
                        struct decision *ret, size_t max, struct err *err);
/* Those with a larger id, oldest first; returns the number. */
int decision_table_after(struct trading_store *store, int64_t after_id, struct decision *ret,
                         size_t max, struct err *err);
/* Those vetoed after the decision with this id, oldest first; returns the number. */
int decision_table_vetoed(struct trading_store *store, int64_t after_id, struct decision *ret,
                          size_t max, struct err *err);
/* Calls fn with each decision, oldest first. A negative result of fn ends it and is returned. */
typedef int (*decision_row_fn)(const struct decision *decision, void *userdata, struct err *err);
int decision_table_each(struct trading_store *store, int64_t since_us, decision_row_fn fn,
                        void *userdata, struct err *err);
int decision_table_counts(struct trading_store *store, int64_t since_us,
                          struct decision_counts *ret, struct err *err);
