#include "base/auto.h"
#include "base/check.h"
#include "engine_private.h"

#include <stdio.h>

/* Consecutive listings without a position, and no unanswered order in between, after which an
 * emergency stop accepts that it is gone. They are two seconds apart, which is longer than reports
 * are delayed. */
#define GONE_AFTER 10
/* The same with less of it than our fills say. Its stop cannot act meanwhile. */
#define MISSING_AFTER 5
/* A hundredth: more than any fee. */
#define MISSING_PART 100
/* Consecutive listings that show a foreign position before it is accepted as one: a single listing
 * may be older than our own close. No entry is made in the symbol from the first on. */
#define FOREIGN_AFTER 2
/* The same with an order of another nightdesk, which may be one of ours that a listing is late to
 * forget. */
#define OTHERS_AFTER 3

/* What fees in coins and rounding leave may be worth so many smallest orders before it is foreign.
 */
#define LEFT_OVER_ORDERS 10

static const struct symbol no_symbol;

static const struct venue_holding *holding_of(const struct engine_listing *listing,
                                              struct symbol symbol)
{
    for (int i = 0; i < listing->holding_count; i++) {
        if (symbol_equal(listing->holdings[i].symbol, symbol)) {
            return &listing->holdings[i];
        }
    }
    return NULL;
}

static bool is_adopted(const struct position *position)
{
    return position->client_id[0] == '\0';
}

static bool is_ours(const char *client_id)
{
    return strncmp(client_id, ENGINE_CLIENT_ID_PREFIX, sizeof(ENGINE_CLIENT_ID_PREFIX) - 1) == 0;
}

/* ---------------------------------------------------------------- foreign positions */

/* A start would load the position that was closed here, and the books hold one per symbol. The
 * foreign one in the reserve could not be adopted beside it, so its close could not be booked. */
static bool is_unsaved(const struct engine *engine, struct symbol symbol)
{
    const struct engine_exposure *x = &engine->exposure;
    for (int i = 0; i < x->unsaved_count; i++) {
        if (symbol_equal(x->unsaved[i], symbol)) {
            return true;
        }
    }
    return x->unsaved_count == x->unsaved_capacity;
}

/* A foreign position enters the books at the venue's price while the bot closes it, so that the
 * close leaves the books balanced. */
static bool adopt(struct engine *engine, struct symbol symbol, enum side side, struct dec qty,
                  struct dec entry_price)
{
    struct dec mark = engine_price(engine, symbol);
    struct position p = {.symbol = symbol,
                         .side = side,
                         .qty = qty,
                         .entry_price = entry_price,
                         .mark_price = mark.e8 > 0 ? mark : entry_price,
                         .opened_us = engine->now->market_us};
    struct ledger ledger = engine_ledger(engine);
    if (engine_orders_busy(engine, symbol) || is_unsaved(engine, symbol) ||
        !ledger_adopt(&ledger, &p)) {
        return false;
    }
    engine->out->positions_changed = true;
    engine->out->write = true;
    return true;
}

int engine_reconcile_adopt(struct engine *engine, struct symbol symbol)
{
    struct engine_exposure *x = &engine->exposure;
    int adopted = 0;
    int kept = 0;
    for (int i = 0; i < x->foreign_count; i++) {
        const struct snapshot_foreign f = x->foreign[i];
        bool matches = symbol_equal(symbol, no_symbol) || symbol_equal(symbol, f.symbol);
        int seen = x->foreign_seen[i];
        /* A person who names a symbol, or closes all, has seen the position. A stop waits for
         * confirmation. */
        bool confirmed = engine->state.state != TRADING_EMERGENCY || seen >= FOREIGN_AFTER;
        if (matches && confirmed && adopt(engine, f.symbol, f.side, f.qty, f.entry_price)) {
            adopted++;
        } else {
            x->foreign_seen[kept] = seen;
            x->foreign[kept++] = f;
        }
    }
    x->foreign_count = kept;
    return adopted;
}

