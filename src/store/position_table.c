#include "store/position_table.h"

#include "order_rows.h"

int position_table_replace(struct trading_store *store, const struct position *positions,
                           size_t count, struct err *err)
{
    return order_rows_replace_positions(store->db, POSITION_ROWS_CLEAR("positions"),
                                        POSITION_ROWS_ADD("positions"), positions, count, err);
}

int position_table_list(struct trading_store *store, struct position *ret, size_t max,
                        struct err *err)
{
    return order_rows_positions(store->db, POSITION_ROWS_LIST("positions"), ret, max, err);
}
