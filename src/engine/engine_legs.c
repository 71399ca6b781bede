#include "engine_private.h"

#include <stdio.h>
#include <string.h>

/*
 * Legs: the stop and the target of a position as orders that rest at the venue. They are orders
 * like others: committed before they are sent, asked for when their outcome is not known, found by
 * their client ids after a restart. What is special about them:
 * - the wanted stop and target stay in effect here: while no leg rests, the position is guarded as
 *   at a venue without legs;
 * - a leg whose price has moved is amended where the venue can do that: its row has the wanted
 *   stop and target before they are asked for, and its price is what the venue has reported;
 * - legs that do not fit otherwise (a part was closed, the position is gone, the venue does not
 * move them) are cancelled, and new ones are placed once none is alive: two orders never sell the
 * same coins;
 * - a close is prepared at once, but committed and sent when the venue has said of each leg that it
 *   is over, and for no more than is left then;
 * - a position whose leg was refused is closed; after REFUSALS_MAX in a row no more are placed;
 * - a leg that the venue repeatedly does not find (we were killed before it was sent, or the venue
 * is late) stays UNKNOWN, but nothing waits for it: another one is placed. If it exists all the
 * same, it holds the coins, or both only reduce: nothing is sold twice, and one of them is
 * cancelled.
 */

/* A venue that refuses each leg would have each position closed as soon as it is opened: no more
 * are sent, until a restart. */
#define REFUSALS_MAX 3
/* After the venue has ended legs that we did not cancel; doubled with each time in a row. */
#define RETRY_US      (10 * USEC_PER_SEC)
#define RETRY_DOUBLED 6
/* Reports of one event, such as the end of both legs, may come apart. */
#define LOOSE_US USEC_PER_SEC
/* A stop that has been reached for so long does not act. */
#define ACTS_US (5 * USEC_PER_SEC)

static bool is_leg(const struct engine_slot *s)
{
    return s->order.kind == ORDER_STOP || s->order.kind == ORDER_TARGET;
}

static bool is_leg_of(const struct engine_slot *s, struct symbol symbol)
{
    return engine_orders_is_alive(s) && is_leg(s) && symbol_equal(s->order.symbol, symbol);
}

bool engine_legs_alive(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->slot_end && engine->venue.can.legs != VENUE_LEGS_NONE; i++) {
        if (is_leg_of(&engine->slots[i], symbol)) {
            return true;
        }
    }
    return false;
}

/* Of a position that the bot opened; NULL: none. */
static const struct position *position_in(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        if (symbol_equal(p->symbol, symbol) && p->client_id[0] != '\0') {
            return p;
        }
    }
    return NULL;
}

static bool wants_target(const struct engine *engine)
{
    return engine->venue.can.legs == VENUE_LEGS_BOTH || engine->venue.can.legs == VENUE_LEGS_PAIR;
}

/* Which of the stop and target of this order a leg has to have. */
static struct dec price_for(const struct engine_slot *leg, const struct order *wanted)
{
    return leg->order.kind == ORDER_STOP ? wanted->stop : wanted->target;
}

static bool covers(const struct engine_slot *leg, const struct position *p)
{
    struct dec left = dec_sub(leg->order.qty, leg->order.filled_qty);
    return leg->order.side == p->side && left.e8 == p->qty.e8;
}

static bool fits_alone(const struct engine_slot *leg, const struct position *p,
                       const struct engine_slot *entry)
{
    return covers(leg, p) && leg->order.price.e8 == price_for(leg, &entry->order).e8;
}

/* Those of a pair are placed together. */
static bool is_placed_with(const struct engine_slot *a, const struct engine_slot *b)
{
    return a->order.created_us == b->order.created_us;
}

/* Of a pair both do, or none. */
static bool fits(const struct engine *engine, const struct engine_slot *leg,
                 const struct position *p, const struct engine_slot *entry)
{
    if (engine->venue.can.legs != VENUE_LEGS_PAIR) {
        return fits_alone(leg, p, entry);
    }
    int count = 0, fitting = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, p->symbol) && is_placed_with(s, leg)) {
            count++;
            fitting += fits_alone(s, p, entry);
        }
    }
    return count == 2 && fitting == 2;
}

static bool rests(const struct engine_slot *leg)
{
    return leg->order.state == ORDER_ACKED || leg->order.state == ORDER_PARTIAL;
}

/* The leg of this kind, which rests at the venue and fits; NULL: there is none. */
static const struct engine_slot *resting(const struct engine *engine, const struct position *p,
                                         const struct engine_slot *entry, enum order_kind kind)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, p->symbol) && s->order.kind == kind && rests(s) &&
            fits(engine, s, p, entry)) {
            return s;
        }
    }
    return NULL;
}

