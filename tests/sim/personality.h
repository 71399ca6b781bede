/*
 * personality.h: the simulated venue with the character of a real one: what it can do, from the
 * venue's own tables, and its fees, quantities, smallest orders and hours.
 *
 *     who = personality_find("kraken");            // NULL: no such personality
 *     can = personality_can(who);                  // as the connector reports it
 *     closed = personality_is_closed(who, market_us);
 *
 * Constant tables. Thread: any.
 */
#pragma once

#include "model/settings.h"
#include "model/venue_settings.h"
#include "model/venue_status.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define PERSONALITY_SYMBOLS 3

struct personality {
    const char *name;
    const char *venue; /* whose tables it has */
    const char *symbols[PERSONALITY_SYMBOLS];
    struct paper_settings terms;
    struct dec min_qty; /* zero: none */
    bool hours;         /* it trades two of three hours */
};

const struct personality *personality_find(const char *name);
const struct personality *personality_at(int index); /* NULL: there are no more */
/* The names of all, for a message: "binance, kraken, …". */
void personality_names(char *ret, size_t size);
struct venue_capabilities personality_can(const struct personality *p);
/* Coins are held: what is too small to be sold is no position. If not, it lists positions. */
bool personality_holds_coins(const struct personality *p);
bool personality_is_closed(const struct personality *p, int64_t market_us);
/* The smallest orders as the connector reports them: at spot what was bought must be large enough
 * to be sold after a fall. */
void personality_rules(const struct personality *p, struct instrument *rules);
/* The symbols of settings that have three. */
void personality_symbols(const struct personality *p, struct settings *s);
