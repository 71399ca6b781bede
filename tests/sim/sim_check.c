#include "base/check.h"
#include "sim/sim.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/position_table.h"
#include "store/request_table.h"
#include "store/state_table.h"
#include "store/trade_table.h"

#include <stdio.h>
#include <stdlib.h>

#define FLAT_WITHIN_US (60 * USEC_PER_SEC) /* six timeouts in a row under faults */
/* Where coins are missing, five listings in a row have to say so first. */
#define FLAT_WITHOUT_US (2 * FLAT_WITHIN_US)
#define AGREE_WITHIN_US (6 * USEC_PER_SEC)
#define TRADES_LIMIT    4096

bool sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->what[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(sim->what, sizeof(sim->what), format, args);
        va_end(args);
    }
    return false;
}

/* ---------------------------------------------------------------- a restart */

/* Whether the bracket is the old one or a requested one, whose answer may have arrived since. The
 * venue may not have processed the latest amendments yet. */
static bool same_bracket(const struct sim *sim, const struct position *now,
                         const struct position *before)
{
    return (now->stop.e8 == before->stop.e8 && now->target.e8 == before->target.e8) ||
           hostile_was_asked(&sim->hostile, now->client_id, now->stop, now->target);
}

void sim_save_memory(const struct sim *sim, struct sim_memory *ret)
{
    const struct engine *engine = driver_engine(sim->driver);
    ret->valid = engine != NULL && driver_snapshot(sim->driver)->last_err == 0;
    if (engine != NULL) {
        ret->state = *engine_state(engine);
        const struct position *positions = engine_positions(engine, &ret->position_count);
        memcpy(ret->positions, positions, sizeof(ret->positions[0]) * (size_t)ret->position_count);
    }
}

static bool same_cooldowns(const struct engine_state *a, const struct engine_state *b)
{
    bool same = a->cooldown_count == b->cooldown_count;
    for (int i = 0; same && i < a->cooldown_count; i++) {
        same = false;
        for (int j = 0; j < b->cooldown_count; j++) {
            same = same || (symbol_equal(a->cooldowns[i].symbol, b->cooldowns[j].symbol) &&
                            a->cooldowns[i].until_us == b->cooldowns[j].until_us);
        }
    }
    return same;
}

/* All but the clock, which advances without being written. */
static bool same_state(const struct engine_state *a, const struct engine_state *b)
{
    return a->state == b->state && strcmp(a->state_reason, b->state_reason) == 0 &&
           a->state_since_wall_us == b->state_since_wall_us &&
           a->initial_cash.e8 == b->initial_cash.e8 && a->cash.e8 == b->cash.e8 &&
           a->realised.e8 == b->realised.e8 && a->fees.e8 == b->fees.e8 &&
           a->funding.e8 == b->funding.e8 && a->last_funding_id == b->last_funding_id &&
           a->equity_peak.e8 == b->equity_peak.e8 &&
           a->day_start_equity.e8 == b->day_start_equity.e8 && a->day == b->day &&
           a->consecutive_losses == b->consecutive_losses && a->run == b->run &&
           a->next_order == b->next_order && a->next_decision_id == b->next_decision_id &&
           a->next_trade_id == b->next_trade_id && a->candles == b->candles &&
           a->decisions == b->decisions && a->orders == b->orders && a->fills == b->fills &&
           a->trades == b->trades && a->wins == b->wins && a->vetoes == b->vetoes &&
           a->refused_candles == b->refused_candles && same_cooldowns(a, b);
}

static bool same_position(const struct position *a, const struct position *b)
{
    return symbol_equal(a->symbol, b->symbol) && a->side == b->side && a->qty.e8 == b->qty.e8 &&
           a->entry_price.e8 == b->entry_price.e8 && a->mark_price.e8 == b->mark_price.e8 &&
           a->stop.e8 == b->stop.e8 && a->target.e8 == b->target.e8 && a->fees.e8 == b->fees.e8 &&
           a->opened_us == b->opened_us && a->decision_id == b->decision_id &&
           strcmp(a->client_id, b->client_id) == 0;
}