bool engine_legs_act(struct engine *engine, const struct position *p, const char *reached)
{
    struct engine_slot *entry = engine->venue.can.legs != VENUE_LEGS_NONE && p->client_id[0] != '\0'
                                    ? engine_orders_find(engine, p->client_id)
                                    : NULL;
    if (entry == NULL || reached == NULL) {
        if (entry != NULL) {
            entry->reached_mono_us = 0;
        }
        return false;
    }
    bool stops = strcmp(reached, "stop") == 0;
    if (resting(engine, p, entry, stops ? ORDER_STOP : ORDER_TARGET) == NULL) {
        return false;
    }
    if (!stops) {
        return true; /* a limit fills at its price or better, when its turn comes */
    }
    if (entry->reached_mono_us == 0) {
        entry->reached_mono_us = engine->now->mono_us;
    }
    return engine->now->mono_us - entry->reached_mono_us < ACTS_US;
}

/* ---------------------------------------------------------------- the end of a leg */

bool engine_legs_is_missing(const struct engine_slot *slot)
{
    return is_leg(slot) && slot->not_found >= ENGINE_NOT_FOUND_ANSWERS;
}

bool engine_legs_has_other(const struct engine *engine, const struct engine_slot *leg)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, leg->order.symbol) && s->order.kind == leg->order.kind && s != leg) {
            return true;
        }
    }
    return false;
}

void engine_legs_over(struct engine *engine, const struct engine_slot *leg,
                      const struct venue_report *report)
{
    const struct position *p = position_in(engine, leg->order.symbol);
    struct engine_slot *entry = p != NULL ? engine_orders_find(engine, p->client_id) : NULL;
    if (entry == NULL) {
        return;
    }
    if (report->state == ORDER_REJECTED && !engine_legs_has_other(engine, leg)) {
        engine->venue.legs_refused += entry->closing == NULL;
        entry->closing = "stop refused";
    } else if (leg->cancel_mono_us == 0 && leg->order.filled_qty.e8 == 0) {
        (void)str_copy(str_c(report->reason), entry->legs_reason, sizeof(entry->legs_reason));
    }
}

/* ---------------------------------------------------------------- closes that wait */

static void cancel_all(struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->slot_end; i++) {
        if (is_leg_of(&engine->slots[i], symbol)) {
            engine_orders_cancel(engine, &engine->slots[i]);
        }
    }
}

/* One that is missing does not keep a position from being closed: if it exists, it holds the coins,
 * and the venue refuses the close. */
static bool is_in_the_way(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, symbol) && !engine_legs_is_missing(s)) {
            return true;
        }
    }
    return false;
}

/* A leg that is over has all of its fills in the books, see adopt_state in engine_reports.c. */
static void release(struct engine *engine, struct engine_slot *close)
{
    struct ledger ledger = engine_ledger(engine);
    int index = ledger_find(&ledger, close->order.symbol);
    const struct position *p = index >= 0 ? &engine->positions[index] : NULL;
    close->held = false;
    if (p == NULL || p->side != close->order.side) {
        (void)str_copy(STR_LIT("its stop or target was first"), close->order.reason,
                       sizeof(close->order.reason));
        engine_orders_move(engine, close, ORDER_CANCELLED);
        return;
    }
    if (close->order.decision_id != 0 && engine->state.state == TRADING_EMERGENCY) {
        /* It would wait for the next bar; the stop has closes of its own. */
        (void)str_copy(STR_LIT("an emergency stop was first"), close->order.reason,
                       sizeof(close->order.reason));
        engine_orders_move(engine, close, ORDER_CANCELLED);
        return;
    }
    close->order.qty = dec_min(close->order.qty, p->qty);
    close->sending = true;
    engine_orders_touch(engine, close);
}

static void tick_closes(struct engine *engine)
{
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (!s->used || !s->held) {
            continue;
        }
        if (is_in_the_way(engine, s->order.symbol)) {
            cancel_all(engine, s->order.symbol);
        } else {
            release(engine, s);
        }
    }
}

/* ---------------------------------------------------------------- legs that do not fit */

void engine_legs_price(struct engine *engine, struct engine_slot *leg, struct dec price)
{
    if (price.e8 > 0 && leg->order.price.e8 != price.e8) {
        leg->order.price = price;
        engine_orders_touch(engine, leg);
    }
}

void engine_legs_refused(struct engine *engine, struct engine_slot *leg,
                         const struct venue_report *report)
{
    leg->amend_refused = true;
    engine_legs_price(
        engine, leg, leg->order.kind == ORDER_STOP ? report->current_stop : report->current_target);
}

