#include "io/cgroup.h"

#include "base/check.h"
#include "kernel_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Sums the values of the lines "KEY VALUE"; each of the keys must be there. */
static int read_keys(const char *folder, const char *name, const char *const *keys, size_t count,
                     int64_t *ret_sum, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line, word;
    size_t found = 0;
    int rc = kernel_file_open(&file, folder, name, err);
    while (rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0) {
        int64_t value;
        if (!str_word(&line, &word)) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (str_equal_c(word, keys[i])) {
                if (!kernel_number(&line, &value) || !kernel_add(ret_sum, value)) {
                    return kernel_file_bad(&file, err);
                }
                found++;
                break;
            }
        }
    }
    return rc < 0 ? rc : found == count ? 0 : kernel_file_bad(&file, err);
}

/* A file with one number, or "max" (0 then). */
static int read_number(const char *folder, const char *name, int64_t *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int rc = kernel_file_word(&file, folder, name, &line, err);
    if (rc < 0 || str_equal_c(line, "max")) {
        *ret = 0;
        return rc;
    }
    return kernel_whole_number(line, ret) ? 0 : kernel_file_bad(&file, err);
}

static int read_memory(const char *folder, struct cgroup_counters *ret, struct err *err)
{
    static const char *const droppable[] = {"inactive_file", "active_file"};
    static const char *const killed[] = {"oom_kill"};
    int64_t files = 0;
    int rc = read_number(folder, "memory.current", &ret->memory_bytes, err);
    rc = rc < 0 ? rc : read_number(folder, "memory.max", &ret->memory_max_bytes, err);
    rc = rc < 0 ? rc : read_keys(folder, "memory.stat", droppable, 2, &files, err);
    rc = rc < 0 ? rc : read_keys(folder, "memory.events", killed, 1, &ret->oom_kills, err);
    ret->memory_bytes -= files < ret->memory_bytes ? files : ret->memory_bytes;
    ret->has |= rc == 0 ? CGROUP_MEMORY : 0U;
    return rc;
}

/* "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0" */
static int read_io(const char *folder, struct cgroup_counters *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line, word;
    int rc = kernel_file_open(&file, folder, "io.stat", err);
    while (rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0) {
        while (str_word(&line, &word)) {
            int64_t *to = str_starts(word, "rbytes=")   ? &ret->read_bytes
                          : str_starts(word, "wbytes=") ? &ret->written_bytes
                                                        : NULL;
            int64_t value;
            if (to != NULL && (!kernel_whole_number(str_n(word.ptr + 7, word.len - 7), &value) ||
                               !kernel_add(to, value))) {
                return kernel_file_bad(&file, err);
            }
        }
    }
    ret->has |= rc == 0 ? CGROUP_IO : 0U;
    return rc;
}

const char *cgroup_root(void)
{
    static const char beside_v1[] = "/sys/fs/cgroup/unified";
    return access(beside_v1, F_OK) == 0 ? beside_v1 : "/sys/fs/cgroup";
}

int cgroup_read(const char *root, const char *group, struct cgroup_counters *ret, struct err *err)
{
    static const char *const usage[] = {"usage_usec"};
    char folder[KERNEL_PATH_SIZE];
    *ret = (struct cgroup_counters){0};
    int n = snprintf(folder, sizeof(folder), "%s%s", root, group);
    if (n < 0 || (size_t)n >= sizeof(folder) || strstr(group, "/..") != NULL) {
        return err_set(err, ERR_FILE_MISSING, "%.200s: no path of a control group", group);
    }
    /* cpu.stat is in every group, whatever controllers are enabled. */
    int rc = read_keys(folder, "cpu.stat", usage, 1, &ret->cpu_us, err);
    if (rc < 0) {
        return rc;
    }
    ret->has |= CGROUP_CPU;
    struct err errs[3] = {0};
    const int rcs[3] = {read_memory(folder, ret, &errs[0]),
                        read_number(folder, "pids.current", &ret->tasks, &errs[1]),
                        read_io(folder, ret, &errs[2])};
    ret->has |= rcs[1] == 0 ? CGROUP_TASKS : 0U;
    for (size_t i = 0; i < COUNT_OF(rcs); i++) {
        if (rcs[i] == -ERR_HOST_FORMAT) {
            return err_set(err, ERR_HOST_FORMAT, "%s", errs[i].context);
        }
    }
    return 0;
}
