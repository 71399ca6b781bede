/*
 * route.h: the one table of what the API serves (src/api/routes.c). The router, the description of
 * the API for programs and docs/api.md are made from it.
 *
 *     {.method = "GET",
 *      .path = "/api/v1/decisions/{id}/why",
 *      .tag = "trading",
 *      .summary = "Why a decision was taken, agent by agent",
 *      .answer = "nightdesk.why/1",
 *      .least = ROLE_READ_ONLY,
 *      .params = ROUTE_PARAMS({.name = "id", .type = PARAM_INT, .minimum = "1", .help = "…"}),
 *      .handle = api_why_handle},
 *
 * To add a route, add a row to the table and write its handler: it runs on the listener's thread
 * once the caller was admitted, has the role, and every parameter was read (src/api/call.h). It
 * answers or holds the request and must not wait.
 * Always true: a parameter is in the path if the path has it in braces, and else in the query; a
 * query parameter that is not in the row is refused. HEAD is served by the row of GET.
 * Thread: any.
 */
#pragma once

#include "access/access.h"
#include "base/str.h"
#include "command/value.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_PARAMS_MAX  12
#define ROUTE_PARAMS(...) ((const struct action_param[]){__VA_ARGS__, {0}})

struct api_call;

enum route_gate {
    ROUTE_ROLE,   /* the listener's thread knows the caller, whose role is at least `least` */
    ROUTE_TICKET, /* the same, or with a ticket in the query (src/api/stream.h) */
    ROUTE_OPEN,   /* for everyone, without a token; over TCP the Host must name this machine */
    ROUTE_OPS     /* ops identifies the caller and decides; over TCP the token is checked before */
};

struct route {
    const char *method; /* "GET", "POST" …; NULL: any */
    const char *path;   /* "/api/v1/runs/{id}": a name in braces is one part of the path */
    const char *tag;    /* "trading", "operations" …: the group in the documentation */
    const char *summary;
    const char *answer; /* schema of the answer, "nightdesk.state/1"; NULL: see media */
    const char *body;   /* schema of the request's body; NULL: none */
    const char *media;  /* of the answer; NULL: application/json */
    int status;         /* of the answer; 0: 200 */
    enum route_gate gate;
    enum role least;
    const struct action_param *params; /* ROUTE_PARAMS; NULL: none */
    /* The command that gives the answer: it runs as the caller. Of a GET a reading one, with the
     * parameters as its arguments of the same names, and its data are the members of the answer. Of
     * a POST any, with the body of a command. NULL: none. */
    const char *command;
    void (*handle)(struct api_call *call);
};

/* Ends at a row without a path. */
extern const struct route routes[];

/* The row for a method and a path; NULL if there is none. *ret_here: whether the path has rows for
 * any method. */
const struct route *route_find(struct str method, struct str path, bool *ret_here);
/* "GET, HEAD": the methods of a path. */
void route_methods(struct str path, char *ret, size_t size);
/* The path that is most like this one; false: none is. */
bool route_nearest(struct str path, char *ret, size_t size);
/* Whether the path of the route has the name in braces. */
bool route_in_path(const struct route *route, const char *name);
/* The part of a path that is this parameter, which the route has in braces. */
struct str route_part(const struct route *route, struct str path, const char *name);
int route_param_count(const struct route *route);
