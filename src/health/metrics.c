#include "metrics.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "health_internal.h"
#include "io/cgroup.h"
#include "io/loop.h"
#include "io/pool.h"
#include "store/metric_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_US     (2 * USEC_PER_SEC) /* after the start */
#define SLICE        16                 /* subjects that are stored at a time */
#define PRUNE_ROWS   500
#define PRUNE_LATEST 20            /* slices after one sample */
#define JUMP_US      USEC_PER_MIN  /* a clock that is set by more may be wrong */
#define DISTRUST_US  USEC_PER_HOUR /* until then nothing is deleted */
#define JUDGE_US     (5 * USEC_PER_MIN)
#define BIT(metric)  METRIC_BIT(metric)

const struct metric_info *metric_info(enum metric metric)
{
    static const struct metric_info infos[METRICS] = {
        [METRIC_CPU] = {"cpu_pct", "CPU", METRIC_UNIT_PCT},
        [METRIC_MEMORY] = {"memory_bytes", "Memory", METRIC_UNIT_BYTES},
        [METRIC_MEMORY_PCT] = {"memory_pct", "Memory used", METRIC_UNIT_PCT},
        [METRIC_SWAP_PCT] = {"swap_pct", "Swap used", METRIC_UNIT_PCT},
        [METRIC_DISK_PCT] = {"disk_pct", "Disk used", METRIC_UNIT_PCT},
        [METRIC_INODES_PCT] = {"inodes_pct", "Inodes used", METRIC_UNIT_PCT},
        [METRIC_READ] = {"read_bytes_s", "Read", METRIC_UNIT_RATE},
        [METRIC_WRITTEN] = {"written_bytes_s", "Written", METRIC_UNIT_RATE},
        [METRIC_RECEIVED] = {"received_bytes_s", "Received", METRIC_UNIT_RATE},
        [METRIC_SENT] = {"sent_bytes_s", "Sent", METRIC_UNIT_RATE},
        [METRIC_BUSY_PCT] = {"disk_busy_pct", "Disk busy", METRIC_UNIT_PCT},
        [METRIC_FILES] = {"files", "Open files", METRIC_UNIT_COUNT},
        [METRIC_FILES_PCT] = {"files_pct", "Of its limit", METRIC_UNIT_PCT},
        [METRIC_TASKS] = {"tasks", "Tasks", METRIC_UNIT_COUNT},
        [METRIC_OOM_KILLS] = {"oom_kills", "Killed", METRIC_UNIT_COUNT},
        [METRIC_LATENCY] = {"latency_ms", "Latency", METRIC_UNIT_MS},
        [METRIC_FAILED_PCT] = {"failed_pct", "Failed checks", METRIC_UNIT_PCT},
    };
    return &infos[metric];
}

struct cell metric_cell(enum metric_unit unit, double value)
{
    switch (unit) {
    case METRIC_UNIT_PCT:
        return cell_pct(value, 1);
    case METRIC_UNIT_COUNT:
        return cell_count(llround(value));
    case METRIC_UNIT_MS:
        return cell_ms(value);
    case METRIC_UNIT_BYTES:
        return cell_bytes(value);
    case METRIC_UNIT_RATE:
        return cell_bytes_per_second(value);
    }
    return cell_none();
}

static int64_t mono_us(const struct metrics *m)
{
    return clock_mono_us(loop_clock(m->o.loop));
}

/* ------------------------------------------------------------------ reading, on a helper */

struct target {
    enum subject_kind kind;
    pid_t pid;       /* of a child, or the main process of a unit; 0: none */
    char group[256]; /* of a unit; "": none */
    double memory_limit;
    struct reading reading;
};

struct sample_work {
    bool kept;       /* handed back by done: not to be freed */
    int64_t version; /* of the list of subjects */
    dev_t device;
    char proc[256], cgroups[256];
    size_t count;
    struct target targets[];
};

