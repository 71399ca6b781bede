/*
 * trace.h: the run of a command that the thread is working for, which each line of the log and each
 * row of the audit log then names.
 *
 *     TRACE_RUN(run->id);                // until the end of the scope
 *     int64_t id = trace_run();          // 0: none
 *
 * Thread: any; each has its own.
 */
#pragma once

#include "base/auto.h"

#include <stdint.h>

int64_t trace_run(void);
/* Returns the one before. */
int64_t trace_set_run(int64_t run_id);

static inline void trace_cleanup(const int64_t *before)
{
    (void)trace_set_run(*before);
}
#define TRACE_RUN(run_id) AUTO(trace_cleanup) int64_t trace_before_ = trace_set_run(run_id)
