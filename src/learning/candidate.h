/*
 * candidate.h: the conditions that a study tries: a small, fixed grammar over what is stored of
 * every decision, so that each can be explained in a sentence.
 *
 *     struct candidate *candidates = calloc(CANDIDATES_MAX, sizeof(*candidates));
 *     int n = candidate_make(symbols, symbol_count, candidates);
 *
 * Tried: side, symbol, hour, block of four hours, weekday, weekend, regime, zone of rsi14, strength
 * of the score, width of the hourly bands; and side together with symbol, block, regime or zone of
 * rsi14. Nothing finer: each further condition makes the correction for all of them stricter.
 * Always true: the texts are in normal form, and no two are equal.
 * Private to this module. Thread: any (pure).
 */
#pragma once

#include "model/condition.h"
#include "model/symbol.h"

#define CANDIDATE_SYMBOLS_MAX 16
#define CANDIDATES_MAX        128

struct candidate {
    char text[CONDITION_TEXT_SIZE];
    struct condition program;
};

/* At most CANDIDATE_SYMBOLS_MAX symbols (ASSERT). Returns the number of candidates. */
int candidate_make(const struct symbol *symbols, int symbol_count,
                   struct candidate ret[CANDIDATES_MAX]);
