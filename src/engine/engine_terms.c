#include "engine_private.h"

/* How far beyond the market a limit goes that stands in for a market order: it fills in all but a
 * crash, and then for no less. */
#define BEYOND_PER_CENT 1
/* Further only to close, as far as the best price on the other side is from ours. */
#define BEYOND_MOST_PER_CENT 5
/* Market time that an entry rests as a limit. The decision is old by then. */
#define LIMIT_RESTS_US (15 * USEC_PER_MIN)
/* A close that rests as a limit is placed again at the newest price. */
#define CLOSE_RESTS_US USEC_PER_MIN

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

static struct dec beyond(const struct order *o, bool buys, int per_cent)
{
    struct dec part = dec_mul_div(o->reference_price, dec_from_int(per_cent), dec_from_int(100));
    return buys ? dec_add(o->reference_price, part) : dec_sub(o->reference_price, part);
}

/* A limit that fills like a market order. Outside regular hours few trade: the best price that a
 * position can be closed at may be far from the last one. */
static void set_beyond_market(const struct engine *engine, struct order *o, bool buys, bool rests)
{
    struct dec price = beyond(o, buys, BEYOND_PER_CENT);
    const struct quote *quote = rests ? engine_quote(engine, o->symbol) : NULL;
    if (quote != NULL && o->kind == ORDER_CLOSE) {
        struct dec most = beyond(o, buys, BEYOND_MOST_PER_CENT);
        struct dec best = buys ? quote->ask : quote->bid;
        price = best.e8 <= 0 ? price
                : buys       ? dec_min(dec_max(price, best), most)
                             : dec_max(dec_min(price, best), most);
    }
    o->type = ORDER_TYPE_LIMIT;
    o->time_in_force = choose_time(engine, rests);
    o->price = instrument_round(engine_terms_rules(engine, o->symbol), price, buys);
}

/* The venue takes no market order in this symbol now. */
static bool limits_only(const struct engine *engine, struct symbol symbol)
{
    const struct instrument *rules = engine_venue_instrument(engine, symbol);
    return rules != NULL && rules->limits_only && can_type(engine, ORDER_TYPE_LIMIT);
}

void engine_terms_set(const struct engine *engine, struct order *order)
{
    bool buys = (order->kind == ORDER_ENTRY) == (order->side == SIDE_LONG);
    bool limited = order->kind == ORDER_ENTRY && engine->settings.entry_order != ENTRY_MARKET;
    order->post_only = false;
    order->reduce_only = order->kind == ORDER_CLOSE && engine->venue.can.reduce_only;
    if (limited && can_type(engine, ORDER_TYPE_LIMIT)) {
        set_limit(engine, order, buys);
    } else if (limits_only(engine, order->symbol)) {
        set_beyond_market(engine, order, buys, true);
    } else if (can_type(engine, ORDER_TYPE_MARKET)) {
        order->type = ORDER_TYPE_MARKET;
        order->time_in_force = choose_time(engine, true);
        order->price = DEC_ZERO;
    } else {
        set_beyond_market(engine, order, buys, false);
    }
}

struct dec engine_terms_closable(const struct engine *engine, struct symbol symbol, struct dec qty)
{
    const struct instrument *rules = engine_venue_instrument(engine, symbol);
    return rules != NULL && rules->limits_only && rules->step.e8 > 0
               ? dec_floor_to(qty, rules->step)
               : qty;
}

/* A close at the market that waits for the market to open, while limits are traded. */
static bool waits_in_vain(const struct engine *engine, const struct order *order)
{
    return order->type == ORDER_TYPE_MARKET && limits_only(engine, order->symbol);
}

bool engine_terms_is_over(const struct engine *engine, const struct order *order,
                          int64_t sent_mono_us)
{
    const struct instrument *rules = engine_venue_instrument(engine, order->symbol);
    bool limit = order->type == ORDER_TYPE_LIMIT;
    if (order->kind == ORDER_ENTRY) {
        /* One at the market would be filled when its exchange opens again, days later. */
        return limit ? engine->now->market_us - order->created_us > LIMIT_RESTS_US
                     : rules != NULL && rules->status == INSTRUMENT_CLOSED;
    }
    bool late = sent_mono_us != 0 && engine->now->mono_us - sent_mono_us > CLOSE_RESTS_US;
    return order->kind == ORDER_CLOSE && late && (limit || waits_in_vain(engine, order));
}
