#include "base/rng.h"
#include "fixture.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- without a disk */

static bool same_report(const struct venue_report *a, const struct venue_report *b)
{
    bool same = a->kind == b->kind && a->state == b->state && a->funding_id == b->funding_id &&
                strcmp(a->client_id, b->client_id) == 0 && strcmp(a->reason, b->reason) == 0 &&
                a->filled_qty.e8 == b->filled_qty.e8 &&
                strcmp(a->fills_after, b->fills_after) == 0 && a->more == b->more &&
                a->fill_count == b->fill_count && a->stop.e8 == b->stop.e8 &&
                a->target.e8 == b->target.e8 && a->payment.e8 == b->payment.e8 &&
                a->holding_count == b->holding_count && a->open_count == b->open_count;
    for (int i = 0; same && i < a->fill_count; i++) {
        same = a->fills[i].price.e8 == b->fills[i].price.e8 &&
               a->fills[i].qty.e8 == b->fills[i].qty.e8 &&
               a->fills[i].fee.e8 == b->fills[i].fee.e8 && a->fills[i].at_us == b->fills[i].at_us &&
               strcmp(a->fills[i].venue_fill_id, b->fills[i].venue_fill_id) == 0;
    }
    return same;
}

/* The same calls and bars give the same answers with and without a store: some thousand of each,
 * many more orders than fit in memory. */
static void memory_gives_the_same_answers_as_the_store(void **state)
{
    (void)state;
    struct fixture disk;
    fixture_open(&disk);
    disk.settings = (struct paper_settings){.initial_cash = dec_from_int(10000),
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
    fixture_reopen(&disk);
    struct fixture mem = disk;
    paper_init(&mem.paper, &mem.settings, USEC_PER_MIN, CAPACITY_MIN);
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
        assert_int_equal(fixture_minute(&disk, price, price + up, price - down, price), 0);
        assert_int_equal(fixture_minute(&mem, price, price + up, price - down, price), 0);
        char id[CLIENT_ID_SIZE], other[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-1-%d", sent);
        (void)snprintf(other, sizeof(other), "nd-1-%d", sent - (int)rng_below(&rng, 6));
        bool is_long = disk.paper.book.position_count > 0
                           ? disk.paper.book.positions[0].side == SIDE_LONG
                           : rng_chance(&rng, 0.5);
        struct order o = fixture_entry(&disk, id, is_long ? SIDE_LONG : SIDE_SHORT);
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
                char after[FILL_ID_SIZE];
                fill_id_of_number(sent % 3, after);
                fixture_query(venues[v], other, after);
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
            cut += a.fills_after[0] != '\0';
        }
        assert_false(venue_poll(venues[1], &b));
        assert_int_equal(disk.paper.book.cash.e8, mem.paper.book.cash.e8);
    }
    assert_true(sent > 1000 && partial > 50 && payments > 2 && cut > 0);
    paper_release(&mem.paper);
    fixture_close(&disk);
}

/* ---------------------------------------------------------------- at its limits */

static int fail_nth(const char *what, void *userdata)
{
    (void)what;
    int *left = userdata;
    return (*left)-- == 0 ? -ERR_DB_FAILED : 0;
}

/* The book on disk is the one before the change or the one after it, never a mixture. */
static void same_on_disk(const struct fixture *s, const struct paper_book *book)
{
    struct fixture again = *s;
    memset(&again.paper, 0, sizeof(again.paper));
    fixture_reopen(&again);
    const struct paper_book *b = &again.paper.book;
    assert_int_equal(b->cash.e8, book->cash.e8);
    assert_int_equal(b->position_count, book->position_count);
    for (int i = 0; i < book->position_count; i++) {
        assert_int_equal(b->positions[i].qty.e8, book->positions[i].qty.e8);
        assert_int_equal(b->positions[i].stop.e8, book->positions[i].stop.e8);
        assert_int_equal(b->stopped_us[i], book->stopped_us[i]);
    }
    assert_int_equal(b->open_count, book->open_count);
    assert_int_equal(b->next_fill_id, book->next_fill_id);
    assert_int_equal(b->next_funding_id, book->next_funding_id);
    paper_release(&again.paper);
}

/* Whichever write fails, the change is on disk completely, or not at all until the next flush,
 * which may fail too. */
