/*
 * health.h: the configured services. Checks each one every monitoring.check_interval, supervises
 * those with a command as child processes, restarts them on request, and raises and resolves their
 * alerts.
 *
 *     rc = health_new(&(struct health_options){.loop = loop, .config = config, .store = store,
 *                     .alerts = alerts, .http = http, .units = units, .state_dir = dir},
 *                     &health, err);
 *     health_actions(health, table);          // service.list, .restart, .wait_healthy, .logs
 *     desk_add_status_line(desk, health_status, health);       // "Services 4/4 up"
 *     health_start(health);
 *
 * Always true: a service is healthy if each of its checks succeeds: its unit is active, its child
 * runs, its URL answers, and so do those of services.<name>.checks. After the first failure the
 * checks run every monitoring.confirm_interval; monitoring.alert_threshold failures in a row, or
 * one that is sure, raise one alert ("service:<name>"). The first success resolves it if the
 * failure was sure or the service was restarted; what comes back by itself has to be up for an
 * interval, and a service that is flapping has to be steady. Failures in monitoring.start_grace
 * after a start are not counted. The alert of a service whose parent (depends_on) is down names
 * the parent's as its cause. Each service has at most one child; a child that ends is started
 * again after 1 s, doubling to 60 s, and after 1 s again once it has run for a minute. Children
 * are killed when nightdesk stops. `self` in a command means this program. The output of a child
 * is appended to <state_dir>/<name>.log, which is bounded. Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "command/action.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

struct access;
struct alerts;
struct config;
struct desk;
struct health;
struct http;
struct loop;
struct ops_store;
struct pool;
struct runner;
struct units;

struct health_options {
    struct loop *loop;
    const struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct http *http;
    struct pool *helpers; /* read logs */
    /* NULL: no systemd; a service with a unit is then unhealthy. Its callbacks use the health, so
     * the loop must not run between health_free and units_free. */
    struct units *units;
    const char *state_dir;
};

int health_new(const struct health_options *options, struct health **ret, struct err *err);
void health_free(struct health *health); /* stops the children */
/* Starts the children and the checks; the first checks run within a second. */
void health_start(struct health *health);
/* A new configuration, which replaces the one before from now on. Services are matched by name: one
 * that stays keeps its state and its child, unless its unit or its command changes; one that is
 * gone fails its pending calls and loses its child. units as in health_options. */
void health_apply(struct health *health, const struct config *config, struct units *units);
void health_actions(struct health *health, struct action_table *table);
/* Blue/green: which colour of a service is live, as its releases say ("": none), and since when
 * (wall). Its checks follow. */
void health_live(struct health *health, const char *service, const char *colour, int64_t since_us);
/* For the commands that it runs by itself: /drain. */
void health_set_runner(struct health *health, struct access *access, struct runner *runner);
/* A job has called with this key (/services shows the URL): a check of kind heartbeat. False: there
 * is none with it. */
enum heartbeat_call { HEARTBEAT_SUCCESS, HEARTBEAT_START, HEARTBEAT_FAILURE };
bool health_heartbeat(struct health *health, struct str key, enum heartbeat_call call);
/* Answers /performance system of this desk. */
void health_measures(struct health *health, struct desk *desk);
/* A desk_status_fn; userdata is the health. */
void health_status(struct buf *out, struct json_object *data, void *health);
/* Adds the newest figures of the service that an alert of this fingerprint is about, and of the
 * machine, if they are measured: "demo: CPU 3.0 %, Memory 40 MB; host: CPU 12.0 %, Memory used
 * 41.0 %". */
void health_context(const struct health *health, const char *fingerprint, struct buf *out);

/* A service as others see it. */
struct health_service {
    char name[32];
    const char *kind; /* static, as is state: "unknown" "up" "down" "flapping" */
    const char *state;
    char detail[128]; /* of the last round of checks: its failure, or "ok" */
    int64_t since_us; /* wall, as is checked_us; 0: unknown */
    int64_t checked_us;
    int64_t latency_us;
    int failures; /* in a row */
};
/* index: below health_count. */
void health_service_at(const struct health *health, size_t index, struct health_service *ret);
/* The number of configured services, and the number that are up. */
size_t health_count(const struct health *health);
size_t health_up(const struct health *health);
