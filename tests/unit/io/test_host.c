#include "base/check.h"
#include "io/cgroup.h"
#include "io/host.h"
#include "rigs/file_tree.h"
#include "unit/unit.h"

#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_OF(name, utime, started)                                                \
    "7 (" name ") S 1 7 7 0 -1 4194560 100 0 0 0 " utime " 20 3 4 20 0 5 0 " started \
    " 10000000 250 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0\n"

static void put_machine(const char *root)
{
    file_tree_put(root, "stat",
                  "cpu  100 0 50 800 40 5 5 0 0 0\ncpu0 100 0 50 800 40 5 5 0 0 0\nintr 1\n");
    file_tree_put(root, "meminfo",
                  "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    400 kB\n"
                  "SwapTotal:    0 kB\nSwapFree:     0 kB\n");
    file_tree_put(root, "diskstats",
                  "   7       0 loop0 9 0 9 9 9 0 9 9 0 9 9\n"
                  " 259       0 nvme0n1 10 0 2000 5 20 0 4000 6 0 77 11 0 0 0 0 0 0\n"
                  " 259       1 nvme0n1p1 10 0 1000 5 20 0 3000 6 0 70 11 0 0 0 0 0 0\n"
                  "   8       0 sda 1 0 10 1 1 0 20 1 0 99 2\n");
    file_tree_put(root, "net/dev",
                  "Inter-|   Receive  |  Transmit\n face |bytes\n"
                  "    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
                  "  eth0:5000 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0\n"
                  " wg0: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n");
    file_tree_put(root, "sys/fs/file-nr", "1824\t0\t9223372036854775807\n");
}

static void reads_the_machine(void **state)
{
    const char *root = *state;
    struct host_counters c;
    struct err err = {0};
    put_machine(root);
    assert_int_equal(host_read(root, makedev(259, 1), &c, &err), 0);
    assert_int_equal(c.has, HOST_CPU | HOST_MEMORY | HOST_DISK_IO | HOST_NETWORK | HOST_FILES);
    assert_int_equal(c.cpu_ticks, 1000);
    assert_int_equal(c.cpu_busy_ticks, 160);
    assert_int_equal(c.memory_bytes, 1000 * 1024);
    assert_int_equal(c.memory_available_bytes, 400 * 1024);
    assert_int_equal(c.disk_read_bytes, 1000 * 512);
    assert_int_equal(c.disk_written_bytes, 3000 * 512);
    assert_int_equal(c.disk_busy_ms, 70);
    assert_int_equal(c.received_bytes, 5010);
    assert_int_equal(c.sent_bytes, 7020);
    assert_int_equal(c.files, 1824);
    /* Of an unknown device: all disks, but neither partitions nor loops. */
    assert_int_equal(host_read(root, makedev(0, 42), &c, &err), 0);
    assert_int_equal(c.disk_read_bytes, 2010 * 512);
    assert_int_equal(c.disk_busy_ms, 99);
}

