/*
 * factor_table.h: what is known about the second factor of each person, in ops.db: the last code
 * that was accepted, and the wrong ones of a window.
 *
 *     struct factor f;
 *     factor_table_get(store, "alice", &f, err);     // all zero if there is no row
 *     f.last_step = step;
 *     factor_table_save(store, "alice", &f, err);
 *
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdint.h>

struct factor {
    int64_t last_step;       /* of the last accepted code; 0: none */
    int64_t failures;        /* wrong codes since window_us */
    int64_t window_us;       /* wall clock */
    int64_t locked_until_us; /* 0: not locked */
};

int factor_table_get(struct ops_store *store, const char *user, struct factor *ret,
                     struct err *err);
int factor_table_save(struct ops_store *store, const char *user, const struct factor *factor,
                      struct err *err);