struct disk_work {
    bool kept;
    _Atomic bool begun; /* a helper is asking; before that it waits for one */
    int (*ask)(const char *path, struct host_disk *ret, struct err *err);
    int rc;
    struct host_disk disk;
    char path[];
};

static void set(struct reading *to, enum metric metric, double value)
{
    to->gauges |= BIT(metric);
    to->value[metric] = value;
}

static void set_counter(struct reading *to, enum metric metric, double value)
{
    to->counters |= BIT(metric);
    to->value[metric] = value;
}

static void read_host(const struct sample_work *w, struct target *t)
{
    struct host_counters c;
    struct reading *to = &t->reading;
    (void)host_read(w->proc, w->device, &c, NULL); /* `has` says what is missing */
    if ((c.has & HOST_CPU) != 0) {
        set_counter(to, METRIC_CPU, (double)c.cpu_busy_ticks);
        to->ticks = (double)c.cpu_ticks;
    }
    if ((c.has & HOST_MEMORY) != 0) {
        double used = (double)(c.memory_bytes - c.memory_available_bytes);
        set(to, METRIC_MEMORY, used);
        set(to, METRIC_MEMORY_PCT, 100 * used / (double)c.memory_bytes);
        t->memory_limit = (double)c.memory_bytes;
    }
    if ((c.has & HOST_SWAP) != 0) {
        set(to, METRIC_SWAP_PCT, 100 * (1 - (double)c.swap_free_bytes / (double)c.swap_bytes));
    }
    if ((c.has & HOST_DISK_IO) != 0) {
        set_counter(to, METRIC_READ, (double)c.disk_read_bytes);
        set_counter(to, METRIC_WRITTEN, (double)c.disk_written_bytes);
        set_counter(to, METRIC_BUSY_PCT, (double)c.disk_busy_ms / 10); /* 100 % of a second */
    }
    if ((c.has & HOST_NETWORK) != 0) {
        set_counter(to, METRIC_RECEIVED, (double)c.received_bytes);
        set_counter(to, METRIC_SENT, (double)c.sent_bytes);
    }
    if ((c.has & HOST_FILES) != 0) {
        set(to, METRIC_FILES, (double)c.files);
    }
}

/* What is not known yet. */
static void add_processes(const struct host_process *p, double memory_bytes, struct reading *to)
{
    struct reading all = {0};
    double second = (double)host_ticks_per_second();
    set_counter(&all, METRIC_CPU, 100 * (double)p->cpu_ticks / second);
    set(&all, METRIC_MEMORY, memory_bytes);
    set(&all, METRIC_TASKS, (double)p->threads);
    if ((p->has & PROCESS_IO) != 0) {
        set_counter(&all, METRIC_READ, (double)p->read_bytes);
        set_counter(&all, METRIC_WRITTEN, (double)p->written_bytes);
    }
    if ((p->has & PROCESS_FILES) != 0) {
        set(&all, METRIC_FILES, (double)p->files);
        set(&all, METRIC_FILES_PCT, p->files_pct);
    }
    for (int i = 0; i < METRICS; i++) {
        unsigned known = (to->gauges | to->counters) & BIT(i);
        if (known == 0 && ((all.gauges | all.counters) & BIT(i)) != 0) {
            to->value[i] = all.value[i];
            to->gauges |= all.gauges & BIT(i);
            to->counters |= all.counters & BIT(i);
        }
    }
    to->identity = p->started_ticks;
}

