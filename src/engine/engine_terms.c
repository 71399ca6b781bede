#include "engine_private.h"

/* How far beyond the market a limit goes that stands in for a market order: it fills in all but a
 * crash, and then for no less. */
#define BEYOND_PER_CENT 1
/* Market time that an entry rests as a limit. The decision is old by then. */
#define LIMIT_RESTS_US (15 * USEC_PER_MIN)

const struct instrument *engine_terms_rules(const struct engine *engine, struct symbol symbol)
{
    return engine->venue.can.prices_in_ticks ? engine_venue_instrument(engine, symbol) : NULL;
}

static bool can_type(const struct engine *engine, enum order_type type)
{
    return (engine->venue.can.order_types & VENUE_SET(type)) != 0;
}

static bool rests(enum time_in_force t)
{
    return t == TIF_GTC || t == TIF_DAY;
}

/* The first of them that the venue knows; there is one, see venue_can_close. */
static enum time_in_force choose_time(const struct engine *engine, bool resting)
{
    static const enum time_in_force rest_first[] = {TIF_GTC, TIF_DAY, TIF_IOC};
    static const enum time_in_force at_once_first[] = {TIF_IOC, TIF_GTC, TIF_DAY};
    const enum time_in_force *wanted = resting ? rest_first : at_once_first;
    int i = 0;
    while (i < 2 && (engine->venue.can.times_in_force & VENUE_SET(wanted[i])) == 0) {
        i++;
    }
    return wanted[i];
}

/* A limit at the price of the decision or better. */
static void set_limit(const struct engine *engine, struct order *o, bool buys)
{
    o->type = ORDER_TYPE_LIMIT;
    o->time_in_force = choose_time(engine, true);
    o->post_only = engine->settings.entry_order == ENTRY_POST_ONLY && engine->venue.can.post_only &&
                   rests(o->time_in_force);
    o->price = instrument_round(engine_terms_rules(engine, o->symbol), o->reference_price, !buys);
}

/* A limit that fills like a market order. */
static void set_beyond_market(const struct engine *engine, struct order *o, bool buys)
{
    struct dec part =
        dec_mul_div(o->reference_price, dec_from_int(BEYOND_PER_CENT), dec_from_int(100));
    struct dec price = buys ? dec_add(o->reference_price, part) : dec_sub(o->reference_price, part);
    o->type = ORDER_TYPE_LIMIT;
    o->time_in_force = choose_time(engine, false);
    o->price = instrument_round(engine_terms_rules(engine, o->symbol), price, buys);
}

void engine_terms_set(const struct engine *engine, struct order *order)
{
    bool buys = (order->kind == ORDER_ENTRY) == (order->side == SIDE_LONG);
    bool limited = order->kind == ORDER_ENTRY && engine->settings.entry_order != ENTRY_MARKET;
    order->post_only = false;
    order->reduce_only = order->kind == ORDER_CLOSE && engine->venue.can.reduce_only;
    if (limited && can_type(engine, ORDER_TYPE_LIMIT)) {
        set_limit(engine, order, buys);
    } else if (can_type(engine, ORDER_TYPE_MARKET)) {
        order->type = ORDER_TYPE_MARKET;
        order->time_in_force = choose_time(engine, true);
        order->price = DEC_ZERO;
    } else {
        set_beyond_market(engine, order, buys);
    }
}

bool engine_terms_is_over(const struct engine *engine, const struct order *order)
{
    return order->kind == ORDER_ENTRY && order->type == ORDER_TYPE_LIMIT &&
           engine->now->market_us - order->created_us > LIMIT_RESTS_US;
}
