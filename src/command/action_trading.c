#include "base/check.h"
#include "call.h"
#include "config/config.h"
#include "desk.h"
#include "figure.h"
#include "store/decision_table.h"
#include "store/order_table.h"
#include "store/trade_table.h"

#include <string.h>

#define TRADES_DEFAULT    10
#define TRADES_MAX        50
#define CLOSE_WAIT_US     (20 * USEC_PER_SEC) /* below the manifests' timeouts, so that the */
#define EMERGENCY_WAIT_US (45 * USEC_PER_SEC) /* answer says what is still open */
#define LINE_SIZE         1024
#define NO_STATUS_YET     "The trading engine has not reported yet."

static void put(struct json_object *object, const char *key, struct json_object *value)
{
    ASSERT(json_object_object_add(object, key, value) == 0);
}

static void put_dec(struct json_object *object, const char *key, struct dec value)
{
    char text[DEC_TEXT_SIZE];
    put(object, key, json_object_new_string(dec_text(value, text)));
}

static void put_iso(struct json_object *object, const char *key, int64_t at_us)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    clock_add_iso(&text, at_us, false);
    put(object, key, json_object_new_string(text.data));
}

/* ------------------------------------------------------------------------------ positions ---- */

static struct dec entry_value(const struct position *p)
{
    return dec_mul(p->qty, p->entry_price);
}

static void position_line(struct buf *out, const struct position *p)
{
    char qty[DEC_TEXT_SIZE];
    buf_addf(out, "%s  %s %s @ ", p->symbol.name, side_name(p->side), dec_text(p->qty, qty));
    figure_price(out, p->entry_price);
    buf_add_c(out, "   ");
    figure_money(out, p->unrealised, true);
    buf_add_c(out, " (");
    figure_pct(out, figure_ratio_pct(p->unrealised, entry_value(p)), 1, true);
    buf_add_c(out, ")  SL ");
    figure_price(out, p->stop);
    buf_add_c(out, " TP ");
    figure_price(out, p->target);
}

static struct json_object *position_json(const struct position *p)
{
    struct json_object *o = json_object_new_object();
    put(o, "symbol", json_object_new_string(p->symbol.name));
    put(o, "side", json_object_new_string(side_name(p->side)));
    put_dec(o, "qty", p->qty);
    put_dec(o, "entry_price", p->entry_price);
    put_dec(o, "mark_price", p->mark_price);
    put_dec(o, "unrealised", p->unrealised);
    put_dec(o, "stop", p->stop);
    put_dec(o, "target", p->target);
    put_iso(o, "opened_at", p->opened_us);
    return o;
}

static void positions_data(struct json_object *data, const struct snapshot *s)
{
    struct json_object *list = json_object_new_array();
    for (int i = 0; i < s->position_count; i++) {
        (void)json_object_array_add(list, position_json(&s->positions[i]));
    }
    put(data, "positions", list);
}

/* The market's clock, when it is not ours. */
static void market_line(struct reply *r, const struct snapshot *s)
{
    if (s->market_speed == 1) {
        return;
    }
    AUTO_BUF struct buf at = BUF_INIT(64);
    clock_add_iso(&at, s->market_us, false);
    reply_line(r, "Market time %s (%lld× real time)", at.data, (long long)s->market_speed);
}

