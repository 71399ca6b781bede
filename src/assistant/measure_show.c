/* What was measured, as a reply. */
#include "base/check.h"
#include "base/clock.h"
#include "io/json_out.h"
#include "measure_job.h"
#include "report/rate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_SHOWN 20
#define CHANCE_BELOW 0.05 /* p-value from which two rates are said to differ */
#define WHY_SHOWN    6

/* ------------------------------------------------------------------ one figure */

static struct cell result(struct dec amount)
{
    return amount.e8 == 0 ? cell_money(amount) : cell_money_signed(amount);
}

static double pct(int64_t k, int64_t n)
{
    return n > 0 ? 100.0 * (double)k / (double)n : (double)NAN;
}

static struct dec average(struct dec sum, int64_t count)
{
    return count > 0 ? dec_div(sum, dec_from_int(count)) : (struct dec){0};
}

static double factor(const struct measure_sum *s)
{
    return s->loss.e8 < 0 ? (double)s->profit.e8 / -(double)s->loss.e8 : (double)NAN;
}

/* The figure that a measure is named after, and by which groups are ordered. */
static struct cell main_cell(enum measure measure, const struct measure_sum *s)
{
    switch (measure) {
    case MEASURE_WIN_RATE:
        return cell_pct(pct(s->wins, s->count), 1);
    case MEASURE_FEES:
        return cell_money(s->fees);
    case MEASURE_FUNDING:
    case MEASURE_COST:
        return cell_money(s->amount);
    case MEASURE_HELD:
        return cell_duration(s->count > 0 ? s->held_us / s->count : 0);
    case MEASURE_FACTOR:
        return cell_number(factor(s), 2);
    case MEASURE_AVERAGE:
        return result(average(s->amount, s->count));
    case MEASURE_VOLUME:
        return cell_money(s->volume);
    case MEASURE_ACCURACY:
        return cell_pct(pct(s->right, s->judged), 1);
    case MEASURE_SLIPPAGE:
        return cell_number_signed(s->count > 0 ? s->bp / (double)s->count : (double)NAN, 2);
    case MEASURE_VETOES:
        return cell_count(s->vetoed);
    case MEASURE_UPTIME:
        return cell_pct(pct(s->wins, s->count), 2);
    case MEASURE_OUTAGES:
        return cell_count(s->outages);
    case MEASURE_SUMMARY:
    case MEASURE_PROFIT:
    case MEASURE_EXTREMES:
        return result(s->amount);
    case MEASURE_STREAK:
        return cell_count(s->losses_in_a_row);
    case MEASURE_TRADES:
    case MEASURE_DECISIONS:
    case MEASURE_ALERTS:
    case MEASURE_FINDINGS:
    case MEASURE_AUDITS:
    case MEASURE_ERRORS:
    case MEASURE_COMMANDS:
    case MEASURE_INCIDENTS:
        return cell_count(s->count);
    case MEASURE_NONE:
    case MEASURE_DRAWDOWN:
    case MEASURE_EQUITY:
    case MEASURE_EXPOSURE:
    case MEASURES:
        break;
    }
    return cell_none();
}

static double main_number(enum measure measure, const struct measure_sum *s)
{
    struct cell cell = main_cell(measure, s);
    return cell.kind == CELL_MONEY                                 ? (double)cell.amount.e8
           : cell.kind == CELL_COUNT || cell.kind == CELL_DURATION ? (double)cell.integer
                                                                   : cell.number;
}

static bool is_of_trades(const struct measure_job *job)
{
    return job->query.kind == MEASURE_OF_TRADES;
}

/* ------------------------------------------------------------------ JSON */

