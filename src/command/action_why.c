#include "config/config.h"
#include "data.h"
#include "desk.h"
#include "figure.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/rule_table.h"
#include "store/trade_table.h"

#include <string.h>

#define LINE_SIZE 1024

static const struct vote *vote_of(const struct decision *d, const char *agent)
{
    for (int i = 0; i < d->vote_count; i++) {
        if (strcmp(d->votes[i].agent, agent) == 0) {
            return &d->votes[i];
        }
    }
    return NULL;
}

/* What trading rules added to the score of the votes. */
static double bias_of(const struct decision *d)
{
    const struct vote *core = vote_of(d, "decision_core");
    for (int i = 0; core != NULL && i < core->reason_count; i++) {
        if (strcmp(core->reasons[i].indicator, "rules") == 0) {
            return core->reasons[i].value;
        }
    }
    return 0;
}

/* The sum that gave the score, so that a person can do it again (src/agents/decision_core.c). */
static void why_score(struct reply *r, const struct decision *d)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    double largest = 0;
    double sum = 0;
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        if (!(v->weight > 0)) {
            continue;
        }
        bool is_first = !(largest > 0);
        double confidence = v->direction == DIRECTION_NONE ? 0 : v->confidence;
        const char *sign = v->direction == DIRECTION_SHORT ? "−" : is_first ? "" : "+";
        buf_addf(&line, "%s%s%s%.2f×%.2f", is_first ? "" : " ", sign, is_first ? "" : " ",
                 confidence, v->weight);
        sum += v->direction == DIRECTION_SHORT ? -confidence * v->weight : confidence * v->weight;
        largest = v->weight > largest ? v->weight : largest;
    }
    if (!(largest > 0)) {
        return;
    }
    double bias = bias_of(d);
    buf_addf(&line, ") / %.2f", largest);
    if (bias > 0 || bias < 0) {
        buf_addf(&line, " %s %.2f by rules", bias > 0 ? "+" : "−", bias > 0 ? bias : -bias);
    }
    buf_add_c(&line, " = ");
    figure_signed(&line, d->score, 2);
    sum = sum / largest + bias;
    buf_addf(&line, "%s", sum > 1.0005 || sum < -1.0005 ? " (cut at 1)" : "");
    reply_line(r, "Score: (%s; ±%.2f is needed", line.data, d->threshold);
}

static const char *says(const struct decision *d, const struct vote *v)
{
    bool spoke = v->reason_count > 0;
    if (strcmp(v->agent, "risk_audit") == 0) {
        return !spoke ? "–" : d->outcome == OUTCOME_VETOED ? "veto" : "pass";
    }
    if (strcmp(v->agent, "execution") == 0) {
        return spoke ? "sent" : "–";
    }
    if (strcmp(v->agent, "data_sync") == 0) {
        return strcmp(d->veto_code, "DATA_INVALID") == 0 ? "bad" : "ok";
    }
    return v->direction == DIRECTION_NONE ? "–" : direction_name(v->direction);
}

static void why_votes(struct reply *r, const struct decision *d)
{
    if (d->vote_count == 0) {
        return;
    }
    reply_table(r, 4, (const char *const[]){"agent", "says", "sure", "weight"});
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        AUTO_BUF struct buf sure = BUF_INIT(32);
        AUTO_BUF struct buf weight = BUF_INIT(32);
        buf_addf(&sure, "%.2f", v->confidence);
        buf_addf(&weight, "%.2f", v->weight);
        reply_row(r, (const char *const[]){v->agent, says(d, v), sure.data,
                                           v->weight > 0 ? weight.data : "–"});
    }
}

/* Whole numbers plain: bars and gaps are counted. */
static void add_figure(struct buf *out, double value)
{
    if (value > -1e6 && value < 1e6 && value >= (double)(int64_t)value &&
        value <= (double)(int64_t)value) {
        buf_addf(out, "%lld", (long long)value);
    } else {
        figure_number(out, value);
    }
}

