#include "base/check.h"
#include "fixture.h"

#include <stdio.h>

static void an_entry_fills_at_the_next_open(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_minute(&s, 1000, 1001, 980, 990);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    venue_send(&s.paper.venue, &o);
    assert_int_equal(fixture_next(&s).state, ORDER_ACKED);
    fixture_none(&s); /* not at the last price */
    (void)fixture_minute(&s, 1000, 1005, 995, 1003);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.kind, VENUE_ORDER);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_string_equal(r.client_id, "nd-1-1");
    assert_int_equal(r.fill_count, 1);
    assert_int_equal(r.fills[0].kind, ORDER_ENTRY);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1001).e8); /* half a spread worse */
    assert_int_equal(r.fills[0].fee.e8, dec_from_double(20.02).e8);
    assert_int_equal(r.filled_qty.e8, dec_from_int(2).e8);
    assert_int_equal(s.paper.book.cash.e8, dec_from_double(10000 - 2002 - 20.02).e8);
    fixture_none(&s);
    fixture_close(&s);
}

static struct venue_report bracket(struct fixture *s, int64_t open, int64_t high, int64_t low)
{
    fixture_open(s);
    (void)fixture_open_long(s);
    (void)fixture_minute(s, open, high, low, (high + low) / 2);
    struct venue_report r = fixture_next(s);
    assert_int_equal(r.fill_count, 2);
    assert_string_equal(r.fills[1].client_id, "nd-1-1");
    assert_int_equal(s->paper.book.position_count, 0);
    fixture_close(s);
    return r;
}

static void brackets_fill_by_the_documented_rules(void **state)
{
    (void)state;
    struct fixture s;
    struct venue_report r = bracket(&s, 1000, 1010, 979);
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    assert_int_equal(r.fills[1].price.e8, dec_from_double(980 * 0.999).e8);
    r = bracket(&s, 1000, 1041, 990);
    assert_int_equal(r.fills[1].kind, ORDER_TARGET);
    assert_int_equal(r.fills[1].price.e8, dec_from_int(1040).e8);
    r = bracket(&s, 1000, 1050, 970); /* both touched: the stop counts */
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    r = bracket(&s, 900, 910, 890); /* a gap through the stop fills at the open */
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    assert_int_equal(r.fills[1].price.e8, dec_from_double(900 * 0.999).e8);
    assert_true(fill_id_to_number(r.fills[1].venue_fill_id) >
                fill_id_to_number(r.fills[0].venue_fill_id));
    assert_string_equal(r.fills[0].fee_currency, "USD");
}

static void a_short_mirrors_a_long(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_SHORT);
    venue_send(&s.paper.venue, &o);
    (void)fixture_next(&s);
    (void)fixture_minute(&s, 1000, 1021, 999, 1000); /* stopped in the minute of its entry */
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.fill_count, 2);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(999).e8);
    assert_int_equal(r.fills[1].kind, ORDER_STOP);
    assert_int_equal(r.fills[1].price.e8, dec_from_double(1020 * 1.001).e8);
    fixture_close(&s);
}

static void a_close_fills_at_once_and_only_reduces(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_open_long(&s);
    struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    c.qty = dec_from_int(5); /* more than the position */
    venue_send(&s.paper.venue, &c);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].kind, ORDER_CLOSE);
    assert_int_equal(r.fills[0].qty.e8, dec_from_int(2).e8);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(999).e8);
    c = fixture_closing(&s, "nd-1-3", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "nothing to reduce");
    fixture_close(&s);
}

static void a_repeated_client_id_makes_no_second_order(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_open_long(&s);
    struct dec cash = s.paper.book.cash;
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(1);
    venue_send(&s.paper.venue, &o); /* after it was filled */
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.filled_qty.e8, dec_from_int(2).e8);
    struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    (void)fixture_next(&s);
    fixture_reopen(&s); /* and after a crash of the venue */
    paper_quote(&s.paper, fixture_btc, dec_from_int(1000));
    venue_send(&s.paper.venue, &o);
    venue_send(&s.paper.venue, &c);
    assert_int_equal(fixture_next(&s).state, ORDER_FILLED);
    assert_int_equal(fixture_next(&s).state, ORDER_FILLED);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    fixture_none(&s);
    assert_int_equal(s.paper.book.position_count, 0);
    assert_true(s.paper.book.cash.e8 > cash.e8);
    fixture_close(&s);
}