static void add_trades_json(struct json_out *out, const struct measure_sum *s)
{
    bool any = s->count > 0;
    json_out_i64(out, "trades", s->count);
    json_out_i64(out, "wins", s->wins);
    json_out_i64(out, "losses", s->losses);
    rate_add(out, "win_rate", s->wins, s->count);
    json_out_dec(out, "net_usd", s->amount);
    json_out_dec(out, "fees_usd", s->fees);
    json_out_dec(out, "average_usd", any ? average(s->amount, s->count) : DEC_INVALID);
    json_out_dec(out, "average_win_usd", s->wins > 0 ? average(s->profit, s->wins) : DEC_INVALID);
    json_out_dec(out, "average_loss_usd",
                 s->losses > 0 ? average(s->loss, s->losses) : DEC_INVALID);
    json_out_rounded(out, "profit_factor", factor(s), 4);
    json_out_dec(out, "best_usd", any ? s->best : DEC_INVALID);
    json_out_i64(out, "best_trade", s->best_id);
    json_out_dec(out, "worst_usd", any ? s->worst : DEC_INVALID);
    json_out_i64(out, "worst_trade", s->worst_id);
    json_out_dec(out, "volume_usd", s->volume);
    json_out_rounded(out, "average_hold_s",
                     any ? (double)(s->held_us / s->count) / 1e6 : (double)NAN, 1);
    json_out_rounded(out, "longest_hold_s", (double)s->longest_us / 1e6, 1);
    json_out_i64(out, "wins_in_a_row", s->wins_in_a_row);
    json_out_i64(out, "losses_in_a_row", s->losses_in_a_row);
}

static void add_sum_json(struct json_out *out, const struct measure_query *q,
                         const struct measure_sum *s)
{
    switch (q->kind) {
    case MEASURE_OF_TRADES:
        if (q->accuracy) {
            rate_add(out, "accuracy", s->right, s->judged);
        } else {
            add_trades_json(out, s);
        }
        break;
    case MEASURE_OF_SLIPPAGE:
        json_out_i64(out, "orders", s->count);
        json_out_rounded(out, "average_bp", s->count > 0 ? s->bp / (double)s->count : (double)NAN,
                         4);
        json_out_rounded(out, "worst_bp", s->count > 0 ? s->worst_bp : (double)NAN, 4);
        json_out_dec(out, "cost_usd", s->amount);
        break;
    case MEASURE_OF_FUNDING:
        json_out_i64(out, "payments", s->count);
        json_out_dec(out, "paid_usd", s->amount);
        break;
    case MEASURE_OF_DECISIONS:
        json_out_i64(out, "decisions", s->count);
        json_out_i64(out, "vetoed", s->vetoed);
        json_out_i64(out, "entries", s->entries);
        rate_add(out, "veto_rate", s->vetoed, s->vetoed + s->entries);
        break;
    case MEASURE_OF_CHECKS:
        rate_add(out, "uptime", s->wins, s->count);
        json_out_i64(out, "outages", s->outages);
        json_out_rounded(out, "down_s", (double)s->out_us / 1e6, 1);
        json_out_rounded(out, "longest_down_s", (double)s->longest_out_us / 1e6, 1);
        break;
    case MEASURE_OF_MODEL:
        json_out_i64(out, "calls", s->count);
        json_out_dec(out, "cost_usd", s->amount);
        json_out_i64(out, "unpriced", s->other);
        break;
    case MEASURE_OF_AUDITS:
        json_out_i64(out, "audits", s->count);
        json_out_i64(out, "findings", s->other);
        break;
    case MEASURE_OF_COMMANDS:
        json_out_i64(out, "count", s->count);
        json_out_i64(out, "failed", s->other);
        break;
    case MEASURE_OF_ALERTS:
    case MEASURE_OF_FINDINGS:
    case MEASURE_OF_INCIDENTS:
        json_out_i64(out, "count", s->count);
        json_out_i64(out, "open", s->other);
        break;
    case MEASURE_OF_ERRORS:
        json_out_i64(out, "count", s->count);
        break;
    case MEASURE_OF_EQUITY:
        break;
    }
}

static double change_pct(const struct measure_result *r)
{
    return r->points > 0 && r->first.e8 > 0
               ? 100.0 * (double)(r->last.e8 - r->first.e8) / (double)r->first.e8
               : (double)NAN;
}

static void add_equity_json(struct json_out *out, const struct measure_result *r)
{
    bool any = r->points > 0;
    json_out_i64(out, "points", r->points);
    json_out_dec(out, "first_equity_usd", any ? r->first : DEC_INVALID);
    json_out_dec(out, "last_equity_usd", any ? r->last : DEC_INVALID);
    json_out_dec(out, "change_usd", any ? dec_sub(r->last, r->first) : DEC_INVALID);
    json_out_rounded(out, "change_pct", change_pct(r), 4);
    json_out_rounded(out, "deepest_drawdown_pct", any ? r->drawdown_pct : (double)NAN, 4);
    json_out_time(out, "deepest_at", r->drawdown_us);
    json_out_rounded(out, "drawdown_now_pct", r->all.last_us > 0 ? r->now_pct : (double)NAN, 4);
    json_out_dec(out, "peak_equity_usd", r->all.last_us > 0 ? r->peak : DEC_INVALID);
    json_out_time(out, "peak_at", r->peak_us);
}