static bool is_on_disk(const struct sim_memory *memory, const struct engine_state *state,
                       const struct position *positions, int count)
{
    bool same = same_state(&memory->state, state) && memory->position_count == count;
    for (int i = 0; same && i < count; i++) {
        same = false;
        for (int j = 0; j < count; j++) {
            same = same || same_position(&memory->positions[i], &positions[j]);
        }
    }
    return same;
}

/* A clear took effect, but the process died before its answer was published. */
static bool was_cleared(struct sim *sim)
{
    for (int i = 0; i < sim->clear_count; i++) {
        struct request_result result;
        struct err err = {0};
        if (sim->clear_ids[i] > sim->answered_stop_id &&
            request_table_result(sim->store, sim->clear_ids[i], &result, &err) >= 0 &&
            result.found && result.err_id == ERR_NONE) {
            sim->stop_reported = false;
        }
    }
    struct reserve *file = reserve_view(sim->reserve);
    for (int i = 0; i < reserve_count(file); i++) {
        struct reserve_note note;
        if (reserve_read(file, i, &note) && note.kind == RESERVE_REQUEST &&
            note.request.kind == REQUEST_CLEAR_EMERGENCY && note.request_err == ERR_NONE &&
            note.request.id > sim->answered_stop_id) {
            sim->stop_reported = false;
        }
    }
    reserve_free(file);
    return !sim->stop_reported;
}

/* The newest trading state in the reserve; TRADING_STARTING: there is none. */
static enum trading_state kept_state(struct sim *sim)
{
    enum trading_state state = TRADING_STARTING;
    struct reserve *file = reserve_view(sim->reserve);
    for (int i = 0; i < reserve_count(file); i++) {
        struct reserve_note note;
        if (reserve_read(file, i, &note) && note.kind == RESERVE_STATE) {
            state = note.state;
        }
    }
    reserve_free(file);
    return state;
}

static bool is_among(const struct position *p, const struct position *list, int count)
{
    for (int i = 0; i < count; i++) {
        if (symbol_equal(list[i].symbol, p->symbol)) {
            return true;
        }
    }
    return false;
}

/* Whether the venue closed a position by itself in the events after `from`. */
static bool has_closed(const struct events *events, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to && i < events->count; i++) {
        if (events_closes(events->list[i].event)) {
            return true;
        }
    }
    return false;
}

/* died: the engine's state when the process ended. The disk must hold either that state or the
 * state before the last round, never a mixture. */