static void rejects_invalid_orders(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    venue_send(&s.paper.venue, &o);
    assert_string_equal(fixture_next(&s).reason, "no price for this symbol");
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    o = fixture_entry(&s, "nd-1-2", SIDE_LONG);
    o.stop = DEC_ZERO;
    venue_send(&s.paper.venue, &o);
    assert_string_equal(fixture_next(&s).reason, "entry without stop or target");
    o = fixture_entry(&s, "nd-1-3", SIDE_LONG);
    o.qty = dec_from_int(-1);
    venue_send(&s.paper.venue, &o);
    assert_string_equal(fixture_next(&s).reason, "size is not above zero");
    o = fixture_entry(&s, "nd-1-4", SIDE_LONG);
    o.qty = dec_from_int(11); /* 11,000 with equity of 10,000 */
    venue_send(&s.paper.venue, &o);
    assert_int_equal(fixture_next(&s).state, ORDER_ACKED);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "insufficient funds");
    assert_int_equal(r.fill_count, 0);
    assert_int_equal(s.paper.book.cash.e8, dec_from_int(10000).e8);
    o = fixture_entry(&s, "nd-1-5", SIDE_LONG);
    o.qty = (struct dec){INT64_MAX};
    venue_send(&s.paper.venue, &o);
    assert_string_equal(fixture_next(&s).reason, "size is too large");
    assert_int_equal(fixture_ask(&s, "nd-9-9").kind, VENUE_NOT_FOUND);
    fixture_close(&s);
}

static void cancels_resting_orders(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    venue_send(&s.paper.venue, &o);
    (void)fixture_next(&s);
    venue_cancel(&s.paper.venue, "nd-1-1");
    assert_int_equal(fixture_next(&s).state, ORDER_CANCELLED);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    fixture_none(&s);
    venue_cancel(&s.paper.venue, "nd-1-1"); /* again: its state */
    assert_int_equal(fixture_next(&s).state, ORDER_CANCELLED);
    venue_cancel(&s.paper.venue, "nd-7-7");
    assert_int_equal(fixture_next(&s).kind, VENUE_NOT_FOUND);
    fixture_close(&s);
}

static void the_account_survives_a_crash(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_open_long(&s);
    struct order o = fixture_entry(&s, "nd-1-2", SIDE_LONG);
    struct paper_book before = s.paper.book; /* only its figures */
    fixture_reopen(&s);
    assert_int_equal(s.paper.book.cash.e8, before.cash.e8);
    assert_int_equal(s.paper.book.next_fill_id, before.next_fill_id);
    assert_int_equal(s.paper.book.position_count, 1);
    assert_int_equal(s.paper.book.positions[0].stop.e8, dec_from_int(980).e8);
    venue_list(&s.paper.venue, 44, 0);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.kind, VENUE_LISTING);
    assert_int_equal(r.ask_id, 44);
    assert_true(r.last);
    assert_int_equal(r.page, 0);
    assert_int_equal(r.holding_count, 1);
    assert_int_equal(r.holdings[0].qty.e8, dec_from_int(2).e8);

    /* The minute of the fill is passed again: it was traded already. */
    s.minute--;
    (void)fixture_minute(&s, 1000, 1050, 970, 1000);
    fixture_none(&s);
    venue_send(&s.paper.venue, &o);
    assert_string_equal(fixture_next(&s).reason, "symbol has a position");
    fixture_close(&s);
}

/* Stops and orders work while the disk is full, and are written once it can be written again. */
static void trading_continues_on_a_full_disk(void **state)
{
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        struct fixture s;
        struct err err = {0};
        fixture_open(&s);
        bool full = false;
        trading_store_set_fault(s.store, fixture_fail_writes, &full);
        (void)fixture_open_long(&s);
        struct paper_book before = s.paper.book; /* only its figures */
        full = true;
        struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
        c.qty = dec_from_int(1);
        struct venue_report r = fixture_send(&s, &c);
        assert_int_equal(r.state, ORDER_FILLED);
        assert_int_equal(r.fill_count, 1);
        assert_int_equal(fixture_minute(&s, 1000, 1010, 979, 1000), 0);
        r = fixture_next(&s);
        assert_string_equal(r.client_id, "nd-1-1");
        assert_int_equal(r.fill_count, 2); /* the entry is on disk, the stop only in memory */
        assert_int_equal(r.fills[1].kind, ORDER_STOP);
        assert_int_equal(s.paper.book.position_count, 0);
        assert_true(s.paper.behind);
        assert_true(paper_flush(&s.paper, &err) < 0);
        fixture_query(&s.paper.venue, "nd-1-1", r.fills[0].venue_fill_id);
        assert_int_equal(fixture_next(&s).fill_count, 1);
        struct paper_book after = s.paper.book; /* only its figures */
        full = false;
        if (crash == 0) {
            assert_int_equal(paper_flush(&s.paper, &err), 0);
            assert_false(s.paper.behind);
        }
        fixture_reopen(&s);
        const struct paper_book *now = &s.paper.book;
        assert_int_equal(now->position_count, crash);
        assert_int_equal(now->cash.e8, crash ? before.cash.e8 : after.cash.e8);
        assert_int_equal(now->next_fill_id, crash ? before.next_fill_id : after.next_fill_id);
        assert_int_equal(fixture_ask(&s, "nd-1-2").kind, crash ? VENUE_NOT_FOUND : VENUE_ORDER);
        assert_int_equal(fixture_ask(&s, "nd-1-1").fill_count, crash ? 1 : 2);
        fixture_close(&s);
    }
}