static void add_query_json(struct json_out *out, const struct measure_query *q)
{
    if (q->from_us != INT64_MIN) {
        json_out_time(out, "from", q->from_us);
    }
    if (q->to_us != INT64_MAX) {
        json_out_time(out, "to", q->to_us);
    }
    if (q->symbol[0] != '\0') {
        json_out_text(out, "symbol", q->symbol);
    }
}

static void add_part_json(struct json_out *out, const char *key, const struct measure_query *q,
                          const struct measure_result *r)
{
    json_out_object(out, key);
    add_query_json(out, q);
    if (q->kind == MEASURE_OF_EQUITY) {
        add_equity_json(out, r);
    } else {
        add_sum_json(out, q, &r->all);
    }
    json_out_end(out);
}

static void add_groups_json(struct json_out *out, const char *key, const struct measure_query *q,
                            const struct measure_result *r)
{
    json_out_array(out, key);
    for (int i = 0; i < r->count && i < GROUPS_SHOWN; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "name", r->groups[i].name);
        add_sum_json(out, q, &r->groups[i]);
        json_out_end(out);
    }
    json_out_end(out);
}

/* ------------------------------------------------------------------ groups */

struct order {
    enum measure measure;
    int order;
    bool by_name;
};

static int compare(const void *a, const void *b, void *userdata)
{
    const struct order *o = userdata;
    const struct measure_sum *x = a, *y = b;
    double first = main_number(o->measure, x), second = main_number(o->measure, y);
    int order = o->by_name || first == second ? 0 : first > second ? -1 : 1;
    order = o->order < 0 ? -order : order;
    return order != 0 ? order : strcmp(x->name, y->name);
}

static void sort(struct measure_result *r, const struct measure_job *job, enum measure measure)
{
    bool time = job->query.by == MEASURE_BY_DAY || job->query.by == MEASURE_BY_HOUR;
    struct order order = {measure, job->order, time && job->order == 0};
    qsort_r(r->groups, (size_t)r->count, sizeof(r->groups[0]), compare, &order);
}

static const char *column_of(enum measure measure)
{
    switch (measure) {
    case MEASURE_WIN_RATE:
        return "won";
    case MEASURE_FEES:
        return "fees";
    case MEASURE_HELD:
        return "held";
    case MEASURE_ACCURACY:
        return "right";
    case MEASURE_SLIPPAGE:
        return "bp";
    case MEASURE_UPTIME:
        return "up";
    case MEASURE_OUTAGES:
        return "outages";
    case MEASURE_VOLUME:
        return "volume";
    case MEASURE_FACTOR:
        return "factor";
    case MEASURE_AVERAGE:
        return "average";
    case MEASURE_COST:
        return "cost";
    case MEASURE_VETOES:
        return "vetoed";
    case MEASURE_NONE:
    case MEASURE_SUMMARY:
    case MEASURE_PROFIT:
    case MEASURE_TRADES:
    case MEASURE_FUNDING:
    case MEASURE_DRAWDOWN:
    case MEASURE_STREAK:
    case MEASURE_EXTREMES:
    case MEASURE_DECISIONS:
    case MEASURE_EQUITY:
    case MEASURE_EXPOSURE:
    case MEASURE_ALERTS:
    case MEASURE_FINDINGS:
    case MEASURE_AUDITS:
    case MEASURE_ERRORS:
    case MEASURE_COMMANDS:
    case MEASURE_INCIDENTS:
    case MEASURES:
        break;
    }
    return "result";
}

/* What the figure of a group is of. */
static int64_t cases_of(enum measure measure, const struct measure_sum *s)
{
    return measure == MEASURE_ACCURACY ? s->judged : s->count;
}

static bool is_count(enum measure measure)
{
    struct measure_sum none = {0};
    return main_cell(measure, &none).kind == CELL_COUNT && measure != MEASURE_VETOES &&
           measure != MEASURE_OUTAGES;
}

