/*
 * paper_book.h: the matching of a paper account: how orders, bars, amendments and funding change
 * it. Pure: no I/O, no allocation after init.
 *
 *     paper_book_terms(&terms, &settings, step_us);
 *     paper_book_init(&book, cash, symbol_count); paper_change_init(&change, symbol_count);
 *     paper_book_send(&book, &terms, &order, &change);         // the new state is in change.orders
 *     paper_book_bars(&book, &terms, bars, count, &change);    // all bars of one time
 *
 * Fill rules.
 * - An order that a decision made (an entry, or a close with a decision_id) rests, and fills at the
 *   open of the first bar that begins at or after its creation and ends after its arrival, so
 *   latency delays it by whole bars. A close from a person or a trading rule fills at once at the
 *   last price.
 * - A taker walks the book: the first level is half a spread from the middle, each further level
 *   level_bps more; each holds `depth` of quote currency, and there are PAPER_LEVELS a bar. Prices
 *   are rounded to tick_digits against the taker. The unfilled part rests until the open of the
 *   next bar, for at most PAPER_REST_BARS bars, then it expires.
 * - A limit takes only at its price or better. What it cannot take rests in the book, and fills
 *   whole at the maker's fee, at its price when a bar reaches it, or at the better open of a later
 *   bar. A bar that fills an entry so can still stop it, but not reach its target. IOC and FOK do
 *   not rest; a post-only order that would take on arrival is rejected, as are stop and day orders,
 *   prices off the tick, and a reduce-only entry.
 * - Stop and target are measured from the entry's fill price (model/order.h), in ticks, until they
 *   are amended. They are checked in every bar, from the bar of the entry on. The stop takes from
 * the book at its price, or at the open when the bar opened beyond it; the part that the book
 * cannot fill is sold (or bought back) at the following opens. The target fills completely, at the
 *   maker's fee, at its price, or at the better open when the bar opened beyond it. When one bar
 *   touches both, the stop is assumed to come first, unless the bar opened beyond the target. When
 *   the position is closed, the rest of its entry is cancelled.
 * - Every eight hours of market time longs pay funding to shorts, at the open of the first bar from
 *   then on; once over a gap in the bars, since the prices inside it are unknown.
 * - Entries are rejected below min_notional, at random (seeded by the client_id, so a repeat gets
 *   the same answer), and when all positions together would exceed equity * leverage.
 * - Quantities are multiples of the lot. With fee_in_coins the fee of a long entry is taken from
 *   the coins: the fill and the position are smaller by it, rounded to the lot, and the order ends
 *   with what remains. What is less than a lot counts as fee too.
 * Invariants: one position a symbol; a close only reduces; a bar that is impossible, or not newer
 * than the newest, is ignored; an operation whose amounts overflow is not carried out.
 * Thread: one at a time per book.
 */
#pragma once

#include "market/source.h"
#include "model/funding.h"
#include "model/order.h"
#include "model/position.h"
#include "model/quote.h"
#include "model/snapshot.h"
#include "model/venue_settings.h"
#include "venue/venue.h"

#include <stdbool.h>
#include <stdint.h>

#define PAPER_LEVELS     10
#define PAPER_REST_BARS  30
#define PAPER_FUNDING_US (8 * USEC_PER_HOUR)

/* The venue's costs and limits; fractions, not per cent. */
struct paper_terms {
    struct dec half_spread;
    struct dec level; /* distance between two levels */
    struct dec depth; /* quote currency per level; zero: unlimited */
    struct dec fee;
    struct dec maker_fee;
    struct dec funding; /* rate that a long pays each time */
    struct dec leverage;
    struct dec min_notional;
    double reject; /* probability, 0..1 */
    int64_t latency_us;
    int64_t step_us; /* length of a bar */
    int tick_digits; /* 0: prices are not rounded */
    struct dec lot;  /* quantities are multiples of it; zero: 1e-8 */
    bool fee_in_coins;
};

/* Rows: paper_book_init. */
struct paper_book {
    int symbols; /* that the rows are sized for */
    struct dec cash;
    int64_t bar_us; /* open time of the newest bars traded */
    int64_t next_fill_id;
    int64_t next_funding_id;
    int64_t funding_period; /* of the newest bar: eight hours since 1970; 0: none seen */
    int open_count;
    struct order *open; /* resting orders, partly filled ones too */
    int position_count;
    struct position *positions;
    int64_t *stopped_us; /* when its stop was hit but only partly filled; 0: not */
    int price_count;
    struct paper_price {
        struct symbol symbol;
        struct dec price;
        int64_t at_us;
    } * prices;
};

/* The records that calls produced, to be stored and reported: changed orders in their newest state,
 * once each; fills and payments in order. */
struct paper_change {
    int symbols; /* that the rows are sized for */
    int order_count;
    struct order *orders;
    int fill_count;
    struct fill *fills;
    int payment_count;
    struct funding *payments;
};

/* step_us: the length of a bar. */
void paper_book_terms(struct paper_terms *ret, const struct paper_settings *settings,
                      int64_t step_us);
void paper_book_set_leverage(struct paper_terms *terms, double leverage);
/* An empty account with room for so many symbols. Aborts when out of memory; nothing is allocated
 * afterwards. */
void paper_book_init(struct paper_book *book, struct dec cash, int symbols);
void paper_book_release(struct paper_book *book); /* all zero: nothing */
/* Both are sized for the same number of symbols. */
void paper_book_copy(struct paper_book *dst, const struct paper_book *src);
int paper_book_open_max(const struct paper_book *book); /* orders that can rest */
void paper_change_init(struct paper_change *change, int symbols);
void paper_change_release(struct paper_change *change);

/* Sets the last price of a symbol before its first bar. */
void paper_book_price(struct paper_book *book, struct symbol symbol, struct dec price,
                      int64_t at_us);

/* The functions below add to *change, whose counts the caller has set to zero. */

/* Accepts or rejects an order that the venue does not know yet; the change has its new state. */
void paper_book_send(struct paper_book *book, const struct paper_terms *terms,
                     const struct order *order, struct paper_change *change);
/* False: there is no such resting order. */
bool paper_book_cancel(struct paper_book *book, const char *client_id, struct paper_change *change);
enum paper_amend { PAPER_AMENDED, PAPER_NO_BRACKET, PAPER_AMEND_REFUSED };
enum paper_amend paper_book_amend(struct paper_book *book, const char *client_id, struct dec stop,
                                  struct dec target, struct paper_change *change);
/* Trades the bars of one time, at most one a symbol. */
void paper_book_bars(struct paper_book *book, const struct paper_terms *terms,
                     const struct source_bar *bars, int count, struct paper_change *change);
/* Whether paper_book_bars may change more than prices and the clock. Most bars do not, and this
 * check is cheap. */
bool paper_book_is_affected(const struct paper_book *book, const struct source_bar *bars,
                            int count);

/* Bid, ask and their quantities on the first level; false without a price. */
bool paper_book_quote(const struct paper_book *book, const struct paper_terms *terms,
                      struct symbol symbol, struct quote *ret);
/* Cash plus positions at the last prices; *ret_exposure: the notional of the positions. */
struct dec paper_book_equity(const struct paper_book *book, struct dec *ret_exposure);
/* Index of the symbol's position; -1: none. */
int paper_book_find(const struct paper_book *book, struct symbol symbol);
