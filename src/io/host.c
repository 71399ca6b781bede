#include "io/host.h"

#include "base/check.h"
#include "kernel_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTOR_BYTES 512 /* of /proc/diskstats, whatever the disk */
#define STAT_UTIME   11  /* fields of /proc/PID/stat after the name of the program, from 0 */
#define STAT_CSTIME  14
#define STAT_THREADS 17
#define STAT_STARTED 19

int64_t host_ticks_per_second(void)
{
    return sysconf(_SC_CLK_TCK);
}

/* ------------------------------------------------------------------ the machine */

static int read_cpu(const char *proc, struct host_counters *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int64_t ticks[8] = {0}; /* user nice system idle iowait irq softirq steal */
    int rc = kernel_file_word(&file, proc, "stat", &line, err);
    struct str word;
    if (rc < 0) {
        return rc;
    }
    bool ok = str_word(&line, &word) && str_equal_c(word, "cpu");
    for (size_t i = 0; ok && i < COUNT_OF(ticks); i++) {
        ok = kernel_number(&line, &ticks[i]);
        ret->cpu_ticks += ticks[i];
    }
    if (!ok) {
        return kernel_file_bad(&file, err);
    }
    ret->cpu_busy_ticks = ret->cpu_ticks - ticks[3] - ticks[4];
    ret->has |= HOST_CPU;
    return 0;
}

/* "MemTotal:       16266900 kB" */
static bool is_amount(struct str line, const char *name, int64_t *ret_bytes, int *found)
{
    struct str word;
    if (!str_starts(line, name) || !str_word(&line, &word) ||
        !kernel_bytes(&line, 1024, ret_bytes) || !str_word(&line, &word) ||
        !str_equal_c(word, "kB")) {
        return false;
    }
    (*found)++;
    return true;
}

static int read_memory(const char *proc, struct host_counters *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int memory = 0, swap = 0;
    int rc = kernel_file_open(&file, proc, "meminfo", err);
    while (rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0) {
        (void)(is_amount(line, "MemTotal:", &ret->memory_bytes, &memory) ||
               is_amount(line, "MemAvailable:", &ret->memory_available_bytes, &memory) ||
               is_amount(line, "SwapTotal:", &ret->swap_bytes, &swap) ||
               is_amount(line, "SwapFree:", &ret->swap_free_bytes, &swap));
    }
    if (rc < 0) {
        return rc;
    }
    if (memory != 2 || ret->memory_bytes == 0) {
        return kernel_file_bad(&file, err);
    }
    ret->has |= HOST_MEMORY | (swap == 2 && ret->swap_bytes > 0 ? HOST_SWAP : 0U);
    return 0;
}

/* A line of /proc/diskstats. */
struct disk_line {
    int64_t major, minor;
    char name[32];
    int64_t read_bytes, written_bytes, busy_ms;
};

static bool parse_disk(struct str line, struct disk_line *ret)
{
    struct str name;
    int64_t n[10]; /* reads, merged, sectors, ms, writes, merged, sectors, ms, in flight, busy ms */
    if (!kernel_number(&line, &ret->major) || !kernel_number(&line, &ret->minor) ||
        !str_word(&line, &name)) {
        return false;
    }
    (void)str_copy(name, ret->name, sizeof(ret->name));
    for (size_t i = 0; i < COUNT_OF(n); i++) {
        bool sectors = i == 2 || i == 6;
        if (!kernel_bytes(&line, sectors ? SECTOR_BYTES : 1, &n[i])) {
            return false;
        }
    }
    ret->read_bytes = n[2];
    ret->written_bytes = n[6];
    ret->busy_ms = n[9];
    return true;
}