static void read_group(const struct sample_work *w, struct target *t)
{
    struct cgroup_counters c;
    struct reading *to = &t->reading;
    if (cgroup_read(w->cgroups, t->group, &c, NULL) < 0) {
        return;
    }
    set_counter(to, METRIC_CPU, (double)c.cpu_us / 1e4); /* 100 % of a second */
    if ((c.has & CGROUP_MEMORY) != 0) {
        set(to, METRIC_MEMORY, (double)c.memory_bytes);
        set_counter(to, METRIC_OOM_KILLS, (double)c.oom_kills);
        t->memory_limit = (double)c.memory_max_bytes;
        if (c.memory_max_bytes > 0) {
            set(to, METRIC_MEMORY_PCT, 100 * (double)c.memory_bytes / (double)c.memory_max_bytes);
        }
    }
    if ((c.has & CGROUP_TASKS) != 0) {
        set(to, METRIC_TASKS, (double)c.tasks);
    }
    if ((c.has & CGROUP_IO) != 0) {
        set_counter(to, METRIC_READ, (double)c.read_bytes);
        set_counter(to, METRIC_WRITTEN, (double)c.written_bytes);
    }
}

static void read_target(const struct sample_work *w, struct target *t)
{
    struct host_process p;
    t->reading = (struct reading){0};
    t->memory_limit = 0;
    switch (t->kind) {
    case SUBJECT_HOST:
        read_host(w, t);
        break;
    case SUBJECT_SELF:
        if (host_read_process(w->proc, t->pid, &p, NULL) == 0) {
            add_processes(&p, (double)p.memory_bytes, &t->reading);
        }
        break;
    case SUBJECT_CHECK:
        break;
    case SUBJECT_SERVICE:
        if (t->group[0] != '\0') {
            read_group(w, t);
        }
        if (t->pid != 0 && host_read_tree(w->proc, t->pid, &p, NULL) == 0) {
            add_processes(&p, (double)p.own_bytes, &t->reading);
        }
        break;
    }
}

static void sample(void *data)
{
    struct sample_work *w = data;
    for (size_t i = 0; i < w->count; i++) {
        read_target(w, &w->targets[i]);
    }
}

static void sample_drop(void *data)
{
    struct sample_work *w = data;
    if (!w->kept) {
        free(w);
    }
}

static void ask_disk(void *data)
{
    struct disk_work *w = data;
    w->begun = true;
    w->rc = w->ask(w->path, &w->disk, NULL);
}

static void disk_drop(void *data)
{
    struct disk_work *w = data;
    if (!w->kept) {
        free(w);
    }
}

/* ------------------------------------------------------------------ values */

static void give(struct metric_subject *s, enum metric metric, double value)
{
    s->has |= BIT(metric);
    s->value[metric] = value;
}

/* Rates, if both readings are of the same thing; a counter that went back began again. */
static void add_rates(struct metric_subject *s, const struct reading *now, double passed_s)
{
    const struct reading *before = &s->before;
    unsigned both = before->identity == now->identity ? before->counters & now->counters : 0;
    for (int i = 0; i < METRICS; i++) {
        double grown = now->value[i] - before->value[i];
        if ((both & BIT(i)) == 0 || grown < 0 || passed_s <= 0) {
            continue;
        }
        double ticks = now->ticks - before->ticks;
        if (s->kind == SUBJECT_HOST && i == METRIC_CPU) {
            if (ticks > 0) {
                give(s, METRIC_CPU, 100 * grown / ticks);
            }
        } else {
            give(s, (enum metric)i, i == METRIC_OOM_KILLS ? grown : grown / passed_s);
        }
    }
}

static void add_checks(struct metric_subject *s)
{
    int good = s->checks - s->failures;
    if (good > 0) {
        give(s, METRIC_LATENCY, (double)s->latency_us / good / 1e3);
    }
    if (s->checks > 0) {
        give(s, METRIC_FAILED_PCT, 100.0 * s->failures / s->checks);
        s->checked = s->has & (METRIC_BIT(METRIC_LATENCY) | METRIC_BIT(METRIC_FAILED_PCT));
    }
    s->checks = s->failures = 0;
    s->latency_us = 0;
}