static int show_positions(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_snapshot(desk);
    struct reply *r = action_reply(call);
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "positions");
    }
    reply_title(r, TONE_PLAIN, "Positions %d of %d", s->position_count, s->max_positions);
    positions_data(reply_data(r), s);
    if (s->position_count == 0) {
        reply_line(r, "Nothing is open.");
    } else {
        reply_table(r, 7,
                    (const char *const[]){"symbol", "side", "quantity", "entry", "now", "result",
                                          "open for"});
    }
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        char qty[DEC_TEXT_SIZE];
        AUTO_BUF struct buf entry = BUF_INIT(64);
        AUTO_BUF struct buf mark = BUF_INIT(64);
        AUTO_BUF struct buf result = BUF_INIT(64);
        AUTO_BUF struct buf age = BUF_INIT(64);
        figure_price(&entry, p->entry_price);
        figure_price(&mark, p->mark_price);
        figure_money(&result, p->unrealised, true);
        clock_add_duration(&age, s->market_us - p->opened_us);
        reply_row(r,
                  (const char *const[]){p->symbol.name, side_name(p->side), dec_text(p->qty, qty),
                                        entry.data, mark.data, result.data, age.data});
    }
    for (int i = 0; i < s->position_count; i++) {
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        AUTO_BUF struct buf command = BUF_INIT(64);
        const struct position *p = &s->positions[i];
        buf_addf(&line, "%s  SL ", p->symbol.name);
        figure_price(&line, p->stop);
        buf_add_c(&line, " TP ");
        figure_price(&line, p->target);
        reply_line(r, "%s", line.data);
        buf_addf(&command, "/close %s", p->symbol.name);
        reply_button(r, command.data + 1, command.data, BUTTON_PLAIN);
    }
    market_line(r, s);
    reply_protect(r);
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------------- status ---- */

static void status_title(struct reply *r, const struct desk *desk, const struct snapshot *s)
{
    AUTO_BUF struct buf up = BUF_INIT(64);
    clock_add_duration(&up, clock_wall_us(desk->o.clock) - s->started_wall_us);
    switch (s->state) {
    case TRADING_ACTIVE:
        reply_title(r, TONE_GOOD, "nightdesk · paper · up %s", up.data);
        break;
    case TRADING_STARTING:
        reply_title(r, TONE_BUSY, "nightdesk · paper · starting: %s", s->state_reason);
        break;
    case TRADING_PAUSED:
    case TRADING_BREAKER:
        reply_title(r, TONE_PLAIN, "⏸ nightdesk · paper · up %s", up.data);
        break;
    case TRADING_EMERGENCY:
        reply_title(r, TONE_PLAIN, "⛔ nightdesk · paper · up %s", up.data);
        break;
    }
}

static void status_account(struct reply *r, const struct snapshot *s)
{
    struct dec today = dec_sub(s->equity, s->day_start_equity);
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    buf_add_c(&line, "Equity  ");
    figure_money(&line, s->equity, false);
    buf_add_c(&line, "  (");
    figure_pct(&line, figure_ratio_pct(dec_sub(s->equity, s->initial_cash), s->initial_cash), 1,
               true);
    buf_add_c(&line, ")   today  ");
    figure_money(&line, today, true);
    buf_add_c(&line, " (");
    figure_pct(&line, figure_ratio_pct(today, s->day_start_equity), 2, true);
    buf_add_c(&line, ")");
    reply_line(r, "%s", line.data);

    buf_clear(&line);
    buf_add_c(&line, "Drawdown ");
    figure_pct(&line, s->drawdown_pct, 1, false);
    buf_add_c(&line, " of ");
    figure_pct(&line, s->max_drawdown_pct, 0, false);
    buf_add_c(&line, "   Exposure ");
    figure_pct(&line, s->exposure_pct, 1, false);
    buf_addf(&line, "   Positions %d of %d", s->position_count, s->max_positions);
    reply_line(r, "%s", line.data);
    for (int i = 0; i < s->position_count; i++) {
        buf_clear(&line);
        position_line(&line, &s->positions[i]);
        reply_line(r, "%s", line.data);
    }
    if (!s->books_balance) {
        reply_line(r, "⚠ The books do not balance: nothing new is opened.");
    }
}

