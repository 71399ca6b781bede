/*
 * stop_file.h: <state>/emergency.stop: that an emergency stop was given, in a file of its own which
 * is allocated at the start, so that a full disk or a lost database cannot make a restart forget
 * it.
 *
 *     struct stop_file *file;
 *     rc = stop_file_open(state_dir, &file, err);
 *     if (stop_file_get(file, &mark)) crossing_halt(crossing);      // at the start
 *     stop_file_set(file, now_us, "alice", err);                    // a stop is given
 *     stop_file_clear(file, err);                                   // it was cleared
 *
 * Always true: set and clear overwrite one block in place, then wait for the disk; what they wrote
 * survives the end of the process also when that wait fails. A file that cannot be understood
 * counts as a stop: an unknown state is not "none". Thread: one at a time.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct stop_file;

struct stop_mark {
    int64_t at_us; /* wall; 0 when the file could not be understood */
    char by[32];
};

/* Makes the file unless it is there. FILE_… errors. The caller frees *ret. */
int stop_file_open(const char *state_dir, struct stop_file **ret, struct err *err);
void stop_file_free(struct stop_file *file);

/* Whether a stop stands; *ret says which. */
bool stop_file_get(const struct stop_file *file, struct stop_mark *ret);
int stop_file_set(struct stop_file *file, int64_t at_us, const char *by, struct err *err);
int stop_file_clear(struct stop_file *file, struct err *err);
