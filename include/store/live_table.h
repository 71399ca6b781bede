/*
 * live_table.h: the messages of /status live in ops.db: one pinned message a chat, which is edited.
 *
 *     live_table_set(store, &(struct live_message){.channel = "telegram", .chat_id = 42,
 *         .outbox_id = id, .by = "alice", .since_us = now}, err);
 *     int n = live_table_list(store, live, COUNT_OF(live), err);
 *     live_table_end(store, "telegram", 42, "why", err); // the one who shows it removes it
 *
 * Always true: a chat has at most one; the message in the outbox is not deleted while its row is
 * here. Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define LIVE_MESSAGES_MAX 32

struct live_message {
    char channel[32];
    int64_t chat_id;
    int64_t thread_id; /* the topic of a forum; 0: none */
    int64_t outbox_id; /* of the message */
    char by[32];
    int64_t since_us;
    char ended[96]; /* why it ends; "": it does not */
};

/* Replaces that of the same chat. */
int live_table_set(struct ops_store *store, const struct live_message *message, struct err *err);
/* No error if there is none. */
int live_table_remove(struct ops_store *store, const char *channel, int64_t chat_id,
                      struct err *err);
int live_table_end(struct ops_store *store, const char *channel, int64_t chat_id, const char *why,
                   struct err *err);
/* Oldest first; returns the number or a negative error id. */
int live_table_list(struct ops_store *store, struct live_message *ret, size_t max, struct err *err);
