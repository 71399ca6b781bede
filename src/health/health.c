#include "health/health.h"

#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "forecasts.h"
#include "health_internal.h"
#include "heartbeat.h"
#include "io/cgroup.h"
#include "io/json_out.h"
#include "io/pool.h"
#include "io/secret.h"
#include "metrics.h"
#include "model/alert.h"
#include "performance.h"
#include "samples.h"
#include "trading/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_US       USEC_PER_SEC
#define FIRST_EVERY_US (10 * USEC_PER_MSEC) /* between the first checks of two services */
#define LOOKS_MAX      8                    /* threads, those that wait for a dead disk included */
#define LOOKS_QUEUE    64
#define EXPORT_BYTES   ((size_t)40 << 20) /* a document may have 50 MB */

struct service *health_find(struct health *health, const char *name, struct err *err)
{
    const char *nearest = NULL;
    int best = 4;
    for (size_t i = 0; i < health->count; i++) {
        const char *known = health->services[i]->config->name;
        if (strcmp(known, name) == 0) {
            return health->services[i];
        }
        int distance = str_distance(str_c(known), str_c(name));
        if (distance < best) {
            best = distance;
            nearest = known;
        }
    }
    (void)err_set(err, ERR_SERVICE_UNKNOWN, "%.64s%s%s%s", name,
                  nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                  nearest != NULL ? "?" : "");
    return NULL;
}

struct service *health_dependent(const struct service *service, size_t *at)
{
    const struct health *health = service->health;
    while (*at < health->count) {
        struct service *other = health->services[(*at)++];
        const struct config_texts *needs = &other->config->depends_on;
        for (int i = 0; i < needs->count; i++) {
            if (strcmp(needs->items[i], service->config->name) == 0) {
                return other;
            }
        }
    }
    return NULL;
}

void health_add_dependents(const struct service *service, struct buf *out)
{
    size_t at = 0;
    for (const struct service *s; (s = health_dependent(service, &at)) != NULL;) {
        buf_addf(out, "%s%s", out->len == 0 ? "" : ", ", s->config->name);
    }
}

/* ------------------------------------------------------------------ life cycle and status */

static struct service *make_service(struct health *health, const struct config_service *config)
{
    struct service *service = calloc(1, sizeof(*service));
    ASSERT(service != NULL);
    service_init(service, health, config);
    return service;
}

static void free_service(struct service *service)
{
    service_release(service);
    free(service);
}

/* Frees the removed services whose child has ended and whose callbacks have run. */
static void sweep(void *userdata)
{
    struct health *health = userdata;
    struct service **at = &health->retired;
    while (*at != NULL) {
        struct service *service = *at;
        if (service_is_over(service)) {
            *at = service->next_retired;
            free_service(service);
        } else {
            at = &service->next_retired;
        }
    }
    if (health->retired != NULL) {
        loop_timer_in(health->sweep, SWEEP_US);
    }
}

static void make_metrics(struct health *health)
{
    const struct health_options *o = &health->options;
    health->metrics = metrics_new(&(struct metrics_options){.loop = o->loop,
                                                            .config = o->config,
                                                            .store = o->store,
                                                            .alerts = o->alerts,
                                                            .helpers = o->helpers,
                                                            .state_dir = o->state_dir,
                                                            .proc = "/proc",
                                                            .cgroups = cgroup_root()});
    metrics_apply(health->metrics, o->config, health);
    health->forecasts = forecasts_new(health);
}

struct pool *health_looks(struct health *health)
{
    struct err err = {0};
    if (health->looks == NULL) {
        health->looks =
            pool_new(health->options.loop,
                     &(struct pool_options){
                         .name = "file checks", .threads_max = LOOKS_MAX, .queue_max = LOOKS_QUEUE},
                     &err);
        if (health->looks == NULL) {
            log_err(LOG_LEVEL_ERROR, &err, "checks of files");
        }
    }
    return health->looks;
}

