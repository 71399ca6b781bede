/*
 * payment_memory.h: which payments and events of the account the books have been given. Funding,
 * and fees that belong to no fill, are listed by a venue again and again, some of them late and in
 * any order; a liquidation is heard, and listed seldom; a call for margin is only heard.
 *
 *     rc = payment_memory_open(m, store, err);
 *     payment_memory_add(m, &report);            // each payment of a listing, in any order
 *     payment_memory_close(m, after, now_us);    // all are there; the books have those up to
 * `after` while (payment_memory_pop(m, &report)) …   // the others, oldest first, as a chain
 *
 * Always true: a payment gets a number when it is first seen, and that is on disk before the
 * payment is reported; so it is booked once, also after a kill. One that the books did not get
 * before a kill, and that the first listing afterwards does not have, gets another number when it
 * is seen again. Those of the first listing of all were made before the books began, and are never
 * reported. Thread: the engine's.
 */
#pragma once

#include "store/trading.h"
#include "venue/venue.h"

struct payment_memory;

struct payment_memory *payment_memory_new(void);
void payment_memory_free(struct payment_memory *m); /* accepts NULL */
/* store NULL: nothing is kept. */
int payment_memory_open(struct payment_memory *m, struct trading_store *store, struct err *err);
/* Payments older than this are known. */
int64_t payment_memory_since_us(const struct payment_memory *m, int64_t now_us);
/* What the venue closed by itself before this is none of the books' business: persons have set them
 * right, or they began later. It is the time of the first call. */
int64_t payment_memory_forced_since_us(struct payment_memory *m, int64_t now_us);
/* fills_after of the report is the venue's id of the payment. What is no payment is given again
 * with each listing until the books have it. */
void payment_memory_add(struct payment_memory *m, const struct venue_report *report);
/* An event that the venue tells once. It is the next to pop, or, before the first listing, comes
 * with that; it is given again with each listing until the books have it; told again, it is left
 * out. Its id is in fills_after, too. After a kill before it is booked, the next listing has it
 * again, if the venue lists it. */
void payment_memory_tell(struct payment_memory *m, const struct venue_report *report);
void payment_memory_close(struct payment_memory *m, int64_t after, int64_t now_us);
bool payment_memory_waits(const struct payment_memory *m);
bool payment_memory_pop(struct payment_memory *m, struct venue_report *ret);
/* The number of the newest payment that was reported, or is booked. */
int64_t payment_memory_newest(const struct payment_memory *m);
