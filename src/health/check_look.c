#include "base/auto.h"
#include "base/check.h"
#include "check.h"
#include "health_internal.h"
#include "io/pool.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US (USEC_PER_SEC / 4)

/* The job frees itself, also if it hangs for longer than its check lives. */
struct job {
    const struct check_look *look;
    _Atomic bool begun; /* a thread works at it: no longer in the queue */
    _Alignas(max_align_t) char data[];
};

/* At most one look is under way, also after its run has failed: another one would hang too, and
 * each round would add a thread that hangs. */
struct looking {
    struct pool_job *handle;   /* under way, or in the queue; NULL: none */
    const struct job *job;     /* of the handle */
    bool stale;                /* it was begun for an earlier run */
    int64_t begun_mono_us;     /* when its work was seen to have begun; 0: not yet */
    struct job *next;          /* not started yet; NULL: started */
    struct loop_source *timer; /* the time limit, and the next try */
};

static void go_on(struct check *check);

static int64_t now_us(const struct check *check)
{
    return clock_mono_us(loop_clock(check_health(check)->options.loop));
}

static void work(void *data)
{
    struct job *job = data;
    job->begun = true;
    job->look->look(job->data);
}

static void done(void *data, void *userdata)
{
    struct job *job = data;
    struct check *check = userdata;
    struct looking *looking = check->own;
    looking->handle = NULL;
    looking->job = NULL;
    if (!check->running) { /* its run has failed: the disk answers again */
        service_check_soon(check->service);
    } else if (looking->stale) {
        go_on(check);
    } else {
        loop_timer_stop(looking->timer);
        job->look->seen(check, job->data);
    }
}

static void start(struct check *check)
{
    struct looking *looking = check->own;
    struct pool *pool = health_looks(check_health(check));
    looking->handle = pool == NULL ? NULL
                                   : pool_start(pool,
                                                &(struct pool_work){.data = looking->next,
                                                                    .work = work,
                                                                    .done = done,
                                                                    .drop = free,
                                                                    .userdata = check},
                                                NULL);
    if (looking->handle != NULL) {
        looking->job = TAKE(looking->next);
        looking->stale = false;
        looking->begun_mono_us = 0;
    }
}

/* Ends what is not needed by another run: a look that has not begun. */
static void give_up(struct looking *looking)
{
    loop_timer_stop(looking->timer);
    free(TAKE(looking->next));
    looking->stale = true;
    if (looking->handle != NULL && !looking->job->begun) {
        pool_cancel(TAKE(looking->handle));
        looking->job = NULL;
    }
}

/* Starts the look once there is a thread for it, and ends the run at its time limit, which counts
 * from the start of the work. It waits no longer for a thread. */
static void go_on(struct check *check)
{
    struct looking *looking = check->own;
    int64_t limit_us = check_timeout_us(check);
    if (looking->handle == NULL) {
        start(check);
    }
    if (looking->handle != NULL && looking->begun_mono_us == 0 && looking->job->begun) {
        looking->begun_mono_us = now_us(check);
    }
    bool begun = looking->handle != NULL && looking->begun_mono_us != 0;
    int64_t since_us = begun ? looking->begun_mono_us : check->begun_mono_us;
    int64_t left_us = since_us + limit_us - now_us(check);
    if (left_us > 0) {
        loop_timer_in(looking->timer, !begun && left_us > RETRY_US ? RETRY_US : left_us);
        return;
    }
    give_up(looking);
    check->fault = CHECK_HUNG;
    if (begun) {
        check_fail(check, "the disk did not answer within %lld ms",
                   (long long)(limit_us / USEC_PER_MSEC));
    } else {
        check_fail(check, "the threads that look at files are all waiting for a disk");
    }
}

static void on_timer(void *userdata)
{
    go_on(userdata);
}

void check_look_begin(struct check *check, const struct check_look *look, const void *data)
{
    struct looking *looking = check->own;
    if (looking == NULL) {
        check->own = looking = calloc(1, sizeof(*looking));
        ASSERT(looking != NULL);
        looking->timer = loop_add_timer(check_health(check)->options.loop, on_timer, check);
        loop_source_name(looking->timer, "check of a file");
    }
    struct job *job = calloc(1, sizeof(*job) + look->size);
    ASSERT(job != NULL);
    job->look = look;
    memcpy(job->data, data, look->size);
    looking->next = job;
    go_on(check);
}

void check_look_cancel(struct check *check)
{
    give_up(check->own);
}

void check_look_release(struct check *check)
{
    struct looking *looking = TAKE(check->own);
    if (looking != NULL) {
        pool_cancel(looking->handle);
        loop_source_free(looking->timer);
        free(looking);
    }
}
