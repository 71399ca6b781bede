#include "io/file.h"
#include "io/process.h"
#include "scratch.h"
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The tests start a shell, because every system has one; nightdesk itself never uses one. */

struct run {
    struct loop *loop;
    struct process *process;
    int ended;
    int exit_code;
};

static void on_exit_code(struct process *process, int exit_code, void *userdata)
{
    struct run *run = userdata;
    assert_ptr_equal(process, run->process);
    assert_false(process_running(process));
    assert_int_equal(process_pid(process), 0);
    run->ended++;
    run->exit_code = exit_code;
}

static int start(struct run *run, const char *script, struct process_options options,
                 struct err *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    if (options.argv == NULL) {
        options.argv = argv;
    }
    options.fn = on_exit_code;
    options.userdata = run;
    *run = (struct run){.loop = loop_new(NULL)};
    return process_spawn(run->loop, &options, &run->process, err);
}

static void wait_end(struct run *run)
{
    int64_t start_us = clock_mono_us(clock_real());
    while (run->ended == 0) {
        (void)loop_iterate(run->loop, 50 * USEC_PER_MSEC);
        if (clock_mono_us(clock_real()) - start_us > 20 * USEC_PER_SEC) {
            fail_msg("the child did not end");
        }
    }
}

static void finish(struct run *run)
{
    process_free(run->process);
    loop_free(run->loop);
}

/* Waits until the child's log contains text. */
static void wait_log(struct run *run, const char *path, const char *text)
{
    AUTO_BUF struct buf log = BUF_INIT(1 << 20);
    int64_t start_us = clock_mono_us(clock_real());
    while (strstr(log.data, text) == NULL) {
        (void)loop_iterate(run->loop, 10 * USEC_PER_MSEC);
        buf_clear(&log);
        (void)file_read(path, &log, NULL);
        if (clock_mono_us(clock_real()) - start_us > 20 * USEC_PER_SEC) {
            fail_msg("'%s' is not in the log: %s", text, log.data);
        }
    }
}

static void exit_code_and_output_are_reported(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    assert_int_equal(file_write(log, str_c("before\n"), 0640, NULL), 0);
    struct run run;
    assert_int_equal(start(&run, "echo out; echo err >&2; cat; exit 3",
                           (struct process_options){.log_path = log}, NULL),
                     0);
    assert_true(process_running(run.process));
    assert_true(process_pid(run.process) > 0);
    wait_end(&run);
    assert_int_equal(run.exit_code, 3); /* stdin is at its end, so cat ends */
    AUTO_BUF struct buf text = BUF_INIT(1000);
    assert_int_equal(file_read(log, &text, NULL), 0);
    assert_string_equal(text.data, "before\nout\nerr\n");
    finish(&run);
}

static void the_child_gets_only_the_given_environment(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    struct run run;
    (void)setenv("TELEGRAM_BOT_TOKEN", "SECRET", 1);
    assert_int_equal(start(&run, "env; pwd; ls /proc/self/fd | wc -l",
                           (struct process_options){.log_path = log, .cwd = s.folder}, NULL),
                     0);
    wait_end(&run);
    finish(&run);
    AUTO_BUF struct buf text = BUF_INIT(10000);
    assert_int_equal(file_read(log, &text, NULL), 0);
    assert_null(strstr(text.data, "SECRET"));
    assert_non_null(strstr(text.data, "PATH="));
    assert_non_null(strstr(text.data, s.folder));
    assert_non_null(strstr(text.data, "\n4\n")); /* 0, 1, 2 and the folder that ls reads */

    const char *const env[] = {"NAME=value", NULL};
    assert_int_equal(start(&run, "echo $NAME:$HOME",
                           (struct process_options){.log_path = log, .env = env}, NULL),
                     0);
    wait_end(&run);
    finish(&run);
    buf_clear(&text);
    assert_int_equal(file_read(log, &text, NULL), 0);
    assert_non_null(strstr(text.data, "\nvalue:\n"));
    (void)unsetenv("TELEGRAM_BOT_TOKEN");
}

static bool is_alive(const char *pid_file)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    int64_t pid = 0;
    assert_int_equal(file_read(pid_file, &text, NULL), 0);
    assert_true(str_to_i64(str_trim(buf_str(&text)), &pid));
    return kill((pid_t)pid, 0) == 0;
}

