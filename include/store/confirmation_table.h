/*
 * confirmation_table.h: pending confirmations in ops.db, each bound to one run.
 *
 *     confirmation_table_add(store, &(struct confirmation){.nonce = …, .run_id = id, ...}, err);
 *     rc = confirmation_table_get(store, nonce, &c, err);         // ERR_STORE_NOT_FOUND
 *     if (c.user_id == me && now < c.expires_us)
 *         confirmation_table_use(store, nonce, &won, err);        // true exactly once
 *
 * Always true: use returns true once per nonce, even with crashes in between.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/ops.h"

#include <stdbool.h>
#include <stdint.h>

struct confirmation {
    char nonce[32];
    int64_t run_id;
    int64_t user_id;
    char channel[32];
    int64_t chat_id;
    int64_t outbox_id; /* of the prompt, so that it can be edited; 0: none */
    int64_t expires_us;
    bool used;
    char stage[16]; /* what is asked for: "stale", "confirm", "code", "approve" */
};

int confirmation_table_add(struct ops_store *store, const struct confirmation *confirmation,
                           struct err *err);
int confirmation_table_get(struct ops_store *store, const char *nonce, struct confirmation *ret,
                           struct err *err);
/* The confirmation of a run, for channels without buttons; ERR_STORE_NOT_FOUND. */
int confirmation_table_of_run(struct ops_store *store, int64_t run_id, struct confirmation *ret,
                              struct err *err);
int confirmation_table_set_outbox(struct ops_store *store, const char *nonce, int64_t outbox_id,
                                  struct err *err);
/* What the prompt showed that may change until it is answered; "" if nothing is stored. */
int confirmation_table_set_basis(struct ops_store *store, const char *nonce, struct str basis,
                                 struct err *err);
int confirmation_table_get_basis(struct ops_store *store, const char *nonce, struct buf *ret,
                                 struct err *err);
/* What the steps before the prompt replied, as JSON, for the prompts that follow and the result. */
int confirmation_table_set_prepared(struct ops_store *store, const char *nonce, struct str reply,
                                    struct err *err);
int confirmation_table_get_prepared(struct ops_store *store, int64_t run_id, struct buf *ret,
                                    struct err *err);
/* The prompt was answered and the next one follows: another nonce, stage and expiry. Like use, true
 * exactly once for a nonce. */
int confirmation_table_move(struct ops_store *store, const char *nonce,
                            const struct confirmation *next, bool *ret_won, struct err *err);
int confirmation_table_use(struct ops_store *store, const char *nonce, bool *ret_won,
                           struct err *err);
/* The newest open one of the same user, channel, chat, and stage unless that is "". Error:
 * STORE_NOT_FOUND. */
int confirmation_table_newest(struct ops_store *store, const struct confirmation *like,
                              struct confirmation *ret, struct err *err);
/* Marks as used the unused ones that are unreadable or have no run waiting for them; returns the
 * number. */
int confirmation_table_set_aside(struct ops_store *store, struct err *err);
/* Unused ones that expired at or before now_us, oldest first; returns the number. */
int confirmation_table_expired(struct ops_store *store, int64_t now_us, struct confirmation *ret,
                               size_t max, struct err *err);
