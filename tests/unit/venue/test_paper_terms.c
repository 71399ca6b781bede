/*
 * How the paper venue executes an order: type, time in force, post-only and reduce-only. The book
 * of the fixture: half a spread is 0.1 %, the taker pays 1 %, a maker 0.5 %.
 */
#include "base/check.h"
#include "fixture.h"

#include <string.h>

static void open_shop(struct fixture *s)
{
    fixture_open(s);
    s->settings.maker_fee_bps = 50;
    s->settings.tick_digits = 5;
    fixture_reopen(s);
    (void)fixture_minute(s, 1000, 1001, 999, 1000);
}

static struct order limit(const struct fixture *s, const char *id, int64_t price)
{
    struct order o = fixture_entry(s, id, SIDE_LONG);
    o.type = ORDER_TYPE_LIMIT;
    o.price = dec_from_int(price);
    return o;
}

static struct dec fee_of(int64_t price, int per_mille)
{
    return dec_mul_div(dec_from_int(2 * price), dec_from_int(per_mille), dec_from_int(1000));
}

static void a_limit_takes_at_its_price_or_better(void **state)
{
    (void)state;
    struct fixture s;
    open_shop(&s);
    struct order o = limit(&s, "nd-1-1", 1001);
    assert_int_equal(fixture_send(&s, &o).state, ORDER_ACKED);
    (void)fixture_minute(&s, 1000, 1002, 999, 1000); /* the ask at the open is 1001 */
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1001).e8);
    assert_int_equal(r.fills[0].fee.e8, fee_of(1001, 10).e8);
    fixture_close(&s);
}

/* Between the limit and the market nothing fills; at the touch all of it does, as a maker. */
static void a_limit_rests_until_the_market_reaches_it(void **state)
{
    (void)state;
    struct fixture s;
    open_shop(&s);
    struct order o = limit(&s, "nd-1-1", 990);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1005, 991, 1000);
    fixture_none(&s);
    fixture_reopen(&s);
    (void)fixture_minute(&s, 1000, 1005, 990, 1000);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(990).e8);
    assert_int_equal(r.fills[0].fee.e8, fee_of(990, 5).e8);
    assert_int_equal(r.fills[0].at_us, SHOP_START + s.minute * USEC_PER_MIN);
    fixture_close(&s);

    /* A bar that opens beyond it fills it at the open. */
    open_shop(&s);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1005, 991, 1000);
    (void)fixture_minute(&s, 985, 1000, 985, 990);
    r = fixture_next(&s);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(985).e8);
    assert_int_equal(r.fills[0].at_us, SHOP_START + (s.minute - 1) * USEC_PER_MIN);
    fixture_close(&s);
}

/* The high of that bar may be older than the fill, its low below the stop is not. */
static void a_bar_that_fills_a_limit_stops_it_but_reaches_no_target(void **state)
{
    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        struct fixture s;
        open_shop(&s);
        struct order o = limit(&s, "nd-1-1", 990);
        (void)fixture_send(&s, &o);
        (void)fixture_minute(&s, 1000, 1050, stops ? 979 : 989, 1000); /* the target is at 1040 */
        struct venue_report r = fixture_next(&s);
        assert_int_equal(r.fill_count, stops ? 2 : 1);
        assert_int_equal(r.fills[r.fill_count - 1].kind, stops ? ORDER_STOP : ORDER_ENTRY);
        (void)fixture_minute(&s, 1000, 1050, 990, 1000);
        assert_int_equal(s.paper.book.position_count, 0);
        fixture_close(&s);
    }
}

