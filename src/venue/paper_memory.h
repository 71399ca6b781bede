/*
 * paper_memory.h: the orders, fills and payments of the paper venue that are not on disk: all of
 * them when it has no store, otherwise those that could not be written yet.
 *
 *     if (paper_memory_has_space(memory, &change)) paper_memory_add(memory, &book, &change);
 *     record = paper_memory_find(memory, client_id);        // NULL: no record of that order
 *
 * Invariants: payments, and the fills of a record, are in the order of their ids. When it is full,
 * adding reuses the record of a finished order and overwrites the oldest fills and payments;
 * paper_memory_has_space is false when that would happen.
 * Thread: one at a time per memory.
 */
#pragma once

#include "venue/paper.h"

struct paper_record {
    struct order order; /* without a client_id: free */
    bool has_order;     /* false: only fills are known, and order has no more than its client_id */
    int64_t fill_count; /* ever added; the newest PAPER_MEMORY_FILLS are kept */
    struct fill fills[PAPER_MEMORY_FILLS];
};

struct paper_memory {
    int next;              /* where the search for a record to reuse begins */
    int64_t payment_count; /* ever added; the newest payment_capacity are kept */
    int payment_capacity;
    struct funding *payments; /* behind the records */
    uint32_t *hashes;         /* of the records' client ids, behind the payments; 0: free. A search
                               * reads these, not a cache line of each record */
    int record_count;
    struct paper_record records[];
};

/* More records than the book of so many symbols has resting orders and positions. One block:
 * release it with free(). Never NULL. */
struct paper_memory *paper_memory_new(int symbols);
/* Removes all records. */
void paper_memory_clear(struct paper_memory *memory);

/* book: after the change; the records of its resting orders and open positions are never reused. */
void paper_memory_add(struct paper_memory *memory, const struct paper_book *book,
                      const struct paper_change *change);
/* Whether the change can be added without overwriting a record. */
bool paper_memory_has_space(struct paper_memory *memory, const struct paper_change *change);

struct paper_record *paper_memory_find(struct paper_memory *memory, const char *client_id);
/* Each returns the number of fills or payments, at most max; with a NULL record 0.
 * paper_memory_fills and paper_memory_payments return the oldest after the given id. */
int paper_memory_fills(const struct paper_record *record, int64_t after, struct fill *ret, int max);
int paper_memory_newest_fills(const struct paper_record *record, struct fill *ret, int max);
int paper_memory_payments(const struct paper_memory *memory, int64_t after, struct funding *ret,
                          int max);