static void show_groups(struct reply *r, const struct measure_result *result, enum measure measure,
                        const char *name, int most)
{
    if (result->count == 0) {
        return;
    }
    if (is_count(measure)) {
        reply_columns(r, name, "count");
    } else {
        reply_columns(r, name, "of", column_of(measure));
    }
    for (int i = 0; i < result->count && i < most; i++) {
        const struct measure_sum *s = &result->groups[i];
        if (is_count(measure)) {
            reply_cells(r, cell_text(s->name), cell_count(s->count));
        } else {
            reply_cells(r, cell_text(s->name), cell_count(cases_of(measure, s)),
                        main_cell(measure, s));
        }
    }
    if (result->count > most) {
        reply_para(r, "{} more", cell_count(result->count - most + result->left_out));
    }
}

/* ------------------------------------------------------------------ a rate */

static void show_rate(struct reply *r, const char *name, int64_t k, int64_t n, const char *of)
{
    double low = 0, high = 0;
    if (n == 0) {
        reply_field(r, name, "{}", cell_text("none to count"));
        return;
    }
    rate_wilson(k, n, &low, &high);
    reply_field(r, name, "{}: {} of {} {}", cell_pct(pct(k, n), 1), cell_count(k), cell_count(n),
                cell_text(of));
    reply_field(r, "95 % interval", "{} to {}", cell_pct(100 * low, 1), cell_pct(100 * high, 1));
}

/* ------------------------------------------------------------------ each kind */

static void show_average(struct reply *r, const struct measure_sum *s)
{
    reply_field(r, "Average trade", "{}", result(average(s->amount, s->count)));
    if (s->wins > 0) {
        reply_field(r, "Average win", "{} of {}", result(average(s->profit, s->wins)),
                    cell_count(s->wins));
    }
    if (s->losses > 0) {
        reply_field(r, "Average loss", "{} of {}", result(average(s->loss, s->losses)),
                    cell_count(s->losses));
    }
}

static void show_extremes(struct reply *r, const struct measure_sum *s)
{
    reply_field(r, "Best trade", "{}, {}", result(s->best), cell_count(s->best_id));
    reply_field(r, "Worst trade", "{}, {}", result(s->worst), cell_count(s->worst_id));
    reply_button(r, "Why the worst", "/why", BUTTON_PLAIN);
}

static void show_trades(struct reply *r, enum measure measure, const struct measure_sum *s)
{
    if (s->count == 0) {
        reply_line(r, "No trade was closed then.");
        return;
    }
    if (measure == MEASURE_SUMMARY || measure == MEASURE_PROFIT || measure == MEASURE_FEES) {
        reply_field(r, "Profit", "{} after {} of fees", result(s->amount), cell_money(s->fees));
    }
    if (measure == MEASURE_SUMMARY || measure == MEASURE_WIN_RATE) {
        show_rate(r, "Win rate", s->wins, s->count, "trades");
    } else {
        reply_field(r, "Trades", "{}: {} won, {} lost", cell_count(s->count), cell_count(s->wins),
                    cell_count(s->losses));
    }
    if (measure == MEASURE_AVERAGE || measure == MEASURE_SUMMARY) {
        show_average(r, s);
    }
    if (measure == MEASURE_EXTREMES) {
        show_extremes(r, s);
    }
    if (measure == MEASURE_HELD) {
        reply_field(r, "Held", "{} on average, {} at most", cell_duration(s->held_us / s->count),
                    cell_duration(s->longest_us));
    }
    if (measure == MEASURE_FACTOR) {
        reply_field(r, "Profit factor", "{}: {} won, {} lost", cell_number(factor(s), 2),
                    cell_money(s->profit), cell_money(dec_neg(s->loss)));
    }
    if (measure == MEASURE_VOLUME) {
        reply_field(r, "Volume", "{}, entries and exits", cell_money(s->volume));
    }
    if (measure == MEASURE_STREAK) {
        reply_field(r, "Most losses in a row", "{}", cell_count(s->losses_in_a_row));
        reply_field(r, "Most wins in a row", "{}", cell_count(s->wins_in_a_row));
    }
}

static void show_equity(struct reply *r, const struct measure_job *job)
{
    const struct measure_result *e = job->result;
    if (e->all.last_us == 0 || (job->has_period && e->points == 0)) {
        reply_line(r, "No equity was recorded then.");
        return;
    }
    if (job->has_period && job->measure == MEASURE_EQUITY) {
        reply_field(r, "Equity", "{} to {}", cell_money(e->first), cell_money(e->last));
        reply_field(r, "Change", "{} ({})", result(dec_sub(e->last, e->first)),
                    cell_pct_signed(change_pct(e), 2));
    }
    if (job->has_period) {
        reply_field(r, "Deepest", "{}", cell_pct(e->drawdown_pct, 2));
        if (e->drawdown_us > 0) {
            reply_more(r, " at {}", cell_time(e->drawdown_us, job->now_us));
        }
    }
    if (job->measure == MEASURE_DRAWDOWN) {
        reply_field(r, "Now", "{} below the peak of {}", cell_pct(e->now_pct, 2),
                    cell_money(e->peak));
    }
    reply_field(r, "Points", "{}, one an hour", cell_count(job->has_period ? e->points : 1));
}

