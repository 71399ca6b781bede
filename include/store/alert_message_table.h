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

enum alert_message_form {
    ALERT_MESSAGE_OWN,   /* the message is about this alert alone: edits replace it */
    ALERT_MESSAGE_STORM, /* a list of the alerts of a storm, made again at each change */
    ALERT_MESSAGE_PART   /* it mentions the alert among others and does not change */
};

struct alert_message {
    int64_t alert_id;
    char channel[32];
    int64_t chat_id;
    int64_t outbox_id;
    enum alert_message_form form;
};

int alert_message_table_write(struct ops_store *store, const struct alert_message *message,
                              struct err *err);
/* How many, or a negative error id. */
int alert_message_table_list(struct ops_store *store, int64_t alert_id, struct alert_message *ret,
                             size_t max, struct err *err);
/* The alerts that a message is about, newest first: at most max; *ret_total counts all of them, and
 * *ret_open those that are open or acknowledged. Returns the number of ids. */
int alert_message_table_alerts(struct ops_store *store, int64_t outbox_id, int64_t *ret_ids,
                               size_t max, int64_t *ret_total, int64_t *ret_open, struct err *err);
/* The newest list of a storm in a chat that was begun after since_us; 0: none. */
int alert_message_table_storm(struct ops_store *store, const char *channel, int64_t chat_id,
                              int64_t since_us, int64_t *ret_outbox_id, struct err *err);