/* A leg of a part that has filled could fill twice at a venue that makes a new order of it. */
static bool can_move(const struct engine *engine, const struct engine_slot *leg,
                     const struct position *p, const struct engine_slot *entry)
{
    return engine->venue.can.amend && engine->venue.can.legs != VENUE_LEGS_PAIR &&
           leg->order.state == ORDER_ACKED && !leg->amend_refused && leg->cancel_mono_us == 0 &&
           covers(leg, p) && entry->closing == NULL && !engine_orders_acting(engine, p->symbol);
}

/* The wish is written before it is sent. An answer that is missing is asked for before it is sent
 * again. */
static void move(struct engine *engine, struct engine_slot *leg, const struct engine_slot *entry)
{
    struct order *o = &leg->order;
    if (o->stop.e8 != entry->order.stop.e8 || o->target.e8 != entry->order.target.e8) {
        o->stop = entry->order.stop;
        o->target = entry->order.target;
        leg->amend_mono_us = 0;
        engine_orders_touch(engine, leg);
    }
    if (!leg->ask && engine->venue.state == VENUE_READY && !engine_venue_is_banned(engine)) {
        engine_orders_send_amend(engine, leg);
    }
}

/* It was missing, and another one has taken its place: ids are numbers of runs and orders. */
static bool is_replaced(const struct engine *engine, const struct engine_slot *leg)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, leg->order.symbol) && s->order.kind == leg->order.kind && rests(s) &&
            strverscmp(s->order.client_id, leg->order.client_id) > 0) {
            return rests(leg);
        }
    }
    return false;
}

static void tick_leg(struct engine *engine, struct engine_slot *leg)
{
    engine->venue.legs_refused = rests(leg) ? 0 : engine->venue.legs_refused;
    if (is_replaced(engine, leg)) {
        engine_orders_cancel(engine, leg);
        return;
    }
    const struct position *p = position_in(engine, leg->order.symbol);
    struct engine_slot *entry = p != NULL ? engine_orders_find(engine, p->client_id) : NULL;
    if (entry != NULL && fits(engine, leg, p, entry)) {
        leg->loose_mono_us = 0;
        entry->legs_tries = rests(leg) ? 0 : entry->legs_tries;
        return;
    }
    if (entry != NULL && can_move(engine, leg, p, entry)) {
        leg->loose_mono_us = 0;
        move(engine, leg, entry);
        return;
    }
    if (leg->loose_mono_us == 0) {
        leg->loose_mono_us = engine->now->mono_us;
    }
    if (engine->now->mono_us - leg->loose_mono_us >= LOOSE_US) {
        engine_orders_cancel(engine, leg);
        if (entry != NULL) {
            entry->legs_mono_us = 0;
        }
    }
}

/* ---------------------------------------------------------------- new legs */

static bool is_too_small(const struct instrument *rules, const struct position *p,
                         const struct order *wanted)
{
    struct dec value = dec_mul(p->qty, dec_min(wanted->stop, wanted->target));
    return p->qty.e8 < rules->min_qty.e8 || value.e8 < rules->min_notional.e8;
}

/* Why none is placed now; NULL: they are. */
static const char *why_none(const struct engine *engine, const struct position *p,
                            const struct engine_slot *entry)
{
    const struct instrument *rules = engine_venue_instrument(engine, p->symbol);
    if (!order_state_is_final(entry->order.state)) {
        return "its entry is still open";
    }
    if (entry->closing != NULL || engine_orders_acting(engine, p->symbol) ||
        engine->list_before_close || engine->state.state == TRADING_EMERGENCY) {
        return "it is being closed";
    }
    if (!engine->reconciled || engine->venue.state != VENUE_READY ||
        (engine->venue.can.instruments && rules == NULL)) {
        return "the venue is not ready";
    }
    if (engine_venue_is_banned(engine) || engine->behind) {
        return engine->behind ? "the disk cannot be written" : "the venue limits requests";
    }
    if (engine->venue.legs_refused >= REFUSALS_MAX) {
        return "the venue has refused the last ones";
    }
    if (!engine_orders_has_capacity(engine)) {
        return "too many orders are open";
    }
    if (rules != NULL && is_too_small(rules, p, &entry->order)) {
        return "it is too small for the venue";
    }
    if (engine_orders_reached(p) != NULL) {
        return "the price has reached it";
    }
    int doubled = entry->legs_tries < RETRY_DOUBLED ? entry->legs_tries : RETRY_DOUBLED;
    bool waits = entry->legs_mono_us != 0 && doubled > 0 && engine->now != NULL &&
                 engine->now->mono_us - entry->legs_mono_us < RETRY_US << (doubled - 1);
    return waits ? entry->legs_reason : NULL;
}

