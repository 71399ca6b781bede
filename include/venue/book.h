/*
 * book.h: the order book of one market, kept from a stream: levels of both sides, checked by the
 * venue's sequence numbers or checksums.
 *
 *     book_init(&book, depth);
 *     switch (book_apply(&book, api, event, levels, connection)) {
 *     case BOOK_LOST: ask for the whole book, unless the stream sends it;
 *     ...
 *     if (book_top(&book, &bid, &ask)) …
 *
 * A whole book replaces it. Changes that come before it are kept, and applied after it as far as
 * they are newer (Binance's procedure: U <= lastUpdateId + 1 <= u for the first one). Each change
 * must follow the one before it: by its first number, or by `previous` where the venue has it.
 * Always true: a book that is not whole has no top: it is unknown, never guessed. A gap, a wrong
 * checksum, a crossed book and more changes than are kept each make it unknown until it is whole
 * again. Nothing is allocated after book_init but what is kept of changes, at most BOOK_KEPT_MAX
 * levels.
 * Thread: one at a time.
 */
#pragma once

#include "venue/stream.h"

#include <stdbool.h>
#include <stdint.h>

#define BOOK_DEPTH_MAX 1000  /* levels of a side */
#define BOOK_KEPT_MAX  20000 /* levels of changes that wait for a whole book */
#define BOOK_EVENTS    512   /* changes that wait */

enum book_result {
    BOOK_GOOD,    /* it is whole */
    BOOK_WAITING, /* a whole book is awaited */
    BOOK_LOST     /* it has just become unknown, or the whole book is older than the changes: it
                   * is needed again */
};

struct book_side {
    int count;
    int least;                   /* with fewer, there are others that are not known */
    struct stream_level *levels; /* best first */
};

struct book_event { /* a change that waits */
    int64_t first, last, previous;
    int from, bids, asks; /* in kept */
};

struct book {
    int depth; /* levels that are kept of each side */
    struct book_side bids, asks;
    bool whole;
    bool first;          /* the next change is the first after a whole book */
    int64_t last;        /* its sequence number; 0: the venue has none */
    uint64_t connection; /* from which it comes; 0: none yet */
    int price_digits, qty_digits;
    int event_count;
    struct book_event *events; /* NULL: none wait */
    int kept_count;
    struct stream_level *kept;
    uint64_t lost;   /* times that it became unknown */
    const char *why; /* it did so last; static; NULL: never */
};

void book_init(struct book *book, int depth); /* 1..BOOK_DEPTH_MAX */
void book_release(struct book *book);         /* NULL or all zero: nothing */

/* Applies a BOOK event whose levels are those of its message. connection: a number of its own for
 * each, 0 for a book by REST; a whole book of a newer one replaces that of an older one, and
 * changes of others are left out. */
enum book_result book_apply(struct book *book, const struct stream_api *api,
                            const struct stream_event *event, const struct stream_level *levels,
                            uint64_t connection);
/* Unknown from now on: its connection was lost. */
void book_forget(struct book *book);
/* The best levels; false: the book is unknown, or has a side without orders. */
bool book_top(const struct book *book, struct stream_level *ret_bid, struct stream_level *ret_ask);
