#include "base/check.h"
#include "engine_private.h"

#include <stdio.h>

/* Slots that only closing may use, so that a full table never keeps a position open. */
#define SLOTS_FOR_CLOSING (2 * POSITIONS_MAX)
/* Listings in a row that do not show a position, with every order of ours heard of in between,
 * until an emergency stop believes that it is gone. Two seconds apart, so longer than reports are
 * late. */
#define GONE_AFTER 10

static const struct symbol no_symbol;

static struct engine_slot *find_slot(struct engine *engine, const char *client_id)
{
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && strcmp(s->order.client_id, client_id) == 0) {
            return s;
        }
    }
    return NULL;
}

static bool is_alive(const struct engine_slot *slot)
{
    return slot->used && !order_state_is_final(slot->order.state);
}

static bool has_position(const struct engine *engine, const char *client_id)
{
    for (int i = 0; i < engine->position_count; i++) {
        if (strcmp(engine->positions[i].client_id, client_id) == 0) {
            return true;
        }
    }
    return false;
}

static void touch(struct engine *engine, struct engine_slot *slot)
{
    slot->order.updated_us = engine->now->market_us;
    slot->dirty = true;
}

static void move_to(struct engine *engine, struct engine_slot *slot, enum order_state state)
{
    if (slot->order.state == state) {
        return;
    }
    slot->order.state = state;
    touch(engine, slot);
    struct event *e = engine_event(engine, TOPIC_ORDER, (int64_t)state);
    e->symbol = slot->order.symbol;
    e->qty = slot->order.qty;
    e->price = slot->order.reference_price;
}

/* ---------------------------------------------------------------- making orders */

bool engine_orders_busy(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_alive(s) && symbol_equal(s->order.symbol, symbol)) {
            return true;
        }
    }
    return false;
}

int engine_orders_entries_alive(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        const struct engine_slot *s = &engine->slots[i];
        /* One that is partly filled is counted as a position already. */
        count += is_alive(s) && s->order.kind == ORDER_ENTRY &&
                 !has_position(engine, s->order.client_id);
    }
    return count;
}

int engine_orders_alive(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        count += is_alive(&engine->slots[i]);
    }
    return count;
}

static int free_slots(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        count += !engine->slots[i].used;
    }
    return count;
}

bool engine_orders_room(const struct engine *engine)
{
    return free_slots(engine) > SLOTS_FOR_CLOSING;
}

struct order *engine_orders_prepare(struct engine *engine, enum order_kind kind,
                                    const struct position *position, const char *reason)
{
    struct engine_slot *slot = NULL;
    for (int i = 0; i < ENGINE_ORDERS_MAX && slot == NULL; i++) {
        slot = engine->slots[i].used ? NULL : &engine->slots[i];
    }
    if (slot == NULL) {
        return NULL;
    }
    *slot = (struct engine_slot){.used = true, .leaving = true, .dirty = true, .answered = true};
    struct order *o = &slot->order;
    (void)snprintf(o->client_id, sizeof(o->client_id), "nd-%lld-%lld", (long long)engine->state.run,
                   (long long)engine->state.next_order++);
    o->symbol = position->symbol;
    o->kind = kind;
    o->side = position->side;
    o->state = ORDER_PREPARED;
    o->qty = position->qty;
    o->reference_price = position->mark_price;
    o->stop = position->stop;
    o->target = position->target;
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

void engine_orders_close(struct engine *engine, const struct position *position, const char *reason)
{
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (is_alive(s) && s->order.kind == ORDER_CLOSE &&
            symbol_equal(s->order.symbol, position->symbol)) {
            return;
        }
    }
    struct position what = *position;
    what.stop = DEC_ZERO;
    what.target = DEC_ZERO;
    (void)engine_orders_prepare(engine, ORDER_CLOSE, &what, reason);
}

