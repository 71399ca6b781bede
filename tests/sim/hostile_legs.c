#include "base/check.h"
#include "sim/hostile_private.h"
#include "venue/paper.h"

/*
 * Stops and targets that rest at the venue as orders of their own. The paper venue has none, so
 * they rest here; one that the price reaches is executed there as a close with its client id. They
 * are the venue's memory, and survive crashes of the bot.
 */

/* How often the venue takes an entry, and then refuses its stop. */
#define REFUSED 0.05

static struct hostile_leg *find(struct hostile *h, const char *client_id)
{
    for (int i = 0; i < h->leg_count; i++) {
        if (strcmp(h->legs[i].order.client_id, client_id) == 0) {
            return &h->legs[i];
        }
    }
    return NULL;
}

bool hostile_is_leg(const struct order *o)
{
    return o->kind == ORDER_STOP || o->kind == ORDER_TARGET;
}

/* Where a report has the price of this leg. */
static struct dec *price_in(struct venue_report *r, const struct hostile_leg *leg)
{
    return leg->order.kind == ORDER_STOP ? &r->stop : &r->target;
}

static void report(struct hostile *h, const struct hostile_leg *leg)
{
    struct venue_report r = {.kind = VENUE_ORDER, .state = leg->order.state};
    memcpy(r.client_id, leg->order.client_id, sizeof(r.client_id));
    memcpy(r.reason, leg->order.reason, sizeof(r.reason));
    *price_in(&r, leg) = leg->order.price;
    hostile_deliver(h, &r);
}

static void end(struct hostile *h, struct hostile_leg *leg, enum order_state state, const char *why)
{
    leg->order.state = state;
    (void)str_cut(str_c(why), leg->order.reason, sizeof(leg->order.reason));
    report(h, leg);
}

static bool rests(const struct hostile_leg *leg)
{
    return leg->order.state == ORDER_ACKED && !leg->fired;
}

int hostile_legs_resting(const struct hostile *h)
{
    int count = 0;
    for (int i = 0; i < h->leg_count; i++) {
        count += rests(&h->legs[i]);
    }
    return count;
}

bool hostile_legs_has_stop(const struct hostile *h, struct symbol symbol, struct dec price)
{
    for (int i = 0; i < h->leg_count; i++) {
        const struct order *o = &h->legs[i].order;
        if (rests(&h->legs[i]) && o->kind == ORDER_STOP && symbol_equal(o->symbol, symbol) &&
            o->price.e8 == price.e8) {
            return true;
        }
    }
    return false;
}

bool hostile_legs_had_stop(const struct hostile *h, struct symbol symbol, struct dec price)
{
    for (int64_t i = 0; i < h->stop_count && i < HOSTILE_STOPS_MAX; i++) {
        if (symbol_equal(h->stops[i].symbol, symbol) && h->stops[i].price.e8 == price.e8) {
            return true;
        }
    }
    return false;
}

static void note_stop(struct hostile *h, const struct order *o)
{
    if (o->kind == ORDER_STOP) {
        int64_t place = h->stop_count++ % HOSTILE_STOPS_MAX;
        h->stops[place].symbol = o->symbol;
        h->stops[place].price = o->price;
    }
}

/* Coins that a resting leg holds: no other order can sell them. A pair holds them once. */
struct dec hostile_legs_locked(const struct hostile *h, struct symbol symbol)
{
    struct dec sum = DEC_ZERO;
    for (int i = 0; i < h->leg_count && !h->can.reduce_only; i++) {
        const struct hostile_leg *leg = &h->legs[i];
        bool counts = h->can.legs != VENUE_LEGS_PAIR || leg->order.kind == ORDER_STOP;
        if (rests(leg) && counts && symbol_equal(leg->order.symbol, symbol)) {
            sum = dec_add(sum, leg->order.qty);
        }
    }
    return sum;
}

static struct dec held(const struct hostile *h, const struct order *o)
{
    const struct paper_book *book = &paper_of(h->inner)->book;
    int index = paper_book_find(book, o->symbol);
    return index < 0 || book->positions[index].side != o->side ? DEC_ZERO
                                                               : book->positions[index].qty;
}

/* The stop is beyond the market, or the target within it. */
static bool is_reached(const struct hostile *h, const struct order *o)
{
    struct quote quote;
    if (!venue_quote(h->inner, o->symbol, &quote)) {
        return false;
    }
    bool is_long = o->side == SIDE_LONG;
    struct dec price = is_long ? quote.bid : quote.ask;
    return (o->kind == ORDER_STOP) == is_long ? price.e8 <= o->price.e8 : price.e8 >= o->price.e8;
}

static const char *refusal(const struct hostile *h, const struct order *o)
{
    struct dec have = held(h, o);
    if (hostile_is_closed(h) || hostile_is_delisted(h, o->symbol)) {
        return "the market is closed";
    }
    if (have.e8 <= 0 ||
        (!h->can.reduce_only && dec_add(hostile_legs_locked(h, o->symbol), o->qty).e8 > have.e8)) {
        return "insufficient balance";
    }
    return is_reached(h, o) ? "it would trigger at once" : NULL;
}

static void add(struct hostile *h, const struct order *o, const char *refused)
{
    if (h->leg_count == HOSTILE_LEGS_MAX) { /* the oldest are long over */
        memmove(h->legs, &h->legs[1], sizeof(h->legs[0]) * (HOSTILE_LEGS_MAX - 1));
        h->leg_count--;
    }
    struct hostile_leg *leg = &h->legs[h->leg_count++];
    *leg = (struct hostile_leg){.order = *o};
    if (refused == NULL) {
        note_stop(h, o);
    }
    end(h, leg, refused == NULL ? ORDER_ACKED : ORDER_REJECTED, refused == NULL ? "" : refused);
    h->legs_placed += refused == NULL;
}

