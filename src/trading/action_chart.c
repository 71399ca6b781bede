#include "base/check.h"
#include "command/file_job.h"
#include "config/config.h"
#include "desk_internal.h"
#include "picture.h"
#include "store/trading.h"

#include <stdlib.h>
#include <string.h>

struct chart_job {
    struct file_job job; /* first */
    struct picture picture;
    int64_t market_speed;
    int64_t market_us;
};

static int draw_chart(struct file_job *job, struct err *err)
{
    struct chart_job *c = (struct chart_job *)job;
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX);
    int rc = trading_store_open(job->state_dir, TRADING_STORE_READ, &store, err);
    rc = rc < 0 ? rc : picture_draw(&c->picture, store, &png, err);
    if (rc <= 0) {
        return rc;
    }
    (void)str_copy(str_c(c->picture.title), job->caption, sizeof(job->caption));
    rc = file_job_keep(job, buf_str(&png), err);
    return rc < 0 ? rc : 1;
}

/* What is missing, in the words of the kind. */
static void show_nothing(const struct picture *p, struct reply *r)
{
    int64_t period_us = p->until_us - p->since_us;
    switch (p->kind) {
    case PICTURE_EQUITY:
    case PICTURE_EXPOSURE:
        reply_title(r, TONE_PLAIN, "No equity recorded yet");
        reply_para(r, "A point is recorded at each full hour; there is none of the last {}.",
                   cell_duration(period_us));
        break;
    case PICTURE_PRICE:
        reply_title(r, TONE_PLAIN, "No candles of %s", p->symbol.name);
        reply_para(r, "There are none of the last {}; candles of two weeks are kept.",
                   cell_duration(period_us));
        break;
    case PICTURE_PROFIT:
        reply_title(r, TONE_PLAIN, "No trades to draw");
        reply_para(r, "No trade{}{} was closed in the last {}.",
                   cell_text(p->symbol.name[0] == '\0' ? "" : " in "),
                   p->symbol.name[0] == '\0' ? cell_text("") : cell_symbol(p->symbol.name),
                   cell_duration(period_us));
        break;
    }
}

static const char *const kind_names[] = {"equity", "price", "profit", "exposure"};

static void show_chart(const struct file_job *job, struct reply *r)
{
    const struct chart_job *c = (const struct chart_job *)job;
    const struct picture *p = &c->picture;
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "chart");
    json_out_text(&data, "kind", kind_names[p->kind]);
    json_out_text(&data, "symbol", p->symbol.name);
    json_out_i64(&data, "points", job->rc > 0 ? p->points : 0);
    json_out_end(&data);
    if (job->rc == 0) {
        show_nothing(p, r);
    } else {
        reply_title(r, TONE_PLAIN, "%s", p->title);
    }
    for (int i = 0; i < p->figure_count; i++) {
        reply_field(r, p->figures[i].name, "{}", p->figures[i].value);
    }
    if (p->cut) {
        reply_para(r, "Only the newest {} trades are drawn.", cell_count(PICTURE_TRADES_MAX));
    }
    if (c->market_speed != 1) {
        reply_para(r, "Market time {} ({}× real time)", cell_time(c->market_us, 0),
                   cell_count(c->market_speed));
    }
}

static bool kind_parse(const char *text, enum picture_kind *ret)
{
    for (unsigned i = 0; i < COUNT_OF(kind_names); i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *ret = (enum picture_kind)i;
            return true;
        }
    }
    return false;
}

/* The largest open position, else the first symbol of the configuration. */
static struct symbol first_symbol(const struct desk *desk, const struct snapshot *s)
{
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    struct symbol best = symbols->count > 0 ? symbols->items[0] : (struct symbol){0};
    double largest = 0;
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        double notional = dec_to_double(p->qty) * dec_to_double(p->mark_price);
        if (notional > largest) {
            largest = notional;
            best = p->symbol;
        }
    }
    return best;
}

/* `what` is a kind, or the period of an equity chart: "/chart 30" is thirty days. `of` is a symbol,
 * or the period. */
