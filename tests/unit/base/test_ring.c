#include "base/ring.h"
#include "base/rng.h"
#include "unit/unit.h"

#include <pthread.h>
#include <sched.h>

static void keeps_order_and_refuses_when_full(void **state)
{
    (void)state;
    struct ring *ring = ring_new(4, sizeof(int));
    int out = -1;
    assert_false(ring_pop(ring, &out));
    for (int i = 0; i < 4; i++) {
        assert_true(ring_push(ring, &i));
    }
    int refused = 99;
    assert_false(ring_push(ring, &refused));
    assert_int_equal(ring_len(ring), 4);
    for (int i = 0; i < 4; i++) {
        assert_true(ring_pop(ring, &out));
        assert_int_equal(out, i);
    }
    assert_false(ring_pop(ring, &out));
    assert_int_equal(ring_len(ring), 0);
    ring_free(ring);
    ring_free(NULL);
}

/* Compared with a plain queue, with values of an odd size, over many wrap-arounds. */
static void behaves_like_a_queue(void **state)
{
    (void)state;
    struct value {
        unsigned char bytes[13];
    };
    struct rng rng;
    rng_init(&rng, 11);
    struct ring *ring = ring_new(8, sizeof(struct value));
    uint64_t pushed = 0, popped = 0;
    for (int i = 0; i < 20000; i++) {
        struct value v;
        if (rng_chance(&rng, 0.5)) {
            memset(v.bytes, (int)(pushed % 251), sizeof(v.bytes));
            bool fits = pushed - popped < 8;
            assert_int_equal(ring_push(ring, &v), fits);
            pushed += fits ? 1 : 0;
        } else {
            bool some = pushed > popped;
            assert_int_equal(ring_pop(ring, &v), some);
            for (size_t b = 0; some && b < sizeof(v.bytes); b++) {
                assert_int_equal(v.bytes[b], popped % 251);
            }
            popped += some ? 1 : 0;
        }
        assert_int_equal(ring_len(ring), pushed - popped);
    }
    assert_true(popped > 1000);
    ring_free(ring);
}

#define MESSAGES 300000

struct message {
    uint64_t number;
    uint64_t copies[9]; /* each number times its index, so a torn value is detected */
};

static void *push_all(void *userdata)
{
    struct ring *ring = userdata;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct message m = {.number = i};
        for (uint64_t c = 0; c < 9; c++) {
            m.copies[c] = i * (c + 2);
        }
        while (!ring_push(ring, &m)) {
            sched_yield();
        }
    }
    return NULL;
}

static void passes_whole_values_between_threads(void **state)
{
    (void)state;
    struct ring *ring = ring_new(64, sizeof(struct message));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, push_all, ring), 0);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct message m;
        while (!ring_pop(ring, &m)) {
            sched_yield();
        }
        wrong += m.number != i;
        for (uint64_t c = 0; c < 9; c++) {
            wrong += m.copies[c] != i * (c + 2);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(ring_len(ring), 0);
    ring_free(ring);
}

UNIT_GROUP(ring, cmocka_unit_test(keeps_order_and_refuses_when_full),
           cmocka_unit_test(behaves_like_a_queue),
           cmocka_unit_test(passes_whole_values_between_threads))