static void show_checks(struct reply *r, const struct measure_sum *s, int64_t now_us)
{
    if (s->count == 0) {
        reply_line(r, "No service was checked then.");
        return;
    }
    show_rate(r, "Up", s->wins, s->count, "checks");
    reply_field(r, "Outages", "{}", cell_count(s->outages));
    if (s->outages > 0) {
        reply_more(r, ", down for {}, {} at most", cell_duration(s->out_us),
                   cell_duration(s->longest_out_us));
    }
    reply_field(r, "Checked", "{} to {}", cell_time(s->first_us, now_us),
                cell_time(s->last_us, now_us));
}

static void show_audits(struct reply *r, const struct measure_job *job)
{
    const struct measure_result *a = job->result;
    if (a->all.count == 0) {
        reply_line(r, "No audit has ended then.");
        return;
    }
    reply_field(r, "Last audit", "{}, {} ago", cell_time(a->all.last_us, job->now_us),
                cell_duration(job->now_us - a->all.last_us));
    reply_field(r, "Its findings", "{}", cell_count(a->audits[0].findings));
    if (job->has_period) {
        reply_field(r, "Audits", "{}, with {} findings", cell_count(a->all.count),
                    cell_count(a->all.other));
    }
}

static void show_other(struct reply *r, const struct measure_job *job)
{
    const struct measure_sum *s = &job->result->all;
    switch (job->query.kind) {
    case MEASURE_OF_SLIPPAGE:
        if (s->count == 0) {
            reply_line(r, "No order was filled then.");
            break;
        }
        reply_field(r, "Slippage", "{} bp on average, {} bp at most",
                    main_cell(MEASURE_SLIPPAGE, s), cell_number_signed(s->worst_bp, 2));
        reply_field(r, "Cost", "{} in {} orders", result(s->amount), cell_count(s->count));
        break;
    case MEASURE_OF_FUNDING:
        reply_field(r, "Funding paid", "{} in {} payments", result(s->amount),
                    cell_count(s->count));
        break;
    case MEASURE_OF_DECISIONS:
        reply_field(r, "Decisions", "{}: {} entries, {} vetoed", cell_count(s->count),
                    cell_count(s->entries), cell_count(s->vetoed));
        show_rate(r, "Vetoed", s->vetoed, s->vetoed + s->entries, "wanted entries");
        reply_line(r, "Decisions without an order are kept for a while only.");
        break;
    case MEASURE_OF_MODEL:
        reply_field(r, "Cost", "{} for {} calls", cell_cost(s->amount), cell_count(s->count));
        if (s->other > 0) {
            reply_field(r, "Without a price", "{} calls", cell_count(s->other));
        }
        break;
    case MEASURE_OF_ALERTS:
    case MEASURE_OF_FINDINGS:
    case MEASURE_OF_INCIDENTS:
        reply_field(r, "Count", "{}, {} still open", cell_count(s->count), cell_count(s->other));
        break;
    case MEASURE_OF_COMMANDS:
        reply_field(r, "Commands", "{}, {} failed", cell_count(s->count), cell_count(s->other));
        reply_line(r, "Those that only read are not counted.");
        break;
    case MEASURE_OF_ERRORS:
        reply_field(r, "Errors", "{}", cell_count(s->count));
        break;
    case MEASURE_OF_TRADES:
    case MEASURE_OF_EQUITY:
    case MEASURE_OF_AUDITS:
    case MEASURE_OF_CHECKS:
        break;
    }
}

static void show_main(struct reply *r, const struct measure_job *job)
{
    const struct measure_sum *s = &job->result->all;
    if (job->measure == MEASURE_ACCURACY) {
        show_rate(r, "Right", s->right, s->judged, "votes for a side");
        reply_line(r, "Right: the price moved to that side between entry and exit.");
    } else if (is_of_trades(job)) {
        show_trades(r, job->measure, s);
    } else if (job->query.kind == MEASURE_OF_EQUITY) {
        show_equity(r, job);
    } else if (job->query.kind == MEASURE_OF_CHECKS) {
        show_checks(r, s, job->now_us);
    } else if (job->query.kind == MEASURE_OF_AUDITS) {
        show_audits(r, job);
    } else {
        show_other(r, job);
    }
}

