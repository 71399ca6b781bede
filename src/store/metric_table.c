#include "store/metric_table.h"

#include "base/check.h"
#include "row.h"

#include <math.h>

#define S_PER_5MIN 300
#define S_PER_HOUR 3600

/* SQL texts are constants, because statements are cached by their text. */
#define UPSERT(table)                                                                           \
    "INSERT INTO " table "(at_s, series, min, mean, max, count) VALUES (?1, ?2, ?3, ?3, ?3, 1)" \
    " ON CONFLICT(at_s, series) DO UPDATE SET min = min(min, excluded.min),"                    \
    " mean = mean + (excluded.mean - mean) / (count + 1),"                                      \
    " max = max(max, excluded.max), count = count + 1"
/* From one time to the one before it, by the key: it begins with the time, so that a sample is
 * written in one place, and a scan would read all other series, too. */
#define LIST(table, columns)                                                          \
    "WITH RECURSIVE t(at) AS (SELECT (SELECT max(at_s) FROM " table                   \
    " WHERE at_s >= ?2 AND at_s < ?3) UNION ALL SELECT (SELECT max(at_s) FROM " table \
    " WHERE at_s >= ?2 AND at_s < t.at) FROM t WHERE t.at IS NOT NULL)"               \
    " SELECT at_s, " columns " FROM t JOIN " table " ON at_s = t.at AND series = ?1 LIMIT ?4"
#define SUMS(table, min, mean, max, count)                                                   \
    "SELECT s.subject, s.name, t.* FROM (SELECT series, min(" min "), sum(" mean " * " count \
    ") / sum(" count "), max(" max "), sum(" count ") FROM " table                           \
    " WHERE at_s >= ? AND at_s < ? GROUP BY series) t JOIN metric_series s ON s.id = t.series"
#define PRUNE(table)                                                                 \
    "DELETE FROM " table " WHERE (at_s, series) IN (SELECT at_s, series FROM " table \
    " WHERE at_s < ?1 ORDER BY at_s, series LIMIT ?2)"

static const struct {
    int64_t length_s;
    const char *add;
    const char *list;
    const char *sums;
    const char *prune;
} levels[METRIC_LEVELS] = {
    [METRIC_DETAIL] = {0,
                       "INSERT INTO metric_detail(at_s, series, value) VALUES (?1, ?2, ?3)"
                       " ON CONFLICT(at_s, series) DO UPDATE SET value = excluded.value",
                       LIST("metric_detail", "value, value, value, 1"),
                       SUMS("metric_detail", "value", "value", "value", "1"),
                       PRUNE("metric_detail")},
    [METRIC_5MIN] = {S_PER_5MIN, UPSERT("metric_5min"),
                     LIST("metric_5min", "min, mean, max, count"),
                     SUMS("metric_5min", "min", "mean", "max", "count"), PRUNE("metric_5min")},
    [METRIC_HOUR] = {S_PER_HOUR, UPSERT("metric_hour"),
                     LIST("metric_hour", "min, mean, max, count"),
                     SUMS("metric_hour", "min", "mean", "max", "count"), PRUNE("metric_hour")},
};

int64_t metric_level_s(enum metric_level level)
{
    return levels[level].length_s;
}

int metric_table_series(struct ops_store *store, const char *subject, const char *name,
                        int64_t *ret, struct err *err)
{
    static const char find[] = "SELECT id FROM metric_series WHERE subject = ? AND name = ?";
    int64_t id = 0;
    int rc =
        db_get_i64(store->db, find, DB_VALUES(DB_TEXT_C(subject), DB_TEXT_C(name)), 0, &id, err);
    if (rc == 0 && id == 0) {
        rc = db_run_unsynced(store->db, "INSERT INTO metric_series(subject, name) VALUES (?, ?)",
                             DB_VALUES(DB_TEXT_C(subject), DB_TEXT_C(name)), err);
        id = db_last_rowid(store->db);
    }
    if (rc == 0) {
        *ret = id;
    }
    return rc;
}

/* The start of the interval; rounds down before 1970, too. */
static int64_t start_of(int64_t at_s, int64_t length_s)
{
    int64_t into_s = length_s == 0 ? 0 : at_s % length_s;
    return at_s - (into_s < 0 ? into_s + length_s : into_s);
}

