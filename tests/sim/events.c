#include "sim/events.h"

#include "base/check.h"
#include "store/funding_table.h"
#include "store/paper.h"
#include "store/trade_table.h"

#include <stdio.h>

#define TRADES_LIMIT 4096

bool events_pauses(enum venue_event event)
{
    return event == VENUE_EVENT_MARGIN_CALL || event == VENUE_EVENT_LIQUIDATION;
}

static const char *exit_reason(enum venue_event event)
{
    switch (event) {
    case VENUE_EVENT_LIQUIDATION:
        return "liquidation";
    case VENUE_EVENT_DELEVERAGING:
        return "deleveraging";
    case VENUE_EVENT_FORCED_CLOSE:
        return "closed by the venue";
    case VENUE_EVENT_FUNDING:
    case VENUE_EVENT_TRANSFER:
    case VENUE_EVENT_MARGIN_CALL:
    case VENUE_EVENT_FEE:
        break;
    }
    return NULL;
}

bool events_closes(enum venue_event event)
{
    return exit_reason(event) != NULL;
}

/* ERR_NONE: a payment, which raises no alert. */
static enum err_id alert_of(enum venue_event event)
{
    switch (event) {
    case VENUE_EVENT_FUNDING:
    case VENUE_EVENT_FEE:
        break;
    case VENUE_EVENT_TRANSFER:
        return ERR_VENUE_TRANSFER;
    case VENUE_EVENT_MARGIN_CALL:
        return ERR_VENUE_MARGIN_CALL;
    case VENUE_EVENT_LIQUIDATION:
        return ERR_VENUE_LIQUIDATION;
    case VENUE_EVENT_DELEVERAGING:
    case VENUE_EVENT_FORCED_CLOSE:
        return ERR_VENUE_CLOSED;
    }
    return ERR_NONE;
}

/* ---------------------------------------------------------------- the chain */

bool events_add(struct events *events, const struct events_entry *what)
{
    for (int64_t i = 0; i < events->count; i++) {
        const struct events_entry *e = &events->list[i];
        bool same = what->event == VENUE_EVENT_FUNDING
                        ? e->payment_id == what->payment_id
                        : what->venue_fill_id[0] != '\0' &&
                              strcmp(e->venue_fill_id, what->venue_fill_id) == 0;
        if (same) {
            return false;
        }
    }
    if (events->count == EVENTS_MAX) {
        return false;
    }
    events->list[events->count++] = *what;
    return true;
}

void events_report(const struct events *events, int64_t id, struct venue_report *ret)
{
    ASSERT(id >= 1 && id <= events->count);
    const struct events_entry *e = &events->list[id - 1];
    *ret = (struct venue_report){.kind = VENUE_FUNDING,
                                 .funding_id = id,
                                 .prev_funding_id = id - 1,
                                 .event = e->event,
                                 .symbol = e->symbol,
                                 .side = e->side,
                                 .qty = e->qty,
                                 .price = e->price,
                                 .payment = e->payment,
                                 .at_us = e->at_us};
}

int64_t events_last_payment(const struct events *events)
{
    int64_t last = 0;
    for (int64_t i = 0; i < events->count; i++) {
        last = events->list[i].payment_id > last ? events->list[i].payment_id : last;
    }
    return last;
}

struct dec events_transferred(const struct events *events)
{
    struct dec sum = DEC_ZERO;
    for (int64_t i = 0; i < events->count; i++) {
        if (events->list[i].event == VENUE_EVENT_TRANSFER) {
            sum = dec_add(sum, events->list[i].payment);
        }
    }
    return sum;
}

struct dec events_fees(const struct events *events)
{
    struct dec sum = DEC_ZERO;
    for (int64_t i = 0; i < events->count; i++) {
        if (events_closes(events->list[i].event)) {
            sum = dec_add(sum, events->list[i].payment);
        }
    }
    return sum;
}

static bool is_kept(const struct events_entry *e, struct trading_store *store, int64_t last_payment)
{
    struct err err = {0};
    struct fill fills[VENUE_FILLS_MAX];
    if (e->event == VENUE_EVENT_FUNDING) {
        return e->payment_id <= last_payment;
    }
    int count =
        !events_closes(e->event)
            ? 0
            : paper_store_fills_of(store, e->client_id, fill_id_to_number(e->venue_fill_id) - 1,
                                   fills, COUNT_OF(fills), &err);
    ASSERT(count >= 0);
    return !events_closes(e->event) ||
           (count > 0 && strcmp(fills[0].venue_fill_id, e->venue_fill_id) == 0);
}

