/*
 * What a gateway learns only by asking again: that a symbol trades again, that the venue limits
 * requests when the first of a process is for its clock, and the leverage of each market.
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

static int64_t met(const struct gateway_rig *rig, const char *name)
{
    AUTO_JSON struct json_object *counts = fake_venue_met(rig->fake);
    return json_i64(counts, name, 0);
}

/* Pages of a firewall, and a limit without a time: nobody knows for how long. */
static void a_clock_that_is_refused_is_asked_ever_more_seldom(void **state)
{
    (void)state;
    static const struct symbol symbol = {.name = "BTC-USDT"};
    static const struct {
        const char *fault, *name;
        int most; /* in 64 s; each 2 s would be 32 */
    } refusals[] = {
        {"fault time * html 403", "html", 5},
        {"fault time * html 418", "html", 2}, /* a ban, 60 s where the venue says nothing */
        {"fault time * html 429", "html", 5},
    };
    for (size_t i = 0; i < COUNT_OF(refusals) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        gateway_rig_prepare(&rig, "binance", &symbol, 1, refusals[i].fault);
        rig.gateway = gateway_new(&rig.options);
        gateway_start(rig.gateway);
        for (int s = 0; s < 64; s++) {
            gateway_rig_pass(&rig, 1);
        }
        assert_in_range(met(&rig, refusals[i].name), 1, refusals[i].most);
        gateway_rig_fake(&rig, "forget faults");
        for (int s = 0; s < 180 && !rig.ready; s++) { /* and the gateway begins again later */
            gateway_rig_pass(&rig, 1);
        }
        gateway_rig_wait_ready(&rig);
        gateway_rig_close(&rig);
    }
}

/* Kraken answers so with status 200, and never with a time. */
static void orders_go_on_while_the_time_is_known(void **state)
{
    (void)state;
    static const struct symbol symbol = {.name = "BTC-USD"};
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    gateway_rig_prepare(&rig, "kraken", &symbol, 1, "limits 1000 1000 1000 1000");
    gateway_rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        char id[16];
        gateway_rig_fake(&rig, "fault time 1 status 429");
        gateway_rig_pass(&rig, 601);
        (void)snprintf(id, sizeof(id), "nd-1-%d", i + 1);
        int64_t from_us = clock_mono_us(&rig.clock.clock);
        gateway_rig_rest(&rig, id, "0.01", "50000");
        assert_in_range(clock_mono_us(&rig.clock.clock) - from_us, 0, USEC_PER_SEC);
        gateway_rig_pass(&rig, 1);
        assert_int_equal(met(&rig, "status"), i + 1);
    }
    gateway_rig_close(&rig);
}

static void list(struct gateway_rig *rig, int64_t ask_id)
{
    const struct gateway_call call = {.kind = GATEWAY_LIST, .ask_id = ask_id};
    int before = rig->listings;
    gateway_rig_do(rig, &call);
    gateway_rig_await_count(rig, &rig->listings, before + 1);
    for (int i = 0; i < 20; i++) { /* what follows from it */
        gateway_rig_turn(rig);
    }
}

/* Two markets have a leverage that nobody here has set. */
static void what_is_refused_for_one_market_is_set_for_the_other(void **state)
{
    (void)state;
    static const struct symbol symbols[] = {{.name = "BTC-USDT"}, {.name = "ETH-USDT"}};
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    gateway_rig_prepare(&rig, "binance_futures", symbols, COUNT_OF(symbols),
                        "price BTC-USDT 60000\nprice ETH-USDT 3000\n"
                        "foreign BTC-USDT buy 0.01\nforeign ETH-USDT buy 0.1");
    gateway_rig_start(&rig);
    gateway_rig_fake(&rig, "leverage BTC-USDT 9\nleverage ETH-USDT 8\nfault settings * html 400");
    for (int i = 0; i < 6; i++) {
        list(&rig, i + 1);
    }
    int64_t tried = met(&rig, "html");
    assert_true(tried > 0);
    for (int i = 0; i < 6; i++) {
        list(&rig, i + 7);
    }
    assert_int_equal(met(&rig, "html"), tried); /* once for each */
    /* Its position is over, and another one begins with what is still set there. */
    gateway_rig_fake(&rig, "forget faults\ndeleverage ETH-USDT");
    list(&rig, 13);
    gateway_rig_fake(&rig, "foreign ETH-USDT buy 0.1");
    gateway_rig_await(&rig, "/positions/1/leverage", "1");
    gateway_rig_fake(&rig, "leverage ETH-USDT 8");
    /* The account has two settings, a market its margin and its leverage. */
    gateway_rig_fake(&rig, "forget faults\nleverage BTC-USDT 7\nfault settings 4 html 400");
    list(&rig, 14);
    gateway_rig_await(&rig, "/positions/1/leverage", "1");
    gateway_rig_await(&rig, "/positions/0/leverage", "7");
    gateway_rig_close(&rig);
}

UNIT_GROUP(refresh, cmocka_unit_test(a_symbol_that_trades_again_is_traded),
           cmocka_unit_test(rules_take_a_part_of_the_limit),
           cmocka_unit_test(the_clock_is_not_asked_for_while_requests_are_limited),
           cmocka_unit_test(a_clock_that_is_refused_is_asked_ever_more_seldom),
           cmocka_unit_test(orders_go_on_while_the_time_is_known),
           cmocka_unit_test(what_is_refused_for_one_market_is_set_for_the_other))
