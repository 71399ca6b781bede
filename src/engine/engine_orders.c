#include "base/check.h"
#include "engine_private.h"

#include <stdio.h>

/* Slots reserved for closing, so that a full table never prevents a close. */
#define SLOTS_FOR_CLOSING(engine) (2 * (engine)->position_capacity)

static const struct symbol no_symbol;

/* ---------------------------------------------------------------- slots */

struct engine_slot *engine_orders_find(const struct engine *engine, const char *client_id)
{
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && strcmp(s->order.client_id, client_id) == 0) {
            return s;
        }
    }
    return NULL;
}

bool engine_orders_is_alive(const struct engine_slot *slot)
{
    return slot->used && !order_state_is_final(slot->order.state);
}

static const struct position *position_of(const struct engine *engine, const char *client_id)
{
    for (int i = 0; i < engine->position_count; i++) {
        if (strcmp(engine->positions[i].client_id, client_id) == 0) {
            return &engine->positions[i];
        }
    }
    return NULL;
}

void engine_orders_touch(struct engine *engine, struct engine_slot *slot)
{
    slot->order.updated_us = engine->now->market_us;
    slot->dirty = true;
}

void engine_orders_move(struct engine *engine, struct engine_slot *slot, enum order_state state)
{
    if (slot->order.state == state) {
        return;
    }
    slot->order.state = state;
    engine_orders_touch(engine, slot);
    struct event *e = engine_event(engine, TOPIC_ORDER, (int64_t)state);
    e->symbol = slot->order.symbol;
    e->id = slot->order.run_id;
    e->qty = slot->order.qty;
    e->price = slot->order.reference_price;
}

void engine_orders_ask(struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && symbol_equal(s->order.symbol, symbol)) {
            s->ask = true;
        }
    }
}

int engine_orders_unanswered(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        count += s->used && (!s->answered || s->ask) && !engine_legs_is_missing(s);
    }
    return count;
}

bool engine_orders_acting(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        bool is_leg = s->order.kind == ORDER_STOP || s->order.kind == ORDER_TARGET;
        if (engine_orders_is_alive(s) && !is_leg && symbol_equal(s->order.symbol, symbol)) {
            return true;
        }
    }
    return false;
}

bool engine_orders_busy(const struct engine *engine, struct symbol symbol)
{
    return engine_orders_acting(engine, symbol) || engine_legs_alive(engine, symbol);
}

int engine_orders_entries_alive(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        /* A partly filled entry is counted as a position already. */
        count += engine_orders_is_alive(s) && s->order.kind == ORDER_ENTRY &&
                 position_of(engine, s->order.client_id) == NULL;
    }
    return count;
}

int engine_orders_alive(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        count += engine_orders_is_alive(&engine->slots[i]);
    }
    return count;
}

bool engine_orders_has_capacity(const struct engine *engine)
{
    int used = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        used += engine->slots[i].used;
    }
    return engine->order_capacity - used > SLOTS_FOR_CLOSING(engine) &&
           !engine_fills_are_many(engine);
}

static struct engine_slot *claim_slot(struct engine *engine)
{
    for (int i = 0; i < engine->order_capacity; i++) {
        if (!engine->slots[i].used) {
            engine->slot_end = i >= engine->slot_end ? i + 1 : engine->slot_end;
            return &engine->slots[i];
        }
    }
    return NULL;
}

void engine_orders_restore(struct engine *engine, const struct engine_memory *memory)
{
    ASSERT(engine->slot_end == 0 && memory->booked_count >= 0 &&
           memory->booked_count <= ENGINE_BOOKED_MAX);
    for (int i = 0; i < memory->order_count; i++) {
        struct engine_slot *slot = claim_slot(engine);
        ASSERT(slot == &engine->slots[i]);
        *slot = (struct engine_slot){.used = true, .ask = true, .order = memory->orders[i]};
    }
    for (int i = 0; i < memory->booked_count; i++) {
        const struct engine_booked *b = &memory->booked[i];
        ASSERT(b->order >= 0 && b->order < memory->order_count);
        (void)engine_fills_add(engine, &engine->slots[b->order], b->venue_fill_id);
        engine->slots[b->order].restored = true;
    }
}

/* ---------------------------------------------------------------- making orders */