static void add_disk(const struct metrics *m, struct metric_subject *s)
{
    const struct host_disk *d = &m->disk;
    int64_t age_us = mono_us(m) - m->disk_mono_us;
    if (m->disk_mono_us == 0 || age_us > 2 * m->o.config->monitoring_metrics_interval_us) {
        return;
    }
    if (d->size_bytes > 0) {
        give(s, METRIC_DISK_PCT, 100 * (1 - (double)d->available_bytes / (double)d->size_bytes));
    }
    if (d->inodes > 0) {
        give(s, METRIC_INODES_PCT, 100 * (1 - (double)d->inodes_free / (double)d->inodes));
    }
}

/* The limit of the configuration, which need not be one of the kernel. */
static void add_limit(const struct metrics *m, struct metric_subject *s)
{
    const struct config_service *service = config_service(m->o.config, str_c(s->name));
    if (service == NULL || service->memory_limit == 0) {
        return;
    }
    s->memory_limit = (double)service->memory_limit * 1048576;
    if ((s->has & BIT(METRIC_MEMORY)) != 0) {
        give(s, METRIC_MEMORY_PCT, 100 * s->value[METRIC_MEMORY] / s->memory_limit);
    }
}

static void take_reading(struct metrics *m, struct metric_subject *s, const struct target *t)
{
    const struct reading *now = &t->reading;
    s->has = 0;
    for (int i = 0; i < METRICS; i++) {
        if ((now->gauges & BIT(i)) != 0) {
            give(s, (enum metric)i, now->value[i]);
        }
    }
    if (s->before_mono_us != 0) {
        add_rates(s, now, (double)(m->begun_mono_us - s->before_mono_us) / 1e6);
    }
    s->before = *now;
    s->before_mono_us = m->begun_mono_us;
    s->memory_limit = t->memory_limit;
    add_checks(s);
    if (s->kind == SUBJECT_SERVICE) {
        add_limit(m, s);
    }
    if (s->kind == SUBJECT_HOST) {
        add_disk(m, s);
    }
}

/* ------------------------------------------------------------------ storing */

static int store_subject(struct metrics *m, struct metric_subject *s, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < METRICS; i++) {
        if ((s->has & BIT(i)) == 0) {
            continue;
        }
        if (s->series[i] == 0) {
            rc = metric_table_series(m->o.store, s->name, metric_info((enum metric)i)->name,
                                     &s->series[i], err);
        }
        rc = rc < 0 ? rc
                    : metric_table_add(m->o.store, s->series[i], m->sampled_us / USEC_PER_SEC,
                                       s->value[i], err);
    }
    return rc;
}

static int store_slice(struct metrics *m, struct err *err)
{
    int rc = ops_store_begin_unsynced(m->o.store, err);
    if (rc < 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < SLICE && m->stored < m->count; i++) {
        rc = store_subject(m, &m->subjects[m->stored++], err);
    }
    if (rc == 0) {
        return ops_store_commit(m->o.store, err);
    }
    ops_store_rollback(m->o.store);
    for (size_t i = 0; i < m->count; i++) { /* an id may be of a row that is not there now */
        memset(m->subjects[i].series, 0, sizeof(m->subjects[i].series));
    }
    return rc;
}

