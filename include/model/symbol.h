/*
 * symbol.h: the name of a traded instrument ("BTC-USD"), as a fixed-size value.
 *
 *     struct symbol s;
 *     if (!symbol_parse(str_c("btc-usd"), &s)) refuse();
 *
 * Invariants: [A-Z0-9-], 1..15 bytes, zero-padded, so symbols can be compared with memcmp.
 * Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <string.h>

#define SYMBOL_SIZE   16
#define CURRENCY_SIZE 12

struct symbol {
    char name[SYMBOL_SIZE];
};

/* Converts to upper case; false if a character is outside the alphabet above. */
bool symbol_parse(struct str text, struct symbol *ret);
static inline bool symbol_equal(struct symbol a, struct symbol b)
{
    return memcmp(a.name, b.name, SYMBOL_SIZE) == 0;
}

/* "BTC" and "USD" of "BTC-USD"; without a dash the base is the whole name and the quote is empty.
 */
struct str symbol_base(const struct symbol *symbol);
struct str symbol_quote(const struct symbol *symbol);
