/*
 * call.h: one request, from the router to the handler of its row (api/route.h).
 *
 *     void api_runs_handle(struct api_call *call)
 *     {
 *         int64_t limit = api_number(call, "limit", 0);
 *         web_answer_json(call->request, 200, …);
 *     }
 *
 * Ownership: the values belong to the router, which releases them after the handler; what a held
 * request needs later is copied. Thread: a listener's.
 */
#pragma once

#include "api/route.h"

struct listener;
struct web_request;

struct api_call {
    struct listener *listener;
    struct web_request *request;
    const struct route *route;
    enum role role;                            /* of the caller; ROLE_NONE unless ROUTE_ROLE */
    struct arg_value values[ROUTE_PARAMS_MAX]; /* in the order of route->params */
};

/* The value of a parameter of the route (ASSERT); NULL if it was not given and has no default. */
const struct arg_value *api_value(const struct api_call *call, const char *name);
/* Of a text or a choice; NULL if not given. */
const char *api_text(const struct api_call *call, const char *name);
/* Of a whole number; the fallback if not given. */
int64_t api_number(const struct api_call *call, const char *name, int64_t fallback);

/* Of a symbol; the empty one if not given. */
struct symbol api_symbol(const struct api_call *call);
/* Of a time, wall clock; 0 if not given. */
int64_t api_time_us(const struct api_call *call, const char *name);

/* The router's. Reads all parameters. Error: API_QUERY. */
int api_call_read(struct api_call *call, struct err *err);
void api_call_release(struct api_call *call);
