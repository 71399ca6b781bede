#include "base/auto.h"
#include "base/check.h"
#include "engine_private.h"

#include <string.h>

/* ---------------------------------------------------------------- exposure */

/* The notional of one position or order, on one side of a symbol. */
struct stake {
    struct symbol symbol;
    enum side side;
    struct dec notional;
};

/* All of them: positions, the unfilled part of entries under way, and foreign positions. A partly
 * filled entry has two. */
#define STAKES_MAX (POSITIONS_LIMIT + POSITIONS_LIMIT + ORDERS_LIMIT)

struct stakes {
    int count;
    int entries; /* entries under way without an open position */
    bool full;   /* no slots for another entry and the orders that follow it */
    bool busy;   /* an order is alive in the symbol in question */
    struct stake list[STAKES_MAX];
};

static void add_stake(struct stakes *stakes, struct symbol symbol, enum side side, struct dec price,
                      struct dec qty)
{
    struct stake *stake = &stakes->list[stakes->count++];
    stake->symbol = symbol;
    stake->side = side;
    stake->notional = dec_mul(price, qty);
}

static struct dec foreign_price(const struct engine *engine, const struct snapshot_foreign *foreign)
{
    struct dec price = engine_price(engine, foreign->symbol);
    return price.e8 > 0 ? price : foreign->entry_price;
}

/* The price at which an entry may fill: the highest of its decision price, the current price and
 * the ask. */
static struct dec entry_price(const struct engine *engine, const struct order *order)
{
    const struct quote *quote = engine_quote(engine, order->symbol);
    struct dec now = engine_price(engine, order->symbol);
    int64_t worst = order->reference_price.e8 > now.e8 ? order->reference_price.e8 : now.e8;
    return quote != NULL && quote->ask.e8 > worst ? quote->ask : (struct dec){worst};
}

static void collect(const struct engine *engine, struct symbol about, struct stakes *ret)
{
    ret->count = 0;
    ret->entries = engine_orders_entries_alive(engine);
    ret->full = !engine_orders_has_capacity(engine);
    ret->busy = engine_orders_busy(engine, about);
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        add_stake(ret, p->symbol, p->side, p->mark_price, p->qty);
    }
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (engine_orders_is_alive(s) && s->order.kind == ORDER_ENTRY) {
            add_stake(ret, s->order.symbol, s->order.side, entry_price(engine, &s->order),
                      dec_sub(s->order.qty, s->order.filled_qty));
        }
    }
    const struct engine_exposure *x = &engine->exposure;
    for (int i = 0; i < x->foreign_count; i++) {
        const struct snapshot_foreign *f = &x->foreign[i];
        add_stake(ret, f->symbol, f->side, foreign_price(engine, f), f->qty);
    }
}

/* ---------------------------------------------------------------- the account */

/* Drops the cooldowns that are over, and that of `symbol` (empty: of all). Returns how many of
 * those dropped were not over. */
static int drop_cooldowns(struct engine *engine, struct symbol symbol)
{
    struct engine_state *s = &engine->state;
    int kept = 0, dropped = 0;
    for (int i = 0; i < s->cooldown_count; i++) {
        const struct engine_cooldown c = s->cooldowns[i];
        if (c.until_us <= engine->now->market_us) {
            continue;
        }
        if (symbol.name[0] == '\0' || symbol_equal(c.symbol, symbol)) {
            dropped++;
        } else {
            s->cooldowns[kept++] = c;
        }
    }
    s->cooldown_count = kept;
    return dropped;
}

static int64_t cooldown_until(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->state.cooldown_count; i++) {
        if (symbol_equal(engine->state.cooldowns[i].symbol, symbol)) {
            return engine->state.cooldowns[i].until_us;
        }
    }
    return 0;
}

void engine_account_cool(struct engine *engine, struct symbol symbol, int64_t until_us)
{
    struct engine_state *s = &engine->state;
    int64_t before_us = cooldown_until(engine, symbol);
    until_us = before_us > until_us ? before_us : until_us;
    (void)drop_cooldowns(engine, symbol);
    if (until_us > engine->now->market_us && s->cooldown_count < SYMBOLS_LIMIT) {
        s->cooldowns[s->cooldown_count++] = (struct engine_cooldown){symbol, until_us};
    }
}

int engine_account_lift(struct engine *engine, struct symbol symbol)
{
    return drop_cooldowns(engine, symbol);
}

static int64_t recent_entries(const struct engine *engine)
{
    const struct engine_exposure *x = &engine->exposure;
    int64_t count = 0;
    for (int i = 0; i < engine->order_capacity && i < x->entry_count; i++) {
        count += engine->market_us - x->entries_us[i] < USEC_PER_MIN;
    }
    return count;
}

static bool is_foreign(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->exposure.foreign_count; i++) {
        if (symbol_equal(engine->exposure.foreign[i].symbol, symbol)) {
            return true;
        }
    }
    return false;
}

