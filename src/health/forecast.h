/*
 * forecast.h: what a measured value will be a week from now, from whole days of it.
 *
 *     n = forecast_days(points, count, today, days, FORECAST_DAYS_MAX);   // of hourly means
 *     forecast_growth(days, n, today, &f);          // the highest hour of the day today + 6
 *     forecast_budget(days, n, today, 99.5, &f);    // failed checks, in % of what may fail
 *
 * Growth: a line through the daily peaks (Theil and Sen, trend.h), so that a season by hour does
 * not matter; what a weekday adds is taken out first if it cannot be chance (W. H. Kruskal and
 * W. A. Wallis, "Use of ranks in one-criterion variance analysis", Journal of the American
 * Statistical Association 47, 1952, at 99 %). The interval is the wider of two: the line's own with
 * the spread of the days around it, and what the same forecast, made on earlier days, was off by.
 * Budget: the days that will still be in the window of 30, and seven more like those so far: drawn
 * at random, and as they followed one another; the interval is the wider of the two. One more day
 * as bad as the worst so far, or with an hour of failures, is among those drawn, since what has not
 * happened in some weeks may happen in the next.
 * Always true: low <= mid <= high; the interval is meant to hold FORECAST_COVERS_PCT times of a
 * hundred; the same days give the same forecast. Days are UTC, counted from 1970-01-01.
 * Thread: any; a full set of days takes some milliseconds.
 */
#pragma once

#include "store/metric_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_DAYS_MAX    56
#define FORECAST_DAYS_MIN    12
#define FORECAST_AHEAD       7 /* days from the last whole day to the one that is forecast */
#define FORECAST_COVERS_PCT  90
#define FORECAST_HOURS_MIN   12 /* of a day that counts */
#define FORECAST_STALE_DAYS  3  /* the last day may be so long ago */
#define FORECAST_BUDGET_DAYS 30

struct forecast_day {
    int64_t day;
    int hours;       /* with a value */
    double peak;     /* the highest of them */
    double mean;     /* of all values of the day */
    double hour[24]; /* NAN: none */
};

enum forecast_state { FORECAST_TOO_LITTLE, FORECAST_STALE, FORECAST_MADE };

struct forecast {
    enum forecast_state state;
    int days;        /* that count */
    int64_t due_day; /* the day that is forecast */
    double last;     /* of the last day */
    double low, mid, high;
    bool grows;       /* 99.9 % sure; always false for a budget */
    double slope_day; /* a day; the next two are its 99.9 % interval */
    double lower_day, upper_day;
    bool weekly;     /* a weekday matters, and cannot be chance */
    int top_weekday; /* then: the highest, from 0: Monday */
    int top_hour;    /* the hour (UTC) that is highest on even and on odd days; -1: none is */
};

/* Whole days before today, oldest first, of points of METRIC_HOUR, oldest first; of more than max,
 * the newest. Returns their number. */
size_t forecast_days(const struct metric_point *points, size_t count, int64_t today,
                     struct forecast_day *ret, size_t max);
void forecast_growth(const struct forecast_day *days, size_t count, int64_t today,
                     struct forecast *ret);
/* days of the share of failed checks in percent; target_pct: of the checks, that have to succeed.
 * The values are percent of the failures that the target allows in 30 days. */
void forecast_budget(const struct forecast_day *days, size_t count, int64_t today,
                     double target_pct, struct forecast *ret);
/* What is to be compared with a forecast once its day is over; NAN: not measured. */
double forecast_actual_growth(const struct forecast_day *days, size_t count, int64_t due_day);
double forecast_actual_budget(const struct forecast_day *days, size_t count, int64_t due_day,
                              double target_pct);
/* Days from the last whole day until the line reaches the limit, at this slope a day; INFINITY:
 * never. */
double forecast_reaches_days(const struct forecast *forecast, double slope_day, double limit);
int forecast_weekday(int64_t day); /* from 0: Monday */
