#include "store/llm_call_table.h"

#include "row.h"

int llm_call_table_add(struct ops_store *store, const struct llm_call_record *r, struct err *err)
{
    return db_run(
        store->db,
        "INSERT INTO llm_calls(at_us, model, input_tokens, output_tokens, cache_read_tokens,"
        " cache_write_tokens, cost_usd, latency_us, stop_reason, error_code, request_id,"
        " prompt_hash, report_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        DB_VALUES(DB_I64(r->at_us), DB_TEXT_C(r->model), DB_I64(r->input_tokens),
                  DB_I64(r->output_tokens), DB_I64(r->cache_read_tokens),
                  DB_I64(r->cache_write_tokens), DB_DEC(r->cost_usd), DB_I64(r->latency_us),
                  DB_TEXT_C(r->stop_reason), DB_TEXT_C(r->error_code), DB_TEXT_C(r->request_id),
                  DB_TEXT_C(r->prompt_hash), DB_TEXT_C(r->report_hash)),
        err);
}

int llm_call_table_list(struct ops_store *store, struct llm_call_record *ret, size_t max,
                        struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, at_us, model, input_tokens, output_tokens, cache_read_tokens,"
                      " cache_write_tokens, cost_usd, latency_us, stop_reason, error_code,"
                      " request_id, prompt_hash, report_hash FROM llm_calls"
                      " ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct llm_call_record *r = &ret[n++];
        int64_t id = row_i64(&row);
        r->at_us = row_i64(&row);
        row_text(&row, r->model, sizeof(r->model));
        r->input_tokens = row_i64(&row);
        r->output_tokens = row_i64(&row);
        r->cache_read_tokens = row_i64(&row);
        r->cache_write_tokens = row_i64(&row);
        r->cost_usd = row_dec(&row);
        r->latency_us = row_i64(&row);
        row_text(&row, r->stop_reason, sizeof(r->stop_reason));
        row_text(&row, r->error_code, sizeof(r->error_code));
        row_text(&row, r->request_id, sizeof(r->request_id));
        row_text(&row, r->prompt_hash, sizeof(r->prompt_hash));
        row_text(&row, r->report_hash, sizeof(r->report_hash));
        rc = row_check(&row, "llm_calls", id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int llm_call_table_spend(struct ops_store *store, int64_t since_us, struct llm_spend *ret,
                         struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db,
        "SELECT coalesce(sum(max(cost_usd, 0)), 0), count(*), count(*) - count(cost_usd)"
        " FROM llm_calls WHERE at_us >= ?",
        DB_VALUES(DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->cost_usd = row_dec(&row);
    ret->calls = row_i64(&row);
    ret->unpriced = row_i64(&row);
    return row_check(&row, "llm_calls", 0, err);
}

int llm_call_table_models(struct ops_store *store, int64_t since_us, struct llm_model_spend *ret,
                          size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT model, coalesce(sum(max(cost_usd, 0)), 0), count(*),"
                      " count(*) - count(cost_usd) FROM llm_calls WHERE at_us >= ?"
                      " GROUP BY model ORDER BY 2 DESC, 1 LIMIT ?",
                      DB_VALUES(DB_I64(since_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct llm_model_spend *m = &ret[n++];
        row_text(&row, m->model, sizeof(m->model));
        m->spend.cost_usd = row_dec(&row);
        m->spend.calls = row_i64(&row);
        m->spend.unpriced = row_i64(&row);
        rc = row_check(&row, "llm_calls", 0, err);
    }
    return rc < 0 ? rc : (int)n;
}
