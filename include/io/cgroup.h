/*
 * cgroup.h: what the kernel counts for a control group (cgroup v2): that of a systemd unit.
 *
 * XX
 *
 * Always true: nothing is allocated; a controller that is not enabled for the group is missing in
 * `has`, never zero. A file of an unknown form is HOST_FORMAT. Thread: any; a helper, since the
 * kernel gathers the figures of all CPUs when they are read.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

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

/* Where cgroup v2 is mounted, also beside v1 (then without its controllers). */
const char *cgroup_root(void);
/* group: from the root of the hierarchy, as systemd names it. ERR_FILE_MISSING if it is gone. */
int cgroup_read(const char *root, const char *group, struct cgroup_counters *ret, struct err *err);
