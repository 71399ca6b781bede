/*
 * library.h: shared libraries that are loaded at their first use (dlopen), because loading them
 * takes longer than most runs of the program: nightdesk links neither them nor the libraries that
 * they need.
 *
 *     #define FUNCTIONS(X) X(easy_init) X(easy_cleanup)
 *     static struct {
 *     #define X(name) __typeof__(curl_##name) *name;
 *         FUNCTIONS(X)
 *     #undef X
 *     } curl;
 *     static const struct library_function functions[] = {
 *     #define X(name) {"curl_" #name, &curl.name},
 *         FUNCTIONS(X)
 *     #undef X
 *     };
 *     static struct library library = {.names = {"libcurl.so.4"}, .error = ERR_LIBRARY, ...};
 *     rc = library_load(&library, err);                // then curl.easy_init()
 *
 * Always true: a library is never unloaded after success, since its threads may run on; after a
 * failure the next call tries again. The Debian package names these libraries itself
 * (tests/checks/deb.sh), since the linker does not know them.
 * Thread: any. A call for a library that is loaded costs one atomic read.
 */
#pragma once

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define LIBRARY_NAMES_MAX 2

struct library_function {
    const char *name;
    void *at; /* the address of a pointer to a function of this name */
};

struct library {
    const char *names[LIBRARY_NAMES_MAX]; /* tried in this order; NULL: none */
    const char *package;                  /* for people: what to install */
    enum err_id error;                    /* if it is missing or lacks a function */
    const struct library_function *functions;
    size_t function_count;
    atomic_bool ready;
};

int library_load(struct library *library, struct err *err);
