/*
 * health.h: the services: looks at each one every monitoring.check_interval, keeps running those
 * that are given as a command, restarts on request, and raises and resolves their alerts.
 *
 *     rc = health_new(&(struct health_options){.loop = loop, .config = config, .store = store,
 *                     .alerts = alerts, .http = http, .units = units, .state_dir = dir},
 *                     &health, err);
 *     health_actions(health, table);          // service.list, .restart, .wait_healthy, .logs
 *     desk_add_status_line(desk, health_status, health);       // "Services 4/4 up"
 *     health_start(health);
 *
 * Always true: a service is healthy when every check that it is configured for succeeds: its URL
 * answers with a 2xx (or expect_status, when set) within the deadline, its unit is active, its
 * child is alive and did not end since the last look. monitoring.alert_threshold failures in a row
 * raise one alert
 * ("service:<name>"); the first success resolves it. What fails in the first seconds after a start
 * is not counted: services take their time. A supervised child runs at most once; when it ends it
 * is started again after 1 s, doubling to 60 s, back to 1 s once it stayed up for a minute; it is
 * killed when we stop. In a command the word `self` stands for this program. What a child prints
 * goes to <state_dir>/<name>.log, bounded. Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "command/action.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

struct alerts;
struct config;
struct health;
struct http;
struct loop;
struct ops_store;
struct pool;
struct units;

struct health_options {
    struct loop *loop;
    const struct config *config;
    struct ops_store *store;
    struct alerts *alerts;
    struct http *http;
    struct pool *helpers; /* read logs */
    /* NULL: no systemd here; a service with a unit is then unhealthy. Its
     * callbacks end here: the loop does not run between health_free and units_free. */
    struct units *units;
    const char *state_dir;
};

int health_new(const struct health_options *options, struct health **ret, struct err *err);
void health_free(struct health *health); /* ends the children */
/* Starts the children and the checks; the first checks run at once, spread over a second. */
void health_start(struct health *health);
void health_actions(struct health *health, struct action_table *table);
/* A desk_status_fn; userdata is the health. */
void health_status(struct buf *out, struct json_object *data, void *health);

/* Configured services, and how many of them are up now. */
size_t health_count(const struct health *health);
size_t health_up(const struct health *health);
