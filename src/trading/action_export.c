#include "base/check.h"
#include "desk_internal.h"
#include "io/chart.h"
#include "io/pool.h"
#include "store/attachment.h"
#include "store/equity_table.h"
#include "store/trade_table.h"

#include <string.h>

#define TRADES_MAX   5000
#define POINTS_MAX   2000
#define DAYS_MAX     90
#define CSV_MAX      ((size_t)2 * 1024 * 1024) /* TRADES_MAX lines are shorter */
#define CHART_WIDTH  1080
#define CHART_HEIGHT 720

/* A file for a reply: a helper writes it, because the disk may be slow and a picture takes time. */
struct export_job {
    char dir[4096];
    struct attachment_new file;
    struct attachment added;
    char caption[128];
    struct equity_point *points; /* of a chart; NULL: `bytes` is complete already */
    int count;
    struct buf bytes;
    struct err err;
    int rc;
};

static void export_free(void *data)
{
    struct export_job *e = data;
    free(e->points);
    buf_release(&e->bytes);
    free(e);
}

static struct export_job *export_new(const struct desk *desk, const char *name,
                                     const char *media_type, size_t max_bytes)
{
    struct export_job *e = calloc(1, sizeof(*e));
    ASSERT(e != NULL);
    AUTO_BUF struct buf dir = BUF_INIT(sizeof(e->dir) - 1);
    attachment_dir(desk->o.state_dir, &dir);
    (void)str_copy(buf_str(&dir), e->dir, sizeof(e->dir));
    e->file.name = name;
    e->file.media_type = media_type;
    buf_init(&e->bytes, max_bytes);
    return e;
}

static int draw(struct export_job *e)
{
    AUTO_FREE int64_t *times = calloc((size_t)e->count, sizeof(*times));
    AUTO_FREE double *values = calloc((size_t)e->count, sizeof(*values));
    ASSERT(times != NULL && values != NULL);
    for (int i = 0; i < e->count; i++) {
        times[i] = e->points[i].at_us;
        values[i] = dec_to_double(e->points[i].equity);
    }
    const struct chart chart = {
        .title = e->caption,
        .width = CHART_WIDTH,
        .height = CHART_HEIGHT,
        .count = e->count,
        .at_us = times,
        .panel_count = 1,
        .panels = {{.title = "equity",
                    .unit = "$",
                    .weight = 1,
                    .line_count = 1,
                    .lines = {{.colour = CHART_BLUE, .filled = true, .values = values}}}}};
    return chart_png(&chart, &e->bytes, &e->err);
}

static void write_file(void *data)
{
    struct export_job *e = data;
    e->rc = e->points == NULL ? 0 : draw(e);
    e->file.bytes = buf_str(&e->bytes);
    if (e->rc == 0) {
        e->rc = attachment_add(e->dir, &e->file, &e->added, &e->err);
    }
}

static void on_written(void *data, void *userdata)
{
    const struct export_job *e = data;
    struct action_call *call = userdata;
    action_set_state(call, NULL);
    if (e->rc == 0) {
        const struct reply_file file = {.id = e->added.id,
                                        .name = e->file.name,
                                        .media_type = e->file.media_type,
                                        .size_bytes = e->added.size_bytes,
                                        .caption = e->caption};
        (e->file.image ? reply_image : reply_document)(action_reply(call), &file);
    }
    action_finish(call, e->rc == 0 ? NULL : &e->err);
}

/* Takes ownership of e. */
static int start(struct desk *desk, struct action_call *call, struct export_job *e, struct err *err)
{
    struct pool_job *job = pool_start(desk->o.helpers,
                                      &(struct pool_work){.data = e,
                                                          .work = write_file,
                                                          .done = on_written,
                                                          .drop = export_free,
                                                          .userdata = call},
                                      err);
    if (job == NULL) {
        export_free(e);
        return -ERR_POOL_BUSY;
    }
    reply_protect(action_reply(call));
    action_set_state(call, job);
    return ACTION_PENDING;
}

