/*
 * paper.h: a venue that trades on paper, against the bars that it is shown; its rules are those of
 * venue/paper_book.h.
 *
 *     paper_init(&paper, &settings, step_us);
 *     rc = paper_open(&paper, store, err);        // what its disk knows; or, for a back-test:
 *     paper_open_memory(&paper);                  // a fresh account that no disk keeps
 *     rc = paper_bars(&paper, bars, count, err);  // the market moves: fills, stops, targets
 *     venue_send(&paper.venue, &order);           // answers through venue_poll
 *     paper_release(&paper);
 *
 * Invariants: with a store, what it answers is on its own disk (store/paper.h) before it is told,
 * as long as the disk takes it. A disk that does not stops no market: the venue goes on from memory
 * (`behind`), and paper_flush brings the disk up to date. Until then a crash takes it back to its
 * last write; who keeps what it said flushes it first. A bar that it has seen is not traded again.
 * When memory is full too, a call leaves it as it was and nothing is answered (NO_ANSWER).
 * Without a store it answers the same from memory: of the newest PAPER_MEMORY_ORDERS orders, those
 * that rest or whose position is open always among them. A report for which there is no room is
 * lost, as on a network; whoever misses it asks again.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "market/source.h"
#include "model/settings.h"
#include "store/trading.h"
#include "venue/paper_book.h"
#include "venue/venue.h"

#define PAPER_REPORTS_MAX   32
#define PAPER_MEMORY_ORDERS 128
#define PAPER_MEMORY_FILLS  40 /* the newest of each order */

struct paper_memory;

struct paper {
    struct venue venue;
    struct trading_store *store; /* NULL, and no memory either: answers nothing */
    struct paper_memory *memory; /* owned; with a store: what is not on it yet */
    bool behind;                 /* there is such: the store is older than the book */
    struct dec initial_cash;
    struct paper_terms terms;
    struct paper_book book;
    struct paper_book written;  /* with a store: the book as it is there */
    struct paper_change change; /* of the call under way */
    int report_head;
    int report_count;
    struct venue_report reports[PAPER_REPORTS_MAX];
};

/* step_us: how long a bar of the source is. */
void paper_init(struct paper *paper, const struct settings *settings, int64_t step_us);
void paper_release(struct paper *paper);
/* Costs, depth and the like, from now on. */
void paper_set_costs(struct paper *paper, const struct settings *settings);

/* Reads its book from the store, which outlives it or the next open. Reports that were waiting
 * are dropped. A failure leaves it answering nothing. */
int paper_open(struct paper *paper, struct trading_store *store, struct err *err);
/* A fresh account, kept in memory only; never fails afterwards. */
void paper_open_memory(struct paper *paper);

/* The last price of a symbol, when no bar has been shown yet. */
void paper_quote(struct paper *paper, struct symbol symbol, struct dec price);

/* Writes what the disk did not take when it happened; nothing to write: 0. */
int paper_flush(struct paper *paper, struct err *err);

/* The bars of one moment. A failure leaves everything as it was: show the same again later. */
int paper_bars(struct paper *paper, const struct source_bar *bars, int count, struct err *err);
