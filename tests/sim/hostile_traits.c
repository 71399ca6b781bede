#include "base/check.h"
#include "sim/hostile_private.h"
#include "venue/paper.h"

#include <stdio.h>

/*
 * What a personality has beside the faults of each: the venue's own capabilities, quantities and
 * smallest orders, coins instead of positions, hours, maintenance, orders that it ends, a fee that
 * nobody reports. Its random numbers are its own, so that the seeds without one stay as they were.
 */

/* What a fee leaves of a coin, in parts of the smallest order. */
#define DUST_PART 0.3
/* The fee that is taken without a report: as large as one of these. */
#define FEE_PART 0.002

static bool holds_coins(const struct hostile *h)
{
    return h->who != NULL && personality_holds_coins(h->who);
}

void hostile_traits_init(struct hostile *h)
{
    if (h->who != NULL) {
        rng_init(&h->trait_rng, rng_u64(h->rng) ^ UINT64_C(0x747261697473));
        h->can = personality_can(h->who);
        h->can.not_found_us = HOSTILE_NOT_FOUND_US;
    }
}

bool hostile_is_closed(const struct hostile *h)
{
    return hostile_is_halted(h) ||
           (h->who != NULL && h->fault_scale > 0 && personality_is_closed(h->who, h->market_us));
}

/* ---------------------------------------------------------------- reports */

static void dress_rules(const struct hostile *h, struct instrument *rules)
{
    personality_rules(h->who, rules);
    if (h->told_closed) {
        rules->status = INSTRUMENT_HALTED;
    }
}

/* Without a price nothing is too small. */
static bool is_unsellable(const struct hostile *h, struct symbol symbol, struct dec qty)
{
    struct quote quote;
    const struct dec least = paper_of(h->inner)->terms.min_notional;
    return qty.e8 < h->who->min_qty.e8 ||
           (venue_quote(h->inner, symbol, &quote) && dec_mul(qty, quote.bid).e8 < least.e8);
}

/* A listing of coins has what fees have left beside a position, and not what cannot be sold. */
static void dress_coins(const struct hostile *h, struct venue_report *r)
{
    int kept = 0;
    for (int i = 0; i < r->holding_count; i++) {
        struct venue_holding held = r->holdings[i];
        double dust = (h->no_dust ? 0 : DUST_PART) *
                      dec_to_double(paper_of(h->inner)->terms.min_notional) /
                      dec_to_double(held.entry_price);
        if (is_unsellable(h, held.symbol, held.qty)) {
            continue;
        }
        const struct dec step = paper_of(h->inner)->terms.lot;
        held.qty = dec_add(
            held.qty, dec_floor_to(dec_from_double(dust), step.e8 > 0 ? step : (struct dec){1}));
        r->holdings[kept++] = held;
    }
    r->holding_count = kept;
}

void hostile_traits_dress(struct hostile *h, struct venue_report *r)
{
    if (h->who == NULL) {
        return;
    }
    if (r->kind == VENUE_INSTRUMENT) {
        dress_rules(h, &r->instrument);
    } else if (r->kind == VENUE_LISTING && holds_coins(h)) {
        dress_coins(h, r);
    }
}

void hostile_traits_foreign(const struct hostile *h, struct venue_holding *held)
{
    if (h->who != NULL && !h->can.shorts) {
        held->side = SIDE_LONG;
    }
    const struct dec lot = h->who == NULL ? DEC_ZERO : h->who->terms.lot;
    if (lot.e8 > 0) { /* and no two are alike: the engine could not tell them apart */
        held->qty = dec_floor_to(held->qty, lot);
        held->qty = dec_add(held->qty, (struct dec){lot.e8 * (1 + h->foreigners % 16)});
    }
}

struct dec hostile_traits_half(const struct hostile *h, struct dec qty)
{
    const struct dec half = {(qty.e8 + 1) / 2};
    const struct dec lot = h->who == NULL ? DEC_ZERO : h->who->terms.lot;
    return lot.e8 > 0 ? dec_max(dec_floor_to(half, lot), lot) : half;
}

static bool is_open(const struct paper_book *book, struct symbol symbol)
{
    for (int i = 0; i < book->open_count; i++) {
        if (symbol_equal(book->open[i].symbol, symbol)) {
            return true;
        }
    }
    return false;
}

