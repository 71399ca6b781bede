#include "store/candle_table.h"

#include "row.h"

int candle_table_add(struct trading_store *store, struct symbol symbol, const struct candle *c,
                     struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = db_run(store->db,
                    "INSERT OR REPLACE INTO candles(symbol, open_us, open, high, low, close,"
                    " volume) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_TEXT_C(symbol.name), DB_I64(c->open_us), DB_DEC(c->open),
                              DB_DEC(c->high), DB_DEC(c->low), DB_DEC(c->close), DB_DEC(c->volume)),
                    err);
    }
    if (rc == 0) {
        int64_t oldest_us = c->open_us - (CANDLE_TABLE_KEEP - 1) * timeframe_us(TF_5M);
        rc = db_run(store->db, "DELETE FROM candles WHERE symbol = ? AND open_us < ?",
                    DB_VALUES(DB_TEXT_C(symbol.name), DB_I64(oldest_us)), err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

/* Reads the columns open_us … volume; returns the number of rows or a negative error id. */
static int read_candles(struct db_rows *rows, int rc, struct candle *ret, size_t max,
                        struct err *err)
{
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret[n++] = (struct candle){.open_us = db_i64(rows, 0),
                                   .open = db_dec(rows, 1),
                                   .high = db_dec(rows, 2),
                                   .low = db_dec(rows, 3),
                                   .close = db_dec(rows, 4),
                                   .volume = db_dec(rows, 5)};
    }
    return rc < 0 ? rc : (int)n;
}

int candle_table_between(struct trading_store *store, struct symbol symbol, int64_t since_us,
                         int64_t until_us, struct candle *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(
        store->db,
        "SELECT * FROM (SELECT open_us, open, high, low, close, volume FROM candles"
        " WHERE symbol = ? AND open_us >= ? AND open_us < ?"
        " ORDER BY open_us DESC LIMIT ?) ORDER BY open_us",
        DB_VALUES(DB_TEXT_C(symbol.name), DB_I64(since_us), DB_I64(until_us), DB_I64((int64_t)max)),
        &rows, err);
    return read_candles(rows, rc, ret, max, err);
}

int candle_table_last(struct trading_store *store, struct symbol symbol, struct candle *ret,
                      size_t max, struct err *err)
{
    return candle_table_between(store, symbol, INT64_MIN, INT64_MAX, ret, max, err);
}

int candle_table_range(struct trading_store *store, struct symbol symbol, int64_t from_us,
                       int64_t to_us, struct candle_range *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db,
        "SELECT count(*), max(high), min(low) FROM candles WHERE symbol = ?1"
        " AND open_us >= ?2 AND open_us <= ?3",
        DB_VALUES(DB_TEXT_C(symbol.name), DB_I64(from_us), DB_I64(to_us - timeframe_us(TF_5M))),
        &row, err);
    *ret = (struct candle_range){0};
    if (rc > 0) {
        ret->count = row_i64(&row);
        ret->high = row_dec(&row);
        ret->low = row_dec(&row);
    }
    return rc < 0 ? rc : 0;
}

int candle_table_import(struct trading_store *store, struct symbol symbol, enum timeframe tf,
                        const struct candle *c, struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO imported_candles(symbol, timeframe, open_us, open, high,"
                  " low, close, volume) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(symbol.name), DB_TEXT_C(timeframe_name(tf)),
                            DB_I64(c->open_us), DB_DEC(c->open), DB_DEC(c->high), DB_DEC(c->low),
                            DB_DEC(c->close), DB_DEC(c->volume)),
                  err);
}

int candle_table_imported(struct trading_store *store, struct symbol symbol, enum timeframe tf,
                          int64_t from_us, struct candle *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT open_us, open, high, low, close, volume FROM imported_candles"
                      " WHERE symbol = ? AND timeframe = ? AND open_us >= ? ORDER BY open_us"
                      " LIMIT ?",
                      DB_VALUES(DB_TEXT_C(symbol.name), DB_TEXT_C(timeframe_name(tf)),
                                DB_I64(from_us), DB_I64((int64_t)max)),
                      &rows, err);
    return read_candles(rows, rc, ret, max, err);
}
