#include "base/buf.h"
#include "base/check.h"
#include "check.h"
#include "health_internal.h"
#include "io/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUPS       "/sys/fs/cgroup/"
#define CLOCK_ERROR_S 10 /* the wall clock may have been set since the boot */

struct seen {
    char path[1024];
    char fault[64]; /* "": a process is alive */
};

__attribute__((format(printf, 2, 3))) static void set_fault(struct seen *seen, const char *format,
                                                            ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(seen->fault, sizeof(seen->fault), format, args);
    va_end(args);
}

static void look_at_cgroup(struct seen *seen)
{
    char path[sizeof(seen->path) + 16];
    AUTO_BUF struct buf text = BUF_INIT(4096);
    (void)snprintf(path, sizeof(path), "%s/cgroup.events", seen->path);
    if (file_read(path, &text, NULL) < 0) {
        set_fault(seen, "the cgroup does not exist");
    } else if (strstr(text.data, "populated 1") == NULL) {
        set_fault(seen, "no process is in the cgroup");
    }
}

/* The fields of /proc/PID/stat behind the name, which may hold any byte but is in parentheses.
 * False: there is no such process. */
static bool read_stat(int64_t pid, char *ret_state, int64_t *ret_started_ticks)
{
    char path[64];
    AUTO_BUF struct buf text = BUF_INIT(4096);
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    const char *end = file_read(path, &text, NULL) < 0 ? NULL : strrchr(text.data, ')');
    struct str rest = str_c(end == NULL ? "" : end + 1), word = str_c("");
    if (!str_word(&rest, &word)) {
        return false;
    }
    *ret_state = word.ptr[0];
    for (int field = 4; field <= 22 && str_word(&rest, &word); field++) {}
    return str_to_i64(word, ret_started_ticks);
}

/* Another process may have got the number since the file was written. */
static bool is_younger(int64_t started_ticks, const char *file)
{
    struct timespec boot, wall;
    struct stat written;
    if (stat(file, &written) < 0 || clock_gettime(CLOCK_BOOTTIME, &boot) < 0 ||
        clock_gettime(CLOCK_REALTIME, &wall) < 0) {
        return false;
    }
    int64_t age_s = boot.tv_sec - started_ticks / sysconf(_SC_CLK_TCK);
    return wall.tv_sec - age_s > written.st_mtim.tv_sec + CLOCK_ERROR_S;
}

static void look_at_pid_file(struct seen *seen)
{
    AUTO_BUF struct buf text = BUF_INIT(64);
    int64_t pid = 0;
    if (file_read(seen->path, &text, NULL) < 0) {
        set_fault(seen, "the pid file cannot be read");
        return;
    }
    if (!str_to_i64(str_trim(buf_str(&text)), &pid) || pid <= 0) {
        set_fault(seen, "the pid file has no process id");
        return;
    }
    char state = '\0';
    int64_t started_ticks = 0;
    if (!read_stat(pid, &state, &started_ticks)) {
        set_fault(seen, "process %lld does not exist", (long long)pid);
    } else if (state == 'Z' || state == 'X') {
        set_fault(seen, "process %lld has ended", (long long)pid);
    } else if (is_younger(started_ticks, seen->path)) {
        set_fault(seen, "process %lld is another one now", (long long)pid);
    }
}

static void look(void *data)
{
    struct seen *seen = data;
    struct stat st;
    bool folder = stat(seen->path, &st) == 0 && S_ISDIR(st.st_mode);
    if (folder || strncmp(seen->path, CGROUPS, strlen(CGROUPS)) == 0) {
        look_at_cgroup(seen);
    } else {
        look_at_pid_file(seen);
    }
}

static void judge(struct check *check, const void *data)
{
    const struct seen *seen = data;
    if (seen->fault[0] == '\0') {
        check_pass(check);
    } else {
        check->fault = CHECK_CRASHED;
        check_fail(check, "%s: %s", seen->fault, seen->path);
    }
}

static void begin(struct check *check)
{
    static const struct check_look process = {
        .look = look, .seen = judge, .size = sizeof(struct seen)};
    struct seen seen = {.fault = ""};
    (void)str_copy(str_c(check->config.process), seen.path, sizeof(seen.path));
    check_look_begin(check, &process, &seen);
}

const struct check_kind check_process = {
    .name = "process", .begin = begin, .cancel = check_look_cancel, .release = check_look_release};
