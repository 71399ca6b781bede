/*
 * ops_alerts.h: closes the open alerts whose cause cannot exist any more, and which nothing else
 * would look at again: those about a service that was removed from the configuration while the
 * program was down, for example. Private to this module.
 *
 *     ops_alerts_sweep(&(struct ops_alerts){.store = store, .alerts = alerts, .config = config,
 *                                           .manifests = manifests, .started = true});
 *
 * Thread: ops.
 */
#pragma once

#include <stdbool.h>

struct alerts;
struct config;
struct manifest_list;
struct ops_store;

struct ops_alerts {
    struct ops_store *store;
    struct alerts *alerts;
    const struct config *config;
    const struct manifest_list *manifests;
    bool started; /* the process has just opened its files */
};

/* Call it at start and after a new configuration or new commands. A failure is logged. */
void ops_alerts_sweep(const struct ops_alerts *sweep);