static void status_data(struct json_object *data, const struct snapshot *s)
{
    put(data, "state", json_object_new_string(trading_state_name(s->state)));
    put(data, "state_reason", json_object_new_string(s->state_reason));
    put(data, "snapshot_version", json_object_new_int64((int64_t)s->version));
    put_dec(data, "equity", s->equity);
    put_dec(data, "cash", s->cash);
    put_dec(data, "initial_cash", s->initial_cash);
    put_dec(data, "day_start_equity", s->day_start_equity);
    put_dec(data, "realised", s->realised);
    put(data, "drawdown_pct", json_object_new_double(s->drawdown_pct));
    put(data, "exposure_pct", json_object_new_double(s->exposure_pct));
    put(data, "trades", json_object_new_int64((int64_t)s->trades));
    put(data, "books_balance", json_object_new_boolean(s->books_balance));
    put(data, "market_speed", json_object_new_int64(s->market_speed));
    put_iso(data, "market_time", s->market_us);
    positions_data(data, s);
}

/* What other rooms know, in one line. */
static void status_pieces(struct desk *desk, struct reply *r)
{
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    for (size_t i = 0; i < desk->line_count; i++) {
        AUTO_BUF struct buf piece = BUF_INIT(256);
        desk->lines[i].fn(&piece, reply_data(r), desk->lines[i].userdata);
        if (piece.len > 0) {
            buf_addf(&line, "%s%s", line.len == 0 ? "" : "   ", piece.data);
        }
    }
    if (line.len > 0) {
        reply_line(r, "%s", line.data);
    }
}

static int show_status(struct action_call *call, struct err *err)
{
    (void)err; /* /status always answers */
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_snapshot(desk);
    struct reply *r = action_reply(call);
    if (s->version == 0) {
        reply_title(r, TONE_BUSY, "nightdesk · paper · starting");
        reply_line(r, NO_STATUS_YET);
        put(reply_data(r), "state", json_object_new_string(trading_state_name(TRADING_STARTING)));
    } else {
        status_title(r, desk, s);
        status_account(r, s);
        status_data(reply_data(r), s);
        market_line(r, s);
    }
    status_pieces(desk, r);
    reply_button(r, "Positions", "/positions", BUTTON_PLAIN);
    reply_button(r, "Alerts", "/alerts", BUTTON_PLAIN);
    reply_button(r, "Why", "/why", BUTTON_PLAIN);
    if (s->version > 0 && (s->state == TRADING_PAUSED || s->state == TRADING_BREAKER)) {
        reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    } else if (s->version > 0 && s->state == TRADING_ACTIVE) {
        reply_button(r, "Pause", "/pause", BUTTON_PLAIN);
    }
    reply_protect(r);
    return ACTION_DONE;
}

/* --------------------------------------------------------------------------------- trades ---- */

static int need_store(const struct desk *desk, struct err *err)
{
    return desk->o.trading == NULL ? err_set(err, ERR_ENGINE_SILENT, "trading.db is not there yet")
                                   : 0;
}

static struct json_object *trade_json(const struct trade *t)
{
    struct json_object *o = json_object_new_object();
    put(o, "id", json_object_new_int64(t->id));
    put(o, "symbol", json_object_new_string(t->symbol.name));
    put(o, "side", json_object_new_string(side_name(t->side)));
    put_dec(o, "qty", t->qty);
    put_dec(o, "entry_price", t->entry_price);
    put_dec(o, "exit_price", t->exit_price);
    put_dec(o, "pnl", t->pnl);
    put_dec(o, "fees", t->fees);
    put(o, "exit_reason", json_object_new_string(t->exit_reason));
    put_iso(o, "closed_at", t->closed_us);
    return o;
}

static void trade_row(struct reply *r, const struct trade *t)
{
    AUTO_BUF struct buf id = BUF_INIT(32);
    AUTO_BUF struct buf at = BUF_INIT(64);
    AUTO_BUF struct buf pnl = BUF_INIT(64);
    AUTO_BUF struct buf held = BUF_INIT(64);
    buf_addf(&id, "%lld", (long long)t->id);
    clock_add_iso(&at, t->closed_us, false);
    buf_truncate(&at, at.len < 16 ? at.len : 16); /* to the minute */
    figure_money(&pnl, t->pnl, true);
    clock_add_duration(&held, t->closed_us - t->opened_us);
    reply_row(r, (const char *const[]){id.data, at.data, t->symbol.name, side_name(t->side),
                                       pnl.data, held.data, t->exit_reason});
}

