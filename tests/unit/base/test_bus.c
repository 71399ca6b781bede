#include "base/bus.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* Every byte of an event is computed from its number, so a torn event is detected. */
static struct bus_event numbered(uint64_t number)
{
    struct bus_event event = {.topic = 1U << (number % 3)};
    uint64_t words[7];
    for (uint64_t w = 0; w < 7; w++) {
        words[w] = number * (2 * w + 1);
    }
    memcpy(event.body + 4, words, sizeof(words));
    return event;
}

static uint64_t number_of(const struct bus_event *event)
{
    uint64_t number;
    memcpy(&number, event->body + 4, sizeof(number));
    return number;
}

static bool is_whole(const struct bus_event *event)
{
    struct bus_event expected = numbered(number_of(event));
    return memcmp(event, &expected, sizeof(expected)) == 0;
}

static void publish(struct bus *bus, uint64_t count)
{
    struct bus_event batch[200];
    uint64_t next = bus_head(bus);
    while (count > 0) {
        size_t n = count < 200 ? (size_t)count : 200;
        for (size_t i = 0; i < n; i++) {
            batch[i] = numbered(next++);
        }
        bus_publish(bus, batch, n);
        count -= n;
    }
}

static void reader_starts_at_the_current_position(void **state)
{
    (void)state;
    struct bus *bus = bus_new(64);
    publish(bus, 10);
    struct bus_reader reader;
    bus_reader_init(&reader, bus, UINT32_MAX);
    struct bus_event out[64];
    uint64_t missed = 1;
    assert_int_equal(bus_read(&reader, out, 64, &missed), 0);
    assert_int_equal(missed, 0);
    publish(bus, 3);
    assert_int_equal(bus_read(&reader, out, 64, &missed), 3);
    assert_int_equal(number_of(&out[0]), 10);
    assert_int_equal(number_of(&out[2]), 12);
    assert_int_equal(bus_head(bus), 13);
    bus_free(bus);
    bus_free(NULL);
}

static void readers_receive_only_their_topics(void **state)
{
    (void)state;
    struct bus *bus = bus_new(128);
    struct bus_reader one, two;
    bus_reader_init(&one, bus, 1U << 1);
    bus_reader_init(&two, bus, 1U << 0 | 1U << 2);
    publish(bus, 90);
    struct bus_event out[90];
    assert_int_equal(bus_read(&one, out, 90, NULL), 30);
    for (uint64_t i = 0; i < 30; i++) {
        assert_int_equal(number_of(&out[i]), 3 * i + 1);
        assert_true(is_whole(&out[i]));
    }
    /* In parts: a full output array must not lose the events after it. */
    size_t total = 0;
    for (size_t n; (n = bus_read(&two, out, 7, NULL)) > 0; total += n) {
        assert_true(n <= 7);
    }
    assert_int_equal(total, 60);
    bus_free(bus);
}

static void lapped_reader_gets_the_number_of_missed_events(void **state)
{
    (void)state;
    struct bus *bus = bus_new(64);
    struct bus_reader reader;
    bus_reader_init(&reader, bus, UINT32_MAX);
    struct bus_event out[200];
    uint64_t missed;

    publish(bus, 64); /* exactly full: nothing is lost */
    assert_int_equal(bus_read(&reader, out, 200, &missed), 64);
    assert_int_equal(missed, 0);

    publish(bus, 65);
    assert_int_equal(bus_read(&reader, out, 200, &missed), 64);
    assert_int_equal(missed, 1);
    assert_int_equal(number_of(&out[0]), 65);

    publish(bus, 1000);
    assert_int_equal(bus_read(&reader, out, 10, &missed), 10);
    assert_int_equal(missed, 1000 - 64);
    assert_int_equal(bus_read(&reader, out, 200, &missed), 54);
    assert_int_equal(missed, 0); /* reported once */

    /* The topic mask does not change the count: events of all topics are counted. */
    bus_reader_init(&reader, bus, 1);
    publish(bus, 100);
    (void)bus_read(&reader, out, 200, &missed);
    assert_int_equal(missed, 36);
    bus_free(bus);
}

