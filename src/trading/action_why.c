#include "config/config.h"
#include "data.h"
#include "desk_internal.h"
#include "figure.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/rule_table.h"
#include "store/trade_table.h"
#include "trading/why.h"

#include <string.h>

#define LINE_SIZE 1024

static bool is_amount(struct dec d)
{
    return dec_is_valid(d) && d.e8 > 0;
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
    figure_bracket(&line, order.stop, order.target);
    reply_line(r, "%s", line.data);
    data_add(reply_data(r), "order_state", json_object_new_string(order_state_name(order.state)));
    data_add_dec(reply_data(r), "filled_qty", order.filled_qty);
    return 0;
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
            reply_line(r, "Rule %lld matched", (long long)d->rule_ids[i]);
        } else {
            reply_line(r, "Rule %lld matched (%s, %s): %s", (long long)rule.id,
                       rule_effect_name(rule.effect), rule_status_name(rule.status), rule.help);
        }
    }
    return 0;
}

/* "d12": the number of a decision, as in the buttons of /decisions. */
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

/* The newest decisions of the other symbols: /why alone shows only the newest of all. */
static int why_others(const struct desk *desk, struct reply *r, const struct symbol *shown,
                      struct err *err)
{
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
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
        AUTO_BUF struct buf score = BUF_INIT(32);
        AUTO_BUF struct buf command = BUF_INIT(64);
        figure_signed(&score, d.score, 2);
        reply_line(r, "%s %s, %s: %s", d.symbol.name, score.data, outcome_name(d.outcome),
                   d.outcome == OUTCOME_VETOED ? d.veto_code
                   : d.outcome == OUTCOME_HOLD ? why_hold_reason(&d)
                                               : d.client_id);
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
    int rc = desk_need_store(desk, action_reply(call), err);
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
            "what: %.40s is not the number of a trade (12), the number of a decision (d12) or a "
            "symbol",
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
    why_head(r, &d);
    rc = why_outcome(desk, r, &d, err);
    rc = rc < 0 ? rc : why_rules(desk, r, &d, err);
    why_details(r, &d);
    if (rc == 0 && what == NULL) {
        rc = why_others(desk, r, &d.symbol, err);
    }
    desk_market_line(r, desk_read(desk, r));
    return rc;
}

const struct action action_why_rows[] = {
    {.name = "trading.why",
     .summary = "The newest decision, or the one behind a trade: votes, reasons, veto, order",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "what",
                 .type = PARAM_TEXT,
                 .help = "a trade (12), a decision (d345) or a symbol"}},
     .run = show_why},
    {0},
};