/* ------------------------------------------------------------------ comparison */

static bool is_rate(enum measure measure)
{
    return measure == MEASURE_WIN_RATE || measure == MEASURE_ACCURACY || measure == MEASURE_UPTIME;
}

static void add_span(const struct measure_job *job, const struct measure_query *q, bool given,
                     struct buf *out)
{
    struct grammar_context context = {.zone = job->zone, .wall_us = job->now_us};
    struct grammar_span span = {.given = given, .trades = q->last};
    context.market_us = job->result->market_us;
    (void)str_copy(str_c(job->zone_name), context.zone_name, sizeof(context.zone_name));
    span.from_us = q->from_us;
    span.to_us = q->to_us;
    span.all = q->from_us == INT64_MIN || q->from_us <= ALL_FROM_US;
    if (given || q->last > 0) {
        period_describe(&context, &span, out);
    } else {
        buf_add_c(out, measure_info(job->measure)->now ? "now" : "all time");
    }
}

static void show_rates(struct reply *r, enum measure measure, const struct measure_sum *a,
                       const struct measure_sum *b)
{
    bool accuracy = measure == MEASURE_ACCURACY;
    int64_t k = accuracy ? a->right : a->wins, n = accuracy ? a->judged : a->count;
    int64_t other_k = accuracy ? b->right : b->wins, other_n = accuracy ? b->judged : b->count;
    if (n == 0 || other_n == 0) {
        return;
    }
    reply_field(r, "Difference", "{} points",
                cell_number_signed(pct(k, n) - pct(other_k, other_n), 1));
    if (rate_p(k, n, other_k, other_n) > CHANCE_BELOW) {
        reply_line(r, "With so few cases, that can be chance.");
    }
}

static void show_versus(struct reply *r, struct json_out *data, const struct measure_job *job)
{
    const struct measure_sum *a = &job->result->all, *b = &job->versus->all;
    AUTO_BUF struct buf span = BUF_INIT(120);
    enum measure measure = job->measure == MEASURE_SUMMARY ? MEASURE_PROFIT : job->measure;
    bool symbols = strcmp(job->query.symbol, job->versus_query.symbol) != 0;
    add_span(job, &job->versus_query, job->has_period, &span);
    reply_heading(r, symbols ? job->versus_query.symbol : "Compared with");
    reply_line(r, "%s", span.data);
    if (job->query.kind == MEASURE_OF_EQUITY) {
        reply_field(r, "Change", "{}", cell_pct_signed(change_pct(job->versus), 2));
        reply_field(r, "Deepest", "{}", cell_pct(job->versus->drawdown_pct, 2));
        return;
    }
    reply_field(r, measure_info(measure)->ask, "{} of {}", main_cell(measure, b),
                cell_count(cases_of(measure, b)));
    if (job->measure == MEASURE_SUMMARY) {
        show_rate(r, "Win rate", b->wins, b->count, "trades");
    }
    if (is_rate(measure)) {
        show_rates(r, measure, a, b);
        return;
    }
    struct cell first = main_cell(measure, a), second = main_cell(measure, b);
    if (first.kind == CELL_MONEY) {
        struct dec apart = dec_sub(first.amount, second.amount);
        reply_field(r, "Difference", "{}", result(apart));
        json_out_dec(data, "difference_usd", apart);
    } else if (first.kind == CELL_COUNT) {
        reply_field(r, "Difference", "{}",
                    cell_number_signed((double)(first.integer - second.integer), 0));
        json_out_i64(data, "difference", first.integer - second.integer);
    }
}

/* ------------------------------------------------------------------ a wrong premise */

