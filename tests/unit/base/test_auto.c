#include "base/auto.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <stdbool.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void closes_at_the_end_of_the_scope(void **state)
{
    (void)state;
    int number;
    {
        AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        AUTO_FD int none = -1;
        AUTO_FILE FILE *no_file = NULL;
        (void)none;
        (void)no_file;
        number = fd;
        assert_true(is_open(number));
    }
    assert_false(is_open(number));
}

static void transferred_values_outlive_the_scope(void **state)
{
    (void)state;
    char *text;
    int number;
    {
        AUTO_FREE char *inner = strdup("kept");
        AUTO_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        text = TAKE(inner);
        number = TAKE_FD(fd);
        assert_null(inner);
        assert_int_equal(fd, -1);
    }
    assert_string_equal(text, "kept");
    assert_true(is_open(number));
    free(text);
    assert_int_equal(close(number), 0);
}

UNIT_GROUP(auto_macros, cmocka_unit_test(closes_at_the_end_of_the_scope),
           cmocka_unit_test(transferred_values_outlive_the_scope))
