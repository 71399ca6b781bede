/*
 * How an order is executed, by what the venue can do.
 */
#include "../../../src/engine/engine_private.h"
#include "base/check.h"
#include "report_rig.h"
#include "unit/unit.h"

#include <string.h>

static void open_at(struct report_rig *l, const struct venue_capabilities *can)
{
    report_rig_open(l);
    report_rig_start(l);
    engine_set_venue(l->engine, can);
    l->now.mono_us += USEC_PER_SEC;
}

static struct order order_at(struct report_rig *l, enum order_kind kind, enum side side)
{
    struct order o = {.symbol = report_rig_btc,
                      .kind = kind,
                      .side = side,
                      .reference_price = dec_from_double(100.07)};
    engine_terms_set(l->engine, &o);
    return o;
}

#define SETS(types, times) .order_types = (types), .times_in_force = (times)
#define MARKET             VENUE_SET(ORDER_TYPE_MARKET)
#define LIMIT              VENUE_SET(ORDER_TYPE_LIMIT)

static void the_order_is_what_the_venue_can_do(void **state)
{
    (void)state;
    static const struct {
        struct venue_capabilities can;
        enum entry_order wanted;
        enum order_kind kind;
        enum side side;
        enum order_type type;
        enum time_in_force time_in_force;
        bool post_only;
        bool reduce_only;
        double price;
    } cases[] = {
        {{VENUE_USUAL},
         ENTRY_MARKET,
         ORDER_ENTRY,
         SIDE_LONG,
         ORDER_TYPE_MARKET,
         TIF_GTC,
         false,
         false,
         0},
        {{VENUE_USUAL},
         ENTRY_MARKET,
         ORDER_CLOSE,
         SIDE_LONG,
         ORDER_TYPE_MARKET,
         TIF_GTC,
         false,
         true,
         0},
        /* A buy limit is rounded down to the tick, a sell limit up. */
        {{VENUE_USUAL},
         ENTRY_LIMIT,
         ORDER_ENTRY,
         SIDE_LONG,
         ORDER_TYPE_LIMIT,
         TIF_GTC,
         false,
         false,
         100},
        {{VENUE_USUAL},
         ENTRY_LIMIT,
         ORDER_ENTRY,
         SIDE_SHORT,
         ORDER_TYPE_LIMIT,
         TIF_GTC,
         false,
         false,
         100.5},
        {{VENUE_USUAL},
         ENTRY_POST_ONLY,
         ORDER_ENTRY,
         SIDE_LONG,
         ORDER_TYPE_LIMIT,
         TIF_GTC,
         true,
         false,
         100},
        {{VENUE_USUAL},
         ENTRY_POST_ONLY,
         ORDER_CLOSE,
         SIDE_LONG,
         ORDER_TYPE_MARKET,
         TIF_GTC,
         false,
         true,
         0},
        /* No post-only, or none that rests. */
        {{SETS(MARKET | LIMIT, VENUE_SET(TIF_DAY))},
         ENTRY_POST_ONLY,
         ORDER_ENTRY,
         SIDE_LONG,
         ORDER_TYPE_LIMIT,
         TIF_DAY,
         false,
         false,
         100},
        {{SETS(LIMIT, VENUE_SET(TIF_IOC)), .post_only = true},
         ENTRY_POST_ONLY,
         ORDER_ENTRY,
         SIDE_LONG,
         ORDER_TYPE_LIMIT,
         TIF_IOC,
         false,
         false,
         100},
        /* No limits. */
        {{SETS(MARKET, VENUE_SET(TIF_IOC))},
         ENTRY_LIMIT,
         ORDER_ENTRY,
         SIDE_LONG,
         ORDER_TYPE_MARKET,
         TIF_IOC,
         false,
         false,
         0},
        /* No market orders: a limit beyond the market, rounded away from it. */
        {{SETS(LIMIT, VENUE_SET(TIF_GTC) | VENUE_SET(TIF_IOC)), .reduce_only = true},
         ENTRY_MARKET,
         ORDER_CLOSE,
         SIDE_LONG,
         ORDER_TYPE_LIMIT,
         TIF_IOC,
         false,
         true,
         99},
        {{SETS(LIMIT, VENUE_SET(TIF_DAY))},
         ENTRY_MARKET,
         ORDER_CLOSE,
         SIDE_SHORT,
         ORDER_TYPE_LIMIT,
         TIF_DAY,
         false,
         false,
         101.5},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report_rig l;
        struct venue_capabilities can = cases[i].can;
        can.prices_in_ticks = true;
        can.instruments = true;
        open_at(&l, &can);
        l.engine->settings.entry_order = cases[i].wanted;
        report_rig_add(&l, VENUE_INSTRUMENT, "")->instrument =
            (struct instrument){.symbol = report_rig_btc, .tick = {DEC_ONE / 2}};
        report_rig_step(&l);
        struct order o = order_at(&l, cases[i].kind, cases[i].side);
        assert_int_equal(o.type, cases[i].type);
        assert_int_equal(o.time_in_force, cases[i].time_in_force);
        assert_int_equal(o.post_only, cases[i].post_only);
        assert_int_equal(o.reduce_only, cases[i].reduce_only);
        assert_int_equal(o.price.e8, dec_from_double(cases[i].price).e8);
        report_rig_close(&l);
    }
}

