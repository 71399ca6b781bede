#include "base/check.h"
#include "engine_private.h"
#include "risk/risk.h"

#include <stdio.h>

#define STOP_REASON "emergency" /* of the orders of an emergency stop */

static const struct symbol every_symbol;

void engine_control_set(struct engine *engine, enum trading_state state, const char *reason)
{
    struct engine_state *s = &engine->state;
    s->state = state;
    (void)str_copy(str_c(reason), s->state_reason, sizeof(s->state_reason));
    s->state_since_wall_us = engine->now->wall_us;
    engine->out->write = true;
    (void)engine_event(engine, TOPIC_STATE, (int64_t)engine_shown_state(engine));
}

#define OF_RUN ", run "

/* run_id 0: the reason names no run. A name too long for the reason is cut, never the number. */
static void set_by(struct engine *engine, enum trading_state state, const char *what,
                   const char *by, int64_t run_id)
{
    char reason[64], of_run[32] = "";
    if (run_id != 0) {
        (void)snprintf(of_run, sizeof(of_run), OF_RUN "%lld", (long long)run_id);
    }
    (void)snprintf(reason, sizeof(reason) - strlen(of_run), "%.24s by %.31s", what,
                   by[0] == '\0' ? "?" : by);
    memcpy(reason + strlen(reason), of_run, strlen(of_run) + 1);
    engine_control_set(engine, state, reason);
}

/* 0: the reason of the state names none. */
static int64_t run_of_state(const struct engine *engine)
{
    const char *at = strstr(engine->state.state_reason, OF_RUN);
    int64_t number = 0;
    return at != NULL && str_to_i64(str_c(at + strlen(OF_RUN)), &number) ? number : 0;
}

static bool is_paused(const struct engine *engine)
{
    return engine->state.state == TRADING_PAUSED || engine->state.state == TRADING_MAINTENANCE;
}

/* A pause that a run set only for its own duration says so at the end of its reason, which is
 * stored, recorded and shown with the state: "paused by alice, run 12". 0: a pause of any run. */
static bool is_pause_of_run(const struct engine *engine, int64_t run)
{
    int64_t number = run_of_state(engine);
    return is_paused(engine) && number != 0 && (run == 0 || number == run);
}

/* Pauses, or starts maintenance. The pause of a person replaces that of a run, so that the run does
 * not lift it at its end; the pause of a run changes nothing if trading is paused already. */
static int halt_entries(struct engine *engine, enum trading_state state, const char *what,
                        const struct request *r)
{
    const struct engine_state *s = &engine->state;
    if (s->state == TRADING_EMERGENCY) {
        return ERR_ENGINE_STOPPED;
    }
    if (r->number == 0 && (s->state != state || is_pause_of_run(engine, 0))) {
        set_by(engine, state, what, r->by, 0);
    } else if (r->number != 0 && !is_paused(engine)) {
        set_by(engine, state, what, r->by, r->number);
    }
    return ERR_NONE;
}

/* Resuming after the breaker resets the baselines of its limits, or it would trip again at once.
 * Resuming after a pause does not: a limit exceeded meanwhile trips the breaker at once. */
static int resume_trading(struct engine *engine, const struct request *r)
{
    struct engine_state *s = &engine->state;
    if (r->number != 0 && !is_pause_of_run(engine, r->number)) {
        return ERR_NONE; /* paused by somebody else, or not paused any more: it stays as it is */
    }
    switch (s->state) {
    case TRADING_EMERGENCY:
        return ERR_ENGINE_STOPPED;
    case TRADING_ACTIVE:
    case TRADING_STARTING:
        return ERR_ENGINE_NOT_PAUSED;
    case TRADING_PAUSED:
    case TRADING_BREAKER:
    case TRADING_MAINTENANCE:
        break;
    }
    struct risk_account account = {.settings = &engine->settings,
                                   .equity = engine_equity(engine),
                                   .equity_peak = s->equity_peak,
                                   .day_start_equity = s->day_start_equity,
                                   .losses_in_a_row = s->consecutive_losses};
    char reason[64];
    if (s->state == TRADING_BREAKER && risk_breaker(&account, reason, (int)sizeof(reason))) {
        s->equity_peak = account.equity;
        s->day_start_equity = account.equity;
        s->consecutive_losses = 0;
    }
    set_by(engine, TRADING_ACTIVE, "resumed", r->by, 0);
    return ERR_NONE;
}

