#include "io/pool.h"

#include "base/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

/* getaddrinfo and NSS modules use tens of KiB of stack. */
enum { STACK_BYTES = 512 * 1024 };

struct pool_job {
    struct core *core;
    struct pool_work work;
    struct pool_job *next;
    enum { QUEUED, RUNNING, FINISHED } state;
    bool cancelled;
};

struct queue {
    struct pool_job *first;
    struct pool_job *last;
    size_t count;
};

/* Shared by the loop and the helpers; outlives the pool while a helper hangs. */
struct core {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct queue waiting;
    struct queue finished;
    size_t idle;
    size_t threads;
    struct loop_source *wake; /* NULL: the pool was freed */
    size_t users;             /* references: the pool and each helper */
};

struct pool {
    struct pool_options options;
    struct core *core;
};

static void queue_push(struct queue *queue, struct pool_job *job)
{
    job->next = NULL;
    *(queue->last == NULL ? &queue->first : &queue->last->next) = job;
    queue->last = job;
    queue->count++;
}

static struct pool_job *queue_pop(struct queue *queue)
{
    struct pool_job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        queue->last = queue->first == NULL ? NULL : queue->last;
        queue->count--;
    }
    return job;
}

static void queue_remove(struct queue *queue, struct pool_job *job)
{
    struct queue rest = {0};
    for (struct pool_job *j = queue_pop(queue); j != NULL; j = queue_pop(queue)) {
        if (j != job) {
            queue_push(&rest, j);
        }
    }
    *queue = rest;
}

static void job_drop(struct pool_job *job)
{
    if (job->work.drop != NULL) {
        job->work.drop(job->work.data);
    }
    free(job);
}

static void queue_drop(struct queue *queue)
{
    for (struct pool_job *job = queue_pop(queue); job != NULL; job = queue_pop(queue)) {
        job_drop(job);
    }
}

/* Drops a reference and unlocks. */
static void core_unref(struct core *core)
{
    bool last = --core->users == 0;
    (void)pthread_mutex_unlock(&core->mutex);
    if (last) {
        (void)pthread_mutex_destroy(&core->mutex);
        (void)pthread_cond_destroy(&core->changed);
        free(core);
    }
}

static void *helper(void *userdata)
{
    struct core *core = userdata;
    (void)pthread_mutex_lock(&core->mutex);
    while (core->wake != NULL) {
        struct pool_job *job = queue_pop(&core->waiting);
        if (job == NULL) {
            core->idle++;
            (void)pthread_cond_wait(&core->changed, &core->mutex);
            core->idle--;
            continue;
        }
        job->state = RUNNING;
        (void)pthread_mutex_unlock(&core->mutex);
        job->work.work(job->work.data);
        (void)pthread_mutex_lock(&core->mutex);
        if (core->wake != NULL && !job->cancelled) {
            job->state = FINISHED;
            queue_push(&core->finished, job);
            loop_wake(core->wake);
            continue;
        }
        (void)pthread_mutex_unlock(&core->mutex);
        job_drop(job);
        (void)pthread_mutex_lock(&core->mutex);
    }
    core_unref(core);
    return NULL;
}

/* With the mutex held. If no thread can be created, the next job tries again. */
static void add_helper(struct pool *pool)
{
    struct core *core = pool->core;
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread inherits the mask */
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (pthread_create(&thread, &attributes, helper, core) == 0) {
        /* The thread is still valid: it waits for the mutex that we hold. */
        (void)pthread_setname_np(thread, pool->options.name);
        core->threads++;
        core->users++;
    }
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Runs on the loop. A done may free the pool. */
static void on_wake(void *userdata)
{
    struct core *core = userdata;
    (void)pthread_mutex_lock(&core->mutex);
    core->users++;
    struct pool_job *job;
    while (core->wake != NULL && (job = queue_pop(&core->finished)) != NULL) {
        (void)pthread_mutex_unlock(&core->mutex);
        job->work.done(job->work.data, job->work.userdata);
        job_drop(job);
        (void)pthread_mutex_lock(&core->mutex);
    }
    core_unref(core);
}

struct pool *pool_new(struct loop *loop, const struct pool_options *options, struct err *err)
{
    ASSERT(options->threads_max > 0 && options->queue_max > 0);
    struct core *core = calloc(1, sizeof(*core));
    ASSERT(core != NULL);
    core->wake = loop_add_wake(loop, on_wake, core, err);
    if (core->wake == NULL) {
        free(core);
        return NULL;
    }
    loop_source_name(core->wake, options->name);
    ASSERT(pthread_mutex_init(&core->mutex, NULL) == 0);
    ASSERT(pthread_cond_init(&core->changed, NULL) == 0);
    core->users = 1;
    struct pool *pool = calloc(1, sizeof(*pool));
    ASSERT(pool != NULL);
    pool->options = *options;
    pool->core = core;
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    struct core *core = pool->core;
    (void)pthread_mutex_lock(&core->mutex);
    loop_source_free(core->wake);
    core->wake = NULL;
    struct queue waiting = core->waiting, finished = core->finished;
    core->waiting = (struct queue){0};
    core->finished = (struct queue){0};
    (void)pthread_cond_broadcast(&core->changed);
    core_unref(core);
    queue_drop(&waiting);
    queue_drop(&finished);
    free(pool);
}

struct pool_job *pool_start(struct pool *pool, const struct pool_work *work, struct err *err)
{
    ASSERT(work->work != NULL && work->done != NULL);
    struct core *core = pool->core;
    struct pool_job *job = calloc(1, sizeof(*job));
    ASSERT(job != NULL);
    job->core = core;
    job->work = *work;
    (void)pthread_mutex_lock(&core->mutex);
    if (core->idle <= core->waiting.count && core->threads < pool->options.threads_max) {
        add_helper(pool);
    }
    bool accepted = core->waiting.count < pool->options.queue_max && core->threads > 0;
    if (accepted) {
        queue_push(&core->waiting, job);
        (void)pthread_cond_signal(&core->changed);
    }
    (void)pthread_mutex_unlock(&core->mutex);
    if (!accepted) {
        free(job);
        (void)err_set(err, ERR_POOL_BUSY, "%s: %zu jobs are queued", pool->options.name,
                      pool->options.queue_max);
        return NULL;
    }
    return job;
}

void pool_cancel(struct pool_job *job)
{
    if (job == NULL) {
        return;
    }
    struct core *core = job->core;
    (void)pthread_mutex_lock(&core->mutex);
    job->cancelled = true;
    bool running = job->state == RUNNING;
    if (!running) {
        queue_remove(job->state == QUEUED ? &core->waiting : &core->finished, job);
    }
    (void)pthread_mutex_unlock(&core->mutex);
    if (!running) {
        job_drop(job);
    }
}
