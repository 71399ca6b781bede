/*
 * fee_memory.h: which fees of the account the books have been given, for a venue that posts them
 * late and lists them again and again.
 *
 *     rc = fee_memory_open(m, store, err);
 *     fee_memory_add(m, &report);            // each fee of a listing, in any order
 *     fee_memory_close(m, after, now_us);    // all are there; the books have those up to `after`
 *     while (fee_memory_pop(m, &report)) …   // the others, oldest first, as a chain
 *
 * Always true: a fee gets one number, when it is first seen, and that is on disk before the fee is
 * reported; so it is booked once, also after a kill. Those of the first listing were charged before
 * the books began, and are never reported.
 * Thread: the engine's.
 */
#pragma once

#include "store/trading.h"
#include "venue/venue.h"

struct fee_memory;

struct fee_memory *fee_memory_new(void);
void fee_memory_free(struct fee_memory *m); /* accepts NULL */
/* store NULL: nothing is kept. */
int fee_memory_open(struct fee_memory *m, struct trading_store *store, struct err *err);
/* Fees older than this are known. */
int64_t fee_memory_since_us(const struct fee_memory *m, int64_t now_us);
/* fills_after of the report is the venue's id of the fee. */
void fee_memory_add(struct fee_memory *m, const struct venue_report *report);
void fee_memory_close(struct fee_memory *m, int64_t after, int64_t now_us);
bool fee_memory_waits(const struct fee_memory *m);
bool fee_memory_pop(struct fee_memory *m, struct venue_report *ret);
/* The number of the newest fee that was reported, or is booked. */
int64_t fee_memory_newest(const struct fee_memory *m);
