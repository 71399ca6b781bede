#include "base/check.h"
#include "engine_private.h"

#include <stdio.h>
#include <string.h>

/* A state other than ready and down becomes an alert only when it lasts: a connection takes time.
 */
#define NOT_READY_US USEC_PER_MIN
/* An alert that is not renewed resolves. */
#define REPEAT_US USEC_PER_MIN
/* Entries are held back from this share of the venue's request limit on, so that what closes a
 * position still fits. */
#define LIMIT_PCT 80
/* Account reports in a row with another cash than our books, before it is an alert: one can be
 * between two of our fills. */
#define BALANCE_AFTER 3

static const struct symbol no_symbol;

void engine_set_venue(struct engine *engine, const struct venue_capabilities *capabilities)
{
    ASSERT(engine->steps == 0);
    ASSERT(venue_can_close(capabilities));
    engine->venue.can = *capabilities;
    engine->venue.state = capabilities->connection ? VENUE_CONNECTING : VENUE_READY;
}

/* ---------------------------------------------------------------- the connection */

/* What happened while we could not hear it is asked for: every order, then all positions. */
static void catch_up(struct engine *engine)
{
    if (!engine->reconciled) {
        return; /* a start asks for all of it anyway */
    }
    engine->venue.catching_up = true;
    engine->moved_list_id = engine->list_id;
    engine->list_wanted = true;
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        s->ask = s->ask || (s->used && !s->sending);
    }
}

static void accept_connection(struct engine *engine, const struct venue_report *report)
{
    struct engine_venue *v = &engine->venue;
    (void)str_copy(str_c(report->reason), v->reason, sizeof(v->reason));
    if (v->state == report->venue_state) {
        return;
    }
    v->state = report->venue_state;
    v->since_wall_us = engine->now->wall_us;
    v->since_mono_us = engine->now->mono_us;
    v->reported_mono_us = 0;
    if (v->state == VENUE_READY) {
        catch_up(engine);
    }
}

void engine_venue_agrees(struct engine *engine)
{
    engine->venue.catching_up = false;
}

/* ---------------------------------------------------------------- limits */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void accept_limit(struct engine *engine, const struct venue_limit *limit)
{
    struct engine_venue *v = &engine->venue;
    int64_t now_us = engine->now->mono_us;
    v->limit = *limit;
    if (limit->banned_us > 0) {
        v->banned_mono_us = later(v->banned_mono_us, now_us + limit->banned_us);
    }
    bool near = limit->most > 0 && limit->used >= limit->most * LIMIT_PCT / 100;
    v->held_mono_us = near ? now_us + limit->reset_us : 0;
}

bool engine_venue_is_banned(const struct engine *engine)
{
    return engine->venue.mono_us < engine->venue.banned_mono_us;
}

static int64_t limited_us(const struct engine *engine, int64_t mono_us)
{
    int64_t until_us = later(engine->venue.held_mono_us, engine->venue.banned_mono_us);
    return until_us > mono_us ? until_us - mono_us : 0;
}

/* ---------------------------------------------------------------- instruments */

static bool is_valid(const struct instrument *x)
{
    const struct dec rules[] = {x->tick, x->step, x->min_qty, x->max_qty, x->min_notional};
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (!dec_is_valid(rules[i]) || rules[i].e8 < 0) {
            return false;
        }
    }
    return x->digits >= 0;
}

static void accept_instrument(struct engine *engine, const struct instrument *instrument)
{
    int place = engine_place(engine, instrument->symbol);
    if (place >= 0) {
        engine->venue.known[place] = is_valid(instrument);
        engine->venue.instruments[place] = *instrument;
        if (instrument->hours_change_wall_us != 0 && instrument->status != INSTRUMENT_HALTED) {
            engine->venue.hours = instrument->status == INSTRUMENT_CLOSED ? VENUE_HOURS_CLOSED
                                  : instrument->limits_only               ? VENUE_HOURS_EXTENDED
                                                                          : VENUE_HOURS_REGULAR;
            engine->venue.hours_change_wall_us = instrument->hours_change_wall_us;
        }
    }
}

