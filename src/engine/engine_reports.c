#include "base/check.h"
#include "engine_private.h"

#include <string.h>

static const struct symbol no_symbol;

/* ---------------------------------------------------------------- fills */

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

/* The venue may be ahead of us: after a crash it may report a time that our clock has not reached.
 */
static void start_cooldown(struct engine *engine, struct symbol symbol, int64_t closed_us)
{
    int64_t from_us = closed_us > engine->now->market_us ? closed_us : engine->now->market_us;
    engine_account_cool(engine, symbol, from_us + engine->settings.cooldown_us);
}

void engine_reports_trade(struct engine *engine, const char *exit_reason, struct trade *trade)
{
    struct engine_state *s = &engine->state;
    ASSERT(engine->out->trade_count < ENGINE_TRADES(engine->position_capacity));
    trade->id = s->next_trade_id++;
    (void)str_copy(str_c(exit_reason), trade->exit_reason, sizeof(trade->exit_reason));
    engine->out->trades[engine->out->trade_count++] = *trade;
    struct engine_exposure *x = &engine->exposure;
    if (x->unsaved_count < x->unsaved_capacity) {
        x->unsaved[x->unsaved_count++] = trade->symbol;
    }
    s->trades++;
    if (trade->pnl.e8 > 0) {
        s->wins++;
    }
    s->consecutive_losses = trade->pnl.e8 < 0 ? s->consecutive_losses + 1 : 0;
    start_cooldown(engine, trade->symbol, trade->closed_us);
    struct event *e = engine_event(engine, TOPIC_TRADE, (int64_t)trade->side);
    e->id = trade->id;
    e->symbol = trade->symbol;
    e->qty = trade->qty;
    e->price = trade->exit_price;
    e->value = trade->pnl;
}

static void count_filled(struct engine *engine, struct engine_slot *slot, const struct fill *fill)
{
    struct order *o = &slot->order;
    struct dec qty = dec_add(o->filled_qty, fill->qty);
    struct dec value =
        dec_add(dec_mul(o->average_price, o->filled_qty), dec_mul(fill->price, fill->qty));
    struct dec average = o->filled_qty.e8 == 0 ? fill->price : dec_div(value, qty);
    o->filled_qty = dec_is_valid(qty) ? qty : o->filled_qty;
    o->average_price = dec_is_valid(average) ? average : fill->price;
    engine_orders_touch(engine, slot);
}

/* Books a fill once. False: it does not match our state (yet). */
static bool book_fill(struct engine *engine, struct engine_slot *slot, const struct fill *reported)
{
    if (engine_fills_has(engine, slot, reported->venue_fill_id)) {
        return true;
    }
    struct fill booked = *reported;
    const struct fill *fill = &booked;
    bool has_fee = engine_fills_convert_fee(engine, &booked);
    struct engine_outputs *out = engine->out;
    struct ledger ledger = engine_ledger(engine);
    struct trade trade;
    if (out->fill_count == ENGINE_FILLS_MAX || engine->fills.count == ENGINE_BOOKED_MAX ||
        strcmp(fill->client_id, slot->order.client_id) != 0 ||
        !symbol_equal(fill->symbol, slot->order.symbol)) {
        return false;
    }
    switch (ledger_book(&ledger, fill, &slot->order, &trade)) {
    case LEDGER_BOOKED:
        break;
    case LEDGER_CLOSED:
        trade.run_id = slot->order.kind == ORDER_CLOSE ? slot->order.run_id : 0;
        engine_reports_trade(engine, exit_reason_of(slot, fill), &trade);
        break;
    case LEDGER_MISFIT:
    case LEDGER_OVERFLOW:
        return false;
    }
    (void)engine_fills_add(engine, slot, fill->venue_fill_id);
    if (!has_fee) {
        engine_fault(engine, ERR_VENUE_FEE, fill->symbol);
    }
    if (fill->kind == slot->order.kind) {
        count_filled(engine, slot, fill);
        order_measure(&slot->order, engine_terms_rules(engine, slot->order.symbol));
        slot->amend_mono_us = 0;
        slot->refusals = 0;
    }
    out->fills[out->fill_count++] = *fill;
    out->positions_changed = true;
    out->write = true;
    engine->state.fills++;
    struct event *e = engine_event(engine, TOPIC_FILL, (int64_t)fill->side);
    e->id = fill->kind == slot->order.kind ? slot->order.run_id : 0; /* not of the bracket's */
    e->symbol = fill->symbol;
    e->qty = fill->qty;
    e->price = fill->price;
    e->value = fill->fee;
    return true;
}

