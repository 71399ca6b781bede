#include "base/check.h"
#include "model/alert.h"
#include "model/candle.h"
#include "model/shared.h"
#include "unit/unit.h"

#include <string.h>
#include <unistd.h>

static struct symbol symbol_of(const char *text)
{
    struct symbol s;
    memset(&s, 0xff, sizeof(s));
    assert_true(symbol_parse(str_c(text), &s));
    return s;
}

static void symbols_convert_to_upper_case_and_compare(void **state)
{
    (void)state;
    assert_true(symbol_equal(symbol_of("btc-usd"), symbol_of("BTC-USD")));
    assert_false(symbol_equal(symbol_of("BTC-USD"), symbol_of("BTC-USDT")));
    assert_string_equal(symbol_of("a1-b2").name, "A1-B2");
    struct symbol fifteen = symbol_of("ABCDEFGHIJKLMNO");
    assert_int_equal(strlen(fifteen.name), SYMBOL_SIZE - 1);
}

static void symbol_parse_refuses_the_rest_and_keeps_ret(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "ABCDEFGHIJKLMNOP", "BTC/USD", "BTC USD", "BTC\xc3\xa4"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct symbol s = symbol_of("KEEP");
        assert_false(symbol_parse(str_c(bad[i]), &s));
        assert_string_equal(s.name, "KEEP");
    }
    struct symbol s;
    assert_false(symbol_parse(str_n("A\0B", 3), &s));
}