const struct instrument *engine_venue_instrument(const struct engine *engine, struct symbol symbol)
{
    int place = engine_place(engine, symbol);
    return place >= 0 && engine->venue.known[place] ? &engine->venue.instruments[place] : NULL;
}

const char *engine_venue_refusal(const struct engine *engine, struct symbol symbol, enum side side)
{
    const struct engine_venue *v = &engine->venue;
    if (side == SIDE_SHORT && !v->can.shorts) {
        return "unable to go short";
    }
    if (v->state != VENUE_READY) {
        return venue_state_name(v->state);
    }
    if (v->catching_up) {
        return "ready again, not reconciled yet";
    }
    if (limited_us(engine, v->mono_us) > 0) {
        return "limiting requests";
    }
    const struct instrument *instrument = engine_venue_instrument(engine, symbol);
    if (instrument == NULL) {
        return v->can.instruments ? "still to give the rules of the symbol" : NULL;
    }
    switch (instrument->status) {
    case INSTRUMENT_TRADING:
        break;
    case INSTRUMENT_CLOSE_ONLY:
        return "closing only in the symbol";
    case INSTRUMENT_HALTED:
        return "not trading the symbol";
    case INSTRUMENT_CLOSED:
        return "closed: it is outside the hours of the exchange";
    }
    return NULL;
}

/* ---------------------------------------------------------------- the account */

static const struct venue_balance *balance_of(const struct venue_account *account,
                                              struct str currency)
{
    for (int i = 0; i < account->balance_count && i < VENUE_BALANCES_MAX; i++) {
        if (str_equal(str_c(account->balances[i].currency), currency)) {
            return &account->balances[i];
        }
    }
    return NULL;
}

/* A close between two fills of an entry: what it has realised depends on their sequence, which we
 * may have learnt of otherwise than it was. The same once all of it is closed. */
static bool is_reduced(const struct engine *engine, const struct position *p)
{
    const struct engine_slot *slot = engine_orders_find(engine, p->client_id);
    return slot == NULL || slot->order.filled_qty.e8 != p->qty.e8;
}

/* The balance that the venue should have by our books. False: they cannot tell, because other
 * positions use the account, or the balance depends on the venue's mark price. */
static bool expect_balance(const struct engine *engine, struct dec *ret)
{
    const struct engine_state *s = &engine->state;
    bool others = engine->exposure.foreign_count > 0;
    bool wallet = engine->venue.can.balances == VENUE_BALANCES_WALLET;
    for (int i = 0; i < engine->position_count; i++) {
        others = others || (wallet && is_reduced(engine, &engine->positions[i]));
        others = others || engine->positions[i].client_id[0] == '\0';
    }
    *ret = s->cash;
    switch (engine->venue.can.balances) {
    case VENUE_BALANCES_UNKNOWN:
        return !others && engine->position_count == 0 && engine_orders_alive(engine) == 0;
    case VENUE_BALANCES_CASH:
        return !others;
    case VENUE_BALANCES_WALLET:
        *ret = dec_add(s->initial_cash, s->realised);
        return !others;
    }
    return false;
}

/* The ids of events are their numbers, or at some venues their times. */
#define EVENTS_MAX 10000

/* Each amount and fee that is booked may be rounded otherwise than by the venue, by one unit of the
 * last place; and the average price of an open position by one unit for each coin. */
static int64_t rounding(const struct engine *engine)
{
    const struct engine_state *s = &engine->state;
    int64_t events = s->last_funding_id < EVENTS_MAX ? s->last_funding_id : EVENTS_MAX;
    int64_t units = 2 * (s->fills + s->trades + events);
    for (int i = 0; i < engine->position_count; i++) {
        units += engine->positions[i].qty.e8 / DEC_ONE + 1;
    }
    return units;
}

/* How much more cash than the books the account has, by its newest report. False: the books cannot
 * tell, or it is not as new as they are: it answers a listing that was requested after the last
 * fill was booked, and it has the same events. */
