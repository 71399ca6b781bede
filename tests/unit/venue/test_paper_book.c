#include "base/check.h"
#include "fixture.h"

/* ---------------------------------------------------------------- the order book */

static void a_taker_walks_the_book(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.stop = dec_from_int(500);
    o.target = dec_from_int(2000);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    /* Two levels and part of the third: the weighted mean of 1001, 1011 and 1021, rounded up to a
     * tick of 1. */
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1007).e8);
    assert_int_equal(r.fills[0].qty.e8, dec_from_int(2).e8);
    o = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    r = fixture_send(&s, &o);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(994).e8); /* 994.004, rounded down */
    fixture_close(&s);
}

static void the_unfilled_part_rests(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(25); /* ten levels hold about 9.6 */
    o.stop = dec_from_int(500);
    o.target = dec_from_int(2000);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_PARTIAL);
    struct dec first = r.filled_qty;
    assert_true(first.e8 > dec_from_int(9).e8 && first.e8 < dec_from_int(10).e8);
    assert_int_equal(s.paper.book.positions[0].qty.e8, first.e8);
    fixture_reopen(&s); /* resting orders are on disk */
    assert_int_equal(s.paper.book.open_count, 1);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    assert_int_equal(fixture_next(&s).state, ORDER_PARTIAL);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fill_count, 3);
    struct dec sum = dec_add(r.fills[0].qty, dec_add(r.fills[1].qty, r.fills[2].qty));
    assert_int_equal(sum.e8, dec_from_int(25).e8);
    assert_int_equal(s.paper.book.positions[0].qty.e8, dec_from_int(25).e8);
    assert_int_equal(s.paper.book.open_count, 0);

    /* A close larger than the book also continues at the next open. */
    o = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    o.qty = dec_from_int(15);
    assert_int_equal(fixture_send(&s, &o).state, ORDER_PARTIAL);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.filled_qty.e8, dec_from_int(15).e8);
    assert_int_equal(s.paper.book.positions[0].qty.e8, dec_from_int(10).e8);
    fixture_close(&s);
}

/* With more fills than fit in a report, the newest are reported and the others queried in pages. */
static void many_fills_are_reported_in_pages(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        struct fixture s;
        fixture_thin_book(&s);
        if (memory == 1) {
            paper_release(&s.paper);
            paper_init(&s.paper, &s.settings, USEC_PER_MIN, CAPACITY_MIN);
            paper_open_memory(&s.paper);
            (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        }
        s.paper.terms.depth = dec_from_int(50);
        struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
        o.qty = dec_from_int(9);
        o.stop = dec_from_int(500);
        o.target = dec_from_int(2000);
        (void)fixture_send(&s, &o);
        struct venue_report r = {0};
        int minutes = 0;
        while (r.state != ORDER_FILLED) {
            (void)fixture_minute(&s, 1000, 1001, 999, 1000);
            r = fixture_next(&s);
            minutes++;
        }
        assert_int_equal(minutes, 19);
        assert_int_equal(r.fill_count, VENUE_FILLS_MAX);
        assert_int_equal(fill_id_to_number(r.fills_after), minutes - VENUE_FILLS_MAX);
        assert_int_equal(fill_id_to_number(r.fills[VENUE_FILLS_MAX - 1].venue_fill_id), minutes);
        assert_false(r.more);

        struct dec sum = DEC_ZERO;
        int64_t after = 0;
        int pages = 0;
        do {
            char cursor[FILL_ID_SIZE];
            fill_id_of_number(after, cursor);
            fixture_query(&s.paper.venue, "nd-1-1", cursor);
            r = fixture_next(&s);
            assert_string_equal(r.fills_after, cursor);
            for (int i = 0; i < r.fill_count; i++) {
                assert_int_equal(fill_id_to_number(r.fills[i].venue_fill_id), ++after);
                sum = dec_add(sum, r.fills[i].qty);
            }
            pages++;
        } while (r.more);
        assert_int_equal(pages, 3);
        assert_int_equal(sum.e8, o.qty.e8);
        paper_release(&s.paper);
        fixture_close(&s);
    }
}

static void an_order_that_rests_too_long_expires(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    s.paper.terms.depth = dec_from_int(5);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(9);
    o.stop = dec_from_int(500);
    o.target = dec_from_int(2000);
    (void)fixture_send(&s, &o);
    struct venue_report r = {0};
    for (int i = 0; i <= PAPER_REST_BARS + 1; i++) {
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        r = fixture_next(&s);
    }
    assert_int_equal(r.state, ORDER_CANCELLED);
    assert_string_equal(r.reason, "expired");
    assert_true(r.filled_qty.e8 > 0);
    assert_int_equal(s.paper.book.positions[0].qty.e8, r.filled_qty.e8); /* with its bracket */
    assert_int_equal(r.stop.e8, o.stop.e8);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    fixture_none(&s);
    fixture_close(&s);
}

