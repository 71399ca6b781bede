/*
 * returns.h: the rolling correlation of the hourly returns of two symbols.
 *
 *     returns_init(&returns, symbol_count);
 *     returns_push(&returns, symbol, frame->closed.open_us / USEC_PER_HOUR, close);  // each hour
 *     double r;
 *     if (returns_correlation(&returns, a, b, &r) && r > limit) refuse();
 *
 * A return is close / close of the hour before - 1; an hour after a gap has none. Two symbols are
 * compared over the hours in which both have a return, among the RETURNS_WINDOW hours that end with
 * the newest hour of either. With fewer than RETURNS_MIN common hours, or when one symbol never
 * moved, the correlation is undefined. It is Pearson's coefficient, -1..1. The caller changes the
 * sign when one position is long and the other short.
 * Invariants: rows are plain values, saved and restored as bytes; after returns_init nothing is
 * allocated; a correlation of two rows is O(RETURNS_WINDOW), finding a row O(symbols). Of libm only
 * sqrt is used, so the result is the same on every machine.
 * Thread: one at a time per value.
 */
#pragma once

#include "base/dec.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stdint.h>

#define RETURNS_WINDOW 48
#define RETURNS_MIN    24

struct returns_row {
    struct symbol symbol;
    int64_t hour; /* since the epoch, of the newest close */
    double close;
    uint64_t known;                /* bit hour % RETURNS_WINDOW: that hour has a return */
    double values[RETURNS_WINDOW]; /* by hour % RETURNS_WINDOW */
};

struct returns {
    int capacity;
    int count;
    struct returns_row *rows; /* capacity of them */
};

void returns_init(struct returns *returns, int symbols); /* aborts when out of memory */
void returns_release(struct returns *returns);

/* The close of an hour, which must be newer than the last one of this symbol; any other is ignored,
 * and so is a symbol beyond the capacity. */
void returns_push(struct returns *returns, struct symbol symbol, int64_t hour, struct dec close);
/* Index of the row of a symbol; -1: none. */
int returns_find(const struct returns *returns, struct symbol symbol);
/* False: undefined; *ret is 0 then. The same symbol twice gives 1 once it is defined. */
bool returns_correlation(const struct returns *returns, struct symbol a, struct symbol b,
                         double *ret);
/* The same by index; -1: no row. */
bool returns_correlation_of(const struct returns *returns, int a, int b, double *ret);
/* False if the bytes of a row, read back from a file, are damaged. */
bool returns_row_is_sane(const struct returns_row *row);
/* Adds a saved row, or replaces the one of its symbol. */
void returns_restore(struct returns *returns, const struct returns_row *row);
