/*
 * auto.h: cleanup at the end of a scope, and the one way to transfer ownership out of it.
 *
 *     AUTO_FREE char *text = strdup(s);
 *     AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     ...
 *     *ret_fd = TAKE_FD(fd);        // the caller owns it now
 *
 * Invariants: each cleanup accepts the empty value (NULL, -1). A variable must be initialised where
 * it is declared; TAKE transfers its value and leaves the empty value behind.
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

/* Calls fn(&variable) when the variable goes out of scope. The other macros use it; the header that
 * defines a type defines its macro: #define AUTO_BUF AUTO(buf_release). */
#define AUTO(fn)  __attribute__((cleanup(fn)))
#define AUTO_FREE AUTO(auto_free_cleanup)
#define AUTO_FD   AUTO(auto_fd_cleanup)
#define AUTO_FILE AUTO(auto_file_cleanup)

/* For a large array of which only the first rows are written and read: the compiler's zeroing of
 * local variables would cost more than the work (-ftrivial-auto-var-init). */
#define AUTO_UNCLEARED __attribute__((uninitialized))

/* Transfers a pointer: yields its value and sets the variable to NULL. */
#define TAKE(ptr)                            \
    __extension__({                          \
        __typeof__(ptr) take_value_ = (ptr); \
        (ptr) = NULL;                        \
        take_value_;                         \
    })

/* The same for a file descriptor; sets the variable to -1. */
#define TAKE_FD(fd)          \
    __extension__({          \
        int take_fd_ = (fd); \
        (fd) = -1;           \
        take_fd_;            \
    })
