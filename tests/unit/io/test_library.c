#include "../../../src/io/library.h"
#include "base/check.h"
#include "unit/unit.h"

static double (*cosine)(double);
static int (*nothing)(void);

static const struct library_function functions[] = {{"cos", &cosine}};
static const struct library_function unknown[] = {{"cos", &cosine}, {"nightdesk_no", &nothing}};

static void the_second_name_is_tried(void **state)
{
    (void)state;
    struct library library = {.names = {"libnightdesk-none.so.9", "libm.so.6"},
                              .package = "libc6",
                              .error = ERR_LIBRARY,
                              .functions = functions,
                              .function_count = COUNT_OF(functions)};
    struct err err = {0};
    assert_int_equal(library_load(&library, &err), 0);
    assert_true(cosine(0.0) == 1.0);
    assert_int_equal(library_load(&library, &err), 0);
}

/* The context names the file and the package; a later call tries again. */
static void a_missing_library_is_an_error(void **state)
{
    (void)state;
    struct library library = {.names = {"libnightdesk-none.so.9"},
                              .package = "libnone9",
                              .error = ERR_LIBRARY,
                              .functions = functions,
                              .function_count = COUNT_OF(functions)};
    for (int i = 0; i < 2; i++) {
        struct err err = {0};
        assert_int_equal(library_load(&library, &err), -ERR_LIBRARY);
        assert_non_null(strstr(err.context, "libnightdesk-none.so.9"));
        assert_non_null(strstr(err.context, "package libnone9"));
    }
    library.names[0] = "libm.so.6";
    assert_int_equal(library_load(&library, NULL), 0);
}

static void a_library_without_a_function_is_an_error(void **state)
{
    (void)state;
    struct library library = {.names = {"libm.so.6"},
                              .package = "libc6",
                              .error = ERR_TRAIN_LIBRARY,
                              .functions = unknown,
                              .function_count = COUNT_OF(unknown)};
    for (int i = 0; i < 2; i++) {
        struct err err = {0};
        assert_int_equal(library_load(&library, &err), -ERR_TRAIN_LIBRARY);
        assert_non_null(strstr(err.context, "nightdesk_no"));
    }
}

UNIT_GROUP(library, cmocka_unit_test(the_second_name_is_tried),
           cmocka_unit_test(a_missing_library_is_an_error),
           cmocka_unit_test(a_library_without_a_function_is_an_error))
