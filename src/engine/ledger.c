#include "ledger.h"

#include "base/check.h"

#include <string.h>

static struct dec signed_by(enum side side, struct dec amount)
{
    return side == SIDE_LONG ? amount : dec_neg(amount);
}

static struct dec cost_of(const struct position *p)
{
    return signed_by(p->side, dec_mul(p->entry_price, p->qty));
}

int ledger_find(const struct ledger *ledger, struct symbol symbol)
{
    for (int i = 0; i < *ledger->position_count; i++) {
        if (symbol_equal(ledger->positions[i].symbol, symbol)) {
            return i;
        }
    }
    return -1;
}

/* Applies the changes common to all fills; all of them, or none. */
static bool settle(const struct ledger *ledger, struct dec cash_in, struct dec fee,
                   struct dec cost_change)
{
    struct engine_state *s = ledger->state;
    struct dec cash = dec_sub(dec_add(s->cash, cash_in), fee);
    struct dec fees = dec_add(s->fees, fee);
    struct dec realised = dec_sub(dec_add(dec_add(s->realised, cash_in), cost_change), fee);
    if (!dec_is_valid(cash) || !dec_is_valid(fees) || !dec_is_valid(realised)) {
        return false;
    }
    s->cash = cash;
    s->fees = fees;
    s->realised = realised;
    return true;
}

static enum ledger_result book_entry(const struct ledger *ledger, const struct fill *fill,
                                     const struct order *order)
{
    int index = ledger_find(ledger, fill->symbol);
    if (index < 0 && *ledger->position_count == ledger->position_capacity) {
        return LEDGER_MISFIT;
    }
    struct position p = {.symbol = fill->symbol,
                         .side = fill->side,
                         .stop = order->stop,
                         .target = order->target,
                         .mark_price = fill->price,
                         .opened_us = fill->at_us,
                         .decision_id = order->decision_id};
    (void)str_copy(str_c(order->client_id), p.client_id, sizeof(p.client_id));
    if (index >= 0) {
        p = ledger->positions[index];
        if (p.side != fill->side || strcmp(p.client_id, order->client_id) != 0) {
            return LEDGER_MISFIT;
        }
    }

    struct dec amount = dec_mul(fill->price, fill->qty);
    struct dec before = index >= 0 ? cost_of(&p) : DEC_ZERO;
    struct dec qty = dec_add(p.qty, fill->qty);
    p.entry_price =
        index >= 0 ? dec_div(dec_add(dec_mul(p.entry_price, p.qty), amount), qty) : fill->price;
    p.qty = qty;
    p.fees = dec_add(p.fees, fill->fee);
    /* An invalid price or quantity makes the change invalid, too. */
    struct dec change = dec_sub(cost_of(&p), before);
    if (!dec_is_valid(p.fees) || !dec_is_valid(change) ||
        !settle(ledger, dec_neg(signed_by(p.side, amount)), fill->fee, change)) {
        return LEDGER_OVERFLOW;
    }
    ledger->positions[index >= 0 ? index : (*ledger->position_count)++] = p;
    return LEDGER_BOOKED;
}

/* An entry of which fees have left less than can be sold. */
static enum ledger_result book_cost(const struct ledger *ledger, const struct fill *fill)
{
    return settle(ledger, DEC_ZERO, fill->fee, DEC_ZERO) ? LEDGER_BOOKED : LEDGER_OVERFLOW;
}

static void drop(const struct ledger *ledger, int index)
{
    (*ledger->position_count)--;
    for (int i = index; i < *ledger->position_count; i++) {
        ledger->positions[i] = ledger->positions[i + 1];
    }
}

static enum ledger_result book_exit(const struct ledger *ledger, const struct fill *fill,
                                    struct trade *ret_trade)
{
    int index = ledger_find(ledger, fill->symbol);
    if (index < 0) {
        return LEDGER_MISFIT;
    }
    struct position p = ledger->positions[index];
    if (p.side != fill->side || dec_cmp(fill->qty, p.qty) > 0) {
        return LEDGER_MISFIT;
    }

    struct dec amount = signed_by(p.side, dec_mul(fill->price, fill->qty));
    struct dec before = cost_of(&p);
    struct dec entry_fees = dec_mul_div(p.fees, fill->qty, p.qty);
    p.qty = dec_sub(p.qty, fill->qty);
    p.fees = dec_sub(p.fees, entry_fees);
    struct dec change = dec_sub(cost_of(&p), before);
    struct dec fees = dec_add(entry_fees, fill->fee);
    struct dec pnl = dec_sub(dec_add(amount, change), fees);
    if (!dec_is_valid(pnl) || !settle(ledger, amount, fill->fee, change)) {
        return LEDGER_OVERFLOW;
    }
    *ret_trade = (struct trade){.symbol = p.symbol,
                                .side = p.side,
                                .qty = fill->qty,
                                .entry_price = p.entry_price,
                                .exit_price = fill->price,
                                .pnl = pnl,
                                .fees = fees,
                                .opened_us = p.opened_us,
                                .closed_us = fill->at_us,
                                .decision_id = p.decision_id};
    memcpy(ret_trade->client_id, p.client_id, sizeof(ret_trade->client_id));
    if (p.qty.e8 > 0) {
        ledger->positions[index] = p;
        return LEDGER_CLOSED;
    }
    drop(ledger, index);
    return LEDGER_CLOSED;
}

