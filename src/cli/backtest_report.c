#include "backtest_report.h"

#include "base/check.h"
#include "base/clock.h"
#include "cli_internal.h"
#include "io/chart.h"
#include "io/file.h"
#include "model/model_json.h"

#include <math.h>
#include <stdlib.h>

#define CHART_WIDTH  1200
#define CHART_HEIGHT 900
/* More do not fit in the picture's title. */
#define TITLE_SYMBOLS 3

/* ---------------------------------------------------------------- words */

static void add_minute(struct buf *out, int64_t at_us)
{
    AUTO_BUF struct buf iso = BUF_INIT(64);
    clock_add_iso(&iso, at_us, false);
    buf_addf(out, "%.10s %.5s", iso.data, iso.data + 11);
}

static void add_money(struct buf *out, struct dec value, bool sign)
{
    if (sign && dec_is_valid(value) && value.e8 > 0) {
        buf_add_char(out, '+');
    }
    dec_add_amount(out, value, 2);
}

/* "1.21", or a dash if it is undefined. */
static void add_ratio(struct buf *out, double value, const char *unit)
{
    if (isfinite(value)) {
        buf_addf(out, "%.2f%s", value == 0 ? 0 : value, unit);
    } else {
        buf_add_char(out, '-');
    }
}

static const struct performance *figures(const struct backtest_report *r, bool *ret_is_result)
{
    return backtest_model_figures(r->model, r->result, ret_is_result);
}

/* The price at the start of the period that the figures cover. */
static double start_price(const struct backtest_report *r, int symbol)
{
    return r->result->has_unseen ? r->result->unseen_prices[symbol]
                                 : r->result->start_prices[symbol];
}

static const double *point_prices(const struct backtest_result *result, int point)
{
    return &result->point_prices[point * result->symbol_count];
}

static double end_price(const struct backtest_report *r, int symbol)
{
    const struct backtest_result *result = r->result;
    return result->point_count > 0 ? point_prices(result, result->point_count - 1)[symbol]
                                   : (double)NAN;
}

/* The return of holding it from start to end, without fees. */
static double held_pct(const struct backtest_report *r, int symbol)
{
    double start = start_price(r, symbol);
    return start > 0 ? 100 * (end_price(r, symbol) / start - 1) : (double)NAN;
}

static void add_signed_pct(struct buf *out, double value)
{
    if (isfinite(value)) {
        buf_addf(out, "%+.2f %%", fabs(value) < 0.005 ? 0 : value);
    } else {
        buf_add_char(out, '-');
    }
}

static void add_symbols(struct buf *out, const struct settings *s)
{
    for (int i = 0; i < s->symbol_count; i++) {
        buf_addf(out, "%s%s", i > 0 ? ", " : "", s->symbols[i].name);
    }
}

/* ---------------------------------------------------------------- text */

static void begin_row(struct buf *out, const char *name)
{
    buf_addf(out, "  %-14s", name);
}

static void add_data(const struct backtest_report *r, struct buf *out)
{
    const struct backtest_result *b = r->result;
    begin_row(out, "Candles");
    buf_addf(out, "%lld of ", (long long)b->candles);
    clock_add_duration(out, r->step_us);
    if (b->warm_up_candles > 0) {
        buf_addf(out, ", after %lld that warmed the indicators", (long long)b->warm_up_candles);
    }
    buf_add_char(out, '\n');
    for (int i = 0; r->files != NULL && i < r->files->count; i++) {
        struct csv_source_report q = csv_source_report(r->files, i);
        begin_row(out, i == 0 ? "Data" : "");
        buf_addf(out, "%s: %lld rows, %lld missing, %lld duplicate, %lld refused", r->data[i],
                 (long long)(q.rows->accepted + q.rows->duplicates + q.rows->refused),
                 (long long)q.missing, (long long)q.rows->duplicates, (long long)q.rows->refused);
        if (q.rows->unfit > 0) {
            buf_addf(out, ", %lld that do not fit steps of 1e-8", (long long)q.rows->unfit);
        }
        buf_add_char(out, '\n');
    }
    if (r->files == NULL) {
        begin_row(out, "Data");
        buf_addf(out, "%s: %s\n", r->data[0],
                 r->is_recorded ? "the market of a recorded run"
                                : "a simulated market, not a real one");
    }
    begin_row(out, "Traded");
    add_minute(out, b->start_us);
    buf_add_c(out, " to ");
    add_minute(out, b->end_us);
    buf_add_c(out, " UTC, ");
    clock_add_duration(out, b->end_us - b->start_us);
    buf_add_char(out, '\n');
    const struct paper_settings *s = &r->venue->paper;
    begin_row(out, "Fills");
    buf_addf(out,
             "at the next candle's open; spread %g bp, fee %g bp (resting %g bp), latency %g s\n",
             s->spread_bps, s->fee_bps, s->maker_fee_bps, (double)s->latency_us / 1e6);
}

