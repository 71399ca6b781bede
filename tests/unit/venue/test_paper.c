#include "store/trading.h"
#include "unit/unit.h"
#include "venue/paper.h"

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
    paper_init(&s->paper, &s->settings);
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
    return paper_minute(&s->paper, &bar, 1, &err);
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
    venue_query(&s->paper.venue, id);
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
    struct venue_report r = open_long(&s);
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
    (void)next(&s);
    (void)minute(&s, 1000, 1001, 999, 1000);
    assert_int_equal(next(&s).state, ORDER_REJECTED);
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
    venue_list(&s.paper.venue, 44);
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

UNIT_GROUP(paper, cmocka_unit_test(an_entry_fills_at_the_next_open),
           cmocka_unit_test(brackets_by_the_stated_rule), cmocka_unit_test(a_short_is_the_mirror),
           cmocka_unit_test(a_close_fills_at_once_and_only_reduces),
           cmocka_unit_test(a_client_id_counts_once), cmocka_unit_test(refuses_what_it_cannot_do),
           cmocka_unit_test(cancels_what_rests), cmocka_unit_test(knows_itself_after_a_crash),
           cmocka_unit_test(a_full_disk_changes_nothing))
