/*
 * paper.h: a venue that trades on paper, against the candles that it is shown.
 *
 *     paper_init(&paper, &settings);
 *     rc = paper_open(&paper, store, err);           // what its disk knows
 *     rc = paper_minute(&paper, bars, count, err);   // the market moves: fills, stops, targets
 *     venue_send(&paper.venue, &order);              // answers through venue_poll
 *
 * Fill rules. An entry rests until the next minute and fills at its open, half a spread worse. A
 * close fills at once at the last price, half a spread worse. A bracket is watched inside every
 * minute, that of the entry included: the stop fills at its price, or at the open when the minute
 * opened beyond it, half a spread worse; the target fills at its price. When one minute touches
 * both, the stop is taken to have come first. Each fill pays the fee on its notional value.
 * Invariants: what it answers was committed to its own disk (store/paper.h) before; a write that
 * fails leaves it as it was, and nothing is answered (NO_ANSWER); a minute that it has seen is
 * not traded again; one position a symbol; an entry larger than its equity is rejected.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "market/source.h"
#include "model/settings.h"
#include "store/trading.h"
#include "venue/venue.h"

#define PAPER_OPEN_MAX    VENUE_OPEN_MAX
#define PAPER_REPORTS_MAX 32

struct paper_book {
    struct dec cash;
    int64_t minute_us; /* open of the newest minute that was traded */
    int64_t next_fill_id;
    int open_count;
    struct order open[PAPER_OPEN_MAX]; /* entries that rest */
    int position_count;
    struct position positions[POSITIONS_MAX];
};

struct paper {
    struct venue venue;
    struct trading_store *store; /* NULL: answers nothing */
    struct dec half_spread;      /* fraction of the price */
    struct dec fee;              /* fraction of the notional value */
    struct dec initial_cash;
    struct paper_book book;
    int quote_count;
    struct paper_quote {
        struct symbol symbol;
        struct dec price;
    } quotes[SYMBOLS_MAX];
    int report_head;
    int report_count;
    struct venue_report reports[PAPER_REPORTS_MAX];
};

void paper_init(struct paper *paper, const struct settings *settings);
/* Spread and fee, from now on. */
void paper_set_costs(struct paper *paper, const struct settings *settings);

/* Reads its book from the store, which outlives it or the next open. Reports that were waiting
 * are dropped. A failure leaves it answering nothing. */
int paper_open(struct paper *paper, struct trading_store *store, struct err *err);

/* The last price of a symbol, when no minute has been shown yet. */
void paper_quote(struct paper *paper, struct symbol symbol, struct dec price);

/* A failure leaves everything as it was: show the same minute again later. */
int paper_minute(struct paper *paper, const struct source_bar *bars, int count, struct err *err);
