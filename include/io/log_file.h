/*
 * log_file.h: a log in a file of limited size, which may be moved or deleted while it is written.
 *
 *     rc = log_file_open(path, &(struct log_file_limits){0}, &file, err);
 *     log_set_sink(log_sink_fd, log_file_userdata(file));
 *     log_file_check(file);                 // once a second
 *     log_set_sink(NULL, NULL); log_file_free(file);
 *
 * At a look a file that has passed max_bytes becomes <path>.1, that one <path>.2, and so on; the
 * one after `keep` goes. One that logrotate or a person moved or deleted is begun anew at its path.
 * Always true: the descriptor keeps its number, so that other threads write on without a lock, each
 * line whole into the old file or the new. A failure leaves the old file in use, and the next look
 * tries again. Between two looks the file may grow beyond its limit.
 * Thread: open, look and free from one; the descriptor from any.
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

/* Appends to what is there; mode 0640. ERR_FILE_DENIED, ERR_FILE_FAILED. The caller frees *ret. */
int log_file_open(const char *path, const struct log_file_limits *limits, struct log_file **ret,
                  struct err *err);
void log_file_check(struct log_file *file); /* NULL: nothing happens */
void log_file_free(struct log_file *file);  /* NULL is fine; no longer the sink */
void *log_file_userdata(const struct log_file *file);