/* Deletes what is too old, a slice at a time; true if there is more. */
static bool prune_slice(struct metrics *m)
{
    const struct config *c = m->o.config;
    int64_t now_s = m->sampled_us / USEC_PER_SEC, deleted = 0;
    struct err err = {0};
    if (mono_us(m) < m->prune_mono_us) {
        return false;
    }
    const struct metric_limits limits = {
        .before_s = {[METRIC_DETAIL] = now_s - c->monitoring_metrics_keep_us / USEC_PER_SEC,
                     [METRIC_5MIN] = now_s - c->monitoring_metrics_keep_5min_us / USEC_PER_SEC,
                     [METRIC_HOUR] = now_s - c->monitoring_metrics_keep_hour_us / USEC_PER_SEC},
        .max_rows = c->monitoring_metrics_max_rows};
    if (ops_store_begin_unsynced(m->o.store, &err) < 0) {
        return false;
    }
    if (metric_table_prune(m->o.store, &limits, PRUNE_ROWS, &deleted, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not delete old metrics");
        ops_store_rollback(m->o.store);
        return false;
    }
    return ops_store_commit(m->o.store, &err) == 0 && deleted >= PRUNE_ROWS;
}

static void look(struct metrics *m)
{
    metric_alarms_look(m);
    if (mono_us(m) - m->judged_mono_us >= JUDGE_US) {
        m->judged_mono_us = mono_us(m);
        metric_alarms_judge(m);
    }
}

static void on_store(void *userdata)
{
    struct metrics *m = userdata;
    struct err err = {0};
    if (m->stored < m->count) {
        int rc = store_slice(m, &err);
        if (rc < 0 && !m->failed) {
            log_err(LOG_LEVEL_WARNING, &err, "could not store metrics");
        }
        m->failed = rc < 0;
        m->stored = rc < 0 ? m->count : m->stored; /* the rest of this sample is lost */
        loop_timer_in(m->store_next, 0);
        return;
    }
    if (!m->failed && prune_slice(m) && m->slices++ < PRUNE_LATEST) {
        loop_timer_in(m->store_next, 0);
        return;
    }
    m->storing = false;
    look(m);
}

/* ------------------------------------------------------------------ sampling */

static void on_disk(void *data, void *userdata)
{
    struct disk_work *w = data;
    struct metrics *m = userdata;
    w->kept = true;
    m->disk_work = w;
    m->asking = NULL;
    m->asked = NULL;
    m->asked_mono_us = 0;
    if (w->rc == 0) {
        m->disk = w->disk;
        m->disk_mono_us = mono_us(m);
    }
}

static void watch_clock(struct metrics *m)
{
    int64_t offset_us = m->sampled_us - m->sampled_mono_us;
    int64_t moved_us = offset_us - m->offset_us;
    if (m->offset_us != 0 && (moved_us > JUMP_US || moved_us < -JUMP_US)) {
        m->prune_mono_us = m->sampled_mono_us + DISTRUST_US;
    }
    m->offset_us = offset_us;
}

static void on_sampled(void *data, void *userdata)
{
    struct sample_work *w = data;
    struct metrics *m = userdata;
    w->kept = true;
    m->work = w;
    m->sampling = NULL;
    if (w->version != m->version) { /* the services have changed meanwhile */
        return;
    }
    m->sampled_us = clock_wall_us(loop_clock(m->o.loop));
    m->sampled_mono_us = mono_us(m);
    watch_clock(m);
    for (size_t i = 0; i < m->read_count; i++) {
        take_reading(m, &m->subjects[i], &w->targets[i]);
    }
    for (size_t i = m->read_count; i < m->count; i++) { /* checks */
        m->subjects[i].has = 0;
        add_checks(&m->subjects[i]);
    }
    m->storing = true;
    m->stored = 0;
    m->slices = 0;
    loop_timer_in(m->store_next, 0);
}

static struct sample_work *make_work(const struct metrics *m)
{
    struct sample_work *w = calloc(1, sizeof(*w) + m->read_count * sizeof(w->targets[0]));
    ASSERT(w != NULL);
    (void)str_copy(str_c(m->o.proc), w->proc, sizeof(w->proc));
    (void)str_copy(str_c(m->o.cgroups), w->cgroups, sizeof(w->cgroups));
    w->count = m->read_count;
    return w;
}

static void fill_target(const struct metrics *m, size_t index, struct target *t)
{
    t->kind = m->subjects[index].kind;
    t->pid = t->kind == SUBJECT_SELF ? getpid() : 0;
    t->group[0] = '\0';
    if (t->kind == SUBJECT_SERVICE) {
        const struct service *service = m->health->services[index - SUBJECT_SERVICE];
        t->pid = service->child.process != NULL ? process_pid(service->child.process)
                                                : service->main_pid;
        memcpy(t->group, service->group, sizeof(t->group));
    }
}

static void start_asking(struct metrics *m)
{
    struct disk_work *w = m->disk_work;
    w->kept = false;
    w->begun = false;
    m->asking = pool_start(
        m->o.helpers,
        &(struct pool_work){
            .work = ask_disk, .done = on_disk, .drop = disk_drop, .data = w, .userdata = m},
        NULL);
    if (m->asking != NULL) {
        m->disk_work = NULL;
        m->asked = w;
    }
}

static void start_sampling(struct metrics *m)
{
    if (m->work != NULL && m->work->count != m->read_count) {
        free(m->work);
        m->work = make_work(m);
    }
    struct sample_work *w = m->work;
    w->kept = false;
    w->device = m->disk.device;
    w->version = m->version;
    for (size_t i = 0; i < m->read_count; i++) {
        fill_target(m, i, &w->targets[i]);
    }
    m->begun_mono_us = mono_us(m);
    m->sampling = pool_start(
        m->o.helpers,
        &(struct pool_work){
            .work = sample, .done = on_sampled, .drop = sample_drop, .data = w, .userdata = m},
        NULL);
    m->work = m->sampling != NULL ? NULL : w;
}

static void on_due(void *userdata)
{
    struct metrics *m = userdata;
    if (m->asking == NULL) {
        start_asking(m);
    } else if (m->asked->begun && m->asked_mono_us == 0) {
        m->asked_mono_us = mono_us(m);
    }
    if (m->sampling == NULL && !m->storing) {
        start_sampling(m);
    }
    loop_timer_in(m->due, m->o.config->monitoring_metrics_interval_us);
}

/* ------------------------------------------------------------------ subjects */

void metrics_subject_name(const char *service, char ret[SUBJECT_NAME_SIZE])
{
    bool taken = strcmp(service, "host") == 0 || strcmp(service, "nightdesk") == 0;
    (void)snprintf(ret, SUBJECT_NAME_SIZE, "%s%s", taken ? "service:" : "", service);
}

static struct metric_subject *find(const struct metrics *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->subjects[i].name, name) == 0) {
            return &m->subjects[i];
        }
    }
    return NULL;
}