/* What lies over other disks of the list would count twice. */
static bool is_layer(const char *name)
{
    static const char *const layers[] = {"loop", "ram", "dm-", "md", "zram", "sr", "fd"};
    for (size_t i = 0; i < COUNT_OF(layers); i++) {
        if (strncmp(name, layers[i], strlen(layers[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_disk(struct host_counters *to, const struct disk_line *disk)
{
    to->disk_busy_ms = to->disk_busy_ms > disk->busy_ms ? to->disk_busy_ms : disk->busy_ms;
    return kernel_add(&to->disk_read_bytes, disk->read_bytes) &&
           kernel_add(&to->disk_written_bytes, disk->written_bytes);
}

static int read_disks(const char *proc, dev_t device, struct host_counters *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct host_counters one = {0}, all = {0};
    struct str line;
    char whole[32] = ""; /* the disk of which partitions follow */
    bool exact = false, any = false;
    int rc = kernel_file_open(&file, proc, "diskstats", err);
    while (rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0) {
        struct disk_line disk = {0};
        if (!parse_disk(line, &disk)) {
            return kernel_file_bad(&file, err);
        }
        bool ok = true, part = whole[0] != '\0' && strncmp(disk.name, whole, strlen(whole)) == 0;
        if (disk.major == (int64_t)major(device) && disk.minor == (int64_t)minor(device)) {
            ok = add_disk(&one, &disk);
            exact = true;
        }
        if (!part) {
            (void)str_copy(str_c(disk.name), whole, sizeof(whole));
            if (!is_layer(disk.name)) {
                ok = ok && add_disk(&all, &disk);
                any = true;
            }
        }
        if (!ok) {
            return kernel_file_bad(&file, err);
        }
    }
    if (rc < 0) {
        return rc;
    }
    const struct host_counters *from = exact ? &one : &all;
    ret->disk_read_bytes = from->disk_read_bytes;
    ret->disk_written_bytes = from->disk_written_bytes;
    ret->disk_busy_ms = from->disk_busy_ms;
    ret->has |= exact || any ? HOST_DISK_IO : 0U;
    return 0;
}

/* "  eth0: 1234 10 0 0 0 0 0 0 5678 12 …": bytes received first, bytes sent ninth. */
static int read_network(const char *proc, struct host_counters *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int rc = kernel_file_open(&file, proc, "net/dev", err);
    for (int i = 0; rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0; i++) {
        struct str name;
        int64_t n[9];
        if (i < 2) { /* headings */
            continue;
        }
        bool ok = str_split(&line, ':', &name);
        for (size_t k = 0; ok && k < COUNT_OF(n); k++) {
            ok = kernel_number(&line, &n[k]);
        }
        if (!ok) {
            return kernel_file_bad(&file, err);
        }
        bool loopback = str_equal_c(str_trim(name), "lo");
        if (!loopback &&
            (!kernel_add(&ret->received_bytes, n[0]) || !kernel_add(&ret->sent_bytes, n[8]))) {
            return kernel_file_bad(&file, err);
        }
    }
    ret->has |= rc < 0 ? 0U : HOST_NETWORK;
    return rc;
}

static int read_files(const char *proc, struct host_counters *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int rc = kernel_file_word(&file, proc, "sys/fs/file-nr", &line, err);
    if (rc == 0 && !kernel_number(&line, &ret->files)) {
        return kernel_file_bad(&file, err);
    }
    ret->has |= rc < 0 ? 0U : HOST_FILES;
    return rc;
}

int host_read(const char *proc, dev_t device, struct host_counters *ret, struct err *err)
{
    *ret = (struct host_counters){0};
    struct err errs[5] = {0};
    const int rcs[5] = {read_cpu(proc, ret, &errs[0]), read_memory(proc, ret, &errs[1]),
                        read_disks(proc, device, ret, &errs[2]), read_network(proc, ret, &errs[3]),
                        read_files(proc, ret, &errs[4])};
    for (size_t i = 0; i < COUNT_OF(rcs); i++) {
        if (rcs[i] < 0) {
            return err_set(err, (enum err_id)errs[i].id, "%s", errs[i].context);
        }
    }
    return 0;
}

int host_disk(const char *path, struct host_disk *ret, struct err *err)
{
    struct statvfs fs;
    struct stat about;
    if (statvfs(path, &fs) < 0 || stat(path, &about) < 0) {
        return err_set(err, errno == ENOENT ? ERR_FILE_MISSING : ERR_FILE_FAILED, "%s: %s", path,
                       strerror(errno));
    }
    int64_t used = (int64_t)(fs.f_blocks - fs.f_bfree);
    *ret = (struct host_disk){.size_bytes = (used + (int64_t)fs.f_bavail) * (int64_t)fs.f_frsize,
                              .available_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize,
                              .inodes = (int64_t)fs.f_files,
                              .inodes_free = (int64_t)fs.f_ffree,
                              .device = about.st_dev};
    return 0;
}

/* ------------------------------------------------------------------ processes */

/* The name of the program, in parentheses, may hold blanks and parentheses. */
static int read_stat(const char *folder, struct host_process *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line, state;
    int64_t n[STAT_STARTED + 1] = {0};
    int rc = kernel_file_word(&file, folder, "stat", &line, err);
    if (rc < 0) {
        return rc;
    }
    const char *end = memrchr(line.ptr, ')', line.len);
    if (end == NULL) {
        return kernel_file_bad(&file, err);
    }
    struct str rest = str_n(end + 1, line.len - (size_t)(end + 1 - line.ptr));
    bool ok = str_word(&rest, &state);
    for (size_t i = 1; ok && i < COUNT_OF(n); i++) {
        struct str word;
        /* Some are negative: the terminal's group, the nice value. The addresses come later. */
        ok = str_word(&rest, &word) && str_to_i64(word, &n[i]);
    }
    for (int i = STAT_UTIME; ok && i <= STAT_CSTIME; i++) {
        ok = n[i] >= 0 && n[i] <= KERNEL_NUMBER_MAX;
        ret->cpu_ticks += ok ? n[i] : 0;
    }
    if (!ok || n[STAT_THREADS] < 0 || n[STAT_THREADS] > INT32_MAX || n[STAT_STARTED] < 0) {
        return kernel_file_bad(&file, err);
    }
    ret->threads = n[STAT_THREADS];
    ret->started_ticks = n[STAT_STARTED];
    return 0;
}

static int read_statm(const char *folder, struct host_process *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int64_t page = sysconf(_SC_PAGESIZE), size, resident, shared;
    int rc = kernel_file_word(&file, folder, "statm", &line, err);
    if (rc < 0) {
        return rc;
    }
    if (!kernel_number(&line, &size) || !kernel_bytes(&line, page, &resident) ||
        !kernel_bytes(&line, page, &shared)) {
        return kernel_file_bad(&file, err);
    }
    ret->memory_bytes = resident;
    ret->own_bytes = resident > shared ? resident - shared : 0;
    return 0;
}

static int read_io(const char *folder, struct host_process *ret, struct err *err)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line, word;
    int found = 0;
    int rc = kernel_file_open(&file, folder, "io", err);
    while (rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0) {
        bool read = str_starts(line, "read_bytes:"), written = str_starts(line, "write_bytes:");
        if ((read || written) &&
            (!str_word(&line, &word) ||
             !kernel_number(&line, read ? &ret->read_bytes : &ret->written_bytes))) {
            return kernel_file_bad(&file, err);
        }
        found += read || written;
    }
    ret->has |= rc == 0 && found == 2 ? PROCESS_IO : 0U;
    return rc < 0 ? rc : found == 2 ? 0 : kernel_file_bad(&file, err);
}

/* "Max open files            1024                 524288               files" */
static int read_limit(const char *folder, struct host_process *ret, struct err *err)
{
    static const char name[] = "Max open files ";
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    struct str line;
    int rc = kernel_file_open(&file, folder, "limits", err);
    while (rc >= 0 && (rc = kernel_file_line(&file, &line, err)) > 0) {
        if (!str_starts(line, name)) {
            continue;
        }
        struct str rest = str_n(line.ptr + sizeof(name) - 1, line.len - (sizeof(name) - 1)), word;
        struct str peek = rest;
        if (str_word(&peek, &word) && str_equal_c(word, "unlimited")) {
            return 0;
        }
        return kernel_number(&rest, &ret->files_max) ? 0 : kernel_file_bad(&file, err);
    }
    return rc < 0 ? rc : kernel_file_bad(&file, err);
}

static int read_fds(const char *folder, struct host_process *ret, struct err *err)
{
    AUTO_KERNEL_FOLDER struct kernel_folder entries = {.fd = -1};
    const char *name;
    int rc = kernel_folder_open(&entries, folder, "fd", err);
    while (rc >= 0 && (rc = kernel_folder_next(&entries, &name, err)) > 0) {
        ret->files++;
    }
    rc = rc < 0 ? rc : read_limit(folder, ret, err);
    if (rc == 0) {
        ret->has |= PROCESS_FILES;
        ret->files_pct =
            ret->files_max > 0 ? 100.0 * (double)ret->files / (double)ret->files_max : 0;
    }
    return rc;
}

int host_read_process(const char *proc, pid_t pid, struct host_process *ret, struct err *err)
{
    char folder[KERNEL_PATH_SIZE];
    *ret = (struct host_process){.processes = 1};
    int n = snprintf(folder, sizeof(folder), "%s/%d", proc, (int)pid);
    ASSERT(n > 0 && (size_t)n < sizeof(folder));
    int rc = read_stat(folder, ret, err);
    rc = rc < 0 ? rc : read_statm(folder, ret, err);
    if (rc < 0) {
        return rc;
    }
    /* Those of other users' processes are not shown. */
    struct err why = {0};
    int io = read_io(folder, ret, &why);
    int files = io == -ERR_HOST_FORMAT ? io : read_fds(folder, ret, &why);
    if (io == -ERR_HOST_FORMAT || files == -ERR_HOST_FORMAT) {
        return err_set(err, ERR_HOST_FORMAT, "%s", why.context);
    }
    return 0;
}

static void add_process(struct host_process *sum, const struct host_process *one)
{
    sum->has &= one->has;
    sum->processes++;
    sum->cpu_ticks += one->cpu_ticks;
    sum->memory_bytes += one->memory_bytes;
    sum->own_bytes += one->own_bytes;
    sum->threads += one->threads;
    sum->read_bytes += one->read_bytes;
    sum->written_bytes += one->written_bytes;
    sum->files += one->files;
    sum->files_pct = sum->files_pct > one->files_pct ? sum->files_pct : one->files_pct;
}

/* Appends the children that one thread has forked. A thread or process that ends meanwhile has
 * none. */
static void add_children(const char *folder, const char *thread, pid_t *pids, int *count)
{
    AUTO_KERNEL_FILE struct kernel_file file = {.fd = -1};
    char path[64];
    struct str line, word;
    int64_t pid;
    (void)snprintf(path, sizeof(path), "task/%.20s/children", thread);
    if (kernel_file_open(&file, folder, path, NULL) < 0) {
        return;
    }
    while (kernel_file_line(&file, &line, NULL) > 0) {
        while (*count < HOST_TREE_MAX && str_word(&line, &word)) {
            if (str_to_i64(word, &pid) && pid > 0 && pid <= INT32_MAX) {
                pids[(*count)++] = (pid_t)pid;
            }
        }
    }
}

int host_read_tree(const char *proc, pid_t pid, struct host_process *ret, struct err *err)
{
    AUTO_UNCLEARED pid_t pids[HOST_TREE_MAX];
    int count = 1;
    pids[0] = pid;
    int rc = host_read_process(proc, pid, ret, err);
    for (int i = 0; rc == 0 && i < count; i++) {
        AUTO_KERNEL_FOLDER struct kernel_folder threads = {.fd = -1};
        char folder[KERNEL_PATH_SIZE];
        const char *thread;
        struct host_process one;
        if (i > 0 && host_read_process(proc, pids[i], &one, NULL) == 0) {
            add_process(ret, &one);
        }
        (void)snprintf(folder, sizeof(folder), "%s/%d", proc, (int)pids[i]);
        if (kernel_folder_open(&threads, folder, "task", NULL) < 0) {
            continue;
        }
        while (kernel_folder_next(&threads, &thread, NULL) > 0) {
            add_children(folder, thread, pids, &count);
        }
    }
    return rc;
}
