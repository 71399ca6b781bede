#include "base/check.h"
#include "desk_internal.h"
#include "store/trade_table.h"
#include "view.h"

#include <string.h>

/* Below the timeouts in the manifests, so that the reply can list what is still open. */
#define CLOSE_WAIT_US     (20 * USEC_PER_SEC)
#define EMERGENCY_WAIT_US (45 * USEC_PER_SEC)
#define LINE_SIZE         1024

static bool paused(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_read(desk, action_reply(p->call));
    struct reply *r = action_reply(p->call);
    reply_title(r, TONE_PLAIN, "⏸ Trading is paused");
    if (s->position_count == 0) {
        reply_line(r, "No new positions are opened, and none is open.");
    } else {
        bool one = s->position_count == 1;
        reply_para(r, "No new positions are opened. {} open position{} stop and target.",
                   cell_count(s->position_count), cell_text(one ? " keeps its" : "s keep their"));
    }
    reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    desk_finish(p, NULL);
    return true;
}

static int pause_trading(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_PAUSE, .number = desk_pausing_run(call)};
    return desk_ask(action_userdata(call), call, &draft, paused, err);
}

static bool resumed(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_read(desk, action_reply(p->call));
    struct reply *r = action_reply(p->call);
    if (p->asked.number != 0 && s->state != TRADING_ACTIVE) {
        reply_title(r, TONE_WARN, "Trading stays as it is: %s", s->state_reason);
        reply_line(r, "It was not this run that paused it.");
    } else if (s->state == TRADING_BREAKER) {
        reply_title(r, TONE_BAD, "Resumed, but the circuit breaker is tripped");
        reply_line(r, "Limits exceeded: %s. Send /resume again to reset the breaker.",
                   s->state_reason);
    } else {
        reply_title(r, TONE_GOOD, "Trading resumed");
    }
    desk_finish(p, NULL);
    return true;
}

static int resume_trading(struct action_call *call, struct err *err)
{
    const struct request draft = {.kind = REQUEST_RESUME, .number = desk_pausing_run(call)};
    return desk_ask(action_userdata(call), call, &draft, resumed, err);
}

static int count_open(const struct snapshot *s, const struct symbol *scope)
{
    int open = 0;
    for (int i = 0; i < s->position_count; i++) {
        open += desk_in_scope(*scope, s->positions[i].symbol) ? 1 : 0;
    }
    for (int i = 0; i < s->foreign_count; i++) {
        open += desk_in_scope(*scope, s->foreign[i].symbol) ? 1 : 0;
    }
    return open;
}

static void list_open(struct reply *r, const struct snapshot *s, const struct symbol *scope)
{
    for (int i = 0; i < s->position_count; i++) {
        if (desk_in_scope(*scope, s->positions[i].symbol)) {
            view_position(r, &s->positions[i]);
        }
    }
    for (int i = 0; i < s->foreign_count; i++) {
        if (desk_in_scope(*scope, s->foreign[i].symbol)) {
            view_foreign(r, &s->foreign[i]);
        }
    }
}

static void depend_on(struct action_call *call, struct symbol symbol, enum side side,
                      struct dec qty)
{
    AUTO_BUF struct buf what = BUF_INIT(64);
    AUTO_BUF struct buf value = BUF_INIT(64);
    buf_addf(&what, "position %s", symbol.name);
    buf_addf(&value, "%s ", side_name(side));
    dec_add_text(&value, qty);
    action_depends(call, what.data, "%s", value.data);
}

/* What would be closed, at which price, and the result. The answer counts only while that is
 * so. */
static void show_exits(struct action_call *call, const struct snapshot *s,
                       const struct symbol *scope)
{
    struct reply *r = action_reply(call);
    struct dec value = DEC_ZERO, result = DEC_ZERO;
    int count = 0;
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        if (!desk_in_scope(*scope, p->symbol)) {
            continue;
        }
        view_exit(r, p);
        depend_on(call, p->symbol, p->side, p->qty);
        action_depends_price(call, p->symbol.name, p->mark_price);
        value = dec_add(value, dec_mul(p->qty, p->mark_price));
        result = dec_add(result, p->unrealised);
        count++;
    }
    for (int i = 0; i < s->foreign_count; i++) {
        const struct snapshot_foreign *f = &s->foreign[i];
        if (desk_in_scope(*scope, f->symbol)) {
            view_foreign(r, f);
            depend_on(call, f->symbol, f->side, f->qty);
        }
    }
    if (count > 1) {
        reply_para(r, "{} positions, value {}, unrealised {}", cell_count(count), cell_money(value),
                   cell_money_signed(result));
    }
}

