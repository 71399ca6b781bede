/*
 * heartbeat_table.h: the last calls of the jobs that report to nightdesk, in ops.db.
 *
 *     struct heartbeat h = {.last_us = now};
 *     heartbeat_table_write(store, "backup", "nightly", &h, err);
 *     rc = heartbeat_table_get(store, "backup", "nightly", &h, err);   // STORE_NOT_FOUND: none yet
 *
 * Always true: one row per service and check. All times are wall time; 0: never.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdint.h>

struct heartbeat {
    int64_t first_us;   /* since when calls are expected */
    int64_t last_us;    /* the last call that said success */
    int64_t started_us; /* the job said that it has begun, and nothing since */
    int64_t failed_us;  /* its last word was a failure, at this time */
};

int heartbeat_table_get(struct ops_store *store, const char *service, const char *check,
                        struct heartbeat *ret, struct err *err);
int heartbeat_table_write(struct ops_store *store, const char *service, const char *check,
                          const struct heartbeat *heartbeat, struct err *err);
int heartbeat_table_remove(struct ops_store *store, const char *service, const char *check,
                           struct err *err);