/* An agent that weighs nothing: what it saw, in one line. */
static void why_seen(struct reply *r, const struct decision *d, const char *agent,
                     const char *label)
{
    const struct vote *v = vote_of(d, agent);
    if (v == NULL || v->reason_count == 0) {
        return;
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    for (int i = 0; i < v->reason_count; i++) {
        buf_addf(&line, "%s%s ", i > 0 ? ", " : "", v->reasons[i].indicator);
        add_figure(&line, v->reasons[i].value);
    }
    reply_line(r, "%s: %s", label, line.data);
}

/* The cases that were weighed, point by point; short columns, for a phone. */
static void why_reasons(struct reply *r, const struct decision *d)
{
    bool any = false;
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        if (!(v->weight > 0) || v->reason_count == 0) {
            continue;
        }
        if (!any) {
            reply_table(r, 4, (const char *const[]){"looked at", "value", "limit", "points"});
        }
        any = true;
        reply_row(r, (const char *const[]){v->agent, "", "", ""});
        for (int k = 0; k < v->reason_count; k++) {
            const struct reason *why = &v->reasons[k];
            AUTO_BUF struct buf name = BUF_INIT(32);
            AUTO_BUF struct buf value = BUF_INIT(32);
            AUTO_BUF struct buf limit = BUF_INIT(32);
            AUTO_BUF struct buf points = BUF_INIT(32);
            buf_addf(&name, "· %s", why->indicator);
            figure_number(&value, why->value);
            figure_number(&limit, why->threshold);
            buf_addf(&points, "%+.2f", why->points);
            reply_row(r, (const char *const[]){name.data, value.data, limit.data, points.data});
        }
    }
}

static const char *hold_reason(const struct decision *d)
{
    return d->veto_text[0] != '\0' ? d->veto_text : "the score stayed under the threshold";
}

static bool is_amount(struct dec d)
{
    return dec_is_valid(d) && d.e8 > 0;
}

static void add_bracket(struct buf *line, struct dec stop, struct dec target)
{
    if (is_amount(stop)) {
        buf_add_c(line, "  SL ");
        figure_price(line, stop);
    }
    if (is_amount(target)) {
        buf_add_c(line, " TP ");
        figure_price(line, target);
    }
}

static void why_veto(struct reply *r, const struct decision *d)
{
    char qty[DEC_TEXT_SIZE];
    reply_line(r, "Vetoed by %s: %s", d->veto_code, d->veto_text);
    if (is_amount(d->qty)) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        buf_addf(&line, "Wanted: %s %s", direction_name(d->direction), dec_text(d->qty, qty));
        add_bracket(&line, d->stop, d->target);
        reply_line(r, "%s", line.data);
    }
    if (is_amount(d->veto_max_qty)) {
        reply_line(r, "Largest quantity that would pass: %s", dec_text(d->veto_max_qty, qty));
    } else {
        reply_line(r, "No quantity would pass.");
    }
}

