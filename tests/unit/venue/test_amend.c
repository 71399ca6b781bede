/*
 * Stops that the venue moves, at the fakes of the venues that can: each outcome of the request,
 * also those that are not known, and what a start finds after a kill in between.
 */
#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

#include <string.h>

static const struct {
    const char *venue;
    struct symbol symbol;
    const char *before; /* coins, and room for requests */
    const char *qty, *old, *moved;
    const char *through; /* the market */
} cases[] = {
    {"kraken",
     {.name = "BTC-USD"},
     "limits 1000 1000 1000 1000\nbalance BTC 1",
     "0.5",
     "50000.1",
     "51000.2",
     "61000"},
    {"alpaca",
     {.name = "AAPL-USD"},
     "session open\nlimits 100000\nbalance AAPL 10",
     "5",
     "150.01",
     "160.02",
     "210"},
};
#define ALPACA 1

static void open_at(struct gateway_rig *rig, size_t i)
{
    gateway_rig_prepare(rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
    gateway_rig_start(rig);
    gateway_rig_protect(rig, "nd-1-5", cases[i].qty, cases[i].old);
}

static struct dec dec_of(const char *text)
{
    struct dec ret;
    assert_true(dec_parse(str_c(text), &ret));
    return ret;
}

static void amend(struct gateway_rig *rig, const char *stop)
{
    struct gateway_call call = {.kind = GATEWAY_AMEND, .stop = dec_of(stop)};
    (void)str_copy(STR_LIT("nd-1-5"), call.question.client_id, sizeof(call.question.client_id));
    gateway_rig_do(rig, &call);
}

/* Asks as the engine does, until it is answered: what rests there? */
static struct venue_report ask(struct gateway_rig *rig)
{
    struct gateway_call call = {.kind = GATEWAY_QUERY,
                                .question = {.kind = ORDER_STOP, .side = SIDE_LONG}};
    call.question.symbol = rig->symbols[0];
    (void)str_copy(STR_LIT("nd-1-5"), call.question.client_id, sizeof(call.question.client_id));
    int before = rig->orders;
    gateway_rig_do(rig, &call);
    gateway_rig_await_orders(rig, before + 1);
    return rig->order;
}

static void assert_rests(struct gateway_rig *rig, const char *stop)
{
    const struct venue_report r = ask(rig);
    assert_string_equal(r.client_id, "nd-1-5");
    assert_int_equal(r.state, ORDER_ACKED);
    assert_int_equal(r.stop.e8, dec_of(stop).e8);
}

/* Some venues take a moment, in which the old price may be told. */
static void assert_comes_to_rest(struct gateway_rig *rig, const char *stop)
{
    int64_t since_us = clock_mono_us(clock_real());
    while (ask(rig).stop.e8 != dec_of(stop).e8 &&
           clock_mono_us(clock_real()) - since_us < 30 * USEC_PER_SEC) {}
    assert_rests(rig, stop);
}

static void move_back(struct gateway_rig *rig, size_t i)
{
    amend(rig, cases[i].old);
    assert_comes_to_rest(rig, cases[i].old);
}

static void it_is_moved_in_one_request(struct gateway_rig *rig, size_t i)
{
    assert_int_equal(rig->order.stop.e8, dec_of(cases[i].old).e8);
    amend(rig, cases[i].moved);
    amend(rig, cases[i].moved); /* the same while it is under way */
    assert_comes_to_rest(rig, cases[i].moved);
    assert_int_equal(gateway_rig_requests(rig, "amend"), 1);
    move_back(rig, i); /* from where it rests now */
    assert_int_equal(gateway_rig_requests(rig, "amend"), 2);
    assert_int_equal(gateway_rig_requests(rig, "cancel"), 0);
    assert_int_equal(rig->refusals, 0);
}

static void what_is_not_known_is_asked_for(struct gateway_rig *rig, size_t i)
{
    static const struct {
        const char *fault;
        bool done;
    } faults[] = {
        {"fault amend 1 lost-after", true},
        {"fault amend 1 lost-before", false},
        {"fault amend 1 unknown-after", true},
        {"fault amend 1 truncated", true},
    };
    for (size_t f = 0; f < COUNT_OF(faults); f++) {
        int64_t before = gateway_rig_requests(rig, "amend");
        int unanswered = rig->unanswered;
        gateway_rig_fake(rig, faults[f].fault);
        amend(rig, cases[i].moved);
        gateway_rig_await_count(rig, &rig->unanswered, unanswered + 1);
        if (faults[f].done) {
            assert_comes_to_rest(rig, cases[i].moved);
            assert_int_equal(gateway_rig_requests(rig, "amend"), before + 1);
            move_back(rig, i);
        } else {
            assert_rests(rig, cases[i].old);
            assert_int_equal(gateway_rig_requests(rig, "amend"), before);
        }
    }
}

static void a_price_through_the_market_is_refused(struct gateway_rig *rig, size_t i)
{
    amend(rig, cases[i].through);
    gateway_rig_await_count(rig, &rig->refusals, 1);
    assert_int_equal(rig->refusal.stop.e8, dec_of(cases[i].through).e8);
    assert_int_equal(rig->refusal.current_stop.e8, dec_of(cases[i].old).e8);
    assert_true(strlen(rig->refusal.reason) > 0);
    assert_rests(rig, cases[i].old);
}

/* Limits and maintenance: it rests as before, and nothing is said about it. */
static void what_cannot_be_done_for_now_leaves_it(struct gateway_rig *rig, size_t i)
{
    int refusals = rig->refusals;
    gateway_rig_fake(rig, "fault amend * limited");
    amend(rig, cases[i].moved);
    gateway_rig_pass(rig, 8); /* beyond the deadline */
    gateway_rig_fake(rig, "forget faults\nforget violations");
    gateway_rig_pass(rig, 60); /* as long as the venue wants */
    assert_rests(rig, cases[i].old);
    assert_int_equal(rig->refusals, refusals);
    amend(rig, cases[i].moved);
    assert_comes_to_rest(rig, cases[i].moved);
}

static void one_that_has_filled_is_reported(struct gateway_rig *rig, size_t i)
{
    gateway_rig_fake(rig, "fault amend 1 fill-first");
    amend(rig, cases[i].old);
    while (rig->order.state != ORDER_FILLED) {
        gateway_rig_await_orders(rig, rig->orders + 1);
    }
    assert_int_equal(rig->order.filled_qty.e8, dec_of(cases[i].qty).e8);
}

static void each_outcome_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_at(&rig, i);
        it_is_moved_in_one_request(&rig, i);
        what_is_not_known_is_asked_for(&rig, i);
        a_price_through_the_market_is_refused(&rig, i);
        what_cannot_be_done_for_now_leaves_it(&rig, i);
        one_that_has_filled_is_reported(&rig, i);
        gateway_rig_close(&rig);
    }
}

