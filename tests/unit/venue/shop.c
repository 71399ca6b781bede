#include "shop.h"

#include <string.h>

const struct symbol shop_btc = {"BTC-USD"};

void shop_reopen(struct shop *s)
{
    struct err err = {0};
    paper_release(&s->paper);
    paper_init(&s->paper, &s->settings, USEC_PER_MIN);
    assert_int_equal(paper_open(&s->paper, s->store, &err), 0);
}

void shop_open(struct shop *s)
{
    memset(s, 0, sizeof(*s));
    struct err err = {0};
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &s->store, &err), 0);
    s->settings.initial_cash = dec_from_int(10000);
    s->settings.spread_bps = 20; /* half: 0.1 % */
    s->settings.fee_bps = 100;   /* 1 % */
    shop_reopen(s);
}

void shop_close(struct shop *s)
{
    paper_release(&s->paper);
    trading_store_free(s->store);
}

int shop_minute(struct shop *s, int64_t open, int64_t high, int64_t low, int64_t close)
{
    struct source_bar bar = {shop_btc,
                             {SHOP_START + s->minute++ * USEC_PER_MIN, dec_from_int(open),
                              dec_from_int(high), dec_from_int(low), dec_from_int(close),
                              dec_from_int(1)}};
    struct err err = {0};
    return paper_bars(&s->paper, &bar, 1, &err);
}

struct order shop_entry(const struct shop *s, const char *id, enum side side)
{
    bool is_long = side == SIDE_LONG;
    struct order o = {.symbol = shop_btc,
                      .kind = ORDER_ENTRY,
                      .side = side,
                      .state = ORDER_PREPARED,
                      .qty = dec_from_int(2),
                      .reference_price = dec_from_int(1000),
                      .stop = dec_from_int(is_long ? 980 : 1020),
                      .target = dec_from_int(is_long ? 1040 : 960),
                      .created_us = SHOP_START + s->minute * USEC_PER_MIN};
    (void)str_copy(str_c(id), o.client_id, sizeof(o.client_id));
    return o;
}

struct order shop_closing(const struct shop *s, const char *id, enum side side)
{
    struct order o = shop_entry(s, id, side);
    o.kind = ORDER_CLOSE;
    o.stop = DEC_ZERO;
    o.target = DEC_ZERO;
    return o;
}

struct venue_report shop_next(struct shop *s)
{
    struct venue_report r;
    assert_true(venue_poll(&s->paper.venue, &r));
    return r;
}

void shop_none(struct shop *s)
{
    struct venue_report r;
    assert_false(venue_poll(&s->paper.venue, &r));
}

struct venue_report shop_ask(struct shop *s, const char *id)
{
    venue_query(&s->paper.venue, id, 0);
    return shop_next(s);
}

struct venue_report shop_open_long(struct shop *s)
{
    (void)shop_minute(s, 1000, 1001, 999, 1000);
    struct order o = shop_entry(s, "nd-1-1", SIDE_LONG);
    venue_send(&s->paper.venue, &o);
    assert_int_equal(shop_next(s).state, ORDER_ACKED);
    (void)shop_minute(s, 1000, 1005, 995, 1000);
    return shop_next(s);
}

/* Levels of 1,000 each, 1 % apart, touched at 1000 +- 0.1 %; prices of four digits. */
void shop_thin_book(struct shop *s)
{
    shop_open(s);
    s->settings.depth = dec_from_int(1000);
    s->settings.level_bps = 100;
    s->settings.tick_digits = 4;
    s->settings.fee_bps = 0;
    s->settings.initial_cash = dec_from_int(100000);
    shop_reopen(s);
    (void)shop_minute(s, 1000, 1001, 999, 1000);
}

struct venue_report shop_send(struct shop *s, const struct order *order)
{
    venue_send(&s->paper.venue, order);
    return shop_next(s);
}

int shop_fail_writes(const char *what, void *userdata)
{
    (void)what;
    return *(bool *)userdata ? -ERR_DB_FULL : 0;
}
