#include "store/figure_table.h"

#include "row.h"

/* The order in which read_sum reads them. */
#define SUMS                                                                                       \
    "count(*), coalesce(sum(t.pnl > 0), 0), coalesce(sum(t.pnl < 0), 0), coalesce(sum(t.pnl), 0)," \
    " coalesce(sum(t.fees), 0), coalesce(sum(CASE WHEN t.pnl > 0 THEN t.pnl END), 0),"             \
    " coalesce(sum(CASE WHEN t.pnl < 0 THEN t.pnl END), 0), coalesce(max(t.pnl), 0),"              \
    " coalesce(min(t.pnl), 0), coalesce(sum(t.closed_us - t.opened_us), 0),"                       \
    " coalesce(min(t.closed_us), 0), coalesce(max(t.closed_us), 0)"

static void read_sum(struct row *row, struct figure_sum *ret)
{
    *ret = (struct figure_sum){0};
    ret->trades = row_i64(row);
    ret->wins = row_i64(row);
    ret->losses = row_i64(row);
    ret->pnl = row_dec(row);
    ret->fees = row_dec(row);
    ret->profit = row_dec(row);
    ret->loss = row_dec(row);
    ret->best = row_dec(row);
    ret->worst = row_dec(row);
    ret->held_us = row_i64(row);
    ret->first_us = row_i64(row);
    ret->last_us = row_i64(row);
}

void figure_sum_add(struct figure_sum *a, const struct figure_sum *b)
{
    if (b->trades > 0) {
        a->best = a->trades == 0 ? b->best : dec_max(a->best, b->best);
        a->worst = a->trades == 0 ? b->worst : dec_min(a->worst, b->worst);
        a->first_us = a->trades == 0 || b->first_us < a->first_us ? b->first_us : a->first_us;
        a->last_us = b->last_us > a->last_us ? b->last_us : a->last_us;
    }
    a->trades += b->trades;
    a->wins += b->wins;
    a->losses += b->losses;
    a->pnl = dec_add(a->pnl, b->pnl);
    a->fees = dec_add(a->fees, b->fees);
    a->profit = dec_add(a->profit, b->profit);
    a->loss = dec_add(a->loss, b->loss);
    a->funding = dec_add(a->funding, b->funding);
    a->charges = dec_add(a->charges, b->charges);
    a->held_us += b->held_us;
}

int figure_table_sum(struct trading_store *store, int64_t from_us, int64_t to_us,
                     struct figure_sum *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT " SUMS " FROM trades t WHERE closed_us >= ? AND closed_us < ?",
                           DB_VALUES(DB_I64(from_us), DB_I64(to_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    read_sum(&row, ret);
    AUTO_ROW struct row funding = {0};
    rc = row_query_one(store->db,
                       "SELECT (SELECT coalesce(sum(payment), 0) FROM funding"
                       " WHERE at_us >= ?1 AND at_us < ?2), (SELECT coalesce(sum(amount), 0)"
                       " FROM charges WHERE at_us >= ?1 AND at_us < ?2)",
                       DB_VALUES(DB_I64(from_us), DB_I64(to_us)), &funding, err);
    if (rc < 0) {
        return rc;
    }
    ret->funding = row_dec(&funding);
    ret->charges = row_dec(&funding);
    return 0;
}

/* SQL texts are constants, because statements are cached by their text. Votes that cannot be read
 * count as none. */
static const char *group_sql(enum figure_by by)
{
    switch (by) {
    case FIGURE_BY_SYMBOL:
        return "SELECT t.symbol, 0, " SUMS " FROM trades t WHERE t.closed_us >= ? GROUP BY 1";
    case FIGURE_BY_AGENT:
        return "SELECT v.value ->> '$.agent', 0, " SUMS " FROM trades t"
               " JOIN decisions d ON d.id = t.decision_id,"
               " json_each(CASE WHEN json_valid(d.votes) THEN d.votes ELSE '[]' END) v"
               " WHERE t.closed_us >= ? AND v.value ->> '$.direction' = d.direction GROUP BY 1";
    case FIGURE_BY_REGIME:
        return "SELECT coalesce(d.regime, ''), 0, " SUMS " FROM trades t"
               " LEFT JOIN decisions d ON d.id = t.decision_id WHERE t.closed_us >= ? GROUP BY 1";
    case FIGURE_BY_HOUR:
        return "SELECT '', t.opened_us / 900000000 * 900000000, " SUMS
               " FROM trades t WHERE t.closed_us >= ? GROUP BY 2";
    case FIGURE_BY_EXIT:
        return "SELECT t.exit_reason, 0, " SUMS " FROM trades t WHERE t.closed_us >= ? GROUP BY 1";
    }
    return "";
}

int figure_table_groups(struct trading_store *store, enum figure_by by, int64_t since_us,
                        figure_group_fn fn, void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, group_sql(by), DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct figure_group group = {0};
        row_text(&row, group.name, sizeof(group.name));
        group.key = row_i64(&row);
        read_sum(&row, &group.sum);
        rc = row_check(&row, "trades", 0, err);
        if (rc == 0) {
            fn(&group, userdata);
        }
    }
    return rc < 0 ? rc : 0;
}

int figure_table_hours(struct trading_store *store, int64_t since_us, figure_hour_fn fn,
                       void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT symbol, at / 3600000000 * 3600000000, sum(t), sum(d), sum(w) FROM ("
                      "SELECT symbol, opened_us at, 1 t, 0 d, 0 w FROM trades WHERE closed_us >= ?1"
                      " AND opened_us >= ?1 UNION ALL"
                      " SELECT symbol, closed_us, 1, 0, 0 FROM trades WHERE closed_us >= ?1"
                      " UNION ALL SELECT symbol, at_us, 0, 1, outcome <> 'hold' FROM decisions"
                      " WHERE at_us >= ?1) GROUP BY 1, 2",
                      DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct figure_hour hour;
        row_text(&row, hour.symbol, sizeof(hour.symbol));
        hour.at_us = row_i64(&row);
        hour.trades = row_i64(&row);
        hour.decisions = row_i64(&row);
        hour.wanted = row_i64(&row);
        rc = row_check(&row, "trades", 0, err);
        if (rc == 0) {
            fn(&hour, userdata);
        }
    }
    return rc < 0 ? rc : 0;
}