void events_roll_back(struct events *events, struct trading_store *store, int64_t booked)
{
    int64_t last_payment = 0;
    struct err err = {0};
    int rc = paper_store_last_payment_id(store, &last_payment, &err);
    ASSERT(rc >= 0);
    int64_t kept = 0;
    while (kept < events->count && is_kept(&events->list[kept], store, last_payment)) {
        struct events_entry *e = &events->list[kept++];
        e->stopped = e->stopped && kept <= booked;
    }
    events->count = kept;
}

/* ---------------------------------------------------------------- checks */

void events_tell(struct events *events, enum err_id alert, struct symbol symbol, int64_t booked)
{
    for (int64_t i = 0; i < events->count && i < booked; i++) {
        struct events_entry *e = &events->list[i];
        if (alert == alert_of(e->event) && symbol_equal(e->symbol, symbol)) {
            e->told = true;
        }
    }
}

static bool is_same(const struct events_entry *a, const struct events_entry *b)
{
    return a->event == b->event && symbol_equal(a->symbol, b->symbol) && a->side == b->side &&
           a->qty.e8 == b->qty.e8 && a->price.e8 == b->price.e8 && a->at_us == b->at_us;
}

static bool is_trade_of(const struct events_entry *e, const struct trade *t)
{
    return strcmp(t->exit_reason, exit_reason(e->event)) == 0 &&
           symbol_equal(t->symbol, e->symbol) && t->side == e->side && t->qty.e8 == e->qty.e8 &&
           t->exit_price.e8 == e->price.e8 && t->closed_us == e->at_us;
}

/* Two events may look the same: then there are two trades. */
static bool has_its_trades(const struct events *events, const struct events_entry *e,
                           const struct trade *trades, int count)
{
    int wanted = 0;
    int found = 0;
    for (int64_t i = 0; i < events->count; i++) {
        wanted += is_same(&events->list[i], e);
    }
    for (int i = 0; i < count; i++) {
        found += is_trade_of(e, &trades[i]);
    }
    return found == wanted;
}

static bool check_trades(const struct events *events, struct trading_store *store, char *ret_what,
                         size_t what_size)
{
    static struct trade trades[TRADES_LIMIT];
    struct err err = {0};
    int count = trade_table_list(store, &(struct trade_query){0}, trades, TRADES_LIMIT, &err);
    int closes = 0;
    int booked = 0;
    for (int64_t i = 0; i < events->count; i++) {
        const struct events_entry *e = &events->list[i];
        closes += events_closes(e->event);
        if (events_closes(e->event) && !has_its_trades(events, e, trades, count)) {
            (void)snprintf(ret_what, what_size, "event %lld (%s of %s) is not one trade",
                           (long long)i + 1, exit_reason(e->event), e->symbol.name);
            return false;
        }
    }
    for (int i = 0; i < count; i++) {
        const char *reason = trades[i].exit_reason;
        booked += strcmp(reason, exit_reason(VENUE_EVENT_LIQUIDATION)) == 0 ||
                  strcmp(reason, exit_reason(VENUE_EVENT_DELEVERAGING)) == 0 ||
                  strcmp(reason, exit_reason(VENUE_EVENT_FORCED_CLOSE)) == 0;
    }
    if (booked != closes) {
        (void)snprintf(ret_what, what_size, "the venue closed %d times, %d are booked", closes,
                       booked);
    }
    return booked == closes;
}

/* Every payment was booked exactly once. */
static bool check_payments(const struct events *events, struct trading_store *store, char *ret_what,
                           size_t what_size)
{
    struct err err = {0};
    int64_t payments = 0;
    int64_t made = 0;
    struct dec paid = DEC_ZERO;
    struct dec due = DEC_ZERO;
    for (int64_t i = 0; i < events->count; i++) {
        if (events->list[i].event == VENUE_EVENT_FUNDING) {
            made++;
            due = dec_add(due, events->list[i].payment);
        }
    }
    if (funding_table_sum(store, &payments, &paid, &err) < 0 || payments != made ||
        dec_cmp(paid, due) != 0) {
        (void)snprintf(ret_what, what_size, "%lld of %lld payments are booked", (long long)payments,
                       (long long)made);
        return false;
    }
    return true;
}

bool events_check(const struct events *events, struct trading_store *store, char *ret_what,
                  size_t what_size)
{
    for (int64_t i = 0; i < events->count; i++) {
        const struct events_entry *e = &events->list[i];
        if (alert_of(e->event) != ERR_NONE && !e->told) {
            (void)snprintf(ret_what, what_size, "event %lld (%s) raised no alert", (long long)i + 1,
                           err_info(alert_of(e->event))->code);
            return false;
        }
    }
    return check_payments(events, store, ret_what, what_size) &&
           check_trades(events, store, ret_what, what_size);
}
