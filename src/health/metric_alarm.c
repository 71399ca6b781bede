#include "metric_alarm.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/pool.h"
#include "metrics.h"
#include "store/metric_table.h"
#include "store/ops.h"
#include "trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_PCT   5.0 /* an alert about a limit closes so far below it */
#define GRAVE_SHARE  0.7 /* of the way from the limit to full: critical */
#define OOM_US       USEC_PER_HOUR
#define NO_ANSWER_US USEC_PER_MIN
#define SHORT_S      7200
#define LONG_S       86400
#define LONG_STEP_S  900 /* the long window in means of 15 minutes */
#define FORECAST_MAX 12  /* times the window that a trend is continued */
#define CLOSE_FACTOR 1.5 /* a forecast closes when it is so much later than the limit */

static const char *const whats[METRIC_ALARMS] = {[ALARM_DISK] = "disk",
                                                 [ALARM_INODES] = "inodes",
                                                 [ALARM_MEMORY] = "memory",
                                                 [ALARM_FILES] = "files",
                                                 [ALARM_OOM] = "oom",
                                                 [ALARM_DISK_TREND] = "disk_trend",
                                                 [ALARM_INODES_TREND] = "inodes_trend",
                                                 [ALARM_MEMORY_TREND] = "memory_trend"};

static int64_t mono_us(const struct metrics *m)
{
    return clock_mono_us(loop_clock(m->o.loop));
}

/* ------------------------------------------------------------------ alerts */

struct notice {
    enum severity severity;
    const char *what;
    const char *title;
    const char *text;
    const char *advice;
    double value, limit; /* evidence; NAN: none */
    const char *figure;  /* the name of the value */
};

static void name_of(const struct metric_subject *s, const char *what, char *ret, size_t size)
{
    (void)snprintf(ret, size, "metric:%s:%s", s->name, what);
}

static bool can_restart(const struct metrics *m, const struct metric_subject *s)
{
    const struct config_service *service =
        s->kind == SUBJECT_SERVICE ? config_service(m->o.config, str_c(s->name)) : NULL;
    return service != NULL && (service->unit[0] != '\0' || service->command.count > 0);
}

