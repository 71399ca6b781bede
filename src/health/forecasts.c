#include "forecasts.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "forecast_list.h"
#include "health_internal.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/zone.h"
#include "store/alert_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DUE_MAX    512 /* judged in one run; the rest an hour later */
#define ALERTS_MAX 64

struct run {
    bool kept; /* handed back by done: not to be freed */
    char state_dir[4096];
    int64_t today;
    int rc;
    size_t due_count;
    struct forecast_row due[DUE_MAX];
    double actual[DUE_MAX];
    struct forecast_list *list;
};

struct forecasts {
    const struct health *health;
    struct loop_source *due;
    struct loop_source *store_next;
    struct pool_job *job;
    struct run *run;  /* that is being stored */
    size_t stored;    /* judgements, then forecasts */
    int64_t made_day; /* in this process; -1: none */
};

static void free_run(struct run *run)
{
    if (run != NULL) {
        free(run->list);
        free(run);
    }
}

static void drop_run(void *data)
{
    struct run *run = data;
    if (!run->kept) {
        free_run(run);
    }
}

/* ------------------------------------------------------------------ on a helper */

static int judge_due(struct ops_store *store, struct run *run)
{
    int n = forecast_table_due(store, run->today, run->due, DUE_MAX, NULL);
    int rc = n < 0 ? n : 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = forecast_list_actual(store, &run->due[i], &run->actual[i], NULL);
    }
    run->due_count = rc == 0 ? (size_t)n : 0;
    return rc;
}

static void compute(void *data)
{
    struct run *run = data;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    run->rc = ops_store_open(run->state_dir, OPS_STORE_READ, &store, NULL);
    run->rc = run->rc < 0 ? run->rc : judge_due(store, run);
    run->rc = run->rc < 0 ? run->rc : forecast_list_read(run->list, store, run->today, NULL);
}

/* ------------------------------------------------------------------ alerts */

static void fingerprint_of(const struct forecast_item *item, char *ret, size_t size)
{
    (void)snprintf(ret, size, "metric:%s:%s_week", item->subject,
                   forecast_kind_info(item->kind)->name);
}

static void describe(const struct forecast_item *item, struct buf *title, struct buf *text)
{
    const struct forecast *f = &item->forecast;
    const char *name = strcmp(item->subject, "host") == 0 ? "the machine" : item->subject;
    if (item->kind == FORECAST_CHECKS) {
        buf_addf(title, "the error budget of %s will be used up within a week", name);
        buf_addf(text,
                 "%.4g %% of the checks have to succeed in 30 days. %.0f %% of the failures that "
                 "this allows are used; on ",
                 item->target, f->last);
    } else {
        buf_addf(title, "%s of %s will pass %.0f %% within a week",
                 forecast_kind_info(item->kind)->what, name, item->limit);
        buf_addf(text, "It grows by %.2f points a day, with %.1f %% at its last peak; on ",
                 f->slope_day, f->last);
    }
    struct zone_date due = zone_date(f->due_day);
    buf_addf(text, "%04lld-%02d-%02d", (long long)due.year, due.month, due.day);
    buf_addf(text, " it is between %.1f %% and %.1f %% (%d %% sure), from %d days.", f->low,
             f->high, FORECAST_COVERS_PCT, f->days);
}

