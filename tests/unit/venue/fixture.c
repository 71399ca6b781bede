#include "fixture.h"

#include <string.h>

const struct symbol fixture_btc = {"BTC-USD"};

void fixture_reopen(struct fixture *s)
{
    struct err err = {0};
    paper_release(&s->paper);
    paper_init(&s->paper, &s->settings, USEC_PER_MIN, CAPACITY_MIN);
    assert_int_equal(paper_open(&s->paper, s->store, &err), 0);
}

void fixture_open(struct fixture *s)
{
    memset(s, 0, sizeof(*s));
    struct err err = {0};
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &s->store, &err), 0);
    s->settings.initial_cash = dec_from_int(10000);
    s->settings.spread_bps = 20; /* half: 0.1 % */
    s->settings.fee_bps = 100;   /* 1 % */
    fixture_reopen(s);
}

void fixture_close(struct fixture *s)
{
    paper_release(&s->paper);
    trading_store_free(s->store);
}

int fixture_minute(struct fixture *s, int64_t open, int64_t high, int64_t low, int64_t close)
{
    struct source_bar bar = {fixture_btc,
                             {SHOP_START + s->minute++ * USEC_PER_MIN, dec_from_int(open),
                              dec_from_int(high), dec_from_int(low), dec_from_int(close),
                              dec_from_int(1)}};
    struct err err = {0};
    return paper_bars(&s->paper, &bar, 1, &err);
}

struct order fixture_entry(const struct fixture *s, const char *id, enum side side)
{
    bool is_long = side == SIDE_LONG;
    struct order o = {.symbol = fixture_btc,
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

struct order fixture_closing(const struct fixture *s, const char *id, enum side side)
{
    struct order o = fixture_entry(s, id, side);
    o.kind = ORDER_CLOSE;
    o.stop = DEC_ZERO;
    o.target = DEC_ZERO;
    return o;
}

/* The next report about orders or positions. */
static bool next_answer(struct fixture *s, struct venue_report *ret)
{
    while (venue_poll(&s->paper.venue, ret)) {
        if (ret->kind < VENUE_CONNECTION) {
            return true;
        }
    }
    return false;
}

struct venue_report fixture_next(struct fixture *s)
{
    struct venue_report r;
    assert_true(next_answer(s, &r));
    return r;
}

void fixture_none(struct fixture *s)
{
    struct venue_report r;
    assert_false(next_answer(s, &r));
}

void fixture_query(struct venue *venue, const char *id, const char *after_fill_id)
{
    struct venue_question question = {.symbol = fixture_btc};
    (void)str_copy(str_c(id), question.client_id, sizeof(question.client_id));
    (void)str_copy(str_c(after_fill_id), question.after_fill_id, sizeof(question.after_fill_id));
    venue_query(venue, &question);
}

struct venue_report fixture_ask(struct fixture *s, const char *id)
{
    fixture_query(&s->paper.venue, id, "");
    return fixture_next(s);
}

struct venue_report fixture_open_long(struct fixture *s)
{
    (void)fixture_minute(s, 1000, 1001, 999, 1000);
    struct order o = fixture_entry(s, "nd-1-1", SIDE_LONG);
    venue_send(&s->paper.venue, &o);
    assert_int_equal(fixture_next(s).state, ORDER_ACKED);
    (void)fixture_minute(s, 1000, 1005, 995, 1000);
    return fixture_next(s);
}

/* Levels of 1,000 each, 1 % apart, the first at 1000 +- 0.1 %; prices of four digits. */
void fixture_thin_book(struct fixture *s)
{
    fixture_open(s);
    s->settings.depth = dec_from_int(1000);
    s->settings.level_bps = 100;
    s->settings.tick_digits = 4;
    s->settings.fee_bps = 0;
    s->settings.initial_cash = dec_from_int(100000);
    fixture_reopen(s);
    (void)fixture_minute(s, 1000, 1001, 999, 1000);
}

struct venue_report fixture_send(struct fixture *s, const struct order *order)
{
    venue_send(&s->paper.venue, order);
    return fixture_next(s);
}

int fixture_fail_writes(const char *what, void *userdata)
{
    (void)what;
    return *(bool *)userdata ? -ERR_DB_FULL : 0;
}
