/*
 * read_table.h: counts of the commands that only read, in ops.db, by person, channel, command and
 * hour. Such runs have no rows in the audit log (see audit_chain.h for the exceptions).
 *
 *     read_table_add(store, &(struct read_count){.at_us = now, .user = "alice",
 *         .channel = "telegram", .command = "status", .count = 1}, err);
 *     n = read_table_list(store, since_us, rows, COUNT_OF(rows), err);
 *
 * Always true: at most one row per hour, person, channel and command; ops_store_prune deletes old
 * rows.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_count {
    int64_t at_us; /* any time within the hour; in a list, its start */
    char user[64];
    char channel[32];
    char command[33];
    int64_t count; /* failed ones included */
    int64_t failed;
};

/* Adds count and failed to the row of this hour, person, channel and command. */
int read_table_add(struct ops_store *store, const struct read_count *what, struct err *err);
/* The hours from since_us on, newest first; returns the number. */
int read_table_list(struct ops_store *store, int64_t since_us, size_t offset,
                    struct read_count *ret, size_t max, struct err *err);
/* The oldest hour from since_us on, and before before_us, in which something was read over this
 * channel: 1, or 0 if there is none. */
int read_table_next_hour(struct ops_store *store, const char *channel, int64_t since_us,
                         int64_t before_us, int64_t *ret_us, struct err *err);
/* What was read in this hour over this channel, by person; returns the number. */
int read_table_hour(struct ops_store *store, const char *channel, int64_t hour_us, size_t offset,
                    struct read_count *ret, size_t max, struct err *err);
/* The sum of the counts from since_us on. */
int read_table_sum(struct ops_store *store, int64_t since_us, int64_t *ret, struct err *err);