/* When memory is full too, calls change nothing, and nothing already reported is lost. */
static void full_memory_on_a_full_disk_gives_no_answer(void **state)
{
    (void)state;
    struct fixture s;
    struct err err = {0};
    fixture_open(&s);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    bool full = true;
    trading_store_set_fault(s.store, fixture_fail_writes, &full);
    for (int i = 0; i <= (16 * CAPACITY_MIN); i++) {
        char id[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-1-%d", i);
        struct order c = fixture_closing(&s, id, SIDE_LONG); /* without a position: rejected */
        struct venue_report r = fixture_send(&s, &c);
        assert_int_equal(r.kind, i < (16 * CAPACITY_MIN) ? VENUE_ORDER : VENUE_NO_ANSWER);
    }
    assert_int_equal(fixture_ask(&s, "nd-1-0").state, ORDER_REJECTED);
    full = false;
    assert_int_equal(paper_flush(&s.paper, &err), 0);
    fixture_reopen(&s);
    assert_int_equal(fixture_ask(&s, "nd-1-0").state, ORDER_REJECTED);
    assert_int_equal(fixture_ask(&s, "nd-1-127").state, ORDER_REJECTED);
    assert_int_equal(fixture_ask(&s, "nd-1-128").kind, VENUE_NOT_FOUND);
    fixture_close(&s);
}

/* ---------------------------------------------------------------- time, fees, refusals */

static void latency_delays_by_whole_bars(void **state)
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
        struct fixture s;
        fixture_open(&s);
        s.paper.terms.latency_us = cases[i].latency_us;
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
        (void)fixture_send(&s, &o);
        for (int bar = 1; bar < cases[i].bars; bar++) {
            (void)fixture_minute(&s, 1000, 1001, 999, 1000);
            fixture_none(&s);
        }
        (void)fixture_minute(&s, 1010, 1011, 1009, 1010);
        assert_int_equal(fixture_next(&s).state, ORDER_FILLED);
        fixture_close(&s);
    }
}

/* A close from a decision waits for the next open, like an entry. */
static void a_decided_close_waits_for_the_open(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_open_long(&s);
    struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    c.decision_id = 7;
    assert_int_equal(fixture_send(&s, &c).state, ORDER_ACKED);
    (void)fixture_minute(&s, 1010, 1011, 1009, 1010);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].price.e8, dec_from_double(1010 * 0.999).e8);

    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct order o = fixture_entry(&s, "nd-1-3", SIDE_LONG);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    (void)fixture_next(&s);
    s.paper.terms.latency_us = USEC_PER_MIN;
    c = fixture_closing(&s, "nd-1-4", SIDE_LONG);
    c.decision_id = 8;
    (void)fixture_send(&s, &c);
    (void)fixture_minute(&s, 1000, 1001, 970, 1000); /* the stop fills before the close */
    assert_string_equal(fixture_next(&s).client_id, "nd-1-3");
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "nothing to reduce");
    fixture_close(&s);
}

static void makers_and_takers_pay_their_own_fee(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    s.settings.maker_fee_bps = -10; /* a rebate */
    paper_book_terms(&s.paper.terms, &s.settings, s.paper.terms.step_us);
    (void)fixture_open_long(&s);
    (void)fixture_minute(&s, 1000, 1041, 999, 1040);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.fills[0].fee.e8, dec_from_double(20.02).e8);
    assert_int_equal(r.fills[1].fee.e8, dec_from_double(-2.08).e8);
    assert_int_equal(s.paper.book.cash.e8, dec_from_double(10000 - 2002 - 20.02 + 2080 + 2.08).e8);
    fixture_close(&s);
}

