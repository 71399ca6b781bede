#include "store/reflection_table.h"

#include "base/check.h"
#include "row.h"

#include <math.h>

#define COLUMNS                                                                                \
    "trade_id, symbol, side, opened_us, closed_us, pnl, return_pct, exit_reason, decision_id," \
    " score, threshold, p_up, agents_right, agents_wrong, best_pct, worst_pct, captured_pct,"  \
    " unknown, words, at_us"

static struct db_value known(double value)
{
    return isnan(value) ? DB_NULL : DB_DOUBLE(value);
}

int reflection_table_add(struct ops_store *store, const struct reflection *r, bool *ret_added,
                         struct err *err)
{
    ASSERT(r->trade_id > 0);
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc >= 0) {
        rc = db_run(store->db,
                    "INSERT OR IGNORE INTO reflections(" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?,"
                    " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_I64(r->trade_id), DB_TEXT_C(r->symbol.name),
                              DB_TEXT_C(side_name(r->side)), DB_I64(r->opened_us),
                              DB_I64(r->closed_us), DB_DEC(r->pnl), known(r->return_pct),
                              DB_TEXT_C(r->exit_reason), DB_I64(r->decision_id), known(r->score),
                              known(r->threshold), known(r->p_up), DB_TEXT_C(r->right),
                              DB_TEXT_C(r->wrong), known(r->best_pct), known(r->worst_pct),
                              known(r->captured_pct), DB_TEXT_C(r->unknown), DB_TEXT_C(r->words),
                              DB_I64(r->at_us)),
                    err);
    }
    bool added = rc >= 0 && db_changes(store->db) > 0;
    if (rc >= 0 && added) {
        rc = db_run(store->db,
                    "DELETE FROM reflections WHERE trade_id IN (SELECT trade_id FROM reflections"
                    " ORDER BY trade_id DESC LIMIT -1 OFFSET ?)",
                    DB_VALUES(DB_I64(REFLECTIONS_KEPT)), err);
    }
    *ret_added = added;
    return rc < 0 ? rc : row_commit(&own, err);
}

static double row_known(struct row *row)
{
    bool null = db_is_null(row->rows, row->column);
    double value = row_double(row);
    return null ? (double)NAN : value;
}

static int read_reflection(struct db_rows *rows, struct reflection *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct reflection){.trade_id = row_i64(&row)};
    ret->symbol = row_symbol(&row);
    ROW_WORD(&row, side, &ret->side);
    ret->opened_us = row_i64(&row);
    ret->closed_us = row_i64(&row);
    ret->pnl = row_dec(&row);
    ret->return_pct = row_known(&row);
    row_text(&row, ret->exit_reason, sizeof(ret->exit_reason));
    ret->decision_id = row_i64(&row);
    ret->score = row_known(&row);
    ret->threshold = row_known(&row);
    ret->p_up = row_known(&row);
    row_text(&row, ret->right, sizeof(ret->right));
    row_text(&row, ret->wrong, sizeof(ret->wrong));
    ret->best_pct = row_known(&row);
    ret->worst_pct = row_known(&row);
    ret->captured_pct = row_known(&row);
    row_text(&row, ret->unknown, sizeof(ret->unknown));
    row_text(&row, ret->words, sizeof(ret->words));
    ret->at_us = row_i64(&row);
    return row_check(&row, "reflections", ret->trade_id, err);
}

int reflection_table_get(struct ops_store *store, int64_t trade_id, struct reflection *ret,
                         struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT " COLUMNS " FROM reflections WHERE trade_id = ?",
                           DB_VALUES(DB_I64(trade_id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "reflection on trade %lld", (long long)trade_id);
    }
    return rc < 0 ? rc : read_reflection(row.rows, ret, err);
}

int reflection_table_list(struct ops_store *store, size_t offset, struct reflection *ret,
                          size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " COLUMNS " FROM reflections ORDER BY trade_id DESC"
                      " LIMIT ? OFFSET ?",
                      DB_VALUES(DB_I64((int64_t)max), DB_I64((int64_t)offset)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_reflection(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int reflection_table_set_words(struct ops_store *store, int64_t trade_id, const char *words,
                               struct err *err)
{
    return row_update(store->db, "UPDATE reflections SET words = ? WHERE trade_id = ?",
                      DB_VALUES(DB_TEXT(row_cut(words, REFLECTION_WORDS_SIZE)), DB_I64(trade_id)),
                      ERR_STORE_NOT_FOUND, "reflection", trade_id, err);
}

int reflection_table_clear(struct ops_store *store, struct err *err)
{
    return db_run(store->db, "DELETE FROM reflections", DB_NO_VALUES, err);
}
