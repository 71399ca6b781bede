#include "forecast_show.h"

#include "base/check.h"
#include "health_internal.h"
#include "io/json_out.h"
#include "io/loop.h"
#include "io/zone.h"
#include "report/rate.h"
#include "store/ops.h"
#include "store/trading.h"
#include "trading/desk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX   24 /* forecasts; the ones with a warning first */
#define FAR_DAYS    366.0
#define MISSING_MAX 8 /* markets without data that are named */

static const char *const weekdays[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
static const char *const states[] = {
    [FORECAST_TOO_LITTLE] = "too_little", [FORECAST_STALE] = "stale", [FORECAST_MADE] = "made"};

/* ------------------------------------------------------------------ reading, on a helper */

static int find_quiet(struct forecast_view *v, struct err *err)
{
    AUTO_TRADING_STORE struct trading_store *trading = NULL;
    struct zone *zone = NULL;
    int rc = trading_store_open(v->job.state_dir, TRADING_STORE_READ, &trading, err);
    if (rc < 0 || (rc = zone_load(v->zone_name, &zone, err)) < 0) {
        return rc;
    }
    zone_label(zone, v->zone_name, v->now_us, v->zone_label);
    v->quiet.zone = zone;
    rc = quiet_read(&v->quiet, trading, v->now_us, err);
    v->quiet.zone = NULL;
    for (int64_t at_us = v->now_us / USEC_PER_HOUR * USEC_PER_HOUR; v->next_us <= v->now_us;) {
        at_us += USEC_PER_HOUR; /* within a week it is that hour */
        v->next_us = quiet_hour(zone, at_us) == v->quiet.begins ? at_us : 0;
    }
    v->looked = rc == 0;
    zone_free(zone);
    return rc;
}

int forecast_read(struct file_job *job, struct err *err)
{
    struct forecast_view *v = (struct forecast_view *)job;
    AUTO_OPS_STORE struct ops_store *store = NULL;
    int rc = ops_store_open(v->job.state_dir, OPS_STORE_READ, &store, err);
    rc = rc < 0 ? rc : forecast_list_read(v->list, store, v->now_us / USEC_PER_DAY, err);
    /* A market that runs faster knows no hours of this machine. */
    return rc < 0 || v->one || v->market_speed != 1 ? rc : find_quiet(v, err);
}

/* ------------------------------------------------------------------ JSON */

static void add_days(struct json_out *data, const char *key, double days)
{
    if (isfinite(days)) {
        json_out_rounded(data, key, days, 1);
    } else {
        json_out_null(data, key);
    }
}

static void add_forecast(struct json_out *data, const struct forecast_item *item)
{
    const struct forecast *f = &item->forecast;
    json_out_object(data, NULL);
    json_out_text(data, "subject", item->subject);
    json_out_text(data, "kind", forecast_kind_info(item->kind)->name);
    json_out_text(data, "state", states[f->state]);
    json_out_i64(data, "days", f->days);
    json_out_rounded(data, "limit", item->limit, 2);
    if (f->state == FORECAST_MADE) {
        json_out_time(data, "due", f->due_day * USEC_PER_DAY);
        json_out_rounded(data, "last", f->last, 2);
        json_out_rounded(data, "low", f->low, 2);
        json_out_rounded(data, "mid", f->mid, 2);
        json_out_rounded(data, "high", f->high, 2);
        json_out_bool(data, "warned", item->warned);
    }
    if (f->state == FORECAST_MADE && item->kind != FORECAST_CHECKS) {
        json_out_bool(data, "grows", f->grows);
        json_out_rounded(data, "slope_day", f->slope_day, 4);
        add_days(data, "reaches_days",
                 f->grows ? forecast_reaches_days(f, f->slope_day, item->limit) : INFINITY);
        json_out_text(data, "top_weekday", f->weekly ? weekdays[f->top_weekday] : "");
        json_out_i64(data, "top_hour", f->top_hour);
    }
    json_out_end(data);
}

static void add_quiet(struct json_out *data, const struct forecast_view *v)
{
    const struct quiet *q = &v->quiet;
    json_out_object(data, "quiet");
    json_out_bool(data, "found", q->found);
    if (q->found) {
        json_out_text(data, "weekday", weekdays[q->begins / 24]);
        json_out_i64(data, "hour", q->begins % 24);
        json_out_i64(data, "hours", QUIET_HOURS);
        json_out_text(data, "zone", v->zone_label);
        json_out_time(data, "next", v->next_us);
        json_out_text(data, "counted", q->by_trades ? "trades" : "decisions");
        json_out_i64(data, "in_window", q->in);
        json_out_i64(data, "all", q->all);
        json_out_rounded(data, "expected", q->expected, 1);
    }
    json_out_end(data);
}

static void add_data(const struct forecast_view *v, struct reply *r)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "forecast");
    json_out_i64(&data, "covers_pct", FORECAST_COVERS_PCT);
    json_out_i64(&data, "days_needed", FORECAST_DAYS_MIN);
    json_out_array(&data, "series");
    for (size_t i = 0; i < v->list->count; i++) {
        add_forecast(&data, &v->list->items[i]);
    }
    json_out_end(&data);
    json_out_array(&data, "past");
    for (int i = 0; i < FORECAST_KINDS; i++) {
        const struct forecast_score *score = &v->list->scores[i];
        if (score->judged > 0) {
            json_out_object(&data, NULL);
            json_out_text(&data, "kind", forecast_kind_info((enum forecast_kind)i)->name);
            rate_add(&data, "held", score->held, score->judged);
            rate_add(&data, "warnings_came", score->came, score->warned);
            json_out_bool(&data, "good", forecast_score_good(score));
            json_out_end(&data);
        }
    }
    json_out_end(&data);
    if (v->looked) {
        add_quiet(&data, v);
    }
    json_out_end(&data);
}