enum ledger_result ledger_book(const struct ledger *ledger, const struct fill *fill,
                               const struct order *order, struct trade *ret_trade)
{
    /* An invalid number is below zero. Of an entry nothing may be left but its cost. */
    bool costs_only = fill->qty.e8 == 0 && fill->fee.e8 > 0 && fill->kind == ORDER_ENTRY;
    if (!dec_is_valid(fill->fee) || (fill->qty.e8 <= 0 && !costs_only) || fill->price.e8 <= 0) {
        return LEDGER_MISFIT;
    }
    if (costs_only && ledger_find(ledger, fill->symbol) < 0) {
        return book_cost(ledger, fill);
    }
    return fill->kind == ORDER_ENTRY ? book_entry(ledger, fill, order)
                                     : book_exit(ledger, fill, ret_trade);
}

enum ledger_result ledger_lose(const struct ledger *ledger, const struct fill *gone,
                               struct trade *ret_trade)
{
    struct fill f = *gone;
    f.price = DEC_ZERO;
    return dec_is_valid(f.qty) && f.qty.e8 > 0 ? book_exit(ledger, &f, ret_trade) : LEDGER_MISFIT;
}

bool ledger_adopt(const struct ledger *ledger, const struct position *position)
{
    struct dec cost = cost_of(position);
    struct dec cash = dec_sub(ledger->state->cash, cost);
    if (*ledger->position_count == ledger->position_capacity ||
        ledger_find(ledger, position->symbol) >= 0 || !dec_is_valid(cash)) {
        return false;
    }
    ledger->state->cash = cash;
    ledger->positions[(*ledger->position_count)++] = *position;
    return true;
}

bool ledger_disown(const struct ledger *ledger, int index)
{
    struct dec cash = dec_add(ledger->state->cash, cost_of(&ledger->positions[index]));
    if (!dec_is_valid(cash)) {
        return false;
    }
    ledger->state->cash = cash;
    drop(ledger, index);
    return true;
}

bool ledger_pay(const struct ledger *ledger, struct dec payment)
{
    struct engine_state *s = ledger->state;
    struct dec cash = dec_sub(s->cash, payment);
    struct dec realised = dec_sub(s->realised, payment);
    struct dec funding = dec_add(s->funding, payment);
    if (!dec_is_valid(cash) || !dec_is_valid(realised) || !dec_is_valid(funding)) {
        return false;
    }
    s->cash = cash;
    s->realised = realised;
    s->funding = funding;
    return true;
}

bool ledger_charge(const struct ledger *ledger, struct dec fee)
{
    return settle(ledger, DEC_ZERO, fee, DEC_ZERO);
}

bool ledger_transfer(const struct ledger *ledger, struct dec amount)
{
    struct engine_state *s = ledger->state;
    struct dec *const moved[] = {&s->cash, &s->initial_cash, &s->equity_peak, &s->day_start_equity};
    for (size_t i = 0; i < COUNT_OF(moved); i++) {
        if (!dec_is_valid(dec_sub(*moved[i], amount))) {
            return false;
        }
    }
    for (size_t i = 0; i < COUNT_OF(moved); i++) {
        *moved[i] = dec_sub(*moved[i], amount);
    }
    return true;
}

bool ledger_balances(const struct ledger *ledger)
{
    const struct engine_state *s = ledger->state;
    struct dec have = s->cash;
    for (int i = 0; i < *ledger->position_count; i++) {
        have = dec_add(have, cost_of(&ledger->positions[i]));
    }
    struct dec should = dec_add(s->initial_cash, s->realised);
    return dec_is_valid(have) && dec_is_valid(should) && dec_cmp(have, should) == 0;
}

struct dec ledger_equity(struct dec cash, const struct position *positions, int count)
{
    struct dec equity = cash;
    for (int i = 0; i < count; i++) {
        const struct position *p = &positions[i];
        equity = dec_add(equity, signed_by(p->side, dec_mul(p->mark_price, p->qty)));
    }
    return equity;
}

void ledger_mark(const struct ledger *ledger)
{
    for (int i = 0; i < *ledger->position_count; i++) {
        struct position *p = &ledger->positions[i];
        struct dec worth = signed_by(p->side, dec_mul(p->mark_price, p->qty));
        struct dec unrealised = dec_sub(worth, cost_of(p));
        p->unrealised = dec_is_valid(unrealised) ? unrealised : p->unrealised;
    }
}

struct dec ledger_exposure(const struct position *positions, int count)
{
    struct dec sum = DEC_ZERO;
    for (int i = 0; i < count; i++) {
        sum = dec_add(sum, dec_mul(positions[i].mark_price, positions[i].qty));
    }
    return sum;
}