/* The sequence of fills only grows, so everything up to our newest fill is booked. */
static int first_new(const struct engine_slot *slot, const struct venue_report *report, int count)
{
    for (int i = 0; i < count && slot->last_fill_id[0] != '\0'; i++) {
        if (strcmp(report->fills[i].venue_fill_id, slot->last_fill_id) == 0) {
            return i + 1;
        }
    }
    /* A report from the first fill on that does not reach our newest one is older. The ids alone do
     * not show that if a start has not loaded them all. */
    return slot->restored && report->fills_after[0] == '\0' ? count : 0;
}

/* Books the new fills of a report. */
static void book_fills(struct engine *engine, struct engine_slot *slot,
                       const struct venue_report *report)
{
    int count = report->fill_count < VENUE_FILLS_MAX ? report->fill_count : VENUE_FILLS_MAX;
    int from = first_new(slot, report, count);
    if (from == 0 && report->fills_after[0] != '\0' &&
        !engine_fills_has(engine, slot, report->fills_after)) {
        slot->ask = true; /* earlier fills are missing */
        return;
    }
    int before = engine->fills.count;
    for (int i = from; i < count; i++) {
        if (!book_fill(engine, slot, &report->fills[i])) {
            engine_fault(engine, ERR_ENGINE_STRAY_FILL, slot->order.symbol);
            engine_orders_ask(engine, slot->order.symbol);
            return; /* later fills depend on it */
        }
    }
    if (report->more) {
        slot->ask = true;
        slot->page = engine->fills.count > before; /* ask at once while pages make progress */
    }
}

/* ---------------------------------------------------------------- orders */

/* Reports may be late and out of order: a state never moves backwards. */
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
    bool is_leg = slot->order.kind == ORDER_STOP || slot->order.kind == ORDER_TARGET;
    if (rank(report->state) <= rank(slot->order.state)) {
        return;
    }
    if (order_state_is_final(report->state) &&
        dec_cmp(report->filled_qty, slot->order.filled_qty) != 0) {
        slot->ask = true; /* some of its fills are missing, so the order is not over */
        return;
    }
    if (report->state == ORDER_REJECTED) {
        (void)str_copy(str_c(report->reason), slot->order.reason, sizeof(slot->order.reason));
        bool closes = is_leg && !engine_legs_has_other(engine, slot);
        engine_fault(engine, closes ? ERR_VENUE_LEG : ERR_VENUE_REJECTED, slot->order.symbol);
    }
    engine_orders_move(engine, slot, report->state);
    if (is_leg && order_state_is_final(report->state)) {
        engine_legs_over(engine, slot, report);
    }
    if (slot->order.kind != ORDER_CLOSE || !order_state_is_final(report->state)) {
        return;
    }
    if (report->state != ORDER_FILLED) {
        /* The close was not filled. Ask why: most likely the bracket closed the position first. */
        engine_orders_ask(engine, slot->order.symbol);
        engine->list_before_close = true;
    }
}

/* Adopts the bracket as the venue reports it, since that one is in effect. */
static void adopt_bracket(struct engine *engine, const struct engine_slot *slot,
                          const struct venue_report *report)
{
    for (int i = 0; i < engine->position_count; i++) {
        struct position *p = &engine->positions[i];
        if (strcmp(p->client_id, slot->order.client_id) == 0 &&
            (p->stop.e8 != report->stop.e8 || p->target.e8 != report->target.e8)) {
            p->stop = report->stop;
            p->target = report->target;
            engine->out->positions_changed = true;
            engine->out->write = true;
        }
    }
}