bool sim_check_restart(struct sim *sim, const struct sim_memory *died)
{
    struct err err = {0};
    struct engine_state before;
    struct position positions[POSITIONS_LIMIT];
    int count = position_table_list(sim->store, positions, POSITIONS_LIMIT, &err);
    int rc = state_table_load(sim->store, &before, &err);
    if (sim->known.valid && rc >= 0 && !is_on_disk(&sim->known, &before, positions, count) &&
        !is_on_disk(died, &before, positions, count)) {
        return sim_fail(sim, "the disk holds neither the state before the crash nor that after it");
    }
    sim->known.valid = false;
    enum trading_state kept = kept_state(sim);
    sim_start(sim);
    for (int i = 0; i < 40 && driver_engine(sim->driver) == NULL; i++) {
        (void)driver_round(sim->driver);
        clock_fake_advance(&sim->clock, USEC_PER_SEC);
        if (sim->hostile.dead) {
            return true; /* it crashed again during the start */
        }
    }
    if (driver_engine(sim->driver) == NULL) {
        return sim_fail(sim, "cannot restart");
    }
    if (rc == -ERR_STORE_NOT_FOUND) {
        return true;
    }
    const struct engine_state *after = engine_state(driver_engine(sim->driver));
    if (rc < 0 || count < 0) {
        return sim_fail(sim, "the database cannot be read: %s", err.context);
    }
    /* The first rounds may already have learnt of new fills, but requests must still be in effect.
     */
    if (after->run <= before.run) {
        return sim_fail(sim, "run %lld follows run %lld", (long long)after->run,
                        (long long)before.run);
    }
    if (sim->stop_reported && after->state != TRADING_EMERGENCY && !was_cleared(sim)) {
        return sim_fail(sim, "an answered emergency stop became %s after a restart",
                        trading_state_name(after->state));
    }
    /* A resume that only the reserve has lasts until the breaker sees the older books again. */
    bool tripped = kept == TRADING_ACTIVE && after->state == TRADING_BREAKER;
    if ((before.state == TRADING_PAUSED || before.state == TRADING_EMERGENCY) &&
        after->state != before.state && after->state != kept && !tripped) {
        return sim_fail(sim, "state %s became %s after a restart", trading_state_name(before.state),
                        trading_state_name(after->state));
    }
    /* The venue may have closed a position without a fill. */
    if (after->fills == before.fills &&
        !has_closed(&sim->hostile.events, before.last_funding_id, after->last_funding_id)) {
        int now_count;
        const struct position *now = engine_positions(driver_engine(sim->driver), &now_count);
        bool paid = after->last_funding_id != before.last_funding_id;
        if (after->trades != before.trades || !same_cooldowns(after, &before)) {
            return sim_fail(sim, "trades or cooldowns differ after a restart");
        }
        /* The reserve may contain foreign positions that were being closed. */
        int adopted = 0;
        for (int i = 0; i < now_count; i++) {
            adopted += now[i].client_id[0] == '\0' && !is_among(&now[i], positions, count);
        }
        if (now_count - adopted != count ||
            (!paid && ((adopted == 0 && dec_cmp(after->cash, before.cash) != 0) ||
                       dec_cmp(after->realised, before.realised) != 0 ||
                       dec_cmp(after->fees, before.fees) != 0))) {
            return sim_fail(sim, "%d positions became %d after a restart", count, now_count);
        }
        for (int i = 0; i < count; i++) {
            bool found = false;
            for (int j = 0; j < now_count; j++) {
                found = found || (symbol_equal(now[j].symbol, positions[i].symbol) &&
                                  now[j].side == positions[i].side &&
                                  dec_cmp(now[j].qty, positions[i].qty) == 0 &&
                                  dec_cmp(now[j].entry_price, positions[i].entry_price) == 0 &&
                                  same_bracket(sim, &now[j], &positions[i]));
            }
            if (!found) {
                return sim_fail(sim, "position %s differs after a restart",
                                positions[i].symbol.name);
            }
        }
    }
    return true;
}

/* ---------------------------------------------------------------- invariants */

static bool check_markets(struct sim *sim, const struct snapshot *s)
{
    for (int i = 0; i < s->market_count; i++) {
        const struct snapshot_market *m = &s->markets[i];
        if (!dec_is_valid(m->price) || m->price.e8 <= 0 || m->updated_us > s->market_us) {
            return sim_fail(sim, "%s has an impossible price", m->symbol.name);
        }
    }
    return true;
}

/* Stop and target at the decided distance from the entry price, unless a person moved them. */
static bool is_measured(const struct sim *sim, const struct order *entry)
{
    struct order there = *entry;
    order_measure(&there, &sim->price_rules);
    return there.stop.e8 == entry->stop.e8 && there.target.e8 == entry->target.e8;
}

/* Whether the stops and targets of our positions are the venue's, and the wanted ones. */
static bool brackets_agree(const struct sim *sim)
{
    const struct paper_book *book = &sim_paper(sim)->book;
    struct err err = {0};
    int count;
    const struct position *positions = engine_positions(driver_engine(sim->driver), &count);
    for (int i = 0; i < count; i++) {
        const struct position *p = &positions[i];
        int index = paper_book_find(book, p->symbol);
        struct order entry;
        if (p->client_id[0] == '\0' || index < 0 || !sim->hostile.can.brackets) {
            continue; /* foreign, or already closed, as the next listing will show */
        }
        if (dec_cmp(book->positions[index].stop, p->stop) != 0 ||
            dec_cmp(book->positions[index].target, p->target) != 0 ||
            order_table_get(sim->store, p->client_id, &entry, &err) < 0 ||
            !is_measured(sim, &entry) || dec_cmp(entry.stop, p->stop) != 0 ||
            dec_cmp(entry.target, p->target) != 0) {
            return false;
        }
    }
    return true;
}

