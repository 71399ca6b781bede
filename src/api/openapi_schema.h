/*
 * openapi_schema.h: JSON schemas of all documents and entities, from the tables of docs/json.md,
 * one of the data of each command, from docs/commands.md, and an example of each document, from
 * examples.json beside this file.
 *
 *     openapi_schemas(components);                 // adds "schemas"
 *     openapi_ref(schema, "nightdesk.state/2");    // {"$ref": "#/components/schemas/…"}
 *
 * A row `trading.state` is the member state of the object trading, `votes[].agent` one of each
 * object of the array votes, and a step in capitals any key. Every value may be null. Thread: any.
 */
#pragma once

#include "base/str.h"
#include "io/json.h"

#include <stddef.h>

#define OPENAPI_SCHEMAS "#/components/schemas/"
#define OPENAPI_DATA    "data" /* all members that the data of a reply may have */

/* Adds "schemas"; "data.status" is that of the data of /status. */
void openapi_schemas(struct json_object *components);
void openapi_ref(struct json_object *schema, const char *name);
/* Makes the schema that of data with these members ("snapshot.age_ms positions", as manifest_data
 * writes them): each by reference, so that it is described once. */
void openapi_data(struct json_object *schema, struct str members);

/* A command as docs/commands.md describes it; views of that page. */
struct openapi_command {
    struct str name;
    struct str summary;
    struct str role;
    struct str data;    /* "snapshot positions"; "*": any; "": none */
    struct str section; /* all of it */
    bool changes;
};
/* All commands that are built in: *rest is openapi_commands() first. False: no more. */
struct str openapi_commands(void);
bool openapi_command_next(struct str *rest, struct openapi_command *ret);
struct openapi_argument {
    struct str name;
    struct str rule; /* "int from 1, optional" */
    struct str help;
    bool required;
};
/* The same of its arguments: *rest is its section first. */
bool openapi_argument_next(struct str *rest, struct openapi_argument *ret);
/* What follows the name in its last example: "BTC-USD 12h"; may be empty. */
struct str openapi_command_example(const struct openapi_command *command);

#define OPENAPI_REF_SIZE 128
/* Adds "examples", one for each document that has one. */
void openapi_examples(struct json_object *components);
/* "#/components/examples/…" of a document, in ret. */
const char *openapi_example(const char *name, char *ret, size_t size);