static void ioc_and_fok_do_not_rest(void **state)
{
    (void)state;
    static const struct {
        enum time_in_force time_in_force;
        int64_t qty; /* a level of the thin book holds one */
        int64_t price;
        enum order_state state;
        bool fills;
    } cases[] = {
        {TIF_IOC, 1, 0, ORDER_FILLED, true},       {TIF_IOC, 30, 0, ORDER_CANCELLED, true},
        {TIF_IOC, 1, 900, ORDER_CANCELLED, false}, {TIF_FOK, 1, 0, ORDER_FILLED, true},
        {TIF_FOK, 30, 0, ORDER_CANCELLED, false},  {TIF_FOK, 1, 900, ORDER_CANCELLED, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture s;
        fixture_thin_book(&s);
        struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
        o.qty = dec_from_int(cases[i].qty);
        o.time_in_force = cases[i].time_in_force;
        o.type = cases[i].price > 0 ? ORDER_TYPE_LIMIT : ORDER_TYPE_MARKET;
        o.price = dec_from_int(cases[i].price);
        assert_int_equal(fixture_send(&s, &o).state, ORDER_ACKED);
        (void)fixture_minute(&s, 1000, 1001, 850, 1000); /* beyond the limit, but later */
        struct venue_report r = fixture_next(&s);
        assert_int_equal(r.state, cases[i].state);
        assert_int_equal(r.filled_qty.e8 > 0, cases[i].fills);
        assert_int_equal(s.paper.book.open_count, 0);
        fixture_close(&s);
    }
}

static void post_only_never_takes(void **state)
{
    (void)state;
    struct fixture s;
    open_shop(&s);
    struct order o = limit(&s, "nd-1-1", 1001); /* the ask */
    o.post_only = true;
    assert_int_equal(fixture_send(&s, &o).state, ORDER_ACKED);
    (void)fixture_minute(&s, 1000, 1002, 999, 1000);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "post-only order would take");
    o = limit(&s, "nd-1-2", 1000);
    o.post_only = true;
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1002, 999, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1000).e8);
    assert_int_equal(r.fills[0].fee.e8, fee_of(1000, 5).e8);
    fixture_close(&s);
}

static void a_close_may_be_a_limit(void **state)
{
    (void)state;
    struct fixture s;
    open_shop(&s);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    o.target = dec_from_int(2000);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1002, 999, 1000);
    assert_int_equal(fixture_next(&s).state, ORDER_FILLED);
    o = fixture_closing(&s, "nd-1-2", SIDE_LONG);
    o.type = ORDER_TYPE_LIMIT;
    o.time_in_force = TIF_IOC;
    o.reduce_only = true;
    o.price = dec_from_int(1010);
    assert_int_equal(fixture_send(&s, &o).state, ORDER_CANCELLED); /* the bid is 999 */
    o = fixture_closing(&s, "nd-1-3", SIDE_LONG);
    o.type = ORDER_TYPE_LIMIT;
    o.price = dec_from_int(1010);
    assert_int_equal(fixture_send(&s, &o).state, ORDER_ACKED);
    (void)fixture_minute(&s, 1000, 1010, 999, 1000);
    struct venue_report r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_FILLED);
    assert_int_equal(r.fills[0].price.e8, dec_from_int(1010).e8);
    fixture_close(&s);
}

static void what_it_does_not_support_is_rejected(void **state)
{
    (void)state;
    const struct dec price = dec_from_int(1000);
    const struct {
        struct order order;
        const char *reason;
    } cases[] = {
        {{.type = ORDER_TYPE_STOP, .price = price}, "stop orders are not supported"},
        {{.time_in_force = TIF_DAY}, "day orders are not supported"},
        {{.type = ORDER_TYPE_LIMIT}, "limit without a price"},
        {{.price = price}, "market order with a price"},
        {{.type = ORDER_TYPE_LIMIT, .price = {100000500000}},
         "price is not a multiple of the tick"},
        {{.post_only = true}, "post-only orders must rest"},
        {{.type = ORDER_TYPE_LIMIT, .price = price, .post_only = true, .time_in_force = TIF_IOC},
         "post-only orders must rest"},
        {{.reduce_only = true}, "reduce-only opens nothing"},
    };
    struct fixture s;
    open_shop(&s);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char id[CLIENT_ID_SIZE];
        (void)snprintf(id, sizeof(id), "nd-1-%zu", i);
        struct order o = fixture_entry(&s, id, SIDE_LONG);
        o.type = cases[i].order.type;
        o.time_in_force = cases[i].order.time_in_force;
        o.price = cases[i].order.price;
        o.post_only = cases[i].order.post_only;
        o.reduce_only = cases[i].order.reduce_only;
        struct venue_report r = fixture_send(&s, &o);
        assert_int_equal(r.state, ORDER_REJECTED);
        assert_string_equal(r.reason, cases[i].reason);
    }
    fixture_close(&s);
}

