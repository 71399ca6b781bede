/*
 * call.h: one run of one action, as the runner (who owns it) and action.c see it. Private to this
 * room.
 *
 *     struct action_call call = {.action = a, .userdata = u, .who = &who, .reply = reply};
 *     call.args[i] = "value of a->params[i]";
 *     rc = a->run(&call, &err);
 *
 * Invariants: args run parallel to action->params; NULL is "not given". The hooks are NULL only for
 * a preview, which can neither wait nor remember. Thread: ops.
 */
#pragma once

#include "command/action.h"

struct action_call {
    const struct action *action;
    void *userdata;
    const struct principal *who;
    struct reply *reply;
    const char *args[ACTION_PARAMS_MAX];
    int64_t run_id;
    int step;
    int64_t begun_us;
    void *state;
    const char *remembered; /* what the call of a process that died had put on disk; NULL: none */

    void (*progress)(struct action_call *call, const char *text);
    void (*finish)(struct action_call *call, const struct err *err);
    int (*remember)(struct action_call *call, const char *text, struct err *err);
    void *owner; /* the runner's run */
};

/* What action_userdata will answer for this action. */
void *action_table_userdata(const struct action_table *table, const struct action *action);
