#include "store/state_table.h"

#include "base/check.h"
#include "row.h"

#include <string.h>

#define COLUMNS                                                                          \
    "state, state_reason, state_since_wall_us, market_us, initial_cash, cash, realised," \
    " fees, equity_peak, day_start_equity, day, consecutive_losses, run, next_order,"    \
    " next_decision_id, next_trade_id, candles, decisions, orders, fills, trades, wins," \
    " vetoes, refused_candles, funding, last_funding_id"

int state_table_save(struct trading_store *store, const struct engine_state *s, struct err *err)
{
    ASSERT(s->cooldown_count >= 0 && s->cooldown_count <= SYMBOLS_LIMIT);
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = db_run(
            store->db,
            "INSERT OR REPLACE INTO engine_state(id, " COLUMNS ") VALUES (1, ?, ?, ?, ?, ?, ?,"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            DB_VALUES(DB_TEXT_C(trading_state_name(s->state)), DB_TEXT_C(s->state_reason),
                      DB_I64(s->state_since_wall_us), DB_I64(s->market_us), DB_DEC(s->initial_cash),
                      DB_DEC(s->cash), DB_DEC(s->realised), DB_DEC(s->fees), DB_DEC(s->equity_peak),
                      DB_DEC(s->day_start_equity), DB_I64(s->day), DB_I64(s->consecutive_losses),
                      DB_I64(s->run), DB_I64(s->next_order), DB_I64(s->next_decision_id),
                      DB_I64(s->next_trade_id), DB_I64(s->candles), DB_I64(s->decisions),
                      DB_I64(s->orders), DB_I64(s->fills), DB_I64(s->trades), DB_I64(s->wins),
                      DB_I64(s->vetoes), DB_I64(s->refused_candles), DB_DEC(s->funding),
                      DB_I64(s->last_funding_id)),
            err);
    }
    if (rc == 0) {
        rc = db_run(store->db, "DELETE FROM cooldowns", DB_NO_VALUES, err);
    }
    for (int i = 0; rc == 0 && i < s->cooldown_count; i++) {
        rc = db_run(
            store->db, "INSERT INTO cooldowns(symbol, until_us) VALUES (?, ?)",
            DB_VALUES(DB_TEXT_C(s->cooldowns[i].symbol.name), DB_I64(s->cooldowns[i].until_us)),
            err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

static int read_cooldowns(struct trading_store *store, struct engine_state *ret, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT symbol, until_us FROM cooldowns ORDER BY symbol LIMIT ?",
                      DB_VALUES(DB_I64(SYMBOLS_LIMIT)), &rows, err);
    while (rc >= 0 && ret->cooldown_count < SYMBOLS_LIMIT && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct engine_cooldown *cooldown = &ret->cooldowns[ret->cooldown_count++];
        cooldown->symbol = row_symbol(&row);
        cooldown->until_us = row_i64(&row);
        rc = row_check(&row, "cooldowns", ret->cooldown_count, err);
    }
    return rc < 0 ? rc : 0;
}

int state_table_load(struct trading_store *store, struct engine_state *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT " COLUMNS " FROM engine_state WHERE id = 1",
                           DB_NO_VALUES, &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "engine_state");
    }
    if (rc < 0) {
        return rc;
    }
    *ret = (struct engine_state){0};
    ROW_WORD(&row, trading_state, &ret->state);
    row_text(&row, ret->state_reason, sizeof(ret->state_reason));
    ret->state_since_wall_us = row_i64(&row);
    ret->market_us = row_i64(&row);
    ret->initial_cash = row_dec(&row);
    ret->cash = row_dec(&row);
    ret->realised = row_dec(&row);
    ret->fees = row_dec(&row);
    ret->equity_peak = row_dec(&row);
    ret->day_start_equity = row_dec(&row);
    ret->day = row_i64(&row);
    ret->consecutive_losses = row_i64(&row);
    ret->run = row_i64(&row);
    ret->next_order = row_i64(&row);
    ret->next_decision_id = row_i64(&row);
    ret->next_trade_id = row_i64(&row);
    ret->candles = row_i64(&row);
    ret->decisions = row_i64(&row);
    ret->orders = row_i64(&row);
    ret->fills = row_i64(&row);
    ret->trades = row_i64(&row);
    ret->wins = row_i64(&row);
    ret->vetoes = row_i64(&row);
    ret->refused_candles = row_i64(&row);
    ret->funding = row_dec(&row);
    ret->last_funding_id = row_i64(&row);
    rc = row_check(&row, "engine_state", 1, err);
    return rc < 0 ? rc : read_cooldowns(store, ret, err);
}

int state_table_write_blob(struct trading_store *store, const char *name, const void *bytes,
                           size_t size, struct err *err)
{
    ASSERT(size <= STATE_BLOB_MAX);
    return db_run(store->db,
                  "INSERT INTO blobs(name, bytes) VALUES (?, ?)"
                  " ON CONFLICT(name) DO UPDATE SET bytes = excluded.bytes",
                  DB_VALUES(DB_TEXT_C(name), DB_BLOB(str_n(bytes, size))), err);
}

int state_table_get_blob(struct trading_store *store, const char *name, void *ret, size_t max,
                         size_t *ret_size, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT bytes FROM blobs WHERE name = ?",
                           DB_VALUES(DB_TEXT_C(name)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "blob %s", name);
    }
    if (rc < 0) {
        return rc;
    }
    struct str bytes = db_blob(row.rows, 0);
    if (bytes.len > max) {
        return err_set(err, ERR_STORE_DAMAGED, "blob %s: %zu bytes, at most %zu", name, bytes.len,
                       max);
    }
    memcpy(ret, bytes.ptr, bytes.len);
    *ret_size = bytes.len;
    return 0;
}
