#include "base/check.h"
#include "figures.h"
#include "period.h"
#include "reading.h"

#include <string.h>

/* ------------------------------------------------------------------------------------ balance */

static struct dec unrealised_of(const struct snapshot *s)
{
    struct dec sum = DEC_ZERO;
    for (int i = 0; i < s->position_count; i++) {
        sum = dec_add(sum, s->positions[i].unrealised);
    }
    return sum;
}

/* The fees of open positions are realised already; no closed trade has them yet. */
static struct dec open_fees_of(const struct snapshot *s)
{
    struct dec sum = DEC_ZERO;
    for (int i = 0; i < s->position_count; i++) {
        sum = dec_add(sum, s->positions[i].fees);
    }
    return sum;
}

/* Realised profit before fees and funding, as the ledger counts it. */
static struct dec before_fees_of(const struct snapshot *s)
{
    return dec_add(s->realised, dec_add(s->fees, s->funding));
}

void desk_account_json(struct reply *r, const char *key, const struct snapshot *s)
{
    struct dec unrealised = unrealised_of(s);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, key);
    json_out_dec(&data, "equity", s->equity);
    json_out_dec(&data, "cash", s->cash);
    json_out_dec(&data, "positions_value", dec_sub(s->equity, s->cash));
    json_out_dec(&data, "capital", s->initial_cash);
    json_out_dec(&data, "before_fees", before_fees_of(s));
    json_out_dec(&data, "fees", s->fees);
    json_out_dec(&data, "fees_of_open", open_fees_of(s));
    json_out_dec(&data, "funding", s->funding);
    json_out_dec(&data, "realised", s->realised);
    json_out_dec(&data, "unrealised", unrealised);
    json_out_dec(&data, "total", dec_add(s->realised, unrealised));
    json_out_rounded(&data, "margin_pct", s->risk.initial_margin_pct, 6);
    json_out_bool(&data, "books_balance", s->books_balance);
    json_out_end(&data);
}

static void show_total(struct reply *r, const struct snapshot *s)
{
    struct dec unrealised = unrealised_of(s);
    struct dec total = dec_add(s->realised, unrealised);
    if (s->initial_cash.e8 > 0) {
        reply_field(r, "Profit", "{} ({} of {})", figures_result(total),
                    cell_pct_signed(cell_ratio_pct(total, s->initial_cash), 2),
                    cell_money(s->initial_cash));
    } else { /* more was withdrawn than there was at the start */
        reply_field(r, "Profit", "{}", figures_result(total));
    }
    reply_field(r, "Unrealised", "{} in {} position{}", figures_result(unrealised),
                cell_count(s->position_count), cell_text(s->position_count == 1 ? "" : "s"));
    reply_field(r, "Realised", "{}", figures_result(s->realised));
    figures_fields(r, before_fees_of(s), s->fees, s->funding);
    struct dec open_fees = open_fees_of(s);
    if (open_fees.e8 != 0) {
        reply_field(r, "Fees of open", "{}, in fees already", figures_result(dec_neg(open_fees)));
    }
}

static void show_values(struct reply *r, const struct snapshot *s)
{
    if (s->position_count > 0) {
        reply_columns(r, "symbol", "value", "result");
    }
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        struct dec value = dec_mul(p->qty, p->mark_price);
        reply_cells(r, cell_symbol(p->symbol.name),
                    cell_money(p->side == SIDE_LONG ? value : dec_neg(value)),
                    figures_result(p->unrealised));
    }
}

static int show_balance(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct snapshot *s = desk_read(desk, r);
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "balance");
    }
    reply_title(r, s->books_balance ? TONE_PLAIN : TONE_BAD, "Balance · %s", s->venue.name);
    reply_field(r, "Equity", "{}", cell_money(s->equity));
    reply_field(r, "Cash", "{}", cell_money(s->cash));
    reply_field(r, "In positions", "{}", cell_money(dec_sub(s->equity, s->cash)));
    reply_field(r, "Margin used", "{} of equity", cell_pct(s->risk.initial_margin_pct, 1));
    reply_gap(r);
    show_total(r, s);
    show_values(r, s);
    if (!s->books_balance) {
        reply_line(r, "⚠ The books do not balance: no new positions are opened.");
    }
    desk_account_json(r, "balance", s);
    desk_market_line(r, s);
    reply_button(r, "Profit", "/profit", BUTTON_PLAIN);
    reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
    reply_protect(r);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------------------------- profit */

struct profit {
    int64_t days; /* 0: all */
    int64_t from_us;
    struct figure_sum sum;
};

static int read_profit(struct trading_store *store, void *data, struct err *err)
{
    struct profit *p = data;
    return figure_table_sum(store, p->from_us, INT64_MAX, &p->sum, err);
}

