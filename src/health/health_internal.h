/*
 * health_internal.h: shared by the files of this module.
 *
 *     struct service *service = health_find(health, name, err);
 *
 * Thread: ops.
 */
#pragma once

#include "health/health.h"
#include "service.h"

struct health {
    struct health_options options;
    size_t count;
    struct service **services; /* count, in the order of the configuration */
    bool started;
    struct service *retired;     /* removed by health_apply, with a child or a callback to come */
    struct loop_source *sweep;   /* frees them */
    struct samples *samples;     /* results of checks that are not stored yet */
    struct metrics *metrics;     /* NULL without helpers (tests) */
    struct forecasts *forecasts; /* the same */
    struct desk *desk;           /* NULL: not known yet */
    size_t export_bytes;         /* of logs in one document */
    struct access *access;       /* set with runner */
    struct runner *runner;       /* for commands of its own; NULL: none can be run */
    struct pool *looks;          /* made by health_looks; NULL: not needed yet */
};

/* The threads that look at files for checks. They are not the helpers of everything else: a dead
 * disk must not stop logs and backups. NULL: it could not be made. */
struct pool *health_looks(struct health *health);

/* NULL and ERR_SERVICE_UNKNOWN, which suggests the nearest name, if there is no such service. */
struct service *health_find(struct health *health, const char *name, struct err *err);
/* The next service that is configured to need this one; NULL: there is none. *at is 0 at first. */
struct service *health_dependent(const struct service *service, size_t *at);
/* Adds their names: "web, worker". */
void health_add_dependents(const struct service *service, struct buf *out);