static int why_order(struct desk *desk, struct reply *r, const struct decision *d, struct err *err)
{
    struct order order;
    char qty[DEC_TEXT_SIZE];
    int rc = order_table_get(desk->o.trading, d->client_id, &order, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        reply_line(r, "Order %s", d->client_id);
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    buf_addf(&line, "Order %s: %s%s %s, %s", order.client_id,
             order.kind == ORDER_ENTRY ? "" : "closes ", side_name(order.side),
             dec_text(order.qty, qty), order_state_name(order.state));
    if (is_amount(order.filled_qty)) {
        buf_addf(&line, " %s @ ", dec_text(order.filled_qty, qty));
        figure_price(&line, order.average_price);
    } else if (order.state == ORDER_REJECTED || order.state == ORDER_CANCELLED) {
        buf_addf(&line, " (%s)", order.reason);
    }
    add_bracket(&line, order.stop, order.target);
    reply_line(r, "%s", line.data);
    data_put(reply_data(r), "order_state", json_object_new_string(order_state_name(order.state)));
    data_put_dec(reply_data(r), "filled_qty", order.filled_qty);
    return 0;
}

static int why_outcome(struct desk *desk, struct reply *r, const struct decision *d,
                       struct err *err)
{
    switch (d->outcome) {
    case OUTCOME_HOLD:
        reply_line(r, "Held: %s.", hold_reason(d));
        return 0;
    case OUTCOME_VETOED:
        why_veto(r, d);
        return 0;
    case OUTCOME_ORDER:
        return why_order(desk, r, d, err);
    }
    return 0;
}

/* The rules that matched, as they stand today. */
static int why_rules(struct desk *desk, struct reply *r, const struct decision *d, struct err *err)
{
    for (int i = 0; i < d->rule_count; i++) {
        struct rule rule;
        const struct rule_query query = {.id = d->rule_ids[i], .retired = true};
        int rc = rule_table_list(desk->o.trading, &query, &rule, 1, err);
        if (rc < 0) {
            return rc;
        }
        if (rc == 0) {
            reply_line(r, "Rule %lld matched", (long long)d->rule_ids[i]);
        } else {
            reply_line(r, "Rule %lld matched (%s, %s): %s", (long long)rule.id,
                       rule_effect_name(rule.effect), rule_status_name(rule.status), rule.help);
        }
    }
    return 0;
}

static void why_data(struct json_object *data, const struct decision *d)
{
    data_put_decision(data, d);
    struct json_object *votes = json_object_new_array();
    for (int i = 0; i < d->vote_count; i++) {
        struct json_object *vote = json_object_new_object();
        data_put(vote, "agent", json_object_new_string(d->votes[i].agent));
        data_put(vote, "direction", json_object_new_string(direction_name(d->votes[i].direction)));
        data_put(vote, "confidence", json_object_new_double(d->votes[i].confidence));
        data_put(vote, "weight", json_object_new_double(d->votes[i].weight));
        struct json_object *reasons = json_object_new_array();
        for (int k = 0; k < d->votes[i].reason_count; k++) {
            const struct reason *why = &d->votes[i].reasons[k];
            struct json_object *reason = json_object_new_object();
            data_put(reason, "indicator", json_object_new_string(why->indicator));
            data_put(reason, "value", json_object_new_double(why->value));
            data_put(reason, "limit", json_object_new_double(why->threshold));
            data_put(reason, "points", json_object_new_double(why->points));
            (void)json_object_array_add(reasons, reason);
        }
        data_put(vote, "reasons", reasons);
        (void)json_object_array_add(votes, vote);
    }
    data_put(data, "votes", votes);
}

/* "d12": a decision by its own number, as /decisions gives it. */
static bool decision_number(const char *what, int64_t *ret)
{
    return (what[0] == 'd' || what[0] == 'D') && str_to_i64(str_c(what + 1), ret);
}

static int find_trade_decision(struct desk *desk, int64_t id, struct reply *r, struct decision *ret,
                               struct err *err)
{
    struct trade t;
    int rc = trade_table_get(desk->o.trading, id, &t, err);
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    char qty[DEC_TEXT_SIZE];
    buf_addf(&line, "Trade %lld: %s %s %s, ", (long long)t.id, t.symbol.name, side_name(t.side),
             dec_text(t.qty, qty));
    figure_price(&line, t.entry_price);
    buf_add_c(&line, " → ");
    figure_price(&line, t.exit_price);
    buf_add_c(&line, ", ");
    figure_money(&line, t.pnl, true);
    buf_addf(&line, ", closed by %s", t.exit_reason);
    reply_line(r, "%s", line.data);
    return t.decision_id != 0 ? decision_table_get(desk->o.trading, t.decision_id, ret, err)
                              : decision_table_of_order(desk->o.trading, t.client_id, ret, err);
}

/* Where the other symbols stand: the newest decision is of whichever came last. */
static int why_others(const struct desk *desk, struct reply *r, const struct symbol *shown,
                      struct err *err)
{
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    bool any = false;
    for (int i = 0; i < symbols->count; i++) {
        struct decision d;
        if (symbol_equal(symbols->items[i], *shown)) {
            continue;
        }
        int rc = decision_table_last(desk->o.trading, symbols->items[i], &d, err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            err_clear(err);
            continue;
        }
        if (rc < 0) {
            return rc;
        }
        if (!any) {
            reply_table(r, 4, (const char *const[]){"others", "score", "outcome", "why"});
        }
        any = true;
        AUTO_BUF struct buf score = BUF_INIT(32);
        AUTO_BUF struct buf command = BUF_INIT(64);
        figure_signed(&score, d.score, 2);
        reply_row(r, (const char *const[]){d.symbol.name, score.data, outcome_name(d.outcome),
                                           d.outcome == OUTCOME_VETOED ? d.veto_code
                                           : d.outcome == OUTCOME_HOLD ? hold_reason(&d)
                                                                       : d.client_id});
        buf_addf(&command, "/why %s", d.symbol.name);
        reply_button(r, d.symbol.name, command.data, BUTTON_PLAIN);
    }
    return 0;
}

static int show_why(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const char *what = action_arg(call, "what");
    struct symbol symbol = {0};
    struct decision d;
    int64_t id = 0;
    int rc = desk_need_store(desk, err);
    if (rc < 0) {
        return rc;
    }
    if (what != NULL && str_to_i64(str_c(what), &id)) {
        rc = find_trade_decision(desk, id, r, &d, err);
    } else if (what != NULL && decision_number(what, &id)) {
        rc = decision_table_get(desk->o.trading, id, &d, err);
    } else if (what != NULL && !symbol_parse(str_c(what), &symbol)) {
        return err_set(
            err, ERR_COMMAND_ARG_INVALID,
            "what: %.40s is neither the number of a trade (12), that of a decision (d12) nor "
            "a symbol",
            what);
    } else {
        rc = decision_table_last(desk->o.trading, symbol, &d, err);
    }
    if (rc == -ERR_STORE_NOT_FOUND) {
        return err_set(err, ERR_TRADE_UNKNOWN, "%.40s", what == NULL ? "any symbol" : what);
    }
    if (rc < 0) {
        return rc;
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    figure_signed(&line, d.score, 2);
    reply_title(r, TONE_PLAIN, "%s · %s · score %s of %.2f · %s", d.symbol.name,
                direction_name(d.direction), line.data, d.threshold, outcome_name(d.outcome));
    buf_clear(&line);
    buf_addf(&line, "Decision %lld at ", (long long)d.id);
    clock_add_when(&line, d.at_us, 0);
    buf_add_c(&line, " UTC, price ");
    figure_price(&line, d.price);
    buf_addf(&line, ", market %s", regime_name(d.regime));
    reply_line(r, "%s", line.data);
    why_votes(r, &d);
    why_score(r, &d);
    why_data(reply_data(r), &d);
    rc = why_outcome(desk, r, &d, err);
    rc = rc < 0 ? rc : why_rules(desk, r, &d, err);
    why_reasons(r, &d);
    why_seen(r, &d, "quant_analyst", "Market");
    why_seen(r, &d, "data_sync", "Data");
    if (rc == 0 && what == NULL) {
        rc = why_others(desk, r, &d.symbol, err);
    }
    desk_market_line(r, desk_snapshot(desk));
    return rc;
}

const struct action action_why_rows[] = {
    {.name = "trading.why",
     .summary = "The newest decision, or that of a trade: votes, reasons, veto, order",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "what",
                 .type = PARAM_TEXT,
                 .help = "number of a trade, d and that of a decision, or a symbol"}},
     .run = show_why},
    {0},
};