const struct metric_subject *metrics_find(const struct metrics *m, const char *name)
{
    return find(m, name);
}

/* One that keeps its name keeps what is known of it, and is taken out of the list before. */
static void add_subject(struct metrics *m, enum subject_kind kind, const char *name,
                        struct metric_subject *ret)
{
    struct metric_subject *known = find(m, name);
    if (known != NULL && known->kind == kind) {
        *ret = *known;
        known->name[0] = '\0';
        return;
    }
    *ret = (struct metric_subject){.kind = kind};
    (void)str_copy(str_c(name), ret->name, sizeof(ret->name));
}

static void check_name(const struct check *check, char ret[SUBJECT_NAME_SIZE])
{
    const char *name = check->config.name;
    char service[SUBJECT_NAME_SIZE];
    metrics_subject_name(check->service->config->name, service);
    (void)snprintf(ret, SUBJECT_NAME_SIZE, "%.45s/%.31s", service,
                   name[0] != '\0' ? name : check->kind->name);
}

/* Of a service with one check, its figures are those of the check. */
static size_t checks_of(const struct service *service)
{
    return service->check_count > 1 ? service->check_count : 0;
}

static struct metric_subject *make_subjects(struct metrics *m, const struct health *health,
                                            size_t *ret_count)
{
    size_t count = SUBJECT_SERVICE + health->count, n = 0;
    char name[SUBJECT_NAME_SIZE];
    for (size_t i = 0; i < health->count; i++) {
        count += checks_of(health->services[i]);
    }
    struct metric_subject *subjects = calloc(count, sizeof(*subjects));
    ASSERT(subjects != NULL);
    add_subject(m, SUBJECT_HOST, "host", &subjects[n++]);
    add_subject(m, SUBJECT_SELF, "nightdesk", &subjects[n++]);
    for (size_t i = 0; i < health->count; i++) {
        metrics_subject_name(health->services[i]->config->name, name);
        add_subject(m, SUBJECT_SERVICE, name, &subjects[n++]);
    }
    for (size_t i = 0; i < health->count; i++) {
        for (size_t c = 0; c < checks_of(health->services[i]); c++) {
            check_name(health->services[i]->checks[c], name);
            add_subject(m, SUBJECT_CHECK, name, &subjects[n++]);
        }
    }
    *ret_count = n;
    return subjects;
}

