#include "api/openapi.h"
#include "api/route.h"
#include "api_internal.h"
#include "base/buf.h"
#include "base/check.h"
#include "call.h"

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
    buf_add_c(out,
              "# REST\n\nEvery path of the API; [operations.md](operations.md#programs-rest) "
              "says how to use them, and `GET /openapi.json`\ndescribes them for programs. "
              "Printed by `nightdesk docs api`.\n\n"
              "Every JSON document of an answer below 400 says how old its data is: "
              "`data_age_seconds`, `ttl_seconds` and\n`stale`; that of a GET also has an "
              "`ETag`. An error is a [`nightdesk.problem/1`](json.md#nightdeskproblem1), which "
              "has a\n`timestamp`, as `application/problem+json`.\n");
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

/* ---------------------------------------------------------------- the page /docs */

static const char style[] =
    "body{margin:0 auto;max-width:60rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;"
    "color-scheme:light dark;overflow-wrap:anywhere}"
    "h3{margin:2rem 0 .5rem}code{font-family:ui-monospace,monospace}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{border:1px solid #8888;padding:.2rem .5rem;text-align:left;vertical-align:top}"
    "dt{font-weight:bold}dd{margin:0 0 .5rem 1rem}"
    ":target{outline:2px solid;outline-offset:.3rem}\n";

static void add_html(struct buf *out, const char *text)
{
    buf_add_html(out, str_c(text));
}

/* "GET-/api/v1/runs/{id}" is the anchor of a route. */
static void add_page_route(struct buf *out, const struct route *route)
{
    const char *method = route->method != NULL ? route->method : "Any";
    buf_addf(out, "<h3 id=\"%s-", method);
    add_html(out, route->path);
    buf_addf(out, "\"><code>%s ", method);
    add_html(out, route->path);
    buf_add_c(out, "</code></h3>\n<p>");
    add_html(out, route->summary);
    buf_add_char(out, '.');
    add_caller(out, route);
    if (route->body != NULL) {
        buf_addf(out, " Body: <code>%s</code>.", route->body);
    }
    if (route->answer != NULL || route->media != NULL) {
        buf_addf(out, " Answer: <code>%s</code>.",
                 route->answer != NULL ? route->answer : route->media);
    }
    buf_add_c(out, "</p>\n");
    for (int i = 0; i < route_param_count(route); i++) {
        const struct action_param *p = &route->params[i];
        AUTO_BUF struct buf type = BUF_INIT(1024);
        value_describe(p, &type);
        buf_addf(out, "%s<tr><td><code>%s</code></td><td>",
                 i > 0 ? ""
                       : "<table><thead><tr><th>parameter</th><th>type</th><th>default</th>"
                         "<th>meaning</th></tr></thead><tbody>\n",
                 p->name);
        buf_add_html(out, buf_str(&type));
        buf_add_c(out, "</td><td>");
        add_html(out, p->default_text == NULL ? "" : p->default_text);
        buf_add_c(out, "</td><td>");
        add_html(out, p->help == NULL ? "" : p->help);
        buf_add_c(out, "</td></tr>\n");
    }
    buf_add_c(out, route_param_count(route) > 0 ? "</tbody></table>\n" : "");
}

/* A problem's `type` leads here. */
static void add_page_error(struct buf *out, const struct err_info *info)
{
    const char *const parts[][2] = {
        {"Cause", info->cause}, {"Impact", info->impact}, {"Remedy", info->remediation}};
    buf_addf(out, "<h3 id=\"%s\"><code>%s</code></h3>\n<p>%d: ", info->code, info->code,
             info->http_status);
    add_html(out, info->message);
    buf_add_c(out, ".</p>\n<dl>");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_addf(out, "<dt>%s</dt><dd>", parts[i][0]);
        add_html(out, parts[i][1]);
        buf_add_c(out, "</dd>");
    }
    buf_add_c(out, "</dl>\n");
}

void api_docs_page(struct buf *out)
{
    buf_add_c(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width\">\n"
                   "<title>nightdesk: API and errors</title>\n"
                   "<link rel=\"stylesheet\" href=\"/docs.css\">\n</head>\n<body>\n<main>\n"
                   "<h1>API and errors</h1>\n<p>For programs: <a href=\"/openapi.json\">"
                   "/openapi.json</a>. Below: <a href=\"#errors\">errors</a>.</p>\n");
    for (const struct route *first = routes; first->path != NULL; first++) {
        if (!is_first_of_tag(first)) {
            continue;
        }
        buf_addf(out, "<h2>%c%s</h2>\n", toupper((unsigned char)first->tag[0]), first->tag + 1);
        for (const struct route *route = first; route->path != NULL; route++) {
            if (strcmp(route->tag, first->tag) == 0) {
                add_page_route(out, route);
            }
        }
    }
    buf_add_c(out, "<h2 id=\"errors\">Errors</h2>\n");
    for (int id = ERR_NONE + 1; id < ERR_COUNT; id++) {
        add_page_error(out, err_info(id));
    }
    buf_add_c(out, "</main>\n</body>\n</html>\n");
}

void api_docs_handle(struct api_call *call)
{
    static const char *const headers[] = {
        "Content-Security-Policy: default-src 'none'; style-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff", NULL};
    bool css = str_equal_c(web_path(call->request), "/docs.css");
    AUTO_BUF struct buf body = BUF_INIT((size_t)4 << 20);
    if (css) {
        buf_add_c(&body, style);
    } else {
        api_docs_page(&body);
    }
    web_answer(call->request,
               &(struct web_answer){.status = 200,
                                    .content_type = css ? "text/css" : "text/html; charset=utf-8",
                                    .headers = headers,
                                    .body = buf_str(&body)});
}
