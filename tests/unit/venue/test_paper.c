#include "base/check.h"
#include "base/rng.h"
#include "store/trading.h"
#include "unit/unit.h"
#include "venue/paper.h"

#include <stdio.h>
#include <string.h>

#define START INT64_C(1790002800000000)

struct shop {
    struct trading_store *store;
    struct settings settings;
    struct paper paper;
    int64_t minute;
};

static const struct symbol btc = {"BTC-USD"};

static void reopen(struct shop *s)
{
    struct err err = {0};
    paper_init(&s->paper, &s->settings, USEC_PER_MIN);
    assert_int_equal(paper_open(&s->paper, s->store, &err), 0);
}

static void shop_open(struct shop *s)
{
    memset(s, 0, sizeof(*s));
    struct err err = {0};
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &s->store, &err), 0);
    s->settings.initial_cash = dec_from_int(10000);
    s->settings.spread_bps = 20; /* half: 0.1 % */
    s->settings.fee_bps = 100;   /* 1 % */
    reopen(s);
}

static void shop_close(struct shop *s)
{
    trading_store_free(s->store);
}

static int minute(struct shop *s, int64_t open, int64_t high, int64_t low, int64_t close)
{
    struct source_bar bar = {btc,
                             {START + s->minute++ * USEC_PER_MIN, dec_from_int(open),
                              dec_from_int(high), dec_from_int(low), dec_from_int(close),
                              dec_from_int(1)}};
    struct err err = {0};
    return paper_bars(&s->paper, &bar, 1, &err);
}

static struct order entry(const struct shop *s, const char *id, enum side side)
{
    bool is_long = side == SIDE_LONG;
    struct order o = {.symbol = btc,
                      .kind = ORDER_ENTRY,
                      .side = side,
                      .state = ORDER_PREPARED,
                      .qty = dec_from_int(2),
                      .reference_price = dec_from_int(1000),
                      .stop = dec_from_int(is_long ? 980 : 1020),
                      .target = dec_from_int(is_long ? 1040 : 960),
                      .created_us = START + s->minute * USEC_PER_MIN};
    (void)str_copy(str_c(id), o.client_id, sizeof(o.client_id));
    return o;
}

static struct order closing(const struct shop *s, const char *id, enum side side)
{
    struct order o = entry(s, id, side);
    o.kind = ORDER_CLOSE;
    o.stop = DEC_ZERO;
    o.target = DEC_ZERO;
    return o;
}

static struct venue_report next(struct shop *s)
{
    struct venue_report r;
    assert_true(venue_poll(&s->paper.venue, &r));
    return r;
}

static void none(struct shop *s)
{
    struct venue_report r;
    assert_false(venue_poll(&s->paper.venue, &r));
}

static struct venue_report ask(struct shop *s, const char *id)
{
    venue_query(&s->paper.venue, id, 0);
    return next(s);
}

static struct venue_report open_long(struct shop *s)
{
    (void)minute(s, 1000, 1001, 999, 1000);
    struct order o = entry(s, "nd-1-1", SIDE_LONG);
    venue_send(&s->paper.venue, &o);
    assert_int_equal(next(s).state, ORDER_ACKED);
    (void)minute(s, 1000, 1005, 995, 1000);
    return next(s);
}

static void an_entry_fills_at_the_next_open(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)minute(&s, 1000, 1001, 980, 990);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    venue_send(&s.paper.venue, &o);
    assert_int_equal(next(&s).state, ORDER_ACKED);
    none(&s); /* not at the last price */
    (void)minute(&s, 1000, 1005, 995, 1003);
    struct venue_report r = next(&s);
    assert_int_equal(r.kind, VENUE_ORDER);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_string_equal(r.client_id, "nd-1-1");
    assert_int_equal(r.fill_count, 1);
    assert_int_equal(r.fills[0].kind, ORDER_ENTRY);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1001).e8); /* half a spread worse */
    assert_int_equal(r.fills[0].fee.e8, dec_from_double(20.02).e8);
    assert_int_equal(r.filled_qty.e8, dec_from_int(2).e8);
    assert_int_equal(s.paper.book.cash.e8, dec_from_double(10000 - 2002 - 20.02).e8);
    none(&s);
    shop_close(&s);
}

static struct venue_report bracket(struct shop *s, int64_t open, int64_t high, int64_t low)
{
    shop_open(s);
    (void)open_long(s);
    (void)minute(s, open, high, low, (high + low) / 2);
    struct venue_report r = next(s);
    assert_int_equal(r.fill_count, 2);
    assert_string_equal(r.fills[1].client_id, "nd-1-1");
    assert_int_equal(s->paper.book.position_count, 0);
    shop_close(s);
    return r;
}

static void brackets_by_the_stated_rule(void **state)
{
    (void)state;
    struct shop s;
    struct venue_report r = bracket(&s, 1000, 1010, 979);
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    assert_int_equal(r.fills[1].price.e8, dec_from_double(980 * 0.999).e8);
    r = bracket(&s, 1000, 1041, 990);
    assert_int_equal(r.fills[1].kind, ORDER_TARGET);
    assert_int_equal(r.fills[1].price.e8, dec_from_int(1040).e8);
    r = bracket(&s, 1000, 1050, 970); /* both: the stop came first */
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    r = bracket(&s, 900, 910, 890); /* a gap through the stop fills at the open */
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    assert_int_equal(r.fills[1].price.e8, dec_from_double(900 * 0.999).e8);
    assert_true(r.fills[1].venue_fill_id > r.fills[0].venue_fill_id);
}

static void a_short_is_the_mirror(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)minute(&s, 1000, 1001, 999, 1000);
    struct order o = entry(&s, "nd-1-1", SIDE_SHORT);
    venue_send(&s.paper.venue, &o);
    (void)next(&s);
    (void)minute(&s, 1000, 1021, 999, 1000); /* its own minute can stop it */
    struct venue_report r = next(&s);
    assert_int_equal(r.fill_count, 2);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(999).e8);
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    assert_int_equal(r.fills[1].price.e8, dec_from_double(1020 * 1.001).e8);
    shop_close(&s);
}