static struct risk_account account_of(struct report_rig *l, enum side side)
{
    struct risk_account account;
    engine_account_fill(l->engine, report_rig_eth, side, &account);
    return account;
}

static void without_shorts_and_leverage(void **state)
{
    (void)state;
    struct report_rig l;
    open_at(&l, &(struct venue_capabilities){VENUE_USUAL});
    assert_null(account_of(&l, SIDE_SHORT).venue);
    assert_true(account_of(&l, SIDE_LONG).max_leverage == 3);
    report_rig_close(&l);
    struct venue_capabilities can = {VENUE_USUAL};
    can.shorts = false;
    can.leverage = false;
    open_at(&l, &can);
    assert_null(account_of(&l, SIDE_LONG).venue);
    struct risk_account account = account_of(&l, SIDE_SHORT);
    assert_string_equal(account.venue, "unable to go short");
    assert_true(account.max_leverage == 1);
    const struct order entry = {.symbol = report_rig_eth,
                                .kind = ORDER_ENTRY,
                                .side = SIDE_SHORT,
                                .qty = {DEC_ONE},
                                .reference_price = report_rig_whole(100),
                                .stop = report_rig_whole(102),
                                .target = report_rig_whole(96)};
    struct risk_result result;
    account.state = TRADING_ACTIVE;
    assert_false(risk_check(&account, &entry, &result));
    assert_string_equal(result.code, "RISK_VENUE");
    assert_string_equal(result.text, "the venue is unable to go short");
    report_rig_close(&l);
}

/* The entry is filled at 100 at a venue that can do this. */
static void fill_at(struct report_rig *l, const struct venue_capabilities *can)
{
    open_at(l, can);
    report_rig_step(l);
    struct venue_report *r = report_rig_add_order(l, ORDER_FILLED, 10);
    r->stop = report_rig_whole(90);
    r->target = report_rig_whole(120);
    report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
    report_rig_step(l);
    report_rig_hold(report_rig_await_listing(l), report_rig_btc, 10, 100);
    report_rig_step(l);
    report_rig_bar(l, 100);
    assert_int_equal(l->snapshot->state, TRADING_ACTIVE);
}

static int closes(struct report_rig *l)
{
    engine_orders_close_symbol(l->engine, report_rig_btc, 0);
    report_rig_step_after(l, ENGINE_ASK_EVERY_US);
    return l->out->send_count;
}