void metrics_apply(struct metrics *m, const struct config *config, const struct health *health)
{
    size_t count;
    struct metric_subject *subjects = make_subjects(m, health, &count);
    for (size_t i = 0; i < m->count; i++) {
        if (m->subjects[i].name[0] != '\0') {
            metric_alarms_forget(m, &m->subjects[i]);
        }
    }
    bool sooner =
        m->o.config->monitoring_metrics_interval_us != config->monitoring_metrics_interval_us;
    free(m->subjects);
    m->subjects = subjects;
    m->count = count;
    m->read_count = SUBJECT_SERVICE + health->count;
    m->version++;
    m->health = health;
    m->o.config = config;
    if (m->storing) {
        m->stored = count;
    }
    if (sooner && loop_timer_armed(m->due)) {
        loop_timer_in(m->due, config->monitoring_metrics_interval_us);
    }
    if (m->work == NULL && m->sampling == NULL) {
        m->work = make_work(m);
    }
}

static void count_check(struct metrics *m, const char *name, bool up, int64_t latency_us)
{
    struct metric_subject *s = find(m, name);
    if (s != NULL) {
        s->checks++;
        s->failures += up ? 0 : 1;
        s->latency_us += up ? latency_us : 0;
    }
}

void metrics_checked(struct metrics *m, const struct service *service, bool up)
{
    char name[SUBJECT_NAME_SIZE];
    metrics_subject_name(service->config->name, name);
    count_check(m, name, up, service->latency_us);
    for (size_t i = 0; i < checks_of(service); i++) {
        const struct check *check = service->checks[i];
        if (check->result != CHECK_UNKNOWN) {
            check_name(check, name);
            count_check(m, name, check->result == CHECK_PASSED, check->latency_us);
        }
    }
}

/* ------------------------------------------------------------------ life cycle */

struct metrics *metrics_new(const struct metrics_options *options)
{
    struct metrics *m = calloc(1, sizeof(*m));
    ASSERT(m != NULL);
    m->o = *options;
    size_t size = strlen(options->state_dir) + 1;
    m->disk_work = calloc(1, sizeof(*m->disk_work) + size);
    ASSERT(m->disk_work != NULL);
    memcpy(m->disk_work->path, options->state_dir, size);
    m->disk_work->ask = options->ask_disk != NULL ? options->ask_disk : host_disk;
    m->due = loop_add_timer(options->loop, on_due, m);
    m->store_next = loop_add_timer(options->loop, on_store, m);
    loop_source_name(m->due, "metrics");
    loop_source_name(m->store_next, "storing of metrics");
    return m;
}

void metrics_start(struct metrics *m)
{
    struct err err = {0};
    int64_t before_us =
        clock_wall_us(loop_clock(m->o.loop)) - m->o.config->monitoring_metrics_keep_hour_us;
    if (metric_table_forget(m->o.store, before_us / USEC_PER_SEC, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not forget old metrics");
    }
    m->judged_mono_us = mono_us(m) - JUDGE_US + USEC_PER_MIN;
    loop_timer_in(m->due, FIRST_US);
}

void metrics_free(struct metrics *m)
{
    if (m == NULL) {
        return;
    }
    pool_cancel(m->sampling);
    pool_cancel(m->asking);
    pool_cancel(m->judging);
    loop_source_free(m->due);
    loop_source_free(m->store_next);
    free(m->work);
    free(m->disk_work);
    free(m->subjects);
    free(m);
}
