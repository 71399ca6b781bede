#include "store/order_table.h"

#include "order_rows.h"

int order_table_write(struct trading_store *store, const struct order *order, struct err *err)
{
    return order_rows_write(store->db, ORDER_ROWS_PUT("orders"), order, err);
}

int order_table_get(struct trading_store *store, const char *client_id, struct order *ret,
                    struct err *err)
{
    return order_rows_get(store->db, ORDER_ROWS_GET("orders"), client_id, ret, err);
}

int order_table_open(struct trading_store *store, struct order *ret, size_t max, struct err *err)
{
    return order_rows_list(store->db, ORDER_ROWS_OPEN("orders"), DB_VALUES(DB_I64((int64_t)max)),
                           ret, max, err);
}

#define SELECT_ORDERS "SELECT " ORDER_ROWS_COLUMNS " FROM orders WHERE "
#define SOME_OF                                                                    \
    "(?1 = '' OR symbol = ?1) AND (?2 IS NULL OR state = ?2) AND created_us >= ?3" \
    " AND (?4 = 0 OR created_us < ?4) AND (?5 IS NULL OR rowid <"                  \
    " (SELECT other.rowid FROM orders AS other WHERE other.client_id = ?5))"       \
    " ORDER BY rowid DESC LIMIT ?6"

int order_table_list(struct trading_store *store, const struct order_query *query,
                     struct order *ret, size_t max, struct err *err)
{
    /* The comparison with 0 lets SQLite use the index, which has only orders with a run. */
    return order_rows_list(
        store->db,
        query->run_id == 0 ? SELECT_ORDERS "?7 = 0 AND " SOME_OF
                           : SELECT_ORDERS "run_id = ?7 AND run_id <> 0 AND " SOME_OF,
        DB_VALUES(DB_TEXT_C(query->symbol.name), DB_TEXT_OR_NULL(query->state),
                  DB_I64(query->since_us), DB_I64(query->until_us), DB_TEXT_OR_NULL(query->before),
                  DB_I64((int64_t)max), DB_I64(query->run_id)),
        ret, max, err);
}

int order_table_each(struct trading_store *store, int64_t since_us, order_row_fn fn, void *userdata,
                     struct err *err)
{
    return order_rows_each(
        store->db, "SELECT " ORDER_ROWS_COLUMNS " FROM orders WHERE created_us >= ? ORDER BY rowid",
        since_us, fn, userdata, err);
}

int order_table_count(struct trading_store *store, int64_t *ret_all, int64_t *ret_open,
                      int64_t *ret_unknown, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT count(*), total(state NOT IN ('filled', 'cancelled',"
                           " 'rejected')), total(state = 'unknown') FROM orders",
                           DB_NO_VALUES, &row, err);
    if (rc < 0) {
        return rc;
    }
    *ret_all = db_i64(row.rows, 0);
    *ret_open = db_i64(row.rows, 1);
    *ret_unknown = db_i64(row.rows, 2);
    return 0;
}