/* Removes adopted positions that are no longer being closed from the books. If the listing still
 * shows one, it is foreign as before. */
static void release_adopted(struct engine *engine)
{
    struct ledger ledger = engine_ledger(engine);
    for (int i = engine->position_count - 1; i >= 0; i--) {
        const struct position *p = &engine->positions[i];
        if (is_adopted(p) && !engine_orders_busy(engine, p->symbol) && ledger_disown(&ledger, i)) {
            engine->out->positions_changed = true;
            engine->out->write = true;
        }
    }
}

/* Coins beyond a position that our own fills explain: each leaves less than a step. They add up
 * until a person sells them; an emergency stop does. */
static bool is_left_over(const struct engine *engine, struct symbol symbol, struct dec qty,
                         struct dec price)
{
    const struct instrument *rules = engine_venue_instrument(engine, symbol);
    if (!engine->venue.can.dust || rules == NULL || engine->state.state == TRADING_EMERGENCY) {
        return false;
    }
    const struct dec orders = dec_from_int(LEFT_OVER_ORDERS);
    struct dec left = dec_mul(rules->step, dec_from_int(engine->state.fills));
    struct dec value = dec_mul(qty, price);
    return dec_is_valid(left) && qty.e8 <= left.e8 && dec_is_valid(value) &&
           (value.e8 < dec_mul(rules->min_notional, orders).e8 ||
            qty.e8 < dec_mul(rules->min_qty, orders).e8);
}

/* Foreign: it is not in our books, and no order of ours is under way in the symbol. */
static bool is_foreign(struct engine *engine, const struct venue_holding *h)
{
    struct ledger ledger = engine_ledger(engine);
    return ledger_find(&ledger, h->symbol) < 0 && !engine_orders_busy(engine, h->symbol) &&
           !is_left_over(engine, h->symbol, h->qty, h->entry_price);
}

static int seen_before(const struct engine_exposure *x, struct symbol symbol)
{
    for (int i = 0; i < x->foreign_count; i++) {
        if (symbol_equal(x->foreign[i].symbol, symbol)) {
            return x->foreign_seen[i];
        }
    }
    return 0;
}

static void find_foreign(struct engine *engine, const struct engine_listing *listing)
{
    struct engine_exposure *x = &engine->exposure;
    AUTO_UNCLEARED struct snapshot_foreign found[POSITIONS_LIMIT];
    AUTO_UNCLEARED int seen[POSITIONS_LIMIT];
    int count = 0;
    for (int i = 0; i < listing->holding_count; i++) {
        const struct venue_holding *h = &listing->holdings[i];
        if (!is_foreign(engine, h) || count == engine->position_capacity) {
            continue;
        }
        int times = seen_before(x, h->symbol) + 1;
        seen[count] = times > FOREIGN_AFTER ? FOREIGN_AFTER : times;
        found[count++] = (struct snapshot_foreign){h->symbol, h->side, h->qty, h->entry_price};
        if (times == FOREIGN_AFTER) {
            engine_fault(engine, ERR_ENGINE_FOREIGN, h->symbol);
        }
        engine->list_wanted = engine->list_wanted || times < FOREIGN_AFTER;
    }
    x->foreign_count = count;
    memcpy(x->foreign, found, sizeof(found[0]) * (size_t)count);
    memcpy(x->foreign_seen, seen, sizeof(seen[0]) * (size_t)count);
}

/* Orders that somebody else placed. Those of another nightdesk have another tag, which the venue's
 * side writes as "##", or are ours by their name, and our books never had them: a copy of the books
 * trades too. */
