#include "model/venue_status.h"

#include "names.h"

static const char *const state_words[] = {
    [VENUE_CONNECTING] = "connecting",   [VENUE_READY] = "ready",
    [VENUE_DEGRADED] = "degraded",       [VENUE_DOWN] = "down",
    [VENUE_MAINTENANCE] = "maintenance",
};
static const char *const status_words[] = {
    [INSTRUMENT_TRADING] = "trading",
    [INSTRUMENT_CLOSE_ONLY] = "close-only",
    [INSTRUMENT_HALTED] = "halted",
    [INSTRUMENT_CLOSED] = "closed",
};
static const char *const hours_words[] = {
    [VENUE_HOURS_NONE] = "none",
    [VENUE_HOURS_CLOSED] = "closed",
    [VENUE_HOURS_EXTENDED] = "extended",
    [VENUE_HOURS_REGULAR] = "regular",
};

NAMES_PRINT(venue_state, enum venue_state, state_words)
NAMES_PRINT(instrument_status, enum instrument_status, status_words)
NAMES_PRINT(venue_hours, enum venue_hours, hours_words)

struct dec instrument_price_step(const struct instrument *instrument, struct dec price)
{
    struct dec tick = instrument->tick.e8 > 0 ? instrument->tick : DEC_INVALID;
    if (instrument->digits <= 0 || !dec_is_valid(price)) {
        return tick;
    }
    struct dec step = dec_digit_step(price, instrument->digits);
    return dec_is_valid(tick) && dec_cmp(tick, step) > 0 ? tick : step;
}

struct dec instrument_round(const struct instrument *instrument, struct dec price, bool up)
{
    struct dec step = instrument == NULL ? DEC_INVALID : instrument_price_step(instrument, price);
    if (!dec_is_valid(step) || !dec_is_valid(price) || price.e8 <= 0) {
        return price;
    }
    return up ? dec_ceil_to(price, step) : dec_floor_to(price, step);
}
