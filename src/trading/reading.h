/*
 * reading.h: an action that reads trading.db with work that grows with the number of trades: on a
 * helper thread and a connection of its own, so that the loop is not away. Private to this module.
 *
 *     struct sums { struct figure_sum all; } *sums = calloc(1, sizeof(*sums));
 *     return reading_start(desk, call, &(struct reading){.read = read_sums, .show = show_sums,
 *                                                        .data = sums}, err);
 *
 * Always true: read may access only data; show runs on the loop after read has succeeded, and fills
 * the reply. Without helpers (tests) both run inside reading_start.
 * Ownership: reading_start takes data and frees it, also if it fails.
 * Thread: ops.
 */
#pragma once

#include "desk_internal.h"

struct trading_store;

struct reading {
    int (*read)(struct trading_store *store, void *data, struct err *err);
    void (*show)(struct action_call *call, void *data);
    void *data;
};

/* ACTION_DONE or ACTION_PENDING; ERR_ENGINE_SILENT without trading.db, ERR_POOL_BUSY. */
int reading_start(struct desk *desk, struct action_call *call, const struct reading *reading,
                  struct err *err);
void reading_cancel(struct action_call *call);
