#include "engine_private.h"

#include <string.h>

void engine_memory_copy(struct engine_memory *dst, const struct engine_memory *src)
{
    dst->state = src->state;
    dst->position_count = src->position_count;
    memcpy(dst->positions, src->positions, (size_t)src->position_count * sizeof(src->positions[0]));
    dst->order_count = src->order_count;
    memcpy(dst->orders, src->orders, (size_t)src->order_count * sizeof(src->orders[0]));
    dst->rules = src->rules;
    dst->entry_count = src->entry_count;
    memcpy(dst->entries_us, src->entries_us, (size_t)src->entry_count * sizeof(src->entries_us[0]));
    dst->booked_count = src->booked_count;
    memcpy(dst->booked, src->booked, (size_t)src->booked_count * sizeof(src->booked[0]));
}

/* ---------------------------------------------------------------- what is booked */

static int place_of(const struct engine *engine, const struct engine_slot *slot)
{
    return (int)(slot - engine->slots);
}

bool engine_fills_has(const struct engine *engine, const struct engine_slot *slot,
                      const char *venue_fill_id)
{
    int place = place_of(engine, slot);
    for (int i = engine->fills.count - 1; i >= 0; i--) {
        const struct engine_booked *b = &engine->fills.list[i];
        if (b->order == place && strcmp(b->venue_fill_id, venue_fill_id) == 0) {
            return true;
        }
    }
    return false;
}

bool engine_fills_add(struct engine *engine, struct engine_slot *slot, const char *venue_fill_id)
{
    if (engine->fills.count == ENGINE_BOOKED_MAX) {
        return false;
    }
    struct engine_booked *b = &engine->fills.list[engine->fills.count++];
    b->order = place_of(engine, slot);
    memcpy(b->venue_fill_id, venue_fill_id, sizeof(b->venue_fill_id));
    memcpy(slot->last_fill_id, venue_fill_id, sizeof(slot->last_fill_id));
    return true;
}

void engine_fills_forget(struct engine *engine, const struct engine_slot *slot)
{
    int place = place_of(engine, slot);
    int kept = 0;
    for (int i = 0; i < engine->fills.count; i++) {
        if (engine->fills.list[i].order != place) {
            if (kept < i) {
                engine->fills.list[kept] = engine->fills.list[i];
            }
            kept++;
        }
    }
    engine->fills.count = kept;
}

bool engine_fills_are_many(const struct engine *engine)
{
    return engine->fills.count > ENGINE_BOOKED_MAX / 2;
}

/* ---------------------------------------------------------------- fees */

/* The price of a currency in the quote currency of the fill's symbol; zero: unknown. */
static struct dec price_of(const struct engine *engine, struct str currency,
                           const struct symbol *symbol)
{
    for (int i = 0; i < engine->symbol_count; i++) {
        const struct symbol *s = &engine->series[i].symbol;
        if (str_equal(symbol_base(s), currency) &&
            str_equal(symbol_quote(s), symbol_quote(symbol))) {
            return engine->series[i].price;
        }
    }
    return DEC_ZERO;
}

bool engine_fills_convert_fee(const struct engine *engine, struct fill *fill)
{
    struct str currency = str_c(fill->fee_currency);
    fill->fee_charged = fill->fee;
    if (currency.len == 0 || str_equal(currency, symbol_quote(&fill->symbol)) ||
        fill->fee.e8 == 0) {
        return true;
    }
    bool is_base = str_equal(currency, symbol_base(&fill->symbol));
    struct dec price = is_base ? fill->price : price_of(engine, currency, &fill->symbol);
    fill->fee = dec_mul(fill->fee, price);
    if (price.e8 > 0 && dec_is_valid(fill->fee)) {
        return true;
    }
    fill->fee = DEC_ZERO;
    return false;
}