static void add_figures(const struct backtest_report *r, struct buf *out)
{
    bool is_result;
    const struct performance *p = figures(r, &is_result);
    const char *whole = r->result->has_unseen ? " (whole run)" : "";
    struct performance_summary s;
    performance_summary(p, &s);
    begin_row(out, "Equity");
    add_money(out, p->initial, false);
    buf_add_c(out, " to ");
    add_money(out, p->equity, false);
    buf_add_c(out, " USD\n");
    begin_row(out, "Return");
    add_signed_pct(out, s.return_pct);
    for (int i = 0; i < r->settings->symbol_count; i++) {
        buf_addf(out, "%s%s ", i == 0 ? "   (holding " : ", ", r->settings->symbols[i].name);
        add_signed_pct(out, held_pct(r, i));
    }
    buf_add_c(out, ")\n");
    begin_row(out, "Max drawdown");
    buf_addf(out, "%.2f %%", s.max_drawdown_pct);
    if (s.max_drawdown_us > 0) {
        buf_add_c(out, ", longest below a peak ");
        clock_add_duration(out, s.max_drawdown_us);
    }
    buf_add_char(out, '\n');
    begin_row(out, "Sharpe");
    add_ratio(out, s.sharpe, "");
    buf_add_c(out, ", Sortino ");
    add_ratio(out, s.sortino, "");
    buf_addf(out, " (of %lld %s returns, annualised)\n", (long long)s.periods,
             s.daily ? "daily" : "hourly");
    begin_row(out, "Profit factor");
    add_ratio(out, s.profit_factor, "");
    buf_add_c(out, "\n");
    begin_row(out, "Trades");
    buf_addf(out, "%lld", (long long)p->all.trades);
    if (p->all.trades > 0) {
        buf_addf(out, ", %.1f %% won; on average ", s.win_rate_pct);
        add_money(out, dec_from_double(s.expectancy), true);
        buf_add_c(out, " in ");
        clock_add_duration(out, s.mean_held_us);
        buf_add_c(out, "; best ");
        add_money(out, p->best, true);
        buf_add_c(out, ", worst ");
        add_money(out, p->worst, true);
    }
    buf_add_char(out, '\n');
    const struct snapshot *end = r->result->snapshot;
    begin_row(out, "Costs");
    buf_add_c(out, "fees ");
    add_money(out, end->fees, false);
    buf_add_c(out, ", funding ");
    add_money(out, end->funding, false);
    buf_addf(out, "%s\n", whole);
    begin_row(out, "Exposed");
    add_ratio(out, s.exposure_pct, " % of the time");
    buf_add_char(out, '\n');
    begin_row(out, "Decisions");
    buf_addf(out, "%llu, orders %llu, vetoes %llu%s\n", (unsigned long long)end->decisions,
             (unsigned long long)end->orders, (unsigned long long)end->vetoes, whole);
    begin_row(out, "At the end");
    buf_addf(out, "%s", trading_state_name(end->state));
    if (end->state != TRADING_ACTIVE) {
        buf_addf(out, " (%s)", end->state_reason);
    }
    for (int i = 0; i < end->position_count; i++) {
        const struct position *q = &end->positions[i];
        buf_addf(out, "; %s %s ", q->symbol.name, side_name(q->side));
        dec_add_text(out, q->qty);
        buf_add_c(out, " open, ");
        add_money(out, q->unrealised, true);
    }
    if (!end->books_balance) {
        buf_add_c(out, "; THE BOOKS DO NOT BALANCE");
    }
    buf_add_char(out, '\n');
}