static void a_close_fills_at_once_and_only_reduces(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    struct order c = closing(&s, "nd-1-2", SIDE_LONG);
    c.qty = dec_from_int(5); /* more than there is */
    venue_send(&s.paper.venue, &c);
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].kind, ORDER_CLOSE);
    assert_int_equal(r.fills[0].qty.e8, dec_from_int(2).e8);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(999).e8);
    c = closing(&s, "nd-1-3", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    r = next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "nothing to reduce");
    shop_close(&s);
}

static void a_client_id_counts_once(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    struct dec cash = s.paper.book.cash;
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(1);
    venue_send(&s.paper.venue, &o); /* after it was filled */
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.filled_qty.e8, dec_from_int(2).e8);
    struct order c = closing(&s, "nd-1-2", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    (void)next(&s);
    reopen(&s); /* and after a crash of the venue */
    paper_quote(&s.paper, btc, dec_from_int(1000));
    venue_send(&s.paper.venue, &o);
    venue_send(&s.paper.venue, &c);
    assert_int_equal(next(&s).state, ORDER_FILLED);
    assert_int_equal(next(&s).state, ORDER_FILLED);
    (void)minute(&s, 1000, 1001, 999, 1000);
    none(&s);
    assert_int_equal(s.paper.book.position_count, 0);
    assert_true(s.paper.book.cash.e8 > cash.e8);
    shop_close(&s);
}

static void refuses_what_it_cannot_do(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    venue_send(&s.paper.venue, &o);
    assert_string_equal(next(&s).reason, "no price for this symbol");
    (void)minute(&s, 1000, 1001, 999, 1000);
    o = entry(&s, "nd-1-2", SIDE_LONG);
    o.stop = DEC_ZERO;
    venue_send(&s.paper.venue, &o);
    assert_string_equal(next(&s).reason, "entry without stop or target");
    o = entry(&s, "nd-1-3", SIDE_LONG);
    o.qty = dec_from_int(-1);
    venue_send(&s.paper.venue, &o);
    assert_string_equal(next(&s).reason, "size is not above zero");
    o = entry(&s, "nd-1-4", SIDE_LONG);
    o.qty = dec_from_int(11); /* 11,000 of 10,000 */
    venue_send(&s.paper.venue, &o);
    assert_int_equal(next(&s).state, ORDER_ACKED);
    (void)minute(&s, 1000, 1001, 999, 1000);
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "insufficient funds");
    assert_int_equal(r.fill_count, 0);
    assert_int_equal(s.paper.book.cash.e8, dec_from_int(10000).e8);
    o = entry(&s, "nd-1-5", SIDE_LONG);
    o.qty = (struct dec){INT64_MAX};
    venue_send(&s.paper.venue, &o);
    assert_string_equal(next(&s).reason, "size is too large");
    assert_int_equal(ask(&s, "nd-9-9").kind, VENUE_NOT_KNOWN);
    shop_close(&s);
}

static void cancels_what_rests(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)minute(&s, 1000, 1001, 999, 1000);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    venue_send(&s.paper.venue, &o);
    (void)next(&s);
    venue_cancel(&s.paper.venue, "nd-1-1");
    assert_int_equal(next(&s).state, ORDER_CANCELLED);
    (void)minute(&s, 1000, 1001, 999, 1000);
    none(&s);
    venue_cancel(&s.paper.venue, "nd-1-1"); /* again: its state */
    assert_int_equal(next(&s).state, ORDER_CANCELLED);
    venue_cancel(&s.paper.venue, "nd-7-7");
    assert_int_equal(next(&s).kind, VENUE_NOT_KNOWN);
    shop_close(&s);
}

static void knows_itself_after_a_crash(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    struct order o = entry(&s, "nd-1-2", SIDE_LONG);
    struct paper_book before = s.paper.book;
    reopen(&s);
    assert_int_equal(s.paper.book.cash.e8, before.cash.e8);
    assert_int_equal(s.paper.book.next_fill_id, before.next_fill_id);
    assert_int_equal(s.paper.book.position_count, 1);
    assert_int_equal(s.paper.book.positions[0].stop.e8, dec_from_int(980).e8);
    venue_list(&s.paper.venue, 44, 0);
    struct venue_report r = next(&s);
    assert_int_equal(r.kind, VENUE_LISTING);
    assert_int_equal(r.ask_id, 44);
    assert_true(r.complete);
    assert_int_equal(r.holding_count, 1);
    assert_int_equal(r.holdings[0].qty.e8, dec_from_int(2).e8);

    /* The minute of the fill comes again: it was traded already. */
    s.minute--;
    (void)minute(&s, 1000, 1050, 970, 1000);
    none(&s);
    venue_send(&s.paper.venue, &o);
    assert_string_equal(next(&s).reason, "symbol has a position");
    shop_close(&s);
}

static int fail_writes(const char *what, void *userdata)
{
    (void)what;
    return *(bool *)userdata ? -ERR_DB_FULL : 0;
}

/* What cannot be written did not happen, and is not told. */
static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    bool full = false;
    trading_store_set_fault(s.store, fail_writes, &full);
    (void)open_long(&s);
    struct paper_book before = s.paper.book;
    full = true;
    assert_true(minute(&s, 1000, 1010, 979, 1000) < 0);
    none(&s);
    assert_int_equal(s.paper.book.cash.e8, before.cash.e8);
    assert_int_equal(s.paper.book.position_count, 1);
    struct order c = closing(&s, "nd-1-2", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    struct venue_report r = next(&s);
    assert_int_equal(r.kind, VENUE_NO_ANSWER);
    assert_int_equal(r.asked, VENUE_CALL_SEND);
    full = false;
    assert_int_equal(ask(&s, "nd-1-2").kind, VENUE_NOT_KNOWN);
    s.minute--;
    assert_int_equal(minute(&s, 1000, 1010, 979, 1000), 0); /* the same minute again */
    assert_int_equal(next(&s).fills[1].kind, ORDER_STOP);
    shop_close(&s);
}

/* ---------------------------------------------------------------- the order book */

/* Levels of 1,000 each, 1 % apart, touched at 1000 +- 0.1 %; prices of four digits. */
static void thin_book(struct shop *s)
{
    shop_open(s);
    s->settings.depth = dec_from_int(1000);
    s->settings.level_bps = 100;
    s->settings.tick_digits = 4;
    s->settings.fee_bps = 0;
    s->settings.initial_cash = dec_from_int(100000);
    reopen(s);
    (void)minute(s, 1000, 1001, 999, 1000);
}

