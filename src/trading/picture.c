#include "picture.h"

#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/str.h"
#include "io/zone.h"
#include "model/capacity.h"
#include "store/candle_table.h"
#include "store/equity_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/trade_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STOPS_MAX 60 /* trades whose stop is drawn, the newest ones */
#define DAYS_MAX  400
#define SUBTITLE  256

/* What a chart borrows. */
struct work {
    struct picture *p;
    struct trading_store *store;
    struct zone *zone;
    char zone_name[ZONE_LABEL_SIZE];
    char subtitle[SUBTITLE];
    int count;
    int64_t *at_us;
    double *values;
    double *more;
    struct chart_mark *marks;
    int mark_count;
    struct chart_level levels[STOPS_MAX + 2 * POSITIONS_LIMIT];
    int level_count;
};

static void work_release(struct work *w)
{
    zone_free(w->zone);
    free(w->at_us);
    free(w->values);
    free(w->more);
    free(w->marks);
}

static void make_room(struct work *w, int points)
{
    size_t n = (size_t)(points > 0 ? points : 1);
    w->at_us = calloc(n, sizeof(*w->at_us));
    w->values = calloc(n, sizeof(*w->values));
    w->more = calloc(n, sizeof(*w->more));
    ASSERT(w->at_us != NULL && w->values != NULL && w->more != NULL);
}

static void add_figure(struct picture *p, const char *name, struct cell value)
{
    ASSERT(p->figure_count < PICTURE_FIGURES_MAX);
    p->figures[p->figure_count++] = (struct picture_figure){.name = name, .value = value};
}

/* The figures in two lines, as the subtitle. */
static void set_subtitle(struct work *w)
{
    AUTO_BUF struct buf text = BUF_INIT(SUBTITLE - 1);
    for (int i = 0; i < w->p->figure_count; i++) {
        buf_addf(&text, "%s%s ", i == 0 ? "" : i == 2 ? "\n" : "   ", w->p->figures[i].name);
        cell_add_text(&text, w->p->figures[i].value);
    }
    (void)str_copy(buf_str(&text), w->subtitle, sizeof(w->subtitle));
}

static void set_title(struct picture *p, const char *what)
{
    AUTO_BUF struct buf text = BUF_INIT(sizeof(p->title) - 1);
    buf_addf(&text, "%s · ", what);
    clock_add_duration(&text, p->until_us - p->since_us);
    (void)str_copy(buf_str(&text), p->title, sizeof(p->title));
}

static int open_zone(struct work *w, struct err *err)
{
    const char *name = w->p->zone;
    int rc = zone_load(name, &w->zone, err);
    if (rc < 0) {
        return rc;
    }
    zone_label(w->zone, name, w->p->until_us, w->zone_name);
    return 0;
}

static struct chart chart_of(struct work *w)
{
    set_subtitle(w);
    return (struct chart){.title = w->p->title,
                          .subtitle = w->subtitle,
                          .width = CHART_PHONE_WIDTH,
                          .height = CHART_PHONE_HEIGHT,
                          .theme = w->p->theme,
                          .text_scale = CHART_PHONE_TEXT,
                          .zone = w->zone,
                          .zone_name = w->zone_name,
                          .count = w->count,
                          .at_us = w->at_us};
}

/* The trades that were closed in the period, newest first; returns their number. */
static int read_trades(struct work *w, struct trade **ret, struct err *err)
{
    const struct trade_query query = {.since_us = w->p->since_us, .symbol = w->p->symbol};
    *ret = calloc(PICTURE_TRADES_MAX + 1, sizeof(**ret));
    ASSERT(*ret != NULL);
    int n = trade_table_list(w->store, &query, *ret, PICTURE_TRADES_MAX + 1, err);
    w->p->cut = n > PICTURE_TRADES_MAX;
    return w->p->cut ? PICTURE_TRADES_MAX : n;
}

/* ---------------------------------------------------------------------------- equity ---- */

/* Fills at_us with the hours of the curve, values with the equity; returns their number. */
static int read_equity(struct work *w, struct equity_point **ret, struct err *err)
{
    *ret = calloc(PICTURE_POINTS_MAX, sizeof(**ret));
    ASSERT(*ret != NULL);
    return equity_table_list(w->store, w->p->since_us, 0, *ret, PICTURE_POINTS_MAX, err);
}

