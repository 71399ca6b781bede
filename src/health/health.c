#include "health/health.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "config/config.h"
#include "health_internal.h"
#include "io/cgroup.h"
#include "io/json_out.h"
#include "metrics.h"
#include "store/sample_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_US USEC_PER_SEC

static int64_t mono_us(const struct health *health)
{
    return clock_mono_us(loop_clock(health->options.loop));
}

static int64_t wall_us(const struct health *health)
{
    return clock_wall_us(loop_clock(health->options.loop));
}

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

/* ------------------------------------------------------------------ results of checks */

static void fingerprint_of(const struct service *service, char *dst, size_t size)
{
    (void)snprintf(dst, size, "service:%s", service->config->name);
}

static void begin_evidence(struct json_out *out, const char *service, const char *figure)
{
    char pointer[128];
    (void)snprintf(pointer, sizeof(pointer), "/services/%s/%s", service, figure);
    json_out_object(out, NULL);
    json_out_text(out, "pointer", pointer);
}

static void add_evidence(struct buf *text, const struct service *service, const char *since)
{
    const char *name = service->config->name;
    struct json_out out = JSON_OUT(text);
    json_out_array(&out, NULL);
    begin_evidence(&out, name, "failures");
    json_out_i64(&out, "value", service->failures);
    json_out_end(&out);
    begin_evidence(&out, name, "since");
    json_out_text(&out, "value", since);
    json_out_end(&out);
    begin_evidence(&out, name, "last_check");
    json_out_text(&out, "value", service->detail);
    json_out_end(&out);
    json_out_end(&out);
}

static void raise_down(struct service *service)
{
    const struct config_service *config = service->config;
    char fingerprint[64];
    char title[96];
    fingerprint_of(service, fingerprint, sizeof(fingerprint));
    (void)snprintf(title, sizeof(title), "%s is down", config->name);
    AUTO_BUF struct buf since = BUF_INIT(64);
    clock_add_iso(&since, service->failing_since_us, false);
    AUTO_BUF struct buf text = BUF_INIT(1024);
    buf_addf(&text, "Since %s; %d consecutive checks failed: %s.", since.data, service->failures,
             service->detail);
    if (config->command.count > 0) {
        buf_addf(&text, " nightdesk has restarted it %d times.", service->restarts);
    } else {
        buf_add_c(&text, " nightdesk does not restart it automatically.");
    }
    AUTO_BUF struct buf evidence = BUF_INIT(1024);
    add_evidence(&evidence, service, since.data);
    char advice[160];
    (void)snprintf(advice, sizeof(advice), "Look at /logs %s, then /restart %s.", config->name,
                   config->name);
    struct alert_spec spec = {.type = ALERT_SERVICE,
                              .severity = SEVERITY_HIGH,
                              .source = "health",
                              .fingerprint = fingerprint,
                              .title = title,
                              .description = text.data,
                              .evidence_json = evidence.data,
                              .recommendation = advice,
                              .status = ALERT_OPEN};
    struct err err = {0};
    int64_t id = 0;
    if (alerts_raise(service->health->options.alerts, &spec, &id, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not raise a service alert");
        return;
    }
    service->alerted = true;
}

static void resolve_down(struct service *service)
{
    char fingerprint[64];
    fingerprint_of(service, fingerprint, sizeof(fingerprint));
    AUTO_BUF struct buf why = BUF_INIT(128);
    buf_add_c(&why, "healthy again");
    if (service->failing_since_us > 0) {
        buf_add_c(&why, " after ");
        clock_add_duration(&why, mono_us(service->health) - service->failing_mono_us);
    }
    struct err err = {0};
    if (alerts_resolve(service->health->options.alerts, fingerprint, why.data, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve a service alert");
        return;
    }
    service->alerted = false;
}

static void store_sample(const struct service *service, bool up, int64_t now_us)
{
    struct service_sample sample = {
        .at_us = now_us, .up = up, .latency_us = up ? service->latency_us : 0};
    (void)str_copy(str_c(service->config->name), sample.service, sizeof(sample.service));
    (void)str_copy(str_c(service->detail), sample.detail, sizeof(sample.detail));
    struct err err = {0};
    if (sample_table_add(service->health->options.store, &sample, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not store a health sample");
    }
}

void health_checked(struct service *service, bool up, bool counted)
{
    int64_t now_us = wall_us(service->health);
    service->checked_us = now_us;
    service->checked_mono_us = mono_us(service->health);
    if (!counted) {
        return;
    }
    enum service_state state = up ? SERVICE_UP : SERVICE_DOWN;
    if (state != service->state) {
        LOG(NOTICE, "service %s is %s: %s", service->config->name, service_state_name(state),
            service->detail);
        service->state = state;
        service->since_us = now_us;
        service->since_mono_us = service->checked_mono_us;
    }
    store_sample(service, up, now_us);
    if (service->health->metrics != NULL) {
        metrics_checked(service->health->metrics, service->config->name, up, service->latency_us);
    }
    if (up) {
        /* alerted is true after our start, as the last process may have left the alert open. */
        if (service->alerted) {
            resolve_down(service);
        }
        service->failures = 0;
        service->failing_since_us = 0;
        return;
    }
    if (service->failures == 0) {
        service->failing_since_us = now_us;
        service->failing_mono_us = service->checked_mono_us;
        service->alerted = false;
    }
    service->failures++;
    if (!service->alerted &&
        service->failures >= service->health->options.config->monitoring_alert_threshold) {
        raise_down(service);
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
    health->count = (size_t)options->config->service_count;
    for (size_t i = 0; i < health->count; i++) {
        health->services[i] = make_service(health, &options->config->services[i]);
    }
    health->sweep = loop_add_timer(options->loop, sweep, health);
    loop_source_name(health->sweep, "removed services");
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
    metrics_free(health->metrics);
    for (size_t i = 0; i < health->count; i++) {
        free_service(health->services[i]);
    }
    while (health->retired != NULL) {
        struct service *service = health->retired;
        health->retired = service->next_retired;
        free_service(service);
    }
    loop_source_free(health->sweep);
    free(health);
}

void health_start(struct health *health)
{
    health->started = true;
    for (size_t i = 0; i < health->count; i++) {
        service_start(health->services[i], (int64_t)i * USEC_PER_SEC / (int64_t)health->count);
    }
    if (health->metrics != NULL) {
        metrics_start(health->metrics);
    }
}

/* ------------------------------------------------------------------ a new configuration */

static void remove_service(struct health *health, struct service *service)
{
    char fingerprint[64];
    struct err err = {0};
    LOG(NOTICE, "service %s was removed", service->config->name);
    fingerprint_of(service, fingerprint, sizeof(fingerprint));
    if (alerts_resolve(health->options.alerts, fingerprint, "removed from the configuration",
                       &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "could not resolve a service alert");
    }
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
    struct service *before[CONFIG_SERVICES_MAX];
    size_t before_count = health->count;
    bool rescheduled = health->options.config->monitoring_check_interval_us !=
                       config->monitoring_check_interval_us;
    memcpy(before, health->services, sizeof(before));
    health->options.config = config;
    health->options.units = units;
    health->count = (size_t)config->service_count;
    for (size_t i = 0; i < health->count; i++) {
        const struct config_service *entry = &config->services[i];
        struct service *service = take_service(before, before_count, entry->name);
        health->services[i] = service != NULL ? service : make_service(health, entry);
        if (service != NULL) {
            service_apply(service, entry);
        } else if (health->started) {
            LOG(NOTICE, "service %s was added", entry->name);
            service_start(health->services[i], 0);
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

size_t health_count(const struct health *health)
{
    return health->count;
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
