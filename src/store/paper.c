#include "store/paper.h"

#include "order_rows.h"

int paper_store_write_order(struct trading_store *store, const struct order *order, struct err *err)
{
    return order_rows_write(store->db, ORDER_ROWS_PUT("paper_orders"), order, err);
}

int paper_store_get_order(struct trading_store *store, const char *client_id, struct order *ret,
                          struct err *err)
{
    return order_rows_get(store->db, ORDER_ROWS_GET("paper_orders"), client_id, ret, err);
}

int paper_store_open_orders(struct trading_store *store, struct order *ret, size_t max,
                            struct err *err)
{
    return order_rows_list(store->db, ORDER_ROWS_OPEN("paper_orders"),
                           DB_VALUES(DB_I64((int64_t)max)), ret, max, err);
}

int paper_store_add_fill(struct trading_store *store, const struct fill *fill, bool *ret_fresh,
                         struct err *err)
{
    return order_rows_add_fill(store->db, FILL_ROWS_ADD("paper_fills"), fill, ret_fresh, err);
}

int paper_store_fills_after(struct trading_store *store, int64_t after_fill_id, struct fill *ret,
                            size_t max, struct err *err)
{
    return order_rows_fills(store->db,
                            "SELECT " FILL_ROWS_COLUMNS " FROM paper_fills"
                            " WHERE venue_fill_id > ? ORDER BY venue_fill_id LIMIT ?",
                            DB_VALUES(DB_I64(after_fill_id), DB_I64((int64_t)max)), ret, max, err);
}

int paper_store_fills_of(struct trading_store *store, const char *client_id, int64_t after_fill_id,
                         struct fill *ret, size_t max, struct err *err)
{
    return order_rows_fills(
        store->db,
        "SELECT " FILL_ROWS_COLUMNS " FROM paper_fills"
        " WHERE client_id = ? AND venue_fill_id > ? ORDER BY venue_fill_id LIMIT ?",
        DB_VALUES(DB_TEXT_C(client_id), DB_I64(after_fill_id), DB_I64((int64_t)max)), ret, max,
        err);
}

int paper_store_newest_fills(struct trading_store *store, const char *client_id, struct fill *ret,
                             size_t max, struct err *err)
{
    return order_rows_fills(store->db,
                            "SELECT * FROM (SELECT " FILL_ROWS_COLUMNS " FROM paper_fills"
                            " WHERE client_id = ? ORDER BY venue_fill_id DESC LIMIT ?)"
                            " ORDER BY venue_fill_id",
                            DB_VALUES(DB_TEXT_C(client_id), DB_I64((int64_t)max)), ret, max, err);
}

int paper_store_last_fill_id(struct trading_store *store, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT max(venue_fill_id) FROM paper_fills", DB_NO_VALUES, 0, ret,
                      err);
}

int paper_store_add_payment(struct trading_store *store, const struct funding *payment,
                            struct err *err)
{
    return order_rows_add_funding(store->db, FUNDING_ROWS_ADD("paper_funding"), payment, err);
}

int paper_store_payments_after(struct trading_store *store, int64_t after_id, struct funding *ret,
                               size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT funding_id, symbol, payment, at_us FROM paper_funding"
                      " WHERE funding_id > ? ORDER BY funding_id LIMIT ?",
                      DB_VALUES(DB_I64(after_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct funding *f = &ret[n++];
        f->id = row_i64(&row);
        f->symbol = row_symbol(&row);
        f->payment = row_dec(&row);
        f->at_us = row_i64(&row);
        rc = row_check(&row, "paper_funding", f->id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int paper_store_last_payment_id(struct trading_store *store, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT max(funding_id) FROM paper_funding", DB_NO_VALUES, 0, ret,
                      err);
}

int paper_store_replace_positions(struct trading_store *store, const struct position *positions,
                                  size_t count, struct err *err)
{
    return order_rows_replace_positions(store->db, POSITION_ROWS_CLEAR("paper_positions"),
                                        POSITION_ROWS_ADD("paper_positions"), positions, count,
                                        err);
}

int paper_store_positions(struct trading_store *store, struct position *ret, size_t max,
                          struct err *err)
{
    return order_rows_positions(store->db, POSITION_ROWS_LIST("paper_positions"), ret, max, err);
}

int paper_store_write_i64(struct trading_store *store, const char *name, int64_t value,
                          struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO paper_state(name, value) VALUES (?, ?)"
                  " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                  DB_VALUES(DB_TEXT_C(name), DB_I64(value)), err);
}

int paper_store_get_i64(struct trading_store *store, const char *name, int64_t fallback,
                        int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT value FROM paper_state WHERE name = ?",
                      DB_VALUES(DB_TEXT_C(name)), fallback, ret, err);
}