static int show_trades(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t count = action_arg_i64(call, "count", TRADES_DEFAULT);
    struct trade trades[TRADES_MAX];
    struct trade_stats stats;
    int rc = need_store(desk, err);
    if (rc < 0) {
        return rc;
    }
    if (count < 1 || count > TRADES_MAX) {
        return err_set(err, ERR_COMMAND_ARG_INVALID, "count: %lld is not in 1 to %d",
                       (long long)count, TRADES_MAX);
    }
    int n = trade_table_list(desk->o.trading, &(struct trade_query){0}, trades, (size_t)count, err);
    if (n < 0 || (rc = trade_table_stats(desk->o.trading, 0, &stats, err)) < 0) {
        return n < 0 ? n : rc;
    }
    struct json_object *list = json_object_new_array();
    put(reply_data(r), "trades", list);
    reply_title(r, TONE_PLAIN, n == 1 ? "Last trade" : "Last %d trades", n);
    if (n == 0) {
        reply_title(r, TONE_PLAIN, "No trades yet");
        return ACTION_DONE;
    }
    reply_table(r, 7,
                (const char *const[]){"#", "closed", "symbol", "side", "result", "held", "exit"});
    for (int i = 0; i < n; i++) {
        trade_row(r, &trades[i]);
        (void)json_object_array_add(list, trade_json(&trades[i]));
    }
    AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
    struct dec sum = dec_add(stats.gross_profit, stats.gross_loss);
    buf_addf(&line, "All %lld: %lld won (", (long long)stats.count, (long long)stats.wins);
    figure_pct(&line, stats.count == 0 ? 0 : 100.0 * (double)stats.wins / (double)stats.count, 0,
               false);
    buf_add_c(&line, "), result ");
    figure_money(&line, sum, true);
    buf_add_c(&line, ", fees ");
    figure_money(&line, stats.fees, false);
    reply_line(r, "%s", line.data);
    put(reply_data(r), "count", json_object_new_int64(stats.count));
    put(reply_data(r), "wins", json_object_new_int64(stats.wins));
    put_dec(reply_data(r), "result", sum);
    market_line(r, desk_snapshot(desk));
    reply_protect(r);
    return ACTION_DONE;
}

/* ------------------------------------------------------------------------------------ why ---- */

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
        reply_line(r, "Score: (%s) / %.2f = %+.2f; ±%.2f is needed", line.data, largest, d->score,
                   d->threshold);
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

