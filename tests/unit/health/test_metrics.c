#include "../../../src/health/health_internal.h"
#include "../../../src/health/metrics.h"
#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "config/config.h"
#include "io/pool.h"
#include "io/secret.h"
#include "rigs/file_tree.h"
#include "store/alert_table.h"
#include "store/metric_table.h"
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0       (INT64_C(1795230000) * USEC_PER_SEC) /* a full hour */
#define EVERY_US (30 * USEC_PER_SEC)
#define MB       (INT64_C(1) << 20)

struct rig {
    char *root; /* proc, cgroup and state */
    char state[128], proc[128], cgroups[128];
    struct clock_fake clock;
    struct loop *loop;
    struct pool *helpers;
    struct config config;
    struct ops_store *store;
    struct alerts *alerts;
    struct health health;
    struct config_service entries[2];
    struct service services[2];
    struct service *list[2];
    struct metrics *metrics;
};

static void swallow(const struct log_line *line, void *userdata)
{
    (void)line;
    (void)userdata;
}

/* ------------------------------------------------------------------ a made-up machine */

static void put_cpu(struct rig *rig, int64_t busy, int64_t idle)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "cpu  %lld 0 0 %lld 0 0 0 0 0 0\n", (long long)busy,
                   (long long)idle);
    file_tree_put(rig->proc, "stat", text);
}

static void put_memory(struct rig *rig, int used_pct)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "MemTotal: 1024000 kB\nMemAvailable: %d kB\n",
                   10240 * (100 - used_pct));
    file_tree_put(rig->proc, "meminfo", text);
}

static void put_process(struct rig *rig, int pid, int64_t ticks, int64_t started, int64_t bytes)
{
    char name[32], text[256];
    (void)snprintf(name, sizeof(name), "%d/stat", pid);
    (void)snprintf(text, sizeof(text),
                   "%d (x) S 1 1 1 0 -1 0 0 0 0 0 %lld 0 0 0 20 0 3 0 %lld 0 0 0\n", pid,
                   (long long)ticks, (long long)started);
    file_tree_put(rig->proc, name, text);
    (void)snprintf(name, sizeof(name), "%d/statm", pid);
    (void)snprintf(text, sizeof(text), "0 %lld 0 0 0 0 0\n",
                   (long long)(bytes / sysconf(_SC_PAGESIZE)));
    file_tree_put(rig->proc, name, text);
}

static void put_group(struct rig *rig, int64_t cpu_us, int64_t bytes, int oom_kills)
{
    static const char folder[] = "system.slice/demo.service/";
    const struct {
        const char *name;
        int64_t value;
    } files[] = {{"memory.current", bytes}, {"memory.max", 1000 * MB}, {"pids.current", 4}};
    char name[96], text[128];
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", folder, files[i].name);
        (void)snprintf(text, sizeof(text), "%lld\n", (long long)files[i].value);
        file_tree_put(rig->cgroups, name, text);
    }
    (void)snprintf(name, sizeof(name), "%scpu.stat", folder);
    (void)snprintf(text, sizeof(text), "usage_usec %lld\n", (long long)cpu_us);
    file_tree_put(rig->cgroups, name, text);
    (void)snprintf(name, sizeof(name), "%smemory.stat", folder);
    file_tree_put(rig->cgroups, name, "inactive_file 0\nactive_file 0\n");
    (void)snprintf(name, sizeof(name), "%smemory.events", folder);
    (void)snprintf(text, sizeof(text), "oom_kill %d\n", oom_kills);
    file_tree_put(rig->cgroups, name, text);
}

/* ------------------------------------------------------------------ the rig */

static void set_services(struct rig *rig, size_t count)
{
    static const char *const names[] = {"demo", "other"};
    for (size_t i = 0; i < count; i++) {
        struct config_service *entry = &rig->entries[i];
        *entry = (struct config_service){.unit = i == 0 ? "demo.service" : "", .url = ""};
        (void)str_copy(str_c(names[i]), entry->name, sizeof(entry->name));
        rig->services[i] = (struct service){.config = entry, .main_pid = i == 0 ? 77 : 0};
        if (i == 0) {
            (void)str_copy(str_c("/system.slice/demo.service"), rig->services[i].group,
                           sizeof(rig->services[i].group));
        }
        rig->list[i] = &rig->services[i];
    }
    rig->health.services = rig->list;
    rig->health.count = count;
}

