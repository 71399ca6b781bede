#include "store/model_table.h"

#include "row.h"

int model_table_add(struct trading_store *store, const struct model_row *row, int64_t *ret_id,
                    struct err *err)
{
    int rc = db_run(store->db,
                    "INSERT INTO models(path, model_hash, data_hash, features, rows, auc, log_loss,"
                    " trained_wall_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_TEXT_C(row->path), DB_TEXT_C(row->model_hash),
                              DB_TEXT_C(row->data_hash), DB_TEXT_C(row->features),
                              DB_I64(row->rows), DB_DOUBLE(row->auc), DB_DOUBLE(row->log_loss),
                              DB_I64(row->trained_wall_us)),
                    err);
    if (rc == 0) {
        *ret_id = db_last_rowid(store->db);
    }
    return rc;
}

static void read_row(struct db_rows *rows, struct model_row *ret)
{
    *ret = (struct model_row){.id = db_i64(rows, 0),
                              .rows = db_i64(rows, 5),
                              .auc = db_double(rows, 6),
                              .log_loss = db_double(rows, 7),
                              .trained_wall_us = db_i64(rows, 8)};
    /* Only model_table_add writes these columns; longer texts are cut. */
    (void)str_copy(db_text(rows, 1), ret->path, sizeof(ret->path));
    (void)str_copy(db_text(rows, 2), ret->model_hash, sizeof(ret->model_hash));
    (void)str_copy(db_text(rows, 3), ret->data_hash, sizeof(ret->data_hash));
    (void)str_copy(db_text(rows, 4), ret->features, sizeof(ret->features));
}

int model_table_list(struct trading_store *store, struct model_row *ret, size_t max,
                     struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, path, model_hash, data_hash, features, rows, auc, log_loss,"
                      " trained_wall_us FROM models ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        read_row(rows, &ret[n++]);
    }
    return rc < 0 ? rc : (int)n;
}