/* ------------------------------------------------------------------ people */

static struct cell days_cell(double days)
{
    return cell_duration((int64_t)(fmin(days, 10 * FAR_DAYS) * (double)USEC_PER_DAY));
}

static void show_growth(const struct forecast_item *item, struct reply *r)
{
    const struct forecast *f = &item->forecast;
    if (!f->grows) {
        reply_more(r, "{}", cell_text(". No growth that could not be chance"));
    } else if (f->last < item->limit) {
        double days = forecast_reaches_days(f, f->slope_day, item->limit);
        if (days > FAR_DAYS) {
            reply_more(r, ". At {} in more than a year", cell_pct(item->limit, 0));
        } else {
            reply_more(r, ". At {} in {} ({} to {})", cell_pct(item->limit, 0), days_cell(days),
                       days_cell(forecast_reaches_days(f, f->upper_day, item->limit)),
                       days_cell(forecast_reaches_days(f, f->lower_day, item->limit)));
        }
    } else {
        reply_more(r, ". Over its limit of {}", cell_pct(item->limit, 0));
    }
    if (f->weekly) {
        reply_more(r, ". Highest on {}", cell_text(weekdays[f->top_weekday]));
    }
    if (f->top_hour >= 0) {
        reply_more(r, ". Highest around {}",
                   cell_clock(f->due_day * USEC_PER_DAY + f->top_hour * USEC_PER_HOUR));
    }
    reply_more(r, "{}", cell_text("."));
}

