/*
 * action_rig.h: runs an action that neither waits nor stores anything, without a runner.
 *
 *     struct reply *reply = action_rig_run(table, "trading.measure", args, now_us, &err);
 *     reply_free(reply);
 *
 * Thread: the test's.
 */
#pragma once

#include "base/err.h"
#include "command/action.h"

/* args: a JSON object. NULL with *err: the arguments, or the action, were refused. */
struct reply *action_rig_run(struct action_table *table, const char *action, const char *args,
                             int64_t now_us, struct err *err);
