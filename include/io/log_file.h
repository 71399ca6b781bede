/*
 * log_file.h: a log file with rotation; it may be moved or deleted while it is in use.
 *
 *     rc = log_file_open(path, &(struct log_file_limits){0}, &file, err);
 *     log_set_sink(log_sink_fd, log_file_userdata(file));
 *     log_file_check(file);                 // once a second
 *     log_set_sink(NULL, NULL); log_file_free(file);
 *
 * If the file exceeds max_bytes, log_file_check renames it to <path>.1, <path>.1 to <path>.2, and
 * so on; of these, `keep` are kept. If logrotate or a person has moved or deleted the file, the
 * check creates a new one at the path.
 * Always true: the descriptor keeps its number, so other threads write without a lock, each line
 * entirely to the old file or to the new one. If the check fails, the old file stays in use until
 * the next check. Between two checks the file may exceed its limit.
 * Thread: open, check and free on one thread; any thread may write to the descriptor.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define LOG_FILE_MAX_BYTES (INT64_C(10) << 20)
#define LOG_FILE_KEEP      5

struct log_file;

struct log_file_limits {
    int64_t max_bytes; /* 0: LOG_FILE_MAX_BYTES */
    int keep;          /* 0: LOG_FILE_KEEP */
};

/* Appends to an existing file; creates a missing one with mode 0640. ERR_FILE_DENIED,
 * ERR_FILE_FAILED. The caller frees *ret. */
int log_file_open(const char *path, const struct log_file_limits *limits, struct log_file **ret,
                  struct err *err);
void log_file_check(struct log_file *file); /* accepts NULL */
void log_file_free(struct log_file *file);  /* accepts NULL; must not be the log sink any more */
/* The userdata of log_sink_fd. */
void *log_file_userdata(const struct log_file *file);
