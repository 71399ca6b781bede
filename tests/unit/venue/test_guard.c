/*
 * The dead man's switch of the venues that have one, at their fakes: armed while an order of ours
 * rests, renewed, disarmed; without us the venue cancels what rests.
 */
#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

#include <string.h>

static const struct {
    const char *venue;
    struct symbol symbol;
    const char *armed; /* in the fake's list of switches */
    const char *qty, *price;
    const char *before, *foreign;
} cases[] = {
    {"kraken",
     {.name = "BTC-USD"},
     "all",
     "0.01",
     "50000.1",
     "limits 1000 1000 1000 1000",
     "foreign BTC-USD buy 0.01 40000"},
    {"binance_futures",
     {.name = "BTC-USDT"},
     "BTC-USDT",
     "0.01",
     "59000.1",
     "price BTC-USDT 60000",
     "foreign BTC-USDT buy 0.01 59000"},
};

static void cancel(struct gateway_rig *rig, const char *client_id)
{
    struct gateway_call call = {.kind = GATEWAY_CANCEL};
    (void)str_copy(str_c(client_id), call.question.client_id, sizeof(call.question.client_id));
    gateway_rig_do(rig, &call);
}

static void it_is_armed_while_an_order_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        gateway_rig_pass(&rig, 41);
        gateway_rig_await(&rig, "/guards/0", ""); /* nothing rests */
        assert_int_equal(gateway_rig_requests(&rig, "guard"), 0);
        gateway_rig_rest(&rig, "nd-1-1", cases[i].qty, cases[i].price);
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        /* It is renewed: the order outlives the sixty seconds. */
        gateway_rig_pass(&rig, 90);
        assert_true(gateway_rig_requests(&rig, "guard") >= 4);
        gateway_rig_await(&rig, "/orders/0/state", "new");
        /* Another order changes nothing, and is not renewed for. */
        int64_t before = gateway_rig_requests(&rig, "guard");
        gateway_rig_rest(&rig, "nd-1-2", cases[i].qty, cases[i].price);
        cancel(&rig, "nd-1-2");
        gateway_rig_await(&rig, "/orders/1/state", "cancelled");
        assert_in_range(gateway_rig_requests(&rig, "guard"), before, before + 1);
        cancel(&rig, "nd-1-1");
        gateway_rig_await(&rig, "/orders/0/state", "cancelled");
        gateway_rig_pass(&rig, 21);
        gateway_rig_await(&rig, "/guards/0", "");
        gateway_rig_close(&rig);
    }
}

static void without_us_the_venue_cancels(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        gateway_rig_rest(&rig, "nd-1-1", cases[i].qty, cases[i].price);
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        gateway_rig_kill(&rig);
        gateway_rig_fake(&rig, "advance 55");
        gateway_rig_await(&rig, "/orders/0/state", "new");
        gateway_rig_fake(&rig, "advance 6");
        gateway_rig_await(&rig, "/orders/0/state", "cancelled");
        gateway_rig_await(&rig, "/orders/0/reason", "dead man's switch");
        gateway_rig_close(&rig);
    }
}

/* It would cancel the orders of somebody else, too. */
static void an_order_of_somebody_else_keeps_it_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        const struct gateway_call list = {.kind = GATEWAY_LIST, .ask_id = 1};
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        gateway_rig_fake(&rig, cases[i].foreign);
        gateway_rig_do(&rig, &list);
        for (int k = 0; k < 30 && rig.listings == 0; k++) {
            gateway_rig_pass(&rig, 1);
        }
        assert_int_equal(rig.listing.open_count, 1);
        gateway_rig_rest(&rig, "nd-1-1", cases[i].qty, cases[i].price);
        gateway_rig_pass(&rig, 41);
        gateway_rig_await(&rig, "/guards/0", "");
        /* Off, once: an earlier process may have left it on. */
        assert_int_equal(gateway_rig_requests(&rig, "guard"), 1);
        gateway_rig_close(&rig);
    }
}

/* The engine asks for the orders of the process before it. */
static void ask(struct gateway_rig *rig, const char *client_id)
{
    struct gateway_call call = {.kind = GATEWAY_QUERY,
                                .question = {.kind = ORDER_ENTRY, .side = SIDE_LONG}};
    call.question.symbol = rig->symbols[0];
    (void)str_copy(str_c(client_id), call.question.client_id, sizeof(call.question.client_id));
    gateway_rig_do(rig, &call);
}

static void the_next_process_goes_on_with_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        gateway_rig_rest(&rig, "nd-1-1", cases[i].qty, cases[i].price);
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        gateway_rig_kill(&rig);
        gateway_rig_start(&rig);
        ask(&rig, "nd-1-1");
        gateway_rig_pass(&rig, 90);
        gateway_rig_await(&rig, "/orders/0/state", "new");
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        gateway_rig_close(&rig);
    }
}

/* Its time would run out on the stop that rests now. */
static void one_that_was_left_on_is_switched_off_for_a_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_fake(&rig, "balance BTC 1");
        gateway_rig_start(&rig);
        gateway_rig_rest(&rig, "nd-1-1", cases[i].qty, cases[i].price);
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        gateway_rig_kill(&rig);
        gateway_rig_start(&rig);
        gateway_rig_protect(&rig, "nd-1-2", cases[i].qty, "40000");
        gateway_rig_await(&rig, "/guards/0", "");
        gateway_rig_close(&rig);
    }
}

static void a_failed_switch_is_set_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
        gateway_rig_start(&rig);
        gateway_rig_rest(&rig, "nd-1-1", cases[i].qty, cases[i].price);
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        gateway_rig_fake(&rig, "fault guard 1 unknown-before");
        cancel(&rig, "nd-1-1");
        gateway_rig_await(&rig, "/orders/0/state", "cancelled");
        gateway_rig_pass(&rig, 21);
        /* Not repeated by itself: then it might come after a newer one. */
        gateway_rig_await(&rig, "/guards/0", cases[i].armed);
        gateway_rig_pass(&rig, 21);
        gateway_rig_await(&rig, "/guards/0", "");
        gateway_rig_close(&rig);
    }
}

UNIT_GROUP(guard, cmocka_unit_test(it_is_armed_while_an_order_rests),
           cmocka_unit_test(without_us_the_venue_cancels),
           cmocka_unit_test(an_order_of_somebody_else_keeps_it_off),
           cmocka_unit_test(the_next_process_goes_on_with_it),
           cmocka_unit_test(one_that_was_left_on_is_switched_off_for_a_stop),
           cmocka_unit_test(a_failed_switch_is_set_again))
