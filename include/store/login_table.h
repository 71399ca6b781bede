/*
 * login_table.h: what logs a person in at the page once, in ops.db: the links of /web, and the data
 * of the Mini App that were used. Only hashes are stored.
 *
 *     login_table_add(store, &(struct login_row){.channel = "telegram", .user_id = 5, …}, err);
 *     n = login_table_list(store, rows, LOGINS_MAX, err);
 *     login_table_use(store, hash, err);                       // ERR_LOGIN_LINK: it is used
 *
 * Invariants: a hash is there once; a person has at most one unused link. Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "io/secret.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGINS_MAX 64

struct login_row {
    char hash[SECRET_HASH_HEX_SIZE];
    char channel[16]; /* of the person who asked */
    int64_t user_id;
    int64_t created_us; /* wall clock, as is the other */
    int64_t expires_us;
    bool used;
};

/* The newest first; returns the number, at most max. */
int login_table_list(struct ops_store *store, struct login_row *ret, size_t max, struct err *err);
int login_table_add(struct ops_store *store, const struct login_row *row, struct err *err);
int login_table_use(struct ops_store *store, const char *hash, struct err *err);
/* Removes the unused link of a person. */
int login_table_drop(struct ops_store *store, const char *channel, int64_t user_id,
                     struct err *err);
/* Removes what has expired. */
int login_table_tidy(struct ops_store *store, int64_t now_us, struct err *err);
