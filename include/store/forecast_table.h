/*
 * forecast_table.h: the forecasts of the night watch and whether they held, in ops.db.
 *
 *     forecast_table_add(store, &(struct forecast_row){.subject = "host", .kind = "disk", …}, err);
 *     forecast_table_due(store, today, due, max, err);   // whose day is over
 *     forecast_table_judge(store, due[0].id, 84.2, err); // held, or missed
 *     forecast_table_scores(store, on_score, self, err); // how often, by kind
 *
 * Always true: one forecast per subject, kind and day, the first that is added; one that is judged
 * stays as it is. Forecasts of neighbouring days share their data, so a score counts the first of
 * each week alone. At most FORECAST_ROWS_MAX rows are kept, of FORECAST_KEEP_DAYS days.
 * Days are UTC, counted from 1970-01-01.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_ROWS_MAX  20000
#define FORECAST_KEEP_DAYS 400

struct forecast_row {
    int64_t id;
    int64_t day;     /* on which it was made */
    int64_t due_day; /* which it is about */
    char subject[96];
    char kind[16];
    double low, mid, high;
    double bound;  /* what must not be reached */
    double target; /* of checks, in percent; 0: it is about something else */
    bool warned;   /* low >= bound */
};

struct forecast_score {
    char kind[16];
    int64_t judged, held;
    int64_t warned, came; /* of the judged: said that the bound is reached, and it was */
};

int forecast_table_add(struct ops_store *store, const struct forecast_row *row, struct err *err);
/* Not judged yet, and about a day before today; oldest first. Returns the number. */
int forecast_table_due(struct ops_store *store, int64_t today, struct forecast_row *ret, size_t max,
                       struct err *err);
/* The newest forecast of each subject and kind that was made on this day or later. */
int forecast_table_list(struct ops_store *store, int64_t since_day, struct forecast_row *ret,
                        size_t max, struct err *err);
/* NAN: nobody will know, since it was not measured. */
int forecast_table_judge(struct ops_store *store, int64_t id, double actual, struct err *err);
typedef void (*forecast_score_fn)(const struct forecast_score *score, void *userdata);
int forecast_table_scores(struct ops_store *store, forecast_score_fn fn, void *userdata,
                          struct err *err);
int forecast_table_prune(struct ops_store *store, int64_t today, struct err *err);
