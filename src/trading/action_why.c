#include "config/config.h"
#include "desk_internal.h"
#include "model/model_json.h"
#include "store/decision_table.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/rule_table.h"
#include "store/trade_table.h"
#include "trading/why.h"
#include "view.h"

#include <string.h>

#define FILLS_SHOWN 64
#define OTHERS_MAX  12 /* other symbols that /why alone shows */

static bool is_amount(struct dec d)
{
    return dec_is_valid(d) && d.e8 > 0;
}

/* The order with its fills. */
static int set_order_data(struct desk *desk, struct reply *r, const struct order *order,
                          struct err *err)
{
    struct fill fills[FILLS_SHOWN];
    int n = fill_table_of_order(desk->o.trading, order->client_id, fills, FILLS_SHOWN, err);
    if (n < 0) {
        return n;
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "order");
    model_json_order(&data, order);
    json_out_array(&data, "fills");
    for (int i = 0; i < n; i++) {
        json_out_object(&data, NULL);
        model_json_fill(&data, &fills[i]);
        json_out_end(&data);
    }
    json_out_end(&data);
    json_out_end(&data);
    return 0;
}

static void set_decision_data(struct reply *r, const struct decision *d)
{
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "decision");
    model_json_decision(&data, d);
    model_json_votes(&data, "votes", d);
    json_out_end(&data);
}

/* Of an entry whose position is open. */
static void why_legs(const struct snapshot *s, struct reply *r, const struct order *entry)
{
    for (int i = 0; i < s->position_count && !s->venue.brackets; i++) {
        if (strcmp(s->positions[i].client_id, entry->client_id) == 0) {
            view_legs(r, &s->legs[i]);
        }
    }
}

static int why_order(struct desk *desk, struct reply *r, const struct decision *d, struct err *err)
{
    struct order order;
    int rc = order_table_get(desk->o.trading, d->client_id, &order, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
        reply_para(r, "Order {}", cell_code(d->client_id));
        return 0;
    }
    if (rc < 0) {
        return rc;
    }
    const char *symbol = order.symbol.name;
    reply_para(r, "Order {}: {}{} {}, {}", cell_code(order.client_id),
               cell_text(order.kind == ORDER_ENTRY ? "" : "closes "),
               cell_text(side_name(order.side)), cell_qty(order.qty, symbol),
               cell_text(order_state_name(order.state)));
    if (is_amount(order.filled_qty)) {
        reply_more(r, " {} @ {}", cell_qty(order.filled_qty, symbol),
                   cell_price(order.average_price, symbol));
    } else if (order.state == ORDER_REJECTED || order.state == ORDER_CANCELLED) {
        reply_more(r, " ({})", cell_text(order.reason));
    }
    view_bracket(r, &order.symbol, order.stop, order.target);
    why_legs(desk_snapshot(desk), r, &order);
    return set_order_data(desk, r, &order, err);
}

static int why_outcome(struct desk *desk, struct reply *r, const struct decision *d,
                       struct err *err)
{
    if (d->outcome == OUTCOME_ORDER) {
        return why_order(desk, r, d, err);
    }
    why_conclusion(r, d);
    return 0;
}

/* The rules that matched, in their current state. */
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
            reply_para(r, "Rule {} matched", cell_count(d->rule_ids[i]));
        } else {
            reply_para(r, "Rule {} matched ({}, {}): {}", cell_count(rule.id),
                       cell_text(rule_effect_name(rule.effect)),
                       cell_text(rule_status_name(rule.status)), cell_text(rule.help));
        }
    }
    return 0;
}

