#include "store/trade_table.h"

#include "base/check.h"
#include "row.h"

#define COLUMNS                                                                        \
    "id, symbol, side, qty, entry_price, exit_price, pnl, fees, opened_us, closed_us," \
    " decision_id, exit_reason, client_id, run_id"

int trade_table_add(struct trading_store *store, const struct trade *t, struct err *err)
{
    ASSERT(t->id > 0);
    return db_run(store->db,
                  "INSERT INTO trades(" COLUMNS
                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_I64(t->id), DB_TEXT_C(t->symbol.name), DB_TEXT_C(side_name(t->side)),
                            DB_DEC(t->qty), DB_DEC(t->entry_price), DB_DEC(t->exit_price),
                            DB_DEC(t->pnl), DB_DEC(t->fees), DB_I64(t->opened_us),
                            DB_I64(t->closed_us), DB_I64(t->decision_id), DB_TEXT_C(t->exit_reason),
                            DB_TEXT_C(t->client_id), DB_I64(t->run_id)),
                  err);
}

static int read_trade(struct db_rows *rows, struct trade *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct trade){0};
    ret->id = row_i64(&row);
    ret->symbol = row_symbol(&row);
    ROW_WORD(&row, side, &ret->side);
    ret->qty = row_dec(&row);
    ret->entry_price = row_dec(&row);
    ret->exit_price = row_dec(&row);
    ret->pnl = row_dec(&row);
    ret->fees = row_dec(&row);
    ret->opened_us = row_i64(&row);
    ret->closed_us = row_i64(&row);
    ret->decision_id = row_i64(&row);
    row_text(&row, ret->exit_reason, sizeof(ret->exit_reason));
    row_text(&row, ret->client_id, sizeof(ret->client_id));
    ret->run_id = row_i64(&row);
    return row_check(&row, "trades", ret->id, err);
}

int trade_table_get(struct trading_store *store, int64_t id, struct trade *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT " COLUMNS " FROM trades WHERE id = ?",
                           DB_VALUES(DB_I64(id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "trade %lld", (long long)id);
    }
    return rc < 0 ? rc : read_trade(row.rows, ret, err);
}

int trade_table_list(struct trading_store *store, const struct trade_query *query,
                     struct trade *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " COLUMNS " FROM trades WHERE closed_us >= ?1"
                      " AND (?2 = '' OR symbol = ?2) AND (?5 = 0 OR id < ?5)"
                      " AND (?6 = 0 OR closed_us < ?6)"
                      " ORDER BY id DESC LIMIT ?3 OFFSET ?4",
                      DB_VALUES(DB_I64(query->since_us), DB_TEXT_C(query->symbol.name),
                                DB_I64((int64_t)max), DB_I64((int64_t)query->offset),
                                DB_I64(query->before_id), DB_I64(query->until_us)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_trade(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int trade_table_after(struct trading_store *store, int64_t after_id, struct trade *ret, size_t max,
                      struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT " COLUMNS " FROM trades WHERE id > ? ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(after_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_trade(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int trade_table_count_after(struct trading_store *store, int64_t after_id, int64_t *ret,
                            struct err *err)
{
    return db_get_i64(store->db, "SELECT count(*) FROM trades WHERE id > ?",
                      DB_VALUES(DB_I64(after_id)), 0, ret, err);
}

int trade_table_each(struct trading_store *store, int64_t since_us, trade_row_fn fn, void *userdata,
                     struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    struct trade trade;
    int rc = db_query(store->db, "SELECT " COLUMNS " FROM trades WHERE closed_us >= ? ORDER BY id",
                      DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        rc = read_trade(rows, &trade, err);
        rc = rc < 0 ? rc : fn(&trade, userdata, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_groups(struct trading_store *store, const char *sql, int64_t since_us,
                       struct trade_group *ret, int *ret_count, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, sql, DB_VALUES(DB_I64(since_us), DB_I64(TRADE_STATS_REASONS)),
                      &rows, err);
    int n = 0;
    while (rc >= 0 && n < TRADE_STATS_REASONS && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        row_text(&row, ret[n].name, sizeof(ret[n].name));
        ret[n].count = row_i64(&row);
        ret[n].wins = row_i64(&row);
        ret[n].pnl = row_dec(&row);
        n++;
    }
    *ret_count = n;
    return rc < 0 ? rc : 0;
}

int trade_table_stats(struct trading_store *store, int64_t since_us, struct trade_stats *ret,
                      struct err *err)
{
    *ret = (struct trade_stats){0};
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT count(*), total(pnl > 0), total(pnl < 0),"
                           " coalesce(sum(CASE WHEN pnl > 0 THEN pnl END), 0),"
                           " coalesce(sum(CASE WHEN pnl < 0 THEN pnl END), 0),"
                           " coalesce(sum(fees), 0), coalesce(avg(closed_us - opened_us), 0),"
                           " coalesce(max(closed_us - opened_us), 0)"
                           " FROM trades WHERE closed_us >= ?",
                           DB_VALUES(DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->count = row_i64(&row);
    ret->wins = row_i64(&row);
    ret->losses = row_i64(&row);
    ret->gross_profit = row_dec(&row);
    ret->gross_loss = row_dec(&row);
    ret->fees = row_dec(&row);
    ret->average_hold_us = row_i64(&row);
    ret->longest_hold_us = row_i64(&row);
    rc = read_groups(store,
                     "SELECT exit_reason, count(*), total(pnl > 0), sum(pnl) FROM trades"
                     " WHERE closed_us >= ? GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
                     since_us, ret->reasons, &ret->reason_count, err);
    if (rc < 0) {
        return rc;
    }
    return read_groups(store,
                       "SELECT symbol, count(*), total(pnl > 0), sum(pnl) FROM trades"
                       " WHERE closed_us >= ? GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?",
                       since_us, ret->symbols, &ret->symbol_count, err);
}