/* Also what one level of the book holds: a level of 1,000 at 1,000 has three lots of 0.3. */
static void quantities_are_lots(void **state)
{
    (void)state;
    struct fixture s;
    fixture_thin_book(&s);
    s.settings.lot = dec_from_double(0.3);
    fixture_reopen(&s);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
    struct venue_report r = fixture_send(&s, &o);
    assert_int_equal(r.state, ORDER_REJECTED);
    assert_string_equal(r.reason, "size is not a multiple of the lot");
    o = fixture_entry(&s, "nd-1-2", SIDE_LONG);
    o.qty = dec_from_int(30);
    o.target = dec_from_int(2000);
    o.target_away = dec_from_int(1000);
    (void)fixture_send(&s, &o);
    (void)fixture_minute(&s, 1000, 1001, 999, 1000);
    r = fixture_next(&s);
    assert_int_equal(r.state, ORDER_PARTIAL);
    assert_int_equal(r.filled_qty.e8 % s.settings.lot.e8, 0);
    struct quote quote;
    assert_true(venue_quote(&s.paper.venue, fixture_btc, &quote));
    assert_int_equal(quote.bid_qty.e8, dec_from_double(0.9).e8);
    fixture_close(&s);
}

/* Two at 1001, of which 1 % stays with the venue: what is left is a multiple of the lot. */
static void a_fee_may_be_taken_from_the_coins(void **state)
{
    (void)state;
    static const int64_t lots[] = {0, 15 * DEC_ONE / 1000};
    for (size_t i = 0; i < COUNT_OF(lots); i++) {
        struct fixture s;
        open_shop(&s);
        s.settings.fee_in_coins = true;
        s.settings.lot = (struct dec){lots[i]};
        fixture_reopen(&s);
        (void)fixture_minute(&s, 1000, 1001, 999, 1000);
        struct order o = fixture_entry(&s, "nd-1-1", SIDE_LONG);
        o.qty = dec_from_double(1.995);
        struct dec cash = s.paper.book.cash;
        (void)fixture_send(&s, &o);
        (void)fixture_minute(&s, 1000, 1002, 999, 1000);
        struct venue_report r = fixture_next(&s);
        struct dec kept = dec_from_double(lots[i] == 0 ? 1.97505 : 1.965);
        assert_int_equal(r.state, ORDER_FILLED);
        assert_int_equal(r.filled_qty.e8, kept.e8);
        assert_int_equal(r.fills[0].qty.e8, kept.e8);
        assert_int_equal(s.paper.book.positions[0].qty.e8, kept.e8);
        struct dec paid = dec_mul(r.fills[0].price, o.qty);
        assert_int_equal(dec_add(dec_mul(r.fills[0].price, kept), r.fills[0].fee).e8, paid.e8);
        assert_int_equal(s.paper.book.cash.e8, dec_sub(cash, paid).e8);
        o = fixture_closing(&s, "nd-1-2", SIDE_LONG);
        o.qty = kept;
        r = fixture_send(&s, &o);
        assert_int_equal(r.state, ORDER_FILLED);
        assert_int_equal(
            r.fills[0].fee.e8,
            dec_mul_div(dec_mul(r.fills[0].price, kept), dec_from_int(1), dec_from_int(100)).e8);
        assert_int_equal(s.paper.book.position_count, 0);
        fixture_close(&s);
    }
}

UNIT_GROUP(paper_terms, cmocka_unit_test(a_limit_takes_at_its_price_or_better),
           cmocka_unit_test(a_limit_rests_until_the_market_reaches_it),
           cmocka_unit_test(a_bar_that_fills_a_limit_stops_it_but_reaches_no_target),
           cmocka_unit_test(ioc_and_fok_do_not_rest), cmocka_unit_test(post_only_never_takes),
           cmocka_unit_test(a_close_may_be_a_limit), cmocka_unit_test(quantities_are_lots),
           cmocka_unit_test(a_fee_may_be_taken_from_the_coins),
           cmocka_unit_test(what_it_does_not_support_is_rejected))
