/*
 * call.h: one call of an action, as the runner (its owner) and action.c see it. Private to this
 * module.
 *
 *     struct action_call call = {.action = a, .userdata = u, .who = &who, .reply = reply};
 *     call.args = values;        // values[i] is that of a->params[i]
 *     rc = a->run(&call, &err);
 *
 * Invariants: args[i] is the value of action->params[i]; {0} means not given. The hooks are NULL
 * only for a preview, which can neither wait nor remember.
 * Thread: ops.
 */
#pragma once

#include "command/action.h"

struct basis;
struct manifest;
struct shelf;

struct action_call {
    const struct action *action;
    const struct manifest *m; /* of its run */
    void *userdata;
    const struct principal *who;
    struct reply *reply;
    const struct arg_value *args; /* NULL only if the action has no parameters */
    int64_t run_id;
    int64_t chat_id;
    int64_t thread_id;   /* the topic of a forum from which it came; 0: none */
    struct basis *basis; /* of the prompt; NULL: not in a preview */
    struct shelf *shelf; /* of the runner; NULL: pictures are files only */
    int step;
    int64_t begun_us;
    void *state;
    const char *remembered; /* the text that the interrupted call stored; NULL: none */

    void (*progress)(struct action_call *call, const char *text);
    void (*stream)(struct action_call *call, struct str text);
    void (*finish)(struct action_call *call, const struct err *err);
    int (*remember)(struct action_call *call, const char *text, struct err *err);
    void (*output)(struct action_call *call, const char *name, const char *value);
    void *owner; /* the step */
};

bool action_has_output(const struct action *action, struct str name);
/* The userdata with which the action was registered. */
void *action_table_userdata(const struct action_table *table, const struct action *action);