static void find_foreign_orders(struct engine *engine, const struct engine_listing *listing)
{
    struct engine_exposure *x = &engine->exposure;
    bool others = false;
    x->foreign_orders = 0;
    for (int i = 0; i < listing->open_count; i++) {
        const char *id = listing->open[i];
        bool unknown = is_ours(id) && engine_orders_find(engine, id) == NULL;
        x->foreign_orders += unknown || !is_ours(id);
        others = others || unknown || strncmp(id, "##", 2) == 0;
    }
    x->others_seen = others ? x->others_seen + 1 : 0;
    if (x->others_seen >= OTHERS_AFTER) {
        x->others_seen = OTHERS_AFTER;
        engine_fault(engine, ERR_VENUE_SHARED, no_symbol);
    }
}

/* ---------------------------------------------------------------- comparing the books */

static void describe_difference(struct engine *engine, struct symbol symbol, struct dec ours,
                                struct dec theirs)
{
    char a[DEC_TEXT_SIZE];
    char b[DEC_TEXT_SIZE];
    (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                   "%.15s: we hold %.23s, the venue %.23s", symbol.name, dec_text(ours, a),
                   dec_text(theirs, b));
    engine_orders_ask(engine, symbol);
}

/* Where fees are taken from the coins, what is left of them adds up: it belongs to no position
 * while it is too small to be sold. Twice as much is accepted, since the last fill of a position
 * adds some before it can be shown as foreign. */
static bool same_quantity(const struct engine *engine, const struct position *p, struct dec held)
{
    struct dec more = dec_sub(held, p->qty);
    const struct instrument *rules = engine_venue_instrument(engine, p->symbol);
    if (more.e8 == 0 || !engine->venue.can.dust || rules == NULL || more.e8 < 0) {
        return more.e8 == 0;
    }
    struct dec value = dec_mul(more, p->mark_price);
    return is_left_over(engine, p->symbol, more, p->mark_price) ||
           more.e8 < 2 * dec_max(rules->min_qty, rules->step).e8 ||
           (dec_is_valid(value) && value.e8 < 2 * rules->min_notional.e8);
}

static bool agrees(struct engine *engine, const struct engine_listing *listing)
{
    bool same = true;
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        const struct venue_holding *h = holding_of(listing, p->symbol);
        if (h == NULL || h->side != p->side || !same_quantity(engine, p, h->qty)) {
            describe_difference(engine, p->symbol, p->qty, h == NULL ? DEC_ZERO : h->qty);
            same = false;
        }
    }
    struct ledger ledger = engine_ledger(engine);
    int foreign = 0;
    for (int i = 0; i < listing->holding_count; i++) {
        const struct venue_holding *h = &listing->holdings[i];
        bool theirs = is_foreign(engine, h);
        foreign += theirs;
        if (ledger_find(&ledger, h->symbol) < 0 && !theirs &&
            !is_left_over(engine, h->symbol, h->qty, h->entry_price)) {
            describe_difference(engine, h->symbol, DEC_ZERO, h->qty);
            same = false;
        }
    }
    if (foreign > engine->position_capacity) {
        (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                       "%d positions at the venue are not ours, more than %d", foreign,
                       engine->position_capacity);
        same = false;
    }
    /* Orders placed by others on the account are ignored here. */
    for (int i = 0; i < listing->open_count; i++) {
        const struct engine_slot *slot = engine_orders_find(engine, listing->open[i]);
        if (is_ours(listing->open[i]) && (slot == NULL || !engine_orders_is_alive(slot))) {
            (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                           "unknown order %.31s at the venue", listing->open[i]);
            same = false;
        }
    }
    return same;
}

/* In an emergency stop everything is closed and cancelled, foreign positions and orders too. */
static void stop_foreign(struct engine *engine, const struct engine_listing *listing)
{
    (void)engine_reconcile_adopt(engine, no_symbol);
    for (int i = 0; i < listing->open_count; i++) {
        if (engine_orders_find(engine, listing->open[i]) == NULL &&
            engine->out->cancel_count < engine->order_capacity) {
            (void)str_copy(str_c(listing->open[i]),
                           engine->out->cancels[engine->out->cancel_count++], CLIENT_ID_SIZE);
        }
    }
}