static int why_outcome(struct desk *desk, struct reply *r, const struct decision *d,
                       struct err *err)
{
    struct order order;
    char qty[DEC_TEXT_SIZE];
    int rc = 0;
    switch (d->outcome) {
    case OUTCOME_HOLD:
        reply_line(r, "Held: %s.",
                   d->veto_text[0] != '\0' ? d->veto_text : "the score stayed under the threshold");
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
    put(data, "decision_id", json_object_new_int64(d->id));
    put(data, "symbol", json_object_new_string(d->symbol.name));
    put_iso(data, "at", d->at_us);
    put(data, "score", json_object_new_double(d->score));
    put(data, "threshold", json_object_new_double(d->threshold));
    put(data, "direction", json_object_new_string(direction_name(d->direction)));
    put(data, "outcome", json_object_new_string(outcome_name(d->outcome)));
    put(data, "veto_code", json_object_new_string(d->veto_code));
    put(data, "client_id", json_object_new_string(d->client_id));
    struct json_object *votes = json_object_new_array();
    for (int i = 0; i < d->vote_count; i++) {
        struct json_object *vote = json_object_new_object();
        put(vote, "agent", json_object_new_string(d->votes[i].agent));
        put(vote, "direction", json_object_new_string(direction_name(d->votes[i].direction)));
        put(vote, "confidence", json_object_new_double(d->votes[i].confidence));
        put(vote, "weight", json_object_new_double(d->votes[i].weight));
        struct json_object *reasons = json_object_new_array();
        for (int k = 0; k < d->votes[i].reason_count; k++) {
            const struct reason *why = &d->votes[i].reasons[k];
            struct json_object *reason = json_object_new_object();
            put(reason, "indicator", json_object_new_string(why->indicator));
            put(reason, "value", json_object_new_double(why->value));
            put(reason, "limit", json_object_new_double(why->threshold));
            put(reason, "points", json_object_new_double(why->points));
            (void)json_object_array_add(reasons, reason);
        }
        put(vote, "reasons", reasons);
        (void)json_object_array_add(votes, vote);
    }
    put(data, "votes", votes);
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

static int show_why(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct reply *r = action_reply(call);
    const char *what = action_arg(call, "what");
    struct symbol symbol = {0};
    struct decision d;
    int64_t id = 0;
    int rc = need_store(desk, err);
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
    reply_title(r, TONE_PLAIN, "%s · %s · score %+.2f of %.2f · %s", d.symbol.name,
                direction_name(d.direction), d.score, d.threshold, outcome_name(d.outcome));
    buf_addf(&line, "Decision %lld at ", (long long)d.id);
    clock_add_iso(&line, d.at_us, false);
    buf_add_c(&line, ", price ");
    figure_price(&line, d.price);
    buf_addf(&line, ", market %s", regime_name(d.regime));
    reply_line(r, "%s", line.data);
    why_votes(r, &d);
    why_score(r, &d);
    why_data(reply_data(r), &d);
    rc = why_outcome(desk, r, &d, err);
    market_line(r, desk_snapshot(desk));
    return rc;
}

/* -------------------------------------------------------------------------------- changes ---- */

static void cancel_request(struct action_call *call)
{
    desk_drop(action_userdata(call), call);
}

static int recover_request(struct action_call *call, bool *ret_happened, struct err *err)
{
    return desk_recover(action_userdata(call), call, ret_happened, err);
}

static bool paused(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_snapshot(desk);
    struct reply *r = action_reply(p->call);
    reply_title(r, TONE_PLAIN, "⏸ Trading is paused");
    reply_line(r, "Nothing new is opened. %d open position%s keep%s stop and target.",
               s->position_count, s->position_count == 1 ? "" : "s",
               s->position_count == 1 ? "s its" : " their");
    reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    desk_finish(p, NULL);
    return true;
}

static int pause_trading(struct action_call *call, struct err *err)
{
    return desk_ask(action_userdata(call), call, REQUEST_PAUSE, (struct symbol){0}, paused, err);
}

static bool resumed(struct desk *desk, struct pending *p)
{
    (void)desk;
    reply_title(action_reply(p->call), TONE_GOOD, "Trading goes on");
    desk_finish(p, NULL);
    return true;
}

static int resume_trading(struct action_call *call, struct err *err)
{
    return desk_ask(action_userdata(call), call, REQUEST_RESUME, (struct symbol){0}, resumed, err);
}

static bool in_scope(const struct symbol *scope, const struct position *p)
{
    return scope->name[0] == '\0' || symbol_equal(*scope, p->symbol);
}

static int count_open(const struct snapshot *s, const struct symbol *scope)
{
    int open = 0;
    for (int i = 0; i < s->position_count; i++) {
        open += in_scope(scope, &s->positions[i]) ? 1 : 0;
    }
    return open;
}

static void list_open(struct reply *r, const struct snapshot *s, const struct symbol *scope)
{
    for (int i = 0; i < s->position_count; i++) {
        if (in_scope(scope, &s->positions[i])) {
            AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
            position_line(&line, &s->positions[i]);
            reply_line(r, "%s", line.data);
        }
    }
}

/* "all", or one of the configured symbols. */
static int read_scope(const struct desk *desk, const char *text, struct symbol *ret,
                      struct err *err)
{
    *ret = (struct symbol){0};
    if (str_equal_nocase(str_c(text), "all")) {
        return 0;
    }
    const struct config_symbols *symbols = &desk->o.config->market_symbols;
    AUTO_BUF struct buf known = BUF_INIT(256);
    bool parsed = symbol_parse(str_c(text), ret);
    for (int i = 0; i < symbols->count; i++) {
        if (parsed && symbol_equal(*ret, symbols->items[i])) {
            return 0;
        }
        buf_addf(&known, ", %s", symbols->items[i].name);
    }
    return err_set(err, ERR_COMMAND_ARG_INVALID, "symbol: %.40s is none of all%s", text,
                   known.data);
}

static int preview_close(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_snapshot(desk);
    struct symbol scope;
    int rc = read_scope(desk, action_arg(call, "symbol"), &scope, err);
    if (rc < 0) {
        return rc;
    }
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "close");
    }
    if (count_open(s, &scope) == 0) {
        return err_set(err, ERR_ENGINE_NOTHING_OPEN, "%s",
                       scope.name[0] == '\0' ? "no symbol" : scope.name);
    }
    list_open(action_reply(call), s, &scope);
    return 0;
}