static struct service **make_list(size_t count)
{
    struct service **list = calloc(count + 1, sizeof(*list));
    ASSERT(list != NULL);
    return list;
}

int health_new(const struct health_options *options, struct health **ret, struct err *err)
{
    for (int i = 0; i < options->config->service_count; i++) {
        const char *unit = options->config->services[i].unit;
        if (unit[0] != '\0' && !units_name_valid(unit)) {
            return err_set(err, ERR_UNITS_UNKNOWN, "services.%s.unit: %.128s",
                           options->config->services[i].name, unit);
        }
    }
    struct health *health = calloc(1, sizeof(*health));
    ASSERT(health != NULL);
    health->options = *options;
    health->export_bytes = EXPORT_BYTES;
    health->count = (size_t)options->config->service_count;
    health->services = make_list(health->count);
    for (size_t i = 0; i < health->count; i++) {
        health->services[i] = make_service(health, &options->config->services[i]);
    }
    health->sweep = loop_add_timer(options->loop, sweep, health);
    loop_source_name(health->sweep, "removed services");
    health->samples = samples_new(options->loop, options->store);
    if (options->helpers != NULL) {
        make_metrics(health);
    }
    *ret = health;
    return 0;
}

void health_free(struct health *health)
{
    if (health == NULL) {
        return;
    }
    forecasts_free(health->forecasts);
    metrics_free(health->metrics);
    for (size_t i = 0; i < health->count; i++) {
        free_service(health->services[i]);
    }
    while (health->retired != NULL) {
        struct service *service = health->retired;
        health->retired = service->next_retired;
        free_service(service);
    }
    pool_free(health->looks);
    samples_free(health->samples);
    loop_source_free(health->sweep);
    free(health->services);
    free(health);
}

void health_start(struct health *health)
{
    health->started = true;
    int64_t interval_us = health->options.config->monitoring_check_interval_us;
    for (size_t i = 0; i < health->count; i++) {
        int64_t share_us = interval_us * (int64_t)(i + 1) / (int64_t)health->count;
        service_start(health->services[i], (int64_t)i * FIRST_EVERY_US, share_us);
    }
    if (health->metrics != NULL) {
        metrics_start(health->metrics);
        forecasts_start(health->forecasts);
    }
}

/* ------------------------------------------------------------------ a new configuration */

static void remove_service(struct health *health, struct service *service)
{
    LOG(NOTICE, "service %s was removed", service->config->name);
    service_resolve(service, "removed from the configuration");
    service_retire(service);
    service->next_retired = health->retired;
    health->retired = service;
    loop_timer_in(health->sweep, 0);
}

/* The service of this name, taken out of the list; NULL: it is new. */
static struct service *take_service(struct service **list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        struct service *service = list[i];
        if (service != NULL && strcmp(service->config->name, name) == 0) {
            list[i] = NULL;
            return service;
        }
    }
    return NULL;
}

void health_apply(struct health *health, const struct config *config, struct units *units)
{
    AUTO_FREE struct service **before = health->services;
    size_t before_count = health->count;
    bool rescheduled = health->options.config->monitoring_check_interval_us !=
                       config->monitoring_check_interval_us;
    health->options.config = config;
    health->options.units = units;
    health->count = (size_t)config->service_count;
    health->services = make_list(health->count);
    for (size_t i = 0; i < health->count; i++) {
        const struct config_service *entry = &config->services[i];
        struct service *service = take_service(before, before_count, entry->name);
        health->services[i] = service != NULL ? service : make_service(health, entry);
        if (service != NULL) {
            service_apply(service, entry);
        } else if (health->started) {
            LOG(NOTICE, "service %s was added", entry->name);
            service_start(health->services[i], 0, 0);
        }
        if (rescheduled && health->started) {
            service_reschedule(health->services[i]);
        }
    }
    for (size_t i = 0; i < before_count; i++) {
        if (before[i] != NULL) {
            remove_service(health, before[i]);
        }
    }
    if (health->metrics != NULL) {
        metrics_apply(health->metrics, config, health);
    }
}

