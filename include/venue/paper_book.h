/*
 * paper_book.h: what an order, a bar, an amendment and funding time do to a paper account: pure
 * matching, no input or output, no allocation.
 *
 *     paper_book_terms(&terms, &settings, step_us);
 *     paper_book_init(&book, cash);
 *     paper_book_send(&book, &terms, &order, &change);         // order.state is the answer
 *     paper_book_bars(&book, &terms, bars, count, &change);    // all of one moment
 *
 * Fill rules. An order that came of a decision (an entry, or a close with a decision_id) rests and
 * fills at the open of the first bar that begins once it was made and that it reaches before the
 * bar ends: latency counts in whole bars. A close that a person or a rule asked for fills at once
 * at the last price. A taker walks the book: the first level is half a spread away, each further
 * one level_bps more, each holds `depth` of quote currency, PAPER_LEVELS of them a bar; prices are
 * rounded to tick_digits against the taker. What is left rests until the next bar's open, for at
 * most PAPER_REST_BARS bars, then it expires. Stop and target are measured from what the entry
 * filled at (model/order.h), until they are amended. The bracket of a position is watched inside
 * every bar, that of the entry included: the stop takes from the book at its price, or at the open
 * when the bar opened beyond it, and what the book did not hold goes at the following opens; the
 * target fills whole, at the maker's fee, at its price, or at the open when the bar opened beyond
 * it, which is better. When one bar touches both, the stop is taken to have come first, unless the
 * bar opened beyond the target. When the position is gone, the rest of its entry is cancelled.
 * Every eight hours of market time longs pay funding to shorts, at the open of the first bar from
 * then on; over a gap in the bars once, as nobody knows the prices inside it.
 * Entries are rejected below min_notional, at random (seeded by their client_id: a repeat answers
 * the same), and when all positions together would exceed equity * leverage.
 * The lot is the unit of struct dec, 1e-8.
 * Invariants: one position a symbol; a close only ever reduces; a bar that is impossible, or not
 * younger than the newest, does nothing; what cannot be computed (overflow) does not happen.
 * Thread: one at a time per book.
 */
#pragma once

#include "market/source.h"
#include "model/funding.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/settings.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define PAPER_OPEN_MAX   VENUE_OPEN_MAX
#define PAPER_LEVELS     10
#define PAPER_REST_BARS  30
#define PAPER_FUNDING_US (8 * USEC_PER_HOUR)

/* What the venue charges and offers; fractions, not per cent. */
struct paper_terms {
    struct dec half_spread;
    struct dec level; /* distance of two levels */
    struct dec depth; /* quote currency a level; zero: endless */
    struct dec fee;
    struct dec maker_fee;
    struct dec funding; /* a payment of a long */
    struct dec leverage;
    struct dec min_notional;
    double reject; /* 0..1 */
    int64_t latency_us;
    int64_t step_us; /* length of a bar */
    int tick_digits; /* 0: prices are not rounded */
};

struct paper_book {
    struct dec cash;
    int64_t bar_us; /* open of the newest bars that were traded */
    int64_t next_fill_id;
    int64_t next_funding_id;
    int64_t funding_period; /* of the newest bar: eight hours since 1970; 0: none seen */
    int open_count;
    struct order open[PAPER_OPEN_MAX]; /* that rest, partly filled ones too */
    int position_count;
    struct position positions[POSITIONS_MAX];
    int64_t stopped_us[POSITIONS_MAX]; /* when its stop was hit and not all could go; 0: not */
    int price_count;
    struct paper_price {
        struct symbol symbol;
        struct dec price;
        int64_t at_us;
    } prices[SYMBOLS_MAX];
};

/* What calls did besides changing the book: to be written and told. Orders are as they are now,
 * once each; fills and payments in order. */
struct paper_change {
    int order_count;
    struct order orders[PAPER_OPEN_MAX + 1];
    int fill_count;
    struct fill fills[PAPER_OPEN_MAX + 2 * POSITIONS_MAX];
    int payment_count;
    struct funding payments[POSITIONS_MAX];
};

/* step_us: how long a bar is. */
void paper_book_terms(struct paper_terms *ret, const struct settings *settings, int64_t step_us);
void paper_book_init(struct paper_book *book, struct dec cash);

/* The last price of a symbol, when no bar has been shown yet. */
void paper_book_price(struct paper_book *book, struct symbol symbol, struct dec price,
                      int64_t at_us);

/* The functions below add to *change, which the caller has emptied (the counts). */

/* Takes an order that the venue does not know yet; it is in the change, with its new state. */
void paper_book_send(struct paper_book *book, const struct paper_terms *terms,
                     const struct order *order, struct paper_change *change);
/* False: no such order rests. */
bool paper_book_cancel(struct paper_book *book, const char *client_id, struct paper_change *change);
enum paper_amend { PAPER_AMENDED, PAPER_NO_BRACKET, PAPER_AMEND_REFUSED };
enum paper_amend paper_book_amend(struct paper_book *book, const char *client_id, struct dec stop,
                                  struct dec target, struct paper_change *change);
/* The bars of one moment, at most one a symbol. */
void paper_book_bars(struct paper_book *book, const struct paper_terms *terms,
                     const struct source_bar *bars, int count, struct paper_change *change);
/* Whether paper_book_bars would do more than move prices and the clock: most bars do not, and a
 * bar that is only looked at is cheap. */
bool paper_book_wakes(const struct paper_book *book, const struct source_bar *bars, int count);

/* Bid, ask and what the first level holds; false without a price. */
bool paper_book_quote(const struct paper_book *book, const struct paper_terms *terms,
                      struct symbol symbol, struct quote *ret);
int paper_book_find(const struct paper_book *book, struct symbol symbol); /* position; -1: none */