/* Without reduce-only nothing is closed while the entry's fills may not all be known. */
static void without_reduce_only_a_close_waits_for_answers(void **state)
{
    (void)state;
    for (int reduces = 0; reduces < 2; reduces++) {
        struct report_rig l;
        struct venue_capabilities can = {VENUE_USUAL, .brackets = true};
        can.reduce_only = reduces;
        fill_at(&l, &can);
        struct venue_report *r = report_rig_add(&l, VENUE_NO_ANSWER, REPORT_RIG_ID);
        r->asked = VENUE_CALL_AMEND; /* the entry is asked for */
        assert_int_equal(closes(&l), reduces);
        if (!reduces) {
            r = report_rig_add_order(&l, ORDER_FILLED, 10);
            fill_id_of_number(1, r->fills_after);
            report_rig_add_fill(r, 2, ORDER_TARGET, 4, 120); /* a part is gone */
            assert_int_equal(closes(&l), 1);
        }
        const struct order *o = &l.out->orders[l.out->sends[0]];
        assert_int_equal(o->qty.e8, report_rig_whole(reduces ? 10 : 6).e8);
        assert_int_equal(o->reduce_only, reduces);
        report_rig_close(&l);
    }
}

static void a_bracket_that_cannot_be_amended_stays(void **state)
{
    (void)state;
    struct report_rig l;
    struct venue_capabilities can = {VENUE_USUAL, .brackets = true};
    can.amend = false;
    fill_at(&l, &can);
    struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
    fill_id_of_number(1, r->fills_after);
    r->stop = report_rig_whole(91); /* the venue measured it another way */
    r->target = report_rig_whole(121);
    report_rig_step(&l);
    assert_int_equal(l.out->amend_count, 0);
    assert_int_equal(l.snapshot->positions[0].stop.e8, report_rig_whole(91).e8);
    assert_int_equal(l.engine->slots[0].order.stop.e8, report_rig_whole(91).e8);
    assert_int_equal(report_rig_ask(&l, (struct request){.kind = REQUEST_AMEND,
                                                         .symbol = report_rig_btc,
                                                         .stop = report_rig_whole(95)}),
                     ERR_VENUE_AMEND);
    report_rig_close(&l);
}

/* The bracket that follows the fills is a multiple of the tick, and never further than approved. */
static void a_measured_bracket_is_in_ticks(void **state)
{
    (void)state;
    for (int ticks = 0; ticks < 2; ticks++) {
        struct report_rig l;
        report_rig_open(&l);
        l.memory->orders[0].stop_away = dec_from_double(9.7);
        l.memory->orders[0].target_away = dec_from_double(20.3);
        report_rig_start(&l);
        engine_set_venue(l.engine, &(struct venue_capabilities){VENUE_USUAL, .brackets = true,
                                                                .instruments = true,
                                                                .prices_in_ticks = ticks});
        report_rig_add(&l, VENUE_INSTRUMENT, "")->instrument =
            (struct instrument){.symbol = report_rig_btc, .tick = {DEC_ONE / 2}};
        report_rig_step(&l);
        struct venue_report *r = report_rig_add_order(&l, ORDER_FILLED, 10);
        r->stop = report_rig_whole(90);
        r->target = report_rig_whole(120);
        report_rig_add_fill(r, 1, ORDER_ENTRY, 10, 100);
        report_rig_step(&l);
        assert_int_equal(l.out->amend_count, 1);
        assert_int_equal(l.out->amends[0].stop.e8, dec_from_double(ticks ? 90.5 : 90.3).e8);
        assert_int_equal(l.out->amends[0].target.e8, dec_from_double(ticks ? 120 : 120.3).e8);
        report_rig_close(&l);
    }
}

static void an_entry_rests_as_a_limit_for_a_quarter_of_an_hour(void **state)
{
    (void)state;
    for (int limited = 0; limited < 2; limited++) {
        struct report_rig l;
        report_rig_open(&l);
        l.memory->orders[0].type = limited ? ORDER_TYPE_LIMIT : ORDER_TYPE_MARKET;
        report_rig_start(&l);
        report_rig_step_after(&l, 15 * USEC_PER_MIN - USEC_PER_SEC);
        assert_int_equal(l.out->cancel_count, 0);
        report_rig_step_after(&l, 2 * USEC_PER_SEC);
        assert_int_equal(l.out->cancel_count, limited);
        report_rig_close(&l);
    }
}