/* They must agree soon after faults stop losing messages, not at once; and a bracket that the price
 * has passed stays as it is until the close of its position is answered. */
static bool check_brackets(struct sim *sim)
{
    if (sim->hostile.fault_scale > 0 || driver_engine(sim->driver) == NULL ||
        driver_snapshot(sim->driver)->unknown_orders > 0 || brackets_agree(sim)) {
        sim->differ_mono_us = sim->clock.now_mono_us;
    }
    return sim->clock.now_mono_us - sim->differ_mono_us <= AGREE_WITHIN_US ||
           sim_fail(sim, "a stop or target differs from the venue's");
}

/* An entry that would exceed the account's limits is cancelled soon, not at once. */
static bool check_exposure(struct sim *sim)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    bool beyond = s->risk.exposure_pct > s->risk.max_exposure_pct * (1 + 1e-9);
    for (int t = 0; t < TIERS; t++) {
        beyond = beyond ||
                 s->risk.tiers[t].exposure_pct > s->risk.tiers[t].max_exposure_pct * (1 + 1e-9);
    }
    /* At the venue: an unanswered entry may never have reached it. */
    const struct paper_book *book = &sim_paper(sim)->book;
    bool entries = false;
    for (int i = 0; i < book->open_count; i++) {
        entries = entries || book->open[i].kind == ORDER_ENTRY;
    }
    if (sim->hostile.fault_scale > 0 || !beyond || !entries) {
        sim->beyond_mono_us = sim->clock.now_mono_us;
    }
    return sim->clock.now_mono_us - sim->beyond_mono_us <= AGREE_WITHIN_US ||
           sim_fail(sim, "entries are waiting to fill at an exposure of %.2f",
                    s->risk.exposure_pct);
}

static bool is_clear(const struct sim *sim, int64_t id)
{
    for (int i = 0; i < sim->clear_count; i++) {
        if (sim->clear_ids[i] == id) {
            return true;
        }
    }
    return false;
}

static void receive_alert(struct sim *sim, const struct event *e)
{
    const struct engine *engine = driver_engine(sim->driver);
    int64_t booked = engine == NULL ? 0 : engine_state(engine)->last_funding_id;
    if (e->code == ERR_VENUE_BALANCE) {
        char cash[DEC_TEXT_SIZE], wallet[DEC_TEXT_SIZE];
        const struct engine_state *s = engine == NULL ? NULL : engine_state(engine);
        (void)sim_fail(
            sim,
            "an alert says that the venue has another balance than %s in cash, %s without cost",
            s == NULL ? "?" : dec_text(s->cash, cash),
            s == NULL ? "?" : dec_text(dec_add(s->initial_cash, s->realised), wallet));
    }
    events_tell(&sim->hostile.events, (enum err_id)e->code, e->symbol, booked);
}

/* Checks the events that people receive: what they report must survive a crash. */
void sim_receive(struct sim *sim)
{
    struct bus_event raw;
    while (bus_read(&sim->reader, &raw, 1, NULL) == 1) {
        struct event e;
        memcpy(&e, &raw, sizeof(e));
        if (e.topic == TOPIC_FAULT) {
            receive_alert(sim, &e);
        } else if (e.id == sim->stop_id && e.code == ERR_NONE && e.id != sim->answered_stop_id) {
            sim->answered_stop_id = e.id; /* a repeated answer */
            sim->stop_reported = true;
        } else if (e.code == ERR_NONE && is_clear(sim, e.id)) {
            sim->stop_reported = false;
        }
    }
}

