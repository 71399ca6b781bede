/*
 * read_table.h: how often who looked at what, in ops.db: commands that only read, counted by
 * person, channel, command and hour instead of standing in the audit log one by one.
 *
 *     read_table_add(store, &(struct read_count){.at_us = now, .user = "alice",
 *         .channel = "telegram", .command = "status"}, failed, err);
 *     n = read_table_list(store, since_us, rows, COUNT_OF(rows), err);
 *
 * Always true: one row an hour at most for each of them; ops_store_prune deletes the old ones.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_count {
    int64_t at_us; /* any moment of the hour; when listed, its beginning */
    char user[64];
    char channel[32];
    char command[33];
    int64_t count;  /* failed ones included; not used when added */
    int64_t failed; /* not used when added */
};

int read_table_add(struct ops_store *store, const struct read_count *what, bool failed,
                   struct err *err);
/* Of the hours from since_us on, the newest first; returns how many. */
int read_table_list(struct ops_store *store, int64_t since_us, size_t offset,
                    struct read_count *ret, size_t max, struct err *err);
/* All of them from since_us on. */
int read_table_sum(struct ops_store *store, int64_t since_us, int64_t *ret, struct err *err);
