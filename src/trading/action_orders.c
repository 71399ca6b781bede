#include "base/check.h"
#include "config/config.h"
#include "desk_internal.h"
#include "store/order_table.h"
#include "view.h"

#include <string.h>

/* Below the timeouts in the manifests, so that the reply can show the current state. */
#define AMEND_WAIT_US  (20 * USEC_PER_SEC)
#define CANCEL_WAIT_US (20 * USEC_PER_SEC)
#define LINE_SIZE      1024
#define ORDERS_LOOK    32 /* only the newest orders are examined */
/* Farther from the price than any stop or target of this bot (a few ATR) and than a day moves most
 * coins: what a dropped or doubled digit does, so the prompt says it in words. */
#define FAR_PCT 20

/* ------------------------------------------------------------------------------------ amend ----
 */

static const struct position *find_position(const struct snapshot *s, struct symbol symbol)
{
    for (int i = 0; i < s->position_count; i++) {
        if (symbol_equal(s->positions[i].symbol, symbol)) {
            return &s->positions[i];
        }
    }
    return NULL;
}

/* Zero if not given. Refused unless it is a multiple of the venue's tick. */
static int read_price(const struct action_call *call, const char *name, struct dec *ret,
                      struct err *err)
{
    *ret = action_price(call, name);
    struct dec step = desk_tick(action_userdata(call), action_symbol(call, "symbol"), *ret);
    struct dec below = dec_floor_to(*ret, step);
    if (!dec_is_valid(step) || below.e8 == ret->e8) { /* 0 digits: the venue does not round */
        return 0;
    }
    char text[DEC_TEXT_SIZE], low[DEC_TEXT_SIZE], high[DEC_TEXT_SIZE], tick[DEC_TEXT_SIZE];
    return err_set(err, ERR_COMMAND_ARG_INVALID,
                   "%s: %s is not a multiple of the tick %s; nearest: %s or %s", name,
                   dec_text(*ret, text), dec_text(step, tick), dec_text(below, low),
                   dec_text(dec_add(below, step), high));
}

static int read_amendment(const struct action_call *call, struct request *ret, struct err *err)
{
    *ret = (struct request){.kind = REQUEST_AMEND, .symbol = action_symbol(call, "symbol")};
    int rc = read_price(call, "stop", &ret->stop, err);
    if (rc == 0) {
        rc = read_price(call, "target", &ret->target, err);
    }
    if (rc == 0 && ret->stop.e8 == 0 && ret->target.e8 == 0) {
        rc = err_set(err, ERR_COMMAND_ARG_MISSING, "stop or target: at least one of the two");
    }
    return rc;
}

/* "Stop    62,838.1 → 63,500.0 (1.9 % below the price)" */
static void show_change(struct reply *r, const char *what, const struct position *p,
                        struct dec from, struct dec to)
{
    const char *symbol = p->symbol.name;
    if (to.e8 == 0) {
        reply_para(r, "{} stays at {}", cell_text(what), cell_price(from, symbol));
        return;
    }
    double away = cell_ratio_pct(dec_sub(to, p->mark_price), p->mark_price);
    reply_para(r, "{}  {} → {} ({} {} the price)", cell_text(what), cell_price(from, symbol),
               cell_price(to, symbol), cell_pct(away < 0 ? -away : away, 1),
               cell_text(away < 0 ? "below" : "above"));
    if (away < -FAR_PCT || away > FAR_PCT) {
        reply_line(r, "⚠ That is far from the price: is a digit missing, or one too many?");
    }
}

/* Whether a stop, or a target, is on the correct side of the price. */
static bool is_on_correct_side(const struct position *p, struct dec price, bool stop)
{
    bool below = (p->side == SIDE_LONG) == stop;
    return price.e8 == 0 ||
           (below ? dec_cmp(price, p->mark_price) < 0 : dec_cmp(price, p->mark_price) > 0);
}

/* The result of the position if it closes at this stop, without fees. Negative: a loss. */
static struct dec result_at(const struct position *p, struct dec stop)
{
    struct dec gain =
        p->side == SIDE_LONG ? dec_sub(stop, p->entry_price) : dec_sub(p->entry_price, stop);
    return dec_mul(gain, p->qty);
}

/* Shows the result at the stop (r may be NULL). Refuses a stop that loses more than
 * risk.risk_per_trade, unless it loses less than the current stop. */
static int check_risk(const struct desk *desk, const struct snapshot *s, const struct position *p,
                      struct dec stop, struct reply *r, struct err *err)
{
    double limit_pct = s->risk.risk_per_trade_pct > 0 ? s->risk.risk_per_trade_pct
                                                      : desk->o.config->risk_risk_per_trade_pct;
    struct dec result = result_at(p, stop);
    if (!dec_is_valid(result) || s->equity.e8 <= 0) {
        return err_set(err, ERR_AMEND_RISK, "%s: the loss at that stop cannot be computed",
                       p->symbol.name);
    }
    double pct = cell_ratio_pct(result, s->equity);
    if (r != NULL) {
        reply_para(r, "At the stop: {} ({} of equity; risk.risk_per_trade is {})",
                   cell_money_signed(result), cell_pct_signed(pct, 2),
                   cell_pct(limit_pct, CELL_PLACES_SHORT));
    }
    if (-pct <= limit_pct || (p->stop.e8 > 0 && dec_cmp(result, result_at(p, p->stop)) > 0)) {
        return 0;
    }
    AUTO_BUF struct buf loss = BUF_INIT(LINE_SIZE);
    cell_add_text(&loss, cell_money(dec_neg(result)));
    return err_set(err, ERR_AMEND_RISK,
                   "%s: at that stop it would lose %s, %.2f %% of equity; "
                   "risk.risk_per_trade is %g %%",
                   p->symbol.name, loss.data, -pct, limit_pct);
}