/* Coins that are too few to be sold stay in the account, and are no position. */
static void leave_coins(struct hostile *h)
{
    struct paper *paper = paper_of(h->inner);
    struct paper_book *book = &paper->book;
    int kept = 0;
    for (int i = 0; i < book->position_count; i++) {
        const struct position p = book->positions[i];
        if (is_open(book, p.symbol) || !is_unsellable(h, p.symbol, p.qty)) {
            book->stopped_us[kept] = book->stopped_us[i];
            book->positions[kept++] = p;
        }
    }
    h->left += book->position_count - kept;
    paper->behind = paper->behind || kept < book->position_count;
    book->position_count = kept;
}

/* Leaves coins, and watches the hours of the market: all its symbols are halted, or trade again. */
void hostile_traits_look(struct hostile *h)
{
    if (holds_coins(h) && paper_of(h->inner)->memory != NULL) {
        leave_coins(h);
    }
    bool closed =
        h->who != NULL && h->fault_scale > 0 && personality_is_closed(h->who, h->market_us);
    if (h->who == NULL || closed == h->told_closed) {
        return;
    }
    h->told_closed = closed;
    h->closings += closed;
    const struct paper *paper = paper_of(h->inner);
    for (int i = 0; i < paper->rules_reported; i++) {
        struct venue_report r = {
            .kind = VENUE_INSTRUMENT,
            .instrument = {.symbol = paper->book.prices[i].symbol,
                           .digits = paper->terms.tick_digits,
                           .step = paper->terms.lot,
                           .min_notional = paper->terms.min_notional},
        };
        dress_rules(h, &r.instrument);
        hostile_queue(h, &r, 0);
    }
}

/* ---------------------------------------------------------------- delisting */

bool hostile_has_delisted(const struct hostile *h)
{
    return h->clock->now_mono_us < h->delisted_mono_us && h->fault_scale > 0;
}

bool hostile_is_delisted(const struct hostile *h, struct symbol symbol)
{
    return hostile_has_delisted(h) && symbol_equal(h->delisted, symbol);
}

static void report_status(struct hostile *h, enum instrument_status status, int64_t delay_us)
{
    const struct paper_terms *terms = &paper_of(h->inner)->terms;
    struct venue_report r = {.kind = VENUE_INSTRUMENT,
                             .instrument = {.symbol = h->delisted,
                                            .digits = terms->tick_digits,
                                            .step = terms->lot,
                                            .min_notional = terms->min_notional}};
    dress_rules(h, &r.instrument);
    r.instrument.status = status == INSTRUMENT_HALTED ? status : r.instrument.status;
    hostile_queue(h, &r, delay_us);
}

void hostile_delist(struct hostile *h, struct symbol symbol, int64_t for_us)
{
    const struct paper_book *book = &paper_of(h->inner)->book;
    h->delisted = symbol;
    h->delisted_mono_us = h->clock->now_mono_us + for_us;
    h->delistings++;
    report_status(h, INSTRUMENT_HALTED, 0);
    report_status(h, INSTRUMENT_TRADING, for_us);
    hostile_legs_drop(h, symbol);
    for (int i = book->open_count - 1; i >= 0; i--) {
        if (symbol_equal(book->open[i].symbol, symbol)) {
            char id[CLIENT_ID_SIZE];
            memcpy(id, book->open[i].client_id, sizeof(id));
            venue_cancel(h->inner, id);
        }
    }
}

/* ---------------------------------------------------------------- orders */

static bool refuse(struct hostile *h, const struct order *order, const char *why)
{
    struct venue_report r = {.kind = VENUE_ORDER, .state = ORDER_REJECTED};
    memcpy(r.client_id, order->client_id, sizeof(r.client_id));
    (void)str_copy(str_c(why), r.reason, sizeof(r.reason));
    hostile_queue(h, &r, 0);
    h->refusals++;
    return true;
}

static bool is_foreign(const struct hostile *h, struct symbol symbol)
{
    for (int i = 0; i < h->foreign_count; i++) {
        if (symbol_equal(h->foreign[i].symbol, symbol)) {
            return true;
        }
    }
    return false;
}