void health_set_runner(struct health *health, struct access *access, struct runner *runner)
{
    health->access = access;
    health->runner = runner;
}

bool health_heartbeat(struct health *health, struct str key, enum heartbeat_call call)
{
    struct check *found = NULL;
    for (size_t i = 0; i < health->count; i++) {
        const struct service *service = health->services[i];
        for (size_t c = 0; c < service->check_count; c++) {
            const char *own = heartbeat_key(service->checks[c]);
            if (own[0] != '\0' && secret_equal(key, str_c(own))) {
                found = service->checks[c];
            }
        }
    }
    if (found != NULL) {
        heartbeat_called(found, call);
    }
    return found != NULL;
}

void health_measures(struct health *health, struct desk *desk)
{
    health->desk = desk;
    desk_set_system(desk, performance_run, performance_cancel, health);
}

size_t health_count(const struct health *health)
{
    return health->count;
}

void health_service_at(const struct health *health, size_t index, struct health_service *ret)
{
    ASSERT(index < health->count);
    const struct service *s = health->services[index];
    *ret = (struct health_service){.kind = service_kind(s),
                                   .state = service_state_name(s->state),
                                   .since_us = s->since_us,
                                   .checked_us = s->checked_us,
                                   .latency_us = s->latency_us,
                                   .failures = s->failures};
    (void)str_copy(str_c(s->config->name), ret->name, sizeof(ret->name));
    str_cut(str_c(s->detail), ret->detail, sizeof(ret->detail));
}

size_t health_up(const struct health *health)
{
    size_t up = 0;
    for (size_t i = 0; i < health->count; i++) {
        up += health->services[i]->state == SERVICE_UP ? 1 : 0;
    }
    return up;
}

void health_status(struct buf *out, struct json_object *data, void *userdata)
{
    const struct health *health = userdata;
    struct json_out members = JSON_OUT_TREE(data);
    json_out_object(&members, "service_counts");
    json_out_u64(&members, "all", health->count);
    json_out_u64(&members, "up", health_up(health));
    json_out_end(&members);
    if (health->count > 0) {
        size_t unknown = 0;
        for (size_t i = 0; i < health->count; i++) {
            unknown += health->services[i]->state == SERVICE_UNKNOWN ? 1 : 0;
        }
        buf_addf(out, "Services %zu/%zu up", health_up(health), health->count);
        if (unknown > 0) { /* after a start; "0/4 up" alone would look like an outage */
            buf_addf(out, " (%zu unknown)", unknown);
        }
    }
}

static void add_figures(struct buf *out, const struct metrics *metrics, const char *name)
{
    static const enum metric shown[] = {METRIC_CPU, METRIC_MEMORY, METRIC_MEMORY_PCT,
                                        METRIC_DISK_PCT};
    const struct metric_subject *s = metrics_find(metrics, name);
    const char *between = out->len > 0 ? "; " : "";
    for (size_t i = 0; s != NULL && i < COUNT_OF(shown); i++) {
        enum metric metric = shown[i];
        if ((s->has & METRIC_BIT(metric)) == 0) {
            continue;
        }
        if (between[0] != ',') {
            buf_addf(out, "%s%s:", between, name);
        } else {
            buf_add_c(out, between);
        }
        buf_addf(out, " %s ", metric_info(metric)->label);
        cell_add_text(out, metric_cell(metric_info(metric)->unit, s->value[metric]));
        between = ",";
    }
}

void health_context(const struct health *health, const char *fingerprint, struct buf *out)
{
    char service[ALERT_SERVICE_SIZE], name[SUBJECT_NAME_SIZE];
    if (health->metrics == NULL || !alert_service(fingerprint, service)) {
        return;
    }
    metrics_subject_name(service, name);
    add_figures(out, health->metrics, name);
    add_figures(out, health->metrics, "host");
}
