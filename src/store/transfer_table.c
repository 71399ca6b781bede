#include "store/transfer_table.h"

#include "row.h"

int transfer_table_add(struct trading_store *store, const struct transfer *transfer,
                       struct err *err)
{
    return db_run(
        store->db, "INSERT INTO transfers(request_id, amount, at_us) VALUES (?, ?, ?)",
        DB_VALUES(DB_I64(transfer->request_id), DB_DEC(transfer->amount), DB_I64(transfer->at_us)),
        err);
}
