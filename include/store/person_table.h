/*
 * person_table.h: the Telegram users who were granted a role by command, in ops.db. Those of the
 * configuration are not in it.
 *
 *     person_table_save(store, &(struct person){.id = 42, .name = "dora", .role = "operator",
 *                                               .granted_by = "alice", .granted_us = now}, err);
 *     n = person_table_list(store, people, PEOPLE_MAX, err);
 *
 * Invariants: an id has at most one row, and so has a name.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEOPLE_MAX 64

struct person {
    int64_t id; /* of the Telegram user */
    char name[32];
    char role[16]; /* "read_only" "operator" "admin" */
    bool emergency;
    char granted_by[64];
    int64_t granted_us; /* wall clock */
};

/* In the order in which they were granted a role first; returns the number, at most max. */
int person_table_list(struct ops_store *store, struct person *ret, size_t max, struct err *err);
/* Adds the person, or replaces the row of this id. */
int person_table_save(struct ops_store *store, const struct person *person, struct err *err);
int person_table_remove(struct ops_store *store, int64_t id, struct err *err);