int engine_orders_cancel_entries(struct engine *engine, struct symbol symbol)
{
    int alive = 0;
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (!is_alive(s) || s->order.kind != ORDER_ENTRY ||
            !(symbol_equal(symbol, no_symbol) || symbol_equal(symbol, s->order.symbol))) {
            continue;
        }
        alive++;
        bool asked_lately = s->cancel_mono_us != 0 &&
                            engine->now->mono_us - s->cancel_mono_us < ENGINE_ASK_EVERY_US;
        if (!s->leaving && !asked_lately && engine->out->cancel_count < ENGINE_ORDERS_MAX) {
            memcpy(engine->out->cancels[engine->out->cancel_count++], s->order.client_id,
                   CLIENT_ID_SIZE);
            s->cancel_mono_us = engine->now->mono_us;
        }
    }
    return alive;
}

/* ---------------------------------------------------------------- what the venue says */

/* The whole truth about a symbol is wanted: its entry's, which knows of the bracket, and that of
 * every order under way. */
static void ask_about(struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && symbol_equal(s->order.symbol, symbol)) {
            s->ask = true;
        }
    }
}

static const char *exit_reason_of(const struct engine_slot *slot, const struct fill *fill)
{
    switch (fill->kind) {
    case ORDER_STOP:
        return "stop";
    case ORDER_TARGET:
        return "target";
    case ORDER_ENTRY:
    case ORDER_CLOSE:
        break;
    }
    return slot->order.reason;
}

static void start_cooldown(struct engine *engine, struct symbol symbol)
{
    struct engine_state *s = &engine->state;
    int kept = 0;
    for (int i = 0; i < s->cooldown_count; i++) {
        if (!symbol_equal(s->cooldowns[i].symbol, symbol) &&
            s->cooldowns[i].until_us > engine->now->market_us) {
            s->cooldowns[kept++] = s->cooldowns[i];
        }
    }
    s->cooldown_count = kept;
    if (engine->settings.cooldown_us > 0 && kept < SYMBOLS_MAX) {
        s->cooldowns[s->cooldown_count++] =
            (struct engine_cooldown){symbol, engine->now->market_us + engine->settings.cooldown_us};
    }
}

static void book_trade(struct engine *engine, const char *exit_reason, struct trade *trade)
{
    struct engine_state *s = &engine->state;
    ASSERT(engine->out->trade_count < (int)COUNT_OF(engine->out->trades));
    trade->id = s->next_trade_id++;
    (void)str_copy(str_c(exit_reason), trade->exit_reason, sizeof(trade->exit_reason));
    engine->out->trades[engine->out->trade_count++] = *trade;
    s->trades++;
    if (trade->pnl.e8 > 0) {
        s->wins++;
    }
    s->consecutive_losses = trade->pnl.e8 < 0 ? s->consecutive_losses + 1 : 0;
    start_cooldown(engine, trade->symbol);
    struct event *e = engine_event(engine, TOPIC_TRADE, (int64_t)trade->side);
    e->id = trade->id;
    e->symbol = trade->symbol;
    e->qty = trade->qty;
    e->price = trade->exit_price;
    e->value = trade->pnl;
}

static bool is_booked(const struct engine_slot *slot, int64_t fill_id)
{
    for (int i = 0; i < slot->fill_count; i++) {
        if (slot->fill_ids[i] == fill_id) {
            return true;
        }
    }
    return false;
}

static void count_filled(struct engine *engine, struct engine_slot *slot, const struct fill *fill)
{
    struct order *o = &slot->order;
    struct dec qty = dec_add(o->filled_qty, fill->qty);
    struct dec value =
        dec_add(dec_mul(o->average_price, o->filled_qty), dec_mul(fill->price, fill->qty));
    struct dec average = dec_div(value, qty);
    o->filled_qty = dec_is_valid(qty) ? qty : o->filled_qty;
    o->average_price = dec_is_valid(average) ? average : fill->price;
    touch(engine, slot);
}