static int preview_close(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    const struct symbol scope = action_symbol(call, "symbol");
    if (s->version == 0) {
        return err_set(err, ERR_ENGINE_SILENT, "close");
    }
    if (count_open(s, &scope) == 0) {
        return err_set(err, ERR_ENGINE_NOTHING_OPEN, "%s",
                       scope.name[0] == '\0' ? "all symbols" : scope.name);
    }
    show_exits(call, s, &scope);
    return 0;
}

/* Lists the trades since the request: the results of the closed positions. */
static void closed_trades(const struct desk *desk, const struct pending *p, struct reply *r)
{
    struct trade trades[POSITIONS_LIMIT];
    struct trade_query query = {.since_us = p->market_us, .symbol = p->asked.symbol};
    struct err ignored = {0}; /* without the list the positions are closed nevertheless */
    int n = desk->o.trading == NULL
                ? 0
                : trade_table_list(desk->o.trading, &query, trades, POSITIONS_LIMIT, &ignored);
    for (int i = 0; i < n; i++) {
        const struct trade *t = &trades[i];
        reply_para(r, "{} {} {}: {} → {}, {} ({})", cell_symbol(t->symbol.name),
                   cell_text(side_name(t->side)), cell_qty(t->qty, t->symbol.name),
                   cell_price(t->entry_price, t->symbol.name),
                   cell_price(t->exit_price, t->symbol.name), cell_money_signed(t->pnl),
                   cell_text(t->exit_reason));
    }
}

/* The books alone are not enough: the venue must agree that nothing is open. */
bool desk_is_closed(struct desk *desk, const struct pending *p)
{
    const struct snapshot *s = desk_snapshot(desk);
    return s->version > p->version && count_open(s, &p->asked.symbol) == 0 && s->venue_agrees;
}

static bool closed(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_read(desk, action_reply(p->call));
    struct reply *r = action_reply(p->call);
    const char *what = p->asked.symbol.name[0] == '\0' ? "all positions" : p->asked.symbol.name;
    int open = count_open(s, &p->asked.symbol);
    if (desk_is_closed(desk, p)) {
        reply_title(r, TONE_GOOD, "Closed: %s", what);
        reply_line(r, "The venue confirms that nothing of it is open.");
        closed_trades(desk, p, r);
        desk_finish(p, NULL);
        return true;
    }
    if (desk_waited_us(desk, p) < CLOSE_WAIT_US) {
        return false;
    }
    struct err err = {0};
    (void)err_set(&err, ERR_CLOSE_UNFINISHED, "%s%s", what,
                  open == 0 ? ": closed in the books, not confirmed by the venue" : "");
    list_open(r, s, &p->asked.symbol);
    desk_give_up(desk, p, &err);
    return true;
}

static int close_position(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct request draft = {.kind = REQUEST_CLOSE, .symbol = action_symbol(call, "symbol")};
    return desk_ask(desk, call, &draft, closed, err);
}

static int preview_emergency(struct action_call *call, struct err *err)
{
    (void)err; /* never refused */
    const struct snapshot *s = desk_read(action_userdata(call), action_reply(call));
    const struct symbol all = {0};
    reply_para(action_reply(call),
               "No new positions are opened, all open orders are cancelled, all positions are "
               "closed ({} now), and the venue is asked to confirm that nothing is open.",
               cell_count(s->position_count));
    list_open(action_reply(call), s, &all);
    return 0;
}

bool desk_is_stopped(struct desk *desk, const struct pending *p)
{
    const struct snapshot *s = desk_snapshot(desk);
    return s->version > p->version && s->state == TRADING_EMERGENCY && s->verified_flat;
}

