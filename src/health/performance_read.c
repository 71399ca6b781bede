#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/zone.h"
#include "performance.h"
#include "store/ops.h"
#include "store/sample_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MAX    18000 /* two years of hours */
#define DETAIL_BELOW  24    /* points */
#define LINES_MAX     12
#define LATENCIES_MAX 6   /* services in the picture of all */
#define TRADE_DAYS    30  /* at least: a day has few trades */
#define SLOW_TIMES    3.0 /* the median latency of the service */
#define BUSY_PCT      90.0

enum metric_level performance_level(int64_t days)
{
    return days <= 7 ? METRIC_5MIN : METRIC_HOUR;
}

/* ------------------------------------------------------------------ figures */

static void take_sum(const char *subject, const char *name, const struct metric_point *sum,
                     void *userdata)
{
    struct performance *p = userdata;
    for (size_t i = 0; i < p->count; i++) {
        for (int k = 0; strcmp(p->subjects[i].name, subject) == 0 && k < METRICS; k++) {
            if (strcmp(metric_info((enum metric)k)->name, name) == 0) {
                p->subjects[i].over[k] = *sum;
            }
        }
    }
}

static int64_t since_s(const struct performance *p, int64_t days)
{
    return (p->now_us - days * USEC_PER_DAY) / USEC_PER_SEC;
}

/* ------------------------------------------------------------------ trades */

