/*
 * metrics.h: measures the machine, nightdesk and the services, and keeps what it measures
 * (store/metric_table.h).
 *
 *     metrics = metrics_new(&(struct metrics_options){.loop = loop, .proc = "/proc", ...});
 *     metrics_apply(metrics, health);            // whenever the list of services has changed
 *     metrics_start(metrics);
 *     metrics_checked(metrics, service, true);
 *
 * Every monitoring.metrics_interval a helper reads /proc and the control groups of the units; a
 * second one asks the file system of the state folder, which may hang: then its figures are
 * missing, and everything else goes on. A counter becomes a rate only between two readings of the
 * same process. What could not be read is missing, never zero. Always true: one reading at a time,
 * in memory that was allocated before; the loop stores and prunes in slices of a few milliseconds.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "command/cell.h"
#include "io/host.h"
#include "metric_alarm.h"

#include <stdbool.h>
#include <stdint.h>

struct alerts;
struct config;
struct health;
struct loop;
struct ops_store;
struct pool;

/* The names of the series; see metric_info. */
enum metric {
    METRIC_CPU,        /* percent: of all CPUs of the machine; of one CPU for a process */
    METRIC_MEMORY,     /* bytes in use; of a service without pages that the kernel can drop */
    METRIC_MEMORY_PCT, /* of the machine, or of the limit of a unit */
    METRIC_SWAP_PCT,
    METRIC_DISK_PCT,
    METRIC_INODES_PCT,
    METRIC_READ, /* bytes a second, as the next three */
    METRIC_WRITTEN,
    METRIC_RECEIVED,
    METRIC_SENT,
    METRIC_BUSY_PCT, /* the time in which the disk had work */
    METRIC_FILES,    /* open descriptors */
    METRIC_FILES_PCT,
    METRIC_TASKS,
    METRIC_OOM_KILLS,  /* in the interval */
    METRIC_LATENCY,    /* ms, mean of the checks in the interval that succeeded */
    METRIC_FAILED_PCT, /* of the checks in the interval */
    METRICS
};

enum metric_unit {
    METRIC_UNIT_PCT,
    METRIC_UNIT_BYTES,
    METRIC_UNIT_RATE,
    METRIC_UNIT_COUNT,
    METRIC_UNIT_MS
};

struct metric_info {
    const char *name;  /* in ops.db and in JSON: "cpu_pct" */
    const char *label; /* for people: "CPU" */
    enum metric_unit unit;
};
const struct metric_info *metric_info(enum metric metric);
struct cell metric_cell(enum metric_unit unit, double value);
#define METRIC_BIT(metric) (1U << (metric))

/* The first two are also their places in the list, where the services follow. */
/* Checks of a service follow all services: only their results are counted. */
enum subject_kind { SUBJECT_HOST, SUBJECT_SELF, SUBJECT_SERVICE, SUBJECT_CHECK };

#define SUBJECT_NAME_SIZE 80

/* What one reading gives. */
struct reading {
    unsigned gauges;   /* bits of enum metric: values below are known */
    unsigned counters; /* the same: so are these, which only grow */
    int64_t identity;  /* counters of another one begin again */
    double value[METRICS];
    double ticks; /* METRIC_CPU of the machine: of how many */
};

struct metric_subject {
    char name[SUBJECT_NAME_SIZE]; /* "host", "nightdesk", that of the service, "demo/web" */
    enum subject_kind kind;
    int64_t series[METRICS]; /* 0: not looked up yet */
    struct reading before;
    int64_t before_mono_us; /* 0: no reading yet */
    unsigned has;           /* bits of enum metric: the newest values */
    double value[METRICS];
    unsigned checked; /* as has, of the last interval that had a check: a check may come between */
    double memory_limit; /* bytes at which it is full; 0: unknown */
    int checks, failures;
    int64_t latency_us; /* sum since the last sample */
    struct metric_alarm alarms[METRIC_ALARMS];
};

struct service;
struct sample_work;
struct disk_work;
struct pool_job;

struct metrics_options {
    struct loop *loop;
    const struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct pool *helpers;
    const char *state_dir;
    const char *proc;    /* "/proc" */
    const char *cgroups; /* "/sys/fs/cgroup" */
    /* NULL: host_disk; a test has one that hangs. */
    int (*ask_disk)(const char *path, struct host_disk *ret, struct err *err);
};

struct metrics {
    struct metrics_options o;
    const struct health *health;
    int64_t version; /* counts the changes of the list */
    size_t count;
    size_t read_count;               /* of them, without the checks */
    struct metric_subject *subjects; /* the first two: the host, nightdesk */
    struct sample_work *work;        /* while no helper has it */
    struct disk_work *disk_work;     /* the same */
    struct pool_job *sampling, *asking, *judging;
    struct host_disk disk;
    int64_t disk_mono_us;           /* of the last answer; 0: none */
    const struct disk_work *asked;  /* while a helper has it */
    int64_t asked_mono_us;          /* a helper has been asking since, at least; 0: none is late */
    struct metric_alarm disk_alarm; /* the file system does not answer */
    int64_t sampled_us;             /* wall time of the newest values; 0: none */
    int64_t sampled_mono_us;
    int64_t begun_mono_us; /* of the reading under way */
    int64_t offset_us;     /* wall minus monotonic time at the last sample */
    int64_t prune_mono_us; /* not before: the clock has jumped */
    size_t stored;         /* subjects of the sample that are in ops.db */
    int slices;            /* of old rows that were deleted after this sample */
    bool storing;
    bool failed; /* to store, and that was logged */
    int64_t judged_mono_us;
    struct loop_source *due;
    struct loop_source *store_next;
};

struct metrics *metrics_new(const struct metrics_options *options);
void metrics_free(struct metrics *metrics);
void metrics_start(struct metrics *metrics);
void metrics_apply(struct metrics *metrics, const struct config *config,
                   const struct health *health);
/* A round of its checks has ended. */
void metrics_checked(struct metrics *metrics, const struct service *service, bool up);
/* NULL: not measured. */
const struct metric_subject *metrics_find(const struct metrics *metrics, const char *name);
/* The name under which a service is kept: its own, unless that means the machine or this program.
 */
void metrics_subject_name(const char *service, char ret[SUBJECT_NAME_SIZE]);