static bool is_held(const struct engine *engine, struct symbol symbol)
{
    for (int i = 0; i < engine->position_count; i++) {
        if (symbol_equal(engine->positions[i].symbol, symbol)) {
            return true;
        }
    }
    return false;
}

static void fill_stakes(const struct engine *engine, const struct stakes *stakes,
                        struct symbol symbol, enum side side, struct risk_account *ret)
{
    int row = returns_find(&engine->returns, symbol);
    for (int i = 0; i < stakes->count; i++) {
        const struct stake *stake = &stakes->list[i];
        bool same = symbol_equal(stake->symbol, symbol);
        ret->exposure = dec_add(ret->exposure, stake->notional);
        if (engine_tier(engine, stake->symbol) == ret->tier) {
            ret->tier_exposure = dec_add(ret->tier_exposure, stake->notional);
        }
        if (same) {
            ret->symbol_exposure = dec_add(ret->symbol_exposure, stake->notional);
        }
        struct dec *largest = stake->side == SIDE_LONG ? &ret->long_notional : &ret->short_notional;
        largest->e8 = stake->notional.e8 > largest->e8 ? stake->notional.e8 : largest->e8;
        double r;
        if (!same && returns_correlation_of(&engine->returns, row,
                                            returns_find(&engine->returns, stake->symbol), &r)) {
            r = stake->side == side ? r : -r;
            if (ret->correlated_with.name[0] == '\0' || r > ret->correlation) {
                ret->correlation = r;
                ret->correlated_with = stake->symbol;
            }
        }
    }
}

void engine_account_fill(const struct engine *engine, struct symbol symbol, enum side side,
                         struct risk_account *ret)
{
    const struct engine_state *s = &engine->state;
    AUTO_UNCLEARED struct stakes stakes;
    collect(engine, symbol, &stakes);
    *ret = (struct risk_account){
        .settings = &engine->settings,
        .halted = !engine->books_balance || stakes.full || engine->behind || engine->late,
        .foreign = is_foreign(engine, symbol),
        .venue = engine_venue_refusal(engine, symbol, side),
        .instrument = engine_venue_instrument(engine, symbol),
        .max_leverage = engine_venue_leverage(engine),
        .maintenance_pct = engine_venue_maintenance_pct(engine),
        .symbol_busy = stakes.busy || is_held(engine, symbol),
        .state = engine_shown_state(engine),
        .equity = engine_equity(engine),
        .equity_peak = s->equity_peak,
        .day_start_equity = s->day_start_equity,
        .losses_in_a_row = s->consecutive_losses,
        .positions_open = engine->position_count + stakes.entries,
        .orders_lately = recent_entries(engine),
        .cooldown_until_us = cooldown_until(engine, symbol),
        .now_us = engine->market_us,
        .tier = engine_tier(engine, symbol),
    };
    int place = engine_place(engine, symbol);
    if (place >= 0) {
        ret->price_updated_us = engine->series[place].updated_us;
        ret->price_suspect = series_suspect(&engine->series[place]);
    }
    fill_stakes(engine, &stakes, symbol, side, ret);
}

void engine_account_watch(struct engine *engine)
{
    for (int i = 0; i < engine->slot_end; i++) {
        const struct engine_slot *s = &engine->slots[i];
        if (!engine_orders_is_alive(s) || s->order.kind != ORDER_ENTRY) {
            continue;
        }
        struct risk_account account;
        engine_account_fill(engine, s->order.symbol, s->order.side, &account);
        if (risk_limits_exceeded(&account)) {
            (void)engine_orders_cancel_entries(engine, s->order.symbol);
        }
    }
}

struct dec engine_account_held(const struct engine *engine)
{
    const struct engine_exposure *x = &engine->exposure;
    struct dec sum = ledger_exposure(engine->positions, engine->position_count);
    for (int i = 0; i < x->foreign_count; i++) {
        sum = dec_add(sum, dec_mul(foreign_price(engine, &x->foreign[i]), x->foreign[i].qty));
    }
    return sum;
}

void engine_account_entry(struct engine *engine, int64_t at_us)
{
    struct engine_exposure *x = &engine->exposure;
    x->entries_us[x->entry_count % engine->order_capacity] = at_us;
    x->entry_count++;
}

/* ---------------------------------------------------------------- snapshot */

static double pct_of(struct dec part, struct dec whole)
{
    return dec_is_valid(part) && whole.e8 > 0 ? 100 * dec_to_double(part) / dec_to_double(whole)
                                              : 0;
}

/* The largest correlation between two positions, with the sign that an entry's check would use. */
static double held_correlation(const struct engine *engine)
{
    AUTO_UNCLEARED int rows[POSITIONS_LIMIT];
    double largest = 0;
    for (int i = 0; i < engine->position_count; i++) {
        rows[i] = returns_find(&engine->returns, engine->positions[i].symbol);
        for (int j = 0; j < i; j++) {
            double r;
            (void)returns_correlation_of(&engine->returns, rows[i], rows[j], &r);
            r = engine->positions[i].side == engine->positions[j].side ? r : -r;
            largest = r > largest ? r : largest;
        }
    }
    return largest;
}