static int read_arguments(struct action_call *call, struct picture *p, int64_t *ret_period_us,
                          struct err *err)
{
    const struct arg_value *what = action_value(call, "kind");
    const struct arg_value *of = action_value(call, "symbol");
    const struct arg_value *period = action_value(call, "period");
    int periods = 0;
    *ret_period_us = 7 * USEC_PER_DAY;
    if (what->type == PARAM_CHOICE) {
        ASSERT(kind_parse(what->text, &p->kind));
    } else {
        periods++;
        *ret_period_us = what->type == PARAM_INT ? what->number * USEC_PER_DAY : what->duration_us;
    }
    if (p->kind == PICTURE_PRICE) {
        *ret_period_us = USEC_PER_DAY;
    }
    if (of != NULL && of->type == PARAM_DURATION) {
        periods++;
        *ret_period_us = of->duration_us;
    } else if (of != NULL) {
        p->symbol = value_symbol(of);
    }
    if (period != NULL) {
        periods++;
        *ret_period_us = period->duration_us;
    }
    if (periods > 1) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "period: it is given twice");
    }
    if (p->symbol.name[0] != '\0' && (p->kind == PICTURE_EQUITY || p->kind == PICTURE_EXPOSURE)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID,
                       "symbol: %s is of the whole account; price and profit take a symbol",
                       kind_names[p->kind]);
    }
    return 0;
}

static int chart(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct picture picture = {0};
    int64_t period_us = 0;
    int rc = desk_need_store(desk, action_reply(call), err);
    rc = rc < 0 ? rc : read_arguments(call, &picture, &period_us, err);
    if (rc < 0) {
        return rc;
    }
    const struct snapshot *s = desk_read(desk, action_reply(call));
    const char *theme = action_text(call, "theme");
    theme = theme == NULL ? desk->o.config->charts_theme : theme;
    if (picture.kind == PICTURE_PRICE && picture.symbol.name[0] == '\0') {
        picture.symbol = first_symbol(desk, s);
    }
    picture.theme = theme != NULL && strcmp(theme, "dark") == 0 ? CHART_DARK : CHART_LIGHT;
    picture.until_us = s->market_us;
    picture.since_us = s->market_us - period_us;
    picture.max_exposure_pct = s->risk.max_exposure_pct;
    (void)str_copy(
        str_c(desk->o.config->alerts_timezone == NULL ? "" : desk->o.config->alerts_timezone),
        picture.zone, sizeof(picture.zone));
    struct chart_job *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    c->picture = picture;
    c->market_speed = s->market_speed;
    c->market_us = s->market_us;
    c->job.make = draw_chart;
    c->job.show = show_chart;
    c->job.file =
        (struct attachment_new){.name = "chart.png", .media_type = "image/png", .image = true};
    return file_job_start(desk->o.helpers, desk->o.state_dir, call, &c->job, err);
}

static const struct action_param kind_days = {.type = PARAM_INT, .minimum = "1", .maximum = "365"};
static const struct action_param kind_period = {
    .type = PARAM_DURATION, .minimum = "1h", .maximum = "365d", .otherwise = &kind_days};
static const struct action_param of_symbol = {.type = PARAM_SYMBOL};

const struct action action_chart_rows[] = {
    {.name = "trading.chart",
     .summary = "A picture: equity with drawdown, price with trades, profit by day, or exposure",
     .data = DESK_AGE " chart",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "kind",
                              .type = PARAM_CHOICE,
                              .choices = "equity|price|profit|exposure",
                              .default_text = "equity",
                              .otherwise = &kind_period,
                              .noun = "equity, price, profit or exposure, or a period such as 30d",
                              .help = "equity, price, profit or exposure; or only a period, such "
                                      "as 30d"},
                             {.name = "symbol",
                              .type = PARAM_DURATION,
                              .minimum = "1h",
                              .maximum = "365d",
                              .otherwise = &of_symbol,
                              .noun = "a symbol, or a period such as 12h",
                              .help = "of price and profit; or the period"},
                             {.name = "period",
                              .type = PARAM_DURATION,
                              .minimum = "1h",
                              .maximum = "365d",
                              .help = "of market time; 7d if left out, 1d of a price"},
                             {.name = "theme",
                              .type = PARAM_CHOICE,
                              .choices = "light|dark",
                              .help = "charts.theme if left out"}),
     .run = chart,
     .cancel = file_job_cancel},
    {0},
};
