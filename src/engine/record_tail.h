/*
 * record_tail.h: finds steps that the journals of earlier runs (recorder.h) hold and trading.db
 * lacks.
 *
 *     record_tail(state_dir, (struct record_mark){run, size_bytes}, &tail);
 *     if (tail.steps > 0) ... trading.db has lost commits
 *
 * A step is recorded before its commit, and the inputs of the next step tell whether the commit
 * succeeded. So everything before a record with a working disk was committed. Steps after the last
 * such record may not have been committed and are not counted.
 * Invariants: files are only read; a file that cannot be read counts as empty.
 * Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How far trading.db has come: a size in bytes of the journal of a run. */
struct record_mark {
    int64_t run; /* 0: it has no mark */
    int64_t size_bytes;
};

struct record_tail {
    int64_t newest_run; /* the highest run number in the folder; 0: no journal */
    int64_t steps;      /* committed steps after the mark */
    bool stopped;       /* there is an emergency stop after the mark, and no later resume */
};

void record_tail(const char *state_dir, struct record_mark mark, struct record_tail *ret);