static int draw_equity(struct work *w, struct buf *png, struct err *err)
{
    AUTO_FREE struct equity_point *points = NULL;
    int n = read_equity(w, &points, err);
    if (n <= 0) {
        return n;
    }
    make_room(w, n);
    w->count = n;
    double peak = 0, deepest = 0;
    for (int i = 0; i < n; i++) {
        double equity = dec_to_double(points[i].equity);
        peak = i == 0 ? equity : fmax(peak, equity);
        w->at_us[i] = points[i].at_us;
        w->values[i] = equity;
        w->more[i] = peak > 0 ? -100 * (peak - equity) / peak : 0;
        deepest = fmin(deepest, w->more[i]);
    }
    struct picture *p = w->p;
    struct dec first = points[0].equity, last = points[n - 1].equity;
    p->points = n;
    set_title(p, "Equity");
    add_figure(p, "now", cell_money(last));
    add_figure(p, "change", cell_pct_signed(cell_ratio_pct(dec_sub(last, first), first), 2));
    add_figure(p, "drawdown now", cell_pct(-w->more[n - 1], 2));
    add_figure(p, "largest", cell_pct(-deepest, 2));
    struct chart chart = chart_of(w);
    chart.gap_us = 3 * USEC_PER_HOUR;
    chart.panel_count = 2;
    chart.panels[0] = (struct chart_panel){
        .title = "",
        .unit = "$",
        .weight = 3,
        .line_count = 1,
        .lines = {{.colour = CHART_BLUE, .filled = true, .tagged = true, .values = w->values}}};
    chart.panels[1] = (struct chart_panel){
        .title = "Drawdown from the peak",
        .unit = " %",
        .weight = 2,
        .from_zero = true,
        .line_count = 1,
        .lines = {{.colour = CHART_RED, .filled = true, .tagged = true, .values = w->more}}};
    int rc = chart_png(&chart, png, err);
    return rc < 0 ? rc : 1;
}

/* ----------------------------------------------------------------------------- price ---- */

static void add_level(struct work *w, struct chart_level level)
{
    if (w->level_count < (int)COUNT_OF(w->levels) && level.value > 0) {
        w->levels[w->level_count++] = level;
    }
}

static void add_mark(struct work *w, int64_t at_us, struct dec price, enum chart_shape shape,
                     enum chart_colour colour)
{
    w->marks[w->mark_count++] = (struct chart_mark){
        .at_us = at_us, .value = dec_to_double(price), .shape = shape, .colour = colour};
}

static void add_entry(struct work *w, enum side side, int64_t at_us, struct dec price)
{
    bool is_long = side == SIDE_LONG;
    add_mark(w, at_us, price, is_long ? CHART_UP : CHART_DOWN, is_long ? CHART_BLUE : CHART_RED);
}

/* Entries and exits, and the stops of the newest trades as they were when they were opened. */
static int mark_trades(struct work *w, const struct trade *trades, int count, struct err *err)
{
    for (int i = 0; i < count; i++) {
        const struct trade *t = &trades[i];
        bool gains = t->pnl.e8 > 0;
        struct order order;
        add_entry(w, t->side, t->opened_us, t->entry_price);
        add_mark(w, t->closed_us, t->exit_price, gains ? CHART_DOT : CHART_CROSS,
                 gains ? CHART_GREEN : CHART_VIOLET);
        int rc = i >= STOPS_MAX ? -ERR_STORE_NOT_FOUND
                                : order_table_get(w->store, t->client_id, &order, err);
        if (rc == 0) {
            add_level(w, (struct chart_level){.from_us = t->opened_us,
                                              .to_us = t->closed_us,
                                              .value = dec_to_double(order.stop),
                                              .colour = CHART_ORANGE});
        } else if (rc != -ERR_STORE_NOT_FOUND) {
            return rc;
        }
    }
    return 0;
}