void hostile_legs_arrive(struct hostile *h, const struct order *leg, const struct order *other)
{
    const char *refused = rng_chance(&h->trait_rng, REFUSED * h->fault_scale) ? "refused" : NULL;
    refused = refused == NULL ? refusal(h, leg) : refused;
    refused = refused == NULL && other != NULL ? refusal(h, other) : refused;
    if (find(h, leg->client_id) == NULL) {
        add(h, leg, refused);
        h->legs_refused += refused != NULL;
    }
    if (other != NULL && find(h, other->client_id) == NULL) {
        add(h, other, refused);
    }
}

/* The other one of its pair. */
static void end_pair(struct hostile *h, const struct hostile_leg *leg, const char *why)
{
    for (int i = 0; i < h->leg_count && h->can.legs == VENUE_LEGS_PAIR; i++) {
        struct hostile_leg *x = &h->legs[i];
        if (x != leg && rests(x) && symbol_equal(x->order.symbol, leg->order.symbol)) {
            end(h, x, ORDER_CANCELLED, why);
        }
    }
}

static void fire(struct hostile *h, struct hostile_leg *leg)
{
    struct order close = leg->order;
    close.kind = ORDER_CLOSE;
    close.type = ORDER_TYPE_MARKET;
    close.time_in_force = TIF_GTC;
    close.price = DEC_ZERO;
    close.decision_id = 0;
    h->legs_fired += !leg->fired;
    end_pair(h, leg, "the other one was first");
    if (!leg->fired && held(h, &leg->order).e8 <= 0) {
        end(h, leg, ORDER_REJECTED, "insufficient balance");
        return;
    }
    leg->fired = true;
    venue_send(h->inner, &close);
}

void hostile_legs_drop(struct hostile *h, struct symbol symbol)
{
    for (int i = 0; i < h->leg_count; i++) {
        if (rests(&h->legs[i]) && symbol_equal(h->legs[i].order.symbol, symbol)) {
            end(h, &h->legs[i], ORDER_CANCELLED, "the symbol is not traded any more");
        }
    }
}

void hostile_legs_look(struct hostile *h)
{
    for (int i = 0; i < h->leg_count && !hostile_is_closed(h); i++) {
        struct hostile_leg *leg = &h->legs[i];
        if (leg->again) { /* a crash may have taken it from the paper venue */
            leg->again = false;
            fire(h, leg);
        } else if (rests(leg) && h->can.reduce_only && held(h, &leg->order).e8 <= 0) {
            end(h, leg, ORDER_CANCELLED, "nothing is left to reduce");
        } else if (rests(leg) && is_reached(h, &leg->order)) {
            fire(h, leg);
        }
    }
}

void hostile_legs_crash(struct hostile *h)
{
    for (int i = 0; i < h->leg_count; i++) {
        h->legs[i].again = h->legs[i].fired;
    }
}

bool hostile_legs_cancel(struct hostile *h, const char *client_id)
{
    struct hostile_leg *leg = find(h, client_id);
    if (leg == NULL || leg->fired) {
        return false;
    }
    if (rests(leg)) {
        end(h, leg, ORDER_CANCELLED, "cancelled");
        end_pair(h, leg, "cancelled");
    } else {
        report(h, leg);
    }
    return true;
}

bool hostile_legs_amend(struct hostile *h, const struct order *wanted)
{
    struct hostile_leg *leg = find(h, wanted->client_id);
    if (leg == NULL || leg->fired) {
        return leg != NULL;
    }
    if (!rests(leg)) {
        report(h, leg);
        return true;
    }
    struct order moved = leg->order;
    moved.price = moved.kind == ORDER_STOP ? wanted->stop : wanted->target;
    if (is_reached(h, &moved) || rng_chance(&h->trait_rng, REFUSED * h->fault_scale)) {
        struct venue_report r = {
            .kind = VENUE_REFUSED, .stop = wanted->stop, .target = wanted->target};
        memcpy(r.client_id, moved.client_id, sizeof(r.client_id));
        (void)str_cut(STR_LIT("refused"), r.reason, sizeof(r.reason));
        *(moved.kind == ORDER_STOP ? &r.current_stop : &r.current_target) = leg->order.price;
        hostile_deliver(h, &r);
        return true;
    }
    h->legs_moved += leg->order.price.e8 != moved.price.e8;
    leg->order.price = moved.price;
    note_stop(h, &moved);
    report(h, leg);
    return true;
}

bool hostile_legs_query(struct hostile *h, const char *client_id)
{
    const struct hostile_leg *leg = find(h, client_id);
    if (leg == NULL || leg->fired) {
        return false;
    }
    report(h, leg);
    return true;
}

void hostile_legs_dress(struct hostile *h, struct venue_report *r)
{
    const struct hostile_leg *leg = r->kind == VENUE_ORDER ? find(h, r->client_id) : NULL;
    for (int i = 0; leg != NULL && i < r->fill_count; i++) {
        r->fills[i].kind = leg->order.kind;
    }
    for (int i = 0; r->kind == VENUE_LISTING && i < h->leg_count; i++) {
        if (rests(&h->legs[i]) && r->open_count < VENUE_PAGE_OPEN) {
            memcpy(r->open[r->open_count++], h->legs[i].order.client_id, CLIENT_ID_SIZE);
        }
    }
}