static void take_failure(int64_t at_us, void *userdata)
{
    struct performance *p = userdata;
    /* Down since the check before it, at most, and until the one after it. */
    trade_health_fault(&p->trades, FAULT_DOWN, at_us - p->check_us, at_us + p->check_us);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Collects the 5 minutes in which the checks were slow, or the CPU was busy. */
static int add_slow(struct ops_store *store, const struct performance *p,
                    const struct performance_subject *s, enum metric metric, int64_t *slow,
                    int *count, struct err *err)
{
    AUTO_FREE struct metric_point *points = calloc(POINTS_MAX, sizeof(*points));
    AUTO_FREE double *sorted = calloc(POINTS_MAX, sizeof(*sorted));
    NEED_MEMORY(points != NULL && sorted != NULL);
    const struct metric_query query = {.subject = s->name,
                                       .name = metric_info(metric)->name,
                                       .level = METRIC_5MIN,
                                       .from_s = since_s(p, p->trade_days),
                                       .to_s = p->now_us / USEC_PER_SEC};
    int n = metric_table_list(store, &query, points, POINTS_MAX, err);
    for (int i = 0; i < n; i++) {
        sorted[i] = points[i].mean;
    }
    qsort(sorted, n > 0 ? (size_t)n : 0, sizeof(*sorted), by_size);
    double limit = metric == METRIC_CPU ? BUSY_PCT : n > 0 ? SLOW_TIMES * sorted[n / 2] : 0;
    for (int i = 0; i < n && *count < FAULTS_MAX; i++) {
        if (points[i].mean > limit) {
            slow[(*count)++] = points[i].at_s;
        }
    }
    return n < 0 ? n : 0;
}

static int find_slow(struct ops_store *store, struct performance *p, struct err *err)
{
    AUTO_FREE int64_t *slow = calloc(FAULTS_MAX, sizeof(*slow));
    NEED_MEMORY(slow != NULL);
    int count = 0;
    int rc = add_slow(store, p, &p->subjects[SUBJECT_HOST], METRIC_CPU, slow, &count, err);
    for (size_t i = SUBJECT_SERVICE; rc == 0 && i < SUBJECT_SERVICE + p->service_count; i++) {
        rc = add_slow(store, p, &p->subjects[i], METRIC_LATENCY, slow, &count, err);
    }
    qsort(slow, (size_t)count, sizeof(*slow), by_time);
    for (int i = 0; rc == 0 && i < count; i++) {
        trade_health_fault(&p->trades, FAULT_SLOW, slow[i] * USEC_PER_SEC,
                           (slow[i] + metric_level_s(METRIC_5MIN)) * USEC_PER_SEC);
    }
    return rc;
}

static int take_trade(const struct trade *trade, void *userdata, struct err *err)
{
    struct performance *p = userdata;
    (void)err;
    trade_health_trade(&p->trades, trade);
    return 0;
}

/* Only in a market that runs in real time: the machine knows no other time. */
static int compare_trades(struct ops_store *ops, struct performance *p, struct err *err)
{
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    if (p->market_speed != 1 || p->only >= 0) {
        return 0;
    }
    int rc = trading_store_open(p->job.state_dir, TRADING_STORE_READ, &trading, err);
    if (rc < 0) {
        return rc;
    }
    p->trade_days = p->days > TRADE_DAYS ? p->days : TRADE_DAYS;
    int64_t since_us = since_s(p, p->trade_days) * USEC_PER_SEC;
    rc = sample_table_failures(ops, since_us, take_failure, p, err);
    rc = rc < 0 ? rc : find_slow(ops, p, err);
    return rc < 0 ? rc : trade_table_each(trading, since_us, take_trade, p, err);
}

/* ------------------------------------------------------------------ the picture */

struct line {
    int panel;
    const char *name;
    enum chart_colour colour;
    double scale;
    int count;
    struct metric_point *points;
    double *values;
};

struct drawing {
    struct performance *p;
    struct ops_store *store;
    int count;
    struct line lines[LINES_MAX];
    int axis_count;
    int64_t *axis_s;
    int64_t *axis_us;
};

static void drawing_release(struct drawing *d)
{
    for (int i = 0; i < d->count; i++) {
        free(d->lines[i].points);
        free(d->lines[i].values);
    }
    free(d->axis_s);
    free(d->axis_us);
}

static bool all_zero(const struct metric_point *points, int count)
{
    for (int i = 0; i < count; i++) {
        if (points[i].mean > 0) {
            return false;
        }
    }
    return true;
}

/* Reads a line, and leaves it out if there is nothing to draw: the table has the zeros. */
static int add_line(struct drawing *d, int panel, size_t subject, enum metric metric,
                    const char *name, enum chart_colour colour, struct err *err)
{
    struct line *line = &d->lines[d->count];
    const struct metric_query query = {.subject = d->p->subjects[subject].name,
                                       .name = metric_info(metric)->name,
                                       .level = d->p->drawn,
                                       .from_s = since_s(d->p, d->p->days),
                                       .to_s = d->p->now_us / USEC_PER_SEC + 1};
    ASSERT(d->count < LINES_MAX);
    *line = (struct line){.panel = panel,
                          .name = name,
                          .colour = colour,
                          .scale = metric_info(metric)->unit == METRIC_UNIT_BYTES ? 1e-6 : 1};
    line->points = calloc(POINTS_MAX, sizeof(*line->points));
    NEED_MEMORY(line->points != NULL);
    int n = metric_table_list(d->store, &query, line->points, POINTS_MAX, err);
    if (n <= 0 || all_zero(line->points, n)) {
        free(line->points);
        return n < 0 ? n : 0;
    }
    line->count = n;
    d->count++;
    return 0;
}

static int add_lines_of_all(struct drawing *d, struct err *err)
{
    static const enum chart_colour colours[LATENCIES_MAX] = {
        CHART_BLUE, CHART_ORANGE, CHART_GREEN, CHART_VIOLET, CHART_TEAL, CHART_BROWN};
    int rc = add_line(d, 0, SUBJECT_HOST, METRIC_CPU, "machine", CHART_BLUE, err);
    rc = rc < 0 ? rc : add_line(d, 0, SUBJECT_SELF, METRIC_CPU, "nightdesk", CHART_ORANGE, err);
    rc = rc < 0 ? rc : add_line(d, 1, SUBJECT_HOST, METRIC_MEMORY_PCT, "memory", CHART_BLUE, err);
    rc = rc < 0 ? rc : add_line(d, 1, SUBJECT_HOST, METRIC_DISK_PCT, "disk", CHART_ORANGE, err);
    for (size_t i = 0; rc == 0 && i < LATENCIES_MAX && i < d->p->service_count; i++) {
        rc = add_line(d, 2, SUBJECT_SERVICE + i, METRIC_LATENCY,
                      d->p->subjects[SUBJECT_SERVICE + i].name, colours[i], err);
    }
    return rc;
}

static int add_lines_of_one(struct drawing *d, struct err *err)
{
    static const enum metric metrics[] = {METRIC_CPU, METRIC_MEMORY, METRIC_LATENCY,
                                          METRIC_FAILED_PCT};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < COUNT_OF(metrics); i++) {
        rc = add_line(d, (int)i, (size_t)d->p->only, metrics[i], NULL,
                      metrics[i] == METRIC_FAILED_PCT ? CHART_RED : CHART_BLUE, err);
    }
    return rc;
}

static void make_axis(struct drawing *d)
{
    size_t all = 0, n = 0;
    int64_t half_us = metric_level_s(d->p->drawn) * USEC_PER_SEC / 2;
    for (int i = 0; i < d->count; i++) {
        all += (size_t)d->lines[i].count;
    }
    d->axis_s = calloc(all, sizeof(*d->axis_s));
    d->axis_us = calloc(all, sizeof(*d->axis_us));
    NEED_MEMORY(d->axis_s != NULL && d->axis_us != NULL);
    for (int i = 0; i < d->count; i++) {
        for (int k = 0; k < d->lines[i].count; k++) {
            d->axis_s[n++] = d->lines[i].points[k].at_s;
        }
    }
    qsort(d->axis_s, all, sizeof(*d->axis_s), by_time);
    for (size_t i = 0; i < all; i++) {
        if (d->axis_count == 0 || d->axis_s[d->axis_count - 1] != d->axis_s[i]) {
            d->axis_s[d->axis_count++] = d->axis_s[i];
        }
    }
    for (int i = 0; i < d->axis_count; i++) {
        d->axis_us[i] = d->axis_s[i] * USEC_PER_SEC + half_us;
    }
}