static void add_group(struct buf *out, const struct performance_group *g, const char *suffix)
{
    AUTO_BUF struct buf pnl = BUF_INIT(64), factor = BUF_INIT(64);
    char name[48];
    add_money(&pnl, g->pnl, true);
    add_ratio(&factor, performance_profit_factor(g), "");
    (void)snprintf(name, sizeof(name), "%s%s", g->name, suffix);
    buf_addf(out, "  %-20.20s %7lld %7.1f%% %14s %8s\n", name, (long long)g->trades,
             performance_win_rate_pct(g), pnl.data, factor.data);
}

static void add_groups(struct buf *out, const char *title, const struct performance_group *groups,
                       int max, const char *suffix)
{
    bool any = false;
    for (int i = 0; i < max; i++) {
        if (groups[i].trades == 0) {
            continue;
        }
        if (!any) {
            buf_addf(out, "\n%-22s %7s %8s %14s %8s\n", title, "trades", "won", "profit", "factor");
            any = true;
        }
        add_group(out, &groups[i], suffix);
    }
}

void backtest_report_text(const struct backtest_report *r, struct buf *out)
{
    bool is_result;
    const struct performance *p = figures(r, &is_result);
    buf_add_c(out, "Back-test of ");
    add_symbols(out, r->settings);
    buf_add_char(out, '\n');
    backtest_model_text(r->model, r->settings, r->result, out);
    add_data(r, out);
    buf_add_char(out, '\n');
    add_figures(r, out);
    add_groups(out, "By agent in favour", p->agents, VOTES_MAX, "");
    add_groups(out, "By regime at entry", p->regimes, (int)COUNT_OF(p->regimes), "");
    add_groups(out, "By exit", p->reasons, PERFORMANCE_REASONS_MAX, "");
    add_groups(out, "By side", p->sides, (int)COUNT_OF(p->sides), "");
    if (r->settings->symbol_count > 1) {
        add_groups(out, "By symbol", p->symbols, SYMBOLS_LIMIT, "");
    }
    add_groups(out, "By hour of entry, UTC", p->hours_of_entry, (int)COUNT_OF(p->hours_of_entry),
               ":00");
    if (r->seconds > 0) {
        buf_addf(out, "\n%.2f s, %.2f million candles a second\n", r->seconds,
                 (double)r->result->candles / r->seconds / 1e6);
    }
}

void backtest_report_trade_head(struct buf *out)
{
    buf_addf(out, "%-16s  %-16s  %-12s %-5s %14s %14s %14s %12s  %s\n", "opened", "closed",
             "symbol", "side", "size", "entry", "exit", "profit", "exit by");
}

void backtest_report_trade(const struct trade *t, struct buf *out)
{
    char qty[DEC_TEXT_SIZE], entry[DEC_TEXT_SIZE], left[DEC_TEXT_SIZE];
    AUTO_BUF struct buf pnl = BUF_INIT(64);
    add_money(&pnl, t->pnl, true);
    add_minute(out, t->opened_us);
    buf_add_c(out, "  ");
    add_minute(out, t->closed_us);
    buf_addf(out, "  %-12s %-5s %14s %14s %14s %12s  %s\n", t->symbol.name, side_name(t->side),
             dec_text(t->qty, qty), dec_text(t->entry_price, entry), dec_text(t->exit_price, left),
             pnl.data, t->exit_reason);
}

/* ---------------------------------------------------------------- JSON */

