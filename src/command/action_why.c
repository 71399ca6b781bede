#include "config/config.h"
#include "data.h"
#include "desk.h"
#include "figure.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/trade_table.h"

#include <string.h>

#define LINE_SIZE 1024

/* The sum that gave the score, so that a person can do it again (agents/decision_core.h). */
static void why_score(struct reply *r, const struct decision *d)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    double largest = 0;
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        const char *sign = v->direction == DIRECTION_SHORT ? "−" : i > 0 ? "+" : "";
        buf_addf(&line, "%s%s%s%.2f×%.2f", i > 0 ? " " : "", sign, i > 0 ? " " : "",
                 v->direction == DIRECTION_NONE ? 0.0 : v->confidence, v->weight);
        largest = v->weight > largest ? v->weight : largest;
    }
    if (d->vote_count > 0) {
        buf_addf(&line, ") / %.2f = ", largest);
        figure_signed(&line, d->score, 2);
        reply_line(r, "Score: (%s; ±%.2f is needed", line.data, d->threshold);
    }
}

static void why_votes(struct reply *r, const struct decision *d)
{
    reply_table(r, 4, (const char *const[]){"agent", "says", "confidence", "weight"});
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        AUTO_BUF struct buf confidence = BUF_INIT(32);
        AUTO_BUF struct buf weight = BUF_INIT(32);
        buf_addf(&confidence, "%.2f", v->confidence);
        buf_addf(&weight, "%.2f", v->weight);
        reply_row(r, (const char *const[]){v->agent, direction_name(v->direction), confidence.data,
                                           weight.data});
    }
    reply_table(r, 5, (const char *const[]){"agent", "looked at", "value", "limit", "points"});
    for (int i = 0; i < d->vote_count; i++) {
        const struct vote *v = &d->votes[i];
        for (int k = 0; k < v->reason_count; k++) {
            const struct reason *why = &v->reasons[k];
            AUTO_BUF struct buf value = BUF_INIT(32);
            AUTO_BUF struct buf limit = BUF_INIT(32);
            AUTO_BUF struct buf points = BUF_INIT(32);
            figure_number(&value, why->value);
            figure_number(&limit, why->threshold);
            buf_addf(&points, "%+.2f", why->points);
            reply_row(r, (const char *const[]){v->agent, why->indicator, value.data, limit.data,
                                               points.data});
        }
    }
}

static const char *hold_reason(const struct decision *d)
{
    return d->veto_text[0] != '\0' ? d->veto_text : "the score stayed under the threshold";
}

static int why_outcome(struct desk *desk, struct reply *r, const struct decision *d,
                       struct err *err)
{
    struct order order;
    char qty[DEC_TEXT_SIZE];
    int rc = 0;
    switch (d->outcome) {
    case OUTCOME_HOLD:
        reply_line(r, "Held: %s.", hold_reason(d));
        return 0;
    case OUTCOME_VETOED:
        reply_line(r, "Vetoed by %s: %s", d->veto_code, d->veto_text);
        if (dec_is_valid(d->veto_max_qty) && dec_cmp(d->veto_max_qty, DEC_ZERO) > 0) {
            reply_line(r, "Largest quantity that would pass: %s", dec_text(d->veto_max_qty, qty));
        }
        return 0;
    case OUTCOME_ORDER:
        rc = order_table_get(desk->o.trading, d->client_id, &order, err);
        if (rc == -ERR_STORE_NOT_FOUND) {
            err_clear(err);
            reply_line(r, "Order %s", d->client_id);
            return 0;
        }
        if (rc < 0) {
            return rc;
        }
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        buf_addf(&line, "Order %s: %s %s, %s", order.client_id, side_name(order.side),
                 dec_text(order.qty, qty), order_state_name(order.state));
        if (dec_cmp(order.filled_qty, DEC_ZERO) > 0) {
            buf_addf(&line, " %s @ ", dec_text(order.filled_qty, qty));
            figure_price(&line, order.average_price);
        }
        buf_add_c(&line, "  SL ");
        figure_price(&line, order.stop);
        buf_add_c(&line, " TP ");
        figure_price(&line, order.target);
        reply_line(r, "%s", line.data);
        return 0;
    }
    return 0;
}

static void why_data(struct json_object *data, const struct decision *d)
{
    data_put(data, "decision_id", json_object_new_int64(d->id));
    data_put(data, "symbol", json_object_new_string(d->symbol.name));
    data_put_time(data, "at", d->at_us);
    data_put(data, "score", json_object_new_double(d->score));
    data_put(data, "threshold", json_object_new_double(d->threshold));
    data_put(data, "direction", json_object_new_string(direction_name(d->direction)));
    data_put(data, "outcome", json_object_new_string(outcome_name(d->outcome)));
    data_put(data, "veto_code", json_object_new_string(d->veto_code));
    data_put(data, "client_id", json_object_new_string(d->client_id));
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
    } else if (what != NULL && !symbol_parse(str_c(what), &symbol)) {
        return err_set(err, ERR_COMMAND_ARG_INVALID,
                       "what: %.40s is neither the number of a trade nor a symbol", what);
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
     .params = {{.name = "what", .type = PARAM_TEXT, .help = "number of a trade, or a symbol"}},
     .run = show_why},
    {0},
};
