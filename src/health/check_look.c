#include "base/auto.h"
#include "base/check.h"
#include "check.h"
#include "health_internal.h"
#include "io/pool.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US (USEC_PER_SEC / 4)

/* The job frees itself, also if it hangs for longer than its check lives. */
struct job {
    const struct check_look *look;
    _Alignas(max_align_t) char data[];
};

struct looking {
    const struct check_look *look;
    struct pool_job *job;
    struct loop_source *timer; /* the time limit; while all helpers are busy, the next try */
    int64_t deadline_mono_us;
    struct job *next; /* not started yet */
};

static void try_start(struct check *check);

static void work(void *data)
{
    struct job *job = data;
    job->look->look(job->data);
}

static void done(void *data, void *userdata)
{
    struct job *job = data;
    struct check *check = userdata;
    struct looking *looking = check->own;
    looking->job = NULL;
    loop_timer_stop(looking->timer);
    looking->look->seen(check, job->data);
}

static void on_timer(void *userdata)
{
    struct check *check = userdata;
    struct looking *looking = check->own;
    int64_t now_us = clock_mono_us(loop_clock(check_health(check)->options.loop));
    if (now_us < looking->deadline_mono_us && looking->next != NULL) {
        try_start(check);
        return;
    }
    bool busy = looking->next != NULL;
    check_look_cancel(check);
    if (busy) {
        check_fail(check, "all helper threads of nightdesk are busy");
    } else {
        check_fail(check, "the disk did not answer within %lld ms",
                   (long long)(check_timeout_us(check) / USEC_PER_MSEC));
    }
}

static void try_start(struct check *check)
{
    struct looking *looking = check->own;
    struct health *health = check_health(check);
    looking->job = pool_start(
        health->options.helpers,
        &(struct pool_work){
            .data = looking->next, .work = work, .done = done, .drop = free, .userdata = check},
        NULL);
    if (looking->job != NULL) {
        looking->next = NULL;
        loop_timer_at(looking->timer, looking->deadline_mono_us);
    } else {
        loop_timer_in(looking->timer, RETRY_US);
    }
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
    looking->look = look;
    looking->next = job;
    looking->deadline_mono_us = check->begun_mono_us + check_timeout_us(check);
    try_start(check);
}

void check_look_cancel(struct check *check)
{
    struct looking *looking = check->own;
    pool_cancel(TAKE(looking->job));
    free(TAKE(looking->next));
    loop_timer_stop(looking->timer);
}

void check_look_release(struct check *check)
{
    struct looking *looking = TAKE(check->own);
    if (looking != NULL) {
        loop_source_free(looking->timer);
        free(looking);
    }
}
