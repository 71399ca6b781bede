#include "io/process.h"

#include "base/check.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAIN_ROUNDS = 16 };

static int64_t marks; /* of children; the loop's thread only */

/* Killed by process_free, but not ended yet: a process that waits for a dead disk cannot be killed.
 * The loop's thread only. */
static struct orphan {
    struct orphan *next;
    pid_t pid;
} * orphans;

struct process {
    char mark[64]; /* in the environment of the child and of all its descendants */
    struct loop *loop;
    pid_t pid;
    bool running;
    int64_t started_mono_us;
    process_fn fn;
    process_output_fn output_fn; /* NULL: to the log */
    void *userdata;
    struct loop_source *child;
    struct loop_source *kill_timer;
    int64_t kill_mono_us; /* when kill_timer is armed */
    struct loop_source *output;
    int output_fd; /* read end of the pipe that the child writes to; -1: no log */
    int log_fd;
    size_t log_bytes;
    size_t log_max_bytes;
    char log_path[PATH_MAX];
};

/* ------------------------------------------------------------------ log */

static void log_open(struct process *p)
{
    p->log_fd = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    struct stat st;
    p->log_bytes = p->log_fd >= 0 && fstat(p->log_fd, &st) == 0 ? (size_t)st.st_size : 0;
}

static void log_rotate(struct process *p)
{
    AUTO_BUF struct buf old = BUF_INIT(PATH_MAX + 8);
    buf_addf(&old, "%s.1", p->log_path);
    (void)rename(p->log_path, old.data);
    if (p->log_fd >= 0) {
        (void)close(p->log_fd);
    }
    log_open(p);
}

/* True if logrotate or a person has moved or deleted the file. */
static bool log_was_moved(const struct process *p)
{
    struct stat ours, at_path;
    return p->log_fd >= 0 && fstat(p->log_fd, &ours) == 0 &&
           (stat(p->log_path, &at_path) < 0 || at_path.st_ino != ours.st_ino ||
            at_path.st_dev != ours.st_dev);
}

static void log_bytes(struct process *p, const char *bytes, size_t len)
{
    if (log_was_moved(p)) {
        (void)close(p->log_fd);
        log_open(p);
    }
    if (p->log_bytes + len > p->log_max_bytes) {
        log_rotate(p);
    }
    /* A failed write must not stop the service: the bytes are lost. */
    if (p->log_fd >= 0 && write(p->log_fd, bytes, len) == (ssize_t)len) {
        p->log_bytes += len;
    }
}

/* Reads a limited amount, so that a child that writes all the time does not block the loop. */
static void drain_output(struct process *p)
{
    char chunk[4096];
    for (int i = 0; i < DRAIN_ROUNDS; i++) {
        ssize_t n = read(p->output_fd, chunk, sizeof(chunk));
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) {
                loop_io_set(p->output, 0); /* every writer has closed the pipe */
            }
            return;
        }
        if (p->output_fn != NULL) {
            p->output_fn(str_n(chunk, (size_t)n), p->userdata);
        } else {
            log_bytes(p, chunk, (size_t)n);
        }
    }
}

static void on_output(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    drain_output(userdata);
}

/* ------------------------------------------------------------------ start and end */

