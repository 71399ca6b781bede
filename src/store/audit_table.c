#include "store/audit_table.h"

#include "base/check.h"
#include "row.h"

#include <string.h>

#define COLUMNS                                                                              \
    "id, started_us, finished_us, verdict, cause, model, request_id, tokens_in, tokens_out," \
    " cost_microusd, info, low, medium, high, critical, claimed, rejected, dropped, cut, note"

void audit_record_release(struct audit_record *record)
{
    if (record != NULL) {
        free(record->report_json);
        record->report_json = NULL;
    }
}

int audit_table_add(struct ops_store *store, const struct audit_record *r, int64_t *ret_id,
                    struct err *err)
{
    ASSERT(r->report_json != NULL);
    if (strlen(r->report_json) > AUDIT_REPORT_MAX) {
        return err_set(err, ERR_STORE_TOO_LONG, "audit report of %zu bytes",
                       strlen(r->report_json));
    }
    const int64_t *found = r->findings_by_severity;
    int rc = db_run(store->db,
                    "INSERT INTO audits(started_us, finished_us, verdict, cause, model, request_id,"
                    " tokens_in, tokens_out, cost_microusd, info, low, medium, high, critical,"
                    " claimed, rejected, dropped, cut, note, report)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    DB_VALUES(DB_I64(r->started_us), DB_I64(r->finished_us), DB_TEXT_C(r->verdict),
                              DB_TEXT_C(r->trigger), DB_TEXT_C(r->model), DB_TEXT_C(r->request_id),
                              DB_I64(r->tokens_in), DB_I64(r->tokens_out), DB_I64(r->cost_microusd),
                              DB_I64(found[0]), DB_I64(found[1]), DB_I64(found[2]),
                              DB_I64(found[3]), DB_I64(found[4]), DB_I64(r->claimed),
                              DB_I64(r->rejected), DB_I64(r->dropped), DB_I64(r->cut),
                              DB_TEXT_C(r->note), DB_TEXT_C(r->report_json)),
                    err);
    if (rc == 0) {
        *ret_id = db_last_rowid(store->db);
    }
    return rc;
}

static int read_record(struct row *row, struct audit_record *ret, struct err *err)
{
    *ret = (struct audit_record){0};
    ret->id = row_i64(row);
    ret->started_us = row_i64(row);
    ret->finished_us = row_i64(row);
    row_text(row, ret->verdict, sizeof(ret->verdict));
    row_text(row, ret->trigger, sizeof(ret->trigger));
    row_text(row, ret->model, sizeof(ret->model));
    row_text(row, ret->request_id, sizeof(ret->request_id));
    ret->tokens_in = row_i64(row);
    ret->tokens_out = row_i64(row);
    ret->cost_microusd = row_i64(row);
    for (int i = 0; i < 5; i++) {
        ret->findings_by_severity[i] = row_i64(row);
    }
    ret->claimed = row_i64(row);
    ret->rejected = row_i64(row);
    ret->dropped = row_i64(row);
    ret->cut = row_i64(row);
    row_text(row, ret->note, sizeof(ret->note));
    return row_check(row, "audits", ret->id, err);
}

int audit_table_last(struct ops_store *store, struct audit_record *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc =
        row_query_one(store->db, "SELECT " COLUMNS ", report FROM audits ORDER BY id DESC LIMIT 1",
                      DB_NO_VALUES, &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "no audit yet");
    }
    if (rc < 0 || (rc = read_record(&row, ret, err)) < 0) {
        return rc;
    }
    ret->report_json = row_heap(&row);
    return 0;
}

#define ANSWERED "model <> '' AND verdict IN ('clear', 'findings', 'unproven')"

int audit_table_errors(struct ops_store *store, int64_t audits, struct audit_errors *ret,
                       struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT count(*), coalesce(sum(claimed), 0), coalesce(sum(rejected), 0)"
                           " FROM (SELECT claimed, rejected FROM audits WHERE " ANSWERED
                           " ORDER BY id DESC LIMIT ?)",
                           DB_VALUES(DB_I64(audits)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->audits = row_i64(&row);
    ret->claimed = row_i64(&row);
    ret->rejected = row_i64(&row);
    return row_check(&row, "audits", 0, err);
}

int audit_table_sums(struct ops_store *store, int64_t since_us, struct audit_sums *ret,
                     struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(
        store->db,
        "SELECT count(*), coalesce(sum(verdict = 'no_verdict'), 0), coalesce(sum(" ANSWERED "), 0),"
        " coalesce(sum(claimed), 0), coalesce(sum(rejected), 0)"
        " FROM audits WHERE finished_us >= ?",
        DB_VALUES(DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->audits = row_i64(&row);
    ret->no_verdict = row_i64(&row);
    ret->answers.audits = row_i64(&row);
    ret->answers.claimed = row_i64(&row);
    ret->answers.rejected = row_i64(&row);
    return row_check(&row, "audits", 0, err);
}

int audit_table_answered_since(struct ops_store *store, int64_t since_us, int64_t *ret,
                               struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc =
        row_query_one(store->db, "SELECT count(*) FROM audits WHERE started_us > ? AND " ANSWERED,
                      DB_VALUES(DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    *ret = row_i64(&row);
    return row_check(&row, "audits", 0, err);
}

int audit_table_list(struct ops_store *store, int64_t before_id, struct audit_record *ret,
                     size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT " COLUMNS " FROM audits WHERE ?1 = 0 OR id < ?1"
                      " ORDER BY id DESC LIMIT ?2",
                      DB_VALUES(DB_I64(before_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        rc = read_record(&row, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}
