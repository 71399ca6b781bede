/*
 * live_market.h: the live prices of one venue or several, as one source of candles.
 *
 *     struct live_market *market = live_market_new(&options, err);    // before feed_start
 *     rc = live_market_warm(market, symbols, count, &history, err);   // a first start
 *     live_market_follow(market, symbols, count);                     // a later one
 *     source_next(live_market_source(market), bars);
 *     if (live_market_quote(market, symbol, &quote)) ...
 *
 * Each venue has a feed of its own (market_feed.h), all on one thread. A step has the candles of
 * one minute at all venues. Always true: a venue that is behind holds the others up for at most
 * half a minute; then minutes are traded without it, and what it says of them later is left out,
 * until it has caught up. The clock is that of the first venue. Thread: the engine's; new and free
 * before and after the feed's thread.
 */
#pragma once

#include "venue/market_feed.h"

struct live_market;

struct live_market_options {
    const struct live_plan *plan; /* copied */
    struct feed *feed;
    struct clock *clock;
    int symbols; /* the most that are followed */
};

/* NULL: as market_feed_new. */
struct live_market *live_market_new(const struct live_market_options *options, struct err *err);
void live_market_free(struct live_market *market); /* after feed_stop was true; accepts NULL */

/* As those of market_feed.h. */
int live_market_warm(struct live_market *market, const struct symbol *symbols, int count,
                     struct market_history **ret, struct err *err);
void live_market_follow(struct live_market *market, const struct symbol *symbols, int count);
struct source *live_market_source(struct live_market *market);
bool live_market_quote(struct live_market *market, struct symbol symbol, struct quote *ret);
bool live_market_depth(struct live_market *market, struct symbol symbol, struct dec *ret_bids,
                       struct dec *ret_asks);
bool live_market_halted(struct live_market *market, struct symbol symbol);
/* Sums and the first fault, of all venues; to be called in each round, since it takes what the
 * feeds have published. */
const struct market_feed_status *live_market_status(struct live_market *market);