struct order *engine_orders_prepare(struct engine *engine, enum order_kind kind,
                                    const struct position *position, const char *reason)
{
    struct engine_slot *slot = claim_slot(engine);
    if (slot == NULL) {
        return NULL;
    }
    bool held = kind == ORDER_CLOSE && engine_legs_alive(engine, position->symbol);
    *slot = (struct engine_slot){
        .used = true, .sending = !held, .held = held, .dirty = !held, .answered = true};
    struct order *o = &slot->order;
    (void)snprintf(o->client_id, sizeof(o->client_id), ENGINE_CLIENT_ID_PREFIX "%lld-%lld",
                   (long long)engine->state.run, (long long)engine->state.next_order++);
    o->symbol = position->symbol;
    o->kind = kind;
    o->side = position->side;
    o->state = ORDER_PREPARED;
    o->qty = position->qty;
    o->reference_price = position->mark_price;
    o->stop = position->stop;
    o->target = position->target;
    if (kind == ORDER_ENTRY) {
        o->stop_away = dec_abs(dec_sub(o->reference_price, o->stop));
        o->target_away = dec_abs(dec_sub(o->reference_price, o->target));
    }
    engine_terms_set(engine, o);
    o->decision_id = position->decision_id;
    o->created_us = engine->now->market_us;
    o->updated_us = engine->now->market_us;
    (void)str_copy(str_c(reason), o->reason, sizeof(o->reason));
    engine->state.orders++;
    engine->out->write = true;
    struct event *e = engine_event(engine, TOPIC_ORDER, ORDER_PREPARED);
    e->symbol = o->symbol;
    e->qty = o->qty;
    e->price = o->reference_price;
    return o;
}

/* Repeated since a cancellation can get lost. */
void engine_orders_cancel(struct engine *engine, struct engine_slot *slot)
{
    if (slot->held) { /* the venue does not have it */
        slot->held = false;
        engine_orders_move(engine, slot, ORDER_CANCELLED);
        return;
    }
    bool asked_recently = slot->cancel_mono_us != 0 &&
                          engine->now->mono_us - slot->cancel_mono_us < ENGINE_ASK_EVERY_US;
    if (!slot->sending && !asked_recently && engine->out->cancel_count < engine->order_capacity) {
        memcpy(engine->out->cancels[engine->out->cancel_count++], slot->order.client_id,
               CLIENT_ID_SIZE);
        slot->cancel_mono_us = engine->now->mono_us;
    }
}

/* Without reduce-only a close of more than is held would open the other side, so nothing about the
 * symbol may be unknown when its quantity is set. A position that the bot did not open has no
 * orders of ours, and its quantity is from a listing. */
static bool may_close(const struct engine *engine, const struct position *position)
{
    for (int i = 0; i < engine->slot_end && !engine->venue.can.reduce_only; i++) {
        const struct engine_slot *s = &engine->slots[i];
        bool unknown = s->ask || s->order.state == ORDER_SENT || s->order.state == ORDER_UNKNOWN;
        if (s->used && unknown && !engine_legs_is_missing(s) && position->client_id[0] != '\0' &&
            symbol_equal(s->order.symbol, position->symbol)) {
            return false;
        }
    }
    return true;
}

void engine_orders_close(struct engine *engine, const struct position *position, const char *reason,
                         int64_t run_id)
{
    struct position what = *position;
    if (!may_close(engine, position)) {
        return; /* repeated in each step, and possible once the venue has answered */
    }
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (!engine_orders_is_alive(s) || s->order.kind != ORDER_CLOSE ||
            !symbol_equal(s->order.symbol, position->symbol)) {
            continue;
        }
        what.qty = dec_sub(what.qty, dec_sub(s->order.qty, s->order.filled_qty));
        /* A close from a decision waits for the next bar, but an emergency must not wait. */
        if (s->order.decision_id != 0 && engine->state.state == TRADING_EMERGENCY) {
            engine_orders_cancel(engine, s);
        }
    }
    what.qty = engine_terms_closable(engine, what.symbol, what.qty);
    if (what.qty.e8 > 0) {
        what.stop = DEC_ZERO;
        what.target = DEC_ZERO;
        what.decision_id = 0; /* close at once, not at the next bar */
        struct order *o = engine_orders_prepare(engine, ORDER_CLOSE, &what, reason);
        if (o != NULL) {
            o->run_id = run_id;
        }
    }
}

void engine_orders_claim(struct engine *engine, const char *reason, int64_t run_id)
{
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && s->order.run_id == 0 && strcmp(s->order.reason, reason) == 0) {
            s->order.run_id = run_id;
            engine_orders_touch(engine, s);
        }
    }
    for (int i = 0; i < engine->out->trade_count; i++) {
        struct trade *t = &engine->out->trades[i];
        t->run_id = t->run_id == 0 && strcmp(t->exit_reason, reason) == 0 ? run_id : t->run_id;
    }
}

int engine_orders_cancel_entries(struct engine *engine, struct symbol symbol)
{
    int alive = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (engine_orders_is_alive(s) && s->order.kind == ORDER_ENTRY &&
            (symbol_equal(symbol, no_symbol) || symbol_equal(symbol, s->order.symbol))) {
            alive++;
            engine_orders_cancel(engine, s);
        }
    }
    return alive;
}

