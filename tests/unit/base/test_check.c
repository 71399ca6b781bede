#include "base/check.h"
#include "unit/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn in a child process; returns its standard error and its exit status. */
static int run_child(void (*fn)(void), char *ret_text, size_t size)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* The sanitizers and cmocka catch SIGABRT; the default action ends the child. */
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

static void assert_false_condition(void)
{
    volatile int two = 2;
    ASSERT(two + two == 5);
}

static void assert_true_condition(void)
{
    volatile int two = 2;
    ASSERT(two + two == 4);
}

static void reach_unreachable(void)
{
    UNREACHABLE();
}

static void failed_assertion_prints_its_place_and_aborts(void **state)
{
    (void)state;
    char text[512];
    int status = run_child(assert_false_condition, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "BUG "));
    assert_non_null(strstr(text, "test_check.c:"));
    assert_non_null(strstr(text, " in assert_false_condition: assertion failed: two + two == 5\n"));
}

static void true_assertion_does_nothing(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(run_child(assert_true_condition, text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static void unreachable_aborts(void **state)
{
    (void)state;
    char text[512];
    int status = run_child(reach_unreachable, text, sizeof(text));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "not reached"));
}

UNIT_GROUP(check, cmocka_unit_test(failed_assertion_prints_its_place_and_aborts),
           cmocka_unit_test(true_assertion_does_nothing), cmocka_unit_test(unreachable_aborts))