static int preview_amend(struct action_call *call, struct err *err)
{
    const struct snapshot *s = desk_read(action_userdata(call), action_reply(call));
    struct reply *r = action_reply(call);
    struct request draft;
    int rc = read_amendment(call, &draft, err);
    if (rc < 0) {
        return rc;
    }
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "amend");
    }
    const struct position *p = find_position(s, draft.symbol);
    if (p == NULL) {
        return err_set(err, ERR_ENGINE_NOTHING_OPEN, "%s", draft.symbol.name);
    }
    view_position(r, p);
    action_depends_price(call, p->symbol.name, p->mark_price);
    action_depends(call, "side", "%s", side_name(p->side));
    for (int stop = 1; stop >= 0; stop--) {
        struct dec wanted = stop == 1 ? draft.stop : draft.target;
        const char *what = stop == 1 ? "stop" : "target";
        if (!is_on_correct_side(p, wanted, stop == 1)) {
            AUTO_BUF struct buf why = BUF_INIT(LINE_SIZE);
            bool below = (p->side == SIDE_LONG) == (stop == 1);
            buf_addf(&why, "the %s of a %s must be %s the price, which is ", what,
                     side_name(p->side), below ? "below" : "above");
            cell_add_text(&why, cell_price(p->mark_price, p->symbol.name));
            return err_set(err, ERR_ENGINE_AMEND, "%s: %s", p->symbol.name, why.data);
        }
    }
    show_change(r, "Stop", p, p->stop, draft.stop);
    show_change(r, "Target", p, p->target, draft.target);
    if (draft.stop.e8 > 0) {
        rc = check_risk(action_userdata(call), s, p, draft.stop, r, err);
    }
    return rc;
}

/* wanted 0: it was not to be changed. */
static bool is_set(struct dec wanted, struct dec current)
{
    return wanted.e8 == 0 || wanted.e8 == current.e8;
}

bool desk_is_amended(struct desk *desk, const struct pending *p)
{
    const struct snapshot *s = desk_snapshot(desk);
    const struct position *held = find_position(s, p->asked.symbol);
    return s->version > p->version && held != NULL && is_set(p->asked.stop, held->stop) &&
           is_set(p->asked.target, held->target);
}

static bool amended(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_read(desk, action_reply(p->call));
    const struct position *held = find_position(s, p->asked.symbol);
    struct reply *r = action_reply(p->call);
    struct err err = {0};
    if (s->version <= p->version || (held != NULL && (!is_set(p->asked.stop, held->stop) ||
                                                      !is_set(p->asked.target, held->target)))) {
        if (desk_waited_us(desk, p) < AMEND_WAIT_US) {
            return false;
        }
        (void)err_set(&err, ERR_AMEND_UNFINISHED, "%s", p->asked.symbol.name);
    }
    if (held == NULL) {
        (void)err_set(&err, ERR_ENGINE_NOTHING_OPEN, "%s was closed in the meantime",
                      p->asked.symbol.name);
    } else {
        view_position(r, held);
    }
    if (err.id == ERR_NONE) {
        reply_title(r, TONE_GOOD, "Stop and target of %s are set", p->asked.symbol.name);
        reply_line(r, "The venue has confirmed them.");
    }
    if (err.id == ERR_AMEND_UNFINISHED) {
        desk_give_up(desk, p, &err);
        return true;
    }
    desk_finish(p, err.id == ERR_NONE ? NULL : &err);
    return true;
}

static int amend(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_snapshot(desk);
    struct request draft;
    int rc = read_amendment(call, &draft, err);
    const struct position *p = rc < 0 ? NULL : find_position(s, draft.symbol);
    if (p != NULL && draft.stop.e8 > 0) { /* the position may have changed since the prompt */
        rc = check_risk(desk, s, p, draft.stop, NULL, err);
    }
    return rc < 0 ? rc : desk_ask(desk, call, &draft, amended, err);
}

/* ----------------------------------------------------------------------------------- cancel ----
 */

static void order_line(struct reply *r, const struct order *o)
{
    reply_para(r, "{} {} {} @ {}, {}", cell_symbol(o->symbol.name), cell_text(side_name(o->side)),
               cell_qty(o->qty, o->symbol.name), cell_price(o->reference_price, o->symbol.name),
               cell_text(order_state_name(o->state)));
    if (o->filled_qty.e8 > 0) {
        reply_more(r, ", {} filled @ {}", cell_qty(o->filled_qty, o->symbol.name),
                   cell_price(o->average_price, o->symbol.name));
    }
}