static bool surplus_of(const struct engine *engine, struct dec *ret)
{
    struct dec accrued = DEC_ZERO;
    const struct venue_balance *b =
        balance_of(&engine->venue.account, symbol_quote(&engine->series[0].symbol));
    struct dec expected;
    bool fresh = engine->venue.account_list_id > engine->filled_list_id &&
                 engine->venue.account_funding_id == engine->state.last_funding_id;
    if (b == NULL || !fresh || !expect_balance(engine, &expected)) {
        return false;
    }
    *ret = dec_sub(b->total, expected);
    accrued = dec_is_valid(b->accrued) && b->accrued.e8 > 0 ? b->accrued : accrued;
    if (dec_is_valid(*ret) && ret->e8 < 0) { /* it may be without the fees that come later */
        *ret = dec_min(dec_add(*ret, accrued), DEC_ZERO);
    }
    return dec_is_valid(*ret);
}

enum engine_cash engine_venue_cash(const struct engine *engine)
{
    struct dec off;
    if (!surplus_of(engine, &off)) {
        return ENGINE_CASH_UNKNOWN;
    }
    return dec_abs(off).e8 <= rounding(engine) ? ENGINE_CASH_OURS : ENGINE_CASH_OTHER;
}

/* The newest report came with a listing that agrees with the books, and is newer than any order. */
static bool account_is_new(const struct engine *engine)
{
    return engine->venue.account_list_id > engine->moved_list_id &&
           engine->venue.account_list_id == engine->agreed_list_id;
}

/* A fill that the venue had after it listed the positions, or whose report is late, differs, but
 * not in so many reports: the next listing shows it. */
static void compare_cash(struct engine *engine)
{
    struct engine_venue *v = &engine->venue;
    enum engine_cash cash =
        account_is_new(engine) ? engine_venue_cash(engine) : ENGINE_CASH_UNKNOWN;
    if (cash == ENGINE_CASH_UNKNOWN) {
        return;
    }
    v->balances_off = cash == ENGINE_CASH_OURS ? 0 : v->balances_off + 1;
    if (v->balances_off >= BALANCE_AFTER) {
        engine_fault(engine, ERR_VENUE_BALANCE, no_symbol);
    }
}

/* The rate is computed from positions that are those of the report. It stays until the next one,
 * also while positions change. */
static void measure_maintenance(struct engine *engine, const struct venue_report *report)
{
    double held = dec_to_double(engine_account_held(engine));
    if (report->ask_id > engine->moved_list_id && report->ask_id == engine->agreed_list_id &&
        held > 0 && report->account.margin_maintenance.e8 >= 0) {
        engine->venue.maintenance_pct =
            100 * dec_to_double(report->account.margin_maintenance) / held;
    }
}

static void accept_account(struct engine *engine, const struct venue_report *report)
{
    engine->venue.account = report->account;
    engine->venue.account_list_id = report->ask_id;
    engine->venue.account_funding_id = report->funding_id;
    measure_maintenance(engine, report);
    compare_cash(engine);
}

/* Whether the books can do without this part of their capital. */
static bool can_spare(const struct engine *engine, struct dec part)
{
    const struct engine_state *s = &engine->state;
    struct dec cash = DEC_ZERO;
    struct dec equity = dec_sub(engine_equity(engine), part);
    if (!expect_balance(engine, &cash) || dec_cmp(cash, part) < 0 || !dec_is_valid(equity) ||
        equity.e8 <= 0) {
        return false;
    }
    const struct risk_account account = {.settings = &engine->settings,
                                         .equity = equity,
                                         .equity_peak = dec_sub(s->equity_peak, part),
                                         .day_start_equity = dec_sub(s->day_start_equity, part)};
    char reason[64];
    double held = dec_to_double(engine_account_held(engine));
    return held <= engine_venue_leverage(engine) * dec_to_double(equity) &&
           (s->state != TRADING_ACTIVE || !risk_breaker(&account, reason, (int)sizeof(reason)));
}

/* Stops and targets may rest for days, and do not change the cash. */
static bool trades_nothing(const struct engine *engine)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (engine_orders_is_alive(s) &&
            (s->order.kind == ORDER_ENTRY || s->order.kind == ORDER_CLOSE)) {
            return false;
        }
    }
    return true;
}