static void a_stop_larger_than_the_book_continues(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(15);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    (void)fixture_next(&s);
    (void)fixture_minute(&s, 1000, 1001, 970,
                         990); /* the rest fills, then the stop at 980 is hit */
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[r.fill_count - 1].kind, ORDER_STOP);
    struct dec left = s.paper.book.positions[0].qty;
    assert_true(left.e8 > 0 && left.e8 < o.qty.e8);
    /* A stop that was hit continues after a crash, and when the price recovers. */
    fixture_reopen(&s);
    assert_true(s.paper.book.stopped_us[0] > 0);
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(900), dec_from_int(2000));
    assert_int_equal(fixture_next(&s).kind, VENUE_REFUSED);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.fills[r.fill_count - 1].kind, ORDER_STOP);
    assert_int_equal(r.fills[r.fill_count - 1].qty.e8, left.e8);
    assert_int_equal(s.paper.book.position_count, 0);
    /* The next position in the symbol has a stop of its own. */
    o = fixture_entry(&s, "nd-1-2", SIDE_LONG);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    (void)fixture_next(&s);
    fixture_reopen(&s);
    assert_int_equal(s.paper.book.stopped_us[0], 0);
    fixture_close(&s);
}

/* A stop is filled in the end, however thin the book is. */
static void a_stop_is_filled_in_an_empty_book(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(5);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    (void)fixture_next(&s);
    s.paper.terms.depth = (struct dec){1};
    int minutes = 0;
    while (s.paper.book.position_count > 0) {
        (void)fixture_minute(&s, 990, 1001, 970, 990);
        struct venue_report r;
        (void)venue_poll(&s.paper.venue, &r);
        minutes++;
        assert_true(minutes < 40);
    }
    assert_true(minutes > PAPER_REST_BARS);
    fixture_close(&s);
}

static void closing_a_position_cancels_the_rest_of_its_entry(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.qty = dec_from_int(25);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1041, 999,
                         1000); /* the target is hit before the rest could fill */
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_CANCELLED);
    assert_string_equal(r.reason, "position closed");
    assert_int_equal(r.fills[1].kind, ORDER_TARGET);
    assert_int_equal(r.fills[1].qty.e8, r.filled_qty.e8);
    assert_int_equal(s.paper.book.position_count + s.paper.book.open_count, 0);
    fixture_close(&s);
}

/* A resting limit order never fills at a price worse than the market's. */
static void a_target_that_a_bar_opens_beyond_fills_at_the_open(void **state)
{
    (void)state;
    static const struct {
        enum side side;
        int64_t open, high, low, close;
    } bars[] = {{SIDE_LONG, 1060, 1061, 1050, 1055},
                {SIDE_LONG, 1060, 1061, 970, 975}, /* the stop is touched later */
                {SIDE_SHORT, 930, 935, 925, 930},
                {SIDE_SHORT, 930, 1030, 925, 1030}};
    for (size_t i = 0; i < COUNT_OF(bars); i++) {
        struct fixture s;
        fixture_open(&s);
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        struct order o = fixture_entry(&s, "nd-1-1", bars[i].side);
        (void)fixture_send(&s, &o);
        (void)fixture_minute(&s, 1000, 1005, 995, 1000);
        (void)fixture_next(&s);
        (void)fixture_minute(&s, bars[i].open, bars[i].high, bars[i].low, bars[i].close);
        struct venue_report r = fixture_next(&s);
        assert_int_equal(r.fill_count, 2);
        assert_int_equal(r.fills[1].kind, ORDER_TARGET);
        assert_int_equal(r.fills[1].price.e8, dec_from_int(bars[i].open).e8);
        assert_int_equal(r.fills[1].at_us, SHOP_START + 2 * USEC_PER_MIN);
        fixture_close(&s);
    }
}

/* ---------------------------------------------------------------- funding */