static int pidfd_of(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_signal(int fd, int signal_number)
{
    return (int)syscall(SYS_pidfd_send_signal, fd, signal_number, NULL, 0);
}

static bool has_mark(pid_t pid, const char *mark)
{
    char path[64];
    AUTO_BUF struct buf environment = BUF_INIT((size_t)256 * 1024);
    (void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    size_t len = strlen(mark) + 1; /* with its NUL */
    return file_read(path, &environment, NULL) == 0 &&
           memmem(environment.data, environment.len, mark, len) != NULL;
}

/* A descendant that has left the group (a daemon: two forks and setsid) still has the mark of this
 * child in its environment. Returns how many there are. Reads /proc/PID/environ of our own user's
 * processes only, some 10 µs each; only when a child ends. */
static int signal_marked(const struct process *p, int signal_number)
{
    int count = 0;
    DIR *proc = opendir("/proc");
    for (const struct dirent *e = proc == NULL ? NULL : readdir(proc); e != NULL;
         e = readdir(proc)) {
        int64_t pid = 0;
        struct stat st;
        if (!str_to_i64(str_c(e->d_name), &pid) || pid <= 1 || pid == getpid() || pid == p->pid ||
            fstatat(dirfd(proc), e->d_name, &st, 0) < 0 || st.st_uid != geteuid()) {
            continue;
        }
        AUTO_FD int fd =
            pidfd_of((pid_t)pid); /* before its environment is read: the same process */
        if (fd >= 0 && has_mark((pid_t)pid, p->mark) && pidfd_signal(fd, signal_number) == 0) {
            count++;
        }
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
    return count;
}

static void reap_orphans(void)
{
    struct orphan **at = &orphans;
    while (*at != NULL) {
        struct orphan *orphan = *at;
        if (waitpid(orphan->pid, NULL, WNOHANG) == 0) {
            at = &orphan->next;
        } else {
            *at = orphan->next;
            free(orphan);
        }
    }
}

static void add_orphan(pid_t pid)
{
    struct orphan *orphan = calloc(1, sizeof(*orphan));
    ASSERT(orphan != NULL);
    *orphan = (struct orphan){.next = orphans, .pid = pid};
    orphans = orphan;
}

static void on_child(pid_t pid, int exit_code, void *userdata)
{
    struct process *p = userdata;
    /* Surviving grandchildren could still hold the service's port, and a restart would fail. */
    (void)kill(-pid, SIGKILL);
    (void)signal_marked(p, SIGKILL);
    if (p->output_fd >= 0) {
        drain_output(p);
    }
    p->running = false;
    p->pid = 0;
    loop_timer_stop(p->kill_timer);
    reap_orphans();
    if (p->fn != NULL) {
        p->fn(p, exit_code, p->userdata);
    }
}

static void on_kill(void *userdata)
{
    struct process *p = userdata;
    if (p->running) {
        (void)kill(-p->pid, SIGKILL);
    }
}

/* Runs between fork and exec in a program with threads: async-signal-safe calls only. */
_Noreturn static void child_exec(const struct process_options *options, char *const *env,
                                 const char *path, int out_fd, pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) {
        (void)signal(s, SIG_DFL);
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = out_fd >= 0 ? out_fd : null;
    bool good = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && null >= 0 &&
                dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
                dup2(out, STDERR_FILENO) >= 0 && (options->cwd == NULL || chdir(options->cwd) == 0);
    /* The parent may have died before PDEATHSIG was set. */
    if (good && getppid() == parent &&
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        (void)execve(path, (char *const *)(uintptr_t)options->argv, env);
    }
    /* The parent does not wait for the exec, so the error goes to the child's log. 127 is the exit
     * code that a shell uses. */
    static const char what[] = "cannot be run: ";
    const char *why = strerrordesc_np(errno);
    why = why != NULL ? why : "unknown error";
    (void)!write(STDERR_FILENO, path, strlen(path));
    (void)!write(STDERR_FILENO, " ", 1);
    (void)!write(STDERR_FILENO, what, sizeof(what) - 1);
    (void)!write(STDERR_FILENO, why, strlen(why));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(127);
}

struct paths {
    char *all[64];
    size_t count;
};

static void paths_cleanup(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->all[i]);
    }
}

/* The candidate paths: the one given, or one per folder of PATH. */
static void paths_find(struct paths *paths, const char *program)
{
    if (strchr(program, '/') != NULL) {
        paths->all[paths->count] = strdup(program);
        ASSERT(paths->all[paths->count++] != NULL);
        return;
    }
    const char *path = getenv("PATH");
    struct str rest = str_c(path == NULL ? "/usr/local/bin:/usr/bin:/bin" : path);
    struct str folder;
    while (paths->count < COUNT_OF(paths->all) - 1 && str_split(&rest, ':', &folder)) {
        AUTO_BUF struct buf one = BUF_INIT(PATH_MAX);
        buf_addf(&one, "%.*s/%s", STR_ARG(folder), program);
        if (folder.len > 0 && !buf_failed(&one)) {
            paths->all[paths->count++] = buf_detach(&one);
        }
    }
}

static void env_default(struct paths *env)
{
    static const char *const names[] = {"PATH", "HOME", "LANG"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL) {
            AUTO_BUF struct buf one = BUF_INIT((size_t)64 * 1024);
            buf_addf(&one, "%s=%s", names[i], value);
            if (!buf_failed(&one)) {
                env->all[env->count++] = buf_detach(&one);
            }
        }
    }
}

/* The mark first: it is part of every environment. */
static void env_make(struct paths *env, const struct process *p, const char *const *given)
{
    env->all[env->count++] = strdup(p->mark);
    ASSERT(env->all[0] != NULL);
    for (size_t i = 0; given != NULL && given[i] != NULL; i++) {
        ASSERT(env->count + 1 < COUNT_OF(env->all));
        env->all[env->count++] = strdup(given[i]);
        ASSERT(env->all[env->count - 1] != NULL);
    }
    if (given == NULL) {
        env_default(env);
    }
}

/* Returns 0 and the file to run, or the errno that says why there is none. Errors that only exec
 * finds (a missing interpreter) go to the child's log: waiting for the exec would block the loop
 * until the child gets a CPU. */
static int choose_path(const struct paths *paths, const char *cwd, const char **ret)
{
    int error = ENOENT;
    for (size_t i = 0; i < paths->count; i++) {
        struct stat st;
        if (stat(paths->all[i], &st) < 0) {
            error = error == ENOENT ? errno : error;
        } else if (!S_ISREG(st.st_mode) || access(paths->all[i], X_OK) < 0) {
            error = EACCES;
        } else {
            *ret = paths->all[i];
            return cwd == NULL || access(cwd, X_OK) == 0 ? 0 : errno;
        }
    }
    return error;
}

