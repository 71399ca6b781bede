/*
 * unit.h: shared by all unit test binaries: cmocka's headers in their required order, and a
 * registration, so that each tests/unit/<module>/test_*.c adds its group without a central list.
 *
 *     static void counts_losses(void **state) { ... assert_int_equal(a, b); }
 *     UNIT_GROUP(bus, cmocka_unit_test(counts_losses), ...)
 * A binary runs all its groups, or those named as arguments: build/release/unit/base bus ring.
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include <string.h>

/* cmocka.h must come after the others. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

/* True in a build with a sanitizer: work is ten times slower, mlock does nothing, and the
 * allocator is not the C library's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNIT_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNIT_SANITIZED 1
#endif
#ifndef UNIT_SANITIZED
#define UNIT_SANITIZED 0
#endif

struct unit_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
    struct unit_group *next;
};

void unit_register(struct unit_group *group);

#define UNIT_GROUP(group_name, ...)                                              \
    static const struct CMUnitTest group_name##_tests[] = {__VA_ARGS__};         \
    __attribute__((constructor)) static void group_name##_register(void)         \
    {                                                                            \
        static struct unit_group group = {                                       \
            .name = #group_name,                                                 \
            .tests = group_name##_tests,                                         \
            .count = sizeof(group_name##_tests) / sizeof(group_name##_tests[0]), \
        };                                                                       \
        unit_register(&group);                                                   \
    }

#define assert_has(text, part)                                      \
    do {                                                            \
        if (strstr((text), (part)) == NULL) {                       \
            print_error("\"%s\" is not in:\n%s\n", (part), (text)); \
            fail();                                                 \
        }                                                           \
    } while (0)
#define assert_lacks(text, part) assert_null(strstr((text), (part)))