static void accept_order(struct engine *engine, const struct venue_report *report)
{
    struct engine_slot *slot = engine_orders_find(engine, report->client_id);
    if (slot == NULL) {
        return; /* a late report on an order that is over and has no position */
    }
    slot->answered = true;
    slot->ask = false;
    slot->not_found = 0;
    book_fills(engine, slot, report);
    if (report->stop.e8 > 0 && report->target.e8 > 0) {
        adopt_bracket(engine, slot, report);
    }
    if (dec_is_valid(report->filled_qty)) {
        adopt_state(engine, slot, report);
    }
    if (slot->order.kind == ORDER_STOP || slot->order.kind == ORDER_TARGET) {
        engine_legs_price(engine, slot,
                          slot->order.kind == ORDER_STOP ? report->stop : report->target);
    }
}

/* Counts an answer, and judges by all of them whether the order never reached the venue. */
static bool never_arrived(struct engine *engine, struct engine_slot *slot)
{
    int64_t now_us = engine->now->mono_us;
    int64_t grace_us = engine->venue.can.not_found_us;
    if (grace_us == 0) {
        return true;
    }
    if (now_us - slot->sent_mono_us < ENGINE_ANSWER_US || engine->venue.state != VENUE_READY) {
        slot->not_found = 0;
        return false;
    }
    if (slot->not_found > 0 && now_us - slot->not_found_last_us < ENGINE_ASK_EVERY_US) {
        return false; /* the answer to the same question, twice */
    }
    if (slot->not_found++ == 0) {
        slot->not_found_mono_us = now_us;
    }
    slot->not_found_last_us = now_us;
    return slot->not_found >= ENGINE_NOT_FOUND_ANSWERS &&
           now_us - slot->not_found_mono_us >= grace_us;
}

static void accept_not_found(struct engine *engine, const char *client_id)
{
    struct engine_slot *slot = engine_orders_find(engine, client_id);
    if (slot == NULL) {
        return;
    }
    bool open = engine_orders_is_alive(slot) && slot->order.filled_qty.e8 == 0;
    if (open && !never_arrived(engine, slot)) {
        slot->ask = true;
        if (slot->order.state == ORDER_SENT || slot->order.state == ORDER_PREPARED) {
            engine_orders_move(engine, slot, ORDER_UNKNOWN);
        }
        return;
    }
    slot->answered = true;
    slot->ask = false;
    if (open) {
        (void)str_copy(STR_LIT("never reached the venue"), slot->order.reason,
                       sizeof(slot->order.reason));
        engine_orders_move(engine, slot, ORDER_CANCELLED);
    }
}

static void accept_no_answer(struct engine *engine, const struct venue_report *report)
{
    engine_fault(engine, ERR_VENUE_NO_ANSWER, no_symbol);
    if (report->asked == VENUE_CALL_LIST) {
        engine->list_wanted = true;
        return;
    }
    struct engine_slot *slot = engine_orders_find(engine, report->client_id);
    if (slot == NULL) {
        return;
    }
    slot->ask = true;
    if (slot->order.state == ORDER_SENT || slot->order.state == ORDER_PREPARED) {
        engine_orders_move(engine, slot, ORDER_UNKNOWN);
    }
}

/* Whether the market has passed a stop or target that is measured from the fills. */
static bool is_passed(const struct position *p, const struct order *wanted)
{
    int64_t sign = p->side == SIDE_LONG ? 1 : -1;
    return (wanted->stop_away.e8 > 0 && sign * (p->mark_price.e8 - wanted->stop.e8) <= 0) ||
           (wanted->target_away.e8 > 0 && sign * (wanted->target.e8 - p->mark_price.e8) <= 0);
}

/* The venue refused the bracket. A bracket measured from the fills that the market has passed is
 * fulfilled by closing the position, which must not lose more than its stop allowed. If only the
 * venue's newer price has passed it, it is retried a few times. A bracket that a person set is
 * given up. */