/* What a program does that makes itself a daemon: it leaves the group, and its parent ends. */
static void a_daemonised_grandchild_ends_with_the_child(void **state)
{
    (void)state;
    for (int stopped = 0; stopped <= 1; stopped++) {
        AUTO_SCRATCH struct scratch s = scratch_make();
        char pid_file[256];
        AUTO_BUF struct buf script = BUF_INIT(4096);
        struct run run;
        (void)snprintf(pid_file, sizeof(pid_file), "%s", scratch_path(&s, "pid"));
        buf_addf(&script,
                 "f=%s; export f; setsid sh -c 'echo $$ > $f.new; mv $f.new $f; trap : TERM; "
                 "while :; do sleep 0.05; done' & while ! test -e $f; do sleep 0.01; done; %s",
                 pid_file, stopped ? "sleep 100" : "exit 3");
        assert_int_equal(start(&run, script.data, (struct process_options){0}, NULL), 0);
        while (stopped && access(pid_file, F_OK) < 0) {
            (void)loop_iterate(run.loop, 10);
        }
        if (stopped) {
            process_stop(run.process, 2000);
        }
        wait_end(&run);
        for (int i = 0; i < 200 && is_alive(pid_file); i++) {
            (void)poll(NULL, 0, 10);
        }
        assert_false(is_alive(pid_file));
        finish(&run);
    }
}

