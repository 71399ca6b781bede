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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct factor {
    int64_t last_step;       /* of the last accepted code; 0: none */
    int64_t failures;        /* wrong codes since window_us */
    int64_t window_us;       /* wall clock */
    int64_t locked_until_us; /* 0: not locked */
};

/* The secret of an authenticator app that somebody set up by command, sealed with a key that is not
 * in ops.db. */
struct factor_secret {
    char user[32];
    char secret[64]; /* base 32; "" if it cannot be unsealed: audit.key was replaced */
    bool active;     /* a first code has confirmed it */
    int64_t created_us;
};
#define FACTOR_SECRETS_MAX 128

/* Returns the number. The caller wipes them. */
int factor_secret_list(struct ops_store *store, struct factor_secret *ret, size_t max,
                       struct err *err);
int factor_secret_save(struct ops_store *store, const struct factor_secret *secret,
                       struct err *err);
/* With the recovery codes, and what is known about wrong codes. */
int factor_secret_remove(struct ops_store *store, const char *user, struct err *err);
/* Replaces the recovery codes of a person by `count` others; only their keyed hashes are stored. */
int recovery_code_replace(struct ops_store *store, const char *user, const char *const *codes,
                          size_t count, struct err *err);
/* Marks a code as used; *ret: it was one, and unused. */
int recovery_code_use(struct ops_store *store, const char *user, const char *code, int64_t now_us,
                      bool *ret, struct err *err);
int recovery_code_left(struct ops_store *store, const char *user, int64_t *ret, struct err *err);

int factor_table_get(struct ops_store *store, const char *user, struct factor *ret,
                     struct err *err);
int factor_table_save(struct ops_store *store, const char *user, const struct factor *factor,
                      struct err *err);