/* Returns the number of open entry orders in the scope. Adds to r (unless NULL) those that are open
 * or have changed since the request. */
static int list_entries(struct desk *desk, const struct pending *p, struct reply *r, int *ret_shown,
                        struct err *err)
{
    struct order orders[ORDERS_LOOK];
    int rc = desk->o.trading == NULL
                 ? err_set(err, ERR_ENGINE_SILENT, "trading.db does not exist yet")
                 : 0;
    int n = rc < 0 ? rc
                   : order_table_list(desk->o.trading, &(struct order_query){0}, orders,
                                      ORDERS_LOOK, err);
    int open = 0;
    *ret_shown = 0;
    for (int i = 0; i < n; i++) {
        const struct order *o = &orders[i];
        if (o->kind != ORDER_ENTRY || !desk_in_scope(p->asked.symbol, o->symbol)) {
            continue;
        }
        open += !order_state_is_final(o->state);
        if (r != NULL && (o->updated_us >= p->market_us || !order_state_is_final(o->state))) {
            order_line(r, o);
            (*ret_shown)++;
        }
    }
    return n < 0 ? n : open;
}

bool desk_is_cancelled(struct desk *desk, const struct pending *p)
{
    int shown = 0;
    struct err ignored = {0};
    return list_entries(desk, p, NULL, &shown, &ignored) == 0;
}

static bool cancelled(struct desk *desk, struct pending *p)
{
    struct reply *r = action_reply(p->call);
    struct err err = {0};
    int shown = 0;
    int open = list_entries(desk, p, NULL, &shown, &err);
    if (open > 0 && desk_waited_us(desk, p) < CANCEL_WAIT_US) {
        return false;
    }
    const char *what = p->asked.symbol.name[0] == '\0' ? "all symbols" : p->asked.symbol.name;
    if (open > 0) {
        (void)err_set(&err, ERR_CANCEL_UNFINISHED, "%s: %d open", what, open);
    } else if (open == 0) {
        reply_title(r, TONE_GOOD, "No entry orders are open: %s", what);
    }
    if (open >= 0) {
        (void)list_entries(desk, p, r, &shown, &err);
        reply_line(r, "Open positions keep their stop and target.");
    }
    if (err.id == ERR_CANCEL_UNFINISHED) {
        desk_give_up(desk, p, &err);
        return true;
    }
    desk_finish(p, err.id == ERR_NONE ? NULL : &err);
    return true;
}

static int cancel_entries(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_CANCEL, .symbol = action_symbol(call, "symbol")};
    return desk_ask(action_userdata(call), call, &draft, cancelled, err);
}

/* ------------------------------------------------------------------------------ maintenance ----
 */

static int preview_maintenance(struct action_call *call, struct err *err)
{
    (void)err; /* never refused */
    const struct snapshot *s = desk_read(action_userdata(call), action_reply(call));
    reply_para(action_reply(call),
               "No new positions are opened until /resume, even after a restart. Open entry orders "
               "are cancelled. Open positions ({} now) keep their stop and target.",
               cell_count(s->position_count));
    return 0;
}

static bool maintenance_started(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_read(desk, action_reply(p->call));
    struct reply *r = action_reply(p->call);
    reply_title(r, TONE_PLAIN, "🔧 Maintenance started");
    reply_para(r, "No new positions are opened. Open positions: {}.",
               cell_count(s->position_count));
    reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    desk_finish(p, NULL);
    return true;
}

static int start_maintenance(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_MAINTENANCE, .number = desk_pausing_run(call)};
    return desk_ask(action_userdata(call), call, &draft, maintenance_started, err);
}

const struct action action_orders_rows[] = {
    {.name = "trading.amend",
     .summary = "Move the stop or the target of an open position",
     .data = DESK_AGE,
     .effect = ACTION_MOVES_MONEY,
     .waits_us = AMEND_WAIT_US,
     .lowest = ROLE_OPERATOR,
     .locks = "position:$symbol",
     .params = ACTION_PARAMS(
         {.name = "symbol", .type = PARAM_POSITION, .required = true, .help = "of the position"},
         {.name = "stop",
          .type = PARAM_PRICE,
          .symbol_of = "symbol",
          .help = "new price of the stop"},
         {.name = "target",
          .type = PARAM_PRICE,
          .symbol_of = "symbol",
          .help = "new price of the target"}),
     .run = amend,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_amend},
    {.name = "trading.cancel",
     .summary = "Cancel open entry orders; positions stay open",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .waits_us = CANCEL_WAIT_US,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "symbol",
                              .type = PARAM_SYMBOL_OR_ALL,
                              .default_text = "all",
                              .help = "a symbol, or all"}),
     .run = cancel_entries,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {.name = "trading.maintenance",
     .summary = "Open no new positions during work on the bot or the venue",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .lowest = ROLE_ADMIN,
     .locks = "trading",
     .safe_side = true,
     .run = start_maintenance,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_maintenance},
    {0},
};
