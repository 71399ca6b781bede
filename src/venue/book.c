#include "venue/book.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* Levels behind those that are wanted, so that the wanted ones stay known when the best are gone.
 */
#define SPARE 1000

static int room(const struct book *book)
{
    return book->depth + SPARE;
}

void book_init(struct book *book, int depth)
{
    ASSERT(depth >= 1 && depth <= BOOK_DEPTH_MAX);
    *book = (struct book){.depth = depth, .price_digits = -1, .qty_digits = -1};
    book->bids.levels = calloc((size_t)room(book), sizeof(struct stream_level));
    book->asks.levels = calloc((size_t)room(book), sizeof(struct stream_level));
    NEED_MEMORY(book->bids.levels != NULL && book->asks.levels != NULL);
}

static void drop_kept(struct book *book)
{
    free(book->events);
    free(book->kept);
    book->events = NULL;
    book->kept = NULL;
    book->event_count = 0;
    book->kept_count = 0;
}

void book_release(struct book *book)
{
    if (book != NULL) {
        drop_kept(book);
        free(book->bids.levels);
        free(book->asks.levels);
        book->bids.levels = NULL;
        book->asks.levels = NULL;
    }
}

void book_forget(struct book *book)
{
    drop_kept(book);
    book->whole = false;
    book->bids.count = 0;
    book->asks.count = 0;
    book->connection = 0;
}

static enum book_result lose(struct book *book, const char *why)
{
    uint64_t connection = book->connection;
    book_forget(book);
    book->connection = connection;
    book->lost++;
    book->why = why;
    return BOOK_LOST;
}

/* ---------------------------------------------------------------- levels */

