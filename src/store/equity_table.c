#include "store/equity_table.h"

#include "row.h"

int equity_table_add(struct trading_store *store, const struct equity_point *point, struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO equity(at_us, equity, cash, realised)"
                  " VALUES (?, ?, ?, ?)",
                  DB_VALUES(DB_I64(point->at_us), DB_DEC(point->equity), DB_DEC(point->cash),
                            DB_DEC(point->realised)),
                  err);
}

int equity_table_list(struct trading_store *store, int64_t since_us, int64_t until_us,
                      struct equity_point *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT * FROM (SELECT at_us, equity, cash, realised FROM equity_curve"
                      " WHERE at_us >= ?1 AND at_us < ?2 ORDER BY at_us DESC LIMIT ?3)"
                      " ORDER BY at_us",
                      DB_VALUES(DB_I64(since_us), DB_I64(until_us == 0 ? INT64_MAX : until_us),
                                DB_I64((int64_t)max)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret[n++] = (struct equity_point){.at_us = db_i64(rows, 0),
                                         .equity = db_dec(rows, 1),
                                         .cash = db_dec(rows, 2),
                                         .realised = db_dec(rows, 3)};
    }
    return rc < 0 ? rc : (int)n;
}

int equity_table_each(struct trading_store *store, int64_t since_us, equity_row_fn fn,
                      void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT at_us, equity, cash, realised FROM equity_curve WHERE at_us >= ?"
                      " ORDER BY at_us",
                      DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        const struct equity_point point = {.at_us = db_i64(rows, 0),
                                           .equity = db_dec(rows, 1),
                                           .cash = db_dec(rows, 2),
                                           .realised = db_dec(rows, 3)};
        rc = fn(&point, userdata, err);
    }
    return rc < 0 ? rc : 0;
}
