#include "api/openapi.h"

#include "answer.h"
#include "api/route.h"
#include "api_internal.h"
#include "base/check.h"
#include "call.h"
#include "io/json_out.h"
#include "openapi_schema.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- parameters */

static void write_choices(struct json_out *out, const char *choices)
{
    struct str rest = str_c(choices), one;
    json_out_array(out, "enum");
    while (str_split(&rest, '|', &one)) {
        json_out_str(out, NULL, one);
    }
    json_out_end(out);
}

static void write_param_schema(struct json_out *out, const struct action_param *param)
{
    bool number = param->type == PARAM_INT;
    json_out_object(out, "schema");
    json_out_text(out, "type", number ? "integer" : "string");
    if (number && param->minimum != NULL) {
        json_out_number(out, "minimum", param->minimum);
    }
    if (number && param->maximum != NULL) {
        json_out_number(out, "maximum", param->maximum);
    }
    if (param->type == PARAM_CHOICE) {
        write_choices(out, param->choices);
    }
    if (param->default_text != NULL && number) {
        json_out_number(out, "default", param->default_text);
    } else if (param->default_text != NULL) {
        json_out_text(out, "default", param->default_text);
    }
    json_out_end(out);
}

static void write_params(struct json_out *out, const struct route *route)
{
    json_out_array(out, "parameters");
    for (int i = 0; i < route_param_count(route); i++) {
        const struct action_param *param = &route->params[i];
        bool in_path = route_in_path(route, param->name);
        json_out_object(out, NULL);
        json_out_text(out, "name", param->name);
        json_out_text(out, "in", in_path ? "path" : "query");
        json_out_bool(out, "required", in_path || param->required);
        json_out_text(out, "description", param->help);
        write_param_schema(out, param);
        json_out_end(out);
    }
    json_out_end(out);
}

/* ---------------------------------------------------------------- operations */

static void write_ref(struct json_out *out, const char *schema)
{
    AUTO_JSON struct json_object *ref = json_object_new_object();
    openapi_ref(ref, schema);
    json_out_value(out, "schema", ref);
}

/* A reply whose data are those of one command. */
static void write_reply_of(struct json_out *out, const char *reply, struct str command)
{
    AUTO_BUF struct buf data = BUF_INIT(OPENAPI_REF_SIZE);
    AUTO_JSON struct json_object *ref = json_object_new_object();
    AUTO_JSON struct json_object *typed = json_object_new_object();
    openapi_ref(ref, reply);
    buf_addf(&data, OPENAPI_DATA ".%.*s", STR_ARG(command));
    openapi_ref(typed, data.data);
    json_out_object(out, "schema");
    json_out_array(out, "allOf");
    json_out_value(out, NULL, ref);
    json_out_end(out);
    json_out_object(out, "properties");
    json_out_value(out, "data", typed);
    json_out_end(out);
    json_out_end(out);
}

/* command NULL: no reply of one. */
static void write_content(struct json_out *out, const char *media, const char *schema,
                          const char *command)
{
    char ref[OPENAPI_REF_SIZE];
    json_out_object(out, "content");
    json_out_object(out, media);
    if (schema != NULL) {
        if (command != NULL) {
            write_reply_of(out, schema, str_c(command));
        } else {
            write_ref(out, schema);
        }
        json_out_object(out, "examples");
        json_out_object(out, "example");
        json_out_text(out, "$ref", openapi_example(schema, ref, sizeof(ref)));
        json_out_end(out);
        json_out_end(out);
    } else {
        json_out_object(out, "schema");
        json_out_end(out);
    }
    json_out_end(out);
    json_out_end(out);
}

static void write_problem(struct json_out *out)
{
    json_out_object(out, "default");
    json_out_text(out, "$ref", "#/components/responses/problem");
    json_out_end(out);
}

