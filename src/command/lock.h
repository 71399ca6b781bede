/*
 * lock.h: what the running runs lock, so that two of them never change the same thing at once: a
 * list of resources ("service:demo", "trading"), each held by one run. Private to this module.
 *
 *     struct lock_set wanted = {0};
 *     lock_set_add(&wanted, "service:demo");
 *     if (lock_find(&table, &wanted) == NULL)     // else refuse with its holder
 *         lock_take(&table, &wanted, &holder);
 *     ...
 *     lock_release(&table, holder.run_id);
 *
 * Invariants: a run takes all its locks at once when it starts and keeps them until it ends, so no
 * run ever waits for a lock. "service" covers every "service:…". Only recovered runs of an earlier
 * version may hold the same resource twice.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCK_NAME_SIZE 128
#define LOCK_LINE_SIZE 128

struct lock_set {
    char (*names)[LOCK_NAME_SIZE]; /* owned */
    size_t count;
};

struct lock_holder {
    int64_t run_id;
    char line[LOCK_LINE_SIZE]; /* of its command, truncated */
    char who[32];
    int64_t since_us; /* wall clock */
};

struct lock {
    char name[LOCK_NAME_SIZE];
    struct lock_holder holder;
};

struct lock_table {
    struct lock *items; /* owned */
    size_t count;
    size_t size;
};

void lock_set_add(struct lock_set *set, struct str name);
void lock_set_release(struct lock_set *set);
#define AUTO_LOCK_SET AUTO(lock_set_release)

/* The first lock that covers, or is covered by, a resource of the set; NULL: all are free. */
const struct lock *lock_find(const struct lock_table *table, const struct lock_set *set);
void lock_take(struct lock_table *table, const struct lock_set *set,
               const struct lock_holder *holder);
void lock_release(struct lock_table *table, int64_t run_id);
void lock_table_release(struct lock_table *table);
