/*
 * venue_table.h: what a real venue's side keeps in trading.db, by name: which venue the books
 * belong to, the tag of our client ids, the cash that is not ours.
 *
 *     rc = venue_table_get(store, "tag", value, sizeof(value), err);   // "": not set
 *     rc = venue_table_set(store, "tag", "K7QF", err);
 *
 * and the numbers that events of its account have got, by the venue's ids.
 * Thread: the engine's.
 */
#pragma once

#include "base/err.h"
#include "model/order.h"
#include "store/trading.h"

#include <stddef.h>
#include <stdint.h>

int venue_table_get(struct trading_store *store, const char *name, char *ret, size_t size,
                    struct err *err);
int venue_table_set(struct trading_store *store, const char *name, const char *value,
                    struct err *err);

struct venue_event_row {
    char id[FILL_ID_SIZE];
    int64_t number;
    int64_t at_us;
};
typedef void (*venue_event_fn)(const struct venue_event_row *row, void *userdata);

/* In the order of their numbers. */
int venue_table_events(struct trading_store *store, venue_event_fn fn, void *userdata,
                       struct err *err);
int venue_table_add_event(struct trading_store *store, const struct venue_event_row *row,
                          struct err *err);
int venue_table_forget_event(struct trading_store *store, const char *id, struct err *err);
/* Those older than that, but never the one with the highest number. */
int venue_table_forget_events(struct trading_store *store, int64_t before_us, struct err *err);
