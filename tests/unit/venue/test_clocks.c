/*
 * The machine's time of day is set while nightdesk runs or between two runs, and one key is used
 * twice: at the fakes, no request is refused for its time, and no order is sent twice.
 */
#include "base/check.h"
#include "gateway_rig.h"
#include "unit/unit.h"

#include <string.h>

static const struct {
    const char *venue;
    struct symbol symbol;
    const char *price; /* far below the market */
    const char *before;
} cases[] = {
    {"binance", {.name = "BTC-USDT"}, "59000", NULL},
    {"binance_futures", {.name = "BTC-USDT"}, "59000", "price BTC-USDT 60000"},
    {"kraken", {.name = "BTC-USD"}, "50000", "limits 1000 1000 1000 1000"},
    {"coinbase", {.name = "BTC-USD"}, "50000", NULL},
};
#define KRAKEN 2

static void open_case(struct gateway_rig *rig, size_t i)
{
    gateway_rig_prepare(rig, cases[i].venue, &cases[i].symbol, 1, cases[i].before);
    gateway_rig_start(rig);
    gateway_rig_fake(rig, "forget refused"); /* a setting that was right already */
}

/* Requests that the venue has refused. */
static void assert_refused(struct gateway_rig *rig, size_t least, size_t most)
{
    AUTO_JSON struct json_object *state = fake_venue_state(rig->fake);
    struct json_object *refused = json_get(state, "refused");
    if (json_len(refused) < least || json_len(refused) > most) {
        fail_msg("%s: %s", rig->api.name, json_object_to_json_string(refused));
    }
}

static void assert_each_once(struct gateway_rig *rig, int count)
{
    AUTO_JSON struct json_object *state = fake_venue_state(rig->fake);
    struct json_object *ids = json_get(state, "ids");
    assert_int_equal(json_object_object_length(ids), count);
    json_object_object_foreach(ids, name, times)
    {
        if (json_object_get_int64(times) != 1) {
            fail_msg("%s was accepted more than once", name);
        }
    }
}

static void the_clock_is_set_while_it_runs(void **state)
{
    (void)state;
    static const int64_t steps_us[] = {-5 * USEC_PER_MIN, 20 * USEC_PER_MIN, -40 * USEC_PER_MIN};
    for (size_t i = 0; i < COUNT_OF(cases) && fake_venue_available(); i++) {
        struct gateway_rig rig;
        open_case(&rig, i);
        gateway_rig_rest(&rig, "nd-1-1", "0.01", cases[i].price);
        for (int k = 0; k < (int)COUNT_OF(steps_us); k++) {
            char id[16];
            clock_fake_jump_wall(&rig.clock, steps_us[k]);
            (void)snprintf(id, sizeof(id), "nd-1-%d", 2 + k);
            gateway_rig_rest(&rig, id, "0.01", cases[i].price);
        }
        /* The stream of the account is opened again with the right time. */
        gateway_rig_fake(&rig, "cut user");
        for (int n = 0; rig.ready && n < 10000; n++) {
            gateway_rig_turn(&rig);
        }
        gateway_rig_wait_ready(&rig);
        assert_refused(&rig, 0, 0);
        assert_each_once(&rig, 4);
        gateway_rig_close(&rig);
    }
}

static void again(struct gateway_rig *rig)
{
    gateway_rig_kill(rig);
    gateway_rig_start(rig);
}

/* Between two runs. A venue with nonces locks out who has sent five that are too low. */
static void the_clock_is_set_between_two_runs(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    open_case(&rig, KRAKEN);
    clock_fake_jump_wall(&rig.clock, -USEC_PER_HOUR);
    again(&rig);
    gateway_rig_rest(&rig, "nd-2-1", "0.01", cases[KRAKEN].price);
    clock_fake_jump_wall(&rig.clock, USEC_PER_HOUR);
    again(&rig);
    /* Its clock is read to the second: the next run may begin in the same one. */
    assert_refused(&rig, 0, 2);
    gateway_rig_fake(&rig, "forget refused\nforget violations\nunlimited");
    clock_fake_jump_wall(&rig.clock, 10 * USEC_PER_MIN);
    again(&rig);
    gateway_rig_rest(&rig, "nd-4-1", "0.01", cases[KRAKEN].price);
    clock_fake_jump_wall(&rig.clock, -10 * USEC_PER_MIN);
    again(&rig);
    assert_refused(&rig, 1, 4);
    gateway_rig_rest(&rig, "nd-5-1", "0.01", cases[KRAKEN].price);
    assert_each_once(&rig, 3);
    gateway_rig_fake(&rig, "forget violations");
    gateway_rig_close(&rig);
}

UNIT_GROUP(clocks, cmocka_unit_test(the_clock_is_set_while_it_runs),
           cmocka_unit_test(the_clock_is_set_between_two_runs))
