/*
 * market_rig.h: closed trades of a made-up market, from a seed: noise in several forms, or with one
 * regularity planted.
 *
 *     const struct market market = {.seed = 7, .planted = true, .plant = PLANTED_HOUR};
 *     market_cases(&market, cases, 900);
 *     market_write(&market, store, 900);      // the same as rows of trading.db, ids from 1
 *
 * Thread: the test's.
 */
#pragma once

#include "../../src/learning/study.h"
#include "store/trading.h"

enum market_kind {
    MARKET_EVEN,     /* half of the trades win */
    MARKET_RARE,     /* three of ten win, and win more */
    MARKET_STREAKS,  /* a trade ends as the one before in 8 of 10 cases */
    MARKET_TOGETHER, /* trades of one hour mostly end alike, whatever the symbol */
    MARKET_DRIFT,    /* the share of wins moves slowly between 30 and 70 per cent */
    MARKET_NOISE     /* the number of kinds */
};

/* Trades that match it win in 2 of 10 cases, others in 5.5. */
enum plant { PLANTED_HOUR, PLANTED_SYMBOL_SIDE, PLANTED_ZONE, PLANTED_SIDE, PLANTED_COUNT };

struct market {
    uint64_t seed;
    enum market_kind kind;
    bool planted;
    enum plant plant;
    size_t ends_after; /* cases from which on the planted regularity is gone; 0: never */
};

void market_cases(const struct market *market, struct study_case *ret, size_t count);
/* The condition that is planted, in normal form; valid until the next call. */
const char *market_planted(const struct market *market);
/* Adds the trades `from` to `to` (indices) with their decisions and candles. */
void market_write(const struct market *market, struct trading_store *store, size_t from, size_t to);
