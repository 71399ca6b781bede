#include "base/check.h"
#include "figures.h"
#include "period.h"
#include "reading.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 600 /* twice the symbols that can be traded at a time */
#define PAGE_SIZE  30
#define HOURS      24

static const struct {
    const char *word;
    const char *none; /* the name of a group that has none */
    const char *note;
} bys[] = {
    [FIGURE_BY_SYMBOL] = {"symbol", "?", ""},
    [FIGURE_BY_AGENT] = {"agent", "?", "A trade counts for each agent that voted for its side. "},
    [FIGURE_BY_REGIME] = {"regime", "unknown", "The regime is that of the entry. "},
    [FIGURE_BY_HOUR] = {"hour", "?", "The hour is that of the entry. "},
    [FIGURE_BY_EXIT] = {"exit", "?", ""}};

struct performance_data {
    enum figure_by by;
    int64_t days; /* 0: all */
    int64_t since_us;
    int64_t page;       /* from 1 */
    char zone_name[64]; /* of the hours; the desk's own zone may be replaced meanwhile */
    struct zone *zone;  /* on the helper only */
    struct figure_sum all;
    int64_t left_out; /* groups beyond GROUPS_MAX */
    int count;
    struct figure_group groups[GROUPS_MAX];
};

static void add_to_hour(struct performance_data *p, const struct figure_group *group)
{
    int hour = zone_local(p->zone, group->key).minute_of_day / 60;
    figure_sum_add(&p->groups[hour].sum, &group->sum);
}

static void on_group(const struct figure_group *group, void *userdata)
{
    struct performance_data *p = userdata;
    if (p->by == FIGURE_BY_HOUR) {
        add_to_hour(p, group);
    } else if (p->count == GROUPS_MAX) {
        p->left_out++;
    } else {
        struct figure_group *to = &p->groups[p->count++];
        *to = *group;
        if (to->name[0] == '\0') {
            (void)str_copy(str_c(bys[p->by].none), to->name, sizeof(to->name));
        }
    }
}

static int by_result(const void *a, const void *b)
{
    const struct figure_group *x = a, *y = b;
    int order = dec_cmp(y->sum.pnl, x->sum.pnl);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Names the hours and drops those without a trade. */
static void finish_hours(struct performance_data *p)
{
    for (int hour = 0; hour < HOURS; hour++) {
        if (p->groups[hour].sum.trades > 0) {
            struct figure_group *to = &p->groups[p->count++];
            *to = p->groups[hour];
            (void)snprintf(to->name, sizeof(to->name), "%02d:00", hour);
        }
    }
}

static int read_performance(struct trading_store *store, void *data, struct err *err)
{
    struct performance_data *p = data;
    if (p->by == FIGURE_BY_HOUR) {
        (void)zone_load(p->zone_name, &p->zone, NULL); /* without it: UTC, as the label says */
    }
    int rc = figure_table_groups(store, p->by, p->since_us, on_group, p, err);
    if (rc == 0) {
        rc = figure_table_sum(store, p->since_us, INT64_MAX, &p->all, err);
    }
    zone_free(TAKE(p->zone));
    if (p->by == FIGURE_BY_HOUR) {
        finish_hours(p);
    } else {
        qsort(p->groups, (size_t)p->count, sizeof(p->groups[0]), by_result);
    }
    return rc;
}

static void add_page_line(struct buf *out, const struct performance_data *p, int64_t page)
{
    buf_addf(out, "/performance %s", bys[p->by].word);
    if (p->days > 0) {
        buf_addf(out, " days=%lld", (long long)p->days);
    }
    if (page > 1) {
        buf_addf(out, " page=%lld", (long long)page);
    }
}

static void add_pages(struct reply *r, const struct performance_data *p)
{
    AUTO_BUF struct buf previous = BUF_INIT(96);
    AUTO_BUF struct buf next = BUF_INIT(96);
    if (p->page > 1) {
        add_page_line(&previous, p, p->page - 1);
    }
    if (p->page * PAGE_SIZE < p->count) {
        add_page_line(&next, p, p->page + 1);
    }
    if (previous.len + next.len > 0) {
        reply_page(r, buf_str(&previous).len > 0 ? previous.data : NULL,
                   buf_str(&next).len > 0 ? next.data : NULL);
    }
}

static void show_groups(struct reply *r, struct json_out *data, const struct performance_data *p)
{
    int64_t from = (p->page - 1) * PAGE_SIZE;
    json_out_array(data, "performance");
    if (from < p->count) {
        reply_columns(r, bys[p->by].word, "trades", "won", "result");
    }
    for (int64_t i = from; i < p->count && i < from + PAGE_SIZE; i++) {
        const struct figure_group *g = &p->groups[i];
        double won = 100.0 * (double)g->sum.wins / (double)g->sum.trades;
        reply_cells(r, cell_text(g->name), cell_count(g->sum.trades), cell_pct(won, 0),
                    figures_result(g->sum.pnl));
        json_out_object(data, NULL);
        json_out_text(data, "name", g->name);
        figures_json(data, &g->sum);
        json_out_end(data);
    }
    json_out_end(data);
}

static void show_performance(struct action_call *call, void *userdata)
{
    const struct performance_data *p = userdata;
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct snapshot *s = desk_read(desk, r);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "by", bys[p->by].word);
    json_out_i64(&data, "groups", p->count + p->left_out);
    show_groups(r, &data, p);
    json_out_object(&data, "sum");
    figures_json(&data, &p->all);
    json_out_end(&data);
    if (p->all.trades == 0) {
        reply_title(r, TONE_PLAIN, p->days == 0 ? "No trades yet" : "No trades in this time");
        reply_line(r, "The first closed trade appears here.");
        return;
    }
    if (p->days == 0) {
        reply_title(r, TONE_PLAIN, "Performance by %s", bys[p->by].word);
    } else {
        reply_title(r, TONE_PLAIN, "Performance by %s, last %lld day%s", bys[p->by].word,
                    (long long)p->days, p->days == 1 ? "" : "s");
    }
    reply_para(r, "All {} trade{}: {} won, {}", cell_count(p->all.trades),
               cell_text(p->all.trades == 1 ? "" : "s"), cell_count(p->all.wins),
               figures_result(p->all.pnl));
    reply_line(r, "%sResults are after fees; funding is in /profit.", bys[p->by].note);
    if (p->by == FIGURE_BY_HOUR || p->days > 0) {
        desk_zone_line(desk, r);
    }
    add_pages(r, p);
    desk_market_line(r, s);
    reply_protect(r);
}

