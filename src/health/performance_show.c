#include "base/check.h"
#include "base/clock.h"
#include "command/reply.h"
#include "io/json_out.h"
#include "performance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROWS_MAX    40
#define BUTTONS_MAX 6
#define STALE_TIMES 3 /* measurements that are missing */

/* ------------------------------------------------------------------ JSON */

static void json_metric(struct json_out *data, const struct performance_subject *s,
                        enum metric metric)
{
    const struct metric_point *over = &s->over[metric];
    bool now = (s->has & METRIC_BIT(metric)) != 0;
    if (!now && over->count == 0) {
        return;
    }
    json_out_object(data, metric_info(metric)->name);
    json_out_rounded(data, "now", now ? s->now[metric] : NAN, 3);
    json_out_rounded(data, "min", over->count > 0 ? over->min : NAN, 3);
    json_out_rounded(data, "mean", over->count > 0 ? over->mean : NAN, 3);
    json_out_rounded(data, "max", over->count > 0 ? over->max : NAN, 3);
    json_out_i64(data, "count", over->count);
    json_out_end(data);
}

static const struct {
    enum metric_alarm_id alarm;
    const char *metric;
    const char *what; /* for people */
} forecasts[] = {{ALARM_DISK_TREND, "disk_pct", "The disk"},
                 {ALARM_INODES_TREND, "inodes_pct", "The disk's inodes"},
                 {ALARM_MEMORY_TREND, "memory_bytes", "Memory"}};

static void json_subject(struct json_out *data, const struct performance_subject *s)
{
    static const char *const kinds[] = {"host", "nightdesk", "service", "check"};
    json_out_object(data, NULL);
    json_out_text(data, "name", s->name);
    json_out_text(data, "kind", kinds[s->kind]);
    json_out_object(data, "metrics");
    for (int i = 0; i < METRICS; i++) {
        json_metric(data, s, (enum metric)i);
    }
    json_out_end(data);
    json_out_array(data, "forecasts");
    for (size_t i = 0; i < COUNT_OF(forecasts); i++) {
        const struct metric_alarm *a = &s->alarms[forecasts[i].alarm];
        if (!a->known) {
            continue;
        }
        json_out_object(data, NULL);
        json_out_text(data, "metric", forecasts[i].metric);
        json_out_rounded(data, "full_s", isinf(a->left_s) ? NAN : a->left_s, 0);
        json_out_rounded(data, "full_soonest_s", isinf(a->left_s) ? NAN : a->soonest_s, 0);
        json_out_rounded(data, "full_latest_s", isinf(a->left_s) ? NAN : a->latest_s, 0);
        json_out_end(data);
    }
    json_out_end(data);
    json_out_end(data);
}

static const char *const faults[FAULTS] = {"down", "slow", "normal"};

static void json_trades(struct json_out *data, const struct performance *p)
{
    json_out_object(data, "trades");
    json_out_i64(data, "days", p->trade_days);
    for (int i = 0; i < FAULTS; i++) {
        const struct trade_group_result *g = &p->trades.groups[i];
        struct trade_difference d = {0};
        if (i != FAULT_NONE) {
            trade_health_compare(&p->trades, (enum fault)i, &d);
        }
        json_out_object(data, faults[i]);
        json_out_i64(data, "trades", g->trades);
        json_out_i64(data, "wins", g->wins);
        json_out_rounded(data, "mean_pct", g->trades > 0 ? g->mean_pct : NAN, 4);
        json_out_rounded(data, "difference_pct", d.enough ? d.points : NAN, 4);
        json_out_rounded(data, "difference_lower_pct", d.enough ? d.lower : NAN, 4);
        json_out_rounded(data, "difference_upper_pct", d.enough ? d.upper : NAN, 4);
        json_out_end(data);
    }
    json_out_end(data);
}

static bool is_check_of(const struct performance_subject *s, const char *service)
{
    size_t len = strlen(service);
    return s->kind == SUBJECT_CHECK && strncmp(s->name, service, len) == 0 && s->name[len] == '/';
}

static bool is_shown(const struct performance *p, size_t i)
{
    return p->only < 0 || p->only == (int)i ||
           is_check_of(&p->subjects[i], p->subjects[p->only].name);
}

static void add_data(const struct performance *p, struct reply *r)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "system");
    json_out_i64(&data, "days", p->days);
    json_out_time(&data, "measured_at", p->age_us < 0 ? 0 : p->now_us - p->age_us);
    json_out_array(&data, "subjects");
    for (size_t i = 0; i < p->count; i++) {
        if (is_shown(p, i)) {
            json_subject(&data, &p->subjects[i]);
        }
    }
    json_out_end(&data);
    if (p->trade_days > 0) {
        json_trades(&data, p);
    }
    json_out_end(&data);
}

/* ------------------------------------------------------------------ tables */

/* A rate has its "/s" in the name of the row, so that a phone shows three of them side by side. */
static struct cell cell_of(enum metric metric, bool known, double value)
{
    enum metric_unit unit = metric_info(metric)->unit;
    return !known ? cell_none()
                  : metric_cell(unit == METRIC_UNIT_RATE ? METRIC_UNIT_BYTES : unit, value);
}

