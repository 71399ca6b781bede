/*
 * api_store.h: the read-only connections of one thread to the databases.
 *
 *     stores = (struct api_stores){.state_dir = state_dir, .shared = shared};
 *     rc = api_need_ops(&stores, err);   // then stores.ops can be read
 *     api_stores_release(&stores);
 *
 * Always true: a connection is opened by the first read that needs it, and again after the file of
 * its database was replaced by a backup (model/shared.h).
 * Thread: one for each struct.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct ops_store;
struct shared;
struct trading_store;

struct api_stores {
    const char *state_dir; /* not owned, as shared */
    const struct shared *shared;
    struct trading_store *trading; /* NULL: not opened yet */
    struct ops_store *ops;
    uint64_t trading_file; /* shared->trading_file when it was opened */
    uint64_t ops_file;
};

/* Errors: those of trading_store_open and ops_store_open. */
int api_need_trading(struct api_stores *stores, struct err *err);
int api_need_ops(struct api_stores *stores, struct err *err);
void api_stores_release(struct api_stores *stores);
