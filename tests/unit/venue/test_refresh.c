/*
 * What a gateway learns only by asking again: that a symbol trades again, and that the venue limits
 * requests when the first of a process is for its clock.
 */
#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

#include <string.h>

static const struct {
    const char *venue;
    struct symbol symbol;
    const char *status;
} cases[] = {
    {"binance_futures", {.name = "BTC-USDT"}, "cancel_only"},
    {"kraken", {.name = "BTC-USD"}, "delisted"},
    {"coinbase", {.name = "BTC-USD"}, "halted"},
};

static void a_symbol_that_trades_again_is_traded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        char text[64];
        (void)snprintf(text, sizeof(text), "market %s %s", cases[i].symbol.name, cases[i].status);
        gateway_rig_prepare(&rig, cases[i].venue, &cases[i].symbol, 1, text);
        gateway_rig_start(&rig);
        assert_int_not_equal(rig.rules[0].status, INSTRUMENT_TRADING);
        gateway_rig_pass(&rig, 70);
        assert_int_not_equal(rig.rules[0].status, INSTRUMENT_TRADING);
        (void)snprintf(text, sizeof(text), "market %s trading", cases[i].symbol.name);
        gateway_rig_fake(&rig, text);
        gateway_rig_pass(&rig, 70);
        assert_int_equal(rig.rules[0].status, INSTRUMENT_TRADING);
        /* Then once a day is enough. */
        int64_t asked = gateway_rig_requests(&rig, "rules");
        gateway_rig_pass(&rig, 70);
        assert_int_equal(gateway_rig_requests(&rig, "rules"), asked);
        gateway_rig_close(&rig);
    }
}

/* Kraken refuses all for one that it lacks, so each is asked for alone. */
static void rules_take_a_part_of_the_limit(void **state)
{
    (void)state;
    static const struct symbol symbols[] = {
        {.name = "BTC-USD"}, {.name = "ETH-USD"}, {.name = "SOL-USD"}, {.name = "NONE-USD"}};
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    gateway_rig_prepare(&rig, "kraken", symbols, COUNT_OF(symbols), "limits 1000 1000 1000 1000");
    rig.api.falls_per_s = 1;
    gateway_rig_start(&rig);
    int64_t asked = gateway_rig_requests(&rig, "rules");
    gateway_rig_pass(&rig, 100);
    assert_int_equal(gateway_rig_requests(&rig, "rules"), asked);
    gateway_rig_pass(&rig, 60);
    assert_int_equal(gateway_rig_requests(&rig, "rules"), asked + (int)COUNT_OF(symbols));
    gateway_rig_close(&rig);
}

static void the_clock_is_not_asked_for_while_requests_are_limited(void **state)
{
    (void)state;
    static const struct symbol symbol = {.name = "BTC-USDT"};
    for (int i = 0; i < 2 && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, i == 0 ? "binance" : "binance_futures", &symbol, 1,
                            "fault time 1 limited 30");
        rig.gateway = gateway_new(&rig.options);
        gateway_start(rig.gateway);
        gateway_rig_pass(&rig, 20);
        assert_int_equal(gateway_rig_requests(&rig, "time"), 0); /* besides the one that failed */
        gateway_rig_pass(&rig, 15);
        gateway_rig_wait_ready(&rig);
        gateway_rig_close(&rig);
    }
}

UNIT_GROUP(refresh, cmocka_unit_test(a_symbol_that_trades_again_is_traded),
           cmocka_unit_test(rules_take_a_part_of_the_limit),
           cmocka_unit_test(the_clock_is_not_asked_for_while_requests_are_limited))
