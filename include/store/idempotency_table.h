/*
 * idempotency_table.h: the keys with which clients of the API mark a command, in ops.db, so that a
 * command that is sent twice runs once.
 *
 *     const struct idempotency_key key = {.caller = "http:0:api", .key = "3f1c…", .hash = hash};
 *     rc = idempotency_table_get(store, &key, &row, err);              // ERR_STORE_NOT_FOUND
 *     idempotency_table_add(store, &key, run_id, now_us, err);         // with the run, in one
 *                                                                      // transaction
 *     idempotency_table_answer(store, &key, 200, body, err);           // once the client has it
 *
 * Always true: a key of a caller belongs to one run; ops_store_prune deletes old ones.
 * Thread: that of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stdint.h>

#define IDEMPOTENCY_KEY_MAX    255                 /* bytes */
#define IDEMPOTENCY_ANSWER_MAX ((size_t)64 * 1024) /* a longer one is not kept */

struct idempotency_key {
    const char *caller;
    const char *key;
    const char *hash; /* of what was asked */
};

struct idempotency_row {
    char hash[65];
    int64_t run_id;
    int64_t status; /* of the answer; 0: none was given, or it is not kept */
    char *answer;   /* owned by the caller; "": none */
};

int idempotency_table_get(struct ops_store *store, const struct idempotency_key *key,
                          struct idempotency_row *ret, struct err *err);
int idempotency_table_add(struct ops_store *store, const struct idempotency_key *key,
                          int64_t run_id, int64_t now_us, struct err *err);
int idempotency_table_answer(struct ops_store *store, const struct idempotency_key *key, int status,
                             struct str answer, struct err *err);
