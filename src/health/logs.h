/*
 * logs.h: the actions that read the logs of services: from journald or from the files that
 * nightdesk keeps of its children. Private to this module.
 *
 *     action_table_add(table, logs_actions, health);
 *
 * Invariants: a helper reads, filters and redacts; what is shown holds no configured secret, no
 * control character, and is bounded. What does not fit into a message is a document.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "command/action.h"

#include <stdbool.h>
#include <stddef.h>

extern const struct action logs_actions[]; /* userdata: struct health */

/* Of the text from begin on, keeps the last whole lines that fit into max_bytes. True: something
 * was cut. */
bool logs_keep_newest(struct buf *out, size_t begin, size_t max_bytes);
