/*
 * check.h: assertions for programmer errors. They stay on in every build.
 *
 *     ASSERT(cap > 0 && is_power_of_two(cap));
 *
 * A *bug* trips ASSERT: it logs the expression and aborts; the service manager restarts us and
 * start-up recovers. A *condition* of the world is a struct err (err.h), never an assertion.
 * Thread: any. Async-signal-safe up to the abort.
 */
#pragma once

_Noreturn void check_failed(const char *expression, const char *file, int line,
                            const char *function);

#define ASSERT(expression)                                           \
    do {                                                             \
        if (__builtin_expect(!(expression), 0)) {                    \
            check_failed(#expression, __FILE__, __LINE__, __func__); \
        }                                                            \
    } while (0)

/* For the end of a switch over an enum, and of a loop that always returns. */
#define UNREACHABLE()   check_failed("not reached", __FILE__, __LINE__, __func__)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
