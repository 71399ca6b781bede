/*
 * fixture.h: a paper venue with a database of its own, and minutes of one symbol.
 *
 *     struct fixture s;
 *     fixture_open(&s);
 *     struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
 *     venue_send(&s.paper.venue, &o);
 *     assert_int_equal(fixture_next(&s).state, ORDER_ACKED);
 *     fixture_close(&s);
 *
 * Any failure in these functions fails the test. Thread: the test's.
 */
#pragma once

#include "store/trading.h"
#include "unit/unit.h"
#include "venue/paper.h"

#define SHOP_START INT64_C(1790002800000000)

struct fixture {
    struct trading_store *store;
    struct paper_settings settings;
    struct paper paper;
    int64_t minute; /* since SHOP_START */
};

extern const struct symbol fixture_btc;

/* Unlimited depth, a half spread of 0.1 %, a fee of 1 %, 10,000 in cash. */
void fixture_open(struct fixture *s);
void fixture_close(struct fixture *s);
/* Restarts the venue from its store, with s->settings. */
void fixture_reopen(struct fixture *s);
/* fixture_open with levels of 1,000 each, 1 % apart, no fee, and a first minute at 1000. */
void fixture_thin_book(struct fixture *s);

/* Passes the next minute to paper_bars and returns its result. */
int fixture_minute(struct fixture *s, int64_t open, int64_t high, int64_t low, int64_t close);
/* An entry of 2 at 1000, with stop and target 2 % and 4 % away. */
struct order fixture_entry(const struct fixture *s, const char *id, enum side side);
struct order fixture_closing(const struct fixture *s, const char *id, enum side side);
/* Opens a position with the entry nd-1-1; returns the report of its fill. */
struct venue_report fixture_open_long(struct fixture *s);

struct venue_report fixture_next(struct fixture *s); /* fails without a waiting report */
void fixture_none(struct fixture *s);                /* fails if a report is waiting */
/* Asks about an order, for its fills after the given one. */
void fixture_query(struct venue *venue, const char *id, const char *after_fill_id);
struct venue_report fixture_ask(struct fixture *s, const char *id);
struct venue_report fixture_send(struct fixture *s, const struct order *order);

/* For trading_store_set_fault: userdata is a bool; while it is true, every write fails. */
int fixture_fail_writes(const char *what, void *userdata);
