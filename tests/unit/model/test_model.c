#include "base/check.h"
#include "model/alert.h"
#include "model/candle.h"
#include "model/shared.h"
#include "unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
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

static void requests_and_the_halt_flag_cross_the_threads(void **state)
{
    (void)state;
    struct shared shared;
    shared_init(&shared, CAPACITY_MIN);
    struct request request = {.id = 7, .kind = REQUEST_CLOSE};
    int pushed = 0;
    while (ring_push(shared.requests, &request)) {
        pushed++;
    }
    assert_int_equal(pushed, 64); /* a full ring refuses and does not wait */
    struct request popped = {0};
    assert_true(ring_pop(shared.requests, &popped));
    assert_int_equal(popped.id, 7);

    assert_false(shared_is_halted(&shared));
    shared_halt(&shared, 0);
    uint64_t generation = shared_halt_generation(&shared);
    assert_true(shared_is_halted(&shared));
    shared_halt(&shared, 0);
    shared_halt_clear(&shared, generation); /* a later halt stays set */
    assert_true(shared_is_halted(&shared));
    shared_halt_clear(&shared, shared_halt_generation(&shared));
    assert_false(shared_is_halted(&shared));
    shared_release(&shared);
    shared_release(&shared); /* a second release does nothing */
    shared_release(NULL);
}

/* Of any size, with every row in use, also into a block that held another one before. */
static void a_copy_of_a_snapshot_shares_nothing(void **state)
{
    (void)state;
    void *block = calloc(1, snapshot_size(SYMBOLS_LIMIT));
    for (int symbols = SYMBOLS_LIMIT; symbols > 0; symbols -= 13) {
        struct snapshot *s = snapshot_new(symbols);
        int positions = capacity_positions(symbols);
        s->market_count = s->risk.symbol_count = symbols;
        s->position_count = s->foreign_count = positions;
        for (int i = 0; i < symbols; i++) {
            s->markets[i].updated_us = i;
            s->risk.symbols[i].tier = i;
        }
        for (int i = 0; i < positions; i++) {
            s->positions[i].decision_id = i;
            s->foreign[i].qty.e8 = i;
        }
        struct snapshot *copy = block;
        snapshot_copy(copy, SYMBOLS_LIMIT, s);
        free(s);
        assert_int_equal(copy->market_count, symbols);
        for (int i = 0; i < symbols; i++) {
            assert_int_equal(copy->markets[i].updated_us, i);
            assert_int_equal(copy->risk.symbols[i].tier, i);
        }
        for (int i = 0; i < positions; i++) {
            assert_int_equal(copy->positions[i].decision_id, i);
            assert_int_equal(copy->foreign[i].qty.e8, i);
        }
    }
    free(block);
}

static void each_reader_gets_the_newest_snapshot_and_its_topics(void **state)
{
    (void)state;
    struct shared shared;
    struct shared_reader *readers[SHARED_READERS_MAX];
    shared_init(&shared, CAPACITY_MIN);
    for (int i = 0; i < SHARED_READERS_MAX; i++) {
        readers[i] = shared_reader_add(&shared, "test",
                                       i == 0   ? 0
                                       : i == 1 ? TOPIC_ALL
                                                : TOPIC_FILL);
        assert_int_equal(shared_reader_snapshot(readers[i])->version, 0);
    }
    assert_int_equal(shared_reader_fd(readers[0]), -1);
    shared_seal(&shared);
    struct snapshot snapshot = {0}; /* without rows */
    for (uint64_t version = 1; version <= 5; version++) {
        snapshot.version = version;
        shared_publish_snapshot(&shared, &snapshot);
        assert_int_equal(shared_reader_snapshot(readers[3])->version, version);
    }
    const struct event events[2] = {{.topic = TOPIC_ORDER, .id = 1},
                                    {.topic = TOPIC_FILL, .id = 2}};
    shared_publish_events(&shared, events, 1);
    uint64_t woken = 0;
    assert_int_equal(read(shared_reader_fd(readers[1]), &woken, sizeof(woken)), sizeof(woken));
    assert_int_equal(read(shared_reader_fd(readers[2]), &woken, sizeof(woken)),
                     -1); /* not its topic */
    shared_publish_events(&shared, &events[1], 1);
    for (int i = 0; i < SHARED_READERS_MAX; i++) {
        assert_int_equal(shared_reader_snapshot(readers[i])->version, 5);
        struct event got[4];
        uint64_t missed = 1;
        int expected = i == 0 ? 0 : i == 1 ? 2 : 1;
        assert_int_equal(shared_reader_events(readers[i], got, 4, &missed), expected);
        assert_int_equal(missed, 0);
        if (expected > 0) {
            assert_int_equal(got[expected - 1].id, 2);
            assert_int_equal(read(shared_reader_fd(readers[i]), &woken, sizeof(woken)),
                             sizeof(woken));
        }
    }
    shared_release(&shared);
}