static bool raise_it(const struct metrics *m, const struct metric_subject *s,
                     const struct notice *n)
{
    char fingerprint[128];
    struct err err = {0};
    int64_t id;
    name_of(s, n->what, fingerprint, sizeof(fingerprint));
    AUTO_BUF struct buf evidence = BUF_INIT(512);
    struct json_out out = JSON_OUT(&evidence);
    json_out_array(&out, NULL);
    if (!isnan(n->value)) {
        char pointer[128];
        (void)snprintf(pointer, sizeof(pointer), "/metrics/%s/%s", s->name, n->figure);
        json_out_object(&out, NULL);
        json_out_text(&out, "pointer", pointer);
        json_out_rounded(&out, "value", n->value, 2);
        json_out_rounded(&out, "limit", n->limit, 2);
        json_out_end(&out);
    }
    if (can_restart(m, s)) { /* for commands/fix_leak.yaml */
        char pointer[128];
        (void)snprintf(pointer, sizeof(pointer), "/metrics/%s/can_restart", s->name);
        json_out_object(&out, NULL);
        json_out_text(&out, "pointer", pointer);
        json_out_bool(&out, "value", true);
        json_out_end(&out);
    }
    json_out_end(&out);
    const struct alert_spec spec = {.type = s->kind == SUBJECT_SERVICE ? ALERT_SERVICE
                                                                       : ALERT_PERFORMANCE,
                                    .severity = n->severity,
                                    .source = "health",
                                    .fingerprint = fingerprint,
                                    .title = n->title,
                                    .description = n->text,
                                    .evidence_json = evidence.data,
                                    .recommendation = n->advice,
                                    .status = ALERT_OPEN};
    if (alerts_raise(m->o.alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise an alert about metrics");
        return false;
    }
    LOG(WARNING, "%s", n->title);
    return true;
}

static bool resolve_it(const struct metrics *m, const struct metric_subject *s, const char *what,
                       const char *why)
{
    char fingerprint[128];
    struct err err = {0};
    name_of(s, what, fingerprint, sizeof(fingerprint));
    if (alerts_resolve(m->o.alerts, fingerprint, why, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve an alert about metrics");
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------ hysteresis */

enum wish { WISH_CLOSE = -1, WISH_NONE = 0, WISH_OPEN = 1 };
enum step { STEP_NONE, STEP_OPEN, STEP_CLOSE };

/* What its condition asks for, again. */
static enum step vote(struct metric_alarm *alarm, enum wish wish)
{
    bool same = wish != WISH_NONE && (alarm->streak > 0) == (wish > 0);
    alarm->streak = wish == WISH_NONE ? 0 : (same ? alarm->streak : 0) + (int)wish;
    if (alarm->streak >= ALARM_TIMES) {
        alarm->streak = ALARM_TIMES;
        return alarm->open ? STEP_NONE : STEP_OPEN;
    }
    if (alarm->streak <= -ALARM_TIMES) {
        alarm->streak = -ALARM_TIMES;
        return alarm->open || !alarm->settled ? STEP_CLOSE : STEP_NONE;
    }
    return STEP_NONE;
}

static void opened(struct metric_alarm *alarm, bool grave)
{
    alarm->open = alarm->settled = true;
    alarm->grave = grave;
}

static void closed(struct metric_alarm *alarm)
{
    alarm->open = alarm->grave = false;
    alarm->settled = true;
}

/* ------------------------------------------------------------------ limits */

/* "demo", or what people call the machine. */
static const char *people_name(const struct metric_subject *s)
{
    return s->kind == SUBJECT_HOST ? "this machine" : s->name;
}

static void describe_limit(const struct metrics *m, const struct metric_subject *s,
                           enum metric_alarm_id id, double limit, struct buf *title,
                           struct buf *text, const char **ret_advice)
{
    double value;
    switch (id) {
    case ALARM_DISK:
        buf_addf(title, "the disk is %.0f %% full", s->value[METRIC_DISK_PCT]);
        buf_add_c(text, "The file system of the state folder has ");
        cell_add_text(text, metric_cell(METRIC_UNIT_BYTES, (double)m->disk.available_bytes));
        buf_add_c(text, " left.");
        *ret_advice = "Make room, or enlarge the file system: orders cannot be recorded on a full "
                      "disk.";
        break;
    case ALARM_INODES:
        buf_addf(title, "%.0f %% of the disk's inodes are used", s->value[METRIC_INODES_PCT]);
        buf_addf(text, "The file system of the state folder can hold %lld more files.",
                 (long long)m->disk.inodes_free);
        *ret_advice = "Delete small files that nobody needs: without inodes no file can be made.";
        break;
    case ALARM_MEMORY:
        value = s->value[METRIC_MEMORY_PCT];
        buf_addf(title, "%s uses %.0f %% of its memory", people_name(s), value);
        buf_add_c(text, "In use are ");
        cell_add_text(text, metric_cell(METRIC_UNIT_BYTES, s->value[METRIC_MEMORY]));
        buf_add_c(text, " of ");
        cell_add_text(text, metric_cell(METRIC_UNIT_BYTES, s->memory_limit));
        buf_add_char(text, '.');
        *ret_advice =
            s->kind == SUBJECT_HOST
                ? "Find what uses it with /performance system; the kernel kills a process "
                  "when none is left."
                : "Restart it, or raise MemoryMax= of its unit; at the limit the kernel "
                  "kills it.";
        break;
    case ALARM_FILES:
        buf_addf(title, "%s has %.0f %% of its open files", people_name(s),
                 s->value[METRIC_FILES_PCT]);
        buf_addf(text, "%.0f descriptors are open.", s->value[METRIC_FILES]);
        *ret_advice = "Raise LimitNOFILE=, or look for a descriptor leak with ls /proc/PID/fd.";
        break;
    case ALARM_OOM:
    case ALARM_DISK_TREND:
    case ALARM_INODES_TREND:
    case ALARM_MEMORY_TREND:
    case METRIC_ALARMS:
        UNREACHABLE();
    }
    buf_addf(text, " The limit of this alert is %.0f %%.", limit);
}

static void look_at_limit(struct metrics *m, struct metric_subject *s, enum metric_alarm_id id,
                          enum metric metric, double limit)
{
    struct metric_alarm *alarm = &s->alarms[id];
    double value = s->value[metric];
    if ((s->has & METRIC_BIT(metric)) == 0) {
        return;
    }
    bool grave = value >= limit + GRAVE_SHARE * (100 - limit) && id != ALARM_FILES;
    enum wish wish = value >= limit               ? WISH_OPEN
                     : value < limit - MARGIN_PCT ? WISH_CLOSE
                                                  : WISH_NONE;
    enum step step = vote(alarm, wish);
    bool worse = alarm->open && grave && !alarm->grave && alarm->streak >= ALARM_TIMES;
    if (step == STEP_OPEN || worse) {
        AUTO_BUF struct buf title = BUF_INIT(160);
        AUTO_BUF struct buf text = BUF_INIT(512);
        const char *advice = "";
        describe_limit(m, s, id, limit, &title, &text, &advice);
        if (raise_it(m, s,
                     &(struct notice){.severity = grave ? SEVERITY_CRITICAL : SEVERITY_HIGH,
                                      .what = whats[id],
                                      .title = title.data,
                                      .text = text.data,
                                      .advice = advice,
                                      .value = value,
                                      .limit = limit,
                                      .figure = metric_info(metric)->name})) {
            opened(alarm, grave);
        }
    } else if (step == STEP_CLOSE) {
        char why[64];
        (void)snprintf(why, sizeof(why), "%.0f %% now", value);
        if (resolve_it(m, s, whats[id], why)) {
            closed(alarm);
        }
    }
}

/* The kernel has killed a process: an event, which is raised at once and over after an hour. */
static void look_at_kills(struct metrics *m, struct metric_subject *s)
{
    struct metric_alarm *alarm = &s->alarms[ALARM_OOM];
    bool killed = (s->has & METRIC_BIT(METRIC_OOM_KILLS)) != 0 && s->value[METRIC_OOM_KILLS] > 0;
    if (killed) {
        AUTO_BUF struct buf title = BUF_INIT(160);
        AUTO_BUF struct buf text = BUF_INIT(512);
        buf_addf(&title, "the kernel killed %s: no memory", s->name);
        buf_addf(&text, "It killed %.0f of its processes, because its memory limit was reached.",
                 s->value[METRIC_OOM_KILLS]);
        if (raise_it(m, s,
                     &(struct notice){.severity = SEVERITY_HIGH,
                                      .what = whats[ALARM_OOM],
                                      .title = title.data,
                                      .text = text.data,
                                      .advice = "Raise MemoryMax= of its unit, or look for a leak: "
                                                "/performance system shows its memory.",
                                      .value = s->value[METRIC_OOM_KILLS],
                                      .limit = 0,
                                      .figure = metric_info(METRIC_OOM_KILLS)->name})) {
            opened(alarm, false);
        }
    }
    if (killed || !alarm->settled) {
        alarm->until_mono_us =
            killed || alarm->until_mono_us == 0 ? mono_us(m) + OOM_US : alarm->until_mono_us;
    }
    if (!killed && (alarm->open || !alarm->settled) && mono_us(m) >= alarm->until_mono_us &&
        resolve_it(m, s, whats[ALARM_OOM], "no more for an hour")) {
        closed(alarm);
    }
}

static void look_at_answer(struct metrics *m)
{
    static const char what[] = "disk_answer";
    struct metric_alarm *alarm = &m->disk_alarm;
    const struct metric_subject *host = &m->subjects[SUBJECT_HOST];
    bool hangs = m->asked_mono_us != 0 && mono_us(m) - m->asked_mono_us >= NO_ANSWER_US;
    if (hangs && !alarm->open &&
        raise_it(m, host,
                 &(struct notice){.severity = SEVERITY_CRITICAL,
                                  .what = what,
                                  .title = "the disk does not answer",
                                  .text = "The file system of the state folder has not answered a "
                                          "simple question for a minute. Orders that are recorded "
                                          "there may wait, too.",
                                  .advice = "Look at the kernel's log for disk errors (dmesg), and "
                                            "at the network if it is a network file system.",
                                  .value = NAN})) {
        opened(alarm, true);
    } else if (!hangs && m->asked_mono_us == 0 && (alarm->open || !alarm->settled) &&
               resolve_it(m, host, what, "it answers")) {
        closed(alarm);
    }
}

void metric_alarms_look(struct metrics *m)
{
    const struct config *c = m->o.config;
    for (size_t i = 0; i < m->read_count; i++) {
        struct metric_subject *s = &m->subjects[i];
        look_at_limit(m, s, ALARM_MEMORY, METRIC_MEMORY_PCT, c->monitoring_memory_alert_pct);
        if (s->kind == SUBJECT_HOST) {
            look_at_limit(m, s, ALARM_DISK, METRIC_DISK_PCT, c->monitoring_disk_alert_pct);
            look_at_limit(m, s, ALARM_INODES, METRIC_INODES_PCT, c->monitoring_disk_alert_pct);
        } else {
            look_at_limit(m, s, ALARM_FILES, METRIC_FILES_PCT, c->monitoring_files_alert_pct);
        }
        if (s->kind == SUBJECT_SERVICE) {
            look_at_kills(m, s);
        }
    }
    look_at_answer(m);
}

/* ------------------------------------------------------------------ trends, on a helper */

struct trend_item {
    char subject[SUBJECT_NAME_SIZE];
    enum metric metric;
    enum metric_alarm_id alarm;
    double limit;

    bool known;
    bool predicted; /* full in time, and not by chance */
    bool over;      /* neither, by a margin */
    double slope, lower, upper, value;
    double left_s, soonest_s, latest_s;
};

struct trend_work {
    int64_t now_s;
    double within_s;
    int rc;
    size_t count;
    char state_dir[4096];
    struct trend_item items[];
};

static size_t long_window(const struct metric_point *points, size_t count, struct trend_point *ret)
{
    size_t n = 0;
    for (size_t from = 0, to; from < count && n < TREND_POINTS_MAX; from = to) {
        int64_t step = points[from].at_s / LONG_STEP_S;
        double sum = 0;
        for (to = from; to < count && points[to].at_s / LONG_STEP_S == step; to++) {
            sum += points[to].mean;
        }
        ret[n++] = (struct trend_point){.at_s = (double)(step * LONG_STEP_S) + LONG_STEP_S / 2.0,
                                        .value = sum / (double)(to - from)};
    }
    return n;
}

/* *ret_highest: of what came before the window; INFINITY if there was nothing. */
static size_t short_window(const struct metric_point *points, size_t count, int64_t from_s,
                           struct trend_point *ret, double *ret_highest)
{
    size_t n = 0;
    *ret_highest = -INFINITY;
    for (size_t i = 0; i < count && n < TREND_POINTS_MAX; i++) {
        if (points[i].at_s >= from_s) {
            ret[n++] =
                (struct trend_point){.at_s = (double)points[i].at_s, .value = points[i].mean};
        } else {
            *ret_highest = fmax(*ret_highest, points[i].max);
        }
    }
    if (isinf(*ret_highest)) {
        *ret_highest = INFINITY;
    }
    return n;
}

/* Takes a window into account; the one that says "full in time" is shown. A rise that does not
 * reach above `highest` is none: a garbage collector's heap rises for hours, too. */
static void judge_window(struct trend_item *item, const struct trend_point *points, size_t count,
                         double within_s, double highest)
{
    struct trend t;
    if (!trend_of(points, count, TREND_SURE, &t)) {
        return;
    }
    double span_s = points[count - 1].at_s - points[0].at_s;
    double left_s = trend_reaches_s(&t, item->limit);
    bool rises = t.lower > 0 && left_s <= FORECAST_MAX * span_s && t.value > highest;
    bool predicted = rises && left_s <= within_s;
    item->over = (!item->known || item->over) && !(rises && left_s <= CLOSE_FACTOR * within_s);
    if (!item->known || (predicted && !item->predicted)) {
        item->slope = t.slope;
        item->lower = t.lower;
        item->upper = t.upper;
        item->value = t.value;
        double room = item->limit - t.value;
        item->left_s = rises ? left_s : INFINITY;
        item->soonest_s = rises ? room / t.upper : INFINITY;
        item->latest_s = rises ? room / t.lower : INFINITY;
    }
    item->predicted = item->predicted || predicted;
    item->known = true;
}

static int judge_item(struct ops_store *store, const struct trend_work *w, struct trend_item *item,
                      struct err *err)
{
    AUTO_UNCLEARED struct metric_point points[LONG_S / 300 + 1];
    AUTO_UNCLEARED struct trend_point window[TREND_POINTS_MAX];
    int n = metric_table_list(store,
                              &(struct metric_query){.subject = item->subject,
                                                     .name = metric_info(item->metric)->name,
                                                     .level = METRIC_5MIN,
                                                     .from_s = w->now_s - LONG_S,
                                                     .to_s = w->now_s + 1},
                              points, COUNT_OF(points), err);
    if (n < 0) {
        return n;
    }
    size_t count = long_window(points, (size_t)n, window);
    judge_window(item, window, count, w->within_s, -INFINITY);
    double highest;
    count = short_window(points, (size_t)n, w->now_s - SHORT_S, window, &highest);
    judge_window(item, window, count, w->within_s, highest);
    return 0;
}

static void judge(void *data)
{
    struct trend_work *w = data;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    w->rc = ops_store_open(w->state_dir, OPS_STORE_READ, &store, NULL);
    for (size_t i = 0; w->rc == 0 && i < w->count; i++) {
        w->rc = judge_item(store, w, &w->items[i], NULL);
    }
}

/* ------------------------------------------------------------------ forecasts */

static void add_left(struct buf *text, double left_s)
{
    if (left_s > 3650 * 86400.0) {
        buf_add_c(text, "years");
    } else {
        clock_add_duration(text, (int64_t)(left_s * 1e6));
    }
}

static void describe_forecast(const struct metric_subject *s, const struct trend_item *item,
                              struct buf *title, struct buf *text)
{
    bool memory = item->alarm == ALARM_MEMORY_TREND;
    if (item->alarm == ALARM_DISK_TREND) {
        buf_add_c(title, "the disk will be full in ");
    } else if (item->alarm == ALARM_INODES_TREND) {
        buf_add_c(title, "the disk will have no inodes in ");
    } else {
        buf_addf(title, "%s will use up its memory in ", people_name(s));
    }
    add_left(title, item->left_s);
    buf_add_c(text, "It grows by ");
    if (memory) {
        cell_add_text(text, metric_cell(METRIC_UNIT_BYTES, item->slope * 3600));
        buf_add_c(text, " an hour, with ");
        cell_add_text(text, metric_cell(METRIC_UNIT_BYTES, item->value));
        buf_add_c(text, " now and room for ");
        cell_add_text(text, metric_cell(METRIC_UNIT_BYTES, item->limit));
    } else {
        buf_addf(text, "%.2f points a day, with %.1f %% now", item->slope * 86400, item->value);
    }
    buf_add_c(text, ". It is full between ");
    add_left(text, item->soonest_s);
    buf_add_c(text, " and ");
    add_left(text, item->latest_s);
    buf_add_c(text, " from now (99.9 % sure that it grows).");
}

static void take_forecast(struct metrics *m, struct metric_subject *s,
                          const struct trend_item *item)
{
    struct metric_alarm *alarm = &s->alarms[item->alarm];
    alarm->known = item->known;
    alarm->left_s = item->left_s;
    alarm->soonest_s = item->soonest_s;
    alarm->latest_s = item->latest_s;
    enum wish wish = item->predicted             ? WISH_OPEN
                     : item->known && item->over ? WISH_CLOSE
                                                 : WISH_NONE;
    enum step step = vote(alarm, wish);
    if (step == STEP_OPEN) {
        AUTO_BUF struct buf title = BUF_INIT(160);
        AUTO_BUF struct buf text = BUF_INIT(512);
        describe_forecast(s, item, &title, &text);
        if (raise_it(m, s,
                     &(struct notice){.severity = SEVERITY_MEDIUM,
                                      .what = whats[item->alarm],
                                      .title = title.data,
                                      .text = text.data,
                                      .advice = item->alarm == ALARM_MEMORY_TREND
                                                    ? "It may leak: look at /performance system, "
                                                      "and restart it in a quiet moment."
                                                    : "Make room before it is full; /performance "
                                                      "system shows the growth.",
                                      .value = item->value,
                                      .limit = item->limit,
                                      .figure = metric_info(item->metric)->name})) {
            opened(alarm, false);
        }
    } else if (step == STEP_CLOSE && resolve_it(m, s, whats[item->alarm],
                                                "it does not grow so "
                                                "fast any more")) {
        closed(alarm);
    }
}

static void on_judged(void *data, void *userdata)
{
    const struct trend_work *w = data;
    struct metrics *m = userdata;
    m->judging = NULL;
    if (w->rc < 0) {
        LOG(DEBUG, "no trends: %s", err_info(w->rc)->message);
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        for (size_t k = 0; k < m->count; k++) {
            if (strcmp(m->subjects[k].name, w->items[i].subject) == 0) {
                take_forecast(m, &m->subjects[k], &w->items[i]);
            }
        }
    }
}

static void add_item(struct trend_work *w, const struct metric_subject *s, enum metric metric,
                     enum metric_alarm_id alarm, double limit)
{
    if ((s->has & METRIC_BIT(metric)) != 0 && limit > 0) {
        struct trend_item *item = &w->items[w->count++];
        *item = (struct trend_item){.metric = metric, .alarm = alarm, .limit = limit};
        memcpy(item->subject, s->name, sizeof(item->subject));
    }
}

void metric_alarms_judge(struct metrics *m)
{
    if (m->judging != NULL) {
        return;
    }
    struct trend_work *w = calloc(1, sizeof(*w) + (m->count + 1) * sizeof(w->items[0]));
    ASSERT(w != NULL);
    (void)str_copy(str_c(m->o.state_dir), w->state_dir, sizeof(w->state_dir));
    w->now_s = m->sampled_us / USEC_PER_SEC;
    w->within_s = (double)m->o.config->monitoring_predict_within_us / 1e6;
    const struct metric_subject *host = &m->subjects[SUBJECT_HOST];
    double left = host->memory_limit - host->value[METRIC_MEMORY];
    add_item(w, host, METRIC_DISK_PCT, ALARM_DISK_TREND, 100);
    add_item(w, host, METRIC_INODES_PCT, ALARM_INODES_TREND, 100);
    for (size_t i = SUBJECT_SELF; i < m->read_count; i++) {
        const struct metric_subject *s = &m->subjects[i];
        double limit = s->memory_limit > 0      ? s->memory_limit
                       : host->memory_limit > 0 ? s->value[METRIC_MEMORY] + left
                                                : 0;
        add_item(w, s, METRIC_MEMORY, ALARM_MEMORY_TREND, limit);
    }
    m->judging =
        pool_start(m->o.helpers,
                   &(struct pool_work){
                       .work = judge, .done = on_judged, .drop = free, .data = w, .userdata = m},
                   NULL);
    if (m->judging == NULL) {
        free(w);
    }
}

void metric_alarms_forget(struct metrics *m, struct metric_subject *s)
{
    for (int i = 0; i < METRIC_ALARMS; i++) {
        if (s->alarms[i].open) {
            (void)resolve_it(m, s, whats[i], "removed from the configuration");
        }
    }
}

bool metric_alarms_open(const struct metric_subject *s)
{
    bool open = false;
    for (int i = 0; i < METRIC_ALARMS; i++) {
        open = open || s->alarms[i].open;
    }
    return open;
}
