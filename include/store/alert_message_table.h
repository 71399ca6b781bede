/*
 * alert_message_table.h: the message about an alert in each chat, in ops.db, so that it can be
 * edited when the alert is raised again, acknowledged or resolved.
 *
 *     struct alert_message m = {.alert_id = id, .channel = "telegram", .chat_id = 42,
 *                               .outbox_id = outbox_id};
 *     alert_message_table_write(store, &m, err);
 *     n = alert_message_table_list(store, id, messages, COUNT_OF(messages), err);
 *
 * Always true: one message per alert and chat, the newest one written; the rows are deleted with
 * their alert.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

struct alert_message {
    int64_t alert_id;
    char channel[32];
    int64_t chat_id;
    int64_t outbox_id;
};

int alert_message_table_write(struct ops_store *store, const struct alert_message *message,
                              struct err *err);
/* How many, or a negative error id. */
int alert_message_table_list(struct ops_store *store, int64_t alert_id, struct alert_message *ret,
                             size_t max, struct err *err);
