/*
 * trace.h: what the thread is working for: the run of a command, which each line of the log and
 * each row of the audit log then names; and the message that caused it, with its trace.
 *
 *     TRACE_RUN(run->id);                // until the end of the scope
 *     int64_t id = trace_run();          // 0: none
 *     TRACE_WORK(run->work);             // the same
 *     run->work = trace_work();          // what goes on later takes it along
 *
 * Thread: any; each has its own.
 */
#pragma once

#include "base/auto.h"

#include <stdint.h>

/* 128 bits, as W3C Trace Context has it; both zero: none. */
struct trace_id {
    uint64_t high;
    uint64_t low;
};

struct trace_work {
    struct trace_id trace;  /* none: it is not sampled */
    uint64_t span;          /* of the trace: the parent of the spans that begin now */
    int64_t update_mono_us; /* when the message that caused it was received; 0: no message did */
};

int64_t trace_run(void);
/* Returns the one before. */
int64_t trace_set_run(int64_t run_id);

static inline void trace_cleanup(const int64_t *before)
{
    (void)trace_set_run(*before);
}
#define TRACE_RUN(run_id) AUTO(trace_cleanup) int64_t trace_before_ = trace_set_run(run_id)

struct trace_work trace_work(void);
/* Returns what was before. */
struct trace_work trace_set_work(struct trace_work work);

static inline void trace_work_cleanup(const struct trace_work *before)
{
    (void)trace_set_work(*before);
}
#define TRACE_WORK(work) \
    AUTO(trace_work_cleanup) struct trace_work trace_work_before_ = trace_set_work(work)