static void show_item(const struct forecast_item *item, struct reply *r)
{
    const struct forecast *f = &item->forecast;
    bool host = strcmp(item->subject, "host") == 0;
    reply_item(r, "{}{}{}: ", cell_text(forecast_kind_info(item->kind)->what),
               cell_text(host ? "" : " of "), cell_text(host ? "" : item->subject));
    switch (f->state) {
    case FORECAST_TOO_LITTLE:
        reply_more(r, "too little data, {} of {} days", cell_count(f->days),
                   cell_count(FORECAST_DAYS_MIN));
        return;
    case FORECAST_STALE:
        reply_more(r, "{}", cell_text("not measured lately"));
        return;
    case FORECAST_MADE:
        break;
    }
    bool budget = item->kind == FORECAST_CHECKS;
    reply_more(r, "{}{}, on {} {} to {}", cell_pct(f->last, 1), cell_text(budget ? " used" : ""),
               cell_day(f->due_day * USEC_PER_DAY), cell_pct(f->low, 1), cell_pct(f->high, 1));
    if (budget) {
        int places = item->target < 99.95 ? 1 : 3;
        reply_more(r, " (checks {} in 30 days).", cell_limit(cell_pct(item->target, places), true));
    } else {
        show_growth(item, r);
    }
}

static void show_items(const struct forecast_view *v, struct reply *r)
{
    size_t shown = 0, left = 0, made = 0;
    for (int warned = 1; warned >= 0; warned--) {
        for (size_t i = 0; i < v->list->count; i++) {
            const struct forecast_item *item = &v->list->items[i];
            if (item->warned != (warned == 1) || item->forecast.days == 0) {
                continue;
            }
            made += item->forecast.state == FORECAST_MADE;
            if (shown == SHOWN_MAX) {
                left++;
                continue;
            }
            shown++;
            show_item(item, r);
        }
    }
    if (left > 0) {
        reply_para(r, "And {} more: /forecast with a service.", cell_count((int64_t)left));
    }
    if (shown == 0) {
        reply_para(r, "Nothing was measured for a whole day yet; a forecast needs {}.",
                   cell_count(FORECAST_DAYS_MIN));
    }
    if (made > 0) {
        reply_para(r, "Peaks of a day. The range should hold {} times of a hundred.",
                   cell_count(FORECAST_COVERS_PCT));
    }
}

static bool is_shown(const struct forecast_list *list, int kind)
{
    for (size_t i = 0; i < list->count; i++) {
        if ((int)list->items[i].kind == kind && list->items[i].forecast.state == FORECAST_MADE) {
            return true;
        }
    }
    return false;
}

static void show_scores(const struct forecast_list *list, struct reply *r)
{
    bool any = false;
    for (int i = 0; i < FORECAST_KINDS; i++) {
        const struct forecast_score *score = &list->scores[i];
        const char *what = forecast_kind_info((enum forecast_kind)i)->what;
        double low, high;
        if (!is_shown(list, i)) {
            continue;
        }
        if (!any) {
            reply_heading(r, "Past forecasts");
        }
        any = true;
        if (score->judged == 0) {
            reply_item(r, "{}: none was judged yet", cell_text(what));
            continue;
        }
        rate_wilson(score->held, score->judged, &low, &high);
        reply_item(r, "{}: {} of {} held ({} to {})", cell_text(what), cell_count(score->held),
                   cell_count(score->judged), cell_pct(100 * low, 0), cell_pct(100 * high, 0));
        if (score->warned > 0) {
            reply_more(r, "; {} of {} warnings came true", cell_count(score->came),
                       cell_count(score->warned));
        }
        if (!forecast_score_good(score)) {
            reply_more(r, "{}", cell_text(". Worse than claimed: do not rely on it"));
        }
    }
}

static void show_missing(const struct forecast_view *v, struct reply *r)
{
    int missing = 0;
    for (int i = 0; i < v->symbols.count; i++) {
        if (!quiet_has(&v->quiet, v->symbols.items[i].name) && ++missing <= MISSING_MAX) {
            if (missing == 1) {
                reply_para(r, "No trade and no decision: {}",
                           cell_symbol(v->symbols.items[i].name));
            } else {
                reply_more(r, ", {}", cell_symbol(v->symbols.items[i].name));
            }
        }
    }
    if (missing > MISSING_MAX) {
        reply_more(r, " and {} more", cell_count(missing - MISSING_MAX));
    }
}

