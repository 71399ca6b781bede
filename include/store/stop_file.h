/*
 * stop_file.h: <state>/emergency.stop records an emergency stop in a file of its own, whose block
 * is allocated at start. So a stop survives a restart even with a full disk or a lost database.
 *
 *     struct stop_file *file;
 *     rc = stop_file_open(state_dir, &file, err);
 *     if (stop_file_get(file, &mark)) shared_halt(shared, mark.run_id);   // at start
 *     stop_file_set(file, &mark, err);                              // on an emergency stop
 *     stop_file_clear(file, err);                                   // when it is cleared
 *     int fd = stop_file_dup(file);                                 // for a helper thread
 *     stop_file_sync(fd, err);                                      // waits for the disk
 *
 * Always true: set and clear overwrite one block in place and do not wait for the disk. The block
 * survives a crash of the process at once, and a power failure after stop_file_sync has returned 0.
 * An unreadable file counts as a stop, since unknown does not mean "none". Thread: one at a time;
 * stop_file_sync any.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct stop_file;

struct stop_mark {
    int64_t at_us; /* wall time; 0 if the file is unreadable */
    char by[32];
    int64_t run_id; /* of the command; 0: not known */
};

/* Creates a missing file, without a sync. FILE_… errors. The caller frees *ret. */
int stop_file_open(const char *state_dir, struct stop_file **ret, struct err *err);
void stop_file_free(struct stop_file *file);

/* True if a stop is recorded; *ret has its time and user. */
bool stop_file_get(const struct stop_file *file, struct stop_mark *ret);
int stop_file_set(struct stop_file *file, const struct stop_mark *mark, struct err *err);
int stop_file_clear(struct stop_file *file, struct err *err);

/* The caller closes the descriptor; -1 if none is left. */
int stop_file_dup(const struct stop_file *file);
int stop_file_sync(int fd, struct err *err); /* FILE_… errors */