/* Books a fill once; false when it does not fit what we know (yet). */
static bool book_fill(struct engine *engine, struct engine_slot *slot, const struct fill *fill)
{
    if (is_booked(slot, fill->venue_fill_id)) {
        return true;
    }
    struct engine_outputs *out = engine->out;
    struct ledger ledger = engine_ledger(engine);
    struct trade trade;
    if (slot->fill_count == VENUE_FILLS_MAX || out->fill_count == ENGINE_FILLS_MAX ||
        strcmp(fill->client_id, slot->order.client_id) != 0 ||
        !symbol_equal(fill->symbol, slot->order.symbol)) {
        return false;
    }
    switch (ledger_book(&ledger, fill, &slot->order, &trade)) {
    case LEDGER_BOOKED:
        break;
    case LEDGER_CLOSED:
        book_trade(engine, exit_reason_of(slot, fill), &trade);
        break;
    case LEDGER_MISFIT:
    case LEDGER_OVERFLOW:
        return false;
    }
    slot->fill_ids[slot->fill_count++] = fill->venue_fill_id;
    if (fill->kind == slot->order.kind) {
        count_filled(engine, slot, fill);
    }
    out->fills[out->fill_count++] = *fill;
    out->positions_changed = true;
    out->write = true;
    engine->state.fills++;
    struct event *e = engine_event(engine, TOPIC_FILL, (int64_t)fill->side);
    e->symbol = fill->symbol;
    e->qty = fill->qty;
    e->price = fill->price;
    e->value = fill->fee;
    return true;
}

/* Reports may come late and out of order: a state never goes back. */
static int rank(enum order_state state)
{
    switch (state) {
    case ORDER_PREPARED:
        return 0;
    case ORDER_SENT:
    case ORDER_UNKNOWN:
        return 1;
    case ORDER_ACKED:
        return 2;
    case ORDER_PARTIAL:
        return 3;
    case ORDER_FILLED:
    case ORDER_CANCELLED:
    case ORDER_REJECTED:
        return 4;
    }
    return 0;
}

static void adopt_state(struct engine *engine, struct engine_slot *slot,
                        const struct venue_report *report)
{
    if (rank(report->state) <= rank(slot->order.state)) {
        return;
    }
    if (order_state_is_final(report->state) &&
        dec_cmp(report->filled_qty, slot->order.filled_qty) != 0) {
        slot->ask = true; /* some of its fills have not come yet: it is not over */
        return;
    }
    if (report->state == ORDER_REJECTED) {
        (void)str_copy(str_c(report->reason), slot->order.reason, sizeof(slot->order.reason));
        engine_trouble(engine, ERR_VENUE_REJECTED, slot->order.symbol);
    }
    move_to(engine, slot, report->state);
    if (slot->order.kind == ORDER_CLOSE && report->state != ORDER_FILLED &&
        order_state_is_final(report->state)) {
        /* Not closed, so why: most likely the bracket was faster. */
        ask_about(engine, slot->order.symbol);
        engine->list_wanted = true;
        engine->look_first = true;
    }
}

static void take_order(struct engine *engine, const struct venue_report *report)
{
    struct engine_slot *slot = find_slot(engine, report->client_id);
    if (slot == NULL) {
        return; /* an order that is over, position and all: an echo */
    }
    slot->answered = true;
    slot->ask = false;
    for (int i = 0; i < report->fill_count && i < VENUE_FILLS_MAX; i++) {
        if (!book_fill(engine, slot, &report->fills[i])) {
            engine_trouble(engine, ERR_ENGINE_STRAY_FILL, slot->order.symbol);
            ask_about(engine, slot->order.symbol);
            break; /* later ones build on it */
        }
    }
    if (dec_is_valid(report->filled_qty)) {
        adopt_state(engine, slot, report);
    }
}

