/*
 * alert_reply.h: alerts as replies. Private to this room.
 *
 *     AUTO_REPLY struct reply *reply = alert_reply(&alert, now_us);
 *
 * Invariants: nothing here reads or writes the database. Ownership: the caller frees what it gets.
 * Thread: ops.
 */
#pragma once

#include "command/reply.h"
#include "store/alert_table.h"

/* The message that stands in the chat, as the alert is now. */
struct reply *alert_reply(const struct alert *alert, int64_t now_us);
/* The short message that tells of its end. */
struct reply *alert_reply_resolved(const struct alert *alert, const char *why);
/* Everything about one, into a reply that is there. */
void alert_reply_full(const struct alert *alert, int64_t now_us, struct reply *r);
void alert_reply_list(const struct alert *alerts, int count, bool more, int64_t now_us,
                      struct reply *r);