static void cancel_export(struct action_call *call)
{
    pool_cancel(action_state(call));
}

/* --------------------------------------------------------------------------------- trades ---- */

static void add_dec(struct buf *out, struct dec value)
{
    buf_add_char(out, ',');
    dec_add_text(out, value);
}

/* Symbols, sides and reasons have no comma and no quotation mark, so nothing is quoted. */
static void add_trade(struct buf *out, const struct trade *t)
{
    buf_addf(out, "%lld,", (long long)t->id);
    clock_add_iso(out, t->opened_us, false);
    buf_add_char(out, ',');
    clock_add_iso(out, t->closed_us, false);
    buf_addf(out, ",%s,%s", t->symbol.name, side_name(t->side));
    add_dec(out, t->qty);
    add_dec(out, t->entry_price);
    add_dec(out, t->exit_price);
    add_dec(out, t->pnl);
    add_dec(out, t->fees);
    buf_addf(out, ",%s\r\n", t->exit_reason);
}

static int export_trades(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    AUTO_FREE struct trade *trades = calloc(TRADES_MAX, sizeof(*trades));
    ASSERT(trades != NULL);
    int n = trade_table_list(desk->o.trading, &(struct trade_query){0}, trades, TRADES_MAX, err);
    if (n < 0) {
        return n;
    }
    reply_title(action_reply(call), TONE_PLAIN, n == 0 ? "No trades yet" : "Trades as CSV");
    if (n == 0) {
        return ACTION_DONE;
    }
    struct export_job *e = export_new(desk, "trades.csv", "text/csv", CSV_MAX);
    (void)snprintf(e->caption, sizeof(e->caption), "%d trades, newest first", n);
    buf_add_c(&e->bytes, "id,opened_at,closed_at,symbol,side,qty,entry_price,exit_price,pnl,fees,"
                         "exit_reason\r\n");
    for (int i = 0; i < n; i++) {
        add_trade(&e->bytes, &trades[i]);
    }
    ASSERT(!buf_failed(&e->bytes));
    reply_para(action_reply(call), "{} trades, newest first", cell_count(n));
    return start(desk, call, e, err);
}

/* ---------------------------------------------------------------------------------- chart ---- */

static int chart_equity(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t days = action_int(call, "days");
    int rc = desk_need_store(desk, r, err);
    if (rc < 0) {
        return rc;
    }
    const struct snapshot *s = desk_read(desk, r);
    struct export_job *e = export_new(desk, "equity.png", "image/png", CHART_PNG_MAX);
    e->file.image = true;
    e->points = calloc(POINTS_MAX, sizeof(*e->points));
    ASSERT(e->points != NULL);
    e->count = equity_table_list(desk->o.trading, s->market_us - days * USEC_PER_DAY, e->points,
                                 POINTS_MAX, err);
    if (e->count <= 0) {
        rc = e->count;
        export_free(e);
        reply_title(r, TONE_PLAIN, "No equity recorded yet");
        return rc < 0 ? rc : ACTION_DONE;
    }
    (void)snprintf(e->caption, sizeof(e->caption), "Equity of %lld day%s", (long long)days,
                   days == 1 ? "" : "s");
    reply_title(r, TONE_PLAIN, "%s", e->caption);
    reply_para(r, "{} → {}", cell_money(e->points[0].equity),
               cell_money(e->points[e->count - 1].equity));
    desk_market_line(r, s);
    return start(desk, call, e, err);
}

const struct action action_export_rows[] = {
    {.name = "trading.export_trades",
     .summary = "Closed trades as a CSV file",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = export_trades,
     .cancel = cancel_export},
    {.name = "trading.chart",
     .summary = "Equity as a picture",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "days",
                              .type = PARAM_INT,
                              .default_text = "7",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(DAYS_MAX),
                              .help = "how many days of market time"}),
     .run = chart_equity,
     .cancel = cancel_export},
    {0},
};
