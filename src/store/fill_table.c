#include "store/fill_table.h"

#include "order_rows.h"

int fill_table_add(struct trading_store *store, const struct fill *fill, bool *ret_fresh,
                   struct err *err)
{
    return order_rows_add_fill(store->db, FILL_ROWS_ADD("fills"), fill, ret_fresh, err);
}

int fill_table_of_order(struct trading_store *store, const char *client_id, struct fill *ret,
                        size_t max, struct err *err)
{
    return order_rows_fills(store->db, FILL_ROWS_OF("fills"),
                            DB_VALUES(DB_TEXT_C(client_id), DB_I64((int64_t)max)), ret, max, err);
}

int fill_table_after(struct trading_store *store, int64_t after, struct fill *ret, size_t max,
                     int64_t *ret_last, struct err *err)
{
    *ret_last = after;
    int rc = order_rows_fills(store->db, FILL_ROWS_AFTER("fills"),
                              DB_VALUES(DB_I64(after), DB_I64((int64_t)max)), ret, max, err);
    if (rc <= 0) {
        return rc;
    }
    int last = db_get_i64(store->db,
                          "SELECT max(id) FROM (SELECT id FROM fills WHERE id > ? ORDER BY id"
                          " LIMIT ?)",
                          DB_VALUES(DB_I64(after), DB_I64(rc)), after, ret_last, err);
    return last < 0 ? last : rc;
}

int fill_table_last(struct trading_store *store, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT max(id) FROM fills", DB_NO_VALUES, 0, ret, err);
}

int fill_table_newest_ids(struct trading_store *store, const char *client_id,
                          char (*ret)[FILL_ID_SIZE], int max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT venue_fill_id FROM (SELECT id, venue_fill_id FROM fills"
                      " WHERE client_id = ? ORDER BY id DESC LIMIT ?) ORDER BY id",
                      DB_VALUES(DB_TEXT_C(client_id), DB_I64(max)), &rows, err);
    int n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        row_text(&row, ret[n++], FILL_ID_SIZE);
        rc = row_check(&row, "fills", n, err);
    }
    return rc < 0 ? rc : n;
}

int fill_table_each(struct trading_store *store, int64_t since_us, fill_row_fn fn, void *userdata,
                    struct err *err)
{
    return order_rows_each_fill(store->db, FILL_ROWS_SINCE("fills"), since_us, fn, userdata, err);
}

int fill_table_sum(struct trading_store *store, int64_t *ret_count, struct dec *ret_fees,
                   struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT count(*), coalesce(sum(fee), 0) FROM fills",
                           DB_NO_VALUES, &row, err);
    if (rc < 0) {
        return rc;
    }
    *ret_count = db_i64(row.rows, 0);
    *ret_fees = db_dec(row.rows, 1);
    return 0;
}