static void any_write_may_fail(void **state)
{
    (void)state;
    for (int step = 0; step < 5; step++) {
        for (int n = 0;; n++) {
            assert_true(n < 100);
            struct fixture s;
            struct err err = {0};
            fixture_thin_book(&s);
            s.paper.terms.funding = dec_from_double(0.001);
            struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
            o.qty = dec_from_int(15);
            (void)fixture_send(&s, &o);
            (void)fixture_minute(&s, 1000, 1001, 999, 1000);
            (void)fixture_next(&s);
            s.minute += 8 * 60;
            struct paper_book before;
            paper_book_init(&before, DEC_ZERO, CAPACITY_MIN);
            paper_book_copy(&before, &s.paper.book);
            int left = n;
            trading_store_set_fault(s.store, fail_nth, &left);
            struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
            if (step == 0) {
                /* a resting order, funding, and a partly filled stop */
                assert_int_equal(fixture_minute(&s, 1000, 1001, 970, 1000), 0);
            } else if (step == 1) {
                assert_int_equal(fixture_send(&s, &c).kind, VENUE_ORDER);
            } else if (step == 2) {
                venue_cancel(&s.paper.venue, "nd-1-1");
                assert_int_equal(fixture_next(&s).kind, VENUE_ORDER);
            } else if (step == 3) {
                venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(900), dec_from_int(1100));
                assert_int_equal(fixture_next(&s).kind, VENUE_ORDER);
            } else {
                o = fixture_entry(&s, "nd-1-3", SIDE_SHORT);
                assert_int_equal(fixture_send(&s, &o).kind,
                                 VENUE_ORDER); /* a rejection is reported too */
            }
            bool hit = left < 0;
            assert_int_equal(s.paper.behind, hit);
            same_on_disk(&s, hit ? &before : &s.paper.book);
            if (hit) {
                left = n;
                assert_true(paper_flush(&s.paper, &err) < 0);
                same_on_disk(&s, &before);
                assert_int_equal(paper_flush(&s.paper, &err), 0);
                same_on_disk(&s, &s.paper.book);
            }
            paper_book_release(&before);
            fixture_close(&s);
            if (!hit) {
                assert_true(n > 1);
                break;
            }
        }
    }
}

static void without_store_or_memory_every_call_gets_no_answer(void **state)
{
    (void)state;
    struct fixture s;
    memset(&s, 0, sizeof(s));
    s.settings.initial_cash = dec_from_int(10000);
    paper_init(&s.paper, &s.settings, USEC_PER_MIN, CAPACITY_MIN);
    assert_int_equal(fixture_minute(&s, 1000, 1001, 999, 1000), 0); /* there is nothing to write */
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    assert_int_equal(fixture_send(&s, &o).kind, VENUE_NO_ANSWER);
    venue_list(&s.paper.venue, 1, 0);
    assert_int_equal(fixture_next(&s).asked, VENUE_CALL_LIST);
    assert_int_equal(fixture_ask(&s, "nd-1-1").kind, VENUE_NO_ANSWER);
    venue_cancel(&s.paper.venue, "nd-1-1");
    assert_int_equal(fixture_next(&s).kind, VENUE_NO_ANSWER);
    paper_release(&s.paper);
    paper_release(NULL);
}

/* Reports that are not fetched are lost in the end, as on a network; a query recovers them. */
static void unfetched_reports_are_lost(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_open_long(&s);
    for (int i = 0; i < s.paper.report_capacity; i++) {
        fixture_query(&s.paper.venue, "nd-1-1", "");
    }
    fixture_query(&s.paper.venue, "nd-1-1", "");
    fixture_query(&s.paper.venue, "nd-9-9", "");
    venue_list(&s.paper.venue, 1, 0);
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(2000), dec_from_int(2000));
    struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    venue_send(&s.paper.venue, &c);
    for (int i = 0; i < s.paper.report_capacity; i++) {
        assert_string_equal(fixture_next(&s).client_id, "nd-1-1");
    }
    fixture_none(&s);
    assert_int_equal(fixture_ask(&s, "nd-1-2").state, ORDER_FILLED);
    fixture_close(&s);
}