static struct venue_report send(struct shop *s, const struct order *order)
{
    venue_send(&s->paper.venue, order);
    return next(s);
}

static void a_taker_walks_the_book(void **state)
{
    (void)state;
    struct shop s;
    thin_book(&s);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.stop = dec_from_int(500);
    o.target = dec_from_int(2000);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    /* Two levels and a bit of the third: 1001 + 1011 + 1021 weighted, rounded up to a tick of 1. */
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1007).e8);
    assert_int_equal(r.fills[0].qty.e8, dec_from_int(2).e8);
    o = closing(&s, "nd-1-2", SIDE_LONG);
    r = send(&s, &o);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(994).e8); /* 994.004, down */
    shop_close(&s);
}

static void what_the_book_does_not_hold_rests(void **state)
{
    (void)state;
    struct shop s;
    thin_book(&s);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(25); /* ten levels hold about 9.6 */
    o.stop = dec_from_int(500);
    o.target = dec_from_int(2000);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_PARTIAL);
    struct dec first = r.filled_qty;
    assert_true(first.e8 > dec_from_int(9).e8 && first.e8 < dec_from_int(10).e8);
    assert_int_equal(s.paper.book.positions[0].qty.e8, first.e8);
    reopen(&s); /* what rests is on disk */
    assert_int_equal(s.paper.book.open_count, 1);
    (void)minute(&s, 1000, 1001, 999, 1000);
    assert_int_equal(next(&s).state, ORDER_PARTIAL);
    (void)minute(&s, 1000, 1001, 999, 1000);
    r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fill_count, 3);
    struct dec sum = dec_add(r.fills[0].qty, dec_add(r.fills[1].qty, r.fills[2].qty));
    assert_int_equal(sum.e8, dec_from_int(25).e8);
    assert_int_equal(s.paper.book.positions[0].qty.e8, dec_from_int(25).e8);
    assert_int_equal(s.paper.book.open_count, 0);

    /* A close that is larger than the book goes on at the next open, too. */
    o = closing(&s, "nd-1-2", SIDE_LONG);
    o.qty = dec_from_int(15);
    assert_int_equal(send(&s, &o).state, ORDER_PARTIAL);
    (void)minute(&s, 1000, 1001, 999, 1000);
    r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.filled_qty.e8, dec_from_int(15).e8);
    assert_int_equal(s.paper.book.positions[0].qty.e8, dec_from_int(10).e8);
    shop_close(&s);
}

/* More fills than a report carries: the newest come of themselves, the others page by page. */
static void many_fills_come_in_pages(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        struct shop s;
        thin_book(&s);
        if (memory == 1) {
            paper_init(&s.paper, &s.settings, USEC_PER_MIN);
            paper_open_memory(&s.paper);
            (void)minute(&s, 1000, 1001, 999, 1000);
        }
        s.paper.terms.depth = dec_from_int(50);
        struct order o = entry(&s, "nd-1-1", SIDE_LONG);
        o.qty = dec_from_int(9);
        o.stop = dec_from_int(500);
        o.target = dec_from_int(2000);
        (void)send(&s, &o);
        struct venue_report r = {0};
        int minutes = 0;
        while (r.state != ORDER_FILLED) {
            (void)minute(&s, 1000, 1001, 999, 1000);
            r = next(&s);
            minutes++;
        }
        assert_int_equal(minutes, 19);
        assert_int_equal(r.fill_count, VENUE_FILLS_MAX);
        assert_int_equal(r.fills_after, minutes - VENUE_FILLS_MAX);
        assert_int_equal(r.fills[VENUE_FILLS_MAX - 1].venue_fill_id, minutes);
        assert_false(r.more);

        struct dec sum = DEC_ZERO;
        int64_t after = 0;
        int pages = 0;
        do {
            venue_query(&s.paper.venue, "nd-1-1", after);
            r = next(&s);
            assert_int_equal(r.fills_after, after);
            for (int i = 0; i < r.fill_count; i++) {
                assert_int_equal(r.fills[i].venue_fill_id, ++after);
                sum = dec_add(sum, r.fills[i].qty);
            }
            pages++;
        } while (r.more);
        assert_int_equal(pages, 3);
        assert_int_equal(sum.e8, o.qty.e8);
        paper_release(&s.paper);
        shop_close(&s);
    }
}

static void what_rests_too_long_expires(void **state)
{
    (void)state;
    struct shop s;
    thin_book(&s);
    s.paper.terms.depth = dec_from_int(5);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(9);
    o.stop = dec_from_int(500);
    o.target = dec_from_int(2000);
    (void)send(&s, &o);
    struct venue_report r = {0};
    for (int i = 0; i <= PAPER_REST_BARS + 1; i++) {
        (void)minute(&s, 1000, 1001, 999, 1000);
        r = next(&s);
    }
    assert_int_equal(r.state, ORDER_CANCELLED);
    assert_string_equal(r.reason, "expired");
    assert_true(r.filled_qty.e8 > 0);
    assert_int_equal(s.paper.book.positions[0].qty.e8, r.filled_qty.e8); /* with its bracket */
    assert_int_equal(r.stop.e8, o.stop.e8);
    (void)minute(&s, 1000, 1001, 999, 1000);
    none(&s);
    shop_close(&s);
}

static void a_stop_that_the_book_cannot_hold_goes_on(void **state)
{
    (void)state;
    struct shop s;
    thin_book(&s);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(15);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    (void)next(&s);
    (void)minute(&s, 1000, 1001, 970, 990); /* the rest fills, then the stop at 980 is hit */
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[r.fill_count - 1].kind, ORDER_STOP);
    struct dec left = s.paper.book.positions[0].qty;
    assert_true(left.e8 > 0 && left.e8 < o.qty.e8);
    /* Hit is hit, also over a crash and when the price comes back. */
    reopen(&s);
    assert_true(s.paper.book.stopped_us[0] > 0);
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(900), dec_from_int(2000));
    assert_int_equal(next(&s).kind, VENUE_REFUSED);
    (void)minute(&s, 1000, 1001, 999, 1000);
    r = next(&s);
    assert_int_equal(r.fills[r.fill_count - 1].kind, ORDER_STOP);
    assert_int_equal(r.fills[r.fill_count - 1].qty.e8, left.e8);
    assert_int_equal(s.paper.book.position_count, 0);
    /* The next position in the symbol has a stop of its own. */
    o = entry(&s, "nd-1-2", SIDE_LONG);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    (void)next(&s);
    reopen(&s);
    assert_int_equal(s.paper.book.stopped_us[0], 0);
    shop_close(&s);
}