static void longs_pay_shorts_every_eight_hours(void **state)
{
    (void)state;
    for (int side = SIDE_LONG; side <= SIDE_SHORT; side++) {
        struct fixture s;
        fixture_open(&s);
        s.settings.funding_bps = 10;
        s.settings.fee_bps = 0;
        fixture_reopen(&s);
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        struct order o = fixture_entry(&s, "nd-1-1", (enum side)side);
        (void)fixture_send(&s, &o);
        int64_t boundary = (SHOP_START / PAPER_FUNDING_US + 1) * PAPER_FUNDING_US;
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        (void)fixture_next(&s);
        while (SHOP_START + s.minute * USEC_PER_MIN < boundary) {
            (void)fixture_minute(&s, 1000, 1001, 999, 1000);
            fixture_none(&s);
        }
        struct dec cash = s.paper.book.cash;
        (void)fixture_minute(&s, 1010, 1011, 1009, 1010);
        struct venue_report r = fixture_next(&s);
        assert_int_equal(r.kind, VENUE_FUNDING);
        assert_int_equal(r.funding_id, 1);
        assert_int_equal(r.prev_funding_id, 0);
        assert_int_equal(r.at_us, boundary);
        assert_string_equal(r.symbol.name, "BTC-USD");
        /* Two coins at the open. */
        struct dec due = dec_from_double(side == SIDE_LONG ? 2.02 : -2.02);
        assert_int_equal(r.payment.e8, due.e8);
        assert_int_equal(s.paper.book.cash.e8, dec_sub(cash, due).e8);

        /* Once only: not in the next bar, nor after a crash; a day without bars counts once. */
        (void)fixture_minute(&s, 1010, 1011, 1009, 1010);
        fixture_reopen(&s);
        (void)fixture_minute(&s, 1010, 1011, 1009, 1010);
        fixture_none(&s);
        s.minute += 24 * 60;
        (void)fixture_minute(&s, 1010, 1011, 1009, 1010);
        r = fixture_next(&s);
        assert_int_equal(r.funding_id, 2);
        assert_int_equal(r.prev_funding_id, 1);
        fixture_none(&s);

        /* A listing repeats the payments after the last known one. */
        venue_list(&s.paper.venue, 5, 0);
        r = fixture_next(&s);
        assert_int_equal(r.kind, VENUE_LISTING);
        assert_int_equal(r.funding_id, 2);
        assert_int_equal(fixture_next(&s).funding_id, 1);
        assert_int_equal(fixture_next(&s).funding_id, 2);
        venue_list(&s.paper.venue, 6, 1);
        (void)fixture_next(&s);
        r = fixture_next(&s);
        assert_int_equal(r.funding_id, 2);
        assert_int_equal(r.payment.e8, due.e8);
        fixture_none(&s);
        fixture_close(&s);
    }
}

/* ---------------------------------------------------------------- the bracket */

/* Four digits, as the thin book has. */
static struct dec in_ticks(struct dec from, int64_t away, bool up)
{
    const struct instrument rules = {.digits = 4};
    return instrument_round(&rules, dec_add(from, dec_from_int(away)), up);
}

/* Decided at 1000, filled at 1100: the distance of the stop is kept, so the loss at the stop is the
 * one that was decided. */
static void the_bracket_is_measured_from_the_fills(void **state)
{
    (void)state;
    for (int side = SIDE_LONG; side <= SIDE_SHORT; side++) {
        int64_t sign = side == SIDE_LONG ? 1 : -1;
        struct fixture s;
        fixture_thin_book(&s);
        struct order o = fixture_entry(&s, "nd-1-1", (enum side)side);
        o.qty = dec_from_int(15); /* more than the book of one bar */
        o.stop_away = dec_from_int(200);
        o.target_away = dec_from_int(400);
        (void)fixture_send(&s, &o);
        int64_t open = 1000 + 100 * sign;
        (void)fixture_minute(&s, open, open + 5, open - 5, open);
        struct venue_report r = fixture_next(&s);
        assert_int_equal(r.state, ORDER_PARTIAL);
        struct dec first = r.fills[0].price;
        assert_int_equal(r.stop.e8, in_ticks(first, -200 * sign, side == SIDE_LONG).e8);
        assert_int_equal(r.target.e8, in_ticks(first, 400 * sign, side == SIDE_SHORT).e8);
        fixture_reopen(&s); /* the distances are on disk */
        open += 4 * sign;
        (void)fixture_minute(&s, open, open + 5, open - 5, open);
        r = fixture_next(&s);
        assert_int_equal(r.state, ORDER_FILLED);
        const struct position *p = &s.paper.book.positions[0];
        assert_int_not_equal(p->entry_price.e8, first.e8);
        assert_int_equal(r.stop.e8, in_ticks(p->entry_price, -200 * sign, side == SIDE_LONG).e8);
        assert_int_equal(r.target.e8, in_ticks(p->entry_price, 400 * sign, side == SIDE_SHORT).e8);
        fixture_close(&s);
    }
}

