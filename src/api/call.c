/* Reads the parameters of a request as the row of its route describes them. */
#include "call.h"

#include "api_internal.h"
#include "base/check.h"

#include <string.h>

#define EDITS_MAX 4 /* between a parameter and the one that is suggested */

static int param_index(const struct route *route, struct str name)
{
    int count = route_param_count(route);
    for (int i = 0; i < count; i++) {
        if (str_equal_c(name, route->params[i].name)) {
            return i;
        }
    }
    return -1;
}

static const char *param_nearest(const struct route *route, struct str name)
{
    const char *nearest = NULL;
    int best = EDITS_MAX;
    for (int i = 0; i < route_param_count(route); i++) {
        int edits = str_distance(name, str_c(route->params[i].name));
        if (edits < best && !route_in_path(route, route->params[i].name)) {
            best = edits;
            nearest = route->params[i].name;
        }
    }
    return nearest;
}

/* A parameter that is misspelt would otherwise be a filter that filters nothing. */
static int check_names(const struct api_call *call, struct err *err)
{
    for (size_t i = 0; i < web_query_count(call->request); i++) {
        struct str name = web_query_name(call->request, i);
        int index = param_index(call->route, name);
        if (index >= 0 && !route_in_path(call->route, call->route->params[index].name)) {
            continue;
        }
        const char *nearest = param_nearest(call->route, name);
        return err_set(err, ERR_API_QUERY, "%.*s: there is no such parameter here%s%s%s",
                       name.len > 40 ? 40 : (int)name.len, name.ptr,
                       nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "?" : "");
    }
    return 0;
}

static int read_param(struct api_call *call, int index, struct err *err)
{
    const struct action_param *param = &call->route->params[index];
    const struct value_context context = {.now_us = clock_wall_us(clock_real())};
    struct err why = {0};
    struct str text = str_c(param->default_text);
    if (route_in_path(call->route, param->name)) {
        text = route_part(call->route, web_path(call->request), param->name);
    } else if (web_has_query(call->request, param->name)) {
        text = web_query(call->request, param->name);
    } else if (param->required) {
        return err_set(err, ERR_API_QUERY, "%s is missing", param->name);
    } else if (param->default_text == NULL) {
        return 0;
    }
    if (memchr(text.ptr, 0, text.len) != NULL) {
        return err_set(err, ERR_API_QUERY, "%s has a NUL character", param->name);
    }
    return value_from_text(param, text, &context, &call->values[index], &why) < 0
               ? err_set(err, ERR_API_QUERY, "%s", why.context)
               : 0;
}

int api_call_read(struct api_call *call, struct err *err)
{
    int rc = check_names(call, err);
    for (int i = 0; rc == 0 && i < route_param_count(call->route); i++) {
        rc = read_param(call, i, err);
    }
    return rc;
}

void api_call_release(struct api_call *call)
{
    for (int i = 0; i < ROUTE_PARAMS_MAX; i++) {
        value_release(&call->values[i]);
    }
}

const struct arg_value *api_value(const struct api_call *call, const char *name)
{
    int index = param_index(call->route, str_c(name));
    ASSERT(index >= 0);
    return call->values[index].type == PARAM_NONE ? NULL : &call->values[index];
}

const char *api_text(const struct api_call *call, const char *name)
{
    const struct arg_value *value = api_value(call, name);
    ASSERT(value == NULL || value->type == PARAM_TEXT || value->type == PARAM_CHOICE);
    return value == NULL ? NULL : value->text;
}

int64_t api_number(const struct api_call *call, const char *name, int64_t fallback)
{
    const struct arg_value *value = api_value(call, name);
    ASSERT(value == NULL || value->type == PARAM_INT);
    return value == NULL ? fallback : value->number;
}

struct symbol api_symbol(const struct api_call *call)
{
    const struct arg_value *value = api_value(call, "symbol");
    return value == NULL ? (struct symbol){0} : value->symbol;
}

int64_t api_time_us(const struct api_call *call, const char *name)
{
    const struct arg_value *value = api_value(call, name);
    ASSERT(value == NULL || value->type == PARAM_TIME);
    return value == NULL ? 0 : value->time_us;
}
