#include "store/request_table.h"

#include "row.h"

int request_table_add(struct trading_store *store, const struct request *request, int err_id,
                      int64_t at_us, struct err *err)
{
    /* Stores the code, because ids are positions in the catalogue and change between versions. */
    const char *code = err_id == ERR_NONE ? "" : err_info(err_id)->code;
    int rc =
        db_run(store->db,
               "INSERT INTO engine_requests(id, kind, symbol, asked_by, error_code, at_us, run_id)"
               " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING",
               DB_VALUES(DB_I64(request->id), DB_TEXT_C(request_kind_name(request->kind)),
                         DB_TEXT_C(request->symbol.name), DB_TEXT_C(request->by), DB_TEXT_C(code),
                         DB_I64(at_us), DB_I64(request->run_id)),
               err);
    if (rc == 0 && db_changes(store->db) == 0) {
        return err_set(err, ERR_STORE_DUPLICATE, "request %lld", (long long)request->id);
    }
    return rc;
}

int request_table_result(struct trading_store *store, int64_t id, struct request_result *ret,
                         struct err *err)
{
    *ret = (struct request_result){0};
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT error_code, at_us FROM engine_requests WHERE id = ?",
                           DB_VALUES(DB_I64(id)), &row, err);
    if (rc <= 0) {
        return rc;
    }
    char code[64] = "";
    row_text(&row, code, sizeof(code));
    ret->found = true;
    ret->at_us = row_i64(&row);
    if (code[0] != '\0') {
        /* An unknown code, of another version, is still a refusal. */
        enum err_id known = err_by_code(code);
        ret->err_id = (int)(known == ERR_NONE ? ERR_INTERNAL : known);
    }
    return row_check(&row, "engine_requests", id, err);
}

int request_table_last_done(struct trading_store *store, enum request_kind kind, int64_t *ret_id,
                            struct err *err)
{
    return db_get_i64(store->db,
                      "SELECT max(id) FROM engine_requests WHERE kind = ? AND error_code = ''",
                      DB_VALUES(DB_TEXT_C(request_kind_name(kind))), 0, ret_id, err);
}

int request_table_newest_done(struct trading_store *store, enum request_kind kind,
                              struct request_done *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT symbol, asked_by, at_us FROM (SELECT * FROM engine_requests"
                      " ORDER BY id DESC LIMIT ?) WHERE kind = ? AND error_code = ''"
                      " ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64(REQUEST_TABLE_RECENT), DB_TEXT_C(request_kind_name(kind)),
                                DB_I64((int64_t)max)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct request_done *out = &ret[n++];
        out->symbol = row_symbol(&row);
        row_text(&row, out->by, sizeof(out->by));
        out->at_us = row_i64(&row);
        rc = row_check(&row, "engine_requests", 0, err);
    }
    return rc < 0 ? rc : (int)n;
}
