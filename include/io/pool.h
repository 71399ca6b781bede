/*
 * pool.h: a few helper threads for calls that block and have no other form: NSS, the resolver,
 * journald's files.
 *
 *     struct pool *pool = pool_new(loop, &(struct pool_options){
 *         .name = "helper", .threads_max = 2, .queue_max = 16}, err);
 *     struct pool_job *job = pool_start(pool, &(struct pool_work){
 *         .data = query, .work = look_up, .done = on_found, .drop = query_free,
 *         .userdata = self}, err);
 *     pool_cancel(job);                           // on_found does not run; pool_free does the same
 *
 * A job has three functions: work(data) runs on a helper, then done(data, userdata) on the loop,
 * and last drop(data), exactly once, on either thread. The job owns data, and work may access
 * nothing else; userdata belongs to the caller, and only done gets it.
 * Always true: no call blocks, however long a job hangs, not even pool_cancel and pool_free. A
 * hanging helper is abandoned with its data, and ends by itself or with the process. There are at
 * most threads_max helpers, hanging ones included, and at most queue_max queued jobs. Helpers are
 * started on demand and have all signals blocked.
 * Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "io/loop.h"

#include <stddef.h>

struct pool;
struct pool_job;

struct pool_options {
    const char *name; /* thread name, at most 15 characters; static */
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
/* No done runs afterwards. May be called from a done; accepts NULL. */
void pool_free(struct pool *pool);

/* The handle is valid until done starts or the job is cancelled. NULL (ERR_POOL_BUSY) if the queue
 * is full; the caller then keeps data. done never runs inside this call. */
struct pool_job *pool_start(struct pool *pool, const struct pool_work *work, struct err *err);
void pool_cancel(struct pool_job *job); /* accepts NULL */