int metric_table_add(struct ops_store *store, int64_t series, int64_t at_s, double value,
                     struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    if (!isfinite(value)) {
        return 0;
    }
    int rc = row_begin(store->db, &own, err);
    for (size_t i = 0; rc == 0 && i < METRIC_LEVELS; i++) {
        rc = db_run(
            store->db, levels[i].add,
            DB_VALUES(DB_I64(start_of(at_s, levels[i].length_s)), DB_I64(series), DB_DOUBLE(value)),
            err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int metric_table_list(struct ops_store *store, const struct metric_query *query,
                      struct metric_point *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int64_t series = 0;
    int rc =
        db_get_i64(store->db, "SELECT id FROM metric_series WHERE subject = ? AND name = ?",
                   DB_VALUES(DB_TEXT_C(query->subject), DB_TEXT_C(query->name)), 0, &series, err);
    rc = rc < 0 ? rc
                : db_query(store->db, levels[query->level].list,
                           DB_VALUES(DB_I64(series), DB_I64(query->from_s), DB_I64(query->to_s),
                                     DB_I64((int64_t)max)),
                           &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct metric_point *to = &ret[n++];
        to->at_s = row_i64(&row);
        to->min = row_double(&row);
        to->mean = row_double(&row);
        to->max = row_double(&row);
        to->count = row_i64(&row);
    }
    for (size_t i = 0; i < n / 2; i++) {
        struct metric_point newer = ret[i];
        ret[i] = ret[n - 1 - i];
        ret[n - 1 - i] = newer;
    }
    return rc < 0 ? rc : (int)n;
}

int metric_table_sums(struct ops_store *store, enum metric_level level, int64_t from_s,
                      int64_t to_s, metric_sum_fn fn, void *userdata, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, levels[level].sums, DB_VALUES(DB_I64(from_s), DB_I64(to_s)), &rows,
                      err);
    while (rc >= 0 && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        char subject[96], name[64];
        row_text(&row, subject, sizeof(subject));
        row_text(&row, name, sizeof(name));
        struct metric_point sum = {.at_s = from_s};
        (void)row_i64(&row); /* the series */
        sum.min = row_double(&row);
        sum.mean = row_double(&row);
        sum.max = row_double(&row);
        sum.count = row_i64(&row);
        if (!row.damaged) {
            fn(subject, name, &sum, userdata);
        }
    }
    return rc < 0 ? rc : 0;
}

int metric_table_rows(struct ops_store *store, enum metric_level level, int64_t *ret,
                      struct err *err)
{
    return db_get_i64(store->db, "SELECT rows FROM metric_levels WHERE level = ?",
                      DB_VALUES(DB_I64(level)), 0, ret, err);
}

static int prune_level(struct ops_store *store, enum metric_level level,
                       const struct metric_limits *limits, int64_t max, int64_t *ret_deleted,
                       struct err *err)
{
    int64_t rows = 0, deleted = 0;
    int rc = metric_table_rows(store, level, &rows, err);
    rc = rc < 0 ? rc
                : db_run(store->db, levels[level].prune,
                         DB_VALUES(DB_I64(limits->before_s[level]), DB_I64(max)), err);
    deleted = rc < 0 ? 0 : db_changes(store->db);
    int64_t beyond = rows - deleted - limits->max_rows;
    if (rc == 0 && beyond > 0 && deleted < max) {
        int64_t most = beyond < max - deleted ? beyond : max - deleted;
        rc =
            db_run(store->db, levels[level].prune, DB_VALUES(DB_I64(INT64_MAX), DB_I64(most)), err);
        deleted += rc < 0 ? 0 : db_changes(store->db);
    }
    *ret_deleted = *ret_deleted > deleted ? *ret_deleted : deleted;
    return rc;
}

int metric_table_prune(struct ops_store *store, const struct metric_limits *limits, int64_t max,
                       int64_t *ret_deleted, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int64_t deleted = 0;
    int rc = row_begin(store->db, &own, err);
    for (size_t i = 0; rc == 0 && i < METRIC_LEVELS; i++) {
        rc = prune_level(store, (enum metric_level)i, limits, max, &deleted, err);
    }
    if (rc < 0 || (rc = row_commit(&own, err)) < 0) {
        return rc;
    }
    *ret_deleted = deleted;
    return 0;
}

int metric_table_forget(struct ops_store *store, int64_t before_s, struct err *err)
{
    return db_run_unsynced(store->db, "DELETE FROM metric_series WHERE last_s < ?",
                           DB_VALUES(DB_I64(before_s)), err);
}
