/*
 * Signatures that are made before their orders, at Coinbase.
 */
#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

#include <string.h>

static const struct symbol symbol = {.name = "BTC-USD"};
static int (*real_sign)(const struct account_key *key, const struct account_moment *moment,
                        struct account_request *request, struct err *err);
static int signed_orders; /* signatures of the path of orders */

static int sign(const struct account_key *key, const struct account_moment *moment,
                struct account_request *request, struct err *err)
{
    signed_orders += request->method == ACCOUNT_POST &&
                     strcmp(request->path.data, account_api_find("coinbase")->order_path) == 0;
    return real_sign(key, moment, request, err);
}

#define AHEAD 2 /* as many as may come at once */

static void open_rig(struct gateway_rig *rig)
{
    gateway_rig_prepare(rig, "coinbase", &symbol, 1, NULL);
    real_sign = rig->api.sign;
    rig->api.sign = sign;
    signed_orders = 0;
    gateway_rig_start(rig);
    gateway_rig_pass(rig, 1);
    assert_int_equal(signed_orders, AHEAD);
}

static void send_order(struct gateway_rig *rig, const char *client_id)
{
    struct gateway_call call = {.kind = GATEWAY_SEND,
                                .order = {.symbol = symbol,
                                          .kind = ORDER_ENTRY,
                                          .side = SIDE_LONG,
                                          .type = ORDER_TYPE_LIMIT,
                                          .qty = dec_from_double(0.01),
                                          .price = dec_from_int(50000)}};
    (void)str_copy(str_c(client_id), call.order.client_id, sizeof(call.order.client_id));
    gateway_rig_do(rig, &call);
}

/* The fake refuses a token that was used before. */
static void an_order_finds_its_signature_made(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    open_rig(&rig);
    send_order(&rig, "nd-1-1");
    assert_int_equal(signed_orders, AHEAD);
    gateway_rig_await_orders(&rig, 1);
    assert_int_equal(signed_orders, AHEAD + 1); /* of the next one */
    send_order(&rig, "nd-1-2");
    send_order(&rig, "nd-1-3");
    assert_int_equal(signed_orders, AHEAD + 1);
    send_order(&rig, "nd-1-4"); /* at the same time: it needs one of its own */
    assert_int_equal(signed_orders, AHEAD + 2);
    gateway_rig_await_orders(&rig, 4);
    gateway_rig_await(&rig, "/orders/3/state", "new");
    gateway_rig_close(&rig);
}

static void a_signature_is_renewed(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    open_rig(&rig);
    gateway_rig_pass(&rig, 20);
    assert_int_equal(signed_orders, AHEAD);
    gateway_rig_pass(&rig, 20);
    assert_int_equal(signed_orders, 2 * AHEAD);
    gateway_rig_close(&rig);
}

/* Its times are the venue's. */
static void it_does_not_matter_if_the_clock_is_set(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    static const int64_t moves_us[] = {-2 * USEC_PER_MIN, 4 * USEC_PER_MIN};
    struct gateway_rig rig;
    open_rig(&rig);
    for (size_t i = 0; i < COUNT_OF(moves_us); i++) {
        int before = signed_orders;
        clock_fake_jump_wall(&rig.clock, moves_us[i]);
        send_order(&rig, i == 0 ? "nd-1-1" : "nd-1-2");
        assert_int_equal(signed_orders, before);
        gateway_rig_pass(&rig, 40);
        gateway_rig_await(&rig, i == 0 ? "/orders/0/state" : "/orders/1/state", "new");
    }
    gateway_rig_close(&rig);
}

UNIT_GROUP(signatures, cmocka_unit_test(an_order_finds_its_signature_made),
           cmocka_unit_test(a_signature_is_renewed),
           cmocka_unit_test(it_does_not_matter_if_the_clock_is_set))