static void give_up_bracket(struct engine *engine, struct engine_slot *slot,
                            const struct position *p)
{
    bool measured = slot->order.stop_away.e8 > 0 || slot->order.target_away.e8 > 0;
    if (measured && is_passed(p, &slot->order)) {
        slot->closing = "bracket passed";
    } else if (!measured || ++slot->refusals > ENGINE_REFUSALS_MAX) {
        slot->order.stop = p->stop;
        slot->order.target = p->target;
        engine_orders_touch(engine, slot);
        engine_fault(engine, ERR_VENUE_AMEND, p->symbol);
    }
}

/* The refusal includes the bracket in effect, which may be newer than ours if a report was lost. */
static void adopt_bracket_in_effect(struct engine *engine, struct position *p,
                                    const struct venue_report *report)
{
    if (report->current_stop.e8 > 0 && report->current_target.e8 > 0 &&
        (p->stop.e8 != report->current_stop.e8 || p->target.e8 != report->current_target.e8)) {
        p->stop = report->current_stop;
        p->target = report->current_target;
        engine->out->positions_changed = true;
        engine->out->write = true;
    }
}

/* Ignored if another amendment was requested since. */
static void accept_refused(struct engine *engine, const struct venue_report *report)
{
    struct engine_slot *slot = engine_orders_find(engine, report->client_id);
    if (slot == NULL || slot->order.stop.e8 != report->stop.e8 ||
        slot->order.target.e8 != report->target.e8) {
        return;
    }
    if (slot->order.kind == ORDER_STOP || slot->order.kind == ORDER_TARGET) {
        engine_legs_refused(engine, slot, report);
        return;
    }
    for (int i = 0; i < engine->position_count; i++) {
        struct position *p = &engine->positions[i];
        if (strcmp(p->client_id, slot->order.client_id) == 0 &&
            (p->stop.e8 != report->stop.e8 || p->target.e8 != report->target.e8)) {
            adopt_bracket_in_effect(engine, p, report);
            give_up_bracket(engine, slot, p);
        }
    }
}

/* ---------------------------------------------------------------- funding */

static bool book_payment(struct engine *engine, const struct venue_report *report, bool charge)
{
    struct engine_outputs *out = engine->out;
    struct ledger ledger = engine_ledger(engine);
    if (!(charge ? ledger_charge(&ledger, report->payment)
                 : ledger_pay(&ledger, report->payment))) {
        return false;
    }
    ASSERT(out->payment_count < ENGINE_REPORTS_MAX);
    out->payments[out->payment_count++] = (struct funding){report->funding_id, report->symbol,
                                                           report->payment, report->at_us, charge};
    return true;
}

/* Whether the books have the effect of an event that does not fit: they agree with a listing that
 * was requested after the event had arrived, and no order is under way in its symbol. Then an
 * emergency stop has written the position off, and waiting would hold up all later events. */
static bool is_written_off(struct engine *engine, const struct venue_report *report)
{
    struct engine_venue *v = &engine->venue;
    if (v->misfit_id != report->funding_id) {
        v->misfit_id = report->funding_id;
        v->misfit_list_id = engine->list_id;
    }
    return engine->agreed_list_id > v->misfit_list_id &&
           engine->agreed_list_id > engine->moved_list_id &&
           !engine_orders_busy(engine, report->symbol);
}

/* It was opened after the event, which is of one that was written off. */
static bool is_of_an_earlier_position(struct engine *engine, const struct venue_report *report)
{
    struct ledger ledger = engine_ledger(engine);
    int i = ledger_find(&ledger, report->symbol);
    return i >= 0 && engine->positions[i].opened_us > report->at_us;
}

/* The venue closed our position, or a part of it. If the books do not hold so much, fills are
 * missing: they are asked for, and the event is booked when a listing repeats it. */
