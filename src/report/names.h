/*
 * names.h: numbers for the names that a million rows repeat: symbols, reasons, codes.
 *
 *     struct names names = {.max = SYMBOLS_LIMIT};
 *     bool fresh = false;
 *     int index = names_index(&names, db_arg_text(args, 0), &fresh);  // 0, 1, … as they come
 *
 * Names of more than NAMES_BYTES bytes that begin alike are one. Thread: that of its owner.
 */
#pragma once

#include "base/str.h"
#include "model/capacity.h"

#include <stdint.h>

#define NAMES_BYTES 32
#define NAMES_SLOTS \
    1024 /* a power of two well above SYMBOLS_LIMIT: a look-up takes a step or two */

struct names {
    int max; /* at most SYMBOLS_LIMIT */
    int count;
    int slots[NAMES_SLOTS]; /* index of a name + 1; 0: free */
    uint64_t keys[SYMBOLS_LIMIT][NAMES_BYTES / 8];
};

/* The index of a name; that of the last one stands for all that have no room. */
int names_index(struct names *names, struct str name, bool *ret_fresh);