struct row {
    enum metric metric;
    const char *name;
};

static void show_rows(const struct performance_subject *s, const struct row *rows, size_t count,
                      const char *heading, struct reply *r)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        enum metric metric = rows[i].metric;
        const struct metric_point *over = &s->over[metric];
        bool now = (s->has & METRIC_BIT(metric)) != 0;
        if (!now && over->count == 0) {
            continue;
        }
        if (!any) {
            reply_columns(r, heading, "now", "mean", "max");
        }
        any = true;
        reply_cells(r, cell_text(rows[i].name), cell_of(metric, now, s->now[metric]),
                    cell_of(metric, over->count > 0, over->mean),
                    cell_of(metric, over->count > 0, over->max));
    }
}

static void show_host(const struct performance_subject *s, struct reply *r)
{
    static const struct row rows[] = {
        {METRIC_CPU, "CPU"},       {METRIC_MEMORY_PCT, "Memory"}, {METRIC_SWAP_PCT, "Swap"},
        {METRIC_DISK_PCT, "Disk"}, {METRIC_INODES_PCT, "Inodes"}, {METRIC_BUSY_PCT, "Busy"},
        {METRIC_READ, "Read/s"},   {METRIC_WRITTEN, "Write/s"},   {METRIC_RECEIVED, "In/s"},
        {METRIC_SENT, "Out/s"},    {METRIC_FILES, "Files"}};
    show_rows(s, rows, COUNT_OF(rows), "machine", r);
}

static void show_one(const struct performance_subject *s, struct reply *r)
{
    static const struct row rows[] = {
        {METRIC_CPU, "CPU"},         {METRIC_MEMORY, "Memory"},     {METRIC_MEMORY_PCT, "Limit"},
        {METRIC_READ, "Read/s"},     {METRIC_WRITTEN, "Write/s"},   {METRIC_TASKS, "Tasks"},
        {METRIC_FILES, "Files"},     {METRIC_FILES_PCT, "F. used"}, {METRIC_OOM_KILLS, "Killed"},
        {METRIC_LATENCY, "Latency"}, {METRIC_FAILED_PCT, "Failed"}};
    show_rows(s, rows, COUNT_OF(rows), "", r);
}

static struct cell newest(const struct performance_subject *s, enum metric metric)
{
    return cell_of(metric, (s->has & METRIC_BIT(metric)) != 0, s->now[metric]);
}

static void show_checks(const struct performance *p, struct reply *r)
{
    const struct performance_subject *service = &p->subjects[p->only];
    size_t from = SUBJECT_SERVICE + p->service_count;
    bool any = false;
    for (size_t i = from; i < p->count; i++) {
        const struct performance_subject *s = &p->subjects[i];
        const struct metric_point *latency = &s->over[METRIC_LATENCY];
        const struct metric_point *failed = &s->over[METRIC_FAILED_PCT];
        if (!is_check_of(s, service->name) || failed->count == 0) {
            continue;
        }
        if (!any) {
            reply_columns(r, "check", "mean", "max", "failed");
        }
        any = true;
        reply_cells(r, cell_text(s->name + strlen(service->name) + 1),
                    cell_of(METRIC_LATENCY, latency->count > 0, latency->mean),
                    cell_of(METRIC_LATENCY, latency->count > 0, latency->max),
                    cell_pct(failed->mean, 1));
    }
}

static void show_services(const struct performance *p, struct reply *r)
{
    size_t all = SUBJECT_SERVICE + p->service_count;
    size_t last = all < SUBJECT_SELF + ROWS_MAX ? all : SUBJECT_SELF + ROWS_MAX;
    reply_columns(r, "now", "CPU", "memory", "latency");
    for (size_t i = SUBJECT_SELF; i < last; i++) {
        const struct performance_subject *s = &p->subjects[i];
        reply_cells(r, cell_text(s->name), newest(s, METRIC_CPU), newest(s, METRIC_MEMORY),
                    newest(s, METRIC_LATENCY));
    }
    if (last < all) {
        reply_para(r, "And {} more.", cell_count((int64_t)(all - last)));
    }
    for (size_t i = SUBJECT_SERVICE; i < last; i++) {
        const struct performance_subject *s = &p->subjects[i];
        const struct metric_point *failed = &s->over[METRIC_FAILED_PCT];
        if (failed->count > 0 && failed->mean > 0) {
            reply_item(r, "{}: {} of its checks failed", cell_text(s->name),
                       cell_pct(failed->mean, 1));
        }
    }
}

/* ------------------------------------------------------------------ forecasts, trades */

static struct cell days_of(double left_s)
{
    return cell_duration((int64_t)(fmin(left_s, 3650 * 86400.0) * 1e6));
}