static bool is_missing(const struct engine *engine, struct symbol symbol, enum order_kind kind)
{
    bool alone = engine->venue.can.legs == VENUE_LEGS_BOTH;
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, symbol) && (s->order.kind == kind || !alone) &&
            !engine_legs_is_missing(s)) {
            return false;
        }
    }
    return true;
}

static void place(struct engine *engine, const struct position *p, enum order_kind kind)
{
    struct order *o = engine_orders_prepare(engine, kind, p, "bracket");
    if (o == NULL) {
        return;
    }
    o->type = kind == ORDER_STOP ? ORDER_TYPE_STOP : ORDER_TYPE_LIMIT;
    o->time_in_force = TIF_GTC;
    o->price = kind == ORDER_STOP ? o->stop : o->target;
    o->reduce_only = engine->venue.can.reduce_only;
    o->decision_id = 0;
}

static void tick_position(struct engine *engine, const struct position *p)
{
    struct engine_slot *entry =
        p->client_id[0] != '\0' ? engine_orders_find(engine, p->client_id) : NULL;
    bool stop = entry != NULL && is_missing(engine, p->symbol, ORDER_STOP);
    bool target =
        entry != NULL && wants_target(engine) && is_missing(engine, p->symbol, ORDER_TARGET);
    if ((!stop && !target) || why_none(engine, p, entry) != NULL) {
        return;
    }
    struct position wanted = *p;
    wanted.stop = entry->order.stop;
    wanted.target = entry->order.target;
    entry->legs_mono_us = engine->now->mono_us;
    entry->legs_tries++;
    entry->legs_reason[0] = '\0';
    if (stop) {
        place(engine, &wanted, ORDER_STOP);
    }
    if (target) {
        place(engine, &wanted, ORDER_TARGET);
    }
}

void engine_legs_tick(struct engine *engine)
{
    if (engine->venue.can.legs == VENUE_LEGS_NONE) {
        return;
    }
    tick_closes(engine);
    for (int i = 0; i < engine->slot_end; i++) {
        if (engine_orders_is_alive(&engine->slots[i]) && is_leg(&engine->slots[i])) {
            tick_leg(engine, &engine->slots[i]);
        }
    }
    for (int i = 0; i < engine->position_count; i++) {
        tick_position(engine, &engine->positions[i]);
    }
}

/* ---------------------------------------------------------------- the snapshot */

/* The stop that rests at the venue, but not at the wanted price; NULL: there is none. */
static const struct engine_slot *moving(const struct engine *engine, const struct position *p)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_leg_of(s, p->symbol) && s->order.kind == ORDER_STOP && rests(s)) {
            return s;
        }
    }
    return NULL;
}

static void describe(const struct engine *engine, const struct position *p,
                     const struct engine_slot *entry, struct snapshot_legs *ret)
{
    const char *why = entry == NULL ? "it was not opened by the bot" : why_none(engine, p, entry);
    if (entry != NULL && (engine_legs_alive(engine, p->symbol) || why == NULL || why[0] == '\0')) {
        why = "it is being placed or moved";
    }
    str_cut(str_c(why), ret->reason, sizeof(ret->reason));
    const struct engine_slot *old = entry != NULL ? moving(engine, p) : NULL;
    char price[DEC_TEXT_SIZE], text[64];
    if (old != NULL && old->order.price.e8 != entry->order.stop.e8 &&
        snprintf(text, sizeof(text), "it is being moved, the venue has %s",
                 dec_text(old->order.price, price)) < (int)sizeof(ret->reason)) {
        (void)str_copy(str_c(text), ret->reason, sizeof(ret->reason));
    }
}

void engine_legs_snapshot(const struct engine *engine, struct snapshot *ret)
{
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        struct snapshot_legs *l = &ret->legs[i];
        *l = (struct snapshot_legs){.stop_at_venue = engine->venue.can.brackets,
                                    .target_at_venue = engine->venue.can.brackets};
        if (engine->venue.can.brackets) {
            continue;
        }
        if (engine->venue.can.legs == VENUE_LEGS_NONE) {
            str_cut(STR_LIT("this venue takes none from nightdesk"), l->reason, sizeof(l->reason));
            continue;
        }
        const struct engine_slot *entry =
            p->client_id[0] != '\0' ? engine_orders_find(engine, p->client_id) : NULL;
        l->stop_at_venue = entry != NULL && resting(engine, p, entry, ORDER_STOP) != NULL;
        l->target_at_venue = entry != NULL && resting(engine, p, entry, ORDER_TARGET) != NULL;
        if (!l->stop_at_venue) {
            describe(engine, p, entry, l);
        } else if (!l->target_at_venue) {
            str_cut(STR_LIT("the venue holds one order for it"), l->reason, sizeof(l->reason));
        }
    }
}