/* A margin call and a liquidation pause trading until a person resumes it. */
static bool check_pauses(struct sim *sim)
{
    const struct engine *engine = driver_engine(sim->driver);
    struct events *events = &sim->hostile.events;
    if (engine == NULL) {
        return true;
    }
    const struct engine_state *s = engine_state(engine);
    /* In the same step, after the event. The breaker trips only where trading was active. */
    bool resumed = s->state_since_wall_us == sim->clock.now_wall_us &&
                   (s->state == TRADING_BREAKER ||
                    strncmp(s->state_reason, "resumed", strlen("resumed")) == 0);
    for (int64_t i = 0; i < events->count && i < s->last_funding_id; i++) {
        struct events_entry *e = &events->list[i];
        if (events_pauses(e->event) && !e->stopped && !resumed &&
            (s->state == TRADING_ACTIVE || s->state == TRADING_BREAKER)) {
            return sim_fail(sim, "trading is %s (%s) after event %lld",
                            trading_state_name(s->state), s->state_reason, (long long)i + 1);
        }
        e->stopped = true;
    }
    return true;
}

/* halted: the kill switch was set before the round. */
bool sim_check_round(struct sim *sim, bool halted)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    const struct paper *paper = sim_paper(sim);
    if (sim->hostile.violation[0] != '\0') {
        return sim_fail(sim, "%s", sim->hostile.violation);
    }
    if (sim->what[0] != '\0' || !check_pauses(sim)) {
        return false;
    }
    if (!s->books_balance) {
        return sim_fail(sim, "books do not balance");
    }
    if (!check_markets(sim, s) || !check_brackets(sim) || !check_exposure(sim)) {
        return false;
    }
    const struct settings *limits = &sim->settings;
    if (s->state == TRADING_ACTIVE && s->last_err == 0 &&
        (s->drawdown_pct > limits->max_drawdown_pct * (1 + 1e-9) ||
         s->daily_loss_pct > limits->max_daily_loss_pct * (1 + 1e-9) ||
         s->risk.losses_in_a_row >= limits->max_consecutive_losses)) {
        return sim_fail(
            sim, "active with a drawdown of %.2f, a daily loss of %.2f, %lld losses in a row",
            s->drawdown_pct, s->daily_loss_pct, (long long)s->risk.losses_in_a_row);
    }
    /* The first of two rounds may still commit an earlier decision. */
    bool stopping = !halted || !shared_is_halted(&sim->shared) ||
                    driver_engine(sim->driver) == NULL || s->state == TRADING_EMERGENCY;
    sim->ignored_halts = stopping ? 0 : sim->ignored_halts + 1;
    if (sim->ignored_halts > 1) {
        return sim_fail(sim, "the kill switch is set in state %s", trading_state_name(s->state));
    }
    int opened = 0; /* an adopted position was opened by someone else */
    for (int i = 0; i < s->position_count; i++) {
        const struct position *p = &s->positions[i];
        opened += p->client_id[0] != '\0';
        for (int j = 0; j < sim->before->position_count; j++) {
            const struct position *was = &sim->before->positions[j];
            sim_totals.amended += strcmp(was->client_id, p->client_id) == 0 &&
                                  (was->stop.e8 != p->stop.e8 || was->target.e8 != p->target.e8);
        }
        if (p->client_id[0] != '\0' && (p->stop.e8 <= 0 || p->target.e8 <= 0)) {
            return sim_fail(sim, "%s has no stop or no target", p->symbol.name);
        }
        if (s->legs[i].stop_at_venue && !sim->hostile.can.brackets &&
            !hostile_legs_had_stop(&sim->hostile, p->symbol, p->stop)) {
            return sim_fail(sim, "the stop of %s never rested at the venue", p->symbol.name);
        }
    }
    if (opened > s->max_positions) {
        return sim_fail(sim, "%d positions, the limit is %d", opened, s->max_positions);
    }
    if (paper->book.position_count > s->max_positions) {
        return sim_fail(sim, "the venue holds %d positions, the limit is %d",
                        paper->book.position_count, s->max_positions);
    }
    if (s->state != TRADING_EMERGENCY) {
        sim->stopped_mono_us = 0;
    } else {
        if (sim->stopped_mono_us == 0) {
            sim->stopped_mono_us = sim->clock.now_mono_us;
            sim_totals.stops++;
        } else if (hostile_is_closed(&sim->hostile) || hostile_has_delisted(&sim->hostile) ||
                   (sim->outage_all && sim->clock.now_mono_us < sim->outage_mono_us)) {
            sim->stopped_mono_us = sim->clock.now_mono_us; /* nothing can be closed */
        }
        bool flat = paper->book.position_count == 0 && paper->book.open_count == 0 &&
                    hostile_legs_resting(&sim->hostile) == 0;
        if (s->verified_flat && !flat) {
            return sim_fail(sim, "verified flat, but the venue is not flat");
        }
        if (s->verified_flat) {
            sim->stopped_mono_us = sim->clock.now_mono_us;
        } else if (sim->clock.now_mono_us - sim->stopped_mono_us >
                   (sim->hostile.shortages > 0 ? FLAT_WITHOUT_US : FLAT_WITHIN_US)) {
            return sim_fail(sim, "still not flat after an emergency stop: %d positions, %d orders",
                            s->position_count, (int)s->open_orders);
        }
    }
    sim_totals.unknown += s->unknown_orders > 0;
    return true;
}

