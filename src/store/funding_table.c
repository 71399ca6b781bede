#include "store/funding_table.h"

#include "order_rows.h"

int funding_table_add(struct trading_store *store, const struct funding *payment, struct err *err)
{
    return order_rows_add_funding(
        store->db,
        payment->charge
            ? "INSERT INTO charges(charge_id, symbol, amount, at_us) VALUES (?, ?, ?, ?)"
            : FUNDING_ROWS_ADD("funding"),
        payment, err);
}

int funding_table_sum(struct trading_store *store, int64_t *ret_count, struct dec *ret_paid,
                      struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT count(*), coalesce(sum(payment), 0) FROM funding",
                           DB_NO_VALUES, &row, err);
    if (rc < 0) {
        return rc;
    }
    *ret_count = db_i64(row.rows, 0);
    *ret_paid = db_dec(row.rows, 1);
    return 0;
}
