#include "store/forecast_table.h"

#include "row.h"

#include <math.h>

#define COLUMNS " id, day, due_day, subject, kind, low, mid, high, bound, target, warned"

int forecast_table_add(struct ops_store *store, const struct forecast_row *f, struct err *err)
{
    return db_run(store->db,
                  "INSERT INTO forecasts(day, due_day, subject, kind, low, mid, high, bound,"
                  " target, warned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT(subject, kind, day) DO NOTHING",
                  DB_VALUES(DB_I64(f->day), DB_I64(f->due_day), DB_TEXT_C(f->subject),
                            DB_TEXT_C(f->kind), DB_DOUBLE(f->low), DB_DOUBLE(f->mid),
                            DB_DOUBLE(f->high), DB_DOUBLE(f->bound), DB_DOUBLE(f->target),
                            DB_I64(f->warned)),
                  err);
}

static int read_rows(struct db_rows *rows, struct forecast_row *ret, size_t max, struct err *err)
{
    size_t n = 0;
    int rc = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct forecast_row *f = &ret[n++];
        f->id = row_i64(&row);
        f->day = row_i64(&row);
        f->due_day = row_i64(&row);
        row_text(&row, f->subject, sizeof(f->subject));
        row_text(&row, f->kind, sizeof(f->kind));
        f->low = row_double(&row);
        f->mid = row_double(&row);
        f->high = row_double(&row);
        f->bound = row_double(&row);
        f->target = row_double(&row);
        f->warned = row_bool(&row);
        rc = row_check(&row, "forecasts", f->id, err);
    }
    return rc < 0 ? rc : (int)n;
}

int forecast_table_due(struct ops_store *store, int64_t today, struct forecast_row *ret, size_t max,
                       struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT" COLUMNS " FROM forecasts WHERE state = 'open' AND due_day < ?"
                      " ORDER BY due_day, id LIMIT ?",
                      DB_VALUES(DB_I64(today), DB_I64((int64_t)max)), &rows, err);
    return rc < 0 ? rc : read_rows(rows, ret, max, err);
}

int forecast_table_list(struct ops_store *store, int64_t since_day, struct forecast_row *ret,
                        size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT" COLUMNS " FROM forecasts f WHERE day >= ?1 AND day = (SELECT"
                      " max(day) FROM forecasts g WHERE g.subject = f.subject AND g.kind = f.kind)"
                      " ORDER BY warned DESC, id LIMIT ?2",
                      DB_VALUES(DB_I64(since_day), DB_I64((int64_t)max)), &rows, err);
    return rc < 0 ? rc : read_rows(rows, ret, max, err);
}

int forecast_table_judge(struct ops_store *store, int64_t id, double actual, struct err *err)
{
    return db_run(store->db,
                  "UPDATE forecasts SET actual = ?2, state = CASE WHEN ?2 IS NULL THEN 'unknown'"
                  " WHEN ?2 BETWEEN low AND high THEN 'held' ELSE 'missed' END"
                  " WHERE id = ?1 AND state = 'open'",
                  DB_VALUES(DB_I64(id), isnan(actual) ? DB_NULL : DB_DOUBLE(actual)), err);
}

int forecast_table_scores(struct ops_store *store, forecast_score_fn fn, void *userdata,
                          struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT kind, count(*), sum(state = 'held'), sum(warned),"
                      " sum(warned AND actual >= bound) FROM forecasts f"
                      " WHERE state IN ('held', 'missed') AND NOT EXISTS (SELECT 1 FROM forecasts g"
                      " WHERE g.subject = f.subject AND g.kind = f.kind AND g.day >= f.day / 7 * 7"
                      " AND g.day < f.day AND g.state IN ('held', 'missed'))"
                      " GROUP BY kind ORDER BY kind",
                      DB_NO_VALUES, &rows, err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct forecast_score score;
        row_text(&row, score.kind, sizeof(score.kind));
        score.judged = row_i64(&row);
        score.held = row_i64(&row);
        score.warned = row_i64(&row);
        score.came = row_i64(&row);
        rc = row_check(&row, "forecasts", 0, err);
        if (rc == 0) {
            fn(&score, userdata);
        }
    }
    return rc < 0 ? rc : 0;
}

int forecast_table_prune(struct ops_store *store, int64_t today, struct err *err)
{
    return db_run_unsynced(store->db,
                           "DELETE FROM forecasts WHERE day < ?1 OR id <= (SELECT max(id)"
                           " FROM forecasts) - ?2",
                           DB_VALUES(DB_I64(today - FORECAST_KEEP_DAYS), DB_I64(FORECAST_ROWS_MAX)),
                           err);
}
