#include "engine_private.h"

/* Hysteresis: a level is left only once the distance times this factor exceeds its line, since
 * prices fluctuate. */
#define HYSTERESIS 0.9

/* A level CLOSE lasts until the position is closed, whatever the price does. Levels are in memory
 * only: after a restart below a line the position is reduced again, which errs on the safe side. A
 * half that is being closed then is taken into account, see engine_orders_close. */
static void move_level(struct engine_liquidation_guard *liquidation_guard, double distance_pct,
                       const struct position *p)
{
    enum risk_liquidation_guard level = risk_liquidation_guard(distance_pct);
    enum risk_liquidation_guard calm = risk_liquidation_guard(distance_pct * HYSTERESIS);
    if (level > liquidation_guard->done) {
        liquidation_guard->done = level;
        liquidation_guard->keep =
            dec_floor_to((struct dec){p->qty.e8 / 2}, risk_lot(p->mark_price));
    } else if (liquidation_guard->done != RISK_LIQUIDATION_GUARD_CLOSE &&
               calm < liquidation_guard->done) {
        liquidation_guard->done = calm;
    }
}

/* As much of the position as the venue's rules allow an order for, no less than wanted; all of it
 * if that much is too small an order. */
static struct dec order_size(const struct engine *engine, const struct position *p,
                             struct dec wanted)
{
    const struct instrument *rules = engine_venue_instrument(engine, p->symbol);
    if (rules == NULL || wanted.e8 <= 0) {
        return wanted;
    }
    struct dec qty = rules->step.e8 > 0 ? dec_ceil_to(wanted, rules->step) : wanted;
    bool fits = dec_is_valid(qty) && qty.e8 <= p->qty.e8 && qty.e8 >= rules->min_qty.e8;
    return fits ? qty : p->qty;
}

/* Repeated until the books show it, since an order can be refused or lost. */
static void cut(struct engine *engine, const struct position *position, struct dec qty)
{
    if (qty.e8 <= 0 || engine->list_before_close) {
        return;
    }
    struct position part = *position;
    part.qty = qty;
    part.decision_id = 0; /* close at once, not at the next bar */
    int64_t before = engine->state.orders;
    engine_orders_close(engine, &part, "liquidation near", 0);
    if (engine->state.orders > before) {
        struct event *e = engine_event(engine, TOPIC_FAULT, ERR_RISK_LIQUIDATION_CUT);
        e->symbol = part.symbol;
        e->qty = qty;
        e->price = part.mark_price;
    }
}

static void liquidation_guard_position(struct engine *engine,
                                       struct engine_liquidation_guard *liquidation_guard,
                                       const struct position *p, double distance_pct)
{
    move_level(liquidation_guard, distance_pct, p);
    if (liquidation_guard->done == RISK_LIQUIDATION_GUARD_NONE) {
        return;
    }
    struct event *e = engine_event(engine, TOPIC_FAULT, ERR_RISK_LIQUIDATION_NEAR);
    e->symbol = p->symbol;
    e->qty = p->qty;
    e->price = p->mark_price;
    e->value = dec_from_double(distance_pct);
    if (liquidation_guard->done >= RISK_LIQUIDATION_GUARD_HALVE) {
        /* A further fill would only need more margin. */
        (void)engine_orders_cancel_entries(engine, (struct symbol){0});
        cut(engine, p,
            liquidation_guard->done == RISK_LIQUIDATION_GUARD_CLOSE
                ? p->qty
                : order_size(engine, p, dec_sub(p->qty, liquidation_guard->keep)));
    }
}

void engine_liquidation_guard_tick(struct engine *engine, struct dec equity)
{
    struct dec exposure = engine_account_held(engine);
    struct ledger ledger = engine_ledger(engine);
    for (int i = 0; i < engine->symbol_count; i++) {
        struct engine_liquidation_guard *liquidation_guard =
            &engine->exposure.liquidation_guards[i];
        int held = ledger_find(&ledger, engine->series[i].symbol);
        if (held < 0) {
            *liquidation_guard = (struct engine_liquidation_guard){0};
            continue;
        }
        const struct position *p = &engine->positions[held];
        liquidation_guard_position(
            engine, liquidation_guard, p,
            risk_liquidation_distance_pct(engine_venue_maintenance_pct(engine), equity, exposure,
                                          p->side, dec_mul(p->mark_price, p->qty)));
    }
}