void engine_orders_close_symbol(struct engine *engine, struct symbol symbol, int64_t run_id)
{
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && s->order.kind == ORDER_ENTRY &&
            (symbol_equal(symbol, no_symbol) || symbol_equal(symbol, s->order.symbol))) {
            s->closing = "operator";
            s->closing_run_id = run_id;
        }
    }
}

int engine_orders_amend(struct engine *engine, const struct position *position, struct dec stop,
                        struct dec target)
{
    struct engine_slot *slot =
        position->client_id[0] == '\0' ? NULL : engine_orders_find(engine, position->client_id);
    bool is_long = position->side == SIDE_LONG;
    if (slot == NULL) {
        return ERR_ENGINE_NOTHING_OPEN; /* not opened by the bot, so it has no bracket of ours */
    }
    if (engine->venue.can.brackets && !engine->venue.can.amend) {
        return ERR_VENUE_AMEND;
    }
    if (!dec_is_valid(stop) || !dec_is_valid(target) || stop.e8 < 0 || target.e8 < 0 ||
        (stop.e8 == 0 && target.e8 == 0)) {
        return ERR_ENGINE_AMEND;
    }
    const struct instrument *rules = engine_terms_rules(engine, position->symbol);
    if (instrument_round(rules, stop, false).e8 != stop.e8 ||
        instrument_round(rules, target, false).e8 != target.e8) {
        return ERR_ENGINE_AMEND; /* rounding would set another price than was confirmed */
    }
    /* An earlier amendment that the venue has not confirmed yet counts as applied. */
    struct order wanted = slot->order;
    if (stop.e8 > 0) {
        wanted.stop = stop;
        wanted.stop_away = DEC_ZERO; /* a price set by a person does not follow the fills */
    }
    if (target.e8 > 0) {
        wanted.target = target;
        wanted.target_away = DEC_ZERO;
    }
    stop = wanted.stop;
    target = wanted.target;
    struct dec low = is_long ? stop : target;
    struct dec high = is_long ? target : stop;
    if (low.e8 <= 0 || low.e8 >= position->mark_price.e8 || high.e8 <= position->mark_price.e8) {
        return ERR_ENGINE_AMEND;
    }
    slot->order = wanted;
    slot->amend_mono_us = 0;
    slot->refusals = 0;
    engine_orders_touch(engine, slot);
    return ERR_NONE;
}

/* ---------------------------------------------------------------- passage of time */

void engine_orders_begin(struct engine *engine)
{
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && s->sending) {
            s->sending = false;
            s->asked_mono_us = engine->now->mono_us;
            s->sent_mono_us = engine->now->mono_us;
            engine_orders_move(engine, s, ORDER_SENT);
        }
        if (s->used && s->sent_mono_us == 0) {
            s->sent_mono_us =
                engine->now->mono_us; /* of an earlier run: it may have been just now */
        }
    }
}

/* A venue without brackets: the wanted stop and target are in effect here. */
static void keep_bracket(struct engine *engine, const struct engine_slot *slot)
{
    for (int i = 0; i < engine->position_count; i++) {
        struct position *p = &engine->positions[i];
        if (strcmp(p->client_id, slot->order.client_id) == 0 &&
            (p->stop.e8 != slot->order.stop.e8 || p->target.e8 != slot->order.target.e8)) {
            p->stop = slot->order.stop;
            p->target = slot->order.target;
            engine->out->positions_changed = true;
            engine->out->write = true;
        }
    }
}

const char *engine_orders_reached(const struct position *p)
{
    int64_t sign = p->side == SIDE_LONG ? 1 : -1;
    if (p->stop.e8 > 0 && sign * (p->mark_price.e8 - p->stop.e8) <= 0) {
        return "stop";
    }
    return p->target.e8 > 0 && sign * (p->target.e8 - p->mark_price.e8) <= 0 ? "target" : NULL;
}

void engine_orders_guard(struct engine *engine)
{
    for (int i = 0; i < engine->position_count && !engine->venue.can.brackets; i++) {
        const char *reason = engine_orders_reached(&engine->positions[i]);
        bool acts = engine_legs_act(engine, &engine->positions[i], reason);
        if (reason != NULL && !acts && !engine->list_before_close) {
            engine_orders_close(engine, &engine->positions[i], reason, 0);
        }
    }
}

/* A bracket that cannot be changed is the wanted one. */
static void adopt_bracket(struct engine *engine, struct engine_slot *slot,
                          const struct position *position)
{
    if (position->stop.e8 > 0 && position->target.e8 > 0) {
        slot->order.stop = position->stop;
        slot->order.target = position->target;
        engine_orders_touch(engine, slot);
    }
}

