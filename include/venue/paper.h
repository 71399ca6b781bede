/*
 * paper.h: the paper venue. It fills orders against bars, by the rules of venue/paper_book.h.
 *
 *     paper_init(&paper, &settings, step_us, symbol_count);
 *     rc = paper_open(&paper, store, err);        // the stored account; or, for a back-test:
 *     paper_open_memory(&paper);                  // a new account, in memory only
 *     rc = paper_bars(&paper, bars, count, err);  // the market moves: fills, stops, targets
 *     venue_send(&paper.venue, &order);           // answered through venue_poll
 *     paper_release(&paper);
 *
 * Invariants: with a store, changes are written to the venue's own tables (store/paper.h) before
 * they are reported. If the disk cannot be written, the venue continues from memory (`behind`)
 * until paper_flush succeeds; a crash before that returns it to its last write, so the caller
 * flushes the venue before it stores what the venue has reported. A bar is never traded twice. When
 * memory is full too, a call changes nothing and is answered by NO_ANSWER.
 * Without a store, the venue answers from memory about the newest PAPER_MEMORY_ORDERS orders, which
 * always include the resting ones and those with an open position. A report that does not fit in
 * the queue is lost, as on a network; the engine queries again.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "market/source.h"
#include "model/venue_settings.h"
#include "store/trading.h"
#include "venue/paper_book.h"
#include "venue/venue.h"

#define PAPER_MEMORY_FILLS 40 /* the newest of each order */

struct paper_memory;

struct paper {
    struct venue venue;
    struct trading_store *store; /* NULL, with memory NULL too: every call gets NO_ANSWER */
    struct paper_memory *memory; /* owned; with a store: the records not written yet */
    bool behind;                 /* the store is older than the book */
    struct dec initial_cash;
    struct paper_terms terms;
    struct paper_book book;
    struct paper_book written;  /* with a store: the book as stored */
    struct paper_book draft;    /* with a store: the book of the call under way */
    struct paper_change change; /* of the call under way */
    bool ready_reported;
    int rules_reported; /* of the symbols in book.prices */
    int report_head;
    int report_count;
    int report_capacity;
    struct venue_report *reports;
};

/* step_us: the length of the source's bars. symbols: how many the memory is sized for. */
void paper_init(struct paper *paper, const struct paper_settings *settings, int64_t step_us,
                int symbols);
/* Back to the state after paper_init: every call gets NO_ANSWER. */
void paper_close(struct paper *paper);
void paper_release(struct paper *paper); /* NULL or all zero: nothing */
/* Its account, which is in the store's paper_* tables. */
extern const struct venue_import paper_import;
/* The paper venue behind the interface, which venue_new has made. */
struct paper *paper_of(struct venue *venue);

/* Reads the book from the store, which must outlive the venue or its next open. Waiting reports are
 * dropped. After a failure every call gets NO_ANSWER. */
int paper_open(struct paper *paper, struct trading_store *store, struct err *err);
/* A new account, in memory only; the functions below never fail then. */
void paper_open_memory(struct paper *paper);

/* Sets the last price of a symbol before its first bar. */
void paper_quote(struct paper *paper, struct symbol symbol, struct dec price);

/* Writes the changes that are not on disk yet; 0 when there are none. */
int paper_flush(struct paper *paper, struct err *err);

/* Trades the bars of one time. A failure changes nothing: pass the same bars again later. */
int paper_bars(struct paper *paper, const struct source_bar *bars, int count, struct err *err);
