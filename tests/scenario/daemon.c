#include "base/clock.h"
#include "base/str.h"
#include "fakes/fake_venue.h"
#include "io/file.h"
#include "scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_US (15 * USEC_PER_SEC)
#define STOP_US  (15 * USEC_PER_SEC)
#define RUN_US   (30 * USEC_PER_SEC)
#define ARGS_MAX 16

static int64_t now_us(void)
{
    return clock_mono_us(clock_real());
}

static void sleep_briefly(void)
{
    (void)poll(NULL, 0, 10);
}

/* In the child. The environment is minimal, so that a developer's own token is not used. */
_Noreturn static void exec_program(char *const argv[], int in_fd, int out_fd)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8";
    static char *const env[] = {path, lang, NULL};
    sigset_t none;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)dup2(in_fd, STDIN_FILENO);
    (void)dup2(out_fd, STDOUT_FILENO);
    (void)dup2(out_fd, STDERR_FILENO);
    (void)execve(argv[0], argv, env);
    _exit(127);
}

/* The engine has reported and the loop runs, so commands now see the recovered state. */
static bool is_ready(const struct scene *s, off_t from)
{
    AUTO_BUF struct buf log = BUF_INIT((size_t)1024 * 1024);
    return file_read(s->log, &log, NULL) == 0 && log.len > (size_t)from &&
           strstr(log.data + from, "ready in ") != NULL;
}

bool daemon_start(struct scene *s)
{
    char *const argv[] = {(char *)(uintptr_t)s->binary, (char *)(uintptr_t) "run",
                          (char *)(uintptr_t) "--config", s->config, NULL};
    size_t polls = fake_telegram_calls(s->telegram, "getUpdates");
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (null < 0 || log < 0 || s->pid != 0) {
        return scene_fail(s, "cannot start: already running, or no log");
    }
    off_t from = lseek(log, 0, SEEK_END);
    s->pid = fork();
    if (s->pid == 0) {
        exec_program(argv, null, log);
    }
    (void)close(null);
    (void)close(log);
    bool wait = !str_equal_c(yaml_text(yaml_get(s->root, "daemon")), "does_not_poll");
    int64_t end = now_us() + START_US;
    while (wait &&
           (fake_telegram_calls(s->telegram, "getUpdates") == polls || !is_ready(s, from))) {
        int status = 0;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            return scene_fail(s, "the daemon ended during its start, status 0x%x",
                              (unsigned)status);
        }
        if (now_us() > end) {
            return scene_fail(s, "the daemon is not ready, or does not poll");
        }
        sleep_briefly();
    }
    return true;
}

bool daemon_kill(struct scene *s)
{
    int status = 0;
    if (s->pid == 0) {
        return scene_fail(s, "nothing to kill");
    }
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, &status, 0);
    s->pid = 0;
    return true;
}

/* False if it has not ended by the deadline; it is then killed. */
static bool wait_end(pid_t pid, int64_t end_us, int *ret_status)
{
    while (waitpid(pid, ret_status, WNOHANG) != pid) {
        if (now_us() > end_us) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, ret_status, 0);
            return false;
        }
        sleep_briefly();
    }
    return true;
}

bool daemon_hang_up(struct scene *s)
{
    return (s->pid != 0 && kill(s->pid, SIGHUP) == 0) || scene_fail(s, "no daemon to signal");
}

bool daemon_stop(struct scene *s)
{
    int status = 0;
    if (s->pid == 0) {
        return true;
    }
    (void)kill(s->pid, SIGTERM);
    bool ended = wait_end(s->pid, now_us() + STOP_US, &status);
    s->pid = 0;
    if (!ended) {
        return scene_fail(s, "the daemon did not exit after SIGTERM");
    }
    s->ended = s->ended || status == 0;
    return status == 0 ||
           scene_fail(s, "the daemon exited with status 0x%x after SIGTERM", (unsigned)status);
}

/* Replaces "@config" and "@state" by this scenario's paths, and "@venue" by its venue's address. */
static char *expand(struct scene *s, struct str word)
{
    return strdup(str_equal_c(word, "@config")                      ? s->config
                  : str_equal_c(word, "@state")                     ? s->dir
                  : str_equal_c(word, "@venue") && s->venue != NULL ? fake_venue_url(s->venue)
                                                                    : word.ptr);
}

static int input_file(struct str input)
{
    int pipe_fd[2];
    if (input.len == 0) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    /* The whole input must fit in the pipe's buffer of 64 KiB. */
    if (input.len > 60000 || pipe2(pipe_fd, O_CLOEXEC) < 0) {
        return -1;
    }
    ssize_t n = write(pipe_fd[1], input.ptr, input.len);
    (void)close(pipe_fd[1]);
    return n == (ssize_t)input.len ? pipe_fd[0] : -1;
}

bool daemon_run(struct scene *s, const struct yaml_node *args, struct str input, struct buf *out,
                int *ret_exit)
{
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)s->binary};
    char path[256];
    int status = 0;
    for (size_t i = 0; i < yaml_len(args) && i < ARGS_MAX; i++) {
        argv[i + 1] = expand(s, yaml_text(yaml_at(args, i)));
    }
    (void)snprintf(path, sizeof(path), "%s/out", s->dir);
    int in_fd = input_file(input);
    int out_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = in_fd >= 0 && out_fd >= 0;
    pid_t pid = good ? fork() : -1;
    if (pid == 0) {
        exec_program(argv, in_fd, out_fd);
    }
    good = good && pid > 0 && wait_end(pid, now_us() + RUN_US, &status);
    *ret_exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    char bytes[4096];
    ssize_t n = 0;
    (void)lseek(out_fd, 0, SEEK_SET);
    while (out_fd >= 0 && (n = read(out_fd, bytes, sizeof(bytes))) > 0) {
        buf_add(out, bytes, (size_t)n);
    }
    for (size_t i = 1; i < ARGS_MAX + 1; i++) {
        free(argv[i]);
    }
    (void)close(in_fd);
    (void)close(out_fd);
    return good || scene_fail(s, "a process did not end: %s", out->data);
}
