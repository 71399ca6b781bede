/*
 * alert_message_table.h: which message in which chat tells of an alert, in ops.db, so that it can
 * be edited when the alert is seen again, acknowledged or resolved.
 *
 *     alert_message_table_write(store, &(struct alert_message){.alert_id = id, .channel =
 * "telegram", .chat_id = 42, .outbox_id = outbox_id}, err); n = alert_message_table_list(store, id,
 * messages, COUNT_OF(messages), err);
 *
 * Always true: one message an alert and chat, the newest put; rows go with their alert.
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