static int find_trade_decision(struct desk *desk, int64_t id, struct reply *r, struct decision *ret,
                               struct err *err)
{
    struct trade t;
    int rc = trade_table_get(desk->o.trading, id, &t, err);
    if (rc < 0) {
        return rc;
    }
    reply_para(r, "Trade {}: {} {} {}, {} → {}, {}, closed by {}", cell_count(t.id),
               cell_symbol(t.symbol.name), cell_text(side_name(t.side)),
               cell_qty(t.qty, t.symbol.name), cell_price(t.entry_price, t.symbol.name),
               cell_price(t.exit_price, t.symbol.name), cell_money_signed(t.pnl),
               cell_text(t.exit_reason));
    if (t.run_id != 0) {
        AUTO_BUF struct buf command = BUF_INIT(64);
        buf_addf(&command, "/runs %lld", (long long)t.run_id);
        reply_more(r, ", {}", cell_code(command.data));
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_object(&data, "trade");
    model_json_trade(&data, &t);
    json_out_end(&data);
    return t.decision_id != 0 ? decision_table_get(desk->o.trading, t.decision_id, ret, err)
                              : decision_table_of_order(desk->o.trading, t.client_id, ret, err);
}

/* The newest decisions of the other symbols: /why alone shows only the newest of all. */
static int why_others(const struct desk *desk, struct reply *r, const struct symbol *shown,
                      struct err *err)
{
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    int others = 0;
    for (int i = 0; i < symbols->count && others < OTHERS_MAX; i++) {
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
        AUTO_BUF struct buf command = BUF_INIT(64);
        reply_para(r, "{} {}, {}: {}", cell_symbol(d.symbol.name), cell_number_signed(d.score, 2),
                   cell_text(outcome_name(d.outcome)),
                   cell_text(d.outcome == OUTCOME_VETOED ? d.veto_code
                             : d.outcome == OUTCOME_HOLD ? why_hold_reason(&d)
                                                         : d.client_id));
        buf_addf(&command, "/why %s", d.symbol.name);
        view_button(r, others++, d.symbol.name, command.data);
    }
    if (others == OTHERS_MAX && symbols->count > OTHERS_MAX + 1) {
        reply_para(r, "There are {} symbols; {} shows those of one.", cell_count(symbols->count),
                   cell_code("/why <symbol>"));
    }
    return 0;
}

/* The decision about a trade, a decision by its number, that of an order, or the newest one of a
 * symbol or of all (NULL). */
static int find_decision(struct desk *desk, const struct arg_value *what, struct reply *r,
                         struct decision *ret, struct err *err)
{
    if (what != NULL && what->type == PARAM_INT && what->prefix[0] == '\0') {
        return find_trade_decision(desk, what->number, r, ret, err);
    }
    if (what != NULL && what->type == PARAM_INT) {
        return decision_table_get(desk->o.trading, what->number, ret, err);
    }
    if (what != NULL && what->type == PARAM_ORDER) {
        return decision_table_of_order(desk->o.trading, what->text, ret, err);
    }
    const struct symbol all = {0};
    return decision_table_last(desk->o.trading, what == NULL ? all : value_symbol(what), ret, err);
}

static bool is_question(const struct arg_value *what)
{
    return what != NULL && what->type == PARAM_INT && what->prefix[0] == 'q';
}

static int show_why(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const struct arg_value *what = action_value(call, "what");
    struct decision d;
    if (is_question(what)) {
        return desk->explain == NULL
                   ? err_set(err, ERR_ASK_UNKNOWN, "q%lld", (long long)what->number)
                   : desk->explain(what->number, action_who(call), r, desk->explain_userdata, err);
    }
    int rc = desk_need_store(desk, action_reply(call), err);
    if (rc < 0) {
        return rc;
    }
    rc = find_decision(desk, what, r, &d, err);
    if (rc == -ERR_STORE_NOT_FOUND) {
        AUTO_BUF struct buf text = BUF_INIT(64);
        value_text(what == NULL ? &(struct arg_value){0} : what, &text);
        return err_set(err, ERR_TRADE_UNKNOWN, "%s", what == NULL ? "any symbol" : text.data);
    }
    if (rc < 0) {
        return rc;
    }
    why_head(r, &d);
    set_decision_data(r, &d);
    rc = why_outcome(desk, r, &d, err);
    rc = rc < 0 ? rc : why_rules(desk, r, &d, err);
    why_details(r, &d);
    bool is_trade = what != NULL && what->type == PARAM_INT && what->prefix[0] == '\0';
    if (rc == 0 && is_trade && desk->learnt.trade != NULL) {
        desk->learnt.trade(r, what->number, desk->learnt.userdata);
    }
    if (rc == 0 && what == NULL) {
        rc = why_others(desk, r, &d.symbol, err);
    }
    desk_market_line(r, desk_read(desk, r));
    return rc;
}

/* Also a symbol that is not traded any more. */
static const struct action_param what_symbol = {.type = PARAM_SYMBOL, .unlisted = true};
static const struct action_param what_order = {
    .type = PARAM_ORDER, .prefix = "nd-", .otherwise = &what_symbol};
static const struct action_param what_question = {
    .type = PARAM_INT, .prefix = "q", .otherwise = &what_order};
static const struct action_param what_decision = {
    .type = PARAM_INT, .prefix = "d", .otherwise = &what_question};

const struct action action_why_rows[] = {
    {.name = "trading.why",
     .summary = "The newest decision, or the one behind a trade: votes, reasons, veto, order",
     .data = DESK_AGE " trade decision order reflection question",
     .effect = ACTION_READS,
     .assistant = true,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "what",
                              .type = PARAM_INT,
                              .otherwise = &what_decision,
                              .noun = "the number of a trade (12), of a decision (d12) or of a "
                                      "question (q12), an order (nd-1-2) or a symbol",
                              .help = "a trade (12), a decision (d345), a question (q12), an "
                                      "order (nd-1-2) or a symbol"}),
     .run = show_why},
    {0},
};
