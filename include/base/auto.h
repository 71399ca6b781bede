/*
 * auto.h: scope-bound cleanup, and the one way to give a value away.
 *
 *     AUTO_FREE char *text = strdup(s);
 *     AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     ...
 *     *ret_fd = TAKE_FD(fd);        // the caller owns it now
 *
 * Always true: each macro's cleanup accepts the empty value (NULL, -1), so a variable
 * must be initialised where it is declared and may be given away with TAKE.
 * Thread: any.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_cleanup(void *slot)
{
    free(*(void **)slot);
}

static inline void auto_fd_cleanup(const int *slot)
{
    if (*slot >= 0) {
        (void)close(*slot);
    }
}

static inline void auto_file_cleanup(FILE **slot)
{
    if (*slot != NULL) {
        (void)fclose(*slot);
    }
}

/* Runs fn(&variable) when the variable leaves its scope. The other macros are built on it, and a
 * header that owns a type declares its own: #define AUTO_BUF AUTO(buf_release). */
#define AUTO(fn)  __attribute__((cleanup(fn)))
#define AUTO_FREE AUTO(auto_free_cleanup)
#define AUTO_FD   AUTO(auto_fd_cleanup)
#define AUTO_FILE AUTO(auto_file_cleanup)

/* Hands a pointer over: yields its value and leaves NULL behind. */
#define TAKE(ptr)                            \
    __extension__({                          \
        __typeof__(ptr) take_value_ = (ptr); \
        (ptr) = NULL;                        \
        take_value_;                         \
    })

/* The same for a file descriptor; leaves -1 behind. */
#define TAKE_FD(fd)          \
    __extension__({          \
        int take_fd_ = (fd); \
        (fd) = -1;           \
        take_fd_;            \
    })