/* The values of a line at the times of the axis; not finite where it has none. */
static void spread(const struct drawing *d, struct line *line)
{
    line->values = calloc((size_t)d->axis_count, sizeof(*line->values));
    NEED_MEMORY(line->values != NULL);
    for (int i = 0, k = 0; i < d->axis_count; i++) {
        bool here = k < line->count && line->points[k].at_s == d->axis_s[i];
        line->values[i] = here ? line->points[k].mean * line->scale : NAN;
        k += here;
    }
}

static const struct {
    const char *title, *unit;
} panels_of_all[] = {{"CPU", " %"}, {"In use", " %"}, {"Latency of checks", " ms"}},
  panels_of_one[] = {
      {"CPU", " %"}, {"Memory", " MB"}, {"Latency of checks", " ms"}, {"Failed checks", " %"}};

static void fill_panels(const struct drawing *d, struct chart *chart)
{
    int before = -1;
    for (int i = 0; i < d->count; i++) {
        const struct line *line = &d->lines[i];
        if (line->panel != before) {
            struct chart_panel *new = &chart->panels[chart->panel_count++];
            before = line->panel;
            new->title =
                d->p->only >= 0 ? panels_of_one[before].title : panels_of_all[before].title;
            new->unit = d->p->only >= 0 ? panels_of_one[before].unit : panels_of_all[before].unit;
            new->weight = 1;
            new->from_zero = true;
        }
        struct chart_panel *panel = &chart->panels[chart->panel_count - 1];
        panel->lines[panel->line_count++] = (struct chart_line){.name = line->name,
                                                                .colour = line->colour,
                                                                .tagged = line->name == NULL,
                                                                .filled = line->name == NULL,
                                                                .values = line->values};
    }
}

/* Each measurement, if there are few: after the start, five minutes are long. */
static int choose_level(struct drawing *d, struct err *err)
{
    struct metric_point few[DETAIL_BELOW];
    const struct metric_query query = {.subject = d->p->subjects[SUBJECT_HOST].name,
                                       .name = metric_info(METRIC_MEMORY_PCT)->name,
                                       .level = performance_level(d->p->days),
                                       .from_s = since_s(d->p, d->p->days),
                                       .to_s = d->p->now_us / USEC_PER_SEC + 1};
    int n = metric_table_list(d->store, &query, few, COUNT_OF(few), err);
    d->p->drawn = n < DETAIL_BELOW ? METRIC_DETAIL : query.level;
    return n < 0 ? n : 0;
}

static int draw(struct drawing *d, struct buf *png, struct err *err)
{
    struct performance *p = d->p;
    char zone_name[ZONE_LABEL_SIZE];
    struct zone *zone = NULL;
    int rc = choose_level(d, err);
    rc = rc < 0 ? rc : p->only >= 0 ? add_lines_of_one(d, err) : add_lines_of_all(d, err);
    if (rc < 0 || d->count == 0) {
        return rc;
    }
    make_axis(d);
    if (d->axis_count < 2) {
        return 0;
    }
    for (int i = 0; i < d->count; i++) {
        spread(d, &d->lines[i]);
    }
    const char *name = p->only >= 0 ? p->subjects[p->only].name : "System";
    (void)snprintf(p->job.caption, sizeof(p->job.caption),
                   p->days == 1 ? "%s, last day" : "%s, last %lld days", name, (long long)p->days);
    (void)zone_load(p->zone, &zone, NULL); /* without it: UTC, as the label says */
    zone_label(zone, zone == NULL ? "" : p->zone, p->now_us, zone_name);
    int64_t step_us =
        p->drawn == METRIC_DETAIL ? p->interval_us : metric_level_s(p->drawn) * USEC_PER_SEC;
    struct chart chart = {.title = p->job.caption,
                          .width = CHART_PHONE_WIDTH,
                          .height = CHART_PHONE_HEIGHT,
                          .text_scale = CHART_PHONE_TEXT,
                          .theme = p->theme,
                          .zone = zone,
                          .zone_name = zone_name,
                          .gap_us = 3 * step_us,
                          .count = d->axis_count,
                          .at_us = d->axis_us};
    fill_panels(d, &chart);
    rc = chart_png(&chart, png, err);
    zone_free(zone);
    return rc < 0 ? rc : 1;
}

int performance_read(struct file_job *job, struct err *err)
{
    struct performance *p = (struct performance *)job;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    int rc = ops_store_open(job->state_dir, OPS_STORE_READ, &store, err);
    rc = rc < 0 ? rc
                : metric_table_sums(store, performance_level(p->days), since_s(p, p->days),
                                    p->now_us / USEC_PER_SEC + 1, take_sum, p, err);
    rc = rc < 0 ? rc : compare_trades(store, p, err);
    if (rc < 0) {
        return rc;
    }
    struct drawing d = {.p = p, .store = store};
    rc = draw(&d, &png, err);
    drawing_release(&d);
    if (rc <= 0) {
        return rc;
    }
    rc = file_job_keep(job, buf_str(&png), err);
    return rc < 0 ? rc : 1;
}