static void a_failed_start_logs_the_reason(void **state)
{
    (void)state;
    struct run run;
    struct err err = {0};
    const char *const none[] = {"nightdesk-no-such-program", NULL};
    assert_int_equal(start(&run, NULL, (struct process_options){.argv = none}, &err),
                     -ERR_PROCESS_MISSING);
    assert_non_null(strstr(err.context, "nightdesk-no-such-program"));
    loop_free(run.loop);
    const char *const data[] = {"/etc/passwd", NULL};
    assert_int_equal(start(&run, NULL, (struct process_options){.argv = data}, &err),
                     -ERR_PROCESS_SPAWN);
    assert_non_null(strstr(err.context, strerror(EACCES)));
    loop_free(run.loop);
    assert_int_equal(start(&run, "true", (struct process_options){.cwd = "/nightdesk-none"}, &err),
                     -ERR_PROCESS_SPAWN);
    loop_free(run.loop);
    /* The exec fails in the child. */
    AUTO_SCRATCH struct scratch s = scratch_make();
    AUTO_BUF struct buf text = BUF_INIT(4096);
    char log[256], script[256];
    (void)snprintf(log, sizeof(log), "%s", scratch_path(&s, "log"));
    (void)snprintf(script, sizeof(script), "%s", scratch_path(&s, "broken"));
    const char *const broken[] = {script, NULL};
    assert_int_equal(file_write(script, str_c("#!/nightdesk-none\n"), 0755, NULL), 0);
    assert_int_equal(
        start(&run, NULL, (struct process_options){.argv = broken, .log_path = log}, &err), 0);
    wait_end(&run);
    assert_int_equal(run.exit_code, 127);
    finish(&run);
    assert_int_equal(file_read(log, &text, NULL), 0);
    assert_non_null(strstr(text.data, "cannot be run: No such file or directory"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
}

static void stop_sends_sigterm_first(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    struct run run;
    assert_int_equal(start(&run,
                           "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done",
                           (struct process_options){.log_path = log}, NULL),
                     0);
    wait_log(&run, log, "up");
    process_stop(run.process, 15000);
    wait_end(&run);
    assert_int_equal(run.exit_code, 5);
    wait_log(&run, log, "bye");
    process_stop(run.process, 0); /* no-op after its end */
    finish(&run);
}

static void a_child_that_ignores_sigterm_is_killed(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    struct run run;
    assert_int_equal(start(&run, "trap '' TERM; echo up; while :; do sleep 0.05; done",
                           (struct process_options){.log_path = log}, NULL),
                     0);
    wait_log(&run, log, "up");
    process_stop(run.process, 60000);
    process_stop(run.process, 50); /* shortens the grace period */
    process_stop(run.process, 60000);
    wait_end(&run);
    assert_int_equal(run.exit_code, -SIGKILL);
    finish(&run);
}

static pid_t pid_in_log(const char *path)
{
    AUTO_BUF struct buf text = BUF_INIT(1000);
    int64_t pid = 0;
    assert_int_equal(file_read(path, &text, NULL), 0);
    const char *colon = strchr(text.data, ':');
    assert_non_null(colon);
    assert_true(str_to_i64(str_trim(str_c(colon + 1)), &pid));
    return (pid_t)pid;
}

/* True for a zombie too, which only its adoptive parent can reap. */
static bool is_dead(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    AUTO_BUF struct buf text = BUF_INIT(4096);
    return file_read(path, &text, NULL) < 0 || strstr(text.data, ") Z ") != NULL;
}

static void wait_dead(pid_t pid)
{
    for (int i = 0; i < 2000 && !is_dead(pid); i++) {
        (void)usleep(5000);
    }
    assert_true(is_dead(pid));
}

static void grandchildren_are_killed_with_the_child(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    struct run run;
    assert_int_equal(start(&run, "sleep 1000 & echo pid:$!; wait",
                           (struct process_options){.log_path = log}, NULL),
                     0);
    wait_log(&run, log, "pid:");
    pid_t grandchild = pid_in_log(log);
    assert_false(is_dead(grandchild));
    process_stop(run.process, 15000);
    wait_end(&run);
    wait_dead(grandchild);
    finish(&run);
}

static void freeing_kills_the_child(void **state)
{
    (void)state;
    struct run run;
    assert_int_equal(start(&run, "exec sleep 1000", (struct process_options){0}, NULL), 0);
    pid_t pid = process_pid(run.process);
    finish(&run);
    wait_dead(pid);
    assert_int_equal(run.ended, 0);
    assert_int_equal(start(&run, "exit 0", (struct process_options){0}, NULL), 0);
    wait_end(&run);
    finish(&run);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
}

static void the_child_is_killed_when_its_parent_dies(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    pid_t us = fork();
    if (us == 0) { /* plays the daemon */
        struct run run;
        if (start(&run, "echo pid:$$; exec sleep 1000", (struct process_options){.log_path = log},
                  NULL) == 0) {
            wait_log(&run, log, "pid:");
        }
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(us, NULL, 0), us);
    wait_dead(pid_in_log(log));
}

static void the_log_never_exceeds_its_limit(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log");
    struct run run;
    assert_int_equal(start(&run,
                           "i=0; while [ $i -lt 3000 ]; do echo line number $i; i=$((i+1)); done",
                           (struct process_options){.log_path = log, .log_max_bytes = 8192}, NULL),
                     0);
    wait_end(&run);
    finish(&run);
    AUTO_BUF struct buf now = BUF_INIT(100000);
    AUTO_BUF struct buf old = BUF_INIT(100000);
    assert_int_equal(file_read(log, &now, NULL), 0);
    assert_int_equal(file_read(scratch_path(&s, "log.1"), &old, NULL), 0);
    assert_true(now.len <= 8192);
    assert_true(old.len > 0 && old.len <= 8192);
    assert_non_null(strstr(now.data, "line number 2999\n"));
}

static void a_moved_log_is_created_again(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *log = scratch_path(&s, "log"), *moved = scratch_path(&s, "moved");
    char command[256];
    (void)snprintf(command, sizeof(command),
                   "echo first; while [ ! -e %s ]; do sleep 0.02; done; echo second", moved);
    struct run run;
    assert_int_equal(start(&run, command, (struct process_options){.log_path = log}, NULL), 0);
    wait_log(&run, log, "first");
    assert_int_equal(rename(log, moved), 0);
    wait_end(&run);
    finish(&run);
    AUTO_BUF struct buf now = BUF_INIT(1000), old = BUF_INIT(1000);
    assert_int_equal(file_read(log, &now, NULL), 0);
    assert_int_equal(file_read(moved, &old, NULL), 0);
    assert_string_equal(now.data, "second\n");
    assert_string_equal(old.data, "first\n");
}

UNIT_GROUP(process, cmocka_unit_test(exit_code_and_output_are_reported),
           cmocka_unit_test(the_child_gets_only_the_given_environment),
           cmocka_unit_test(a_daemonised_grandchild_ends_with_the_child),
           cmocka_unit_test(a_failed_start_logs_the_reason),
           cmocka_unit_test(stop_sends_sigterm_first),
           cmocka_unit_test(a_child_that_ignores_sigterm_is_killed),
           cmocka_unit_test(grandchildren_are_killed_with_the_child),
           cmocka_unit_test(freeing_kills_the_child),
           cmocka_unit_test(the_child_is_killed_when_its_parent_dies),
           cmocka_unit_test(the_log_never_exceeds_its_limit),
           cmocka_unit_test(a_moved_log_is_created_again))
