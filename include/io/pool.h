/*
 * pool.h: a few helper threads for calls that can only be made blocking: NSS, the resolver,
 * journald's files.
 *
 *     struct pool *pool = pool_new(loop, &(struct pool_options){
 *         .name = "helper", .threads_max = 2, .queue_max = 16}, err);
 *     struct pool_job *job = pool_start(pool, &(struct pool_work){
 *         .data = question, .work = look_up, .done = on_found, .drop = prompt_free,
 *         .userdata = self}, err);
 *     pool_cancel(job);                           // on_found does not run; pool_free does the same
 *
 * A job is three functions: work(data) on a helper, then done(data, userdata) on the loop, and last
 * drop(data), exactly once, on either thread. data belongs to the job and is all that work may
 * touch; userdata belongs to the caller and is seen by done alone.
 * Always true: no call here waits, pool_cancel and pool_free included, however long a job hangs: a
 * helper that hangs is left behind, with its data, and ends by itself or with the process. At most
 * threads_max helpers exist, hanging ones included, and at most queue_max jobs wait for one. They
 * are started when there is work for them and take no signals.
 * Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "io/loop.h"

#include <stddef.h>

struct pool;
struct pool_job;

struct pool_options {
    const char *name; /* of the threads, at most 15 characters; static */
    size_t threads_max;
    size_t queue_max;
};

struct pool_work {
    void (*work)(void *data);
    void (*done)(void *data, void *userdata);
    void (*drop)(void *data);
    void *data;
    void *userdata;
};

struct pool *pool_new(struct loop *loop, const struct pool_options *options, struct err *err);
/* No done runs any more. Also from inside a done; takes NULL. */
void pool_free(struct pool *pool);

/* The handle is valid until done starts or the job is cancelled. NULL (ERR_POOL_BUSY) when the
 * queue is full; data then stays the caller's. done never runs from inside this call. */
struct pool_job *pool_start(struct pool *pool, const struct pool_work *work, struct err *err);
void pool_cancel(struct pool_job *job); /* takes NULL */
