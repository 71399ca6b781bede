/*
 * Stops that the venue moves, at the fakes of the venues that can: each outcome of the request, also
 * those that are not known, and what a start finds after a kill in between.
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
    const char *through; /* the market is at 60000 */
} cases[] = {
    {"kraken",
     {.name = "BTC-USD"},
     "limits 1000 1000 1000 1000\nbalance BTC 1",
     "0.5",
     "50000.1",
     "51000.2",
     "61000"},
};

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

static void a_stop_is_moved_in_one_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_at(&rig, i);
        assert_int_equal(rig.order.stop.e8, dec_of(cases[i].old).e8);
        amend(&rig, cases[i].moved);
        amend(&rig, cases[i].moved); /* the same while it is under way */
        while (rig.order.stop.e8 != dec_of(cases[i].moved).e8) {
            gateway_rig_await_orders(&rig, rig.orders + 1);
        }
        assert_int_equal(rig.order.state, ORDER_ACKED);
        assert_int_equal(gateway_rig_requests(&rig, "amend"), 1);
        assert_int_equal(gateway_rig_requests(&rig, "cancel"), 0);
        assert_rests(&rig, cases[i].moved);
        gateway_rig_close(&rig);
    }
}

static void an_outcome_that_is_not_known_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *fault;
        bool done;
    } faults[] = {
        {"fault amend 1 lost-after", true},
        {"fault amend 1 lost-before", false},
        {"fault amend 1 unknown-after", true},
        {"fault amend 1 truncated", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        for (size_t f = 0; f < COUNT_OF(faults); f++) {
            struct gateway_rig rig;
            open_at(&rig, i);
            gateway_rig_fake(&rig, faults[f].fault);
            amend(&rig, cases[i].moved);
            gateway_rig_await_count(&rig, &rig.unanswered, 1);
            assert_rests(&rig, faults[f].done ? cases[i].moved : cases[i].old);
            assert_int_equal(gateway_rig_requests(&rig, "amend"), faults[f].done);
            gateway_rig_close(&rig);
        }
    }
}

static void a_price_through_the_market_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_at(&rig, i);
        amend(&rig, cases[i].through);
        gateway_rig_await_count(&rig, &rig.refusals, 1);
        assert_int_equal(rig.refusal.stop.e8, dec_of(cases[i].through).e8);
        assert_int_equal(rig.refusal.current_stop.e8, dec_of(cases[i].old).e8);
        assert_true(strlen(rig.refusal.reason) > 0);
        assert_rests(&rig, cases[i].old);
        gateway_rig_close(&rig);
    }
}

static void a_stop_that_has_filled_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_at(&rig, i);
        gateway_rig_fake(&rig, "fault amend 1 fill-first");
        amend(&rig, cases[i].moved);
        while (rig.order.state != ORDER_FILLED) {
            gateway_rig_await_orders(&rig, rig.orders + 1);
        }
        assert_int_equal(rig.order.filled_qty.e8, dec_of(cases[i].qty).e8);
        assert_int_equal(rig.refusals, 0);
        gateway_rig_close(&rig);
    }
}

/* Limits and maintenance: it rests as before, and nothing is said about it. */
static void what_cannot_be_done_for_now_leaves_the_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_at(&rig, i);
        gateway_rig_fake(&rig, "fault amend * limited");
        amend(&rig, cases[i].moved);
        gateway_rig_pass(&rig, 8); /* beyond the deadline */
        assert_int_equal(rig.refusals, 0);
        gateway_rig_fake(&rig, "forget faults\nforget violations");
        gateway_rig_pass(&rig, 60); /* as long as the venue wants */
        assert_rests(&rig, cases[i].old);
        amend(&rig, cases[i].moved);
        while (rig.order.stop.e8 != dec_of(cases[i].moved).e8) {
            gateway_rig_await_orders(&rig, rig.orders + 1);
        }
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
        const struct venue_report r = ask(&rig);
        AUTO_JSON struct json_object *there = fake_venue_state(rig.fake);
        assert_int_equal(
            r.stop.e8,
            dec_of(json_object_get_string(json_at(there, "/orders/0/stop_price"))).e8);
        assert_int_equal(r.state, ORDER_ACKED);
        gateway_rig_close(&rig);
    }
}

UNIT_GROUP(amend, cmocka_unit_test(a_stop_is_moved_in_one_request),
           cmocka_unit_test(an_outcome_that_is_not_known_is_asked_for),
           cmocka_unit_test(a_price_through_the_market_is_refused),
           cmocka_unit_test(a_stop_that_has_filled_is_reported),
           cmocka_unit_test(what_cannot_be_done_for_now_leaves_the_stop),
           cmocka_unit_test(a_start_finds_what_rests))
