/*
 * returns.h: how alike two symbols have moved: the rolling correlation of their hourly returns.
 *
 *     returns_push(&returns, symbol, frame->closed.open_us / USEC_PER_HOUR, close);  // each hour
 *     double r;
 *     if (returns_correlation(&returns, a, b, &r) && r > limit) refuse();
 *
 * A return is close / close of the hour before - 1; an hour after a gap has none. Two symbols are
 * compared over the hours in which both have one, of the RETURNS_WINDOW hours that end with the
 * newest of either; under RETURNS_MIN common ones, or when one of them never moved, there is no
 * answer. Pearson's coefficient, -1..1. A position short of one symbol against a long one of the
 * other counts with the opposite sign: that is for the caller.
 * Invariants: a plain value, all zero is empty; saved and restored as bytes; O(1) a push,
 * O(RETURNS_WINDOW) a question; no allocation. No libm but sqrt, so the answer is the same on every
 * machine. Thread: one at a time per value.
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
        uint64_t known;                /* bit hour % RETURNS_WINDOW: there is one */
        double values[RETURNS_WINDOW]; /* by hour % RETURNS_WINDOW */
    } rows[SYMBOLS_MAX];
};

/* The close of an hour, which must be newer than the last of this symbol: any other is passed
 * over, and so is a symbol beyond SYMBOLS_MAX. */
void returns_push(struct returns *returns, struct symbol symbol, int64_t hour, struct dec close);
/* False: not defined; *ret is 0 then. The same symbol twice is 1 once it is defined. */
bool returns_correlation(const struct returns *returns, struct symbol a, struct symbol b,
                         double *ret);
/* The bytes were saved by this program, but a file can be damaged. */
bool returns_is_sane(const struct returns *returns);
