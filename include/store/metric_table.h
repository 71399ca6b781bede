/*
 * metric_table.h: measured values over time in ops.db: each value for a day, and its minimum, mean,
 * maximum and number by 5 minutes for a month and by hour for two years (the owner sets how long).
 *
 *     rc = metric_table_series(store, "host", "cpu_pct", &series, err);      // once
 *     ops_store_begin_unsynced(store, err);
 *     metric_table_add(store, series, at_s, 12.5, err);  // for each value of a sample
 *     ops_store_commit(store, err);
 *     n = metric_table_list(store, &query, points, max, err);
 *
 * Always true: a value is added to all three levels in one change, to the interval that its time is
 * in. So nothing has to be summarised later, and neither a crash nor a clock that jumps leaves an
 * interval out or counts a value twice. A level has at most as many rows as metric_table_prune
 * allows. Times are wall time in seconds, since there are many rows.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

enum metric_level { METRIC_DETAIL, METRIC_5MIN, METRIC_HOUR, METRIC_LEVELS };

struct metric_point {
    int64_t at_s; /* of a summary: the start of its interval */
    double min, mean, max;
    int64_t count; /* of values; 1 in METRIC_DETAIL */
};

int64_t metric_level_s(enum metric_level level); /* length of an interval; 0: METRIC_DETAIL */

/* The id of a series, which is created if there is none. */
int metric_table_series(struct ops_store *store, const char *subject, const char *name,
                        int64_t *ret, struct err *err);
/* A second value of the same series and second replaces the first in METRIC_DETAIL; the summaries
 * count both. A value that is not finite is not stored. */
int metric_table_add(struct ops_store *store, int64_t series, int64_t at_s, double value,
                     struct err *err);

struct metric_query {
    const char *subject;
    const char *name;
    enum metric_level level;
    int64_t from_s, to_s; /* from_s <= at_s < to_s */
};
/* Oldest first; of more than max, the newest. Returns the number or a negative error id. */
int metric_table_list(struct ops_store *store, const struct metric_query *query,
                      struct metric_point *ret, size_t max, struct err *err);

/* Calls fn with the sums of each series over a period, in one pass over all of them. */
typedef void (*metric_sum_fn)(const char *subject, const char *name, const struct metric_point *sum,
                              void *userdata);
int metric_table_sums(struct ops_store *store, enum metric_level level, int64_t from_s,
                      int64_t to_s, metric_sum_fn fn, void *userdata, struct err *err);

struct metric_limits {
    int64_t before_s[METRIC_LEVELS]; /* older rows are deleted */
    int64_t max_rows;                /* of each level; what is beyond is deleted, oldest first */
};
/* Deletes at most max rows of each level. Call it again while *ret_deleted >= max. */
int metric_table_prune(struct ops_store *store, const struct metric_limits *limits, int64_t max,
                       int64_t *ret_deleted, struct err *err);
/* Of a level; kept with each change, so that it costs nothing. */
int metric_table_rows(struct ops_store *store, enum metric_level level, int64_t *ret,
                      struct err *err);
/* Deletes the names of series that have had no value since; at the start, before any id is used. */
int metric_table_forget(struct ops_store *store, int64_t before_s, struct err *err);
