/*
 * performance.h: /performance system: the machine, nightdesk and the services over some days, with
 * a picture, what fills up, and how trades went while something was wrong. Private to this module.
 *
 *     desk_set_system(desk, performance_run, performance_cancel, health);
 *
 * The figures of now come from the loop; a helper reads those of the past with connections of its
 * own (performance_read.c), and the loop shows both (performance_show.c).
 * Thread: ops; performance_read: a helper.
 */
#pragma once

#include "command/file_job.h"
#include "io/chart.h"
#include "metrics.h"
#include "store/metric_table.h"
#include "trade_health.h"

struct reply;

struct performance_subject {
    char name[SUBJECT_NAME_SIZE];
    char service[SUBJECT_NAME_SIZE]; /* its name in the configuration */
    enum subject_kind kind;
    unsigned has; /* bits of enum metric */
    double now[METRICS];
    struct metric_point over[METRICS]; /* count 0: nothing in the period */
    struct metric_alarm alarms[METRIC_ALARMS];
};

struct performance {
    struct file_job job; /* first */
    int64_t days;
    int64_t now_us;
    int64_t age_us; /* of the newest values; negative: there are none */
    enum chart_theme theme;
    char zone[64];
    int64_t market_speed;
    int64_t check_us;    /* between two checks */
    int64_t interval_us; /* between two measurements */
    bool disk_hangs;
    int only; /* the service that is shown alone; -1: all */

    /* Set by the helper. */
    enum metric_level drawn; /* the level of the picture */
    int64_t trade_days;      /* 0: trades are not compared */
    struct trade_health trades;
    size_t service_count;
    size_t count;
    struct performance_subject subjects[]; /* the host, nightdesk, the services, their checks */
};

int performance_run(struct action_call *call, void *health, struct err *err);
void performance_cancel(struct action_call *call);

/* The make and show of the job. */
int performance_read(struct file_job *job, struct err *err);
void performance_show(const struct file_job *job, struct reply *reply);
enum metric_level performance_level(int64_t days);