static void show_quiet(const struct forecast_view *v, struct reply *r)
{
    const struct quiet *q = &v->quiet;
    reply_heading(r, "Quietest hours");
    if (v->market_speed == 0) {
        reply_line(r, "The engine has not said yet how fast its market runs.");
        return;
    }
    if (v->market_speed != 1) {
        reply_para(r, "The market runs at {}× real time, so its hours say nothing.",
                   cell_count(v->market_speed));
        return;
    }
    if (q->found) {
        char hours[64];
        (void)snprintf(hours, sizeof(hours), "%s %02d:00 to %02d:00", weekdays[q->begins / 24],
                       q->begins % 24, (q->begins + QUIET_HOURS) % 24);
        reply_para(r, "{} ({}), next {}", cell_text(hours), cell_text(v->zone_label),
                   cell_time(v->next_us, v->now_us));
        reply_para(r, "It has {} of the {} {} of {} weeks; by chance it would have {}.",
                   cell_count(q->in), cell_count(q->all),
                   cell_text(q->by_trades ? "entries and exits" : "decisions to trade"),
                   cell_count(QUIET_WEEKS), cell_number(q->expected, 1));
    } else if (q->covered == 0) {
        reply_para(r, "Too little data: no hour with decisions in most of {} weeks.",
                   cell_count(QUIET_WEEKS));
    } else if (q->expected < QUIET_EXPECTED) {
        reply_line(r, "Too few trades and decisions to tell a quiet hour from chance.");
    } else {
        reply_line(r, "No hours are clearly quieter than others.");
    }
    show_missing(v, r);
}

static size_t count_warned(const struct forecast_list *list)
{
    size_t warned = 0;
    for (size_t i = 0; i < list->count; i++) {
        warned += list->items[i].warned;
    }
    return warned;
}

void forecast_show(const struct file_job *job, struct reply *r)
{
    const struct forecast_view *v = (const struct forecast_view *)job;
    size_t warned = count_warned(v->list);
    add_data(v, r);
    if (warned > 0) {
        reply_title(r, TONE_WARN, "Forecast: %zu warning%s", warned, warned == 1 ? "" : "s");
    } else {
        reply_title(r, TONE_PLAIN, "Forecast of a week");
    }
    show_items(v, r);
    show_scores(v->list, r);
    if (!v->one) {
        show_quiet(v, r);
    } else {
        reply_button(r, "All", "/forecast", BUTTON_PLAIN);
    }
}

/* ------------------------------------------------------------------ the action */

static int run_forecast(struct action_call *call, struct err *err)
{
    const struct health *health = action_userdata(call);
    const struct config *config = health->options.config;
    const char *service = action_text(call, "service");
    if (health->metrics == NULL) {
        reply_title(action_reply(call), TONE_PLAIN, "Nothing is measured here");
        return ACTION_DONE;
    }
    struct forecast_list *list = forecast_list_new(health, service);
    size_t size = sizeof(*list) + list->count * sizeof(list->items[0]);
    struct forecast_view *v = calloc(1, sizeof(*v) + size);
    ASSERT(v != NULL);
    v->list = (struct forecast_list *)(v + 1);
    memcpy(v->list, list, size);
    free(list);
    v->now_us = clock_wall_us(loop_clock(health->options.loop));
    v->one = service != NULL;
    v->symbols = config->market_symbols;
    v->market_speed = health->desk != NULL ? desk_snapshot(health->desk)->market_speed : 0;
    const char *zone = config->alerts_timezone;
    (void)str_copy(str_c(zone == NULL ? "" : zone), v->zone_name, sizeof(v->zone_name));
    v->job.make = forecast_read;
    v->job.show = forecast_show;
    return file_job_start(health->options.helpers, health->options.state_dir, call, &v->job, err);
}

const struct action forecast_actions[] = {
    {.name = "health.forecast",
     .summary = "What will fill or fail within a week, how often such forecasts held, and the "
                "quietest hours",
     .data = "forecast",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .assistant = true,
     .params = ACTION_PARAMS({.name = "service", .type = PARAM_SERVICE, .help = "only this one"}),
     .run = run_forecast,
     .cancel = file_job_cancel},
    {0},
};
