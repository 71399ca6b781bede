#include "store/factor_table.h"

#include "row.h"

int factor_table_get(struct ops_store *store, const char *user, struct factor *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    *ret = (struct factor){0};
    int rc = row_query_one(store->db,
                           "SELECT last_step, failures, window_us, locked_until_us"
                           " FROM second_factors WHERE user = ?",
                           DB_VALUES(DB_TEXT_C(user)), &row, err);
    if (rc <= 0) {
        return rc;
    }
    ret->last_step = row_i64(&row);
    ret->failures = row_i64(&row);
    ret->window_us = row_i64(&row);
    ret->locked_until_us = row_i64(&row);
    return row_check(&row, "second_factors", 0, err);
}

int factor_table_save(struct ops_store *store, const char *user, const struct factor *f,
                      struct err *err)
{
    return db_run(store->db,
                  "INSERT OR REPLACE INTO second_factors(user, last_step, failures, window_us,"
                  " locked_until_us) VALUES (?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(user), DB_I64(f->last_step), DB_I64(f->failures),
                            DB_I64(f->window_us), DB_I64(f->locked_until_us)),
                  err);
}
