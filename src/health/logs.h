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

#include "command/action.h"

extern const struct action logs_actions[]; /* userdata: struct health */