static void raise_alert(const struct forecasts *s, const struct forecast_item *item)
{
    const struct forecast *f = &item->forecast;
    struct err err = {0};
    int64_t id;
    char fingerprint[128], pointer[128];
    AUTO_BUF struct buf title = BUF_INIT(160);
    AUTO_BUF struct buf text = BUF_INIT(512);
    AUTO_BUF struct buf evidence = BUF_INIT(512);
    struct json_out out = JSON_OUT(&evidence);
    fingerprint_of(item, fingerprint, sizeof(fingerprint));
    describe(item, &title, &text);
    (void)snprintf(pointer, sizeof(pointer), "/forecasts/%s/%s/low", item->subject,
                   forecast_kind_info(item->kind)->name);
    json_out_array(&out, NULL);
    json_out_object(&out, NULL);
    json_out_text(&out, "pointer", pointer);
    json_out_rounded(&out, "value", f->low, 2);
    json_out_rounded(&out, "limit", item->limit, 2);
    json_out_end(&out);
    json_out_end(&out);
    const struct alert_spec spec = {
        .type = item->service[0] != '\0' ? ALERT_SERVICE : ALERT_PERFORMANCE,
        .severity = SEVERITY_LOW,
        .source = FORECASTS_SOURCE,
        .fingerprint = fingerprint,
        .title = title.data,
        .description = text.data,
        .evidence_json = evidence.data,
        .recommendation = "See /forecast: how often such forecasts held, and when trading is "
                          "quietest.",
        .status = ALERT_OPEN};
    if (alerts_raise(s->health->options.alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise an alert about a forecast");
    }
}

static bool still_warned(const struct forecast_list *list, const char *fingerprint)
{
    for (size_t i = 0; i < list->count; i++) {
        char own[128];
        fingerprint_of(&list->items[i], own, sizeof(own));
        if (list->items[i].warned && strcmp(own, fingerprint) == 0) {
            return true;
        }
    }
    return false;
}

static void resolve_alerts(const struct forecasts *s, const struct forecast_list *list)
{
    const struct alert_query query = {.statuses = 1U << ALERT_OPEN | 1U << ALERT_ACKNOWLEDGED,
                                      .source = FORECASTS_SOURCE};
    struct err err = {0};
    AUTO_FREE struct alert *open = calloc(ALERTS_MAX, sizeof(*open));
    ASSERT(open != NULL);
    int n = alert_table_list(s->health->options.store, &query, open, ALERTS_MAX, &err);
    for (int i = 0; i < n; i++) {
        if (!still_warned(list, open[i].fingerprint) &&
            alerts_resolve(s->health->options.alerts, open[i].fingerprint,
                           "the forecast does not say so any more", &err) < 0) {
            n = -err.id;
        }
    }
    if (n < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve alerts about forecasts");
    }
}

/* ------------------------------------------------------------------ storing */

static int add_forecast(const struct forecasts *s, const struct forecast_item *item,
                        struct err *err)
{
    const struct forecast *f = &item->forecast;
    struct forecast_row row = {.day = s->run->today,
                               .due_day = f->due_day,
                               .low = f->low,
                               .mid = f->mid,
                               .high = f->high,
                               .bound = item->limit,
                               .target = item->target,
                               .warned = item->warned};
    if (f->state != FORECAST_MADE) {
        return 0;
    }
    (void)str_copy(str_c(item->subject), row.subject, sizeof(row.subject));
    (void)str_copy(str_c(forecast_kind_info(item->kind)->name), row.kind, sizeof(row.kind));
    return forecast_table_add(s->health->options.store, &row, err);
}

static int store_slice(struct forecasts *s, struct err *err)
{
    struct ops_store *store = s->health->options.store;
    const struct run *run = s->run;
    size_t all = run->due_count + run->list->count;
    int rc = ops_store_begin_unsynced(store, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < FORECASTS_SLICE && s->stored < all; i++, s->stored++) {
        rc = s->stored < run->due_count
                 ? forecast_table_judge(store, run->due[s->stored].id, run->actual[s->stored], err)
                 : add_forecast(s, &run->list->items[s->stored - run->due_count], err);
    }
    if (rc < 0) {
        ops_store_rollback(store);
        return rc;
    }
    return ops_store_commit(store, err);
}

static void end_run(struct forecasts *s)
{
    free_run(s->run);
    s->run = NULL;
}

static void on_store(void *userdata)
{
    struct forecasts *s = userdata;
    struct err err = {0};
    const struct run *run = s->run;
    if (s->stored < run->due_count + run->list->count) {
        if (store_slice(s, &err) < 0) {
            log_err(LOG_LEVEL_WARNING, &err, "could not store forecasts");
            end_run(s); /* again in an hour */
            return;
        }
        loop_timer_in(s->store_next, 0);
        return;
    }
    if (forecast_table_prune(s->health->options.store, run->today, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not delete old forecasts");
    }
    for (size_t i = 0; i < run->list->count; i++) {
        if (run->list->items[i].warned) {
            raise_alert(s, &run->list->items[i]);
        }
    }
    resolve_alerts(s, run->list);
    s->made_day = run->today;
    end_run(s);
}

/* ------------------------------------------------------------------ once a day */

static void on_computed(void *data, void *userdata)
{
    struct run *run = data;
    struct forecasts *s = userdata;
    s->job = NULL;
    if (run->rc < 0) {
        LOG(DEBUG, "no forecasts: %s", err_info(run->rc)->message);
        return;
    }
    run->kept = true;
    s->run = run;
    s->stored = 0;
    loop_timer_in(s->store_next, 0);
}

static int64_t day_of(const struct forecasts *s)
{
    return clock_wall_us(loop_clock(s->health->options.loop)) / USEC_PER_DAY;
}

void forecasts_look(struct forecasts *s)
{
    if (s->job != NULL || s->run != NULL || day_of(s) == s->made_day) {
        return;
    }
    struct run *run = calloc(1, sizeof(*run));
    ASSERT(run != NULL);
    (void)str_copy(str_c(s->health->options.state_dir), run->state_dir, sizeof(run->state_dir));
    run->today = day_of(s);
    run->list = forecast_list_new(s->health, NULL);
    s->job = pool_start(
        s->health->options.helpers,
        &(struct pool_work){
            .work = compute, .done = on_computed, .drop = drop_run, .data = run, .userdata = s},
        NULL);
    if (s->job == NULL) {
        free_run(run);
    }
}

static void on_due(void *userdata)
{
    struct forecasts *s = userdata;
    loop_timer_in(s->due, FORECASTS_EVERY_US);
    forecasts_look(s);
}

struct forecasts *forecasts_new(const struct health *health)
{
    struct forecasts *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    s->health = health;
    s->made_day = -1;
    s->due = loop_add_timer(health->options.loop, on_due, s);
    s->store_next = loop_add_timer(health->options.loop, on_store, s);
    loop_source_name(s->due, "forecasts");
    loop_source_name(s->store_next, "storing of forecasts");
    return s;
}

void forecasts_start(struct forecasts *s)
{
    loop_timer_in(s->due, FORECASTS_FIRST_US);
}

void forecasts_free(struct forecasts *s)
{
    if (s == NULL) {
        return;
    }
    pool_cancel(s->job);
    end_run(s);
    loop_source_free(s->due);
    loop_source_free(s->store_next);
    free(s);
}