static int mark_position(struct work *w, struct err *err)
{
    AUTO_FREE struct position *open = calloc(POSITIONS_LIMIT, sizeof(*open));
    ASSERT(open != NULL);
    int n = position_table_list(w->store, open, POSITIONS_LIMIT, err);
    for (int i = 0; i < n; i++) {
        const struct position *p = &open[i];
        if (!symbol_equal(p->symbol, w->p->symbol)) {
            continue;
        }
        int64_t end_us = w->at_us[w->count - 1];
        add_entry(w, p->side, p->opened_us, p->entry_price);
        add_level(w, (struct chart_level){.from_us = p->opened_us,
                                          .to_us = end_us,
                                          .value = dec_to_double(p->stop),
                                          .colour = CHART_ORANGE,
                                          .tagged = true});
        add_level(w, (struct chart_level){.from_us = p->opened_us,
                                          .to_us = end_us,
                                          .value = dec_to_double(p->target),
                                          .colour = CHART_TEAL,
                                          .tagged = true});
        add_figure(w->p, p->side == SIDE_LONG ? "long for" : "short for",
                   cell_duration(w->p->until_us - p->opened_us));
    }
    return n < 0 ? n : 0;
}

static int draw_price(struct work *w, struct buf *png, struct err *err)
{
    struct picture *p = w->p;
    AUTO_FREE struct candle *candles = calloc(CANDLE_TABLE_KEEP, sizeof(*candles));
    AUTO_FREE struct trade *trades = NULL;
    ASSERT(candles != NULL);
    int n = candle_table_last(w->store, p->symbol, candles, CANDLE_TABLE_KEEP, err);
    if (n < 0) {
        return n;
    }
    make_room(w, n);
    for (int i = 0; i < n; i++) {
        if (candles[i].open_us >= p->since_us) {
            w->at_us[w->count] = candles[i].open_us + timeframe_us(TF_5M);
            w->values[w->count++] = dec_to_double(candles[i].close);
        }
    }
    if (w->count == 0) {
        return 0;
    }
    int count = read_trades(w, &trades, err);
    w->marks = calloc(2 * (size_t)(count > 0 ? count : 0) + POSITIONS_LIMIT, sizeof(*w->marks));
    ASSERT(w->marks != NULL);
    struct dec last = candles[n - 1].close, first = candles[n - w->count].close;
    p->points = w->count;
    add_figure(p, "now", cell_price(last, p->symbol.name));
    add_figure(p, "change", cell_pct_signed(cell_ratio_pct(dec_sub(last, first), first), 2));
    add_figure(p, "trades", cell_count(count));
    int rc = count < 0 ? count : mark_trades(w, trades, count, err);
    rc = rc < 0 ? rc : mark_position(w, err);
    if (rc < 0) {
        return rc;
    }
    set_title(p, p->symbol.name);
    struct chart chart = chart_of(w);
    chart.gap_us = 3 * timeframe_us(TF_5M);
    chart.panel_count = 1;
    chart.panels[0] =
        (struct chart_panel){.title = "",
                             .weight = 1,
                             .line_count = 1,
                             .lines = {{.colour = CHART_GREY, .tagged = true, .values = w->values}},
                             .level_count = w->level_count,
                             .levels = w->levels,
                             .mark_count = w->mark_count,
                             .marks = w->marks,
                             .key_count = 6,
                             .keys = {{CHART_UP, CHART_BLUE, "long"},
                                      {CHART_DOWN, CHART_RED, "short"},
                                      {CHART_DOT, CHART_GREEN, "gain"},
                                      {CHART_CROSS, CHART_VIOLET, "loss"},
                                      {CHART_DASH, CHART_ORANGE, "stop"},
                                      {CHART_DASH, CHART_TEAL, "target"}}};
    rc = chart_png(&chart, png, err);
    return rc < 0 ? rc : 1;
}

/* ---------------------------------------------------------------------------- profit ---- */

/* When clocks of the zone show this time of a day; no zone changes its clocks at noon, and one that
 * does at midnight is an hour off for that day. */
static int64_t local_to_us(const struct zone *zone, int64_t day, int64_t time_us)
{
    int64_t local_us = day * USEC_PER_DAY + time_us;
    int64_t guess_us = local_us - zone_local(zone, local_us).offset_s * USEC_PER_SEC;
    return local_us - zone_local(zone, guess_us).offset_s * USEC_PER_SEC;
}

static int64_t day_of(const struct zone *zone, int64_t at_us)
{
    return zone_local(zone, at_us).day;
}

