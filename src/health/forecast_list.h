/*
 * forecast_list.h: what of the machine and the services is forecast, and the forecasts of it.
 *
 *     struct forecast_list *list = forecast_list_new(health, NULL);      // on the loop
 *     rc = forecast_list_read(list, store, today, err);                  // on a helper
 *
 * Forecast are the disk, the inodes and the memory of the machine, the memory and the open files of
 * nightdesk and of each service that has a limit of them, and the failed checks of each service
 * against monitoring.target_pct. Always true: a forecast raises an alert only if its whole
 * interval is at or beyond the limit, the growth is no chance, and forecasts of its kind have not
 * proved worse than they claim.
 * Thread: as said above; the list is one block, which free() releases.
 */
#pragma once

#include "forecast.h"
#include "metrics.h"
#include "store/forecast_table.h"

struct health;

enum forecast_kind {
    FORECAST_DISK,
    FORECAST_INODES,
    FORECAST_MEMORY,
    FORECAST_FILES,
    FORECAST_CHECKS,
    FORECAST_KINDS
};

struct forecast_kind_info {
    const char *name; /* in ops.db, in JSON and in the fingerprints of alerts */
    const char *what; /* for people: "Disk" */
    enum metric metric;
};
const struct forecast_kind_info *forecast_kind_info(enum forecast_kind kind);
bool forecast_kind_parse(const char *name, enum forecast_kind *ret);

struct forecast_item {
    char subject[SUBJECT_NAME_SIZE];
    char service[SUBJECT_NAME_SIZE]; /* its name in the configuration; "": none */
    enum forecast_kind kind;
    double limit;
    double target; /* of checks */
    struct forecast forecast;
    bool warned; /* see above */
};

struct forecast_list {
    struct forecast_score scores[FORECAST_KINDS]; /* of the past, by kind */
    size_t count;
    struct forecast_item items[];
};

/* Of one service, or of everything (NULL). */
struct forecast_list *forecast_list_new(const struct health *health, const char *service);
int forecast_list_read(struct forecast_list *list, struct ops_store *store, int64_t today,
                       struct err *err);
/* The value that was forecast; NAN: nobody measured it. */
int forecast_list_actual(struct ops_store *store, const struct forecast_row *row,
                         double *ret_actual, struct err *err);
/* Of the score: as often as claimed, or it may still be chance. */
bool forecast_score_good(const struct forecast_score *score);