static int spawn(struct process *p, const struct process_options *options, int out_fd,
                 struct err *err)
{
    const char *program = options->argv[0];
    AUTO(paths_cleanup) struct paths paths = {0};
    AUTO(paths_cleanup) struct paths env = {0};
    paths_find(&paths, program);
    env_make(&env, p, options->env);
    const char *path = NULL;
    int error = choose_path(&paths, options->cwd, &path);
    pid_t parent = getpid();
    pid_t pid = error == 0 ? fork() : -1;
    if (pid == 0) {
        child_exec(options, env.all, path, out_fd, parent);
    }
    if (pid < 0) {
        return path == NULL && (error == ENOENT || error == ENOTDIR)
                   ? err_set(err, ERR_PROCESS_MISSING, "%s", program)
                   : err_set(err, ERR_PROCESS_SPAWN, "%s: %s", program,
                             strerror(error != 0 ? error : errno));
    }
    (void)setpgid(pid, pid); /* the child does so too; either may run first */
    p->pid = pid;
    p->running = true;
    p->started_mono_us = clock_mono_us(loop_clock(p->loop));
    p->child = loop_add_child(p->loop, pid, on_child, p, err);
    return p->child == NULL ? -ERR_LOOP_SOURCE : 0;
}

int process_spawn(struct loop *loop, const struct process_options *options, struct process **ret,
                  struct err *err)
{
    ASSERT(options->argv != NULL && options->argv[0] != NULL);
    reap_orphans();
    struct process *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    p->loop = loop;
    p->fn = options->fn;
    p->output_fn = options->output;
    p->userdata = options->userdata;
    /* Unique on this machine until it is booted again. */
    (void)snprintf(p->mark, sizeof(p->mark), "NIGHTDESK_CHILD=%d-%lld", (int)getpid(),
                   (long long)clock_mono_us(clock_real()) * 1000 + ++marks);
    p->output_fd = -1;
    p->log_fd = -1;
    p->log_max_bytes = options->log_max_bytes == 0 ? (size_t)1 << 20 : options->log_max_bytes;
    p->kill_timer = loop_add_timer(loop, on_kill, p);
    AUTO_FD int out_fd = -1;
    int rc = 0;
    if (options->log_path != NULL || options->output != NULL) {
        int ends[2];
        const char *path = options->output == NULL ? options->log_path : "";
        if (!str_copy(str_c(path), p->log_path, sizeof(p->log_path)) ||
            pipe2(ends, O_CLOEXEC) < 0) {
            rc = err_set(err, ERR_PROCESS_SPAWN, "%s: log: %s", options->argv[0], strerror(errno));
        } else {
            p->output_fd = ends[0];
            out_fd = ends[1];
            /* Only our end is non-blocking: the child expects blocking descriptors. */
            (void)fcntl(p->output_fd, F_SETFL, O_NONBLOCK);
            if (path[0] != '\0') {
                log_open(p);
            }
            p->output = loop_add_io(loop, p->output_fd, EPOLLIN, on_output, p, err);
            rc = p->output == NULL ? -ERR_LOOP_SOURCE : 0;
            if (rc == 0) {
                loop_source_name(p->output, "output of a child");
            }
        }
    }
    if (rc == 0) {
        rc = spawn(p, options, out_fd, err);
    }
    if (rc < 0) {
        process_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

pid_t process_pid(const struct process *process)
{
    return process->pid;
}

bool process_running(const struct process *process)
{
    return process->running;
}

int64_t process_started_mono_us(const struct process *process)
{
    return process->started_mono_us;
}

void process_stop(struct process *process, int64_t grace_ms)
{
    if (!process->running) {
        return;
    }
    (void)kill(-process->pid, SIGTERM);
    (void)signal_marked(process, SIGTERM);
    int64_t kill_mono_us = clock_mono_us(loop_clock(process->loop)) + grace_ms * USEC_PER_MSEC;
    if (!loop_timer_armed(process->kill_timer) || kill_mono_us < process->kill_mono_us) {
        process->kill_mono_us = kill_mono_us;
        loop_timer_at(process->kill_timer, kill_mono_us);
    }
}

void process_free(struct process *process)
{
    if (process == NULL) {
        return;
    }
    if (process->running) {
        (void)kill(-process->pid, SIGKILL);
        (void)signal_marked(process, SIGKILL);
        add_orphan(process->pid);
    }
    reap_orphans();
    loop_source_free(process->child);
    loop_source_free(process->kill_timer);
    loop_source_free(process->output);
    if (process->output_fd >= 0) {
        (void)close(process->output_fd);
    }
    if (process->log_fd >= 0) {
        (void)close(process->log_fd);
    }
    free(process);
}
