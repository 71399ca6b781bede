/*
 * paper_memory.h: orders, fills and payments that the paper venue has to know and that are not on a
 * disk: all of them where it has none, and what a disk did not take.
 *
 *     if (paper_memory_has_room(memory, &change)) paper_memory_add(memory, &book, &change);
 *     record = paper_memory_find(memory, client_id);        // NULL: nothing of that order
 *
 * Invariants: fills of a record and payments stand in the order of their ids. Without a disk the
 * record of an order that is over is used again when there is no free one, and of fills and
 * payments the newest are kept; paper_memory_has_room tells when adding would lose something that
 * way. Thread: one at a time per memory.
 */
#pragma once

#include "venue/paper.h"

#define PAPER_MEMORY_PAYMENTS 64

struct paper_record {
    struct order order; /* without a client_id: free */
    bool has_order;     /* else only fills of it: client_id is all that order holds */
    int64_t fill_count; /* ever */
    struct fill fills[PAPER_MEMORY_FILLS];
};

struct paper_memory {
    int next; /* where the search for a record to reuse begins */
    struct paper_record records[PAPER_MEMORY_ORDERS];
    int64_t payment_count; /* ever */
    struct funding payments[PAPER_MEMORY_PAYMENTS];
};

struct paper_memory *paper_memory_new(void); /* never NULL; free() ends it */
/* Nothing is known any more. */
void paper_memory_clear(struct paper_memory *memory);

/* book: after the change; whose orders rest and whose positions are open must not be forgotten. */
void paper_memory_add(struct paper_memory *memory, const struct paper_book *book,
                      const struct paper_change *change);
/* Whether all of it can be added without losing anything that was added before. */
bool paper_memory_has_room(struct paper_memory *memory, const struct paper_change *change);

struct paper_record *paper_memory_find(struct paper_memory *memory, const char *client_id);
/* The oldest fills after the id, at most max; NULL record: none. Returns how many. */
int paper_memory_fills(const struct paper_record *record, int64_t after, struct fill *ret, int max);
int paper_memory_newest_fills(const struct paper_record *record, struct fill *ret, int max);
int paper_memory_payments(const struct paper_memory *memory, int64_t after, struct funding *ret,
                          int max);