static void take_not_known(struct engine *engine, const char *client_id)
{
    struct engine_slot *slot = find_slot(engine, client_id);
    if (slot == NULL) {
        return;
    }
    slot->answered = true;
    slot->ask = false;
    if (is_alive(slot) && slot->order.filled_qty.e8 == 0) {
        (void)str_copy(STR_LIT("never reached the venue"), slot->order.reason,
                       sizeof(slot->order.reason));
        move_to(engine, slot, ORDER_CANCELLED);
    }
}

static void take_no_answer(struct engine *engine, const struct venue_report *report)
{
    engine_trouble(engine, ERR_VENUE_NO_ANSWER, no_symbol);
    if (report->asked == VENUE_CALL_LIST) {
        engine->list_wanted = true;
        return;
    }
    struct engine_slot *slot = find_slot(engine, report->client_id);
    if (slot == NULL) {
        return;
    }
    slot->ask = true;
    if (slot->order.state == ORDER_SENT || slot->order.state == ORDER_PREPARED) {
        move_to(engine, slot, ORDER_UNKNOWN);
    }
}

/* ---------------------------------------------------------------- do our books agree? */

/* Every order that an earlier run left has to be heard of before positions are compared. */
static int unheard(const struct engine *engine)
{
    int count = 0;
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        const struct engine_slot *s = &engine->slots[i];
        count += s->used && (!s->answered || s->ask);
    }
    return count;
}

static const struct venue_holding *holding_of(const struct venue_report *listing,
                                              struct symbol symbol)
{
    for (int i = 0; i < listing->holding_count && i < POSITIONS_MAX; i++) {
        if (symbol_equal(listing->holdings[i].symbol, symbol)) {
            return &listing->holdings[i];
        }
    }
    return NULL;
}

static void say_difference(struct engine *engine, struct symbol symbol, struct dec ours,
                           struct dec theirs)
{
    char a[DEC_TEXT_SIZE];
    char b[DEC_TEXT_SIZE];
    (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                   "%.15s: we hold %.23s, the venue %.23s", symbol.name, dec_text(ours, a),
                   dec_text(theirs, b));
    ask_about(engine, symbol);
}

static bool agrees(struct engine *engine, const struct venue_report *listing)
{
    bool same = true;
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        const struct venue_holding *h = holding_of(listing, p->symbol);
        if (h == NULL || h->side != p->side || dec_cmp(h->qty, p->qty) != 0) {
            say_difference(engine, p->symbol, p->qty, h == NULL ? DEC_ZERO : h->qty);
            same = false;
        }
    }
    struct ledger ledger = engine_ledger(engine);
    for (int i = 0; i < listing->holding_count && i < POSITIONS_MAX; i++) {
        const struct venue_holding *h = &listing->holdings[i];
        if (ledger_find(&ledger, h->symbol) < 0) {
            say_difference(engine, h->symbol, DEC_ZERO, h->qty);
            same = false;
        }
    }
    for (int i = 0; i < listing->open_count && i < VENUE_OPEN_MAX; i++) {
        const struct engine_slot *slot = find_slot(engine, listing->open[i]);
        if (slot == NULL || !is_alive(slot)) {
            (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                           "order %.31s is not ours", listing->open[i]);
            same = false;
        }
    }
    return same;
}

/* In an emergency stop everything goes, also what the bot did not open: it enters the books at
 * the venue's price so that closing it leaves them balanced. */
static void stop_foreign(struct engine *engine, const struct venue_report *listing)
{
    struct ledger ledger = engine_ledger(engine);
    for (int i = 0; i < listing->holding_count && i < POSITIONS_MAX; i++) {
        const struct venue_holding *h = &listing->holdings[i];
        struct position p = {.symbol = h->symbol,
                             .side = h->side,
                             .qty = h->qty,
                             .entry_price = h->entry_price,
                             .mark_price = h->entry_price,
                             .opened_us = engine->now->market_us};
        if (ledger_find(&ledger, h->symbol) < 0 && !engine_orders_busy(engine, h->symbol) &&
            ledger_adopt(&ledger, &p)) {
            engine->out->positions_changed = true;
            engine->out->write = true;
        }
    }
    for (int i = 0; i < listing->open_count && i < VENUE_OPEN_MAX; i++) {
        if (find_slot(engine, listing->open[i]) == NULL &&
            engine->out->cancel_count < ENGINE_ORDERS_MAX) {
            (void)str_copy(str_c(listing->open[i]),
                           engine->out->cancels[engine->out->cancel_count++], CLIENT_ID_SIZE);
        }
    }
}