/* Takes what is not at the venue from the books. No fill reports a price: if the account has no
 * more cash than our books, nothing was paid; if it has, somebody else has closed it, at about its
 * mark. */
static void write_off(struct engine *engine, const struct position *position, struct dec qty,
                      bool slight)
{
    struct fill what = {.symbol = position->symbol,
                        .kind = ORDER_CLOSE,
                        .side = position->side,
                        .qty = qty,
                        .price = position->mark_price,
                        .at_us = engine->now->market_us};
    struct ledger ledger = engine_ledger(engine);
    struct trade trade;
    bool paid = engine_venue_cash(engine) == ENGINE_CASH_OTHER ||
                (engine_venue_cash(engine) == ENGINE_CASH_UNKNOWN && !slight);
    engine_fault(engine, ERR_ENGINE_RECONCILE, position->symbol);
    if ((paid ? ledger_book(&ledger, &what, NULL, &trade) : ledger_lose(&ledger, &what, &trade)) ==
        LEDGER_CLOSED) {
        engine_reports_trade(engine, "gone from the venue", &trade);
        engine->out->positions_changed = true;
        engine->out->write = true;
    }
}

static void write_off_gone(struct engine *engine, const struct engine_listing *listing)
{
    for (int i = engine->position_count - 1; i >= 0; i--) {
        struct position p = engine->positions[i];
        const struct venue_holding *h = holding_of(listing, p.symbol);
        if (h == NULL || h->side != p.side) {
            write_off(engine, &p, p.qty, false);
        }
    }
}

/* A fee that no fill has, or what is too small to be sold: the coins are not there, or are no
 * position. */
static bool is_slight(const struct engine *engine, const struct position *p, struct dec missing)
{
    const struct instrument *rules = engine_venue_instrument(engine, p->symbol);
    struct dec value = dec_mul(p->qty, p->mark_price);
    bool unsellable = engine->venue.can.dust && rules != NULL &&
                      (p->qty.e8 < rules->min_qty.e8 ||
                       (dec_is_valid(value) && value.e8 < rules->min_notional.e8));
    return missing.e8 <= p->qty.e8 / MISSING_PART || unsellable;
}

/* A venue that takes fees in coins may hold a little less than our fills say. It would refuse every
 * order that closes the whole position, also that of its stop. More is missing only if somebody
 * else trades there: that waits for a person, whose emergency stop has to close the rest. */
static void write_off_missing(struct engine *engine, const struct engine_listing *listing)
{
    for (int i = engine->position_count - 1; i >= 0; i--) {
        const struct position p = engine->positions[i];
        const struct venue_holding *h = holding_of(listing, p.symbol);
        struct dec missing = h == NULL ? p.qty : dec_sub(p.qty, h->qty);
        bool slight = is_slight(engine, &p, missing);
        bool stopping = engine->state.state == TRADING_EMERGENCY && h != NULL;
        if ((h == NULL || h->side == p.side) && missing.e8 > 0 && (slight || stopping)) {
            write_off(engine, &p, missing, slight);
            engine->list_wanted = true;
        }
    }
}

/* An emergency stop requests listings until the venue lists nothing, and continues afterwards:
 * anything that appears later is closed too. quiet: no order of ours was alive or unanswered before
 * the listing. */
