/*
 * returns.h: the rolling correlation of the hourly returns of two symbols.
 *
 *     returns_push(&returns, symbol, frame->closed.open_us / USEC_PER_HOUR, close);  // each hour
 *     double r;
 *     if (returns_correlation(&returns, a, b, &r) && r > limit) refuse();
 *
 * A return is close / close of the hour before - 1; an hour after a gap has none. Two symbols are
 * compared over the hours in which both have a return, among the RETURNS_WINDOW hours that end with
 * the newest hour of either. With fewer than RETURNS_MIN common hours, or when one symbol never
 * moved, the correlation is undefined. It is Pearson's coefficient, -1..1. The caller changes the
 * sign when one position is long and the other short.
 * Invariants: a plain value, all zero is empty; saved and restored as bytes; returns_push is O(1),
 * returns_correlation O(RETURNS_WINDOW); no allocation. Of libm only sqrt is used, so the result is
 * the same on every machine.
 * Thread: one at a time per value.
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define RETURNS_WINDOW 48
#define RETURNS_MIN    24

struct returns {
    int64_t count;
    struct returns_row {
        struct symbol symbol;
        int64_t hour; /* since the epoch, of the newest close */
        double close;
        uint64_t known;                /* bit hour % RETURNS_WINDOW: that hour has a return */
        double values[RETURNS_WINDOW]; /* by hour % RETURNS_WINDOW */
    } rows[SYMBOLS_MAX];
};

/* The close of an hour, which must be newer than the last one of this symbol; any other is ignored,
 * and so is a symbol beyond SYMBOLS_MAX. */
void returns_push(struct returns *returns, struct symbol symbol, int64_t hour, struct dec close);
/* False: undefined; *ret is 0 then. The same symbol twice gives 1 once it is defined. */
bool returns_correlation(const struct returns *returns, struct symbol a, struct symbol b,
                         double *ret);
/* False if the bytes, read back from a file, are damaged. */
bool returns_is_sane(const struct returns *returns);