/* Outside regular hours there are limits only. */
static void a_market_order_becomes_a_limit_in_extended_hours(void **state)
{
    static const struct {
        enum order_kind kind;
        enum side side;
        double bid, ask; /* 0: no quote */
        double price;
    } cases[] = {
        {ORDER_ENTRY, SIDE_LONG, 0, 0, 101.5},
        {ORDER_ENTRY, SIDE_LONG, 90, 110, 101.5}, /* an entry goes no further */
        {ORDER_CLOSE, SIDE_LONG, 0, 0, 99},
        {ORDER_CLOSE, SIDE_LONG, 99.5, 101, 99},
        {ORDER_CLOSE, SIDE_LONG, 97, 103, 97}, /* the best that it can be sold at */
        {ORDER_CLOSE, SIDE_LONG, 50, 150, 95}, /* but not for any price */
        {ORDER_CLOSE, SIDE_SHORT, 50, 150, 105.5},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct report_rig l;
        open_at(&l, &(struct venue_capabilities){VENUE_USUAL, .prices_in_ticks = true,
                                                 .instruments = true});
        report_rig_add(&l, VENUE_INSTRUMENT, "")->instrument =
            (struct instrument){.symbol = report_rig_btc,
                                .tick = {DEC_ONE / 2},
                                .limits_only = true,
                                .hours_change_wall_us = 77};
        report_rig_step(&l);
        assert_int_equal(l.snapshot->venue.hours, VENUE_HOURS_EXTENDED);
        assert_int_equal(l.snapshot->venue.hours_change_wall_us, 77);
        struct quote quote = {.symbol = report_rig_btc,
                              .bid = dec_from_double(cases[i].bid),
                              .ask = dec_from_double(cases[i].ask)};
        struct engine_inputs inputs = {.quotes = &quote, .quote_count = cases[i].bid > 0};
        l.engine->in = &inputs;
        struct order o = order_at(&l, cases[i].kind, cases[i].side);
        l.engine->in = NULL;
        assert_int_equal(o.type, ORDER_TYPE_LIMIT);
        assert_int_equal(o.time_in_force, TIF_GTC);
        assert_int_equal(o.price.e8, dec_from_double(cases[i].price).e8);
        report_rig_close(&l);
    }
}

static void report_hours(struct report_rig *l, enum instrument_status status, bool limits_only)
{
    report_rig_add(l, VENUE_INSTRUMENT, "")->instrument =
        (struct instrument){.symbol = report_rig_btc,
                            .status = status,
                            .step = report_rig_whole(3),
                            .limits_only = limits_only,
                            .hours_change_wall_us = 77};
    report_rig_step(l);
}

/* A close waits for its market to open; when limits are traded before that, it becomes one. One
 * that is not filled is made again, at the newest price. */
static void a_close_is_made_again_while_it_does_not_fill(void **state)
{
    (void)state;
    struct report_rig l;
    struct venue_capabilities can = {VENUE_USUAL, .brackets = true, .instruments = true};
    fill_at(&l, &can);
    report_hours(&l, INSTRUMENT_CLOSED, false);
    assert_int_equal(l.snapshot->venue.hours, VENUE_HOURS_CLOSED);
    assert_int_equal(closes(&l), 1);
    const struct order first = l.out->orders[l.out->sends[0]];
    assert_int_equal(first.type, ORDER_TYPE_MARKET);
    struct venue_report *r = report_rig_add(&l, VENUE_ORDER, first.client_id);
    r->state = ORDER_ACKED;
    report_rig_step(&l);
    report_rig_step_after(&l, 2 * USEC_PER_MIN);
    assert_int_equal(l.out->cancel_count, 0);
    report_hours(&l, INSTRUMENT_TRADING, true);
    assert_int_equal(l.out->cancel_count, 1);
    assert_string_equal(l.out->cancels[0], first.client_id);
    report_rig_add(&l, VENUE_ORDER, first.client_id)->state = ORDER_CANCELLED;
    report_rig_step(&l);
    report_rig_hold(report_rig_await_listing(&l), report_rig_btc, 10, 100);
    report_rig_step(&l);
    assert_int_equal(l.out->send_count, 1);
    const struct order second = l.out->orders[l.out->sends[0]];
    assert_int_equal(second.type, ORDER_TYPE_LIMIT);
    assert_int_equal(second.qty.e8, report_rig_whole(9).e8); /* of 10, in steps of 3 */
    report_rig_add(&l, VENUE_ORDER, second.client_id)->state = ORDER_ACKED;
    report_rig_step(&l);
    report_rig_step_after(&l, 50 * USEC_PER_SEC);
    assert_int_equal(l.out->cancel_count, 0);
    report_rig_step_after(&l, 15 * USEC_PER_SEC);
    assert_int_equal(l.out->cancel_count, 1);
    report_rig_close(&l);
}