/* Why something happened is no question if it did not. */
static void show_premise(struct reply *r, const struct measure_job *job)
{
    const struct measure_sum *s = &job->result->all;
    const char *who = job->query.symbol[0] != '\0' ? job->query.symbol : "The desk";
    bool loss = strcmp(job->premise, "loss") == 0, gain = strcmp(job->premise, "gain") == 0;
    bool up = strcmp(job->premise, "up") == 0, down = strcmp(job->premise, "down") == 0;
    if (is_of_trades(job) && s->count > 0 &&
        ((loss && s->amount.e8 >= 0) || (gain && s->amount.e8 <= 0))) {
        reply_para(r, "{} did not {}: {}", cell_text(who), cell_text(loss ? "lose" : "win"),
                   result(s->amount));
    }
    if (is_of_trades(job) && job->versus != NULL && (up || down)) {
        int order = dec_cmp(s->amount, job->versus->all.amount);
        if ((up && order <= 0) || (down && order >= 0)) {
            reply_para(r, "The profit is not {}: {} after {}", cell_text(job->premise),
                       result(s->amount), result(job->versus->all.amount));
        }
    }
    if (job->measure == MEASURE_DRAWDOWN && up && job->result->all.last_us > 0 &&
        job->result->now_pct <= 0) {
        reply_line(r, "There is no drawdown: equity is at its peak.");
    }
}

/* ------------------------------------------------------------------ why */

static void show_whys(struct reply *r, struct json_out *data, const struct measure_job *job)
{
    static const char *const names[MEASURE_WHYS] = {"symbol", "exit", "side"};
    static const char *const keys[MEASURE_WHYS] = {"by_symbol", "by_exit", "by_side"};
    const struct measure_sum *all = &job->whys[0]->all;
    if (job->measure == MEASURE_DRAWDOWN && !job->has_period) {
        const struct measure_result *e = job->result;
        struct dec fall = dec_sub(e->last, e->peak);
        reply_field(r, "Since the peak", "{}", cell_time(e->peak_us, job->now_us));
        reply_field(r, "Equity", "{}", result(fall));
        reply_field(r, "Closed trades", "{} in {}", result(all->amount), cell_count(all->count));
        reply_field(r, "Open ones, funding", "{}", result(dec_sub(fall, all->amount)));
    }
    for (int i = 0; i < MEASURE_WHYS; i++) {
        sort(job->whys[i], job, job->measure == MEASURE_FEES ? MEASURE_FEES : MEASURE_PROFIT);
        show_groups(r, job->whys[i], job->measure == MEASURE_FEES ? MEASURE_FEES : MEASURE_PROFIT,
                    names[i], WHY_SHOWN);
        add_groups_json(data, keys[i], &(struct measure_query){.kind = MEASURE_OF_TRADES},
                        job->whys[i]);
    }
}

/* ------------------------------------------------------------------ the reply */

static void add_title(const struct measure_job *job, struct buf *out)
{
    const char *title = measure_info(job->measure)->title;
    const struct measure_query *q = &job->query;
    buf_addf(out, "%c%s", title[0] - 'a' + 'A', title + 1);
    if (q->symbol[0] != '\0') {
        buf_addf(out, ", %s", q->symbol);
    }
    if (q->agent[0] != '\0') {
        buf_addf(out, ", %s", q->agent);
    }
    if (q->service[0] != '\0') {
        buf_addf(out, ", %s", q->service);
    }
    if (q->side != 0) {
        buf_add_c(out, q->side > 0 ? ", long" : ", short");
    }
}

void measure_show(const struct measure_job *job, struct reply *r)
{
    AUTO_BUF struct buf title = BUF_INIT(120);
    AUTO_BUF struct buf span = BUF_INIT(120);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    add_title(job, &title);
    add_span(job, &job->query, job->has_period, &span);
    reply_title(r, TONE_PLAIN, "%s", title.data);
    reply_line(r, "%s", span.data);
    json_out_object(&data, "measured");
    json_out_text(&data, "measure", measure_info(job->measure)->word);
    json_out_text(&data, "timezone", job->zone_name);
    add_part_json(&data, "result", &job->query, job->result);
    show_premise(r, job);
    show_main(r, job);
    if (job->versus != NULL) {
        add_part_json(&data, "versus", &job->versus_query, job->versus);
        show_versus(r, &data, job);
    }
    bool groups = job->query.by != MEASURE_BY_NONE || measure_info(job->measure)->wall;
    if (groups && job->result->count > 0) {
        sort(job->result, job, job->measure);
        show_groups(r, job->result, job->measure,
                    job->query.by == MEASURE_BY_NONE ? "what" : measure_by_name(job->query.by),
                    GROUPS_SHOWN);
        add_groups_json(&data, "groups", &job->query, job->result);
    }
    if (job->why) {
        show_whys(r, &data, job);
    }
    json_out_end(&data);
    reply_protect(r);
}
