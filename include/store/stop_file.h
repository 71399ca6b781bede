/*
 * stop_file.h: <state>/emergency.stop: that an emergency stop was given, in a file of its own which
 * is allocated at the start, so that a full disk or a lost database cannot make a restart forget
 * it.
 *
 *     struct stop_file *file;
 *     rc = stop_file_open(state_dir, &file, err);
 *     if (stop_file_get(file, &mark)) shared_halt(crossing);      // at the start
 *     stop_file_set(file, now_us, "alice", err);                    // a stop is given
 *     stop_file_clear(file, err);                                   // it was cleared
 *     int fd = stop_file_dup(file);                                 // for a helper thread
 *     stop_file_sync(fd, err);                                      // waits for the disk
 *
 * Always true: set and clear overwrite one block in place and do not wait for the disk; what they
 * wrote survives the end of the process, and that of the machine once stop_file_sync returned 0.
 * A file that cannot be understood counts as a stop: an unknown state is not "none". Thread: one at
 * a time; stop_file_sync any.
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

/* Makes the file unless it is there, without a sync. FILE_… errors. The caller frees *ret. */
int stop_file_open(const char *state_dir, struct stop_file **ret, struct err *err);
void stop_file_free(struct stop_file *file);

/* Whether a stop stands; *ret says which. */
bool stop_file_get(const struct stop_file *file, struct stop_mark *ret);
int stop_file_set(struct stop_file *file, int64_t at_us, const char *by, struct err *err);
int stop_file_clear(struct stop_file *file, struct err *err);

/* The caller closes it; -1 when there is no descriptor left. */
int stop_file_dup(const struct stop_file *file);
int stop_file_sync(int fd, struct err *err); /* FILE_… errors */
