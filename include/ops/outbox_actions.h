/*
 * outbox_actions.h: the actions that get messages to Telegram moving again: outbox.reconnect,
 * outbox.set_aside, outbox.put_back.
 *
 *     outbox_actions_add(&actions, table);      // NULL: they are only described
 *     actions.telegram = telegram;              // once it exists
 *
 * Thread: ops.
 */
#pragma once

struct action_table;
struct ops_store;
struct telegram;

struct outbox_actions {
    struct telegram *telegram; /* NULL: not yet */
    struct ops_store *store;
};

void outbox_actions_add(struct outbox_actions *actions, struct action_table *table);