static int close_positions(struct engine *engine, const struct request *r)
{
    int found = engine_orders_cancel_entries(engine, r->symbol);
    engine_orders_close_symbol(engine, r->symbol, r->run_id);
    (void)engine_reconcile_adopt(engine, r->symbol); /* foreign positions too */
    for (int i = 0; i < engine->position_count; i++) {
        if (symbol_equal(r->symbol, every_symbol) ||
            symbol_equal(r->symbol, engine->positions[i].symbol)) {
            engine_orders_close(engine, &engine->positions[i], "operator", r->run_id);
            found++;
        }
    }
    return found > 0 ? ERR_NONE : ERR_ENGINE_NOTHING_OPEN;
}

static int amend(struct engine *engine, const struct request *r)
{
    if (engine->state.state == TRADING_EMERGENCY) {
        return ERR_ENGINE_STOPPED;
    }
    struct ledger ledger = engine_ledger(engine);
    int index = ledger_find(&ledger, r->symbol);
    return index < 0 ? ERR_ENGINE_NOTHING_OPEN
                     : engine_orders_amend(engine, &engine->positions[index], r->stop, r->target);
}

/* Sets or, with a duration of zero, lifts a cooldown. */
static int cooldown(struct engine *engine, const struct request *r)
{
    engine->out->write = true;
    if (r->number == 0) {
        return engine_account_lift(engine, r->symbol) > 0 ? ERR_NONE : ERR_ENGINE_NO_COOLDOWN;
    }
    if (r->number < 0 || r->number > REQUEST_COOLDOWN_MAX_US ||
        engine_place(engine, r->symbol) < 0) {
        return ERR_ENGINE_REFUSED;
    }
    engine_account_cool(engine, r->symbol, engine->now->market_us + r->number);
    return ERR_NONE;
}

/* The driver has asked engine_check_capital, and told the venue. */
static int change_capital(struct engine *engine, const struct request *r)
{
    struct dec more = dec_sub((struct dec){r->number}, engine->state.initial_cash);
    if (!dec_is_valid(more) || !engine_reports_transfer(engine, r->id, more)) {
        return ERR_ENGINE_REFUSED;
    }
    engine_venue_moved(engine);
    return ERR_NONE;
}

static const char by_kill_switch[] = "emergency stop by kill switch";

static void enter_stop(struct engine *engine, const char *by, int64_t run_id)
{
    engine->verified_flat = false;
    engine->flat_asked = false;
    engine->disagreements = 0;
    set_by(engine, TRADING_EMERGENCY, "emergency stop", by, run_id);
}

static int stop_all(struct engine *engine, const struct request *r)
{
    if (engine->state.state != TRADING_EMERGENCY) {
        enter_stop(engine, r->by, r->run_id);
    } else if (strncmp(engine->state.state_reason, by_kill_switch, strlen(by_kill_switch)) == 0) {
        /* The switch was set before the request came: now it is known who requested it. */
        int64_t run_id = r->run_id != 0 ? r->run_id : run_of_state(engine);
        set_by(engine, TRADING_EMERGENCY, "emergency stop", r->by, run_id);
        engine_orders_claim(engine, STOP_REASON, run_id);
    }
    return ERR_NONE;
}

static int clear_stop(struct engine *engine, const struct request *r)
{
    if (engine->state.state != TRADING_EMERGENCY) {
        return ERR_ENGINE_NOT_STOPPED;
    }
    if (!engine->verified_flat) {
        return ERR_ENGINE_NOT_FLAT;
    }
    engine->out->clear_halt = true;
    set_by(engine, TRADING_PAUSED, "stop cleared", r->by, 0);
    return ERR_NONE;
}

void engine_control_halt(struct engine *engine)
{
    if (engine->state.state != TRADING_EMERGENCY) {
        enter_stop(engine, "kill switch", engine->in->halt_run_id);
    }
}

/* The limits that keep the account from liquidation have failed, or somebody else uses it. */
void engine_control_warned(struct engine *engine, const char *reason)
{
    if (engine->state.state == TRADING_ACTIVE || engine->state.state == TRADING_BREAKER) {
        engine_control_set(engine, TRADING_PAUSED, reason);
    }
}

void engine_control_lost(struct engine *engine)
{
    switch (engine->state.state) {
    case TRADING_ACTIVE:
    case TRADING_BREAKER: /* the breaker ends by itself, this pause does not */
        engine_control_set(engine, TRADING_PAUSED, "disk: trading.db could not be written");
        break;
    case TRADING_STARTING:
    case TRADING_PAUSED:
    case TRADING_EMERGENCY:
    case TRADING_MAINTENANCE:
        break;
    }
}