/* It would be filled when its exchange opens again, at any price. */
static void an_entry_does_not_wait_for_its_exchange(void **state)
{
    (void)state;
    struct report_rig l;
    report_rig_open(&l);
    report_rig_start(&l);
    engine_set_venue(l.engine, &(struct venue_capabilities){VENUE_USUAL, .instruments = true});
    report_rig_step(&l);
    assert_int_equal(l.out->cancel_count, 0);
    report_hours(&l, INSTRUMENT_CLOSED, false);
    assert_int_equal(l.out->cancel_count, 1);
    assert_string_equal(account_of(&l, SIDE_LONG).venue == NULL ? "" : "the venue's",
                        "the venue's");
    report_rig_close(&l);
}

/* A person's price is not moved to the tick: it would not be the confirmed one. */
static void an_amendment_between_two_ticks_is_refused(void **state)
{
    (void)state;
    for (int ticks = 0; ticks < 2; ticks++) {
        struct report_rig l;
        report_rig_open(&l);
        report_rig_start(&l);
        engine_set_venue(l.engine, &(struct venue_capabilities){VENUE_USUAL, .brackets = true,
                                                                .instruments = true,
                                                                .prices_in_ticks = ticks});
        report_rig_add(&l, VENUE_INSTRUMENT, "")->instrument =
            (struct instrument){.symbol = report_rig_btc, .tick = {DEC_ONE / 2}};
        report_rig_add_fill(report_rig_add_order(&l, ORDER_FILLED, 10), 1, ORDER_ENTRY, 10, 100);
        report_rig_step(&l);
        struct request r = {.kind = REQUEST_AMEND, .symbol = report_rig_btc};
        r.stop = dec_from_double(95.3);
        assert_int_equal(report_rig_ask(&l, r), ticks ? ERR_ENGINE_AMEND : ERR_NONE);
        r.stop = dec_from_double(95.5);
        assert_int_equal(report_rig_ask(&l, r), ERR_NONE);
        r.target = dec_from_double(110.2);
        assert_int_equal(report_rig_ask(&l, r), ticks ? ERR_ENGINE_AMEND : ERR_NONE);
        report_rig_close(&l);
    }
}

UNIT_GROUP(engine_terms, cmocka_unit_test(a_market_order_becomes_a_limit_in_extended_hours),
           cmocka_unit_test(a_close_is_made_again_while_it_does_not_fill),
           cmocka_unit_test(an_entry_does_not_wait_for_its_exchange),
           cmocka_unit_test(an_amendment_between_two_ticks_is_refused),
           cmocka_unit_test(the_order_is_what_the_venue_can_do),
           cmocka_unit_test(without_shorts_and_leverage),
           cmocka_unit_test(without_reduce_only_a_close_waits_for_answers),
           cmocka_unit_test(a_bracket_that_cannot_be_amended_stays),
           cmocka_unit_test(a_measured_bracket_is_in_ticks),
           cmocka_unit_test(an_entry_rests_as_a_limit_for_a_quarter_of_an_hour))