static void a_bracket_can_be_amended(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    assert_int_equal(fixture_send(&s, &o).stop.e8, dec_from_int(980).e8);
    /* While the entry rests ... */
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(970), dec_from_int(1050));
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.kind, VENUE_ORDER);
    assert_int_equal(r.state, ORDER_ACKED);
    assert_int_equal(r.stop.e8, dec_from_int(970).e8);
    (void)fixture_minute(&s, 1000, 1005, 975, 1000);
    assert_int_equal(fixture_next(&s).fill_count, 1); /* the stop is no longer at 980 */
    /* ... and while its position is open. */
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(960), dec_from_int(1020));
    r = fixture_next(&s);
    assert_int_equal(r.stop.e8, dec_from_int(960).e8);
    assert_int_equal(r.target.e8, dec_from_int(1020).e8);
    fixture_reopen(&s);
    paper_quote(&s.paper, fixture_btc, dec_from_int(1000));
    assert_int_equal(s.paper.book.positions[0].stop.e8, dec_from_int(960).e8);
    /* A price that the market has passed is refused; the report has the requested bracket. */
    static const int64_t wrong[][2] = {{1000, 1020}, {1010, 1020}, {960, 1000}, {960, 990},
                                       {0, 1020},    {960, 0},     {-1, 1020}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct dec stop = dec_from_int(wrong[i][0]);
        struct dec target = dec_from_int(wrong[i][1]);
        venue_amend(&s.paper.venue, "nd-1-1", stop, target);
        r = fixture_next(&s);
        assert_int_equal(r.kind, VENUE_REFUSED);
        assert_int_equal(r.stop.e8, stop.e8);
        assert_int_equal(r.target.e8, target.e8);
        assert_int_equal(r.current_stop.e8, s.paper.book.positions[0].stop.e8);
        assert_int_equal(r.current_target.e8, s.paper.book.positions[0].target.e8);
        assert_string_not_equal(r.reason, "");
    }
    venue_amend(&s.paper.venue, "nd-1-1", DEC_INVALID, dec_from_int(1020));
    assert_int_equal(fixture_next(&s).kind, VENUE_REFUSED);
    (void)fixture_minute(&s, 1000, 1021, 965, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.fills[1].kind, ORDER_TARGET);
    assert_int_equal(r.fills[1].price.e8, dec_from_int(1020).e8);
    assert_int_equal(r.stop.e8, 0);
    /* A closed position, and an unknown entry. */
    venue_amend(&s.paper.venue, "nd-1-1", dec_from_int(960), dec_from_int(1020));
    r = fixture_next(&s);
    assert_int_equal(r.kind, VENUE_ORDER);
    assert_int_equal(r.stop.e8, 0);
    venue_amend(&s.paper.venue, "nd-9-9", dec_from_int(960), dec_from_int(1020));
    assert_int_equal(fixture_next(&s).kind, VENUE_NOT_FOUND);
    fixture_close(&s);
}

/* ---------------------------------------------------------------- quotes */

static void quotes_the_top_of_the_book(void **state)
{
    (void)state;
    struct fixture s;
    fixture_open(&s);
    struct quote q;
    assert_false(venue_quote(&s.paper.venue, fixture_btc, &q));
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    assert_true(venue_quote(&s.paper.venue, fixture_btc, &q));
    assert_int_equal(q.bid.e8, dec_from_int(999).e8);
    assert_int_equal(q.ask.e8, dec_from_int(1001).e8);
    assert_true(q.bid_qty.e8 > dec_from_int(1000000).e8);
    assert_int_equal(q.at_us, SHOP_START + USEC_PER_MIN);
    s.settings.depth = dec_from_int(2002);
    s.settings.tick_digits = 3;
    paper_book_terms(&s.paper.terms, &s.settings, s.paper.terms.step_us);
    assert_true(venue_quote(&s.paper.venue, fixture_btc, &q));
    assert_int_equal(q.ask.e8, dec_from_int(1010).e8); /* rounded against the taker */
    assert_int_equal(q.bid.e8, dec_from_int(999).e8);
    assert_int_equal(q.bid_qty.e8, dec_div(dec_from_int(2002), dec_from_int(999)).e8);
    fixture_close(&s);
}

UNIT_GROUP(paper_book, cmocka_unit_test(a_taker_walks_the_book),
           cmocka_unit_test(the_unfilled_part_rests),
           cmocka_unit_test(many_fills_are_reported_in_pages),
           cmocka_unit_test(an_order_that_rests_too_long_expires),
           cmocka_unit_test(a_stop_larger_than_the_book_continues),
           cmocka_unit_test(a_stop_is_filled_in_an_empty_book),
           cmocka_unit_test(closing_a_position_cancels_the_rest_of_its_entry),
           cmocka_unit_test(a_target_that_a_bar_opens_beyond_fills_at_the_open),
           cmocka_unit_test(longs_pay_shorts_every_eight_hours),
           cmocka_unit_test(the_bracket_is_measured_from_the_fills),
           cmocka_unit_test(a_bracket_can_be_amended), cmocka_unit_test(quotes_the_top_of_the_book))
