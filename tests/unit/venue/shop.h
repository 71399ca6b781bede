/*
 * shop.h: a paper venue in a database of its own, and one symbol's minutes to show it.
 *
 *     struct shop s;
 *     shop_open(&s);
 *     struct order o = shop_entry(&s, "nd-1-1", SIDE_LONG);
 *     venue_send(&s.paper.venue, &o);
 *     assert_int_equal(shop_next(&s).state, ORDER_ACKED);
 *     shop_close(&s);
 *
 * What goes wrong in here fails the test. Thread: the test's.
 */
#pragma once

#include "store/trading.h"
#include "unit/unit.h"
#include "venue/paper.h"

#define SHOP_START INT64_C(1790002800000000)

struct shop {
    struct trading_store *store;
    struct settings settings;
    struct paper paper;
    int64_t minute; /* since SHOP_START */
};

extern const struct symbol shop_btc;

/* An endless book, half a spread of 0.1 %, a fee of 1 %, 10,000 in cash. */
void shop_open(struct shop *s);
void shop_close(struct shop *s);
/* The venue starts again on its disk, with s->settings. */
void shop_reopen(struct shop *s);
/* shop_open with levels of 1,000 each, 1 % apart, no fee, and a first minute at 1000. */
void shop_thin_book(struct shop *s);

/* Shows the next minute; what paper_bars returns. */
int shop_minute(struct shop *s, int64_t open, int64_t high, int64_t low, int64_t close);
/* Two at 1000, with stop and target 2 % and 4 % away. */
struct order shop_entry(const struct shop *s, const char *id, enum side side);
struct order shop_closing(const struct shop *s, const char *id, enum side side);
/* A position from nd-1-1, filled; the report of it. */
struct venue_report shop_open_long(struct shop *s);

struct venue_report shop_next(struct shop *s); /* there is one */
void shop_none(struct shop *s);                /* there is none */
struct venue_report shop_ask(struct shop *s, const char *id);
struct venue_report shop_send(struct shop *s, const struct order *order);

/* For trading_store_set_fault: userdata is a bool; while it is true no write succeeds. */
int shop_fail_writes(const char *what, void *userdata);
