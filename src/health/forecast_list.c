#include "forecast_list.h"

#include "base/auto.h"
#include "base/check.h"
#include "config/config.h"
#include "health_internal.h"
#include "report/rate.h"
#include "store/metric_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define S_PER_DAY  86400
#define JUDGED_MIN 5 /* forecasts, before a kind is called bad */
#define POINTS     ((FORECAST_DAYS_MAX + FORECAST_AHEAD) * 24)

const struct forecast_kind_info *forecast_kind_info(enum forecast_kind kind)
{
    static const struct forecast_kind_info infos[FORECAST_KINDS] = {
        [FORECAST_DISK] = {"disk", "Disk", METRIC_DISK_PCT},
        [FORECAST_INODES] = {"inodes", "Inodes", METRIC_INODES_PCT},
        [FORECAST_MEMORY] = {"memory", "Memory", METRIC_MEMORY_PCT},
        [FORECAST_FILES] = {"files", "Open files", METRIC_FILES_PCT},
        [FORECAST_CHECKS] = {"checks", "Error budget", METRIC_FAILED_PCT}};
    return &infos[kind];
}

bool forecast_kind_parse(const char *name, enum forecast_kind *ret)
{
    for (int i = 0; i < FORECAST_KINDS; i++) {
        if (strcmp(forecast_kind_info((enum forecast_kind)i)->name, name) == 0) {
            *ret = (enum forecast_kind)i;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ what is forecast */

static double limit_of(const struct config *c, enum forecast_kind kind)
{
    switch (kind) {
    case FORECAST_DISK:
    case FORECAST_INODES:
        return c->monitoring_disk_alert_pct;
    case FORECAST_MEMORY:
        return c->monitoring_memory_alert_pct;
    case FORECAST_FILES:
        return c->monitoring_files_alert_pct;
    case FORECAST_CHECKS:
    case FORECAST_KINDS:
        break;
    }
    return 100;
}

static bool applies(enum subject_kind subject, enum forecast_kind kind)
{
    switch (subject) {
    case SUBJECT_HOST:
        return kind == FORECAST_DISK || kind == FORECAST_INODES || kind == FORECAST_MEMORY;
    case SUBJECT_SELF:
        return kind == FORECAST_MEMORY || kind == FORECAST_FILES;
    case SUBJECT_SERVICE:
        return kind == FORECAST_MEMORY || kind == FORECAST_FILES || kind == FORECAST_CHECKS;
    case SUBJECT_CHECK:
        break;
    }
    return false;
}

struct forecast_list *forecast_list_new(const struct health *health, const char *service)
{
    const struct metrics *m = health->metrics;
    const struct config *c = health->options.config;
    struct forecast_list *list =
        calloc(1, sizeof(*list) + m->read_count * FORECAST_KINDS * sizeof(list->items[0]));
    ASSERT(list != NULL);
    for (size_t i = 0; i < m->read_count; i++) {
        const struct metric_subject *s = &m->subjects[i];
        const char *name =
            s->kind == SUBJECT_SERVICE ? health->services[i - SUBJECT_SERVICE]->config->name : "";
        bool wanted = service == NULL || strcmp(service, name) == 0;
        for (int k = 0; wanted && k < FORECAST_KINDS; k++) {
            if (applies(s->kind, (enum forecast_kind)k)) {
                struct forecast_item *item = &list->items[list->count++];
                item->kind = (enum forecast_kind)k;
                item->limit = limit_of(c, item->kind);
                item->target = k == FORECAST_CHECKS ? c->monitoring_target_pct : 0;
                memcpy(item->subject, s->name, sizeof(item->subject));
                (void)str_copy(str_c(name), item->service, sizeof(item->service));
            }
        }
    }
    return list;
}

/* ------------------------------------------------------------------ reading, on a helper */

struct history {
    struct metric_point points[POINTS];
    struct forecast_day days[FORECAST_DAYS_MAX];
    size_t count;
};

/* The days before `end`. */
static int read_days(struct ops_store *store, const char *subject, enum forecast_kind kind,
                     int64_t end, struct history *ret, struct err *err)
{
    const struct metric_query query = {.subject = subject,
                                       .name = metric_info(forecast_kind_info(kind)->metric)->name,
                                       .level = METRIC_HOUR,
                                       .from_s = (end - FORECAST_DAYS_MAX) * S_PER_DAY,
                                       .to_s = end * S_PER_DAY};
    int n = metric_table_list(store, &query, ret->points, POINTS, err);
    if (n < 0) {
        return n;
    }
    ret->count = forecast_days(ret->points, (size_t)n, end, ret->days, FORECAST_DAYS_MAX);
    return 0;
}

static void take_score(const struct forecast_score *score, void *userdata)
{
    struct forecast_list *list = userdata;
    enum forecast_kind kind;
    if (forecast_kind_parse(score->kind, &kind)) {
        list->scores[kind] = *score;
    }
}

bool forecast_score_good(const struct forecast_score *score)
{
    double low, high;
    if (score->judged < JUDGED_MIN) {
        return true;
    }
    rate_wilson(score->held, score->judged, &low, &high);
    return high >= FORECAST_COVERS_PCT / 100.0;
}

static bool warns(const struct forecast_list *list, const struct forecast_item *item)
{
    const struct forecast *f = &item->forecast;
    return f->state == FORECAST_MADE && f->last < item->limit && f->low >= item->limit &&
           (f->grows || item->kind == FORECAST_CHECKS) &&
           forecast_score_good(&list->scores[item->kind]);
}

int forecast_list_read(struct forecast_list *list, struct ops_store *store, int64_t today,
                       struct err *err)
{
    AUTO_FREE struct history *h = malloc(sizeof(*h));
    NEED_MEMORY(h != NULL);
    int rc = forecast_table_scores(store, take_score, list, err);
    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        struct forecast_item *item = &list->items[i];
        rc = read_days(store, item->subject, item->kind, today, h, err);
        if (rc == 0 && item->kind == FORECAST_CHECKS) {
            forecast_budget(h->days, h->count, today, item->target, &item->forecast);
        } else if (rc == 0) {
            forecast_growth(h->days, h->count, today, &item->forecast);
        }
        item->warned = rc == 0 && warns(list, item);
    }
    return rc;
}

int forecast_list_actual(struct ops_store *store, const struct forecast_row *row,
                         double *ret_actual, struct err *err)
{
    AUTO_FREE struct history *h = malloc(sizeof(*h));
    NEED_MEMORY(h != NULL);
    enum forecast_kind kind;
    *ret_actual = NAN;
    if (!forecast_kind_parse(row->kind, &kind)) {
        return 0;
    }
    int rc = read_days(store, row->subject, kind, row->due_day + 1, h, err);
    if (rc == 0) {
        *ret_actual = kind == FORECAST_CHECKS
                          ? forecast_actual_budget(h->days, h->count, row->due_day, row->target)
                          : forecast_actual_growth(h->days, h->count, row->due_day);
    }
    return rc;
}
