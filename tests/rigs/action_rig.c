#include "action_rig.h"

#include "../../src/command/call.h"
#include "base/check.h"
#include "io/json.h"

#include <string.h>

static int bind(const struct action *action, struct json_object *args, int64_t now_us,
                struct arg_value *values, struct err *err)
{
    const struct value_context context = {.now_us = now_us};
    int rc = 0;
    for (int i = 0; i < action_param_count(action) && rc >= 0; i++) {
        const struct action_param *param = &action->params[i];
        struct json_object *value = json_get(args, param->name);
        if (value != NULL) {
            rc = value_from_json(param, value, &context, &values[i], err);
        } else if (param->default_text != NULL) {
            rc = value_from_text(param, str_c(param->default_text), &context, &values[i], err);
        }
    }
    return rc;
}

struct reply *action_rig_run(struct action_table *table, const char *name, const char *args,
                             int64_t now_us, struct err *err)
{
    const struct action *action = action_find(table, name);
    const struct principal who = {.name = "rig", .role = ROLE_READ_ONLY};
    struct arg_value values[ACTION_PARAMS_MAX] = {0};
    AUTO_JSON struct json_object *json = NULL;
    struct reply *reply = reply_new();
    ASSERT(action != NULL && json_parse(str_c(args), &JSON_LIMITS_DEFAULT, &json, NULL) == 0);
    int rc = bind(action, json, now_us, values, err);
    struct action_call call = {.action = action,
                               .userdata = action_table_userdata(table, action),
                               .who = &who,
                               .reply = reply,
                               .args = values,
                               .begun_us = now_us};
    rc = rc < 0 ? rc : action->run(&call, err);
    for (int i = 0; i < action_param_count(action); i++) {
        value_release(&values[i]);
    }
    if (rc != ACTION_DONE) {
        reply_free(reply);
        return NULL;
    }
    return reply;
}