static void a_start_finds_what_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_at(&rig, i);
        gateway_rig_fake(&rig, "fault amend 1 delay-after 600");
        amend(&rig, cases[i].moved);
        gateway_rig_await(&rig, "/requests/amend", "1");
        gateway_rig_kill(&rig);
        gateway_rig_start(&rig);
        assert_comes_to_rest(&rig, cases[i].moved);
        assert_int_equal(gateway_rig_requests(&rig, "amend"), 1);
        gateway_rig_close(&rig);
    }
}

/* ---------------------------------------------------------------- a new order in place of the old
 */

static void a_change_under_way_is_not_repeated(struct gateway_rig *rig)
{
    gateway_rig_fake(rig, "replace-after 30");
    amend(rig, cases[ALPACA].moved);
    for (int i = 0; i < 3; i++) {
        assert_rests(rig, cases[ALPACA].old);
        amend(rig, cases[ALPACA].moved); /* the engine repeats it */
    }
    assert_rests(rig, cases[ALPACA].old);
    assert_int_equal(gateway_rig_requests(rig, "amend"), 1);
    gateway_rig_pass(rig, 31);
    assert_comes_to_rest(rig, cases[ALPACA].moved);
    assert_int_equal(rig->refusals, 0);
}

static void a_change_that_is_taken_and_not_done_is_refused(struct gateway_rig *rig)
{
    gateway_rig_fake(rig, "replace-after 0.1\nrefuse-replace 1");
    amend(rig, cases[ALPACA].old);
    while (rig->refusals == 0) {
        (void)ask(rig);
    }
    assert_int_equal(rig->refusal.stop.e8, dec_of(cases[ALPACA].old).e8);
    assert_rests(rig, cases[ALPACA].moved);
}

static void the_new_order_is_ours(struct gateway_rig *rig)
{
    gateway_rig_do(rig, &(struct gateway_call){.kind = GATEWAY_LIST, .ask_id = 1});
    gateway_rig_await_count(rig, &rig->listings, 1);
    assert_int_equal(rig->listing.open_count, 1);
    assert_string_equal(rig->listing.open[0], "nd-1-5");
    struct gateway_call cancel = {.kind = GATEWAY_CANCEL};
    (void)str_copy(STR_LIT("nd-1-5"), cancel.question.client_id, sizeof(cancel.question.client_id));
    gateway_rig_do(rig, &cancel);
    gateway_rig_await(rig, "/orders/1/state", "cancelled");
    while (rig->order.state != ORDER_CANCELLED) {
        gateway_rig_await_orders(rig, rig->orders + 1);
    }
}

static void another_order_takes_the_place(void **state)
{
    (void)state;
    struct gateway_rig rig;
    if (!fake_venue_available()) {
        return;
    }
    open_at(&rig, ALPACA);
    a_change_under_way_is_not_repeated(&rig);
    a_change_that_is_taken_and_not_done_is_refused(&rig);
    the_new_order_is_ours(&rig);
    gateway_rig_close(&rig);
}

/* Coins are not amended, parts of shares not by the venue: both stops are replaced. */
static void what_cannot_be_moved_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct symbol symbol;
        const char *coins, *qty, *old, *moved;
    } stops[] = {{{.name = "BTC-USD"}, "balance BTC 1", "0.5", "50000", "51000"},
                 {{.name = "AAPL-USD"}, "session open\nbalance AAPL 10", "2.5", "150", "160"}};
    for (size_t i = 0; i < COUNT_OF(stops) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, "alpaca", &stops[i].symbol, 1, stops[i].coins);
        gateway_rig_start(&rig);
        gateway_rig_protect(&rig, "nd-1-5", stops[i].qty, stops[i].old);
        amend(&rig, stops[i].moved);
        gateway_rig_await_count(&rig, &rig.refusals, 1);
        assert_int_equal(rig.refusal.current_stop.e8, dec_of(stops[i].old).e8);
        gateway_rig_close(&rig);
    }
}

UNIT_GROUP(amend, cmocka_unit_test(each_outcome_is_told),
           cmocka_unit_test(a_start_finds_what_rests),
           cmocka_unit_test(another_order_takes_the_place),
           cmocka_unit_test(what_cannot_be_moved_is_refused))
