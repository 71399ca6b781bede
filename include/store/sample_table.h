/*
 * sample_table.h: the results of the health checks, in ops.db.
 *
 *     sample_table_add(store, &(struct service_sample){.service = "demo", .at_us = now, .up = true,
 *         .latency_us = 850}, err);
 *     sample_table_stats(store, "demo", since_us, &stats, err);
 *
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service_sample {
    char service[32];
    int64_t at_us;
    bool up;
    int64_t latency_us; /* 0: no answer */
    char detail[128];   /* "HTTP 503", "connection refused" */
};

struct sample_stats {
    int64_t count;
    int64_t up;
    int64_t average_latency_us; /* of the samples that were up */
    int64_t max_latency_us;
    int64_t last_change_us; /* when it last went up or down, else the time of the first sample */
};

int sample_table_add(struct ops_store *store, const struct service_sample *sample, struct err *err);
/* The same for several, in one transaction. */
int sample_table_add_all(struct ops_store *store, const struct service_sample *samples,
                         size_t count, struct err *err);
/* Newest first; returns the number or a negative error id. */
int sample_table_list(struct ops_store *store, const char *service, size_t offset,
                      struct service_sample *ret, size_t max, struct err *err);
/* The newest sample of each service that has one at or after since_us, by name; returns the number.
 */
int sample_table_newest(struct ops_store *store, int64_t since_us, struct service_sample *ret,
                        size_t max, struct err *err);
/* Calls fn with the time of each failed check of any service, oldest first. */
typedef void (*sample_failed_fn)(int64_t at_us, void *userdata);
int sample_table_failures(struct ops_store *store, int64_t since_us, sample_failed_fn fn,
                          void *userdata, struct err *err);
int sample_table_stats(struct ops_store *store, const char *service, int64_t since_us,
                       struct sample_stats *ret, struct err *err);
