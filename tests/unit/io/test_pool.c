#include "base/auto.h"
#include "base/clock.h"
#include "io/loop.h"
#include "io/pool.h"
#include "unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_US = 10 * 1000000, AT_ONCE_US = 500 * 1000 };

/* Jobs hang until this gate opens. */
static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static atomic_int at_gate, dropped;

static void gate_set(bool open)
{
    (void)pthread_mutex_lock(&gate_mutex);
    gate_open = open;
    (void)pthread_cond_broadcast(&gate_changed);
    (void)pthread_mutex_unlock(&gate_mutex);
}

static void wait_at_gate(void *data)
{
    (void)data;
    (void)pthread_mutex_lock(&gate_mutex);
    atomic_fetch_add(&at_gate, 1);
    while (!gate_open) {
        (void)pthread_cond_wait(&gate_changed, &gate_mutex);
    }
    atomic_fetch_sub(&at_gate, 1);
    (void)pthread_mutex_unlock(&gate_mutex);
}

static void drop(void *data)
{
    atomic_fetch_add(&dropped, 1);
    free(data);
}

struct sum {
    int a, b, sum;
    pthread_t thread;
};

static void add(void *data)
{
    struct sum *s = data;
    s->sum = s->a + s->b;
    s->thread = pthread_self();
}

struct seen {
    int runs;
    int sum;
    bool other_thread;
    struct pool *pool; /* freed in the callback */
};

static void on_sum(void *data, void *userdata)
{
    struct seen *seen = userdata;
    const struct sum *s = data;
    seen->runs++;
    seen->sum += s->sum;
    seen->other_thread = pthread_equal(s->thread, pthread_self()) == 0;
    pool_free(seen->pool);
    seen->pool = NULL;
}

static void on_gate(void *data, void *userdata)
{
    (void)data;
    ++*(int *)userdata;
}

struct rig {
    struct loop *loop;
    struct pool *pool;
};

static struct rig rig_open(size_t threads, size_t queue)
{
    struct rig rig = {.loop = loop_new(NULL)};
    rig.pool = pool_new(
        rig.loop,
        &(struct pool_options){.name = "unit", .threads_max = threads, .queue_max = queue}, NULL);
    assert_non_null(rig.pool);
    gate_set(false);
    atomic_store(&dropped, 0);
    return rig;
}

/* Opens the gate; the hanging helpers end and drop their data. */
static void rig_close(struct rig *rig, int jobs)
{
    pool_free(rig->pool);
    loop_free(rig->loop);
    gate_set(true);
    for (int i = 0; i < 1000 && atomic_load(&dropped) < jobs; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(atomic_load(&dropped), jobs);
}

static void run_until(struct loop *loop, const int *counter, int wanted)
{
    int64_t end_us = clock_mono_us(clock_real()) + LIMIT_US;
    while (*counter < wanted) {
        assert_true(clock_mono_us(clock_real()) < end_us);
        (void)loop_iterate(loop, 100000);
    }
}

static struct pool_job *start_gate(struct rig *rig, int *runs, struct err *err)
{
    int *data = malloc(sizeof(*data));
    struct pool_job *job = pool_start(
        rig->pool,
        &(struct pool_work){
            .data = data, .work = wait_at_gate, .done = on_gate, .drop = drop, .userdata = runs},
        err);
    if (job == NULL) {
        free(data);
    }
    return job;
}

static void start_sum(struct rig *rig, struct seen *seen, int a, int b)
{
    struct sum *data = malloc(sizeof(*data));
    *data = (struct sum){.a = a, .b = b};
    assert_non_null(
        pool_start(rig->pool,
                   &(struct pool_work){
                       .data = data, .work = add, .done = on_sum, .drop = drop, .userdata = seen},
                   NULL));
}

static void work_runs_on_a_helper_and_done_on_the_loop(void **state)
{
    (void)state;
    struct rig rig = rig_open(2, 200);
    struct seen seen = {0};
    for (int i = 0; i < 100; i++) {
        start_sum(&rig, &seen, i, 1);
    }
    assert_int_equal(seen.runs, 0); /* never from inside pool_start */
    run_until(rig.loop, &seen.runs, 100);
    assert_int_equal(seen.sum, 4950 + 100);
    assert_true(seen.other_thread);
    rig_close(&rig, 100);
}

static void the_pool_may_be_freed_by_a_job(void **state)
{
    (void)state;
    struct rig rig = rig_open(1, 8);
    struct seen seen = {.pool = rig.pool};
    start_sum(&rig, &seen, 1, 1);
    start_sum(&rig, &seen, 1, 1);
    run_until(rig.loop, &seen.runs, 1);
    rig.pool = NULL;
    assert_int_equal(seen.runs, 1);
    rig_close(&rig, 2);
}

/* Two hang, one is queued, another one is refused; the done of a cancelled one never runs. */
static void hanging_jobs_are_limited_and_do_not_block(void **state)
{
    (void)state;
    struct rig rig = rig_open(2, 1);
    struct err err = {0};
    int runs = 0;
    struct pool_job *first = start_gate(&rig, &runs, &err);
    while (atomic_load(&at_gate) < 1) {
        (void)usleep(1000);
    }
    assert_non_null(start_gate(&rig, &runs, &err));
    while (atomic_load(&at_gate) < 2) {
        (void)usleep(1000);
    }
    struct pool_job *third = start_gate(&rig, &runs, &err);
    assert_non_null(third);
    assert_null(start_gate(&rig, &runs, &err));
    assert_int_equal(err.id, ERR_POOL_BUSY);
    int64_t from_us = clock_mono_us(clock_real());
    pool_cancel(first);
    pool_cancel(third);
    assert_int_equal(atomic_load(&dropped), 1);
    gate_set(true);
    run_until(rig.loop, &runs, 1);
    assert_true(clock_mono_us(clock_real()) - from_us < LIMIT_US);
    assert_int_equal(runs, 1);
    rig_close(&rig, 3);
}

static void freeing_does_not_wait_for_hanging_jobs(void **state)
{
    (void)state;
    struct rig rig = rig_open(2, 4);
    int runs = 0;
    for (int i = 0; i < 4; i++) {
        assert_non_null(start_gate(&rig, &runs, NULL));
    }
    int64_t from_us = clock_mono_us(clock_real());
    pool_free(TAKE(rig.pool));
    assert_true(clock_mono_us(clock_real()) - from_us < AT_ONCE_US);
    rig_close(&rig, 4);
    assert_int_equal(runs, 0);
}

UNIT_GROUP(pool, cmocka_unit_test(work_runs_on_a_helper_and_done_on_the_loop),
           cmocka_unit_test(the_pool_may_be_freed_by_a_job),
           cmocka_unit_test(hanging_jobs_are_limited_and_do_not_block),
           cmocka_unit_test(freeing_does_not_wait_for_hanging_jobs))
