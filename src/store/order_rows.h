/*
 * order_rows.h: reads and writes orders, fills, payments and positions, for the engine's tables and
 * those of the paper venue, which have the same columns.
 *
 *     order_rows_write(db, ORDER_ROWS_PUT("paper_orders"), order, err);
 *
 * Thread: that of the connection.
 */
#pragma once

#include "model/funding.h"
#include "model/order.h"
#include "model/position.h"
#include "row.h"

#define ORDER_ROWS_COLUMNS                                                      \
    "client_id, symbol, kind, side, state, qty, reference_price, stop, target," \
    " filled_qty, average_price, decision_id, created_us, updated_us, reason,"  \
    " stop_away, target_away, type, time_in_force, post_only, reduce_only, price, run_id"
#define ORDER_ROWS_PUT(table)                                                        \
    "INSERT INTO " table "(" ORDER_ROWS_COLUMNS                                      \
    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" \
    " ON CONFLICT(client_id) DO UPDATE SET symbol = excluded.symbol,"                \
    " kind = excluded.kind, side = excluded.side, state = excluded.state,"           \
    " qty = excluded.qty, reference_price = excluded.reference_price,"               \
    " stop = excluded.stop, target = excluded.target,"                               \
    " filled_qty = excluded.filled_qty, average_price = excluded.average_price,"     \
    " decision_id = excluded.decision_id, created_us = excluded.created_us,"         \
    " updated_us = excluded.updated_us, reason = excluded.reason,"                   \
    " stop_away = excluded.stop_away, target_away = excluded.target_away,"           \
    " type = excluded.type, time_in_force = excluded.time_in_force,"                 \
    " post_only = excluded.post_only, reduce_only = excluded.reduce_only,"           \
    " price = excluded.price, run_id = excluded.run_id"
#define ORDER_ROWS_GET(table) "SELECT " ORDER_ROWS_COLUMNS " FROM " table " WHERE client_id = ?"
/* rowid is the order of insertion. The plus makes SQLite use the index of open orders, which are
 * few; without it SQLite would scan all orders by rowid. */
#define ORDER_ROWS_OPEN(table)                  \
    "SELECT " ORDER_ROWS_COLUMNS " FROM " table \
    " WHERE state NOT IN ('filled', 'cancelled', 'rejected') ORDER BY +rowid LIMIT ?"

#define FILL_ROWS_COLUMNS                                            \
    "client_id, venue_fill_id, symbol, kind, side, qty, price, fee," \
    " at_us, fee_currency, fee_charged"
#define FILL_ROWS_ADD(table)                                                                \
    "INSERT INTO " table "(" FILL_ROWS_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" \
    " ON CONFLICT(venue_fill_id, client_id) DO NOTHING"
#define FILL_ROWS_OF(table) \
    "SELECT " FILL_ROWS_COLUMNS " FROM " table " WHERE client_id = ? ORDER BY id LIMIT ?"

#define FILL_ROWS_AFTER(table) \
    "SELECT " FILL_ROWS_COLUMNS " FROM " table " WHERE id > ? ORDER BY id LIMIT ?"
#define FILL_ROWS_SINCE(table) \
    "SELECT " FILL_ROWS_COLUMNS " FROM " table " WHERE at_us >= ? ORDER BY id"

#define FUNDING_ROWS_ADD(table) \
    "INSERT INTO " table "(funding_id, symbol, payment, at_us) VALUES (?, ?, ?, ?)"

#define POSITION_ROWS_COLUMNS                                                     \
    "symbol, side, qty, entry_price, stop, target, mark_price, unrealised, fees," \
    " opened_us, decision_id, client_id"
#define POSITION_ROWS_CLEAR(table) "DELETE FROM " table
#define POSITION_ROWS_ADD(table) \
    "INSERT INTO " table "(" POSITION_ROWS_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define POSITION_ROWS_LIST(table) \
    "SELECT " POSITION_ROWS_COLUMNS " FROM " table " ORDER BY symbol LIMIT ?"

int order_rows_write(struct db *db, const char *sql, const struct order *order, struct err *err);
/* ERR_STORE_NOT_FOUND. */
int order_rows_get(struct db *db, const char *sql, const char *client_id, struct order *ret,
                   struct err *err);
int order_rows_list(struct db *db, const char *sql, const struct db_value *values, size_t count,
                    struct order *ret, size_t max, struct err *err);
int order_rows_each(struct db *db, const char *sql, int64_t since_us,
                    int (*fn)(const struct order *order, void *userdata, struct err *err),
                    void *userdata, struct err *err);
int order_rows_add_fill(struct db *db, const char *sql, const struct fill *fill, bool *ret_fresh,
                        struct err *err);
int order_rows_fills(struct db *db, const char *sql, const struct db_value *values, size_t count,
                     struct fill *ret, size_t max, struct err *err);
int order_rows_each_fill(struct db *db, const char *sql, int64_t since_us,
                         int (*fn)(const struct fill *fill, void *userdata, struct err *err),
                         void *userdata, struct err *err);
int order_rows_add_funding(struct db *db, const char *sql, const struct funding *funding,
                           struct err *err);
int order_rows_replace_positions(struct db *db, const char *clear_sql, const char *add_sql,
                                 const struct position *positions, size_t count, struct err *err);
int order_rows_positions(struct db *db, const char *sql, struct position *ret, size_t max,
                         struct err *err);
