/*
 * market_feed.h: the live prices of one venue: candles as a source, and best prices.
 *
 *     struct market_feed *market = market_feed_new(&options, err);    // before feed_start
 *     rc = market_feed_warm(market, symbols, count, &history, err);   // a first start
 *     market_feed_follow(market, symbols, count);                     // a later one
 *     source_next(market_feed_source(market), bars);
 *     if (market_feed_quote(market, symbol, &quote)) ...
 *
 * On the feed's thread: names of the markets, the venue's clock, the stream, and the history for
 * whatever the stream did not say: at the start, and after each gap. The engine gets steps through
 * a ring, one a minute, with the candles of all markets that traded; best prices through a mailbox
 * a market. While the stream is down the history alone is read, which is late (source_is_late):
 * nothing is decided on it. Always true: no function of the engine's side waits or sends. Each
 * market_feed_warm or market_feed_follow with other values begins again; what the earlier ones
 * still bring is dropped. Thread: as said at each part.
 */
#pragma once

#include "base/clock.h"
#include "market/source.h"
#include "model/quote.h"
#include "model/venue_settings.h"
#include "venue/feed.h"

#include <stdbool.h>
#include <stdint.h>

struct market_feed;

struct market_feed_options {
    const struct live_settings *settings; /* copied */
    struct feed *feed;                    /* it becomes a member */
    const struct clock *clock;
    int symbols; /* the most that are followed */
};

/* ERR_MARKET_VENUE: there is none of that name. ERR_MARKET_KEY: its prices are for keys only.
 * ERR_VENUE_MODE: an address without encryption. Thread: any. */
int market_feed_check(const struct live_settings *settings, struct err *err);
/* NULL: as market_feed_check. Thread: before feed_start. */
struct market_feed *market_feed_new(const struct market_feed_options *options, struct err *err);
void market_feed_free(struct market_feed *market); /* after feed_stop was true; accepts NULL */

/* ---------------------------------------------------------------- the engine's side */

/* Bars of five minutes, oldest first, up to until_us, for the indicators. */
struct market_history {
    int64_t until_us;
    int count;
    struct market_history_row {
        struct symbol symbol;
        int count;
        struct candle *candles;
    } rows[];
};
void market_history_free(struct market_history *history); /* accepts NULL */

/* The history; the source then goes on from its end. ERR_MARKET_STARTING: it is not here yet, call
 * again later; the context says what it waits for. */
int market_feed_warm(struct market_feed *market, const struct symbol *symbols, int count,
                     struct market_history **ret, struct err *err);
/* The source goes on from its saved state (source_load), or is at what market_feed_warm gave. */
void market_feed_follow(struct market_feed *market, const struct symbol *symbols, int count);
struct source *market_feed_source(struct market_feed *market);
/* The last known best prices; false: none. at_us is when they were last known to hold. */
bool market_feed_quote(struct market_feed *market, struct symbol symbol, struct quote *ret);
/* Orders within one per cent of the price, in quote currency; false: the book is not kept, or is
 * unknown now. */
bool market_feed_depth(struct market_feed *market, struct symbol symbol, struct dec *ret_bids,
                       struct dec *ret_asks);

/* Whether the venue says that it is halted. */
bool market_feed_halted(struct market_feed *market, struct symbol symbol);

struct market_feed_status {
    char venue[16];
    bool up;              /* the stream of each market is open */
    int64_t alive_us;     /* venue's clock: when the stream was last heard; 0: never */
    int err;              /* id: why prices have stopped; 0: they come */
    char reason[192];     /* of err, for people */
    char doing[96];       /* what is read now */
    uint64_t connections; /* of the stream, since the start; above the number needed: lost ones */
    uint64_t gaps;        /* times that the stream was down */
    uint64_t filled;      /* candles from the history */
    uint64_t late;        /* candles that came after their step */
    uint64_t refused;     /* messages and candles that cannot be trusted */
    uint64_t books;       /* order books that are whole */
    uint64_t books_lost;  /* times that one was not any more */
};
const struct market_feed_status *market_feed_status(struct market_feed *market);
