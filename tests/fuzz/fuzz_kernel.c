/* The files of /proc and of a control group: each of them is the input. Nothing is ever negative.
 */
#include "io/cgroup.h"
#include "io/host.h"
#include "rigs/file_tree.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "stat",           "meminfo",          "diskstats",    "net/dev",       "sys/fs/file-nr",
    "7/stat",         "7/statm",          "7/io",         "7/limits",      "7/task/7/children",
    "g/cpu.stat",     "g/memory.current", "g/memory.max", "g/memory.stat", "g/memory.events",
    "g/pids.current", "g/io.stat"};

static char *root;
static int file;

static void remove_root(void)
{
    void *path = root;
    (void)file_tree_remove(&path);
}

/* All names lead to one file in memory. */
static void make_root(void)
{
    void *path = NULL;
    char target[64], link[256];
    if (root != NULL) {
        return;
    }
    file = memfd_create("fuzz", 0);
    if (file < 0 || file_tree_make(&path) != 0) {
        abort();
    }
    root = path;
    (void)atexit(remove_root);
    (void)snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)getpid(), file);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        file_tree_put(root, names[i], "");
        (void)snprintf(link, sizeof(link), "%s/%s", root, names[i]);
        if (unlink(link) != 0 || symlink(target, link) != 0) {
            abort();
        }
    }
}

static void need(int64_t value)
{
    if (value < 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host_counters host;
    struct host_process process;
    struct cgroup_counters group;
    make_root();
    if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) {
        abort();
    }
    (void)host_read(root, 0, &host, NULL);
    need(host.cpu_busy_ticks);
    need(host.cpu_ticks - host.cpu_busy_ticks);
    need(host.memory_bytes);
    need(host.disk_read_bytes);
    need(host.disk_written_bytes);
    need(host.received_bytes);
    need(host.sent_bytes);
    need(host.files);
    if (host_read_tree(root, 7, &process, NULL) == 0) {
        need(process.cpu_ticks);
        need(process.memory_bytes);
        need(process.own_bytes);
        need(process.read_bytes);
        need(process.written_bytes);
    }
    if (cgroup_read(root, "/g", &group, NULL) == 0) {
        need(group.cpu_us);
        need(group.memory_bytes);
        need(group.oom_kills);
        need(group.tasks);
        need(group.read_bytes);
    }
    return 0;
}
