#include "api/openapi.h"
#include "api/route.h"
#include "base/buf.h"

#include <ctype.h>
#include <string.h>

/* "[nightdesk.run/1](json.md#nightdeskrun1)" */
static void add_schema(struct buf *out, const char *schema)
{
    buf_addf(out, "[`%s`](json.md#", schema);
    for (const char *c = schema; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c) || *c == '_') {
            buf_add_char(out, *c);
        }
    }
    buf_add_char(out, ')');
}

static void add_caller(struct buf *out, const struct route *route)
{
    switch (route->gate) {
    case ROUTE_OPEN:
        buf_add_c(out, " Without a token.");
        break;
    case ROUTE_OPS:
        buf_add_c(out, " With the role that the command needs.");
        break;
    case ROUTE_TICKET:
        buf_addf(out, " Lowest role: %s; or with a ticket.", role_name(route->least));
        break;
    case ROUTE_ROLE:
        buf_addf(out, " Lowest role: %s.", role_name(route->least));
        break;
    }
}

static void add_params(struct buf *out, const struct route *route)
{
    for (int i = 0; i < route_param_count(route); i++) {
        const struct action_param *p = &route->params[i];
        bool in_path = route_in_path(route, p->name);
        if (i == 0) {
            buf_add_c(out, "\n| parameter | in | type | required | default | meaning |\n"
                           "|---|---|---|---|---|---|\n");
        }
        buf_addf(out, "| %s | %s | ", p->name, in_path ? "path" : "query");
        value_describe(p, out);
        buf_addf(out, " | %s | %s | %s |\n", in_path || p->required ? "yes" : "no",
                 p->default_text == NULL ? "" : p->default_text, p->help == NULL ? "" : p->help);
    }
}

static void add_route(struct buf *out, const struct route *route)
{
    buf_addf(out, "\n### %s %s\n\n%s.", route->method != NULL ? route->method : "Any method",
             route->path, route->summary);
    add_caller(out, route);
    if (route->body != NULL) {
        buf_add_c(out, " Body: ");
        add_schema(out, route->body);
        buf_add_char(out, '.');
    }
    if (route->answer != NULL) {
        buf_add_c(out, " Answer: ");
        add_schema(out, route->answer);
        buf_add_c(out, ".\n");
    } else if (route->media != NULL) {
        buf_addf(out, " Answer: `%s`.\n", route->media);
    } else {
        buf_add_char(out, '\n');
    }
    add_params(out, route);
}

static bool is_first_of_tag(const struct route *route)
{
    for (const struct route *other = routes; other != route; other++) {
        if (strcmp(other->tag, route->tag) == 0) {
            return false;
        }
    }
    return true;
}

void api_markdown(struct buf *out)
{
    buf_add_c(out, "# REST\n\nEvery path of the API; [operations.md](operations.md#programs-rest) "
                   "says how to use them, and `GET /openapi.json`\ndescribes them for programs. "
                   "Printed by `nightdesk docs api`.\n");
    for (const struct route *first = routes; first->path != NULL; first++) {
        if (!is_first_of_tag(first)) {
            continue;
        }
        buf_addf(out, "\n## %c%s\n", toupper((unsigned char)first->tag[0]), first->tag + 1);
        for (const struct route *route = first; route->path != NULL; route++) {
            if (strcmp(route->tag, first->tag) == 0) {
                add_route(out, route);
            }
        }
    }
}
