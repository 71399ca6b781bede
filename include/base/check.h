/*
 * check.h: assertions for programmer errors. They stay on in every build.
 *
 *     ASSERT(cap > 0 && is_power_of_two(cap));
 *
 * ASSERT is for bugs: it logs the expression and aborts; systemd restarts the program and start-up
 * recovers its state. An error condition from outside is a struct err (err.h), never an assertion.
 * Thread: any. Async-signal-safe.
 */
#pragma once

_Noreturn void check_failed(const char *expression, const char *file, int line,
                            const char *function);

_Noreturn void check_no_memory(const char *expression, const char *file, int line,
                               const char *function);

#define ASSERT(expression)                                           \
    do {                                                             \
        if (__builtin_expect(!(expression), 0)) {                    \
            check_failed(#expression, __FILE__, __LINE__, __func__); \
        }                                                            \
    } while (0)

/* For what fails only when memory has run out, and where going on would give a wrong result. Aborts
 * in the same way, with a message that says so. */
#define NEED_MEMORY(expression)                                         \
    do {                                                                \
        if (__builtin_expect(!(expression), 0)) {                       \
            check_no_memory(#expression, __FILE__, __LINE__, __func__); \
        }                                                               \
    } while (0)

/* For code after a switch or a loop in which every path returns. */
#define UNREACHABLE()   check_failed("not reached", __FILE__, __LINE__, __func__)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