int engine_check_capital(struct engine *engine, struct dec capital, struct dec *ret_surplus)
{
    struct dec less = dec_sub(engine->state.initial_cash, capital);
    if (!trades_nothing(engine) || !account_is_new(engine) || !surplus_of(engine, ret_surplus)) {
        engine->list_wanted = true;
        return ERR_VENUE_CAPITAL;
    }
    return less.e8 > 0 && !can_spare(engine, less) ? ERR_VENUE_CAPITAL_USED : ERR_NONE;
}

/* The venue leaves out from now on what the books do not have. The newest report was of the capital
 * before: another one is needed before it can change again. */
void engine_venue_moved(struct engine *engine)
{
    struct venue_account *account = &engine->venue.account;
    struct dec surplus = DEC_ZERO;
    bool known = surplus_of(engine, &surplus);
    for (int i = 0; known && i < account->balance_count; i++) {
        struct venue_balance *b = &account->balances[i];
        if (b == balance_of(account, symbol_quote(&engine->series[0].symbol))) {
            b->total = dec_sub(b->total, surplus);
            b->available = dec_sub(b->available, surplus);
        }
    }
    engine->venue.account_list_id = 0;
    engine->venue.balances_off = 0;
    engine->list_wanted = true;
}

double engine_venue_maintenance_pct(const struct engine *engine)
{
    double configured = engine->settings.maintenance_margin_pct;
    double reported = engine->venue.maintenance_pct;
    return reported > configured ? reported : configured;
}

double engine_venue_leverage(const struct engine *engine)
{
    double most = engine->venue.can.leverage ? engine->venue.account.leverage : 1;
    return most > 0 && most < engine->settings.max_leverage ? most : engine->settings.max_leverage;
}

/* ---------------------------------------------------------------- the step */

void engine_venue_accept(struct engine *engine, const struct venue_report *report)
{
    switch (report->kind) {
    case VENUE_CONNECTION:
        accept_connection(engine, report);
        break;
    case VENUE_LIMIT:
        accept_limit(engine, &report->limit);
        break;
    case VENUE_INSTRUMENT:
        accept_instrument(engine, &report->instrument);
        break;
    case VENUE_ACCOUNT:
        accept_account(engine, report);
        break;
    case VENUE_ORDER:
    case VENUE_NOT_FOUND:
    case VENUE_NO_ANSWER:
    case VENUE_LISTING:
    case VENUE_FUNDING:
    case VENUE_REFUSED:
        break;
    }
}

void engine_venue_tick(struct engine *engine)
{
    struct engine_venue *v = &engine->venue;
    int64_t now_us = engine->now->mono_us;
    v->mono_us = now_us;
    if (v->since_mono_us == 0) {
        v->since_mono_us = now_us;
        v->since_wall_us = engine->now->wall_us;
    }
    bool lasts = v->state == VENUE_DOWN || now_us - v->since_mono_us >= NOT_READY_US;
    if (v->state != VENUE_READY && lasts &&
        (v->reported_mono_us == 0 || now_us - v->reported_mono_us >= REPEAT_US)) {
        v->reported_mono_us = now_us;
        engine_fault(engine, ERR_VENUE_NOT_READY, no_symbol);
    }
    bool banned = engine_venue_is_banned(engine);
    if (banned && !v->ban_reported) {
        engine_fault(engine, ERR_VENUE_BANNED, no_symbol);
    }
    v->ban_reported = banned;
}

void engine_venue_snapshot(const struct engine *engine, const struct engine_now *now,
                           struct snapshot_venue *ret)
{
    const struct engine_venue *v = &engine->venue;
    ret->state = v->state;
    memcpy(ret->reason, v->reason, sizeof(ret->reason));
    ret->since_wall_us = v->since_wall_us;
    ret->brackets = v->can.brackets;
    ret->catching_up = v->catching_up;
    ret->limited_us = limited_us(engine, now->mono_us);
    ret->hours = v->hours;
    ret->hours_change_wall_us = v->hours_change_wall_us;
    ret->limit = v->limit;
    ret->account = v->account;
}
