/*
 * token_table.h: the bearer tokens of the API, in ops.db. A token itself is not stored, only its
 * hash.
 *
 *     token_table_add(store, &token, hash, err);                  // sets token.id
 *     n = token_table_list(store, tokens, TOKENS_MAX, err);
 *     token_table_revoke(store, token.id, now_us, "adam", err);
 *
 * Invariants: at most one token that is not revoked has a given name. An id is never used again,
 * because it identifies the caller in stored runs and prompts.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKENS_MAX          64 /* in the table, those that have ended included */
#define TOKEN_COMMANDS_SIZE 128
#define TOKEN_NETWORKS_SIZE 256

struct token_row {
    int64_t id;
    char name[32];
    char hash[SECRET_HASH_HEX_SIZE];
    char role[16];                      /* "read_only" "operator" "admin" */
    char commands[TOKEN_COMMANDS_SIZE]; /* globs, separated by commas; "": all */
    char networks[TOKEN_NETWORKS_SIZE]; /* "10.0.0.0/8,::1"; "": from everywhere */
    int64_t created_us;                 /* wall clock, as are the others */
    char created_by[64];
    int64_t expires_us; /* 0: never */
    int64_t revoked_us; /* 0: not */
    char revoked_by[64];
    int64_t used_us; /* 0: never; at most a minute old */
    char used_from[48];
    char holder_channel[16]; /* of the person whose session it is; "": it is no session */
    int64_t holder_id;
};

/* The oldest first; returns the number, at most max. */
int token_table_list(struct ops_store *store, struct token_row *ret, size_t max, struct err *err);
/* Adds a token and sets its id. */
int token_table_add(struct ops_store *store, struct token_row *token, struct err *err);
/* TOKEN_UNKNOWN if it is revoked already. */
int token_table_revoke(struct ops_store *store, int64_t id, int64_t at_us, const char *by,
                       struct err *err);
int token_table_used(struct ops_store *store, int64_t id, int64_t at_us, const char *from,
                     struct err *err);
int token_table_remove(struct ops_store *store, int64_t id, struct err *err);