static void a_reader_that_sleeps_gets_nothing_until_it_wakes(void **state)
{
    (void)state;
    struct shared shared;
    struct event got[4];
    struct snapshot *s = snapshot_new(CAPACITY_MIN);
    uint64_t count = 0;
    shared_init(&shared, CAPACITY_MIN);
    struct shared_reader *reader = shared_reader_add(&shared, "test", TOPIC_TRADE);
    shared_reader_sleep(reader);
    shared_seal(&shared);
    s->version = 1;
    shared_publish_snapshot(&shared, s);
    shared_publish_events(&shared, &(struct event){.topic = TOPIC_TRADE, .id = 1}, 1);
    assert_int_equal(shared_reader_snapshot(reader)->version, 0);
    assert_int_equal(shared_reader_fd(reader), -1);
    shared_reader_wake(reader);
    s->version = 2;
    shared_publish_snapshot(&shared, s);
    shared_publish_events(&shared, &(struct event){.topic = TOPIC_TRADE, .id = 2}, 1);
    assert_int_equal(shared_reader_snapshot(reader)->version, 2);
    assert_int_equal(shared_reader_events(reader, got, 4, &count), 1);
    assert_int_equal(got[0].id, 2);
    assert_int_equal(count, 0);
    free(s);
    shared_release(&shared);
}

/* It is not lost forever: it learns how many events it missed, and continues. */
static void a_lapped_reader_learns_what_it_missed(void **state)
{
    (void)state;
    struct shared shared;
    shared_init(&shared, CAPACITY_MIN);
    struct shared_reader *slow = shared_reader_add(&shared, "slow", TOPIC_TRADE);
    struct shared_reader *fast = shared_reader_add(&shared, "fast", TOPIC_TRADE);
    shared_seal(&shared);
    uint64_t received = 0;
    uint64_t missed = 0;
    struct event got[64];
    const int published = 10000;
    for (int i = 0; i < published; i++) {
        shared_publish_events(&shared, &(struct event){.topic = TOPIC_TRADE, .id = i}, 1);
        if (i % 50 == 49) {
            received += shared_reader_events(fast, got, 64, &missed);
            assert_int_equal(missed, 0);
        }
    }
    assert_int_equal(received, published);
    size_t count = shared_reader_events(slow, got, 64, &missed);
    assert_true(missed > 0 && count == 64);
    assert_int_equal(got[0].id, (int64_t)missed);
    received = count + missed;
    while ((count = shared_reader_events(slow, got, 64, &missed)) > 0) {
        assert_int_equal(missed, 0);
        received += count;
    }
    assert_int_equal(received, published);
    shared_release(&shared);
}

/* Runs in a child process, which the ASSERT ends. */
static bool aborts(void (*call)(struct shared *shared))
{
    pid_t child = fork();
    if (child == 0) {
        struct shared shared;
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)close(STDERR_FILENO); /* the failed assertion writes to it */
        (void)signal(SIGABRT, SIG_DFL);
        shared_init(&shared, CAPACITY_MIN);
        call(&shared);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void add_late(struct shared *shared)
{
    shared_seal(shared);
    (void)shared_reader_add(shared, "late", 0);
}

static void add_too_many(struct shared *shared)
{
    for (int i = 0; i <= SHARED_READERS_MAX; i++) {
        (void)shared_reader_add(shared, "one more", 0);
    }
}

static void publish_too_much(struct shared *shared)
{
    struct snapshot *s = snapshot_new(2 * CAPACITY_MIN);
    s->market_count = s->risk.symbol_count = 2 * CAPACITY_MIN;
    (void)shared_reader_add(shared, "test", 0);
    shared_seal(shared);
    shared_publish_snapshot(shared, s);
}

static void publish_early(struct shared *shared)
{
    shared_publish_snapshot(shared, &(struct snapshot){.version = 1});
}

static void readers_are_registered_before_the_start_only(void **state)
{
    (void)state;
    assert_false(aborts(shared_seal));
    assert_true(aborts(add_late));
    assert_true(aborts(add_too_many));
    assert_true(aborts(publish_early));
    assert_true(aborts(publish_too_much));
}

static void an_alert_names_its_service(void **state)
{
    (void)state;
    static const struct {
        const char *fingerprint, *service;
    } cases[] = {{"service:demo", "demo"},
                 {"metric:demo:memory", "demo"},
                 {"metric:demo/api:latency", "demo"},
                 {"metric:service:host:memory", "host"},
                 {"metric:service:memory", "service"},
                 {"metric:hosting:memory", "hosting"},
                 {"metric:host:disk", NULL},
                 {"metric:nightdesk:memory", NULL},
                 {"service:", NULL},
                 {"schedule:demo", NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char service[ALERT_SERVICE_SIZE];
        assert_int_equal(alert_service(cases[i].fingerprint, service), cases[i].service != NULL);
        if (cases[i].service != NULL) {
            assert_string_equal(service, cases[i].service);
        }
    }
}

UNIT_GROUP(model, cmocka_unit_test(an_alert_names_its_service),
           cmocka_unit_test(symbols_convert_to_upper_case_and_compare),
           cmocka_unit_test(symbol_parse_refuses_the_rest_and_keeps_ret),
           cmocka_unit_test(names_round_trip), cmocka_unit_test(names_are_the_published_ones),
           cmocka_unit_test(final_states_are_three),
           cmocka_unit_test(timeframes_have_names_and_lengths),
           cmocka_unit_test(impossible_candles_are_refused),
           cmocka_unit_test(requests_and_the_halt_flag_cross_the_threads),
           cmocka_unit_test(a_copy_of_a_snapshot_shares_nothing),
           cmocka_unit_test(each_reader_gets_the_newest_snapshot_and_its_topics),
           cmocka_unit_test(a_reader_that_sleeps_gets_nothing_until_it_wakes),
           cmocka_unit_test(a_lapped_reader_learns_what_it_missed),
           cmocka_unit_test(readers_are_registered_before_the_start_only))