static bool stopped(struct desk *desk, struct pending *p)
{
    const struct snapshot *s = desk_read(desk, action_reply(p->call));
    const struct symbol all = {0};
    struct reply *r = action_reply(p->call);
    if (desk_is_stopped(desk, p)) {
        reply_title(r, TONE_PLAIN, "⛔ Emergency stop: verified flat");
        reply_line(r, "The venue confirms that no position and no order is open. Trading stays "
                      "off, even after a restart.");
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
    desk_give_up(desk, p, &err);
    return true;
}

/* Must not wait for the request ring or the disk. */
static void halt_first(void *userdata, const struct principal *who)
{
    desk_halt(userdata, who->name);
}

static int emergency_stop(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    halt_first(desk, action_who(call)); /* not called yet if a crash interrupted this run */
    reply_line(action_reply(call), "The kill switch is set: no new positions are opened.");
    if (desk->stop_err.id != ERR_NONE) {
        reply_line(action_reply(call),
                   "⚠ The stop could not be saved (%s): it would be lost if nightdesk restarts.",
                   desk->stop_err.context);
    }
    return desk_ask(desk, call, &(struct request){.kind = REQUEST_EMERGENCY_STOP}, stopped, err);
}

static bool cleared(struct desk *desk, struct pending *p)
{
    desk_clear_stop(desk, p->asked.id);
    struct reply *r = action_reply(p->call);
    reply_title(r, TONE_PLAIN, "⏸ Emergency stop cleared; trading is paused");
    reply_button(r, "Resume", "/resume", BUTTON_PLAIN);
    desk_finish(p, NULL);
    return true;
}

/* Before the prompt: there is nothing to confirm if nothing is stopped. The kill switch may be set
 * while the engine has not entered the stop yet. */
static int preview_clear(struct action_call *call, struct err *err)
{
    struct desk *desk = action_userdata(call);
    const struct snapshot *s = desk_read(desk, action_reply(call));
    if (s->version > 0 && !desk_is_silent(desk, s) && s->state != TRADING_EMERGENCY &&
        !shared_is_halted(desk->o.shared)) {
        return err_set(err, ERR_ENGINE_NOT_STOPPED, "trading is %s", trading_state_name(s->state));
    }
    reply_line(action_reply(call), "Trading is paused then, until /resume.");
    return 0;
}

static int clear_emergency(struct action_call *call, struct err *err)
{
    return desk_ask(action_userdata(call), call, &(struct request){.kind = REQUEST_CLEAR_EMERGENCY},
                    cleared, err);
}

static const struct action_param a_position = {.type = PARAM_POSITION};

const struct action action_steer_rows[] = {
    {.name = "trading.pause",
     .summary = "Open no new positions; open ones keep their stop and target",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "trading",
     .safe_side = true,
     .run = pause_trading,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {.name = "trading.resume",
     .summary = "Resume trading after a pause, maintenance or the circuit breaker",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_OPERATOR,
     .locks = "trading",
     .run = resume_trading,
     .cancel = desk_cancel,
     .recover = desk_recover},
    {.name = "trading.close",
     .summary = "Close one position, or all, at the market",
     .data = DESK_AGE,
     .effect = ACTION_MOVES_MONEY,
     .waits_us = CLOSE_WAIT_US,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "symbol",
                              .type = PARAM_SYMBOL_OR_ALL,
                              .required = true,
                              .otherwise = &a_position,
                              .noun = "a symbol, the number of a position, or all",
                              .help = "a symbol, the number of a position in /positions, or all"}),
     .run = close_position,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_close},
    {.name = "trading.emergency_stop",
     .summary = "Stop trading at once, cancel and close everything, verify with the venue",
     .data = DESK_AGE,
     .effect = ACTION_MOVES_MONEY,
     .waits_us = EMERGENCY_WAIT_US,
     .lowest = ROLE_READ_ONLY,
     .locks = "trading",
     .emergency = true,
     .safe_side = true,
     .first = halt_first,
     .run = emergency_stop,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_emergency},
    {.name = "trading.clear_emergency",
     .summary = "Clear an emergency stop once it is verified flat; trading is then paused",
     .data = DESK_AGE,
     .effect = ACTION_CHANGES,
     .waits_us = DESK_REQUEST_US,
     .lowest = ROLE_ADMIN,
     .locks = "trading",
     .emergency = true,
     .run = clear_emergency,
     .cancel = desk_cancel,
     .recover = desk_recover,
     .preview = preview_clear},
    {0},
};
