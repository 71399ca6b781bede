#include "base/check.h"
#include "unit/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn in a child; gives its standard error and how it ended. */
static int run_child(void (*fn)(void), char *ret_text, size_t size)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* The sanitizers and cmocka catch SIGABRT; the default ends the child plainly. */
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(fds[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    (void)close(fds[1]);
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(fds[0], ret_text + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    ret_text[len] = '\0';
    (void)close(fds[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void trip(void)
{
    volatile int two = 2;
    ASSERT(two + two == 5);
}

static void hold(void)
{
    volatile int two = 2;
    ASSERT(two + two == 4);
}

static void fall_through(void)
{
    UNREACHABLE();
}

static void failed_assertion_says_where_and_aborts(void **state)
{
    (void)state;
    char text[512];
    int status = run_child(trip, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "BUG "));
    assert_non_null(strstr(text, "test_check.c:"));
    assert_non_null(strstr(text, " in trip: assertion failed: two + two == 5\n"));
}

static void assertion_that_holds_does_nothing(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_child(hold, text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static void unreachable_aborts(void **state)
{
    (void)state;
    char text[512];
    int status = run_child(fall_through, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "not reached"));
}

UNIT_GROUP(check, cmocka_unit_test(failed_assertion_says_where_and_aborts),
           cmocka_unit_test(assertion_that_holds_does_nothing),
           cmocka_unit_test(unreachable_aborts))