static void stop_by_listing(struct engine *engine, const struct engine_listing *listing, bool same,
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

/* Delayed reports can explain one or two disagreements; three in a row are a difference. */
static void count_disagreement(struct engine *engine)
{
    engine->disagreements++;
    engine->agreed_list_id = 0;
    engine->list_wanted = true;
    if (engine->disagreements == 3 || (engine->disagreements > 3 && engine->reconciled)) {
        engine->reconciled = false;
        engine_fault(engine, ERR_ENGINE_RECONCILE, no_symbol);
        (void)engine_event(engine, TOPIC_STATE, (int64_t)engine_shown_state(engine));
    }
}

/* caught_up: the books have every event of the account that is in the listing. */
static void compare(struct engine *engine, const struct engine_listing *listing, bool caught_up)
{
    engine->list_before_close = false;
    release_adopted(engine);
    bool quiet = engine_orders_alive(engine) == 0 && engine_orders_unanswered(engine) == 0;
    bool same = agrees(engine, listing);
    find_foreign(engine, listing);
    find_foreign_orders(engine, listing);
    if (quiet && caught_up && engine->disagreements >= MISSING_AFTER) {
        write_off_missing(engine, listing);
    }
    if (engine->state.state == TRADING_EMERGENCY) {
        stop_by_listing(engine, listing, same, quiet);
    }
    if (same) {
        engine->agreed_list_id = listing->ask_id;
        engine_venue_agrees(engine);
        engine->disagreements = 0;
        engine->reconcile_reason[0] = '\0';
        if (!engine->reconciled) {
            engine->reconciled = true;
            (void)engine_event(engine, TOPIC_STATE, (int64_t)engine_shown_state(engine));
        }
        return;
    }
    count_disagreement(engine);
}

void engine_reconcile_page(struct engine *engine, const struct venue_report *page)
{
    if (page->funding_id > engine->state.last_funding_id) {
        engine->list_wanted =
            true; /* the payments follow; the next listing repeats any that are missing */
    }
    if (page->ask_id <= engine->moved_list_id) {
        engine->list_wanted = true; /* older than our last order or fill */
    } else if (engine_listing_add(&engine->listing, page)) {
        compare(engine, &engine->listing, page->funding_id <= engine->state.last_funding_id);
    } else if (page->last && engine->listing.too_long) {
        count_disagreement(engine);
        (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                       "the venue lists more than %d positions or %d orders",
                       ENGINE_LISTED_HOLDINGS, ENGINE_LISTED_OPEN);
    }
}

/* ---------------------------------------------------------------- passage of time */

void engine_reconcile_tick(struct engine *engine)
{
    int waiting = engine_orders_unanswered(engine);
    bool stopping = engine->state.state == TRADING_EMERGENCY && !engine->verified_flat;
    if (!engine->reconciled && waiting > 0 && engine->disagreements == 0) {
        (void)snprintf(engine->reconcile_reason, sizeof(engine->reconcile_reason),
                       "asking the venue about %d orders", waiting);
    }
    int64_t since_us = engine->now->mono_us - engine->listed_mono_us;
    bool urgent = engine->list_wanted || !engine->reconciled || stopping;
    /* Every order of an earlier run must be answered before positions are compared. */
    if (!(waiting > 0 && !engine->reconciled) && !engine_venue_is_banned(engine) &&
        (engine->listed_mono_us == 0 ||
         since_us >= (urgent ? ENGINE_ASK_EVERY_US : ENGINE_LIST_EVERY_US))) {
        engine->out->list = true;
        engine->out->list_id = ++engine->list_id;
        engine->out->list_after_funding_id = engine->state.last_funding_id;
        engine->out->list_doubts = engine->disagreements > 0;
        engine->list_wanted = false;
        engine->listed_mono_us = engine->now->mono_us;
    }
}

void engine_reconcile_finish(struct engine *engine, bool moved)
{
    engine->filled_list_id = engine->out->fill_count > 0 ? engine->list_id : engine->filled_list_id;
    if (moved || engine->out->fill_count > 0) {
        /* A listing requested in this step covers what the step has seen, but not the orders that
         * it sends. */
        bool fresh = engine->out->list && engine->out->send_count == 0;
        engine->moved_list_id = engine->list_id - (fresh ? 1 : 0);
        engine->list_wanted =
            engine->list_wanted || !fresh; /* request one that shows what our books hold now */
    }
}