/* Each event of the account was booked exactly once. */
static bool check_events(struct sim *sim)
{
    const struct engine_state *state = engine_state(driver_engine(sim->driver));
    const struct events *events = &sim->hostile.events;
    int64_t payments = sim_paper(sim)->book.next_funding_id - 1;
    if (state->last_funding_id != events->count || events_last_payment(events) != payments) {
        return sim_fail(sim, "%lld of %lld events are booked", (long long)state->last_funding_id,
                        (long long)events->count);
    }
    if (!events_check(events, sim->store, sim->what, sizeof(sim->what))) {
        return false;
    }
    sim_totals.payments += payments;
    for (int64_t i = 0; i < events->count; i++) {
        enum venue_event event = events->list[i].event;
        sim_totals.transfers += event == VENUE_EVENT_TRANSFER;
        sim_totals.margin_calls += event == VENUE_EVENT_MARGIN_CALL;
        sim_totals.liquidations += event == VENUE_EVENT_LIQUIDATION;
        sim_totals.closed += event == VENUE_EVENT_DELEVERAGING || event == VENUE_EVENT_FORCED_CLOSE;
    }
    return true;
}

/* A stop that is said to rest at the venue rests there, at this price. */
static bool check_stops(struct sim *sim)
{
    const struct snapshot *s = driver_snapshot(sim->driver);
    for (int i = 0; i < s->position_count && !sim->hostile.can.brackets; i++) {
        const struct position *p = &s->positions[i];
        if (s->legs[i].stop_at_venue && !hostile_legs_has_stop(&sim->hostile, p->symbol, p->stop)) {
            return sim_fail(sim, "no stop of %s rests at the wanted price", p->symbol.name);
        }
    }
    return true;
}

/* Our positions are those of the venue. */
static bool check_positions(struct sim *sim)
{
    const struct paper_book *book = &sim_paper(sim)->book;
    int count;
    const struct position *positions = engine_positions(driver_engine(sim->driver), &count);
    int ours = 0;
    for (int i = 0; i < count; i++) {
        const struct position *p = &positions[i];
        int index = paper_book_find(book, p->symbol);
        ours += p->client_id[0] != '\0';
        if (p->client_id[0] != '\0' && (index < 0 || book->positions[index].side != p->side ||
                                        dec_cmp(book->positions[index].qty, p->qty) != 0)) {
            return sim_fail(sim, "the position %s is not the venue's", p->symbol.name);
        }
    }
    return ours == book->position_count ||
           sim_fail(sim, "we hold %d positions, the venue %d", ours, book->position_count);
}