/* Each name parses back to its value, and no two values have the same name. */
#define ROUND_TRIP(prefix, type, last)                              \
    do {                                                            \
        for (unsigned v = 0; v <= (unsigned)(last); v++) {          \
            type back = (type)((v + 1) % ((unsigned)(last) + 1));   \
            const char *word = prefix##_name((type)v);              \
            assert_true(word != NULL && word[0] != '\0');           \
            assert_true(prefix##_parse(str_c(word), &back));        \
            assert_int_equal(back, v);                              \
        }                                                           \
        type kept = (type)(last);                                   \
        assert_false(prefix##_parse(str_c("no such word"), &kept)); \
        assert_false(prefix##_parse(str_c(""), &kept));             \
        assert_int_equal(kept, last);                               \
    } while (0)

static void names_round_trip(void **state)
{
    (void)state;
    ROUND_TRIP(alert_type, enum alert_type, ALERT_DATA);
    ROUND_TRIP(severity, enum severity, SEVERITY_CRITICAL);
    ROUND_TRIP(alert_status, enum alert_status, ALERT_REJECTED);
    ROUND_TRIP(side, enum side, SIDE_SHORT);
    ROUND_TRIP(order_kind, enum order_kind, ORDER_TARGET);
    ROUND_TRIP(order_state, enum order_state, ORDER_UNKNOWN);
    ROUND_TRIP(direction, enum direction, DIRECTION_SHORT);
    ROUND_TRIP(regime, enum regime, REGIME_CHOPPY);
    ROUND_TRIP(outcome, enum outcome, OUTCOME_ORDER);
    ROUND_TRIP(trading_state, enum trading_state, TRADING_EMERGENCY);
}

static void names_are_the_published_ones(void **state)
{
    (void)state;
    /* These names are stored in databases and used in dashboards, so they must not change. */
    assert_string_equal(alert_type_name(ALERT_MISSING_FEATURE), "missing_feature");
    assert_string_equal(severity_name(SEVERITY_CRITICAL), "critical");
    assert_string_equal(alert_status_name(ALERT_WONTFIX), "wontfix");
    assert_string_equal(order_state_name(ORDER_PREPARED), "prepared");
    assert_string_equal(request_kind_name(REQUEST_EMERGENCY_STOP), "emergency_stop");
    assert_string_equal(trading_state_name(TRADING_BREAKER), "breaker");
}

static void final_states_are_three(void **state)
{
    (void)state;
    assert_true(order_state_is_final(ORDER_FILLED));
    assert_true(order_state_is_final(ORDER_CANCELLED));
    assert_true(order_state_is_final(ORDER_REJECTED));
    assert_false(order_state_is_final(ORDER_PREPARED));
    assert_false(order_state_is_final(ORDER_SENT));
    assert_false(order_state_is_final(ORDER_ACKED));
    assert_false(order_state_is_final(ORDER_PARTIAL));
    assert_false(order_state_is_final(ORDER_UNKNOWN));
}

static void timeframes_have_names_and_lengths(void **state)
{
    (void)state;
    assert_string_equal(timeframe_name(TF_1M), "1m");
    assert_string_equal(timeframe_name(TF_1H), "1h");
    assert_int_equal(timeframe_us(TF_5M), 300 * USEC_PER_SEC);
    assert_int_equal(timeframe_us(TF_15M), 3 * timeframe_us(TF_5M));
    assert_int_equal(timeframe_us(TF_1H), 4 * timeframe_us(TF_15M));
}

static void impossible_candles_are_refused(void **state)
{
    (void)state;
    struct candle good = {.open_us = 0,
                          .open = dec_from_int(10),
                          .high = dec_from_int(12),
                          .low = dec_from_int(9),
                          .close = dec_from_int(11),
                          .volume = DEC_ZERO};
    assert_true(candle_is_valid(&good));
    struct dec candle_fields[] = {dec_from_int(0), dec_from_int(-1), DEC_INVALID};
    for (size_t i = 0; i < COUNT_OF(candle_fields); i++) {
        struct candle c = good;
        c.low = candle_fields[i];
        assert_false(candle_is_valid(&c));
        c = good;
        c.high = candle_fields[i];
        assert_false(candle_is_valid(&c));
        c = good;
        c.open = candle_fields[i];
        assert_false(candle_is_valid(&c));
        c = good;
        c.close = candle_fields[i];
        assert_false(candle_is_valid(&c));
    }
    struct candle c = good;
    c.volume = dec_from_int(-1);
    assert_false(candle_is_valid(&c));
    c.volume = DEC_INVALID;
    assert_false(candle_is_valid(&c));
    c = good;
    c.open_us = -1;
    assert_false(candle_is_valid(&c));
    c = good;
    c.high = dec_from_int(10); /* below the close */
    assert_false(candle_is_valid(&c));
    c = good;
    c.close = dec_from_int(13); /* above the high */
    assert_false(candle_is_valid(&c));
}

static void shared_passes_values_both_ways(void **state)
{
    (void)state;
    struct shared c;
    shared_init(&c);
    struct request request = {.id = 7, .kind = REQUEST_CLOSE};
    int pushed = 0;
    while (ring_push(c.requests, &request)) {
        pushed++;
    }
    assert_int_equal(pushed, 64); /* a full ring refuses and does not wait */
    struct request popped = {0};
    assert_true(ring_pop(c.requests, &popped));
    assert_int_equal(popped.id, 7);

    struct bus_reader reader;
    bus_reader_init(&reader, c.bus, TOPIC_FILL);
    struct event events[2] = {{.topic = TOPIC_ORDER, .id = 1}, {.topic = TOPIC_FILL, .id = 2}};
    struct bus_event raw[2];
    memcpy(raw, events, sizeof(raw));
    bus_publish(c.bus, raw, 2);
    struct bus_event got[4];
    assert_int_equal(bus_read(&reader, got, 4, NULL), 1);
    struct event event;
    memcpy(&event, &got[0], sizeof(event));
    assert_int_equal(event.id, 2);

    struct snapshot *draft = mailbox_draft(c.snapshot_http);
    draft->version = 9;
    mailbox_publish(c.snapshot_http);
    const struct snapshot *seen = mailbox_latest(c.snapshot_http, NULL);
    assert_int_equal(seen->version, 9);

    uint64_t one = 1;
    uint64_t woken = 0;
    assert_int_equal(read(c.events_fd, &woken, sizeof(woken)), -1); /* does not block */
    assert_int_equal(write(c.events_fd, &one, sizeof(one)), sizeof(one));
    assert_int_equal(read(c.events_fd, &woken, sizeof(woken)), sizeof(woken));
    assert_int_equal(woken, 1);
    assert_false(shared_is_halted(&c));
    shared_halt(&c);
    uint64_t generation = shared_halt_generation(&c);
    assert_true(shared_is_halted(&c));
    shared_halt(&c);
    shared_halt_clear(&c, generation); /* a later halt stays set */
    assert_true(shared_is_halted(&c));
    shared_halt_clear(&c, shared_halt_generation(&c));
    assert_false(shared_is_halted(&c));
    shared_release(&c);
    shared_release(&c); /* a second release does nothing */
    shared_release(NULL);
}

UNIT_GROUP(model, cmocka_unit_test(symbols_convert_to_upper_case_and_compare),
           cmocka_unit_test(symbol_parse_refuses_the_rest_and_keeps_ret),
           cmocka_unit_test(names_round_trip), cmocka_unit_test(names_are_the_published_ones),
           cmocka_unit_test(final_states_are_three),
           cmocka_unit_test(timeframes_have_names_and_lengths),
           cmocka_unit_test(impossible_candles_are_refused),
           cmocka_unit_test(shared_passes_values_both_ways))
