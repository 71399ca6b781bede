/*
 * symbol.h: the name of what is traded, as a fixed-size value ("BTC-USD").
 *
 *     struct symbol s;
 *     if (!symbol_parse(str_c("btc-usd"), &s)) refuse();
 *
 * Invariants: upper case [A-Z0-9-], 1..15 bytes, zero-padded, so symbols compare with memcmp.
 * Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

#define SYMBOL_SIZE 16
#define SYMBOLS_MAX 8 /* how many one engine trades */

struct symbol {
    char name[SYMBOL_SIZE];
};

/* Folds to upper case; false on anything else than the alphabet above. */
bool symbol_parse(struct str text, struct symbol *ret);
bool symbol_equal(struct symbol a, struct symbol b);
