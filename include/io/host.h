/*
 * host.h: what the kernel counts in /proc: CPU, memory, disks, network and descriptors of this
 * machine, and the same of one process or of one process with its descendants.
 *
 *     struct host_counters now;
 *     rc = host_read("/proc", device, &now, err);
 *     if (now.has & HOST_CPU) use(now.cpu_busy_ticks, now.cpu_ticks);
 *     rc = host_read_tree("/proc", pid, &process, err);
 *
 * Always true: nothing is allocated; a part that this kernel does not have, or does not let us
 * read, is missing in `has`, never zero. A file of an unknown form is HOST_FORMAT. Counters only
 * grow until a restart of the machine or of the process.
 * Nothing here touches a disk but host_disk, which waits for the file system and may hang with it.
 * Thread: any; a helper, since the files of a machine under load take their time.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOST_TREE_MAX 256 /* processes of one tree; more are not counted */

enum host_part {
    HOST_CPU = 1 << 0,
    HOST_MEMORY = 1 << 1,
    HOST_SWAP = 1 << 2, /* there is none without it */
    HOST_DISK_IO = 1 << 3,
    HOST_NETWORK = 1 << 4,
    HOST_FILES = 1 << 5,
};

struct host_counters {
    unsigned has;                                 /* enum host_part */
    int64_t cpu_busy_ticks, cpu_ticks;            /* of all CPUs; busy: neither idle nor waiting */
    int64_t memory_bytes, memory_available_bytes; /* available: as the kernel estimates it */
    int64_t swap_bytes, swap_free_bytes;
    int64_t disk_read_bytes, disk_written_bytes;
    int64_t disk_busy_ms;
    int64_t received_bytes, sent_bytes; /* of all interfaces but the loopback */
    int64_t files;                      /* open in the whole machine */
};

/* device: of the file system whose disk is read, as in st_dev; if /proc/diskstats does not know it,
 * the sum of all disks (a file system over several, or one of a container). The result is 0, or
 * the first error; what could be read is there in any case. */
int host_read(const char *proc, dev_t device, struct host_counters *ret, struct err *err);

/* Of the file system that holds a path. May hang: only on a helper. */
struct host_disk {
    int64_t size_bytes; /* used and available; what is reserved for root counts as neither */
    int64_t available_bytes;
    int64_t inodes, inodes_free; /* 0: it does not count them */
    dev_t device;
};
int host_disk(const char *path, struct host_disk *ret, struct err *err);

enum process_part { PROCESS_IO = 1 << 0, PROCESS_FILES = 1 << 1 };

struct host_process {
    unsigned has;          /* enum process_part: other users' processes do not show them */
    int processes;         /* counted here */
    int64_t started_ticks; /* since the start of the machine: another one is another process */
    int64_t cpu_ticks;     /* with the descendants that have ended */
    int64_t memory_bytes;  /* resident */
    int64_t own_bytes;     /* the part of it that is no file and not shared: what a leak adds to */
    int64_t threads;
    int64_t read_bytes, written_bytes;
    int64_t files;     /* open descriptors */
    int64_t files_max; /* soft limit; 0: none */
    double files_pct;  /* of the limit, in the process that is nearest to it */
};

/* ERR_FILE_MISSING: there is no such process any more. */
int host_read_process(const char *proc, pid_t pid, struct host_process *ret, struct err *err);
/* The sums over a process and its descendants. */
int host_read_tree(const char *proc, pid_t pid, struct host_process *ret, struct err *err);

int64_t host_ticks_per_second(void);