static void refuses_other_forms(void **state)
{
    const char *root = *state;
    static const struct {
        const char *name, *text;
        unsigned part;
    } cases[] = {
        {"stat", "cpu  100 0 fifty 800 40 5 5 0 0 0\n", HOST_CPU},
        {"stat", "cpu  100 0 50\n", HOST_CPU},
        {"stat", "", HOST_CPU},
        {"meminfo", "MemTotal: 1000 kB\n", HOST_MEMORY},
        {"meminfo", "MemTotal: 1000 MB\nMemAvailable: 1 kB\n", HOST_MEMORY},
        {"meminfo", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", HOST_MEMORY},
        {"diskstats", " 8 0 sda 1 0 10\n", HOST_DISK_IO},
        {"diskstats", " 8 0 sda 1 0 -10 1 1 0 20 1 0 99 2\n", HOST_DISK_IO},
        {"net/dev", "a\nb\neth0 1 2 3\n", HOST_NETWORK},
        {"sys/fs/file-nr", "many\n", HOST_FILES},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct host_counters c;
        struct err err = {0};
        put_machine(root);
        file_tree_put(root, cases[i].name, cases[i].text);
        assert_int_equal(host_read(root, 0, &c, &err), -ERR_HOST_FORMAT);
        assert_has(err.context, cases[i].name);
        assert_int_equal(c.has & cases[i].part, 0);
        assert_int_equal(c.has | cases[i].part,
                         HOST_CPU | HOST_MEMORY | HOST_DISK_IO | HOST_NETWORK | HOST_FILES);
    }
}

static void a_missing_file_is_missing_not_zero(void **state)
{
    const char *root = *state;
    struct host_counters c;
    struct err err = {0};
    AUTO_BUF struct buf path = BUF_INIT(512);
    put_machine(root);
    buf_addf(&path, "%s/diskstats", root);
    assert_int_equal(unlink(path.data), 0);
    assert_int_equal(host_read(root, 0, &c, &err), -ERR_FILE_MISSING);
    assert_int_equal(c.has, HOST_CPU | HOST_MEMORY | HOST_NETWORK | HOST_FILES);
}

static void reads_a_process_with_an_odd_name(void **state)
{
    const char *root = *state;
    struct host_process p;
    struct err err = {0};
    file_tree_put(root, "7/stat", STAT_OF("a) S (b 9", "10", "5000"));
    file_tree_put(root, "7/statm", "2441 250 50 1 0 100 0\n");
    assert_int_equal(host_read_process(root, 7, &p, &err), 0);
    assert_int_equal(p.cpu_ticks, 37);
    assert_int_equal(p.threads, 5);
    assert_int_equal(p.started_ticks, 5000);
    assert_int_equal(p.memory_bytes, 250 * sysconf(_SC_PAGESIZE));
    assert_int_equal(p.own_bytes, 200 * sysconf(_SC_PAGESIZE));
    assert_int_equal(p.has, 0); /* io and fd are not there */
    file_tree_put(root, "7/io", "rchar: 1\nwchar: 2\nread_bytes: 4096\nwrite_bytes: 8192\n");
    file_tree_put(root, "7/limits",
                  "Limit   Soft\nMax open files            8                 16          files\n");
    file_tree_put(root, "7/fd/0", "");
    file_tree_put(root, "7/fd/1", "");
    assert_int_equal(host_read_process(root, 7, &p, &err), 0);
    assert_int_equal(p.has, PROCESS_IO | PROCESS_FILES);
    assert_int_equal(p.read_bytes, 4096);
    assert_int_equal(p.files, 2);
    assert_true(p.files_pct > 24.9 && p.files_pct < 25.1);
    file_tree_put(root, "7/io", "read_bytes: -1\n");
    assert_int_equal(host_read_process(root, 7, &p, &err), -ERR_HOST_FORMAT);
    file_tree_put(root, "7/stat", "7 no name S 1\n");
    assert_int_equal(host_read_process(root, 7, &p, &err), -ERR_HOST_FORMAT);
    assert_int_equal(host_read_process(root, 8, &p, &err), -ERR_FILE_MISSING);
}

static void reads_lines_longer_than_its_buffer(void **state)
{
    const char *root = *state;
    struct host_counters c;
    AUTO_BUF struct buf text = BUF_INIT(20000);
    put_machine(root);
    for (int i = 0; i < 9000; i++) {
        buf_add_char(&text, 'x');
    }
    buf_add_c(&text, "\nMemTotal: 1000 kB\nMemAvailable: 400 kB\n");
    file_tree_put(root, "meminfo", text.data);
    assert_int_equal(host_read(root, 0, &c, NULL), 0);
    assert_int_equal(c.memory_available_bytes, 400 * 1024);
}

static void reads_this_machine_and_this_process(void **state)
{
    (void)state;
    struct host_counters c;
    struct host_process p, before;
    struct host_disk disk;
    struct err err = {0};
    if (host_read("/proc", 0, &c, &err) < 0) {
        fail_msg("%s", err.context);
    }
    assert_int_equal(c.has & (HOST_CPU | HOST_MEMORY), HOST_CPU | HOST_MEMORY);
    assert_true(c.cpu_busy_ticks > 0 && c.cpu_busy_ticks < c.cpu_ticks);
    assert_int_equal(host_read_process("/proc", getpid(), &before, &err), 0);
    assert_int_equal(before.has, PROCESS_IO | PROCESS_FILES);
    AUTO_FD int more = dup(0);
    assert_int_equal(host_read_process("/proc", getpid(), &p, &err), 0);
    assert_int_equal(p.files, before.files + 1);
    assert_int_equal(host_disk("/", &disk, &err), 0);
    assert_true(disk.size_bytes > disk.available_bytes && disk.available_bytes > 0);
    assert_int_equal(host_disk("/no/such", &disk, &err), -ERR_FILE_MISSING);
}

/* The parent allocates nothing much, its grandchild 40 MB. */
static void a_tree_has_its_grandchildren(void **state)
{
    (void)state;
    int ready[2], end[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pid_t grandchild = fork();
        char byte;
        (void)close(end[1]);
        if (grandchild == 0) {
            size_t size = (size_t)40 << 20;
            volatile char *memory = malloc(size);
            for (size_t i = 0; memory != NULL && i < size; i += 4096) {
                memory[i] = 1;
            }
            ssize_t n = write(ready[1], "r", 1);
            n = read(end[0], &byte, 1);
            _exit(n < 0);
        }
        ssize_t n = read(end[0], &byte, 1);
        _exit(n < 0 || waitpid(grandchild, NULL, 0) < 0);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct host_process one, tree;
    assert_int_equal(host_read_process("/proc", child, &one, NULL), 0);
    assert_int_equal(host_read_tree("/proc", child, &tree, NULL), 0);
    for (int i = 0; i < 2; i++) {
        (void)close(ready[i]);
        (void)close(end[i]);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(one.processes, 1);
    assert_int_equal(tree.processes, 2);
    assert_true(tree.own_bytes >= one.own_bytes + (INT64_C(40) << 20));
}

/* ------------------------------------------------------------------ cgroups */

static void put_group(const char *root)
{
    file_tree_put(root, "a/b.service/cpu.stat",
                  "usage_usec 12345\nuser_usec 12000\nsystem_usec 345\n");
    file_tree_put(root, "a/b.service/memory.current", "1000000\n");
    file_tree_put(root, "a/b.service/memory.max", "max\n");
    file_tree_put(root, "a/b.service/memory.stat",
                  "anon 700000\nfile 300000\ninactive_file 200000\nactive_file 100000\n");
    file_tree_put(root, "a/b.service/memory.events", "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n");
    file_tree_put(root, "a/b.service/pids.current", "4\n");
    file_tree_put(root, "a/b.service/io.stat",
                  "8:16 rbytes=100 wbytes=200 rios=1 wios=2\n"
                  "8:0 rbytes=1 wbytes=2 rios=1 wios=2\n");
}

static void reads_a_group(void **state)
{
    const char *root = *state;
    struct cgroup_counters c;
    struct err err = {0};
    put_group(root);
    assert_int_equal(cgroup_read(root, "/a/b.service", &c, &err), 0);
    assert_int_equal(c.has, CGROUP_CPU | CGROUP_MEMORY | CGROUP_TASKS | CGROUP_IO);
    assert_int_equal(c.cpu_us, 12345);
    assert_int_equal(c.memory_bytes, 700000);
    assert_int_equal(c.memory_max_bytes, 0);
    assert_int_equal(c.oom_kills, 1);
    assert_int_equal(c.tasks, 4);
    assert_int_equal(c.read_bytes, 101);
    assert_int_equal(c.written_bytes, 202);
    file_tree_put(root, "a/b.service/memory.max", "2000000\n");
    assert_int_equal(cgroup_read(root, "/a/b.service", &c, &err), 0);
    assert_int_equal(c.memory_max_bytes, 2000000);
    static const char *const bad[][2] = {{"a/b.service/cpu.stat", "usage 1\n"},
                                         {"a/b.service/memory.current", "lots\n"},
                                         {"a/b.service/memory.events", "oom_kill -1\n"},
                                         {"a/b.service/io.stat", "8:0 rbytes=x wbytes=1\n"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put_group(root);
        file_tree_put(root, bad[i][0], bad[i][1]);
        assert_int_equal(cgroup_read(root, "/a/b.service", &c, &err), -ERR_HOST_FORMAT);
        assert_has(err.context, bad[i][0]);
    }
    assert_int_equal(cgroup_read(root, "/gone", &c, &err), -ERR_FILE_MISSING);
}

static void a_group_without_controllers_has_cpu_alone(void **state)
{
    const char *root = *state;
    struct cgroup_counters c;
    file_tree_put(root, "c/cpu.stat", "usage_usec 1\n");
    assert_int_equal(cgroup_read(root, "/c", &c, NULL), 0);
    assert_int_equal(c.has, CGROUP_CPU);
}

static void stays_in_the_hierarchy(void **state)
{
    const char *root = *state;
    struct cgroup_counters c;
    struct err err = {0};
    put_group(root);
    assert_int_equal(cgroup_read(root, "/x/../a/b.service", &c, &err), -ERR_FILE_MISSING);
    assert_int_equal(cgroup_read(root, "/a/../a/b.service", &c, &err), -ERR_FILE_MISSING);
}

UNIT_GROUP(host,
           cmocka_unit_test_setup_teardown(reads_the_machine, file_tree_make, file_tree_remove),
           cmocka_unit_test_setup_teardown(refuses_other_forms, file_tree_make, file_tree_remove),
           cmocka_unit_test_setup_teardown(a_missing_file_is_missing_not_zero, file_tree_make,
                                           file_tree_remove),
           cmocka_unit_test_setup_teardown(reads_a_process_with_an_odd_name, file_tree_make,
                                           file_tree_remove),
           cmocka_unit_test_setup_teardown(reads_lines_longer_than_its_buffer, file_tree_make,
                                           file_tree_remove),
           cmocka_unit_test(reads_this_machine_and_this_process),
           cmocka_unit_test(a_tree_has_its_grandchildren),
           cmocka_unit_test_setup_teardown(reads_a_group, file_tree_make, file_tree_remove),
           cmocka_unit_test_setup_teardown(a_group_without_controllers_has_cpu_alone,
                                           file_tree_make, file_tree_remove),
           cmocka_unit_test_setup_teardown(stays_in_the_hierarchy, file_tree_make,
                                           file_tree_remove))
