/*
 * record_tail.h: what the journals of earlier runs (recorder.h) tell that trading.db does not know.
 *
 *     record_tail(state_dir, (struct record_mark){run, size_bytes}, &tail);
 *     if (tail.steps > 0) ... trading.db has lost commits
 *
 * A step is recorded before its commit, and the next one is told whether it was committed: so what
 * is before a record of a disk that is well was committed. What was recorded behind the last such
 * one may not have been, and is not counted. Always true: files are read only; what cannot be read
 * tells nothing. Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How far trading.db has come: bytes of the journal of a run. */
struct record_mark {
    int64_t run; /* 0: it knows of none */
    int64_t size_bytes;
};

struct record_tail {
    int64_t newest_run; /* the highest number in the folder; 0: no journal */
    int64_t steps;      /* that were committed, behind the mark */
    bool stopped;       /* an emergency stop is behind the mark, and no resume after it */
};

void record_tail(const char *state_dir, struct record_mark mark, struct record_tail *ret);