/* Each list is walked once, whatever the number of symbols. held: notional of all positions. */
static void show_symbols(const struct engine *engine, const struct stakes *stakes,
                         struct dec equity, struct dec held, struct snapshot_risk *ret)
{
    AUTO_UNCLEARED struct dec exposures[SYMBOLS_LIMIT];
    int place;
    ret->symbol_count = engine->symbol_count;
    for (int i = 0; i < engine->symbol_count; i++) {
        exposures[i] = DEC_ZERO;
        ret->symbols[i] =
            (struct snapshot_symbol){.symbol = engine->series[i].symbol, .tier = engine->tiers[i]};
    }
    for (int i = 0; i < stakes->count; i++) {
        if ((place = engine_place(engine, stakes->list[i].symbol)) >= 0) {
            exposures[place] = dec_add(exposures[place], stakes->list[i].notional);
        }
    }
    for (int i = 0; i < engine->symbol_count; i++) {
        ret->symbols[i].exposure_pct = pct_of(exposures[i], equity);
    }
    for (int i = 0; i < engine->state.cooldown_count; i++) {
        const struct engine_cooldown *c = &engine->state.cooldowns[i];
        if (c->until_us > engine->market_us && (place = engine_place(engine, c->symbol)) >= 0) {
            ret->symbols[place].cooldown_until_us = c->until_us;
        }
    }
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        if ((place = engine_place(engine, p->symbol)) >= 0) {
            ret->symbols[place].liquidation_distance_pct =
                risk_liquidation_distance_pct(engine_venue_maintenance_pct(engine), equity, held,
                                              p->side, dec_mul(p->mark_price, p->qty));
        }
    }
}

static void show_limits(const struct settings *s, struct snapshot_risk *ret)
{
    ret->max_exposure_pct = s->max_exposure_pct;
    ret->max_position_pct = s->max_position_pct;
    ret->risk_per_trade_pct = s->risk_per_trade_pct;
    for (int t = 0; t < TIERS; t++) {
        ret->tiers[t].exposure_pct = 0;
        ret->tiers[t].max_exposure_pct = s->tiers[t].max_exposure_pct;
        ret->tiers[t].max_position_pct = s->tiers[t].max_position_pct;
    }
    ret->max_leverage = s->max_leverage;
    ret->min_liquidation_distance_pct = s->min_liquidation_distance_pct;
    ret->max_correlation = s->max_correlation;
    ret->max_consecutive_losses = s->max_consecutive_losses;
    ret->max_orders_per_minute = s->max_orders_per_minute;
    ret->cooldown_us = s->cooldown_us;
}

void engine_account_snapshot(const struct engine *engine, struct snapshot *ret)
{
    const struct settings *settings = &engine->settings;
    struct snapshot_risk *risk = &ret->risk;
    struct dec equity = engine_equity(engine);
    struct dec held = engine_account_held(engine);
    struct dec exposure = DEC_ZERO;
    AUTO_UNCLEARED struct stakes stakes;
    collect(engine, (struct symbol){0}, &stakes);
    show_limits(settings, risk);
    for (int i = 0; i < stakes.count; i++) {
        exposure = dec_add(exposure, stakes.list[i].notional);
        risk->tiers[engine_tier(engine, stakes.list[i].symbol)].exposure_pct +=
            pct_of(stakes.list[i].notional, equity);
    }
    risk->exposure_pct = pct_of(exposure, equity);
    risk->leverage = risk->exposure_pct / 100;
    risk->initial_margin_pct =
        settings->max_leverage > 0 ? pct_of(held, equity) / settings->max_leverage : 0;
    risk->maintenance_margin_pct =
        pct_of(held, equity) * engine_venue_maintenance_pct(engine) / 100;
    risk->correlation = held_correlation(engine);
    risk->losses_in_a_row = engine->state.consecutive_losses;
    risk->orders_lately = recent_entries(engine);
    show_symbols(engine, &stakes, equity, held, risk);
    ret->liquidation_distance_pct = 0;
    for (int i = 0; i < engine->position_count; i++) {
        const struct position *p = &engine->positions[i];
        double pct = risk_liquidation_distance_pct(engine_venue_maintenance_pct(engine), equity,
                                                   held, p->side, dec_mul(p->mark_price, p->qty));
        if (i == 0 || pct < ret->liquidation_distance_pct) {
            ret->liquidation_distance_pct = pct;
        }
    }
    ret->leverage = pct_of(held, equity) / 100;
    ret->risk_state = risk_state_of(ret->state, engine->books_balance);
    ret->foreign_orders = engine->exposure.foreign_orders;
    ret->foreign_count = engine->exposure.foreign_count;
    memcpy(ret->foreign, engine->exposure.foreign,
           (size_t)engine->exposure.foreign_count * sizeof(engine->exposure.foreign[0]));
}