/* Random batch sizes on both sides, compared with simple arithmetic. */
static void received_and_missed_add_up(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        struct bus *bus = bus_new(64U << rng_below(&rng, 3));
        struct bus_reader reader;
        bus_reader_init(&reader, bus, UINT32_MAX);
        struct bus_event out[300];
        uint64_t expected = 0; /* number of the next event */
        for (int turn = 0; turn < 200; turn++) {
            publish(bus, rng_below(&rng, 200));
            uint64_t missed;
            size_t n = bus_read(&reader, out, (size_t)rng_below(&rng, 300), &missed);
            expected += missed;
            for (size_t i = 0; i < n; i++) {
                assert_true(is_whole(&out[i]));
                assert_int_equal(number_of(&out[i]), expected);
                expected++;
            }
        }
        uint64_t missed;
        size_t n;
        while ((n = bus_read(&reader, out, 300, &missed)) > 0) {
            expected += missed + n;
        }
        assert_int_equal(expected, bus_head(bus));
        bus_free(bus);
    }
}

#define PUBLISHED (UNIT_SANITIZED ? UINT64_C(200000) : UINT64_C(2000000))

struct shared {
    struct bus *bus;
    atomic_bool started, finished;
};

static void *publish_all(void *userdata)
{
    struct shared *s = userdata;
    struct rng rng;
    rng_init(&rng, 5);
    while (!atomic_load(&s->started)) {
        sched_yield();
    }
    for (uint64_t at = 0; at < PUBLISHED;) {
        struct bus_event batch[100];
        uint64_t count = 1 + rng_below(&rng, 100);
        count = count < PUBLISHED - at ? count : PUBLISHED - at;
        for (uint64_t i = 0; i < count; i++) {
            batch[i] = numbered(at + i);
        }
        bus_publish(s->bus, batch, (size_t)count);
        at += count;
    }
    atomic_store(&s->finished, true);
    return NULL;
}

struct tally {
    uint64_t received, missed, torn, unordered;
};

/* Reads until every published event is received or missed. `nap_every` makes the reader lag. */
static struct tally read_all(struct shared *s, struct bus_reader *reader, int nap_every)
{
    struct tally t = {0};
    struct bus_event out[64];
    uint64_t expected = 0;
    int calls = 0;
    atomic_store(&s->started, true);
    for (;;) {
        bool finished = atomic_load(&s->finished);
        uint64_t missed;
        size_t n = bus_read(reader, out, 64, &missed);
        t.missed += missed;
        t.received += n;
        expected += missed;
        for (size_t i = 0; i < n; i++) {
            /* The missed events are before the received ones, and some may be between them:
             * numbers increase and stay below the count of received and missed events. */
            t.torn += !is_whole(&out[i]);
            t.unordered += i > 0 && number_of(&out[i]) <= number_of(&out[i - 1]);
        }
        expected += n;
        t.unordered += n > 0 && number_of(&out[n - 1]) >= expected;
        if (finished && n == 0) {
            return t;
        }
        if (n == 0 || (nap_every > 0 && ++calls % nap_every == 0)) {
            sched_yield();
        }
    }
}

static void check_two_threads(size_t capacity, int nap_every)
{
    struct shared s = {.bus = bus_new(capacity)};
    atomic_init(&s.started, false);
    atomic_init(&s.finished, false);
    struct bus_reader reader;
    bus_reader_init(&reader, s.bus, UINT32_MAX);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, publish_all, &s), 0);
    struct tally t = read_all(&s, &reader, nap_every);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(t.torn, 0);
    assert_int_equal(t.unordered, 0);
    assert_int_equal(t.received + t.missed, PUBLISHED);
    assert_true(t.received > 0);
    bus_free(s.bus);
}

static void two_threads_small_bus(void **state)
{
    (void)state;
    check_two_threads(64, 0); /* the reader is lapped repeatedly, also while it copies */
    check_two_threads(64, 3);
}

static void two_threads_large_bus(void **state)
{
    (void)state;
    check_two_threads(8192, 0);
}

UNIT_GROUP(bus, cmocka_unit_test(reader_starts_at_the_current_position),
           cmocka_unit_test(readers_receive_only_their_topics),
           cmocka_unit_test(lapped_reader_gets_the_number_of_missed_events),
           cmocka_unit_test(received_and_missed_add_up), cmocka_unit_test(two_threads_small_bus),
           cmocka_unit_test(two_threads_large_bus))
