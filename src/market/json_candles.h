/*
 * json_candles.h: the arrays of a JSON file of candles, "[[time, open, …], …]", one by one
 * (private to market).
 *
 *     while (json_candles_next(&rest, first, &entry) == JSON_CANDLES_ENTRY) use(entry);
 *
 * The text behind the opening bracket is scanned, so memory does not grow with the file; each entry
 * is checked by io/json.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

enum json_candles {
    JSON_CANDLES_ENTRY, /* *ret is the text between its brackets */
    JSON_CANDLES_END,   /* the outer array is closed */
    JSON_CANDLES_MORE,  /* the text ends before an entry does; *rest is unchanged */
    JSON_CANDLES_WRONG, /* not an array of arrays */
};

/* Removes an entry from the front. first: no comma precedes it. */
enum json_candles json_candles_next(struct str *rest, bool first, struct str *ret);
/* A flat array of JSON values. */
bool json_candles_entry_is_valid(struct str entry);