/* However little the book holds, a stop comes to an end. */
static void a_stop_ends_in_an_empty_book(void **state)
{
    (void)state;
    struct shop s;
    thin_book(&s);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(5);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    (void)next(&s);
    s.paper.terms.depth = (struct dec){1};
    int minutes = 0;
    while (s.paper.book.position_count > 0) {
        (void)minute(&s, 990, 1001, 970, 990);
        struct venue_report r;
        (void)venue_poll(&s.paper.venue, &r);
        minutes++;
        assert_true(minutes < 40);
    }
    assert_true(minutes > PAPER_REST_BARS);
    shop_close(&s);
}

static void a_position_takes_the_rest_of_its_entry_along(void **state)
{
    (void)state;
    struct shop s;
    thin_book(&s);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(25);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1041, 999, 1000); /* the target is hit before the rest could fill */
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_CANCELLED);
    assert_string_equal(r.reason, "position closed");
    assert_int_equal(r.fills[1].kind, ORDER_TARGET);
    assert_int_equal(r.fills[1].qty.e8, r.filled_qty.e8);
    assert_int_equal(s.paper.book.position_count + s.paper.book.open_count, 0);
    shop_close(&s);
}

/* ---------------------------------------------------------------- time, fees, refusals */

static void latency_counts_in_whole_bars(void **state)
{
    (void)state;
    static const struct {
        int64_t latency_us;
        int bars;
    } cases[] = {{0, 1},
                 {200 * USEC_PER_MSEC, 1},
                 {USEC_PER_MIN - 1, 1},
                 {USEC_PER_MIN, 2},
                 {5 * USEC_PER_MIN / 2, 3}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct shop s;
        shop_open(&s);
        s.paper.terms.latency_us = cases[i].latency_us;
        (void)minute(&s, 1000, 1001, 999, 1000);
        struct order o = entry(&s, "nd-1-1", SIDE_LONG);
        (void)send(&s, &o);
        for (int bar = 1; bar < cases[i].bars; bar++) {
            (void)minute(&s, 1000, 1001, 999, 1000);
            none(&s);
        }
        (void)minute(&s, 1010, 1011, 1009, 1010);
        assert_int_equal(next(&s).state, ORDER_FILLED);
        shop_close(&s);
    }
}

/* A close that came of a decision waits for the next open as an entry does. */
static void a_decided_close_waits_for_the_open(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    struct order c = closing(&s, "nd-1-2", SIDE_LONG);
    c.decision_id = 7;
    assert_int_equal(send(&s, &c).state, ORDER_ACKED);
    (void)minute(&s, 1010, 1011, 1009, 1010);
    struct venue_report r = next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].price.e8, dec_from_double(1010 * 0.999).e8);

    (void)minute(&s, 1000, 1001, 999, 1000);
    struct order o = entry(&s, "nd-1-3", SIDE_LONG);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    (void)next(&s);
    s.paper.terms.latency_us = USEC_PER_MIN;
    c = closing(&s, "nd-1-4", SIDE_LONG);
    c.decision_id = 8;
    (void)send(&s, &c);
    (void)minute(&s, 1000, 1001, 970, 1000); /* the stop is faster */
    assert_string_equal(next(&s).client_id, "nd-1-3");
    (void)minute(&s, 1000, 1001, 999, 1000);
    r = next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "nothing to reduce");
    shop_close(&s);
}

static void makers_and_takers_pay_their_own_fee(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    s.settings.maker_fee_bps = -10; /* a rebate */
    paper_set_costs(&s.paper, &s.settings);
    (void)open_long(&s);
    (void)minute(&s, 1000, 1041, 999, 1040);
    struct venue_report r = next(&s);
    assert_int_equal(r.fills[0].fee.e8, dec_from_double(20.02).e8);
    assert_int_equal(r.fills[1].fee.e8, dec_from_double(-2.08).e8);
    assert_int_equal(s.paper.book.cash.e8, dec_from_double(10000 - 2002 - 20.02 + 2080 + 2.08).e8);
    shop_close(&s);
}

static void refuses_small_and_unlucky_orders(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)minute(&s, 1000, 1001, 999, 1000);
    s.paper.terms.min_notional = dec_from_int(2001);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    assert_string_equal(send(&s, &o).reason, "below the smallest order");
    s.paper.terms.min_notional = dec_from_int(2000);
    s.paper.terms.reject = 0.3;
    int rejected = 0;
    for (int i = 2; i < 1002; i++) {
        o = entry(&s, "", SIDE_LONG);
        (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", i);
        struct venue_report r = send(&s, &o);
        struct venue_report again = send(&s, &o); /* the same order has the same luck */
        assert_int_equal(r.state, again.state);
        rejected += r.state == ORDER_REJECTED;
        venue_cancel(&s.paper.venue, o.client_id);
        (void)next(&s);
    }
    assert_in_range(rejected, 250, 350);
    /* Reducing is never a matter of luck or size. */
    s.paper.terms.reject = 0;
    o = entry(&s, "nd-2-1", SIDE_LONG);
    (void)send(&s, &o);
    (void)minute(&s, 1000, 1001, 999, 1000);
    (void)next(&s);
    s.paper.terms.reject = 1;
    o = closing(&s, "nd-2-2", SIDE_LONG);
    o.qty = (struct dec){1};
    assert_int_equal(send(&s, &o).state, ORDER_FILLED);
    shop_close(&s);
}