static bool book_closed(struct engine *engine, const struct venue_report *report,
                        const char *reason, enum err_id alert)
{
    struct fill fill = {.symbol = report->symbol,
                        .kind = ORDER_CLOSE,
                        .side = report->side,
                        .qty = report->qty,
                        .price = report->price,
                        .fee = report->payment,
                        .at_us = report->at_us};
    memcpy(fill.fee_currency, report->fee_currency, sizeof(fill.fee_currency));
    bool has_fee = engine_fills_convert_fee(engine, &fill);
    struct ledger ledger = engine_ledger(engine);
    struct trade trade;
    if (is_of_an_earlier_position(engine, report) ||
        ledger_book(&ledger, &fill, NULL, &trade) != LEDGER_CLOSED) {
        if (is_written_off(engine, report)) {
            engine_fault(engine, ERR_ENGINE_RECONCILE, report->symbol);
            engine_fault(engine, alert, report->symbol);
            return true;
        }
        engine_orders_ask(engine, report->symbol);
        engine->list_wanted = true;
        return false;
    }
    engine_reports_trade(engine, reason, &trade);
    if (!has_fee) {
        engine_fault(engine, ERR_VENUE_FEE, report->symbol);
    }
    engine->out->positions_changed = true;
    engine_orders_ask(engine, report->symbol); /* its entry and bracket have changed too */
    engine->list_wanted = true;
    engine_fault(engine, alert, report->symbol);
    return true;
}

bool engine_reports_transfer(struct engine *engine, int64_t request_id, struct dec amount)
{
    struct engine_outputs *out = engine->out;
    struct ledger ledger = engine_ledger(engine);
    if (!ledger_transfer(&ledger, dec_neg(amount))) {
        return false;
    }
    ASSERT(out->transfer_count <= ENGINE_REPORTS_MAX);
    out->transfers[out->transfer_count++] =
        (struct transfer){request_id, amount, engine->market_us};
    out->write = true;
    return true;
}

static bool book_event(struct engine *engine, const struct venue_report *report)
{
    switch (report->event) {
    case VENUE_EVENT_FUNDING:
        return book_payment(engine, report, false);
    case VENUE_EVENT_FEE:
        return book_payment(engine, report, true);
    case VENUE_EVENT_TRANSFER:
        if (!engine_reports_transfer(engine, 0, dec_neg(report->payment))) {
            return false;
        }
        engine_fault(engine, ERR_VENUE_TRANSFER, report->symbol);
        return true;
    case VENUE_EVENT_MARGIN_CALL:
        engine_fault(engine, ERR_VENUE_MARGIN_CALL, report->symbol);
        engine_control_warned(engine, "the venue called for margin");
        return true;
    case VENUE_EVENT_LIQUIDATION:
        if (!book_closed(engine, report, "liquidation", ERR_VENUE_LIQUIDATION)) {
            return false;
        }
        engine_control_warned(engine, "the venue liquidated a position");
        return true;
    case VENUE_EVENT_DELEVERAGING:
        return book_closed(engine, report, "deleveraging", ERR_VENUE_CLOSED);
    case VENUE_EVENT_FORCED_CLOSE:
        return book_closed(engine, report, "closed by the venue", ERR_VENUE_CLOSED);
    }
    return false;
}

static void accept_funding(struct engine *engine, const struct venue_report *report)
{
    struct engine_state *s = &engine->state;
    if (report->funding_id <= s->last_funding_id) {
        return;
    }
    if (report->prev_funding_id != s->last_funding_id) {
        engine->list_wanted = true; /* an earlier payment is missing: listings repeat it */
        return;
    }
    if (!book_event(engine, report)) {
        engine_fault(engine, ERR_ENGINE_STRAY_FILL, report->symbol);
        return;
    }
    s->last_funding_id = report->funding_id;
    engine->out->write = true;
}

void engine_reports_accept(struct engine *engine, const struct venue_report *report)
{
    switch (report->kind) {
    case VENUE_ORDER:
        accept_order(engine, report);
        break;
    case VENUE_NOT_FOUND:
        accept_not_found(engine, report->client_id);
        break;
    case VENUE_NO_ANSWER:
        accept_no_answer(engine, report);
        break;
    case VENUE_LISTING:
        engine_reconcile_page(engine, report);
        break;
    case VENUE_FUNDING:
        accept_funding(engine, report);
        break;
    case VENUE_REFUSED:
        accept_refused(engine, report);
        break;
    case VENUE_CONNECTION:
    case VENUE_LIMIT:
    case VENUE_INSTRUMENT:
    case VENUE_ACCOUNT:
        engine_venue_accept(engine, report);
        break;
    }
}