static int draw_profit(struct work *w, struct buf *png, struct err *err)
{
    struct picture *p = w->p;
    AUTO_FREE struct trade *trades = NULL;
    int64_t last_day = day_of(w->zone, p->until_us);
    int64_t days_wanted = (p->until_us - p->since_us + USEC_PER_DAY - 1) / USEC_PER_DAY;
    ASSERT(days_wanted >= 1 && days_wanted <= DAYS_MAX);
    int64_t first_day = last_day - days_wanted + 1;
    p->since_us = local_to_us(w->zone, first_day, 0);
    int n = read_trades(w, &trades, err);
    if (n <= 0) {
        return n;
    }
    w->count = (int)days_wanted;
    make_room(w, w->count);
    struct dec sum = {0}, best = {0}, worst = {0};
    AUTO_FREE struct dec *days = calloc((size_t)w->count, sizeof(*days));
    ASSERT(days != NULL);
    int wins = 0;
    for (int i = 0; i < n; i++) {
        int64_t day = day_of(w->zone, trades[i].closed_us) - first_day;
        day = day < 0 ? 0 : day >= w->count ? w->count - 1 : day;
        days[day] = dec_add(days[day], trades[i].pnl);
        wins += trades[i].pnl.e8 > 0;
    }
    for (int i = 0; i < w->count; i++) {
        sum = dec_add(sum, days[i]);
        best = days[i].e8 > best.e8 ? days[i] : best;
        worst = days[i].e8 < worst.e8 ? days[i] : worst;
        w->at_us[i] = local_to_us(w->zone, first_day + i, USEC_PER_DAY / 2);
        w->values[i] = dec_to_double(days[i]);
        w->more[i] = dec_to_double(sum);
    }
    p->points = n;
    (void)snprintf(p->title, sizeof(p->title), "%s%sProfit by day · %lld d", p->symbol.name,
                   p->symbol.name[0] == '\0' ? "" : " · ", (long long)days_wanted);
    add_figure(p, "sum", cell_money_signed(sum));
    add_figure(p, "trades", cell_count(n));
    add_figure(p, "won", cell_pct(100.0 * wins / n, 0));
    add_figure(p, "best day", best.e8 > 0 ? cell_money_signed(best) : cell_none());
    add_figure(p, "worst", worst.e8 < 0 ? cell_money_signed(worst) : cell_none());
    struct chart chart = chart_of(w);
    chart.from_us = w->at_us[0] - USEC_PER_DAY / 2;
    chart.to_us = w->at_us[w->count - 1] + USEC_PER_DAY / 2;
    chart.panel_count = 2;
    chart.panels[0] = (struct chart_panel){.title = "Each day",
                                           .unit = "$",
                                           .weight = 3,
                                           .from_zero = true,
                                           .line_count = 1,
                                           .lines = {{.colour = CHART_BLUE,
                                                      .below = CHART_RED,
                                                      .bar_us = USEC_PER_DAY * 7 / 10,
                                                      .values = w->values}}};
    chart.panels[1] = (struct chart_panel){
        .title = "Sum",
        .unit = "$",
        .weight = 2,
        .from_zero = true,
        .line_count = 1,
        .lines = {{.colour = CHART_GREY, .filled = true, .tagged = true, .values = w->more}}};
    int rc = chart_png(&chart, png, err);
    return rc < 0 ? rc : 1;
}

/* -------------------------------------------------------------------------- exposure ---- */

/* What is open changes at this time. */
struct change {
    int64_t at_us;
    double notional;
    int count;
};

static int by_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

static int read_changes(struct work *w, struct change **ret, struct err *err)
{
    AUTO_FREE struct trade *trades = NULL;
    AUTO_FREE struct position *open = calloc(POSITIONS_LIMIT, sizeof(*open));
    int closed = read_trades(w, &trades, err);
    ASSERT(open != NULL);
    int opened = closed < 0 ? closed : position_table_list(w->store, open, POSITIONS_LIMIT, err);
    if (opened < 0) {
        return opened;
    }
    struct change *changes = calloc(2 * (size_t)closed + (size_t)opened + 1, sizeof(*changes));
    ASSERT(changes != NULL);
    int n = 0;
    for (int i = 0; i < closed; i++) {
        double notional = dec_to_double(trades[i].qty) * dec_to_double(trades[i].entry_price);
        changes[n++] = (struct change){trades[i].opened_us, notional, 1};
        changes[n++] = (struct change){trades[i].closed_us, -notional, -1};
    }
    for (int i = 0; i < opened; i++) {
        double notional = dec_to_double(open[i].qty) * dec_to_double(open[i].entry_price);
        changes[n++] = (struct change){open[i].opened_us, notional, 1};
    }
    qsort(changes, (size_t)n, sizeof(*changes), by_time);
    *ret = changes;
    return n;
}

