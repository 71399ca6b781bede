#include "base/check.h"
#include "risk/risk.h"
#include "sim/hostile_private.h"
#include "store/order_table.h"
#include "store/trade_table.h"
#include "venue/paper.h"

#include <stdio.h>
#include <stdlib.h>

/* An odd factor and its inverse, modulo 2^32. */
#define SCRAMBLE   UINT32_C(0x9E3779B1)
#define UNSCRAMBLE UINT32_C(0x0E8B2F51)

/* The most events repeated after one listing. */
#define EVENTS_PER_LISTING 8

static struct hostile *of(struct venue *venue)
{
    return (struct hostile *)((char *)venue - offsetof(struct hostile, venue));
}

void hostile_violation(struct hostile *h, const char *format, ...)
{
    if (h->violation[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(h->violation, sizeof(h->violation), format, args);
    va_end(args);
}

bool hostile_chance(struct hostile *h, double probability)
{
    return rng_chance(h->rng, probability * h->fault_scale);
}

static int64_t delay(struct hostile *h, int64_t most_us)
{
    return h->fault_scale > 0 && rng_chance(h->rng, 0.4)
               ? (int64_t)rng_below(h->rng, (uint64_t)most_us)
               : 0;
}

/* ---------------------------------------------------------------- reports */

void hostile_queue(struct hostile *h, const struct venue_report *report, int64_t delay_us)
{
    if (h->report_count < HOSTILE_REPORTS_MAX) {
        h->reports[h->report_count++] =
            (struct hostile_report){h->clock->now_mono_us + delay_us, *report};
    }
}

static void answer(struct hostile *h, enum venue_report_kind kind, enum venue_call asked,
                   const char *client_id)
{
    struct venue_report r = {.kind = kind, .asked = asked};
    (void)str_copy(str_c(client_id), r.client_id, sizeof(r.client_id));
    hostile_queue(h, &r, delay(h, 3 * USEC_PER_SEC));
}

bool hostile_is_halted(const struct hostile *h)
{
    return h->clock->now_mono_us < h->halted_mono_us;
}

static void list_foreign(const struct hostile *h, struct venue_report *r)
{
    for (int i = 0; i < h->foreign_count && r->holding_count < VENUE_PAGE_HOLDINGS; i++) {
        r->holdings[r->holding_count++] = h->foreign[i];
    }
    if (h->foreign_order && r->open_count < VENUE_PAGE_OPEN) {
        (void)str_copy(STR_LIT("hand-1"), r->open[r->open_count++], CLIENT_ID_SIZE);
    }
}

/* Positions come from another part of a venue than orders, and may lag by seconds. */
static void lag_listing(struct hostile *h, struct venue_report *r)
{
    struct venue_report now = *r;
    if (h->has_listing && h->clock->now_mono_us - h->listed_mono_us <= HOSTILE_LAG_US &&
        hostile_chance(h, 0.2)) {
        *r = h->listing;
        r->ask_id = now.ask_id;
        r->funding_id = now.funding_id;
        h->outdated++;
        return;
    }
    h->has_listing = true;
    h->listed_mono_us = h->clock->now_mono_us;
    h->listing = now;
}

/* The ids of fills become texts whose order means nothing. */
static void scramble(char id[FILL_ID_SIZE])
{
    int64_t n = fill_id_to_number(id);
    if (n > 0) {
        (void)snprintf(id, FILL_ID_SIZE, "f%08x-x", (unsigned)((uint32_t)n * SCRAMBLE));
    }
}

static void unscramble(char id[FILL_ID_SIZE])
{
    if (id[0] == 'f') {
        fill_id_of_number((uint32_t)strtoul(id + 1, NULL, 16) * UNSCRAMBLE, id);
    }
}

static void scramble_fills(struct venue_report *r)
{
    scramble(r->fills_after);
    for (int i = 0; i < r->fill_count; i++) {
        scramble(r->fills[i].venue_fill_id);
    }
}

/* The fills of an order lag too: its filled quantity is known before their prices. */
static void lag_fills(struct hostile *h, struct venue_report *r)
{
    if (r->fill_count > 0 && hostile_chance(h, 0.1)) {
        r->fill_count = (int)rng_below(h->rng, (uint64_t)r->fill_count);
        r->more = true;
        h->outdated++;
    }
}

void hostile_deliver(struct hostile *h, const struct venue_report *r)
{
    if (hostile_chance(h, 0.15)) {
        return; /* lost on the way back */
    }
    hostile_queue(h, r, delay(h, 5 * USEC_PER_SEC));
    if (hostile_chance(h, 0.15)) {
        hostile_queue(h, r, delay(h, 20 * USEC_PER_SEC));
    }
}

/* A listing, sometimes in pages of one position and one order, last page first. */
static void deliver_listing(struct hostile *h, const struct venue_report *r)
{
    if (!hostile_chance(h, 0.2)) {
        hostile_deliver(h, r);
        return;
    }
    int pages = r->holding_count > r->open_count ? r->holding_count : r->open_count;
    for (int i = pages == 0 ? 0 : pages - 1; i >= 0; i--) {
        struct venue_report page = *r;
        page.page = i;
        page.last = i + 1 >= pages;
        page.holding_count = i < r->holding_count;
        page.open_count = i < r->open_count;
        if (page.holding_count > 0) {
            page.holdings[0] = r->holdings[i];
        }
        if (page.open_count > 0) {
            memcpy(page.open[0], r->open[i], CLIENT_ID_SIZE);
        }
        h->paged += i > 0;
        hostile_deliver(h, &page);
    }
}

/* A payment, or a fill of an order by which the venue closes a position, joins the chain. */
static void add_event(struct hostile *h, const struct events_entry *what)
{
    if (events_add(&h->events, what)) {
        struct venue_report r;
        events_report(&h->events, h->events.count, &r);
        hostile_deliver(h, &r);
    }
}

static void add_payment(struct hostile *h, const struct venue_report *r)
{
    if (r->funding_id == events_last_payment(&h->events) + 1) {
        add_event(h, &(struct events_entry){.event = VENUE_EVENT_FUNDING,
                                            .payment_id = r->funding_id,
                                            .symbol = r->symbol,
                                            .payment = r->payment,
                                            .at_us = r->at_us});
    }
}

static bool is_own_close(const struct venue_report *r)
{
    return strncmp(r->client_id, EVENTS_ORDER_PREFIX, strlen(EVENTS_ORDER_PREFIX)) == 0;
}

static void add_closes(struct hostile *h, const struct venue_report *r)
{
    for (int i = 0; i < r->fill_count; i++) {
        const struct fill *f = &r->fills[i];
        struct events_entry what = {.event = (enum venue_event)(r->client_id[6] - '0'),
                                    .symbol = f->symbol,
                                    .side = f->side,
                                    .qty = f->qty,
                                    .price = f->price,
                                    .payment = f->fee,
                                    .at_us = f->at_us};
        memcpy(what.client_id, r->client_id, sizeof(what.client_id));
        memcpy(what.venue_fill_id, f->venue_fill_id, sizeof(what.venue_fill_id));
        add_event(h, &what);
    }
}

/* What is only for the chain. True: the engine does not get the report itself. */
static bool take_event(struct hostile *h, struct venue_report *r)
{
    if (r->kind == VENUE_FUNDING) {
        add_payment(h, r);
        return true;
    }
    if (r->kind == VENUE_ORDER && is_own_close(r)) {
        add_closes(h, r);
        return true;
    }
    if (r->kind == VENUE_LISTING || r->kind == VENUE_ACCOUNT) {
        bool whole = r->funding_id == events_last_payment(&h->events);
        r->funding_id = h->events.count;
        return !whole; /* older than what the chain has, or a payment is still to be read */
    }
    return false;
}

/* The paper venue's balance is cash; that of a margined account is not reduced by what a position
 * cost. */
static void add_cost(const struct hostile *h, struct venue_balance *b)
{
    const struct paper_book *book = &paper_of(h->inner)->book;
    for (int i = 0; i < book->position_count && h->can.balances == VENUE_BALANCES_WALLET; i++) {
        const struct position *p = &book->positions[i];
        struct dec cost = dec_mul(p->entry_price, p->qty);
        b->total = p->side == SIDE_LONG ? dec_add(b->total, cost) : dec_sub(b->total, cost);
    }
}

static void pull(struct hostile *h)
{
    struct venue_report r;
    while (venue_poll(h->inner, &r)) {
        if (take_event(h, &r)) {
            continue;
        }
        h->partials += r.kind == VENUE_ORDER && r.state == ORDER_PARTIAL;
        if (r.kind == VENUE_LISTING) {
            ASSERT(r.page == 0 && r.last); /* with three symbols it is never longer */
            hostile_traits_dress(h, &r);
            hostile_legs_dress(h, &r);
            list_foreign(h, &r);
            lag_listing(h, &r);
            deliver_listing(h, &r);
            continue;
        }
        if (r.kind == VENUE_CONNECTION || r.kind == VENUE_INSTRUMENT) {
            hostile_traits_dress(h, &r);
            hostile_queue(h, &r, 0); /* from our own connection, not over the network */
            continue;
        }
        if (r.kind == VENUE_ACCOUNT && r.account.balance_count > 0) {
            struct venue_balance *b = &r.account.balances[0];
            b->total =
                dec_sub(dec_add(b->total, h->foreign_profit), events_transferred(&h->events));
            add_cost(h, b);
        }
        if (!h->can.brackets) {
            r.stop = DEC_ZERO;
            r.target = DEC_ZERO;
        }
        hostile_legs_dress(h, &r);
        scramble_fills(&r);
        lag_fills(h, &r);
        hostile_deliver(h, &r);
    }
}

/* ---------------------------------------------------------------- foreign positions */

static int find_foreign(const struct hostile *h, struct symbol symbol)
{
    for (int i = 0; i < h->foreign_count; i++) {
        if (symbol_equal(h->foreign[i].symbol, symbol)) {
            return i;
        }
    }
    return -1;
}

void hostile_trade_foreign(struct hostile *h, struct symbol symbol, struct dec price, bool ours)
{
    int index = find_foreign(h, symbol);
    h->foreign_order = rng_chance(h->rng, 0.3);
    if (index >= 0) {
        h->foreign[index] = h->foreign[--h->foreign_count];
    } else if (!ours && price.e8 > 0) {
        double qty = 200 / dec_to_double(price);
        h->foreign[h->foreign_count++] = (struct venue_holding){
            symbol, rng_chance(h->rng, 0.5) ? SIDE_LONG : SIDE_SHORT, dec_from_double(qty), price};
        hostile_traits_foreign(h, &h->foreign[h->foreign_count - 1]);
        h->foreigners++;
    }
}

static const struct venue_report *closed_by(const struct hostile *h, const char *client_id)
{
    for (int i = 0; i < h->closed_count; i++) {
        if (strcmp(h->closed[i].client_id, client_id) == 0) {
            return &h->closed[i];
        }
    }
    return NULL;
}

/* Our order in a symbol with a foreign position: a close reduces it, an entry is rejected. */
static bool match_foreign(struct hostile *h, const struct order *order)
{
    int index = find_foreign(h, order->symbol);
    struct quote quote;
    if (index < 0 || h->closed_count == HOSTILE_CLOSED_MAX ||
        !venue_quote(h->inner, order->symbol, &quote)) {
        return false;
    }
    struct venue_report *r = &h->closed[h->closed_count++];
    *r = (struct venue_report){.kind = VENUE_ORDER, .state = ORDER_REJECTED};
    memcpy(r->client_id, order->client_id, sizeof(r->client_id));
    struct venue_holding *held = &h->foreign[index];
    if (order->kind != ORDER_CLOSE || order->side != held->side ||
        dec_cmp(order->qty, held->qty) != 0) {
        (void)str_copy(STR_LIT("held by hand"), r->reason, sizeof(r->reason));
        hostile_queue(h, r, 0);
        return true;
    }
    bool is_long = held->side == SIDE_LONG;
    struct fill *f = &r->fills[0];
    *f = (struct fill){.symbol = held->symbol,
                       .kind = ORDER_CLOSE,
                       .side = held->side,
                       .qty = held->qty,
                       .price = is_long ? quote.bid : quote.ask,
                       .at_us = order->created_us};
    memcpy(f->client_id, order->client_id, sizeof(f->client_id));
    (void)snprintf(f->venue_fill_id, sizeof(f->venue_fill_id), "by-hand-%d", h->closed_count);
    /* Charged in the coin; in our books it is that at the price of the fill. */
    f->fee = dec_div(dec_from_double(0.1), f->price);
    (void)str_copy(symbol_base(&f->symbol), f->fee_currency, sizeof(f->fee_currency));
    struct dec fee = dec_mul(f->fee, f->price);
    r->fill_count = 1;
    r->state = ORDER_FILLED;
    r->filled_qty = held->qty;
    struct dec gain = dec_sub(dec_mul(f->price, f->qty), dec_mul(held->entry_price, f->qty));
    h->foreign_profit = dec_sub(dec_add(h->foreign_profit, is_long ? gain : dec_neg(gain)), fee);
    h->foreign[index] = h->foreign[--h->foreign_count];
    h->foreign_closed++;
    hostile_queue(h, r, delay(h, 2 * USEC_PER_SEC));
    return true;
}

/* ---------------------------------------------------------------- calls that arrive */

static void hide(struct hostile *h, const char *client_id)
{
    struct hostile_hidden *x = &h->hidden[h->hidden_next++ % HOSTILE_HIDDEN_MAX];
    x->until_us = h->clock->now_mono_us + (int64_t)rng_below(h->rng, HOSTILE_NOT_FOUND_US);
    (void)str_copy(str_c(client_id), x->client_id, sizeof(x->client_id));
}

/* A venue without brackets: the paper venue gets one that no price reaches. */
static void unprotect(struct order *o)
{
    const struct dec low = {1};
    const struct dec high = dec_from_int(INT64_C(1000000000));
    o->stop = o->side == SIDE_LONG ? low : high;
    o->target = o->side == SIDE_LONG ? high : low;
}

static void arrive(struct hostile *h, const struct hostile_call *call)
{
    const struct order *o = &call->order;
    if (!call->amends && hostile_chance(h, 0.15)) {
        hide(h, o->client_id);
    }
    if (call->amends) {
        if (!hostile_legs_amend(h, o)) {
            venue_amend(h->inner, o->client_id, o->stop, o->target);
        }
    } else if (hostile_is_leg(o)) {
        hostile_legs_arrive(h, o, call->paired ? &call->other : NULL);
    } else if (!hostile_traits_refuse(h, o) && !match_foreign(h, o)) {
        struct order taken = *o;
        taken.stop_away = h->prices ? DEC_ZERO : o->stop_away;
        taken.target_away = h->prices ? DEC_ZERO : o->target_away;
        if (!h->can.brackets && o->kind == ORDER_ENTRY) {
            unprotect(&taken);
            taken.stop_away = DEC_ZERO;
            taken.target_away = DEC_ZERO;
        }
        venue_send(h->inner, &taken);
    }
}

static void read_limit(struct hostile *h, const struct venue_limit *limit)
{
    int64_t banned_us = h->clock->now_mono_us + limit->banned_us;
    h->banned_mono_us = banned_us > h->banned_mono_us ? banned_us : h->banned_mono_us;
    h->held_mono_us =
        limit->used >= limit->most * 8 / 10 ? h->clock->now_mono_us + limit->reset_us : 0;
}

int hostile_find_refused(const struct hostile *h, struct symbol symbol)
{
    for (int i = 0; i < h->refused_count; i++) {
        if (symbol_equal(h->refused[i], symbol)) {
            return i;
        }
    }
    return -1;
}

static void read_instrument(struct hostile *h, const struct instrument *rules)
{
    int index = hostile_find_refused(h, rules->symbol);
    if (index >= 0 && rules->status == INSTRUMENT_TRADING) {
        h->refused[index] = h->refused[--h->refused_count];
    } else if (index < 0 && rules->status != INSTRUMENT_TRADING) {
        h->refused[h->refused_count++] = rules->symbol;
    }
}

static bool hostile_poll(struct venue *venue, struct venue_report *ret)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return false;
    }
    for (int i = 0; i < h->call_count && !hostile_is_halted(h); i++) {
        if (h->calls[i].due_us <= h->clock->now_mono_us) {
            struct hostile_call call = h->calls[i];
            h->calls[i] = h->calls[--h->call_count];
            arrive(h, &call);
            i--;
        }
    }
    pull(h);
    hostile_traits_look(h);
    hostile_legs_look(h);
    for (int i = 0; i < h->report_count; i++) {
        if (h->reports[i].due_us <= h->clock->now_mono_us) {
            *ret = h->reports[i].report;
            hostile_trace_report(h, ret);
            if (ret->kind == VENUE_LIMIT) {
                read_limit(h, &ret->limit);
            }
            if (ret->kind == VENUE_INSTRUMENT) {
                read_instrument(h, &ret->instrument);
            }
            if (ret->kind == VENUE_CONNECTION) {
                h->refuses_entries = ret->venue_state != VENUE_READY;
            }
            h->report_count--;
            memmove(&h->reports[i], &h->reports[i + 1],
                    (size_t)(h->report_count - i) * sizeof(h->reports[0]));
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- calls */

static void send(struct hostile *h, const struct hostile_call *call)
{
    const struct order *order = &call->order;
    if (hostile_is_halted(h)) {
        if (rng_chance(h->rng, 0.5)) {
            answer(h, VENUE_NO_ANSWER, VENUE_CALL_SEND, order->client_id);
        }
        return;
    }
    if (hostile_chance(h, 0.05)) {
        if (rng_chance(h->rng, 0.5)) {
            answer(h, VENUE_NO_ANSWER, VENUE_CALL_SEND, order->client_id);
        }
        return; /* never arrives */
    }
    if (hostile_chance(h, 0.05)) {
        struct venue_report r = {.kind = VENUE_ORDER, .state = ORDER_REJECTED};
        memcpy(r.client_id, order->client_id, sizeof(r.client_id));
        (void)str_copy(STR_LIT("rate limit"), r.reason, sizeof(r.reason));
        hostile_queue(h, &r, delay(h, USEC_PER_SEC));
        if (call->paired) {
            memcpy(r.client_id, call->other.client_id, sizeof(r.client_id));
            hostile_queue(h, &r, delay(h, USEC_PER_SEC));
        }
        return;
    }
    if (hostile_chance(h, 0.1)) {
        answer(h, VENUE_NO_ANSWER, VENUE_CALL_SEND,
               order->client_id); /* arrives without an answer */
    }
    int64_t delay_us = delay(h, 4 * USEC_PER_SEC);
    if (delay_us > 0 && h->call_count < HOSTILE_CALLS_MAX) {
        h->calls[h->call_count++] = *call;
        h->calls[h->call_count - 1].due_us = h->clock->now_mono_us + delay_us;
        return;
    }
    arrive(h, call);
}

static void hostile_send(struct venue *venue, const struct order *order)
{
    struct hostile *h = of(venue);
    if (h->dead) {
        return;
    }
    hostile_trace_send(h, order);
    hostile_check_send(h, order);
    bool paired = hostile_is_leg(order) && h->can.legs == VENUE_LEGS_PAIR;
    if (paired && order->kind == ORDER_STOP) {
        h->half = *order; /* sent with the second one */
        return;
    }
    send(h, &(struct hostile_call){.paired = paired, .order = *order, .other = h->half});
}

/* Always lost while the venue is halted. True: the call ends here. */
static bool is_lost(struct hostile *h, double probability, enum venue_call asked,
                    const char *client_id)
{
    if (h->dead) {
        return true;
    }
    if (hostile_is_halted(h) || hostile_chance(h, probability)) {
        answer(h, VENUE_NO_ANSWER, asked, client_id);
        return true;
    }
    return false;
}

/* The part of the venue that answers does not have the order yet. */
static bool is_hidden(struct hostile *h, enum venue_call asked, const char *client_id)
{
    for (int i = 0; i < HOSTILE_HIDDEN_MAX; i++) {
        if (h->clock->now_mono_us < h->hidden[i].until_us &&
            strcmp(h->hidden[i].client_id, client_id) == 0) {
            answer(h, VENUE_NOT_FOUND, asked, client_id);
            h->found_later++;
            return true;
        }
    }
    return false;
}

static void hostile_cancel(struct venue *venue, const char *client_id)
{
    struct hostile *h = of(venue);
    if (is_lost(h, 0.1, VENUE_CALL_CANCEL, client_id) ||
        is_hidden(h, VENUE_CALL_CANCEL, client_id)) {
        return;
    }
    if (strcmp(client_id, "hand-1") == 0) {
        h->foreign_order = false;
    } else if (closed_by(h, client_id) != NULL) {
        hostile_queue(h, closed_by(h, client_id), 0);
    } else if (!hostile_legs_cancel(h, client_id)) {
        venue_cancel(h->inner, client_id);
    }
}

static void hostile_query(struct venue *venue, const struct venue_question *question)
{
    struct hostile *h = of(venue);
    const char *client_id = question->client_id;
    if (is_lost(h, 0.15, VENUE_CALL_QUERY, client_id) ||
        is_hidden(h, VENUE_CALL_QUERY, client_id)) {
        return;
    }
    if (closed_by(h, client_id) != NULL) {
        hostile_queue(h, closed_by(h, client_id), 0);
    } else if (!hostile_legs_query(h, client_id)) {
        struct venue_question inner = *question;
        unscramble(inner.after_fill_id);
        venue_query(h->inner, &inner);
    }
}

static void hostile_list(struct venue *venue, int64_t ask_id, int64_t after_funding_id)
{
    struct hostile *h = of(venue);
    if (is_lost(h, 0.15, VENUE_CALL_LIST, "")) {
        return;
    }
    venue_list(h->inner, ask_id, events_last_payment(&h->events));
    pull(h); /* the account as it is now */
    for (int64_t i = 1; i <= EVENTS_PER_LISTING && after_funding_id + i <= h->events.count; i++) {
        struct venue_report r;
        events_report(&h->events, after_funding_id + i, &r);
        hostile_deliver(h, &r);
    }
}

bool hostile_was_asked(const struct hostile *h, const char *client_id, struct dec stop,
                       struct dec target)
{
    for (int64_t i = 0; i < h->amendments && i < HOSTILE_AMENDS_MAX; i++) {
        const struct hostile_amend *a = &h->amends[i];
        if (strcmp(a->client_id, client_id) == 0 && a->stop.e8 == stop.e8 &&
            a->target.e8 == target.e8) {
            return true;
        }
    }
    return false;
}

static void hostile_amend(struct venue *venue, const char *client_id, struct dec stop,
                          struct dec target)
{
    struct hostile *h = of(venue);
    if (!h->dead) {
        hostile_check_amend(h, client_id, stop, target);
    }
    if (is_lost(h, 0.15, VENUE_CALL_AMEND, client_id) || hostile_chance(h, 0.15)) {
        return; /* answered or not */
    }
    struct hostile_call call = {.amends = true, .order = {.stop = stop, .target = target}};
    (void)str_copy(str_c(client_id), call.order.client_id, sizeof(call.order.client_id));
    int64_t delay_us = delay(h, 4 * USEC_PER_SEC);
    if (delay_us > 0 && h->call_count < HOSTILE_CALLS_MAX) {
        call.due_us = h->clock->now_mono_us + delay_us;
        h->calls[h->call_count++] = call;
    } else {
        arrive(h, &call);
    }
}

static bool hostile_quote(const struct venue *venue, struct symbol symbol, struct quote *ret)
{
    const struct hostile *h =
        (const struct hostile *)((const char *)venue - offsetof(struct hostile, venue));
    return venue_quote(h->inner, symbol, ret);
}

static int hostile_fd(const struct venue *venue)
{
    (void)venue;
    return -1;
}

static int64_t hostile_due_us(const struct venue *venue)
{
    const struct hostile *h =
        (const struct hostile *)((const char *)venue - offsetof(struct hostile, venue));
    int64_t due_us = h->dead ? INT64_MAX : venue_due_us(h->inner);
    for (int i = 0; i < h->report_count && !h->dead; i++) {
        due_us = h->reports[i].due_us < due_us ? h->reports[i].due_us : due_us;
    }
    return due_us <= h->clock->now_mono_us ? 0 : due_us;
}

static void hostile_set_leverage(struct venue *venue, double leverage)
{
    venue_set_leverage(of(venue)->inner, leverage);
}

static const struct venue_capabilities *hostile_capabilities(const struct venue *venue)
{
    const struct hostile *h =
        (const struct hostile *)((const char *)venue - offsetof(struct hostile, venue));
    return &h->can;
}

static const struct venue_ops hostile_ops = {
    .name = "hostile",
    .capabilities = hostile_capabilities,
    .send = hostile_send,
    .cancel = hostile_cancel,
    .query = hostile_query,
    .list = hostile_list,
    .amend = hostile_amend,
    .quote = hostile_quote,
    .poll = hostile_poll,
    .fd = hostile_fd,
    .due_us = hostile_due_us,
    .set_leverage = hostile_set_leverage,
};

/* ---------------------------------------------------------------- lifecycle */

void hostile_init(struct hostile *h, const struct personality *who, struct rng *rng,
                  struct trading_store *store, const struct clock_fake *clock)
{
    memset(h, 0, sizeof(*h));
    h->venue.ops = &hostile_ops;
    h->source.ops = &hostile_source_ops;
    h->rng = rng;
    h->store = store;
    h->clock = clock;
    h->fault_scale = 1;
    h->snapshot = snapshot_new(CAPACITY_MIN);
    h->prices = rng_chance(rng, 0.5);
    h->can = (struct venue_capabilities){VENUE_USUAL,
                                         .prices_in_ticks = true,
                                         .brackets = !rng_chance(rng, 0.2),
                                         .connection = true,
                                         .instruments = true,
                                         .not_found_us = HOSTILE_NOT_FOUND_US,
                                         .balances = h->prices ? VENUE_BALANCES_CASH
                                                               : VENUE_BALANCES_WALLET};
    for (int i = 0; i < CAPACITY_MIN; i++) {
        h->gap[i] = dec_from_int(1);
    }
    h->who = who;
    hostile_traits_init(h);
}

void hostile_halt(struct hostile *h, int64_t for_us)
{
    h->halted_mono_us = h->clock->now_mono_us + for_us;
    h->halts++;
    if (rng_chance(h->rng, 0.5)) { /* and we notice it */
        struct venue_report r = {.kind = VENUE_CONNECTION, .venue_state = VENUE_DOWN};
        (void)str_copy(STR_LIT("connection lost"), r.reason, sizeof(r.reason));
        hostile_queue(h, &r, 0);
        r = (struct venue_report){.kind = VENUE_CONNECTION, .venue_state = VENUE_READY};
        hostile_queue(h, &r, for_us);
    }
}

static bool close_by_itself(struct hostile *h, enum venue_event event, struct rng *rng)
{
    const struct paper_book *book = &paper_of(h->inner)->book;
    if (book->position_count == 0) {
        return false;
    }
    const struct position *p = &book->positions[rng_below(rng, (uint64_t)book->position_count)];
    struct order o = {.kind = ORDER_CLOSE,
                      .symbol = p->symbol,
                      .side = p->side,
                      .qty = rng_chance(rng, 0.5) ? p->qty : hostile_traits_half(h, p->qty),
                      .created_us = book->bar_us};
    (void)snprintf(o.client_id, sizeof(o.client_id), EVENTS_ORDER_PREFIX "%d-%d", (int)event,
                   ++h->event_orders);
    int64_t before = h->events.count;
    venue_send(h->inner, &o);
    venue_cancel(h->inner, o.client_id); /* what the book was too thin for */
    pull(h);
    return h->events.count > before;
}

bool hostile_happen(struct hostile *h, enum venue_event event, struct rng *rng)
{
    if (h->dead || hostile_is_halted(h)) {
        return false;
    }
    const struct paper_book *book = &paper_of(h->inner)->book;
    pull(h); /* what was before it */
    if (events_closes(event)) {
        return close_by_itself(h, event, rng);
    }
    struct events_entry what = {.event = event, .at_us = book->bar_us};
    if (event == VENUE_EVENT_TRANSFER) {
        /* Before its first fill the paper venue has no cash on disk, but takes that of the books.
         */
        if (paper_of(h->inner)->written.next_fill_id <= 1) {
            return false;
        }
        what.payment = dec_from_double(1000 * (rng_double(rng) - 0.5));
    } else if (book->position_count > 0) {
        what.symbol = book->positions[0].symbol;
    }
    add_event(h, &what);
    return true;
}

void hostile_crash(struct hostile *h)
{
    h->report_count = 0;
    h->dead = false;
    hostile_legs_crash(h);
    h->refuses_entries = false;
    h->held_mono_us = 0;
    h->refused_count = 0;
    h->banned_mono_us = 0; /* a new process learns of it from the next report */
    for (int i = 0; i < h->call_count; i++) {
        if (rng_chance(h->rng, 0.5)) {
            h->calls[i--] = h->calls[--h->call_count];
        }
    }
}

/* Every request is refused for a time. */
void hostile_ban(struct hostile *h, int64_t for_us)
{
    struct venue_report r = {.kind = VENUE_LIMIT,
                             .limit = {.used = 1200, .most = 1200, .banned_us = for_us}};
    hostile_queue(h, &r, 0);
    h->bans++;
}

void hostile_hold(struct hostile *h, int64_t for_us)
{
    struct venue_report r = {.kind = VENUE_LIMIT,
                             .limit = {.used = 80, .most = 100, .reset_us = for_us}};
    hostile_queue(h, &r, 0);
    h->holds++;
}

void hostile_close_symbol(struct hostile *h, const struct instrument *rules, int64_t for_us)
{
    struct venue_report r = {.kind = VENUE_INSTRUMENT, .instrument = *rules};
    r.instrument.status = h->closings++ % 2 == 0 ? INSTRUMENT_HALTED : INSTRUMENT_CLOSE_ONLY;
    hostile_queue(h, &r, 0);
    r.instrument.status = INSTRUMENT_TRADING;
    hostile_queue(h, &r, for_us);
}

bool hostile_quiet(const struct hostile *h)
{
    return h->report_count == 0 && h->call_count == 0;
}

struct venue *hostile_venue(struct venue *inner, void *hostile)
{
    struct hostile *h = hostile;
    h->inner = inner;
    return &h->venue;
}

struct source *hostile_source(struct source *inner, void *hostile)
{
    struct hostile *h = hostile;
    h->inner_source = inner;
    h->source.step_us = source_step_us(inner);
    return &h->source;
}
