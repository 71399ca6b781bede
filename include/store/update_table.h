/*
 * update_table.h: updates that a channel has handled, in ops.db, so that each is handled once.
 *
 *     ops_store_begin(store, err);
 *     update_table_add(store, "telegram", update_id, now_us, &fresh, err);
 *     if (fresh) add_the_run(...);
 *     ops_store_commit(store, err);
 *
 * Add an update in the transaction that stores its run: then both are stored, or neither.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether it was handled before. */
int update_table_has(struct ops_store *store, const char *channel, int64_t update_id, bool *ret,
                     struct err *err);
/* *ret_fresh false: it was handled before. */
int update_table_add(struct ops_store *store, const char *channel, int64_t update_id,
                     int64_t now_us, bool *ret_fresh, struct err *err);