/* A point for each hour of the equity and for each change. */
static void merge_changes(struct work *w, const struct equity_point *points, int point_count,
                          const struct change *changes, int change_count)
{
    double notional = 0, equity = dec_to_double(points[0].equity);
    int open = 0, c = 0, e = 0;
    for (; c < change_count && changes[c].at_us < points[0].at_us; c++) {
        notional += changes[c].notional;
        open += changes[c].count;
    }
    while (c < change_count || e < point_count) {
        bool is_change =
            e == point_count || (c < change_count && changes[c].at_us < points[e].at_us);
        if (is_change) {
            notional += changes[c].notional;
            open += changes[c].count;
        } else {
            equity = dec_to_double(points[e].equity);
        }
        w->at_us[w->count] = is_change ? changes[c].at_us : points[e].at_us;
        w->values[w->count] = equity > 0 && open > 0 ? 100 * notional / equity : 0;
        w->more[w->count++] = open;
        c += is_change;
        e += !is_change;
    }
}

static int draw_exposure(struct work *w, struct buf *png, struct err *err)
{
    struct picture *p = w->p;
    AUTO_FREE struct equity_point *points = NULL;
    AUTO_FREE struct change *changes = NULL;
    int n = read_equity(w, &points, err);
    if (n <= 0) {
        return n;
    }
    int m = read_changes(w, &changes, err);
    if (m < 0) {
        return m;
    }
    make_room(w, n + m);
    merge_changes(w, points, n, changes, m);
    double largest = 0, most = 0;
    for (int i = 0; i < w->count; i++) {
        largest = fmax(largest, w->values[i]);
        most = fmax(most, w->more[i]);
    }
    p->points = w->count;
    set_title(p, "Exposure");
    add_figure(p, "now", cell_pct(w->values[w->count - 1], 1));
    add_figure(p, "largest", cell_pct(largest, 1));
    add_figure(p, "positions now", cell_count((int64_t)w->more[w->count - 1]));
    add_figure(p, "most", cell_count((int64_t)most));
    add_level(w, (struct chart_level){.from_us = w->at_us[0],
                                      .to_us = w->at_us[w->count - 1],
                                      .value = p->max_exposure_pct,
                                      .colour = CHART_RED,
                                      .tagged = true});
    struct chart chart = chart_of(w);
    chart.gap_us = 3 * USEC_PER_HOUR;
    chart.panel_count = 2;
    chart.panels[0] = (struct chart_panel){.title = "Of equity, at entry prices",
                                           .unit = " %",
                                           .weight = 3,
                                           .from_zero = true,
                                           .line_count = 1,
                                           .lines = {{.colour = CHART_BLUE,
                                                      .filled = true,
                                                      .stairs = true,
                                                      .tagged = true,
                                                      .values = w->values}},
                                           .level_count = w->level_count,
                                           .levels = w->levels,
                                           .key_count = w->level_count,
                                           .keys = {{CHART_DASH, CHART_RED, "limit"}}};
    chart.panels[1] = (struct chart_panel){.title = "Open positions",
                                           .weight = 2,
                                           .from_zero = true,
                                           .whole = true,
                                           .line_count = 1,
                                           .lines = {{.colour = CHART_GREY,
                                                      .filled = true,
                                                      .stairs = true,
                                                      .tagged = true,
                                                      .values = w->more}}};
    int rc = chart_png(&chart, png, err);
    return rc < 0 ? rc : 1;
}

int picture_draw(struct picture *p, struct trading_store *store, struct buf *png, struct err *err)
{
    struct work *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->p = p;
    w->store = store;
    int rc = open_zone(w, err);
    if (rc == 0) {
        switch (p->kind) {
        case PICTURE_EQUITY:
            rc = draw_equity(w, png, err);
            break;
        case PICTURE_PRICE:
            rc = draw_price(w, png, err);
            break;
        case PICTURE_PROFIT:
            rc = draw_profit(w, png, err);
            break;
        case PICTURE_EXPOSURE:
            rc = draw_exposure(w, png, err);
            break;
        }
    }
    work_release(w);
    free(w);
    return rc;
}