void engine_orders_send_amend(struct engine *engine, struct engine_slot *slot)
{
    bool asked_recently = slot->amend_mono_us != 0 &&
                          engine->now->mono_us - slot->amend_mono_us < ENGINE_ASK_EVERY_US;
    if (!asked_recently && engine->out->amend_count < engine->position_capacity) {
        struct engine_amend *amend = &engine->out->amends[engine->out->amend_count++];
        memcpy(amend->client_id, slot->order.client_id, sizeof(amend->client_id));
        amend->stop = slot->order.stop;
        amend->target = slot->order.target;
        slot->amend_mono_us = engine->now->mono_us;
    }
}

/* The entry's order holds the wanted bracket, its position the one that the venue reported. While
 * they differ, the amendment is sent repeatedly, also after a restart. */
static void retry_bracket(struct engine *engine, struct engine_slot *slot)
{
    if (!engine->venue.can.brackets) {
        keep_bracket(engine, slot);
        return;
    }
    const struct position *p =
        slot->order.kind == ORDER_ENTRY ? position_of(engine, slot->order.client_id) : NULL;
    if (p == NULL || (p->stop.e8 == slot->order.stop.e8 && p->target.e8 == slot->order.target.e8)) {
        return;
    }
    if (!engine->venue.can.amend) {
        adopt_bracket(engine, slot, p);
        return;
    }
    engine_orders_send_amend(engine, slot);
}

/* Repeats a cancellation or close that has not taken effect: a call can get lost, and an entry can
 * fill before its cancellation arrives. */
static void retry_close(struct engine *engine, struct engine_slot *slot)
{
    if (slot->cancel_mono_us != 0 && engine_orders_is_alive(slot)) {
        engine_orders_cancel(engine, slot);
    }
    const struct position *p =
        slot->closing != NULL ? position_of(engine, slot->order.client_id) : NULL;
    if (p != NULL && !engine->list_before_close) {
        engine_orders_close(engine, p, slot->closing, slot->closing_run_id);
    }
}

static void tick_slot(struct engine *engine, struct engine_slot *slot)
{
    if (engine_orders_is_alive(slot) && !slot->held &&
        engine_terms_is_over(engine, &slot->order, slot->sent_mono_us)) {
        engine_orders_cancel(engine, slot);
    }
    slot->ask = slot->ask && !slot->held; /* the venue does not have it yet */
    int64_t silent_us = engine->now->mono_us - slot->asked_mono_us;
    if (slot->order.state == ORDER_SENT && silent_us >= ENGINE_ANSWER_US) {
        engine_fault(engine, ERR_VENUE_NO_ANSWER, slot->order.symbol);
        engine_orders_move(engine, slot, ORDER_UNKNOWN);
    }
    bool resting = slot->order.state == ORDER_ACKED || slot->order.state == ORDER_PARTIAL;
    if (slot->order.state == ORDER_UNKNOWN || (resting && silent_us >= ENGINE_RESTING_ASK_US)) {
        slot->ask = true;
    }
    bool allowed = !engine_venue_is_banned(engine) &&
                   (slot->asked_mono_us == 0 || slot->page || silent_us >= ENGINE_ASK_EVERY_US);
    if (slot->ask && !slot->sending && allowed &&
        engine->out->query_count < engine->order_capacity) {
        struct venue_question *query = &engine->out->queries[engine->out->query_count++];
        memcpy(query->client_id, slot->order.client_id, sizeof(query->client_id));
        query->symbol = slot->order.symbol;
        query->kind = slot->order.kind;
        query->side = slot->order.side;
        memcpy(query->after_fill_id, slot->last_fill_id, sizeof(query->after_fill_id));
        slot->asked_mono_us = engine->now->mono_us;
        slot->page = false;
    }
    retry_bracket(engine, slot);
    retry_close(engine, slot);
}

void engine_orders_tick(struct engine *engine)
{
    for (int i = 0; i < engine->slot_end; i++) {
        if (engine->slots[i].used) {
            tick_slot(engine, &engine->slots[i]);
        }
    }
}

bool engine_orders_finish(struct engine *engine)
{
    struct engine_outputs *out = engine->out;
    bool moved = false;
    int end = 0;
    for (int i = 0; i < engine->slot_end; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (!s->used) {
            continue;
        }
        if (s->dirty) {
            moved = true;
            if (s->sending) {
                out->sends[out->send_count++] = out->order_count;
            }
            out->orders[out->order_count++] = s->order;
            out->write = true;
            s->dirty = false;
        }
        /* An entry is kept while fills of its bracket may still arrive. */
        if (order_state_is_final(s->order.state) && !s->ask &&
            position_of(engine, s->order.client_id) == NULL) {
            s->used = false;
            engine_fills_forget(engine, s);
        } else {
            end = i + 1;
        }
    }
    engine->slot_end = end;
    return moved;
}
