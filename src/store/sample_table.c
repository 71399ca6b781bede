#include "store/sample_table.h"

#include "row.h"

int sample_table_add(struct ops_store *store, const struct service_sample *s, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO service_samples(service, at_us, up, latency_us, detail)"
                  " VALUES (?, ?, ?, ?, ?)",
                  DB_VALUES(DB_TEXT_C(s->service), DB_I64(s->at_us), DB_I64(s->up),
                            DB_I64(s->latency_us), DB_TEXT_C(s->detail)),
                  err);
}

int sample_table_add_all(struct ops_store *store, const struct service_sample *samples,
                         size_t count, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    for (size_t i = 0; rc >= 0 && i < count; i++) {
        rc = sample_table_add(store, &samples[i], err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

static int read_row(struct db_rows *rows, struct service_sample *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct service_sample){.at_us = 0};
    int64_t id = row_i64(&row);
    row_text(&row, ret->service, sizeof(ret->service));
    ret->at_us = row_i64(&row);
    ret->up = row_bool(&row);
    ret->latency_us = row_i64(&row);
    row_text(&row, ret->detail, sizeof(ret->detail));
    return row_check(&row, "service_samples", id, err);
}

/* Steps from one name to the next in the index: the table has months of samples. */
int sample_table_newest(struct ops_store *store, int64_t since_us, struct service_sample *ret,
                        size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "WITH RECURSIVE names(name) AS (SELECT min(service) FROM service_samples"
                      " UNION ALL SELECT (SELECT min(service) FROM service_samples"
                      "  WHERE service > name) FROM names WHERE name IS NOT NULL)"
                      " SELECT s.id, s.service, s.at_us, s.up, s.latency_us, s.detail FROM names"
                      " JOIN service_samples s ON s.id = (SELECT id FROM service_samples"
                      "  WHERE service = name ORDER BY at_us DESC, id DESC LIMIT 1)"
                      " WHERE s.at_us >= ? LIMIT ?",
                      DB_VALUES(DB_I64(since_us), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_row(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int sample_table_list(struct ops_store *store, const char *service, size_t offset,
                      struct service_sample *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id, service, at_us, up, latency_us, detail FROM service_samples"
                      " WHERE service = ? ORDER BY at_us DESC, id DESC LIMIT ? OFFSET ?",
                      DB_VALUES(DB_TEXT_C(service), DB_I64((int64_t)max), DB_I64((int64_t)offset)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_row(rows, &ret[n++], err);
    }
    return rc < 0 ? rc : (int)n;
}

int sample_table_failures(struct ops_store *store, int64_t since_us, sample_failed_fn fn,
                          void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT at_us FROM service_samples WHERE at_us >= ? AND NOT up"
                      " ORDER BY at_us",
                      DB_VALUES(DB_I64(since_us)), &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        fn(db_i64(rows, 0), userdata);
    }
    return rc < 0 ? rc : 0;
}

int sample_table_stats(struct ops_store *store, const char *service, int64_t since_us,
                       struct sample_stats *ret, struct err *err)
{
    *ret = (struct sample_stats){0};
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db,
                           "SELECT count(*), total(up),"
                           " coalesce(avg(CASE WHEN up THEN latency_us END), 0),"
                           " coalesce(max(CASE WHEN up THEN latency_us END), 0)"
                           " FROM service_samples WHERE service = ? AND at_us >= ?",
                           DB_VALUES(DB_TEXT_C(service), DB_I64(since_us)), &row, err);
    if (rc < 0) {
        return rc;
    }
    ret->count = row_i64(&row);
    ret->up = row_i64(&row);
    ret->average_latency_us = row_i64(&row);
    ret->max_latency_us = row_i64(&row);
    /* The first sample after the newest one with the other state, of all samples. */
    return db_get_i64(store->db,
                      "SELECT min(at_us) FROM service_samples WHERE service = ?1 AND at_us >"
                      " coalesce((SELECT max(at_us) FROM service_samples WHERE service = ?1"
                      " AND up <> (SELECT up FROM service_samples WHERE service = ?1"
                      " ORDER BY at_us DESC, id DESC LIMIT 1)), -1)",
                      DB_VALUES(DB_TEXT_C(service)), 0, &ret->last_change_us, err);
}