/* A position that somebody else closed, or turned around, leaves the books at its mark: no fill
 * tells what it fetched. */
static void write_off(struct engine *engine, const struct position *position)
{
    struct fill what = {.symbol = position->symbol,
                        .kind = ORDER_CLOSE,
                        .side = position->side,
                        .qty = position->qty,
                        .price = position->mark_price,
                        .at_us = engine->now->market_us};
    struct ledger ledger = engine_ledger(engine);
    struct trade trade;
    engine_trouble(engine, ERR_ENGINE_RECONCILE, position->symbol);
    if (ledger_book(&ledger, &what, NULL, &trade) == LEDGER_CLOSED) {
        book_trade(engine, "gone from the venue", &trade);
        engine->out->positions_changed = true;
        engine->out->write = true;
    }
}

static void write_off_gone(struct engine *engine, const struct venue_report *listing)
{
    for (int i = engine->position_count - 1; i >= 0; i--) {
        struct position p = engine->positions[i];
        const struct venue_holding *h = holding_of(listing, p.symbol);
        if (h == NULL || h->side != p.side) {
            write_off(engine, &p);
        }
    }
}

/* An emergency stop asks until the venue itself lists nothing, and goes on looking: what turns up
 * later is closed as well. quiet: no order of ours was alive or unheard of before the listing. */
static void stop_by_listing(struct engine *engine, const struct venue_report *listing, bool same,
                            bool quiet)
{
    bool flat = listing->holding_count == 0 && listing->open_count == 0;
    if (engine->verified_flat) {
        if (flat) {
            return;
        }
        engine->verified_flat = false;
        engine->flat_asked = false;
        (void)engine_event(engine, TOPIC_STATE, TRADING_EMERGENCY);
    }
    if (quiet && engine->disagreements >= GONE_AFTER) {
        write_off_gone(engine, listing);
    }
    stop_foreign(engine, listing);
    if (same && quiet && flat && engine->position_count == 0) {
        engine->verified_flat = true;
        (void)engine_event(engine, TOPIC_STATE, TRADING_EMERGENCY);
    }
}

static void take_listing(struct engine *engine, const struct venue_report *listing)
{
    if (!listing->complete || listing->ask_id <= engine->moved_list_id) {
        engine->list_wanted = true; /* cut, or of a time before our last order or fill */
        return;
    }
    engine->look_first = false;
    bool quiet = engine_orders_alive(engine) == 0 && unheard(engine) == 0;
    bool same = agrees(engine, listing);
    if (engine->state.state == TRADING_EMERGENCY) {
        stop_by_listing(engine, listing, same, quiet);
    }
    if (same) {
        engine->disagreements = 0;
        engine->reconcile_reason[0] = '\0';
        if (!engine->reconciled) {
            engine->reconciled = true;
            (void)engine_event(engine, TOPIC_STATE, (int64_t)engine_shown_state(engine));
        }
        return;
    }
    /* Reports that are on their way explain one or two; three in a row are a difference. */
    engine->disagreements++;
    engine->list_wanted = true;
    if (engine->disagreements == 3 || (engine->disagreements > 3 && engine->reconciled)) {
        engine->reconciled = false;
        engine_trouble(engine, ERR_ENGINE_RECONCILE, no_symbol);
        (void)engine_event(engine, TOPIC_STATE, (int64_t)engine_shown_state(engine));
    }
}

