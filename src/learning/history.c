#include "history.h"

#include "base/auto.h"
#include "base/check.h"
#include "store/decision_table.h"
#include "store/trade_table.h"

#include <stdlib.h>

#define READ_AT_ONCE 64

/* 1 with the decision, 0: it is not stored, or negative. */
static int find_decision(struct trading_store *trading, const struct trade *t, struct decision *ret,
                         struct err *err)
{
    int rc = t->decision_id != 0 ? decision_table_get(trading, t->decision_id, ret, err)
                                 : decision_table_of_order(trading, t->client_id, ret, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        return 0;
    }
    return rc < 0 ? rc : 1;
}

static int look_at(struct trading_store *trading, const struct trade *t, struct history_row *ret,
                   struct err *err)
{
    struct decision decision;
    struct candle_range range;
    int found = find_decision(trading, t, &decision, err);
    int rc = found < 0
                 ? found
                 : candle_table_range(trading, t->symbol, t->opened_us, t->closed_us, &range, err);
    if (rc < 0) {
        return rc;
    }
    reflect_on(t, found > 0 ? &decision : NULL, &range, &ret->reflection);
    ret->has_case = found > 0;
    if (found > 0) {
        reflect_case(t, &decision, &ret->entry);
    }
    return 0;
}

/* The newest trade's id; 0: there is none. */
static int newest_id(struct trading_store *trading, int64_t *ret, struct err *err)
{
    struct trade newest;
    int n = trade_table_list(trading, &(struct trade_query){0}, &newest, 1, err);
    *ret = n > 0 ? newest.id : 0;
    return n < 0 ? n : 0;
}

static int check_known(struct trading_store *trading, struct history_look *look, struct err *err)
{
    struct trade known;
    if (look->after_id == 0) {
        return 0;
    }
    int rc = trade_table_get(trading, look->after_id, &known, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        look->replaced = true;
        return 0;
    }
    look->replaced = rc == 0 && known.closed_us != look->after_closed_us;
    return rc;
}

int history_look(struct trading_store *trading, struct history_look *look, struct err *err)
{
    struct trade trades[HISTORY_BATCH];
    int64_t newest = 0;
    int rc = check_known(trading, look, err);
    if (rc < 0 || look->replaced) {
        return rc;
    }
    rc = newest_id(trading, &newest, err);
    int64_t after = look->after_id;
    if (after == 0 && newest > REFLECTIONS_KEPT) {
        after = newest - REFLECTIONS_KEPT;
    }
    int n = rc < 0 ? rc : trade_table_after(trading, after, trades, HISTORY_BATCH, err);
    for (int i = 0; i < n; i++) {
        rc = look_at(trading, &trades[i], &look->rows[i], err);
        if (rc < 0) {
            return rc;
        }
        look->count++;
    }
    if (n < 0) {
        return n;
    }
    look->more = n == HISTORY_BATCH && trades[n - 1].id < newest;
    return trade_table_count_after(trading, look->studied_id, &look->unstudied, err);
}

int history_read_cases(struct trading_store *trading, struct history_cases *ret, struct err *err)
{
    *ret = (struct history_cases){0};
    int64_t newest = 0;
    int rc = newest_id(trading, &newest, err);
    rc = rc < 0 ? rc : trade_table_count_after(trading, 0, &ret->trades, err);
    if (rc < 0 || newest == 0) {
        return rc;
    }
    int64_t after = newest > STUDY_CASES_MAX ? newest - STUDY_CASES_MAX : 0;
    int64_t left = newest - after < ret->trades ? newest - after : ret->trades;
    struct study_case *items = calloc((size_t)left, sizeof(*items));
    NEED_MEMORY(items != NULL);
    ret->items = items;
    struct trade trades[READ_AT_ONCE];
    int n = READ_AT_ONCE;
    while (n == READ_AT_ONCE && (int64_t)ret->count < left) {
        n = trade_table_after(trading, after, trades, READ_AT_ONCE, err);
        for (int i = 0; i < n && (int64_t)ret->count < left; i++) {
            struct decision decision;
            rc = find_decision(trading, &trades[i], &decision, err);
            if (rc < 0) {
                return rc;
            }
            if (rc > 0) {
                reflect_case(&trades[i], &decision, &ret->items[ret->count++]);
            }
            after = ret->last_trade_id = trades[i].id;
        }
    }
    return n < 0 ? n : 0;
}