static void add_groups_json(struct json_out *out, const char *name,
                            const struct performance_group *groups, int max)
{
    json_out_array(out, name);
    for (int i = 0; i < max; i++) {
        const struct performance_group *g = &groups[i];
        if (g->trades == 0) {
            continue;
        }
        json_out_object(out, NULL);
        json_out_text(out, "name", g->name);
        json_out_i64(out, "trades", g->trades);
        json_out_i64(out, "wins", g->wins);
        model_json_pct(out, "win_rate_pct", performance_win_rate_pct(g));
        json_out_dec(out, "pnl", g->pnl);
        json_out_double(out, "profit_factor", performance_profit_factor(g));
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_data_json(struct json_out *out, const struct backtest_report *r)
{
    json_out_array(out, "data");
    for (int i = 0; i < r->settings->symbol_count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "symbol", r->settings->symbols[i].name);
        json_out_text(out, "source", r->files != NULL ? r->data[i] : r->data[0]);
        model_json_pct(out, "held_pct", held_pct(r, i));
        if (r->files != NULL) {
            struct csv_source_report q = csv_source_report(r->files, i);
            json_out_i64(out, "lines", q.rows->lines);
            json_out_i64(out, "accepted", q.rows->accepted);
            json_out_i64(out, "missing", q.missing);
            json_out_i64(out, "duplicates", q.rows->duplicates);
            json_out_i64(out, "refused", q.rows->refused);
            json_out_i64(out, "off_step", q.rows->faults[CSV_FAULT_GRID]);
            json_out_i64(out, "out_of_range", q.rows->unfit);
            json_out_text(out, "note", q.note);
        }
        json_out_end(out);
    }
    json_out_end(out);
}

static void add_costs(struct json_out *out, const struct paper_settings *s)
{
    json_out_object(out, "costs");
    json_out_text(out, "rule", "next candle's open");
    json_out_double(out, "spread_bps", s->spread_bps);
    json_out_double(out, "fee_bps", s->fee_bps);
    json_out_double(out, "maker_fee_bps", s->maker_fee_bps);
    json_out_double(out, "latency_s", (double)s->latency_us / 1e6);
    json_out_double(out, "funding_bps", s->funding_bps);
    json_out_end(out);
}

static double result(double value, bool is_null)
{
    return is_null ? (double)NAN : value;
}

static void add_figures_json(struct json_out *out, const struct backtest_report *r)
{
    bool is_result;
    const struct performance *p = figures(r, &is_result);
    /* Figures on seen data are null. If the training data is unknown, they stay: result_of says so.
     */
    bool is_null = !is_result && r->result->has_seen;
    const struct snapshot *end = r->result->snapshot;
    struct performance_summary s;
    performance_summary(p, &s);
    json_out_dec(out, "initial_equity", p->initial);
    json_out_dec(out, "final_equity", p->equity);
    model_json_pct(out, "return_pct", result(s.return_pct, is_null));
    model_json_pct(out, "max_drawdown_pct", result(s.max_drawdown_pct, is_null));
    json_out_double(out, "max_drawdown_s", result((double)s.max_drawdown_us / 1e6, is_null));
    json_out_double(out, "sharpe", result(s.sharpe, is_null));
    json_out_double(out, "sortino", result(s.sortino, is_null));
    json_out_text(out, "returns", s.daily ? "daily" : "hourly");
    json_out_i64(out, "periods", s.periods);
    json_out_double(out, "profit_factor", result(s.profit_factor, is_null));
    json_out_i64(out, "trades", p->all.trades);
    json_out_i64(out, "wins", p->all.wins);
    model_json_pct(out, "win_rate_pct", result(s.win_rate_pct, is_null));
    json_out_rounded(out, "expectancy", result(s.expectancy, is_null), 8);
    json_out_double(out, "mean_held_s", (double)s.mean_held_us / 1e6);
    json_out_dec(out, "best", p->best);
    json_out_dec(out, "worst", p->worst);
    json_out_dec(out, "fees", end->fees);
    json_out_dec(out, "funding", end->funding);
    model_json_pct(out, "exposure_pct", s.exposure_pct);
    json_out_u64(out, "decisions", end->decisions);
    json_out_u64(out, "orders", end->orders);
    json_out_u64(out, "vetoes", end->vetoes);
    json_out_i64(out, "open_positions", end->position_count);
    model_json_positions(out, "positions", end);
    json_out_text(out, "state", trading_state_name(end->state));
    json_out_text(out, "state_reason", end->state_reason);
    json_out_bool(out, "books_balance", end->books_balance);
}

static void add_curve(struct json_out *out, const struct backtest_report *r)
{
    json_out_array(out, "curve");
    for (int i = 0; i < r->result->point_count; i++) {
        const struct backtest_point *q = &r->result->points[i];
        json_out_object(out, NULL);
        json_out_time(out, "at", q->at_us);
        json_out_rounded(out, "equity", q->equity, 8);
        model_json_pct(out, "drawdown_pct", q->drawdown_pct);
        json_out_end(out);
    }
    json_out_end(out);
}

/* Prints what is ready from time to time, so that a long list needs no memory. */
static void add_trades(struct json_out *out, FILE *trades)
{
    struct trade trade;
    json_out_array(out, "trade_list");
    while (fread(&trade, sizeof(trade), 1, trades) == 1) {
        json_out_object(out, NULL);
        model_json_trade(out, &trade);
        json_out_end(out);
        if (out->text->len > (size_t)64 * 1024) {
            cli_print(buf_str(out->text));
            buf_clear(out->text);
        }
    }
    json_out_end(out);
}

void backtest_report_json(const struct backtest_report *r, FILE *trades, struct buf *text)
{
    bool is_result;
    const struct performance *p = figures(r, &is_result);
    struct json_out out = JSON_OUT(text);
    json_out_document(&out, "nightdesk.backtest/1");
    backtest_model_json(r->model, r->settings, r->result, &out);
    add_data_json(&out, r);
    json_out_double(&out, "step_s", (double)r->step_us / 1e6);
    json_out_i64(&out, "candles", r->result->candles);
    json_out_i64(&out, "warm_up_candles", r->result->warm_up_candles);
    json_out_time(&out, "start_at", r->result->start_us);
    json_out_time(&out, "end_at", r->result->end_us);
    add_costs(&out, &r->venue->paper);
    add_figures_json(&out, r);
    add_groups_json(&out, "agents", p->agents, VOTES_MAX);
    add_groups_json(&out, "regimes", p->regimes, (int)COUNT_OF(p->regimes));
    add_groups_json(&out, "exit_reasons", p->reasons, PERFORMANCE_REASONS_MAX);
    add_groups_json(&out, "sides", p->sides, (int)COUNT_OF(p->sides));
    add_groups_json(&out, "symbols", p->symbols, SYMBOLS_LIMIT);
    add_groups_json(&out, "hours", p->hours_of_entry, (int)COUNT_OF(p->hours_of_entry));
    add_curve(&out, r);
    json_out_double(&out, "took_s", r->seconds);
    if (trades != NULL) {
        add_trades(&out, trades);
    }
    json_out_end(&out);
    buf_add_char(text, '\n');
}

/* ---------------------------------------------------------------- the picture */

/* Arrays that the chart refers to. */
struct picture {
    int64_t at_us[BACKTEST_CURVE_MAX];
    double equity[BACKTEST_CURVE_MAX];
    double under[BACKTEST_CURVE_MAX];
    double prices[CHART_LINES_MAX][BACKTEST_CURVE_MAX];
    struct chart_mark marks[2 * BACKTEST_MARKS_MAX];
};

static double relative(const struct backtest_report *r, int symbol, double price)
{
    return r->settings->symbol_count == 1 ? price : 100 * (price / start_price(r, symbol) - 1);
}

/* As many symbols as a chart has lines. */
static int drawn_symbols(const struct backtest_report *r)
{
    int count = r->settings->symbol_count;
    return count < CHART_LINES_MAX ? count : CHART_LINES_MAX;
}

static int fill_marks(const struct backtest_report *r, struct picture *p)
{
    int count = 0;
    for (int i = 0; i < r->result->mark_count; i++) {
        const struct backtest_mark *m = &r->result->marks[i];
        if (m->symbol >= drawn_symbols(r)) {
            continue;
        }
        bool is_long = m->side == SIDE_LONG;
        p->marks[count++] =
            (struct chart_mark){m->opened_us, relative(r, m->symbol, m->entry_price),
                                is_long ? CHART_UP : CHART_DOWN, is_long ? CHART_GREEN : CHART_RED};
        p->marks[count++] = (struct chart_mark){m->closed_us, relative(r, m->symbol, m->exit_price),
                                                CHART_DOT, m->pnl > 0 ? CHART_GREEN : CHART_RED};
    }
    return count;
}

static void add_title(const struct backtest_report *r, const struct performance_summary *s,
                      struct buf *out)
{
    buf_add_c(out, "Back-test of ");
    if (r->settings->symbol_count <= TITLE_SYMBOLS) {
        add_symbols(out, r->settings);
    } else {
        buf_addf(out, "%d symbols", r->settings->symbol_count);
    }
    bool is_result;
    const struct performance *p = figures(r, &is_result);
    if (!is_result && r->result->has_seen) {
        buf_add_c(out, ": no result, its model was trained on all of it");
        return;
    }
    buf_add_c(out, ": ");
    add_signed_pct(out, s->return_pct);
    buf_add_c(out, " in ");
    clock_add_duration(out, p->last_us - p->start_us);
    buf_add_c(out, r->result->has_unseen ? " that its model was not trained on" : "");
}

static void add_subtitle(const struct backtest_report *r, const struct performance_summary *s,
                         struct buf *out)
{
    bool is_result;
    const struct performance *p = figures(r, &is_result);
    add_minute(out, r->result->start_us);
    buf_add_c(out, " to ");
    add_minute(out, r->result->end_us);
    const char *slash = strrchr(r->data[0], '/');
    const char *name = slash != NULL ? slash + 1 : r->data[0];
    buf_addf(out, " UTC, %.60s\n",
             r->files == NULL && !r->is_recorded ? "a simulated market" : name);
    buf_addf(out, "%lld trades", (long long)p->all.trades);
    if (p->all.trades > 0) {
        buf_addf(out, ", %.1f %% won, profit factor ", s->win_rate_pct);
        add_ratio(out, s->profit_factor, "");
    }
    buf_addf(out, ", max drawdown %.2f %%, Sharpe ", s->max_drawdown_pct);
    add_ratio(out, s->sharpe, "");
    if (r->settings->symbol_count == 1) {
        buf_add_c(out, ", holding ");
        add_signed_pct(out, held_pct(r, 0));
    }
}

int backtest_report_chart(const struct backtest_report *r, const char *path, struct err *err)
{
    AUTO_FREE struct picture *p = calloc(1, sizeof(*p));
    AUTO_BUF struct buf png = BUF_INIT(CHART_PNG_MAX), title = BUF_INIT(512),
                        subtitle = BUF_INIT(2048), marks_title = BUF_INIT(128);
    struct performance_summary s;
    ASSERT(p != NULL);
    bool is_result;
    performance_summary(figures(r, &is_result), &s);
    add_title(r, &s, &title);
    add_subtitle(r, &s, &subtitle);
    bool one = r->settings->symbol_count == 1;
    buf_add_c(&marks_title, one ? "Price" : "Prices");
    if (r->settings->symbol_count > drawn_symbols(r)) {
        buf_addf(&marks_title, " of the first %d symbols", drawn_symbols(r));
    }
    if (r->result->mark_every > 1) {
        buf_addf(&marks_title, ", 1 trade in %lld marked", (long long)r->result->mark_every);
    }
    for (int i = 0; i < r->result->point_count; i++) {
        const struct backtest_point *q = &r->result->points[i];
        p->at_us[i] = q->at_us;
        p->equity[i] = q->equity;
        p->under[i] = -q->drawdown_pct;
        for (int k = 0; k < drawn_symbols(r); k++) {
            p->prices[k][i] = relative(r, k, point_prices(r->result, i)[k]);
        }
    }
    static const enum chart_colour palette[CHART_LINES_MAX] = {
        CHART_GREY,  CHART_VIOLET, CHART_ORANGE, CHART_TEAL,
        CHART_BROWN, CHART_BLUE,   CHART_GREEN,  CHART_RED};
    struct chart chart = {
        .title = title.data,
        .subtitle = subtitle.data,
        .width = CHART_WIDTH,
        .height = CHART_HEIGHT,
        .count = r->result->point_count,
        .at_us = p->at_us,
        .panel_count = 3,
        .panels = {{.title = "Equity, USD",
                    .weight = 5,
                    .line_count = 1,
                    .lines = {{.colour = CHART_BLUE, .filled = true, .values = p->equity}}},
                   {.title = "Drawdown",
                    .unit = " %",
                    .weight = 2.5,
                    .from_zero = true,
                    .line_count = 1,
                    .lines = {{.colour = CHART_RED, .filled = true, .values = p->under}}},
                   {.title = marks_title.data,
                    .unit = one ? NULL : " %",
                    .weight = 5,
                    .line_count = drawn_symbols(r),
                    .mark_count = fill_marks(r, p),
                    .marks = p->marks}}};
    for (int k = 0; k < drawn_symbols(r); k++) {
        chart.panels[2].lines[k] = (struct chart_line){
            .name = r->settings->symbols[k].name, .colour = palette[k], .values = p->prices[k]};
    }
    int rc = chart_png(&chart, &png, err);
    return rc < 0 ? rc : file_write(path, buf_str(&png), 0644, err);
}