static void refuses_sizes_that_cannot_be(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, -DEC_ONE, INT64_MIN, INT64_MAX, INT64_MAX / 2};
    struct shop s;
    shop_open(&s);
    s.settings.depth = dec_from_int(1000);
    s.settings.level_bps = 100;
    paper_set_costs(&s.paper, &s.settings);
    (void)open_long(&s);
    struct paper_book before = s.paper.book;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (int kind = ORDER_ENTRY; kind <= ORDER_TARGET; kind++) {
            struct order o = entry(&s, "", SIDE_SHORT); /* against what is held */
            (void)snprintf(o.client_id, sizeof(o.client_id), "nd-2-%zu-%d", i, kind);
            o.kind = (enum order_kind)kind;
            o.qty.e8 = sizes[i];
            assert_int_equal(send(&s, &o).state, ORDER_REJECTED);
        }
        struct order o = entry(&s, "", SIDE_LONG);
        (void)snprintf(o.client_id, sizeof(o.client_id), "nd-3-%zu", i);
        (void)symbol_parse(STR_LIT("NEVER-SEEN"), &o.symbol);
        assert_int_equal(send(&s, &o).state, ORDER_REJECTED);
    }
    assert_int_equal(s.paper.book.cash.e8, before.cash.e8);
    assert_int_equal(s.paper.book.open_count, 0);
    assert_int_equal(s.paper.book.positions[0].qty.e8, before.positions[0].qty.e8);
    shop_close(&s);
}

static void an_impossible_bar_fills_nothing(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    struct order o = closing(&s, "nd-1-2", SIDE_LONG);
    o.decision_id = 3;
    (void)send(&s, &o);
    (void)minute(&s, 1000, 900, 1100, 1000); /* high < low */
    (void)minute(&s, 0, 0, 0, 0);
    (void)minute(&s, 1000, 1001, -5, 1000);
    none(&s);
    struct quote q;
    assert_true(venue_quote(&s.paper.venue, btc, &q));
    assert_int_equal(q.bid.e8, dec_from_int(999).e8); /* nor moves the price */
    s.minute -= 30;
    (void)minute(&s, 900, 901, 899, 900); /* long ago */
    none(&s);
    assert_int_equal(s.paper.book.position_count, 1);
    shop_close(&s);
}

static void exposure_keeps_to_the_leverage(void **state)
{
    (void)state;
    for (int leverage = 1; leverage <= 3; leverage++) {
        struct shop s;
        shop_open(&s);
        s.settings.max_leverage = leverage;
        s.settings.fee_bps = 0;
        paper_set_costs(&s.paper, &s.settings);
        (void)minute(&s, 1000, 1001, 999, 1000);
        struct order o = entry(&s, "nd-1-1", SIDE_LONG);
        o.qty = dec_from_int(25); /* 25,000 on 10,000 */
        (void)send(&s, &o);
        (void)minute(&s, 1000, 1001, 999, 1000);
        assert_int_equal(next(&s).state, leverage == 3 ? ORDER_FILLED : ORDER_REJECTED);
        shop_close(&s);
    }
}

/* ---------------------------------------------------------------- funding */

static void longs_pay_shorts_every_eight_hours(void **state)
{
    (void)state;
    for (int side = SIDE_LONG; side <= SIDE_SHORT; side++) {
        struct shop s;
        shop_open(&s);
        s.settings.funding_bps = 10;
        s.settings.fee_bps = 0;
        reopen(&s);
        (void)minute(&s, 1000, 1001, 999, 1000);
        struct order o = entry(&s, "nd-1-1", (enum side)side);
        (void)send(&s, &o);
        int64_t boundary = (START / PAPER_FUNDING_US + 1) * PAPER_FUNDING_US;
        (void)minute(&s, 1000, 1001, 999, 1000);
        (void)next(&s);
        while (START + s.minute * USEC_PER_MIN < boundary) {
            (void)minute(&s, 1000, 1001, 999, 1000);
            none(&s);
        }
        struct dec cash = s.paper.book.cash;
        (void)minute(&s, 1010, 1011, 1009, 1010);
        struct venue_report r = next(&s);
        assert_int_equal(r.kind, VENUE_FUNDING);
        assert_int_equal(r.funding_id, 1);
        assert_int_equal(r.prev_funding_id, 0);
        assert_int_equal(r.at_us, boundary);
        assert_string_equal(r.symbol.name, "BTC-USD");
        /* Two coins at the open. */
        struct dec due = dec_from_double(side == SIDE_LONG ? 2.02 : -2.02);
        assert_int_equal(r.payment.e8, due.e8);
        assert_int_equal(s.paper.book.cash.e8, dec_sub(cash, due).e8);

        /* Not again, neither in the next bar nor after a crash; and a day without bars counts
         * once. */
        (void)minute(&s, 1010, 1011, 1009, 1010);
        reopen(&s);
        (void)minute(&s, 1010, 1011, 1009, 1010);
        none(&s);
        s.minute += 24 * 60;
        (void)minute(&s, 1010, 1011, 1009, 1010);
        r = next(&s);
        assert_int_equal(r.funding_id, 2);
        assert_int_equal(r.prev_funding_id, 1);
        none(&s);

        /* Whoever missed them names the last one he knows. */
        venue_list(&s.paper.venue, 5, 0);
        r = next(&s);
        assert_int_equal(r.kind, VENUE_LISTING);
        assert_int_equal(r.funding_id, 2);
        assert_int_equal(next(&s).funding_id, 1);
        assert_int_equal(next(&s).funding_id, 2);
        venue_list(&s.paper.venue, 6, 1);
        (void)next(&s);
        r = next(&s);
        assert_int_equal(r.funding_id, 2);
        assert_int_equal(r.payment.e8, due.e8);
        none(&s);
        shop_close(&s);
    }
}

/* ---------------------------------------------------------------- the bracket is amended */

