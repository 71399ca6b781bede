/*
 * cgroup.h: what the kernel counts for a control group (cgroup v2): that of a systemd unit.
 *
 *     char group[CGROUP_PATH_SIZE];
 *     rc = cgroup_of("/proc", main_pid, "demo.service", group, err);      // "/system.slice/…"
 *     rc = cgroup_read("/sys/fs/cgroup", group, &counters, err);
 *
 * Always true: nothing is allocated; a controller that is not enabled for the group is missing in
 * `has`, never zero. A file of an unknown form is HOST_FORMAT. Thread: any; a helper, since the
 * kernel gathers the figures of all CPUs when they are read.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PATH_SIZE 384

enum cgroup_part {
    CGROUP_CPU = 1 << 0,
    CGROUP_MEMORY = 1 << 1,
    CGROUP_TASKS = 1 << 2,
    CGROUP_IO = 1 << 3,
};

struct cgroup_counters {
    unsigned has; /* enum cgroup_part */
    int64_t cpu_us;
    int64_t memory_bytes;     /* without the pages of files that the kernel can drop */
    int64_t memory_max_bytes; /* 0: no limit of its own */
    int64_t oom_kills;
    int64_t tasks;
    int64_t read_bytes, written_bytes; /* of all devices */
};

/* Writes the group of a process, from the root of the hierarchy; if it is below that of the unit,
 * as with Delegate=, that of the unit. ERR_FILE_MISSING if the process has ended, or if the unit
 * has no group that we can see. */
int cgroup_of(const char *proc, pid_t pid, const char *unit, char ret[CGROUP_PATH_SIZE],
              struct err *err);
/* Where cgroup v2 is mounted, also beside v1 (then without its controllers). */
const char *cgroup_root(void);
/* ERR_FILE_MISSING if the group is gone. */
int cgroup_read(const char *root, const char *group, struct cgroup_counters *ret, struct err *err);