/* What the closed positions brought: trades since the request. */
static void closed_trades(const struct desk *desk, const struct pending *p, struct reply *r)
{
    struct trade trades[SYMBOLS_MAX];
    struct trade_query query = {.since_us = p->market_us, .symbol = p->symbol};
    struct err ignored = {0}; /* they are closed; that the list cannot be read changes nothing */
    int n = desk->o.trading == NULL
                ? 0
                : trade_table_list(desk->o.trading, &query, trades, SYMBOLS_MAX, &ignored);
    for (int i = 0; i < n; i++) {
        const struct trade *t = &trades[i];
        AUTO_BUF struct buf line = BUF_INIT(LINE_SIZE);
        char qty[DEC_TEXT_SIZE];
        buf_addf(&line, "%s  %s %s  ", t->symbol.name, side_name(t->side), dec_text(t->qty, qty));
        figure_price(&line, t->entry_price);
        buf_add_c(&line, " → ");
        figure_price(&line, t->exit_price);
        buf_add_c(&line, "   ");
        figure_money(&line, t->pnl, true);
        reply_line(r, "%s  (%s)", line.data, t->exit_reason);
    }
}

static bool closed(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_snapshot(desk);
    struct reply *r = action_reply(p->call);
    const char *what = p->symbol.name[0] == '\0' ? "all positions" : p->symbol.name;
    if (s->version > p->version && count_open(s, &p->symbol) == 0) {
        reply_title(r, TONE_GOOD, "Closed: %s", what);
        closed_trades(desk, p, r);
        desk_finish(p, NULL);
        return true;
    }
    if (desk_waited_us(desk, p) < CLOSE_WAIT_US) {
        return false;
    }
    struct err err = {0};
    (void)err_set(&err, ERR_CLOSE_UNFINISHED, "%s", what);
    list_open(r, s, &p->symbol);
    desk_finish(p, &err);
    return true;
}

static int close_position(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    struct symbol scope;
    int rc = read_scope(desk, action_arg(call, "symbol"), &scope, err);
    return rc < 0 ? rc : desk_ask(desk, call, REQUEST_CLOSE, scope, closed, err);
}

static int preview_emergency(struct action_call *call, struct err *err)
{
    (void)err; /* never refused */
    const struct snapshot *s = desk_snapshot(action_userdata(call));
    const struct symbol all = {0};
    reply_line(action_reply(call),
               "Nothing new is opened from then on, open orders are cancelled, every position is "
               "closed (%d now), and the venue is asked whether all is flat.",
               s->position_count);
    list_open(action_reply(call), s, &all);
    return 0;
}

