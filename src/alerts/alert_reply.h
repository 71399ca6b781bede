/*
 * alert_reply.h: alerts as replies. Private to this module.
 *
 *     AUTO_REPLY struct reply *reply = alert_reply(&alert, now_us);
 *
 * Invariants: nothing here reads or writes the database.
 * Ownership: the caller frees the returned reply.
 * Thread: ops.
 */
#pragma once

#include "command/reply.h"
#include "store/alert_table.h"

/* The chat message of an alert in its current state; later states edit the same message. */
struct reply *alert_reply(const struct alert *alert, int64_t now_us);
/* The short extra message that it is resolved. */
struct reply *alert_reply_resolved(const struct alert *alert, const char *why);
/* Adds one alert with its evidence to r. */
void alert_reply_full(const struct alert *alert, int64_t now_us, struct reply *r);
/* Adds a table of alerts to r. more: there are others that are not shown. */
void alert_reply_list(const struct alert *alerts, int count, bool more, int64_t now_us,
                      struct reply *r);