/* Once faults have stopped and nothing is under way, engine and venue must agree exactly. */
bool sim_check_end(struct sim *sim)
{
    struct err err = {0};
    const struct engine *engine = driver_engine(sim->driver);
    const struct paper *paper = sim_paper(sim);
    const struct snapshot *s = driver_snapshot(sim->driver);
    const struct engine_state *state = engine_state(engine);
    if (s->state == TRADING_STARTING) {
        return sim_fail(sim, "not reconciled at the end: %s", s->state_reason);
    }
    if (s->state == TRADING_EMERGENCY && !s->verified_flat) {
        return sim_fail(sim, "not flat at the end");
    }
    if (s->unknown_orders > 0) {
        return sim_fail(sim, "%llu orders unknown at the end",
                        (unsigned long long)s->unknown_orders);
    }
    /* The profit from closing foreign positions is only in our books: the paper venue has no
     * account for their owner. */
    struct dec cash = dec_sub(dec_add(paper->book.cash, sim->hostile.foreign_profit),
                              events_transferred(&sim->hostile.events));
    if (s->open_orders == 0 && paper->report_count == 0 && hostile_quiet(&sim->hostile) &&
        dec_cmp(state->cash, cash) != 0) {
        char ours[DEC_TEXT_SIZE];
        char theirs[DEC_TEXT_SIZE];
        return sim_fail(sim, "cash is %s, the venue has %s", dec_text(state->cash, ours),
                        dec_text(cash, theirs));
    }
    if (paper->book.position_count == 0 && hostile_legs_resting(&sim->hostile) > 0) {
        return sim_fail(sim, "%d stops and targets rest at the end without a position",
                        hostile_legs_resting(&sim->hostile));
    }
    if (!check_events(sim) || !check_positions(sim) || !check_stops(sim)) {
        return false;
    }
    int64_t fills = 0;
    struct dec fees = DEC_ZERO;
    if (fill_table_sum(sim->store, &fills, &fees, &err) < 0 || fills != state->fills ||
        dec_cmp(dec_add(fees, events_fees(&sim->hostile.events)), state->fees) != 0) {
        return sim_fail(sim, "%lld fills on disk, the counter is %lld", (long long)fills,
                        (long long)state->fills);
    }
    /* Profit of closed trades, minus the fees of open positions and funding, equals realised,
     * except for what the average price of several fills cannot represent: less than a unit per
     * coin of each fill. */
    struct dec pnl = dec_neg(state->funding);
    int64_t left_over = 0;
    static struct trade trades[TRADES_LIMIT];
    int count = trade_table_list(sim->store, &(struct trade_query){0}, trades, TRADES_LIMIT, &err);
    for (int i = 0; i < count; i++) {
        pnl = dec_add(pnl, trades[i].pnl);
        left_over += 4 * (trades[i].qty.e8 / DEC_ONE + 1);
    }
    int held;
    const struct position *positions = engine_positions(engine, &held);
    for (int i = 0; i < held; i++) {
        pnl = dec_sub(pnl, positions[i].fees);
        left_over += 4 * (positions[i].qty.e8 / DEC_ONE + 1);
    }
    if (count < 0 || count != state->trades ||
        dec_cmp(dec_abs(dec_sub(pnl, state->realised)), (struct dec){left_over}) > 0) {
        return sim_fail(sim, "%d trades do not add up to the realised profit", count);
    }
    sim_totals.trades += count;
    sim_totals.crashes += sim->crashes;
    sim_totals.refused += state->refused_candles;
    sim_totals.partials += sim->hostile.partials;
    sim_totals.outdated += sim->hostile.outdated;
    sim_totals.amendments += sim->hostile.amendments;
    sim_totals.halts += sim->hostile.halts;
    sim_totals.gaps += sim->hostile.gaps;
    sim_totals.foreigners += sim->hostile.foreigners;
    sim_totals.foreign_closed += sim->hostile.foreign_closed;
    sim_totals.paged += sim->hostile.paged;
    sim_totals.found_later += sim->hostile.found_later;
    sim_totals.bans += sim->hostile.bans;
    sim_totals.holds += sim->hostile.holds;
    sim_totals.closings += sim->hostile.closings;
    sim_totals.refusals += sim->hostile.refusals;
    sim_totals.ended += sim->hostile.ended;
    sim_totals.legs_placed += sim->hostile.legs_placed;
    sim_totals.legs_moved += sim->hostile.legs_moved;
    sim_totals.legs_fired += sim->hostile.legs_fired;
    sim_totals.legs_refused += sim->hostile.legs_refused;
    sim_totals.delistings += sim->hostile.delistings;
    sim_totals.shortages += sim->hostile.shortages;
    sim_totals.left += sim->hostile.left;
    sim_totals.maintenances += sim->hostile.maintenances;
    sim_totals.bare += !sim->hostile.can.brackets;
    return true;
}
