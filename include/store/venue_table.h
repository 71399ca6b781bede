/*
 * venue_table.h: what a real venue's side keeps in trading.db, by name: which venue the books
 * belong to, the tag of our client ids, the cash that is not ours.
 *
 *     rc = venue_table_get(store, "tag", value, sizeof(value), err);   // "": not set
 *     rc = venue_table_set(store, "tag", "K7QF", err);
 *
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "store/trading.h"

#include <stddef.h>

int venue_table_get(struct trading_store *store, const char *name, char *ret, size_t size,
                    struct err *err);
int venue_table_set(struct trading_store *store, const char *name, const char *value,
                    struct err *err);