bool hostile_traits_refuse(struct hostile *h, const struct order *o)
{
    if (h->who == NULL) {
        return false;
    }
    if (hostile_is_closed(h) || hostile_is_delisted(h, o->symbol)) {
        return refuse(h, o, "the market is closed");
    }
    const struct paper_book *book = &paper_of(h->inner)->book;
    int index = paper_book_find(book, o->symbol);
    if (o->kind != ORDER_CLOSE || o->reduce_only || is_foreign(h, o->symbol)) {
        return false;
    }
    if (index < 0 ||
        dec_add(o->qty, hostile_legs_locked(h, o->symbol)).e8 > book->positions[index].qty.e8) {
        return refuse(h, o, "insufficient balance");
    }
    return holds_coins(h) && is_unsellable(h, o->symbol, o->qty) &&
           refuse(h, o, "below the smallest order");
}

void hostile_traits_check(struct hostile *h, const struct order *o)
{
    const struct venue_capabilities *can = &h->can;
    if (h->who == NULL) {
        return;
    }
    if (o->kind == ORDER_ENTRY && o->side == SIDE_SHORT && !can->shorts) {
        hostile_violation(h, "%s goes short where nobody can", o->client_id);
    }
    if ((can->order_types & VENUE_SET(o->type)) == 0 ||
        (can->times_in_force & VENUE_SET(o->time_in_force)) == 0 ||
        (o->post_only && !can->post_only) || (o->reduce_only && !can->reduce_only)) {
        hostile_violation(h, "%s wants what the venue cannot do", o->client_id);
    }
    struct instrument rules = {.step = h->who->terms.lot,
                               .min_notional = h->who->terms.min_notional};
    personality_rules(h->who, &rules);
    if (rules.step.e8 > 0 && o->qty.e8 % rules.step.e8 != 0 && !is_foreign(h, o->symbol)) {
        hostile_violation(h, "%s has a quantity that is not a multiple of the step", o->client_id);
    }
    if (o->kind == ORDER_ENTRY &&
        (o->qty.e8 < rules.min_qty.e8 ||
         dec_mul(o->qty, o->reference_price).e8 < rules.min_notional.e8)) {
        hostile_violation(h, "%s is smaller than the smallest order", o->client_id);
    }
}

/* ---------------------------------------------------------------- what happens by itself */

void hostile_maintain(struct hostile *h, int64_t for_us)
{
    struct venue_report r = {.kind = VENUE_CONNECTION, .venue_state = VENUE_MAINTENANCE};
    h->halted_mono_us = h->clock->now_mono_us + for_us;
    h->maintenances++;
    (void)str_copy(STR_LIT("maintenance"), r.reason, sizeof(r.reason));
    hostile_queue(h, &r, 0);
    r = (struct venue_report){.kind = VENUE_CONNECTION, .venue_state = VENUE_READY};
    hostile_queue(h, &r, for_us);
}

bool hostile_end_order(struct hostile *h)
{
    const struct paper_book *book = &paper_of(h->inner)->book;
    if (h->dead || book->open_count == 0) {
        return false;
    }
    char id[CLIENT_ID_SIZE];
    memcpy(id, book->open[rng_below(&h->trait_rng, (uint64_t)book->open_count)].client_id,
           sizeof(id));
    venue_cancel(h->inner, id);
    h->ended++;
    return true;
}

bool hostile_take(struct hostile *h)
{
    struct paper *paper = paper_of(h->inner);
    if (h->dead || !holds_coins(h) || paper->book.position_count == 0 || paper->memory == NULL) {
        return false;
    }
    struct position *p = &paper->book.positions[0];
    const struct dec step = paper->terms.lot.e8 > 0 ? paper->terms.lot : (struct dec){1};
    struct dec fee =
        dec_max(dec_floor_to(dec_from_double(dec_to_double(p->qty) * FEE_PART), step), step);
    if (fee.e8 >= p->qty.e8 || paper->book.open_count > 0) {
        return false;
    }
    p->qty = dec_sub(p->qty, fee);
    paper->behind = true;
    h->no_dust = true;
    h->shortages++;
    return true;
}
