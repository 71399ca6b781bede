/*
 * The machine's time of day is set while nightdesk runs or between two runs, and one key is used
 * twice: at the fakes, no request is refused for its time, and no order is sent twice.
 */
#include "base/check.h"
#include "base/log.h"
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
    {"kraken", {.name = "BTC-USD"}, "50000", "limits 1000 1000 1000 1000"},
    {"coinbase", {.name = "BTC-USD"}, "50000", NULL},
};
#define KRAKEN 1
/* Each begins a process. */
#define COUNT (UNIT_SANITIZED ? 1 : COUNT_OF(cases))

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
    for (size_t i = 0; i < COUNT && fake_venue_available(); i++) {
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

/* 1.3 s too late: Binance refuses what is more than a second ahead of it. */
static void a_slow_answer_about_the_time_is_asked_again(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    gateway_rig_prepare(&rig, "binance", &cases[0].symbol, 1, "fault time 1 delay-before 2.6");
    gateway_rig_start(&rig);
    gateway_rig_rest(&rig, "nd-1-1", "0.01", cases[0].price);
    AUTO_JSON struct json_object *state_now = fake_venue_state(rig.fake);
    assert_lacks(json_object_to_json_string(json_get(state_now, "refused")), "-1021");
    gateway_rig_close(&rig);
}

/* An order that was refused for its time waits for one answer, not for a quick one. */
static void a_refused_time_is_asked_for_once(void **state)
{
    (void)state;
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    open_case(&rig, 0);
    gateway_rig_fake(&rig, "clock 8\nfault time * delay-after 2.2");
    gateway_rig_rest(&rig, "nd-1-1", "0.01", cases[0].price);
    assert_refused(&rig, 1, 1);
    gateway_rig_fake(&rig, "forget violations");
    gateway_rig_close(&rig);
}

/* A reading from before the venue's clock jumped is no reading. */
static void a_time_that_was_read_before_a_jump_is_dropped(void **state)
{
    (void)state;
    const struct gateway_call ask = {.kind = GATEWAY_LIST, .ask_id = 1};
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    open_case(&rig, 0);
    gateway_rig_pass(&rig, 601);
    gateway_rig_fake(&rig, "fault time 1 delay-after 2.2\nfault time 2 delay-after 2.8");
    int64_t asked = gateway_rig_requests(&rig, "time");
    gateway_rig_do(&rig, &ask);
    for (int i = 0; gateway_rig_requests(&rig, "time") == asked && i < 1000; i++) {
        gateway_rig_turn(&rig);
    }
    for (int64_t from_us = clock_mono_us(clock_real());
         clock_mono_us(clock_real()) - from_us < 23 * USEC_PER_SEC / 10;) {
        gateway_rig_turn(&rig);
    }
    gateway_rig_fake(&rig, "clock 30");
    gateway_rig_rest(&rig, "nd-1-1", "0.01", cases[0].price);
    assert_refused(&rig, 1, 1);
    gateway_rig_fake(&rig, "forget violations");
    gateway_rig_close(&rig);
}

static int warnings;

static void note(const struct log_line *line, void *userdata)
{
    (void)userdata;
    warnings += strstr(line->message, "another program uses this key") != NULL;
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
    /* Its clock is read to the second: the next run may begin in the same one. */
    assert_refused(&rig, 0, 1);
    gateway_rig_fake(&rig, "forget refused\nforget violations\nunlimited");
    clock_fake_jump_wall(&rig.clock, USEC_PER_HOUR);
    clock_fake_jump_wall(&rig.clock, 12 * USEC_PER_HOUR);
    again(&rig);
    gateway_rig_rest(&rig, "nd-3-1", "0.01", cases[KRAKEN].price);
    clock_fake_jump_wall(&rig.clock, -12 * USEC_PER_HOUR);
    again(&rig);
    assert_refused(&rig, 1, 4);
    gateway_rig_rest(&rig, "nd-4-1", "0.01", cases[KRAKEN].price);
    assert_each_once(&rig, 3);
    gateway_rig_fake(&rig, "forget violations");
    gateway_rig_close(&rig);
}

/* What another program with the key has sent, from a machine whose clock is ahead. */
static void another_program_has_sent_later_nonces(void **state)
{
    (void)state;
    static const int64_t ahead_us[] = {USEC_PER_MIN, 10 * USEC_PER_MIN};
    char line[64];
    if (!fake_venue_available()) {
        skip();
    }
    struct gateway_rig rig;
    open_case(&rig, KRAKEN);
    for (int i = 1; i <= (int)COUNT_OF(ahead_us); i++) {
        char id[16];
        gateway_rig_fake(&rig, "forget violations\nunlimited");
        (void)snprintf(line, sizeof(line), "nonce %lld",
                       (long long)(clock_wall_us(&rig.clock.clock) + ahead_us[i - 1]));
        gateway_rig_fake(&rig, line);
        (void)snprintf(id, sizeof(id), "nd-1-%d", i);
        log_set_sink(note, NULL);
        warnings = 0;
        gateway_rig_rest(&rig, id, "0.01", cases[KRAKEN].price);
        log_set_sink(NULL, NULL);
        if (warnings < 1 || warnings > 4) {
            fail_msg("order %d: %d nonces were refused", i, warnings);
        }
    }
    assert_true(rig.ready);
    assert_each_once(&rig, (int)COUNT_OF(ahead_us));
    gateway_rig_fake(&rig, "forget violations");
    gateway_rig_close(&rig);
}

static void rest_of(struct gateway_rig *rig, struct gateway_rig *other, const char *client_id,
                    const char *price)
{
    struct gateway_call call = {.kind = GATEWAY_SEND,
                                .order = {.kind = ORDER_ENTRY,
                                          .side = SIDE_LONG,
                                          .type = ORDER_TYPE_LIMIT,
                                          .qty = dec_from_double(0.01)}};
    call.order.symbol = rig->symbols[0];
    assert_true(dec_parse(str_c(price), &call.order.price));
    (void)str_copy(str_c(client_id), call.order.client_id, sizeof(call.order.client_id));
    gateway_rig_do(other, &call);
    for (int n = 0; strcmp(other->order.client_id, client_id) != 0 && n < 10000; n++) {
        gateway_rig_turn(rig);
    }
    assert_int_equal(other->order.state, ORDER_ACKED);
}

/* Requests of two with rising nonces overtake each other now and then. */
static void forgive(struct gateway_rig *rig, size_t i)
{
    if (i == KRAKEN) {
        gateway_rig_fake(rig, "forget violations\nunlimited");
    }
}

/* The same numbers, but another tag: a database of its own. Both go on, and each sees which orders
 * are the other's. */
static void two_nightdesks_share_a_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT && fake_venue_available(); i++) {
        const struct gateway_call list = {.kind = GATEWAY_LIST, .ask_id = 1};
        struct gateway_rig rig, other;
        open_case(&rig, i);
        other = rig;
        (void)str_copy(STR_LIT("OTHR"), other.options.tag, sizeof(other.options.tag));
        other.options.userdata = &other;
        other.ready = false;
        other.gateway = gateway_new(&other.options);
        gateway_start(other.gateway);
        for (int turns = 0; !other.ready && turns < 10000; turns++) {
            gateway_rig_turn(&rig);
        }
        assert_true(other.ready);
        gateway_rig_rest(&rig, "nd-1-1", "0.01", cases[i].price);
        forgive(&rig, i);
        rest_of(&rig, &other, "nd-1-1", cases[i].price);
        forgive(&rig, i);
        gateway_rig_rest(&rig, "nd-1-2", "0.01", cases[i].price);
        gateway_rig_do(&rig, &list);
        for (int turns = 0; rig.listings == 0 && turns < 10000; turns++) {
            gateway_rig_turn(&rig);
        }
        int ours = 0, theirs = 0;
        for (int k = 0; k < rig.listing.open_count; k++) {
            ours += strncmp(rig.listing.open[k], "nd-1-", 5) == 0;
            theirs += strncmp(rig.listing.open[k], "##", 2) == 0;
        }
        assert_int_equal(ours, 2);
        assert_int_equal(rig.listing.open_count, 3);
        assert_int_equal(theirs, 1);
        assert_each_once(&rig, 3);
        gateway_free(other.gateway);
        forgive(&rig, i);
        gateway_rig_close(&rig);
    }
}

UNIT_GROUP(clocks, cmocka_unit_test(the_clock_is_set_while_it_runs),
           cmocka_unit_test(a_slow_answer_about_the_time_is_asked_again),
           cmocka_unit_test(a_refused_time_is_asked_for_once),
           cmocka_unit_test(a_time_that_was_read_before_a_jump_is_dropped),
           cmocka_unit_test(the_clock_is_set_between_two_runs),
           cmocka_unit_test(another_program_has_sent_later_nonces),
           cmocka_unit_test(two_nightdesks_share_a_key))