int engine_control_request(struct engine *engine, const struct request *request)
{
    switch (request->kind) {
    case REQUEST_PAUSE:
        return halt_entries(engine, TRADING_PAUSED, "paused", request);
    case REQUEST_RESUME:
        return resume_trading(engine, request);
    case REQUEST_CLOSE:
        return close_positions(engine, request);
    case REQUEST_EMERGENCY_STOP:
        return stop_all(engine, request);
    case REQUEST_CLEAR_EMERGENCY:
        return clear_stop(engine, request);
    case REQUEST_MAINTENANCE:
        return halt_entries(engine, TRADING_MAINTENANCE, "maintenance", request);
    case REQUEST_CANCEL:
        return engine_orders_cancel_entries(engine, request->symbol) > 0 ? ERR_NONE
                                                                         : ERR_ENGINE_NO_ENTRY;
    case REQUEST_AMEND:
        return amend(engine, request);
    case REQUEST_RULE_ADD:
        return engine_rules_add(engine, request);
    case REQUEST_RULE_STATUS:
        return engine_rules_set(engine, request);
    case REQUEST_COOLDOWN:
        return cooldown(engine, request);
    case REQUEST_CAPITAL:
        return change_capital(engine, request);
    case REQUEST_RECONNECT:
    case REQUEST_GO_LIVE:
        return ERR_NONE; /* the driver has done it; the step only records it */
    }
    return ERR_INTERNAL;
}

/* True if a new market day has begun. */
static bool turn_day(struct engine *engine, struct dec equity)
{
    struct engine_state *s = &engine->state;
    int64_t day = engine->now->market_us / USEC_PER_DAY;
    if (day <= s->day) {
        return false;
    }
    s->day = day;
    s->day_start_equity = equity;
    s->consecutive_losses = 0;
    engine->out->write = true;
    return true;
}

static void watch_breaker(struct engine *engine, struct dec equity, bool new_day)
{
    struct engine_state *s = &engine->state;
    /* Skip in every other state: this runs in each step, and formatting the reason of a broken
     * limit takes time. */
    if (s->state != TRADING_ACTIVE && !(s->state == TRADING_BREAKER && new_day)) {
        return;
    }
    struct risk_account account = {.settings = &engine->settings,
                                   .equity = equity,
                                   .equity_peak = s->equity_peak,
                                   .day_start_equity = s->day_start_equity,
                                   .losses_in_a_row = s->consecutive_losses};
    char reason[64];
    bool broken = risk_breaker(&account, reason, (int)sizeof(reason));
    if (broken && s->state == TRADING_ACTIVE) {
        engine_control_set(engine, TRADING_BREAKER, reason);
    } else if (!broken && new_day && s->state == TRADING_BREAKER) {
        /* Not earlier: an open loss moves around its limit. A lasting drawdown waits for a person.
         */
        engine_control_set(engine, TRADING_ACTIVE, "a new market day began");
    }
}

static void press_emergency(struct engine *engine)
{
    if (engine->state.state != TRADING_EMERGENCY || engine->verified_flat) {
        return;
    }
    for (int i = 0; i < engine->position_count && !engine->list_before_close; i++) {
        engine_orders_close(engine, &engine->positions[i], STOP_REASON, run_of_state(engine));
    }
    bool looks_flat = engine->position_count == 0 && engine_orders_alive(engine) == 0;
    if (looks_flat && !engine->flat_asked) {
        engine->listed_mono_us = 0; /* immediately, not at the next interval */
    }
    engine->flat_asked = looks_flat;
}

void engine_control_tick(struct engine *engine)
{
    struct engine_state *s = &engine->state;
    struct dec equity = engine_equity(engine);
    if (dec_is_valid(equity)) {
        bool new_day = turn_day(engine, equity);
        if (dec_cmp(equity, s->equity_peak) > 0) {
            s->equity_peak = equity;
        }
        watch_breaker(engine, equity, new_day);
        if (engine->out->market_moved && s->state != TRADING_EMERGENCY) {
            engine_liquidation_guard_tick(engine, equity);
        }
    }
    /* Repeated, since a cancellation can get lost. */
    if (s->state != TRADING_ACTIVE) {
        (void)engine_orders_cancel_entries(engine, every_symbol);
    } else {
        engine_account_watch(engine);
    }
    press_emergency(engine);
}