static bool stopped(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_snapshot(desk);
    const struct symbol all = {0};
    struct reply *r = action_reply(p->call);
    if (s->version > p->version && s->state == TRADING_EMERGENCY && s->verified_flat) {
        reply_title(r, TONE_PLAIN, "⛔ Emergency stop: verified flat");
        reply_line(r, "The venue itself lists no position and no order. Trading stays off, also "
                      "after a restart.");
        closed_trades(desk, p, r);
        desk_finish(p, NULL);
        return true;
    }
    if (desk_waited_us(desk, p) < EMERGENCY_WAIT_US) {
        action_progress(p->call, "%d positions and %llu orders open", s->position_count,
                        (unsigned long long)s->open_orders);
        return false;
    }
    struct err err = {0};
    (void)err_set(&err, ERR_EMERGENCY_NOT_FLAT, "%d positions, %llu orders, %llu of them unknown",
                  s->position_count, (unsigned long long)s->open_orders,
                  (unsigned long long)s->unknown_orders);
    list_open(r, s, &all);
    desk_finish(p, &err);
    return true;
}

static int emergency_stop(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    atomic_store(&desk->o.crossing->halt, true); /* first: it must not wait for a queue */
    reply_line(action_reply(call), "The kill switch is set: nothing new is opened.");
    return desk_ask(desk, call, REQUEST_EMERGENCY_STOP, (struct symbol){0}, stopped, err);
}

static bool cleared(struct desk *desk, struct pending *p)
{
    (void)desk;
    struct reply *r = action_reply(p->call);
    reply_title(r, TONE_PLAIN, "⏸ Emergency stop cleared; trading is paused");
    reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    desk_finish(p, NULL);
    return true;
}

static int clear_emergency(struct action_call *call, struct err *err)
{
    return desk_ask(action_userdata(call), call, REQUEST_CLEAR_EMERGENCY, (struct symbol){0},
                    cleared, err);
}

static const struct action actions[] = {
    {.name = "trading.status",
     .summary = "Account, positions, services and alerts at a glance",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_status},
    {.name = "trading.positions",
     .summary = "Open positions",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_positions},
    {.name = "trading.trades",
     .summary = "Closed trades, newest first, and what all of them add up to",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "count", .type = PARAM_INT, .help = "how many, 1 to 50"}},
     .run = show_trades},
    {.name = "trading.why",
     .summary = "The newest decision, or that of a trade: votes, reasons, veto, order",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = {{.name = "what", .type = PARAM_TEXT, .help = "number of a trade, or a symbol"}},
     .run = show_why},
    {.name = "trading.pause",
     .summary = "Open nothing new; open positions stay protected",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = pause_trading,
     .cancel = cancel_request,
     .recover = recover_request},
    {.name = "trading.resume",
     .summary = "Trade again after a pause or the breaker",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = resume_trading,
     .cancel = cancel_request,
     .recover = recover_request},
    {.name = "trading.close",
     .summary = "Close one position, or all, at the market",
     .effect = ACTION_MOVES_MONEY,
     .lowest = ROLE_OPERATOR,
     .params =
         {{.name = "symbol", .type = PARAM_TEXT, .required = true, .help = "a symbol, or all"}},
     .run = close_position,
     .cancel = cancel_request,
     .recover = recover_request,
     .preview = preview_close},
    {.name = "trading.emergency_stop",
     .summary = "Stop trading at once, cancel and close everything, verify with the venue",
     .effect = ACTION_MOVES_MONEY,
     .lowest = ROLE_READ_ONLY,
     .emergency = true,
     .run = emergency_stop,
     .cancel = cancel_request,
     .recover = recover_request,
     .preview = preview_emergency},
    {.name = "trading.clear_emergency",
     .summary = "The way back from an emergency stop that is verified flat: to paused",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .emergency = true,
     .run = clear_emergency,
     .cancel = cancel_request,
     .recover = recover_request},
    {0},
};

void trading_actions(struct desk *desk, struct action_table *table)
{
    action_table_add(table, actions, desk);
}
