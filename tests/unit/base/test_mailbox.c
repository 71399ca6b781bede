#include "base/mailbox.h"
#include "unit/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static void starts_with_zero_bytes(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(100);
    bool fresh = true;
    const unsigned char *bytes = mailbox_latest(m, &fresh);
    assert_false(fresh);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bytes[i], 0);
    }
    mailbox_free(m);
    mailbox_free(NULL);
}

static void returns_the_newest_and_marks_it_fresh_once(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(sizeof(int));
    bool fresh = false;
    for (int i = 1; i <= 5; i++) {
        *(int *)mailbox_draft(m) = i;
        mailbox_publish(m);
    }
    assert_int_equal(*(const int *)mailbox_latest(m, &fresh), 5);
    assert_true(fresh);
    assert_int_equal(*(const int *)mailbox_latest(m, &fresh), 5);
    assert_false(fresh);
    mailbox_free(m);
}

static void draft_is_never_the_buffer_of_the_reader(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(sizeof(int));
    *(int *)mailbox_draft(m) = 1;
    mailbox_publish(m);
    const int *held = mailbox_latest(m, NULL);
    for (int i = 2; i < 10; i++) {
        assert_ptr_not_equal(mailbox_draft(m), held);
        *(int *)mailbox_draft(m) = i;
        mailbox_publish(m);
        assert_int_equal(*held, 1);
    }
    mailbox_free(m);
}

static void buffers_start_on_cache_lines(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)mailbox_draft(m) % 64, 0);
        mailbox_publish(m);
        assert_int_equal((uintptr_t)mailbox_latest(m, NULL) % 64, 0);
    }
    mailbox_free(m);
}

#define WORDS     64
#define PUBLISHED 200000

struct shared {
    struct mailbox *mailbox;
    atomic_bool started; /* the reader has started */
};

static void *publish_all(void *userdata)
{
    struct shared *s = userdata;
    while (!atomic_load(&s->started)) {
        sched_yield();
    }
    for (uint64_t i = 1; i <= PUBLISHED; i++) {
        uint64_t *words = mailbox_draft(s->mailbox);
        for (uint64_t w = 0; w < WORDS; w++) {
            words[w] = i + w;
        }
        mailbox_publish(s->mailbox);
    }
    return NULL;
}

static void values_are_whole_and_only_get_newer(void **state)
{
    (void)state;
    struct shared s = {.mailbox = mailbox_new(WORDS * sizeof(uint64_t))};
    atomic_init(&s.started, false);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, publish_all, &s), 0);
    uint64_t last = 0, wrong = 0, seen = 0;
    atomic_store(&s.started, true);
    while (last < PUBLISHED) {
        bool fresh;
        const uint64_t *words = mailbox_latest(s.mailbox, &fresh);
        if (!fresh) {
            sched_yield();
            continue;
        }
        wrong += words[0] <= last;
        for (uint64_t w = 0; w < WORDS; w++) {
            wrong += words[w] != words[0] + w;
        }
        last = words[0];
        seen++;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_true(seen > 0);
    mailbox_free(s.mailbox);
}

UNIT_GROUP(mailbox, cmocka_unit_test(starts_with_zero_bytes),
           cmocka_unit_test(returns_the_newest_and_marks_it_fresh_once),
           cmocka_unit_test(draft_is_never_the_buffer_of_the_reader),
           cmocka_unit_test(buffers_start_on_cache_lines),
           cmocka_unit_test(values_are_whole_and_only_get_newer))