static void a_bracket_can_be_moved(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)minute(&s, 1000, 1001, 999, 1000);
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    assert_int_equal(send(&s, &o).stop.e8, dec_from_int(980).e8);
    /* While it rests ... */
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(970), dec_from_int(1050));
    struct venue_report r = next(&s);
    assert_int_equal(r.kind, VENUE_ORDER);
    assert_int_equal(r.state, ORDER_ACKED);
    assert_int_equal(r.stop.e8, dec_from_int(970).e8);
    (void)minute(&s, 1000, 1005, 975, 1000);
    assert_int_equal(next(&s).fill_count, 1); /* 980 no longer stops it */
    /* ... and while it is held. */
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(960), dec_from_int(1020));
    r = next(&s);
    assert_int_equal(r.stop.e8, dec_from_int(960).e8);
    assert_int_equal(r.target.e8, dec_from_int(1020).e8);
    reopen(&s);
    paper_quote(&s.paper, btc, dec_from_int(1000));
    assert_int_equal(s.paper.book.positions[0].stop.e8, dec_from_int(960).e8);
    /* What the market has passed is refused, with what was asked for. */
    static const int64_t wrong[][2] = {{1000, 1020}, {1010, 1020}, {960, 1000}, {960, 990},
                                       {0, 1020},    {960, 0},     {-1, 1020}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct dec stop = dec_from_int(wrong[i][0]);
        struct dec target = dec_from_int(wrong[i][1]);
        venue_amend(&s.paper.venue, "nd-1-1", stop, target);
        r = next(&s);
        assert_int_equal(r.kind, VENUE_REFUSED);
        assert_int_equal(r.stop.e8, stop.e8);
        assert_int_equal(r.target.e8, target.e8);
        assert_string_not_equal(r.reason, "");
    }
    venue_amend(&s.paper.venue, "nd-1-1", DEC_INVALID, dec_from_int(1020));
    assert_int_equal(next(&s).kind, VENUE_REFUSED);
    (void)minute(&s, 1000, 1021, 965, 1000);
    r = next(&s);
    assert_int_equal(r.fills[1].kind, ORDER_TARGET);
    assert_int_equal(r.fills[1].price.e8, dec_from_int(1020).e8);
    assert_int_equal(r.stop.e8, 0);
    /* Too late, and never there. */
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(960), dec_from_int(1020));
    r = next(&s);
    assert_int_equal(r.kind, VENUE_ORDER);
    assert_int_equal(r.stop.e8, 0);
    venue_amend(&s.paper.venue, "nd-9-9", dec_from_int(960), dec_from_int(1020));
    assert_int_equal(next(&s).kind, VENUE_NOT_KNOWN);
    shop_close(&s);
}

static void an_amendment_is_on_disk_before_it_is_told(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    bool full = true;
    trading_store_set_fault(s.store, fail_writes, &full);
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(970), dec_from_int(1050));
    struct venue_report r = next(&s);
    assert_int_equal(r.kind, VENUE_NO_ANSWER);
    assert_int_equal(r.asked, VENUE_CALL_AMEND);
    assert_int_equal(s.paper.book.positions[0].stop.e8, dec_from_int(980).e8);
    shop_close(&s);
}

/* ---------------------------------------------------------------- what it shows */

static void shows_the_top_of_its_book(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    struct quote q;
    assert_false(venue_quote(&s.paper.venue, btc, &q));
    (void)minute(&s, 1000, 1001, 999, 1000);
    assert_true(venue_quote(&s.paper.venue, btc, &q));
    assert_int_equal(q.bid.e8, dec_from_int(999).e8);
    assert_int_equal(q.ask.e8, dec_from_int(1001).e8);
    assert_true(q.bid_qty.e8 > dec_from_int(1000000).e8);
    assert_int_equal(q.at_us, START + USEC_PER_MIN);
    s.settings.depth = dec_from_int(2002);
    s.settings.tick_digits = 3;
    paper_set_costs(&s.paper, &s.settings);
    assert_true(venue_quote(&s.paper.venue, btc, &q));
    assert_int_equal(q.ask.e8, dec_from_int(1010).e8); /* against the taker */
    assert_int_equal(q.bid.e8, dec_from_int(999).e8);
    assert_int_equal(q.bid_qty.e8, dec_div(dec_from_int(2002), dec_from_int(999)).e8);
    shop_close(&s);
}

/* ---------------------------------------------------------------- without a disk */

static bool same_report(const struct venue_report *a, const struct venue_report *b)
{
    bool same = a->kind == b->kind && a->state == b->state && a->funding_id == b->funding_id &&
                strcmp(a->client_id, b->client_id) == 0 && strcmp(a->reason, b->reason) == 0 &&
                a->filled_qty.e8 == b->filled_qty.e8 && a->fills_after == b->fills_after &&
                a->more == b->more && a->fill_count == b->fill_count && a->stop.e8 == b->stop.e8 &&
                a->target.e8 == b->target.e8 && a->payment.e8 == b->payment.e8 &&
                a->holding_count == b->holding_count && a->open_count == b->open_count;
    for (int i = 0; same && i < a->fill_count; i++) {
        same = a->fills[i].price.e8 == b->fills[i].price.e8 &&
               a->fills[i].qty.e8 == b->fills[i].qty.e8 &&
               a->fills[i].fee.e8 == b->fills[i].fee.e8 && a->fills[i].at_us == b->fills[i].at_us &&
               a->fills[i].venue_fill_id == b->fills[i].venue_fill_id;
    }
    return same;
}

/* The same calls and bars give the same answers with a disk and without: some thousand of each, far
 * more than memory holds orders. */
