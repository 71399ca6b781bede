/* Messages of a venue's public stream, one a line; the first byte says which venue. Each is read
 * whole or refused, and what was read keeps the invariants of books and minutes. */
#include "../../src/venue/market_lane.h"
#include "../../src/venue/minutes.h"
#include "venue/book.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_US INT64_C(1767225600000000) /* 2026-01-01 */

static struct stream_message message;

static void need(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_levels(int from, int count)
{
    need(from >= 0 && count >= 0 && from + count <= message.level_count);
    for (int i = from; i < from + count; i++) {
        need(message.levels[i].price.e8 > 0 && message.levels[i].qty.e8 >= 0);
    }
}

static void check_side(const struct book_side *side, bool up)
{
    for (int i = 1; i < side->count; i++) {
        int64_t step = side->levels[i].price.e8 - side->levels[i - 1].price.e8;
        need(up ? step > 0 : step < 0);
    }
}

static void take_book(struct book *book, const struct stream_api *api, const struct stream_event *e)
{
    struct stream_level bid, ask;
    check_levels(e->bid_from, e->bid_count);
    check_levels(e->ask_from, e->ask_count);
    (void)book_apply(book, api, e, message.levels, 1);
    check_side(&book->bids, false);
    check_side(&book->asks, true);
    need(!book_top(book, &bid, &ask) || bid.price.e8 < ask.price.e8);
}

static void take_candle(struct minutes *minutes, const struct stream_event *e)
{
    struct source_bar bars[1];
    int64_t open_us, before_us = minutes->next_us;
    int count;
    need(candle_is_valid(&e->candle));
    if (e->closed) {
        (void)minutes_close(minutes, 0, NOW_US, &e->candle);
    } else {
        (void)minutes_live(minutes, 0, NOW_US, &e->candle);
    }
    for (int i = 0; i < 10 && minutes_next(minutes, NOW_US, &open_us, bars, &count); i++) {
        need(open_us == before_us && count >= 0 && count <= 1);
        before_us += USEC_PER_MIN;
    }
}

static void take(const struct stream_api *api, struct str line, struct book *book,
                 struct minutes *minutes)
{
    if (market_lane_read(api, line, &message, NULL) < 0) {
        return;
    }
    need(message.count >= 0 && message.count <= STREAM_EVENTS_MAX && message.level_count >= 0 &&
         message.level_count <= STREAM_LEVELS_MAX);
    for (int i = 0; i < message.count; i++) {
        const struct stream_event *e = &message.events[i];
        if (e->kind == STREAM_BOOK) {
            take_book(book, api, e);
        } else if (e->kind == STREAM_CANDLE) {
            take_candle(minutes, e);
        } else if (e->kind == STREAM_TOP) {
            bool none = e->bid.price.e8 == 0 && e->ask.price.e8 == 0;
            need(none || (e->bid.price.e8 > 0 && e->bid.price.e8 < e->ask.price.e8));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const venues[] = {"binance", "binance_futures", "kraken", "coinbase",
                                         "alpaca"};
    const struct symbol symbol = {"BTC-USD"};
    if (size < 1) {
        return 0;
    }
    const struct stream_api *api = stream_api_find(venues[data[0] % COUNT_OF(venues)]);
    struct minutes minutes = {.says_closed = api->says_closed, .window = 100};
    struct book book;
    struct str rest = str_n((const char *)data + 1, size - 1), line;
    message.levels = calloc(STREAM_LEVELS_MAX, sizeof(*message.levels));
    need(message.levels != NULL);
    book_init(&book, 10);
    minutes_begin(&minutes, &symbol, 1, NOW_US - 10 * USEC_PER_MIN);
    minutes_up(&minutes, 0, NOW_US - 10 * USEC_PER_MIN);
    while (str_split(&rest, '\n', &line)) {
        take(api, line, &book, &minutes);
    }
    minutes_release(&minutes);
    book_release(&book);
    free(message.levels);
    return 0;
}