/* Another module knows the machine and the services. */
static int system_performance(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    if (desk->system != NULL) {
        return desk->system(call, desk->system_userdata, err);
    }
    reply_title(action_reply(call), TONE_PLAIN, "Nothing is measured here");
    return ACTION_DONE;
}

static bool is_of_system(const struct action_call *call)
{
    return strcmp(action_text(call, "by"), "system") == 0;
}

static void cancel_performance(struct action_call *call)
{
    const struct desk *desk = action_userdata(call);
    if (is_of_system(call)) {
        desk->system_cancel(call);
    } else {
        reading_cancel(call);
    }
}

static int performance(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    if (is_of_system(call)) {
        return system_performance(call, err);
    }
    if (action_text(call, "service") != NULL) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "service: only performance system takes one");
    }
    struct performance_data *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    for (size_t i = 0; i < COUNT_OF(bys); i++) {
        if (strcmp(action_text(call, "by"), bys[i].word) == 0) {
            p->by = (enum figure_by)i;
        }
    }
    p->page = action_int(call, "page");
    p->days = action_value(call, "days") == NULL ? 0 : action_int(call, "days");
    p->since_us = p->days == 0 ? 0 : desk_days_ago_us(desk, p->days);
    memcpy(p->zone_name, desk->zone_name, sizeof(p->zone_name));
    return reading_start(
        desk, call,
        &(struct reading){.read = read_performance, .show = show_performance, .data = p}, err);
}

const struct action action_performance_rows[] = {
    {.name = "trading.performance",
     .summary = "Closed trades by symbol, agent, regime, hour of entry, or exit reason; or the "
                "machine and the services",
     .data = DESK_AGE " by groups performance sum system timezone utc_offset_s",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "by",
          .type = PARAM_CHOICE,
          .choices = "symbol|agent|regime|hour|exit|system",
          .default_text = "symbol",
          .help = "what to group by; system: the machine and the services"},
         {.name = "days",
          .type = PARAM_INT,
          .minimum = "1",
          .maximum = "3650",
          .help = "only so many days, today included"},
         {.name = "page",
          .type = PARAM_INT,
          .default_text = "1",
          .minimum = "1",
          .maximum = "1000",
          .help = "page of the list"},
         {.name = "service", .type = PARAM_SERVICE, .help = "of system: only this one"}),
     .run = performance,
     .cancel = cancel_performance},
    {0},
};