static void memory_answers_as_the_disk_does(void **state)
{
    (void)state;
    struct shop disk;
    shop_open(&disk);
    disk.settings = (struct settings){.initial_cash = dec_from_int(10000),
                                      .spread_bps = 4,
                                      .fee_bps = 5,
                                      .maker_fee_bps = 2,
                                      .depth = dec_from_int(300),
                                      .level_bps = 2,
                                      .latency_us = 200 * USEC_PER_MSEC,
                                      .reject_pct = 3,
                                      .min_notional = dec_from_int(5),
                                      .tick_digits = 6,
                                      .funding_bps = 1};
    reopen(&disk);
    struct shop mem = disk;
    paper_init(&mem.paper, &mem.settings, USEC_PER_MIN);
    paper_open_memory(&mem.paper);
    struct venue *venues[] = {&disk.paper.venue, &mem.paper.venue};
    struct rng rng;
    rng_init(&rng, 11);
    int64_t price = 1000;
    int sent = 0, partial = 0, payments = 0, cut = 0;
    for (int i = 0; i < 6000; i++) {
        price += (int64_t)rng_below(&rng, 9) - 4;
        price = price < 500 ? 500 : price;
        int64_t up = (int64_t)rng_below(&rng, 8), down = (int64_t)rng_below(&rng, 8);
        assert_int_equal(minute(&disk, price, price + up, price - down, price), 0);
        assert_int_equal(minute(&mem, price, price + up, price - down, price), 0);
        char id[CLIENT_ID_SIZE], other[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-1-%d", sent);
        (void)snprintf(other, sizeof(other), "nd-1-%d", sent - (int)rng_below(&rng, 6));
        bool is_long = disk.paper.book.position_count > 0
                           ? disk.paper.book.positions[0].side == SIDE_LONG
                           : rng_chance(&rng, 0.5);
        struct order o = entry(&disk, id, is_long ? SIDE_LONG : SIDE_SHORT);
        o.qty = dec_from_double(0.1 * (double)(1 + rng_below(&rng, 60)));
        o.stop = dec_from_int(price + (is_long ? -20 : 20));
        o.target = dec_from_int(price + (is_long ? 30 : -30));
        if (rng_chance(&rng, 0.5)) {
            o.kind = ORDER_CLOSE;
            o.decision_id = (int64_t)rng_below(&rng, 2);
        }
        uint64_t what = rng_below(&rng, 10);
        for (int v = 0; v < 2; v++) {
            if (what < 3) {
                venue_send(venues[v], &o);
            } else if (what == 3) {
                venue_cancel(venues[v], other);
            } else if (what == 4) {
                venue_query(venues[v], other, sent % 3);
            } else if (what == 5) {
                venue_list(venues[v], i, disk.paper.book.next_funding_id - 3);
            } else if (what == 6) {
                venue_amend(venues[v], other, o.stop, o.target);
            }
        }
        sent += what < 3;
        struct venue_report a, b;
        bool more;
        while ((more = venue_poll(venues[0], &a))) {
            assert_true(venue_poll(venues[1], &b));
            assert_true(same_report(&a, &b));
            partial += a.state == ORDER_PARTIAL;
            payments += a.kind == VENUE_FUNDING;
            cut += a.fills_after > 0;
        }
        assert_false(venue_poll(venues[1], &b));
        assert_int_equal(disk.paper.book.cash.e8, mem.paper.book.cash.e8);
    }
    assert_true(sent > 1000 && partial > 50 && payments > 2 && cut > 0);
    paper_release(&mem.paper);
    shop_close(&disk);
}

/* ---------------------------------------------------------------- at its limits */

static int fail_nth(const char *what, void *userdata)
{
    (void)what;
    int *left = userdata;
    return (*left)-- == 0 ? -ERR_DB_FAILED : 0;
}

/* Whatever is written when the disk fails, at whichever write: nothing happened, and the same again
 * does the whole of it. */
static void any_write_may_fail(void **state)
{
    (void)state;
    for (int step = 0; step < 5; step++) {
        for (int n = 0;; n++) {
            assert_true(n < 100);
            struct shop s;
            thin_book(&s);
            s.paper.terms.funding = dec_from_double(0.001);
            struct order o = entry(&s, "nd-1-1", SIDE_LONG);
            o.qty = dec_from_int(15);
            (void)send(&s, &o);
            (void)minute(&s, 1000, 1001, 999, 1000);
            (void)next(&s);
            s.minute += 8 * 60;
            struct paper_book before = s.paper.book;
            int left = n;
            trading_store_set_fault(s.store, fail_nth, &left);
            struct order c = closing(&s, "nd-1-2", SIDE_LONG);
            bool told_lost = false;
            int rc = 0;
            if (step == 0) {
                rc = minute(&s, 1000, 1001, 970, 1000); /* rest, funding, and half a stop */
            } else if (step == 1) {
                told_lost = send(&s, &c).kind == VENUE_NO_ANSWER;
            } else if (step == 2) {
                venue_cancel(&s.paper.venue, "nd-1-1");
                told_lost = next(&s).kind == VENUE_NO_ANSWER;
            } else if (step == 3) {
                venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(900), dec_from_int(1100));
                told_lost = next(&s).kind == VENUE_NO_ANSWER;
            } else {
                o = entry(&s, "nd-1-3", SIDE_SHORT);
                told_lost = send(&s, &o).kind == VENUE_NO_ANSWER; /* a rejection, too */
            }
            bool hit = left < 0 && (rc < 0 || told_lost);
            trading_store_set_fault(s.store, NULL, NULL);
            if (hit) {
                assert_memory_equal(&s.paper.book, &before, sizeof(before));
                reopen(&s);
                assert_int_equal(s.paper.book.cash.e8, before.cash.e8);
                assert_int_equal(s.paper.book.positions[0].qty.e8, before.positions[0].qty.e8);
                assert_int_equal(s.paper.book.positions[0].stop.e8, before.positions[0].stop.e8);
                assert_int_equal(s.paper.book.open_count, before.open_count);
                assert_int_equal(s.paper.book.next_funding_id, before.next_funding_id);
            }
            shop_close(&s);
            if (!hit) {
                assert_true(n > 1);
                break;
            }
        }
    }
}

static void without_disk_or_memory_it_answers_nothing(void **state)
{
    (void)state;
    struct shop s;
    memset(&s, 0, sizeof(s));
    s.settings.initial_cash = dec_from_int(10000);
    paper_init(&s.paper, &s.settings, USEC_PER_MIN);
    assert_int_equal(minute(&s, 1000, 1001, 999, 1000), 0); /* there is nothing to write */
    struct order o = entry(&s, "nd-1-1", SIDE_LONG);
    assert_int_equal(send(&s, &o).kind, VENUE_NO_ANSWER);
    venue_list(&s.paper.venue, 1, 0);
    assert_int_equal(next(&s).asked, VENUE_CALL_LIST);
    assert_int_equal(ask(&s, "nd-1-1").kind, VENUE_NO_ANSWER);
    venue_cancel(&s.paper.venue, "nd-1-1");
    assert_int_equal(next(&s).kind, VENUE_NO_ANSWER);
    paper_release(&s.paper);
    paper_release(NULL);
}

/* What nobody fetches is lost in the end, as on a network; then it is asked for. */
static void reports_that_nobody_fetches_are_lost(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    (void)open_long(&s);
    for (int i = 0; i < PAPER_REPORTS_MAX; i++) {
        venue_query(&s.paper.venue, "nd-1-1", 0);
    }
    venue_query(&s.paper.venue, "nd-1-1", 0);
    venue_query(&s.paper.venue, "nd-9-9", 0);
    venue_list(&s.paper.venue, 1, 0);
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(2000), dec_from_int(2000));
    struct order c = closing(&s, "nd-1-2", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    for (int i = 0; i < PAPER_REPORTS_MAX; i++) {
        assert_string_equal(next(&s).client_id, "nd-1-1");
    }
    none(&s);
    assert_int_equal(ask(&s, "nd-1-2").state, ORDER_FILLED);
    shop_close(&s);
}