static void show_profit(struct action_call *call, void *userdata)
{
    const struct profit *p = userdata;
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct snapshot *s = desk_read(desk, r);
    bool all = p->days == 0;
    if (all) {
        reply_title(r, TONE_PLAIN, "Profit, all time");
        show_total(r, s);
        desk_account_json(r, "account", s);
    } else {
        reply_title(r, TONE_PLAIN, p->days == 1 ? "Profit, today" : "Profit, last %lld days",
                    (long long)p->days);
        reply_field(r, "Realised", "{}", figures_result(figures_net(&p->sum)));
        figures_fields(r, dec_add(p->sum.pnl, p->sum.fees), figures_fees(&p->sum), p->sum.funding);
    }
    reply_gap(r);
    figures_trades(r, &p->sum);
    if (p->sum.trades > 0) {
        reply_field(r, "First closed", "{}", cell_time(p->sum.first_us, 0));
        reply_field(r, "Last closed", "{}", cell_time(p->sum.last_us, 0));
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "profit");
    json_out_i64(&data, "days", p->days);
    figures_json(&data, &p->sum);
    json_out_time(&data, "first_closed_at", p->sum.first_us);
    json_out_time(&data, "last_closed_at", p->sum.last_us);
    json_out_end(&data);
    if (!all) {
        desk_zone_line(desk, r);
    }
    desk_market_line(r, s);
    reply_button(r, "Daily", "/daily", BUTTON_PLAIN);
    reply_button(r, "Performance", "/performance", BUTTON_PLAIN);
    reply_button(r, "Balance", "/balance", BUTTON_PLAIN);
    reply_protect(r);
}

static int profit(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct profit *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->days = action_value(call, "days") == NULL ? 0 : action_int(call, "days");
    if (p->days > 0) {
        p->from_us = desk_days_ago_us(desk, p->days);
    }
    return reading_start(
        desk, call, &(struct reading){.read = read_profit, .show = show_profit, .data = p}, err);
}

/* ------------------------------------------------------------------------------------ periods */

struct periods {
    enum period_kind kind;
    int count;
    struct period list[PERIODS_MAX];
    struct figure_sum sums[PERIODS_MAX];
};

static int read_periods(struct trading_store *store, void *data, struct err *err)
{
    struct periods *p = data;
    int rc = 0;
    for (int i = 0; i < p->count && rc == 0; i++) {
        rc = figure_table_sum(store, p->list[i].from_us, p->list[i].to_us, &p->sums[i], err);
    }
    return rc;
}

static const struct {
    const char *word;
    const char *column;
} kinds[] = {[PERIOD_DAY] = {"day", "day"},
             [PERIOD_WEEK] = {"week", "week from"},
             [PERIOD_MONTH] = {"month", "month"}};

static void show_periods(struct action_call *call, void *userdata)
{
    const struct periods *p = userdata;
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct snapshot *s = desk_read(desk, r);
    struct figure_sum sum = {0};
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    if (p->count == 1) {
        reply_title(r, TONE_PLAIN, "Result of this %s", kinds[p->kind].word);
    } else {
        reply_title(r, TONE_PLAIN, "Result of %d %ss", p->count, kinds[p->kind].word);
    }
    reply_columns(r, kinds[p->kind].column, "trades", "result");
    json_out_text(&data, "period", kinds[p->kind].word);
    json_out_array(&data, "periods");
    for (int i = 0; i < p->count; i++) {
        const struct figure_sum *one = &p->sums[i];
        reply_cells(r, cell_text(p->list[i].name), cell_count(one->trades),
                    figures_result(figures_net(one)));
        figure_sum_add(&sum, one);
        json_out_object(&data, NULL);
        json_out_time(&data, "from", p->list[i].from_us);
        json_out_time(&data, "to", p->list[i].to_us);
        figures_json(&data, one);
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_object(&data, "sum");
    figures_json(&data, &sum);
    json_out_end(&data);
    reply_field(r, "Sum", "{}", figures_result(figures_net(&sum)));
    figures_fields(r, dec_add(sum.pnl, sum.fees), figures_fees(&sum), sum.funding);
    figures_trades(r, &sum);
    desk_zone_line(desk, r);
    desk_market_line(r, s);
    reply_protect(r);
}

static int periods(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct periods *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(action_text(call, "period"), kinds[i].word) == 0) {
            p->kind = (enum period_kind)i;
        }
    }
    p->count = (int)action_int(call, "count");
    period_fill(desk->zone, p->kind, desk_market_us(desk), p->list, p->count);
    return reading_start(
        desk, call, &(struct reading){.read = read_periods, .show = show_periods, .data = p}, err);
}

const struct action action_profit_rows[] = {
    {.name = "trading.balance",
     .summary = "Equity, cash, positions, and profit with its fees and funding",
     .data = DESK_AGE " balance",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .run = show_balance},
    {.name = "trading.profit",
     .summary = "Profit of all time or of the last days, fees, funding and statistics of trades",
     .data = DESK_AGE " profit account timezone utc_offset_s",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "days",
                              .type = PARAM_INT,
                              .minimum = "1",
                              .maximum = "3650",
                              .help = "only so many days, today included"}),
     .run = profit,
     .cancel = reading_cancel},
    {.name = "trading.periods",
     .summary = "Result of each day, week or month",
     .data = DESK_AGE " period periods sum timezone utc_offset_s",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "period",
                              .type = PARAM_CHOICE,
                              .choices = "day|week|month",
                              .default_text = "day",
                              .help = "of what"},
                             {.name = "count",
                              .type = PARAM_INT,
                              .default_text = "7",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(PERIODS_MAX),
                              .help = "how many"}),
     .run = periods,
     .cancel = reading_cancel},
    {0},
};