static void show_forecasts(const struct performance_subject *s, struct reply *r)
{
    for (size_t i = 0; i < COUNT_OF(forecasts); i++) {
        const struct metric_alarm *a = &s->alarms[forecasts[i].alarm];
        const char *what = forecasts[i].what;
        const char *of = s->kind == SUBJECT_HOST ? "" : " of ";
        const char *name = s->kind == SUBJECT_HOST ? "" : s->name;
        if (a->known && !isinf(a->left_s)) {
            reply_item(r, "{}{}{}: full in {} ({} to {})", cell_text(what), cell_text(of),
                       cell_text(name), days_of(a->left_s), days_of(a->soonest_s),
                       days_of(a->latest_s));
        } else if (a->known && forecasts[i].alarm == ALARM_DISK_TREND) {
            reply_item(r, "{}: no growth that could not be chance", cell_text(what));
        }
    }
}

static void show_difference(const struct performance *p, enum fault kind, const char *name,
                            struct reply *r)
{
    struct trade_difference d;
    trade_health_compare(&p->trades, kind, &d);
    if (!d.enough) {
        reply_para(r, "{}: too few trades to compare; at least {} of each are needed.",
                   cell_text(name), cell_count(TRADES_MIN));
        return;
    }
    reply_para(r, "{}: {} a trade against normal ({} to {}, 95 % sure): {}.", cell_text(name),
               cell_pct_signed(d.points, 2), cell_pct_signed(d.lower, 2),
               cell_pct_signed(d.upper, 2),
               cell_text(d.upper < 0   ? "worse"
                         : d.lower > 0 ? "better"
                                       : "may be chance"));
}

static void show_trades(const struct performance *p, struct reply *r)
{
    char heading[64];
    if (p->market_speed != 1) {
        reply_para(r,
                   "The market runs at {}× real time: its trades cannot be matched with the "
                   "machine.",
                   cell_count(p->market_speed));
        return;
    }
    (void)snprintf(heading, sizeof(heading), "Trades of %lld days", (long long)p->trade_days);
    reply_heading(r, heading);
    reply_columns(r, "while", "trades", "won", "mean");
    for (int i = FAULTS - 1; i >= 0; i--) {
        const struct trade_group_result *g = &p->trades.groups[i];
        bool any = g->trades > 0;
        reply_cells(r, cell_text(faults[i]), cell_count(g->trades),
                    any ? cell_pct(100.0 * (double)g->wins / (double)g->trades, 0) : cell_none(),
                    any ? cell_pct_signed(g->mean_pct, 2) : cell_none());
    }
    show_difference(p, FAULT_DOWN, "Down", r);
    show_difference(p, FAULT_SLOW, "Slow", r);
    reply_line(r,
               "Down: a service was, while the trade was open. Slow: its checks took three times "
               "their median, or the CPU was over 90 %%. It shows what went together, not why.");
}

/* ------------------------------------------------------------------ all */

static int64_t count_alarms(const struct performance *p)
{
    int64_t open = p->disk_hangs;
    for (size_t i = 0; i < p->count; i++) {
        for (int k = 0; (p->only < 0 || p->only == (int)i) && k < METRIC_ALARMS; k++) {
            open += p->subjects[i].alarms[k].open;
        }
    }
    return open;
}

static void show_title(const struct performance *p, struct reply *r)
{
    const char *name = p->only >= 0 ? p->subjects[p->only].name : "System";
    int64_t open = count_alarms(p);
    if (p->age_us < 0) {
        reply_title(r, TONE_WARN, "%s: not measured yet", name);
        reply_line(r, "The first measurement is taken a few seconds after the start.");
    } else if (p->age_us > STALE_TIMES * p->interval_us + USEC_PER_MIN) {
        reply_title(r, TONE_BAD, "%s: not measured lately", name);
        reply_para(r, "The figures of now are {} old.", cell_duration(p->age_us));
    } else if (open > 0) {
        reply_title(r, TONE_WARN, "%s: %lld alert%s", name, (long long)open, open == 1 ? "" : "s");
    } else {
        reply_title(r, TONE_GOOD, "%s: no alerts", name);
    }
    if (p->disk_hangs) {
        reply_line(r, "The disk does not answer.");
    }
    if (p->days == 1) {
        reply_line(r, "Mean and maximum of the last day");
    } else {
        reply_para(r, "Mean and maximum of the last {} days", cell_count(p->days));
    }
}

void performance_show(const struct file_job *job, struct reply *r)
{
    const struct performance *p = (const struct performance *)job;
    add_data(p, r);
    show_title(p, r);
    if (p->only >= 0) {
        show_one(&p->subjects[p->only], r);
        show_checks(p, r);
        show_forecasts(&p->subjects[p->only], r);
        reply_button(r, "All", "/performance system", BUTTON_PLAIN);
        return;
    }
    show_host(&p->subjects[SUBJECT_HOST], r);
    show_services(p, r);
    for (size_t i = 0; i < p->count; i++) {
        show_forecasts(&p->subjects[i], r);
    }
    show_trades(p, r);
    for (size_t i = SUBJECT_SERVICE;
         i < SUBJECT_SERVICE + p->service_count && i < SUBJECT_SERVICE + BUTTONS_MAX; i++) {
        char command[96];
        const char *name = p->subjects[i].service;
        (void)snprintf(command, sizeof(command), "/performance system service=%s", name);
        reply_button(r, name, command, BUTTON_PLAIN);
    }
}