static void so_many_orders_can_rest(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        struct shop s;
        shop_open(&s);
        if (memory == 1) {
            paper_init(&s.paper, &s.settings, USEC_PER_MIN);
            paper_open_memory(&s.paper);
        }
        (void)minute(&s, 1000, 1001, 999, 1000);
        struct order o = entry(&s, "", SIDE_LONG);
        for (int i = 0; i < PAPER_OPEN_MAX; i++) {
            (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", i);
            assert_int_equal(send(&s, &o).state, ORDER_ACKED);
        }
        (void)str_copy(STR_LIT("nd-2-1"), o.client_id, sizeof(o.client_id));
        assert_string_equal(send(&s, &o).reason, "too many open orders");
        venue_list(&s.paper.venue, 1, 0);
        assert_int_equal(next(&s).open_count, PAPER_OPEN_MAX);
        /* The first fills, the others meet its position. */
        (void)minute(&s, 1000, 1001, 999, 1000);
        assert_int_equal(s.paper.book.open_count, 0);
        assert_int_equal(s.paper.book.position_count, 1);
        assert_int_equal(next(&s).state, ORDER_FILLED);
        assert_string_equal(next(&s).reason, "symbol has a position");
        paper_release(&s.paper);
        shop_close(&s);
    }
}

/* Nine symbols on a venue of eight: the ninth has no price. */
static void so_many_symbols_have_prices(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    s.settings.initial_cash = dec_from_int(1000000);
    reopen(&s);
    struct symbol symbol = btc;
    for (int i = 0; i <= SYMBOLS_MAX; i++) {
        symbol.name[0] = (char)('A' + i);
        paper_quote(&s.paper, symbol, dec_from_int(1000));
        struct order o = entry(&s, "", SIDE_LONG);
        (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", i);
        o.symbol = symbol;
        assert_int_equal(send(&s, &o).state, i < SYMBOLS_MAX ? ORDER_ACKED : ORDER_REJECTED);
    }
    shop_close(&s);
}

/* An account at the edge of what can be counted: nothing wraps, nothing is half done. */
static void amounts_beyond_all_range_do_not_happen(void **state)
{
    (void)state;
    struct shop s;
    shop_open(&s);
    s.settings.funding_bps = 10;
    paper_set_costs(&s.paper, &s.settings);
    (void)open_long(&s);
    int64_t boundary = (START / PAPER_FUNDING_US + 1) * PAPER_FUNDING_US;
    s.paper.book.cash.e8 = -INT64_MAX;
    s.minute = (boundary - START) / USEC_PER_MIN;
    (void)minute(&s, 1000, 1001, 999, 1000); /* the payment has no room */
    none(&s);
    s.paper.book.cash.e8 = INT64_MAX;
    struct order c = closing(&s, "nd-1-2", SIDE_LONG);
    assert_string_equal(send(&s, &c).reason, "the account cannot book it");
    (void)minute(&s, 1000, 1050, 970, 1000); /* nor has the stop, nor later the target */
    none(&s);
    s.paper.book.stopped_us[0] = 0;
    (void)minute(&s, 1000, 1050, 999, 1000);
    none(&s);
    assert_int_equal(s.paper.book.position_count, 1);
    assert_int_equal(s.paper.book.cash.e8, INT64_MAX);

    s.paper.book = (struct paper_book){.next_fill_id = 90, .next_funding_id = 1};
    s.paper.book.cash.e8 = -INT64_MAX;
    paper_quote(&s.paper, btc, (struct dec){INT64_MAX});
    struct quote q;
    assert_false(venue_quote(&s.paper.venue, btc, &q)); /* an ask beyond it */
    struct order o = entry(&s, "nd-1-3", SIDE_LONG);
    o.qty = (struct dec){1};
    o.stop = (struct dec){1};
    o.target = (struct dec){2};
    assert_int_equal(send(&s, &o).state, ORDER_ACKED);
    (void)minute(&s, 1000, 1001, 999, 1000);
    assert_int_equal(next(&s).state, ORDER_REJECTED);
    shop_close(&s);
}

UNIT_GROUP(paper, cmocka_unit_test(an_entry_fills_at_the_next_open),
           cmocka_unit_test(brackets_by_the_stated_rule), cmocka_unit_test(a_short_is_the_mirror),
           cmocka_unit_test(a_close_fills_at_once_and_only_reduces),
           cmocka_unit_test(a_client_id_counts_once), cmocka_unit_test(refuses_what_it_cannot_do),
           cmocka_unit_test(cancels_what_rests), cmocka_unit_test(knows_itself_after_a_crash),
           cmocka_unit_test(a_full_disk_changes_nothing), cmocka_unit_test(a_taker_walks_the_book),
           cmocka_unit_test(what_the_book_does_not_hold_rests),
           cmocka_unit_test(many_fills_come_in_pages),
           cmocka_unit_test(what_rests_too_long_expires),
           cmocka_unit_test(a_stop_that_the_book_cannot_hold_goes_on),
           cmocka_unit_test(a_stop_ends_in_an_empty_book),
           cmocka_unit_test(a_position_takes_the_rest_of_its_entry_along),
           cmocka_unit_test(latency_counts_in_whole_bars),
           cmocka_unit_test(a_decided_close_waits_for_the_open),
           cmocka_unit_test(makers_and_takers_pay_their_own_fee),
           cmocka_unit_test(refuses_small_and_unlucky_orders),
           cmocka_unit_test(refuses_sizes_that_cannot_be),
           cmocka_unit_test(an_impossible_bar_fills_nothing),
           cmocka_unit_test(exposure_keeps_to_the_leverage),
           cmocka_unit_test(longs_pay_shorts_every_eight_hours),
           cmocka_unit_test(a_bracket_can_be_moved),
           cmocka_unit_test(an_amendment_is_on_disk_before_it_is_told),
           cmocka_unit_test(shows_the_top_of_its_book),
           cmocka_unit_test(memory_answers_as_the_disk_does), cmocka_unit_test(any_write_may_fail),
           cmocka_unit_test(without_disk_or_memory_it_answers_nothing),
           cmocka_unit_test(reports_that_nobody_fetches_are_lost),
           cmocka_unit_test(so_many_orders_can_rest), cmocka_unit_test(so_many_symbols_have_prices),
           cmocka_unit_test(amounts_beyond_all_range_do_not_happen))
