#include "forecast.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/rng.h"
#include "trend.h"

#include <math.h>
#include <stdlib.h>

#define S_PER_DAY    86400
#define Z_COVERS     1.6449 /* 90 %, two-sided */
#define TAIL         0.05
#define WEEKS_MIN    4      /* of days, to look for weekdays */
#define WEEKDAY_H    16.812 /* chi-square of 6 degrees of freedom, 99 % */
#define HOUR_SAME    0.8    /* correlation of even and odd days */
#define HOUR_MATTERS 0.02   /* of the highest: a season by hour that is smaller is not told */
#define DRAWS        2000
#define HOUR_FAILED  (100.0 / 24) /* a day with an hour of failures, in percent */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_size);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int forecast_weekday(int64_t day)
{
    return (int)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

/* ------------------------------------------------------------------ days */

static void begin_day(struct forecast_day *day, int64_t number)
{
    *day = (struct forecast_day){.day = number, .peak = -INFINITY};
    for (int i = 0; i < 24; i++) {
        day->hour[i] = NAN;
    }
}

size_t forecast_days(const struct metric_point *points, size_t count, int64_t today,
                     struct forecast_day *ret, size_t max)
{
    size_t n = 0;
    for (size_t from = 0, to; from < count; from = to) {
        int64_t number = points[from].at_s / S_PER_DAY;
        struct forecast_day day;
        double sum = 0, weight = 0;
        begin_day(&day, number);
        for (to = from; to < count && points[to].at_s / S_PER_DAY == number; to++) {
            day.hour[points[to].at_s % S_PER_DAY / 3600] = points[to].mean;
            day.peak = fmax(day.peak, points[to].mean);
            day.hours++;
            sum += points[to].mean * (double)points[to].count;
            weight += (double)points[to].count;
        }
        day.mean = weight > 0 ? sum / weight : 0;
        if (day.hours < FORECAST_HOURS_MIN || number >= today) {
            continue;
        }
        if (n == max) {
            for (size_t i = 1; i < n; i++) {
                ret[i - 1] = ret[i];
            }
            n--;
        }
        ret[n++] = day;
    }
    return n;
}

/* Sets what all forecasts have; false: there is none. */
static bool begin(const struct forecast_day *days, size_t count, int64_t today,
                  struct forecast *ret)
{
    ASSERT(count <= FORECAST_DAYS_MAX);
    *ret = (struct forecast){.days = (int)count,
                             .due_day = today - 1 + FORECAST_AHEAD,
                             .low = NAN,
                             .mid = NAN,
                             .high = NAN,
                             .top_hour = -1};
    if (count < FORECAST_DAYS_MIN) {
        return false;
    }
    ret->state = days[count - 1].day < today - FORECAST_STALE_DAYS ? FORECAST_STALE : FORECAST_MADE;
    return ret->state == FORECAST_MADE;
}

/* ------------------------------------------------------------------ seasons */

/* What each weekday adds to the line; all zero, and false, if that may be chance. */
static bool weekdays(const struct trend_point *p, size_t count, const struct trend *t,
                     double ret[7])
{
    double left[FORECAST_DAYS_MAX], rank_sum[7] = {0}, h = 0, n = (double)count, tied = 0;
    size_t of[7] = {0};
    for (int d = 0; d < 7; d++) {
        ret[d] = 0;
    }
    for (size_t i = 0; i < count; i++) {
        left[i] = p[i].value - t->value - t->slope * (p[i].at_s - t->last_s);
    }
    for (size_t i = 0; i < count; i++) {
        double below = 0, equal = 0;
        for (size_t k = 0; k < count; k++) {
            below += left[k] < left[i];
            equal += left[k] >= left[i] && left[k] <= left[i];
        }
        int d = forecast_weekday((int64_t)p[i].at_s / S_PER_DAY);
        rank_sum[d] += below + (equal + 1) / 2;
        tied += equal * equal - 1; /* summed over a group of ties: t^3 - t */
        of[d]++;
    }
    for (int d = 0; d < 7; d++) {
        if (of[d] < WEEKS_MIN) {
            return false;
        }
        h += rank_sum[d] * rank_sum[d] / (double)of[d];
    }
    double untied = 1 - tied / (n * n * n - n);
    h = untied > 0 ? (12 / (n * (n + 1)) * h - 3 * (n + 1)) / untied : 0;
    for (int d = 0; h > WEEKDAY_H && d < 7; d++) {
        double own[FORECAST_DAYS_MAX];
        size_t k = 0;
        for (size_t i = 0; i < count; i++) {
            if (forecast_weekday((int64_t)p[i].at_s / S_PER_DAY) == d) {
                own[k++] = left[i];
            }
        }
        ret[d] = middle(own, k);
    }
    return h > WEEKDAY_H;
}

/* The mean by hour of how far the hours are from the mean of their day, over every second day. */
static void profile(const struct forecast_day *days, size_t count, size_t from, double ret[24])
{
    double times[24] = {0};
    for (int h = 0; h < 24; h++) {
        ret[h] = 0;
    }
    for (size_t i = from; i < count; i += 2) {
        for (int h = 0; h < 24; h++) {
            if (!isnan(days[i].hour[h])) {
                ret[h] += days[i].hour[h] - days[i].mean;
                times[h]++;
            }
        }
    }
    for (int h = 0; h < 24; h++) {
        ret[h] = times[h] > 0 ? ret[h] / times[h] : 0;
    }
}

static int top_hour(const struct forecast_day *days, size_t count)
{
    double even[24], odd[24], xy = 0, xx = 0, yy = 0, x = 0, y = 0;
    int top = 0, bottom = 0;
    profile(days, count, 0, even);
    profile(days, count, 1, odd);
    for (int h = 0; h < 24; h++) {
        x += even[h] / 24;
        y += odd[h] / 24;
    }
    for (int h = 0; h < 24; h++) {
        xy += (even[h] - x) * (odd[h] - y);
        xx += (even[h] - x) * (even[h] - x);
        yy += (odd[h] - y) * (odd[h] - y);
        top = even[h] + odd[h] > even[top] + odd[top] ? h : top;
        bottom = even[h] + odd[h] < even[bottom] + odd[bottom] ? h : bottom;
    }
    double range = (even[top] + odd[top] - even[bottom] - odd[bottom]) / 2;
    bool same = xx > 0 && yy > 0 && xy / sqrt(xx * yy) > HOUR_SAME;
    return same && range > HOUR_MATTERS * fabs(days[count - 1].peak) ? top : -1;
}

/* ------------------------------------------------------------------ growth */

/* The range that leaves out TAIL of the sorted values at each end, or nothing if they are few. */
static void tails(double *values, size_t count, double *ret_low, double *ret_high)
{
    size_t cut = (size_t)(TAIL * (double)(count + 1));
    cut = cut > 0 ? cut - 1 : 0;
    qsort(values, count, sizeof(*values), by_size);
    *ret_low = values[cut];
    *ret_high = values[count - 1 - cut];
}

/* What this forecast, made on each earlier day, was off by; returns how often it was made. */
static size_t errors_before(const struct trend_point *p, size_t count, double *ret)
{
    size_t n = 0;
    for (size_t known = FORECAST_DAYS_MIN; known < count; known++) {
        struct trend t;
        double at_s = p[known - 1].at_s + FORECAST_AHEAD * S_PER_DAY;
        for (size_t i = known; i < count; i++) {
            if (p[i].at_s >= at_s && p[i].at_s <= at_s && trend_of(p, known, Z_COVERS, &t)) {
                ret[n++] = p[i].value - t.value - t.slope * (at_s - t.last_s);
            }
        }
    }
    return n;
}

static void interval(const struct trend_point *p, size_t count, double ahead_s, double season,
                     struct forecast *ret)
{
    struct trend t;
    double left[FORECAST_DAYS_MAX], low, high;
    bool known = trend_of(p, count, Z_COVERS, &t);
    ASSERT(known); /* there are enough days, at different times */
    for (size_t i = 0; i < count; i++) {
        left[i] = p[i].value - t.value - t.slope * (p[i].at_s - t.last_s);
    }
    tails(left, count, &low, &high);
    double few = 1 + 2.0 * FORECAST_AHEAD / (double)count; /* the line follows its days */
    ret->mid = t.value + t.slope * ahead_s + season;
    ret->low = t.value + t.lower * ahead_s + few * low + season;
    ret->high = t.value + t.upper * ahead_s + few * high + season;
    size_t n = errors_before(p, count, left);
    if (n > 0) {
        tails(left, n, &low, &high);
        ret->low = fmin(ret->low, ret->mid + low);
        ret->high = fmax(ret->high, ret->mid + high);
    }
}

void forecast_growth(const struct forecast_day *days, size_t count, int64_t today,
                     struct forecast *ret)
{
    struct trend_point p[FORECAST_DAYS_MAX] = {0};
    struct trend t;
    double season[7];
    if (!begin(days, count, today, ret)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        p[i] = (struct trend_point){.at_s = (double)days[i].day * S_PER_DAY, .value = days[i].peak};
    }
    bool known = trend_of(p, count, TREND_SURE, &t);
    ASSERT(known);
    ret->weekly = weekdays(p, count, &t, season);
    for (size_t i = 0; ret->weekly && i < count; i++) {
        p[i].value -= season[forecast_weekday(days[i].day)];
    }
    (void)trend_of(p, count, TREND_SURE, &t);
    for (int d = 1; d < 7; d++) {
        ret->top_weekday = season[d] > season[ret->top_weekday] ? d : ret->top_weekday;
    }
    ret->last = days[count - 1].peak;
    ret->slope_day = t.slope * S_PER_DAY;
    ret->lower_day = t.lower * S_PER_DAY;
    ret->upper_day = t.upper * S_PER_DAY;
    ret->grows = t.lower > 0;
    ret->top_hour = top_hour(days, count);
    interval(p, count, (double)(ret->due_day - days[count - 1].day) * S_PER_DAY,
             season[forecast_weekday(ret->due_day)], ret);
}

double forecast_reaches_days(const struct forecast *f, double slope_day, double limit)
{
    double line = f->mid - FORECAST_AHEAD * f->slope_day;
    return line >= limit ? 0 : slope_day <= 0 ? INFINITY : (limit - line) / slope_day;
}

/* ------------------------------------------------------------------ budget */

static double allowed_pct(double target_pct)
{
    return fmax(100 - target_pct, 1e-6);
}

/* Sums of the means of the days from `first` to `last`. */
static double sum_of(const struct forecast_day *days, size_t count, int64_t first, int64_t last,
                     int *ret_days)
{
    double sum = 0;
    *ret_days = 0;
    for (size_t i = 0; i < count; i++) {
        if (days[i].day >= first && days[i].day <= last) {
            sum += days[i].mean;
            (*ret_days)++;
        }
    }
    return sum;
}

/* Sums of as many days drawn as will come. */
static void draw_weeks(const struct forecast_day *days, size_t count, double *ret)
{
    struct rng rng;
    double pool[FORECAST_DAYS_MAX + 1];
    pool[count] = HOUR_FAILED;
    for (size_t i = 0; i < count; i++) {
        pool[i] = days[i].mean;
        pool[count] = fmax(pool[count], days[i].mean);
    }
    rng_init(&rng, 1); /* the same forecast for the same days */
    for (int i = 0; i < DRAWS; i++) {
        ret[i] = 0;
        for (int d = 0; d < FORECAST_AHEAD; d++) {
            ret[i] += pool[rng_below(&rng, count + 1)];
        }
    }
}

void forecast_budget(const struct forecast_day *days, size_t count, int64_t today,
                     double target_pct, struct forecast *ret)
{
    if (!begin(days, count, today, ret)) {
        return;
    }
    AUTO_FREE double *weeks = malloc(DRAWS * sizeof(*weeks));
    NEED_MEMORY(weeks != NULL);
    double follow[FORECAST_DAYS_MAX], low, high, other_low, other_high, mean = 0;
    size_t n = 0;
    int known;
    draw_weeks(days, count, weeks);
    tails(weeks, DRAWS, &low, &high);
    for (size_t i = 0; i + FORECAST_AHEAD <= count; i++) {
        double sum = 0;
        for (size_t k = 0; k < FORECAST_AHEAD; k++) {
            sum += days[i + k].mean;
        }
        follow[n++] = sum;
    }
    tails(follow, n, &other_low, &other_high);
    for (size_t i = 0; i < count; i++) {
        mean += days[i].mean / (double)count;
    }
    double sum = sum_of(days, count, ret->due_day - FORECAST_BUDGET_DAYS + 1, today - 1, &known);
    double scale = 100 / allowed_pct(target_pct) / (double)(known + FORECAST_AHEAD);
    mean *= FORECAST_AHEAD;
    ret->mid = (sum + mean) * scale;
    ret->low = (sum + fmin(mean, fmin(low, other_low))) * scale;
    ret->high = (sum + fmax(mean, fmax(high, other_high))) * scale;
    ret->last = forecast_actual_budget(days, count, today - 1, target_pct);
}

/* ------------------------------------------------------------------ what came */

double forecast_actual_growth(const struct forecast_day *days, size_t count, int64_t due_day)
{
    for (size_t i = 0; i < count; i++) {
        if (days[i].day == due_day) {
            return days[i].peak;
        }
    }
    return NAN;
}

double forecast_actual_budget(const struct forecast_day *days, size_t count, int64_t due_day,
                              double target_pct)
{
    int known, last;
    double sum = sum_of(days, count, due_day - FORECAST_BUDGET_DAYS + 1, due_day, &known);
    (void)sum_of(days, count, due_day - FORECAST_STALE_DAYS, due_day, &last);
    return last == 0 ? NAN : sum / (double)known * 100 / allowed_pct(target_pct);
}
