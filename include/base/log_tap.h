/*
 * log_tap.h: copies of the program's own log lines for one reader in this process.
 *
 *     log_tap_open();
 *     n = log_tap_read(copies, 16, &lost);
 *
 * Invariants: a thread that logs never waits for the reader and allocates nothing; lines that find
 * the tap full are counted. Messages are as the sink gets them: secrets hidden, cut at the sizes
 * below. Until it is opened a tap costs one atomic read for each line; once open it stays open,
 * with 256 lines of memory. Method: a bounded queue of slots with a turn each; a writer claims a
 * slot by its number, then fills it, then passes the turn to the reader. Thread: log_tap_read from
 * one; log_tap_write from any (log.c calls it); log_tap_open from any.
 */
#pragma once

#include "base/log.h"

#include <stddef.h>
#include <stdint.h>

struct log_copy {
    int64_t at_us; /* wall */
    enum log_level level;
    int line;
    char file[40];
    char error_code[40]; /* its field ERROR_CODE; "": none */
    char run[24];        /* its field RUN; "": none */
    char message[880];
};

void log_tap_open(void);
void log_tap_write(const struct log_line *line);
/* Copies up to max lines, the oldest first. *ret_lost: how many were lost since the last call. */
size_t log_tap_read(struct log_copy *ret, size_t max, uint64_t *ret_lost);
