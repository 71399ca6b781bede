/* Equity, slippage, funding and decisions of a period. */
#include "base/check.h"
#include "measure_internal.h"

#include <math.h>
#include <string.h>

static void add_group(const struct measure_query *q, struct measure_result *ret, struct str symbol,
                      int64_t at_us, struct measure_sum **ret_sum)
{
    char name[MEASURE_NAME_SIZE];
    *ret_sum = NULL;
    if (q->by == MEASURE_BY_SYMBOL) {
        *ret_sum = measure_group(ret, symbol);
    } else if (q->by == MEASURE_BY_DAY) {
        measure_time_name(q, at_us, name);
        *ret_sum = measure_group(ret, str_c(name));
    }
}

static void note_time(struct measure_sum *sum, int64_t at_us)
{
    sum->first_us = sum->count == 0 || at_us < sum->first_us ? at_us : sum->first_us;
    sum->last_us = at_us > sum->last_us ? at_us : sum->last_us;
}

/* ------------------------------------------------------------------ equity */

static double below(struct dec value, struct dec peak)
{
    return peak.e8 > 0 ? 100.0 * (double)(peak.e8 - value.e8) / (double)peak.e8 : 0;
}

static int read_peak(struct db *db, struct measure_result *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(db,
                      "SELECT (SELECT equity_peak FROM engine_state), equity, at_us,"
                      " (SELECT at_us FROM equity_curve ORDER BY equity DESC, at_us DESC"
                      " LIMIT 1) FROM equity_curve ORDER BY at_us DESC LIMIT 1",
                      DB_NO_VALUES, &rows, err);
    if (rc < 0 || (rc = db_next(rows, err)) <= 0) {
        return rc;
    }
    ret->peak = db_is_null(rows, 0) ? db_dec(rows, 1) : dec_max(db_dec(rows, 0), db_dec(rows, 1));
    ret->all.last_us = db_i64(rows, 2);
    ret->peak_us = db_i64(rows, 3);
    ret->now_pct = below(db_dec(rows, 1), ret->peak);
    return 0;
}

static int read_equity(struct db *db, const struct measure_query *q, struct measure_result *ret,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct dec peak = {0};
    int rc = read_peak(db, ret, err);
    if (rc == 0) {
        rc = db_query(db,
                      "SELECT at_us, equity FROM equity_curve WHERE at_us >= ? AND at_us < ?"
                      " ORDER BY at_us",
                      DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us)), &rows, err);
    }
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct dec equity = db_dec(rows, 1);
        ret->first = ret->points == 0 ? equity : ret->first;
        ret->last = equity;
        peak = ret->points == 0 ? equity : dec_max(peak, equity);
        double deep = below(equity, peak);
        if (deep > ret->drawdown_pct) {
            ret->drawdown_pct = deep;
            ret->drawdown_us = db_i64(rows, 0);
        }
        ret->points++;
    }
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ slippage */

/* Against the trader is above 0: a higher price for what is bought. */
static int read_slippage(struct db *db, const struct measure_query *q, struct measure_result *ret,
                         struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(db,
                 "SELECT symbol, created_us, filled_qty, average_price, reference_price,"
                 " CASE WHEN (side = 'long') = (kind = 'entry') THEN 1 ELSE -1 END"
                 " FROM orders WHERE created_us >= ?1 AND created_us < ?2"
                 " AND state = 'filled' AND reference_price > 0 AND average_price > 0"
                 " AND (?3 = '' OR symbol = ?3) ORDER BY created_us",
                 DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us), DB_TEXT_C(q->symbol)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        int64_t at_us = db_i64(rows, 1);
        struct dec worse = dec_sub(db_dec(rows, 3), db_dec(rows, 4));
        worse = db_i64(rows, 5) < 0 ? dec_neg(worse) : worse;
        double bp = 1e4 * (double)worse.e8 / (double)db_dec(rows, 4).e8;
        struct measure_sum *sums[2] = {&ret->all, NULL};
        add_group(q, ret, db_text(rows, 0), at_us, &sums[1]);
        for (int i = 0; i < 2 && sums[i] != NULL; i++) {
            note_time(sums[i], at_us);
            sums[i]->worst_bp = sums[i]->count == 0 ? bp : fmax(sums[i]->worst_bp, bp);
            sums[i]->bp += bp;
            sums[i]->amount = dec_add(sums[i]->amount, dec_mul(worse, db_dec(rows, 2)));
            sums[i]->count++;
        }
    }
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ funding */

static int read_funding(struct db *db, const struct measure_query *q, struct measure_result *ret,
                        struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(db,
                 "SELECT symbol, at_us, payment FROM funding WHERE at_us >= ?1 AND at_us < ?2"
                 " AND (?3 = '' OR symbol = ?3) ORDER BY at_us",
                 DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us), DB_TEXT_C(q->symbol)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        int64_t at_us = db_i64(rows, 1);
        struct measure_sum *sums[2] = {&ret->all, NULL};
        add_group(q, ret, db_text(rows, 0), at_us, &sums[1]);
        for (int i = 0; i < 2 && sums[i] != NULL; i++) {
            note_time(sums[i], at_us);
            sums[i]->amount = dec_add(sums[i]->amount, db_dec(rows, 2));
            sums[i]->count++;
        }
    }
    return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ decisions */

static void add_decision(struct measure_sum *sum, int64_t at_us, struct str outcome, bool stop)
{
    note_time(sum, at_us);
    sum->count++;
    sum->vetoed += str_equal_c(outcome, "vetoed");
    sum->entries += stop && str_equal_c(outcome, "order"); /* a close has no stop */
}

static int read_decisions(struct db *db, const struct measure_query *q, struct measure_result *ret,
                          struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(db,
                 "SELECT symbol, at_us, outcome, coalesce(stop, 0) > 0, veto_code"
                 " FROM decisions WHERE at_us >= ?1 AND at_us < ?2"
                 " AND (?3 = '' OR symbol = ?3)",
                 DB_VALUES(DB_I64(q->from_us), DB_I64(q->to_us), DB_TEXT_C(q->symbol)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        int64_t at_us = db_i64(rows, 1);
        struct measure_sum *group = NULL;
        bool stop = db_i64(rows, 3) != 0;
        add_decision(&ret->all, at_us, db_text(rows, 2), stop);
        add_group(q, ret, db_text(rows, 0), at_us, &group);
        if (q->by == MEASURE_BY_CODE && db_text(rows, 4).len > 0 &&
            str_equal_c(db_text(rows, 2), "vetoed")) {
            group = measure_group(ret, db_text(rows, 4));
        }
        if (group != NULL) {
            add_decision(group, at_us, db_text(rows, 2), stop);
        }
    }
    return rc < 0 ? rc : 0;
}

int measure_market(struct db *db, const struct measure_query *q, struct measure_result *ret,
                   struct err *err)
{
    if (q->kind == MEASURE_OF_EQUITY) {
        return read_equity(db, q, ret, err);
    }
    if (q->kind == MEASURE_OF_SLIPPAGE) {
        return read_slippage(db, q, ret, err);
    }
    return q->kind == MEASURE_OF_FUNDING ? read_funding(db, q, ret, err)
                                         : read_decisions(db, q, ret, err);
}