static void make_metrics(struct rig *rig)
{
    rig->metrics = metrics_new(&(struct metrics_options){.loop = rig->loop,
                                                         .config = &rig->config,
                                                         .store = rig->store,
                                                         .alerts = rig->alerts,
                                                         .helpers = rig->helpers,
                                                         .state_dir = rig->state,
                                                         .proc = rig->proc,
                                                         .cgroups = rig->cgroups});
    metrics_apply(rig->metrics, &rig->config, &rig->health);
    metrics_start(rig->metrics);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct err err = {0};
    void *root = NULL;
    ASSERT(rig != NULL && secret_init(&err) == 0 && file_tree_make(&root) == 0);
    log_set_sink(swallow, NULL);
    rig->root = root;
    (void)snprintf(rig->state, sizeof(rig->state), "%s/state", rig->root);
    (void)snprintf(rig->proc, sizeof(rig->proc), "%s/proc", rig->root);
    (void)snprintf(rig->cgroups, sizeof(rig->cgroups), "%s/cgroup", rig->root);
    ASSERT(mkdir(rig->state, 0755) == 0);
    rig->config.telegram_bot_token = "";
    rig->config.monitoring_metrics_interval_us = EVERY_US;
    rig->config.monitoring_metrics_keep_us = USEC_PER_DAY;
    rig->config.monitoring_metrics_keep_5min_us = 30 * USEC_PER_DAY;
    rig->config.monitoring_metrics_keep_hour_us = 730 * USEC_PER_DAY;
    rig->config.monitoring_metrics_max_rows = 1000000;
    rig->config.monitoring_disk_alert_pct = 100;
    rig->config.monitoring_memory_alert_pct = 95;
    rig->config.monitoring_files_alert_pct = 80;
    rig->config.monitoring_predict_within_us = 3 * USEC_PER_DAY;
    clock_fake_init(&rig->clock, T0);
    rig->loop = loop_new_fake(&rig->clock, &err);
    rig->helpers =
        pool_new(rig->loop,
                 &(struct pool_options){.name = "helper", .threads_max = 2, .queue_max = 8}, &err);
    assert_int_equal(ops_store_open(rig->state, OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(alerts_new(&(struct alerts_options){.clock = &rig->clock.clock,
                                                         .config = &rig->config,
                                                         .store = rig->store},
                                &rig->alerts, &err),
                     0);
    put_cpu(rig, 100, 900);
    put_memory(rig, 50);
    put_group(rig, 0, 100 * MB, 0);
    put_process(rig, (int)getpid(), 10, 5, 20 * MB);
    put_process(rig, 77, 10, 5, 20 * MB);
    set_services(rig, 1);
    make_metrics(rig);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    metrics_free(rig->metrics);
    pool_free(rig->helpers);
    alerts_free(rig->alerts);
    ops_store_free(rig->store);
    loop_free(rig->loop);
    void *root = rig->root;
    (void)file_tree_remove(&root);
    free(rig);
    return 0;
}

static int hang(const char *path, struct host_disk *ret, struct err *err);

static bool is_busy(const struct metrics *m)
{
    return m->sampling != NULL || m->storing || m->judging != NULL ||
           (m->asking != NULL && m->o.ask_disk != hang);
}

/* Lets time pass until the next sample is read, stored and judged. */
static void sample(struct rig *rig)
{
    int64_t sampled_us = rig->metrics->sampled_mono_us;
    for (int k = 0; rig->metrics->sampled_mono_us == sampled_us && k < 3; k++) {
        loop_advance(rig->loop, rig->config.monitoring_metrics_interval_us);
        for (int i = 0; is_busy(rig->metrics) && i < 5000; i++) {
            (void)loop_iterate(rig->loop, USEC_PER_MSEC);
            loop_advance(rig->loop, 0);
        }
    }
    assert_false(is_busy(rig->metrics));
}

static double value_of(struct rig *rig, const char *name, enum metric metric)
{
    const struct metric_subject *s = metrics_find(rig->metrics, name);
    assert_non_null(s);
    return (s->has & METRIC_BIT(metric)) != 0 ? s->value[metric] : NAN;
}

static bool is_near(double value, double wanted)
{
    return fabs(value - wanted) < 0.01 * fmax(1, fabs(wanted));
}

static void checked(struct rig *rig, bool up, int64_t latency_us)
{
    rig->services[0].latency_us = latency_us;
    metrics_checked(rig->metrics, &rig->services[0], up);
}

/* How often it was raised; 0 if it is not open. */
static int64_t open_count(struct rig *rig, const char *fingerprint, struct alert *ret)
{
    static struct alert rows[16];
    const struct alert_query open = {.statuses = 1U << ALERT_OPEN};
    int n = alert_table_list(rig->store, &open, rows, 16, NULL);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        if (strcmp(rows[i].fingerprint, fingerprint) == 0) {
            if (ret != NULL) {
                *ret = rows[i];
            }
            return rows[i].count;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ values */

static void rates_need_two_readings(void **state)
{
    struct rig *rig = *state;
    sample(rig);
    assert_true(isnan(value_of(rig, "host", METRIC_CPU)));
    assert_true(is_near(value_of(rig, "host", METRIC_MEMORY_PCT), 50));
    assert_true(is_near(value_of(rig, "demo", METRIC_MEMORY), 100.0 * (double)MB));
    assert_true(is_near(value_of(rig, "demo", METRIC_MEMORY_PCT), 10));
    assert_true(is_near(value_of(rig, "nightdesk", METRIC_MEMORY), 20.0 * (double)MB));
    assert_true(isnan(value_of(rig, "host", METRIC_READ))); /* no /proc/diskstats here */
    put_cpu(rig, 100 + 25, 900 + 75);
    put_group(rig, EVERY_US / 2, 100 * MB, 0);
    put_process(rig, (int)getpid(), 10 + 30, 5, 20 * MB);
    checked(rig, true, 3000);
    checked(rig, true, 5000);
    checked(rig, false, 0);
    checked(rig, false, 0);
    sample(rig);
    assert_true(is_near(value_of(rig, "host", METRIC_CPU), 25));
    assert_true(is_near(value_of(rig, "demo", METRIC_CPU), 50));
    assert_true(is_near(value_of(rig, "nightdesk", METRIC_CPU), 1));
    assert_true(is_near(value_of(rig, "demo", METRIC_LATENCY), 4));
    assert_true(is_near(value_of(rig, "demo", METRIC_FAILED_PCT), 50));
    assert_true(value_of(rig, "host", METRIC_DISK_PCT) > 0);
    sample(rig);
    assert_true(isnan(value_of(rig, "demo", METRIC_LATENCY))); /* no check since */
    struct metric_point p[4];
    assert_int_equal(metric_table_list(rig->store,
                                       &(struct metric_query){.subject = "host",
                                                              .name = "cpu_pct",
                                                              .level = METRIC_DETAIL,
                                                              .to_s = INT64_MAX},
                                       p, 4, NULL),
                     1);
    assert_true(is_near(p[0].mean, 25));
}

static void another_process_begins_again(void **state)
{
    struct rig *rig = *state;
    put_process(rig, (int)getpid(), 1000, 5, MB);
    sample(rig);
    put_process(rig, (int)getpid(), 2000, 6, MB); /* more, but of another process */
    sample(rig);
    assert_true(isnan(value_of(rig, "nightdesk", METRIC_CPU)));
    put_process(rig, (int)getpid(), 2030, 6, MB);
    sample(rig);
    assert_true(is_near(value_of(rig, "nightdesk", METRIC_CPU), 1));
    put_group(rig, 9000000, MB, 0);
    sample(rig);
    put_group(rig, 1000000, MB, 0); /* the unit was restarted */
    sample(rig);
    assert_true(isnan(value_of(rig, "demo", METRIC_CPU)));
}

static void services_come_and_go(void **state)
{
    struct rig *rig = *state;
    sample(rig);
    checked(rig, true, 3000);
    set_services(rig, 2);
    metrics_apply(rig->metrics, &rig->config, &rig->health);
    assert_non_null(metrics_find(rig->metrics, "other"));
    sample(rig);
    assert_true(is_near(value_of(rig, "demo", METRIC_LATENCY), 3)); /* kept what it knew */
    assert_int_equal(metrics_find(rig->metrics, "other")->has, 0);
    set_services(rig, 0);
    metrics_apply(rig->metrics, &rig->config, &rig->health);
    assert_null(metrics_find(rig->metrics, "demo"));
    checked(rig, true, 3000); /* too late; ignored */
    sample(rig);
}

static void checks_of_a_service_are_kept_apart(void **state)
{
    struct rig *rig = *state;
    struct check web = {.kind = &check_url, .service = &rig->services[0]};
    struct check port = {.kind = &check_tcp, .service = &rig->services[0], .config.name = "port"};
    struct check *both[] = {&web, &port};
    rig->services[0].checks = both;
    rig->services[0].check_count = 2;
    metrics_apply(rig->metrics, &rig->config, &rig->health);
    web.result = CHECK_PASSED;
    web.latency_us = 7000;
    checked(rig, true, 9000); /* the other has not run yet */
    port.result = CHECK_FAILED;
    checked(rig, false, 9000);
    sample(rig);
    assert_true(is_near(value_of(rig, "demo", METRIC_FAILED_PCT), 50));
    assert_true(is_near(value_of(rig, "demo/url", METRIC_LATENCY), 7));
    assert_true(is_near(value_of(rig, "demo/url", METRIC_FAILED_PCT), 0));
    assert_true(is_near(value_of(rig, "demo/port", METRIC_FAILED_PCT), 100));
    assert_true(isnan(value_of(rig, "demo/port", METRIC_LATENCY)));
    rig->services[0].check_count = 1;
    metrics_apply(rig->metrics, &rig->config, &rig->health);
    assert_null(metrics_find(rig->metrics, "demo/port"));
}

/* ------------------------------------------------------------------ limits */

static void a_value_at_the_limit_gives_one_alert(void **state)
{
    struct rig *rig = *state;
    static const int up_and_down[] = {96, 94, 96, 94, 96, 96, 94, 96, 96, 96, 94,
                                      96, 93, 96, 91, 91, 91, 91, 96, 96, 96, 96};
    struct alert alert;
    for (size_t i = 0; i < 9; i++) {
        put_memory(rig, up_and_down[i]);
        sample(rig);
        assert_int_equal(open_count(rig, "metric:host:memory", NULL), 0);
    }
    for (size_t i = 9; i < COUNT_OF(up_and_down); i++) {
        put_memory(rig, up_and_down[i]);
        sample(rig);
        assert_int_equal(open_count(rig, "metric:host:memory", &alert), 1);
    }
    assert_has(alert.title, "this machine uses 96 % of its memory");
    assert_int_equal(alert.severity, SEVERITY_HIGH);
    for (int i = 0; i < 2; i++) {
        put_memory(rig, 80);
        sample(rig);
        assert_int_equal(open_count(rig, "metric:host:memory", NULL), 1);
    }
    sample(rig);
    assert_int_equal(open_count(rig, "metric:host:memory", NULL), 0);
}

static void nearly_full_is_critical(void **state)
{
    struct rig *rig = *state;
    struct alert alert;
    for (int i = 0; i < 4; i++) {
        put_memory(rig, 96);
        sample(rig);
    }
    put_memory(rig, 99);
    sample(rig);
    assert_int_equal(open_count(rig, "metric:host:memory", &alert), 2);
    assert_int_equal(alert.severity, SEVERITY_CRITICAL);
    sample(rig);
    assert_int_equal(open_count(rig, "metric:host:memory", NULL), 2);
}

/* Its unit has 1000 MB, of which 300 MiB are for it. */
static void a_service_has_a_limit_of_its_own(void **state)
{
    struct rig *rig = *state;
    struct alert alert;
    rig->entries[0].memory_limit = 300;
    rig->config.services = rig->entries;
    rig->config.service_count = 1;
    put_group(rig, 0, 200 * MB, 0);
    for (int i = 0; i < 3; i++) {
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:demo:memory", NULL), 0);
    put_group(rig, 0, 290 * MB, 0);
    for (int i = 0; i < 3; i++) {
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:demo:memory", &alert), 1);
    assert_has(alert.title, "demo uses 97 % of its memory");
    assert_has(alert.evidence, "/metrics/demo/can_restart"); /* fix_leak needs it */
    rig->config.services = NULL;
    rig->config.service_count = 0;
}

static void a_kill_for_memory_is_raised_once(void **state)
{
    struct rig *rig = *state;
    put_group(rig, 0, MB, 3);
    sample(rig);
    assert_int_equal(open_count(rig, "metric:demo:oom", NULL), 0); /* before our time */
    put_group(rig, 0, MB, 4);
    sample(rig);
    assert_int_equal(open_count(rig, "metric:demo:oom", NULL), 1);
    sample(rig);
    assert_int_equal(open_count(rig, "metric:demo:oom", NULL), 1);
    rig->config.monitoring_metrics_interval_us = 10 * USEC_PER_MIN;
    for (int i = 0; i < 7; i++) {
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:demo:oom", NULL), 0);
}

static void a_process_before_may_have_left_an_alert(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 3; i++) {
        put_memory(rig, 97);
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:host:memory", NULL), 1);
    metrics_free(rig->metrics);
    make_metrics(rig);
    put_memory(rig, 50);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(open_count(rig, "metric:host:memory", NULL), 1);
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:host:memory", NULL), 0);
}

static void use_disk(struct rig *rig,
                     int (*ask)(const char *path, struct host_disk *ret, struct err *err))
{
    metrics_free(rig->metrics);
    rig->metrics = metrics_new(&(struct metrics_options){.loop = rig->loop,
                                                         .config = &rig->config,
                                                         .store = rig->store,
                                                         .alerts = rig->alerts,
                                                         .helpers = rig->helpers,
                                                         .state_dir = rig->state,
                                                         .proc = rig->proc,
                                                         .cgroups = rig->cgroups,
                                                         .ask_disk = ask});
    metrics_apply(rig->metrics, &rig->config, &rig->health);
    metrics_start(rig->metrics);
}

static int wait_fd[2];

static int hang(const char *path, struct host_disk *ret, struct err *err)
{
    char byte;
    (void)err;
    if (read(wait_fd[0], &byte, 1) != 1) {
        return -ERR_FILE_FAILED;
    }
    return host_disk(path, ret, NULL);
}

static void a_disk_that_hangs_stops_nothing_else(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(pipe(wait_fd), 0);
    use_disk(rig, hang);
    for (int i = 0; i < 3; i++) {
        sample(rig);
        assert_int_equal(open_count(rig, "metric:host:disk_answer", NULL), 0);
    }
    for (int i = 0; i < 2; i++) {
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:host:disk_answer", NULL), 1);
    assert_true(isnan(value_of(rig, "host", METRIC_DISK_PCT)));
    assert_true(is_near(value_of(rig, "host", METRIC_MEMORY_PCT), 50));
    assert_int_equal(write(wait_fd[1], "xx", 2), 2);
    for (int i = 0; rig->metrics->asking != NULL && i < 1000; i++) {
        (void)loop_iterate(rig->loop, USEC_PER_MSEC);
    }
    sample(rig);
    assert_int_equal(open_count(rig, "metric:host:disk_answer", NULL), 0);
    (void)close(wait_fd[0]);
    (void)close(wait_fd[1]);
    for (int i = 0; rig->metrics->asking != NULL && i < 1000; i++) {
        (void)loop_iterate(rig->loop, USEC_PER_MSEC);
    }
}

/* ------------------------------------------------------------------ trends */

/* A value each five minutes. */
static void measure_slowly(struct rig *rig)
{
    rig->config.monitoring_metrics_interval_us = 5 * USEC_PER_MIN;
}

static void a_leak_is_found_and_forgotten(void **state)
{
    struct rig *rig = *state;
    struct alert alert;
    struct rng rng;
    rng_init(&rng, 3);
    measure_slowly(rig);
    double bytes = 100.0 * (double)MB;
    int found = 0;
    for (int i = 0; i < 36; i++) { /* 10 MB in five minutes, of 1000 MB */
        bytes += 10.0 * (double)MB;
        put_group(rig, 0, (int64_t)(bytes + rng_normal(&rng) * 3.0 * (double)MB), 0);
        sample(rig);
        found += open_count(rig, "metric:demo:memory_trend", &alert) > 0;
    }
    /* Two hours to compare with, then three times in a row. */
    assert_true(found >= 36 - 29);
    assert_int_equal(alert.count, 1);
    assert_has(alert.title, "demo will use up its memory in ");
    assert_has(alert.description, "MB an hour");
    for (int i = 0; i < 40; i++) {
        put_group(rig, 0, (int64_t)(bytes + rng_normal(&rng) * 3.0 * (double)MB), 0);
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:demo:memory_trend", NULL), 0);
}

static _Atomic int64_t disk_left; /* of 100 GB */

static int small_disk(const char *path, struct host_disk *ret, struct err *err)
{
    (void)path;
    (void)err;
    *ret = (struct host_disk){.size_bytes = 100000000000,
                              .available_bytes = disk_left,
                              .inodes = 1000,
                              .inodes_free = 900};
    return 0;
}

/* 100 MB in five minutes, 28 GB a day: foreseen long before the limit. */
static void a_filling_disk_is_foreseen(void **state)
{
    struct rig *rig = *state;
    struct alert alert;
    rig->config.monitoring_disk_alert_pct = 90;
    disk_left = 40000000000;
    measure_slowly(rig);
    use_disk(rig, small_disk);
    int found = 0;
    for (int i = 0; i < 40; i++) {
        disk_left -= 100000000;
        sample(rig);
        found += open_count(rig, "metric:host:disk_trend", &alert) > 0;
        assert_int_equal(open_count(rig, "metric:host:disk", NULL), 0);
        assert_int_equal(open_count(rig, "metric:host:inodes_trend", NULL), 0);
    }
    assert_true(found > 0);
    assert_has(alert.title, "the disk will be full in 1 d ");
    assert_has(alert.description, "points a day");
    disk_left = 9000000000;
    for (int i = 0; i < 4; i++) {
        sample(rig);
    }
    assert_int_equal(open_count(rig, "metric:host:disk", &alert), 1);
    assert_has(alert.title, "the disk is 91 % full");
    assert_has(alert.description, "9.0 GB left");
}

/* A day of each: values around a mean, ones that remember the last, and a garbage collector's. */
static void noise_is_no_leak(void **state)
{
    struct rig *rig = *state;
    measure_slowly(rig);
    for (int kind = 0; kind < 3; kind++) {
        struct rng rng;
        double before = 0;
        rng_init(&rng, 11 + (uint64_t)kind);
        for (int i = 0; i < 60; i++) {
            double fresh = rng_normal(&rng) * 20;
            before = kind == 1 ? 0.7 * before + fresh : fresh;
            double megabytes = 500 + before + (kind == 2 ? 20.0 * (i % 12) - 110 : 0);
            put_group(rig, 0, (int64_t)megabytes * MB, 0);
            sample(rig);
            assert_int_equal(open_count(rig, "metric:demo:memory_trend", NULL), 0);
        }
    }
}

/* ------------------------------------------------------------------ what is kept */

static int64_t rows(struct rig *rig, enum metric_level level)
{
    int64_t n = -1;
    assert_int_equal(metric_table_rows(rig->store, level, &n, NULL), 0);
    return n;
}

static void old_detail_goes_and_a_jump_deletes_nothing(void **state)
{
    struct rig *rig = *state;
    rig->config.monitoring_metrics_keep_us = USEC_PER_HOUR;
    measure_slowly(rig);
    for (int i = 0; i < 16; i++) {
        sample(rig);
    }
    int64_t detail = rows(rig, METRIC_DETAIL);
    for (int i = 0; i < 5; i++) {
        sample(rig);
    }
    assert_int_equal(rows(rig, METRIC_DETAIL), detail); /* as many as are new */
    clock_fake_jump_wall(&rig->clock, 4 * 365 * USEC_PER_DAY);
    sample(rig);
    assert_true(rows(rig, METRIC_DETAIL) > detail);
    clock_fake_jump_wall(&rig->clock, -4 * 365 * USEC_PER_DAY);
    sample(rig);
    assert_true(rows(rig, METRIC_DETAIL) > detail);
    for (int i = 0; i < 30; i++) {
        sample(rig);
    }
    assert_in_range((uint64_t)rows(rig, METRIC_DETAIL), (uint64_t)detail - 20,
                    (uint64_t)detail + 20);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

UNIT_GROUP(metrics, WITH_RIG(rates_need_two_readings), WITH_RIG(another_process_begins_again),
           WITH_RIG(services_come_and_go), WITH_RIG(checks_of_a_service_are_kept_apart),
           WITH_RIG(a_value_at_the_limit_gives_one_alert), WITH_RIG(nearly_full_is_critical),
           WITH_RIG(a_service_has_a_limit_of_its_own), WITH_RIG(a_kill_for_memory_is_raised_once),
           WITH_RIG(a_process_before_may_have_left_an_alert),
           WITH_RIG(a_disk_that_hangs_stops_nothing_else), WITH_RIG(a_leak_is_found_and_forgotten),
           WITH_RIG(noise_is_no_leak), WITH_RIG(a_filling_disk_is_foreseen),
           WITH_RIG(old_detail_goes_and_a_jump_deletes_nothing))