static void rejects_small_orders_and_some_at_random(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    s.paper.terms.min_notional = dec_from_int(2001);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    assert_string_equal(fixture_send(&s, &o).reason, "below the smallest order");
    s.paper.terms.min_notional = dec_from_int(2000);
    s.paper.terms.reject = 0.3;
    int rejected = 0;
    for (int i = 2; i < 1002; i++) {
        o = fixture_entry(&s, "", SIDE_LONG);
        (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", i);
        struct venue_report r = fixture_send(&s, &o);
        struct venue_report again = fixture_send(&s, &o); /* a repeat gets the same answer */
        assert_int_equal(r.state, again.state);
        rejected += r.state == ORDER_REJECTED;
        venue_cancel(&s.paper.venue, o.client_id);
        (void)fixture_next(&s);
    }
    assert_in_range(rejected, 250, 350);
    /* Closing orders are never rejected for their size or at random. */
    s.paper.terms.reject = 0;
    o = fixture_entry(&s, "nd-2-1", SIDE_LONG);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    (void)fixture_next(&s);
    s.paper.terms.reject = 1;
    o = fixture_closing(&s, "nd-2-2", SIDE_LONG);
    o.qty = (struct dec){1};
    assert_int_equal(fixture_send(&s, &o).state, ORDER_FILLED);
    fixture_close(&s);
}

static void rejects_impossible_sizes(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, -DEC_ONE, INT64_MIN, INT64_MAX, INT64_MAX / 2};
    struct fixture s;
    fixture_open(&s);
    s.settings.depth = dec_from_int(1000);
    s.settings.level_bps = 100;
    paper_book_terms(&s.paper.terms, &s.settings, s.paper.terms.step_us);
    (void)fixture_open_long(&s);
    struct dec cash = s.paper.book.cash;
    struct dec qty = s.paper.book.positions[0].qty;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (int kind = ORDER_ENTRY; kind <= ORDER_TARGET; kind++) {
            struct order o = fixture_entry(&s, "", SIDE_SHORT); /* opposite to the position */
            (void)snprintf(o.client_id, sizeof(o.client_id), "nd-2-%zu-%d", i, kind);
            o.kind = (enum order_kind)kind;
            o.qty.e8 = sizes[i];
            assert_int_equal(fixture_send(&s, &o).state, ORDER_REJECTED);
        }
        struct order o = fixture_entry(&s, "", SIDE_LONG);
        (void)snprintf(o.client_id, sizeof(o.client_id), "nd-3-%zu", i);
        (void)symbol_parse(STR_LIT("NEVER-SEEN"), &o.symbol);
        assert_int_equal(fixture_send(&s, &o).state, ORDER_REJECTED);
    }
    assert_int_equal(s.paper.book.cash.e8, cash.e8);
    assert_int_equal(s.paper.book.open_count, 0);
    assert_int_equal(s.paper.book.positions[0].qty.e8, qty.e8);
    fixture_close(&s);
}

static void an_impossible_bar_is_ignored(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_open_long(&s);
    struct order o = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    o.decision_id = 3;
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 900, 1100, 1000); /* high < low */
    (void)fixture_minute(&s, 0, 0, 0, 0);
    (void)fixture_minute(&s, 1000, 1001, -5, 1000);
    fixture_none(&s);
    struct quote q;
    assert_true(venue_quote(&s.paper.venue, fixture_btc, &q));
    assert_int_equal(q.bid.e8, dec_from_int(999).e8); /* the price is unchanged */
    s.minute -= 30;
    (void)fixture_minute(&s, 900, 901, 899, 900); /* an old bar */
    fixture_none(&s);
    assert_int_equal(s.paper.book.position_count, 1);
    fixture_close(&s);
}

static void exposure_is_limited_by_the_leverage(void **state)
{
    (void)state;
    for (int leverage = 1; leverage <= 3; leverage++) {
        struct fixture s;
        fixture_open(&s);
        s.settings.max_leverage = leverage;
        s.settings.fee_bps = 0;
        paper_book_terms(&s.paper.terms, &s.settings, s.paper.terms.step_us);
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
        o.qty = dec_from_int(25); /* 25,000 with equity of 10,000 */
        (void)fixture_send(&s, &o);
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        assert_int_equal(fixture_next(&s).state, leverage == 3 ? ORDER_FILLED : ORDER_REJECTED);
        fixture_close(&s);
    }
}

UNIT_GROUP(paper, cmocka_unit_test(an_entry_fills_at_the_next_open),
           cmocka_unit_test(brackets_fill_by_the_documented_rules),
           cmocka_unit_test(a_short_mirrors_a_long),
           cmocka_unit_test(a_close_fills_at_once_and_only_reduces),
           cmocka_unit_test(a_repeated_client_id_makes_no_second_order),
           cmocka_unit_test(rejects_invalid_orders), cmocka_unit_test(cancels_resting_orders),
           cmocka_unit_test(the_account_survives_a_crash),
           cmocka_unit_test(trading_continues_on_a_full_disk),
           cmocka_unit_test(full_memory_on_a_full_disk_gives_no_answer),
           cmocka_unit_test(latency_delays_by_whole_bars),
           cmocka_unit_test(a_decided_close_waits_for_the_open),
           cmocka_unit_test(makers_and_takers_pay_their_own_fee),
           cmocka_unit_test(rejects_small_orders_and_some_at_random),
           cmocka_unit_test(rejects_impossible_sizes),
           cmocka_unit_test(an_impossible_bar_is_ignored),
           cmocka_unit_test(exposure_is_limited_by_the_leverage))