static void write_answers(struct json_out *out, const struct route *route)
{
    char status[16];
    (void)snprintf(status, sizeof(status), "%d", route->status == 0 ? 200 : route->status);
    json_out_object(out, "responses");
    json_out_object(out, status);
    json_out_text(out, "description", route->summary);
    if (route->status != 204) {
        bool replies = route->body != NULL && route->command != NULL;
        write_content(out, route->media != NULL ? route->media : "application/json", route->answer,
                      replies ? route->command : NULL);
    }
    json_out_end(out);
    write_problem(out);
    json_out_end(out);
}

/* "getApiV1RunsId": unique, as method and path are. */
static void write_id(struct json_out *out, const char *method, const char *path)
{
    AUTO_BUF struct buf id = BUF_INIT(256);
    bool upper = false;
    for (const char *c = method; *c != '\0'; c++) {
        buf_add_char(&id, (char)tolower((unsigned char)*c));
    }
    for (const char *c = path; *c != '\0'; c++) {
        if (isalnum((unsigned char)*c)) {
            buf_add_char(&id, upper ? (char)toupper((unsigned char)*c) : *c);
        }
        upper = !isalnum((unsigned char)*c);
    }
    json_out_text(out, "operationId", id.data);
}

static void write_operation(struct json_out *out, const struct route *route, const char *method)
{
    char key[16];
    (void)str_copy(str_c(method), key, sizeof(key));
    for (char *c = key; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    json_out_object(out, key);
    json_out_array(out, "tags");
    json_out_text(out, NULL, route->tag);
    json_out_end(out);
    json_out_text(out, "summary", route->summary);
    write_id(out, method, route->path);
    json_out_text(out, "x-least-role", role_name(route->least));
    write_params(out, route);
    if (route->body != NULL) {
        json_out_object(out, "requestBody");
        write_content(out, "application/json", route->body, NULL);
        json_out_end(out);
    }
    write_answers(out, route);
    if (route->gate == ROUTE_OPEN) {
        json_out_array(out, "security"); /* none */
        json_out_end(out);
    }
    json_out_end(out);
}

/* ---------------------------------------------------------------- commands */

/* As an object by name; an array in order and a typed line are read, too. */
static void write_arguments(struct json_out *out, struct str section)
{
    struct str rest = section;
    struct openapi_argument arg;
    json_out_object(out, "args");
    json_out_array(out, "type");
    json_out_text(out, NULL, "object");
    json_out_text(out, NULL, "array");
    json_out_text(out, NULL, "string");
    json_out_end(out);
    json_out_bool(out, "additionalProperties", false);
    json_out_object(out, "properties");
    while (openapi_argument_next(&rest, &arg)) {
        AUTO_BUF struct buf key = BUF_INIT(OPENAPI_REF_SIZE), text = BUF_INIT(1024);
        buf_add_str(&key, arg.name);
        buf_addf(&text, "%.*s (%.*s)", STR_ARG(arg.help), STR_ARG(arg.rule));
        json_out_object(out, key.data);
        json_out_text(out, "description", text.data);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_array(out, "required");
    for (rest = section; openapi_argument_next(&rest, &arg);) {
        if (arg.required) {
            json_out_str(out, NULL, arg.name);
        }
    }
    json_out_end(out);
    json_out_end(out);
}

static void write_command_body(struct json_out *out, const char *body,
                               const struct openapi_command *command)
{
    AUTO_JSON struct json_object *ref = json_object_new_object();
    openapi_ref(ref, body);
    json_out_object(out, "requestBody");
    json_out_object(out, "content");
    json_out_object(out, "application/json");
    json_out_object(out, "schema");
    json_out_array(out, "allOf");
    json_out_value(out, NULL, ref);
    json_out_end(out);
    json_out_object(out, "properties");
    write_arguments(out, command->section);
    json_out_end(out);
    json_out_end(out);
    json_out_object(out, "example");
    json_out_str(out, "args", openapi_command_example(command));
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
}

static void write_command(struct json_out *out, const struct route *route, const char *path,
                          const struct openapi_command *command)
{
    json_out_object(out, path);
    json_out_object(out, "post");
    json_out_array(out, "tags");
    json_out_text(out, NULL, route->tag);
    json_out_end(out);
    json_out_str(out, "summary", command->summary);
    write_id(out, route->method, path);
    json_out_str(out, "x-least-role", command->role);
    json_out_bool(out, "x-changes", command->changes);
    write_command_body(out, route->body, command);
    json_out_object(out, "responses");
    json_out_object(out, "200");
    json_out_text(out, "description", "The reply");
    json_out_object(out, "content");
    json_out_object(out, "application/json");
    write_reply_of(out, route->answer, command->name);
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
    write_problem(out);
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
}

/* The path of all commands has one of its own for each that is built in, which says what it takes
 * and what its data are. */
static void write_commands(struct json_out *out, const struct route *route)
{
    struct str rest = openapi_commands();
    struct openapi_command command;
    size_t prefix = strcspn(route->path, "{");
    while (openapi_command_next(&rest, &command)) {
        AUTO_BUF struct buf path = BUF_INIT(OPENAPI_REF_SIZE);
        buf_addf(&path, "%.*s%.*s", (int)prefix, route->path, STR_ARG(command.name));
        write_command(out, route, path.data, &command);
    }
}

/* Whether this is the first row of its path. */
static bool is_first(const struct route *route)
{
    for (const struct route *other = routes; other != route; other++) {
        if (strcmp(other->path, route->path) == 0) {
            return false;
        }
    }
    return true;
}

static void write_paths(struct json_out *out)
{
    json_out_object(out, "paths");
    for (const struct route *route = routes; route->path != NULL; route++) {
        if (!is_first(route)) {
            continue;
        }
        json_out_object(out, route->path);
        for (const struct route *same = route; same->path != NULL; same++) {
            if (strcmp(same->path, route->path) == 0) {
                write_operation(out, same, same->method != NULL ? same->method : "POST");
            }
        }
        json_out_end(out);
        if (route->handle == api_command_handle && route_in_path(route, "name")) {
            write_commands(out, route);
        }
    }
    json_out_end(out);
}

static void write_components(struct json_out *out)
{
    AUTO_JSON struct json_object *components = json_object_new_object();
    openapi_schemas(components);
    openapi_examples(components);
    json_out_object(out, "components");
    json_out_value(out, "schemas", json_get(components, "schemas"));
    json_out_value(out, "examples", json_get(components, "examples"));
    json_out_object(out, "responses");
    json_out_object(out, "problem");
    json_out_text(out, "description", "An error, with its cause, impact and remediation");
    write_content(out, "application/problem+json", "nightdesk.problem/1", NULL);
    json_out_end(out);
    json_out_end(out);
    json_out_object(out, "securitySchemes");
    json_out_object(out, "token");
    json_out_text(out, "type", "http");
    json_out_text(out, "scheme", "bearer");
    json_out_end(out);
    json_out_end(out);
    json_out_end(out);
}

struct json_object *openapi_new(void)
{
    struct json_object *root = json_object_new_object();
    struct json_out out = JSON_OUT_TREE(root);
    json_out_text(&out, "openapi", "3.1.0");
    json_out_object(&out, "info");
    json_out_text(&out, "title", "nightdesk");
    json_out_text(&out, "version", NIGHTDESK_VERSION);
    json_out_text(&out, "summary", "Reads and operates a trading desk");
    json_out_end(&out);
    json_out_array(&out, "security");
    json_out_object(&out, NULL);
    json_out_array(&out, "token");
    json_out_end(&out);
    json_out_end(&out);
    json_out_end(&out);
    write_paths(&out);
    write_components(&out);
    return root;
}

void api_openapi_handle(struct api_call *call)
{
    AUTO_JSON struct json_object *root = openapi_new();
    AUTO_BUF struct buf body = BUF_INIT((size_t)4 << 20);
    json_add_text(&body, root);
    web_answer_json(call->request, 200, buf_str(&body));
}