/* The place of a price, or where it belongs. up: prices ascend, as in the asks. */
static int place_of(const struct book_side *side, struct dec price, bool up)
{
    int low = 0, high = side->count;
    while (low < high) {
        int middle = (low + high) / 2;
        int64_t there = side->levels[middle].price.e8;
        bool before = up ? there < price.e8 : there > price.e8;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

static void set_level(struct book_side *side, int most, const struct stream_level *level, bool up)
{
    int at = place_of(side, level->price, up);
    bool is_there = at < side->count && side->levels[at].price.e8 == level->price.e8;
    struct stream_level *place = &side->levels[at];
    if (level->qty.e8 == 0) {
        if (is_there) {
            side->count--;
            memmove(place, place + 1, (size_t)(side->count - at) * sizeof(*place));
        }
        return;
    }
    if (!is_there) {
        if (at == most) {
            return; /* behind the last one that there is room for */
        }
        side->count -= side->count == most;
        memmove(place + 1, place, (size_t)(side->count - at) * sizeof(*place));
        side->count++;
    }
    *place = *level;
}

static void set_levels(struct book *book, const struct stream_level *levels, int bid_from,
                       int bid_count, int ask_from, int ask_count)
{
    for (int i = 0; i < bid_count; i++) {
        set_level(&book->bids, room(book), &levels[bid_from + i], false);
    }
    for (int i = 0; i < ask_count; i++) {
        set_level(&book->asks, room(book), &levels[ask_from + i], true);
    }
}

static bool is_crossed(const struct book *book)
{
    return book->bids.count > 0 && book->asks.count > 0 &&
           book->bids.levels[0].price.e8 >= book->asks.levels[0].price.e8;
}

/* ---------------------------------------------------------------- sequence */

static bool follows(const struct book *book, int64_t first, int64_t last, int64_t previous)
{
    if (last == 0 || book->last == 0) {
        return true; /* the venue does not count */
    }
    if (book->first && previous != 0) {
        return previous == book->last || (first <= book->last && last >= book->last);
    }
    if (book->first) {
        return first <= book->last + 1 && last >= book->last;
    }
    return previous != 0 ? previous == book->last : first == book->last + 1;
}

/* Whether the whole book had this change already. */
static bool is_old(const struct book *book, int64_t last, int64_t previous)
{
    return last != 0 && (last < book->last || (last == book->last && previous == 0));
}

/* A change that waits for a whole book. */
static enum book_result keep(struct book *book, const struct stream_event *e,
                             const struct stream_level *levels)
{
    int more = e->bid_count + e->ask_count;
    if (e->last == 0) {
        return BOOK_WAITING; /* without numbers, the whole book has all before it */
    }
    if (book->events == NULL) {
        book->events = calloc(BOOK_EVENTS, sizeof(*book->events));
        book->kept = calloc(BOOK_KEPT_MAX, sizeof(*book->kept));
        NEED_MEMORY(book->events != NULL && book->kept != NULL);
    }
    if (book->event_count == BOOK_EVENTS || book->kept_count + more > BOOK_KEPT_MAX) {
        return lose(book, "its whole did not come in time");
    }
    book->events[book->event_count++] = (struct book_event){.first = e->first,
                                                            .last = e->last,
                                                            .previous = e->previous,
                                                            .from = book->kept_count,
                                                            .bids = e->bid_count,
                                                            .asks = e->ask_count};
    memcpy(&book->kept[book->kept_count], &levels[e->bid_from],
           (size_t)e->bid_count * sizeof(*levels));
    book->kept_count += e->bid_count;
    memcpy(&book->kept[book->kept_count], &levels[e->ask_from],
           (size_t)e->ask_count * sizeof(*levels));
    book->kept_count += e->ask_count;
    return BOOK_WAITING;
}

static enum book_result apply_kept(struct book *book)
{
    for (int i = 0; i < book->event_count; i++) {
        const struct book_event *e = &book->events[i];
        if (is_old(book, e->last, e->previous)) {
            continue;
        }
        if (!follows(book, e->first, e->last, e->previous)) {
            return lose(book, "its whole is older than the changes");
        }
        set_levels(book, book->kept, e->from, e->bids, e->from + e->bids, e->asks);
        book->last = e->last;
        book->first = false;
    }
    drop_kept(book);
    return is_crossed(book) ? lose(book, "it is crossed") : BOOK_GOOD;
}

/* ---------------------------------------------------------------- events */

static enum book_result check(struct book *book, const struct stream_api *api,
                              const struct stream_event *e)
{
    if (is_crossed(book)) {
        return lose(book, "it is crossed");
    }
    if (api->checksum == NULL) {
        /* What came after the last level of the whole book is not known. */
        return book->bids.count < book->bids.least || book->asks.count < book->asks.least
                   ? lose(book, "its end is reached")
                   : BOOK_GOOD;
    }
    if (!e->has_checksum) {
        return BOOK_GOOD;
    }
    book->price_digits = e->price_digits >= 0 ? e->price_digits : book->price_digits;
    book->qty_digits = e->qty_digits >= 0 ? e->qty_digits : book->qty_digits;
    /* The venue's book ends at its depth: what has moved behind it is forgotten there. */
    book->bids.count = book->bids.count < book->depth ? book->bids.count : book->depth;
    book->asks.count = book->asks.count < book->depth ? book->asks.count : book->depth;
    uint32_t ours = api->checksum(book->bids.levels, book->bids.count, book->asks.levels,
                                  book->asks.count, book->price_digits, book->qty_digits);
    return ours == e->checksum ? BOOK_GOOD : lose(book, "its checksum is wrong");
}

static enum book_result replace(struct book *book, const struct stream_api *api,
                                const struct stream_event *e, const struct stream_level *levels)
{
    book->bids.count = 0;
    book->asks.count = 0;
    book->last = e->last;
    book->first = true;
    book->whole = true;
    set_levels(book, levels, e->bid_from, e->bid_count, e->ask_from, e->ask_count);
    book->bids.least = book->bids.count < book->depth ? 0 : book->depth;
    book->asks.least = book->asks.count < book->depth ? 0 : book->depth;
    enum book_result result = check(book, api, e);
    return result == BOOK_GOOD ? apply_kept(book) : result;
}

enum book_result book_apply(struct book *book, const struct stream_api *api,
                            const struct stream_event *event, const struct stream_level *levels,
                            uint64_t connection)
{
    if (event->whole && (connection == 0 || connection >= book->connection)) {
        if (connection > book->connection) {
            drop_kept(book);
            book->connection = connection;
        }
        return replace(book, api, event, levels);
    }
    if (connection > book->connection && api->read_book != NULL) {
        book_forget(book); /* the changes of this one count: the whole is needed beside them */
        book->connection = connection;
    }
    if (connection != book->connection) {
        return book->whole ? BOOK_GOOD : BOOK_WAITING;
    }
    if (!book->whole) {
        bool is_first = book->event_count == 0;
        enum book_result result = keep(book, event, levels);
        return is_first && result == BOOK_WAITING && api->read_book != NULL ? BOOK_LOST : result;
    }
    if (book->first && is_old(book, event->last, event->previous)) {
        return BOOK_GOOD;
    }
    if (!follows(book, event->first, event->last, event->previous)) {
        (void)lose(book, "a change is missing");
        (void)keep(book, event, levels);
        return BOOK_LOST;
    }
    set_levels(book, levels, event->bid_from, event->bid_count, event->ask_from, event->ask_count);
    book->last = event->last != 0 ? event->last : book->last;
    book->first = false;
    return check(book, api, event);
}

bool book_top(const struct book *book, struct stream_level *ret_bid, struct stream_level *ret_ask)
{
    if (!book->whole || book->bids.count == 0 || book->asks.count == 0) {
        return false;
    }
    *ret_bid = book->bids.levels[0];
    *ret_ask = book->asks.levels[0];
    return true;
}
