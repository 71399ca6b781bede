/*
 * health_internal.h: what the files of this room share.
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
    struct service *services; /* count */
};

/* ERR_SERVICE_UNKNOWN with the nearest name; NULL then. */
struct service *health_find(struct health *health, const char *name, struct err *err);
/* A check has ended, and service says how: stores the sample, raises or resolves the alert.
 * counted false: a failure so soon after a start that it says nothing. */
void health_checked(struct service *service, bool up, bool counted);