static void the_number_of_resting_orders_is_limited(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        struct fixture s;
        fixture_open(&s);
        if (memory == 1) {
            paper_release(&s.paper);
            paper_init(&s.paper, &s.settings, USEC_PER_MIN, CAPACITY_MIN);
            paper_open_memory(&s.paper);
        }
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        struct order o = fixture_entry(&s, "", SIDE_LONG);
        for (int i = 0; i < paper_book_open_max(&s.paper.book); i++) {
            (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", i);
            assert_int_equal(fixture_send(&s, &o).state, ORDER_ACKED);
        }
        (void)str_copy(STR_LIT("nd-2-1"), o.client_id, sizeof(o.client_id));
        assert_string_equal(fixture_send(&s, &o).reason, "too many open orders");
        venue_list(&s.paper.venue, 1, 0);
        assert_int_equal(fixture_next(&s).open_count, paper_book_open_max(&s.paper.book));
        /* The first fills; the others are refused because of its position. */
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        assert_int_equal(s.paper.book.open_count, 0);
        assert_int_equal(s.paper.book.position_count, 1);
        assert_int_equal(fixture_next(&s).state, ORDER_FILLED);
        assert_string_equal(fixture_next(&s).reason, "symbol has a position");
        paper_release(&s.paper);
        fixture_close(&s);
    }
}

/* Nine symbols on a venue of eight: the ninth has no price. */
static void the_number_of_symbols_with_prices_is_limited(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    s.settings.initial_cash = dec_from_int(1000000);
    fixture_reopen(&s);
    struct symbol symbol = fixture_btc;
    for (int i = 0; i <= CAPACITY_MIN; i++) {
        symbol.name[0] = (char)('A' + i);
        paper_quote(&s.paper, symbol, dec_from_int(1000));
        struct order o = fixture_entry(&s, "", SIDE_LONG);
        (void)snprintf(o.client_id, sizeof(o.client_id), "nd-1-%d", i);
        o.symbol = symbol;
        assert_int_equal(fixture_send(&s, &o).state,
                         i < CAPACITY_MIN ? ORDER_ACKED : ORDER_REJECTED);
    }
    fixture_close(&s);
}

/* An account near the largest amount: nothing overflows, nothing is done in part. */
static void operations_that_overflow_are_not_carried_out(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    s.settings.funding_bps = 10;
    paper_book_terms(&s.paper.terms, &s.settings, s.paper.terms.step_us);
    (void)fixture_open_long(&s);
    int64_t boundary = (SHOP_START / PAPER_FUNDING_US + 1) * PAPER_FUNDING_US;
    s.paper.book.cash.e8 = -INT64_MAX;
    s.minute = (boundary - SHOP_START) / USEC_PER_MIN;
    (void)fixture_minute(&s, 1000, 1001, 999, 1000); /* the payment would overflow */
    fixture_none(&s);
    s.paper.book.cash.e8 = INT64_MAX;
    struct order c = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    assert_string_equal(fixture_send(&s, &c).reason, "the account cannot book it");
    (void)fixture_minute(&s, 1000, 1050, 970, 1000); /* so would the stop, and later the target */
    fixture_none(&s);
    s.paper.book.stopped_us[0] = 0;
    (void)fixture_minute(&s, 1000, 1050, 999, 1000);
    fixture_none(&s);
    assert_int_equal(s.paper.book.position_count, 1);
    assert_int_equal(s.paper.book.cash.e8, INT64_MAX);

    paper_book_release(&s.paper.book);
    paper_book_init(&s.paper.book, (struct dec){-INT64_MAX}, CAPACITY_MIN);
    s.paper.book.next_fill_id = 90;
    paper_quote(&s.paper, fixture_btc, (struct dec){INT64_MAX});
    struct quote q;
    assert_false(venue_quote(&s.paper.venue, fixture_btc, &q)); /* the ask overflows */
    struct order o = fixture_entry(&s, "nd-1-3", SIDE_LONG);
    o.qty = (struct dec){1};
    o.stop = (struct dec){1};
    o.target = (struct dec){2};
    assert_int_equal(fixture_send(&s, &o).state, ORDER_ACKED);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    assert_int_equal(fixture_next(&s).state, ORDER_REJECTED);
    fixture_close(&s);
}

UNIT_GROUP(paper_limits, cmocka_unit_test(memory_gives_the_same_answers_as_the_store),
           cmocka_unit_test(any_write_may_fail),
           cmocka_unit_test(without_store_or_memory_every_call_gets_no_answer),
           cmocka_unit_test(unfetched_reports_are_lost),
           cmocka_unit_test(the_number_of_resting_orders_is_limited),
           cmocka_unit_test(the_number_of_symbols_with_prices_is_limited),
           cmocka_unit_test(operations_that_overflow_are_not_carried_out))
