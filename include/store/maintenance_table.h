/*
 * maintenance_table.h: the maintenance that people have begun, of one service or of the whole desk,
 * in ops.db. The windows of the configuration are not stored.
 *
 *     struct maintenance m = {.until_us = until, .reason = "kernel update", .user = "alice"};
 *     maintenance_table_begin(store, &m, now_us, err);
 *     int n = maintenance_table_list(store, rows, COUNT_OF(rows), err);     // not ended yet
 *     maintenance_table_end(store, rows[0].id, now_us, err);
 *
 * Each run that paused the entries for maintenance is kept apart from its row until the engine has
 * answered that its pause is lifted: the maintenance may be extended by another run, and overlap
 * with others.
 *
 * Always true: at most one row of a service has not ended. A row whose time is over has ended only
 * once maintenance_table_end was called, so that its end is reported once, also over a restart.
 * Rows that have ended are deleted after MAINTENANCE_KEPT newer ones. Thread: writes from ops;
 * reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define MAINTENANCE_MAX        32 /* at the same time */
#define MAINTENANCE_KEPT       100
#define MAINTENANCE_PAUSES_MAX 64

struct maintenance {
    int64_t id;
    char service[64]; /* "": the whole desk */
    int64_t begun_us;
    int64_t until_us;
    char reason[160]; /* "": none given */
    char user[64];
    int64_t run_id; /* of the last command that also paused the entries; 0: it wants no pause */
};

/* Begins it, or changes the end, reason, user and run of the one of this service that has not
 * ended. ERR_MAINTENANCE_MANY. */
int maintenance_table_begin(struct ops_store *store, const struct maintenance *m, int64_t now_us,
                            struct err *err);
/* Those that have not ended, the oldest first; returns their number. */
int maintenance_table_list(struct ops_store *store, struct maintenance *ret, size_t max,
                           struct err *err);
int maintenance_table_end(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
/* The first run whose pause is not known to be lifted; 0: there is none. */
int maintenance_table_pause(struct ops_store *store, int64_t *ret_run_id, struct err *err);
int maintenance_table_lifted(struct ops_store *store, int64_t run_id, struct err *err);
