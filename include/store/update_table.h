/*
 * update_table.h: updates that a chat door has handled, in ops.db, so that each is handled once.
 *
 *     ops_store_begin(store, err);
 *     update_table_add(store, "telegram", update_id, now_us, &fresh, err);
 *     if (fresh) make_the_run(...);
 *     update_table_set_offset(store, "telegram", update_id + 1, err);
 *     ops_store_commit(store, err);
 *
 * Always true: in one transaction with the run it makes, an update is either handled and known or
 * neither. Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stdint.h>

/* *ret_fresh false: it was handled before. */
int update_table_add(struct ops_store *store, const char *channel, int64_t update_id,
                     int64_t now_us, bool *ret_fresh, struct err *err);
/* Where the next poll starts; 0 before the first. */
int update_table_offset(struct ops_store *store, const char *channel, int64_t *ret,
                        struct err *err);
int update_table_set_offset(struct ops_store *store, const char *channel, int64_t offset,
                            struct err *err);