void engine_orders_report(struct engine *engine, const struct venue_report *report)
{
    switch (report->kind) {
    case VENUE_ORDER:
        take_order(engine, report);
        break;
    case VENUE_NOT_KNOWN:
        take_not_known(engine, report->client_id);
        break;
    case VENUE_NO_ANSWER:
        take_no_answer(engine, report);
        break;
    case VENUE_LISTING:
        take_listing(engine, report);
        break;
    case VENUE_FUNDING:
        break;
    }
}

/* ---------------------------------------------------------------- time passes */

void engine_orders_begin(struct engine *engine)
{
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (s->used && s->leaving) {
            s->leaving = false;
            s->asked_mono_us = engine->now->mono_us;
            move_to(engine, s, ORDER_SENT);
        }
    }
}

static void tick_slot(struct engine *engine, struct engine_slot *slot)
{
    int64_t silent_us = engine->now->mono_us - slot->asked_mono_us;
    if (slot->order.state == ORDER_SENT && silent_us >= ENGINE_ANSWER_US) {
        engine_trouble(engine, ERR_VENUE_NO_ANSWER, slot->order.symbol);
        move_to(engine, slot, ORDER_UNKNOWN);
    }
    bool resting = slot->order.state == ORDER_ACKED || slot->order.state == ORDER_PARTIAL;
    if (slot->order.state == ORDER_UNKNOWN || (resting && silent_us >= ENGINE_RESTING_ASK_US)) {
        slot->ask = true;
    }
    bool allowed = slot->asked_mono_us == 0 || silent_us >= ENGINE_ASK_EVERY_US;
    if (slot->ask && !slot->leaving && allowed && engine->out->query_count < ENGINE_ORDERS_MAX) {
        memcpy(engine->out->queries[engine->out->query_count++], slot->order.client_id,
               CLIENT_ID_SIZE);
        slot->asked_mono_us = engine->now->mono_us;
    }
}

void engine_orders_tick(struct engine *engine)
{
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        if (engine->slots[i].used) {
            tick_slot(engine, &engine->slots[i]);
        }
    }
    int waiting = unheard(engine);
    bool stopping = engine->state.state == TRADING_EMERGENCY && !engine->verified_flat;
    if (!engine->reconciled && waiting > 0 && engine->disagreements == 0) {
        (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                       "asking the venue about %d orders", waiting);
    }
    int64_t since_us = engine->now->mono_us - engine->listed_mono_us;
    bool urgent = engine->list_wanted || !engine->reconciled || stopping;
    if (!(waiting > 0 && !engine->reconciled) &&
        (engine->listed_mono_us == 0 ||
         since_us >= (urgent ? ENGINE_ASK_EVERY_US : ENGINE_LIST_EVERY_US))) {
        engine->out->list = true;
        engine->out->list_id = ++engine->list_id;
        engine->list_wanted = false;
        engine->listed_mono_us = engine->now->mono_us;
    }
}

void engine_orders_finish(struct engine *engine)
{
    struct engine_outputs *out = engine->out;
    bool moved = out->fill_count > 0;
    for (int i = 0; i < ENGINE_ORDERS_MAX; i++) {
        struct engine_slot *s = &engine->slots[i];
        if (!s->used) {
            continue;
        }
        if (s->dirty) {
            moved = true;
            if (s->leaving) {
                out->sends[out->send_count++] = out->order_count;
            }
            out->orders[out->order_count++] = s->order;
            out->write = true;
            s->dirty = false;
        }
        /* An entry is needed as long as its bracket can still tell of a fill. */
        if (order_state_is_final(s->order.state) && !s->ask &&
            !has_position(engine, s->order.client_id)) {
            s->used = false;
        }
    }
    if (moved) {
        /* A listing of this very step is asked for after what the step has seen, but beside what
         * it sends. */
        bool fresh = out->list && out->send_count == 0;
        engine->moved_list_id = engine->list_id - (fresh ? 1 : 0);
    }
}
